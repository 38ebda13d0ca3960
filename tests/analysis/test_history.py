"""The history of runs: since when a requirement is as it is, what each run counted, who the engine was and how fast."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.analysis.history import FILE, enter, past, rebuild
from conformance.analysis.trend import sparkline
from conformance.cli.main import main
from conformance.core.finding import Outcome
from conformance.core.mistake import Mistake
from conformance.evidence.exchanges import Recording
from conformance.evidence.run import read
from conformance.probes.chat import HELLO
from conformance.report.book import Book
from tests.kit.report_runs import answer, described, holds, stream, violated, write

TIMES = tuple(f"2026-11-{day:02}T02:00:00Z" for day in range(1, 7))


def shelf(tmp_path: Path, *outcomes: Outcome | None, engine: tuple[str, ...] = ()) -> Path:
    """Runs of one requirement on following nights; None where it was not judged."""
    for number, outcome in enumerate(outcomes):
        told = [(described("a.b"), outcome)] if outcome else []
        directory = write(tmp_path / "t" / f"{number}", "t", told, started=TIMES[number], selected=len(told))
        recording = Recording(directory)
        body = {"system_fingerprint": engine[number] if engine else "", "choices": []}
        recording.append(answer(HELLO, body, target="t"))
        recording.close()
    return tmp_path


BROKEN, SOUND = violated(HELLO), holds(HELLO)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((SOUND, SOUND), ("holds", TIMES[0], 2, "")),
        ((SOUND, BROKEN, BROKEN), ("violated", TIMES[1], 2, "holds")),
        ((BROKEN, SOUND, None, SOUND), ("holds", TIMES[1], 2, "violated")),
        ((BROKEN, SOUND, BROKEN), ("violated", TIMES[2], 1, "holds")),
    ],
)
def test_since_when(outcomes: tuple[Outcome | None, ...], expected: tuple[object, ...], tmp_path: Path) -> None:
    """A row begins where the outcome changed; a run that did not judge it neither begins nor ends one."""
    reports = shelf(tmp_path, *outcomes)
    assert rebuild(reports) == (len(outcomes), [])
    (one,) = past(reports, "t").requirements
    assert (one.outcome, one.since, one.runs, one.before) == expected


def test_each_run_has_its_counts_engine_and_times(tmp_path: Path) -> None:
    """From what was recorded: the fingerprint of the answers, and percentiles of their times."""
    reports = shelf(tmp_path, SOUND, BROKEN, engine=("fp_a", "fp_b"))
    recording = Recording(reports / "t" / "1")
    recording.append(stream(HELLO.asking(stream=True), "one", "two", target="t"))
    recording.close()
    rebuild(reports)
    first, second = past(reports, "t").entries
    assert (first.holds, first.violated, second.holds, second.violated, second.musts) == (1, 0, 0, 1, 1)
    assert (first.engine, second.engine) == ("fp_a", "fp_b")
    assert first.whole_p50 == pytest.approx(0.22)
    assert (first.first_token_p50, second.first_token_p50) == (None, pytest.approx(0.3))
    assert first.complete


def test_a_run_entered_twice_is_there_once(tmp_path: Path) -> None:
    """One that was resumed is entered anew."""
    reports = shelf(tmp_path, SOUND)
    enter(reports, read(reports / "t" / "0"))
    enter(reports, read(reports / "t" / "0"))
    assert len(past(reports, "t").entries) == 1
    with sqlite3.connect(reports / FILE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_runs_that_end_at_once_are_all_entered(tmp_path: Path) -> None:
    """From several processes, into a database that none of them has made yet."""
    reports = shelf(tmp_path, *[SOUND] * 4)
    code = "import sys; from pathlib import Path; from conformance.analysis.history import enter; from conformance.evidence.run import read; enter(Path(sys.argv[1]), read(Path(sys.argv[2])))"
    jobs = [
        subprocess.Popen([sys.executable, "-c", code, str(reports), str(reports / "t" / str(number))])
        for number in range(4)
    ]
    assert [job.wait(60) for job in jobs] == [0] * 4
    assert len(past(reports, "t").entries) == 4


def test_nothing_is_known_in_one_line(tmp_path: Path) -> None:
    """No history, another target, a damaged file, one of a newer version: each says what to do."""
    with pytest.raises(Mistake, match="there is no history yet of any run in"):
        past(tmp_path, "t")
    rebuild(shelf(tmp_path, SOUND))
    with pytest.raises(Mistake, match="there is no history of `tt`; did you mean `t`"):
        past(tmp_path, "tt")
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Mistake, match=r"made by a newer version of the suite \(form 99\)"):
        past(tmp_path, "t")
    (tmp_path / FILE).write_bytes(b"garbage" * 1000)
    with pytest.raises(Mistake, match="the history is damaged") as caught:
        past(tmp_path, "t")
    assert "--rebuild" in str(caught.value)


def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rebuild goes on without it, and exits 6."""
    reports = shelf(tmp_path, SOUND, SOUND)
    (reports / "t" / "0" / "run.jsonl").write_bytes(b"garbage\n")
    assert main(["history", "--rebuild", "t", "--reports", str(reports)]) == 6
    told = capsys.readouterr()
    assert "left out:" in told.err
    assert "1 runs are in the history" in told.out


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lists runs by engine, what is violated and since when; --json has it all; no target is one line."""
    rebuild(shelf(tmp_path, SOUND, BROKEN, engine=("fp_a", "fp_b")))
    assert main(["history", "t", "--reports", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "fp_a" in text
    assert "fp_b" in text
    assert f"a.b MUST: violated since {TIMES[1]} (1 run), holds before" in text
    assert main(["history", "t", "--reports", str(tmp_path), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [one["violated"] for one in value["runs"]] == [0, 1]
    assert value["requirements"][0]["since"] == TIMES[1]
    assert main(["history", "--reports", str(tmp_path)]) == 4
    assert main(["history", "t", "--reports", str(tmp_path / "none")]) == 4
    assert capsys.readouterr().err.count("conformance: ") == 2


def test_every_run_enters_itself(pytester: pytest.Pytester) -> None:
    """Also one whose target could not be tested; a replay is no news."""
    targets = (
        "targets:\n  mine: {kind: reference}\n  gone: {kind: openai, base_url: 'http://127.0.0.1:9/v1', model: m}\n"
    )
    pytester.makefile(".yaml", targets=targets)
    pytester.runpytest("--target", "mine", "--target", "gone", "conformance/models")
    reports = pytester.path / "reports"
    (entry,) = past(reports, "mine").entries
    assert (entry.holds, entry.engine) == (10, "fp_reference; openai-version 2020-10-01")
    (dead,) = past(reports, "gone").entries
    assert "nothing answers" in dead.dead
    pytester.runpytest("--target", f"replay:{reports / entry.directory}", "conformance/models")
    with sqlite3.connect(reports / FILE) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)
    connection.close()


def test_a_history_that_cannot_be_written_loses_no_run(pytester: pytest.Pytester) -> None:
    """It is said in a line, and the exit code is that of the run."""
    pytester.makefile(".yaml", targets="targets:\n  mine: {kind: reference}\n")
    (pytester.path / "reports").mkdir()
    (pytester.path / "reports" / FILE).write_bytes(b"garbage" * 1000)
    result = pytester.runpytest("--target", "mine", "conformance/models")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*not entered into the history:*damaged*"])


def test_a_sparkline_is_a_small_picture() -> None:
    """Well-formed, with words for those who do not see it, gaps where nothing was measured; nothing of fewer than two values."""
    picture = ElementTree.fromstring(sparkline([1.0, None, 3.0, 2.0], 'first token <p50> & "more"'))
    title, path, dot = picture
    assert title.text == 'first token <p50> & "more"'
    assert path.attrib["d"].count("M") == 2
    assert dot.attrib["cx"] == "94.0"
    assert sparkline([1.0, None], "x") == ""
    assert sparkline([5.0, 5.0], "x")


def test_a_report_shows_how_it_went(tmp_path: Path) -> None:
    """A run whose target has a history of several draws them, up to itself; the first one draws nothing."""
    reports = shelf(tmp_path, SOUND, BROKEN, SOUND)
    rebuild(reports)
    assert 'id="trend"' not in Book.of([reports / "t" / "0"]).html()
    page = Book.of([reports / "t" / "1"]).html()
    assert "t, 2 runs" in page
    assert "violated MUSTs" in page
    assert page.count('<svg class="trend"') >= 2
    assert "t, 3 runs" in Book.of([reports / "t" / "2"]).html()
