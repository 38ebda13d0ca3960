"""Answers in JSON, with and without a schema: every mode keeps the format, and the answer ends.

Checks over drawn schemas are in `structured_schemas`, formats that have to be refused in `invalid`. An answer that a limit
cut off, or that the model refused to give, says nothing about the server here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.reading.message import Choice
from conformance.core.requirement import OPENAI_PYTHON, SPEC, STRUCTURED
from conformance.judging.refusal import message, named
from conformance.probes.chat import GREEDY, chat
from conformance.probes.structured import (
    GUARD,
    GUARDED,
    GUARDED_STREAMED,
    JSON_OBJECT,
    JSON_OBJECT_STREAMED,
    LOOSE,
    PLAIN_TEXT,
    TWO_GUARDED,
    WITH_TOOLS,
    by_schema,
)

area = Area("structured")

BY_SCHEMA = "structured.json_schema"
ENSURES = SPEC.at(
    "CreateChatCompletionRequest.response_format",
    "enables Structured Outputs which ensures the model will match your supplied JSON schema.",
)
FENCE = "```"
CONTENT = "/choices/0/message/content"


def _fenced(text: str) -> bool:
    """Whether all of the text is one Markdown fence."""
    bare = text.strip()
    return bare.startswith(FENCE) and bare.endswith(FENCE) and "\n" in bare


def _unfenced(text: str) -> str:
    """The text without a Markdown fence around all of it, which only `structured.no-fence` reports."""
    bare = text.strip()
    return bare[bare.index("\n") : -len(FENCE)] if _fenced(text) else text


def _inconclusive(choice: Choice) -> str | None:
    """Why the choice says nothing about the server; None where it does."""
    if choice.finish_reason == "length":
        return "the answer was cut off by a limit"
    if choice.finish_reason == "content_filter" or choice.refusal:
        return "the model refused to answer"
    return "the model called a tool" if choice.calls else None


def _against(choice: Choice, schema: Any, on: str = "") -> Iterator[Finding]:
    """What is wrong with a choice that has to be JSON, and valid under a schema."""
    if reason := _inconclusive(choice):
        raise Unwitnessed(reason)
    text = _unfenced(choice.text)
    try:
        value = parse(text)
    except NotJSON:
        yield Finding("not-json", "The answer is not JSON", at=CONTENT, expected="JSON", found=choice.text[:500], on=on)
        return
    for error in list(jsonschema.Draft202012Validator(schema).iter_errors(value))[:3]:
        rule = {str(error.validator): error.validator_value}
        yield Finding(
            "breaks-schema",
            "The answer is not valid under the schema",
            at=CONTENT,
            expected=rule,
            found=text[:500],
            on=on,
        )


def _ignored(choice: Choice) -> bool:
    """Whether the answer to the plain schema shows that the server ignores schemas."""
    try:
        parse(_unfenced(choice.text))
    except NotJSON:
        return not _inconclusive(choice)
    return False


def schemas_are_read(plain: Exchange, *_: Exchange) -> None:
    """Raises Unwitnessed where the server ignores schemas, which only `structured.schema-is-kept` reports."""
    if _ignored(plain.choice):
        raise Unwitnessed("the server ignores schemas altogether")


@area.must(
    "requests-are-accepted",
    sends=each(PLAIN_TEXT, JSON_OBJECT, GUARDED, GUARDED_STREAMED, LOOSE, TWO_GUARDED, WITH_TOOLS),
    needs=REPLY,
    spec=SPEC.at(
        "CreateChatCompletionRequest.response_format", "An object specifying the format that the model must output."
    ),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with a response format is answered, or refused by name."""
    if feature := named(x):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        found = {"status": x.status, "message": message(x)}
        yield Finding("not-answered", "A valid request is not answered", expected="2xx", found=found)


@area.should(
    "text-is-the-default",
    sends=(GREEDY, PLAIN_TEXT),
    spec=SPEC.at("ResponseFormatText", "Default response format. Used to generate text responses."),
)
def text_is_the_default(plain: Exchange, text: Exchange) -> Findings:
    """The response format `text` changes nothing."""
    if not plain.choice.text:
        raise Unwitnessed("the answer has no text")
    if plain.choice.text != text.choice.text:
        yield Finding(
            "answer-differs",
            "The answer with the format `text` differs from the one without a format",
            expected=plain.choice.text,
            found=text.choice.text,
            on=text.key,
        )


@area.must(
    "json-object-is-json",
    sends=each(JSON_OBJECT, JSON_OBJECT_STREAMED),
    requires="structured.json_object",
    spec=SPEC.at(
        "CreateChatCompletionRequest.response_format",
        'Setting to `{ "type": "json_object" }` enables the older JSON mode, which ensures the message the model '
        "generates is valid JSON.",
    ),
    remedy="Look for a server option that turns on guided decoding; parse leniently until then.",
)
def json_object_is_json(x: Exchange) -> Findings:
    """With the response format `json_object`, the whole text is one JSON object."""
    yield from _against(x.choice, {"type": "object"})


