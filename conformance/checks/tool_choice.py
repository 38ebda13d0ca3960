"""`tool_choice`: whether a call is free, demanded, or forbidden, and which function it may call.

`required` and a named function are promises of the server, whatever the model would like. What happens under `auto` is
up to the model.
"""

from __future__ import annotations

from conformance.core.check import ANYTHING, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.calls import CUT_SHORT, MARKUP, called
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import REPORTS, SPEC
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

area = Area("tool_choice", requires="tools")


@area.must("requests-are-accepted", sends=each(REQUIRED, NAMED, NONE), spec=WHICH, needs=REPLY)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with `tool_choice` is answered."""
    if feature := named(x, ("tools",)):
        raise Unsupported(f"the server refuses `{feature}`")
    if not x.ok:
        yield Finding("not-answered", "A request with `tool_choice` is not answered", expected="2xx", found=x.status)


@area.must("required-calls", sends=each(REQUIRED, REQUIRED_STREAMED), spec=MUST_CALL, remedy=GUIDED)
def required_calls(x: Exchange) -> Findings:
    """Under `required` there is a call, even where the question has no use for one."""
    if called(x):
        return
    if x.choice.finish_reason in CUT_SHORT:
        raise Unwitnessed("the answer was cut short before a call")
    yield Finding("no-call", "A call was required, but there is none", found=x.choice.text[:200])


@area.must("named-is-called", sends=each(NAMED, NAMED_STREAMED), spec=FORCED, remedy=GUIDED)
def named_is_called(x: Exchange) -> Findings:
    """Where a function is named, it is called, and no other."""
    offered = {tool["function"]["name"] for tool in x.probe.wish["tools"]}
    if {call.name for call in x.choice.calls} <= offered:  # names that were not offered are for tools.name-was-offered
        yield from _only_named(x)


@area.must("named-among-many-is-called", sends=named_among_many, spec=FORCED, examples=6, remedy=GUIDED)
def named_among_many_is_called(x: Exchange) -> Findings:
    """The named function is called among several whose names are valid: letters, digits, `_` and `-`, 64 at most."""
    yield from _only_named(x)


def _only_named(x: Exchange) -> Findings:
    name = x.probe.wish["tool_choice"]["function"]["name"]
    names = [call.name for call in x.choice.calls]
    if not names and x.choice.finish_reason in CUT_SHORT:
        raise Unwitnessed("the answer was cut short before a call")
    if not names:
        yield Finding("no-call", "A function was named, but there is no call", expected=name, found=x.choice.text[:200])
    elif set(names) != {name}:
        yield Finding("other-function", "A function other than the named one is called", expected=name, found=names)


@area.must("none-calls-nothing", sends=each(NONE, NONE_STREAMED), spec=NO_CALL)
def none_calls_nothing(x: Exchange) -> Findings:
    """Under `none` there is no call, even where the question suggests one."""
    if called(x):
        yield Finding(
            "called", "Calls were forbidden, but there is one", found=[call.wire["function"] for call in x.choice.calls]
        )


@area.should(
    "none-leaks-no-markup",
    sends=each(NONE, NONE_STREAMED),
    spec=NO_CALL,
    remedy="leave the tools out of the request (vLLM: --exclude-tools-when-tool-choice-none)",
)
def none_leaks_no_markup(x: Exchange) -> Findings:
    """Under `none` the content is a message for people, without the markup of a call."""
    if MARKUP.search(x.choice.text):
        yield Finding("call-markup", "The content contains the markup of a call", found=x.choice.text[:300])


def refused(x: Exchange) -> Findings:
    """A bad `tool_choice` is refused with a 4xx."""
    if x.ok:
        yield Finding("accepted", "A bad `tool_choice` is accepted", expected="4xx", found=x.status)
    elif x.crashed:
        yield Finding("server-error", "A bad `tool_choice` is a server error", expected="4xx", found=x.status)


REFUSALS = (
    area.must(
        "required-needs-tools",
        title="`required` without any tools is refused with a 4xx: no call is possible.",
        sends=TOOLLESS,
        spec=MUST_CALL,
        needs=REPLY,
    )(refused),
    area.must(
        "undefined-function-is-refused",
        title="A `tool_choice` that names a function which is not among the tools is refused with a 4xx.",
        sends=UNDEFINED,
        spec=FORCED,
        needs=REPLY,
    )(refused),
    area.must(
        "nonsense-is-refused",
        title="A `tool_choice` that is none of the known ones is refused with a 4xx, not ignored.",
        sends=nonsense_choices,
        spec=SPEC.at(OPTION, "enum: [none, auto, required]; ChatCompletionNamedToolChoice: required: [type, function]"),
        needs=REPLY,
        examples=6,
    )(refused),
)


@area.should(
    "null-is-accepted",
    sends=(WEATHER, NULL_CHOICE),
    spec=REPORTS.at(
        "vLLM",
        "Clients that send null for what was not set got a server error.",
        "https://github.com/vllm-project/vllm/pull/19679",
    ),
    needs=REPLY,
)
def null_is_accepted(plain: Exchange, null: Exchange) -> Findings:
    """`tool_choice: null` is accepted as if it were not there."""
    if plain.ok and not null.ok:
        yield Finding("refused", "`tool_choice: null` is refused", expected="2xx", found=null.status, on=null.key)


@area.should(
    "auto-is-the-default",
    sends=(WEATHER_GREEDY, AUTO_SAID),
    spec=SPEC.at(OPTION, "`auto` is the default if tools are present."),
)
def auto_is_the_default(omitted: Exchange, explicit: Exchange) -> Findings:
    """At temperature 0 the same functions are called whether `auto` is sent or left out."""
    by_default, under_auto = ([call.name for call in x.choice.calls] for x in (omitted, explicit))
    if by_default != under_auto:
        yield Finding(
            "calls-differ",
            "Sending `auto` changes which functions are called",
            expected=by_default,
            found=under_auto,
            on=explicit.key,
        )


@area.note("named-finish-reason", sends=each(NAMED, NAMED_STREAMED))
def named_finish_reason(x: Exchange) -> Findings:
    """The finish reason of a call of a named function is noted: OpenAI sends `stop`, many send `tool_calls`."""
    if called(x):
        yield Observed(x.choice.finish_reason, "streamed" if x.streamed else "whole")


@area.may(
    "named-finish-reason-agrees",
    sends=(NAMED, NAMED_STREAMED),
    spec=REPORTS.at(
        "vLLM",
        "A named function finishes with stop when whole and with tool_calls when streamed.",
        "https://github.com/vllm-project/vllm/pull/25054",
    ),
    witness=called,
)
def named_finish_reason_agrees(whole: Exchange, streamed: Exchange) -> Findings:
    """The finish reason of a call of a named function is the same in a whole answer and in a stream."""
    reasons = whole.choice.finish_reason, streamed.choice.finish_reason
    if set(reasons) == {"stop", "tool_calls"}:
        yield Finding(
            "finish-reasons-differ",
            "The streamed and the whole answer have different finish reasons",
            expected=reasons[0],
            found=reasons[1],
            on=streamed.key,
        )


@area.must(
    "allowed-tools-are-kept",
    sends=ALLOWED,
    spec=SPEC.at(
        "ChatCompletionAllowedTools.mode", "`required` requires the model to call one or more of the allowed tools."
    ),
)
def allowed_tools_are_kept(x: Exchange) -> Findings:
    """With `allowed_tools` in the mode `required`, one of them is called, and no other tool."""
    allowed = [tool["function"]["name"] for tool in x.probe.wish["tool_choice"]["allowed_tools"]["tools"]]
    names = [call.name for call in x.choice.calls]
    offered = {tool["function"]["name"] for tool in x.probe.wish["tools"]}
    if set(names) & offered - set(allowed):
        yield Finding("not-allowed", "A tool that is not allowed is called", expected=allowed, found=names)
    elif not names and x.choice.finish_reason not in CUT_SHORT:
        yield Finding("no-call", "An allowed tool was required, but there is no call", found=x.choice.text[:200])


@area.note("loose-arguments", sends=(GUARDED_CALL, GUARDED_CALL_NAMED), needs=REPLY)
def loose_arguments(*exchanges: Exchange) -> Findings:
    """Whether the arguments of a forced call keep to the schema of a function that is not `strict` is noted."""
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


@area.must("required-is-answered", sends=(HELLO, REQUIRED), spec=MUST_CALL, needs=ANYTHING)
def required_is_answered(hello: Exchange, required: Exchange) -> Findings:
    """A server that answers a plain request answers one that requires a call, too."""
    if not hello.complete:
        raise Unwitnessed("the server does not answer without tools either")
    if not required.complete:
        yield Finding(
            "never-answered",
            "A request that requires a call is never answered",
            found=str(required.ending),
            on=required.key,
        )
