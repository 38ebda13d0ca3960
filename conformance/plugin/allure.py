"""The same facts for Allure, where allure-pytest writes results: target, level, area, source, findings, and the evidence itself."""

from __future__ import annotations

import json
from collections.abc import Iterable

import allure

from conformance.core.curl import command
from conformance.core.exchange import Exchange
from conformance.core.requirement import Level
from conformance.evidence.record import Result, finding_line

SEVERITY = {
    Level.MUST: allure.severity_level.CRITICAL,
    Level.SHOULD: allure.severity_level.NORMAL,
    Level.MAY: allure.severity_level.MINOR,
    Level.NOTE: allure.severity_level.TRIVIAL,
}
LONGEST = 100_000
"""Bytes of an answer that are attached."""


def tell(result: Result, target: str, evidence: Iterable[Exchange], base_url: str, emulated: str = "") -> None:
    """Put the facts on the result that is being written; the evidence of a finding as attachments.

    `emulated` says what of the target is not the real thing.
    """
    outcome = result.outcome
    allure.dynamic.title(f"{result.title} [{target}]")
    parts = [result.detail or result.title, outcome.reason, f"Remedy: {result.remedy}" if result.remedy else ""]
    allure.dynamic.description("\n\n".join(part for part in parts if part))
    allure.dynamic.severity(SEVERITY[result.level])
    allure.dynamic.epic(target)
    allure.dynamic.feature(result.area)
    allure.dynamic.story(result.check)
    allure.dynamic.parameter("target", target)
    if emulated:
        allure.dynamic.parameter("emulated", emulated)
    for name, value in (
        ("level", result.level.value),
        ("area", result.area),
        ("target", target),
        ("outcome", outcome.kind.value),
        ("ruling", result.ruling),
    ):
        allure.dynamic.label(name, value)
    if (source := result.source) is not None and source.url:
        allure.dynamic.link(source.url, name=f"{source.source}, {source.section}")
    for finding in outcome.findings:
        text = json.dumps(finding_line(finding), indent=1, ensure_ascii=False)
        allure.attach(text, f"{finding.message[:80]} [{finding.code}]", allure.attachment_type.JSON)
    if not outcome.findings:
        return
    for x in evidence:
        allure.attach(command(x.probe, base_url, x.model), "request, as curl", allure.attachment_type.TEXT)
        head = "\n".join([f"{x.http} {x.status}", *(f"{name}: {value}" for name, value in x.headers), "", ""])
        body = x.body[:LONGEST].decode(errors="backslashreplace")
        allure.attach(f"{head}{body}\n\n({x.ending}, {x.ended:.3f} s)", "answer", allure.attachment_type.TEXT)
