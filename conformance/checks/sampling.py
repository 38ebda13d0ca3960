"""What shapes an answer: stop strings, several choices, seeds, biases, penalties.

A parameter is honoured, refused by name, or silently ignored; the last is a violation. Which values parameters take,
and how long an answer may get, is in `limits`; what has to be refused is in `invalid`.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.message import Choice
from conformance.core.requirement import MUST, NOTE, SHOULD, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import COUNT, GREEDY, chat
from conformance.probes.streams import GREEDY_COUNT

TWO = chat(temperature=1, n=2)
"""Some servers refuse several choices where nothing is left to chance, which may be their default."""
STOPPED = COUNT.asking(stop=["17", "30"])
SEEDED = chat("Tell me about the sea", temperature=1, seed=42)
SHORT = GREEDY.asking(max_completion_tokens=4)
FORCED = SHORT.asking(logit_bias={"1234": 100})

STOP = SPEC.at(
    "StopConfiguration",
    "Up to 4 sequences where the API will stop generating further tokens. "
    "The returned text will not contain the stop sequence.",
)


def _served(x: Exchange) -> Findings:
    """A valid request is answered, or the refusal says which member it is about."""
    if x.ok:
        return
    feature = named(x)
    if feature:
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    else:
        yield Finding(
            "valid-request-not-answered",
            "a valid request is not answered",
            expected="2xx",
            found={"status": x.status, "message": message(x)},
        )


@check(
    "sampling.requests-are-accepted",
    MUST,
    sends=each(GREEDY, STOPPED, TWO, SEEDED, FORCED),
    needs=REPLY,
    spec=STOP,
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with a valid sampling parameter is answered, or refused by that parameter's name."""
    yield from _served(x)


_numbers = st.integers(5, 39).map(str)
_stops = st.one_of(
    _numbers,
    st.lists(_numbers, min_size=1, max_size=4, unique=True),
    st.integers(5, 38).map(lambda number: f"{number} {number + 1}"),
)
"""Strings that occur in a count to forty: one, several, and such as no tokenizer has in one piece."""


def _stops_of(x: Exchange) -> list[str]:
    stop = x.probe.wish["stop"]
    return [stop] if isinstance(stop, str) else list(stop)


def _first(text: str, stops: list[str]) -> tuple[int, str]:
    """Where the first stop string of a text begins, and which it is; (-1, "") where there is none."""
    return min(((text.find(stop), stop) for stop in stops if stop in text), default=(-1, ""))


@check(
    "sampling.stop-ends-the-text",
    MUST,
    sends=_stops.map(lambda stop: COUNT.asking(stop=stop)),
    requires="stop",
    examples=8,
    spec=STOP,
    remedy="Cut the text at the stop string in the client.",
)
def stop_ends_the_text(x: Exchange) -> Findings:
    """Nothing follows a stop string."""
    at, stop = _first(x.choice.text, _stops_of(x))
    if at >= 0 and x.choice.text[at + len(stop) :].strip():
        yield Finding(
            "text-goes-after-stop-string",
            "the text goes on after a stop string",
            expected=stop,
            found=x.choice.text[at : at + 80],
        )


@check(
    "sampling.stop-is-left-out",
    MUST,
    sends=STOPPED,
    requires="stop",
    spec=STOP,
)
def stop_is_left_out(x: Exchange) -> Findings:
    """The text that is returned does not contain the stop string that ended it."""
    at, stop = _first(x.choice.text, _stops_of(x))
    if at >= 0 and not x.choice.text[at + len(stop) :].strip():
        yield Finding(
            "text-ends-stop-string",
            "the text ends with the stop string",
            expected=x.choice.text[:at],
            found=x.choice.text,
        )


@check(
    "sampling.stopped-ends-with-stop",
    MUST,
    sends=STOPPED,
    requires="stop",
    spec=SPEC.at(
        "CreateChatCompletionResponse.choices.finish_reason",
        "This will be `stop` if the model hit a natural stop point or a provided stop sequence",
    ),
)
def stopped_ends_with_stop(x: Exchange) -> Findings:
    """An answer that a stop string ended has the `finish_reason` `stop`."""
    if not x.choice.text.rstrip(" ,\n").endswith("16"):
        yield Unwitnessed("the answer does not end right before a stop string")
    elif x.choice.finish_reason and x.choice.finish_reason != "stop":
        yield Finding(
            "stopped-answer-ends-another-reason",
            "a stopped answer ends with another reason",
            expected="stop",
            found=x.choice.finish_reason,
        )


