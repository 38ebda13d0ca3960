"""Codes are what findings are told apart by: permanent, unique within a check, and listed with it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from conformance.checks.catalogue import catalogue
from conformance.checks.codes import all_codes, codes
from conformance.checks.golden.checks import FINDINGS
from conformance.checks.golden.checks import checks_of as golden_checks
from conformance.checks.golden.reading import available
from conformance.checks.traffic.checks import checks_of as traffic_checks
from conformance.checks.traffic.reading import read as read_traffic
from conformance.cli.main import main
from conformance.core.fixtures import fixture, fixtures
from conformance.core.text import listed
from conformance.evidence.former import code_of
from conformance.evidence.run import read
from conformance.judging.judge import judge
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import client, gather, still

PACKAGE = Path(__file__).parent.parent / "conformance"
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MESSAGE = re.compile(r"[A-Z`].*[^.]", re.DOTALL)
JUDGEMENT = {"claimed-but-refused", "claimed-not-served"}


def written() -> list[tuple[str, ast.Call]]:
    """Every `Finding(...)` in the source of checks and of judging, and where it is."""
    return [
        (f"{path.name}:{node.lineno}", node)
        for wing in ("checks", "judging")
        for path in sorted((PACKAGE / wing).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
    ]


def test_codes_and_messages_are_literals() -> None:
    """A code in kebab case, and a message that begins with a capital or a name and ends without a full stop."""
    calls = written()
    assert len(calls) > 500
    values = [[str(getattr(arg, "value", "")) for arg in (*call.args, "", "")[:2]] for _, call in calls]
    wrong = [
        (place, code, message)
        for (place, _), (code, message) in zip(calls, values, strict=True)
        if not CODE.fullmatch(code) or not MESSAGE.fullmatch(message)
    ]
    assert wrong == []


def test_the_codes_of_a_check_are_found_in_its_source() -> None:
    """Those of helpers, tables and the judgement, too."""
    assert {"no-done", *JUDGEMENT} == set(codes(catalogue()["stream.ends-with-done"]))
    assert not [check.id for check in catalogue().values() if "" in codes(check)]
    for golden in available(PACKAGE):
        for check in golden_checks(golden):
            assert set(codes(check)) - JUDGEMENT <= {finding.code for finding in FINDINGS.values()}, check.id


def test_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """`conformance checks` names the codes of each check with their messages, for people and for programs."""
    assert main(["checks", "stream.ends-with-done", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["codes"] == codes(catalogue()["stream.ends-with-done"])
    assert main(["checks", "stream.ends-with-done"]) == 0
    assert f"no-done  {told['codes']['no-done']}" in capsys.readouterr().out


def test_a_code_has_one_message() -> None:
    """Whoever reads a code in a check knows what it says, wherever in the check it was found."""
    for check in catalogue().values():
        written = set(all_codes(check))
        assert len(written) == len(dict(written)), (check.id, sorted(written))


def test_the_matrix_yields_listed_codes() -> None:
    """Whatever a check finds at a server with a planted fault is among its codes, with its message."""
    catalogued, known, found = catalogue(), faults(), 0
    for name, row in fixture("kill-matrix.yaml").items():
        ask = client(still(), [known[name]])
        for check in (catalogued[one] for one in row.get("names", ())):
            for finding in judge(check, gather(check, ask)).findings:
                assert codes(check).get(finding.code) == finding.message, (check.id, name, finding.code)
                found += 1
    assert found > 700


def test_former_sentences_have_codes_of_today() -> None:
    """Each sentence of old runs and baselines leads to a code that its check still has."""
    table = fixture("former-sentences.yaml")
    assert list(table) == sorted(table)
    every = {id_: set(codes(check)) for id_, check in catalogue().items()}
    every["golden.*"] = {finding.code for finding in FINDINGS.values()}
    every["*"] = JUDGEMENT
    for check, sentences in table.items():
        if check != "traffic.*":
            assert set(sentences.values()) <= every[check], (check, listed(set(sentences.values()) - every[check]))


def test_former_sentences_of_traffic(tmp_path: Path) -> None:
    """Checks that are made from a file are known by their area."""
    file = tmp_path / "it.jsonl"
    file.write_text('{"model": "m", "messages": [{"role": "user", "content": "a"}]}\n')
    (check,) = traffic_checks(read_traffic(file))
    assert set(fixture("former-sentences.yaml")["traffic.*"].values()) <= set(codes(check))
    assert code_of("traffic.request-9", "the request is refused") == "refused"
    assert code_of("golden.mine.a", "the status is another") == "status-differs"
    assert code_of("own.one", "a request that the target claims to serve is refused") == "claimed-but-refused"
    assert code_of("own.one", "it is broken") == "it is broken"


def test_recordings_without_codes_are_read_with_them() -> None:
    """Every finding of the runs in the fixtures, which were made by sentences, has a code of its check."""
    known = catalogue()
    runs = [read(path.parent) for path in sorted((fixtures() / "recordings").glob("*/run.jsonl"))]
    found = [(result.check, finding.code) for run in runs for result in run.results for finding in result.findings]
    assert len(found) > 200
    assert [(check, code) for check, code in found if check in known and code not in codes(known[check])] == []
