"""What the commands share: exit codes, the console, and names that have to exist."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console

from conformance.core.mistake import COULD_NOT_TEST, Mistake, nearest
from conformance.evidence.find import REPORTS

CLEAN, WRONG, USAGE, COULD_NOT = 0, 1, 4, COULD_NOT_TEST
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


def reports_option(parser: argparse.ArgumentParser) -> None:
    """`--reports`, of a command that looks for a run by its name."""
    parser.add_argument(
        "--reports", type=Path, metavar="DIR", help="where the runs are (default: reports/, beside targets.yaml)"
    )


def run_of(word: str, shelf: Path | None) -> Path:
    """The directory of the run that a word on the command line means. Raises Mistake."""
    from conformance.evidence.find import located

    return located(word, shelf or reports(Path.cwd()))


def write(file: Path, text: str) -> None:
    """Write what a command makes. Raises Mistake where that cannot be."""
    try:
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as problem:
        raise Mistake(f"it cannot be written: {problem.strerror}", where=str(file)) from None


def reports(here: Path) -> Path:
    """Where the runs of somebody in this folder are: beside their `targets.yaml`."""
    from conformance.targets import find  # pydantic is slow to import, and `--help` needs none

    file = find(here)
    return (file.parent if file else here) / REPORTS
