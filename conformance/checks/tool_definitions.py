"""Definitions of tools in a request: which ones a server takes, and which ones it refuses.

Acceptance is judged against a plain tool: a server that takes no tools at all is another check's business.
"""

from __future__ import annotations

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.requirement import ERRORS, MAY, MUST, SHOULD, SPEC
from conformance.probes.tool_drawn import ODD, definitions, malformed, misnamed
from conformance.probes.tools import OMITTED, PINGED, WEATHER

PARAMETERS = SPEC.at("FunctionParameters", "Omitting `parameters` defines a function with an empty parameter list.")


def taken(plain: Exchange, other: Exchange, finding: str) -> Findings:
    """Whether a server that takes a plain tool takes this one as well."""
    if not plain.ok:
        yield Unsupported("the server refuses a plain tool as well")
    elif not other.ok:
        yield Finding("", finding, expected="2xx", found=other.text[:300] or other.status, on=other.key)


@check(
    "tools.parameters-may-be-omitted",
    MUST,
    sends=(WEATHER, OMITTED),
    spec=PARAMETERS,
    needs=REPLY,
    requires="tools",
    remedy='send "parameters": {"type": "object", "properties": {}}',
)
def parameters_may_be_omitted(plain: Exchange, other: Exchange) -> Findings:
    """A function without `parameters` is accepted."""
    yield from taken(plain, other, "a function without parameters is refused")


@check(
    "tools.properties-may-be-empty",
    MUST,
    sends=(WEATHER, PINGED),
    spec=PARAMETERS,
    needs=REPLY,
    requires="tools",
)
def properties_may_be_empty(plain: Exchange, other: Exchange) -> Findings:
    """A function whose `properties` are empty is accepted."""
    yield from taken(plain, other, "a function without properties is refused")


@check(
    "tools.schemas-are-accepted",
    SHOULD,
    sends=definitions,
    spec=SPEC.at("FunctionParameters", "The parameters the functions accepts, described as a JSON Schema object."),
    needs=REPLY,
    requires="tools",
    examples=10,
)
def schemas_are_accepted(plain: Exchange, other: Exchange) -> Findings:
    """Parameters are taken with references, unions, lists of types, patterns, and long descriptions."""
    yield from taken(plain, other, "a function is refused for its schema or its description")


def refused(plain: Exchange, other: Exchange, finding: str) -> Findings:
    """Whether a server that takes a plain tool answers this request with a 4xx."""
    if not plain.ok:
        yield Unsupported("the server refuses a plain tool as well")
    elif other.ok:
        yield Finding("", finding, expected="4xx", found=other.status, on=other.key)
    elif other.status is not None and other.status >= 500:
        yield Finding(
            "bad-request-server-error",
            "a bad request is a server error",
            expected="4xx",
            found=other.status,
            on=other.key,
        )


@check(
    "tools.malformed-are-refused",
    MUST,
    sends=malformed,
    spec=SPEC.at("ChatCompletionTool", "required: [type, function]; FunctionObject: required: [name]"),
    needs=REPLY,
    requires="tools",
    examples=7,
)
def malformed_are_refused(plain: Exchange, other: Exchange) -> Findings:
    """A list of tools that is none, or a tool without a function or a name, is refused with a 4xx."""
    yield from refused(plain, other, "a malformed list of tools is accepted")


@check(
    "tools.bad-names-are-refused",
    MAY,
    sends=misnamed,
    spec=SPEC.at(
        "FunctionObject.name",
        "Must be a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64.",
    ),
    needs=REPLY,
    requires="tools",
    examples=7,
)
def bad_names_are_refused(plain: Exchange, other: Exchange) -> Findings:
    """A function whose name is too long, empty, or has other characters in it is refused with a 4xx."""
    yield from refused(plain, other, "a bad name of a function is accepted")


@check(
    "tools.odd-lists-are-no-server-error",
    SHOULD,
    sends=each(*((WEATHER, odd) for odd in ODD.values())),
    spec=ERRORS.at("500", "The server had an error while processing your request"),
    needs=REPLY,
    requires="tools",
)
def odd_lists_are_no_server_error(plain: Exchange, odd: Exchange) -> Findings:
    """Lists of tools that some servers take and others refuse are a server error nowhere.

    An empty list, a name twice, a strict schema that is not closed: what a target answers is recorded.
    """
    if not plain.ok:
        yield Unsupported("the server refuses a plain tool as well")
        return
    yield Observed(odd.status, next(name for name, probe in ODD.items() if probe.key == odd.key))
    if odd.status is not None and odd.status >= 500:
        yield Finding(
            "odd-list-tools-server-error",
            "an odd list of tools is a server error",
            expected="2xx or 4xx",
            found=odd.status,
            on=odd.key,
        )
