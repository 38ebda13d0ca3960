"""Invalid requests: each is refused with a 4xx, whole or streamed, and the refusal names the invalid member.

An answer of 200 that holds an error is passed over here (`errors` finds it); what a refusal looks like is in
`errors_shape`. Where servers differ for good reasons, the check is a note or a SHOULD.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import JSON, OPENAI_PYTHON, SPEC, STRUCTURED
from conformance.probes.chat import GREEDY, HELLO
from conformance.probes.invalid import (
    IN_MEMBERS,
    NO_MESSAGES,
    UNKNOWN_MODEL,
    asking,
    beyond,
    culprit,
    either,
    one_wrong,
    wrong_messages,
    wrong_types,
)
from conformance.probes.malformed import AS_TEXT, broken, odd, others
from conformance.probes.structured import BAD_FORMATS, BAD_SCHEMAS, by_schema

VALIDATE = "Validate the value in the client before it is sent."

area = Area("errors", needs=REPLY)


def refused(x: Exchange) -> Findings:
    """An invalid request gets a 4xx: neither an answer nor a server error."""
    if x.crashed:
        yield Finding("server-error", "An invalid request causes a server error", expected="4xx", found=x.status)
    elif x.ok and x.choices:
        yield Finding("answered", "An invalid request is answered as if it were valid", expected="4xx", found=x.status)


REFUSED = (
    area.must(
        "broken-json-is-refused",
        title="A body that is not a JSON document is refused.",
        sends=broken,
        examples=4,
        spec=JSON.at("2", "JSON-text = ws value ws"),
    )(refused),
    area.must(
        "other-json-is-refused",
        title="A body that is not a JSON object is refused: an empty body, an array, a number, a string, null.",
        sends=others,
        spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
    )(refused),
    area.must(
        "wrong-messages-are-refused",
        title="`messages` that are not a list of objects are refused.",
        sends=wrong_messages,
        spec=SPEC.at("CreateChatCompletionRequest.messages", "type: array, minItems: 1"),
    )(refused),
    area.must(
        "missing-messages-are-refused",
        title="A request without `messages` is refused.",
        sends=NO_MESSAGES,
        spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
    )(refused),
    area.must(
        "wrong-types-are-refused",
        title="A parameter of the wrong type is refused, not ignored.",
        sends=wrong_types,
        examples=16,
        spec=SPEC.at("ModelResponseProperties.temperature", "type: number"),
        remedy=VALIDATE,
    )(refused),
    area.should(
        "temperature-range-is-kept",
        title="A `temperature` below 0 or above 2 is refused.",
        sends=one_wrong(temperature=beyond(0, 2)),
        examples=6,
        spec=SPEC.at("ModelResponseProperties.temperature", "What sampling temperature to use, between 0 and 2."),
        remedy=VALIDATE,
    )(refused),
    area.should(
        "top-p-range-is-kept",
        title="A `top_p` below 0 or above 1 is refused.",
        sends=one_wrong(top_p=beyond(0, 1)),
        examples=6,
        spec=SPEC.at("ModelResponseProperties.top_p", "minimum: 0, maximum: 1"),
        remedy=VALIDATE,
    )(refused),
    area.must(
        "n-below-one-is-refused",
        title="`n` below 1 is refused, also for a stream.",
        sends=one_wrong(n=st.integers(-9, 0)),
        examples=6,
        spec=SPEC.at("CreateChatCompletionRequest.n", "minimum: 1, maximum: 128"),
        remedy=VALIDATE,
    )(refused),
    area.must(
        "negative-cap-is-refused",
        title="A negative number of tokens is refused.\n-1 is not tried: to some servers it means as many as fit.",
        sends=one_wrong(max_completion_tokens=st.integers(-999, -2), max_tokens=st.integers(-999, -2)),
        examples=6,
        spec=SPEC.at("CreateChatCompletionRequest.max_completion_tokens", "An upper bound for the number of tokens"),
        remedy=VALIDATE,
    )(refused),
    area.must(
        "top-logprobs-need-logprobs",
        title="`top_logprobs` without `logprobs: true` is refused, not silently ignored.",
        sends=either(st.integers(1, 20).map(lambda top: GREEDY.asking(top_logprobs=top))),
        requires="logprobs",
        examples=3,
        spec=SPEC.at(
            "CreateChatCompletionRequest.top_logprobs", "`logprobs` must be set to `true` if this parameter is used."
        ),
        remedy="Set logprobs: true: without it, top_logprobs is ignored.",
    )(refused),
    area.should(
        "top-logprobs-range-is-kept",
        title="`top_logprobs` below 0 or above 20 is refused.",
        sends=either(
            st.one_of(st.integers(21, 60), st.integers(-9, -1)).map(
                lambda top: HELLO.asking(logprobs=True, top_logprobs=top)
            )
        ),
        requires="logprobs",
        examples=5,
        spec=SPEC.at("CreateChatCompletionRequest.top_logprobs", "minimum: 0, maximum: 20"),
    )(refused),
    area.must(
        "wrong-format-is-refused",
        title="A `response_format` of an unknown type, or without its parts, is refused.",
        sends=either(st.sampled_from([asking("response_format", format_) for format_ in BAD_FORMATS])),
        examples=10,
        spec=SPEC.at("ResponseFormatJsonSchema", "required: [type, json_schema]"),
        remedy="Check the response_format in the client: what it asks for is not honoured.",
    )(refused),
    area.should(
        "bad-schema-is-refused",
        title="An invalid JSON Schema is refused.",
        sends=either(st.sampled_from([by_schema(schema) for schema in BAD_SCHEMAS])),
        requires="structured.json_schema",
        spec=STRUCTURED.at(
            "supported schemas",
            "If you turn on Structured Outputs by supplying `strict: true` and call the API with an unsupported JSON "
            "Schema, you will receive an error.",
        ),
    )(refused),
)


@area.should(
    "odd-bodies-are-no-server-error",
    sends=odd,
    examples=10,
    spec=OPENAI_PYTHON.at("retries", "an answer of 500 or above is sent again twice, a 400 is raised at once"),
)
def odd_bodies_are_no_server_error(x: Exchange) -> Findings:
    """A body with deep nesting, huge numbers or lone surrogates causes no server error."""
    if x.crashed:
        yield Finding("server-error", "An odd body causes a server error", expected="2xx or 4xx", found=x.status)


@area.note("unknown-model", sends=UNKNOWN_MODEL)
def unknown_model(x: Exchange) -> Findings:
    """Which status and code an unknown model gets: OpenAI answers 404 with `model_not_found`."""
    yield Observed(x.status, "status")
    if not x.error["code"].absent:
        yield Observed(x.error["code"], "code")


ALIASES = {"max_completion_tokens": "max_tokens"}
"""Other names under which servers know a member."""


@area.should(
    "param-names-the-member",
    sends=each(*IN_MEMBERS),
    spec=SPEC.at("Error.param", "anyOf: [{type: string}, {type: 'null'}]"),
)
def param_names_the_member(x: Exchange) -> Findings:
    """`error.param` names the invalid member of the request."""
    param, wrong = x.error["param"].value, culprit(x.probe)
    if x.ok or x.error.type != "object" or "param" not in x.error or not (param is None or isinstance(param, str)):
        raise Unwitnessed("the refusal has no param")
    if param is None or re.split(r"[.\[]", param.removeprefix("body."))[0] not in (wrong, ALIASES.get(wrong)):
        yield Finding(
            "other-param",
            "`error.param` does not name the invalid member",
            at="/error/param",
            expected=wrong,
            found=param,
        )


DISPUTED = {
    "messages []": HELLO.asking(messages=[]),
    "no model": HELLO.asking(model=...),
    'model ""': HELLO.asking(model=""),
    "unknown member": HELLO.asking(no_such_member=1),
    "text/plain": AS_TEXT,
}


@area.note("disputed-requests", sends=st.sampled_from(list(DISPUTED.values())), examples=5)
def disputed_requests(x: Exchange) -> Findings:
    """How servers answer disputed requests: an empty list of messages, no model, unknown members, text/plain."""
    name = next(name for name, probe in DISPUTED.items() if probe.key == x.key)
    yield Observed("answered" if x.ok else x.status, name)
