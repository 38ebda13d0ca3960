"""The report for a browser: one file, nothing from elsewhere, nothing of a server's that is more than text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Finding
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED
from conformance.report.html import anchor_of, render, ticked, web
from conformance.report.html_exchange import BODY, HEAD, TAIL, panel
from tests.kit.report_runs import (
    EVIL,
    USAGE,
    WORDS,
    Told,
    answer,
    clean,
    described,
    holds,
    hostile,
    lookup,
    ruled,
    stream,
    violated,
    vllm,
    write,
)

VOID = {"meta", "br", "input", "rect", "path", "link", "img"}
URL = "http://127.0.0.1:8000/v1"


class Page(HTMLParser):
    """The elements of a page, its text, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.raw[self.open[-1]] = self.raw.get(self.open[-1], "") + data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element of a tag."""
        return [attributes for name, attributes in self.elements if name == tag]


def rendered(*directories: Path) -> str:
    """The file for these runs."""
    return render([ruled(one) for one in directories], lookup(*directories))


def everything(tmp_path: Path) -> str:
    """A page with three runs, the hostile one among them."""
    return rendered(vllm(tmp_path / "1"), clean(tmp_path / "2"), hostile(tmp_path / "3"))


def test_it_is_one_sound_file(tmp_path: Path) -> None:
    """Tags are balanced, ids are there once, and each link within the page leads somewhere."""
    page = Page(everything(tmp_path))
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a") if link["href"].startswith("#")} <= set(ids)


def test_it_asks_nobody_for_anything(tmp_path: Path) -> None:
    """No element loads anything, and links lead to sources on the web, by http, telling nothing of where one was."""
    page = Page(everything(tmp_path))
    assert not {"link", "img", "iframe", "object", "embed", "base", "video", "audio"} & {
        tag for tag, _ in page.elements
    }
    assert not [attributes for _, attributes in page.elements if {"src", "srcset", "style", "action"} & set(attributes)]
    outward = [link for link in page.all("a") if not link["href"].startswith("#")]
    assert outward
    assert all(re.match(r"https?://", link["href"]) and "noreferrer" in link["rel"] for link in outward)


def test_its_policy_allows_only_its_own_script_and_style(tmp_path: Path) -> None:
    """Everything is forbidden but the one script and the one style whose hashes are named."""
    page = Page(everything(tmp_path))
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.raw[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
        assert len(page.all(name)) == 1


def test_what_a_server_says_is_text(tmp_path: Path) -> None:
    """Scripts, markup, handlers, escapes and overrides of direction in any string are shown, and are nothing else."""
    text = everything(tmp_path)
    page = Page(text)
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "alert" not in page.raw["script"]
    assert all(one in "\n\t" or one.isprintable() or one == "\xa0" for one in text)
    assert "&lt;script&gt;alert(&#39;xss&#39;)&lt;/script&gt;" in text
    assert "{{ 7*7 }}" in text
    assert "49" not in re.findall(r"\w+", text.partition("markup[/]")[2][:60])


def test_a_requirement_shows_source_findings_and_evidence(tmp_path: Path) -> None:
    """The words of the source, each place, the remedy, request and answer, the timeline, the command."""
    text = rendered(vllm(tmp_path))
    part = next(one for one in text.split('<details class="item"')[1:] if "stream.usage-chunk</code>" in one)
    assert "an additional chunk will be streamed before the <code>data: [DONE]</code> message." in part
    assert "start vLLM without --enable-force-include-usage" in part
    assert "<code>event 11 /usage</code>" in part
    assert part.count('<li class="guilty">') == 5
    assert '<svg class="timeline"' in part
    assert "curl -sS -i -N http://127.0.0.1:8000/v1/chat/completions" in part
    assert f'id="{anchor_of(0, USAGE.key)}"' in part


def test_the_matrix_links_to_the_first_of_its_kind(tmp_path: Path) -> None:
    """Each count leads to a requirement of that area and ruling, with or without JavaScript."""
    page = Page(rendered(vllm(tmp_path / "1"), clean(tmp_path / "2")))
    counts = [link for link in page.all("a") if "data-ruling" in link]
    entries = [item for _, item in page.elements if "data-rulings" in item or item.get("class") == "inside"]
    items = {inside["id"]: item for item, inside in zip(entries[::2], entries[1::2], strict=True)}
    assert len([link for link in counts if link.get("data-area") == "chat"]) == 4
    for link in counts:
        if "data-area" in link:
            item = items[link["href"][1:]]
            assert item["data-area"] == link["data-area"]
            assert item["data-rulings"].split()[int(link["data-place"])] == link["data-ruling"]


def test_what_is_broken_comes_first(tmp_path: Path) -> None:
    """Sections run from worst to best, and only the first failed requirements are open."""
    text = rendered(vllm(tmp_path))
    heads = re.findall(r'class="group" id="(\w+)"', text)
    assert heads == ["failed", "errored", "advised", "noted", "waived", "unsupported", "unwitnessed", "passed"]
    opened = [item for item in Page(text).all("details") if "open" in item]
    assert [item["data-rulings"].strip() for item in opened] == ["failed"] * 3


def test_observed_values_stand_side_by_side(tmp_path: Path) -> None:
    """What a NOTE observed is there for each target."""
    text = rendered(vllm(tmp_path / "1"), clean(tmp_path / "2"))
    part = next(one for one in text.split('<details class="item"') if "sampling.n-most</code>" in one)
    assert "<td><code>1</code></td><td><code>128</code></td>" in part


def test_an_exchange_is_shown_once(tmp_path: Path) -> None:
    """A second requirement about the same exchange links to where it is; one that is not on disk is said to be gone."""
    told: list[Told] = [(described(f"a.b{n}"), violated(HELLO, Finding("wrong", "it is wrong"))) for n in range(3)]
    told.append((described("a.c"), violated(STREAMED, Finding("wrong", "it is wrong"))))
    text = rendered(write(tmp_path, "t", told, [answer(HELLO, {}, target="t")]))
    assert text.count('<div class="exchange"') == 1
    assert text.count(f'<a href="#{anchor_of(0, HELLO.key)}">') == 2
    assert "is not on disk any more" in text


def test_findings_name_their_exchange_where_there_are_several(tmp_path: Path) -> None:
    """A place in one of several answers links to that answer."""
    findings = [Finding("wrong", "it is wrong", at="/x", on=probe.key) for probe in (HELLO, STREAMED)]
    told = [(described("a.b"), violated(HELLO, *findings))]
    text = rendered(write(tmp_path, "t", told, [answer(HELLO, {}, target="t"), answer(STREAMED, {}, target="t")]))
    for probe in (HELLO, STREAMED):
        assert f'<a href="#{anchor_of(0, probe.key)}">{probe.key[:8]}</a>' in text


def test_a_large_run_stays_a_file_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a weight of evidence, exchanges are named and not shown; findings are all there."""
    monkeypatch.setattr("conformance.report.html.WEIGHT", 20_000)
    probes = [HELLO.again(n) for n in range(40)]
    told = [(described(f"a.b{n:02}"), violated(probe, Finding("", f"fault {n:02}"))) for n, probe in enumerate(probes)]
    text = rendered(write(tmp_path, "t", told, [answer(probe, {}, target="t") for probe in probes]))
    assert text.count('<div class="exchange"') < 10
    assert "this file is large enough" in text
    assert all(f"fault {n:02}" in text for n in range(40))


