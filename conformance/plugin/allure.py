"""The same facts for Allure, where allure-pytest writes results: target, level, area, source, findings, and the evidence itself."""

from __future__ import annotations

import json
from collections.abc import Iterable

import allure

from conformance.core.check import Check
from conformance.core.curl import command
from conformance.core.exchange import Exchange
from conformance.core.finding import Outcome
from conformance.core.requirement import Level
from conformance.evidence.run import finding_to_json

SEVERITY = {
    Level.MUST: allure.severity_level.CRITICAL,
    Level.SHOULD: allure.severity_level.NORMAL,
    Level.MAY: allure.severity_level.MINOR,
    Level.NOTE: allure.severity_level.TRIVIAL,
}
LONGEST = 100_000
"""Bytes of an answer that are attached."""


def tell(
    check: Check,
    target: str,
    verdict: tuple[Outcome, str],
    evidence: Iterable[Exchange],
    base_url: str,
    emulated: str = "",
) -> None:
    """Put the facts on the result that is being written; the evidence of a finding as attachments.

    `verdict` is the outcome and how it counts; `emulated` says what of the target is not the real thing.
    """
    outcome, ruling = verdict
    allure.dynamic.title(f"{check.title} [{target}]")
    parts = [check.detail or check.title, outcome.reason, f"Remedy: {check.remedy}" if check.remedy else ""]
    allure.dynamic.description("\n\n".join(part for part in parts if part))
    allure.dynamic.severity(SEVERITY[check.level])
    allure.dynamic.epic(target)
    allure.dynamic.feature(check.area)
    allure.dynamic.story(check.id)
    allure.dynamic.parameter("target", target)
    if emulated:
        allure.dynamic.parameter("emulated", emulated)
    for name, value in (
        ("level", check.level.value),
        ("area", check.area),
        ("target", target),
        ("outcome", outcome.kind.value),
        ("ruling", ruling),
    ):
        allure.dynamic.label(name, value)
    if check.spec is not None and check.spec.url:
        allure.dynamic.link(check.spec.url, name=f"{check.spec.source}, {check.spec.section}")
    for finding in outcome.findings:
        text = json.dumps(finding_to_json(finding), indent=1, ensure_ascii=False)
        allure.attach(text, f"{finding.message[:80]} [{finding.code}]", allure.attachment_type.JSON)
    if not outcome.findings:
        return
    for x in evidence:
        allure.attach(command(x.probe, base_url, x.model), "request, as curl", allure.attachment_type.TEXT)
        head = "\n".join([f"{x.http} {x.status}", *(f"{name}: {value}" for name, value in x.headers), "", ""])
        body = x.body[:LONGEST].decode(errors="backslashreplace")
        allure.attach(f"{head}{body}\n\n({x.ending}, {x.ended:.3f} s)", "answer", allure.attachment_type.TEXT)
