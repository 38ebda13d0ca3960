"""Faults and legal variants, and which checks may not speak of the latter. Not tests."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.checks.catalogue import catalogue
from conformance.core.requirement import Level
from conformance.reference.fault import faults

SINS = {name: one for name, one in faults().items() if not one.legal}
LEGAL = {name: one for name, one in faults().items() if one.legal}
"""The planted faults, and what the contract allows."""

CHANGES = frozenset(
    {
        "error-code-null", "error-in-other-words", "error-type-of-its-own", "error-with-more-parts", "ids-long",
        "ids-of-a-gateway", "model-refuses", "presence-felt-in-long-texts-only", "text-begins-with-a-line",
        "tool-arguments-spaced", "tool-ids-of-another-form", "usage-is-rough", "usage-without-details",
    }
)  # fmt: skip
"""Variants that a server is free to choose, and a gateway is not: what it was given, it passes on."""

WITHOUT_EVIDENCE = {"door-asleep"}
"""Variants that answer nobody: an endpoint that is scaled to zero. That no check has evidence then is what is to be said."""


def binding(violated: Iterable[str], *variants: str) -> list[str]:
    """The MUSTs and SHOULDs among these checks, but for those that rightly say of such variants that a gateway changed something."""
    excused = not CHANGES.isdisjoint(variants)
    levels = {one: catalogue()[one] for one in violated}
    return [
        name
        for name, check in levels.items()
        if check.level in (Level.MUST, Level.SHOULD) and not (excused and check.area == "gateway")
    ]
