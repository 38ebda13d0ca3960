"""The readers: server-sent events, JSON, and the message that a client assembles from either."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.core.exchange import Chunk, Exchange
from conformance.core.reading.json import ABSENT, DEEPEST, NotJSON, Value, parse
from conformance.core.reading.message import assemble
from conformance.core.reading.sse import Stream, read
from conformance.probes.chat import STREAMED

HEADERS = (("content-type", "text/event-stream"),)


def exchange(*parts: bytes, headers: tuple[tuple[str, str], ...] = HEADERS) -> Exchange:
    """An exchange whose body came in these parts, a tenth of a second apart."""
    chunks = tuple(Chunk(number / 10, part) for number, part in enumerate(parts, 1))
    return Exchange(STREAMED, "test", 0.0, 200, headers, chunks, ended=1.0)


def datas(stream: Stream) -> list[str]:
    """The data that a browser would dispatch."""
    return [event.data for event in stream.events if event.has_data]


# --- server-sent events

STANDARD = {
    "three messages": (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
    "comment, id, empty id, leading space": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        ["first event", "second event", " third event"],
    ),
    "empty data, and an unfinished end": (b"data\n\ndata\ndata\n\ndata:", ["", "\n"]),
    "space after the colon is optional": (b"data:test\n\ndata: test\n\n", ["test", "test"]),
}
"""The examples of the HTML standard, section 9.2.6."""


@pytest.mark.parametrize(("body", "expected"), STANDARD.values(), ids=STANDARD)
def test_the_examples_of_the_standard(body: bytes, expected: list[str]) -> None:
    """Each example of the standard gives the events that the standard says."""
    assert datas(read(body)) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_three_line_ends(end: bytes) -> None:
    """LF, CRLF and CR end a line alike, and the reader says which it met."""
    stream = read(b"data: a\n\ndata: b\ndata: c\n\n".replace(b"\n", end))
    assert datas(stream) == ["a", "b\nc"]
    assert stream.line_ends == {end.decode()}
    assert stream.unfinished is None


def test_a_byte_order_mark_is_skipped_and_reported() -> None:
    """One byte order mark at the beginning is no part of the first field; a second one is."""
    assert datas(read(b"\xef\xbb\xbfdata: a\n\n")) == ["a"]
    assert read(b"\xef\xbb\xbfdata: a\n\n").bom
    assert datas(read(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n")) == []


def test_comments_are_no_events() -> None:
    """Comments are kept apart, with their places, and do not begin an event."""
    stream = read(b": ping\n\ndata: a\n: within\ndata: b\n\n")
    assert datas(stream) == ["a\nb"]
    assert [text for _, text in stream.comments] == ["ping", "within"]


def test_a_block_without_data_is_seen_but_has_none() -> None:
    """`retry`, `id` and `event` alone make a block that says that it has no data."""
    stream = read(b"retry: 10\n\nid: 3\n\nevent: ping\n\ndata: a\n\n")
    assert [event.has_data for event in stream.events] == [False, False, False, True]
    assert [event.fields for event in stream.events] == [("retry",), ("id",), ("event",), ("data",)]
    assert stream.events[2].name == "ping"


def test_an_unfinished_last_event_is_kept_aside() -> None:
    """Fields without a blank line after them are no event; they are in `unfinished`."""
    for body in (b"data: a\n\ndata: b\n", b"data: a\n\ndata: b"):
        stream = read(body)
        assert datas(stream) == ["a"]
        assert stream.unfinished is not None
        assert stream.unfinished.data == "b"
        assert stream.unfinished.span == (9, len(body))


def test_what_is_odd_is_reported_not_repaired() -> None:
    """Bytes that are no UTF-8 and lines that are no field are reported at their offsets."""
    stream = read(b'data: \xff\n\n{"a": 1}\n\n')
    assert stream.oddities[0] == (6, "bytes that are not UTF-8")
    assert stream.oddities[1][0] == 9
    assert datas(stream) == ["\ufffd"]


def test_a_field_name_ends_at_the_first_colon() -> None:
    """Only the first colon of a line separates, and only one space after it is dropped."""
    assert datas(read(b'data: {"a": "b: c"}\n\ndata:  x\n\n')) == ['{"a": "b: c"}', " x"]


def test_spans_lie_where_the_events_lie() -> None:
    """The bytes of an event's span, read alone, are that event again."""
    body = b"\xef\xbb\xbf: c\n\ndata: a\r\n\r\nid: 1\ndata: \xf0\x9f\x98\x80\n\n"
    for event in read(body).events:
        (again,) = read(body[slice(*event.span)]).events
        assert (again.data, again.fields) == (event.data, event.fields)


