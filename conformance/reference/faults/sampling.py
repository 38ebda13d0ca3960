"""Planted faults: what becomes of sampling parameters and limits. Most are ignored, the silent way to be wrong."""

from __future__ import annotations

from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.shape import whole
from conformance.reference.wrong import Wrong

_WIDE = 2**63  # what does not fit into 64 bits


def refuse(message: str, param: str | None = None, status: int = 400) -> Answer:
    """A refusal as the reference server has them, with headers, in other words."""
    answer = Wrong(message, param=param, status=status).answer()
    answer.headers = {"content-type": "application/json", "x-request-id": "req_planted"}
    return answer


def crash(message: str = "Internal server error") -> Answer:
    """A server error in OpenAI's form, so that the status is all that is wrong with it."""
    answer = refuse(message, status=500)
    answer.body["error"]["type"] = "server_error"
    return answer


def ignoring(identity: str, title: str, *members: str) -> Fault:
    """A server that checks these members of a request, and then takes no notice of them."""

    def sin(request: Request, respond: Respond) -> Answer:
        present = {name: ... for name in members if name in request.wish}
        answer = respond(request)
        return respond(request.asking(**present)) if present and answer.status == 200 else answer

    sin.__doc__ = title
    return fault(identity, instead=True)(sin)


def _texts(answer: Answer) -> list[dict[str, Any]]:
    """The messages of a whole answer that have text."""
    return [one for one in answer.messages if isinstance(one.get("content"), str)] if whole(answer) else []


# Stop strings

ignores_stops = ignoring("stop-string-ignored", "`stop` is accepted and ignored.", "stop")


@fault("stop-string-included", instead=True)
def keeps_the_stop_string(request: Request, respond: Respond) -> Answer:
    """The text ends with the stop string that ended it."""
    answer, stop = respond(request), request.wish.get("stop")
    if not stop or not answer.is_chat:
        return answer
    full = respond(request.asking(stop=..., stream=...))
    text = "".join(message.get("content") or "" for message in answer.messages)
    rest = str(full.messages[0].get("content") or "").removeprefix(text) if full.is_chat else ""
    hit = next((one for one in ([stop] if isinstance(stop, str) else stop) if one and rest.startswith(one)), "")
    if hit and answer.events is None:
        answer.messages[0]["content"] += hit
    elif hit and answer.events is not None:
        last = next(event for event in reversed(answer.events) if _finishes(event))
        last.data["choices"][0]["delta"] = {"content": hit}
    return answer


def _finishes(event: Event) -> bool:
    return isinstance(event.data, dict) and any(choice["finish_reason"] for choice in event.data["choices"])


@fault("stop-cuts-too-early")
def cuts_a_word_too_much(answer: Answer, request: Request) -> None:
    """Where a stop string ends the text, the word before it is lost as well."""
    for message in _texts(answer):
        if request.wish.get("stop") and answer.choices[0]["finish_reason"] == "stop":
            message["content"] = message["content"].rstrip().rpartition(" ")[0]


@fault("stop-finish-reason-other")
def ends_stopped_answers_for_another_reason(answer: Answer, request: Request) -> None:
    """An answer that a stop string ended has the finish_reason `eos`."""
    for choice in answer.choices:
        if request.wish.get("stop") and choice["finish_reason"] == "stop":
            choice["finish_reason"] = "eos"


@fault("stop-list-500", instead=True)
def falls_over_lists_of_stops(request: Request, respond: Respond) -> Answer:
    """A list of stop strings is a server error."""
    return crash() if isinstance(request.wish.get("stop"), list) else respond(request)


# Caps

ignores_caps = ignoring(
    "gateway-max_tokens-dropped", "Caps are dropped on the way to the model.", "max_tokens", "max_completion_tokens"
)
ignores_the_old_cap = ignoring(
    "max_tokens-ignored", "Only max_completion_tokens is read, not max_tokens.", "max_tokens"
)


