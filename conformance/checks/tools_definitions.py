"""The tools that a request offers: which definitions a server accepts, and which ones it refuses.

Most are judged against a plain tool: a server that accepts no tools at all is another check's business.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import ERRORS, SPEC
from conformance.judging.refusal import message, status_and_message
from conformance.probes.chat import chat
from conformance.probes.history import part
from conformance.probes.images import RED, image
from conformance.probes.parameters import FUNCTIONS_AND_TOOLS
from conformance.probes.tool_drawn import ODD, definitions, malformed, misnamed
from conformance.probes.tools import CALLED, OMITTED, PINGED, WEATHER, answered, function, result

PARAMETERS = SPEC.at("FunctionParameters", "Omitting `parameters` defines a function with an empty parameter list.")


def plain_tool_is_accepted(plain: Exchange, _: Exchange) -> None:
    """Raises Unsupported for a server that refuses a plain tool: its refusal of another says nothing."""
    if not plain.ok:
        raise Unsupported("the server refuses a plain tool as well")


beside_plain = Area("tools", needs=REPLY, requires="tools", given=plain_tool_is_accepted)
area = Area("tools", needs=REPLY, requires="tools")


def accepted(_: Exchange, odd: Exchange) -> Findings:
    """A server that accepts a plain tool accepts this one as well."""
    if not odd.ok:
        yield Finding(
            "refused",
            "The function is refused, but a plain one is accepted",
            expected="2xx",
            found=odd.text[:300] or odd.status,
            on=odd.key,
        )


def refused(_: Exchange, bad: Exchange) -> Findings:
    """A server that accepts a plain tool answers this request with a 4xx."""
    if bad.ok:
        yield Finding("accepted", "A bad list of tools is accepted", expected="4xx", found=bad.status, on=bad.key)
    elif bad.crashed:
        yield Finding(
            "server-error", "A bad list of tools is a server error", expected="4xx", found=bad.status, on=bad.key
        )


RULES = (
    beside_plain.must(
        "parameters-may-be-omitted",
        title="A function without `parameters` is accepted.",
        sends=(WEATHER, OMITTED),
        spec=PARAMETERS,
        remedy='send "parameters": {"type": "object", "properties": {}}',
    )(accepted),
    beside_plain.must(
        "properties-may-be-empty",
        title="A function whose `properties` are empty is accepted.",
        sends=(WEATHER, PINGED),
        spec=PARAMETERS,
    )(accepted),
    beside_plain.should(
        "schemas-are-accepted",
        title="Parameters with references, unions, lists of types and patterns, and long descriptions, are accepted.",
        sends=definitions,
        spec=SPEC.at("FunctionParameters", "The parameters the functions accepts, described as a JSON Schema object."),
        examples=10,
    )(accepted),
    beside_plain.must(
        "malformed-are-refused",
        title="A malformed list of tools, or a tool without a function or a name, is refused with a 4xx.",
        sends=malformed,
        spec=SPEC.at("ChatCompletionTool", "required: [type, function]; FunctionObject: required: [name]"),
        examples=7,
    )(refused),
    beside_plain.may(
        "bad-names-are-refused",
        title="A function whose name is empty, too long, or has other characters in it is refused with a 4xx.",
        sends=misnamed,
        spec=SPEC.at(
            "FunctionObject.name",
            "Must be a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64.",
        ),
        examples=7,
    )(refused),
)


@beside_plain.should(
    "odd-lists-are-no-server-error",
    sends=each(*((WEATHER, odd) for odd in ODD.values())),
    spec=ERRORS.at("500", "The server had an error while processing your request"),
)
def odd_lists_are_no_server_error(_: Exchange, odd: Exchange) -> Findings:
    """Lists of tools that some servers accept and others refuse never cause a server error.

    An empty list, a name twice, a strict schema that is not closed: what a target answers is recorded.
    """
    yield Observed(odd.status, next(name for name, probe in ODD.items() if probe.key == odd.key))
    if odd.crashed:
        yield Finding(
            "server-error",
            "An odd list of tools is a server error",
            expected="2xx or 4xx",
            found=odd.status,
            on=odd.key,
        )


def _offered(number: int) -> list[dict[str, Any]]:
    return [function(f"tool_{index}", "Does nothing.", x={"type": "boolean"}) for index in range(number)]


many = st.sampled_from((128, 127)).map(lambda number: (WEATHER, chat(tools=_offered(number))))
"""One tool, and as many as may be."""
WINDOW = re.compile(r"context|window|tokens", re.IGNORECASE)
"""Words of a refusal for the length of a request."""


@area.should(
    "many-are-accepted",
    sends=many,
    examples=1,
    spec=SPEC.at("CreateChatCompletionRequest.functions", "minItems: 1, maxItems: 128"),
    remedy="Offer only the tools that a conversation needs.",
)
def many_are_accepted(plain: Exchange, x: Exchange) -> Findings:
    """A request may offer 128 tools, where the model's window has room for them."""
    if not plain.ok:
        raise Unwitnessed("the server does not answer with one tool either")
    if x.ok:
        return
    if WINDOW.search(message(x)) and x.status is not None and x.status < 500:
        raise Unwitnessed("128 tools do not fit into the window")
    found = status_and_message(x)
    yield Finding(
        "refused", "A request with 128 tools is not accepted", at="status", expected=200, found=found, on=x.key
    )


DISPUTED = {
    "129 tools": chat(tools=_offered(129)),
    "functions and tools": FUNCTIONS_AND_TOOLS,
    "an image in a result": answered(result(CALLED["id"], [part("A photograph:"), image(RED)])),
}
"""Requests on which servers differ."""


@area.note("disputed-requests", sends=st.sampled_from(list(DISPUTED.values())), examples=3)
def disputed_requests(x: Exchange) -> Findings:
    """The answer is noted where servers differ: 129 tools, `functions` beside `tools`, an image in a result."""
    name = next(name for name, probe in DISPUTED.items() if probe.key == x.key)
    yield Observed("answered" if x.ok else x.status, name)
