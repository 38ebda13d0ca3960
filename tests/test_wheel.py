"""What people install: the wheel, in an environment of its own, in an empty folder."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MINUTES = 5 * 60


def run(*command: str | Path, where: Path) -> str:
    """What a command says; it has to end well."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.slow
def test_the_wheel_has_all_it_needs(tmp_path: Path) -> None:
    """Checks, golden sets, the reference server and the fixture model are inside; node ids are those of a checkout."""
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", ROOT, where=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert wheel.stat().st_size < 12 * 2**20
    venv.create(tmp_path / "env", with_pip=True)
    program = tmp_path / "env" / "bin"
    run(program / "python", "-m", "pip", "install", "--quiet", wheel, where=tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    ids = run(program / "pytest", "--target", "reference", "--collect-only", "-q", where=empty).splitlines()
    assert "conformance/chat::chat.answer-has-choices[reference]" in ids
    said = run(program / "pytest", "--target", "reference", "--conformance-golden", "openai", where=empty)
    assert "nothing is broken" in said
    assert [path.name for path in empty.iterdir() if not path.name.startswith(".")] == ["reports"]
    listed = run(program / "conformance", "checks", where=empty)
    assert "stream.ends-with-done" in listed
    script = "from conformance.core.fixtures import fixtures; print((fixtures() / 'model' / 'model.safetensors').stat().st_size)"
    assert int(run(program / "python", "-c", script, where=empty)) > 10**6
