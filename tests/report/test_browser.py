"""The report as a browser has it: nothing of a server's runs, and it can be read by eye, by key, in the dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from conformance.analysis.comparison import comparison
from conformance.analysis.latency import latency
from conformance.evidence.exchanges import Recording
from conformance.report.html import render
from tests.kit.browser import browser, needs_browser
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
SHOWN = ".item:not([hidden])"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for all tests of this file."""
    with browser() as one:
        yield one


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A desktop's window in the light; without scripts where a test's parameter says so."""
    with chromium.new_page(
        viewport={"width": 1280, "height": 900}, java_script_enabled=getattr(request, "param", True)
    ) as one:
        yield one


def heard(page: Page) -> list[str]:
    """Everything that a page says to the console from now on, exceptions and dialogs too."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    return said


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
def test_nothing_that_a_server_said_runs(beside: bool, page: Page, tmp_path: Path) -> None:
    """Scripts, handlers, frames and addresses in every string that it controls: none is an element, none is fetched."""
    others = [clean(tmp_path / "1")] if beside else []
    said, asked = heard(page), list[str]()
    page.on("request", lambda one: asked.append(one.url))
    page.goto(written(tmp_path, *others, hostile(tmp_path / "2", ATTACK)).as_uri())
    page.evaluate(OPEN_ALL)
    page.evaluate("document.querySelectorAll('summary, button, .count').forEach(one => one.click())")
    page.evaluate(
        "document.querySelectorAll('*').forEach(one => { one.dispatchEvent(new MouseEvent('mouseover')); one.focus?.() })"
    )
    assert page.evaluate("window.ran") is None
    assert set(page.evaluate("[...new Set([...document.querySelectorAll('*')].map(one => one.tagName))]")) <= TAGS
    handlers = "[...document.querySelectorAll('*')].flatMap(one => one.getAttributeNames()).filter(one => /^on|^style$|^src/.test(one))"
    assert page.evaluate(handlers) == []
    links = page.evaluate("[...document.querySelectorAll('[href]')].map(one => one.getAttribute('href'))")
    assert all(link.startswith(("#", "https://")) for link in links)
    assert page.evaluate("document.scripts.length") == 1
    page.wait_for_timeout(50)  # what is under way
    assert said == []
    assert [one for one in asked if not one.startswith("file:")] == []


def test_its_own_policy_would_stop_what_slips_through(page: Page, tmp_path: Path) -> None:
    """A script, a handler, a style and a picture that are put into the page by force are refused by it."""
    said = heard(page)
    page.goto(two(tmp_path).as_uri())
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img id=i src=http://127.0.0.1:9/x onerror=\"window.ran=1\" style=\"color:red\">');"
        "const s = document.createElement('script'); s.textContent = 'window.ran=1'; document.body.append(s)"
    )
    assert page.evaluate("window.ran") is None
    page.wait_for_timeout(50)
    assert "Content Security Policy" in "\n".join(said)
    assert page.evaluate("getComputedStyle(document.getElementById('i')).color") != "rgb(255, 0, 0)"


def test_it_is_found_by_keys(page: Page, tmp_path: Path) -> None:
    """`/` goes to the filter, words narrow the list, `Escape` brings everything back; a slash typed there is one."""
    page.goto(two(tmp_path).as_uri())
    everything = page.locator(SHOWN).count()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "words"
    assert page.evaluate("document.activeElement.value") == ""
    page.keyboard.insert_text("usage")
    expect(page.locator(SHOWN)).to_have_count(1)
    assert page.evaluate("document.getElementById('shown').value") == f"1 of {everything}"
    page.keyboard.insert_text(" no such thing")
    expect(page.locator(SHOWN)).to_have_count(0)
    assert page.evaluate("document.getElementById('none').hidden") is False
    page.keyboard.press("Escape")
    expect(page.locator(SHOWN)).to_have_count(everything)
    page.keyboard.insert_text("area:stream")
    expect(page.locator(SHOWN)).to_have_count(2)


