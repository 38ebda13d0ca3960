"""Tool calls in an answer: their shape, their ids, the finish reason, and what stands beside them.

Arguments are in `tool_arguments.py`, what requests say in `tool_definitions.py` and `tool_choice.py`, and what is
particular to streams in `tool_streaming.py`.
"""

from __future__ import annotations

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.reading.calls import CUT_SHORT, MARKUP, called, called_twice, complete, whole
from conformance.core.requirement import MUST, OPENAI_PYTHON, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import named
from conformance.probes.chat import assistant, chat, user
from conformance.probes.tools import (
    ASK,
    ASK_BOTH,
    BOTH,
    BOTH_STREAMED,
    CUSTOM,
    GET_WEATHER,
    NAMED,
    NONE,
    ONE_AT_A_TIME,
    PINGED,
    REQUIRED,
    REQUIRED_STREAMED,
    REQUIRED_TWICE,
    UNNEEDED,
    WEATHER,
    WEATHER_STREAMED,
    result,
)

FINISH = SPEC.at("CreateChatCompletionResponse.choices.finish_reason", "`tool_calls` if the model called a tool")


@check(
    "tools.requests-are-accepted",
    MUST,
    sends=each(WEATHER, UNNEEDED, BOTH),
    spec=SPEC.at("CreateChatCompletionRequest.tools", "A list of tools the model may call."),
    needs=REPLY,
    requires="tools",
    remedy="vLLM: --enable-auto-tool-choice --tool-call-parser NAME; llama.cpp: --jinja",
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request that offers function tools is answered."""
    if feature := named(x, ("tools",)):
        yield Unsupported(f"the server refuses `{feature}`")
    elif not x.ok:
        yield Finding(
            "request-tools-not-answered", "a request with tools is not answered", expected="2xx", found=x.status
        )


@check(
    "tools.call-has-an-id",
    MUST,
    sends=each(WEATHER, REQUIRED, NAMED),
    spec=SPEC.at("ChatCompletionMessageToolCall", "required: [id, type, function]"),
    requires="tools",
    witness=called,
    tries=2,
    remedy="in the client: make an id up, and use it for the result as well",
)
def call_has_an_id(x: Exchange) -> Findings:
    """Every tool call has an id, a string that is not empty."""
    for call in whole(x):
        if call["id"].type != "string" or not call["id"]:
            yield Finding(
                "call-no-id", "the call has no id", at=call["id"].pointer, expected="a string", found=call["id"]
            )


@check(
    "tools.call-says-function",
    MUST,
    sends=each(WEATHER, REQUIRED, NAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.parse", "It needs the type of every call to be function; a missing one is an AttributeError."
    ),
    requires="tools",
    witness=called,
    tries=2,
)
def call_says_function(x: Exchange) -> Findings:
    """The `type` of every call of a function is `function`."""
    for call in whole(x):
        if call["type"].value != "function":
            yield Finding(
                "type-call-not-function",
                "the type of the call is not function",
                at=call["type"].pointer,
                found=call["type"],
            )


@check(
    "tools.arguments-are-a-string",
    MUST,
    sends=each(WEATHER, REQUIRED, NAMED, PINGED),
    spec=SPEC.at("ChatCompletionMessageToolCall.function", "arguments: type: string; required: [name, arguments]"),
    requires="tools",
    witness=called,
    tries=2,
)
def arguments_are_a_string(x: Exchange) -> Findings:
    """The `arguments` of every call are a string, also where the tool takes none."""
    for call in whole(x):
        arguments = call["function"]["arguments"]
        if arguments.type != "string":
            yield Finding(
                "arguments-not-string",
                "the arguments are not a string",
                at=arguments.pointer,
                expected="string",
                found=arguments,
            )


@check(
    "tools.name-was-offered",
    MUST,
    sends=each(REQUIRED, NAMED, REQUIRED_STREAMED),
    spec=SPEC.at("ChatCompletionMessageToolCall.function.name", "The name of the function to call."),
    requires="tools",
    witness=called,
)
def name_was_offered(x: Exchange) -> Findings:
    """A call that was demanded names one of the tools offered.

    Under `auto` a model may make a name up, and the server can do nothing about it.
    """
    offered = [tool["function"]["name"] for tool in x.probe.wish["tools"]]
    for call in complete(x):
        if call.name not in offered:
            yield Finding(
                "call-names-no-tool-request", "the call names no tool of the request", expected=offered, found=call.name
            )


@check(
    "tools.ids-are-distinct",
    MUST,
    sends=each(BOTH, BOTH_STREAMED),
    spec=SPEC.at("ChatCompletionRequestToolMessage.tool_call_id", "Tool call that this message is responding to."),
    requires=("tools", "tools.parallel"),
    witness=called_twice,
    tries=2,
)
def ids_are_distinct(x: Exchange) -> Findings:
    """Two calls of one answer have different ids."""
    for choice in x.choices.values():
        ids = [call.id for call in choice.calls if call.id]
        if len(set(ids)) < len(ids):
            yield Finding("two-calls-same-id", "two calls have the same id", found=ids)


def _again(x: Exchange) -> Probe | str:
    """The same conversation two turns later: the first call is answered, and another question needs calls."""
    if not x.ok or not x.choice.calls:
        return "the model made no call"
    results = [result(call.id, "21 degrees") for call in x.choice.calls]
    history = [user(ASK), x.choice.wire, *results, assistant("It is 21 degrees in Paris."), user(ASK_BOTH)]
    return chat(messages=history, tools=[GET_WEATHER])


@check(
    "tools.ids-are-new",
    SHOULD,
    sends=WEATHER.then(_again),
    spec=REPORTS.at(
        "text-generation-inference",
        "Every call has the id 0, so in a longer conversation a result is taken for that of another call.",
        "https://github.com/huggingface/text-generation-inference/issues/2136",
    ),
    requires="tools",
    witness=called,
    tries=2,
)
def ids_are_new(one: Exchange, other: Exchange) -> Findings:
    """No two answers of a conversation use the same id for a call.

    In another conversation an id may come again: some count the calls of each (`functions.get_weather:0`).
    """
    shared = {call.id for call in one.choice.calls if call.id} & {call.id for call in other.choice.calls}
    if shared:
        yield Finding("calls-two-answers-same-id", "calls of two answers have the same id", found=shared, on=other.key)


@check(
    "tools.calls-finish-with-tool-calls",
    MUST,
    sends=each(WEATHER, BOTH, REQUIRED, WEATHER_STREAMED, REQUIRED_STREAMED),
    spec=FINISH,
    requires="tools",
    witness=called,
    tries=2,
    remedy="in the client: look at tool_calls, not at finish_reason",
)
def calls_finish_with_tool_calls(x: Exchange) -> Findings:
    """An answer with a call that was free or required has the finish reason `tool_calls`.

    Where the function was named, servers honestly differ: see `tool_choice.named-finish-reason`.
    """
    for choice in x.choices.values():
        if choice.calls and choice.finish_reason not in (None, "tool_calls", *CUT_SHORT):
            yield Finding(
                "finish-reason-call-not-tool",
                "the finish reason of a call is not tool_calls",
                found=choice.finish_reason,
            )


@check(
    "tools.tool-calls-finish-has-calls",
    MUST,
    sends=each(UNNEEDED, WEATHER, REQUIRED, NONE, WEATHER_STREAMED, REQUIRED_STREAMED),
    spec=FINISH,
    requires="tools",
)
def tool_calls_finish_has_calls(x: Exchange) -> Findings:
    """An answer whose finish reason is `tool_calls` has a call."""
    for choice in x.choices.values():
        if choice.finish_reason == "tool_calls" and not choice.calls:
            yield Finding(
                "finish-reason-tool-calls-no",
                "the finish reason is tool_calls, and there is no call",
                found=choice.text[:200],
            )


@check(
    "tools.content-holds-no-call",
    SHOULD,
    sends=each(WEATHER, BOTH, REQUIRED, WEATHER_STREAMED, BOTH_STREAMED),
    spec=REPORTS.at(
        "mistral.rs",
        "The raw call is in the content as well: people see it, and agents run it twice.",
        "https://github.com/EricLBuehler/mistral.rs/issues/2427",
    ),
    requires="tools",
    remedy="vLLM and SGLang: the --tool-call-parser that fits the model",
)
def content_holds_no_call(x: Exchange) -> Findings:
    """The content of an answer has no raw tool call in it."""
    for choice in x.choices.values():
        if choice.finish_reason in CUT_SHORT:
            continue
        if MARKUP.search(choice.text):
            yield Finding("content-markup-call", "the content has the markup of a call in it", found=choice.text[:300])
        elif choice.text.strip() and choice.text.strip() in {call.arguments.strip() for call in choice.calls}:
            yield Finding(
                "content-repeats-arguments-call", "the content repeats the arguments of a call", found=choice.text[:300]
            )


@check(
    "tools.parallel-false-is-kept",
    MUST,
    sends=(ONE_AT_A_TIME, BOTH),
    spec=SPEC.at(
        "ParallelToolCalls",
        "Whether to enable [parallel function calling]"
        "(/docs/guides/function-calling#configuring-parallel-function-calling) during tool use.",
    ),
    requires=("tools", "tools.parallel"),
    remedy="in the client: run the first call only, and ask again",
)
def parallel_false_is_kept(one: Exchange, free: Exchange) -> Findings:
    """With `parallel_tool_calls: false` there is one call at most."""
    if len(one.choice.calls) > 1:
        yield Finding(
            "several-calls",
            "there are several calls",
            expected=1,
            found=[call.wire["function"] for call in one.choice.calls],
        )
    elif len(free.choice.calls) < 2:
        yield Unwitnessed("the model makes one call at a time anyway")


@check(
    "tools.every-choice-calls",
    SHOULD,
    sends=(REQUIRED, REQUIRED_TWICE),
    spec=REPORTS.at(
        "SGLang",
        "With n above 1 the calls are left in reasoning_content, and tool_calls is null.",
        "https://github.com/sgl-project/sglang/issues/30556",
    ),
    requires=("tools", "chat.n"),
)
def every_choice_calls(one: Exchange, two: Exchange) -> Findings:
    """With `n: 2`, each choice has the call that was demanded."""
    if not called(one):
        yield Unwitnessed("there is no call with one choice either")
        return
    for choice in two.choices.values():
        if not choice.calls and choice.finish_reason not in CUT_SHORT:
            said = (choice.text or choice.reasoning)[:200]
            yield Finding(
                "choice-no-call", "a choice has no call", at=f"/choices/{choice.index}", found=said, on=two.key
            )


@check(
    "tools.custom-call-has-input",
    MUST,
    sends=CUSTOM,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionMessageCustomToolCall", "required: [id, type, custom]; custom.required: [name, input]"),
    requires=("tools", "tools.custom"),
)
def custom_call_has_input(x: Exchange) -> Findings:
    """A call of a custom tool has the type `custom`, and the tool's name and input in the member of that name."""
    if not x.ok and (feature := named(x, ("tools",))):
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
        return
    if not x.ok:
        yield Finding(
            "custom-tool-neither-served-nor",
            "a custom tool is neither served nor refused by name",
            at="status",
            expected="2xx or 4xx",
            found=x.status,
        )
        return
    if not called(x) and x.choice.finish_reason not in CUT_SHORT:
        yield Finding(
            "custom-tool-demanded-not-called",
            "the custom tool that was demanded is not called",
            found=x.choice.text[:200],
        )
    for call in whole(x):
        if call["type"].value != "custom":
            yield Finding(
                "type-call-not-custom",
                "the type of the call is not custom",
                at=call["type"].pointer,
                found=call["type"],
            )
            continue
        name, given = call["custom"]["name"], call["custom"]["input"]
        if name.value != "note_down":
            yield Finding(
                "call-does-not-name-tool",
                "the call does not name the tool",
                at=name.pointer,
                expected="note_down",
                found=name,
            )
        if given.type != "string":
            yield Finding(
                "input-not-string", "the input is not a string", at=given.pointer, expected="a string", found=given
            )
