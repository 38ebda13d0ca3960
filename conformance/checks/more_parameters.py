"""Optional parameters whose effect does not show, or hardly: whether they are looked at, taken, or refused.

That a value which does not exist is refused says that a parameter is looked at; that it is accepted, that it is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from conformance.checks.parameters import REPEATED, only, scattered, served
from conformance.core.check import REPLY, Check, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import MAY, NOTE, SPEC, Level, Reference
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
"""What the notes of this file say of a parameter."""


def looked_at(name: str, level: Level, spec: Reference) -> Check:
    """A check that a parameter with a few known values is looked at, where it is taken at all."""

    def judge(x: Exchange, oddly: Exchange) -> Findings:
        yield from only(x, name)
        if x.ok and oddly.ok:
            yield Finding(
                "value-does-not-exist-accepted",
                "a value that does not exist is accepted",
                expected="4xx",
                found=oddly.status,
                on=oddly.key,
            )
        elif x.ok and oddly.status is not None and oddly.status >= 500:
            found = oddly.status
            yield Finding(
                "value-does-not-exist-server",
                "a value that does not exist is a server error",
                expected="4xx",
                found=found,
                on=oddly.key,
            )

    judge.__doc__ = f"Each known value of `{name}` is taken or refused, and one that does not exist is refused."
    identity = f"parameters.{name.replace('_', '-')}-is-honoured-or-refused"
    return check(identity, level, sends=of_choice(name), needs=REPLY, spec=spec, examples=len(CHOICES[name]))(judge)


reasoning_effort = looked_at(
    "reasoning_effort",
    MAY,
    SPEC.at(
        "ReasoningEffort",
        "Currently supported values are `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, and `max`.",
    ),
)
verbosity = looked_at(
    "verbosity", MAY, SPEC.at("Verbosity", "Currently supported values are `low`, `medium`, and `high`.")
)
prompt_cache_retention = looked_at(
    "prompt_cache_retention",
    MAY,
    SPEC.at("CreateChatCompletionRequest.prompt_cache_retention", "enum: [in_memory, 24h]"),
)
modalities = looked_at(
    "modalities", MAY, SPEC.at("ResponseModalities", "Output types that you would like the model to generate.")
)


def _subject(x: Exchange, names: Iterable[str]) -> str:
    """The parameter that a request is about."""
    return next(name for name in names if name in x.probe.wish)


@check("parameters.levels-are-felt", NOTE, sends=levels, needs=REPLY, examples=2)
def levels_are_felt(low: Exchange, high: Exchange) -> Findings:
    """Whether a high `reasoning_effort` makes for more thoughts than a low one, a high `verbosity` for more words."""
    name = _subject(low, ("reasoning_effort", "verbosity"))
    yield from served((low, high), name)
    thoughts = [x.usage["completion_tokens_details"]["reasoning_tokens"].value for x in (low, high)]
    words = [len(x.choice.text.split()) for x in (low, high)]
    less, more = thoughts if name == "reasoning_effort" else words
    felt = isinstance(less, int) and isinstance(more, int) and more > 1.3 * less
    yield Observed(HONOURED if felt else ACCEPTED, name)


@check("parameters.hints-are-taken", NOTE, sends=hints, needs=REPLY, examples=len(HINTS))
def hints_are_taken(x: Exchange) -> Findings:
    """What becomes of each hint: accepted, with whatever effect, or refused by name; a prediction may be counted."""
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
"""An answer that is to be kept, looked up, and taken away again."""


@check("parameters.stored-answers-can-be-read", NOTE, sends=STORED, needs=REPLY, waits=2.0)
def stored_answers_can_be_read(x: Exchange, read: Exchange, gone: Exchange) -> Findings:
    """Whether an answer with `store` and `metadata` can be read again under its id; it is deleted afterwards."""
    kept = read.ok and read.json["id"].value == x.json["id"].value
    yield Observed(HONOURED if kept else IGNORED, "store")
    yield Observed(HONOURED if kept and read.json["metadata"].value == PURPOSE else ACCEPTED, "metadata")


def _effect(name: str, without: tuple[Exchange, ...], with_: tuple[Exchange, ...]) -> str:
    """What a parameter that OpenAI does not have does to these answers; "" where they do not show it."""
    texts = [[x.choice.text.strip() for x in xs] for xs in (without, with_)]
    if name in ("top_k", "min_p"):
        return "" if not scattered(without) else IGNORED if scattered(with_) else HONOURED
    if name == "min_tokens":
        spent = with_[0].usage["completion_tokens"].value
        return (HONOURED if spent >= 48 else IGNORED) if isinstance(spent, int) else ""
    if name in ("structured_outputs", "guided_choice"):
        return HONOURED if texts[1] == ["ENFORCED"] else IGNORED
    if max(Counter(texts[0][0].split()).values(), default=0) < REPEATED:
        return ""
    return IGNORED if texts[0] == texts[1] else HONOURED


@check("parameters.extensions", NOTE, sends=extensions, needs=REPLY, examples=len(EXTENSIONS))
def extensions_are_known(*xs: Exchange) -> Findings:
    """What becomes of parameters that OpenAI does not have and several servers do: honoured, ignored, or refused."""
    name = _subject(xs[-1], EXTENSIONS)
    with_ = tuple(x for x in xs if name in x.probe.wish)
    without = tuple(x for x in xs if name not in x.probe.wish)
    if not all(x.ok for x in without):
        yield Unwitnessed("the request is not answered without it either")
    elif not all(x.ok for x in with_):
        yield Observed(REFUSED if all(x.status is not None and x.status < 500 for x in with_) else "server error", name)
    elif effect := _effect(name, without, with_):
        yield Observed(effect, name)
