"""A run read back from disk: facts as they were written, rulings as somebody else says, damage by name."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conformance.analysis.summary import in_words, losses, standing, unfinished
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.mistake import Mistake
from conformance.core.requirement import Level
from conformance.core.text import anywhere, legible, legible_lines, value_text
from conformance.core.verdict import Waiver
from conformance.evidence.log import RunLog
from conformance.evidence.run import RUN, latest, read
from conformance.probes.chat import HELLO
from tests.kit.report_runs import (
    EVIL,
    by_verdict,
    clean,
    described,
    footer,
    header,
    holds,
    lookup,
    outcome_line,
    ruled,
    violated,
    vllm,
    write,
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Header, outcomes with their checks, and footer come back as values."""
    finding = Finding("wrong", "it is wrong", at=(3, 9), expected=None, found=[1])
    more: dict[str, Any] = {"claims": ["chat"], "strict": True, "replay_of": "reports/x/1"}
    told = [(described("b.second"), violated(HELLO, finding)), (described("a.first", level="NOTE"), holds(HELLO, n=1))]
    run = read(write(tmp_path, "t", told, **more))
    assert (run.target, run.header.model, run.header.claims, run.header.strict) == (
        "t",
        "tiny",
        frozenset({"chat"}),
        True,
    )
    assert run.header.replay_of == "reports/x/1"
    assert run.footer is not None
    assert (run.footer.exit, run.footer.requests, run.footer.tokens["completion"]) == (1, 97, 988)
    first, second = run.results
    assert (first.check, first.level, first.outcome.observed) == ("a.first", Level.NOTE, {"n": 1})
    assert (second.area, second.findings, second.keys) == (
        "b",
        (Finding("wrong", "it is wrong", at=(3, 9), expected=None, found=[1], on=HELLO.key),),
        (HELLO.key,),
    )
    assert second.source is not None
    assert second.source.oracle == "contract"
    assert run.complete


def test_a_rule_is_applied_on_reading(tmp_path: Path) -> None:
    """Rulings come from the function given, with the waivers of the run or with later ones."""
    run = read(vllm(tmp_path))
    with pytest.raises(ValueError, match="has not been ruled"):
        _ = run.counts
    by_then = run.ruled(by_verdict)
    assert by_then.by_check["tools.named"].ruling == "waived"
    assert by_then.by_check["auth.wrong-key"].because.startswith("the waiver is stale")
    assert by_then.counts["failed"] == 3
    today = run.ruled(by_verdict, [Waiver("tools.named", "late", "me", until=date(2026, 1, 1))])
    assert today.by_check["tools.named"].because == "the waiver expired on 2026-01-01 (late)"
    assert today.by_check["auth.wrong-key"].ruling == "passed"


def test_the_later_outcome_of_a_check_holds(tmp_path: Path) -> None:
    """A run that was resumed has two headers and two outcomes of a check: the later ones count, and one footer."""
    log = RunLog(tmp_path)
    log.note("begin", header("t", selected=2))
    log.note("outcome", {**described("a.b"), **outcome_line(Outcome(Kind.ERRORED, reason="cut"))})
    assert not read(tmp_path).complete
    log.note("begin", header("t", selected=2, started="later"))
    log.note("outcome", {**described("a.b"), **outcome_line(holds(HELLO))})
    run = read(tmp_path)
    assert not run.complete
    assert [result.outcome.kind for result in run.results] == [Kind.HOLDS]
    log.note("end", footer(exit=0))
    assert read(tmp_path).complete


def test_a_killed_run_is_readable_and_said_to_be_incomplete(tmp_path: Path) -> None:
    """Cut anywhere after its header, a run gives the outcomes whose lines are whole, and is not complete."""
    whole = (clean(tmp_path / "whole") / RUN).read_bytes()
    end_of_header = whole.index(b"\n") + 1
    for cut in range(end_of_header, len(whole) - 1, 97):
        (tmp_path / RUN).write_bytes(whole[:cut])
        run = ruled(tmp_path)
        assert not run.complete
        assert len(run.results) == max(whole[:cut].count(b"\n") - 1, 0)
        assert "incomplete: it was stopped after" in in_words(run)
        assert standing([run]) == "could not test"


