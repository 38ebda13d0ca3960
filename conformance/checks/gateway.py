"""What of a request reaches the server behind a gateway. That server is the reference, which reports it in its answer.

They need a target that names its `upstream:`. Where another server than the reference is upstream, nothing can be told: then
the two targets are compared answer by answer.
"""

from __future__ import annotations

from typing import Any

from conformance.core.capabilities import UPSTREAM
from conformance.core.check import ANYTHING, OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.json import NotJSON, Value, parse
from conformance.core.requirement import NOTE, REPORTS, SHOULD, SPEC
from conformance.probes.upstream_script import CONVERSATION, CROWD, ECHO, ONE_EACH, PARAMETERS, PICTURE, TOOLS, UNKNOWN

NOT_OURS = "the server upstream does not report what reached it: `conformance serve` does"
RENAMED = {"max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens"}
"""Parameters with two names: the older one for older servers, the newer one for newer ones."""


def reached(x: Exchange) -> Value:
    """The report in an answer of the reference server's; absent where it is none."""
    try:
        report = Value(parse(x.choice.text))
    except NotJSON:
        return Value(None)["report"]
    return report if report["body"].type == "object" and report["names"].type == "array" else report["report"]


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: `true` is not 1, but 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)


@check(
    "gateway.parameters-reach-the-upstream",
    SHOULD,
    sends=each(*((ECHO, probe) for probe in ONE_EACH)),
    needs=REPLY,
    requires=UPSTREAM,
    spec=REPORTS.at(
        "Bifrost",
        "max_tokens was silently dropped on the way to one kind of server",
        "https://github.com/maximhq/bifrost/issues/6132",
    ),
    remedy="look for a switch of the gateway that drops or rewrites parameters (LiteLLM: drop_params, modify_params)",
)
def parameters(plain: Exchange, x: Exchange) -> Findings:
    """A parameter reaches the server behind the gateway with the value that it was given, or the gateway refuses it."""
    if reached(plain).absent:
        yield Unsupported(NOT_OURS)
        return
    name = next(name for name in PARAMETERS if name in x.probe.wish)
    if not x.ok:
        yield Observed(x.status, f"{name} refused")
        return
    body = reached(x)["body"]
    if body[name].absent:
        other = RENAMED.get(name, name)
        if same(body[other].value, PARAMETERS[name]):
            yield Observed(other, f"{name} arrives as")
        else:
            yield Finding(
                "parameter-does-not-reach-upstream",
                "a parameter does not reach the upstream",
                at=f"/{name}",
                expected=PARAMETERS[name],
                on=x.key,
            )
    elif not same(body[name].value, PARAMETERS[name]):
        yield Finding(
            "parameter-reaches-upstream-another-value",
            "a parameter reaches the upstream with another value",
            at=f"/{name}",
            expected=PARAMETERS[name],
            found=body[name],
            on=x.key,
        )


@check(
    "gateway.messages-reach-the-upstream",
    SHOULD,
    sends=each((ECHO, CONVERSATION), (ECHO, PICTURE)),
    needs=REPLY,
    requires=UPSTREAM,
    spec=SPEC.at("CreateChatCompletionRequest.messages", "A list of messages comprising the conversation so far."),
    remedy="look for a switch of the gateway that rewrites messages (LiteLLM: modify_params)",
)
def messages(plain: Exchange, x: Exchange) -> Findings:
    """The conversation reaches the server behind the gateway as it is: every message, in order, and every character."""
    body = reached(x)["body"]
    if reached(plain).absent:
        yield Unsupported(NOT_OURS)
        return
    if x.status is not None and 400 <= x.status < 500:
        yield Unsupported(f"the gateway refuses the conversation ({x.status})")
        return
    if body.absent:
        yield Finding(
            "conversation-not-answered",
            "the conversation is not answered",
            at="status",
            expected=200,
            found=x.status,
            on=x.key,
        )
        return
    sent, found = x.probe.wish["messages"], body["messages"]
    if len(found) != len(sent):
        yield Finding(
            "another-number-messages-reaches-upstream",
            "another number of messages reaches the upstream",
            at="/messages",
            expected=len(sent),
            found=len(found),
        )
        return
    for number, message in enumerate(sent):
        for member, value in message.items():
            got = found[number][member]
            if member == "content" and value is None and got.missing:
                continue  # a message of calls alone: null and absent are one
            if not same(_text(got.value), _text(value)):
                yield Finding(
                    "member-message-reaches-upstream-another",
                    "a member of a message reaches the upstream with another value",
                    at=f"/messages/{number}/{member}",
                    expected=value,
                    found=got,
                )


def _text(content: Any) -> Any:
    """Content of one text part as the text: both forms mean the same."""
    match content:
        case [{"type": "text", "text": str(text), **rest}] if not rest:
            return text
    return content


@check(
    "gateway.tools-reach-the-upstream",
    SHOULD,
    sends=TOOLS,
    needs=OK,
    requires=UPSTREAM,
    spec=REPORTS.at(
        "Portkey",
        "tools were not passed on to one of the providers",
        "https://github.com/Portkey-AI/gateway/pull/1024",
    ),
    remedy="define tools without what the gateway loses, or talk to the server directly",
)
def tools(x: Exchange) -> Findings:
    """The definitions of tools, and the choice among them, reach the server behind the gateway as they are."""
    body = reached(x)["body"]
    if body.absent:
        yield Unsupported(NOT_OURS)
        return
    for name in ("tools", "tool_choice"):
        sent = x.probe.wish[name]
        if not same(body[name].value, sent):
            message = (
                f"`{name}` does not reach the upstream"
                if body[name].absent
                else f"`{name}` reaches the upstream with another value"
            )
            yield Finding("", message, at=f"/{name}", expected=sent, found=body[name])


@check(
    "gateway.answers-are-not-mixed-up",
    SHOULD,
    sends=CROWD,
    needs=ANYTHING,
    requires=UPSTREAM,
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
        yield Unsupported(NOT_OURS)
    for x in answered:
        sent, got = x.probe.wish["messages"], reached(x)["body"]["messages"]
        if _text(got[-1]["content"].value) != sent[-1]["content"]:
            yield Finding(
                "answer-another-request",
                "an answer is to another request",
                expected=sent[-1]["content"],
                found=got[-1],
                on=x.key,
            )


@check("gateway.what-reaches-the-upstream", NOTE, sends=UNKNOWN, needs=REPLY, requires=UPSTREAM)
def what_reaches(x: Exchange) -> Findings:
    """What a gateway adds to a request, what it leaves out, and which headers it passes on."""
    report = reached(x)
    if report.absent:
        yield Unsupported(NOT_OURS) if x.ok else Observed(x.status, "an unknown member is refused")
        return
    sent, body = x.probe.wish, report["body"]
    yield Observed(sorted(set(body.value) - set(sent)), "members added")
    yield Observed(sorted(set(sent) - set(body.value)), "members left out")
    yield Observed(body["model"].value, "model")
    yield Observed(report["path"].value, "path")
    for name, value in x.probe.headers:
        if name != "content-type":
            yield Observed(report["headers"][name].value == value, f"{name} is passed on")
