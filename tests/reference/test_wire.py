"""The reference server on the wire: over real HTTP, with the official client, and when somebody goes away."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pydantic
import pytest

from conformance.probes.tools import GET_TIME, GET_WEATHER
from conformance.reference.answer import Answer, Event, Request
from conformance.reference.app import app
from conformance.reference.engine import DEFAULT_KEY, Settings, responder
from conformance.reference.fault import Fault, fault
from conformance.reference.serve import serving

KEY = {"authorization": f"Bearer {DEFAULT_KEY}"}
HELLO: Any = {"model": "reference", "messages": [{"role": "user", "content": "Say hello"}]}
DELAY = 120
"""Seconds that nobody here waits, also on a busy machine."""
PARIS: Any = {"model": "reference", "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}


@fault("loses-done")
def loses_done(answer: Answer, request: Request) -> None:
    """The stream lacks its end."""
    if answer.events:
        answer.events.pop()


@fault("counts-requests")
def counts_requests(answer: Answer, request: Request) -> None:
    """Every answer tells how many there were."""
    request.memory["seen"] = request.memory.get("seen", 0) + 1
    answer.headers["x-seen"] = str(request.memory["seen"])


@fault("drops")
def drops(answer: Answer, request: Request) -> None:
    """The connection breaks after the last byte."""
    answer.ending = "drop"


@fault("hangs")
def hangs(answer: Answer, request: Request) -> None:
    """Nothing follows the last byte, and nothing ends."""
    answer.ending = "hang"


@fault("never-begins", instead=True)
def never_begins(request: Request, respond: Any) -> Answer:
    """Not even a status comes."""
    answer: Answer = respond(request)
    answer.after = 3600
    return answer


@fault("fails", instead=True)
def fails(request: Request, respond: Any) -> Answer:
    """A bug in a fault."""
    raise ValueError("a bug")


@fault("sends-bytes", instead=True)
def sends_bytes(request: Request, respond: Any) -> Answer:
    """An answer made of pieces of bytes."""
    return Answer(
        200, {"content-type": "text/event-stream"}, events=[Event(b"data: \xf0\x9f"), Event(b"\x98\x80\n\n", 0.01)]
    )


FAULTS: dict[str, Fault] = {
    one.id: one for one in (loses_done, counts_requests, drops, hangs, never_begins, fails, sends_bytes)
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running reference server that knows the faults above."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("app", "serve"):
            patch.setattr(f"conformance.reference.{module}.faults", lambda: FAULTS)
        with serving() as base:
            yield base


@pytest.fixture
def http(url: str) -> Iterator[httpx2.Client]:
    """A client with the key."""
    with httpx2.Client(base_url=url, headers=KEY, timeout=60) as client:
        yield client


@pytest.fixture
def faulty(url: str) -> Iterator[httpx2.Client]:
    """A client with the key, at the server's root."""
    with httpx2.Client(base_url=url.removesuffix("/v1"), headers=KEY, timeout=60) as client:
        yield client


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    """The official client, believing nothing."""
    with openai.OpenAI(base_url=url, api_key=DEFAULT_KEY, max_retries=0, _strict_response_validation=True) as one:
        yield one


def test_a_stream_arrives_as_it_is_written(http: httpx2.Client) -> None:
    """Byte for byte `data:` lines, no length, and the connection can be used again."""
    for _ in range(2):
        answer = http.post("chat/completions", json={**HELLO, "stream": True})
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "content-length" not in answer.headers
        *events, rest = answer.text.split("\n\n")
        assert rest == ""
        assert all(event.startswith("data: ") and "\n" not in event for event in events)
        assert events[-1] == "data: [DONE]"
        assert json.loads(events[0][6:])["choices"][0]["delta"]["role"] == "assistant"


def test_models_with_slashes_and_heads(http: httpx2.Client) -> None:
    """HEAD has the length of what GET has, and no body; an encoded path is the path."""
    got, head = http.get("models"), http.head("models")
    assert got.headers["content-length"] == head.headers["content-length"] == str(len(got.content))
    assert head.content == b""
    assert http.get("models/%72eference").json()["id"] == "reference"
    with serving(Settings(models=("a/b", "c"), key="other-key")) as base:
        for path in ("a/b", "a%2Fb"):
            assert (
                httpx2.get(f"{base}/models/{path}", headers={"authorization": "Bearer other-key"}).json()["id"] == "a/b"
            )
        assert httpx2.get(f"{base}/models", headers=KEY).status_code == 401


