"""What the suite covers: which checks uphold each known behaviour, request parameter and field, and what is left out.

`fixtures/coverage.yaml` is the account; this reads it, and says where it does not agree with the catalogue. It judges
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from conformance.core.fixtures import fixtures, of_yaml
from conformance.core.mistake import Mistake, together

COVERAGE = "coverage.yaml"


@dataclass(frozen=True)
class Entry:
    """Something to be covered: the checks that uphold it, the suite's own tests that do, or why nothing does."""

    id: str
    section: str
    says: str = ""
    checks: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    excluded: str = ""

    @property
    def kind(self) -> str:
        """How it is covered: `checks`, `tests`, or `excluded`."""
        return "checks" if self.checks else "tests" if self.tests else "excluded"


@dataclass(frozen=True)
class Sign:
    """How a check tells what becomes of a request parameter.

    Where it holds, the parameter is `held`: honoured, if the check shows an effect, or accepted. The findings in
    `ignored` say that it is ignored, those in `accepted` only that it is taken. With `noted`, the check writes the word
    down by itself, under that name.
    """

    check: str
    held: str = "honoured"
    ignored: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    noted: str = ""


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
    return load(fixtures() / COVERAGE)


def load(path: Path) -> Coverage:
    """An account from a file. Raises Mistake for one that is not of the right form; all mistakes are told together."""
    try:
        data = of_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as problem:
        raise Mistake(f"the account cannot be read: {problem}", where=str(path)) from None
    if not isinstance(data, dict):
        raise Mistake("the account is no mapping", where=str(path))
    wrong: list[str] = []
    lines = _entries(data, "lines", wrong)
    parameters = tuple(_entry(name, "request", value, wrong) for name, value in _items(data, "parameters", wrong))
    signs = {name: _signs(name, value, wrong) for name, value in _items(data, "parameters", [])}
    aliases = {name: _texts(value, "refused-as") for name, value in _items(data, "parameters", [])}
    fields = _entries(data, "fields", wrong)
    beyond = data.get("beyond") or []
    if not isinstance(beyond, list) or not all(isinstance(one, str) for one in beyond):
        wrong.append("`beyond` is no list of ids")
        beyond = []
    for twice in _twice([*(entry.id for entry in lines), *beyond]):
        wrong.append(f"`{twice}` is there twice")
    if wrong:
        raise together([Mistake(one, where="" if len(wrong) > 1 else str(path)) for one in wrong], where=str(path))
    return Coverage(
        lines, parameters, fields, tuple(beyond), signs, {name: some for name, some in aliases.items() if some}
    )


def _items(data: Mapping[str, Any], part: str, wrong: list[str]) -> list[tuple[str, Any]]:
    value = data.get(part)
    if not isinstance(value, dict):
        wrong.append(f"`{part}` is no mapping")
        return []
    return [(str(name), inner) for name, inner in value.items()]


def _entries(data: Mapping[str, Any], part: str, wrong: list[str]) -> tuple[Entry, ...]:
    found = []
    for section, inner in _items(data, part, wrong):
        found += [_entry(name, section, value, wrong) for name, value in _items({section: inner}, section, wrong)]
    return tuple(found)


def _texts(value: Any, name: str) -> tuple[str, ...]:
    given = value.get(name) or [] if isinstance(value, dict) else []
    return tuple(given) if isinstance(given, list) and all(isinstance(one, str) for one in given) else ()


KNOWN = {"says", "checks", "tests", "excluded", "shown", "refused-as"}


def _entry(name: str, section: str, value: Any, wrong: list[str]) -> Entry:
    if not isinstance(value, dict) or not value.keys() <= KNOWN:
        wrong.append(f"`{name}` has to have some of {', '.join(sorted(KNOWN))}, and nothing else")
        return Entry(name, section)
    entry = Entry(
        name,
        section,
        str(value.get("says", "")),
        _texts(value, "checks"),
        _texts(value, "tests"),
        str(value.get("excluded", "")),
    )
    if bool(entry.checks or entry.tests) == bool(entry.excluded):
        wrong.append(f"`{name}` is either covered by `checks` or `tests`, or `excluded` for a reason")
    return entry


def _signs(name: str, value: Any, wrong: list[str]) -> tuple[Sign, ...]:
    found = []
    for one in value.get("shown") or [] if isinstance(value, dict) else []:
        given = one if isinstance(one, dict) else {}
        sign = Sign(
            str(given.get("check", "")),
            str(given.get("held", "honoured")),
            _texts(given, "ignored"),
            _texts(given, "accepted"),
            str(given.get("noted", "")),
        )
        if not sign.check or sign.held not in ("honoured", "accepted") or not given.keys() <= vars(sign).keys():
            wrong.append(f"`{name}`: what shows it is a `check`, with `held`, `ignored`, `accepted` or `noted`")
        found.append(sign)
    return tuple(found)


def _twice(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            yield one
        seen.add(one)


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
    return [
        {name: list(value) if isinstance(value, tuple) else value for name, value in vars(entry).items() if value}
        for entry in entries
    ]


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
