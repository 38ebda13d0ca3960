"""Runs by the words that people have for them: a directory, the name of a target, or `last`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from conformance.core.mistake import Mistake, nearest
from conformance.evidence.run import RUN, latest

LAST = "last"
"""The newest run of any target."""


def located(word: str, shelf: Path) -> Path:
    """The directory of a run: `word` is that directory, one of runs (the newest counts), a target's name, or `last`.

    `shelf` holds a directory for each target. Raises Mistake where there is no such run, or none at all.
    """
    path = Path(word)
    if (path / RUN).is_file():
        return path
    if path.is_dir() and (found := latest(path.parent, path.name)):
        return found
    newest = {directory.name: one for directory in _below(shelf) if (one := latest(shelf, directory.name))}
    if word == LAST and newest:
        return max(newest.values(), key=lambda one: (one.name, one.parent.name))
    if (found := newest.get(slug(word))) is not None:
        return found
    if not newest:
        raise Mistake(
            f"there is no run called `{word}`: no directory of that name has a {RUN}, and there are no runs in {shelf}",
            fix="`pytest --target NAME` makes one; --conformance-reports DIR says where they are",
        )
    hint = nearest(word, [*newest, LAST]) or f"there are runs of {', '.join(sorted(newest))}"
    raise Mistake(f"there is no run called `{word}`, and no directory of a run; {hint}")


def _below(shelf: Path) -> Iterator[Path]:
    return (one for one in sorted(shelf.iterdir()) if one.is_dir()) if shelf.is_dir() else iter(())


REPORTS = "reports"
"""The directory of runs, beside targets.yaml."""


def slug(name: str) -> str:
    """A target's name as the name of a directory."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "target"


def new_directory(reports: Path, name: str) -> Path:
    """A directory for a run, named for the target and the moment; never one that exists. Raises Mistake."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        directory = reports / slug(name) / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as problem:
            raise Mistake(
                f"the run cannot be written: {problem.strerror}",
                where=str(directory),
                fix="choose another directory with --conformance-reports",
            ) from None
        return directory
    raise Mistake("there are a thousand runs of this second already", where=str(reports / slug(name)))


def now() -> str:
    """This moment, as it is written into runs."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
