"""Faults in what is made of `tool_choice`."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from conformance.reference import rows
from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.calls import finishing, functions, markup, streamed
from conformance.reference.rows import CHOICES, When, as_whole, ask, asking, has, put

crash = partial(rows.crash, traced=False)


def choice_of(request: Request) -> Any:
    """What stands in `tool_choice`, where tools are offered with it."""
    return request.wish.get("tool_choice") if functions(request) else None


def named_in(request: Request) -> str:
    """The function that is named; "" where none is."""
    choice = choice_of(request)
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def offered(request: Request) -> list[Any]:
    """The names of the functions that a request offers."""
    return [function.get("name") for function in functions(request)]


def choosing(mode: str) -> When:
    """Requests with this mode in `tool_choice`."""
    return When(lambda request: choice_of(request) == mode)


AUTO = asking(tool_choice="auto")
NAMED = When(lambda request: named_in(request) in offered(request))


MODES = (
    crash("tool-choice-500",
        when=lambda request: choice_of(request) in ("required", "none") and not request.wish.get("stream"),
        message="The server had an error.", says="A whole request with `required` or `none` is a server error."),
    crash("tool-choice-null-500", when=lambda request: request.wish.get("tool_choice", "") is None,
        message="'NoneType' object is not subscriptable", says="`tool_choice: null` is a server error."),
    ask("tool-choice-required-ignored", AUTO, when=choosing("required"), says="`required` is taken for `auto`."),
    ask("tool-choice-named-ignored", AUTO, when=NAMED, says="A named function is taken for `auto`."),
    ask("tool-choice-named-first-is-called",
        lambda request: request.asking(tool_choice={"type": "function", "function": {"name": offered(request)[0]}}),
        when=NAMED, says="Whatever function is named, the first one is called."),
    ask("tool-choice-name-as-mode", lambda request: request.asking(tool_choice=named_in(request)),
        when=lambda request: named_in(request) in ("none", "auto", "required"),
        says="A function that is called like a mode, such as `none`, is taken for the mode."),
    ask("tool-choice-none-treated-as-auto", AUTO, when=choosing("none"), says="`none` is taken for `auto`."),
    ask("tool-choice-required-without-tools", asking(tool_choice=...), when=~has("tools"),
        says="`required` without tools is ignored."),
    ask("tool-choice-undefined-ignored", AUTO, when=lambda request: named_in(request) not in ("", *offered(request)),
        says="A named function that is not there is taken for `auto`."),
    ask("tool-choice-auto-is-none", asking(tool_choice="none"), when=choosing("auto"),
        says="`auto`, where it is said, is taken for `none`."),
    ask("tool-choice-allowed-ignored", AUTO,
        when=lambda request: isinstance(choice := choice_of(request), dict) and "allowed_tools" in choice,
        says="`allowed_tools` are taken for `auto`."),
)  # fmt: skip


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


ANSWERS = (
    put("tool-choice-required-empty-calls-finish-tool_calls",
        as_whole(CHOICES).where(lambda choice: choice["finish_reason"] == "tool_calls").under("message"),
        content="Hello from the tiny model.", tool_calls=[], when=choosing("required"),
        says="Under `required` there is text, an empty list of calls, and the finish reason `tool_calls`."),
    finishing("finish-reason-differs-stream-vs-nonstream-named", "tool_calls", of=streamed, when=named_in,
        says="A named function finishes with `tool_calls` in streams only."),
)  # fmt: skip


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


@fault("tool-choice-nonsense-ignored", instead=True)
def ignores_nonsense(request: Request, respond: Respond) -> Answer:
    """A choice that means nothing is taken for `auto`."""
    answer = respond(request)
    param = (answer.body or {}).get("error", {}).get("param") if isinstance(answer.body, dict) else None
    refused_choice = answer.status == 400 and str(param).startswith("tool_choice") and functions(request)
    return respond(request.asking(tool_choice="auto")) if refused_choice and not named_in(request) else answer