def test_a_run_that_is_clean_says_so(tmp_path: Path) -> None:
    """Nothing is open, nothing is red, and what was asked is listed."""
    text = rendered(clean(tmp_path))
    assert "nothing is broken in 4 requirements." in text
    assert '<strong class="word clean">' in text
    assert [item for item in Page(text).all("details") if "open" in item] == []


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    """A run without a footer has no times to show, and is not clean."""
    text = rendered(write(tmp_path, "t", [(described("a.b"), holds(HELLO))], ends=False, selected=7))
    assert "incomplete: it was stopped after 1 of 7 requirements" in text
    assert '<strong class="word could-not-test">' in text


def test_a_long_stream_is_shown_in_part() -> None:
    """Its beginning, its end, and the events that findings are about, with their neighbours; the rest is counted."""
    x = stream(COUNT_STREAMED, *(WORDS * 30))
    made = panel(
        x,
        URL,
        "tiny",
        [Finding("wrong", "it is wrong", at="event 200 /choices"), Finding("cut", "it is cut", at=x.events[300].span)],
    )
    numbers = [event.number for event in made.events]
    assert {199, 200, 201, 299, 300, 301} <= set(numbers)
    assert numbers[:HEAD] == list(range(HEAD))
    assert numbers[-TAIL:] == list(range(len(x.events) - TAIL, len(x.events)))
    assert sum(event.skipped for event in made.events) + len(numbers) == len(x.events)
    assert [event.number for event in made.events if event.guilty] == [200, 300]
    assert made.events[1].gap == "+0.041"


def test_events_have_the_time_of_the_chunk_that_ended_them() -> None:
    """An event in two chunks is there with the second; two in one chunk are there at once."""
    body = b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
    chunks = (Chunk(0.1, body[:20]), Chunk(0.9, body[20:]))
    x = Exchange(STREAMED, "t", 1.0, 200, (("content-type", "text/event-stream"),), chunks, answered=0.1, ended=1.0)
    assert [event.at for event in panel(x, URL, "").events] == ["0.100", "0.100", "0.900"]
    assert panel(x, URL, "").ticks == "M100 3v18M900 3v18"


@pytest.mark.parametrize(
    ("body", "shown", "indented"),
    [
        (b'{"a":1}', '{\n  "a": 1\n}', True),
        (b'{\n"a":1}', '{\n"a":1}', False),
        (b'{"a":', '{"a":', False),
        (b"\xff\x1b", "�\\x1b", False),
        (b"x" * (BODY + 5), "x" * BODY + "\n… 5 more characters", False),
    ],
)
def test_bodies_are_readable(body: bytes, shown: str, indented: bool) -> None:
    """JSON on one line is indented, and said to be; other things are as they came, cut to a size."""
    made = panel(answer(HELLO, body), URL, "tiny")
    assert (made.body, made.indented) == (shown, indented)


def test_only_addresses_of_the_web_are_links() -> None:
    """Other schemes, and what would break out of an attribute, are text."""
    assert web("https://example.com/a?b#c") == "https://example.com/a?b#c"
    for url in ("javascript:alert(1)", "data:text/html,x", "https://a b", "http://\u202e", "", None, EVIL):
        assert web(url) == ""


def test_backticks_become_code() -> None:
    """What stands between backticks is code, escaped; an odd one out is text."""
    assert ticked("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert ticked("a ` <b>") == "a ` &lt;b&gt;"