@pytest.mark.parametrize(
    "line", [b"{garbage\n", b"[]\n", b"\xff\xfe\n", b'{"type": "outcome", "check": 1}\n', b'{"type": "begin"}\n']
)
def test_damage_is_named_with_what_was_saved(tmp_path: Path, line: bytes) -> None:
    """A line that cannot be read is a mistake that gives file and line; a forgiving reader keeps what came before."""
    directory = clean(tmp_path)
    lines = (directory / RUN).read_bytes().splitlines(keepends=True)
    (directory / RUN).write_bytes(b"".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(Mistake, match=r"run\.jsonl:4: line 4 is damaged.* are readable"):
        read(directory)
    run = read(directory, forgiving=True).ruled(by_verdict)
    assert len(run.results) == 4
    assert "line 4 is damaged" in unfinished(run)
    assert "4 outcomes are saved" in unfinished(run)
    assert not run.complete


def test_other_directories_are_refused(tmp_path: Path) -> None:
    """No directory, an empty one, one without a header, and one of a newer suite are each one clear message."""
    with pytest.raises(Mistake, match=r"not the directory of a run: it has no run\.jsonl"):
        read(tmp_path / "nowhere")
    (tmp_path / RUN).write_text("")
    with pytest.raises(Mistake, match="no header"):
        read(tmp_path)
    (tmp_path / RUN).write_text(json.dumps({"type": "begin", "version": 99, "target": "t"}) + "\n")
    with pytest.raises(Mistake, match=r"newer version of the suite \(form 99; this one reads up to 1\)"):
        read(tmp_path, forgiving=True)


def test_an_old_run_needs_no_check_that_exists(tmp_path: Path) -> None:
    """An outcome with only what the first version wrote is read; what is missing is as usual."""
    log = RunLog(tmp_path)
    log.note("begin", {"target": "t"})
    log.note(
        "outcome",
        {"check": "gone.long-ago", "level": "MAY", "title": "It was so.", **outcome_line(Outcome(Kind.HOLDS))},
    )
    log.note("engine", {"version": "0.1"})
    run = read(tmp_path)
    assert (run.results[0].area, run.results[0].source, run.header.claims) == ("gone", None, None)
    assert run.notes[0]["version"] == "0.1"


def test_the_newest_run_of_a_target_is_found(tmp_path: Path) -> None:
    """By the name of its directory; complete ones only where asked for; none where there is none."""
    assert latest(tmp_path, "t") is None
    write(tmp_path / "t" / "2026-11-23T07-00-00Z", "t", [])
    write(tmp_path / "t" / "2026-11-24T07-00-00Z", "t", [], ends=False)
    (tmp_path / "t" / "2026-11-25T07-00-00Z").mkdir()
    newest, finished = latest(tmp_path, "t"), latest(tmp_path, "t", complete=True)
    assert newest is not None
    assert finished is not None
    assert (newest.name[:10], finished.name[:10]) == ("2026-11-24", "2026-11-23")


def test_lost_evidence_is_told_once(tmp_path: Path) -> None:
    """Checks that lack evidence for the same reason are one loss, named by the request that failed."""
    directory = vllm(tmp_path)
    first, *others = losses(ruled(directory), lookup(directory))
    assert (first.what, len(first.results)) == ("POST chat/completions answered 500", 14)
    assert {len(loss.results) for loss in others} == {1}
    assert any(loss.what.startswith("our bug") for loss in others)


def test_a_run_in_words(tmp_path: Path) -> None:
    """The phrase counts what is broken, what is stale, and what could not be tested."""
    assert in_words(ruled(clean(tmp_path / "1"))) == "nothing is broken in 4 requirements"
    words = "2 requirements are broken, 1 waiver is stale, 16 could not be tested"
    assert in_words(ruled(vllm(tmp_path / "2"))) == words


def test_nothing_invisible_stays_invisible() -> None:
    """Control characters, overrides of direction, lone surrogates: each is shown as its escape, on one line."""
    assert legible(EVIL).isprintable()
    assert legible("a\x1b[31m\r\n\u202e\ud800\x9b\u2028") == "a\\x1b[31m\\r\\n\\u202e\\ud800\\x9b\\u2028"
    assert legible("x" * 50, 10) == "x" * 9 + "…"
    assert legible_lines("a\n\tb\r\x00") == "a\n\tb\\r\\x00"
    assert legible_lines("x" * 50, 10) == "x" * 10 + "\n… 40 more characters"
    assert value_text({"\u202e": float("nan")}) == '{"\\u202e": NaN}'


@pytest.mark.parametrize(
    ("at", "same"),
    [
        ("event 12 /choices/0/delta/tool_calls/3/id", "event * /choices/*/delta/tool_calls/*/id"),
        ("/choices/10", "/choices/*"),
        ("/data/0x1/v2", "/data/0x1/v2"),
        ("content-type", "content-type"),
        ((3, 9), "bytes"),
        ("", ""),
    ],
)
def test_places_are_compared_without_indexes(at: str | tuple[int, int], same: str) -> None:
    """A place in the third chunk is the place in the seventh."""
    assert anywhere(at) == same
