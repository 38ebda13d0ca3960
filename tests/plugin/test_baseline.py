"""`--conformance-baseline`: what a run may be compared with, what is said of it, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.serve import serving
from tests.kit.report_runs import described, holds, write
from tests.kit.said import said

USAGE = 4
FEW = ("conformance/stream_framing",)
"""A dozen checks, of which `done-missing` trips one."""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """An empty project with the reference server and one of its faulty brothers."""
    with serving() as base_url:
        faulty = base_url.replace("/v1", "/fault/done-missing/v1")
        pytester.makefile(
            ".yaml",
            targets="targets:\n"
            f"  sound: {{kind: openai, base_url: '{base_url}', model: reference, key: '${{KEY}}'}}\n"
            f"  faulty: {{kind: openai, base_url: '{faulty}', model: reference, key: '${{KEY}}'}}\n",
        )
        monkeypatch.setenv("KEY", DEFAULT_KEY)
        yield pytester


def newest(pytester: pytest.Pytester, target: str) -> Path:
    """The last run of a target."""
    return max((pytester.path / "reports" / target).iterdir())


def test_a_target_is_asked_in_the_same_run(project: pytest.Pytester) -> None:
    """Both see the same probes; what breaks comes first; the baseline's own faults fail nobody."""
    code, text = said(project, "--target", "faulty", "--conformance-baseline", "sound", *FEW)
    assert code == 1
    assert "breaks: 1 requirement stream.ends-with-done MUST" in text
    assert "The stream does not end with `[DONE]` at event *: sound conforms, faulty has" in text
    assert text.index("breaks: 1 requirement") < text.index("failed: 1 requirement")
    assert "faulty against sound: breaks: 1" in text
    keys = [
        {json.loads(line)["key"] for line in (newest(project, one) / "exchanges.jsonl").read_text().splitlines()}
        for one in ("faulty", "sound")
    ]
    assert keys[0] == keys[1]
    code, text = said(project, "--target", "sound", "--conformance-baseline", "faulty", *FEW)
    assert code == 0
    assert "improves: 1 requirement" in text
    assert "12 baseline" in text


def test_the_last_run_and_a_stored_one(project: pytest.Pytester) -> None:
    """The same fault as in the last run is no change; a directory is any run; an incomplete one is used, and said."""
    said(project, "--target", "faulty", *FEW)
    code, text = said(project, "--target", "faulty", "--conformance-baseline", "last", *FEW)
    assert code == 1
    assert "both wrong, alike: 1" in text
    assert "breaks" not in text
    run = newest(project, "faulty")
    log = run / "run.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:4]))
    code, text = said(project, "--target", "sound", "--conformance-baseline", f"reports/faulty/{run.name}", *FEW)
    assert code == 0
    assert "the run of the baseline is incomplete: 3 of 12 requirements were judged" in text


def test_a_golden_set_is_a_baseline(project: pytest.Pytester) -> None:
    """Its checks are made and compared, and nothing else."""
    code, text = said(project, "--target", "faulty", "--conformance-baseline", "golden:openai", *FEW)
    assert code == 1
    assert "golden.openai.stream SHOULD" in text
    assert "not asked" not in text
    assert "faulty against golden:openai: breaks: 3" in text


@pytest.mark.parametrize(
    ("baseline", "line"),
    [
        ("last", "there is no complete run of `sound` in"),
        ("sound", "`sound` is the target itself"),
        ("soundd", "there is no target `soundd` (did you mean `sound`?)"),
        ("*", "`*` matches several targets"),
        ("reports/nowhere", "there is no run in `reports/nowhere`"),
        ("golden:opnai", "there is no golden set `opnai` (did you mean `openai`?)"),
    ],
)
def test_what_is_no_baseline_is_one_line(project: pytest.Pytester, baseline: str, line: str) -> None:
    """A baseline that does not exist is refused before anything is asked."""
    code, text = said(project, "--target", "sound", "--conformance-baseline", baseline, *FEW)
    assert code == USAGE
    assert line in text
    assert "--conformance-baseline" in text
    assert "Traceback" not in text
    assert not (project.path / "reports").exists()


def test_a_baseline_needs_a_target(project: pytest.Pytester) -> None:
    """Without one there is nothing to compare."""
    assert said(project, "--conformance-baseline", "last") == (
        USAGE,
        "ERROR: --conformance-baseline is about a target: add --target NAME",
    )


def test_a_run_of_other_checks_is_refused(project: pytest.Pytester) -> None:
    """A run that has no check in common with those of today."""
    write(project.path / "old", "sound", [(described("ancient.check"), holds())], suite="0.0.1")
    code, text = said(project, "--target", "sound", "--conformance-baseline", "old", *FEW)
    assert code == USAGE
    assert "made by other checks: of its 1, none is among those of today (it is of the suite's version 0.0.1" in text


def test_nothing_in_common_is_said(project: pytest.Pytester) -> None:
    """Where the selection has nothing that the baseline was judged by, that is the result."""
    from conformance.checks.catalogue import catalogue

    one = next(name for name in catalogue() if name.startswith("models."))
    write(project.path / "other", "sound", [(described(one), holds())])
    code, text = said(project, "--target", "sound", "--conformance-baseline", "other", *FEW)
    assert code == 0
    assert "nothing can be compared: there is no requirement that both were judged by" in text
