"""The decision for a browser: one file that needs nothing else, the answer first.

Style and policy are those of the other reports; it works without JavaScript, and has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from conformance.analysis.migration.decision import Decision, Limit, Weight
from conformance.analysis.migration.impact import cases
from conformance.analysis.migration.proof import Evidence
from conformance.core.text import legible, legible_lines, value_text, where
from conformance.report.html import TEMPLATES, environment, policy, web
from conformance.report.migration.markdown import HEADINGS, needs_in_words

TEMPLATE = Path(__file__).parent.parent / "templates"
PROOFS = 150
"""Limits that are shown with request and answers: a page with more is opened by nobody."""


def render(decision: Decision, evidence: Evidence) -> str:
    """The whole file."""
    style = (TEMPLATES / "report.css").read_text("utf-8") + (TEMPLATE / "migration.css").read_text("utf-8")
    sections = [
        {"weight": weight.value.replace(" ", "-"), "heading": HEADINGS[weight], "limits": limits}
        for weight in Weight
        if (limits := [_limit(decision, one, evidence, number) for number, one in enumerate(decision.of(weight))])
    ]
    page = environment(TEMPLATE).get_template("migration.html.j2")
    return page.render(
        decision=decision,
        needs=needs_in_words(decision),
        sections=sections,
        policy=policy(style),
        style=Markup(style),  # noqa: S704  (our own files, whose hash the policy names)
    )


def _limit(decision: Decision, limit: Limit, evidence: Evidence, number: int) -> dict[str, Any]:
    result = limit.result
    shows = limit.weight in (Weight.BLOCKS, Weight.LIMITS) and number < PROOFS
    proof = evidence.proof(limit, decision.candidate, decision.baseline) if shows else None
    return {
        "result": result,
        "limit": limit,
        "findings": [
            {
                "code": legible(finding.code, 100),
                "message": legible(finding.message, 300),
                "at": where(finding.at),
                "expected": value_text(finding.expected, 300),
                "found": value_text(finding.found, 300),
            }
            for finding in result.findings[:5]
        ],
        "proof": proof,
        "sides": [side for side in (proof.candidate, proof.baseline) if side] if proof else [],
        "command": legible_lines(proof.command) if proof else "",
        "seen": [
            {"servers": ", ".join(one.servers), "url": web(one.url), "observed": legible(one.observed, 300)}
            for one in cases().get(result.check, ())[:4]
        ],
    }
