"""The examples in `reports/examples`, made again from committed recordings by `python -m tests.examples`."""
