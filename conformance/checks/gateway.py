"""What of a request reaches the server behind a gateway. That server is the reference, which reports it in its answer.

These checks need a target that names its `upstream:`. Where another server than the reference is upstream, they cannot judge:
then the two targets are compared answer by answer.
"""

from __future__ import annotations

from typing import Any

from conformance.core.capabilities import UPSTREAM
from conformance.core.check import ANYTHING, OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.json import NotJSON, Value, parse
from conformance.core.requirement import REPORTS, SPEC
from conformance.probes.upstream_script import CONVERSATION, CROWD, ECHO, ONE_EACH, PARAMETERS, PICTURE, TOOLS, UNKNOWN

NOT_OURS = "the server upstream does not report what reached it: `conformance serve` does"
RENAMED = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}
"""Parameters with two names: the older one for older servers, the newer one for newer ones."""


def reached(x: Exchange) -> Value:
    """The report in an answer of the reference server; absent where the answer holds none."""
    try:
        report = Value(parse(x.choice.text))
    except NotJSON:
        return Value(None)["report"]
    return report if report["body"].type == "object" and report["names"].type == "array" else report["report"]


def upstream_reports(echo: Exchange, *_: Exchange) -> None:
    """Raise Unsupported where the first answer of a case has no report: another server than the reference is upstream."""
    if not echo.ok or reached(echo).absent:
        raise Unsupported(NOT_OURS)


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: `true` is not 1, but 1.0 is."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(*pair) for pair in zip(a, b, strict=True))
    return bool(a == b)


def text_of(content: Any) -> Any:
    """Content that is a single part of text as that text: both forms mean the same. Any other content as it is."""
    match content:
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            return text
    return content


area = Area("gateway", needs=REPLY, requires=UPSTREAM)
reporting = Area("gateway", needs=REPLY, requires=UPSTREAM, given=upstream_reports)


@reporting.should(
    "parameters-reach-the-upstream",
    sends=each(*((ECHO, probe) for probe in ONE_EACH)),
    spec=REPORTS.at(
        "Bifrost",
        "max_tokens was silently dropped on the way to one kind of server",
        "https://github.com/maximhq/bifrost/issues/6132",
    ),
    remedy="look for a switch of the gateway that drops or rewrites parameters (LiteLLM: drop_params, modify_params)",
)
def parameters(_: Exchange, x: Exchange) -> Findings:
    """A parameter reaches the server behind the gateway with the value that it was given, or the gateway refuses it."""
    name = next(name for name in PARAMETERS if name in x.probe.wish)
    sent, other, body = PARAMETERS[name], RENAMED.get(name, name), reached(x)["body"]
    if not x.ok:
        yield Observed(x.status, f"{name} refused")
    elif body[name].absent and same(body[other].value, sent):
        yield Observed(other, f"{name} arrives as")
    elif body[name].absent:
        yield Finding("dropped", "A parameter does not reach the upstream", at=f"/{name}", expected=sent, on=x.key)
    elif not same(body[name].value, sent):
        yield Finding(
            "changed",
            "A parameter reaches the upstream with another value",
            at=f"/{name}",
            expected=sent,
            found=body[name],
            on=x.key,
        )


@reporting.should(
    "messages-reach-the-upstream",
    sends=each((ECHO, CONVERSATION), (ECHO, PICTURE)),
    spec=SPEC.at("CreateChatCompletionRequest.messages", "A list of messages comprising the conversation so far."),
    remedy="look for a switch of the gateway that rewrites messages (LiteLLM: modify_params)",
)
def messages(_: Exchange, x: Exchange) -> Findings:
    """The conversation reaches the server behind the gateway as it is: every message, in order, and every character."""
    if x.status is not None and 400 <= x.status < 500:
        raise Unsupported(f"the gateway refuses the conversation ({x.status})")
    sent, arrived = x.probe.wish["messages"], reached(x)["body"]["messages"]
    if reached(x).absent:
        yield Finding(
            "not-answered", "The conversation is not answered", at="status", expected=200, found=x.status, on=x.key
        )
    elif len(arrived) != len(sent):
        yield Finding(
            "number-changed",
            "The number of messages changes on the way to the upstream",
            at="/messages",
            expected=len(sent),
            found=len(arrived),
        )
    else:
        yield from _changed_members(sent, arrived)


def _changed_members(sent: list[dict[str, Any]], arrived: Value) -> Findings:
    for number, message in enumerate(sent):
        for member, value in message.items():
            found = arrived[number][member]
            left_out = value is None and found.missing  # null and absent mean the same
            if not left_out and not same(text_of(found.value), text_of(value)):
                yield Finding(
                    "member-changed",
                    "A member of a message reaches the upstream with another value",
                    at=f"/messages/{number}/{member}",
                    expected=value,
                    found=found,
                )


@reporting.should(
    "tools-reach-the-upstream",
    sends=TOOLS,
    needs=OK,
    spec=REPORTS.at(
        "Portkey",
        "tools were not passed on to one of the providers",
        "https://github.com/Portkey-AI/gateway/pull/1024",
    ),
    remedy="define tools without what the gateway loses, or talk to the server directly",
)
def tools(x: Exchange) -> Findings:
    """The definitions of tools, and the choice among them, reach the server behind the gateway as they are."""
    for name in ("tools", "tool_choice"):
        sent, found = x.probe.wish[name], reached(x)["body"][name]
        if found.absent:
            yield Finding(
                "dropped",
                "The tools, or the choice among them, do not reach the upstream",
                at=f"/{name}",
                expected=sent,
                found=found,
            )
        elif not same(found.value, sent):
            yield Finding(
                "changed",
                "The tools, or the choice among them, reach the upstream changed",
                at=f"/{name}",
                expected=sent,
                found=found,
            )


@area.should(
    "answers-are-not-mixed-up",
    sends=CROWD,
    needs=ANYTHING,
    spec=REPORTS.at(
        "new-api",
        "answers to other users' requests came back under load",
        "https://github.com/QuantumNous/new-api/issues/5445",
    ),
    remedy="do not use this gateway for more than one user: report it",
)
def not_mixed(*crowd: Exchange) -> Findings:
    """Of requests made at the same time, each gets its own answer."""
    answered = [x for x in crowd if x.ok and not reached(x).absent]
    if not answered:
        raise Unsupported(NOT_OURS)
    for x in answered:
        sent, arrived = x.probe.wish["messages"][-1], reached(x)["body"]["messages"][-1]
        if text_of(arrived["content"].value) != sent["content"]:
            yield Finding(
                "answer-to-another",
                "A request gets the answer to another one",
                expected=sent["content"],
                found=arrived,
                on=x.key,
            )


@area.note("what-reaches-the-upstream", sends=UNKNOWN)
def what_reaches(x: Exchange) -> Findings:
    """What a gateway adds to a request, what it leaves out, and which headers it passes on."""
    if not x.ok:
        yield Observed(x.status, "an unknown member is refused")
        return
    upstream_reports(x)
    sent, report = x.probe.wish, reached(x)
    body = report["body"]
    yield Observed(sorted(set(body.value) - set(sent)), "members added")
    yield Observed(sorted(set(sent) - set(body.value)), "members left out")
    yield Observed(body["model"].value, "model")
    yield Observed(report["path"].value, "path")
    for name, value in x.probe.headers:
        if name != "content-type":
            yield Observed(report["headers"][name].value == value, f"{name} is passed on")
