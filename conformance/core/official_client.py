"""What the official client makes of an answer: the recorded bytes through the real `openai` library, with no network.

So "who breaks" is not an opinion: the same bytes raise, or lose something, or do not. It reads exchanges of chat completions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.core.exchange import Exchange

LONGEST = 300
"""Characters kept of what the client says when it raises."""
NOWHERE = "http://127.0.0.1:9/v1"
"""A base URL that nothing is sent to: the transport below answers from the recording."""
FRAMING = ("content-length", "content-encoding", "transfer-encoding", "connection")
"""Headers about bytes on the wire; the client is given a body that has been read and unpacked."""


@dataclass(frozen=True)
class Heard:
    """What reached the application."""

    raised: str = ""
    """The exception of the client, or of the plainest loop over its objects; "" where there was none."""
    helper: str = ""
    """The exception of the client's own accumulator of streams (`.stream()`), where only that one raises."""
    text: str = ""
    calls: tuple[str, ...] = ()
    """Names of the functions called."""
    finish_reason: str | None = None
    lost: tuple[str, ...] = ()
    """What was in the bytes and did not reach the application, in words."""


@dataclass
class _Told:
    """What the objects of the client hold, put together by the plainest loop there is."""

    texts: list[str] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    arguments: dict[int, str] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: bool = False


def heard(x: Exchange) -> Heard:
    """What the official client makes of an answer to a chat completion."""
    told, helper = _Told(), ""
    try:
        if x.probe.streamed:
            helper = _stream(x, told)
        else:
            _whole(x, told)
    except Exception as problem:  # whatever it is, the application gets it
        return Heard(raised=_said(problem))
    text = "".join(told.texts)
    calls = tuple(told.names[index] for index in sorted(told.names))
    return Heard("", helper, text, calls, told.finish_reason, tuple(_lost(x, told, text)))


def _said(problem: BaseException) -> str:
    line = " ".join(f"{type(problem).__name__}: {problem}".split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _client(x: Exchange) -> Any:
    """An official client whose server is the recording."""
    import httpx2
    from openai import OpenAI

    headers = [(name, value) for name, value in x.headers if name not in FRAMING]

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(x.status or 500, headers=headers, content=x.body)

    inner = httpx2.Client(transport=httpx2.MockTransport(answer), trust_env=False)
    return OpenAI(api_key="none", base_url=NOWHERE, max_retries=0, http_client=inner)


def _whole(x: Exchange, told: _Told) -> None:
    from openai.types.chat import ChatCompletion

    answer = _client(x).post("/chat/completions", cast_to=ChatCompletion, body={})
    for choice in answer.choices[:1]:
        message = choice.message
        told.texts.append(message.content or "")
        for index, call in enumerate(message.tool_calls or ()):
            _call(told, index, call)
        told.finish_reason = choice.finish_reason
    told.usage = answer.usage is not None


def _stream(x: Exchange, told: _Told) -> str:
    """Reads the stream; what the accumulator raised, where it did."""
    from openai import Stream
    from openai.lib.streaming.chat import ChatCompletionStreamState
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    chunks = _client(x).post(
        "/chat/completions",
        cast_to=ChatCompletion,
        body={},
        stream=True,
        stream_cls=Stream[ChatCompletionChunk],
    )
    helper, state = "", ChatCompletionStreamState()
    for chunk in chunks:
        for choice in chunk.choices:
            if choice.index != 0:
                continue
            told.texts.append(choice.delta.content or "")
            for delta in choice.delta.tool_calls or ():
                _call(told, delta.index, delta)
            told.finish_reason = choice.finish_reason or told.finish_reason
        told.usage = told.usage or chunk.usage is not None
        if not helper:
            try:
                state.handle_chunk(chunk)
            except Exception as problem:
                helper = _said(problem)
    return helper


def _call(told: _Told, index: int, call: Any) -> None:
    function = call.function if hasattr(call, "function") else None
    if function is None:  # a custom tool's
        told.names.setdefault(index, str(getattr(getattr(call, "custom", None), "name", "") or ""))
        return
    told.names[index] = told.names.get(index, "") + (function.name or "")
    told.arguments[index] = told.arguments.get(index, "") + (function.arguments or "")


def _lost(x: Exchange, told: _Told, text: str) -> Iterator[str]:
    """What the bytes have and the application does not."""
    sent = x.choice
    if x.probe.streamed and not x.streamed:
        if not text and not told.names:
            yield "a stream was asked for and a whole answer came: the client gives no chunk, and no error"
        return
    if text != sent.text:
        yield f"{len(sent.text)} characters were sent, {len(text)} arrived"
    if len(told.names) != len(sent.calls):
        yield f"{len(sent.calls)} tool calls were sent, {len(told.names)} arrived"
    if sent.finish_reason and not told.finish_reason:
        yield "the finish_reason did not arrive"
    if x.usage.type == "object" and not told.usage:
        yield "the usage did not arrive"
