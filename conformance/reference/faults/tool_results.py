"""Faults in how a server takes calls and their results back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.reference import rows
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import ask, crashed, messages, refused, with_message, with_role

refuse = partial(rows.refuse, traced=False)
crash = partial(rows.crash, traced=False)
IDS = re.compile(r"[A-Za-z0-9]{9}|call_[A-Za-z0-9]+")


def results_in(request: Request) -> list[dict[str, Any]]:
    return [message for message in messages(request) if message.get("role") == "tool"]


def calls_in(request: Request) -> list[dict[str, Any]]:
    return [call for message in messages(request) for call in message.get("tool_calls") or () if isinstance(call, dict)]


breaks_on_results = crash(
    "tool-results-500",
    when=results_in,
    message="The server had an error.",
    says="A history with results is a server error.",
)


@fault("tool-own-id-rejected-404", instead=True)
def rejects_its_own_ids(request: Request, respond: Respond) -> Answer:
    """A call with an id as this server makes them is not found."""
    made = request.memory.setdefault("ids made", set())
    if any(call.get("id") in made for call in calls_in(request)):
        return refused("not found", status=404, traced=False)
    answer = respond(request)
    made.update(call["id"] for call in answer.calls if call.get("id"))
    return answer


@fault("tool-extra-signature-required", instead=True)
def wants_its_signature_back(request: Request, respond: Respond) -> Answer:
    """Calls have a member of the vendor's, without which they are not taken back."""
    made = request.memory.setdefault("ids signed", set())
    if any(call.get("id") in made and "extra_content" not in call for call in calls_in(request)):
        return refused("Function call is missing a thought_signature in functionCall parts.", traced=False)
    answer = respond(request)
    for call in answer.calls:
        if call.get("id"):
            call["extra_content"] = {"google": {"thought_signature": "c2lnbmF0dXJl"}}
            made.add(call["id"])
    return answer


def results(how: Callable[[Any], Any]) -> Callable[[Request], Request]:
    """The request with the content of every result changed."""

    def changed(request: Request) -> Request:
        return request.asking(
            messages=[
                {**message, "content": how(message.get("content"))} if message.get("role") == "tool" else message
                for message in messages(request)
            ]
        )

    return changed


HISTORIES = (
    refuse("tool-own-message-refused",
        when=with_message(lambda message: message.get("tool_calls") and "annotations" in message),
        message="Extra inputs are not permitted: annotations",
        says="A message with calls is refused for members that this server puts into messages."),
    refuse("tool-call-id-format-enforced",
        when=lambda request: not all(IDS.fullmatch(str(call.get("id"))) for call in calls_in(request)),
        message="Tool call id has to be defined with a length of 9.",
        says="An id of a call is refused unless it has nine letters and digits, or this server's form."),
    refuse("tool-message-array-content-rejected",
        when=with_message(lambda message: message.get("role") == "tool" and isinstance(message.get("content"), list)),
        message="tool messages must contain string content", says="A result in parts is refused."),
    crash("empty-tool-result-crash", when=with_role("tool", content=""), message="list index out of range",
        says="An empty result is a server error."),
    ask("tool-parts-rendered-as-code",
        results(lambda content: json.dumps(content) if isinstance(content, list) else content), when=results_in,
        says="A result in parts is in the prompt as the text of a list."),
    ask("tool-results-dropped", results(lambda content: "" if isinstance(content, str) else content), when=results_in,
        says="Results are taken out before the model sees them."),
)  # fmt: skip


@fault("tool-result-as-json-500", instead=True)
def parses_results(request: Request, respond: Respond) -> Answer:
    """A result that begins like JSON and is none is a server error."""
    for result in results_in(request):
        text = result.get("content")
        if isinstance(text, str) and text[:1] in ("{", "[", '"'):
            try:
                json.loads(text)
            except ValueError:
                return crashed("Expecting value: line 1 column 2 (char 1)", traced=False)
    return respond(request)


@fault("tool-history-malformed-args-500", instead=True)
def parses_arguments(request: Request, respond: Respond) -> Answer:
    """Arguments in the history that are no JSON are a server error."""
    for call in calls_in(request):
        try:
            json.loads((call.get("function") or {}).get("arguments", "{}"))
        except ValueError:
            return crashed("Failed to parse tool call arguments as JSON", traced=False)
    return respond(request)


@fault("tool-results-order-enforced", instead=True)
def wants_results_in_order(request: Request, respond: Respond) -> Answer:
    """Results in another order than the calls are refused."""
    wanted = [call.get("id") for call in calls_in(request)]
    given = [result.get("tool_call_id") for result in results_in(request)]
    if sorted(map(str, wanted)) == sorted(map(str, given)) and wanted != given:
        return refused("Unexpected tool call id in tool results", traced=False)
    return respond(request)


@fault("tool-result-without-id-accepted", instead=True)
def guesses_ids(request: Request, respond: Respond) -> Answer:
    """A result without the id of its call is taken for that of the call in its place."""
    ids = iter([call.get("id") for call in calls_in(request)])
    changed = [
        {"tool_call_id": next(ids, ""), **message} if message.get("role") == "tool" else message
        for message in messages(request)
    ]
    return respond(request.asking(messages=changed) if results_in(request) else request)


@fault("tool-results-finish-tool-calls")
def never_stops(answer: Answer, request: Request) -> None:
    """The answer to results finishes with `tool_calls` although nothing is called."""
    for choice in answer.choices if results_in(request) and not answer.calls else ():
        if choice["finish_reason"] == "stop":
            choice["finish_reason"] = "tool_calls"
