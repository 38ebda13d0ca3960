"""Invalid requests: each is refused with a 4xx, whole or streamed, and the refusal names the member that is wrong.

An answer of 200 that holds an error is passed over here (`errors` finds it); what a refusal looks like is in
`error_shape`. Where servers differ for honest reasons, a request is a note or a SHOULD.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import JSON, MUST, NOTE, OPENAI_PYTHON, SHOULD, SPEC, STRUCTURED
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


def _refused(x: Exchange) -> Findings:
    """An invalid request gets a 4xx: neither an answer nor a server error."""
    if x.status is not None and x.status >= 500:
        yield Finding(
            "invalid-request-server-error", "an invalid request is a server error", expected="4xx", found=x.status
        )
    elif x.ok and x.choices:
        yield Finding(
            "invalid-request-answered-if-valid",
            "an invalid request is answered as if it were valid",
            expected="4xx",
            found=x.status,
        )


@check(
    "errors.broken-json-is-refused",
    MUST,
    sends=broken,
    needs=REPLY,
    examples=4,
    spec=JSON.at("2", "JSON-text = ws value ws"),
)
def broken_json_is_refused(x: Exchange) -> Findings:
    """A body that is no JSON document is refused."""
    yield from _refused(x)


@check(
    "errors.other-json-is-refused",
    MUST,
    sends=others,
    needs=REPLY,
    examples=8,
    spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
)
def other_json_is_refused(x: Exchange) -> Findings:
    """A body that is no JSON object is refused: an empty one, an array, a number, a text, null."""
    yield from _refused(x)


@check(
    "errors.wrong-messages-are-refused",
    MUST,
    sends=wrong_messages,
    needs=REPLY,
    examples=8,
    spec=SPEC.at("CreateChatCompletionRequest.messages", "type: array, minItems: 1"),
)
def wrong_messages_are_refused(x: Exchange) -> Findings:
    """`messages` that are no list of objects are refused."""
    yield from _refused(x)


@check(
    "errors.missing-messages-are-refused",
    MUST,
    sends=NO_MESSAGES,
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
)
def missing_messages_are_refused(x: Exchange) -> Findings:
    """A request without `messages` is refused."""
    yield from _refused(x)


@check(
    "errors.wrong-types-are-refused",
    MUST,
    sends=wrong_types,
    needs=REPLY,
    examples=16,
    spec=SPEC.at("ModelResponseProperties.temperature", "type: number"),
    remedy=VALIDATE,
)
def wrong_types_are_refused(x: Exchange) -> Findings:
    """A parameter of a type that cannot be read as its own is refused, not ignored."""
    yield from _refused(x)


@check(
    "errors.temperature-range-is-kept",
    SHOULD,
    sends=one_wrong(temperature=beyond(0, 2)),
    needs=REPLY,
    examples=6,
    spec=SPEC.at("ModelResponseProperties.temperature", "What sampling temperature to use, between 0 and 2."),
    remedy=VALIDATE,
)
def temperature_range_is_kept(x: Exchange) -> Findings:
    """A `temperature` below 0 or above 2 is refused."""
    yield from _refused(x)


@check(
    "errors.top-p-range-is-kept",
    SHOULD,
    sends=one_wrong(top_p=beyond(0, 1)),
    needs=REPLY,
    examples=6,
    spec=SPEC.at("ModelResponseProperties.top_p", "minimum: 0, maximum: 1"),
    remedy=VALIDATE,
)
def top_p_range_is_kept(x: Exchange) -> Findings:
    """A `top_p` below 0 or above 1 is refused."""
    yield from _refused(x)


@check(
    "errors.n-below-one-is-refused",
    MUST,
    sends=one_wrong(n=st.integers(-9, 0)),
    needs=REPLY,
    examples=6,
    spec=SPEC.at("CreateChatCompletionRequest.n", "minimum: 1, maximum: 128"),
    remedy=VALIDATE,
)
def n_below_one_is_refused(x: Exchange) -> Findings:
    """`n` below 1 is refused, also for a stream."""
    yield from _refused(x)


@check(
    "errors.negative-cap-is-refused",
    MUST,
    sends=one_wrong(max_completion_tokens=st.integers(-999, -2), max_tokens=st.integers(-999, -2)),
    needs=REPLY,
    examples=6,
    spec=SPEC.at("CreateChatCompletionRequest.max_completion_tokens", "An upper bound for the number of tokens"),
    remedy=VALIDATE,
)
def negative_cap_is_refused(x: Exchange) -> Findings:
    """A negative number of tokens is refused.

    -1 is not tried: to some servers it means as many as fit.
    """
    yield from _refused(x)


@check(
    "errors.top-logprobs-need-logprobs",
    MUST,
    sends=either(st.integers(1, 20).map(lambda top: GREEDY.asking(top_logprobs=top))),
    needs=REPLY,
    requires="logprobs",
    examples=3,
    spec=SPEC.at(
        "CreateChatCompletionRequest.top_logprobs", "`logprobs` must be set to `true` if this parameter is used."
    ),
    remedy="Set logprobs: true: without it, top_logprobs is ignored.",
)
def top_logprobs_need_logprobs(x: Exchange) -> Findings:
    """`top_logprobs` without `logprobs: true` is refused, not silently ignored."""
    yield from _refused(x)


@check(
    "errors.top-logprobs-range-is-kept",
    SHOULD,
    sends=either(
        st.one_of(st.integers(21, 60), st.integers(-9, -1)).map(
            lambda top: HELLO.asking(logprobs=True, top_logprobs=top)
        )
    ),
    needs=REPLY,
    requires="logprobs",
    examples=5,
    spec=SPEC.at("CreateChatCompletionRequest.top_logprobs", "minimum: 0, maximum: 20"),
)
def top_logprobs_range_is_kept(x: Exchange) -> Findings:
    """`top_logprobs` below 0 or above 20 is refused."""
    yield from _refused(x)


@check(
    "errors.wrong-format-is-refused",
    MUST,
    sends=either(st.sampled_from([asking("response_format", one) for one in BAD_FORMATS])),
    needs=REPLY,
    examples=10,
    spec=SPEC.at("ResponseFormatJsonSchema", "required: [type, json_schema]"),
    remedy="Check the response_format in the client: what it asks for is not honoured.",
)
def wrong_format_is_refused(x: Exchange) -> Findings:
    """A `response_format` of an unknown type, or without its parts, is refused."""
    yield from _refused(x)


@check(
    "errors.bad-schema-is-refused",
    SHOULD,
    sends=either(st.sampled_from([by_schema(schema) for schema in BAD_SCHEMAS])),
    needs=REPLY,
    requires="structured.json_schema",
    examples=8,
    spec=STRUCTURED.at(
        "supported schemas",
        "If you turn on Structured Outputs by supplying `strict: true` and call the API with an unsupported JSON "
        "Schema, you will receive an error.",
    ),
)
def bad_schema_is_refused(x: Exchange) -> Findings:
    """What is no JSON Schema is refused."""
    yield from _refused(x)


@check(
    "errors.odd-bodies-are-no-server-error",
    SHOULD,
    sends=odd,
    needs=REPLY,
    examples=10,
    spec=OPENAI_PYTHON.at("retries", "an answer of 500 or above is sent again twice, a 400 is raised at once"),
)
def odd_bodies_are_no_server_error(x: Exchange) -> Findings:
    """A body that nests deeply, or has huge numbers or half characters in it, is no server error."""
    if x.status is not None and x.status >= 500:
        yield Finding("odd-body-server-error", "an odd body is a server error", expected="2xx or 4xx", found=x.status)


@check("errors.unknown-model", NOTE, sends=UNKNOWN_MODEL, needs=REPLY)
def unknown_model(x: Exchange) -> Findings:
    """Which status and code an unknown model gets: OpenAI has 404 and `model_not_found`."""
    yield Observed(x.status, "status")
    if not x.error["code"].absent:
        yield Observed(x.error["code"], "code")


ALIASES = {"max_completion_tokens": "max_tokens"}
"""Other names under which servers know a member."""


@check(
    "errors.param-names-the-member",
    SHOULD,
    sends=each(*IN_MEMBERS),
    needs=REPLY,
    spec=SPEC.at("Error.param", "anyOf: [{type: string}, {type: 'null'}]"),
)
def param_names_the_member(x: Exchange) -> Findings:
    """`error.param` names the member of the request that is wrong."""
    param, wrong = x.error["param"].value, culprit(x.probe)
    if x.ok or x.error.type != "object" or "param" not in x.error or not (param is None or isinstance(param, str)):
        yield Unwitnessed("the refusal has no param")
    elif param is None or re.split(r"[.\[]", param.removeprefix("body."))[0] not in (wrong, ALIASES.get(wrong)):
        yield Finding(
            "param-does-not-name-what",
            "the param does not name what is wrong",
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


@check("errors.disputed-requests", NOTE, sends=st.sampled_from(list(DISPUTED.values())), needs=REPLY, examples=5)
def disputed_requests(x: Exchange) -> Findings:
    """What becomes of requests on which servers differ: no messages at all, no model, unknown members, text/plain."""
    name = next(name for name, probe in DISPUTED.items() if probe.key == x.key)
    yield Observed("answered" if x.ok else x.status, name)
