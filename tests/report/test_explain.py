"""`conformance show`: one requirement at one target down to the bytes, for a terminal of any kind."""

from __future__ import annotations

import gzip
import io
import itertools
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from conformance.analysis.latency import Spread, latency, says_something
from conformance.cli.main import main
from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Finding
from conformance.core.reading.span import span_of
from conformance.probes.chat import HELLO, STREAMED
from conformance.report.bytes import Left, Line, excerpt, lines
from conformance.report.explain import explain, overview
from conformance.report.pointing import mark_of
from tests.kit.report_runs import (
    USAGE,
    WORDS,
    answer,
    clean,
    described,
    hostile,
    lookup,
    ruled,
    stream,
    violated,
    vllm,
    write,
)
from tests.kit.terminal import Ascii


def shown(directory: Path, check: str, *, color: bool = False, width: int = 80, whole: bool = False) -> str:
    """What `conformance show` writes of a run in a directory."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=color, color_system="standard" if color else None)
    run = ruled(directory)
    explain(console, run, run.by_check[check], lookup(directory), whole=whole)
    return out.getvalue()


def test_it_tells_all_there_is(tmp_path: Path) -> None:
    """Requirement, source, outcome, findings with places, remedy, command, headers, times, and bytes at their offsets."""
    text = shown(vllm(tmp_path), "stream.usage-chunk")
    for part in (
        "stream.usage-chunk  MUST",
        "With `include_usage`, only the last chunk has usage.",
        "source    OpenAI API specification 2.3.0",
        "outcome   violated, failed",
        "remedy    start vLLM without --enable-force-include-usage",
        "finding   a chunk before the last one has usage that is not null (4 times)",
        "event 6 /usage",
        "exchange 1 of 1: ",
        "curl -sS -i -N http://127.0.0.1:8000/v1/chat/completions",
        "HTTP/1.1 200",
        "content-type: text/event-stream; charset=utf-8",
        "headers 0.280 s, first bytes 0.300 s, first token 0.300 s, end 0.804 s",
        "13 reads",
        '   0.300     0       0  data: {"id": "chatcmpl-8d1f"',
    ):
        assert part in text, part


def test_it_fits_80_columns_and_attacks_nobody(tmp_path: Path) -> None:
    """Only what is to be copied is wider; no control character of a server's arrives."""
    for maker, checks in (
        (vllm, ("stream.usage-chunk", "errors.code-is-text")),
        (hostile, ("evil.findings", "evil.advice")),
    ):
        directory = maker(tmp_path / maker.__name__)
        for check in checks:
            text = shown(directory, check)
            assert not any(ord(one) < 32 and one != "\n" for one in text)
            for line in text.splitlines():
                assert line.startswith("curl ") or cell_len(line.rstrip()) <= 80, line


def test_a_span_is_marked_with_and_without_colours(tmp_path: Path) -> None:
    """Reversed where there are colours, underlined with carets where not."""
    body = b'{"object":"chat.completion","error":{"code":400}}'
    told = [
        (
            described("a.b"),
            violated(HELLO, Finding("number", "it is a number", at="/error/code", expected="text", found=400)),
        )
    ]
    directory = write(tmp_path, "t", told, [answer(HELLO, body, 400, target="t")])
    plain = shown(directory, "a.b").splitlines()
    number = next(number for number, line in enumerate(plain) if line.startswith("      0> {"))
    first = plain[number].index("400")
    assert plain[number + 1] == " " * first + "^^^"
    assert "\x1b[1;7m400\x1b[0m" in shown(directory, "a.b", color=True)
    assert "^^^" not in shown(directory, "a.b", color=True)


def test_a_status_and_a_header_are_marked(tmp_path: Path) -> None:
    """A finding about the head of an answer points there."""
    findings = [Finding("wrong", "wrong", at="status"), Finding("wrong", "wrong", at="content-type")]
    told = [(described("a.b"), violated(HELLO, *findings))]
    directory = write(tmp_path, "t", told, [answer(HELLO, {}, target="t")])
    assert "> content-type: application/json" in shown(directory, "a.b")
    assert "\x1b[1;7mHTTP/1.1 200" in shown(directory, "a.b", color=True)


