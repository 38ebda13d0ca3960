"""The report for a pull request: it fits whatever is found, and what a server said stays code."""

from __future__ import annotations

import re
from pathlib import Path

from conformance.analysis.comparison import comparison
from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Finding
from conformance.probes.chat import chat
from conformance.report import comparison as change
from conformance.report.markdown import LONGEST, code, fenced, plain, render
from tests.kit.report_runs import (
    EVIL,
    Told,
    clean,
    described,
    hostile,
    lookup,
    lost,
    ruled,
    violated,
    vllm,
    write,
)

INLINE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def rendered(*directories: Path) -> str:
    """The Markdown of these runs."""
    return render([ruled(one) for one in directories], lookup(*directories))


def outside_of_code(text: str) -> str:
    """Markdown without its blocks of code and its inline code, as CommonMark finds them."""
    kept, fence = [], ""
    for line in text.splitlines():
        found = re.match(r"(`{3,})", line)
        if fence:
            fence = "" if found and len(found[1]) >= len(fence) and line == found[1] else fence
        elif found:
            fence = found[1]
        else:
            kept.append(INLINE.sub("", line))
    assert fence == ""
    return "\n".join(kept)


def big(directory: Path, checks: int, size: int) -> Path:
    """A run in which so many checks fail, each with answers and values of a size."""
    told: list[Told] = []
    exchanges = []
    for number in range(checks):
        probe = chat(f"{number} {'q' * (size // 10)}")
        exchanges.append(Exchange(probe, "big", 1.0, 200, (), (Chunk(0.1, b"a" * size),), answered=0.1, ended=0.1))
        findings = [
            Finding("", f"fault {fault}", at=f"/{place}", expected="e" * size, found="f" * size)
            for fault in range(3)
            for place in range(9)
        ]
        told.append((described(f"area{number % 20}.check-{number}"), violated(probe, *findings)))
        told.append((described(f"area{number % 20}.lost-{number}"), lost(f"answered {number} {'z' * size}")))
    return write(directory, "big", told, exchanges)


def test_a_failure_is_told_with_its_evidence(tmp_path: Path) -> None:
    """Source, findings, command, answer and remedy stand in a part that one opens."""
    text = rendered(vllm(tmp_path))
    part = next(part for part in text.split("<details>") if "stream.usage-chunk" in part)
    assert "> If set, an additional chunk will be streamed" in part
    assert "- `a chunk before the last one has usage that is not null` (4 times)" in part
    assert '  - at `event 11 /usage`, expected `"an object"`, found `absent`' in part
    assert "\ncurl -sS -i -N http://127.0.0.1:8000/v1/chat/completions" in part
    assert "HTTP 200, " in part
    assert "**Remedy:** start vLLM without" in part
    assert "Left out" not in text


def test_the_rest_is_counted_and_listed(tmp_path: Path) -> None:
    """The matrix, what could not be tested, what is advised, waived or unsupported."""
    text = rendered(vllm(tmp_path / "1"), clean(tmp_path / "2"))
    assert text.startswith("## Conformance of vllm-local, reference: violations\n")
    assert "| chat | 1 passed, 1 failed, 1 errored | 1 passed |" in text
    assert "14 checks had no evidence: `POST chat/completions answered 500`" in text
    assert "Unsupported at vllm-local: 3" in text
    assert "- `the model is too small`: `tools.named`" in text
    assert "An error's \\`code\\` is text or null." in text


def test_a_clean_run_is_short(tmp_path: Path) -> None:
    """Nobody reads a long comment that says that all is well."""
    text = rendered(clean(tmp_path))
    assert "nothing is broken in 4 requirements" in text
    assert len(text) < 600


def test_it_fits_whatever_is_found(tmp_path: Path) -> None:
    """The more there is, the less of it is told; what is left out is said, and no part is left open."""
    sizes = []
    for checks, size in ((3, 100), (20, 1000), (40, 2000), (200, 300)):
        text = rendered(big(tmp_path / f"{checks}", checks, size))
        assert len(text) <= LONGEST
        assert text.count("<details>") == text.count("</details>")
        assert ("Left out to fit" in text) is (checks > 3)
        assert f"### Failed: {checks} requirements" in text
        sizes.append(len(text))
    assert min(sizes[1:]) > 3_000


def test_a_fleet_fits_too(tmp_path: Path) -> None:
    """Thirty targets that break forty areas are one comment."""
    directories = []
    for number in range(30):
        told = [
            (
                described(f"area{area}.check"),
                violated(chat(), Finding("wrong", "it is wrong", at="/x", expected=1, found=2)),
            )
            for area in range(40)
        ]
        directories.append(write(tmp_path / f"{number}", f"target-{number}-with-a-long-name-of-its-own", told))
    assert len(rendered(*directories)) <= LONGEST


def test_what_a_server_says_stays_code(tmp_path: Path) -> None:
    """Outside of code there is no HTML but ours, no mention, no reference, no link but to our sources."""
    text = rendered(hostile(tmp_path))
    assert all(one in "\n\u200b" or one.isprintable() for one in text)
    rest = outside_of_code(text)
    assert set(re.findall(r"(?<!\\)<[^>]*>", rest)) <= {
        "<details>", "</details>", "<summary>", "</summary>", "<b>", "</b>"
    }  # fmt: skip
    assert not re.search(r"[@#]\w", rest)
    assert "javascript:" not in rest.replace("javascript:alert(2)", "")
    assert not re.search(r"(?<!\\)\[[^\]]*\]\(", rest)


def test_code_holds_any_text() -> None:
    """Backticks in the text cannot end the code around it; a line break cannot either."""
    for text in ("`", "``", "a`b", "` a", "", EVIL, "x" * 9 + "`" * 9):
        found = INLINE.fullmatch(code(text))
        assert found or text == ""
        block = fenced(f"{text}\n```\n````").splitlines()
        assert block[0] == block[-1]
        assert block[0] not in block[1:-1]
    assert plain("a*b <i> [x](y) @all #12") == "a\\*b \\<i\\> \\[x\\](y) @\u200ball #\u200b12"
    assert plain("# x") == "\\# x"


def test_two_runs_begin_with_what_changed(tmp_path: Path) -> None:
    """The comparison stands before everything but the heads; what a server said in it is escaped as everywhere."""
    one, other = clean(tmp_path / "1"), hostile(tmp_path / "2")
    runs = [ruled(one), ruled(other)]
    text = render(runs, lookup(one, other), (), change.markdown(comparison(*runs)))
    assert text.index("evil against reference") < text.index("| area |")
    assert not re.search(r"(?<!\\)<(?:script|img)", outside_of_code(text))
    assert "@everyone" not in outside_of_code(text)


def test_a_comparison_that_is_too_long_is_cut_and_says_so(tmp_path: Path) -> None:
    """It takes a third at most, and the failed requirements stay."""
    beside = "### much changed\n\n" + "\n".join(f"- change {number} of a great many" for number in range(9000))
    directory = vllm(tmp_path)
    text = render([ruled(directory)], lookup(directory), (), beside)
    assert len(text) <= LONGEST
    assert "The comparison does not fit: `conformance diff` has all of it." in text
    assert "stream.usage-chunk" in text
