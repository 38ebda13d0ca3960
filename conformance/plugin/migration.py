"""The migration report of a pytest run: asked for by options, checked before anything is sent, written when all is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from conformance.analysis.migration.decision import asked
from conformance.analysis.migration.needs import understood
from conformance.checks.traffic.reading import Traffic, described
from conformance.core.mistake import Mistake
from conformance.evidence.run import Run
from conformance.plugin.baseline import Baseline, Committed, Golden
from conformance.plugin.command_line import Options
from conformance.report.book import ruled
from conformance.report.migration.write import checked, write
from conformance.targets.target import Target

OPTION = "--conformance-migration"
TRAFFIC = pytest.StashKey[Traffic]()
"""The requests of the application, where they were given."""


def check_asked(options: Options, targets: Sequence[Target], baseline: Baseline | None) -> None:
    """Raises Mistake for a report that could not be made in the end."""
    if options.needs:
        understood(options.needs)
    if not options.migration:
        if options.needs:
            raise Mistake(
                "says what a migration report is about",
                where="--conformance-needs",
                fix="add --conformance-migration FILE.html",
            )
        return
    checked(_paths(options), OPTION)
    candidates = [one.name for one in targets if baseline is None or one.name != baseline.name]
    if len(candidates) != 1:
        raise Mistake(
            f"a migration report is about one candidate, and there are {len(candidates)}: {', '.join(candidates)}",
            where=OPTION,
            fix="name one --target, and what it is compared with as --conformance-baseline",
        )
    if isinstance(baseline, (Golden, Committed)):
        raise Mistake(
            "a golden set or a file of violations is no endpoint that an application moves from",
            where=OPTION,
            fix="let --conformance-baseline name a target or a run, or leave it out",
        )


def _paths(options: Options) -> list[Path]:
    return [options.here / name for name in options.migration]


def reported(config: pytest.Config, baseline: Baseline | None, runs: Mapping[str, Run]) -> list[str]:
    """Write the report that was asked for, and say so; also what became of the traffic. Raises Mistake."""
    options, traffic = Options.of(config), config.stash.get(TRAFFIC, None)
    said = described(traffic) if traffic else []
    name = next((one for one in runs if baseline is None or one != baseline.name), None)
    if not options.migration or name is None:
        return said
    other = baseline.run_for(name, runs) if baseline else None
    if baseline is not None and other is None:
        return [*said, f"no migration report: {baseline.name} could not be tested"]
    candidate = ruled(runs[name])
    decision = asked(candidate, ruled(other) if other else None, options.needs, traffic)
    write(decision, _paths(options))
    written = ", ".join(options.migration)
    return [*said, f"{decision.answer}: {decision.because} ({written})"]
