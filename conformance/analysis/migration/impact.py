"""Whom a violated check hurts, and how: read off real divergences, or else off what the check is about.

The data are `fixtures/impact.yaml`, `fixtures/divergences.yaml` and the kill matrix, which says by which checks a divergence
is caught. Checks of somebody's own are about whatever their level says.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, ConfigDict

from conformance.core.documents import Written, shipped
from conformance.core.fixtures import fixture
from conformance.core.requirement import Level
from conformance.evidence.record import Result


class Impact(StrEnum):
    """How a violation hurts. The order is from worst to harmless."""

    RAISES = "raises"
    STOPS_AGENTS = "stops-agents"
    LOSES_DATA = "loses-data"
    MISLEADS = "misleads"
    COSMETIC = "cosmetic"

    @property
    def meaning(self) -> str:
        """Whom it hurts, as a clause."""
        return _table().impacts[self]


ORDER = tuple(Impact)


class _Table(Written):
    """`fixtures/impact.yaml`."""

    impacts: Mapping[Impact, str]
    severities: Mapping[str, Impact]
    areas: Mapping[str, Impact]
    checks: Mapping[str, Impact]


class Case(Written):
    """A real divergence: which servers did this to somebody, and the report of it."""

    model_config = ConfigDict(extra="ignore")
    id: str
    observed: Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
    servers: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    severity: str

    @property
    def url(self) -> str:
        """The report; "" where there is none."""
        return next(iter(self.source), "")

    @property
    def impact(self) -> Impact:
        """How it hurt."""
        return _table().severities[self.severity]


def impact(result: Result) -> Impact:
    """How a violation of this check hurts."""
    if result.level in (Level.MAY, Level.NOTE):
        return Impact.COSMETIC
    table = _table()
    if (written := table.checks.get(result.check)) is not None:
        return written
    if found := cases().get(result.check):
        return min((one.impact for one in found), key=ORDER.index)
    return table.areas.get(result.area, Impact.LOSES_DATA)


@cache
def cases() -> Mapping[str, tuple[Case, ...]]:
    """By check: the real divergences that it is known to catch, by name."""
    known = {case.id: case for case in shipped("divergences.yaml", tuple[Case, ...])}
    found: dict[str, list[Case]] = {}
    for fault, row in fixture("kill-matrix.yaml").items():
        if fault in known:
            for check in row.get("names", ()):
                found.setdefault(check, []).append(known[fault])
    return {check: tuple(some) for check, some in found.items()}


@cache
def _table() -> _Table:
    return shipped("impact.yaml", _Table)