def test_bodies_in_any_wrapping(http: httpx2.Client) -> None:
    """Compressed, in chunks, too large, or not what they say."""
    raw = json.dumps(HELLO).encode()
    kind = {"content-type": "application/json"}
    packed = http.post("chat/completions", content=gzip.compress(raw), headers={**kind, "content-encoding": "gzip"})
    assert packed.json()["choices"][0]["message"]["content"] == "Hello from the tiny model."
    assert http.post("chat/completions", content=iter([raw[:9], raw[9:]]), headers=kind).status_code == 200
    for coding, status in (("gzip", 400), ("br", 415)):
        answer = http.post("chat/completions", content=raw, headers={**kind, "content-encoding": coding})
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"
    with serving(Settings(body_limit=1000)) as base:
        answer = httpx2.post(f"{base}/chat/completions", content=b" " * 3000, headers={**KEY, **kind})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_faults_have_a_path_of_their_own(faulty: httpx2.Client) -> None:
    """One or several; each server remembers for itself; an unknown one is named with those like it."""
    streamed = {**HELLO, "stream": True}
    assert not faulty.post("fault/loses-done/v1/chat/completions", json=streamed).text.endswith("[DONE]\n\n")
    assert faulty.post("v1/chat/completions", json=streamed).text.endswith("[DONE]\n\n")
    both = [faulty.post("fault/loses-done+counts-requests/v1/chat/completions", json=streamed) for _ in range(2)]
    assert [answer.headers["x-seen"] for answer in both] == ["1", "2"]
    assert "[DONE]" not in both[0].text
    assert faulty.get("fault/counts-requests/v1/models").headers["x-seen"] == "1"
    unknown = faulty.get("fault/looses-done/v1/models")
    assert unknown.status_code == 404
    assert "'loses-done'" in unknown.json()["error"]["message"]
    assert faulty.get("nothing").json()["error"]["code"] == "unknown_url"


def test_a_server_may_be_faulty_as_a_whole(url: str) -> None:
    """`serving` plants faults too, and refuses those that there are not."""
    with serving(faults=["loses-done"]) as base:
        text = httpx2.post(f"{base}/chat/completions", json={**HELLO, "stream": True}, headers=KEY).text
        assert "[DONE]" not in text
    with pytest.raises(LookupError, match="did you mean 'loses-done'"), serving(faults=["lose-done"]):
        pass


def test_a_connection_breaks_where_a_fault_says_so(faulty: httpx2.Client) -> None:
    """Whole or streamed, the client sees that something is missing."""
    for wishes in (HELLO, {**HELLO, "stream": True}):
        with pytest.raises(httpx2.RemoteProtocolError):
            faulty.post("fault/drops/v1/chat/completions", json=wishes)


def test_a_connection_hangs_where_a_fault_says_so(faulty: httpx2.Client) -> None:
    """All bytes are there, and no end."""
    with faulty.stream("POST", "fault/hangs/v1/chat/completions", json={**HELLO, "stream": True}, timeout=1) as answer:
        pieces: list[str] = []
        with pytest.raises(httpx2.ReadTimeout):
            pieces.extend(answer.iter_text())
        assert "".join(pieces).endswith("data: [DONE]\n\n")
    with pytest.raises(httpx2.ReadTimeout):
        faulty.get("fault/never-begins/v1/models", timeout=0.1)


def test_bytes_go_as_they_are(faulty: httpx2.Client) -> None:
    """A fault may split a character."""
    assert faulty.post("fault/sends-bytes/v1/chat/completions", json=HELLO).content == "data: 😀\n\n".encode()


def test_a_bug_of_ours_is_a_server_error(faulty: httpx2.Client, caplog: pytest.LogCaptureFixture) -> None:
    """500 with an error object, and a word in the log."""
    answer = faulty.get("fault/fails/v1/models")
    assert answer.status_code == 500
    assert answer.json()["error"]["type"] == "server_error"
    assert "a bug" in caplog.text


def test_the_server_starts_and_stops_fast(url: str) -> None:
    """Also with a connection that hangs, one that sleeps, and one that is idle."""
    before = threading.active_count()
    started = time.perf_counter()
    with serving(Settings(token_delay=DELAY), faults=["hangs"]) as base:
        began = time.perf_counter() - started
        host, port = base.removeprefix("http://").removesuffix("/v1").split(":")
        raw = json.dumps({**HELLO, "stream": True}).encode()
        connections = [socket.create_connection((host, int(port))) for _ in range(3)]
        for connection, path in zip(connections, ["/v1/models", "/v1/chat/completions"], strict=False):
            method = b"GET" if path == "/v1/models" else b"POST"
            body = b"" if path == "/v1/models" else raw
            connection.sendall(
                method + f" {path} HTTP/1.1\r\nhost: x\r\nauthorization: {KEY['authorization']}\r\n".encode()
                + f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
            )  # fmt: skip
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        stopping = time.perf_counter()
    ended = time.perf_counter() - stopping
    for connection in connections:
        connection.close()
    assert began + ended < DELAY / 2
    assert threading.active_count() == before


def test_a_client_that_goes_is_not_waited_for() -> None:
    """The work for it ends at once, before the first byte and between two."""

    async def leave_after(sent: int) -> int:
        served = app(responder(Settings(delay=0 if sent else DELAY, token_delay=DELAY)))
        messages: list[Any] = []
        gone = asyncio.Event()
        asked = [{"type": "http.request", "body": json.dumps({**HELLO, "stream": True}).encode(), "more_body": False}]

        async def receive() -> Any:
            if asked:
                return asked.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            messages.append(message)

        headers = [(name.encode(), value.encode()) for name, value in KEY.items()]
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}
        working = asyncio.create_task(served(scope, receive, send))
        while len(messages) < sent:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert served.active == 1
        gone.set()
        await asyncio.wait_for(working, DELAY / 2)
        assert served.active == 0
        return len(messages)

    for sent in (0, 2):  # nothing; the status and the first chunk
        assert asyncio.run(leave_after(sent)) == sent


