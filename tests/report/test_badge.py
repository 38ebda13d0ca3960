"""The badge: a small picture that claims no more than the run knows."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from conformance.cli.main import main
from conformance.probes.chat import HELLO
from conformance.report.badge import render, words
from tests.kit.report_runs import EVIL, clean, described, holds, lost, ruled, vllm, write


def test_it_counts_what_was_judged(tmp_path: Path) -> None:
    """So many of so many MUSTs, by outcome: a waiver makes it no better, and what was not tested is said."""
    assert words(ruled(vllm(tmp_path / "1"))) == "4 of 7 MUST, 16 untested"
    assert words(ruled(clean(tmp_path / "2"))) == "2 of 2 MUST"


def test_it_says_what_it_does_not_know(tmp_path: Path) -> None:
    """A run that was stopped has no number; one without evidence for any MUST says that."""
    assert words(ruled(write(tmp_path / "1", "t", [(described("a.b"), holds(HELLO))], ends=False))) == "run incomplete"
    assert words(ruled(write(tmp_path / "2", "t", [(described("a.b"), lost("so"))]))) == "no MUST was tested"


def test_green_is_only_what_is_clean(tmp_path: Path) -> None:
    """Red for violations, brown where it could not be tested."""
    assert "#1a7f37" in render(ruled(clean(tmp_path / "1")))
    assert "#b3191f" in render(ruled(vllm(tmp_path / "2")))
    assert "#8a5300" in render(ruled(write(tmp_path / "3", "t", [(described("a.b"), lost("so"))])))


def test_it_is_a_picture_whatever_the_label(tmp_path: Path) -> None:
    """Well-formed, with a title for those who do not see it; a hostile label is text."""
    root = ElementTree.fromstring(render(ruled(clean(tmp_path)), EVIL))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {one.tag.partition("}")[2] for one in root.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert int(root.get("width", "0")) < 700


def test_the_command_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`conformance badge RUN -o FILE`, or to the terminal."""
    directory = clean(tmp_path / "run")
    assert main(["badge", str(directory)]) == 0
    drawn = capsys.readouterr().out
    assert "2 of 2 MUST" in drawn
    assert main(["badge", str(directory), "-o", str(tmp_path / "b.svg"), "--label", "my server"]) == 0
    assert "my server: 2 of 2 MUST" in (tmp_path / "b.svg").read_text("utf-8")
