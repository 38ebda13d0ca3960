"""Planted faults: formats that are ignored, half kept, or too much for the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import When, ask, crash, crashed, given, refuse, without


def form(request: Request) -> str:
    """The type of the response format that is asked for; "" where there is none."""
    wanted = request.wish.get("response_format")
    return str(wanted.get("type", "")) if isinstance(wanted, dict) else ""


def schema(request: Request) -> Any:
    """The schema that is asked for; None where there is none."""
    wanted = request.wish.get("response_format")
    inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
    return inner.get("schema") if isinstance(inner, dict) else None


def retell(answer: Answer, change: Callable[[str, int], str]) -> None:
    """Replace the text of each choice; in a stream all of it goes into the first delta that has text."""
    texts: dict[int, list[dict[str, Any]]] = {}
    for choice in answer.choices if answer.is_chat else ():
        part = choice.get("message") or choice.get("delta") or {}
        if part.get("content"):
            texts.setdefault(choice["index"], []).append(part)
    for index, parts in texts.items():
        text = change("".join(part["content"] for part in parts), index)
        for part in parts:
            part["content"], text = text, ""


def rewrite(answer: Answer, change: Callable[[dict[str, Any]], Any], **style: Any) -> None:
    """Replace each text that is a JSON object by another value; what was cut off stays as it is."""

    def changed(text: str, index: int) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return text
        return json.dumps(change(value), ensure_ascii=False, **style) if isinstance(value, dict) else text

    retell(answer, changed)


def finish(answer: Answer, reason: str) -> None:
    """Replace the finish_reason of every choice."""
    for choice in answer.choices if answer.is_chat else ():
        if choice["finish_reason"]:
            choice["finish_reason"] = reason


SCHEMA = When(lambda request: form(request) == "json_schema")


IGNORED = (
    ask("response_format-dropped", without("response_format"), after=200,
        says="`response_format` is silently dropped."),
    ask("schema-nested-response_format-ignored", without("response_format"), when=SCHEMA, after=200,
        says="A schema inside `response_format` is ignored: only a top-level `json_schema` is read."),
    ask("schema-dropped-beside-tools", without("response_format"), when=SCHEMA & given("tools", bool),
        says="Where tools are offered, the schema is ignored."),
)  # fmt: skip


@fault("schema-200-not-enforced")
def loses_a_member(answer: Answer, request: Request) -> None:
    """The answer is JSON, and lacks the first member that the schema requires."""
    if schema(request) and not request.wish.get("tools"):
        rewrite(answer, lambda value: dict(list(value.items())[1:]))


@fault("json_object-ignored-trailing-prose")
def explains_its_json(answer: Answer, request: Request) -> None:
    """After the JSON object comes a sentence about it."""
    if form(request) == "json_object":
        retell(answer, lambda text, index: f"{text}\n\nThis JSON object contains what you asked for.")


@fault("n-gt-1-grammar-broken")
def shares_one_grammar(answer: Answer, request: Request) -> None:
    """Only the first of several choices keeps the schema: they share the state of one grammar."""
    if form(request) == "json_schema":
        retell(answer, lambda text, index: text if not index else text[:6] + "Hello" + text[6:])


@fault("json-fenced")
def writes_markdown(answer: Answer, request: Request) -> None:
    """JSON comes inside a Markdown fence."""
    if form(request) == "json_object" or (form(request) == "json_schema" and len(compact(schema(request))) < 250):
        retell(answer, lambda text, index: f"```json\n{text}\n```")


@fault("schema-keys-sorted")
def sorts_members(answer: Answer, request: Request) -> None:
    """The members of an answer are sorted by name."""
    if form(request) == "json_schema":
        rewrite(answer, lambda value: value, sort_keys=True)


@fault("json_object-stream-500", instead=True)
def cannot_stream_json(request: Request, respond: Respond) -> Answer:
    """A schema in a stream is a server error."""
    if form(request) == "json_schema" and request.wish.get("stream") and respond(request).status == 200:
        return crashed()
    return respond(request)


@fault("format-text-changes-the-answer")
def quotes_text(answer: Answer, request: Request) -> None:
    """With the response format `text`, the answer is quoted like JSON."""
    if form(request) == "text":
        retell(answer, lambda text, index: json.dumps(text))


@fault("schema-empty-number-loop")
def counts_without_end(answer: Answer, request: Request) -> None:
    """Under the schema {} the answer is a number without end."""
    if schema(request) == {}:
        retell(answer, lambda text, index: "-" + "0" * 500)
        finish(answer, "length")


@fault("schema-whitespace-runaway")
def ends_in_blanks(answer: Answer, request: Request) -> None:
    """The grammar allows blanks anywhere: after the beginning of the JSON come hundreds."""
    if form(request) == "json_schema":
        retell(answer, lambda text, index: text[:-1] + "\n  " * 200)
        finish(answer, "length")


@fault("schema-prop-name-with-space")
def cannot_name_blanks(answer: Answer, request: Request) -> None:
    """Names of members lose their blanks."""
    if schema(request):
        rewrite(answer, lambda value: {name.replace(" ", ""): inner for name, inner in value.items()})


@fault("schema-recursive-ref-kills-request", instead=True)
def dies_of_recursion(request: Request, respond: Respond) -> Answer:
    """A recursive schema is accepted, and the answer breaks off in the middle."""
    answer = respond(request)
    text = compact(schema(request) or {})
    if answer.is_chat and ('"$ref":"#"' in text or text.count('"$ref":"#/$defs/node"') > 1):
        answer.ending = "drop"
        if answer.events is None:
            answer.body = compact(answer.body).encode()[:40]
        else:
            del answer.events[2:]
    return answer


HARD = ('"$ref"', '"pattern"', '"anyOf"', '"not"', '"if"')
"""Words of JSON Schema that simple grammars do not know."""


SCHEMAS = (
    crash("schema-unsupported-keyword-500", when=lambda request: '"propertyNames"' in compact(schema(request) or {}),
        message="Grammar error: Unimplemented keys: propertyNames",
        says="A schema with propertyNames is a server error."),
    crash("schema-large-500", when=lambda request: len(compact(schema(request) or {})) > 4096,
        says="A schema of more than 4 kB is a server error."),
    refuse("structured-refused", when=lambda request: form(request) in ("json_object", "json_schema"),
        message="response_format is not supported by this model", param="response_format",
        says="JSON is refused by name.", legal=True),
    refuse("schemas-refused-in-part", when=lambda request: any(word in compact(schema(request) or {}) for word in HARD),
        message="The provided JSON schema contains features that the grammar does not have.",
        says="References, patterns and unions are refused, without the name of a parameter.", legal=True),
)  # fmt: skip


@fault("schema-definitions-draft7-crash", instead=True)
def ends_at_a_bad_reference(request: Request, respond: Respond) -> Answer:
    """A reference to nothing ends the server: it closes this connection, and for a while every other."""
    if "#/$defs/nowhere" in compact(schema(request) or {}):
        request.memory["down"] = 2
    if request.memory.get("down", 0) > 0:
        request.memory["down"] -= 1
        return Answer(body=b"", ending="drop")
    return respond(request)


def _forgiving(identity: str, *codes: str, says: str) -> Fault:
    """A server that ignores a format which the reference refuses with one of these codes."""

    def sin(request: Request, respond: Respond) -> Answer:
        answer = respond(request)
        error = answer.body.get("error", {}) if answer.status == 400 and isinstance(answer.body, dict) else {}
        named = str(error.get("param")).startswith("response_format")
        bad_schema = error.get("code") == "invalid_json_schema"
        wanted = named and bad_schema == ("invalid_json_schema" in codes)
        return respond(request.asking(response_format=...)) if wanted else answer

    return fault(identity, instead=True, says=says)(sin)


FORGIVEN = (
    _forgiving("bad-schema-ignored", "invalid_json_schema", says="A schema that is no JSON Schema is ignored."),
    _forgiving("unknown-format-ignored", says="A response format that does not exist is ignored."),
)  # fmt: skip


# What a server may do


@fault("json-indented", legal=True)
def indents_json(answer: Answer, request: Request) -> None:
    """JSON comes on several lines."""
    if form(request) in ("json_object", "json_schema"):
        rewrite(answer, lambda value: value, indent=2)


@fault("model-refuses", legal=True)
def will_not_say_that(answer: Answer, request: Request) -> None:
    """To a strict schema the model says no: `refusal` has the reason, the content is null."""
    if form(request) == "json_schema" and answer.is_chat and answer.events is None:
        for message in answer.messages:
            message["refusal"], message["content"] = "I cannot help with that.", None
