"""`tool_choice`: whether a call is free, demanded, or forbidden, and of which function.

`required` and a named function are promises of the server, whatever the model would like. What it does under `auto` is
the model's affair.
"""

from __future__ import annotations

from conformance.core.check import ANYTHING, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.calls import CUT_SHORT, MARKUP, called
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import MAY, MUST, NOTE, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import named
from conformance.probes.chat import HELLO
from conformance.probes.tool_drawn import named_among_many, nonsense_choices
from conformance.probes.tools import (
    ALLOWED,
    AUTO_SAID,
    GUARD_WORD,
    GUARDED_CALL,
    GUARDED_CALL_NAMED,
    NAMED,
    NAMED_STREAMED,
    NONE,
    NONE_STREAMED,
    NULL_CHOICE,
    REQUIRED,
    REQUIRED_STREAMED,
    TOOLLESS,
    UNDEFINED,
    WEATHER,
    WEATHER_GREEDY,
)

OPTION = "ChatCompletionToolChoiceOption"
WHICH = SPEC.at(OPTION, "Controls which (if any) tool is called by the model.")
MUST_CALL = SPEC.at(OPTION, "`required` means the model must call one or more tools.")
FORCED = SPEC.at(
    OPTION,
    'Specifying a particular tool via `{"type": "function", "function": {"name": "my_function"}}` '
    "forces the model to call that tool.",
)
NO_CALL = SPEC.at(OPTION, "`none` means the model will not call any tool and instead generates a message.")
GUIDED = "guided decoding in the server (vLLM and SGLang have it); else ask again in the client"


