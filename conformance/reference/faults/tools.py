"""Faults in tool calls and in the requests that offer tools."""

from __future__ import annotations

import json
from functools import partial

from conformance.reference import rows
from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.faults.calls import (
    finishing,
    functions,
    loaded,
    markup,
    resaid,
    revalue,
    streamed,
    unstreamed,
)
from conformance.reference.rows import (
    CALLS,
    Part,
    Place,
    as_stream,
    as_whole,
    ask,
    asking,
    change,
    crashed,
    drop,
    exactly,
    given,
    has,
    without,
)

refuse = partial(rows.refuse, traced=False)
crash = partial(rows.crash, traced=False)
WHOLE_CALLS = as_whole(CALLS)


# Their shape


CALLED = (
    change("tool-id-empty", CALLS, "id", lambda call_id: "", says="The ids of calls are empty."),
    change("tool-call-id-constant-zero", CALLS, "id", lambda call_id: "0", says="Every call has the id 0."),
    change("tool-call-id-unprefixed-or-mode-dependent", as_stream(CALLS), "id",
        lambda call_id: call_id.removeprefix("call_"), says="Ids have no prefix `call_` in streams."),
    drop("tool-type-missing", WHOLE_CALLS.where(lambda call: "function" in call), "type",
        says="Calls of functions have no type in whole answers."),
    change("tool-arguments-are-an-object", WHOLE_CALLS.under("function"), "arguments", loaded,
        says="The arguments of a whole answer are an object where they should be its text."),
    change("empty-args-validation-null", WHOLE_CALLS.under("function"), "arguments", {"{}": None},
        says="A call without arguments has null for them."),
    change("tool-name-invented", CALLS.under("function").having("name"), "name", lambda name: f"{name}_v2",
        says="Calls name a function that was never offered."),
    ask("parallel-false-ignored", without("parallel_tool_calls"), says="`parallel_tool_calls: false` changes nothing."),
)  # fmt: skip


@fault("tool-markup-and-structured-both")
def leaves_the_call_in_the_content(answer: Answer, request: Request) -> None:
    """The content has the raw call in it, beside the parsed one."""
    for message in answer.messages if not streamed(answer) else ():
        calls = [call["function"] for call in message.get("tool_calls") or () if "function" in call]
        if calls:
            message["content"] = "\n".join(markup(call["name"], call["arguments"]) for call in calls)


@fault("tool-custom-call-as-function")
def calls_custom_tools_as_functions(answer: Answer, request: Request) -> None:
    """Calls of custom tools have the shape of functions."""
    for call in answer.calls:
        if "custom" in call:
            custom = call.pop("custom")
            call["type"] = "function"
            call["function"] = {"name": custom.get("name"), "arguments": custom["input"]}


# Finish reasons


FINISHES = (
    finishing("finish-reason-function_calls", "function_calls", says="The finish reason of calls is `function_calls`."),
    finishing("tool-finish-stop-nonstream-required", "stop", of=unstreamed,
        says="The finish reason of a whole answer with calls is `stop`."),
    change("tool-truncated-finish-masks-length", Place(lambda answer, request: answer.choices if answer.calls else ()),
        "finish_reason", {"length": "tool_calls"},
        says="A call that the cap has cut short has the finish reason `tool_calls`."),
)  # fmt: skip


@fault("tool-cap-500", instead=True)
def breaks_on_a_small_cap(request: Request, respond: Respond) -> Answer:
    """A cap within a required call is a server error."""
    answer = respond(request)
    cut = any(choice["finish_reason"] == "length" for choice in answer.choices)
    return (
        crashed("list index out of range", traced=False)
        if cut and request.wish.get("tool_choice") == "required"
        else answer
    )


# Arguments


