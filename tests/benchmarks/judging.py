"""Judging a recording of ten thousand exchanges: what each takes, and whether memory grows with the bodies on disk.

The recording is made of the reference server's answers, each repeated under probes of their own (`Probe.again`); a
second one has the same answers, each twenty times as large. Both are judged by the shipped checks, in processes of
their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.checks.catalogue import catalogue
from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Kind
from conformance.core.reading.json import NotJSON, parse
from conformance.evidence.exchanges import EXCHANGES, exchange_to_json
from conformance.judging.judge import Evidence, judge
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.runner.kill_matrix import gather
from conformance.transport.memory import asking
from tests.benchmarks.measure import ROOT, Failed, Row, took

TARGET = 1.25
"""Peak memory with large bodies over the same with small ones. They lie a few hundred megabytes apart on disk."""
SIZE = 10_000
LARGER = 20
CASES = "cases.json"
REPEAT = 1000
"""Between the numbers of two repetitions of a probe; no check asks for so many of its own."""


def _larger(x: Exchange) -> Exchange:
    """The same answer in so many times the bytes: a further member of each object, as is legal, repeats its others."""
    parts = [(chunk.at, chunk.data.split(b"\n\n")) for chunk in x.chunks]
    return replace(x, chunks=tuple(Chunk(at, b"\n\n".join(map(_padded, pieces))) for at, pieces in parts))


def _padded(part: bytes) -> bytes:
    start, body = (b"data: ", part[6:]) if part.startswith(b"data: ") else (b"", part)
    try:
        value = parse(body)
    except NotJSON:
        return part
    if not isinstance(value, dict):
        return part
    return start + json.dumps({**value, "x_padding": [value] * (LARGER - 1)}, ensure_ascii=False).encode()


def _copies(x: Exchange, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The exchange as so many lines of a recording, each with a probe of its own."""
    value = exchange_to_json(x)
    for number in range(count):
        probe = x.probe.again(x.probe.nth + number * REPEAT)
        yield probe.key, {**value, "key": probe.key, "probe": probe.to_json()}


def _write(folder: Path, exchanges: dict[str, Exchange], cases: dict[str, list[list[str]]], *, large: bool) -> int:
    """A recording of SIZE exchanges, and who is judged by which of them. Gives its bytes on disk."""
    count = -(-SIZE // len(exchanges))
    folder.mkdir()
    keys: dict[str, list[str]] = {}
    with (folder / EXCHANGES).open("w", encoding="utf-8") as file:
        for key, x in exchanges.items():
            for copy, value in _copies(_larger(x) if large else x, count):
                keys.setdefault(key, []).append(copy)
                file.write(json.dumps(value) + "\n")
    repeated = {
        check: [[[keys[key][number] for key in case] for case in listed] for number in range(count)]
        for check, listed in cases.items()
    }
    (folder / CASES).write_text(json.dumps(repeated), encoding="utf-8")
    return (folder / EXCHANGES).stat().st_size


def _judged(folder: Path) -> dict[str, Any]:
    """What the process that judges says of itself."""
    whole = took(("-m", "tests.benchmarks.judge", str(folder)), ROOT)
    said: dict[str, Any] = json.loads(whole.output.splitlines()[-1])
    return said


def _gathered() -> tuple[dict[str, Exchange], dict[str, list[list[str]]], int]:
    """The reference's exchanges by key; the cases of each check by theirs; how many checks are left out.

    Left out are those that know their probes one by one: a repetition is a stranger to them.
    """
    ask = asking(responder(), DEFAULT_KEY, "reference")
    exchanges: dict[str, Exchange] = {}
    cases: dict[str, list[list[str]]] = {}
    for check in catalogue().values():
        gathered = [Evidence(evidence.exchanges) for evidence in gather(check, ask)]
        repeated = [
            Evidence(tuple(replace(x, probe=x.probe.again(x.probe.nth + REPEAT)) for x in one.exchanges))
            for one in gathered
        ]
        if judge(check, gathered).kind is judge(check, repeated).kind is Kind.HOLDS:
            exchanges |= {x.key: x for one in gathered for x in one.exchanges}
            cases[check.id] = [list(one.keys) for one in gathered]
    return exchanges, cases, len(catalogue()) - len(cases)


def measure() -> Iterator[Row]:
    """Write both recordings, judge both."""
    exchanges, cases, left_out = _gathered()
    results: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as directory:
        for name in ("small", "large"):
            folder = Path(directory) / name
            size = _write(folder, exchanges, cases, large=name == "large")
            results[name] = {"bytes": size, **_judged(folder)}
            (folder / EXCHANGES).unlink()
    small, large = results["small"], results["large"]
    if small["broken"]:
        raise Failed(f"what holds once does not where it is repeated: {', '.join(small['broken'])}")
    mega = 1024 * 1024
    how = (
        f"{small['exchanges']} exchanges, {small['bytes'] / mega:.0f} MiB on disk, judged by {len(cases)} checks"
        f" ({left_out} know their probes and are left out): {small['processor']:.1f} s of processor time,"
        f" {small['processor'] / small['exchanges'] * 1000:.2f} ms an exchange; peak memory {small['peak'] / mega:.0f} MiB,"
        f" of which {small['before'] / mega:.0f} before the recording was opened. With bodies {LARGER} times as large"
        f" ({large['bytes'] / mega:.0f} MiB): {large['processor']:.1f} s, peak {large['peak'] / mega:.0f} MiB"
    )
    yield Row("judging: peak memory, large bodies over small", large["peak"] / small["peak"], TARGET, how, results)
