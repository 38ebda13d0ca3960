"""How far checks share requests: distinct fixed probes over the checks that read them. Counted from the catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conformance.checks.catalogue import catalogue
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.runner.kill_matrix import gather
from conformance.transport.memory import asking
from tests.benchmarks.measure import Row

TARGET = 0.8
"""Of a smaller catalogue 0.7 was the aim. A check of an odd request needs that request, and most newer checks are of those."""


def measure() -> Iterator[Row]:
    """Count probes and readers. Drawn cases are left out: nobody else can know them."""
    checks = [check for check in catalogue().values() if not check.drawn]
    readers = Counter(probe.key for check in checks for probe in check.probes)
    shared = sum(count > 1 for count in readers.values())
    ask = asking(responder(), DEFAULT_KEY, "reference")
    asked = {key for check in checks for evidence in gather(check, ask) for key in evidence.keys}
    facts = {
        "checks": len(checks),
        "drawn_checks": len(catalogue()) - len(checks),
        "probes": len(readers),
        "readings": readers.total(),
        "shared": shared,
        "with_steps": len(asked),
    }
    how = (
        f"{len(readers)} distinct fixed probes for {len(checks)} checks, which read them {readers.total()} times; {shared} have"
        f" several readers. Later steps of chains, made from answers, are apart: {len(asked)} probes with them"
        f" ({len(asked) / len(checks):.2f})"
    )
    yield Row("probes over the checks that read them", len(readers) / len(checks), TARGET, how, facts)
