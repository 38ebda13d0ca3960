"""The terminal summary: it fits, it can be acted on, and nobody can attack a terminal through it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from conformance.core.finding import Finding
from conformance.probes.chat import HELLO
from conformance.report.text import MOST, summary
from tests.kit.report_runs import (
    Told,
    answer,
    clean,
    described,
    holds,
    hostile,
    lookup,
    ruled,
    violated,
    vllm,
    write,
)
from tests.kit.terminal import Ascii


def printed(directories: Sequence[Path], *, verbose: bool = False, width: int = 80, color: bool = False) -> str:
    """What the summary of these runs writes to a terminal."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=color, color_system="standard" if color else None)
    summary(console, [ruled(one) for one in directories], exchange=lookup(*directories), verbose=verbose)
    return out.getvalue()


def section(text: str, head: str) -> str:
    """The lines from one head to the next."""
    return re.split(r"\n\n(?=\S[^\n]* ─)", text.partition(f"\n{head}")[2])[0]


def test_it_fits_80_columns(tmp_path: Path) -> None:
    """Nothing but commands and the last lines, which are to be copied, is wider than the terminal."""
    text = printed([vllm(tmp_path / "1"), clean(tmp_path / "2"), hostile(tmp_path / "3")])
    for line in text.splitlines():
        copied = line.startswith("curl ") or "; run" in line
        assert copied or cell_len(line) <= 80, line


def test_the_table_counts_every_ruling_that_occurs(tmp_path: Path) -> None:
    """One target has a column for each ruling; those that nothing has are left out."""
    lines = [line.split() for line in printed([vllm(tmp_path / "1")]).splitlines()]
    head = ["area", "passed", "failed", "advised", "noted", "waived", "unsupp.", "unwitn.", "errored"]
    assert lines[1] == head
    assert ["sampling", "1", "-", "-", "-", "-", "-", "-", "14"] in lines
    assert ["all", "4", "3", "1", "1", "1", "3", "1", "16"] in lines
    assert printed([clean(tmp_path / "2")]).splitlines()[1].split() == ["area", "passed"]


def test_several_targets_share_a_matrix(tmp_path: Path) -> None:
    """Area by target, with a letter for each ruling but passed, and what the letters mean."""
    text = printed([vllm(tmp_path / "1"), clean(tmp_path / "2")])
    lines = [line.split() for line in text.splitlines()]
    assert ["area", "vllm-local", "reference"] in lines
    assert ["chat", "1", "1F", "1E", "1"] in lines
    assert "F failed, A advised, N noted, W waived, U unsupported," in " ".join(text.split())


def test_a_failure_can_be_acted_on(tmp_path: Path) -> None:
    """Id, level, title, source with its words, where, expected, found, how many more, a command, a remedy."""
    text = printed([vllm(tmp_path)])
    told = text.partition("stream.usage-chunk  MUST\n")[2].partition("\n\n")[0]
    flat = " ".join(told.split())
    title = "With `include_usage`, only the last chunk has usage."
    assert flat.startswith(f"{title} source OpenAI API specification 2.3.0,")
    assert '"If set, an additional chunk will be streamed before the `data: [DONE]` message."' in flat
    assert "usage that is not null (4 times) [early-usage] at expected found event 3 /usage null {" in flat
    assert "event 6" not in flat
    assert "and 1 more" in flat
    assert 'event 11 /usage "an object" absent' in flat
    assert flat.endswith("remedy start vLLM without --enable-force-include-usage")
    (line,) = [line for line in told.splitlines() if line.startswith("curl ")]
    assert line.startswith("curl -sS -i -N http://127.0.0.1:8000/v1/chat/completions")
    assert '"authorization: Bearer $KEY"' in line


def test_verbose_shows_every_place(tmp_path: Path) -> None:
    """Nothing is left out of the findings, and what is advised has a command too."""
    directory = vllm(tmp_path)
    text = printed([directory], verbose=True)
    assert "event 6" in text
    assert not re.search(r"and \d+ more", text)
    assert text.count("\ncurl ") > printed([directory]).count("\ncurl ")


def test_a_stale_waiver_says_so(tmp_path: Path) -> None:
    """It fails without findings, and there is nothing to send again."""
    told = printed([vllm(tmp_path)]).partition("auth.wrong-key  MUST\n")[2].partition("\n\n")[0]
    assert "the waiver is stale: this holds now (no key in the cluster)" in told
    assert "curl" not in told


def test_one_fault_is_one_line(tmp_path: Path) -> None:
    """Checks that lack the same evidence are told together, with the request at fault and what came back."""
    told = section(printed([vllm(tmp_path)]), "errored")
    assert "14 checks had no evidence: POST chat/completions answered 500" in told
    assert "sampling.seed-00, sampling.seed-01" in told
    assert "it said: Internal Server Error" in told
    assert told.count("curl ") == 2
    assert "our bug: chat.py:12" in told


