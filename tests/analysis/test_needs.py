"""What an application needs: said in words or shown by its requests, and which checks that makes matter."""

from __future__ import annotations

import pytest

from conformance.analysis.migration.impact import ORDER, Impact, cases, impact
from conformance.analysis.migration.needs import about, everything, features, mainly, matters, shown_by, understood
from conformance.checks.catalogue import catalogue
from conformance.core.capabilities import CAPABILITIES
from conformance.core.finding import Kind, Outcome
from conformance.core.fixtures import fixture
from conformance.core.mistake import Mistake
from conformance.core.requirement import Level
from conformance.evidence.record import Result, described

ALWAYS = frozenset(name for name, one in features().items() if one.always)


def result(check: str) -> Result:
    """A shipped check as a run has it."""
    told = described(catalogue()[check])
    return Result(
        check, Level(told["level"]), told["title"], Outcome(Kind.HOLDS), told["area"], requires=tuple(told["requires"])
    )


@pytest.mark.parametrize("check", catalogue())
def test_every_check_is_about_something_that_can_be_needed(check: str) -> None:
    """No shipped check is forgotten when somebody says what is needed, and each hurts somebody in a known way."""
    one = result(check)
    assert about(one), f"{check}: name its area in fixtures/features.yaml"
    assert matters(one, everything())
    assert impact(one) in ORDER
    assert mainly(one, everything())


def test_every_capability_can_be_needed() -> None:
    """What targets claim and what applications need are the same things."""
    assert {one.capability for one in features().values() if one.capability} >= set(CAPABILITIES) - {"tools.strict"}


def test_what_is_not_needed_does_not_matter() -> None:
    """Without tools, checks of tools say nothing about this application; with streams as well, those of both do."""
    assert not matters(result("tools.requests-are-accepted"), ALWAYS)
    assert matters(result("tools.requests-are-accepted"), understood(["tools"]))
    both = result("stream.holds-events")
    assert matters(both, understood(["streaming"]))
    assert not matters(both, understood(["tools"]))


def test_a_parameter_is_a_feature_of_its_own_name() -> None:
    """`--conformance-needs service_tier` makes just the checks of that parameter matter."""
    one = result("parameters.service-tier-is-honoured-or-refused")
    assert not matters(one, ALWAYS)
    assert matters(one, understood(["service_tier"]))
    assert not matters(one, understood(["verbosity"]))


def test_words_are_features_capabilities_or_parameters() -> None:
    """A list with commas, several lists, and the words of targets.yaml mean what they say."""
    assert understood(["tools, streaming", "logprobs"]) == ALWAYS | {"tools", "streaming", "logprobs"}
    assert understood(["chat.stream"]) == ALWAYS | {"streaming"}


def test_a_typo_is_one_line() -> None:
    """What cannot be needed is named, with what was meant."""
    with pytest.raises(Mistake, match=r"`toolz`.*did you mean `tools`"):
        understood(["toolz"])


def test_requests_show_needs() -> None:
    """A request with tools, a schema, a picture and a stream needs all of them, and nothing else."""
    body = {
        "messages": [
            {"role": "developer", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
        ],
        "stream": True,
        "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
        "seed": 4,
    }
    needed = {"streaming", "tools", "strict-tools", "structured", "vision", "developer-role", "seed"}
    assert set(shown_by("chat/completions", body)) == needed
    assert set(shown_by("embeddings", {"input": "a"})) == {"embeddings"}
    assert set(shown_by("chat/completions", {"stream": False, "messages": "odd"})) == set()
    assert set(shown_by("chat/completions", ["no", "object"])) == set()


def test_impacts_come_from_real_divergences() -> None:
    """A check that a real bug is named for has that bug's severity, and says where it was reported."""
    assert all(check in catalogue() for check in cases())
    assert impact(result("stream.ends-with-done")) is not Impact.COSMETIC
    assert any(case.url.startswith("https://") for some in cases().values() for case in some)


def test_a_may_is_cosmetic() -> None:
    """What nobody breaks without hurts nobody."""
    may = next(check.id for check in catalogue().values() if check.level is Level.MAY)
    assert impact(result(may)) is Impact.COSMETIC


def test_exceptions_are_about_checks_that_exist() -> None:
    """A check that was renamed keeps no line of its own in the data."""
    written = fixture("impact.yaml")
    assert set(written["checks"]) <= set(catalogue())
    assert set(written["areas"]) >= {check.area for check in catalogue().values()}
    named = [check for one in features().values() for check in one.checks]
    assert set(named) <= set(catalogue())
