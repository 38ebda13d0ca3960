"""The catalogue: what every check has to be, whoever writes it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from conformance.checks.catalogue import catalogue, shipped
from conformance.core.capabilities import CAPABILITIES, UPSTREAM
from conformance.core.check import Check, first
from conformance.core.probe import Chain
from conformance.core.requirement import Level

EVERY = list(catalogue().values())
AREAS = {
    "auth", "chat", "completions", "content", "embeddings", "errors", "gateway", "http", "logprobs", "messages", "models", "multimodal", "parameters", "roles", "sampling", "stream",
    "sagemaker", "stream_options", "structured", "timing", "tool_choice", "tool_results", "tool_stream", "tools", "usage",
}  # fmt: skip
"""The first part of every id. Permanent: waivers, reports and scripts select by it."""
PROMISES = re.compile(r"\b(should|must|test|verify|check that|ensure)\b", re.IGNORECASE)


@pytest.fixture(params=EVERY, ids=lambda check: check.id)
def check(request: pytest.FixtureRequest) -> Check:
    """Each shipped check."""
    return request.param  # type: ignore[no-any-return]


def test_a_title_is_the_requirement_in_the_present_tense(check: Check) -> None:
    """One sentence that says what is so: no "should", no "test that"."""
    assert check.title.endswith(".")
    assert not PROMISES.search(check.title.replace("`", "")), check.title
    assert len(check.title) <= 160, check.title
    assert check.title[0].isupper() or check.title[0] in "`'\""


def test_a_requirement_has_a_source(check: Check) -> None:
    """Every MUST and SHOULD quotes its source; what only records needs none."""
    if check.level in (Level.MUST, Level.SHOULD):
        assert check.spec is not None, check.id
    if check.spec is not None:
        assert check.spec.url.startswith("https://"), check.spec
        assert len(check.spec.quote) >= 8, check.spec


def test_ids_and_areas_are_known(check: Check) -> None:
    """An id begins with an area that people select by, and needs capabilities that a target can claim."""
    assert check.area in AREAS
    assert set(check.requires) <= {*CAPABILITIES, UPSTREAM}, check.requires


def test_a_probe_names_no_host_and_no_key(check: Check) -> None:
    """What is sent is the same for every target."""
    for probe in check.probes:
        assert "://" not in probe.path
        assert not any(name.lower() == "authorization" and probe.auth == "key" for name, _ in probe.headers)


def test_no_check_is_in_two_files() -> None:
    """A node id is a file and a check: each check has one."""
    counts = Counter(check.id for checks in shipped().values() for check in checks)
    assert [name for name, count in counts.items() if count > 1] == []


def test_every_area_is_covered() -> None:
    """There is something in every area, and most of all what binds."""
    assert {check.area for check in EVERY} == AREAS
    assert sum(check.level in (Level.MUST, Level.SHOULD) for check in EVERY) > len(EVERY) * 3 / 4
    assert sum(check.drawn for check in EVERY) > len(EVERY) / 6, "property-based checks"
    pairs = [
        check
        for check in EVERY
        if any(isinstance(case, Chain) or (isinstance(case, tuple) and len(case) > 1) for case in check.cases)
    ]
    assert len(pairs) > len(EVERY) / 4, "metamorphic checks: two exchanges, one relation"


def test_requests_are_shared() -> None:
    """Checks read each other's evidence: fewer fixed requests than checks that read them."""
    fixed = [check for check in EVERY if not check.drawn and UPSTREAM not in check.requires]  # those ask gateways only
    probes = {probe.key for check in fixed for probe in check.probes}
    assert len(probes) / len(fixed) <= 0.7, f"{len(probes)} requests for {len(fixed)} checks"


def test_the_first_request_opens_many_checks() -> None:
    """The plainest request is the one that most checks share."""
    counts = Counter(probe.key for check in EVERY for probe in check.probes)
    (key, most), *_ = counts.most_common(1)
    assert most > len(EVERY) / 10
    assert key == next(
        first(case).key for check in EVERY if check.id == "chat.answer-has-choices" for case in check.cases
    )  # type: ignore[arg-type]
