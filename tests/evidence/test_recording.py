"""A run on disk: what was written is read back, damage is named, and memory does not grow with the bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.core.exchange import Chunk, Ending, Exchange, How, Wait
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.guard import Guard, Leak
from conformance.core.mistake import Mistake
from conformance.core.probe import Probe
from conformance.core.reading.json import ABSENT
from conformance.core.requirement import Level
from conformance.evidence import exchanges as recording
from conformance.evidence.exchanges import Recording, exchange_from_json, exchange_to_json
from conformance.evidence.log import RunLog
from conformance.evidence.record import Result
from conformance.probes.chat import chat

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
seconds = st.floats(0, 1000).map(lambda value: round(value, 6))
probes = st.builds(
    Probe,
    path=text,
    body=st.none() | st.binary(max_size=40),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    headers=st.lists(st.tuples(text, text), max_size=3).map(tuple),
    auth=st.sampled_from(["key", "none", "wrong"]),
    nth=st.integers(0, 3),
    pause=seconds,
    line=text,
)
exchanges = st.builds(
    Exchange,
    probe=probes,
    target=text,
    at=seconds,
    status=st.none() | st.integers(100, 599),
    headers=st.lists(st.tuples(text, text), max_size=3).map(tuple),
    chunks=st.lists(st.builds(Chunk, at=seconds, data=st.binary(max_size=30)), max_size=4).map(tuple),
    ending=st.builds(Ending, st.sampled_from(How), text, text),
    answered=st.none() | seconds,
    ended=seconds,
    resent=st.integers(0, 1),
    waits=st.lists(st.builds(Wait, st.sampled_from([429, 503]), seconds), max_size=2).map(tuple),
)


def exchange(number: int, body: bytes = b"{}") -> Exchange:
    """One of many exchanges."""
    return Exchange(chat(f"number {number}"), "t", 1.0, 200, (), (Chunk(0.1, body),))


@given(exchanges)
def test_an_exchange_survives_the_disk(x: Exchange) -> None:
    """Whatever happened, byte for byte, is read as it was written."""
    assert exchange_from_json(exchange_to_json(x)) == x


@given(probes)
def test_a_probe_keeps_its_key(probe: Probe) -> None:
    """The key depends on nothing but what the probe is."""
    assert Probe.from_json(probe.to_json()).key == probe.key


def test_an_outcome_survives_the_disk() -> None:
    """Findings keep the difference between null and absent, and spans stay spans."""
    findings = (
        Finding("a", "a", at=(1, 5), expected=None, found=ABSENT, on="k"),
        Finding("b", "b", at="/x", expected=[1], found={"y": "é"}),
    )
    outcome = Outcome(Kind.VIOLATED, findings, "why", {"v": 1}, (("k", "l"), ("m",)), "k")
    assert Result.of(Result("a.b", Level.MUST, "It is so.", outcome).line("t")).outcome == outcome


def test_a_run_without_codes_is_read_by_its_sentences() -> None:
    """What an older version found is known by the code that it has today; what is not known, by its sentence."""
    old = {"message": "there is no [DONE]", "at": "", "on": "k"}
    line = {**Result("stream.ends-with-done", Level.MUST, "", Outcome(Kind.VIOLATED)).line(), "findings": [old]}
    assert Result.of(cast(Any, line)).findings[0].code == "no-done"
    assert Result.of(cast(Any, {**line, "check": "own.one"})).findings[0].code == "there is no [DONE]"


def test_a_recording_is_found_again(tmp_path: Path) -> None:
    """Another process reads by key what was appended, the last of two with the same key."""
    one = Recording(tmp_path)
    one.append(exchange(1, b"old"))
    one.append(exchange(2))
    one.append(exchange(1, b"new"))
    assert one[exchange(1).key].raw == b"new"
    other = Recording(tmp_path)
    assert list(other) == [exchange(1).key, exchange(2).key]
    assert other[exchange(1).key].raw == b"new"
    with pytest.raises(KeyError):
        other["nothing"]


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    """A process that was killed while writing loses that line and no other."""
    one = Recording(tmp_path)
    one.append(exchange(1))
    one.append(exchange(2))
    data = one.path.read_bytes()
    for cut in range(data.index(b"\n") + 1, len(data)):
        one.path.write_bytes(data[:cut])
        assert list(Recording(tmp_path)) == [exchange(1).key]


def test_damage_in_the_middle_is_named(tmp_path: Path) -> None:
    """A line that is no JSON object is refused with its number and what is readable before it."""
    one = Recording(tmp_path)
    for number in range(3):
        one.append(exchange(number))
    lines = one.path.read_bytes().splitlines(keepends=True)
    one.path.write_bytes(lines[0] + b"rubbish\n" + lines[2])
    with pytest.raises(Mistake, match=r"exchanges.jsonl:2: line 2 is damaged.* 1 lines before it"):
        Recording(tmp_path)


def test_an_exchange_that_is_none_is_named(tmp_path: Path) -> None:
    """A JSON object that is no exchange is refused when it is asked for."""
    (tmp_path / recording.EXCHANGES).write_text('{"key": "k", "status": 200}\n')
    with pytest.raises(Mistake, match=r"exchanges.jsonl:1: the exchange k cannot be read"):
        Recording(tmp_path)["k"]


def test_a_newer_form_is_refused(tmp_path: Path) -> None:
    """A recording of a newer version of the suite is not guessed at."""
    (tmp_path / recording.EXCHANGES).write_text('{"key": "k", "version": 99}\n')
    with pytest.raises(Mistake, match="newer version"):
        Recording(tmp_path)


def test_memory_does_not_grow_with_bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the index and a bounded cache stay in memory."""
    monkeypatch.setattr(recording, "CACHE", 10_000)
    one = Recording(tmp_path)
    for number in range(40):
        one.append(exchange(number, b"x" * 2000))
    assert len(one) == 40
    assert one._cached <= 10_000
    assert len(one._cache) <= 5
    assert all(one[exchange(number).key].raw == b"x" * 2000 for number in range(40))
    assert one._cached <= 10_000


def test_no_secret_is_written(tmp_path: Path) -> None:
    """An exchange or an outcome that still holds a secret is refused, and the refusal does not repeat it."""
    guard = Guard(("canary-4711",))
    with pytest.raises(Leak) as refused:
        Recording(tmp_path, guard).append(exchange(1, b"here: canary-4711"))
    assert "canary" not in str(refused.value)
    with pytest.raises(Leak):
        RunLog(tmp_path, guard).note("begin", {"target": "canary-4711"})
    assert not any(tmp_path.iterdir())
