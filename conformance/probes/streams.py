"""Requests for streams, and the whole answers that they are compared with, in prompts that the fixture model knows."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.core.probe import Probe
from conformance.probes.chat import GREEDY, HELLO, STREAMED, chat, streamed
from conformance.probes.drawn import questions
from conformance.probes.tools import GET_WEATHER

GREEDY_STREAMED = streamed(GREEDY)
GREEDY_COUNT = chat("Count to forty", temperature=0)
GREEDY_COUNT_STREAMED = streamed(GREEDY_COUNT)
UNICODE = chat("Write unicode", temperature=0)
UNICODE_STREAMED = streamed(UNICODE)

USAGE = streamed(HELLO, include_usage=True)
GREEDY_USAGE = streamed(GREEDY, include_usage=True)
USAGE_OFF = streamed(HELLO, include_usage=False)
CAPPED = chat("Count to forty", temperature=0, max_completion_tokens=5)
CAPPED_USAGE = streamed(CAPPED, include_usage=True)
CALL_USAGE = streamed(chat("What is the weather in Paris?", tools=[GET_WEATHER]), include_usage=True)

NULL_OPTIONS = STREAMED.asking(stream_options=None)
NO_OPTIONS = STREAMED.asking(stream_options={})
UNPADDED = streamed(HELLO, include_obfuscation=False)
OPTIONS_ALONE = HELLO.asking(stream_options={"include_usage": True})
"""Options for a stream that is not asked for."""
LONG = chat("Say hello. " + "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 45, max_completion_tokens=16)
"""A prompt of at least 1,170 tokens for any tokenizer: OpenAI caches prompts from 1,024 on."""
LONG_USAGE = streamed(LONG, include_usage=True)

MINUTES = chat("Count to two thousand in words, one number a line, and leave none out", max_completion_tokens=4000)
"""An answer that takes more than a minute where fewer than sixty tokens a second are made."""
MINUTES_STREAMED = streamed(MINUTES)
ABANDONED = MINUTES_STREAMED.asking(max_completion_tokens=1500)
"""An answer that is long enough to be felt where it is made although the client hung up."""

LOGPROBS = chat(temperature=0, logprobs=True)
LOGPROBS_STREAMED = streamed(LOGPROBS)
TWO = chat(temperature=1, n=2)
TWO_STREAMED = streamed(TWO)

NOT_STREAMED = HELLO.asking(stream=False)
NULL_STREAMED = HELLO.asking(stream=None)
STOPPED_STREAMED = streamed(chat(stop=["<stop>", "<end>"], frequency_penalty=0.1, presence_penalty=0.1))
"""Stop strings that do not come, and penalties: some servers serve these only whole."""
OFFICIAL = STREAMED.with_headers(
    accept="application/json",
    accept_encoding="gzip, deflate",
    user_agent="OpenAI/Python 3.54.0",
    x_stainless_lang="python",
    x_stainless_package_version="3.54.0",
    x_stainless_os="Linux",
    x_stainless_arch="x64",
    x_stainless_runtime="CPython",
    x_stainless_runtime_version="3.11.9",
    x_stainless_async="false",
    x_stainless_retry_count="0",
    x_stainless_read_timeout="600",
)
"""A stream asked for with the headers of the official Python client, which accepts JSON also where it wants events."""
ACCEPTING_EVENTS = NOT_STREAMED.with_headers(accept="text/event-stream")
STRING_STREAMED = HELLO.asking(stream="true")
PLAIN = STREAMED.with_headers(accept_encoding="identity")
"""A stream for a client that cannot decompress."""

INVALID = (
    HELLO.asking(messages=...),
    HELLO.asking(messages="Say hello"),
    chat(messages=[{"role": "wizard", "content": "Say hello"}]),
    chat(temperature="warm"),
    chat(temperature=9),
    chat(top_p=7),
    chat(n=0),
    chat(stop=7),
    chat(max_completion_tokens="many"),
    chat(tools="none"),
    chat(response_format={"type": "poem"}),
)
"""Requests that the specification does not allow."""

FOREIGN = ("世界 is 😀", "naïve ünïcode ✓", "\u202bשלום\u202c", "e\u0301 👩‍👩‍👧 🇫🇷", "数字 42", "Привет, мир")
"""Text that is several bytes a character, several characters a letter, or runs from right to left."""


def both(probe: Probe) -> tuple[Probe, Probe]:
    """The same request for a whole answer and for a stream."""
    return probe, streamed(probe)


noise: SearchStrategy[Probe] = questions.map(lambda said: streamed(chat(said, max_completion_tokens=48)))
"""Streams of answers that no script foresees."""

foreign: SearchStrategy[tuple[Probe, Probe]] = st.one_of(
    st.just("Write unicode"), st.sampled_from(FOREIGN).map("Say exactly: {}".format)
).map(lambda said: both(chat(said, temperature=0, max_completion_tokens=64)))
"""Answers beyond ASCII, whole and streamed."""

stops: SearchStrategy[tuple[Probe, Probe]] = (
    st.integers(4, 30)
    .flatmap(lambda start: st.integers(1, 3).map(lambda length: " ".join(str(start + step) for step in range(length))))
    .map(lambda stop: both(chat("Count to forty", temperature=0, stop=f"{stop} ")))
)
"""The count, stopped at numbers that are several tokens, whole and streamed."""

invalid: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from(INVALID).map(both)
"""Requests to be refused, whole and streamed."""

options: SearchStrategy[Probe] = st.one_of(
    st.sampled_from(("usage", 1, True, ["include_usage"])),
    st.sampled_from(("maybe", 2, [], {}, 1.5)).map(lambda value: {"include_usage": value}),
).map(lambda value: STREAMED.asking(stream_options=value))
"""Streams with options of a wrong type."""

longer: SearchStrategy[tuple[Probe, Probe]] = st.tuples(questions, st.integers(8, 60)).map(
    lambda drawn: (
        chat(drawn[0], max_completion_tokens=16),
        chat(drawn[0] + " and so on" * drawn[1], max_completion_tokens=16),
    )
)
"""A question, and the same with more words."""

names = st.lists(st.text("bcdfghjkmnpqrstvwxz", min_size=7, max_size=7), min_size=3, max_size=3, unique=True)
"""Words that no model says unless it is told to."""

echoes: SearchStrategy[tuple[Probe, ...]] = names.map(
    lambda drawn: tuple(chat(f"Say exactly: {word}") for word in ("pong", *drawn))
)
"""Different requests to be sent at the same time, each with a word that belongs in its own answer only."""

crowds: SearchStrategy[tuple[Probe, ...]] = names.map(
    lambda drawn: (
        *(streamed(chat(f"Say exactly: {word}")) for word in ("pong", drawn[0])),
        streamed(chat(f"Count to forty, then say {drawn[1]}")).until(events=2),
        streamed(chat(f"Say exactly: {drawn[2]}")),
    )
)
"""Streams to be read at the same time; the client hangs up on the third."""
