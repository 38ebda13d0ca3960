"""What the commands share: exit codes, the console, and names that have to exist."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rich.console import Console

from conformance.mistake import Mistake, nearest

CLEAN, WRONG, USAGE, COULD_NOT = 0, 1, 4, 6
"""Exit codes: done; something is not as it should be; the command or a file was wrong; a target could not be used."""

Run = Callable[[argparse.Namespace], int]


class Command(Protocol):
    """Declares a command: its name, what it runs, and one line about it; gives the parser that takes its options."""

    def __call__(self, name: str, run: Run, about: str) -> argparse.ArgumentParser: ...


def console() -> Console:
    """Where a command writes for people."""
    return Console(highlight=False, soft_wrap=False)


def known(wanted: Sequence[str], there: Mapping[str, object]) -> None:
    """Raises Mistake for a fault that there is not."""
    for one in wanted:
        if one not in there:
            hint = nearest(one, there) or "`conformance faults` lists them"
            raise Mistake(f"there is no fault called `{one}`; {hint}")
