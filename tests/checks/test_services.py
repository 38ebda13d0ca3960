"""Embeddings, the older completions, refusals and filters: what serves them here, and what is said of those who do not."""

from __future__ import annotations

import base64
import json
import struct
from math import hypot
from typing import Any

import pytest

from conformance.checks.catalogue import catalogue
from conformance.checks.embeddings import cosine, vector
from conformance.checks.embeddings_requests import unpacked
from conformance.checks.http_metadata import form_of
from conformance.core.exchange import Exchange
from conformance.core.finding import Kind
from conformance.core.probe import Probe
from conformance.core.reading.json import Value
from conformance.judging.refusal import unserved
from conformance.probes.chat import HELLO
from conformance.probes.completions import BARE, COUNT, complete
from conformance.probes.content import DECLINED, DECLINED_BY_SCHEMA, DECLINED_STREAMED, FILTERED, FILTERED_STREAMED
from conformance.probes.embeddings import ONE, TEXTS, embed
from conformance.reference.answer import Answer
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import client, outcome, still
from conformance.runner.preflight import MODELS, opening
from conformance.targets.target import Target

SERVED = {name: [one for one in catalogue().values() if name in one.requires] for name in ("embeddings", "completions")}
ASK = client(still())


def body(probe: Probe) -> Any:
    """What the reference server answers, parsed."""
    x = ASK(probe)
    assert x.status == 200, x.text
    return json.loads(x.body)


@pytest.mark.parametrize(
    ("fault", "feature"),
    [
        ("embeddings-absent", "embeddings"),
        ("embeddings-absent-detail", "embeddings"),
        ("embeddings-501", "embeddings"),
        ("embeddings-of-another-model", "embeddings"),
        ("completions-absent", "completions"),
        ("completions-absent-detail", "completions"),
        ("completions-of-no-chat-model", "completions"),
    ],
)
def test_what_is_not_served_is_unsupported(fault: str, feature: str) -> None:
    """A server without the route, or without it for this model, violates nothing and leaves nothing without evidence."""
    ask = client(faults()[fault](still()))
    assert {outcome(check, ask).kind for check in SERVED[feature]} == {Kind.UNSUPPORTED}


@pytest.mark.parametrize("feature", SERVED)
def test_what_is_claimed_and_not_served_is_violated(feature: str) -> None:
    """Who claims the route has to have it."""
    ask = client(faults()[f"{feature}-absent"](still()))
    kinds = {check.id: outcome(check, ask, frozenset({feature})).kind for check in SERVED[feature]}
    assert set(kinds.values()) == {Kind.VIOLATED}, kinds


