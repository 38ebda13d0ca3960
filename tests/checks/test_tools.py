"""The checks of tools, where they could be unfair or blind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conformance.checks.catalogue import catalogue
from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Kind
from conformance.core.probe import Probe
from conformance.core.reading.calls import MARKUP, complete, fragments
from conformance.judging.draw import draw
from conformance.probes import tool_drawn
from conformance.probes.tools import (
    BOTH_STREAMED,
    BROKEN,
    BROKEN_STREAMED,
    NAMED,
    NAMED_STREAMED,
    REQUIRED,
    WEATHER_STREAMED,
)
from conformance.reference.faults import tool_results, tool_stream, tool_variants, tools
from tests.kit.judging import answered, at, judged

Call = dict[str, Any]


def call(arguments: Any = '{"tz": "UTC"}', name: str = "get_time", **more: Any) -> Call:
    """A call in an answer."""
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def answer(*calls: Call, probe: Probe = REQUIRED, content: str | None = None, finish: str = "tool_calls") -> Exchange:
    """A whole answer with these calls."""
    return answered(probe, content, finish, {"tool_calls": list(calls)} if calls else None)


def stream(*deltas: Any, probe: Probe = WEATHER_STREAMED, finish: str = "tool_calls") -> Exchange:
    """A stream whose chunks have these fragments, one after the other."""
    parts: list[Any] = [{"index": 0, "delta": {"tool_calls": [delta]}, "finish_reason": None} for delta in deltas]
    parts.append({"index": 0, "delta": {}, "finish_reason": finish})
    events = [f"data: {json.dumps({'choices': [part]})}\n\n" for part in parts]
    headers = (("content-type", "text/event-stream"),)
    return Exchange(probe, "t", 0.0, 200, headers, (Chunk(0.0, "".join([*events, "data: [DONE]\n\n"]).encode()),))


def test_fragments_know_their_place() -> None:
    """A fragment knows whether it is the first of its call, and whether the choice had finished."""
    x = stream(call("", index=0), {"index": 0, "function": {"arguments": "{}"}}, call("{}", index=1))
    assert [one.first for one in fragments(x)] == [True, False, True]
    assert not any(one.finished for one in fragments(x))


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_calls_that_were_cut_short_are_not_judged(finish: str) -> None:
    """Arguments may end anywhere where the finish reason says that the answer was cut short."""
    assert list(complete(answer(call('{"tz": "U'), finish=finish))) == []
    assert judged("tools.arguments-are-json", answer(call('{"tz": "U'), finish=finish)).kind is Kind.HOLDS
    assert judged("tools.arguments-are-json", answer(call('{"tz": "U'))).kind is Kind.VIOLATED


def test_one_fault_is_one_finding() -> None:
    """Arguments that are no text are found by the check of their type, and by no check of what they say."""
    x = answer(call({"tz": "UTC"}))
    assert judged("tools.arguments-are-a-string", x).kind is Kind.VIOLATED
    assert judged("tools.arguments-are-json", x).kind is Kind.HOLDS


@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
def test_a_named_call_finishes_as_the_server_likes(finish: str) -> None:
    """OpenAI says `stop`, many say `tool_calls`: it is noted, and is no fault."""
    x = answer(call(), probe=NAMED, finish=finish)
    assert judged("tool_choice.named-is-called", x).kind is Kind.HOLDS
    assert judged("tool_choice.named-finish-reason", x).observed == {"whole": finish}


def test_modes_that_finish_named_calls_differently_are_noticed() -> None:
    """A named call that finishes with `stop` when whole and `tool_calls` when streamed is worth a word."""
    whole, streamed = answer(call(), probe=NAMED, finish="stop"), stream(call(index=0), probe=NAMED_STREAMED)
    assert judged("tool_choice.named-finish-reason-agrees", whole, streamed).kind is Kind.VIOLATED


def test_an_answer_cut_before_its_call_says_nothing() -> None:
    """A model that thinks until its cap has neither kept nor broken the promise of a call."""
    assert judged("tool_choice.required-calls", answer(content="", finish="length")).kind is Kind.UNWITNESSED
    assert judged("tool_choice.required-calls", answer(content="Hello.", finish="stop")).kind is Kind.VIOLATED


def test_a_broken_call_is_read_alike_or_found() -> None:
    """Text when whole and an unfinished call when streamed, as two engines have it, is found; text twice is not."""
    text = answer(content='<tool_call>\n{"name": "get_weather"', probe=BROKEN, finish="stop")
    half = stream(call('{"city": "Par', "get_weather", index=0), probe=BROKEN_STREAMED)
    found = judged("tool_stream.broken-call-as-whole", text, half)
    assert [finding.code for finding in found.findings] == ["reading-differs", "broken-call-as-complete"]
    assert (
        judged("tool_stream.broken-call-as-whole", text, stream(probe=BROKEN_STREAMED, finish="stop")).kind
        is Kind.HOLDS
    )


def test_continuations_may_have_nulls_and_the_type_again() -> None:
    """As one engine streams: null ids and names add nothing up, and the type is the same each time."""
    null = {"index": 0, "id": None, "type": "function", "function": {"name": None, "arguments": "{}"}}
    for id_ in ("ids-and-names-come-once", "nothing-empty-comes-later", "type-is-never-another"):
        assert judged(f"tool_stream.{id_}", stream(call("", index=0), null)).kind is Kind.HOLDS


def test_interleaved_calls_are_found_and_calls_in_turn_are_not() -> None:
    """A late fragment of the first call is found once the second has begun."""
    first, second, late = call("", index=0), call("{}", index=1), {"index": 0, "function": {"arguments": "{}"}}
    id_ = "tool_stream.calls-come-one-after-the-other"
    assert judged(id_, stream(first, second, late, probe=BOTH_STREAMED)).kind is Kind.VIOLATED
    assert judged(id_, stream(first, late, second, probe=BOTH_STREAMED)).kind is Kind.HOLDS


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ('<tool_call>\n{"name": "f"}\n</tool_call>', True),
        ('[TOOL_CALLS][{"name": "f"}]', True),
        ("<|tool_call|>", True),
        ("<function=f>{}</function>", True),
        ('{"name": "f", "arguments": {}}', False),
        ("A tool call is made with <code>tool_calls</code>, and 3 < 4 | 5.", False),
        ("Use the [tool](https://example.com) to call.", False),
    ],
)
def test_markup_is_told_from_prose_about_it(text: str, raw: bool) -> None:
    """Raw calls are recognised in the spellings of common models; text about tools is text."""
    assert bool(MARKUP.search(text)) is raw


def drawn(id_: str) -> list[Probe]:
    """Forty requests that a check draws; of each case the last, which is the odd one."""
    cases = [case if isinstance(case, tuple) else (case,) for case in draw(catalogue()[id_], 40)]
    return [case[-1] for case in cases if isinstance(case[-1], Probe)]


def test_drawn_requests_are_ones_that_the_contract_allows() -> None:
    """Names and ids keep to OpenAI's 64 and 40 characters, and texts have in them what breaks texts."""
    for probe in drawn("tool_choice.named-among-many-is-called"):
        assert all(0 < len(tool["function"]["name"]) <= 64 for tool in probe.wish["tools"])
    for probe in drawn("tool_results.ids-are-opaque"):
        assert len(probe.wish["messages"][-1]["tool_call_id"]) <= 40
    texts = "".join(map(tool_drawn.echoed, drawn("tools.text-survives")))
    assert all(piece in texts for piece in ('"', "\\", "\n", "世界", "😀"))


