"""Ready workflows, and what GitHub shows by itself: well-formed, safe from what a server says, and tried in a scratch folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.cli.main import main
from conformance.cli.workflow import FILES, JOBS
from conformance.core.verdict import Waiver
from conformance.evidence.run import read
from conformance.plugin import github
from conformance.report.book import ruled
from conformance.targets.target import Target
from tests.kit.report_runs import EVIL, HELLO, Finding, described, violated, write

KEY = "my-canary-key"
OWN = '''
from conformance import MUST, SPEC, Finding, chat, check

@check("own.one", MUST, sends=chat(), spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"))
def one(x):
    """One thing: it holds, in %."""
    yield Finding("broken", "it is broken", at="/x")
'''


def job(name: str) -> Any:
    """A workflow, parsed."""
    return yaml.safe_load((JOBS / FILES[name]).read_text(encoding="utf-8"))


def steps() -> dict[str, list[str]]:
    """The lines of shell of each workflow, without installing."""
    github_steps = [step["run"] for step in job("github")["jobs"]["nightly"]["steps"] if "run" in step]
    gitlab = job("gitlab")["conformance"]
    cron = (JOBS / FILES["cron"]).read_text(encoding="utf-8").splitlines()[-1]
    found = {
        "github": github_steps,
        "gitlab": [*gitlab["script"], *gitlab["after_script"]],
        "cron": [cron.split("  ", 1)[1]],
    }
    return {name: [line for line in lines if not line.startswith("pip install")] for name, lines in found.items()}


def test_they_are_what_their_readers_take() -> None:
    """Names of events, jobs and keys as GitHub and GitLab document them, and five fields of time for cron."""
    one = job("github")
    assert one[True]["schedule"] == [{"cron": "17 2 * * *"}]  # `on`, as YAML 1.1 reads it; GitHub reads the word
    (nightly,) = one["jobs"].values()
    assert {"runs-on", "timeout-minutes", "steps"} == nightly.keys()
    assert all(("uses" in step) != ("run" in step) for step in nightly["steps"])
    assert one["permissions"] == {"contents": "read"}
    (other,) = job("gitlab").values()
    assert other.keys() <= {
        "image", "rules", "timeout", "resource_group", "cache", "before_script", "script", "after_script", "artifacts",
    }  # fmt: skip
    assert other["artifacts"]["reports"] == {"junit": "conformance.xml"}
    cron = (JOBS / FILES["cron"]).read_text(encoding="utf-8").splitlines()[-1]
    assert re.match(r"17 2 \* \* \*  cd ", cron)
    assert "%" not in cron  # which cron takes for a line break


@pytest.mark.parametrize("name", FILES)
def test_each_says_what_it_needs(name: str) -> None:
    """The secret, and the files, before anything else."""
    text = (JOBS / FILES[name]).read_text(encoding="utf-8")
    head = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    for part in ("MY_KEY", "targets.yaml", "baselines/my-server.yaml"):
        assert part in head, part


def test_the_command_prints_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a target of one's own; a file that is there is not overwritten."""
    assert main(["workflow", "github", "llama"]) == 0
    text = capsys.readouterr().out
    assert "pytest --target llama --conformance-fail-on new" in text
    assert "my-server" not in text
    path = tmp_path / ".github" / "workflows" / "night.yml"
    assert main(["workflow", "github", "-o", str(path)]) == 0
    assert yaml.safe_load(path.read_text())["name"] == "conformance"
    assert main(["workflow", "github", "-o", str(path)]) == 4
    assert main(["workflow", "cron", "a b"]) == 4
    assert "there is a file already" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_their_steps_do_what_they_say(name: str, tmp_path: Path) -> None:
    """The lines of shell of each, in a scratch folder with the reference in the target's place: a quiet night, then a broken one."""
    folder = tmp_path / "conformance"
    folder.mkdir()
    (folder / "targets.yaml").write_text("targets:\n  my-server: {kind: reference}\n")
    (folder / "conftest.py").write_text("")
    (tmp_path / ".conformance.env").write_text("export MY_KEY=x\n")
    programs = Path(sys.executable).parent
    (folder / ".venv").symlink_to(programs.parent)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "PYTEST_ADDOPTS": "-k models"}

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    made = shell("pytest --target my-server && conformance baseline my-server -o baselines/my-server.yaml")
    assert made.returncode == 0, made.stdout + made.stderr
    for line in steps()[name]:
        done = shell(line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert name == "cron" or (folder / "conformance.html").stat().st_size > 1000
    assert name == "cron" or "<testsuite" in (folder / "conformance.xml").read_text()
    (folder / "check_own.py").write_text(OWN)
    (folder / "baselines" / "my-server.yaml").write_text(
        (folder / "baselines" / "my-server.yaml").read_text().replace("holds:\n", "holds:\n- own.one\n")
    )
    environment["PYTEST_ADDOPTS"] = "-k 'models or own'"
    night = shell(steps()[name][0])
    if name == "cron":
        assert "new: own.one MUST" in night.stdout  # cron mails it
    else:
        assert night.returncode == 1


def test_github_shows_it_by_itself(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job summary, and an annotation at the line of the target; nothing of the kind elsewhere."""
    pytester.makefile(".yaml", targets="targets:\n  mine: {kind: reference}\n")
    (pytester.path / "check_own.py").write_text(OWN)
    summary = pytester.path / "summary.md"
    arguments = ("--target", "mine", "check_own.py")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert "::error" not in pytester.runpytest(*arguments).stdout.str()
    assert not summary.exists()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = pytester.runpytest(*arguments)
    result.stdout.fnmatch_lines(
        ["::error file=targets.yaml,line=2,title=own.one (mine)::One thing%3A*it is broken"] * 0
    )
    (order,) = [line for line in result.outlines if line.startswith("::")]
    assert (
        order
        == "::error file=targets.yaml,line=2,title=own.one (mine)::One thing: it holds, in %25. it is broken [broken]"
    )
    assert "## Conformance of mine: violations" in summary.read_text()
    night = pytester.runpytest(*arguments, "--conformance-fail-on", "new")
    assert night.ret == 0
    assert not [line for line in night.outlines if line.startswith("::")]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nowhere/at/all")
    pytester.runpytest(*arguments).stdout.fnmatch_lines(["*the job summary was not written: No such file*"])


def test_no_server_gives_orders(tmp_path: Path) -> None:
    """What a server said cannot end an annotation, begin another, or reach the properties of one."""
    finding = Finding("", EVIL, at=EVIL, found=EVIL)
    told = [(described("a.b", title=EVIL), violated(HELLO, finding))]
    run = ruled(read(write(tmp_path, "t", told)))
    target = Target("t", "openai", base_url="http://h", source="a,b:c%.yaml", line=3)
    (line,) = github.orders([run], [target], {})
    assert line.isprintable()
    assert line.startswith("::error file=a%2Cb%3Ac%25.yaml,line=3,title=a.b (t)::")
    assert len(line) < 1000


def test_a_stale_waiver_is_shown_at_its_line(tmp_path: Path) -> None:
    """Not at the target's."""
    waiver = {"check": "a.b", "because": "x", "owner": "y", "issue": None, "until": "2020-01-01"}
    run = ruled(read(write(tmp_path, "t", [(described("a.b"), violated(HELLO, Finding("no", "no")))], waives=[waiver])))
    target = Target(
        "t", "openai", base_url="http://h", source="targets.yaml", line=3, waives=(Waiver("a.b", "x", "y", line=9),)
    )
    (line,) = github.orders([run], [target], {})
    assert "file=targets.yaml,line=9," in line
    assert "the waiver expired on 2020-01-01" in line


def test_github_shows_ten(tmp_path: Path) -> None:
    """Of more, the tenth says how many there are."""
    told = [(described(f"a.b{number}"), violated(HELLO, Finding("no", "no"))) for number in range(30)]
    run = ruled(read(write(tmp_path, "t", told)))
    lines = github.orders([run], [], {"gone": "nothing answers"})
    assert len(lines) == 10
    assert lines[-1].endswith("::and 22 more: see the job summary")
    assert "could not test it" in lines[0]


def test_shell_lines_are_found() -> None:
    """Each workflow has lines that are tried."""
    assert all(lines for lines in steps().values())
    assert all(shlex.split(line) for lines in steps().values() for line in lines)
