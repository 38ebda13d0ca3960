"""The report as a browser has it: nothing of a server's runs, and it can be read by eye, by key, in the dark and on paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.analysis.comparison import comparison
from conformance.analysis.latency import latency
from conformance.evidence.exchanges import Recording
from conformance.report.html import render
from tests.kit.browser import Browser, browser, needs_browser
from tests.kit.report_runs import EVIL, clean, hostile, lookup, ruled, vllm

pytestmark = [pytest.mark.slow, needs_browser]

RUNS = "window.ran = (window.ran || 0) + 1"
ATTACK = " ".join(
    (
        EVIL,
        f"<script>{RUNS}</script>",
        f"</script><script>{RUNS}</script>",
        f"</style><script>{RUNS}</script>",
        f"--></title></textarea></pre><svg/onload='{RUNS}'>",
        f'"><img src=x onerror="{RUNS}">',
        "'><iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
        f'" onclick="{RUNS}" onmouseover="{RUNS}" onfocus="{RUNS}" autofocus tabindex="1" x="',
        f"javascript:{RUNS}",
        f"data:text/html,<script>{RUNS}</script>",
        "<base href=http://127.0.0.1:9/><link rel=stylesheet href=//127.0.0.1:9/x><meta http-equiv=refresh content=0;url=//127.0.0.1:9>",
        f"${{{RUNS}}} {{{{{RUNS}}}}} {{% print 1 %}} <form action=//127.0.0.1:9><button>go</button></form>",
        "<details open ontoggle=alert(1)><math><mtext></mtext><style>*{display:none}</style>",
    )
)
TAGS = {
    "HTML", "HEAD", "META", "TITLE", "STYLE", "BODY", "A", "HEADER", "P", "H1", "H2", "H3", "H4", "STRONG", "SPAN", "DIV",
    "TABLE", "THEAD", "TBODY", "TFOOT", "TR", "TH", "TD", "SMALL", "svg", "rect", "path", "DETAILS", "SUMMARY", "SECTION",
    "DL", "DT", "DD", "NAV", "UL", "OL", "LI", "MAIN", "CODE", "FORM", "LABEL", "INPUT", "KBD", "SELECT", "OPTION", "BUTTON",
    "OUTPUT", "BLOCKQUOTE", "FOOTER", "B", "BR", "PRE", "MARK", "SCRIPT",
}  # fmt: skip
"""Everything that the templates are made of."""
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
COUNT = "document.querySelectorAll('.item:not([hidden])').length"


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    """A browser for all tests of this file."""
    with browser() as one:
        yield one


@pytest.fixture(autouse=True)
def usual(request: pytest.FixtureRequest) -> None:
    """A desktop's window in the light, with scripts."""
    one: Browser = request.getfixturevalue("page")
    one.media()
    one.size(1280, 900)
    one.script(allowed=True)


def written(tmp_path: Path, *directories: Path) -> Path:
    """The file for these runs, with all that it can show."""
    runs = [ruled(one) for one in directories]
    spreads = [latency(recording[key] for key in recording) for recording in map(Recording, directories)]
    beside = comparison(*runs) if len(runs) == 2 else None
    parameters = [("seed", ["ignored"] * len(runs)), ("stop", ["honoured"] * len(runs))]
    file = tmp_path / "report.html"
    file.write_text(render(runs, lookup(*directories), parameters, spreads, beside), "utf-8")
    return file


def two(tmp_path: Path) -> Path:
    """A clean run and one with faults."""
    return written(tmp_path, clean(tmp_path / "1"), vllm(tmp_path / "2"))


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "compared"])
def test_nothing_that_a_server_said_runs(beside: bool, page: Browser, tmp_path: Path) -> None:
    """Scripts, handlers, frames and addresses in every string that it controls: none is an element, none is fetched."""
    others = [clean(tmp_path / "1")] if beside else []
    page.open(written(tmp_path, *others, hostile(tmp_path / "2", ATTACK)))
    page.run(OPEN_ALL)
    page.run("document.querySelectorAll('summary, button, .count').forEach(one => one.click())")
    page.run(
        "document.querySelectorAll('*').forEach(one => { one.dispatchEvent(new MouseEvent('mouseover')); one.focus?.() })"
    )
    assert page.run("window.ran") is None
    assert set(page.run("[...new Set([...document.querySelectorAll('*')].map(one => one.tagName))]")) <= TAGS
    handlers = "[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames()).filter(one => /^on|^style$|^src/.test(one))"
    assert page.run(handlers) == []
    links = page.run("[...document.querySelectorAll('[href]')].map(one => one.getAttribute('href'))")
    assert all(link.startswith(("#", "https://")) for link in links)
    assert page.run("document.scripts.length") == 1
    assert page.reported("Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening") == []
    asked = [one["request"]["url"] for one in page.reported("Network.requestWillBeSent")]
    assert [one for one in asked if not one.startswith("file:")] == []


def test_its_own_policy_would_stop_what_slips_through(page: Browser, tmp_path: Path) -> None:
    """A script, a handler, a style and a picture that are put into the page by force are refused by it."""
    page.open(two(tmp_path))
    page.run(
        "document.body.insertAdjacentHTML('beforeend', '<img id=i src=http://127.0.0.1:9/x onerror=\"window.ran=1\" style=\"color:red\">');"
        "const s = document.createElement('script'); s.textContent = 'window.ran=1'; document.body.append(s)"
    )
    assert page.run("window.ran") is None
    refused = json.dumps(page.reported("Log.entryAdded", "Runtime.exceptionThrown"))
    assert "Content Security Policy" in refused
    assert page.run("getComputedStyle(document.getElementById('i')).color") != "rgb(255, 0, 0)"


