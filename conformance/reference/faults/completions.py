"""Planted faults: the older interface gone wrong, in its answers, its streams, and what it takes no notice of."""

from __future__ import annotations

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import (
    COMPLETED,
    COMPLETION,
    COMPLETIONS,
    a,
    alter,
    as_stream,
    as_whole,
    ask,
    asking,
    change,
    drop,
    given,
    has,
    on,
    put,
    refuse,
    refused,
    without,
)

PIECES = as_stream(COMPLETION)
CHOSEN = as_whole(COMPLETED)
"""Choices of whole answers."""
STREAMED = as_stream(COMPLETED)
LOGGED = CHOSEN.under("logprobs")
HERE = on(COMPLETIONS)


# Prompts


PROMPTS = (
    refuse("completions-arrays-refused", when=HERE & given("prompt", a(list)), message="Only one prompt is supported",
        says="Several prompts in one request are refused."),
    ask("completions-first-prompt-only", lambda request: request.asking(prompt=request.wish["prompt"][0]),
        when=HERE & given("prompt", lambda prompt: isinstance(prompt, list) and prompt and isinstance(prompt[0], str)),
        says="Of several prompts only the first is completed."),
)  # fmt: skip


# The answer


ANSWERS = (
    alter("completions-text-in-message", CHOSEN,
        lambda choice: choice.update(message={"role": "assistant", "content": choice.pop("text")}),
        says="The text is in a message, as in a chat."),
    put("completions-finish-stop-always", CHOSEN, finish_reason="stop",
        says="A text that the cap cut off has the finish reason `stop`."),
    drop("completions-logprobs-absent", CHOSEN.where(lambda choice: choice["logprobs"] is None), "logprobs",
        says="A choice has no member `logprobs`."),
    put("completions-offsets-missing", LOGGED, text_offset=[], says="The array of offsets is empty."),
    change("completions-logprobs-probabilities", LOGGED, "token_logprobs", lambda values: [0.9 for _ in values],
        says="The `token_logprobs` are probabilities, not logarithms."),
    change("completions-tokens-are-ids", LOGGED, "tokens",
        lambda tokens: [f"token_id:{place}" for place, _ in enumerate(tokens)],
        says="The tokens of log probabilities are written as ids."),
)  # fmt: skip


@fault("completions-mixed-up")
def mixes_up_prompts(answer: Answer, request: Request) -> None:
    """The texts for several prompts come in the order in which they were done."""
    found = list(CHOSEN(answer, request))
    for choice, text in zip(found, [choice["text"] for choice in reversed(found)], strict=True):
        choice["text"] = text


# What is asked for, and ignored


IGNORED = (
    *(
        ask(f"completions-{name}-ignored", without(name), when=HERE, after=200,
            says=f"`{name}` is checked, and ignored.")
        for name in ("n", "max_tokens", "stop", "echo", "suffix", "logprobs")
    ),
    ask("completions-best_of-ignored", without("best_of"), when=HERE, says="`best_of` is not even looked at."),
    refuse("completions-echo-422", when=HERE & has("echo"), message="Bad request",
        says="`echo` is refused, and the refusal does not name it."),
)  # fmt: skip