ARGUMENTS = (
    resaid("tool-args-malformed-simple-schema", lambda text: text[:-2] if len(text) > 2 else text, of=unstreamed,
        says="The arguments of whole answers lack their end."),
    resaid("tool-args-placeholder-invalid",
        lambda text: revalue(text, lambda value: "¿" if type(value) in (int, float) else value).replace('"¿"', "?"),
        says="A question mark stands where a number should be."),
    resaid("tool-args-trailing-special-tokens", lambda text: f"{text}<|call|>", of=unstreamed,
        says="A special token follows the arguments of whole answers."),
    resaid("tool-args-a-string", lambda text: text if text == "{}" else compact(text), of=unstreamed,
        says="The arguments of whole answers are encoded twice: the text of a string with the text of the object in it."),
    resaid("tool-zero-arg-empty-string-whole", lambda text: "" if text == "{}" else text, of=unstreamed,
        says="A call without arguments has an empty string for them in whole answers."),
    resaid("tool-args-text-mangled",
        lambda text: revalue(text, lambda value: value.replace("\\", "") if isinstance(value, str) else value),
        of=unstreamed, says="Backslashes in the values of whole answers are lost."),
    resaid("tool-args-ascii-escaped",
        lambda text: "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text),
        says="Characters outside ASCII are escaped in arguments."),
    resaid("tool-strict-ignored", lambda text: text[:-1] + (',"extra":1}' if len(text) > 2 else '"extra":1}'),
        when=lambda request: any(function.get("strict") for function in functions(request)),
        says="Strict tools are called with a member that they do not have."),
)  # fmt: skip


rounds_integers = resaid(
    "tool-args-integers-rounded",
    lambda text: revalue(text, lambda value: int(float(value)) if type(value) is int else value),
    says="Integers in arguments have been floating point on their way.",
)


# Requests


def _empty(function: Part) -> bool:
    """Whether the properties of a function are empty."""
    parameters = function.get("parameters")
    return isinstance(parameters, dict) and parameters.get("properties") == {}


def _branches(function: Part) -> bool:
    """Whether a function that is not strict has a reference or a union in its schema."""
    return not function.get("strict") and any(f'"{word}":' in compact(function) for word in ("$ref", "anyOf", "oneOf"))


OFFERS = (
    ask("gateway-tools-not-forwarded", asking(tools=..., tool_choice=..., parallel_tool_calls=...), when=functions,
        says="Tools and all that goes with them are taken out of requests."),
    crash("tools-500", when=~has("tool_choice") & functions & (lambda request: not request.wish.get("stream")),
        message="The server had an error.", says="A whole request with tools is a server error."),
    refuse("tool-parameters-omitted-rejected",
        when=lambda request: any("parameters" not in function and "name" in function for function in functions(request)),
        message="Field required", says="A function without parameters is refused."),
    refuse("tool-parameters-empty-properties-rejected", when=lambda request: any(map(_empty, functions(request))),
        message="properties: should be non-empty for OBJECT type",
        says="A function whose properties are empty is refused."),
    crash("tool-schema-features-500", when=lambda request: any(map(_branches, functions(request))),
        message="KeyError: 'type'", says="References and unions in a tool's schema are a server error."),
    crash("tool-odd-lists-500", when=given("tools", exactly([])), message="list index out of range",
        says="An empty list of tools is a server error."),
)  # fmt: skip


@fault("tool-malformed-accepted", instead=True)
def drops_malformed_tools(request: Request, respond: Respond) -> Answer:
    """Tools that are malformed are left out without a word."""
    if "tools" not in request.wish or request.wish["tools"] in (None, []):
        return respond(request)
    good = [function for function in functions(request) if "name" in function]
    kept = [{"type": "function", "function": function} for function in good]
    known = all(isinstance(tool, dict) and tool.get("type") in ("function", "custom") for tool in request.wish["tools"])
    if (known and len(kept) == len(request.wish["tools"])) or any(
        "custom" in str(tool) for tool in request.wish["tools"]
    ):
        return respond(request)
    return respond(
        request.asking(tools=kept or ..., tool_choice=... if not kept else request.wish.get("tool_choice", ...))
    )


@fault("tool-bad-names-accepted", instead=True)
def takes_any_name(request: Request, respond: Respond) -> Answer:
    """A function may have any name."""
    renamed = False
    tools = []
    for function in functions(request):
        name = function.get("name")
        good = not isinstance(name, str) or (name.replace("_", "").replace("-", "").isalnum() and name.isascii())
        if not good or len(name or "") > 64:
            renamed, function = True, {**function, "name": "renamed"}
        tools.append({"type": "function", "function": function})
    return respond(request.asking(tools=tools) if renamed else request)
