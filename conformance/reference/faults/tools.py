"""Faults in tool calls and in the requests that offer tools."""

from __future__ import annotations

import json
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.faults.calls import finish, functions, loaded, markup, resay, revalue, streamed
from conformance.reference.rows import crashed, refused

# Their shape


@fault("tool-id-empty")
def empties_the_id(answer: Answer, request: Request) -> None:
    """The ids of calls are empty."""
    for call in answer.calls:
        if "id" in call:
            call["id"] = ""


@fault("tool-call-id-constant-zero")
def numbers_every_call_zero(answer: Answer, request: Request) -> None:
    """Every call has the id 0."""
    for call in answer.calls:
        if "id" in call:
            call["id"] = "0"


@fault("tool-call-id-unprefixed-or-mode-dependent")
def strips_the_prefix_when_streaming(answer: Answer, request: Request) -> None:
    """Ids lack their `call_` in streams."""
    for call in answer.calls if streamed(answer) else ():
        if "id" in call:
            call["id"] = call["id"].removeprefix("call_")


@fault("tool-type-missing")
def forgets_the_type(answer: Answer, request: Request) -> None:
    """Calls of functions have no type in whole answers."""
    for call in answer.calls if not streamed(answer) else ():
        if "function" in call:
            call.pop("type", None)


@fault("tool-arguments-are-an-object")
def sends_arguments_as_an_object(answer: Answer, request: Request) -> None:
    """The arguments of a whole answer are an object where they should be its text."""
    for call in answer.calls if not streamed(answer) else ():
        if "function" in call:
            call["function"]["arguments"] = loaded(call["function"]["arguments"])


@fault("empty-args-validation-null")
def has_null_for_no_arguments(answer: Answer, request: Request) -> None:
    """A call without arguments has null for them."""
    for call in answer.calls if not streamed(answer) else ():
        if call.get("function", {}).get("arguments") == "{}":
            call["function"]["arguments"] = None


@fault("tool-name-invented")
def invents_a_name(answer: Answer, request: Request) -> None:
    """Calls name a function that was never offered."""
    for call in answer.calls:
        if call.get("function", {}).get("name"):
            call["function"]["name"] += "_v2"


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


@fault("parallel-false-ignored", instead=True)
def ignores_parallel_false(request: Request, respond: Respond) -> Answer:
    """`parallel_tool_calls: false` changes nothing."""
    return respond(request.asking(parallel_tool_calls=...) if "parallel_tool_calls" in request.wish else request)


# Finish reasons


@fault("finish-reason-function_calls")
def says_function_calls(answer: Answer, request: Request) -> None:
    """The finish reason of calls is `function_calls`."""
    finish(answer, "function_calls")


@fault("tool-finish-stop-nonstream-required")
def says_stop_when_whole(answer: Answer, request: Request) -> None:
    """The finish reason of a whole answer with calls is `stop`."""
    if not streamed(answer):
        finish(answer, "stop")


@fault("tool-truncated-finish-masks-length")
def says_tool_calls_when_cut(answer: Answer, request: Request) -> None:
    """A call that the cap has cut short says `tool_calls`."""
    for choice in answer.choices if answer.calls else ():
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "tool_calls"


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


@fault("tool-args-malformed-simple-schema")
def loses_the_end_of_arguments(answer: Answer, request: Request) -> None:
    """The arguments of whole answers lack their end."""
    if not streamed(answer):
        resay(answer, lambda text: text[:-2] if len(text) > 2 else text)


@fault("tool-args-placeholder-invalid")
def writes_placeholders_for_numbers(answer: Answer, request: Request) -> None:
    """A question mark stands where a number should be."""
    resay(answer, lambda text: revalue(text, lambda one: "¿" if type(one) in (int, float) else one).replace('"¿"', "?"))


@fault("tool-args-trailing-special-tokens")
def leaves_special_tokens(answer: Answer, request: Request) -> None:
    """A special token follows the arguments of whole answers."""
    if not streamed(answer):
        resay(answer, lambda text: text + "<|call|>")


@fault("tool-args-a-string")
def wraps_arguments_twice(answer: Answer, request: Request) -> None:
    """The arguments of whole answers are the text of a JSON string with the text of the object in it."""
    if not streamed(answer):
        resay(answer, lambda text: text if text == "{}" else compact(text))