def test_long_answers_are_shown_where_it_matters(tmp_path: Path) -> None:
    """The beginning, and what a finding is about; what is left out is counted, and `--whole` shows it."""
    x = stream(USAGE, *(WORDS * 40), target="t")
    told = [(described("a.b"), violated(USAGE, Finding("wrong", "it is wrong", at="event 400 /created")))]
    directory = write(tmp_path, "t", told, [x])
    text = shown(directory, "a.b")
    assert len(text.splitlines()) < 80
    assert "bytes more (--whole shows them)" in text
    assert "^^^^^^^^^^" in text
    whole = shown(directory, "a.b", whole=True)
    assert "more (--whole" not in whole
    assert "data: [DONE]\\n\\n" in whole


def test_an_old_terminal_gets_ascii(tmp_path: Path) -> None:
    """Where only ASCII can be written, nothing else is."""
    out = Ascii()
    directory = hostile(tmp_path)
    run = ruled(directory)
    for check in ("evil.findings", "evil.advice"):
        explain(Console(file=out, width=80), run, run.by_check[check], lookup(directory))
    overview(Console(file=out, width=80), run, lookup(directory))
    assert out.written.isascii()
    assert "evil.findings" in out.written


def test_every_kind_of_outcome_can_be_explained(tmp_path: Path) -> None:
    """Nothing is needed but a result: no finding, no evidence, evidence that is gone."""
    for maker in (vllm, clean, hostile):
        directory = maker(tmp_path / maker.__name__)
        for check in ruled(directory).by_check:
            assert check in shown(directory, check)


def test_the_list_has_every_requirement(tmp_path: Path) -> None:
    """Without a check, what one can ask for: the worst first, with titles."""
    directory, out = vllm(tmp_path), io.StringIO()
    overview(Console(file=out, width=80), ruled(directory), lookup(directory))
    text = out.getvalue()
    assert all(check in text for check in ruled(directory).by_check)
    assert text.index("failed: 3") < text.index("errored: 16") < text.index("passed: 4")


