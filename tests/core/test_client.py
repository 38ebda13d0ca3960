"""What the official client makes of recorded bytes: the real library, given each planted fault."""

from __future__ import annotations

import pytest

from conformance.core.official_client import Heard, heard
from conformance.core.probe import Probe
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED, chat
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import client, still

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}]
CALLED = chat("What is the weather in Paris?", tools=TOOLS, tool_choice="required")


def told(probe: Probe, fault: str = "") -> Heard:
    """What the client makes of the reference server's answer, with a fault in it."""
    respond = faults()[fault](still()) if fault else still()
    return heard(client(respond)(probe))


@pytest.mark.parametrize("probe", [HELLO, STREAMED, CALLED, CALLED.asking(stream=True)])
def test_a_conforming_answer_arrives_whole(probe: Probe) -> None:
    """Text, calls and the reason for the end reach the application, and nothing is lost."""
    got = told(probe)
    assert (got.raised, got.helper, got.lost) == ("", "", ())
    assert got.text or got.calls
    assert got.finish_reason in ("stop", "tool_calls")


@pytest.mark.parametrize("fault", [name for name, one in faults().items() if one.legal][::7])
def test_legal_variants_do_it_no_harm(fault: str) -> None:
    """Where the suite is silent, the client does not raise either."""
    for probe in (HELLO, STREAMED):
        assert told(probe, fault).raised == ""


@pytest.mark.parametrize(
    ("fault", "probe", "said"),
    [
        ("midstream-error-without-done", COUNT_STREAMED, "APIError"),
        ("stream-of-json-lines", STREAMED, "no chunk, and no error"),
        ("error-flat-object", chat(temperature=9.0), "BadRequestError"),
        ("delta-null-on-finish", STREAMED, "AttributeError"),
    ],
)
def test_faults_are_felt_as_they_are(fault: str, probe: Probe, said: str) -> None:
    """The client raises, or silently gives less than was sent: whichever it is, it is said."""
    got = told(probe, fault)
    assert said in f"{got.raised} {got.lost}"
