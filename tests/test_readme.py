"""Every command of the README is executed, in its order, by a reader who has a server, a key and a folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.serve import serving
from conformance.targets import read

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HERE = "http://127.0.0.1:8000/v1"
"""The reader's server, as the README has it."""
A_RUN = re.compile(r"reports/my-server/\d{8}T\d{6}Z")

ELSEWHERE = (
    "pip install",
    "python -m tests.benchmarks",
    "conformance servers install",
    "pytest --target vllm-local",
    "conformance serve",
    "conformance token",  # AWS credentials and an account of one's own: tests/test_sagemaker.py
    "KEY=$(conformance token",
    "pytest --target sagemaker-",
)
"""Executed by `.ci/run` (installs and engines) and by tests of their own (servers)."""


def blocks(language: str) -> list[str]:
    """The code blocks of the README in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every command line."""
    return [line for block in blocks("bash") for line in block.splitlines() if line.strip()]


def test_there_are_commands() -> None:
    """The README shows its main job first, in one line."""
    assert commands()[0] == "pip install -e . && pytest --target reference"
    assert commands()[1] == "pip install -e '.[test]' && pytest -n 2"
    assert len(commands()) > 15


def test_the_targets_are_read(tmp_path: Path) -> None:
    """Each targets.yaml of the README is one that the suite takes."""
    file = tmp_path / "targets.yaml"
    for block in blocks("yaml"):
        if block.startswith("targets:"):
            file.write_text(block, encoding="utf-8")
            assert len(read(file).by_name) > 1


@pytest.mark.slow
def test_the_commands_do_what_the_readme_says(tmp_path: Path) -> None:
    """Each ends with exit code 0 in a folder with the README's targets.yaml and the README's check."""
    with serving() as base_url:
        (tmp_path / "targets.yaml").write_text(
            blocks("yaml")[0].replace(HERE, base_url).replace("my-model", "reference")
        )
        (tmp_path / "check_house.py").write_text(blocks("python")[0])
        (tmp_path / "requests.jsonl").write_text('{"messages": [{"role": "user", "content": "Say hello"}]}\n')
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "MY_KEY": DEFAULT_KEY, "CONFORMANCE_KEY": DEFAULT_KEY, "PATH": path}
        for line in commands():
            if line.startswith(ELSEWHERE):
                continue
            made = sorted((tmp_path / "reports" / "my-server").glob("*/run.jsonl"))
            words = shlex.split(
                A_RUN.sub(str(made[0].parent.relative_to(tmp_path)) if made else "none", line.replace(HERE, base_url))
            )
            if words[0] == "pytest" and "-m" not in words:
                words += ["conformance/models", "conformance/chat"]  # as much as shows that it works
            done = subprocess.run(
                words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
            )
            waived = "stale" in done.stdout  # the README's waiver is for a server that has the fault
            assert done.returncode == 0 or (waived and done.returncode == 1), (
                f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
            )
        for made_file in ("report.html", "comment.md", "report.json", "badge.svg", "run.har"):
            assert (tmp_path / made_file).stat().st_size > 300


def test_the_check_is_one() -> None:
    """The README's check is collected, holds on the reference, and is found by the id that it gives itself."""
    scope: dict[str, object] = {}
    exec(compile(blocks("python")[0], "README.md", "exec"), scope)
    from conformance.core.check import Check

    (one,) = (value for value in scope.values() if isinstance(value, Check))
    assert one.id == "house.answers-are-short"