def test_the_server_is_not_blamed_twice() -> None:
    """A server that refuses all results is not also blamed for each form of them."""
    assert at(tool_results.breaks_on_results, "tool_results.requests-are-accepted").kind is Kind.VIOLATED
    for id_ in ("parts-are-accepted", "ids-are-opaque", "own-calls-can-be-answered", "id-is-required"):
        assert at(tool_results.breaks_on_results, f"tool_results.{id_}").kind is not Kind.VIOLATED


def test_a_stream_that_stops_within_a_call_is_a_finding_not_only_missing_evidence() -> None:
    """A broken-off stream of calls is found, although every other check then has nothing to read."""
    assert at(tool_stream.breaks_off_after_the_first_fragment, "tool_stream.runs-to-its-end").kind is Kind.VIOLATED


def test_calls_in_one_piece_are_legal_and_seen() -> None:
    """A server may send every call at once: nothing is found, and the number of pieces is noted."""
    assert at(tool_variants.sends_each_call_at_once, "tool_stream.pieces").observed == {"value": 1}
    assert at(tool_variants.sends_each_call_at_once, "tool_stream.same-calls-as-whole").kind is Kind.HOLDS


def test_rounding_is_seen_in_the_last_digits() -> None:
    """An integer that went through floating point differs in its last digits only, and is found."""
    assert at(tools.rounds_integers, "tools.integers-survive").kind is Kind.VIOLATED
