"""Planted faults: what becomes of sampling parameters and limits. Most are ignored, the silent way to be wrong."""

from __future__ import annotations

from typing import Any

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import (
    CHOICES,
    CHOSEN,
    SPOKEN,
    a,
    ask,
    change,
    crash,
    given,
    has,
    refuse,
    refused,
    whole,
    without,
)

CAPS = ("max_tokens", "max_completion_tokens")
DEFAULTS: dict[str, Any] = {"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0}
"""What one may always ask for: it is what one gets anyhow."""

# Parameters that make no difference, or are not known


def refusing(identity: str, *names: str, says: str) -> Fault:
    """The server refuses these parameters by name, with other values than the default."""

    def sin(request: Request, respond: Respond) -> Answer:
        for name in names:
            if request.wish.get(name) is not None and request.wish[name] != DEFAULTS.get(name, ...):
                return refused(f"The {name} parameter is not currently supported", name)
        return respond(request)

    return fault(identity, instead=True, legal=True, says=says)(sin)


IGNORED = (
    ask("stop-string-ignored", without("stop"), after=200, says="`stop` is accepted and ignored."),
    ask("gateway-max_tokens-dropped", without(*CAPS), after=200, says="Caps are dropped on the way to the model."),
    ask("max_tokens-ignored", without("max_tokens"), after=200,
        says="Only `max_completion_tokens` is read, not `max_tokens`."),
    ask("n-ignored", without("n"), after=200, says="`n` is ignored: there is one choice."),
    ask("logit_bias-ignored", without("logit_bias"), after=200, says="`logit_bias` is accepted and ignored."),
)  # fmt: skip
UNSUPPORTED = (
    refusing("stop-not-supported-error", "stop", says="`stop` is refused by its name."),
    refusing("sampling-refused", *DEFAULTS, "seed", "logit_bias", "stop",
        says="What shapes the answer is refused by name, as reasoning models do."),
)  # fmt: skip


# Ends of answers


@fault("stop-string-included", instead=True)
def keeps_the_stop_string(request: Request, respond: Respond) -> Answer:
    """The text ends with the stop string that ended it."""
    answer, stop = respond(request), request.wish.get("stop")
    if not stop or not answer.is_chat:
        return answer
    full = respond(request.asking(stop=..., stream=...))
    text = "".join(message.get("content") or "" for message in answer.messages)
    rest = str(full.messages[0].get("content") or "").removeprefix(text) if full.is_chat else ""
    hit = next((text for text in ([stop] if isinstance(stop, str) else stop) if text and rest.startswith(text)), "")
    if hit and answer.events is None:
        answer.messages[0]["content"] += hit
    elif hit and answer.events is not None:
        last = next(event for event in reversed(answer.events) if _finishes(event))
        last.data["choices"][0]["delta"] = {"content": hit}
    return answer


def _finishes(event: Event) -> bool:
    return isinstance(event.data, dict) and any(choice["finish_reason"] for choice in event.data["choices"])


STOPPED = CHOSEN.where(lambda choice: choice["finish_reason"] == "stop")


ENDS = (
    change("stop-cuts-too-early", STOPPED.under("message").texts("content"), "content",
        lambda text: text.rstrip().rpartition(" ")[0], when=given("stop", bool),
        says="Where a stop string ends the text, the word before it is lost as well."),
    change("stop-finish-reason-other", CHOICES, "finish_reason", {"stop": "eos"}, when=given("stop", bool),
        says="An answer that a stop string ended has the finish reason `eos`."),
    change("max-tokens-cap-reported-stop", CHOICES, "finish_reason", {"length": "stop"},
        says="An answer that the cap cut off has the finish reason `stop`."),
    change("cap-changes-the-text", SPOKEN.texts("content"), "content", lambda text: "In short" + text[8:],
        when=given("max_completion_tokens", bool),
        says="Under a cap the model says something else, as if it had been asked to be brief."),
)  # fmt: skip


# Values

_WIDE = 2**63  # what does not fit into 64 bits


def _negative(parameter: tuple[str, Any]) -> bool:
    """Whether this is a penalty below 0."""
    name, value = parameter
    return name in ("frequency_penalty", "presence_penalty") and isinstance(value, float) and -2 <= value < 0


VALUES = (
    crash("stop-list-500", when=given("stop", a(list)), says="A list of stop strings is a server error."),
    refuse("max_completion_tokens-rejected", when=given("max_completion_tokens"),
        message="Extra inputs are not permitted: max_completion_tokens", param="max_completion_tokens",
        says="`max_completion_tokens` is refused as an extra input."),
    refuse("sse-stop-at-top_p-1", when=given("top_p", lambda top: top in (0, 1)),
        message="`top_p` must be > 0.0 and < 1.0", param="top_p", status=422,
        says="`top_p` has to be above 0 and below 1: 0 and 1 are refused."),
    refuse("params-unsupported-500", when=given("seed"),
        message="litellm.UnsupportedParamsError: ollama does not support parameters: ['seed']", status=500, kind=None,
        says="A seed that the provider does not support is a server error."),
    crash("hints-500", when=has("metadata", "store", "service_tier"),
        says="Parameters that only OpenAI has are a server error."),
    crash("negative-penalty-500", when=lambda request: any(map(_negative, request.wish.items())),
        says="A penalty below 0 is a server error."),
    crash("wide-integers-500",
        when=lambda request: any(isinstance(value, int) and not -_WIDE <= value < _WIDE for value in request.wish.values()),
        message="int too large to convert", says="An integer of more than 64 bits is a server error."),
    refuse("one-choice-only", when=given("n", lambda n: isinstance(n, int) and n > 1),
        message="Only n = 1 is supported", param="n", says="More than one choice is refused by name.", legal=True),
)  # fmt: skip


@fault("sagemaker-max_tokens-overridden", instead=True)
def has_a_cap_of_its_own(request: Request, respond: Respond) -> Answer:
    """Any cap becomes 16, the default of the engine behind."""
    caps = [name for name in CAPS if isinstance(request.wish.get(name), int)]
    answer = respond(request)
    return respond(request.asking(**dict.fromkeys(caps, 16))) if caps and answer.status == 200 else answer


@fault("seed-ignored", instead=True)
def draws_another_seed(request: Request, respond: Respond) -> Answer:
    """The seed is ignored: each request draws one of its own."""
    if not isinstance(request.wish.get("seed"), int):
        return respond(request)
    request.memory["seeds"] = request.memory.get("seeds", 0) + 1
    return respond(request.asking(seed=request.memory["seeds"]))


@fault("logit_bias-format-array-only", instead=True)
def reads_biases_from_arrays_only(request: Request, respond: Respond) -> Answer:
    """`logit_bias` is read as an array of pairs only; an object is no bias at all."""
    bias = request.wish.get("logit_bias")
    if isinstance(bias, list) and bias:
        return respond(request.asking(logit_bias={str(pair[0]): pair[1] for pair in bias}))
    return respond(request.asking(logit_bias=...) if isinstance(bias, dict) else request)


@fault("null-members-refused", instead=True)
def takes_null_for_a_value(request: Request, respond: Respond) -> Answer:
    """A member that is null is refused."""
    for name, value in request.wish.items():
        if value is None and name not in ("model", "messages"):
            return refused(f"Input should be a valid number: {name}", name)
    return respond(request)


# What a server may do


@fault("max_tokens-huge-accepted", instead=True, legal=True)
def gives_what_fits(request: Request, respond: Respond) -> Answer:
    """A cap beyond the window counts as no cap."""
    caps = [name for name in CAPS if isinstance(request.wish.get(name), int)]
    huge = {name: ... for name in caps if 4000 < request.wish[name] < _WIDE}
    return respond(request.asking(**huge) if huge else request)


@fault("penalty-range-unvalidated", instead=True, legal=True)
def takes_any_penalty(request: Request, respond: Respond) -> Answer:
    """Penalties beyond -2 to 2 are taken for the nearest in that range."""
    wish = request.wish
    known = [name for name in ("frequency_penalty", "presence_penalty") if isinstance(wish.get(name), (int, float))]
    kept = {name: max(-2, min(2, wish[name])) for name in known}
    return respond(request.asking(**kept) if kept else request)


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
    caps = [request.wish.get(name) for name in CAPS]
    if body and any(isinstance(cap, int) and cap < 64 for cap in caps):
        for choice in body["choices"]:
            choice["message"]["content"], choice["finish_reason"] = "", "length"
