"""Optional parameters with little or no visible effect: whether they are read, accepted, or refused.

A server that refuses an unknown value reads the parameter; one that accepts it does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from conformance.checks.parameters import REPEATED, accepted_or_refused, all_differ, need_answers, texts
from conformance.core.check import REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import SPEC
from conformance.judging.refusal import named
from conformance.probes.chat import get
from conformance.probes.parameters import (
    CHOICES,
    EXTENSIONS,
    HINTS,
    IDENTITY,
    PURPOSE,
    TO_STORE,
    extensions,
    hints,
    levels,
    of_choice,
)

ACCEPTED, HONOURED, IGNORED, REFUSED = "accepted", "honoured", "ignored", "refused"
"""What the notes of this file say of a parameter: `conformance/parameters.py` reads them."""

area = Area("parameters", needs=REPLY)


def _subject(x: Exchange, names: Iterable[str]) -> str:
    """The parameter that a request is about."""
    return next(name for name in names if name in x.probe.wish)


def unknown_value_is_refused(x: Exchange, unknown: Exchange) -> Findings:
    """Where a known value of a parameter is accepted, an unknown one is refused."""
    yield from accepted_or_refused(x, _subject(x, CHOICES))
    if x.ok and unknown.ok:
        yield Finding("accepted", "An unknown value is accepted", expected="4xx", found=unknown.status, on=unknown.key)
    elif x.ok and unknown.crashed:
        yield Finding(
            "server-error", "An unknown value is a server error", expected="4xx", found=unknown.status, on=unknown.key
        )


KNOWN_VALUES = (
    area.may(
        "reasoning-effort-is-honoured-or-refused",
        title="Each known value of `reasoning_effort` is accepted or refused by name, and an unknown one is refused.",
        sends=of_choice("reasoning_effort"),
        examples=len(CHOICES["reasoning_effort"]),
        spec=SPEC.at(
            "ReasoningEffort",
            "Currently supported values are `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, and `max`.",
        ),
    )(unknown_value_is_refused),
    area.may(
        "verbosity-is-honoured-or-refused",
        title="Each known value of `verbosity` is accepted or refused by name, and an unknown one is refused.",
        sends=of_choice("verbosity"),
        examples=len(CHOICES["verbosity"]),
        spec=SPEC.at("Verbosity", "Currently supported values are `low`, `medium`, and `high`."),
    )(unknown_value_is_refused),
    area.may(
        "prompt-cache-retention-is-honoured-or-refused",
        title="Each known value of `prompt_cache_retention` is accepted or refused by name, an unknown one is refused.",
        sends=of_choice("prompt_cache_retention"),
        examples=len(CHOICES["prompt_cache_retention"]),
        spec=SPEC.at("CreateChatCompletionRequest.prompt_cache_retention", "enum: [in_memory, 24h]"),
    )(unknown_value_is_refused),
    area.may(
        "modalities-is-honoured-or-refused",
        title="Each known value of `modalities` is accepted or refused by name, and an unknown one is refused.",
        sends=of_choice("modalities"),
        examples=len(CHOICES["modalities"]),
        spec=SPEC.at("ResponseModalities", "Output types that you would like the model to generate."),
    )(unknown_value_is_refused),
)


@area.note("levels-are-felt", sends=levels, examples=2)
def levels_are_felt(low: Exchange, high: Exchange) -> Findings:
    """Whether a high `reasoning_effort` gives more thoughts than a low one, a high `verbosity` more words, is noted."""
    name = _subject(low, ("reasoning_effort", "verbosity"))
    need_answers((low, high), name)
    thoughts = [x.usage["completion_tokens_details"]["reasoning_tokens"].value for x in (low, high)]
    words = [len(x.choice.text.split()) for x in (low, high)]
    less, more = thoughts if name == "reasoning_effort" else words
    felt = isinstance(less, int) and isinstance(more, int) and more > 1.3 * less
    yield Observed(HONOURED if felt else ACCEPTED, name)


@area.note("hints-are-taken", sends=hints, examples=len(HINTS))
def hints_are_taken(x: Exchange) -> Findings:
    """Whether each hint is accepted or refused by name is noted; a prediction that is counted is honoured."""
    name = _subject(x, HINTS)
    counted = x.usage["completion_tokens_details"]["accepted_prediction_tokens"].value
    if not x.ok:
        yield Observed(REFUSED if named(x) == name else x.status, name)
    elif name == "prediction" and isinstance(counted, int) and counted > 0:
        yield Observed(HONOURED, name)
    else:
        yield Observed(ACCEPTED, name)


def _stored(x: Exchange) -> Probe | str:
    identity = x.json["id"].value
    if not x.ok or not isinstance(identity, str) or not IDENTITY.fullmatch(identity):
        return "there is no answer that could have been stored"
    return replace(get(f"chat/completions/{identity}"), pause=2.0)


def _deleted(_: Exchange, read: Exchange) -> Probe:
    return replace(read.probe, method="DELETE", pause=0.0)


STORED = TO_STORE.then(_stored, _deleted)
"""An answer that is stored, read again, and deleted."""


@area.note("stored-answers-can-be-read", sends=STORED, waits=2.0)
def stored_answers_can_be_read(x: Exchange, read: Exchange, _: Exchange) -> Findings:
    """Whether an answer with `store` and `metadata` can be read again by its id is noted; it is deleted afterwards."""
    kept = read.ok and read.json["id"].value == x.json["id"].value
    yield Observed(HONOURED if kept else IGNORED, "store")
    yield Observed(HONOURED if kept and read.json["metadata"].value == PURPOSE else ACCEPTED, "metadata")


def _effect(name: str, without: tuple[Exchange, ...], with_: tuple[Exchange, ...]) -> str | None:
    """What a parameter that OpenAI does not have does to these answers; None where they do not show it."""
    plain, changed = texts(without), texts(with_)
    match name:
        case "top_k" | "min_p":
            seen, honoured = all_differ(without), not all_differ(with_)
        case "min_tokens":
            spent = with_[0].usage["completion_tokens"].value
            seen = isinstance(spent, int)
            honoured = seen and spent >= 48
        case "structured_outputs" | "guided_choice":
            seen, honoured = True, changed == ["ENFORCED"]
        case _:  # a penalty, which shows in a text that repeats itself
            seen, honoured = max(Counter(plain[0].split()).values(), default=0) >= REPEATED, plain != changed
    return None if not seen else HONOURED if honoured else IGNORED


@area.note("extensions", sends=extensions, examples=len(EXTENSIONS))
def extensions_are_known(*xs: Exchange) -> Findings:
    """Whether parameters that several servers have, but not OpenAI, are honoured, ignored or refused is noted."""
    name = _subject(xs[-1], EXTENSIONS)
    with_ = tuple(x for x in xs if name in x.probe.wish)
    without = tuple(x for x in xs if name not in x.probe.wish)
    if not all(x.ok for x in without):
        raise Unwitnessed("the request is not answered without it either")
    if not all(x.ok for x in with_):
        yield Observed(REFUSED if all(x.status is not None and x.status < 500 for x in with_) else "server error", name)
    elif effect := _effect(name, without, with_):
        yield Observed(effect, name)
