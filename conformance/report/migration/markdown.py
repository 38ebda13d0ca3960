"""The decision for a pull request or a ticket: Markdown that fits a comment, the answer first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.analysis.migration.decision import Answer, Decision, Limit, Untested, Weight
from conformance.analysis.migration.impact import cases
from conformance.analysis.migration.proof import Evidence, Proof
from conformance.core.text import legible_lines, listed, number_of, value_text, where
from conformance.report.markdown import code, fenced, folded, html, plain

LONGEST = 60_000
"""Characters: a comment of GitHub has room for 65,536."""
HEADINGS = {
    Weight.BLOCKS: "What breaks",
    Weight.LIMITS: "Limits to know of",
    Weight.BEFORE: "Wrong today as well",
    Weight.COSMETIC: "Cosmetic",
}


@dataclass(frozen=True)
class Detail:
    """How much is told."""

    proofs: bool = True
    limits: int = 10_000
    missing: str = ""


STEPS = (
    Detail(),
    Detail(proofs=False, missing="the requests and answers"),
    Detail(proofs=False, limits=60, missing="requests, answers, and limits beyond the first 60 of each list"),
    Detail(proofs=False, limits=15, missing="requests, answers, and limits beyond the first 15 of each list"),
)


def render(decision: Decision, evidence: Evidence) -> str:
    """The whole decision, in as much detail as fits."""
    text = ""
    for detail in STEPS:
        text = "\n\n".join(part for part in _parts(decision, evidence, detail) if part) + "\n"
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 40].rpartition("\n")[0] + "\n\n(The rest does not fit.)\n"


def _parts(decision: Decision, evidence: Evidence, detail: Detail) -> list[str]:
    candidate, baseline = decision.candidate, decision.baseline
    names = code(candidate.target) + (f" in place of {code(baseline.target)}" if baseline else "")
    parts = [f"## {decision.answer}: {names}", f"{_upper(decision.because)}.", needs_in_words(decision)]
    if detail.missing:
        parts.append(f"> Left out to fit a comment: {detail.missing}.")
    parts.append(_features(decision))
    for weight in (Weight.BLOCKS, Weight.LIMITS):
        limits = decision.of(weight)
        if limits:
            parts.append(f"### {HEADINGS[weight]}: {number_of(len(limits), 'requirement')}")
            parts += [_limit(decision, one, evidence, detail) for one in limits[: detail.limits]]
            parts += _more(len(limits), detail.limits)
    parts.append(_untested(decision.untested, detail))
    for weight in (Weight.BEFORE, Weight.COSMETIC):
        limits = decision.of(weight)
        if limits:
            lines = [f"- {code(one.result.check)} {plain(one.result.title, 200)}" for one in limits[: detail.limits]]
            lines += _more(len(limits), detail.limits)
            parts.append(folded(f"{HEADINGS[weight]}: {number_of(len(limits), 'requirement')}", "\n".join(lines)))
    if decision.improved:
        ids = listed((code(one) for one in decision.improved), 60)
        parts.append(folded(f"Better than today: {number_of(len(decision.improved), 'requirement')}", ids))
    return parts


def needs_in_words(decision: Decision) -> str:
    """What the answer is about."""
    if not decision.asked_for:
        return "Nobody said what the application needs, so everything is taken to be needed; `--conformance-needs` narrows it."
    return f"For an application that needs {listed(one.feature for one in decision.features)}."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _more(count: int, most: int) -> list[str]:
    return [f"and {count - most} more"] if count > most else []


def _features(decision: Decision) -> str:
    rows = [
        f"| {plain(one.feature)} | {plain(one.says)} | {_marked(one.answer)} | {one.held} | {one.broken} | {one.untested} |"
        for one in decision.features
    ]
    if not rows:
        return ""
    return "\n".join(["| feature | | | holds | broken | not tested |", "| --- | --- | --- | --: | --: | --: |", *rows])


def _marked(answer: str) -> str:
    return f"**{answer}**" if answer == Answer.NOT_READY else answer


def _limit(decision: Decision, limit: Limit, evidence: Evidence, detail: Detail) -> str:
    result = limit.result
    summary = f"<b>{html(result.check)}</b> {result.level}: {html(result.title, 200)}"
    body = [f"- **for whom** {plain(limit.impact.meaning)} ({plain(', '.join(limit.needed_for))})"]
    if limit.relation:
        body.append(f"- **compared with today** {plain(limit.relation)}")
    for finding in result.findings[:3]:
        at = f" at {code(where(finding.at), 100)}" if finding.at else ""
        values = f": expected {code(value_text(finding.expected, 120))}, found {code(value_text(finding.found, 120))}"
        body.append(f"- **found** {plain(finding.message, 200)}{at}{values}")
    if not result.findings and result.outcome.reason:
        body.append(f"- **found** {plain(result.outcome.reason, 200)}")
    if result.remedy:
        body.append(f"- **remedy** {plain(result.remedy, 300)}")
    if result.waiver:
        until = f", until {result.waiver.until}" if result.waiver.until else ""
        body.append(f"- **waived** {plain(result.waiver.because, 300)} ({plain(result.waiver.owner, 80)}{until})")
    if known := cases().get(result.check):
        seen = listed((f"{plain(', '.join(one.servers) or 'a server')} <{one.url}>" for one in known if one.url), 3)
        body.append(f"- **seen before** {seen}" if seen else "")
    parts = ["\n".join(one for one in body if one)]
    proof = evidence.proof(limit, decision.candidate, decision.baseline) if detail.proofs else None
    if proof is not None:
        parts += _proof(proof)
    return folded(summary, "\n\n".join(parts))


def _proof(proof: Proof) -> list[str]:
    parts = [fenced(legible_lines(proof.command), "sh")]
    for side in (proof.candidate, proof.baseline):
        if side is None:
            continue
        client = f"; the official client {plain(side.client, 300)}" if side.client else ""
        parts.append(f"{code(side.target)} answered {plain(side.answered)}{client}:")
        parts.append(fenced(side.excerpt or "(nothing)"))
    return parts


def _untested(untested: Sequence[Untested], detail: Detail) -> str:
    if not untested:
        return "### Not tested: nothing that the application needs was left out"
    count = sum(len(one.what) for one in untested)
    lines = [
        f"- {number_of(len(one.what), 'requirement')} ({plain(', '.join(one.needed_for))}): {code(one.why, 200)}:"
        f" {listed((code(check) for check in one.what), 8)}"
        for one in untested[: detail.limits]
    ]
    return f"### Not tested: {number_of(count, 'requirement')}\n\n" + "\n".join(lines)
