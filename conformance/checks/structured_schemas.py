"""Answers under schemas of every kind: drawn from OpenAI's strict subset, recursive, large, with keywords that few know.

A schema may be refused with a 4xx; it may not be ignored, and it may not bring the server down.
"""

from __future__ import annotations

import re
from typing import Any

import jsonschema
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.check import ANYTHING, REPLY, Area
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import REPORTS, SPEC, STRUCTURED
from conformance.judging.refusal import message
from conformance.probes.invalid import either
from conformance.probes.structured import (
    GUARDED,
    LARGE,
    by_schema,
    keywords,
    objects,
    odd_names,
    recursive,
    schemas,
)

area = Area("structured", needs=REPLY, requires="structured.json_schema")

Asserting = jsonschema.Draft202012Validator
STRICT = SPEC.at(
    "ResponseFormatJsonSchema.json_schema.strict",
    "If set to true, the model will always follow the exact schema defined in the `schema` field.",
)
CONTENT = "/choices/0/message/content"
BLANK = re.compile(r"\s{64,}")
RUN = re.compile(r"(.{1,4}?)\1{40,}", re.DOTALL)
"""The same few characters over and over: a grammar that does not end."""
LOOSE: tuple[Any, ...] = ({}, {"type": "object"}, objects(a={}))


def beside(probes: SearchStrategy[Probe]) -> SearchStrategy[tuple[Probe, Probe]]:
    """Each request beside the one with the plainest schema, which shows whether schemas are read at all."""
    return probes.map(lambda probe: (GUARDED, probe))


def crashed(x: Exchange) -> bool:
    """Whether the answer is a server error."""
    return x.crashed


def _refused(x: Exchange) -> Findings:
    """A finding where a schema is a server error. Raises Unsupported where it is refused with another status."""
    if not crashed(x):
        raise Unsupported(f"the server refuses the schema ({x.status})")
    found = {"status": x.status, "message": message(x)}
    yield Finding("server-error", "The schema causes a server error", expected="2xx or 4xx", found=found, on=x.key)


def _ignored(plain: Exchange) -> bool:
    """Whether the answer under the plainest schema is no JSON at all: `structured.schema-is-kept` reports that."""
    try:
        parse(plain.choice.text)
    except NotJSON:
        return plain.ok and plain.choice.finish_reason == "stop"
    return False


def _kept(plain: Exchange, x: Exchange) -> Findings:
    """A schema is refused, or the answer is valid under it."""
    if not x.ok:
        yield from _refused(x)
        return
    if _ignored(plain) or not x.choices:
        raise Unwitnessed("the server ignores schemas altogether, or no answer can be read")
    if x.choice.finish_reason in ("length", "content_filter") or x.choice.refusal:
        raise Unwitnessed("the answer was cut off or refused")
    schema: Any = x.probe.wish["response_format"]["json_schema"]["schema"]
    text = x.choice.text[:500]
    try:
        value = parse(x.choice.text)
    except NotJSON:
        yield Finding("not-json", "The answer is not JSON", at=CONTENT, expected="JSON", found=text, on=x.key)
        return
    error = next(iter(Asserting(schema).iter_errors(value)), None)
    if error is not None:
        rule = {"".join(f"/{step}" for step in error.absolute_path): {str(error.validator): error.validator_value}}
        yield Finding(
            "breaks-schema",
            "The answer is not valid under the schema",
            at=CONTENT,
            expected=rule,
            found=text,
            on=x.key,
        )


@area.must(
    "any-strict-schema-is-kept",
    sends=beside(schemas.map(by_schema)),
    examples=12,
    spec=STRICT,
    remedy="Turn on guided decoding, or validate in the client and ask again.",
)
def any_strict_schema_is_kept(plain: Exchange, x: Exchange) -> Findings:
    """An answer is valid under any schema of strict mode: nested, with unions, nulls, definitions and bounds."""
    yield from _kept(plain, x)