@area.must(
    "schema-is-kept",
    sends=each(GUARDED, GUARDED_STREAMED),
    requires=BY_SCHEMA,
    spec=ENSURES,
    remedy="Turn on guided decoding (vLLM: --structured-outputs-config, SGLang: --grammar-backend).",
)
def schema_is_kept(x: Exchange) -> Findings:
    """An answer under a strict schema is valid, and has the constant that only the schema mentions."""
    yield from _against(x.choice, GUARD)


@area.note("loose-schema", sends=LOOSE, requires=BY_SCHEMA)
def loose_schema(x: Exchange) -> Findings:
    """How far a schema is kept under `strict: false`: the answer is valid, other JSON, or text."""
    codes = {finding.code for finding in _against(x.choice, GUARD)}
    yield Observed("text" if "not-json" in codes else "JSON" if codes else "valid")


@area.should(
    "no-fence",
    sends=each(JSON_OBJECT, GUARDED, GUARDED_STREAMED),
    spec=OPENAI_PYTHON.at("parse", "content inside a Markdown fence raises a ValidationError in `.parse()`"),
    remedy="Strip the fence before parsing.",
)
def no_fence(x: Exchange) -> Findings:
    """The JSON stands alone: no Markdown fence around it."""
    if _fenced(x.choice.text):
        yield Finding("fenced", "The answer is inside a Markdown fence", at=CONTENT, found=x.choice.text[:200])


@area.should(
    "keys-are-in-the-order-of-the-schema",
    sends=each(GUARDED, GUARDED_STREAMED),
    requires=BY_SCHEMA,
    spec=STRUCTURED.at(
        "key ordering", "outputs will be produced in the same order as the ordering of keys in the schema"
    ),
)
def keys_are_in_order(x: Exchange) -> Findings:
    """The members of an answer come in the order in which the schema lists them."""
    try:
        value = parse(_unfenced(x.choice.text))
    except NotJSON:
        value = None
    order = list(GUARD["properties"])
    if not isinstance(value, dict) or set(value) != set(order):
        raise Unwitnessed("the answer does not have the members of the schema")
    if list(value) != order:
        yield Finding(
            "order-differs",
            "The members are not in the order of the schema",
            at=CONTENT,
            expected=order,
            found=list(value),
        )


@area.must(
    "every-choice-keeps-the-schema",
    sends=TWO_GUARDED,
    requires=(BY_SCHEMA, "chat.n"),
    spec=ENSURES,
    remedy="Ask for one choice at a time.",
)
def every_choice_keeps_the_schema(x: Exchange) -> Findings:
    """With `n: 2`, the second choice keeps the schema as well."""
    if len(x.choices) < 2 or _ignored(x.choice):
        raise Unwitnessed("only one choice came, or none keeps the schema")
    for index, choice in x.choices.items():
        if index and not _inconclusive(choice):
            yield from _against(choice, GUARD)


@area.should(
    "schema-is-kept-beside-tools",
    sends=(GUARDED, WITH_TOOLS),
    requires=(BY_SCHEMA, "tools"),
    given=schemas_are_read,
    spec=ENSURES,
)
def schema_is_kept_beside_tools(_: Exchange, x: Exchange) -> Findings:
    """Where tools are offered and none is called, the answer keeps the schema all the same."""
    yield from _against(x.choice, GUARD, x.key)


@area.must(
    "truncation-shows",
    sends=st.integers(1, 12).map(lambda cap: (GUARDED, by_schema(GUARD, max_completion_tokens=cap))),
    requires=BY_SCHEMA,
    given=schemas_are_read,
    examples=4,
    spec=OPENAI_PYTHON.at(
        "parse", "`.parse()` raises LengthFinishReasonError by finish_reason; else it parses half a document"
    ),
)
def truncation_shows(_: Exchange, x: Exchange) -> Findings:
    """JSON that a cap cut off has the `finish_reason` `length`."""
    if x.choice.finish_reason == "stop" and _ignored(x.choice):
        yield Finding(
            "truncation-hidden",
            "The `finish_reason` of JSON that was cut off is `stop`",
            at=CONTENT,
            expected="length",
            found=x.choice.text,
            on=x.key,
        )


@area.note("json-without-the-word", sends=chat(response_format={"type": "json_object"}), needs=REPLY)
def json_without_the_word(x: Exchange) -> Findings:
    """Whether `json_object` is refused where no message mentions JSON, as OpenAI does."""
    yield Observed("answered" if x.ok else x.status, "json_object without the word JSON")