def test_runs_and_checks_are_found_by_what_people_call_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run by its directory, its target, or `last`; a mistyped target or check gets a suggestion, and exit code 4."""
    monkeypatch.chdir(tmp_path)
    vllm(tmp_path / "reports" / "vllm-local" / "20261123T070000Z")
    clean(tmp_path / "reports" / "reference" / "20261123T080000Z")
    for word, target in (
        ("vllm-local", "vllm-local"),
        ("last", "reference"),
        ("reports/vllm-local", "vllm-local"),
        ("reports/vllm-local/20261123T070000Z", "vllm-local"),
    ):
        assert main(["show", word]) == 0
        assert capsys.readouterr().out.startswith(f"{target}: ")
    assert main(["show", "last", "stream.usage-chunk"]) == 0
    capsys.readouterr()
    for words, said in (
        (["show", "vlm-local"], "did you mean `vllm-local`?"),
        (["show", "last", "strem.usage-chunk"], "did you mean `stream.usage-chunk`?"),
        (["show", "last", "stream"], "`stream` is not the whole id of a check: stream.usage-chunk"),
        (["show", "last", "stream.ends-with-done"], "this run did not judge `stream.ends-with-done`"),
        (["show", "nothing-like-it"], "there are runs of reference, vllm-local"),
        (["show", "last", "--reports", "elsewhere"], "there are no runs in elsewhere"),
    ):
        assert main(words) == 4
        error = capsys.readouterr().err
        assert said in error
        assert len(error.splitlines()) <= 2


BODY = '\ufeff {"a": [1, {"b/c": "é"}, null], "é": {"~": true}}'.encode()


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("", BODY[4:]), ("/a/0", b"1"), ("/a/1/b~1c", '"é"'.encode()), ("/a/2", b"null"), ("/é/~0", b"true")],
)
def test_a_pointer_has_its_place_in_the_bytes(pointer: str, value: bytes) -> None:
    """In bytes, not characters, with the mark at the beginning counted."""
    span = span_of(BODY, pointer)
    assert span is not None
    assert BODY[slice(*span)] == value


@pytest.mark.parametrize("pointer", ["/b", "/a/3", "/a/x", "/a/0/b", "/a/1/b"])
def test_a_pointer_that_leads_nowhere_has_none(pointer: str) -> None:
    """Nor has one into what is no JSON, or nested without end."""
    assert span_of(BODY, pointer) is None
    for body in (b"", b"<html>", b'{"b": ', b'{"a" "b"}', b"\xff", b"[" * 100_000, b'{"b":' * 100_000):
        assert span_of(body, pointer) is None


def test_every_byte_is_on_a_line() -> None:
    """Whatever the bytes: the lines touch, fit, hold nothing that acts, and can be read back."""
    data = b'data: {"x": "\xc3\xa9\\"}\r\n\r\n\x1b[31m\xff\xe2\x82' + bytes(range(256)) + "漢字\u202e".encode() * 9
    for width in (20, 33, 80):
        made = list(lines(data, width, [(3, 17)]))
        assert made[0].start == 0
        assert made[-1].end == len(data)
        assert all(one.end == other.start for one, other in itertools.pairwise(made))
        assert all(cell_len(line.text) <= width and line.text.isprintable() for line in made)
        text = "".join(line.text for line in made)
        back = text.encode().decode("unicode_escape", errors="strict").encode("latin-1")
        assert back == data
    assert all(line.text.isascii() for line in lines(data, 80, ascii_only=True))


def test_an_excerpt_counts_what_it_leaves_out() -> None:
    """The pieces touch, whether shown or not."""
    made = list(lines(b"x" * 5000, 50, [(2500, 2510)]))
    kept = list(excerpt(made, 3, 1))
    assert [type(one) for one in kept] == [Line] * 3 + [Left] + [Line] * 3 + [Left]
    assert all(one.end == other.start for one, other in itertools.pairwise(kept))
    assert (kept[0].start, kept[-1].end) == (0, 5000)


def test_places_in_events_are_found_in_the_stream() -> None:
    """The value in the event's data; the whole event where it is not there; nothing for an event that is not."""
    x = stream(STREAMED, "one", "two")
    span = mark_of(x, Finding("", "", at="event 1 /choices/0/delta/content")).span
    assert span is not None
    assert x.body[slice(*span)] == b'"two"'
    assert mark_of(x, Finding("", "", at="event 1 /nothing")).span == x.events[1].span
    assert mark_of(x, Finding("", "", at="event 2")).span == x.events[2].span
    assert mark_of(x, Finding("", "", at="event 9 /a")).span is None


def test_latency_is_taken_from_what_was_answered() -> None:
    """Whole answers and streams apart; failures and compressed streams say nothing of tokens; ranks are values."""
    packed = gzip.compress(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
    headers = (("content-type", "text/event-stream"), ("content-encoding", "gzip"))
    squeezed = Exchange(STREAMED, "t", 1.0, 200, headers, (Chunk(0.5, packed),), answered=0.4, ended=0.6)
    made = latency([answer(HELLO, {}), answer(HELLO, {}, 500), stream(STREAMED, *WORDS), squeezed])
    assert (made.whole.count, made.whole.p50) == (1, 0.22)
    assert (made.first_byte.count, made.first_token.count) == (2, 1)
    assert made.between.p50 == pytest.approx(0.041)
    ranks = Spread.of([float(one) for one in range(1, 101)])
    assert (ranks.p50, ranks.p95, ranks.p99, ranks.longest) == (50, 95, 99, 100)
    assert Spread.of([]) == Spread()


def test_the_first_token_is_the_first_that_says_something() -> None:
    """A role, an empty text, usage and nonsense are no token; text, thoughts and calls are."""
    for delta in ('{"role":"assistant"}', '{"content":""}', '{"content":null}', "null", "[]", '"x"'):
        assert not says_something(f'{{"choices":[{{"delta":{delta}}}]}}')
    for data in ("[DONE]", "", "nonsense", "[]", "{}", '{"choices":7}', "[" * 100_000):
        assert not says_something(data)
    for delta in ('{"content":"a"}', '{"reasoning_content":"a"}', '{"tool_calls":[{"index":0}]}'):
        assert says_something(f'{{"choices":[{{"delta":{delta}}}]}}')