def test_what_says_nothing_is_listed_with_the_reason(tmp_path: Path) -> None:
    """Unsupported, unwitnessed and waived ones are never silent."""
    text = printed([vllm(tmp_path)])
    assert "the server refuses `tools` (400): tools.custom-grammar, tools.custom-text" in section(text, "unsupported")
    assert "the model did not show it in 3 tries: tools.auto" in section(text, "unwitnessed")
    waived = " ".join(section(text, "waived").split())
    assert "tools.named: the model is too small (ml-platform, until 2027-01-31, https://example.com/1)" in waived


def test_the_last_line_says_the_result(tmp_path: Path) -> None:
    """What came of it, where the run is, the exit code and what it means."""
    last = printed([vllm(tmp_path / "1")]).splitlines()[-1]
    assert last == (
        "vllm-local: 2 requirements are broken, 1 waiver is stale, 16 could not be tested;"
        f" run: {tmp_path / '1'} (exit 1: violations)"
    )
    last = printed([clean(tmp_path / "2")]).splitlines()[-1]
    assert last == f"reference: nothing is broken in 4 requirements; run: {tmp_path / '2'} (exit 0: clean)"
    both = printed([tmp_path / "1", tmp_path / "2"]).splitlines()[-1]
    assert both == f"2 targets: violations; runs: {tmp_path}"


def test_a_run_below_the_working_directory_is_named_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path can be copied into the next command."""
    monkeypatch.chdir(tmp_path)
    assert "run: reports/reference/1 (" in printed([clean(tmp_path / "reports" / "reference" / "1")])


def test_an_unfinished_run_is_not_clean(tmp_path: Path) -> None:
    """A run that was killed says how far it came, even where nothing was found."""
    told: list[Told] = [(described("a.b"), holds(HELLO))]
    last = printed([write(tmp_path, "t", told, ends=False, selected=9)]).splitlines()[-1]
    assert "incomplete: it was stopped after 1 of 9 requirements" in last
    assert last.endswith("(could not test)")


def test_a_broken_server_is_told_in_brief(tmp_path: Path) -> None:
    """Beyond the first ones, failed requirements are told in a few lines each, and none is left out."""
    told = [(described(f"a.b{n:03}"), violated(HELLO, Finding("wrong", "it is wrong"))) for n in range(MOST + 30)]
    text = printed([write(tmp_path, "t", told, [answer(HELLO, {}, target="t")])])
    assert "failed too: 30 requirements, in brief" in text
    assert all(f"a.b{n:03}" in text for n in range(MOST + 30))
    assert text.count("\ncurl ") == MOST


def test_what_a_server_says_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    """No control character, no override of direction, no markup, no order to a pipeline reaches the terminal."""
    text = printed([hostile(tmp_path)], verbose=True)
    assert all(one == "\n" or one.isprintable() for one in text)
    assert "\\x1b[31mred\\x1b[0m" in text
    assert "[bold red]markup[/] " in text
    assert ":smile:" in text
    assert "\\u202egnp.exe\\u202c" in text
    assert not any(line.lstrip().startswith(("::error", "##[")) for line in text.splitlines())
    assert len(text) < 100_000


def test_colours_are_only_those_of_the_summary(tmp_path: Path) -> None:
    """On a terminal with colours, each escape is one that rich wrote; without colours there is none."""
    text = printed([hostile(tmp_path)], color=True)
    assert set(re.findall(r"\x1b[^m]{0,20}m?", text)) <= {
        f"\x1b[{code}m" for code in ("0", "1", "2", "3", "1;31", "1;2", "2;1", "31", "32", "33", "35", "36")
    }
    assert "\x1b" not in printed([tmp_path])


def test_no_color_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the colours out, of a terminal too."""
    monkeypatch.setenv("NO_COLOR", "1")
    out = io.StringIO()
    directory = clean(tmp_path)
    summary(Console(file=out, force_terminal=True, width=80), [ruled(directory)], exchange=lookup(directory))
    assert "\x1b[32m" not in out.getvalue()


def test_an_ascii_terminal_is_enough(tmp_path: Path) -> None:
    """Where only ASCII can be written, everything is: names, lines drawn with hyphens, and what a server said, spelled out."""
    out = Ascii()
    directory = hostile(tmp_path)
    summary(Console(file=out, width=80), [ruled(directory)], exchange=lookup(directory), verbose=True)
    assert out.written.isascii()
    for name, result in ruled(directory).by_check.items():
        assert name in out.written or result.ruling in ("passed", "noted", "unsupported", "unwitnessed"), name
    assert "\\u202egnp.exe" in out.written
    assert "failed: 1 requirement ---" in out.written


def test_evidence_that_is_gone_is_no_error(tmp_path: Path) -> None:
    """Without exchanges on disk, findings are shown all the same; without runs, nothing is."""
    out = io.StringIO()
    summary(Console(file=out, width=80), [ruled(vllm(tmp_path))], exchange=lambda target, key: None)
    assert "the last chunk has no usage" in out.getvalue()
    assert "14 checks had no evidence: answered 500" in out.getvalue()
    summary(Console(file=out), [], exchange=lambda target, key: None)
