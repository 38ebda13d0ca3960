"""Planted faults of gateways: what gets lost, mended or made up between a client and the server behind.

Each wraps the reference server as a gateway would: it changes the request on the way in, or the answer on the way out.
"""

from __future__ import annotations

import json

from conformance.reference.answer import DONE, Answer, Event, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.rows import (
    CHAT,
    CHOICES,
    HEADERS,
    Part,
    a,
    answered,
    ask,
    become,
    change,
    drop,
    given,
    messages,
    refused,
    saying,
    without,
)

REQUESTS = (
    ask("gateway-seed-dropped", without("seed"), says="The gateway leaves the seed out of what it passes on."),
    ask("gateway-temperature-rounded",
        lambda request: request.asking(temperature=round(request.wish["temperature"], 1)),
        when=given("temperature", a(float)), says="The gateway passes on the temperature with one decimal."),
)  # fmt: skip


@fault("gateway-system-merged", instead=True)
def merges_system(request: Request, respond: Respond) -> Answer:
    """The gateway puts the system message in front of the user's, and passes on one message."""
    spoken = messages(request)
    if len(spoken) < 2 or spoken[0].get("role") != "system" or not isinstance(spoken[1].get("content"), str):
        return respond(request)
    first = {**spoken[1], "content": f"{spoken[0].get('content')}\n{spoken[1]['content']}"}
    return respond(request.asking(messages=[first, *spoken[2:]]))


def _trimmed(message: Part) -> Part:
    content = message.get("content")
    return message | {"content": content.strip()} if isinstance(content, str) else message


trims_messages = ask(
    "gateway-messages-trimmed",
    saying(_trimmed),
    says="The gateway takes the white space off both ends of every message.",
)


@fault("gateway-strict-dropped", instead=True)
def drops_strict(request: Request, respond: Respond) -> Answer:
    """The gateway passes on functions without their `strict`."""
    tools = request.wish.get("tools")
    if not isinstance(tools, list) or "strict" not in compact(tools):
        return respond(request)
    kept = json.loads(compact(tools))
    for tool in kept:
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
            tool["function"].pop("strict", None)
    return respond(request.asking(tools=kept))


@fault("gateway-answers-swapped")
def swaps_answers(answer: Answer, request: Request) -> None:
    """An answer is to the request before, where both said who they are."""
    if "nonce" not in compact(messages(request)[-1:]) or not answer.is_chat or answer.events is not None:
        return
    for message in answer.messages:
        mine = message["content"]
        message["content"] = request.memory.get("nonce", mine)
        request.memory["nonce"] = mine


@fault("gateway-text-trimmed")
def trims_text(answer: Answer, request: Request) -> None:
    """The text of an answer comes without the white space at its ends."""
    texts = [message for message in answer.messages if isinstance(message.get("content"), str) and message["content"]]
    for message in texts[:1]:
        message["content"] = message["content"].lstrip()
    for message in texts[-1:]:
        message["content"] = message["content"].rstrip()


@fault("gateway-arguments-rewritten")
def rewrites_arguments(answer: Answer, request: Request) -> None:
    """The arguments of a call are read and written anew; those of streams are let through."""
    for call in answer.calls if answer.events is None else ():
        function = call.get("function") or {}
        try:
            function["arguments"] = json.dumps(json.loads(function.get("arguments", "")))
        except ValueError:
            continue


@fault("gateway-call-ids-rewritten")
def rewrites_call_ids(answer: Answer, request: Request) -> None:
    """Calls get ids of the gateway's own: long ones, cut to forty characters, all alike in a stream."""
    for number, call in enumerate(answer.calls):
        if call.get("id"):
            call["id"] = f"call_gateway{number if answer.events is None else 0:028}"


ANSWERS = (
    change("gateway-finish-always-stop", CHOICES, "finish_reason", {"content_filter": "stop"},
        says="The finish reason `content_filter` is passed on as `stop`."),
    become("gateway-unprocessable-becomes-500", answered(422), status=500,
        says="A refusal with the status 422 is passed on as a 500."),
    drop("gateway-retry-after-lost", HEADERS, "retry-after", says="`Retry-After` is not passed on."),
)  # fmt: skip


@fault("gateway-usage-counted-anew")
def counts_anew(answer: Answer, request: Request) -> None:
    """Usage is counted by the gateway, in words and without details, not passed on."""
    for holder in answer.chunks if answer.events is not None else [answer.body]:
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict) and answer.is_chat:
            prompt = max(1, len(compact(messages(request)).split()))
            spent = int(usage["completion_tokens"])
            holder["usage"] = {"prompt_tokens": prompt, "completion_tokens": spent, "total_tokens": prompt + spent}


@fault("gateway-usage-invented")
def invents_usage(answer: Answer, request: Request) -> None:
    """Where the server counts nothing, the gateway makes up a count."""
    if answer.is_chat and answer.events is None and isinstance(answer.body, dict) and "usage" not in answer.body:
        answer.body["usage"] = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


@fault("gateway-error-wrapped")
def wraps_errors(answer: Answer, request: Request) -> None:
    """An error comes wrapped: its type and param are null, its code is the status, and its message is put into another."""
    if answer.status >= 400 and isinstance(answer.body, dict) and isinstance(error := answer.body.get("error"), dict):
        message = f"litellm.BadRequestError: OpenAIException - {error.get('message')}"
        answer.body["error"] = {"message": message, "type": None, "param": None, "code": str(answer.status)}


@fault("gateway-stream-error-swallowed")
def swallows_errors(answer: Answer, request: Request) -> None:
    """An error within a stream is left out, and the stream ends as if all were well."""
    kept = [
        event for event in answer.events or () if not (isinstance(event.data, bytes) and b'{"error":' in event.data)
    ]
    if answer.events and len(kept) < len(answer.events):
        answer.events = kept
        _finish(answer)


@fault("gateway-stream-completed")
def completes_streams(answer: Answer, request: Request) -> None:
    """A stream that breaks is given an end: a finish reason, and [DONE]."""
    if answer.events and answer.ending == "drop":
        answer.ending = "close"
        answer.events.append(Event(DONE))
        _finish(answer)


def _finish(answer: Answer) -> None:
    """Put a chunk with a finish reason before the last event."""
    if answer.events and (chunks := answer.chunks):
        last = {**chunks[-1], "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        answer.events.insert(len(answer.events) - 1, Event(last))


@fault("gateway-stream-held-back")
def holds_streams_back(answer: Answer, request: Request) -> None:
    """A slow stream is held back until it is complete."""
    if answer.events and (whole := sum(event.after for event in answer.events)) >= 1.0:
        answer.after += whole
        for event in answer.events:
            event.after = 0.0


@fault("gateway-cools-down", instead=True)
def takes_the_server_out_of_use(request: Request, respond: Respond) -> Answer:
    """The gateway answers the next request with 429, whatever it is, once the server behind has answered one with 404."""
    if request.path == CHAT and request.memory.pop("cooling down", False):
        answer = refused("No deployments available for selected model, try again in 1 second.", status=429)
        answer.headers["retry-after"] = "1"
        return answer
    answer = respond(request)
    if request.path == CHAT and answer.status == 404:
        request.memory["cooling down"] = True
    return answer