@fault("tool-zero-arg-empty-string-whole")
def has_no_text_for_no_arguments(answer: Answer, request: Request) -> None:
    """A call without arguments has empty ones in whole answers."""
    if not streamed(answer):
        resay(answer, lambda text: "" if text == "{}" else text)


@fault("tool-strict-ignored")
def ignores_strict(answer: Answer, request: Request) -> None:
    """Strict tools are called with a member that they do not have."""
    if any(function.get("strict") for function in functions(request)):
        resay(answer, lambda text: text[:-1] + (',"extra":1}' if len(text) > 2 else '"extra":1}'))


@fault("tool-args-text-mangled")
def mangles_backslashes(answer: Answer, request: Request) -> None:
    """Backslashes in the values of whole answers are lost."""
    if not streamed(answer):
        drop = str.maketrans("", "", "\\")
        resay(answer, lambda text: revalue(text, lambda one: one.translate(drop) if isinstance(one, str) else one))


@fault("tool-args-integers-rounded")
def rounds_integers(answer: Answer, request: Request) -> None:
    """Integers in arguments have been floating point on their way."""
    resay(answer, lambda text: revalue(text, lambda one: int(float(one)) if type(one) is int else one))


@fault("tool-args-ascii-escaped")
def escapes_other_alphabets(answer: Answer, request: Request) -> None:
    """Characters outside ASCII are escaped in arguments."""
    resay(answer, lambda text: "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in text))


# Requests


def _with_tools(request: Request) -> bool:
    return bool(functions(request))


@fault("gateway-tools-not-forwarded", instead=True)
def forwards_no_tools(request: Request, respond: Respond) -> Answer:
    """Tools and all that goes with them are taken out of requests."""
    if not _with_tools(request):
        return respond(request)
    return respond(request.asking(tools=..., tool_choice=..., parallel_tool_calls=...))


@fault("tools-500", instead=True)
def breaks_on_tools(request: Request, respond: Respond) -> Answer:
    """A whole request with tools is a server error."""
    if _with_tools(request) and not request.wish.get("stream") and "tool_choice" not in request.wish:
        return crashed("The server had an error.", traced=False)
    return respond(request)


@fault("tool-parameters-omitted-rejected", instead=True)
def wants_parameters(request: Request, respond: Respond) -> Answer:
    """A function without parameters is refused."""
    if any("parameters" not in function and "name" in function for function in functions(request)):
        return refused("Field required", traced=False)
    return respond(request)


@fault("tool-parameters-empty-properties-rejected", instead=True)
def wants_properties(request: Request, respond: Respond) -> Answer:
    """A function whose properties are empty is refused."""
    for function in functions(request):
        parameters = function.get("parameters")
        if isinstance(parameters, dict) and parameters.get("properties") == {}:
            return refused("properties: should be non-empty for OBJECT type", traced=False)
    return respond(request)


def _mentions(value: Any, words: tuple[str, ...]) -> bool:
    text = compact(value)
    return any(f'"{word}":' in text for word in words)


@fault("tool-schema-features-500", instead=True)
def knows_plain_schemas_only(request: Request, respond: Respond) -> Answer:
    """References and unions in a tool's schema are a server error."""
    loose = [function for function in functions(request) if not function.get("strict")]
    if _mentions(loose, ("$ref", "anyOf", "oneOf")):
        return crashed("KeyError: 'type'", traced=False)
    return respond(request)


@fault("tool-malformed-accepted", instead=True)
def drops_malformed_tools(request: Request, respond: Respond) -> Answer:
    """Tools that are malformed are left out without a word."""
    if "tools" not in request.wish or request.wish["tools"] in (None, []):
        return respond(request)
    good = [one for one in functions(request) if "name" in one]
    kept = [{"type": "function", "function": one} for one in good]
    known = all(isinstance(tool, dict) and tool.get("type") in ("function", "custom") for tool in request.wish["tools"])
    if (known and len(kept) == len(request.wish["tools"])) or any(
        "custom" in str(one) for one in request.wish["tools"]
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


@fault("tool-odd-lists-500", instead=True)
def breaks_on_odd_lists(request: Request, respond: Respond) -> Answer:
    """An empty list of tools is a server error."""
    return crashed("list index out of range", traced=False) if request.wish.get("tools") == [] else respond(request)