@fault("sagemaker-max_tokens-overridden", instead=True)
def has_a_cap_of_its_own(request: Request, respond: Respond) -> Answer:
    """Any cap becomes 16, the default of the engine behind."""
    caps = [name for name in ("max_tokens", "max_completion_tokens") if isinstance(request.wish.get(name), int)]
    answer = respond(request)
    return respond(request.asking(**dict.fromkeys(caps, 16))) if caps and answer.status == 200 else answer


@fault("max_completion_tokens-rejected", instead=True)
def knows_only_the_old_cap(request: Request, respond: Respond) -> Answer:
    """`max_completion_tokens` is refused as an extra input."""
    if request.wish.get("max_completion_tokens") is not None:
        return refuse("Extra inputs are not permitted: max_completion_tokens", "max_completion_tokens")
    return respond(request)


@fault("max-tokens-cap-reported-stop")
def calls_cut_off_answers_complete(answer: Answer, request: Request) -> None:
    """An answer that the cap cut off has the finish_reason `stop`."""
    for choice in answer.choices:
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "stop"


@fault("cap-changes-the-text")
def says_something_shorter(answer: Answer, request: Request) -> None:
    """Under a cap the model says something else, as if it had been asked to be brief."""
    for message in _texts(answer):
        if request.wish.get("max_completion_tokens"):
            message["content"] = "In short" + message["content"][8:]


# Choices, seeds, biases

ignores_n = ignoring("n-ignored", "`n` is ignored: one choice comes.", "n")


@fault("n-numbered-from-1")
def counts_choices_from_one(answer: Answer, request: Request) -> None:
    """Where several choices come, they are numbered from 1."""
    for choice in answer.choices:
        choice["index"] += int(request.wish.get("n") or 1) > 1


@fault("seed-ignored", instead=True)
def draws_another_seed(request: Request, respond: Respond) -> Answer:
    """The seed is ignored: each request draws one of its own."""
    if not isinstance(request.wish.get("seed"), int):
        return respond(request)
    request.memory["seeds"] = request.memory.get("seeds", 0) + 1
    return respond(request.asking(seed=request.memory["seeds"]))


ignores_biases = ignoring("logit_bias-ignored", "`logit_bias` is accepted and ignored.", "logit_bias")


@fault("logit_bias-format-array-only", instead=True)
def reads_biases_from_arrays_only(request: Request, respond: Respond) -> Answer:
    """`logit_bias` is read as an array of pairs only; an object is no bias at all."""
    bias = request.wish.get("logit_bias")
    if isinstance(bias, list) and bias:
        return respond(request.asking(logit_bias={str(one[0]): one[1] for one in bias}))
    return respond(request.asking(logit_bias=...) if isinstance(bias, dict) else request)


# Values


@fault("sse-stop-at-top_p-1", instead=True)
def wants_top_p_below_one(request: Request, respond: Respond) -> Answer:
    """`top_p` has to be above 0 and below 1, both excluded."""
    if request.wish.get("top_p") in (0, 1):
        return refuse("`top_p` must be > 0.0 and < 1.0", "top_p", 422)
    return respond(request)


@fault("params-unsupported-500", instead=True)
def falls_over_seeds(request: Request, respond: Respond) -> Answer:
    """A seed that the provider does not support is a server error."""
    if request.wish.get("seed") is None:
        return respond(request)
    answer = crash("litellm.UnsupportedParamsError: ollama does not support parameters: ['seed']")
    answer.body["error"]["type"] = None
    return answer


@fault("null-members-refused", instead=True)
def takes_null_for_a_value(request: Request, respond: Respond) -> Answer:
    """A member that is null is refused."""
    for name, value in request.wish.items():
        if value is None and name not in ("model", "messages"):
            return refuse(f"Input should be a valid number: {name}", name)
    return respond(request)


