"""What a server may do with tool calls although most do not: checks stay silent on it."""

from __future__ import annotations

import json

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.calls import (
    FIRST,
    finish,
    first_pieces,
    joined,
    later_pieces,
    loaded,
    pieces,
    resay,
    streamed,
    take_out,
)
from conformance.reference.faults.tool_choice import choice_of, named_in
from conformance.reference.faults.tool_results import calls_in, results_in
from conformance.reference.rows import CALLS, CHOICES, MESSAGES, as_whole, change, drop, fill, messages, put, refused


@fault("tool-calls-empty-list", legal=True, instead=True)
def has_an_empty_list(request: Request, respond: Respond) -> Answer:
    """Messages without calls have an empty list of them, and may have it in the history."""
    kept = [
        {name: value for name, value in message.items() if name != "tool_calls" or value != []}
        for message in messages(request)
    ]
    answer = respond(request.asking(messages=kept) if kept and kept != request.wish["messages"] else request)
    for choice in answer.choices:
        if isinstance(choice.get("message"), dict):
            choice["message"].setdefault("tool_calls", [])
    return answer


MESSAGES_WITH_CALLS = (
    put("tool-content-empty",
        MESSAGES.where(lambda message: message.get("tool_calls") and message.get("content") is None), content="",
        says="The content beside calls is empty where it could be null.", legal=True),
    change("tool-ids-of-another-form", CALLS.having("id"), "id", lambda call_id: call_id[-9:],
        says="Ids have nine characters and no prefix.", legal=True),
    drop("tool-first-fragment-without-arguments",
        FIRST.under("function").where(lambda function: function.get("arguments") == ""), "arguments",
        says="The first fragment of a call has no arguments at all.", legal=True),
    fill("tool-calls-again", as_whole(CHOICES).under("message"), tool_calls=[], when=results_in,
        says="The answer to results has an empty list of calls.", legal=True),
)  # fmt: skip


@fault("tool-calls-numbered", legal=True)
def numbers_whole_calls(answer: Answer, request: Request) -> None:
    """Calls of whole answers have an index as well."""
    for message in answer.messages if not streamed(answer) else ():
        for index, call in enumerate(message.get("tool_calls") or ()):
            call["index"] = index


@fault("tool-arguments-spaced", legal=True)
def spaces_arguments_out(answer: Answer, request: Request) -> None:
    """Arguments have spaces and line breaks between their values, before, and after."""

    def spaced(text: str) -> str:
        value = loaded(text)
        return text if value == text else " " + json.dumps(value, indent=2, ensure_ascii=False) + "\n"

    resay(answer, spaced)


@fault("tool-choice-named-says-tool-calls", legal=True)
def finishes_named_calls_alike(answer: Answer, request: Request) -> None:
    """A named function finishes with `tool_calls`, whole and streamed."""
    if named_in(request):
        finish(answer, "tool_calls")


@fault("tool-choice-allowed-refused", legal=True, instead=True)
def knows_no_allowed_tools(request: Request, respond: Respond) -> Answer:
    """`allowed_tools` are refused by name."""
    choice = choice_of(request)
    if isinstance(choice, dict) and "allowed_tools" in choice:
        return refused("Invalid value for `tool_choice`: allowed_tools is not supported.", traced=False)
    return respond(request)


@fault("tool-choice-text-beside-required-calls", legal=True)
def talks_before_calling(answer: Answer, request: Request) -> None:
    """A message with calls says something as well."""
    for message in answer.messages:
        if message.get("tool_calls") and "content" in message and not streamed(answer):
            message["content"] = "Let me check that."
        elif streamed(answer) and message.get("role"):
            message["content"] = "Let me check that. " if message.get("content") is None else message["content"]


@fault("tool-calls-in-one-piece", legal=True)
def sends_each_call_at_once(answer: Answer, request: Request) -> None:
    """Every call comes in a single fragment."""
    arguments = joined(answer)
    firsts = first_pieces(answer)
    for call, place in zip(firsts, arguments, strict=True):
        if "function" in call:
            call["function"]["arguments"] = arguments[place]
    kept = {id(call) for call in firsts if "function" in call}
    take_out(answer, lambda call: id(call) not in kept and "custom" not in call)


@fault("tool-nulls-in-continuation", legal=True)
def has_nulls_later(answer: Answer, request: Request) -> None:
    """Later fragments have null for id and name, and the type again."""
    for call in later_pieces(answer):
        if "function" in call:
            call.update(id=None, type="function")
            call["function"]["name"] = None


@fault("tool-fragments-share-a-chunk", legal=True)
def sends_fragments_together(answer: Answer, request: Request) -> None:
    """The fragments of a call come two to a chunk."""
    held: Event | None = None
    kept: list[Event] = []
    holding = {id(event) for _, event, _ in pieces(answer)}
    for event in answer.events or ():
        if id(event) not in holding or len(event.data["choices"]) != 1:
            held = None
        elif held is None or held.data["choices"][0]["index"] != event.data["choices"][0]["index"]:
            held = event
        else:
            held.data["choices"][0]["delta"]["tool_calls"] += event.data["choices"][0]["delta"]["tool_calls"]
            held = None
            continue
        kept.append(event)
    answer.events = kept if streamed(answer) else None


@fault("orphan-tool-calls-policy", legal=True, instead=True)
def takes_orphans(request: Request, respond: Respond) -> Answer:
    """A history in which calls and results do not belong together is answered all the same."""
    answer = respond(request)
    whole = all("tool_call_id" in result for result in results_in(request))
    if answer.status == 400 and whole and (results_in(request) or calls_in(request)):
        loose = [
            message for message in messages(request) if message.get("role") != "tool" and not message.get("tool_calls")
        ]
        return respond(request.asking(messages=loose))
    return answer
