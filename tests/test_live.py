"""Real engines and gateways, started by the suite: what they violate is known, so that a new violation or a vanished one is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.targets import read
from conformance.targets.target import Target
from conformance.transport.engines.install import NotInstalled, executable

ROOT = Path(__file__).parent.parent
EXPECTED = ROOT / "tests" / "expected"
LAUNCHED = {
    name: target
    for name, target in read(ROOT / "targets.yaml").by_name.items()
    if target.launch or (target.container and target.container.launch)
}
"""Targets of targets.yaml that the suite starts: engines, and gateways or an emulated front door before one."""
MINUTES = 20 * 60


def engines(target: Target) -> Iterator[str]:
    """What has to be installed for a target, what stands behind it included."""
    if target.launch:
        yield target.launch.engine or target.kind
    for behind in filter(None, (target.upstream, target.container)):
        yield from engines(behind)


def outcomes(run: Path) -> dict[str, dict[str, Any]]:
    """What became of each check of a run."""
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["type"] == "end", "the run is not complete"
    return {line["check"]: line for line in lines if line["type"] == "outcome"}


def run(target: str, reports: Path, *more: str) -> tuple[Path, str]:
    """Run the suite against a target; where the run is, and what was said."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--target",
        target,
        "--conformance-reports",
        str(reports),
    ]
    command += more
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert done.returncode in (0, 1), done.stdout[-3000:] + done.stderr[-2000:]
    (directory,) = (reports / target).glob("*/") if (reports / target).is_dir() else reports.glob("*/*/")
    return directory, done.stdout


@pytest.mark.live
@pytest.mark.parametrize("target", LAUNCHED)
def test_an_engine_diverges_as_it_is_known_to(target: str, tmp_path: Path) -> None:
    """The violations are exactly those written down, each seen in the bytes; nothing else is errored; a replay agrees."""
    for engine in engines(LAUNCHED[target]):
        try:
            executable(engine)
        except NotInstalled as problem:
            pytest.skip(str(problem))
    directory, said = run(target, tmp_path / "live")
    seen = outcomes(directory)
    violated = {name for name, line in seen.items() if line["outcome"] == "violated"}
    expected = yaml.safe_load((EXPECTED / f"{target}.yaml").read_text(encoding="utf-8"))
    assert violated - set(expected.get("sometimes", ())) == set(expected["violated"]), said[-6000:]
    errored = {line["reason"] for line in seen.values() if line["outcome"] == "errored"}
    assert errored <= set(expected.get("errored", ())), said[-6000:]
    assert (directory / "server.log").stat().st_size > 0
    again = outcomes(run(f"replay:{directory}", tmp_path / "replayed")[0])
    assert {name: line["outcome"] for name, line in again.items()} == {
        name: line["outcome"] for name, line in seen.items()
    }
    assert {name: line["findings"] for name, line in again.items()} == {
        name: line["findings"] for name, line in seen.items()
    }


OUT_OF_THE_BOX = """
model_list:
  - model_name: reference
    litellm_params: {model: openai/reference, api_base: os.environ/UPSTREAM_URL, api_key: os.environ/UPSTREAM_KEY}
litellm_settings: {num_retries: 0}
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
"""


@pytest.mark.live
def test_litellm_out_of_the_box_puts_everybody_off_after_a_404(tmp_path: Path) -> None:
    """With its own settings, one request that the server behind answers with 404 makes the next, good one a 429."""
    try:
        executable("litellm")
    except NotInstalled as problem:
        pytest.skip(str(problem))
    (tmp_path / "settings.yaml").write_text(OUT_OF_THE_BOX, encoding="utf-8")
    args = json.dumps(["--config", str(tmp_path / "settings.yaml")])
    targets = tmp_path / "targets.yaml"
    targets.write_text(f"targets: {{it: {{kind: litellm, upstream: reference, launch: {{args: {args}}}}}}}")
    refusals = ("conformance/gateway_answers", "-k", "refusals-block-nobody")
    directory, said = run("it", tmp_path / "live", "--conformance-targets-file", str(targets), *refusals)
    (seen,) = outcomes(directory).values()
    assert seen["check"] == "gateway.refusals-block-nobody"
    assert seen["outcome"] == "violated", said[-3000:]
