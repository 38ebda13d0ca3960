"""Tool calls in an answer: their shape, their ids, the finish reason, and the content beside them.

Arguments are in `tools_arguments.py`, the tools that requests offer in `tools_definitions.py`, `tool_choice` in
`tool_choice.py`, and what only streams have in `tool_streaming.py`.
"""

from __future__ import annotations

import re

from jsonschema import Draft202012Validator

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.reading.calls import CUT_SHORT, MARKUP, called, called_twice, complete, whole
from conformance.core.reading.json import NotJSON, Value, parse
from conformance.core.requirement import OPENAI_PYTHON, REPORTS, SPEC
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

area = Area("tools", requires="tools")
calling = Area("tools", requires="tools", witness=called, tries=2)


@area.must(
    "requests-are-accepted",
    sends=each(WEATHER, UNNEEDED, BOTH),
    spec=SPEC.at("CreateChatCompletionRequest.tools", "A list of tools the model may call."),
    needs=REPLY,
    remedy="vLLM: --enable-auto-tool-choice --tool-call-parser NAME; llama.cpp: --jinja",
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request that offers function tools is answered."""
    if feature := named(x, ("tools",)):
        raise Unsupported(f"the server refuses `{feature}`")
    if not x.ok:
        yield Finding("not-answered", "A request with tools is not answered", expected="2xx", found=x.status)


@calling.must(
    "call-has-an-id",
    sends=each(WEATHER, REQUIRED, NAMED),
    spec=SPEC.at("ChatCompletionMessageToolCall", "required: [id, type, function]"),
    remedy="in the client: make an id up, and use it for the result as well",
)
def call_has_an_id(x: Exchange) -> Findings:
    """Every tool call has an id, a string that is not empty."""
    for call in whole(x):
        if call["id"].type != "string" or not call["id"]:
            yield Finding("no-id", "The call has no id", at=call["id"].pointer, expected="a string", found=call["id"])


@calling.must(
    "call-says-function",
    sends=each(WEATHER, REQUIRED, NAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.parse", "It needs the type of every call to be function; a missing one is an AttributeError."
    ),
)
def call_says_function(x: Exchange) -> Findings:
    """The `type` of every call of a function is `function`."""
    for call in whole(x):
        if call["type"].value != "function":
            yield Finding(
                "type-not-function",
                "The `type` of the call is not `function`",
                at=call["type"].pointer,
                found=call["type"],
            )


@calling.must(
    "arguments-are-a-string",
    sends=each(WEATHER, REQUIRED, NAMED, PINGED),
    spec=SPEC.at("ChatCompletionMessageToolCall.function", "arguments: type: string; required: [name, arguments]"),
)
def arguments_are_a_string(x: Exchange) -> Findings:
    """The `arguments` of every call are a string, even if the tool takes none."""
    for call in whole(x):
        arguments = call["function"]["arguments"]
        if arguments.type != "string":
            yield Finding(
                "not-a-string",
                "The arguments are not a string",
                at=arguments.pointer,
                expected="string",
                found=arguments,
            )


@area.must(
    "name-was-offered",
    sends=each(REQUIRED, NAMED, REQUIRED_STREAMED),
    spec=SPEC.at("ChatCompletionMessageToolCall.function.name", "The name of the function to call."),
    witness=called,
)
def name_was_offered(x: Exchange) -> Findings:
    """A call that was demanded names one of the tools in the request.

    Under `auto` a model may invent a name, and the server can do nothing about it.
    """
    offered = [tool["function"]["name"] for tool in x.probe.wish["tools"]]
    for call in complete(x):
        if call.name not in offered:
            yield Finding(
                "name-not-offered", "The call names a tool that the request lacks", expected=offered, found=call.name
            )


@area.must(
    "ids-are-distinct",
    sends=each(BOTH, BOTH_STREAMED),
    spec=SPEC.at("ChatCompletionRequestToolMessage.tool_call_id", "Tool call that this message is responding to."),
    requires=("tools", "tools.parallel"),
    witness=called_twice,
    tries=2,
)
def ids_are_distinct(x: Exchange) -> Findings:
    """Two calls in one answer have different ids."""
    for choice in x.choices.values():
        ids = [call.id for call in choice.calls if call.id]
        if len(set(ids)) < len(ids):
            yield Finding("same-id", "Two calls have the same id", found=ids)


def _later_turn(x: Exchange) -> Probe | str:
    """The same conversation two turns later: the first call is answered, and another question needs calls."""
    if not x.ok or not x.choice.calls:
        return "the model made no call"
    results = [result(call.id, "21 degrees") for call in x.choice.calls]
    history = [user(ASK), x.choice.wire, *results, assistant("It is 21 degrees in Paris."), user(ASK_BOTH)]
    return chat(messages=history, tools=[GET_WEATHER])


@calling.should(
    "ids-are-new",
    sends=WEATHER.then(_later_turn),
    spec=REPORTS.at(
        "text-generation-inference",
        "Every call has the id 0, so in a longer conversation a result is taken for that of another call.",
        "https://github.com/huggingface/text-generation-inference/issues/2136",
    ),
)
def ids_are_new(first: Exchange, later: Exchange) -> Findings:
    """No two answers in a conversation use the same id for a call.

    Another conversation may use an id again: some servers number the calls of each (`functions.get_weather:0`).
    """
    shared = {call.id for call in first.choice.calls if call.id} & {call.id for call in later.choice.calls}
    if shared:
        yield Finding("same-id", "Calls in two answers have the same id", found=shared, on=later.key)


@calling.must(
    "calls-finish-with-tool-calls",
    sends=each(WEATHER, BOTH, REQUIRED, WEATHER_STREAMED, REQUIRED_STREAMED),
    spec=FINISH,
    remedy="in the client: look at tool_calls, not at finish_reason",
)
def calls_finish_with_tool_calls(x: Exchange) -> Findings:
    """An answer that calls a tool freely, or because it is required, finishes with `tool_calls`.

    Where a function was named, servers legitimately differ: see `tool_choice.named-finish-reason`.
    """
    for choice in x.choices.values():
        if choice.calls and choice.finish_reason not in (None, "tool_calls", *CUT_SHORT):
            yield Finding(
                "other-finish-reason",
                "The finish reason of an answer with a call is not `tool_calls`",
                found=choice.finish_reason,
            )


@area.must(
    "tool-calls-finish-has-calls",
    sends=each(UNNEEDED, WEATHER, REQUIRED, NONE, WEATHER_STREAMED, REQUIRED_STREAMED),
    spec=FINISH,
)
def tool_calls_finish_has_calls(x: Exchange) -> Findings:
    """An answer whose finish reason is `tool_calls` has a call."""
    for choice in x.choices.values():
        if choice.finish_reason == "tool_calls" and not choice.calls:
            yield Finding("no-call", "The finish reason is `tool_calls`, but there is no call", found=choice.text[:200])


@area.should(
    "content-holds-no-call",
    sends=each(WEATHER, BOTH, REQUIRED, WEATHER_STREAMED, BOTH_STREAMED),
    spec=REPORTS.at(
        "mistral.rs",
        "The raw call is in the content as well: people see it, and agents run it twice.",
        "https://github.com/EricLBuehler/mistral.rs/issues/2427",
    ),
    remedy="vLLM and SGLang: the --tool-call-parser that fits the model",
)
def content_holds_no_call(x: Exchange) -> Findings:
    """The content of an answer contains no raw tool call."""
    for choice in x.choices.values():
        if choice.finish_reason in CUT_SHORT:
            continue
        if MARKUP.search(choice.text):
            yield Finding("call-markup", "The content contains the markup of a call", found=choice.text[:300])
        elif choice.text.strip() and choice.text.strip() in {call.arguments.strip() for call in choice.calls}:
            yield Finding("repeats-arguments", "The content repeats the arguments of a call", found=choice.text[:300])


@calling.must(
    "content-is-text-or-null",
    sends=each(WEATHER, REQUIRED, NAMED),
    spec=SPEC.at(
        "ChatCompletionResponseMessage.content",
        "anyOf: [{type: string, description: The contents of the message.}, {type: null}]",
    ),
)
def content_is_text_or_null(x: Exchange) -> Findings:
    """Beside a call, the `content` of a message is a string or null."""
    for choice in x.json["choices"]:
        content = choice["message"]["content"]
        if content.type not in ("string", "null", "absent"):
            yield Finding(
                "not-a-string",
                "The content beside a call is neither a string nor null",
                at=content.pointer,
                expected=None,
                found=content,
            )


@area.must(
    "parallel-false-is-kept",
    sends=(ONE_AT_A_TIME, BOTH),
    spec=SPEC.at(
        "ParallelToolCalls",
        "Whether to enable [parallel function calling]"
        "(/docs/guides/function-calling#configuring-parallel-function-calling) during tool use.",
    ),
    requires=("tools", "tools.parallel"),
    remedy="in the client: run the first call only, and ask again",
)
def parallel_false_is_kept(single: Exchange, free: Exchange) -> Findings:
    """With `parallel_tool_calls: false` there is at most one call."""
    if len(single.choice.calls) > 1:
        yield Finding(
            "several-calls",
            "There are several calls",
            expected=1,
            found=[call.wire["function"] for call in single.choice.calls],
        )
    elif len(free.choice.calls) < 2:
        raise Unwitnessed("the model makes one call at a time anyway")


@area.should(
    "every-choice-calls",
    sends=(REQUIRED, REQUIRED_TWICE),
    spec=REPORTS.at(
        "SGLang",
        "With n above 1 the calls are left in reasoning_content, and tool_calls is null.",
        "https://github.com/sgl-project/sglang/issues/30556",
    ),
    requires=("tools", "chat.n"),
)
def every_choice_calls(single: Exchange, double: Exchange) -> Findings:
    """With `n: 2`, each choice has the call that was demanded."""
    if not called(single):
        raise Unwitnessed("there is no call with one choice either")
    for choice in double.choices.values():
        if not choice.calls and choice.finish_reason not in CUT_SHORT:
            text = (choice.text or choice.reasoning)[:200]
            yield Finding("no-call", "A choice has no call", at=f"/choices/{choice.index}", found=text, on=double.key)


@area.must(
    "custom-call-has-input",
    sends=CUSTOM,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionMessageCustomToolCall", "required: [id, type, custom]; custom.required: [name, input]"),
    requires=("tools", "tools.custom"),
)
def custom_call_has_input(x: Exchange) -> Findings:
    """A call of a custom tool has the type `custom`, and a `custom` with the tool's name and the input."""
    if feature := named(x, ("tools",)):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        yield Finding(
            "neither-served-nor-refused",
            "A custom tool is neither served nor refused by name",
            at="status",
            expected="2xx or 4xx",
            found=x.status,
        )
        return
    if not called(x) and x.choice.finish_reason not in CUT_SHORT:
        yield Finding("no-call", "The custom tool that was demanded is not called", found=x.choice.text[:200])
    for call in whole(x):
        yield from _flaws_of_custom_call(call)


def _flaws_of_custom_call(call: Value) -> Findings:
    """What is wrong with a call of `CUSTOM`: its type alone, or else its name and its input."""
    kind, name, text = call["type"], call["custom"]["name"], call["custom"]["input"]
    if kind.value != "custom":
        yield Finding("type-not-custom", "The `type` of the call is not `custom`", at=kind.pointer, found=kind)
        return
    if name.value != "note_down":
        yield Finding(
            "other-name", "The call does not name the tool", at=name.pointer, expected="note_down", found=name
        )
    if text.type != "string":
        yield Finding(
            "input-not-a-string", "The input is not a string", at=text.pointer, expected="a string", found=text
        )


ID_FORMS = {"call_…": r"call_.+", "chatcmpl-tool-…": r"chatcmpl-tool-.+", "9 letters and digits": r"[A-Za-z0-9]{9}"}


@area.note("id-form", sends=WEATHER, witness=called, tries=2)
def id_form(x: Exchange) -> Findings:
    """The form of the ids of calls is noted: OpenAI's begin with `call_`, Mistral's are nine letters and digits."""
    for call in x.choice.calls:
        yield Observed(next((name for name, form in ID_FORMS.items() if re.fullmatch(form, call.id)), "another"), "id")


def _fits(x: Exchange) -> bool:
    """Whether the arguments of every call are valid under the tool's schema."""
    schema = Draft202012Validator(GET_WEATHER["function"]["parameters"])
    try:
        return all(schema.is_valid(parse(call.arguments)) for call in complete(x))
    except NotJSON:
        return False


@area.note("habits-of-the-model", sends=each(WEATHER, UNNEEDED, BOTH), needs=REPLY)
def habits_of_the_model(x: Exchange) -> Findings:
    """What the model does under `auto` is noted: whether it calls where a tool is needed, and with valid arguments."""
    names = {WEATHER.key: "a tool is needed", UNNEEDED.key: "no tool is needed", BOTH.key: "two calls are needed"}
    calls = len(x.choice.calls)
    habit = f"{calls} call{'s' * (calls > 1)}, {'fitting' if _fits(x) else 'not fitting'}" if calls else "text"
    yield Observed(habit if x.ok else named(x) or x.status, names[x.key])
