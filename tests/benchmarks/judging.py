"""Judging a recording of ten thousand exchanges: what each takes, and whether memory grows with the bodies on disk.

The recording is made of the reference server's answers, each repeated under probes of their own (`Probe.again`); a second one
has the same answers, each twenty times as large. Both are judged by every shipped check in processes of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.check import catalogue
from conformance.exchange import Chunk, Exchange
from conformance.judgement import Evidence, judge
from conformance.reading.json import NotJSON, parse
from conformance.recording import EXCHANGES, exchange_to_json
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.reference.memory import asking, gather
from tests.benchmarks.measure import ROOT, Failed, Row, took

TARGET = 1.25
"""Peak memory with large bodies over the same with small ones. They lie a few hundred megabytes apart on disk."""
SIZE = 10_000
LARGER = 20
CASES = "cases.json"
REPEAT = 1000
"""Between the numbers of two repetitions of a probe; no check asks for so many of its own."""


def _larger(x: Exchange) -> Exchange:
    """The same answer in so many times the bytes: a legal further member of each JSON object repeats what is beside it."""
    return replace(x, chunks=tuple(Chunk(chunk.at, b"\n\n".join(map(_padded, chunk.data.split(b"\n\n")))) for chunk in x.chunks))


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


def measure() -> Iterator[Row]:
    """Write both recordings, judge both."""
    ask = asking(responder(), DEFAULT_KEY, "reference")
    exchanges: dict[str, Exchange] = {}
    cases: dict[str, list[list[str]]] = {}
    kinds: dict[str, str] = {}
    for check in catalogue().values():
        gathered = gather(check, ask)
        exchanges |= {x.key: x for evidence in gathered for x in evidence.exchanges}
        if all(evidence.witnessed and not evidence.stopped for evidence in gathered):
            cases[check.id] = [list(evidence.keys) for evidence in gathered]
            kinds[check.id] = judge(check, [Evidence(one.exchanges) for one in gathered]).kind.value
    results = {}
    with TemporaryDirectory() as directory:
        for name in ("small", "large"):
            folder = Path(directory) / name
            size = _write(folder, exchanges, cases, large=name == "large")
            results[name] = {"bytes": size, **_judged(folder)}
    small, large = results["small"], results["large"]
    if different := [check for check, kind in kinds.items() if small["kinds"][check] != [kind]]:
        raise Failed(f"repeated exchanges are judged otherwise than the same once: {', '.join(different)}")
    for one in results.values():
        one["other_kinds"] = sum(one["kinds"][check] != [kind] for check, kind in kinds.items())
        del one["kinds"]
    mega = 1024 * 1024
    how = (
        f"{small['exchanges']} exchanges, {small['bytes'] / mega:.0f} MiB on disk, judged by {len(cases)} checks in"
        f" {small['processor']:.1f} s of processor time, {small['processor'] / small['exchanges'] * 1000:.2f} ms an exchange;"
        f" peak memory {small['peak'] / mega:.0f} MiB, {small['before'] / mega:.0f} of them before the recording was opened."
        f" With bodies {LARGER} times as large ({large['bytes'] / mega:.0f} MiB): {large['processor']:.1f} s,"
        f" peak {large['peak'] / mega:.0f} MiB"
    )
    yield Row("judging: peak memory, large bodies over small", large["peak"] / small["peak"], TARGET, how, results)