@check(
    "tool_choice.requests-are-accepted",
    MUST,
    sends=each(REQUIRED, NAMED, NONE),
    spec=WHICH,
    needs=REPLY,
    requires="tools",
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with `tool_choice` is answered."""
    if feature := named(x, ("tools",)):
        yield Unsupported(f"the server refuses `{feature}`")
    elif not x.ok:
        yield Finding(
            "request-tool-choice-not-answered",
            "a request with tool_choice is not answered",
            expected="2xx",
            found=x.status,
        )


@check(
    "tool_choice.required-calls",
    MUST,
    sends=each(REQUIRED, REQUIRED_STREAMED),
    spec=MUST_CALL,
    requires="tools",
    remedy=GUIDED,
)
def required_calls(x: Exchange) -> Findings:
    """Under `required` there is a call, even where the question has no use for one."""
    if x.choice.finish_reason in CUT_SHORT and not called(x):
        yield Unwitnessed("the answer was cut short before a call")
    elif not called(x):
        yield Finding("call-required-none", "a call was required, and there is none", found=x.choice.text[:200])


@check(
    "tool_choice.named-is-called", MUST, sends=each(NAMED, NAMED_STREAMED), spec=FORCED, requires="tools", remedy=GUIDED
)
def named_is_called(x: Exchange) -> Findings:
    """Where a function is named, it is called, and no other."""
    offered = {tool["function"]["name"] for tool in x.probe.wish["tools"]}
    if not called(x) or {call.name for call in x.choice.calls} <= offered:
        yield from _only(x)  # names that nobody has heard of are for tools.name-was-offered


@check(
    "tool_choice.named-among-many-is-called",
    MUST,
    sends=named_among_many,
    spec=FORCED,
    requires="tools",
    examples=6,
    remedy=GUIDED,
)
def named_among_many_is_called(x: Exchange) -> Findings:
    """The named function is called among several whose names are valid: letters, digits, `_` and `-`, 64 at most."""
    yield from _only(x)


def _only(x: Exchange) -> Findings:
    wanted = x.probe.wish["tool_choice"]["function"]["name"]
    names = [call.name for call in x.choice.calls]
    if not names and x.choice.finish_reason in CUT_SHORT:
        yield Unwitnessed("the answer was cut short before a call")
    elif not names:
        yield Finding(
            "function-named-no-call",
            "a function was named, and there is no call",
            expected=wanted,
            found=x.choice.text[:200],
        )
    elif set(names) != {wanted}:
        yield Finding(
            "another-function-than-named-one",
            "another function than the named one is called",
            expected=wanted,
            found=names,
        )


@check("tool_choice.none-calls-nothing", MUST, sends=each(NONE, NONE_STREAMED), spec=NO_CALL, requires="tools")
def none_calls_nothing(x: Exchange) -> Findings:
    """Under `none` there is no call, even where the question suggests one."""
    if called(x):
        yield Finding(
            "calls-forbidden-one",
            "calls were forbidden, and there is one",
            found=[call.wire["function"] for call in x.choice.calls],
        )


@check(
    "tool_choice.none-leaks-no-markup",
    SHOULD,
    sends=each(NONE, NONE_STREAMED),
    spec=NO_CALL,
    requires="tools",
    remedy="leave the tools out of the request (vLLM: --exclude-tools-when-tool-choice-none)",
)
def none_leaks_no_markup(x: Exchange) -> Findings:
    """Under `none` the content is a message for people, without the markup of a call."""
    if MARKUP.search(x.choice.text):
        yield Finding("content-markup-call", "the content has the markup of a call in it", found=x.choice.text[:300])


@check("tool_choice.required-needs-tools", MUST, sends=TOOLLESS, spec=MUST_CALL, needs=REPLY, requires="tools")
def required_needs_tools(x: Exchange) -> Findings:
    """`required` without any tools is refused with a 4xx: it cannot be kept."""
    yield from _refused(x, "a call is required of no tools, and the server accepts it")


@check("tool_choice.undefined-function-is-refused", MUST, sends=UNDEFINED, spec=FORCED, needs=REPLY, requires="tools")
def undefined_function_is_refused(x: Exchange) -> Findings:
    """Naming a function that is not among the tools is refused with a 4xx: it cannot be called."""
    yield from _refused(x, "a function that is not there is demanded, and the server accepts it")


@check(
    "tool_choice.nonsense-is-refused",
    MUST,
    sends=nonsense_choices,
    spec=SPEC.at(OPTION, "enum: [none, auto, required]; ChatCompletionNamedToolChoice: required: [type, function]"),
    needs=REPLY,
    requires="tools",
    examples=6,
)
def nonsense_is_refused(x: Exchange) -> Findings:
    """A `tool_choice` that is none of the known ones is refused with a 4xx, not ignored."""
    yield from _refused(x, "a tool_choice that means nothing is accepted")


def _refused(x: Exchange, accepted: str) -> Findings:
    if x.ok:
        yield Finding("", accepted, expected="4xx", found=x.status)
    elif x.status is not None and x.status >= 500:
        yield Finding(
            "bad-tool-choice-server-error", "a bad tool_choice is a server error", expected="4xx", found=x.status
        )


@check(
    "tool_choice.null-is-accepted",
    SHOULD,
    sends=(WEATHER, NULL_CHOICE),
    spec=REPORTS.at(
        "vLLM",
        "Clients that send null for what was not set got a server error.",
        "https://github.com/vllm-project/vllm/pull/19679",
    ),
    needs=REPLY,
    requires="tools",
)
def null_is_accepted(plain: Exchange, null: Exchange) -> Findings:
    """`tool_choice: null` is taken as if it were not there."""
    if plain.ok and not null.ok:
        yield Finding(
            "tool-choice-null-refused", "tool_choice: null is refused", expected="2xx", found=null.status, on=null.key
        )


@check(
    "tool_choice.auto-is-the-default",
    SHOULD,
    sends=(WEATHER_GREEDY, AUTO_SAID),
    spec=SPEC.at(OPTION, "`auto` is the default if tools are present."),
    requires="tools",
)
def auto_is_the_default(unsaid: Exchange, said: Exchange) -> Findings:
    """At temperature 0 the same is called whether `auto` is said or left out."""
    one, other = ([call.name for call in x.choice.calls] for x in (unsaid, said))
    if one != other:
        yield Finding(
            "saying-auto-changes-what-called",
            "saying auto changes what is called",
            expected=one,
            found=other,
            on=said.key,
        )


@check("tool_choice.named-finish-reason", NOTE, sends=each(NAMED, NAMED_STREAMED), requires="tools")
def named_finish_reason(x: Exchange) -> Findings:
    """The finish reason of a call of a named function is noted: OpenAI says `stop`, many say `tool_calls`."""
    if called(x):
        yield Observed(x.choice.finish_reason, "streamed" if x.streamed else "whole")


@check(
    "tool_choice.named-finish-reason-agrees",
    MAY,
    sends=(NAMED, NAMED_STREAMED),
    spec=REPORTS.at(
        "vLLM",
        "A named function finishes with stop when whole and with tool_calls when streamed.",
        "https://github.com/vllm-project/vllm/pull/25054",
    ),
    requires="tools",
    witness=called,
)
def named_finish_reason_agrees(whole: Exchange, streamed: Exchange) -> Findings:
    """The finish reason of a named function is the same whole and streamed."""
    one, other = whole.choice.finish_reason, streamed.choice.finish_reason
    if {one, other} == {"stop", "tool_calls"}:
        yield Finding(
            "finish-reasons-two-modes-differ",
            "the finish reasons of the two modes differ",
            expected=one,
            found=other,
            on=streamed.key,
        )


@check(
    "tool_choice.allowed-tools-are-kept",
    MUST,
    sends=ALLOWED,
    spec=SPEC.at(
        "ChatCompletionAllowedTools.mode", "`required` requires the model to call one or more of the allowed tools."
    ),
    requires="tools",
)
def allowed_tools_are_kept(x: Exchange) -> Findings:
    """With `allowed_tools` that are required, one of them is called, and no other tool."""
    allowed = [tool["function"]["name"] for tool in x.probe.wish["tool_choice"]["allowed_tools"]["tools"]]
    names = [call.name for call in x.choice.calls]
    offered = {tool["function"]["name"] for tool in x.probe.wish["tools"]}
    if set(names) & offered - set(allowed):
        yield Finding("tool-called-not-allowed", "a tool is called that is not allowed", expected=allowed, found=names)
    elif not names and x.choice.finish_reason not in CUT_SHORT:
        yield Finding(
            "allowed-tool-required-no-call",
            "an allowed tool was required, and there is no call",
            found=x.choice.text[:200],
        )


@check("tool_choice.loose-arguments", NOTE, sends=(GUARDED_CALL, GUARDED_CALL_NAMED), needs=REPLY, requires="tools")
def loose_arguments(*exchanges: Exchange) -> Findings:
    """How far the arguments of a forced call keep to the schema of a function that is not `strict`."""
    for x, mode in zip(exchanges, ("required", "named"), strict=True):
        if not x.ok or not x.choice.calls:
            yield Observed("no call", mode)
            continue
        try:
            arguments = parse(x.choice.calls[0].arguments)
        except NotJSON:
            yield Observed("no JSON", mode)
            continue
        guard = arguments.get("guard") if isinstance(arguments, dict) else None
        yield Observed("kept" if guard == GUARD_WORD else "not kept", mode)


@check(
    "tool_choice.required-is-answered",
    MUST,
    sends=(HELLO, REQUIRED),
    spec=MUST_CALL,
    needs=ANYTHING,
    requires="tools",
)
def required_is_answered(hello: Exchange, required: Exchange) -> Findings:
    """A server that answers at all answers a request that requires a call, too."""
    if not hello.complete:
        yield Unwitnessed("the server does not answer without tools either")
    elif not required.complete:
        yield Finding(
            "required-call-never-answered",
            "a required call is never answered",
            found=str(required.ending),
            on=required.key,
        )
