"""Requests for streams, and the whole answers that they are compared with, in prompts that the fixture model knows."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.probe import Probe
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

LOGPROBS = chat(temperature=0, logprobs=True)
LOGPROBS_STREAMED = streamed(LOGPROBS)
TWO = chat(temperature=0, n=2)
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

stops: SearchStrategy[tuple[Probe, Probe]] = st.integers(4, 30).flatmap(
    lambda start: st.integers(1, 3).map(lambda length: " ".join(str(start + step) for step in range(length)))
).map(lambda stop: both(chat("Count to forty", temperature=0, stop=f"{stop} ")))
"""The count, stopped at numbers that are several tokens, whole and streamed."""

invalid: SearchStrategy[tuple[Probe, Probe]] = st.sampled_from(INVALID).map(both)
"""Requests to be refused, whole and streamed."""
