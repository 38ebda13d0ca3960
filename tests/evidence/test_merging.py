"""`conformance merge`: shards of one run become one, conflicts are told, and what is no shard is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cli.main import main
from conformance.core.finding import Finding, Kind
from conformance.evidence.exchanges import Recording
from conformance.evidence.run import read
from conformance.probes.chat import HELLO, STREAMED, get
from tests.kit.report_runs import answer, described, holds, lost, stream, violated, write
from tests.kit.said import told

BODY = {"choices": []}


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shards that share a request, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "one",
        "mine",
        [(described("chat.a"), holds(HELLO))],
        [answer(HELLO, BODY, target="mine")],
        exit_code=0,
    )
    write(
        tmp_path / "two",
        "mine",
        [(described("stream.b"), violated(STREAMED, Finding("open", "it is open", at="/a")))],
        [answer(HELLO, BODY, target="mine"), stream(STREAMED, "x", target="mine")],
    )
    return tmp_path


def test_shards_become_one_run(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every outcome and every exchange once; sums in the footer; it is read like any other run."""
    assert told(capsys, "merge", "one", "two", "-o", "whole") == (0, "whole: 2 requirements, 2 exchanges of 2 shards")
    run = read(shards / "whole")
    assert [(one.check, one.outcome.kind) for one in run.results] == [("chat.a", "holds"), ("stream.b", "violated")]
    assert run.complete
    assert run.header.selected == 2
    assert run.footer is not None
    assert (run.footer.requests, run.footer.exit) == (194, 1)
    assert set(Recording(shards / "whole")) == {HELLO.key, STREAMED.key}
    assert run.by_check["stream.b"] == read(shards / "two").by_check["stream.b"]
    assert main(["report", "whole", "--markdown", "whole.md"]) == 0


def test_conflicts_are_told(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two outcomes of one requirement the worse is kept, and both are said; so is an answer that changed."""
    third = [(described("stream.b"), holds(STREAMED)), (described("chat.a"), lost("answered 500"))]
    write(shards / "three", "mine", third, [answer(HELLO, BODY, 500, target="mine")])
    code, text = told(capsys, "merge", "one", "two", "three", "-o", "whole")
    assert code == 0
    assert "stream.b: violated in two, holds in three; kept: violated" in text
    assert "chat.a: holds in one, errored in three; kept: errored" in text
    assert "1 requests were answered with another status in another shard" in text
    kinds = {one.check: one.outcome.kind for one in read(shards / "whole").results}
    assert kinds == {"chat.a": Kind.ERRORED, "stream.b": Kind.VIOLATED}


def test_what_is_made_of_half_a_shard_is_incomplete(shards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And that is said."""
    write(shards / "killed", "mine", [(described("models.c"), holds(get("models")))], ends=False)
    code, text = told(capsys, "merge", "one", "killed", "-o", "whole")
    assert code == 0
    assert "killed is incomplete, and so is what is made of it" in text
    assert not read(shards / "whole").complete


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("one", "one", "-o", "whole"), "a merge takes two shards at least"),
        (("one", "other", "-o", "whole"), "these are no shards of one run: the target is mine in one, and other here"),
        (("one", "newer", "-o", "whole"), "these are no shards of one run: the suite is 0.1.0 in one, and 9.9 here"),
        (("one", "two", "-o", "one"), "there is something here already"),
        (("one", "nowhere", "-o", "whole"), "nowhere: this is not the directory of a run"),
    ],
)
def test_what_is_no_shard_is_refused(
    shards: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    """One line, exit code 4, nothing written."""
    write(shards / "other", "other", [(described("chat.a"), holds(HELLO))])
    write(shards / "newer", "mine", [(described("chat.a"), holds(HELLO))], suite="9.9", started="2026-12-24T07:00:00Z")
    code, text = told(capsys, "merge", *words)
    assert code == 4
    assert line in text
    assert not (shards / "whole").exists()
