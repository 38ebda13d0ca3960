"""The decision as a JSON value, for whoever automates on it. Members are only ever added within a version."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from conformance.analysis.migration.decision import Decision, Limit
from conformance.analysis.migration.impact import cases
from conformance.analysis.migration.proof import Evidence
from conformance.evidence.record import finding_line
from conformance.evidence.run import Run

VERSION = 1


def to_json(decision: Decision, evidence: Evidence) -> dict[str, Any]:
    """The whole decision."""
    return {
        "version": VERSION,
        "answer": decision.answer.value,
        "because": decision.because,
        "candidate": _run(decision.candidate),
        "baseline": _run(decision.baseline) if decision.baseline else None,
        "needs": sorted(decision.needs),
        "needs_were_given": decision.asked_for,
        "features": [asdict(one) for one in decision.features],
        "limits": [_limit(decision, one, evidence) for one in decision.limits],
        "untested": [
            {"checks": list(one.what), "why": one.why, "needed_for": list(one.needed_for), "binding": one.binding}
            for one in decision.untested
        ],
        "improved": list(decision.improved),
    }


def _run(run: Run) -> dict[str, Any]:
    header = run.header
    return {
        "target": run.target,
        "kind": header.kind,
        "model": header.model,
        "started": header.started,
        "complete": run.complete,
        "run": run.directory.name,
    }


def _limit(decision: Decision, limit: Limit, evidence: Evidence) -> dict[str, Any]:
    result = limit.result
    proof = evidence.proof(limit, decision.candidate, decision.baseline)
    return {
        "check": result.check,
        "level": result.level.value,
        "title": result.title,
        "weight": limit.weight.value,
        "impact": limit.impact.value,
        "for_whom": limit.impact.meaning,
        "needed_for": list(limit.needed_for),
        "relation": limit.relation,
        "outcome": result.outcome.kind.value,
        "reason": result.outcome.reason,
        "findings": [finding_line(finding) for finding in result.findings],
        "remedy": result.remedy,
        "waiver": None if result.waiver is None else {
            "because": result.waiver.because,
            "owner": result.waiver.owner,
            "until": result.waiver.until.isoformat() if result.waiver.until else None,
        },
        "seen_before": [one.url for one in cases().get(result.check, ()) if one.url],
        "proof": None if proof is None else asdict(proof),
    }  # fmt: skip
