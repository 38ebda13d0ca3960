"""SageMaker's route: which names and paths it knows, what it makes of a container's errors, and what it adds of its own."""

from __future__ import annotations

import re

from conformance.core.check import ANYTHING, REPLY, Area, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import OPENAI_PYTHON, REPORTS, SAGEMAKER_GUIDE
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
ACCOUNT = re.compile(r"account:? \d{12}\b|:\d{12}:")
LOGS = re.compile(r"console\.aws\.|logEventViewer|log-group|/aws/sagemaker/", re.IGNORECASE)


def client_error(x: Exchange) -> bool:
    """Whether a request was answered with a 4xx."""
    return x.status is not None and 400 <= x.status < 500


def wrapped(x: Exchange) -> bool:
    """Whether the container's error is text within another error."""
    return bool(WRAPPED.search(x.text))


def was_refused(x: Exchange) -> None:
    """Raise Unwitnessed where there is no error to look at."""
    if x.ok:
        raise Unwitnessed("the request is not refused")


area = Area("sagemaker", needs=REPLY, kinds=SAGEMAKER)
refusals = Area("sagemaker", needs=REPLY, kinds=SAGEMAKER, given=was_refused)


@area.should(
    "component-and-endpoint-agree",
    sends=(GREEDY, AT_ENDPOINT),
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
        expected, found = component.json[member].value, endpoint.json[member].value
        if expected != found:
            yield Finding(
                "member-differs",
                "The answers of the two URLs differ in `object` or `model`",
                at=f"/{member}",
                expected=expected,
                found=found,
                on=endpoint.key,
            )
    expected, found = (sorted(name for name, _ in x.json.items()) for x in (component, endpoint))
    if expected != found:
        yield Finding(
            "members-differ",
            "The answers of the two URLs have different members",
            expected=expected,
            found=found,
            on=endpoint.key,
        )


@area.should(
    "unknown-names-are-refused",
    sends=each(NO_ENDPOINT, NO_COMPONENT),
    spec=SAGEMAKER_GUIDE.at(
        "Invoke endpoints with OpenAI-compatible APIs",
        "SageMaker AI routes requests based on the endpoint name in the URL.",
    ),
)
def unknown_names_are_refused(x: Exchange) -> Findings:
    """An endpoint or component that does not exist is refused with an error object."""
    if not client_error(x):
        yield Finding("not-refused", "An unknown name is not refused", at="status", expected="4xx", found=x.status)
    elif x.error["message"].type != "string":
        yield Finding(
            "no-error-object",
            "The refusal has no error object with a message",
            at="/error/message",
            expected="string",
            found=x.text[:200],
        )


@area.note("unknown-name-code", sends=each(NO_ENDPOINT, NO_COMPONENT))
def unknown_name_code(x: Exchange) -> Findings:
    """What is answered for an unknown name: a 400 has been seen, a 404 would be usual."""
    yield Observed(x.status, f"{x.probe.place} status")
    yield Observed(x.error["code"].value if not x.error["code"].missing else None, f"{x.probe.place} code")


@area.note("model-names", sends=(NO_MODEL, HELLO, WRONG_MODEL))
def model_names(empty: Exchange, served: Exchange, wrong: Exchange) -> Findings:
    """Which `model` the container takes: none, the one it serves, one that it does not serve."""
    for name, x in (("empty", empty), ("as configured", served), ("wrong", wrong)):
        yield Observed(x.status, name)
        if x.ok and isinstance(x.json["model"].value, str):
            yield Observed(x.json["model"].value, f"{name}, says the answer")


@area.note("routes", sends=tuple(PATHS.values()))
def routes(*exchanges: Exchange) -> Findings:
    """Which paths besides `POST chat/completions` are routed, and what the others are answered with."""
    for name, x in zip(PATHS, exchanges, strict=True):
        yield Observed(x.status, name)


@refusals.should(
    "container-errors-come-through",
    sends=each(*REFUSED),
    spec=STRAIGHT,
    remedy="read the container's error object out of the message, where it is text between quotes",
)
def container_errors_come_through(x: Exchange) -> Findings:
    """An error of the container comes as the container made it: with its status, its `param` and its `code`."""
    if x.status == 424:
        yield Finding("status-lost", "The container's status is lost", at="status", expected=400, found=424)
    if wrapped(x):
        yield Finding(
            "error-wrapped",
            "The container's error is text within another error",
            at="/error/message" if x.error["message"].type == "string" else "",
            expected="its error",
            found=x.text[:300],
        )


@refusals.should(
    "client-errors-are-called-so",
    sends=each(*REFUSED),
    spec=OPENAI_PYTHON.at("errors", "`type` of the error object tells applications whose fault it was"),
    remedy="decide by the status, not by `error.type`",
)
def client_errors_are_called_so(x: Exchange) -> Findings:
    """A refused request is not called a server error."""
    if client_error(x) and x.error["type"].value == "server_error":
        found = {"status": x.status, "type": "server_error"}
        yield Finding(
            "called-server-error", "A refused request is called a server error", at="/error/type", found=found
        )


@refusals.should(
    "errors-tell-no-account",
    sends=each(*REFUSED, NO_ENDPOINT),
    spec=REPORTS.at(
        "a gateway's users",
        "errors of the OpenAI-compatible route name the account, the endpoint and its log group",
        "https://github.com/stdapi-ai/stdapi.ai/issues/43",
    ),
    remedy="do not show these messages to your own users",
)
def errors_tell_no_account(x: Exchange) -> Findings:
    """An error does not name the AWS account, nor where its logs are."""
    if ACCOUNT.search(x.text):
        yield Finding("account-named", "The error names the AWS account", at="body", found=x.text[:400])
    if LOGS.search(x.text):
        yield Finding("logs-named", "The error names the place of the logs", at="body", found=x.text[:400])


@refusals.note("error-form", sends=each(*REFUSED))
def error_form(x: Exchange) -> Findings:
    """In which form a container's refusal arrives, with which status, and whether `param` is still there."""
    form = "ErrorCode" if "OriginalMessage" in x.text else "within a message" if wrapped(x) else "as it is"
    yield Observed(form, "form")
    yield Observed(x.status, "status")
    yield Observed(not x.error["param"].missing, "has param")


@area.note("stream-form", sends=STREAMED, requires="chat.stream")
def stream_form(x: Exchange) -> Findings:
    """Whether a stream comes as events, or as JSON lines, which the official clients read as an empty stream."""
    lines = [line for line in x.text.splitlines() if line.strip()]
    if x.streamed and x.events:
        form = "events"
    elif len(lines) > 1 and all(line.startswith("{") for line in lines):
        form = "JSON lines"
    else:
        form = "one JSON object" if x.json.type == "object" else "something else"
    yield Observed(form, "form")
    yield Observed(x.media_type, "content type")


@area.note("request-id", sends=each(HELLO, NO_ENDPOINT))
def request_id(x: Exchange) -> Findings:
    """Under which names an answer has an id to ask Amazon about: the official clients read `x-request-id`."""
    case = "answer" if x.ok else "error"
    names = sorted(name for name, _ in x.headers if "request" in name and "id" in name)
    yield Observed(names, f"{case} ids")
    yield Observed(sorted({name for name, _ in x.headers if name.startswith("x-amzn-")} - set(names)), f"{case} more")


@area.note("component-header", sends=WITH_HEADER)
def component_header(x: Exchange) -> Findings:
    """What is answered to the header by which the older API names a component: it has been seen refused, whatever its value."""
    yield Observed(x.status, "status")


@area.note("large-request", sends=LARGE, needs=ANYTHING)
def large_request(x: Exchange) -> Findings:
    """Whether a request of more than 6 MiB passes: Amazon's documents say 6 MiB, and 25 MB."""
    yield Observed(x.status if x.status is not None else str(x.ending), "6 MiB")


def end_of(x: Exchange, limit: float, name: str) -> Findings:
    """How an answer ends that takes longer than a limit in seconds. Raises Unwitnessed where it did not take that long."""
    if x.ending.how is How.TIMED_OUT:
        raise Unwitnessed(f"this client gave up: {x.ending.detail}; raise limits.timeout")
    if x.ended < limit and x.complete:
        raise Unwitnessed(f"the answer ({x.status}) was there in {x.ended:.0f} s")
    yield Observed(x.status, f"{name} status")
    yield Observed(f"{x.ending.how} after {x.ended:.0f} s", name)


@area.note("minute-limit", sends=MINUTES, needs=ANYTHING, waits=WHOLE_LIMIT)
def minute_limit(x: Exchange) -> Findings:
    """What becomes of an answer that takes longer than the 60 seconds that a container has."""
    yield from end_of(x, WHOLE_LIMIT, "whole")


@area.note("stream-limit", sends=EIGHT_MINUTES, needs=ANYTHING, requires="chat.stream", waits=STREAM_LIMIT)
def stream_limit(x: Exchange) -> Findings:
    """What becomes of a stream that takes longer than the 8 minutes that it may."""
    yield from end_of(x, STREAM_LIMIT, "stream")