@check(
    "sampling.stop-cuts-the-same-text",
    SHOULD,
    sends=(GREEDY_COUNT, GREEDY_COUNT.asking(stop=["17", "30"])),
    requires="stop",
    spec=STOP,
)
def stop_cuts_the_same_text(whole: Exchange, cut: Exchange) -> Findings:
    """At temperature 0, a stopped answer is the beginning of the one without the stop, up to the stop string."""
    at, _ = _first(whole.choice.text, _stops_of(cut))
    if at < 0 or cut.choice.finish_reason == "length":
        yield Unwitnessed("the answer has no stop string in it")
        return
    wanted, text = whole.choice.text[:at].strip(), cut.choice.text.strip()
    if text != wanted and _first(text, _stops_of(cut))[0] < 0:
        yield Finding(
            "stopped-answer-not-text-before",
            "the stopped answer is not the text before the stop string",
            expected=wanted,
            found=text,
            on=cut.key,
        )


@check(
    "sampling.n-choices-come",
    MUST,
    sends=TWO,
    requires="chat.n",
    spec=SPEC.at(
        "CreateChatCompletionRequest.n", "How many chat completion choices to generate for each input message."
    ),
    remedy="Send the request n times.",
)
def n_choices_come(x: Exchange) -> Findings:
    """`n` choices come for `n: 2`, numbered from 0."""
    found = sorted(x.choices)
    if len(found) < 2:
        yield Finding(
            "fewer-choices-come-than-asked", "fewer choices come than were asked for", expected=2, found=len(found)
        )
    elif found != [0, 1]:
        yield Finding(
            "choices-not-numbered-from-0", "the choices are not numbered from 0", expected=[0, 1], found=found
        )


def _steady(choices: list[Choice]) -> tuple[int, str]:
    """How often the most frequent text occurs, and that text."""
    text, times = Counter(choice.text for choice in choices).most_common(1)[0]
    return times, text


@check(
    "sampling.seed-repeats-the-answer",
    SHOULD,
    sends=(SEEDED, SEEDED.again(1), SEEDED.again(2)),
    requires="seed",
    spec=SPEC.at(
        "CreateChatCompletionRequest.seed",
        "our system will make a best effort to sample deterministically, such that repeated requests with the same "
        "`seed` and parameters should return the same result.",
    ),
)
def seed_repeats_the_answer(*repeated: Exchange) -> Findings:
    """The same seed gives the same answer, most of the time."""
    times, text = _steady([x.choice for x in repeated])
    yield Observed(f"{times} of {len(repeated)}", "the same answer")
    if not text and times == len(repeated):
        yield Unwitnessed("every answer is empty")
    elif times == 1:
        found = [x.choice.text for x in repeated]
        yield Finding(
            "no-two-answers-same-seed",
            "no two answers with the same seed are the same",
            expected=found[0],
            found=found[1:],
        )


@check("sampling.greedy-is-steady", NOTE, sends=(GREEDY, GREEDY.again(1)))
def greedy_is_steady(one: Exchange, other: Exchange) -> Findings:
    """Whether the same request at temperature 0 gives the same answer."""
    yield Observed(one.choice.text == other.choice.text, "the same answer")


@check(
    "sampling.logit-bias-is-felt",
    MUST,
    sends=(SHORT, FORCED),
    requires="logit_bias",
    spec=SPEC.at(
        "CreateChatCompletionRequest.logit_bias",
        "values like -100 or 100 should result in a ban or exclusive selection of the relevant token.",
    ),
)
def logit_bias_is_felt(free: Exchange, forced: Exchange) -> Findings:
    """A bias of 100 leaves the model no other token: the answer changes."""
    if not free.choice.text.strip():
        yield Unwitnessed("the answer without a bias has no text")
    elif forced.choice.text == free.choice.text:
        yield Finding(
            "answer-same-without-bias",
            "the answer is the same as without the bias",
            found=forced.choice.text,
            on=forced.key,
        )


@check("sampling.penalties-are-felt", NOTE, sends=(GREEDY_COUNT, GREEDY_COUNT.asking(frequency_penalty=2)))
def penalties_are_felt(free: Exchange, penalised: Exchange) -> Findings:
    """Whether a frequency penalty of 2 changes a long count, in which a tokenizer may or may not repeat tokens."""
    yield Observed(free.choice.text != penalised.choice.text, "the answer changes")
