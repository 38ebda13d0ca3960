"""What the suite costs, as ratios: each is measured in one run together with what it is compared to.

`python -m tests.benchmarks [NAME...]`, in the checkout. Not tests: nothing here is timed by pytest, or fails because a
machine is slow. Where a machine is busy, processor time is compared instead of time on the clock.
"""
