"""Two answers field by field: silent on what differs between any two, and precise where a server strays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.analysis.wire import SORTS, Departure, changes, departures
from conformance.core.exchange import Ending, Exchange, How
from conformance.core.probe import Probe
from conformance.probes.chat import HELLO, STREAMED, chat, get
from conformance.probes.streams import USAGE
from conformance.probes.tools import REQUIRED_STREAMED, WEATHER
from conformance.reference.engine import DEFAULT_KEY, Settings, responder
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import NOON, client, still
from conformance.transport.memory import asking, plain

REFUSED = chat(messages=...)
PROBES = (HELLO, STREAMED, USAGE, WEATHER, REQUIRED_STREAMED, REFUSED, get("models"), chat(n=2))


def of(sound: Exchange, other: Exchange) -> list[tuple[str, str]]:
    """The keys of the differences."""
    return [one.key for one in departures(sound, other)]


def at(fault: str, probe: Probe) -> list[tuple[str, str]]:
    """How a faulty server's answer differs from the reference's."""
    return of(client(still())(probe), client(faults()[fault](still()))(probe))


@pytest.mark.parametrize("probe", PROBES)
def test_ids_times_and_prose_make_no_difference(probe: Probe) -> None:
    """Another process at another time, with another model's words, answers alike."""
    later = asking(responder(Settings(clock=lambda: NOON + 777)), plain(DEFAULT_KEY), "reference", NOON + 777)
    assert of(client(still())(probe), later(probe)) == []
    for legal in (
        "ids-of-a-gateway",
        "text-begins-with-a-line",
        "one-byte-a-read",
        "members-in-another-order-everywhere",
    ):
        assert at(legal, probe) == [], legal


@pytest.mark.parametrize(
    ("fault", "probe", "expected"),
    [
        ("done-missing", STREAMED, [("order", "events")]),
        ("usage-chunk-twice", USAGE, [("order", "events")]),
        ("usage-stream-absent", USAGE, [("order", "events"), *(("member", f"{kind}: /usage") for kind in ("content", "finish", "role"))]),
        ("error-flat-object", REFUSED, [("member", f"/{name}") for name in ("code", "error", "message", "object", "param", "type")]),
        ("gateway-finish-reason-dropped", HELLO, [("member", "/choices/*/finish_reason")]),
        ("lines-end-crlf", STREAMED, [("framing", "line ends")]),
        ("auth-any-key-accepted", replace(HELLO, auth="wrong"), [("status", ""), *(("error", f"/error/{name}") for name in ("code", "param", "type"))]),
    ],
)  # fmt: skip
def test_where_a_server_strays_is_told(fault: str, probe: Probe, expected: list[tuple[str, str]]) -> None:
    """Each difference once, with its place, the gravest first."""
    found = at(fault, probe)
    assert sorted(found) == sorted(expected)
    assert [list(SORTS).index(sort) for sort, _ in found] == sorted(list(SORTS).index(sort) for sort, _ in found)


def test_an_error_in_the_place_of_an_answer_is_one_difference() -> None:
    """Not one for each member that is not there; and what the error says is told."""
    ask = client(still())
    found = departures(ask(HELLO), ask(REFUSED))
    assert found[0] == Departure("status", "", 200, 400)
    assert {one.place for one in found[1:]} == {"/error/type", "/error/code", "/error/param"}


def test_how_an_exchange_ended_is_compared_unless_the_client_left_by_the_clock() -> None:
    """A cut is a difference; how far an answer had come when the client had waited enough is chance."""
    sound = client(still())(STREAMED)
    assert of(sound, replace(sound, ending=Ending(How.CUT, "body", "reset"))) == [("ending", "")]
    timed = replace(sound, probe=STREAMED.until(seconds=0.1))
    assert of(timed, replace(timed, ending=Ending(How.LEFT), chunks=())) == []


def test_the_same_difference_in_many_answers_is_one_change() -> None:
    """With the probes that show it."""
    sound, faulty = client(still()), client(faults()["done-missing"](still()))
    (found,) = changes((sound(probe), faulty(probe)) for probe in (STREAMED, HELLO, STREAMED.again()))
    assert found.departure.sort == "order"
    assert found.keys == (STREAMED.key, STREAMED.again().key)
