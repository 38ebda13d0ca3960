"""What shapes an answer: stop strings, several choices, seeds, biases, penalties.

A parameter is honoured, refused by name, or silently ignored; the last is a violation. Which values parameters take,
and how long an answer may get, is in `sampling_limits`; what has to be refused is in `invalid`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import COUNT, GREEDY, chat
from conformance.probes.streams import GREEDY_COUNT

area = Area("sampling")

TWO = chat(temperature=1, n=2)
"""Some servers refuse several choices at temperature 0, which may be their default: so it is 1."""
STOPPED = COUNT.asking(stop=["17", "30"])
SEEDED = chat("Tell me about the sea", temperature=1, seed=42)
SHORT = GREEDY.asking(max_completion_tokens=4)
FORCED = SHORT.asking(logit_bias={"1234": 100})

STOP = SPEC.at(
    "StopConfiguration",
    "Up to 4 sequences where the API will stop generating further tokens. "
    "The returned text will not contain the stop sequence.",
)


def refusal(x: Exchange) -> dict[str, Any]:
    """What was expected of a request that is not answered, and what came instead: for a finding."""
    return {"expected": "2xx", "found": {"status": x.status, "message": message(x)}}


def served(x: Exchange) -> Findings:
    """A finding where a valid request is not answered. Raises Unsupported where a member of it is refused by name."""
    if feature := named(x):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if not x.ok:
        yield Finding("not-answered", "A valid request is not answered", **refusal(x))


@area.must("requests-are-accepted", sends=each(GREEDY, STOPPED, TWO, SEEDED, FORCED), needs=REPLY, spec=STOP)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with a valid sampling parameter is answered, or refused by that parameter's name."""
    yield from served(x)


_numbers = st.integers(5, 39).map(str)
_stops = st.one_of(
    _numbers,
    st.lists(_numbers, min_size=1, max_size=4, unique=True),
    st.integers(5, 38).map(lambda number: f"{number} {number + 1}"),
)
"""Strings that occur in a count to forty: one, several, and some that no tokenizer has as one token."""


def _parted(text: str, x: Exchange) -> tuple[str, str, str]:
    """The text before the first stop string of a request, that string, and the text after it: like `str.partition`."""
    stop = x.probe.wish["stop"]
    stops = [stop] if isinstance(stop, str) else stop
    first = min((stop for stop in stops if stop in text), key=lambda stop: (text.find(stop), stop), default=None)
    return text.partition(first) if first else (text, "", "")


@area.must(
    "stop-ends-the-text",
    sends=_stops.map(lambda stop: COUNT.asking(stop=stop)),
    requires="stop",
    spec=STOP,
    remedy="Cut the text at the stop string in the client.",
)
def stop_ends_the_text(x: Exchange) -> Findings:
    """Nothing follows a stop string."""
    _, stop, after = _parted(x.choice.text, x)
    if after.strip():
        yield Finding("text-goes-on", "The text goes on after a stop string", expected=stop, found=(stop + after)[:80])


@area.must("stop-is-left-out", sends=STOPPED, requires="stop", spec=STOP)
def stop_is_left_out(x: Exchange) -> Findings:
    """The text that is returned does not contain the stop string that ended it."""
    before, stop, after = _parted(x.choice.text, x)
    if stop and not after.strip():
        yield Finding("ends-with-stop", "The text ends with the stop string", expected=before, found=x.choice.text)


@area.must(
    "stopped-ends-with-stop",
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
        raise Unwitnessed("the answer does not end right before a stop string")
    if x.choice.finish_reason and x.choice.finish_reason != "stop":
        yield Finding(
            "other-finish-reason",
            "The `finish_reason` of a stopped answer is not `stop`",
            expected="stop",
            found=x.choice.finish_reason,
        )


@area.should(
    "stop-cuts-the-same-text",
    sends=(GREEDY_COUNT, GREEDY_COUNT.asking(stop=["17", "30"])),
    requires="stop",
    spec=STOP,
)
def stop_cuts_the_same_text(whole: Exchange, cut: Exchange) -> Findings:
    """At temperature 0, a stopped answer is the beginning of the one without the stop, up to the stop string."""
    before, stop, _ = _parted(whole.choice.text, cut)
    if not stop or cut.choice.finish_reason == "length":
        raise Unwitnessed("the answer has no stop string in it")
    expected, text = before.strip(), cut.choice.text.strip()
    if text != expected and not _parted(text, cut)[1]:
        yield Finding(
            "text-differs",
            "The stopped answer differs from the text before the stop string",
            expected=expected,
            found=text,
            on=cut.key,
        )


@area.must(
    "n-choices-come",
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
        yield Finding("too-few-choices", "Fewer choices come than were asked for", expected=2, found=len(found))
    elif found != [0, 1]:
        yield Finding("not-numbered-from-0", "The choices are not numbered from 0", expected=[0, 1], found=found)


@area.should(
    "seed-repeats-the-answer",
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
    texts = [x.choice.text for x in repeated]
    if not any(texts):
        raise Unwitnessed("every answer is empty")
    times = max(Counter(texts).values())
    yield Observed(f"{times} of {len(repeated)}", "the same answer")
    if times == 1:
        yield Finding("all-differ", "All answers with the same seed differ", expected=texts[0], found=texts[1:])


@area.note("greedy-is-steady", sends=(GREEDY, GREEDY.again(1)))
def greedy_is_steady(x: Exchange, again: Exchange) -> Findings:
    """Whether the same request at temperature 0 gives the same answer."""
    yield Observed(x.choice.text == again.choice.text, "the same answer")


@area.must(
    "logit-bias-is-felt",
    sends=(SHORT, FORCED),
    requires="logit_bias",
    spec=SPEC.at(
        "CreateChatCompletionRequest.logit_bias",
        "values like -100 or 100 should result in a ban or exclusive selection of the relevant token.",
    ),
)
def logit_bias_is_felt(free: Exchange, forced: Exchange) -> Findings:
    """A bias of 100 leaves the model only that token: the answer changes."""
    if not free.choice.text.strip():
        raise Unwitnessed("the answer without a bias has no text")
    if forced.choice.text == free.choice.text:
        yield Finding(
            "no-effect",
            "The answer is the same as without the bias",
            found=forced.choice.text,
            on=forced.key,
        )


@area.note("penalties-are-felt", sends=(GREEDY_COUNT, GREEDY_COUNT.asking(frequency_penalty=2)))
def penalties_are_felt(free: Exchange, penalised: Exchange) -> Findings:
    """Whether a frequency penalty of 2 changes a long count, in which some tokenizers repeat tokens."""
    yield Observed(free.choice.text != penalised.choice.text, "the answer changes")
