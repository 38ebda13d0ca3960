"""Faults in what is made of `tool_choice`."""

from __future__ import annotations

import json
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.calls import finish, functions, markup, streamed
from conformance.reference.rows import crashed


def choice_of(request: Request) -> Any:
    """What stands in `tool_choice`, where tools are offered with it."""
    return request.wish.get("tool_choice") if functions(request) else None


def named_in(request: Request) -> str:
    """The function that is named; "" where none is."""
    choice = choice_of(request)
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


@fault("tool-choice-500", instead=True)
def breaks_on_choices(request: Request, respond: Respond) -> Answer:
    """A whole request with a choice among tools is a server error."""
    if choice_of(request) in ("required", "none") and not request.wish.get("stream"):
        return crashed("The server had an error.", traced=False)
    return respond(request)


@fault("tool-choice-required-ignored", instead=True)
def ignores_required(request: Request, respond: Respond) -> Answer:
    """`required` is taken for `auto`."""
    return respond(request.asking(tool_choice="auto") if choice_of(request) == "required" else request)


@fault("tool-choice-named-ignored", instead=True)
def ignores_names(request: Request, respond: Respond) -> Answer:
    """A named function is taken for `auto`."""
    known = named_in(request) in [function.get("name") for function in functions(request)]
    return respond(request.asking(tool_choice="auto") if known else request)


@fault("tool-choice-named-first-is-called", instead=True)
def calls_the_first(request: Request, respond: Respond) -> Answer:
    """Whatever function is named, the first one is called."""
    names = [function.get("name") for function in functions(request)]
    if named_in(request) not in names:
        return respond(request)
    return respond(request.asking(tool_choice={"type": "function", "function": {"name": names[0]}}))


@fault("tool-choice-name-as-mode", instead=True)
def takes_names_for_modes(request: Request, respond: Respond) -> Answer:
    """A function that is called like a mode, such as `none`, is taken for the mode."""
    mode = named_in(request)
    return respond(request.asking(tool_choice=mode) if mode in ("none", "auto", "required") else request)


@fault("tool-choice-none-treated-as-auto", instead=True)
def ignores_none(request: Request, respond: Respond) -> Answer:
    """`none` is taken for `auto`."""
    return respond(request.asking(tool_choice="auto") if choice_of(request) == "none" else request)


def _said(answer: Answer, text: str, reason: str) -> None:
    """Put this text in the place of the answer's."""
    if not streamed(answer):
        for choice in answer.choices:
            choice["message"]["content"], choice["finish_reason"] = text, reason
        return
    first = True
    for choice in answer.choices:
        if choice["delta"].get("content"):
            choice["delta"]["content"], first = (text if first else ""), False
        if choice["finish_reason"]:
            choice["finish_reason"] = reason


LEAKED = markup("get_weather", '{"city": "Paris"}')


@fault("tool-choice-none-raw-markup-finish-tool_calls")
def says_tool_calls_of_markup(answer: Answer, request: Request) -> None:
    """Under `none` the content is a raw call, and the finish reason `tool_calls`."""
    if choice_of(request) == "none" and answer.is_chat:
        _said(answer, LEAKED, "tool_calls")


@fault("tool-choice-none-leaks-markup")
def leaks_markup(answer: Answer, request: Request) -> None:
    """Under `none` the content is a raw call."""
    if choice_of(request) == "none" and answer.is_chat:
        _said(answer, LEAKED, "stop")


@fault("tool-choice-required-empty-calls-finish-tool_calls")
def promises_calls(answer: Answer, request: Request) -> None:
    """Under `required` there is text, an empty list of calls, and the finish reason `tool_calls`."""
    for choice in answer.choices if choice_of(request) == "required" and not streamed(answer) else ():
        if choice["finish_reason"] == "tool_calls":
            choice["message"].update(content="Hello from the tiny model.", tool_calls=[])


@fault("tool-choice-required-hang-or-crash")
def never_answers(answer: Answer, request: Request) -> None:
    """A request that requires a call is never answered."""
    if choice_of(request) == "required":
        answer.after = 3600.0


@fault("tool-stream-required-internal-error")
def ends_in_an_error(answer: Answer, request: Request) -> None:
    """A stream under `required` ends with an error in the place of its last chunks."""
    if choice_of(request) == "required" and answer.events:
        answer.events[-2:] = [Event({"error": {"message": "Internal server error", "code": 500}})]


@fault("n-gt-1-tools-broken")
def thinks_its_calls(answer: Answer, request: Request) -> None:
    """With more than one choice, calls are in the reasoning."""
    for choice in answer.choices if len(answer.choices) > 1 and not streamed(answer) else ():
        calls = choice["message"].pop("tool_calls", None)
        if calls:
            choice["message"].update(reasoning_content=json.dumps(calls[0]["function"]), content="")
            choice["finish_reason"] = "stop"


@fault("finish-reason-differs-stream-vs-nonstream-named")
def says_tool_calls_when_streamed(answer: Answer, request: Request) -> None:
    """A named function finishes with `tool_calls` in streams only."""
    if named_in(request) and streamed(answer):
        finish(answer, "tool_calls")


@fault("tool-choice-required-without-tools", instead=True)
def requires_nothing(request: Request, respond: Respond) -> Answer:
    """`required` without tools is ignored."""
    return respond(request if "tools" in request.wish else request.asking(tool_choice=...))


@fault("tool-choice-undefined-ignored", instead=True)
def ignores_undefined_names(request: Request, respond: Respond) -> Answer:
    """A function that is not there is taken for `auto`."""
    known = [function.get("name") for function in functions(request)]
    return respond(request.asking(tool_choice="auto") if named_in(request) not in ("", *known) else request)


@fault("tool-choice-nonsense-ignored", instead=True)
def ignores_nonsense(request: Request, respond: Respond) -> Answer:
    """A choice that means nothing is taken for `auto`."""
    answer = respond(request)
    param = (answer.body or {}).get("error", {}).get("param") if isinstance(answer.body, dict) else None
    refused_choice = answer.status == 400 and str(param).startswith("tool_choice") and functions(request)
    return respond(request.asking(tool_choice="auto")) if refused_choice and not named_in(request) else answer


@fault("tool-choice-null-500", instead=True)
def breaks_on_null(request: Request, respond: Respond) -> Answer:
    """`tool_choice: null` is a server error."""
    if request.wish.get("tool_choice", "") is None:
        return crashed("'NoneType' object is not subscriptable", traced=False)
    return respond(request)


@fault("tool-choice-auto-is-none", instead=True)
def never_chooses(request: Request, respond: Respond) -> Answer:
    """`auto`, where it is said, is taken for `none`."""
    return respond(request.asking(tool_choice="none") if choice_of(request) == "auto" else request)


@fault("tool-choice-allowed-ignored", instead=True)
def allows_everything(request: Request, respond: Respond) -> Answer:
    """`allowed_tools` are taken for `auto`."""
    choice = choice_of(request)
    ignored = isinstance(choice, dict) and "allowed_tools" in choice
    return respond(request.asking(tool_choice="auto") if ignored else request)
