"""A migration report as a user asks pytest for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.serve import serving

SOME = ("conformance/stream", "conformance/stream_framing")
REQUEST = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Say hello"}], "stream": True}


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with an endpoint that is used today, and the requests of an application."""
    monkeypatch.setenv("NEW_KEY", DEFAULT_KEY)
    (pytester.path / "requests.jsonl").write_text(json.dumps(REQUEST) + "\n")
    return pytester


def described(pytester: pytest.Pytester, base_url: str, fault: str = "") -> None:
    """targets.yaml with the candidate, which may have a fault."""
    where = base_url.replace("/v1", f"/fault/{fault}/v1") if fault else base_url
    stanza = (
        f"targets:\n  new: {{kind: openai, base_url: '{where}', key: '${{NEW_KEY}}'}}\n  today: {{kind: reference}}\n"
    )
    (pytester.path / "targets.yaml").write_text(stanza)


def test_the_answer_ends_the_run_and_fills_the_files(folder: pytest.Pytester) -> None:
    """One command asks both sides, sends the application's requests too, and writes the decision in every form."""
    with serving() as base_url:
        described(folder, base_url, "done-missing")
        files = [part for name in ("m.html", "m.md", "m.json") for part in ("--conformance-migration", name)]
        options = (
            "--target",
            "new",
            "--conformance-baseline",
            "today",
            "--conformance-traffic",
            "requests.jsonl",
            *files,
        )
        result = folder.runpytest(*options, *SOME, "conformance/traffic")
    result.stdout.fnmatch_lines(
        ["*requests.jsonl: 1 distinct request of 1 will be sent again", "NOT READY: * (m.html, m.md, m.json)"]
    )
    value = json.loads((folder.path / "m.json").read_text())
    assert value["answer"] == "NOT READY"
    assert "streaming" in value["needs"]
    assert "tools" not in value["needs"]
    blocking = [one for one in value["limits"] if one["weight"] == "blocks"]
    assert "stream.ends-with-done" in [one["check"] for one in blocking]
    assert all(one["proof"]["baseline"]["target"] == "today" for one in blocking)
    assert "NOT READY" in (folder.path / "m.html").read_text()
    for file in folder.path.rglob("*"):
        assert not file.is_file() or file.suffix == ".pyc" or DEFAULT_KEY.encode() not in file.read_bytes(), file


def test_a_candidate_that_conforms_is_ready(folder: pytest.Pytester) -> None:
    """The same for a server without a fault: READY, exit code 0."""
    with serving() as base_url:
        described(folder, base_url)
        options = (
            "--target",
            "new",
            "--conformance-baseline",
            "today",
            "--conformance-needs",
            "streaming",
            "--conformance-migration",
            "m.json",
        )
        result = folder.runpytest(*options, "conformance/stream", "conformance/chat", "conformance/errors")
    assert result.ret == 0
    assert json.loads((folder.path / "m.json").read_text())["answer"].startswith("READY")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--target", "reference", "--conformance-needs", "toolz", "--conformance-migration", "m.md"],
            "*`toolz`*did you mean `tools`*",
        ),
        (
            ["--target", "reference", "--conformance-needs", "tools"],
            "*--conformance-needs: says what a migration report is about*",
        ),
        (["--target", "reference", "--conformance-migration", "m.pdf"], "*a report cannot be `.pdf`*"),
        (["--target", "reference", "--conformance-migration", "nowhere/m.md"], "*there is no folder*"),
        (
            ["--target", "reference", "--target", "today", "--conformance-migration", "m.md"],
            "*one candidate, and there are 2*",
        ),
        (
            ["--target", "reference", "--conformance-baseline", "golden:openai", "--conformance-migration", "m.md"],
            "*a golden set or a file* is no endpoint*",
        ),
        (
            ["--target", "reference", "--conformance-traffic", "nowhere.har"],
            "*the traffic cannot be read: No such file*",
        ),
        (["--conformance-migration", "m.md"], "*add --target NAME*"),
    ],
)
def test_what_makes_no_sense_is_one_line(options: list[str], said: str, folder: pytest.Pytester) -> None:
    """It is refused before anything is sent, with what was meant, and exit code 4."""
    described(folder, "http://127.0.0.1:9/v1")
    result = folder.runpytest(*options)
    assert result.ret == 4
    result.stderr.fnmatch_lines([said])
    assert not Path(folder.path / "reports").exists()
