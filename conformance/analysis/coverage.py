"""What the suite covers: which checks uphold each known behaviour, request parameter and field, and what is left out.

`fixtures/coverage.yaml` is the account; this reads it, and says where it does not agree with the catalogue. It judges
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from conformance.core.documents import Written, document, shipped
from conformance.core.text import listed

COVERAGE = "coverage.yaml"


class Sign(Written):
    """How a check tells what becomes of a request parameter.

    Where it holds, the parameter is `held`: honoured, if the check shows an effect, or accepted. Findings whose codes are in
    `ignored` say that it is ignored, those in `accepted` only that it is taken. With `noted`, the check writes the word
    down by itself, under that name.
    """

    check: str
    held: Literal["honoured", "accepted"] = "honoured"
    ignored: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    noted: str = ""


class Entry(Written):
    """Something to be covered: the checks that uphold it, the suite's own tests that do, or why nothing does."""

    id: str = ""
    section: str = ""
    says: str = ""
    checks: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    excluded: str = ""
    shown: tuple[Sign, ...] = Field((), exclude=True)
    refused_as: tuple[str, ...] = Field((), exclude=True, alias="refused-as")

    @model_validator(mode="after")
    def _covered_or_excluded(self) -> Self:
        if bool(self.checks or self.tests) == bool(self.excluded):
            raise ValueError("is either covered by `checks` or `tests`, or `excluded` for a reason")
        return self

    @property
    def kind(self) -> str:
        """How it is covered: `checks`, `tests`, or `excluded`."""
        return "checks" if self.checks else "tests" if self.tests else "excluded"


Entries = Mapping[str, Entry]


class _File(Written):
    """The account as it is written: entries by id, most of them in sections."""

    lines: Mapping[str, Entries]
    parameters: Entries
    fields: Mapping[str, Entries]
    beyond: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _nothing_twice(self) -> Self:
        ids = Counter([*(name for entries in self.lines.values() for name in entries), *self.beyond])
        if twice := [name for name, count in ids.items() if count > 1]:
            raise ValueError(f"has {listed(twice)} twice")
        return self


@dataclass(frozen=True)
class Coverage:
    """The whole account."""

    lines: tuple[Entry, ...]
    """Known behaviours, by number."""
    parameters: tuple[Entry, ...]
    """Members of a request."""
    fields: tuple[Entry, ...]
    """Members of answers, chunks, and errors; the section says of which."""
    beyond: tuple[str, ...] = ()
    """Checks that uphold something else."""
    signs: Mapping[str, tuple[Sign, ...]] = field(default_factory=dict)
    """For each optional parameter, how the checks tell what becomes of it."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other members that a server names when it refuses the parameter."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that is to be covered, in the order of the file."""
        return (*self.lines, *self.parameters, *self.fields)

    @property
    def named(self) -> frozenset[str]:
        """Every check that the account names."""
        signs = (sign.check for signs in self.signs.values() for sign in signs)
        return frozenset([*(one for entry in self.entries for one in entry.checks), *self.beyond, *signs])


@cache
def coverage() -> Coverage:
    """The account that comes with the suite."""
    return _account(shipped(COVERAGE, _File))


def load(path: Path) -> Coverage:
    """An account from a file. Raises Mistake for one that is not of the right form; all mistakes are told together."""
    return _account(document(path, _File))


def _account(written: _File) -> Coverage:
    parameters = written.parameters
    return Coverage(
        _entries(written.lines),
        _entries({"request": parameters}),
        _entries(written.fields),
        written.beyond,
        {name: entry.shown for name, entry in parameters.items()},
        {name: entry.refused_as for name, entry in parameters.items() if entry.refused_as},
    )


def _entries(sections: Mapping[str, Entries]) -> tuple[Entry, ...]:
    return tuple(
        entry.model_copy(update={"id": name, "section": section})
        for section, entries in sections.items()
        for name, entry in entries.items()
    )


def gaps(account: Coverage, known: Iterable[str]) -> Iterator[str]:
    """Where the account and a catalogue of check ids disagree: ids that do not exist, checks that nothing names."""
    ids = set(known)
    for entry in account.entries:
        for one in entry.checks:
            if one not in ids:
                yield f"{entry.id} names the check `{one}`, which does not exist"
    for one in sorted(account.named - ids):
        if not any(one in entry.checks for entry in account.entries):
            yield f"the check `{one}` is named, and does not exist"
    for one in sorted(ids - account.named):
        yield f"the check `{one}` upholds nothing in the account: name it, or list it under `beyond`"


def chosen(account: Coverage, prefixes: Iterable[str]) -> tuple[Entry, ...]:
    """The entries whose id, section or checks begin with one of these; all of them where there are none."""
    wanted = tuple(prefixes)
    if not wanted:
        return account.entries
    return tuple(
        entry
        for entry in account.entries
        if any(text.startswith(wanted) for text in (entry.id, entry.section, *entry.checks))
    )


def to_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The entries as JSON values; what is empty is left out."""
    return [entry.model_dump(mode="json", exclude_defaults=True) for entry in entries]


def blocks(entries: Iterable[Entry], levels: Mapping[str, str]) -> Iterator[RenderableType]:
    """The entries for a terminal: a table for each section. `levels` are those of the checks, by id."""
    some = list(entries)
    for section in dict.fromkeys(entry.section for entry in some):
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(ratio=1, overflow="fold")
        for entry in (entry for entry in some if entry.section == section):
            told = Text(entry.says)
            for one in entry.checks:
                told.append(f"{chr(10) if told else ''}{one} ")
                told.append(levels.get(one, "?"), "cyan")
            for one in entry.tests:
                told.append(f"\n{one}", "dim")
            if entry.excluded:
                told.append(f"{chr(10) if told else ''}left out: {entry.excluded}", "dim")
            table.add_row(entry.id, told)
        yield Text(section, "bold underline")
        yield table
        yield Text()


def summary(entries: Iterable[Entry], checks: int) -> str:
    """One sentence: how much there is, and how much of it is left out."""
    some = list(entries)
    kinds = [entry.kind for entry in some]
    names = {one for entry in some for one in entry.checks}
    return (
        f"{len(some)} things to cover: {kinds.count('checks')} by {len(names)} of {checks} checks, "
        f"{kinds.count('tests')} by the suite's own tests alone, {kinds.count('excluded')} left out for a reason."
    )