@area.must(
    "any-name-is-kept",
    sends=beside(odd_names.map(by_schema)),
    examples=6,
    spec=STRICT,
    remedy="Use names of letters, digits and underscores.",
)
def any_name_is_kept(plain: Exchange, x: Exchange) -> Findings:
    """Members may have any name: with spaces, quotes or slashes, in any script."""
    yield from _kept(plain, x)


@area.should(
    "no-runaway-blanks",
    sends=beside(schemas.map(by_schema)),
    examples=4,
    spec=REPORTS.at(
        "vLLM",
        "The grammar allowed blanks without end: the answer was the beginning of the JSON and hundreds of line breaks.",
        "https://github.com/vllm-project/vllm/issues/38696",
    ),
    remedy="Forbid blanks in guided decoding (vLLM: --structured-outputs-config.disable_any_whitespace true).",
)
def no_runaway_blanks(plain: Exchange, x: Exchange) -> Findings:
    """An answer in JSON has no run of 64 or more blanks: a schema leaves no room for it."""
    if not x.ok:
        raise Unsupported(f"the server refuses the schema ({x.status})")
    for answer in (plain, x):
        if run := BLANK.search(answer.choice.text):
            yield Finding(
                "run-of-blanks",
                "The answer has a long run of blanks",
                at=CONTENT,
                expected=64,
                found=len(run[0]),
                on=answer.key,
            )


@area.must(
    "recursion-is-kept-or-refused",
    sends=beside(either(recursive.map(by_schema))),
    needs=ANYTHING,
    examples=4,
    spec=STRUCTURED.at("supported schemas", "Recursive schemas are supported"),
)
def recursion_is_kept_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """A recursive schema is answered or refused at once, not given up in the middle of an answer."""
    if x.status is None or x.put_off:
        raise Unwitnessed(f"no answer: {x.status or x.ending}")
    if x.ending.how is How.CUT:
        yield Finding(
            "breaks-off", "The answer breaks off", expected="an answer or a 4xx", found=str(x.ending), on=x.key
        )
    elif x.complete and x.streamed and x.ok and not x.choice.finish_reason:
        yield Finding(
            "no-finish-reason",
            "The answer ends without a `finish_reason`",
            expected="stop",
            found=x.choice.text[:200],
            on=x.key,
        )
    elif x.complete:
        yield from _kept(plain, x)


@area.should(
    "empty-schema-ends",
    sends=beside(st.sampled_from([by_schema(schema, strict=False) for schema in LOOSE])),
    examples=3,
    spec=REPORTS.at(
        "vLLM",
        "Under the schema {} the answer was a number without end.",
        "https://github.com/vllm-project/vllm/issues/52011",
    ),
)
def empty_schema_ends(plain: Exchange, x: Exchange) -> Findings:
    """A schema that allows anything is refused, or answered with some JSON that ends."""
    if x.ok and (run := RUN.search(x.choice.text)):
        yield Finding(
            "endless-repetition",
            "The answer repeats itself without end",
            at=CONTENT,
            found=run[0][:80],
            on=x.key,
        )
    else:
        yield from _kept(plain, x)


@area.should(
    "large-schemas-are-no-server-error",
    sends=st.sampled_from([by_schema(schema) for schema in LARGE]),
    examples=6,
    spec=STRUCTURED.at(
        "limits", "A schema may have up to 5000 object properties total, with up to 10 levels of nesting."
    ),
)
def large_schemas_are_no_server_error(x: Exchange) -> Findings:
    """A large schema is answered or refused, never a server error."""
    if crashed(x):
        yield from _refused(x)


@area.should(
    "unknown-keywords-are-no-server-error",
    sends=keywords,
    examples=20,
    spec=REPORTS.at(
        "vLLM",
        "A schema with propertyNames was a 500, and clients that retry sent it three times.",
        "https://github.com/noonghunna/club-3090/issues/45",
    ),
    remedy="Leave keywords that the server's grammar does not know out of the schema.",
)
def unknown_keywords_are_no_server_error(x: Exchange) -> Findings:
    """A schema with any keyword of JSON Schema is answered or refused, never a server error."""
    if crashed(x):
        yield from _refused(x)
