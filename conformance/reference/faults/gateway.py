"""Planted faults of gateways: what gets lost, mended or made up between a client and the server behind.

Each wraps the reference server as a gateway would: it changes the request on the way in, or the answer on the way out.
"""

from __future__ import annotations

import json
from typing import Any

from conformance.reference.answer import DONE, Answer, Event, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.rows import CHAT, refused


def messages_of(request: Request) -> list[dict[str, Any]]:
    """The messages of a request, as far as they are some."""
    messages = request.wish.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


@fault("gateway-seed-dropped", instead=True)
def drops_seed(request: Request, respond: Respond) -> Answer:
    """The gateway leaves the seed out of what it passes on."""
    return respond(request.asking(seed=...) if "seed" in request.wish else request)


@fault("gateway-temperature-rounded", instead=True)
def rounds_temperature(request: Request, respond: Respond) -> Answer:
    """The gateway passes on the temperature with one decimal."""
    value = request.wish.get("temperature")
    return respond(request.asking(temperature=round(value, 1)) if isinstance(value, float) else request)


@fault("gateway-system-merged", instead=True)
def merges_system(request: Request, respond: Respond) -> Answer:
    """The gateway puts the system message in front of the user's, and passes on one message."""
    messages = messages_of(request)
    if len(messages) < 2 or messages[0].get("role") != "system" or not isinstance(messages[1].get("content"), str):
        return respond(request)
    first = {**messages[1], "content": f"{messages[0].get('content')}\n{messages[1]['content']}"}
    return respond(request.asking(messages=[first, *messages[2:]]))


@fault("gateway-messages-trimmed", instead=True)
def trims_messages(request: Request, respond: Respond) -> Answer:
    """The gateway takes the white space off both ends of every message."""
    messages = messages_of(request)
    if not any(isinstance(one.get("content"), str) and one["content"] != one["content"].strip() for one in messages):
        return respond(request)
    trimmed = [
        {**one, "content": one["content"].strip()} if isinstance(one.get("content"), str) else one for one in messages
    ]
    return respond(request.asking(messages=trimmed))


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
    if "nonce" not in compact(messages_of(request)[-1:]) or not answer.is_chat or answer.events is not None:
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


@fault("gateway-finish-always-stop")
def always_stops(answer: Answer, request: Request) -> None:
    """A content filter's end is passed on as a natural one."""
    for choice in answer.choices:
        if choice.get("finish_reason") == "content_filter":
            choice["finish_reason"] = "stop"


@fault("gateway-usage-counted-anew")
def counts_anew(answer: Answer, request: Request) -> None:
    """Usage is counted by the gateway, in words and without details, not passed on."""
    for holder in answer.chunks if answer.events is not None else [answer.body]:
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict) and answer.is_chat:
            prompt = max(1, len(compact(messages_of(request)).split()))
            spent = int(usage["completion_tokens"])
            holder["usage"] = {"prompt_tokens": prompt, "completion_tokens": spent, "total_tokens": prompt + spent}


@fault("gateway-usage-invented")
def invents_usage(answer: Answer, request: Request) -> None:
    """Where the server counts nothing, the gateway makes up a count."""
    if answer.is_chat and answer.events is None and isinstance(answer.body, dict) and "usage" not in answer.body:
        answer.body["usage"] = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


@fault("gateway-unprocessable-becomes-500")
def hides_refusals(answer: Answer, request: Request) -> None:
    """A refusal of the kind 422 is passed on as an internal error."""
    if answer.status == 422:
        answer.status = 500


@fault("gateway-error-wrapped")
def wraps_errors(answer: Answer, request: Request) -> None:
    """An error comes wrapped: its type and param are null, its code is the status, and its message is put into another."""
    if answer.status >= 400 and isinstance(answer.body, dict) and isinstance(error := answer.body.get("error"), dict):
        message = f"litellm.BadRequestError: OpenAIException - {error.get('message')}"
        answer.body["error"] = {"message": message, "type": None, "param": None, "code": str(answer.status)}


@fault("gateway-retry-after-lost")
def loses_retry_after(answer: Answer, request: Request) -> None:
    """`Retry-After` is not passed on."""
    answer.headers.pop("retry-after", None)


@fault("gateway-stream-error-swallowed")
def swallows_errors(answer: Answer, request: Request) -> None:
    """An error within a stream is left out, and the stream ends as if all were well."""
    kept = [one for one in answer.events or () if not (isinstance(one.data, bytes) and b'{"error":' in one.data)]
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
