"""A run that was broken off, to be finished in its own directory: what was asked of whom, what is there, what has changed since.

Evidence that is there is not sent for again, and all of it is judged again: the checks may have been mended meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.core.exchange import How
from conformance.core.guard import Guard
from conformance.core.mistake import Mistake, nearest
from conformance.evidence.exchanges import EXCHANGES, Recording, exchange_from_json
from conformance.evidence.journal import account, mend
from conformance.evidence.record import Header
from conformance.evidence.run import RUN, Run, read, sound
from conformance.targets.kinds import KINDS

OPTION = "--conformance-resume"
MADE_BY = ("suite", "openai", "hypothesis", "profile")
"""Members of a header that say by what a run was made."""
ASKED = ("kind", "base_url", "model", "claims", "disclaims", "strict")
"""Members of a header that say what targets.yaml and the command had."""
OF_ITS_OWN = ("reference", *(name for name, kind in KINDS.items() if "launch" in kind.takes))
"""Kinds whose servers may be started by the suite, at another address each time: no address in targets.yaml."""


@dataclass(frozen=True)
class Resumed:
    """One such run."""

    run: Run

    @property
    def directory(self) -> Path:
        """Where it lies, and goes on."""
        return self.run.directory

    @property
    def header(self) -> Header:
        """What was asked of whom."""
        return self.run.header

    @property
    def name(self) -> str:
        """The name of its target."""
        return self.run.target

    @property
    def given(self) -> str:
        """What its target was called on the command line: a name, or a URL."""
        return self.header.given or self.name

    @property
    def profile(self) -> str:
        """How much was drawn; "" where nobody wrote that down."""
        return self.header.profile

    def made(self, room: str) -> tuple[str, ...]:
        """The files that more checks were made of: golden sets, or traffic."""
        return self.header.made.get(room, ())

    @property
    def checks(self) -> frozenset[str]:
        """The ids of what was to be judged; empty where nobody wrote that down."""
        return frozenset(self.header.checks)

    def joined(self, header: Header) -> Header:
        """The header of what follows: what it is to judge is all that the run was to judge, now and before."""
        checks = tuple(sorted(self.checks | set(header.checks)))
        selected = len(checks) if self.checks else max(self.header.selected, header.selected)
        return replace(header, checks=checks, selected=selected)

    def changes(self, header: Header) -> Iterator[str]:
        """What is not as it was, in a sentence each: answers of before and of now stand side by side in this run."""
        for name in MADE_BY:
            was, now = getattr(self.header, name), getattr(header, name)
            if was and was != now:
                yield f"{name} was {was} when this run was begun, and is {now} now"
        for name in ASKED:
            was, now = getattr(self.header, name), getattr(header, name)
            if (was or self.header.suite) and (was or None) != (now or None) and not self._moves(name, header):
                yield f"the target's {name} was {_shown(was)} when this run was begun, and is {_shown(now)} now"
        before = {waiver.check: replace(waiver, line=0) for waiver in self.header.waives}
        after = {waiver.check: replace(waiver, line=0) for waiver in header.waives}
        if before != after:
            different = sorted(check for check in before | after if before.get(check) != after.get(check))
            yield f"waivers have changed since this run was begun: {', '.join(different)}"
        if gone := sorted(self.checks - set(header.checks) - set(self.run.by_check)):
            more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
            yield f"left out, though the run was to judge it: {', '.join(gone[:3])}{more}"

    def _moves(self, name: str, header: Header) -> bool:
        """Whether this differs from run to run by itself: the address of a server that the suite starts."""
        return name in ("base_url", "model") and (
            not getattr(header, name) or (header.kind in OF_ITS_OWN and not header.base_url)
        )

    def mended(self) -> Iterator[str]:
        """Mend both files, and say what was lost. Raises Unwritable."""
        for name, fits, saved in (
            (RUN, sound, len(self.run.results)),
            (EXCHANGES, _is_exchange, 0),
        ):
            lost, kept = mend(self.directory / name, fits)
            if kept is not None:
                what = account(
                    lost, saved or len(Recording(self.directory)), "outcomes are" if saved else "exchanges are"
                )
                yield f"{what}; the file as it was is kept as {kept.name}, and what it lost is sent again"

    def recording(self, guard: Guard) -> Recording:
        """Its exchanges, but for those that are worth nothing any more.

        An unreachable server is asked again. Several requests over one connection are evidence together, or not at all.
        """
        judged = {key for result in self.run.results for case in result.outcome.evidence for key in case}

        def worthless(line: Mapping[str, Any]) -> bool:
            shared = bool(line["probe"].get("line")) and line["key"] not in judged
            return shared or bool(line["ending"][0] == How.UNREACHABLE)

        return Recording(self.directory, guard, passed=worthless)


def resumed(written: str, here: Path) -> Resumed:
    """The run in a directory. Raises Mistake where there is none that can go on."""
    directory = (here / Path(written).expanduser()).resolve()
    if not directory.is_dir():
        beside = [one.name for one in directory.parent.iterdir()] if directory.parent.is_dir() else []
        hint = nearest(directory.name, beside) or "runs are under reports/<target>/<time>"
        raise Mistake(f"there is no folder `{written}` ({hint})", where=OPTION)
    run = read(directory, forgiving=True)
    if run.header.replay_of:
        again = f"pytest --target replay:{run.header.replay_of}"
        raise Mistake(f"`{written}` is a replay, which sends nothing", where=OPTION, fix=f"replay it again: {again}")
    return Resumed(run)


def _is_exchange(value: dict[str, Any]) -> bool:
    try:
        return bool(exchange_from_json(value).key == value["key"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return False


def _shown(value: Any) -> str:
    return (
        ", ".join(sorted(value))
        if isinstance(value, (tuple, frozenset))
        else str(value if value not in (None, "") else "not said")
    )
