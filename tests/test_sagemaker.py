"""A SageMaker target as a user has it: the whole path with real tokens, and nothing of a credential in anything that is left."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from conformance.cli.main import main
from conformance.core.aws.names import route
from conformance.reference.app import app
from conformance.reference.engine import responder
from conformance.reference.fault import faults
from conformance.reference.sagemaker_door import Door, Owner, fronted
from conformance.reference.serve import hosting

CANARY = Owner("ASIACANARYCANARYCAN1", "canarySecretKey+47/11", "canarySessionToken+47/11==" + "x" * 200)
"""Credentials that must turn up nowhere."""
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": CANARY.access,
    "AWS_SECRET_ACCESS_KEY": CANARY.secret,
    "AWS_SESSION_TOKEN": CANARY.session or "",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
HERE = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


@contextmanager
def door(*planted: str, region: str = "us-east-1") -> Iterator[str]:
    """The base URL of an endpoint behind an emulated door that opens to the canary's tokens, with these faults in it."""
    respond = fronted(responder(), Door(CANARY, region, style="documented"))
    for one in planted:
        respond = faults()[one](respond)
    with hosting(app(respond)) as origin:
        yield route(origin, "local")


def run(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder, with the canary's credentials in its environment; pytest without other plugins, slow to start."""
    if words[0] == "pytest" and "--alluredir" not in words:
        words = ("pytest", "-p", "conformance.plugin.options", *words[1:])
        environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env={**HERE, **ENVIRONMENT, **environ}, capture_output=True,
        text=True, timeout=240, check=False,
    )  # fmt: skip


def targets(folder: Path, *lines: str) -> None:
    """A `targets.yaml` with one target, `it`."""
    text = "".join(
        f"    {line}\n"
        for line in ("kind: sagemaker", "endpoint: local", "region: us-east-1", "model: reference", *lines)
    )
    (folder / "targets.yaml").write_text(f"targets:\n  it:\n{text}", encoding="utf-8")


FORMS = [
    CANARY.access,
    CANARY.secret,
    quote(CANARY.secret, safe=""),
    base64.b64encode(CANARY.secret.encode()).decode().rstrip("="),
    "canarySessionToken",
    "sagemaker-api-key-",
    "c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20v",
]
SIGNATURE = re.compile(r"X-Amz-Signature(?:=|%3D)[0-9a-f]{16}")


def test_nothing_of_a_credential_is_left_anywhere(tmp_path: Path) -> None:
    """A door that repeats every token, in bodies and headers, at full talk: no artefact has any of it, in any form."""
    with door("door-echoes-token", "door-echoes-token-in-header", "door-blames-the-server") as url:
        targets(tmp_path, f"base_url: {url}")
        done = run(
            tmp_path, "pytest", "--target", "it", "-p", "no:cacheprovider", "-m", "sagemaker or auth or errors",
            "--junitxml", "junit.xml", "--alluredir", "allure", "-rA", "-vv", "--log-level=DEBUG", "--showlocals",
            "--tb=long", "-o", "junit_logging=all", "-o", "log_file=log.txt", "-o", "log_file_level=DEBUG",
        )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout[-2000:] + done.stderr[-2000:]
    assert "sagemaker.refusal-keeps-the-token-to-itself" in done.stdout
    (directory,) = (tmp_path / "reports" / "it").iterdir()
    for words in (["--html", "report.html"], ["--markdown", "report.md"]):
        assert run(tmp_path, "conformance", "report", str(directory), *words).returncode == 0
    made = run(tmp_path, "conformance", "har", str(directory), "-o", "run.har")
    texts = {path.name: path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()}
    texts |= {"stdout": done.stdout, "stderr": done.stderr + made.stderr}
    assert {"junit.xml", "log.txt", "report.html", "report.md", "run.har", "run.jsonl", "exchanges.jsonl"} <= set(texts)
    assert any(name.endswith("-result.json") for name in texts)
    for name, text in texts.items():
        for form in FORMS:
            assert form not in text, f"{name} has {form}"
        assert not SIGNATURE.search(text), name
    masked = texts["exchanges.jsonl"]
    assert "****" in masked  # it was there to be hidden