def test_it_is_found_by_keys(page: Browser, tmp_path: Path) -> None:
    """`/` goes to the filter, words narrow the list, `Escape` brings everything back; a slash typed there is one."""
    page.open(two(tmp_path))
    everything = page.run(COUNT)
    page.press("/")
    assert page.run("document.activeElement.id") == "words"
    assert page.run("document.activeElement.value") == ""
    page.write("usage")
    page.until(f"{COUNT} === 1")
    assert page.run("document.getElementById('shown').value") == f"1 of {everything}"
    page.write(" no such thing")
    page.until(f"{COUNT} === 0")
    assert page.run("document.getElementById('none').hidden") is False
    page.press("Escape")
    page.until(f"{COUNT} === {everything}")
    page.write("area:stream")
    page.until(f"{COUNT} === 2")


def test_it_can_be_walked_by_keys(page: Browser, tmp_path: Path) -> None:
    """The first stop leads past the head of the page; a requirement opens with Enter; what has the focus is visible."""
    page.open(two(tmp_path))
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    assert page.run("document.activeElement.getBoundingClientRect().left >= 0")
    page.run("document.querySelector('#passed .item summary').focus()")
    page.press("Enter")
    page.until("document.querySelector('#passed .item').open")
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_counts_lead_to_what_they_count(page: Browser, tmp_path: Path) -> None:
    """A number of the matrix filters by area, ruling and target; the box `changed` by what differs."""
    page.open(two(tmp_path))
    page.run("document.querySelector('.count[data-area=sampling][data-ruling=errored]').click()")
    assert page.run(COUNT) == 14
    page.run("document.querySelector('[type=reset]').click()")
    page.until(f"{COUNT} > 14")
    page.run("document.getElementById('changed').click()")
    changed = page.run("document.querySelectorAll('.item[data-changed]').length")
    assert page.run(COUNT) == changed > 0


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
def test_a_link_opens_what_it_points_to(scripts: bool, page: Browser, tmp_path: Path) -> None:
    """The requirement named at the top is open and in view when its link is followed, with and without JavaScript."""
    file = two(tmp_path)
    page.open(file)
    link = page.run("document.querySelector('#changes ~ * a.check, .brief a.check[href]').getAttribute('href')")
    last = page.run("[...document.querySelectorAll('.inside')].at(-1).id")
    for target in (link.removeprefix("#"), last):
        page.script(allowed=scripts)
        page.open(file, f"#{target}")
        page.script(allowed=True)
        page.until(f"document.getElementById('{target}').closest('.item').open")
        page.until(
            f"(one => one.top < innerHeight && one.bottom > 0)(document.getElementById('{target}').getBoundingClientRect())"
        )


def test_it_works_without_scripts(page: Browser, tmp_path: Path) -> None:
    """Everything is there and can be opened; what needs a script does not show."""
    page.script(allowed=False)
    page.open(two(tmp_path))
    page.script(allowed=True)
    assert page.run("document.getElementById('filter').hidden")
    assert page.run("[...document.querySelectorAll('.copy')].every(one => one.hidden)")
    assert page.run(COUNT) > 20
    page.run("document.querySelector('#passed summary').click()")
    assert page.run("document.querySelector('#passed .item').open")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(width: int, page: Browser, tmp_path: Path) -> None:
    """With everything open, on a telephone too: wide tables scroll by themselves. Also what a hostile server said."""
    page.size(width, 800)
    for number, file in enumerate((two(tmp_path / "a"), written(tmp_path / "b", *_many(tmp_path / "b")))):
        page.open(file)
        page.run(OPEN_ALL)
        page.run("document.querySelectorAll('.item').forEach(one => { one.style.contentVisibility = 'visible' })")
        assert page.run("document.documentElement.scrollWidth") <= width, number


def _many(tmp_path: Path) -> list[Path]:
    return [hostile(tmp_path / "evil", ATTACK), *(vllm(tmp_path / str(number)) for number in range(9))]


CONTRAST = """
(() => {
  const light = (rgb) => {
    const part = rgb.match(/[\\d.]+/g).slice(0, 3).map((one) => { const c = one / 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; });
    return .2126 * part[0] + .7152 * part[1] + .0722 * part[2];
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) { const c = getComputedStyle(node).backgroundColor; if (!/, 0\\)$|transparent/.test(c)) return c; }
    return "rgb(255, 255, 255)";
  };
  const poor = new Set();
  for (const node of document.querySelectorAll("body *")) {
    if (![...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim()) || !node.getClientRects().length) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.add(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
  }
  return [...poor];
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(scheme: str, page: Browser, tmp_path: Path) -> None:
    """All text has a contrast of 4.5 at least with what is behind it (WCAG AA), in the light and in the dark."""
    page.media("", scheme)
    page.open(two(tmp_path))
    page.run(OPEN_ALL)
    assert page.run(CONTRAST) == []
    bright = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert bright is (scheme == "light")


def test_it_prints(page: Browser, tmp_path: Path) -> None:
    """On paper what fails is there whole, without being opened; the filter, and what passes beyond a line, are not."""
    page.open(two(tmp_path))
    page.run("document.querySelectorAll('details').forEach(one => { one.open = false })")
    page.media("print")
    assert page.run("document.querySelector('#failed .inside pre').checkVisibility()")
    assert not page.run("document.querySelector('#passed .inside').checkVisibility()")
    assert page.run("getComputedStyle(document.getElementById('filter')).display") == "none"
    page.printed(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_the_copied_command_is_the_command(page: Browser, tmp_path: Path) -> None:
    """Each button stands beside the command that it copies."""
    page.open(two(tmp_path))
    assert page.run(
        "[...document.querySelectorAll('.copy')].every(one => one.previousElementSibling.textContent.startsWith('curl '))"
    )
