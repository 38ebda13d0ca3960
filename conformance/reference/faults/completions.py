"""Planted faults: the older interface gone wrong, in its answers, its streams, and what it takes no notice of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.sampling import crash, refuse

ROUTE = "/v1/completions"


def bodies(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """The objects of an answer with completions, whole or streamed, to change in place; none for any other answer."""
    if request.path != ROUTE or answer.status != 200:
        return []
    return answer.objects if answer.events is not None else [answer.body]


def whole(answer: Answer, request: Request) -> Iterator[dict[str, Any]]:
    """The object of a whole answer."""
    yield from bodies(answer, request) if answer.events is None else ()


def pieces(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """The objects of a stream."""
    return bodies(answer, request) if answer.events is not None else []


def choices(holders: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The choices of objects."""
    for body in holders:
        yield from body["choices"]


# There is no such route, or it is broken


@fault("completions-absent", instead=True, legal=True)
def has_no_completions(request: Request, respond: Respond) -> Answer:
    """There is no older interface: 404, with an error object."""
    return refuse("Unknown route", status=404) if request.path == ROUTE else respond(request)


@fault("completions-absent-detail", instead=True, legal=True)
def has_no_completions_in_detail(request: Request, respond: Respond) -> Answer:
    """There is no older interface: 404, as FastAPI says it."""
    return Answer(404, body={"detail": "Not Found"}) if request.path == ROUTE else respond(request)


@fault("completions-of-no-chat-model", instead=True, legal=True)
def is_a_chat_model(request: Request, respond: Respond) -> Answer:
    """The older interface is refused for this model, which is made for chats."""
    if request.path == ROUTE:
        return refuse("This is a chat model and not supported in the v1/completions endpoint.")
    return respond(request)


@fault("completions-500", instead=True)
def cannot_complete(request: Request, respond: Respond) -> Answer:
    """Every prompt is a server error."""
    return crash("KeyError: 'messages'") if request.path == ROUTE else respond(request)


@fault("completions-arrays-refused", instead=True)
def takes_one_prompt(request: Request, respond: Respond) -> Answer:
    """Several prompts in one request are refused."""
    if request.path == ROUTE and isinstance(request.wish.get("prompt"), list):
        return refuse("Only one prompt is supported")
    return respond(request)


# The answer


@fault("completions-object-of-chat")
def takes_itself_for_a_chat(answer: Answer, request: Request) -> None:
    """The answer calls itself a chat completion."""
    for body in whole(answer, request):
        body["object"] = "chat.completion"


@fault("completions-text-in-message")
def answers_with_messages(answer: Answer, request: Request) -> None:
    """The text is in a message, as in a chat."""
    for choice in choices(whole(answer, request)):
        choice["message"] = {"role": "assistant", "content": choice.pop("text")}


@fault("completions-id-missing")
def has_no_id(answer: Answer, request: Request) -> None:
    """The answer has no id."""
    for body in whole(answer, request):
        del body["id"]


@fault("completions-created-milliseconds")
def counts_milliseconds(answer: Answer, request: Request) -> None:
    """The time of creation is in milliseconds."""
    for body in whole(answer, request):
        body["created"] *= 1000


@fault("completions-finish-eos")
def ends_in_its_own_words(answer: Answer, request: Request) -> None:
    """The finish reason is `eos_token`, or what else the engine calls it."""
    for choice in choices(bodies(answer, request)):
        if choice["finish_reason"] is not None:
            choice["finish_reason"] = "eos_token"


@fault("completions-finish-stop-always")
def always_says_stop(answer: Answer, request: Request) -> None:
    """A text that the cap cut off says that it came to its end."""
    for choice in choices(whole(answer, request)):
        choice["finish_reason"] = "stop"


@fault("completions-logprobs-absent")
def leaves_logprobs_out(answer: Answer, request: Request) -> None:
    """A choice has no member `logprobs`."""
    for choice in choices(whole(answer, request)):
        if choice["logprobs"] is None:
            del choice["logprobs"]


@fault("completions-index-all-zero")
def numbers_all_alike(answer: Answer, request: Request) -> None:
    """Every choice has the index 0."""
    for choice in choices(whole(answer, request)):
        choice["index"] = 0


@fault("completions-first-prompt-only", instead=True)
def completes_the_first(request: Request, respond: Respond) -> Answer:
    """Of several prompts only the first is completed."""
    prompt = request.wish.get("prompt")
    if request.path == ROUTE and isinstance(prompt, list) and prompt and isinstance(prompt[0], str):
        return respond(request.asking(prompt=prompt[0]))
    return respond(request)


@fault("completions-mixed-up")
def mixes_up_prompts(answer: Answer, request: Request) -> None:
    """The texts for several prompts come in the order in which they were done."""
    found = list(choices(whole(answer, request)))
    for choice, text in zip(found, [choice["text"] for choice in reversed(found)], strict=True):
        choice["text"] = text


@fault("completions-usage-total-wrong")
def sums_wrongly(answer: Answer, request: Request) -> None:
    """The total of the usage is that of the completion."""
    for body in whole(answer, request):
        body["usage"]["total_tokens"] = body["usage"]["completion_tokens"]


