"""A badge for a README: how many of the requirements that could be judged hold, in one small SVG.

It claims no more than the run knows: the number beside `of` counts what was judged, a run that is not whole says so,
and green is only what is clean. Nothing in it comes from a server.
"""

from __future__ import annotations

from html import escape

from conformance.analysis.summary import score, standing, unfinished
from conformance.core.requirement import Level
from conformance.core.text import legible
from conformance.evidence.run import Run

LABEL = "openai-compatible"
COLOURS = {"clean": "#1a7f37", "violations": "#b3191f", "could not test": "#8a5300"}
LONGEST = 60
"""Characters of a label."""
HEIGHT, PAD = 20, 6
NARROW, WIDE = "fijltrI.,:;-'|! ", "mwMW@%"


def words(run: Run) -> str:
    """What the badge says: `312 of 318 MUST`, and what it does not know."""
    if unfinished(run):
        return "run incomplete"
    must = score(run, Level.MUST)
    if not must.judged:
        return "no MUST was tested"
    untested = sum(1 for result in run.of("errored") if result.level is Level.MUST)
    return f"{must} MUST{f', {untested} untested' if untested else ''}"


def render(run: Run, label: str = LABEL) -> str:
    """The badge of a run that has been ruled."""
    left, right = legible(label, LONGEST), words(run)
    first, second = _width(left) + 2 * PAD, _width(right) + 2 * PAD
    whole, colour = first + second, COLOURS[standing([run])]
    told = escape(f"{left}: {right}")
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{length}">{escape(text)}</text>'
        for x, text, length in ((PAD, left, first - 2 * PAD), (first + PAD, right, second - 2 * PAD))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{HEIGHT}" role="img" aria-label="{told}">'
        f"<title>{told}</title>"
        f'<clipPath id="r"><rect width="{whole}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{first}" height="{HEIGHT}" fill="#444a52"/>'
        f'<rect x="{first}" width="{second}" height="{HEIGHT}" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    )


def _width(text: str) -> int:
    """About how wide a text is at 11 pixels; `textLength` makes the letters fit."""
    return round(sum(4 if one in NARROW else 10 if one in WIDE else 7 for one in text))
