"""SageMaker's route: which names and paths it knows, what it makes of a container's errors, and what it adds of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.core.check import ANYTHING, REPLY, check, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import NOTE, OPENAI_PYTHON, REPORTS, SAGEMAKER_GUIDE, SHOULD
from conformance.probes.chat import GREEDY, HELLO, STREAMED
from conformance.probes.sagemaker import (
    AT_ENDPOINT,
    EIGHT_MINUTES,
    LARGE,
    NO_COMPONENT,
    NO_ENDPOINT,
    NO_MODEL,
    PATHS,
    REFUSED,
    SAGEMAKER,
    STREAM_LIMIT,
    WHOLE_LIMIT,
    WITH_HEADER,
    WRONG_MODEL,
)
from conformance.probes.streams import MINUTES

STRAIGHT = SAGEMAKER_GUIDE.at(
    "Invoke endpoints with OpenAI-compatible APIs",
    "accepts Chat Completions requests and returns responses directly from the container, including streaming",
)
WRAPPED = re.compile(r"Received (?:client|server) error \(\d{3}\)|OriginalStatusCode|OriginalMessage")
PRIVATE = {
    "the account": re.compile(r"account:? \d{12}\b|:\d{12}:"),
    "the address of its logs": re.compile(r"console\.aws\.|logEventViewer|log-group|/aws/sagemaker/", re.IGNORECASE),
}


def _refused(x: Exchange) -> bool:
    return x.status is not None and 400 <= x.status < 500


@check(
    "sagemaker.component-and-endpoint-agree",
    SHOULD,
    sends=(GREEDY, AT_ENDPOINT),
    needs=REPLY,
    kinds=SAGEMAKER,
    spec=SAGEMAKER_GUIDE.at(
        "Invoke endpoints with OpenAI-compatible APIs",
        "OpenAI-compatible endpoints are available on all endpoints and inference components",
    ),
    remedy="use the URL of the component, and no other",
)
def component_and_endpoint_agree(component: Exchange, endpoint: Exchange) -> Findings:
    """The URL of an endpoint, where it is served, leads to the same model as that of its component."""
    yield Observed(endpoint.status, "status without the component")
    if not (component.ok and endpoint.ok):
        return
    for member in ("object", "model"):
        one, other = component.json[member].value, endpoint.json[member].value
        if one != other:
            yield Finding(
                "two-urls-different-answers",
                "the two URLs have different answers",
                at=f"/{member}",
                expected=one,
                found=other,
                on=endpoint.key,
            )
    expected, found = (sorted(name for name, _ in x.json.items()) for x in (component, endpoint))
    if expected != found:
        yield Finding(
            "answers-other-members", "the answers have other members", expected=expected, found=found, on=endpoint.key
        )


@check(
    "sagemaker.unknown-names-are-refused",
    SHOULD,
    sends=each(NO_ENDPOINT, NO_COMPONENT),
    needs=REPLY,
    kinds=SAGEMAKER,
    spec=SAGEMAKER_GUIDE.at(
        "Invoke endpoints with OpenAI-compatible APIs",
        "SageMaker AI routes requests based on the endpoint name in the URL.",
    ),
)
def unknown_names_are_refused(x: Exchange) -> Findings:
    """An endpoint or component that does not exist is refused with an error object."""
    if not _refused(x):
        yield Finding(
            "name-nobody-not-refused",
            "a name that nobody has is not refused",
            at="status",
            expected="4xx",
            found=x.status,
        )
    elif x.error["message"].type != "string":
        yield Finding(
            "refusal-no-error-object",
            "the refusal has no error object",
            at="/error/message",
            expected="string",
            found=x.text[:200],
        )


@check("sagemaker.unknown-name-code", NOTE, sends=each(NO_ENDPOINT, NO_COMPONENT), needs=REPLY, kinds=SAGEMAKER)
def unknown_name_code(x: Exchange) -> Findings:
    """What is answered for a name that nobody has: a 400 has been seen, a 404 would be usual."""
    yield Observed(x.status, f"{x.probe.place} status")
    yield Observed(x.error["code"].value if not x.error["code"].missing else None, f"{x.probe.place} code")


@check("sagemaker.model-names", NOTE, sends=(NO_MODEL, HELLO, WRONG_MODEL), needs=REPLY, kinds=SAGEMAKER)
def model_names(empty: Exchange, served: Exchange, wrong: Exchange) -> Findings:
    """Which `model` the container takes: none, the one it serves, one that it does not."""
    for name, x in (("empty", empty), ("as configured", served), ("wrong", wrong)):
        yield Observed(x.status, name)
        if x.ok and isinstance(x.json["model"].value, str):
            yield Observed(x.json["model"].value, f"{name}, says the answer")


@check("sagemaker.routes", NOTE, sends=tuple(PATHS.values()), needs=REPLY, kinds=SAGEMAKER)
def routes(*exchanges: Exchange) -> Findings:
    """Which paths beside `POST chat/completions` are routed, and what the others are answered with."""
    for name, x in zip(PATHS, exchanges, strict=True):
        yield Observed(x.status, name)


def _wrapped(x: Exchange) -> bool:
    return bool(WRAPPED.search(x.text))


@check(
    "sagemaker.container-errors-come-through",
    SHOULD,
    sends=each(*REFUSED),
    needs=REPLY,
    kinds=SAGEMAKER,
    spec=STRAIGHT,
    remedy="read the container's error object out of the message, where it is text between quotes",
)
def container_errors_come_through(x: Exchange) -> Findings:
    """An error of the container comes as the container made it: with its status, its `param` and its `code`."""
    if x.ok:
        yield Unwitnessed("the container refuses nothing that was asked")
        return
    if x.status == 424:
        yield Finding(
            "status-container-lost", "the status of the container is lost", at="status", expected=400, found=424
        )
    if _wrapped(x):
        at = "/error/message" if x.error["message"].type == "string" else ""
        found = x.text[:300]
        yield Finding(
            "container-error-text-within-another",
            "the container's error is text within another error",
            at=at,
            expected="its error",
            found=found,
        )


@check(
    "sagemaker.client-errors-are-called-so",
    SHOULD,
    sends=each(*REFUSED),
    needs=REPLY,
    kinds=SAGEMAKER,
    spec=OPENAI_PYTHON.at("errors", "`type` of the error object tells applications whose fault it was"),
    remedy="decide by the status, not by `error.type`",
)
def client_errors_are_called_so(x: Exchange) -> Findings:
    """A refused request is not called a server's error."""
    if x.ok:
        yield Unwitnessed("the container refuses nothing that was asked")
    elif _refused(x) and x.error["type"].value == "server_error":
        found = {"status": x.status, "type": "server_error"}
        yield Finding(
            "refused-request-called-server-error",
            "a refused request is called a server's error",
            at="/error/type",
            found=found,
        )