# What is asked for, and ignored


def _ignoring(identity: str, name: str) -> Fault:
    """A server that takes no notice of a member of requests to the older interface."""

    def sin(request: Request, respond: Respond) -> Answer:
        answer = respond(request)
        if request.path == ROUTE and name in request.wish and answer.status == 200:
            return respond(request.asking(**{name: ...}))
        return answer

    sin.__doc__ = f"`{name}` is checked, and ignored."
    return fault(identity, instead=True)(sin)


ignores_n = _ignoring("completions-n-ignored", "n")
ignores_the_cap = _ignoring("completions-max_tokens-ignored", "max_tokens")
ignores_stop = _ignoring("completions-stop-ignored", "stop")
ignores_echo = _ignoring("completions-echo-ignored", "echo")
ignores_the_suffix = _ignoring("completions-suffix-ignored", "suffix")
ignores_logprobs = _ignoring("completions-logprobs-ignored", "logprobs")


@fault("completions-best_of-ignored", instead=True)
def ignores_best_of(request: Request, respond: Respond) -> Answer:
    """`best_of` is not even looked at."""
    return respond(request.asking(best_of=...) if request.path == ROUTE and "best_of" in request.wish else request)


@fault("completions-echo-422", instead=True)
def refuses_without_a_name(request: Request, respond: Respond) -> Answer:
    """`echo` is refused, and the refusal does not say what for."""
    return refuse("Bad request") if request.path == ROUTE and "echo" in request.wish else respond(request)