def test_it_can_be_walked_by_keys(page: Page, tmp_path: Path) -> None:
    """The first stop leads past the head of the page; a requirement opens with Enter; what has the focus is visible."""
    page.goto(two(tmp_path).as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
    page.evaluate("document.querySelector('#passed .item summary').focus()")
    page.keyboard.press("Enter")
    expect(page.locator("#passed .item").first).to_have_js_property("open", True)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_counts_lead_to_what_they_count(page: Page, tmp_path: Path) -> None:
    """A number of the matrix filters by area, ruling and target; the box `changed` by what differs."""
    page.goto(two(tmp_path).as_uri())
    everything = page.locator(SHOWN).count()
    page.evaluate("document.querySelector('.count[data-area=sampling][data-ruling=errored]').click()")
    assert page.locator(SHOWN).count() == 14
    page.evaluate("document.querySelector('[type=reset]').click()")
    expect(page.locator(SHOWN)).to_have_count(everything)
    page.evaluate("document.getElementById('changed').click()")
    changed = page.evaluate("document.querySelectorAll('.item[data-changed]').length")
    assert page.locator(SHOWN).count() == changed > 0


@pytest.mark.parametrize("page", [True, False], indirect=True, ids=["scripts", "none"])
def test_a_link_opens_what_it_points_to(page: Page, tmp_path: Path) -> None:
    """The requirement named at the top is open and in view when its link is followed, with and without JavaScript."""
    file = two(tmp_path)
    page.goto(file.as_uri())
    link = page.evaluate("document.querySelector('#changes ~ * a.check, .brief a.check[href]').getAttribute('href')")
    last = page.evaluate("[...document.querySelectorAll('.inside')].at(-1).id")
    for target in (link.removeprefix("#"), last):
        page.goto("about:blank")
        page.goto(f"{file.as_uri()}#{target}")
        expect(page.locator(".item", has=page.locator(f"[id='{target}']"))).to_have_js_property("open", True)
        expect(page.locator(f"[id='{target}']")).to_be_in_viewport()


@pytest.mark.parametrize("page", [False], indirect=True)
def test_it_works_without_scripts(page: Page, tmp_path: Path) -> None:
    """Everything is there and can be opened; what needs a script does not show."""
    page.goto(two(tmp_path).as_uri())
    assert page.evaluate("document.getElementById('filter').hidden")
    assert page.evaluate("[...document.querySelectorAll('.copy')].every(one => one.hidden)")
    assert page.locator(SHOWN).count() > 20
    page.evaluate("document.querySelector('#passed summary').click()")
    assert page.evaluate("document.querySelector('#passed .item').open")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(width: int, page: Page, tmp_path: Path) -> None:
    """With everything open, on a telephone too: wide tables scroll by themselves. Also what a hostile server said."""
    page.set_viewport_size({"width": width, "height": 800})
    for number, file in enumerate((two(tmp_path / "a"), written(tmp_path / "b", *_many(tmp_path / "b")))):
        page.goto(file.as_uri())
        page.evaluate(OPEN_ALL)
        page.evaluate("document.querySelectorAll('.item').forEach(one => { one.style.contentVisibility = 'visible' })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, number


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
def test_every_word_can_be_read(scheme: Literal["light", "dark"], page: Page, tmp_path: Path) -> None:
    """All text has a contrast of 4.5 at least with what is behind it (WCAG AA), in the light and in the dark."""
    page.emulate_media(color_scheme=scheme)
    page.goto(two(tmp_path).as_uri())
    page.evaluate(OPEN_ALL)
    assert page.evaluate(CONTRAST) == []
    bright = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert bright is (scheme == "light")


def test_it_prints(page: Page, tmp_path: Path) -> None:
    """On paper what fails is there whole, without being opened; the filter, and what passes beyond a line, are not."""
    page.goto(two(tmp_path).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false })")
    page.emulate_media(media="print")
    assert page.evaluate("document.querySelector('#failed .inside pre').checkVisibility()")
    assert not page.evaluate("document.querySelector('#passed .inside').checkVisibility()")
    assert page.evaluate("getComputedStyle(document.getElementById('filter')).display") == "none"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_copied_command_is_the_command(page: Page, tmp_path: Path) -> None:
    """Each button stands beside the command that it copies."""
    page.goto(two(tmp_path).as_uri())
    assert page.evaluate(
        "[...document.querySelectorAll('.copy')].every(one => one.previousElementSibling.textContent.startsWith('curl '))"
    )
