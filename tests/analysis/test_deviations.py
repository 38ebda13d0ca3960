"""What vendors document of their own servers: each claim is confirmed, not seen, or not tested, and never a verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from rich.console import Console

from conformance.analysis.coverage import coverage
from conformance.analysis.deviations import deviations, load
from conformance.checks.catalogue import catalogue
from conformance.core.fixtures import fixtures
from conformance.core.mistake import Mistake
from conformance.core.secret import Secret
from conformance.evidence.documented import Claim, Seen
from conformance.evidence.run import Run
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.serve import serving
from conformance.report.book import Book
from conformance.runner.runner import Runner
from conformance.targets.kinds import KINDS
from conformance.targets.target import Limits, Target

VLLM = fixtures() / "recordings" / "vllm-local"
SOME = (
    "structured.schema-is-kept",
    "structured.json-object-is-json",
    "sampling.n-choices-come",
    "sampling.seed-repeats-the-answer",
    "parameters.hints-are-taken",
    "logprobs.come-when-asked",
    "stream.framing",
    "errors.code-is-text",
    "errors.has-param",
    "models.list-is-served",
)
"""Checks that the claims of the kinds below are read from."""


def test_every_deviation_can_be_looked_at() -> None:
    """Each names a kind, and a check or a parameter that there is; those of a parameter have a sign that shows them."""
    assert set(deviations()) <= set(KINDS)
    for kind, several in deviations().items():
        assert len({one.about for one in several}) == len(several), kind
        for one in several:
            assert one.check in {"", *catalogue()}, one
            if one.parameter:
                assert coverage().signs[one.parameter], one


def run_of(kind: str, here: Path, faults: Iterable[str] = (), checks: Iterable[str] = SOME) -> Run:
    """A run against the reference server with these faults, as if it were of this kind."""
    with serving(faults=faults) as base_url:
        key = Secret("MY_KEY", DEFAULT_KEY)
        limits = Limits()
        target = Target("it", kind, base_url=base_url, model="reference", key=key, limits=limits)
        session = Runner([target], here)
        chosen = [catalogue()[one] for one in checks]
        session.open({"it": chosen})
        try:
            for check in chosen:
                session.judge(check, target)
        finally:
            session.close(finished=True)
        return Book.of(session.directories).runs[0]


def seen(run: Run) -> dict[str, Claim]:
    """The claims by what they are about."""
    return {claim.about: claim for claim in run.claims}


def test_what_is_imitated_is_confirmed_and_stays_a_violation(tmp_path: Path) -> None:
    """A server that ignores what Anthropic says it ignores: confirmed, red all the same, and said beside the finding."""
    run = run_of("anthropic", tmp_path, ["response_format-dropped", "logprobs-ignored"])
    told = seen(run)
    assert told["response_format"].seen is Seen.CONFIRMED
    assert told["logprobs"].seen is Seen.CONFIRMED
    result = run.by_check["logprobs.come-when-asked"]
    assert result.ruling == "failed"
    assert [claim.about for claim in result.documented] == ["logprobs"]
    assert told["n"].seen is Seen.NOT_SEEN
    assert told["n"].found == "it is honoured"
    assert told["user"].seen is Seen.NOT_TESTED
    assert told["frequency_penalty"].seen is Seen.NOT_TESTED
    assert told["audio in messages"].seen is Seen.NOT_TESTED


def test_what_is_not_so_is_not_seen(tmp_path: Path) -> None:
    """A server that does all of it leaves the documentation unconfirmed, and has no violation to be excused."""
    run = run_of("anthropic", tmp_path)
    told = seen(run)
    assert {told[about].seen for about in ("response_format", "logprobs", "n")} == {Seen.NOT_SEEN}
    assert not any(result.documented for result in run.results)


def test_the_run_on_disk_has_the_claims(tmp_path: Path) -> None:
    """`run.jsonl` has a line for each, before the footer; a kind without any has none."""
    run = run_of("openrouter", tmp_path, ["comments-everywhere"])
    lines = [json.loads(line) for line in (run.directory / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    told = {line["about"]: line for line in lines if line["type"] == "deviation"}
    assert told["comments in a stream"]["seen"] == "confirmed"
    assert told["error.code"]["seen"] == "not seen"
    assert told["error.code"]["found"] == "it is as OpenAI has it"
    assert told["error.type"]["seen"] == "not tested"
    assert told["error.type"]["url"].startswith("https://openrouter.ai/")
    assert lines[-1]["type"] == "end"
    plain = run_of("openai", tmp_path, checks=["errors.code-is-text"])
    assert "deviation" not in (plain.directory / "run.jsonl").read_text(encoding="utf-8")
    assert plain.claims == ()


def test_vllm_is_as_it_documents_itself_or_not() -> None:
    """Of vLLM 0.32.0, as recorded, seven claims are confirmed and one is stale: parallel_tool_calls is honoured now."""
    (run,) = Book.of([VLLM]).runs
    told = seen(run)
    assert {about for about, claim in told.items() if claim.seen is Seen.CONFIRMED} == {
        "members that are unknown",
        "error.code",
        "error.type",
        "stop_reason in choices",
        "stream_options.continuous_usage_stats",
        "top_k, an extra parameter",
        "X-Request-Id",
    }
    assert {about for about, claim in told.items() if claim.seen is Seen.NOT_SEEN} == {"parallel_tool_calls"}
    assert run.by_check["errors.code-is-text"].ruling == "advised"
    assert run.by_check["errors.code-is-text"].documented == (told["error.code"],)


def test_every_face_of_a_report_tells_them() -> None:
    """Terminal, Markdown and HTML have the section, and say at the finding that the vendor documents it."""
    book = Book.of([VLLM])
    console = Console(width=100, record=True, force_terminal=False)
    book.text(console)
    terminal = " ".join(console.export_text().split())
    for text in (terminal, book.markdown(), book.html()):
        assert "7 confirmed, 1 not seen, 4 not tested" in text
        assert "ocumented by the vendor" in text
        assert "parallel_tool_calls and user parameters are ignored" in text
    assert "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/serve/engine/protocol.py" in book.html()


def test_a_replay_has_the_claims_of_the_kind_that_was_asked(tmp_path: Path) -> None:
    """A recorded run that is judged again is still a run of vLLM."""
    target = Target("again", "replay", directory=VLLM)
    session = Runner([target], tmp_path)
    check = catalogue()["errors.code-is-text"]
    session.open({"again": [check]})
    session.judge(check, target)
    session.close(finished=True)
    (run,) = Book.of(session.directories).runs
    assert run.header.kind == "vllm"
    assert seen(run)["error.code"].seen is Seen.CONFIRMED
    assert seen(run)["error.type"].seen is Seen.NOT_TESTED


WRONG = {
    "x: [{about: a, quote: q, url: 'https://h', chek: c}]": "kinds.yaml:1: x.0.chek is no key here",
    "x: [{about: a, quote: q, url: 'ftp://h', check: c}]": "x.0.url",
    "x: [{about: a, quote: q, url: 'https://h'}]": "needs one of parameter, check, untested",
    "x: [{about: a, quote: q, url: 'https://h', parameter: p, standing: odd}]": "x.0.standing must be 'ignored' or 'refused'",
    "x: [{about: a, quote: q, url: 'https://h', check: c, outcome: holds}]": "x.0.outcome must be 'violated' or 'unsupported'",
    "x: [{about: a, quote: q, url: 'https://h', check: c, noted: n}]": "needs a check and a value or least with noted",
    "[]": "must be a mapping",
    "x: [": "is not YAML",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_file_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    """Every mistake of the file is told with the line, the kind and the place of the entry."""
    path = tmp_path / "kinds.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Mistake) as mistake:
        load(path)
    assert WRONG[text] in str(mistake.value)


def test_a_flat_error_is_what_sglang_documents(tmp_path: Path) -> None:
    """SGLang's error object lies flat, as its source has it: confirmed, and a violation."""
    run = run_of("sglang", tmp_path, ["error-flat-object"], ["errors.lies-under-error", "logprobs.has-refusal"])
    told = seen(run)
    assert told["error object"].seen is Seen.CONFIRMED
    assert run.by_check["errors.lies-under-error"].ruling == "failed"
    assert told["logprobs.refusal"].seen is Seen.NOT_SEEN