def test_vectors_are_of_length_one_and_alike_where_texts_are() -> None:
    """The made-up vectors of the reference server behave like those of a model."""
    sea, other, near = (body(embed(text))["data"][0]["embedding"] for text in (*TEXTS[:2], TEXTS[0] + " Always."))
    assert hypot(*sea) == pytest.approx(1.0, abs=1e-6)
    assert cosine(sea, near) > 0.9 > cosine(sea, other)
    fewer = body(embed(TEXTS[0], dimensions=16))["data"][0]["embedding"]
    assert len(fewer) == 16
    assert cosine(fewer, sea[:16]) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "status", "param"),
    [
        ({"input": ["a", ""]}, 400, "input"),
        ({"input": [1, "a"]}, 400, "input[1]"),
        ({"input": [True]}, 400, "input[0]"),
        ({"input": [[]]}, 400, "input[0]"),
        ({"input": [10**9]}, 400, "input[0]"),
        ({"input": "a " * 9000}, 400, "input"),
        ({"input": "a", "dimensions": 65}, 400, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, 400, "encoding_format"),
        ({"input": "a", "temperature": 1}, 400, "temperature"),
        ({"input": "a", "model": "other"}, 404, "model"),
    ],
)
def test_the_reference_refuses_what_cannot_be_embedded(given: dict[str, Any], status: int, param: str) -> None:
    """Each refusal has its status and names what is wrong."""
    x = ASK(ONE.asking(**given))
    assert (x.status, x.error["param"].value) == (status, param)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt[1]"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 3, "stream": True}, "best_of"),
        ({"logprobs": 6}, "logprobs"),
        ({"max_tokens": 9000}, "prompt"),
        ({"messages": []}, "messages"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_the_reference_refuses_what_cannot_be_completed(given: dict[str, Any], param: str) -> None:
    """The same for the older interface."""
    x = ASK(BARE.asking(**given))
    assert (x.status, x.error["param"].value) == (400, param)


def test_log_probabilities_lie_beside_each_other() -> None:
    """With the prompt echoed, the first token has none; offsets say where each token begins in the text."""
    choice = body(complete(COUNT, echo=True, logprobs=1, max_tokens=4, temperature=0))["choices"][0]
    columns = choice["logprobs"]
    assert columns["token_logprobs"][0] is columns["top_logprobs"][0] is None
    assert all(value < 0 for value in columns["token_logprobs"][1:])
    for token, offset in zip(columns["tokens"], columns["text_offset"], strict=True):
        assert choice["text"].startswith(token, offset)


def test_the_best_are_shown_and_all_are_counted() -> None:
    """Tokens of answers that were made and not shown count, too."""
    two, best = (body(complete(COUNT, max_tokens=4, **more)) for more in ({"n": 2}, {"best_of": 4, "n": 2}))
    assert len(two["choices"]) == len(best["choices"]) == 2
    assert best["usage"]["completion_tokens"] == 2 * two["usage"]["completion_tokens"]


def test_the_reference_declines_and_filters() -> None:
    """A refusal has its own member, whole and streamed and by schema; a filter stops an answer half-way."""
    texts = {ASK(probe).choice.refusal for probe in (DECLINED, DECLINED_STREAMED, DECLINED_BY_SCHEMA)}
    assert len(texts) == 1
    assert texts.pop()
    for probe in (FILTERED, FILTERED_STREAMED):
        choice = ASK(probe).choice
        assert choice.text
        assert (choice.refusal, choice.finish_reason) == (None, "content_filter")
    cut = ASK(DECLINED.asking(max_completion_tokens=3)).choice
    assert cut.finish_reason == "length"


@pytest.mark.parametrize(
    ("value", "readable"),
    [([1, 0.5], True), ([], False), ([True], False), (["1"], False), ([float("inf")], False), ("AAAA", False)],
)
def test_a_vector_is_of_numbers(value: Any, readable: bool) -> None:
    """Whole numbers are numbers; truths, texts and infinity are none."""
    assert (vector(Value(value)) is not None) is readable


@pytest.mark.parametrize("text", ["AAA", "AAAA=AAA", "é", "", "[0.1]", 5, base64.b64encode(b"abc").decode()])
def test_what_is_no_base64_of_floats_is_none(text: Any) -> None:
    """Other lengths, other characters, other types."""
    assert unpacked(Value(text)) is None
    assert unpacked(Value(base64.b64encode(struct.pack("<2f", 1, 2)).decode())) == [1, 2]


@pytest.mark.parametrize("value", [[1e300, 1e300], [0.0, 0.0], [5e-324]])
def test_odd_vectors_do_no_harm(value: list[float]) -> None:
    """What overflows, and what has no direction, is like nothing else; it is no error."""
    assert -1.01 <= cosine(value, [1.0] * len(value)) <= 1.01
    assert cosine([1.0], [1.0, 2.0]) == 0.0


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("6m0s", "duration"), ("17ms", "duration"), ("0.25", "seconds"), ("1795564800", "unix time"),
        ("2026-11-25T00:00:00Z", "date"), ("soon", None), ("-1", None), ("", None), ("9" * 400, None),
    ],
)  # fmt: skip
def test_times_to_wait_are_read(text: str, form: str | None) -> None:
    """Servers write it in different ways, and all of those can be told from words."""
    assert form_of(text) == form


@pytest.mark.parametrize(
    ("claims", "disclaims", "chats", "first"),
    [
        (None, (), True, HELLO),
        ({"chat", "embeddings"}, (), True, HELLO),
        ({"tools"}, (), True, HELLO),
        ({"embeddings", "models"}, (), False, ONE),
        ({"completions"}, (), False, BARE),
        (None, ("chat",), False, ONE),
        ({"models"}, (), False, MODELS),
    ],
)
def test_a_target_may_serve_something_else_than_chats(
    claims: set[str] | None, disclaims: tuple[str, ...], chats: bool, first: Probe
) -> None:
    """Where only another route is claimed, it is asked first, and what is about chats is not asked."""
    target = Target("t", "openai", claims=claims and frozenset(claims), disclaims=frozenset(disclaims))
    assert target.chats is chats
    assert opening(target) == first
    assert target.lacks(catalogue()["chat.id-is-a-string"].requires) == ("" if chats else "chat")
    assert not target.lacks(("models",)) or claims is not None


NEW = [one for one in catalogue().values() if one.area in ("embeddings", "completions", "content")]


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"null", b'{"data": null, "choices": null, "usage": 5}', b'{"data": [1, null, "x"], "choices": [1, null]}',
        b'{"data": [{"index": 0, "embedding": ["x"]}], "choices": [{"text": 5, "index": "0", "logprobs": 7}]}',
        b'{"data": [{"index": true, "embedding": [1e999]}], "choices": [{"message": [], "finish_reason": {}}]}',
        b'{"choices": [{"index": 0, "text": "x", "logprobs": {"tokens": [1], "token_logprobs": ["x"], "text_offset": [null]}}]}',
    ],
)  # fmt: skip
def test_whatever_comes_is_no_bug_of_the_suite(text: bytes) -> None:
    """A check of these never fails itself."""
    for check in NEW:
        found = outcome(check, client(lambda request: _answer(text)))
        assert "our bug" not in found.reason, (check.id, found.reason)


def _answer(text: bytes) -> Answer:
    return Answer(200, {"content-type": "application/json"}, text)


def test_an_exchange_of_another_route_is_told_apart() -> None:
    """A 404 of a chat says nothing about embeddings."""
    x = Exchange(HELLO, "t", 0.0, 404)
    assert unserved(x, ("embeddings",)) == ""
    assert unserved(Exchange(ONE, "t", 0.0, 404), ("embeddings",)) == "embeddings"
