"""Answers in JSON, by a schema or not: that the format is kept, in every mode, and that the answer ends.

Checks over drawn schemas are in `structured_schemas`, formats that have to be refused in `invalid`. What a limit cut
off, or the model refused to say, tells nothing about the server here.
"""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import strategies as st

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.reading.message import Choice
from conformance.core.requirement import MUST, NOTE, OPENAI_PYTHON, SHOULD, SPEC, STRUCTURED
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

BY_SCHEMA = "structured.json_schema"
ENSURES = SPEC.at(
    "CreateChatCompletionRequest.response_format",
    "enables Structured Outputs which ensures the model will match your supplied JSON schema.",
)
FENCE = "```"
CONTENT = "/choices/0/message/content"
IGNORED = Unwitnessed("schemas are ignored altogether")


def _fenced(text: str) -> bool:
    """Whether all of the text is one Markdown fence."""
    bare = text.strip()
    return bare.startswith(FENCE) and bare.endswith(FENCE) and "\n" in bare


def _unfenced(text: str) -> str:
    """The text inside a Markdown fence, where that is all there is: the fence is another check's finding."""
    bare = text.strip()
    return bare[bare.index("\n") : -len(FENCE)] if _fenced(text) else text


def _untold(choice: Choice) -> str:
    """Why the choice says nothing about the server; "" where it does."""
    if choice.finish_reason == "length":
        return "the answer was cut off by a limit"
    if choice.finish_reason == "content_filter" or choice.refusal:
        return "the model would not answer"
    return "the model called a tool" if choice.calls else ""


def _against(choice: Choice, schema: Any, on: str = "") -> Findings:
    """What is wrong with a choice that has to be JSON, and valid under a schema."""
    if why := _untold(choice):
        yield Unwitnessed(why)
        return
    text = _unfenced(choice.text)
    try:
        value = parse(text)
    except NotJSON as problem:
        yield Finding(
            "answer-not-json",
            "the answer is not JSON",
            at=CONTENT,
            expected=str(problem),
            found=choice.text[:500],
            on=on,
        )
        return
    for error in list(jsonschema.Draft202012Validator(schema).iter_errors(value))[:3]:
        rule = {str(error.validator): error.validator_value}
        yield Finding(
            "answer-not-valid-under-schema",
            "the answer is not valid under the schema",
            at=CONTENT,
            expected=rule,
            found=text[:500],
            on=on,
        )


def _ignored(choice: Choice) -> bool:
    """Whether the answer by the plain schema shows that schemas are ignored, which is one check's finding."""
    try:
        parse(_unfenced(choice.text))
    except NotJSON:
        return not _untold(choice)
    return False


