"""A report as data: what the other faces show, as one JSON value that a published schema describes.

The promise: within a major `version`, members are only added. None goes, none changes its type or meaning, and whoever
ignores what they do not know can read every later minor. The bodies of exchanges are in `exchanges.jsonl`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conformance.analysis.comparison import Comparison
from conformance.analysis.differences import Sides, side_by_side
from conformance.analysis.latency import Latency
from conformance.analysis.summary import Lookup, in_words, resend, score, standing, unfinished
from conformance.core import address
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding
from conformance.core.reading.json import ABSENT
from conformance.core.requirement import Level
from conformance.core.verdict import Waiver
from conformance.evidence.record import Result
from conformance.evidence.run import RULINGS, Run
from conformance.report.comparison import to_json

VERSION = "1.1"
"""Major and minor. A member that is added makes the next minor."""
KIND = "openai-conformance/report"
SCHEMA = Path(__file__).parent / "report.schema.json"


def schema() -> dict[str, Any]:
    """The JSON Schema of what `tree` gives."""
    value: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return value


def render(
    runs: Sequence[Run],
    exchange: Lookup,
    latencies: Sequence[Latency] = (),
    parameters: Sequence[tuple[str, Sequence[str]]] = (),
    comparison: Comparison | None = None,
) -> str:
    """The value as text: ASCII, so that whatever a server said is valid in every encoding."""
    value = tree(runs, exchange, latencies, parameters, comparison)
    return json.dumps(value, indent=1, allow_nan=False) + "\n"


def tree(
    runs: Sequence[Run],
    exchange: Lookup,
    latencies: Sequence[Latency] = (),
    parameters: Sequence[tuple[str, Sequence[str]]] = (),
    comparison: Comparison | None = None,
) -> dict[str, Any]:
    """Runs that have been ruled, side by side. `exchange` finds evidence by target and key.

    `latencies` has one for each run; `parameters` a row for each request parameter, with a word for each run;
    `comparison` is that of the second run with the first.
    """
    sides = side_by_side(runs)
    return {
        "kind": KIND,
        "version": VERSION,
        "standing": standing(runs),
        "targets": [_target(sides, place, latencies) for place in range(len(runs))],
        "requirements": [_requirement(sides, number, exchange) for number in range(len(sides.rows))],
        "comparison": None if comparison is None else _plain(to_json(comparison)),
        "parameters": [
            {"name": name, "standings": dict(zip(sides.names, words, strict=True))} for name, words in parameters
        ],
    }


def _target(sides: Sides, place: int, latencies: Sequence[Latency]) -> dict[str, Any]:
    run = sides.runs[place]
    header, footer = run.header, run.footer
    return {
        "name": sides.names[place],
        "kind": header.kind,
        "address": header.base_url,
        "model": header.model,
        "note": header.note,
        "remarks": list(run.remarks),
        "claims": None if header.claims is None else sorted(header.claims),
        "directory": str(run.directory),
        "suite": header.suite,
        "strict": header.strict,
        "started": header.started or None,
        "finished": (footer.finished or None) if footer else None,
        "seconds": footer.seconds if footer else None,
        "exit": footer.exit if footer else None,
        "standing": standing([run]),
        "words": in_words(run),
        "complete": not unfinished(run),
        "lacks": unfinished(run),
        "counts": {ruling: run.counts[ruling] for ruling in RULINGS},
        "levels": {level.value: asdict(score(run, level)) for level in Level},
        "documented": [claim.to_json() for claim in run.claims],
        "only_here": sorted(sides.unique[place]),
        "requests": footer.requests if footer else None,
        "tokens": dict(footer.tokens) if footer else {},
        "price": dict(header.price),
        "spent": run.spent,
        "latency": asdict(latencies[place]) if latencies else None,
    }


def _requirement(sides: Sides, number: int, lookup: Lookup) -> dict[str, Any]:
    row = sides.rows[number]
    told = row.told
    return {
        "id": told.check,
        "level": told.level.value,
        "area": told.area,
        "title": told.title,
        "detail": told.detail,
        "source": asdict(told.source) if told.source else None,
        "remedy": told.remedy,
        "since": told.since,
        "requires": list(told.requires),
        "worst": row.worst,
        "results": [
            _result(sides.runs[place], sides.names[place], result, lookup)
            for place, result in enumerate(row.results)
            if result is not None
        ],
    }


def _result(run: Run, name: str, result: Result, lookup: Lookup) -> dict[str, Any]:
    outcome = result.outcome
    cited = ((key, lookup(run, key)) for key in result.keys if result.findings or outcome.cause)
    return {
        "target": name,
        "outcome": outcome.kind.value,
        "ruling": result.ruling,
        "because": result.because,
        "reason": outcome.reason,
        "findings": [_finding(finding) for finding in outcome.findings],
        "observed": _plain(outcome.observed),
        "evidence": [list(keys) for keys in outcome.evidence],
        "cause": outcome.cause or None,
        "waiver": _waiver(result.waiver) if result.waiver else None,
        "exchanges": [_exchange(run, key, x) for key, x in cited if x is not None],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    value: dict[str, Any] = {"code": finding.code, "message": finding.message, "at": finding.at}
    value["exchange"] = finding.on or None
    if isinstance(finding.at, tuple):
        value["at"] = list(finding.at)
    for name in ("expected", "found"):
        if (one := getattr(finding, name)) is not ABSENT:
            value[name] = _plain(one)
    return value


def _waiver(waiver: Waiver) -> dict[str, Any]:
    until = waiver.until.isoformat() if waiver.until else None
    value = {"because": waiver.because, "owner": waiver.owner, "issue": waiver.issue, "until": until}
    return value | {"codes": list(waiver.codes)}


def _exchange(run: Run, key: str, x: Exchange) -> dict[str, Any]:
    model = x.model or run.header.model
    return {
        "key": key,
        "method": x.probe.method,
        "url": address.url(run.header.base_url, address.filled(x.probe, model)[0], run.header.query),
        "status": x.status,
        "ending": str(x.ending),
        "bytes": len(x.raw),
        "answered": x.answered,
        "first_byte": x.chunks[0].at if x.chunks else None,
        "ended": x.ended,
        "curl": resend(run, x),
    }


def _plain(value: Any) -> Any:
    """A value that JSON can hold: Python reads `NaN` where a server sent it, but nobody else would."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {str(name): _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value
