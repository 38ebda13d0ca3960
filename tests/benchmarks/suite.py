"""What the whole suite takes at a slow server, over the least that it could take.

Nothing can be faster than the larger of two: all requests through the lanes that the target allows, and the longest chain
of requests that wait for each other. What is above that is told by where it went.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

from conformance.checks.catalogue import catalogue
from conformance.core.check import Case
from conformance.core.exchange import Exchange
from conformance.core.probe import Chain
from conformance.evidence.exchanges import Recording
from conformance.evidence.journal import lines_of
from conformance.evidence.run import RUN
from conformance.judging.draw import draw
from conformance.judging.judge import Evidence, judge
from conformance.reference.engine import DEFAULT_KEY
from tests.benchmarks.cost import bare
from tests.benchmarks.measure import Failed, Row, Took, served, took

TARGET = 1.3
LATENCY = 0.2
"""Seconds that the server waits before each answer."""
AT_ONCE = 8
BARE_REQUESTS = 80
"""Sent by a bare client to the same server: what is above the ideal there, the machine takes."""
TARGETS = """
targets:
  slow: {{kind: openai, base_url: "{url}", model: reference, key: "${{BENCHMARK_KEY}}", limits: {{at_once: {at_once}}}}}
"""


DRAWING = """
import time
from conformance.checks.catalogue import catalogue
from conformance.judging.draw import draw

checks = [check for check in catalogue().values() if check.drawn]
begun = time.process_time()
for check in checks:
    draw(check)
print(time.process_time() - begun)
"""
"""In a process of its own: what has been drawn once is quick to draw again."""


def _run(folder: Path, url: str) -> Took:
    """One run of the suite as a user starts it. Violations are of no interest here, but it has to come to its end."""
    (folder / "targets.yaml").write_text(TARGETS.format(url=url, at_once=AT_ONCE), encoding="utf-8")
    arguments = ("-m", "pytest", "--target", "slow", "-q", "-p", "no:cacheprovider", "--conformance-reports", "runs")
    return took(arguments, folder, good=(0, 1), BENCHMARK_KEY=DEFAULT_KEY)


def _chain(case: Case, keys: list[str], recording: Recording) -> float:
    """The least that one case can take: its longest chain, with the pauses that its check asks for."""
    parts = case if isinstance(case, tuple) else (case,)
    lengths = [part.length if isinstance(part, Chain) else 1 for part in parts]
    if sum(lengths) != len(keys):
        return 0.0  # a chain that stopped early
    longest, rest = 0.0, iter(keys)
    for length in lengths:
        steps = [recording[next(rest)] for _ in range(length)]
        longest = max(longest, sum(LATENCY + x.probe.pause for x in steps))
    return longest


def _processing(recording: Recording, evidence: dict[str, list[list[str]]]) -> tuple[float, float]:
    """Seconds of the longest chain, and of the processor time that judging takes by itself."""
    checks, chain, judging = catalogue(), 0.0, 0.0
    for name, cases in evidence.items():
        chain = max(
            [chain, *(_chain(case, keys, recording) for case, keys in zip(draw(checks[name]), cases, strict=False))]
        )
        begun = process_time()
        judge(checks[name], [Evidence(tuple(recording[key] for key in keys)) for keys in cases])
        judging += process_time() - begun
    return chain, judging


def _facts(whole: Took, folder: Path) -> dict[str, Any]:
    """What the run's own files say about where the time went."""
    (directory,) = (folder / "runs" / "slow").iterdir()
    recording = Recording(directory)
    lines = [line for _, _, line in lines_of(directory / RUN)]
    evidence = {line["check"]: line["evidence"] for line in lines if line["type"] == "outcome"}
    footer = next((line for line in lines if line["type"] == "end"), None)
    if footer is None:
        raise Failed(f"the run was broken off: {whole.output[-400:]}")
    exchanges: list[Exchange] = [recording[key] for key in recording]
    first, last = min(x.at for x in exchanges), max(x.at + x.ended for x in exchanges)
    chain, judging = _processing(recording, evidence)
    busy = sum(x.ended for x in exchanges)
    return {
        "requests": footer["requests"],
        "outcomes": footer["counts"],
        "clock": whole.clock,
        "processor": whole.processor,
        "ideal_lanes": footer["requests"] * LATENCY / AT_ONCE,
        "ideal_chain": chain,
        "start": first - whole.begun,
        "sending": last - first,
        "slower_answers": (busy - len(exchanges) * LATENCY) / AT_ONCE,
        "idle_lanes": last - first - busy / AT_ONCE,
        "end": whole.ended - last,
        "drawing_processor": float(took(("-c", DRAWING), folder).output),
        "judging_processor": judging,
    }


def measure() -> Iterator[Row]:
    """One run, and before it a bare client at the same server, which tells how far the machine itself is from ideal."""
    with served(LATENCY) as url, TemporaryDirectory() as directory:
        ideal = BARE_REQUESTS * LATENCY / AT_ONCE
        machine = bare(url, BARE_REQUESTS, AT_ONCE).clock / ideal
        folder = Path(directory)
        facts = {**_facts(_run(folder, url), folder), "machine": machine}
    least = max(facts["ideal_lanes"], facts["ideal_chain"])
    how = (
        f"one run: {facts['clock']:.1f} s over {least:.1f} s ({facts['requests']} requests of {LATENCY:g} s, {AT_ONCE} at once;"
        f" the longest chain takes {facts['ideal_chain']:.1f} s). Above that: {facts['start']:.1f} s before the first"
        f" request, {facts['slower_answers']:.1f} s answers slower than that, {facts['idle_lanes']:.1f} s idle lanes,"
        f" {facts['end']:.1f} s after the last answer. Beneath the sending, processor time: drawing"
        f" {facts['drawing_processor']:.1f} s, judging {facts['judging_processor']:.1f} s."
        f" A bare client took {machine:.2f} of its own ideal"
    )
    yield Row("the whole suite over the least it could take", facts["clock"] / least, TARGET, how, facts)
