"""Answers that take more than a minute, over a real connection: cut off, given up, and brought to their end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.checks.catalogue import catalogue
from conformance.core.finding import Kind, Outcome
from conformance.reference.serve import serving
from conformance.targets.target import Limits, Timeout
from tests.kit.whole_runs import run

MINUTES = "timing.answers-of-minutes-arrive"
LIMITS = Limits(timeout=Timeout(connect=10, first_byte=110, idle=60, total=150, linger=1))
CODES = {
    "minutes": "",
    "cut-after-a-minute": "cut-off",
    "gives-up-after-a-minute": "given-up",
}


@pytest.mark.slow
def test_what_takes_minutes_is_waited_for(tmp_path: Path) -> None:
    """Eighty seconds of an answer arrive, whole and streamed; one that a gateway ends after sixty is seen, and when."""

    def outcome(base_url: str, fault: str) -> Outcome:
        address = base_url.replace("/v1", f"/fault/{fault}/v1")
        outcomes, dead = run(address, tmp_path / fault, [catalogue()[MINUTES]], LIMITS)
        assert not dead
        return outcomes[MINUTES]

    with serving() as base_url, ThreadPoolExecutor() as pool:
        found = dict(zip(CODES, pool.map(lambda fault: outcome(base_url, fault), CODES), strict=True))
    assert found["minutes"].kind is Kind.HOLDS, found["minutes"]
    for fault, code in CODES.items():
        codes = [finding.code for finding in found[fault].findings]
        assert bool(code) == (code in codes), (fault, found[fault])
        seconds = [int(str(finding.found).split("after ")[1].split()[0]) for finding in found[fault].findings]
        assert all(55 <= one <= 140 for one in seconds), seconds
