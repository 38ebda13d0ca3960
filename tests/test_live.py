"""Real engines, started by the suite: the exact set of violations is known, so that a new one or a vanished one is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.transport.servers import NotInstalled, executable

ROOT = Path(__file__).parent.parent
EXPECTED = ROOT / "tests" / "expected"
ENGINES = {"vllm-local": "vllm", "llama-local": "llama.cpp"}
"""Targets of targets.yaml that launch an engine."""
MINUTES = 10 * 60


def outcomes(run: Path) -> dict[str, dict[str, Any]]:
    """What became of each check of a run."""
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["type"] == "end", "the run is not complete"
    return {line["check"]: line for line in lines if line["type"] == "outcome"}


def run(target: str, reports: Path) -> tuple[Path, str]:
    """Run the suite against a target; where the run is, and what was said."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--target", target, "--reports", str(reports)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-2000:]
    (directory,) = reports.glob("*/*/")
    return directory, done.stdout


@pytest.mark.live
@pytest.mark.parametrize("target", ENGINES)
def test_an_engine_diverges_as_it_is_known_to(target: str, tmp_path: Path) -> None:
    """The violations are exactly those written down, each seen in the bytes; nothing is errored; a replay agrees."""
    try:
        executable(ENGINES[target])
    except NotInstalled as problem:
        pytest.skip(str(problem))
    directory, said = run(target, tmp_path / "live")
    seen = outcomes(directory)
    violated = {name for name, line in seen.items() if line["outcome"] == "violated"}
    expected = yaml.safe_load((EXPECTED / f"{target}.yaml").read_text(encoding="utf-8"))
    assert violated - set(expected.get("sometimes", ())) == set(expected["violated"]), said[-6000:]
    assert not {name for name, line in seen.items() if line["outcome"] == "errored"}, said[-6000:]
    assert (directory / "server.log").stat().st_size > 0
    again = outcomes(run(f"replay:{directory}", tmp_path / "replayed")[0])
    assert {name: line["outcome"] for name, line in again.items()} == {
        name: line["outcome"] for name, line in seen.items()
    }
    assert {name: line["findings"] for name, line in again.items()} == {
        name: line["findings"] for name, line in seen.items()
    }
