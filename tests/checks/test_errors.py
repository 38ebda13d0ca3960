"""The checks of parameters, log probabilities, JSON and errors, where they could be unfair or blind."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.checks.catalogue import catalogue
from conformance.checks.errors_shape import DUMP, INSIDES
from conformance.checks.structured_schemas import BLANK, RUN
from conformance.core.finding import Kind
from conformance.core.probe import Probe
from conformance.judging.judge import Evidence, judge
from conformance.probes.chat import COUNT, GREEDY, HELLO, get
from conformance.probes.invalid import (
    IN_MEMBERS,
    NO_CHOICE,
    NO_MESSAGES,
    UNKNOWN_MODEL,
    asking,
    beyond,
    culprit,
    one_wrong,
    wrong_types,
)
from conformance.probes.malformed import broken
from conformance.probes.structured import GUARD, GUARDED, KEYWORDS, Schema, objects, odd_names, recursive, schemas
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.transport.memory import asking as asked_in_memory
from tests.kit.judging import answered, judged, refused, replied

quick = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
reference = asked_in_memory(responder(), DEFAULT_KEY, "reference")


@quick
@given(st.one_of(schemas, odd_names, recursive))
def test_drawn_schemas_are_of_strict_mode(schema: Schema) -> None:
    """What the suite blames a server for not keeping is a JSON Schema, and one that OpenAI documents as supported."""
    jsonschema.Draft202012Validator.check_schema(schema)
    x = reference(GUARDED.asking(response_format={"type": "json_schema", "json_schema": {
        "name": "answer", "strict": True, "schema": schema,
    }}))  # fmt: skip
    assert x.ok, x.text
    jsonschema.validate(json.loads(x.choice.text), schema)


@pytest.mark.parametrize("word", KEYWORDS)
def test_a_keyword_shows_whether_it_is_enforced(word: str) -> None:
    """Without the keyword, its schema would allow what it then forbids."""
    schema = objects(value=KEYWORDS[word])
    jsonschema.Draft202012Validator.check_schema(schema)
    asserting = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    values: list[Any] = ["", "abc", 1, 3, [], [1], [8, 8], [True], {}, {"a": 1}, {"b": 1}, {"x_1": 2}, "x" * 50]
    assert not all(asserting.is_valid({"value": value}) for value in values)


@quick
@given(st.one_of(wrong_types, one_wrong(temperature=beyond(0, 2), n=st.integers(-9, 0)), broken))
def test_invalid_requests_are_invalid(probe: Probe) -> None:
    """A conforming server refuses every request that has to be refused, and names the member that is wrong."""
    x = reference(probe)
    assert x.status == 400
    wrong = culprit(probe)
    assert not wrong or str(x.error["param"].value).startswith(wrong), probe.body


def test_an_invalid_request_has_one_fault() -> None:
    """A culprit is a member that is wrong, and none where the body is no object."""
    found = [culprit(probe) for probe in IN_MEMBERS]
    assert found == ["messages", "messages", "messages", "temperature", "n", "max_completion_tokens"]
    assert culprit(UNKNOWN_MODEL) == "model"
    assert culprit(asking("stream", "perhaps")) == "stream"
    assert culprit(get("nowhere")) == ""


@pytest.mark.parametrize(
    ("text", "dump"),
    [
        ("Error code: 400 - {'error': {'message': 'bad', 'code': 400}}", True),
        ('litellm.BadRequestError: {"error":{"message":"bad"}}', True),
        (r'Received client error (400) with message "{\"error\":{\"message\":\"bad\"}}"', True),
        ('upstream said {"detail": "Not Found"}', True),
        ('{"object":"error","message":"bad"}', True),
        ("1 validation error:\n  {'type': 'json_invalid', 'ctx': {'error': 'Unterminated string'}}", False),
        ("Invalid value: expected {'type': 'object'}, got 'error'.", False),
    ],
)
def test_a_dump_is_an_error_object_in_a_message(text: str, dump: bool) -> None:
    """An error object written out is found in any writing; a list of what is wrong is none."""
    assert bool(DUMP.search(text)) is dump


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('File "/srv/v/site-packages/engine/api.py", line 187, in create', True),
        ("Traceback (most recent call last):", True),
        ("panic: runtime error\ngoroutine 12 [running]:", True),
        ("connect to vllm-0.models.svc.cluster.local failed", True),
        ("Incorrect API key: sk-abcdefghijklmnopqrstuvwx", True),
        ("Incorrect API key provided: sk-abc***xyz. See https://example.com/account/api-keys.", False),
        ("Invalid URL (POST /v1/chat/completions). See https://example.com/docs/errors.html", False),
        ("temperature must be in [0, 2], got 10.5", False),
    ],
)
def test_insides_are_no_business_of_a_client(text: str, shown: bool) -> None:
    """Frames, paths, machines and keys are found; addresses of documents and masked keys are let be."""
    assert bool(INSIDES.search(text)) is shown


def test_a_runaway_is_told_from_indentation() -> None:
    """Indented JSON is no runaway, and neither is a long string of different words."""
    assert not BLANK.search(json.dumps({"a": {"b": {"c": [1, 2, 3]}}}, indent=8))
    assert BLANK.search('{"a"' + "\n \t" * 30)
    assert RUN.search("-" + "0" * 60)
    assert not RUN.search(" ".join(map(str, range(200))))


@pytest.mark.parametrize("param", ["n", "body.n", "n[0]", "n.value"])
def test_a_param_may_be_a_path(param: str) -> None:
    """A member is named also by a path into it, or one that begins at the body."""
    assert judged("errors.param-names-the-member", refused(NO_CHOICE, param=param)).kind is Kind.HOLDS


@pytest.mark.parametrize("param", [None, "messages", "nonsense", ""])
def test_a_param_has_to_be_the_right_one(param: str | None) -> None:
    """Null, and the name of another member, tell a client nothing."""
    assert judged("errors.param-names-the-member", refused(NO_CHOICE, param=param)).kind is Kind.VIOLATED


def test_a_refusal_is_judged_once() -> None:
    """Each way to be unreadable is one violated check: the ones for the parts inside have nothing to say."""
    areas = [one for one in catalogue().values() if one.place.startswith("errors_shape") and one.level != "NOTE"]
    for body, name in (
        ({"detail": "Not Found"}, "errors.no-detail"),
        ({"object": "error", "message": "x", "code": 400}, "errors.lies-under-error"),
        ([{"error": {"code": 400}}], "errors.body-is-an-object"),
        ({"error": "x"}, "errors.error-is-an-object"),
    ):
        x = replied(NO_MESSAGES, body, 400)
        found = [one.id for one in areas if judge(one, [Evidence((x,))]).kind is Kind.VIOLATED]
        assert found == [name]


def test_an_answer_cut_off_by_a_limit_is_no_fault() -> None:
    """Half a JSON document with `length` says nothing about the server; with `stop` it does."""
    half = '{"schema_guard":"SCHEMA_ENF'
    assert judged("structured.schema-is-kept", answered(GUARDED, half, "length")).kind is Kind.UNWITNESSED
    assert judged("structured.schema-is-kept", answered(GUARDED, "", "length")).kind is Kind.UNWITNESSED
    assert judged("structured.schema-is-kept", answered(GUARDED, half)).kind is Kind.VIOLATED


def test_a_fence_is_one_finding() -> None:
    """Fenced JSON that is valid breaks the check of fences only."""
    value = json.dumps({"schema_guard": "SCHEMA_ENFORCED", "color": "red", "ok": True})
    fenced = answered(GUARDED, f"```json\n{value}\n```")
    assert judged("structured.schema-is-kept", fenced).kind is Kind.HOLDS
    assert judged("structured.no-fence", fenced).kind is Kind.VIOLATED
    assert set(json.loads(value)) == set(GUARD["properties"])


def test_a_stop_string_has_to_occur() -> None:
    """A model that counts otherwise has no stop string in its text: nothing is held against the server."""
    stopped = GREEDY.asking(messages=COUNT.wish["messages"], stop=["17", "30"])
    pair = answered(HELLO, "one two three"), answered(stopped, "one two three")
    assert judged("sampling.stop-cuts-the-same-text", *pair).kind is Kind.UNWITNESSED


def test_a_cap_is_seen_without_usage() -> None:
    """A server that gives no usage is caught by the numbers in the text: each is a token at least."""
    capped = COUNT.asking(max_completion_tokens=5)
    assert judged("sampling.cap-is-kept", answered(capped, "1 2 3", "length")).kind is Kind.HOLDS
    assert judged("sampling.cap-is-kept", answered(capped, "1 2 3 4 5 6 7")).kind is Kind.VIOLATED
    assert judged("sampling.cap-is-kept", answered(capped, "", "length")).kind is Kind.HOLDS


@pytest.mark.parametrize(("sent", "read", "kind"), [(100, 40, Kind.VIOLATED), (100, 140, Kind.UNWITNESSED)])
def test_a_prompt_that_fits_is_told_from_one_that_was_cut(sent: int, read: int, kind: Kind) -> None:
    """An answer to a long prompt is a fault only where the server read less than was sent, or said nothing."""
    prompt = HELLO.asking(messages=[{"role": "user", "content": " ".join(map(str, range(sent)))}])
    x = answered(prompt, "Well.", usage={"prompt_tokens": read})
    assert judged("errors.overflow-is-refused", replied(get("models/x"), {}, 404), x).kind is kind


def test_a_spent_account_is_not_busy() -> None:
    """A 429 that asks for money needs no `Retry-After`."""
    assert (
        judged("errors.busy-says-when", refused(HELLO, status=429, code="insufficient_quota")).kind is Kind.UNWITNESSED
    )
    assert judged("errors.busy-says-when", refused(HELLO, status=429)).kind is Kind.VIOLATED
