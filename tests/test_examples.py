"""The reports in `reports/examples` are what today's templates make, of every recording, and link to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.evidence.run import read
from conformance.report.html import TEMPLATES, policy
from tests.examples.__main__ import EXAMPLES, LINK, PAIRS, RECORDINGS, recordings

AGAIN = "make them anew: python -m tests.examples"


@pytest.mark.parametrize("name", recordings())
def test_a_recording_has_its_reports(name: str) -> None:
    """Each recording is there as HTML, Markdown, text and badge, with every requirement that it was judged by on the day."""
    for ending in ("html", "md", "txt", "svg"):
        assert (EXAMPLES / f"{name}.{ending}").is_file(), AGAIN
    page = (EXAMPLES / f"{name}.html").read_text("utf-8")
    missing = [check for check in read(RECORDINGS / name).by_check if f">{check}</code>" not in page]
    assert len(missing) <= 10, f"{missing}; {AGAIN}"  # a check may have been renamed since


def test_the_pages_are_of_today() -> None:
    """Their style and script are those of the templates: a page names the hashes of both."""
    style, script = (TEMPLATES / "report.css").read_text("utf-8"), (TEMPLATES / "report.js").read_text("utf-8")
    wanted = policy(style, script).replace("'", "&#39;")
    pages = [path for path in EXAMPLES.glob("*.html") if path.stem != "migration"]
    assert pages
    assert [path.name for path in pages if wanted not in path.read_text("utf-8")] == [], AGAIN


def test_the_list_is_whole() -> None:
    """Every file is in the list, and the list names no other; pairs of recordings that are there have a comparison."""
    text = (EXAMPLES / "README.md").read_text("utf-8")
    listed = set(LINK.findall(text))
    assert listed == {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    there = {"reference", *recordings()}
    for baseline, candidate in PAIRS:
        assert (f"{candidate}-against-{baseline}.html" in listed) is ({baseline, candidate} <= there), AGAIN


def test_comparisons_begin_with_what_changed() -> None:
    """A reader of two runs sees the changes before anything else, and the text fits a terminal."""
    for path in EXAMPLES.glob("*-against-*.txt"):
        lines = path.read_text("utf-8").splitlines()
        assert " against " in "\n".join(lines[:3])
        assert all(len(line) <= 80 or line.startswith("curl ") or " against " in line for line in lines)


def test_no_example_names_this_machine() -> None:
    """No path of whoever made them."""
    for path in EXAMPLES.iterdir():
        assert not re.search(r"/(work|home|root|tmp)/", re.sub(r"https?://\S+", "", path.read_text("utf-8"))), path.name


def test_they_stay_small(tmp_path: Path) -> None:
    """A checkout with all of them is no burden."""
    assert sum(path.stat().st_size for path in EXAMPLES.iterdir()) < 16_000_000
