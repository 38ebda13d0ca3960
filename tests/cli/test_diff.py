"""`conformance diff A B`: two stored runs, in words, as Markdown and as JSON, and the answers side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.cli.main import main
from tests.kit.report_runs import EVIL, clean, described, holds, hostile, vllm, write
from tests.kit.said import told


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run of a real server and one of a sound one."""
    vllm(tmp_path / "reports" / "vllm-local" / "20261123T070000Z")
    clean(tmp_path / "reports" / "reference" / "20261123T070000Z")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_runs_are_named_as_people_name_them(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Targets or directories; what breaks comes first, and the last line has it all."""
    code, text = told(capsys, "diff", "reference", "reports/vllm-local/20261123T070000Z")
    assert code == 0
    assert text.startswith("vllm-local against reference")
    assert "breaks: 3 requirements" in text
    assert text.index("breaks: 3 requirements") < text.index("could not compare")
    assert text.endswith(
        "vllm-local against reference: breaks: 4; differs, though both conform: 1; could not compare: 26"
    )


def test_the_answers_stand_side_by_side(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one requirement: two commands, two answers, and what differs in them."""
    code, text = told(capsys, "diff", "reference", "vllm-local", "--check", "chat.answers")
    assert code == 0
    assert text.count("curl -sS") == 2
    assert "an array has another length at /choices: reference 1, vllm-local 0" in text


def test_json_and_markdown_say_the_same(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts agree, and nothing in them acts."""
    assert main(["diff", "reference", "vllm-local", "--json", "--markdown", "diff.md"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["baseline"]["target"] == "reference"
    assert value["counts"]["breaks"] == sum(one["relation"] == "breaks" for one in value["differences"])
    assert f"breaks: {value['counts']['breaks']}" in (shelf / "diff.md").read_text()


def test_what_a_server_said_does_nothing(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its text is shown as text, wherever it stands."""
    hostile(shelf / "reports" / "evil" / "20261123T070000Z")
    told = [(described("evil.findings"), holds()), (described("evil.observed", level="NOTE"), holds())]
    write(shelf / "reports" / "good" / "20261123T070000Z", "good", told)
    for more in ((), ("--check", "evil.findings"), ("--markdown", "evil.md")):
        assert main(["diff", "good", "evil", *more]) == 0
        out = capsys.readouterr().out
        assert "\x1b]" not in out
        assert "\u202e" not in out
        assert EVIL not in out
    page = (shelf / "evil.md").read_text()
    assert "<script>" not in page
    assert "@everyone" not in page


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("reference", "reference"), "both are the same run: nothing would differ"),
        (("reference", "other"), "the two runs have nothing in common: 4 and 1 requirements, none in both"),
        (("reference", "nobody"), "there is no run called `nobody`"),
        (
            ("reference", "vllm-local", "--check", "chat.answer"),
            "neither run judged `chat.answer`; did you mean `chat.answers`?",
        ),
    ],
)
def test_mistakes_are_one_line(
    shelf: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    """What cannot be compared is said, with exit code 4."""
    write(shelf / "reports" / "other" / "20261123T070000Z", "other", [(described("ancient.check"), holds())])
    code, text = told(capsys, "diff", *words)
    assert code == 4
    assert line in text
