"""Whom a violated check hurts, and how: read off real divergences, or else off what the check is about.

The data are `fixtures/impact.yaml`, `fixtures/divergences.yaml` and the kill matrix, which says by which checks a divergence
is caught. Checks of somebody's own are about whatever their level says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

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
        return str(_table()["impacts"][self.value])


ORDER = tuple(Impact)


@dataclass(frozen=True)
class Case:
    """A real divergence: which servers did this to somebody, and the report of it."""

    id: str
    observed: str
    servers: tuple[str, ...]
    url: str
    impact: Impact


def impact(result: Result) -> Impact:
    """How a violation of this check hurts."""
    if result.level in (Level.MAY, Level.NOTE):
        return Impact.COSMETIC
    table = _table()
    if (written := table["checks"].get(result.check)) is not None:
        return Impact(written)
    if found := cases().get(result.check):
        return min((one.impact for one in found), key=ORDER.index)
    return Impact(table["areas"].get(result.area, Impact.LOSES_DATA.value))


@cache
def cases() -> Mapping[str, tuple[Case, ...]]:
    """By check: the real divergences that it is known to catch, by name."""
    severities = _table()["severities"]
    known = {
        one["id"]: Case(
            one["id"],
            " ".join(str(one["observed"]).split()),
            tuple(one.get("servers") or ()),
            next(iter(one.get("source") or ()), ""),
            Impact(severities[one["severity"]]),
        )
        for one in fixture("divergences.yaml")
    }
    found: dict[str, list[Case]] = {}
    for fault, row in fixture("kill-matrix.yaml").items():
        if fault in known:
            for check in row.get("names", ()):
                found.setdefault(check, []).append(known[fault])
    return {check: tuple(some) for check, some in found.items()}


@cache
def _table() -> dict[str, Any]:
    return dict(fixture("impact.yaml"))
