"""READY, READY WITH LIMITS, or NOT READY: the decision, what it rests on, and its faces."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from conformance.analysis.migration.decision import UNKNOWN, Answer, Decision, Weight, asked
from conformance.analysis.migration.impact import Impact
from conformance.analysis.migration.proof import Evidence
from conformance.checks.catalogue import catalogue
from conformance.checks.traffic.reading import read
from conformance.core.mistake import Mistake
from conformance.report.migration import html, markdown, text
from conformance.report.migration import json as as_json
from conformance.report.migration.write import checked, write
from tests.kit.memory_runs import run_of
from tests.kit.report_runs import EVIL, hostile, ruled

CHAT = [check.id for check in catalogue().values() if check.area == "chat"]
STREAM = ["stream.ends-with-done", "stream.holds-events", "stream.comes-to-the-official-client"]
TOOLS = ["tools.requests-are-accepted", "tool_choice.required-calls"]
ERRORS = ["errors.broken-json-is-refused", "logprobs.come-when-asked"]
CHECKS = [*CHAT, *STREAM, *TOOLS, *ERRORS]


def decided(
    tmp_path: Path, *faults: str, before: tuple[str, ...] | None = (), needs: str = "", finished: bool = True
) -> Decision:
    """The decision about a server with these faults, in place of one with those."""
    candidate = run_of(tmp_path / "candidate", "new", CHECKS, faults, finished=finished)
    baseline = None if before is None else run_of(tmp_path / "baseline", "old", CHECKS, before)
    return asked(candidate, baseline, [needs] if needs else [])


def test_a_conforming_candidate_is_ready(tmp_path: Path) -> None:
    """Where everything holds that is needed, the answer is READY."""
    decision = decided(tmp_path, needs="streaming,tools")
    assert (decision.answer, decision.limits) == (Answer.READY, ())
    assert {one.feature: one.answer for one in decision.features}["tools"] == "READY"


def test_what_breaks_the_application_blocks(tmp_path: Path) -> None:
    """A documented requirement that held and does not hold any more makes it NOT READY, with whom that hurts."""
    decision = decided(tmp_path, "done-missing", needs="streaming")
    (limit,) = decision.of(Weight.BLOCKS)
    assert decision.answer is Answer.NOT_READY
    assert limit.result.check == "stream.ends-with-done"
    assert limit.relation == "breaks"
    assert limit.impact is not Impact.COSMETIC
    assert limit.needed_for == ("streaming",)


def test_what_is_not_needed_blocks_nothing(tmp_path: Path) -> None:
    """The same fault means nothing to an application that does not stream."""
    assert decided(tmp_path, "done-missing", needs="tools").answer is Answer.READY


def test_what_is_wrong_today_as_well_is_lived_with(tmp_path: Path) -> None:
    """A fault that both have, alike, neither blocks nor limits, and is listed; the other way round it is an improvement."""
    decision = decided(tmp_path, "done-missing", before=("done-missing",), needs="streaming")
    assert decision.answer is Answer.READY
    assert [one.result.check for one in decision.of(Weight.BEFORE)] == ["stream.ends-with-done"]


def test_what_gets_better_is_said(tmp_path: Path) -> None:
    """A requirement that only the baseline breaks is named as an improvement."""
    assert decided(tmp_path, before=("done-missing",), needs="streaming").improved == ("stream.ends-with-done",)


def test_without_a_baseline_the_contract_is_the_measure(tmp_path: Path) -> None:
    """A broken MUST blocks also where nobody says what is used today."""
    assert decided(tmp_path, "done-missing", before=None, needs="streaming").answer is Answer.NOT_READY


def test_a_refused_feature_blocks_who_needs_it(tmp_path: Path) -> None:
    """A clean refusal of log probabilities is NOT READY for whoever asked for them, and a limit where nobody said."""
    refusal = "logprobs-refused"
    assert decided(tmp_path / "a", refusal, needs="logprobs").answer is Answer.NOT_READY
    assert decided(tmp_path / "b", refusal, needs="tools").answer is Answer.READY
    assert decided(tmp_path / "c", refusal).answer is Answer.LIMITED


def test_nothing_known_is_not_ready(tmp_path: Path) -> None:
    """A feature that was asked for and that no check looked at with success is not assumed to work."""
    decision = decided(tmp_path, needs="embeddings")
    assert decision.answer is Answer.NOT_READY
    assert {one.feature: one.answer for one in decision.features}["embeddings"] == UNKNOWN


def test_a_run_that_was_stopped_is_never_simply_ready(tmp_path: Path) -> None:
    """What was not judged is said, and limits the answer."""
    decision = decided(tmp_path, needs="streaming", finished=False)
    assert decision.answer is Answer.LIMITED
    assert "incomplete" in decision.because


def test_traffic_shows_what_is_needed(tmp_path: Path) -> None:
    """Requests with streams make streams needed, without a word from anybody."""
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"messages": [{"role": "user", "content": "a"}], "stream": True}) + "\n")
    candidate = run_of(tmp_path / "new", "new", CHECKS, ["done-missing"])
    decision = asked(candidate, None, [], read(file))
    assert decision.asked_for
    assert "streaming" in decision.needs
    assert "tools" not in decision.needs


def test_every_face_says_the_same(tmp_path: Path) -> None:
    """Markdown, HTML and JSON have the answer, what breaks, the proof at both sides, and what was not tested."""
    decision = decided(tmp_path, "done-missing", needs="streaming")
    for face in (markdown.render(decision, Evidence()), html.render(decision, Evidence())):
        assert "NOT READY" in face
        assert "stream.ends-with-done" in face
        assert "curl" in face
        assert "Not tested" in face
    value = as_json.to_json(decision, Evidence())
    assert value["answer"] == "NOT READY"
    assert value["limits"][0]["proof"]["baseline"]["answered"].startswith("HTTP 200")
    assert value["limits"][0]["proof"]["candidate"]["client"]
    json.dumps(value)


def test_what_a_server_says_is_text(tmp_path: Path) -> None:
    """Scripts, escapes and mentions of a hostile server stay text in every face."""
    run = ruled(hostile(tmp_path / "evil"))
    decision = asked(run, None, [])
    page = html.render(decision, Evidence())
    assert "<script" not in page
    assert "<img" not in page
    assert "script-src &#39;none&#39;" in page or "script-src 'none'" in page
    for face in (page, markdown.render(decision, Evidence())):
        assert "\x1b" not in face
        assert "\u202e" not in face
    assert EVIL


def test_a_comment_has_room_for_it(tmp_path: Path) -> None:
    """Whatever is broken, the Markdown fits a comment, and says what it left out."""
    every = [check.id for check in catalogue().values() if check.area in ("chat", "stream", "usage")]
    run = run_of(
        tmp_path / "new", "new", every, ["done-missing", "index-missing", "role-missing", "delta-null-on-finish"]
    )
    decision = asked(run, None, ["streaming"])
    assert len(markdown.render(decision, Evidence())) <= markdown.LONGEST


def test_a_report_of_no_known_form_is_one_line(tmp_path: Path) -> None:
    """The end of the name says the form; another one, or a folder that is not there, is refused before anything runs."""
    with pytest.raises(Mistake, match=r"cannot be `\.pdf`"):
        checked([tmp_path / "a.pdf"])
    with pytest.raises(Mistake, match="no folder"):
        checked([tmp_path / "nowhere" / "a.html"])


def test_the_command_writes_and_decides(tmp_path: Path) -> None:
    """`conformance migration` ends with 1 where it is not ready, and writes the files that it was asked for."""
    run_of(tmp_path / "new", "new", CHECKS, ["done-missing"])
    run_of(tmp_path / "old", "old", CHECKS)
    command = [sys.executable, "-m", "conformance", "migration", "new", "--baseline", "old", "--needs", "streaming",
               "-o", "m.html", "-o", "m.md", "-o", "m.json"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("NOT READY: ")
    assert json.loads((tmp_path / "m.json").read_text())["answer"] == "NOT READY"
    assert (tmp_path / "m.html").stat().st_size > 1000


def test_a_disk_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    """A report that cannot be written is a mistake with the file's name."""
    decision = decided(tmp_path, needs="streaming")
    with pytest.raises(Mistake, match="cannot be written"):
        write(decision, [Path("/proc/nowhere.json")])


def test_the_terminal_has_the_answer_first(tmp_path: Path) -> None:
    """In 80 columns: the answer, the features, what breaks with its remedy, and what was not tested."""
    lines = StringIO()
    text.tell(Console(file=lines, width=80), decided(tmp_path, "done-missing", needs="streaming"))
    said = lines.getvalue()
    assert said.startswith("NOT READY  new in place of old")
    assert "stream.ends-with-done  MUST" in said
    assert max(map(len, said.splitlines())) <= 80
