"""What a server may do with its answers although most do not: checks stay silent on it.

How the bytes of answers travel is in `wire`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.calls import streamed
from conformance.reference.rows import BODIES, bodies, change, exactly, given, messages, refuse, refused, whole

FURTHER: dict[str, Any] = {"x_vendor": {"id": 7, "tags": ["a", None, 1.5]}, "x_note": None}
SKEW = 240
"""Seconds that a clock may be wrong."""


def values(answer: Answer) -> Iterator[dict[str, Any]]:
    """Every JSON object that an answer is made of: its body, or the data of its events."""
    if isinstance(answer.body, dict):
        yield answer.body
    yield from answer.objects


def everywhere(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The value with every object in it changed, the innermost first."""
    if isinstance(value, list):
        return [everywhere(item, change) for item in value]
    if isinstance(value, dict):
        return change({name: everywhere(one, change) for name, one in value.items()})
    return value


def rewrite(answer: Answer, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change every object of an answer, whole or streamed, a success or an error."""
    if isinstance(answer.body, dict):
        answer.body = everywhere(answer.body, change)
    for event in answer.events or ():
        event.data = everywhere(event.data, change)


def another(chunk: dict[str, Any], delta: dict[str, Any]) -> Event:
    """A chunk of the same stream, for the same choices, with another delta."""
    made = deepcopy(chunk)
    for choice in made["choices"]:
        choice.update(delta=dict(delta), finish_reason=None)
        if choice.get("logprobs") is not None:
            choice["logprobs"] = None
    return Event(made)


@fault("members-added-everywhere", legal=True)
def adds_members_everywhere(answer: Answer, request: Request) -> None:
    """Every object has members that the contract does not know: answers, chunks, calls, counts, models, errors."""
    rewrite(answer, lambda value: {**value, **FURTHER})


@fault("members-in-another-order-everywhere", legal=True)
def turns_members_round(answer: Answer, request: Request) -> None:
    """The members of every object, also of chunks and of errors, come in another order."""
    rewrite(answer, lambda value: dict(sorted(value.items(), reverse=True)))


@fault("optional-members-absent", legal=True)
def leaves_members_out(answer: Answer, request: Request) -> None:
    """Whole answers have only what clients cannot do without: no fingerprint, no tier, no refusal, no null."""
    if not (body := whole(answer)):
        return
    for name in ("system_fingerprint", "service_tier"):
        body.pop(name, None)
    for choice in answer.choices:
        if choice.get("logprobs") is None:
            choice.pop("logprobs", None)
        message = choice["message"]
        message.pop("annotations", None)
        if message.get("refusal") is None:
            message.pop("refusal", None)


@fault("optional-members-null", legal=True)
def fills_in_nulls(answer: Answer, request: Request) -> None:
    """Whole answers have null for every optional member that there is nothing to say about."""
    if not (body := whole(answer)):
        return
    body.update(system_fingerprint=None, service_tier=None, metadata=None)
    for message in answer.messages:
        for name in ("tool_calls", "function_call", "audio", "reasoning_content"):
            message.setdefault(name, None)
        if not message["tool_calls"]:
            message["annotations"] = None
    usage = body.get("usage")
    if isinstance(usage, dict):
        for name in ("prompt_tokens_details", "completion_tokens_details"):
            usage.setdefault(name, None)


@fault("text-by-character", legal=True)
def spells_text(answer: Answer, request: Request) -> None:
    """Every delta of a stream has one character, of a text or of arguments; log probabilities come with the first."""
    kept: list[Event] = []
    for event in answer.events or ():
        kept += _by_character(event) if isinstance(event.data, dict) else [event]
    if answer.events is not None:
        answer.events = kept


def _by_character(event: Event) -> list[Event]:
    """A chunk of one choice as one chunk a character; any other as it is."""
    choices = event.data.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or choices[0].get("finish_reason") is not None:
        return [event]
    delta = choices[0].get("delta") or {}
    calls = delta.get("tool_calls")
    holder = calls[0].get("function") if isinstance(calls, list) and len(calls) == 1 and "id" not in calls[0] else None
    name, text = ("arguments", holder.get("arguments")) if holder else ("content", delta.get("content"))
    if (holder is None and set(delta) != {"content"}) or not isinstance(text, str) or len(text) < 2:
        return [event]
    made = []
    for place, letter in enumerate(text):
        piece = deepcopy(event.data)
        choice = piece["choices"][0]
        (choice["delta"]["tool_calls"][0]["function"] if holder else choice["delta"])[name] = letter
        if place and choice.get("logprobs") is not None:
            choice["logprobs"] = None
        made.append(Event(piece, event.after if place == 0 else 0.0))
    return made


@fault("empty-deltas-between", legal=True)
def pauses_with_empty_deltas(answer: Answer, request: Request) -> None:
    """Chunks without anything new come between those of a stream: an empty delta, an empty text, null."""
    kept: list[Event] = []
    empty: tuple[dict[str, Any], ...] = ({}, {"content": ""}, {"content": None})
    for number, event in enumerate(answer.events or ()):
        kept.append(event)
        if event.choices and all(choice.get("finish_reason") is None for choice in event.choices):
            kept.append(another(event.data, empty[number % len(empty)]))
    if answer.events is not None:
        answer.events = kept


@fault("finish-chunk-with-empty-text", legal=True)
def ends_with_empty_text(answer: Answer, request: Request) -> None:
    """The delta beside the finish reason has an empty text, and an empty list of calls."""
    for choice in answer.choices if answer.events is not None else ():
        if choice.get("finish_reason") is not None:
            choice["delta"] = {"content": "", "tool_calls": [], **choice["delta"]}


@fault("ids-of-a-gateway", legal=True)
def has_ids_of_a_gateway(answer: Answer, request: Request) -> None:
    """Ids of answers have colons and slashes; calls are numbered through a conversation: `functions.get_weather:0`."""
    for body in bodies(answer):
        body["id"] = f"gen-1799999999/eu:{body['id']}=="
    earlier = sum(len(message.get("tool_calls") or ()) for message in messages(request))
    for number, call in enumerate((call for call in answer.calls if call.get("id")), earlier):
        call["id"] = f"functions.{call.get('function', {}).get('name', 'custom')}:{number}"


@fault("ids-long", legal=True)
def has_long_ids(answer: Answer, request: Request) -> None:
    """Ids of answers and calls have 90 characters."""
    for body in bodies(answer):
        body["id"] = f"{body['id']}-{'0' * 90}"[:90]
    for call in answer.calls:
        if call.get("id"):
            call["id"] = "toolu_" + hashlib.sha512(call["id"].encode()).hexdigest()[:84]


DATED = BODIES.where(lambda body: isinstance(body.get("created"), int))


CLOCKS = (
    change("clock-ahead", DATED, "created", lambda created: created + SKEW,
        says="The server's clock is four minutes ahead.", legal=True),
    change("clock-behind", DATED, "created", lambda created: created - SKEW,
        says="The server's clock is four minutes behind.", legal=True),
)  # fmt: skip


@fault("text-begins-with-a-line", legal=True)
def begins_with_a_line(answer: Answer, request: Request) -> None:
    """The model begins its answers with a line break, as many do after their thoughts."""
    begun: set[int] = set()
    for choice in answer.choices if answer.is_chat else ():
        message = choice.get("delta" if streamed(answer) else "message") or {}
        index = choice.get("index", 0)
        if message.get("content") and index not in begun and not isinstance(choice.get("logprobs"), dict):
            message["content"] = "\n" + message["content"]
            begun.add(index)


@fault("usage-is-rough", legal=True)
def counts_the_template(answer: Answer, request: Request) -> None:
    """Every prompt costs some tokens more than its words: a hidden system prompt and the template."""
    for body in values(answer):
        usage = body.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
            usage["prompt_tokens"] += 31
            usage["total_tokens"] += 31


@fault("many-models", legal=True)
def lists_many_models(answer: Answer, request: Request) -> None:
    """The list has two hundred models, with slashes, colons and dots in their names, before the one under test."""
    if answer.status == 200 and request.path.endswith("/models"):
        one = answer.body["data"][:1]
        more = [{**entry, "id": f"org/model-{number}:v1.{number}"} for number in range(200) for entry in one]
        answer.body["data"] = more + answer.body["data"]


@fault("fingerprint-changes", legal=True)
def answers_from_many_machines(answer: Answer, request: Request) -> None:
    """Every answer comes from another backend: the fingerprints differ, and so does the tier."""
    name = hashlib.sha256(request.body).hexdigest()[:10]
    for body in bodies(answer):
        body.update(system_fingerprint=f"fp_{name}", service_tier="default")


@fault("error-type-of-its-own", legal=True)
def has_its_own_types_of_errors(answer: Answer, request: Request) -> None:
    """Errors have other types, a status within, and a link to a page about them."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        error.update(type="InvalidRequestException", status=answer.status, doc_url="https://example.com/errors/1")
        answer.body["error"] = error


NEEDED = {"model", "messages", "prompt", "input", "stream", "max_completion_tokens"}
DEFAULTS = {"temperature": 1, "top_p": 1, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}


@fault("optional-parameters-refused", legal=True, instead=True)
def does_the_least(request: Request, respond: Respond) -> Answer:
    """Every parameter that is not needed is refused by name, unless it is null or has its default value."""
    answer = respond(request)
    for name, value in request.wish.items() if answer.status == 200 else ():
        if name not in NEEDED and value is not None and value != DEFAULTS.get(name):
            return refused(f"Unsupported parameter: '{name}' is not supported with this model.", name)
    return answer


REFUSALS = (
    refuse("streams-refused", when=given("stream", exactly(True)), after=200,
        message="Unsupported value: 'stream' does not support true with this model.", param="stream",
        says="Streams are refused by name.", legal=True),
    refuse("old-cap-refused", when=given("max_tokens"), after=200,
        message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", param="max_tokens",
        says="`max_tokens` is refused by name, and `max_completion_tokens` is said to be the one to use.", legal=True),
)  # fmt: skip
