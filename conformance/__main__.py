"""`python -m conformance` is the `conformance` command."""

import sys

from conformance.cli.main import main

sys.exit(main())
