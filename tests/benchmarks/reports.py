"""A report of ten targets and five hundred requirements: what making it takes, how large it is, how a browser takes it.

The runs are made from a recording of a real engine under ten names; every tenth requirement is made to fail at each, a
different one everywhere, so that there is as much evidence to show as ten bad servers would give.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.evidence.exchanges import EXCHANGES
from conformance.evidence.run import RUN
from tests.benchmarks.measure import ROOT, Failed, Row, took
from tests.kit.browser import PROGRAM, browser

SECONDS = 3.0
"""What rendering may take: a ratio of 1 is so long."""
TARGETS, CHECKS, FAILING = 10, 500, 10
LARGEST = 16_000_000
"""Bytes of the file: what is beyond is in `exchanges.jsonl`."""
SMOOTH = 0.1
"""Seconds in which a page has to answer a key to be felt as immediate."""
SOURCE = ROOT / "fixtures" / "recordings" / "vllm-local"

OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
FILTER = """
(() => { const words = document.getElementById("words"); const began = performance.now();
  words.value = "stream"; document.getElementById("filter").dispatchEvent(new Event("change", {bubbles: true}));
  document.body.getBoundingClientRect(); return (performance.now() - began) / 1000; })()
"""


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SOURCE / name).read_text(encoding="utf-8").splitlines()]


def _outcomes(lines: list[dict[str, Any]], place: int) -> Iterator[dict[str, Any]]:
    """So many outcomes of one target, some of them made to fail."""
    judged = [line for line in lines if line["type"] == "outcome"]
    for number in range(CHECKS):
        line = dict(judged[number % len(judged)])
        line["check"] += f"-{number // len(judged)}" if number >= len(judged) else ""
        line["target"] = f"server-{place}"
        keys = [key for case in line["evidence"] for key in case]
        if keys and number % FAILING == place % FAILING:
            findings = [
                {
                    "message": "it is not as it has to be",
                    "at": "/choices/0/message",
                    "on": key,
                    "expected": 1,
                    "found": 2,
                }
                for key in keys[:3]
            ]
            line |= {"outcome": "violated", "level": "MUST", "findings": findings}
        yield line


def _runs(directory: Path) -> list[Path]:
    run, exchanges, made = _lines(RUN), (SOURCE / EXCHANGES).read_text(encoding="utf-8"), []
    for place in range(TARGETS):
        name = f"server-{place}"
        target = directory / name
        target.mkdir()
        lines = [{**run[0], "target": name, "selected": CHECKS}, *_outcomes(run, place), run[-1]]
        (target / RUN).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        (target / EXCHANGES).write_text(exchanges, encoding="utf-8")
        made.append(target)
    return made


def measure() -> Iterator[Row]:
    """The row of making it, and that of opening it where there is a browser."""
    with TemporaryDirectory() as there:
        directory = Path(there)
        runs, file = _runs(directory), directory / "report.html"
        render = took(["-m", "conformance", "report", *map(str, runs), "--html", str(file)], ROOT)
        size = file.stat().st_size
        if size > LARGEST:
            raise Failed(f"the report has {size:,} bytes, more than {LARGEST:,}")
        yield Row(
            "a report of 10 targets x 500 requirements",
            render.processor / SECONDS,
            1.0,
            f"{render.processor:.1f} s of processor time with the start of Python (clock {render.clock:.1f} s)"
            f" over {SECONDS:g} s; the file has {size / 1e6:.1f} MB",
            {"processor": render.processor, "clock": render.clock, "bytes": size},
        )
        if PROGRAM is None:
            return
        with browser() as chromium, chromium.new_page(viewport={"width": 1280, "height": 900}) as page:
            page.goto(file.as_uri())
            opened, filtered = page.evaluate(OPENED), page.evaluate(FILTER)
        yield Row(
            "a key in that report",
            filtered / SMOOTH,
            1.0,
            f"{filtered * 1000:.0f} ms for filtering and layout, over {SMOOTH * 1000:g} ms; Chromium opens it in {opened:.1f} s",
            {"filtered": filtered, "opened": opened},
        )