bodies = st.lists(
    st.sampled_from(
        [b"data: a", b"data:", b"data", b"data: \xf0\x9f\x98\x80", b": c", b"id: 1", b"event: x", b"retry: 1", b"\n",
         b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\xff", b"[DONE]", b"{}"]
    ),
    max_size=24,
).map(b"".join)  # fmt: skip


@given(bodies, st.lists(st.integers(0, 200), max_size=12))
def test_any_chunks_of_the_same_bytes_are_the_same_events(body: bytes, cuts: list[int]) -> None:
    """However a network cuts the bytes, the events, comments and oddities are the same."""
    edges = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    parts = [body[start:end] for start, end in pairwise(edges)]
    assert exchange(*parts).stream == read(body)


@given(st.binary(max_size=300))
def test_reading_never_fails(body: bytes) -> None:
    """Any bytes can be read, and every span lies within them, in order."""
    stream = read(body)
    edges = [edge for event in stream.events for edge in event.span]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(body) for edge in edges)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20), min_size=1, max_size=5))
def test_what_is_written_is_read(texts: list[str]) -> None:
    """Events written line by line are read with the same data."""
    body = "".join(f"data: {text}\n\n" for text in texts).encode()
    assert datas(read(body)) == texts


def test_an_event_arrives_with_its_last_byte() -> None:
    """The time of an event is that of the network read which brought its last byte."""
    x = exchange(b"data: a\n", b"\ndata: b", b"\n\n")
    assert [x.at_byte(event.span[1] - 1) for event in x.events] == [0.2, 0.3]


def test_the_data_of_an_exchange_leaves_done_out() -> None:
    """`Exchange.data` has one value an event, absent where it is no JSON, none for `[DONE]`."""
    x = exchange(b'data: {"a": 1}\n\ndata: no\n\ndata: [DONE]\n\n')
    assert [value.value for value in x.data] == [{"a": 1}, ABSENT]
    assert x.data[0]["a"].pointer == "event 0 /a"


# --- JSON


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", '{"a": NaN}', "[1, -Infinity]"])
def test_numbers_that_json_does_not_have(text: str) -> None:
    """NaN and the infinities are refused: Python writes them, other clients cannot read them."""
    with pytest.raises(NotJSON, match="not a JSON number"):
        parse(text)


@pytest.mark.parametrize("text", ["", " ", "{", "{'a': 1}", '{"a": 1} x', '{"a": 1}{"b": 2}', "[1,]", "\ufeff{}", "01"])
def test_what_is_no_json(text: str) -> None:
    """Empty, cut, loosely written or trailing text is refused."""
    with pytest.raises(NotJSON):
        parse(text)


def test_members_twice() -> None:
    """A member twice is as the last one says, and refused where members are to be unique, at any depth."""
    assert parse('{"a": 1, "a": 2}') == {"a": 2}
    for text in ('{"a": 1, "a": 2}', '[{"b": {"a": 1, "a": 1}}]'):
        with pytest.raises(NotJSON, match="'a' occurs twice"):
            parse(text, unique=True)
    assert parse('{"a": {"a": 1}}', unique=True) == {"a": {"a": 1}}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(opening: str, closing: str) -> None:
    """DEEPEST levels are read, one more is refused, and a hundred thousand do not overflow anything."""
    inner = "1" if opening != "[" else ""
    assert parse(opening * DEEPEST + inner + closing * DEEPEST)
    for levels in (DEEPEST + 1, 100_000):
        with pytest.raises(NotJSON, match="nested too deeply"):
            parse(opening * levels + inner + closing * levels)


@pytest.mark.parametrize("body", [b'{"a": "\xff"}', b'{"a": "\xed\xa0\xbd"}', '{"a": 1}'.encode("utf-16")])
def test_bytes_that_are_not_utf8(body: bytes) -> None:
    """Bytes that are not UTF-8 are refused as such: other encodings and encoded surrogates too."""
    with pytest.raises(NotJSON, match="not UTF-8"):
        parse(body)