@pytest.mark.slow
def test_the_echo_is_found_although_it_is_masked(tmp_path: Path) -> None:
    """The run says that the token came back: a SHOULD, by name."""
    with door("door-echoes-token") as url:
        targets(tmp_path, f"base_url: {url}")
        run(tmp_path, "pytest", "--target", "it", "-m", "sagemaker")
    (directory,) = (tmp_path / "reports" / "it").iterdir()
    lines = [json.loads(line) for line in (directory / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    violated = {line["check"] for line in lines if line["type"] == "outcome" and line["outcome"] == "violated"}
    assert violated == {"sagemaker.refusal-keeps-the-token-to-itself"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("door-valid-token-refused", "sagemaker:InvokeEndpoint on this endpoint and"),
        ("door-asleep", "nothing runs behind the endpoint (scaled to zero)"),
    ],
)
def test_what_keeps_a_target_from_being_tested_is_one_line(tmp_path: Path, fault: str, said: str) -> None:
    """A refused token and an endpoint at zero copies are no violations: exit code 6 and the remedy."""
    with door(fault) as url:
        targets(tmp_path, f"base_url: {url}")
        done = run(tmp_path, "pytest", "--target", "it", "-m", "sagemaker")
    assert done.returncode == 6, done.stdout
    assert said in " ".join(done.stdout.split())
    assert "sagemaker-api-key" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "environ", "code", "said"),
    [
        ([], {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 6, "targets.yaml:2: no AWS credentials"),
        (["aws_profile: dev"], {}, 6, "no profile `dev`"),
        (["inference_component: a_b"], {}, 4, "targets.yaml:7: `targets.it.inference_component` must be a name"),
        (["token_lifetime: 13h"], {}, 4, "from 1s to 12h, such as 15m, not `13h`"),
        (["host: h", "base_url: http://h"], {}, 4, "contradicts base_url"),
        (["container: nobody"], {}, 4, "must be a target of this file"),
        (["container: it"], {}, 4, "this one is a door"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, lines: list[str], environ: dict[str, str], code: int, said: str) -> None:
    """What is wrong, where it is written, and what to do; never a traceback."""
    targets(tmp_path, *lines)
    done = run(tmp_path, "pytest", "--target", "it", **environ)
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, text
    assert said in text
    assert "Traceback" not in text


def test_the_emulated_door_is_named_in_every_report(tmp_path: Path) -> None:
    """The whole path before the reference, with credentials that nobody has to have; header, terminal, Markdown, HTML, JUnit."""
    (tmp_path / "targets.yaml").write_text(
        "targets:\n  it: {kind: sagemaker, endpoint: local, inference_component: c, container: reference}\n"
    )
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
    done = run(tmp_path, "pytest", "--target", "it", "-m", "sagemaker", "--junitxml", "junit.xml", **nobody)
    assert done.returncode == 0, done.stdout[-3000:]
    (directory,) = (tmp_path / "reports" / "it").iterdir()
    run(tmp_path, "conformance", "report", str(directory), "--html", "r.html", "--markdown", "r.md")
    again = run(tmp_path, "pytest", "--target", f"replay:{directory}", "-m", "sagemaker", **nobody)
    assert again.returncode == 0, again.stdout[-3000:]
    told = {name: (tmp_path / name).read_text(encoding="utf-8") for name in ("junit.xml", "r.html", "r.md")}
    told |= {"terminal": done.stdout, "header": (directory / "run.jsonl").read_text(encoding="utf-8")}
    told |= {"replay": again.stdout}
    for name, text in told.items():
        assert "front door, emulated" in " ".join(text.replace("&#39;", "'").split()), name


@pytest.mark.slow
def test_the_checks_of_a_kind_are_asked_of_that_kind(tmp_path: Path) -> None:
    """Nobody asks another server about SageMaker."""
    done = run(tmp_path, "pytest", "--target", "reference", "--collect-only", "-q", "-m", "sagemaker")
    assert done.returncode == 5, done.stdout[-500:]


def test_token_explains_without_showing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field by field; printed only into a pipe; a token from elsewhere is explained, too."""
    targets(tmp_path, "token_lifetime: 5m")
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert main(["token", "it", "--check"]) == 0
    told = capsys.readouterr().out
    for word in ("us-east-1", "CallWithBearerToken", "300 s", "verified", "temporary credentials"):
        assert word in told
    for form in FORMS:
        assert form not in told
    main(["token", "it"])
    piped = capsys.readouterr().out
    assert piped.startswith("sagemaker-api-key-")
    main(["token", "it", "--forged", "expired"])
    over = capsys.readouterr().out
    for token, code, word in ((piped, 0, "left"), (over, 1, "over for"), ("Bearer x", 1, "no valid token")):
        monkeypatch.setenv("TOKEN", token)
        assert main(["token", "--check", "--env", "TOKEN"]) == code
        found = capsys.readouterr().out
        assert word in found
        assert token.strip() not in found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["token"], "which token?"),
        (["token", "reference"], "which has no minted tokens"),
        (["token", "--env", "NO_SUCH", "--check"], "${NO_SUCH} is not set"),
        (["token", "--stdin"], "add --check"),
        (["serve", "--component", "x"], "add --sagemaker"),
        (["serve", "--fault", "door-asleep"], "add --sagemaker"),
        (["serve", "--sagemaker", "--endpoint", "a_b"], "--endpoint: must be at most 63"),
        (["serve", "--sagemaker", "--container", "nowhere"], "--container: must be a URL"),
        (["serve", "--sagemaker", "--container", "http://h", "--delay", "1"], "leave --container out"),
    ],
)
def test_a_wrong_command_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was meant, and exit code 4."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 4
    assert said in capsys.readouterr().err