@fault("negative-penalty-500", instead=True)
def falls_over_negative_penalties(request: Request, respond: Respond) -> Answer:
    """A penalty below 0 is a server error."""
    penalties = [request.wish.get(f"{name}_penalty") for name in ("frequency", "presence")]
    return crash() if any(isinstance(one, float) and -2 <= one < 0 for one in penalties) else respond(request)


@fault("hints-500", instead=True)
def falls_over_hints(request: Request, respond: Respond) -> Answer:
    """Members that only OpenAI has are a server error."""
    return crash() if {"metadata", "store", "service_tier"} & request.wish.keys() else respond(request)


@fault("wide-integers-500", instead=True)
def counts_in_64_bits(request: Request, respond: Respond) -> Answer:
    """An integer of more than 64 bits is a server error."""
    wide = [one for one in request.wish.values() if isinstance(one, int) and not -_WIDE <= one < _WIDE]
    return crash("int too large to convert") if wide else respond(request)


# What a server may do


@fault("max_tokens-huge-accepted", instead=True, legal=True)
def gives_what_fits(request: Request, respond: Respond) -> Answer:
    """A cap beyond the window counts as no cap."""
    caps = [name for name in ("max_tokens", "max_completion_tokens") if isinstance(request.wish.get(name), int)]
    huge = {name: ... for name in caps if 4000 < request.wish[name] < _WIDE}
    return respond(request.asking(**huge) if huge else request)


@fault("penalty-range-unvalidated", instead=True, legal=True)
def takes_any_penalty(request: Request, respond: Respond) -> Answer:
    """Penalties beyond -2 to 2 are taken for the nearest in that range."""
    wish = request.wish
    known = [name for name in ("frequency_penalty", "presence_penalty") if isinstance(wish.get(name), (int, float))]
    kept = {name: max(-2, min(2, wish[name])) for name in known}
    return respond(request.asking(**kept) if kept else request)


DEFAULTS: dict[str, Any] = {"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0}
"""What one may always ask for: it is what one gets anyhow."""


def refusing(identity: str, title: str, *members: str) -> Fault:
    """A server that says which of these members it does not support, with other values than the default."""

    def sin(request: Request, respond: Respond) -> Answer:
        for name in members:
            if request.wish.get(name) is not None and request.wish[name] != DEFAULTS.get(name, ...):
                return refuse(f"The {name} parameter is not currently supported", name)
        return respond(request)

    sin.__doc__ = title
    return fault(identity, instead=True, legal=True)(sin)


refuses_stops = refusing("stop-not-supported-error", "`stop` is refused by its name.", "stop")
refuses_choice = refusing(
    "sampling-refused",
    "What shapes the answer is refused by name, as reasoning models do.",
    *DEFAULTS,
    "seed",
    "logit_bias",
    "stop",
)


@fault("one-choice-only", instead=True, legal=True)
def makes_one_choice(request: Request, respond: Respond) -> Answer:
    """More than one choice is refused by name."""
    n = request.wish.get("n")
    return refuse("Only n = 1 is supported", "n") if isinstance(n, int) and n > 1 else respond(request)


@fault("seed-mostly", instead=True, legal=True)
def repeats_itself_mostly(request: Request, respond: Respond) -> Answer:
    """One answer in three with the same seed is another one: a batch was computed otherwise."""
    if not isinstance(request.wish.get("seed"), int):
        return respond(request)
    request.memory["mostly"] = request.memory.get("mostly", 0) + 1
    return respond(request.asking(seed=7) if request.memory["mostly"] % 3 == 0 else request)


@fault("thoughts-use-up-the-cap", legal=True)
def thinks_until_the_cap(answer: Answer, request: Request) -> None:
    """Under a small cap all tokens go into thoughts: the content is empty, the finish_reason `length`."""
    body = whole(answer)
    caps = [request.wish.get(name) for name in ("max_tokens", "max_completion_tokens")]
    if body and any(isinstance(cap, int) and cap < 64 for cap in caps):
        for choice in body["choices"]:
            choice["message"]["content"], choice["finish_reason"] = "", "length"