def test_other_bytes_that_are_not_utf8() -> None:
    """UTF-16 without a mark is valid UTF-8, but no JSON; a mark before UTF-8 is ignored."""
    with pytest.raises(NotJSON):
        parse('{"a": 1}'.encode("utf-16-le"))
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(values, st.booleans())
def test_json_is_read_as_it_was_written(value: Any, plain: bool) -> None:
    """Any document comes back, escaped or not, as text or as bytes."""
    text = json.dumps(value, ensure_ascii=plain)
    assert parse(text) == value
    assert parse(text.encode(), unique=True) == value


@given(values, st.lists(st.text(max_size=3) | st.integers(-4, 4), max_size=6))
def test_a_pointer_never_fails(value: Any, steps: list[str | int]) -> None:
    """Indexing leads to a value or to one that is absent, whatever is asked for."""
    here = Value(value)
    for step in steps:
        here = here[step]
    assert here.absent == (here.type == "absent")
    assert list(here) is not None


def test_what_a_value_says_of_itself() -> None:
    """Types are JSON's: a boolean is no integer, and 1.0 is a number; pointers are escaped as RFC 6901 says."""
    value = Value(parse('{"a/b": {"m~n": [true, 1, 1.0, null, "x"]}}'))
    inner = value["a/b"]["m~n"]
    assert [one.type for one in inner] == ["boolean", "integer", "number", "null", "string"]
    assert inner[3].pointer == "/a~1b/m~0n/3"
    assert inner[3].missing
    assert not inner[3].absent
    assert inner[9].absent
    assert "a/b" in value


# --- messages


def chunk(delta: Any, index: Any = 0, finish: Any = None) -> Value:
    """A chunk with one choice."""
    return Value({"choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def test_deltas_add_up() -> None:
    """Text is concatenated, null adds nothing, and a finish reason is kept."""
    parts = [{"role": "assistant", "content": ""}, {"content": "Hé"}, {"content": None}, {"content": "llo"}, {}]
    choice = assemble([*(chunk(part) for part in parts), chunk({}, 0, "stop")], streamed=True)[0]
    assert (choice.role, choice.content, choice.finish_reason) == ("assistant", "Héllo", "stop")


def test_no_content_is_not_empty_content() -> None:
    """Content that never came is None, content that came empty is empty."""
    assert assemble([chunk({"role": "assistant"})], streamed=True)[0].content is None
    assert assemble([chunk({"content": ""})], streamed=True)[0].content == ""


def test_choices_are_kept_apart() -> None:
    """Deltas go to the choice that their index names."""
    found = assemble(
        [chunk({"content": "a"}, 1), chunk({"content": "b"}, 0), chunk({"content": "c"}, 1)], streamed=True
    )
    assert {index: choice.text for index, choice in found.items()} == {0: "b", 1: "ac"}


def test_fragments_of_calls_add_up() -> None:
    """Fragments of two calls that take turns become two calls."""

    def fragment(index: int, **function: str) -> Value:
        return chunk({"tool_calls": [{"index": index, "function": function}]})

    first = chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f"}}]})
    rest = [fragment(1, name="g"), fragment(0, arguments='{"a"'), fragment(1, arguments="{}")]
    found = assemble([first, *rest, fragment(0, arguments=":1}")], streamed=True)
    assert [(call.id, call.name, call.arguments) for call in found[0].calls] == [
        ("call_1", "f", '{"a":1}'),
        ("", "g", "{}"),
    ]


def test_what_is_not_as_it_should_be_is_left_out() -> None:
    """Members of another type add nothing: neither an exception nor a repair."""
    odd = [chunk(None), chunk({"content": 7, "role": ["x"], "tool_calls": {"a": 1}}), chunk({"content": "a"}, "zero")]
    found = assemble([*odd, Value({"choices": None}), Value([]), Value(ABSENT)], streamed=True)
    assert found[0].content == "a"
    assert found[0].calls == []


@given(st.text(max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_any_deltas_of_the_same_text_are_the_same_message(text: str, cuts: list[int]) -> None:
    """However a server cuts a text into deltas, the message is that of the whole answer."""
    edges = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    parts = [text[start:end] for start, end in pairwise(edges)]
    streamed = assemble([chunk({"content": part}) for part in ["", *parts]], streamed=True)
    whole = assemble([Value({"choices": [{"index": 0, "message": {"content": text}}]})], streamed=False)
    assert streamed[0].content == whole[0].content == text


def test_a_body_that_only_claims_to_be_compressed() -> None:
    """What says that it is compressed and is not is read as it is."""
    x = exchange(b"data: a\n\n", headers=(*HEADERS, ("content-encoding", "gzip")))
    assert datas(x.stream) == ["a"]