@fault("completions-logprobs-of-chat")
def gives_logprobs_of_chat(answer: Answer, request: Request) -> None:
    """Log probabilities come in the form that chats have."""
    for choice in choices(whole(answer, request)):
        if choice["logprobs"]:
            rows = zip(choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"], strict=True)
            choice["logprobs"] = {"content": [{"token": token, "logprob": value} for token, value in rows]}


@fault("completions-offsets-missing")
def counts_no_offsets(answer: Answer, request: Request) -> None:
    """The array of offsets is empty."""
    for choice in choices(whole(answer, request)):
        if choice["logprobs"]:
            choice["logprobs"]["text_offset"] = []


@fault("completions-logprobs-probabilities")
def gives_probabilities(answer: Answer, request: Request) -> None:
    """What should be logarithms are probabilities."""
    for choice in choices(whole(answer, request)):
        if choice["logprobs"]:
            choice["logprobs"]["token_logprobs"] = [0.9 for _ in choice["logprobs"]["token_logprobs"]]


@fault("completions-tokens-are-ids")
def lists_ids(answer: Answer, request: Request) -> None:
    """The tokens of log probabilities are written as ids."""
    for choice in choices(whole(answer, request)):
        if choice["logprobs"]:
            choice["logprobs"]["tokens"] = [f"token_id:{place}" for place, _ in enumerate(choice["logprobs"]["tokens"])]


@fault("completions-token-each", instead=True)
def takes_tokens_for_prompts(request: Request, respond: Respond) -> Answer:
    """An array of tokens is taken for as many prompts as it has tokens."""
    prompt = request.wish.get("prompt")
    if request.path == ROUTE and isinstance(prompt, list) and prompt and all(type(one) is int for one in prompt):
        return respond(request.asking(prompt=[[one] for one in prompt]))
    return respond(request)


@fault("completions-tokens-500", instead=True)
def stumbles_over_tokens(request: Request, respond: Respond) -> Answer:
    """Tokens in the place of a text are a server error."""
    prompt = request.wish.get("prompt")
    if request.path == ROUTE and isinstance(prompt, list) and prompt and not isinstance(prompt[0], str):
        return crash("expected string or bytes-like object")
    return respond(request)


# Refusals


@fault("completions-wrong-taken", instead=True)
def takes_anything(request: Request, respond: Respond) -> Answer:
    """A member of a wrong type is ignored."""
    answer = respond(request)
    if request.path == ROUTE and answer.status == 400 and request.wish:
        plain = {name: ... for name in request.wish if name not in ("model", "prompt", "stream")}
        prompt = request.wish.get("prompt")
        return respond(request.asking(**plain, prompt=prompt if isinstance(prompt, str) else str(prompt)))
    return answer


@fault("completions-wrong-500", instead=True)
def crashes_on_wrong_members(request: Request, respond: Respond) -> Answer:
    """A member of a wrong type is a server error."""
    answer = respond(request)
    return crash("Internal error") if request.path == ROUTE and answer.status == 400 else answer


@fault("completions-errors-in-detail", instead=True)
def refuses_in_detail(request: Request, respond: Respond) -> Answer:
    """Refusals of this route lie under `detail`, with a 422."""
    answer = respond(request)
    if request.path == ROUTE and answer.status == 400:
        answer.status = 422
        answer.body = {"detail": [{"loc": ["body", "prompt"], "msg": "field required"}]}
    return answer


@fault("completions-any-model", instead=True)
def completes_for_any_name(request: Request, respond: Respond) -> Answer:
    """Any name of a model is answered, by the model that there is."""
    return respond(request.asking(model="reference") if request.path == ROUTE and "model" in request.wish else request)


# Streams


@fault("completions-stream-never", instead=True)
def never_streams(request: Request, respond: Respond) -> Answer:
    """A stream that is asked for comes as a whole answer."""
    if request.path == ROUTE and request.wish.get("stream"):
        return respond(request.asking(stream=..., stream_options=...))
    return respond(request)


@fault("completions-stream-done-missing")
def forgets_done(answer: Answer, request: Request) -> None:
    """The stream has no `[DONE]`."""
    if pieces(answer, request) and answer.events:
        answer.events.pop()


@fault("completions-stream-of-chat")
def streams_deltas(answer: Answer, request: Request) -> None:
    """The pieces of a stream are those of a chat, with deltas."""
    for piece in pieces(answer, request):
        piece["object"] = "chat.completion.chunk"
        for choice in piece["choices"]:
            choice["delta"] = {"content": choice.pop("text")}


@fault("completions-stream-ids-differ")
def names_each_piece(answer: Answer, request: Request) -> None:
    """Each piece of a stream has an id of its own."""
    for number, piece in enumerate(pieces(answer, request)):
        piece["id"] += str(number)


@fault("completions-stream-finish-missing")
def never_finishes(answer: Answer, request: Request) -> None:
    """No piece of a stream has a finish reason."""
    for choice in choices(pieces(answer, request)):
        choice["finish_reason"] = None


@fault("completions-stream-finish-always")
def always_finishes(answer: Answer, request: Request) -> None:
    """Every piece of a stream has the finish reason `stop`."""
    for choice in choices(pieces(answer, request)):
        choice["finish_reason"] = "stop"


@fault("completions-stream-last-lost")
def loses_the_last_text(answer: Answer, request: Request) -> None:
    """The last text of a stream is lost."""
    texts = [choice for choice in choices(pieces(answer, request)) if choice["text"]]
    if texts:
        texts[-1]["text"] = ""


@fault("completions-stream-text-whole")
def repeats_the_text(answer: Answer, request: Request) -> None:
    """Each piece of a stream has all of the text so far."""
    so_far: dict[int, str] = {}
    for choice in choices(pieces(answer, request)):
        so_far[choice["index"]] = choice["text"] = so_far.get(choice["index"], "") + choice["text"]


@fault("completions-stream-usage-absent")
def keeps_usage_to_itself(answer: Answer, request: Request) -> None:
    """The usage of a stream does not come, though it was asked for."""
    if pieces(answer, request) and answer.events:
        answer.events[:] = [one for one in answer.events if not isinstance(one.data, dict) or one.data["choices"]]
        for piece in pieces(answer, request):
            piece.pop("usage", None)


# What is legal


@fault("completions-extras-refused", instead=True, legal=True)
def refuses_extras(request: Request, respond: Respond) -> Answer:
    """What only some models can do is refused by name: `echo`, `suffix`, `best_of`, `logprobs`, `n`."""
    for name in ("echo", "suffix", "best_of", "logprobs", "n"):
        if request.path == ROUTE and name in request.wish:
            return refuse(f"'{name}' is not supported", param=name)
    return respond(request)


@fault("completions-tokens-refused", instead=True, legal=True)
def wants_texts(request: Request, respond: Respond) -> Answer:
    """Tokens in the place of a text are refused."""
    prompt = request.wish.get("prompt")
    if request.path == ROUTE and isinstance(prompt, list) and prompt and not isinstance(prompt[0], str):
        return refuse("'prompt' must be a string or an array of strings")
    return respond(request)


@fault("completions-more-members", legal=True)
def says_more(answer: Answer, request: Request) -> None:
    """Choices have a stop reason and log probabilities of the prompt, as vLLM's have, and there is no fingerprint."""
    for body in bodies(answer, request):
        body.pop("system_fingerprint", None)
        body["kv_transfer_params"] = None
        for choice in body["choices"]:
            choice |= {"stop_reason": None, "prompt_logprobs": None}


@fault("completions-stream-in-one-piece", legal=True)
def streams_in_one_piece(answer: Answer, request: Request) -> None:
    """A stream is one piece with all of the text and the finish reason."""
    found = pieces(answer, request)
    indices = {choice["index"] for choice in choices(found)}
    if not found or answer.events is None or len(indices) != 1:
        return
    texts = "".join(choice["text"] for choice in choices(found))
    last = next(piece for piece in found if any(choice["finish_reason"] for choice in piece["choices"]))
    last["choices"][0]["text"] = texts
    answer.events[:] = [
        one for one in answer.events if not isinstance(one.data, dict) or one.data is last or not one.data["choices"]
    ]


@fault("completions-stream-filter-first", legal=True)
def begins_with_filters(answer: Answer, request: Request) -> None:
    """A stream begins with a piece without choices that tells what a filter thinks of the prompt, as Azure's does."""
    found = pieces(answer, request)
    if found and answer.events is not None:
        first = {
            **found[0],
            "choices": [],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
        }
        answer.events.insert(0, Event(first))
