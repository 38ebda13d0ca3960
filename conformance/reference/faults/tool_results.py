"""Faults in how a server takes calls and their results back."""

from __future__ import annotations

import json
import re
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import crashed, messages, refused

Message = dict[str, Any]


def results_in(request: Request) -> list[Message]:
    return [message for message in messages(request) if message.get("role") == "tool"]


def calls_in(request: Request) -> list[Message]:
    return [call for message in messages(request) for call in message.get("tool_calls") or () if isinstance(call, dict)]


@fault("tool-results-500", instead=True)
def breaks_on_results(request: Request, respond: Respond) -> Answer:
    """A history with results is a server error."""
    return crashed("The server had an error.", traced=False) if results_in(request) else respond(request)


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


@fault("tool-own-message-refused", instead=True)
def refuses_its_own_members(request: Request, respond: Respond) -> Answer:
    """A message with calls is refused for members that this server puts into messages."""
    if any(message.get("tool_calls") and "annotations" in message for message in messages(request)):
        return refused("Extra inputs are not permitted: annotations", traced=False)
    return respond(request)


@fault("tool-call-id-format-enforced", instead=True)
def wants_ids_of_nine_characters(request: Request, respond: Respond) -> Answer:
    """Ids of calls that other servers made have to have nine letters and digits, or the form of this one."""
    forms = re.compile(r"[A-Za-z0-9]{9}|call_[A-Za-z0-9]+")
    if any(not forms.fullmatch(str(call.get("id"))) for call in calls_in(request)):
        return refused("Tool call id has to be defined with a length of 9.", traced=False)
    return respond(request)


@fault("tool-message-array-content-rejected", instead=True)
def wants_strings_for_results(request: Request, respond: Respond) -> Answer:
    """A result in parts is refused."""
    if any(isinstance(one.get("content"), list) for one in results_in(request)):
        return refused("tool messages must contain string content", traced=False)
    return respond(request)


def _with_results(request: Request, content: Any) -> Request:
    """The same request with the content of every result put through a function."""
    changed = [
        {**one, "content": content(one.get("content"))} if one.get("role") == "tool" else one
        for one in messages(request)
    ]
    return request.asking(messages=changed) if results_in(request) else request


@fault("tool-parts-rendered-as-code", instead=True)
def shows_the_model_code(request: Request, respond: Respond) -> Answer:
    """A result in parts is in the prompt as the text of a list."""
    return respond(_with_results(request, lambda one: json.dumps(one) if isinstance(one, list) else one))


@fault("tool-results-dropped", instead=True)
def drops_results(request: Request, respond: Respond) -> Answer:
    """Results are taken out before the model sees them."""
    return respond(_with_results(request, lambda one: "" if isinstance(one, str) else one))


@fault("empty-tool-result-crash", instead=True)
def breaks_on_empty_results(request: Request, respond: Respond) -> Answer:
    """An empty result is a server error."""
    if any(one.get("content") == "" for one in results_in(request)):
        return crashed("list index out of range", traced=False)
    return respond(request)


@fault("tool-result-as-json-500", instead=True)
def parses_results(request: Request, respond: Respond) -> Answer:
    """A result that begins like JSON and is none is a server error."""
    for one in results_in(request):
        text = one.get("content")
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
    given = [one.get("tool_call_id") for one in results_in(request)]
    if sorted(map(str, wanted)) == sorted(map(str, given)) and wanted != given:
        return refused("Unexpected tool call id in tool results", traced=False)
    return respond(request)


@fault("tool-result-without-id-accepted", instead=True)
def guesses_ids(request: Request, respond: Respond) -> Answer:
    """A result without the id of its call is taken for that of the call in its place."""
    ids = iter([call.get("id") for call in calls_in(request)])
    changed = [
        {"tool_call_id": next(ids, ""), **one} if one.get("role") == "tool" else one for one in messages(request)
    ]
    return respond(request.asking(messages=changed) if results_in(request) else request)


@fault("tool-results-finish-tool-calls")
def never_stops(answer: Answer, request: Request) -> None:
    """The answer to results finishes with `tool_calls` although nothing is called."""
    for choice in answer.choices if results_in(request) and not answer.calls else ():
        if choice["finish_reason"] == "stop":
            choice["finish_reason"] = "tool_calls"