@check(
    "structured.requests-are-accepted",
    MUST,
    sends=each(PLAIN_TEXT, JSON_OBJECT, GUARDED, GUARDED_STREAMED, LOOSE, TWO_GUARDED, WITH_TOOLS),
    needs=REPLY,
    spec=SPEC.at(
        "CreateChatCompletionRequest.response_format", "An object specifying the format that the model must output."
    ),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with a response format is answered, or refused by name."""
    feature = named(x)
    if x.ok:
        return
    if feature:
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    else:
        found = {"status": x.status, "message": message(x)}
        yield Finding("valid-request-not-answered", "a valid request is not answered", expected="2xx", found=found)


@check(
    "structured.text-is-the-default",
    SHOULD,
    sends=(GREEDY, PLAIN_TEXT),
    spec=SPEC.at("ResponseFormatText", "Default response format. Used to generate text responses."),
)
def text_is_the_default(plain: Exchange, text: Exchange) -> Findings:
    """The response format `text` changes nothing."""
    if not plain.choice.text:
        yield Unwitnessed("the answer has no text")
    elif plain.choice.text != text.choice.text:
        yield Finding(
            "answer-another-one",
            "the answer is another one",
            expected=plain.choice.text,
            found=text.choice.text,
            on=text.key,
        )


@check(
    "structured.json-object-is-json",
    MUST,
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


@check(
    "structured.schema-is-kept",
    MUST,
    sends=each(GUARDED, GUARDED_STREAMED),
    requires=BY_SCHEMA,
    spec=ENSURES,
    remedy="Turn on guided decoding (vLLM: --structured-outputs-config, SGLang: --grammar-backend).",
)
def schema_is_kept(x: Exchange) -> Findings:
    """An answer by a strict schema has the constant that only the schema knows, and is valid."""
    yield from _against(x.choice, GUARD)


@check("structured.loose-schema", NOTE, sends=LOOSE, requires=BY_SCHEMA)
def loose_schema(x: Exchange) -> Findings:
    """How far a schema is kept under `strict: false`: valid, some other JSON, or text."""
    wrong = [saying.message for saying in _against(x.choice, GUARD) if isinstance(saying, Finding)]
    yield Observed("text" if "the answer is not JSON" in wrong else "JSON" if wrong else "valid")


@check(
    "structured.no-fence",
    SHOULD,
    sends=each(JSON_OBJECT, GUARDED, GUARDED_STREAMED),
    spec=OPENAI_PYTHON.at("parse", "content inside a Markdown fence raises a ValidationError in `.parse()`"),
    remedy="Strip the fence before parsing.",
)
def no_fence(x: Exchange) -> Findings:
    """The JSON stands alone: no Markdown fence around it."""
    if _fenced(x.choice.text):
        yield Finding("answer-fenced", "the answer is fenced", at=CONTENT, found=x.choice.text[:200])


@check(
    "structured.keys-are-in-the-order-of-the-schema",
    SHOULD,
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
    if not isinstance(value, dict) or set(value) != set(GUARD["properties"]):
        yield Unwitnessed("the answer does not have the members of the schema")
    elif list(value) != list(GUARD["properties"]):
        yield Finding(
            "members-another-order",
            "the members are in another order",
            at=CONTENT,
            expected=list(GUARD["properties"]),
            found=list(value),
        )


@check(
    "structured.every-choice-keeps-the-schema",
    MUST,
    sends=TWO_GUARDED,
    requires=(BY_SCHEMA, "chat.n"),
    spec=ENSURES,
    remedy="Ask for one choice at a time.",
)
def every_choice_keeps_the_schema(x: Exchange) -> Findings:
    """With `n: 2` the second choice is by the schema as well."""
    if len(x.choices) < 2 or _ignored(x.choice):
        yield Unwitnessed("only one choice came, or none is by the schema")
        return
    for index, choice in x.choices.items():
        if index and not _untold(choice):
            yield from _against(choice, GUARD)


@check(
    "structured.schema-is-kept-beside-tools",
    SHOULD,
    sends=(GUARDED, WITH_TOOLS),
    requires=(BY_SCHEMA, "tools"),
    spec=ENSURES,
)
def schema_is_kept_beside_tools(alone: Exchange, x: Exchange) -> Findings:
    """Where tools are offered and none is called, the answer is by the schema all the same."""
    if _ignored(alone.choice):
        yield IGNORED
    else:
        yield from _against(x.choice, GUARD, x.key)


@check(
    "structured.truncation-shows",
    MUST,
    sends=st.integers(1, 12).map(lambda cap: (GUARDED, by_schema(GUARD, max_completion_tokens=cap))),
    requires=BY_SCHEMA,
    examples=4,
    spec=OPENAI_PYTHON.at(
        "parse", "`.parse()` raises LengthFinishReasonError by finish_reason; else it parses half a document"
    ),
)
def truncation_shows(whole: Exchange, x: Exchange) -> Findings:
    """JSON that a cap cut off has the `finish_reason` `length`."""
    if _ignored(whole.choice):
        yield IGNORED
    elif x.choice.finish_reason == "stop" and _ignored(x.choice):
        yield Finding(
            "cut-off-json-called-complete",
            "cut-off JSON is called complete",
            at=CONTENT,
            expected="length",
            found=x.choice.text,
            on=x.key,
        )


@check("structured.json-without-the-word", NOTE, sends=chat(response_format={"type": "json_object"}), needs=REPLY)
def json_without_the_word(x: Exchange) -> Findings:
    """Whether `json_object` is refused where no message speaks of JSON, as OpenAI does."""
    yield Observed("answered" if x.ok else x.status, "json_object without the word JSON")
