"""Recordings of real engines and gateways that are committed: judged again, they give what is written down beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conformance.checks.catalogue import catalogue
from conformance.core.finding import Kind
from conformance.core.fixtures import fixtures
from conformance.core.guard import Guard
from conformance.runner.runner import Runner, about
from conformance.targets.target import Target
from tests.kit.divergences import SERVERS, TABLE, table

RECORDINGS = sorted(path for path in (fixtures() / "recordings").iterdir() if path.is_dir())
EXPECTED = Path(__file__).parent / "expected"


@pytest.mark.parametrize("directory", RECORDINGS, ids=lambda path: path.name)
def test_a_recording_gives_the_known_violations(directory: Path, tmp_path: Path) -> None:
    """Every violation on a real server was looked at byte by byte; a new one is a change of the checks to look at."""
    target = Target(directory.name, "replay", directory=directory)
    session = Runner([target], tmp_path)
    checks = [check for check in catalogue().values() if about(check, target)]
    session.open({target.name: checks})
    try:
        outcomes = {check.id: session.judge(check, target).outcome for check in checks}
    finally:
        session.close(finished=True)
    violated = {name for name, outcome in outcomes.items() if outcome.kind is Kind.VIOLATED}
    expected = yaml.safe_load((EXPECTED / f"{directory.name}.yaml").read_text(encoding="utf-8"))
    newer = set(expected.get("newer", ()))
    assert violated - set(expected.get("sometimes", ())) == set(expected["violated"]) - newer
    errored = {name: outcome.reason for name, outcome in outcomes.items() if outcome.kind is Kind.ERRORED}
    known = {name for name, reason in errored.items() if reason in expected.get("errored", ())}
    assert set(errored) - known <= newer


def test_the_table_of_divergences_is_of_today() -> None:
    """What is written down for each server is in the table that people read."""
    assert set(SERVERS) == {path.stem for path in EXPECTED.glob("*.yaml")}
    assert TABLE.read_text(encoding="utf-8") == table(), "run `python -m tests.kit.divergences`"


@pytest.mark.parametrize("directory", RECORDINGS, ids=lambda path: path.name)
def test_a_committed_recording_holds_no_secret(directory: Path) -> None:
    """Nothing in it looks like a key."""
    for path in directory.iterdir():
        Guard().check(path.read_text(encoding="utf-8"), path.name)