def _told(x: Exchange) -> Iterator[str]:
    return (what for what, pattern in PRIVATE.items() if pattern.search(x.text))


@check(
    "sagemaker.errors-tell-no-account",
    SHOULD,
    sends=each(*REFUSED, NO_ENDPOINT),
    needs=REPLY,
    kinds=SAGEMAKER,
    spec=REPORTS.at(
        "a gateway's users",
        "errors of the OpenAI-compatible route name the account, the endpoint and its log group",
        "https://github.com/stdapi-ai/stdapi.ai/issues/43",
    ),
    remedy="do not show these messages to your own users",
)
def errors_tell_no_account(x: Exchange) -> Findings:
    """An error does not name the AWS account, nor where its logs are."""
    if x.ok:
        yield Unwitnessed("nothing was refused")
        return
    for what in _told(x):
        yield Finding("", f"the error tells {what}", at="body", found=x.text[:400])


@check("sagemaker.error-form", NOTE, sends=each(*REFUSED), needs=REPLY, kinds=SAGEMAKER)
def error_form(x: Exchange) -> Findings:
    """In which form a container's refusal arrives, with which status, and whether `param` is still there."""
    if x.ok:
        yield Unwitnessed("the container refuses nothing that was asked")
        return
    form = "ErrorCode" if "OriginalMessage" in x.text else "within a message" if _wrapped(x) else "as it is"
    yield Observed(form, "form")
    yield Observed(x.status, "status")
    yield Observed(not x.error["param"].missing, "has param")