@fault("completions-logprobs-of-chat")
def gives_logprobs_of_chat(answer: Answer, request: Request) -> None:
    """Log probabilities come in the form that chats have."""
    for choice in CHOSEN(answer, request):
        if choice["logprobs"]:
            rows = zip(choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"], strict=True)
            choice["logprobs"] = {"content": [{"token": token, "logprob": value} for token, value in rows]}


# Refusals


@fault("completions-wrong-taken", instead=True)
def takes_anything(request: Request, respond: Respond) -> Answer:
    """A member of a wrong type is ignored."""
    answer = respond(request)
    if request.path == COMPLETIONS and answer.status == 400 and request.wish:
        plain = {name: ... for name in request.wish if name not in ("model", "prompt", "stream")}
        prompt = request.wish.get("prompt")
        return respond(request.asking(**plain, prompt=prompt if isinstance(prompt, str) else str(prompt)))
    return answer


# Streams


STREAMS = (
    ask("completions-stream-never", asking(stream=..., stream_options=...), when=HERE & given("stream", bool),
        says="A request for a stream is answered with a whole answer."),
    put("completions-stream-finish-missing", STREAMED, finish_reason=None,
        says="No piece of a stream has a finish reason."),
    put("completions-stream-finish-always", STREAMED, finish_reason="stop",
        says="Every piece of a stream has the finish reason `stop`."),
    put("completions-stream-last-lost", STREAMED.having("text")[-1:], text="",
        says="The last text of a stream is lost."),
)  # fmt: skip


@fault("completions-stream-done-missing")
def forgets_done(answer: Answer, request: Request) -> None:
    """The stream has no `[DONE]`."""
    if PIECES(answer, request) and answer.events:
        answer.events.pop()


@fault("completions-stream-of-chat")
def streams_deltas(answer: Answer, request: Request) -> None:
    """The pieces of a stream are those of a chat, with deltas."""
    for piece in PIECES(answer, request):
        piece["object"] = "chat.completion.chunk"
        for choice in piece["choices"]:
            choice["delta"] = {"content": choice.pop("text")}


@fault("completions-stream-text-whole")
def repeats_the_text(answer: Answer, request: Request) -> None:
    """Each piece of a stream has all of the text so far."""
    so_far: dict[int, str] = {}
    for choice in STREAMED(answer, request):
        so_far[choice["index"]] = choice["text"] = so_far.get(choice["index"], "") + choice["text"]


@fault("completions-stream-usage-absent")
def keeps_usage_to_itself(answer: Answer, request: Request) -> None:
    """The usage of a stream does not come, though it was asked for."""
    if PIECES(answer, request) and answer.events:
        answer.events[:] = [
            event for event in answer.events if not isinstance(event.data, dict) or event.data["choices"]
        ]
        for piece in PIECES(answer, request):
            piece.pop("usage", None)


# What is legal


@fault("completions-extras-refused", instead=True, legal=True)
def refuses_extras(request: Request, respond: Respond) -> Answer:
    """What only some models can do is refused by name: `echo`, `suffix`, `best_of`, `logprobs`, `n`."""
    for name in ("echo", "suffix", "best_of", "logprobs", "n"):
        if request.path == COMPLETIONS and name in request.wish:
            return refused(f"'{name}' is not supported", param=name)
    return respond(request)


@fault("completions-more-members", legal=True)
def says_more(answer: Answer, request: Request) -> None:
    """Choices have a stop reason and log probabilities of the prompt, as vLLM's have, and there is no fingerprint."""
    for body in COMPLETION(answer, request):
        body.pop("system_fingerprint", None)
        body["kv_transfer_params"] = None
        for choice in body["choices"]:
            choice |= {"stop_reason": None, "prompt_logprobs": None}


@fault("completions-stream-in-one-piece", legal=True)
def streams_in_one_piece(answer: Answer, request: Request) -> None:
    """A stream is one piece with all of the text and the finish reason."""
    found = PIECES(answer, request)
    indices = {choice["index"] for choice in (choice for piece in found for choice in piece["choices"])}
    if not found or answer.events is None or len(indices) != 1:
        return
    texts = "".join(choice["text"] for choice in (choice for piece in found for choice in piece["choices"]))
    last = next(piece for piece in found if any(choice["finish_reason"] for choice in piece["choices"]))
    last["choices"][0]["text"] = texts
    answer.events[:] = [
        event
        for event in answer.events
        if not isinstance(event.data, dict) or event.data is last or not event.data["choices"]
    ]


@fault("completions-stream-filter-first", legal=True)
def begins_with_filters(answer: Answer, request: Request) -> None:
    """A stream begins with a piece without choices that tells what a filter thinks of the prompt, as Azure's does."""
    found = PIECES(answer, request)
    if found and answer.events is not None:
        first = {
            **found[0],
            "choices": [],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
        }
        answer.events.insert(0, Event(first))