def test_many_at_once_do_not_mix(http: httpx2.Client) -> None:
    """Each answer belongs to its question, whole and streamed."""

    def ask(number: int) -> bool:
        wishes = {**HELLO, "messages": [{"role": "user", "content": f"Say exactly: nonce {number}"}]}
        if number % 2:
            return bool(
                http.post("chat/completions", json=wishes).json()["choices"][0]["message"]["content"]
                == f"nonce {number}"
            )
        text = http.post("chat/completions", json={**wishes, "stream": True}).text
        chunks = [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]
        return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == f"nonce {number}"

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(64)))


def test_the_foreground_server_ends_with_its_signal() -> None:
    """`main` announces its address, serves, and ends cleanly on Ctrl-C."""
    code = (
        "from conformance.reference.serve import main\n"
        "main('127.0.0.1', 0, ready=lambda url: print(url, flush=True))\n"
        "print('ended', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            base = process.stdout.readline().strip()
            assert httpx2.get(f"{base}/models", headers=KEY).status_code == 200
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (out, err, process.returncode) == ("ended\n", "", 0)


def test_a_taken_port_is_said() -> None:
    """As the system says it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"), serving(port=port):
            pass


def test_the_official_client_creates(client: openai.OpenAI) -> None:
    """Whole answers, models, logprobs, tools: its strict validation finds nothing."""
    answer = client.chat.completions.create(**HELLO, logprobs=True, top_logprobs=3, n=2)
    assert answer.choices[1].message.content == "Hello from the tiny model."
    assert answer._request_id
    called = client.chat.completions.create(**PARIS, tools=[GET_WEATHER])
    assert called.choices[0].message.tool_calls is not None
    assert called.choices[0].message.tool_calls[0].type == "function"
    assert [model.id for model in client.models.list()] == ["reference"]
    assert client.models.retrieve("reference").owned_by
    raw = client.chat.completions.with_raw_response.create(**HELLO)
    assert raw.headers["openai-version"] == "2020-10-01"


def test_the_official_client_streams(client: openai.OpenAI) -> None:
    """Chunks, and its own events and snapshots over them."""
    chunks = list(client.chat.completions.create(**HELLO, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage is not None
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "Hello from the tiny model."
    both: Any = {
        **HELLO,
        "messages": [{"role": "user", "content": "Weather and time please"}],
        "tools": [GET_WEATHER, GET_TIME],
    }
    for tool in both["tools"]:
        tool["function"].setdefault("strict", True)
    with client.chat.completions.stream(**both, logprobs=True, n=2) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    assert kinds.count("tool_calls.function.arguments.done") == 4
    calls = final.choices[1].message.tool_calls
    assert calls is not None
    assert [call.function.parsed_arguments for call in calls] == [{"city": "Paris"}, {"tz": "UTC"}]


class Step(pydantic.BaseModel):
    """One step of a plan, with steps below it."""

    text: str
    below: list[Step]


class Plan(pydantic.BaseModel):
    """A plan."""

    title: str
    steps: list[Step]
    cost: float | None


def test_the_official_client_parses(client: openai.OpenAI) -> None:
    """A recursive pydantic model comes back filled, whole and streamed, and as a tool's arguments."""
    answer = client.chat.completions.parse(**HELLO, response_format=Plan)
    assert isinstance(answer.choices[0].message.parsed, Plan)
    with client.chat.completions.stream(**HELLO, response_format=Plan) as events:
        assert isinstance(events.get_final_completion().choices[0].message.parsed, Plan)
    tool = openai.pydantic_function_tool(Plan)
    called = client.chat.completions.parse(**HELLO, tools=[tool], tool_choice="required")
    assert called.choices[0].message.tool_calls is not None
    assert isinstance(called.choices[0].message.tool_calls[0].function.parsed_arguments, Plan)
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(**HELLO, response_format=Plan, max_tokens=3)


def test_the_official_client_raises_what_it_should(client: openai.OpenAI, url: str) -> None:
    """Each refusal is the exception that its documentation names, with code and parameter."""
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(**HELLO, temperature=3)
    assert (bad.value.code, bad.value.param, bad.value.type) == (
        "decimal_above_max_value", "temperature", "invalid_request_error",
    )  # fmt: skip
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="none", messages=[{"role": "user", "content": "x"}], stream=True)
    wrong = client.with_options(api_key="wrong")
    with pytest.raises(openai.AuthenticationError):
        wrong.models.list()


def test_the_official_client_runs_without_blocking(url: str) -> None:
    """The asynchronous one as well."""

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=url, api_key=DEFAULT_KEY, _strict_response_validation=True) as one:
            stream = await one.chat.completions.create(**HELLO, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(run()) == "Hello from the tiny model."