@check("sagemaker.stream-form", NOTE, sends=STREAMED, needs=REPLY, requires="chat.stream", kinds=SAGEMAKER)
def stream_form(x: Exchange) -> Findings:
    """Whether a stream comes as events, or as JSON lines, of which the official clients see nothing."""
    lines = [line for line in x.text.splitlines() if line.strip()]
    if x.streamed and x.events:
        form = "events"
    elif len(lines) > 1 and all(line.startswith("{") for line in lines):
        form = "JSON lines"
    else:
        form = "one JSON object" if x.json.type == "object" else "something else"
    yield Observed(form, "form")
    yield Observed(x.media_type, "content type")


@check("sagemaker.request-id", NOTE, sends=each(HELLO, NO_ENDPOINT), needs=REPLY, kinds=SAGEMAKER)
def request_id(x: Exchange) -> Findings:
    """Under which names an answer has an id to ask Amazon about: the official clients read `x-request-id`."""
    case = "answer" if x.ok else "error"
    names = sorted(name for name, _ in x.headers if "request" in name and "id" in name)
    yield Observed(names, f"{case} ids")
    yield Observed(sorted({name for name, _ in x.headers if name.startswith("x-amzn-")} - set(names)), f"{case} more")


@check("sagemaker.component-header", NOTE, sends=WITH_HEADER, needs=REPLY, kinds=SAGEMAKER)
def component_header(x: Exchange) -> Findings:
    """What becomes of the header that the older API names a component by: it has been seen refused, whatever its value."""
    yield Observed(x.status, "status")


@check("sagemaker.large-request", NOTE, sends=LARGE, needs=ANYTHING, kinds=SAGEMAKER)
def large_request(x: Exchange) -> Findings:
    """Whether a request of more than 6 MiB passes: Amazon's documents say 6 MiB, and 25 MB."""
    yield Observed(x.status if x.status is not None else str(x.ending), "6 MiB")


def _lasted(x: Exchange, limit: float, name: str) -> Findings:
    if x.ending.how is How.TIMED_OUT:
        yield Unwitnessed(f"this client gave up: {x.ending.detail}; raise limits.timeout")
    elif x.ended < limit and x.complete:
        yield Unwitnessed(f"the answer ({x.status}) was there in {x.ended:.0f} s")
    else:
        yield Observed(x.status, f"{name} status")
        yield Observed(f"{x.ending.how} after {x.ended:.0f} s", name)


@check("sagemaker.minute-limit", NOTE, sends=MINUTES, needs=ANYTHING, kinds=SAGEMAKER, waits=WHOLE_LIMIT)
def minute_limit(x: Exchange) -> Findings:
    """What becomes of an answer that takes longer than the 60 seconds that a container has."""
    yield from _lasted(x, WHOLE_LIMIT, "whole")


@check(
    "sagemaker.stream-limit",
    NOTE,
    sends=EIGHT_MINUTES,
    needs=ANYTHING,
    requires="chat.stream",
    kinds=SAGEMAKER,
    waits=STREAM_LIMIT,
)
def stream_limit(x: Exchange) -> Findings:
    """What becomes of a stream that takes longer than the 8 minutes that it may."""
    yield from _lasted(x, STREAM_LIMIT, "stream")
