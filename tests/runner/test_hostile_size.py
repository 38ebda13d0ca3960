"""Very large answers against whole runs: what is within the bounds is judged, what is not is errored, and memory stays bounded."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.core.reading import sse
from conformance.evidence import exchanges as recording
from conformance.judging.judge import judge
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED
from conformance.probes.streams import USAGE
from conformance.probes.tools import WEATHER, WEATHER_STREAMED
from conformance.reference.answer import Answer, Event
from conformance.runner import target_run
from conformance.runner.kill_matrix import client, gather, still
from conformance.targets.target import Limits
from tests.kit.servers import Behave, server
from tests.kit.whole_runs import LIST, heard, run, sample, whole
from tests.runner.test_hostile import BROKEN, ODD, after_hello

MEGA = 2**20
BODY = 16 * MEGA
"""The largest answer that is read, unless a target says otherwise."""
ROOT = Path(__file__).parent.parent.parent
LARGE = 15 * MEGA
MANY = 100_000
AT_ONCE = 8


@dataclass(frozen=True)
class Measured:
    """What a run was like."""

    kinds: dict[str, list[str]]
    grown: int
    seconds: float

    @property
    def seen(self) -> set[str]:
        """The kinds of outcomes there were."""
        return {kind for kind, _ in self.kinds.values()}

    @property
    def reasons(self) -> str:
        """Why there was no evidence, where there was none."""
        return "; ".join(sorted({reason for kind, reason in self.kinds.values() if kind == "errored"}))


def measured(behave: Behave, directory: Path) -> Measured:
    """A run in a process of its own, so that its memory can be told from that of the tests."""
    with server(behave) as base_url:
        done = subprocess.run(
            [sys.executable, "-m", "tests.kit.measured_run", base_url, str(directory)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    assert not said["dead"]
    assert not [reason for _, reason in said["kinds"].values() if "our bug" in reason]
    return Measured(said["kinds"], said["grown"], said["seconds"])


def writes(change: Any) -> Behave:
    """The reference server, whose chat answers are changed so."""
    respond = still()

    def behave(connection: socket.socket, data: bytes) -> None:
        answer = respond(heard(data))
        if answer.is_chat:
            change(answer)
        connection.sendall(whole(answer))

    return behave


def talks_for_ever(answer: Answer) -> None:
    """Whole texts of 15 MiB."""
    for message in answer.messages if answer.events is None else ():
        if message.get("content"):
            message["content"] += " la" * (LARGE // 3)


def streams_for_ever(answer: Answer) -> None:
    """A hundred thousand events in a long stream, short as chunks can be, so that they fit."""
    if len(answer.chunks) < 30:
        return
    for chunk in answer.chunks:
        chunk["id"] = "c"
        for name in ("system_fingerprint", "service_tier", "obfuscation"):
            chunk.pop(name, None)
        chunk["created"] = 1
        for choice in chunk["choices"]:
            choice.pop("logprobs", None)
    events = answer.events or []
    for place, event in enumerate(events):
        if isinstance(event.data, dict) and event.data["choices"] and event.data["choices"][0]["delta"].get("content"):
            more = deepcopy(event)
            more.data["choices"][0]["delta"]["content"] = "a"
            events[place + 1 : place + 1] = [Event(more.encode() * MANY)]
            return


@pytest.mark.slow
@pytest.mark.parametrize("change", [talks_for_ever, streams_for_ever], ids=lambda one: one.__name__)
def test_very_large_answers_are_judged(change: Any, tmp_path: Path) -> None:
    """A body of 15 MiB and a stream of a hundred thousand events are evidence as any other, and cost their size a few times."""
    took = measured(writes(change), tmp_path)
    assert took.seen <= {"holds", "unwitnessed"}, {name: one for name, one in took.kinds.items() if one[0] != "holds"}
    assert took.grown < 4 * AT_ONCE * BODY + 200 * MEGA
    assert sum(path.stat().st_size for path in tmp_path.rglob("exchanges.jsonl")) > LARGE


def test_a_large_answer_is_read_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many checks read it, and however little is kept in memory: a large stream is parsed a few times, not for each."""
    chosen = sample((HELLO, STREAMED, COUNT_STREAMED, USAGE, WEATHER, WEATHER_STREAMED, LIST))
    ask, respond, parsed = client(still()), still(), list[int]()
    kinds = {one.id: judge(one, gather(one, ask)).kind for one in chosen}

    def counted(body: bytes) -> sse.Stream:
        parsed.append(len(body))
        return read_stream(body)

    read_stream = sse.read
    monkeypatch.setattr(sse, "read", counted)
    monkeypatch.setattr(recording, "CACHE", 1000)
    monkeypatch.setattr(target_run, "LARGE", 5000)

    def behave(connection: socket.socket, data: bytes) -> None:
        connection.sendall(whole(respond(heard(data))))

    with server(behave) as base_url:
        outcomes, _ = run(base_url, tmp_path, chosen, Limits())
    readers = [one for one in chosen if COUNT_STREAMED.key in {probe.key for probe in one.probes}]
    assert {name: outcome.kind for name, outcome in outcomes.items()} == kinds
    assert len(readers) > 15
    assert parsed.count(max(parsed)) < 5


ENDLESS = (
    "is_a_gzip_bomb",
    "never_ends_a_body",
    "never_ends_headers",
    "never_ends_a_header",
    "never_ends_a_line",
    "never_ends_a_stream",
    "never_ends_comments",
    "never_ends_blank_lines",
)
TOO_MUCH = ("more than 16777216 bytes", "more than 400000 lines", "too long", "decompressed", "not complete in 20 s")


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_too_large_is_let_go(name: str, tmp_path: Path) -> None:
    """Of what never ends, no more is read than the bound, and a few kilobytes of it are kept: it is said so."""
    took = measured(after_hello(BROKEN[name]), tmp_path)
    assert "errored" in took.seen
    assert any(word in took.reasons for word in TOO_MUCH), took.reasons
    assert took.grown < 4 * AT_ONCE * BODY
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")) < 5 * MEGA


@pytest.mark.parametrize("name", ["is_a_gzip_bomb", "streams_deep_nesting"])
def test_what_is_small_and_grows_does_not_grow(name: str, tmp_path: Path) -> None:
    """A few kilobytes that become megabytes when they are unpacked or parsed do not: they cost next to nothing."""
    took = measured(after_hello({**BROKEN, **ODD}[name]), tmp_path)
    assert "errored" in took.seen
    assert took.grown < 150 * MEGA
