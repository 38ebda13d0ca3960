"""A gateway is two legs: what reaches the server behind, what comes back, and which of the two is down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from conformance.checks.catalogue import catalogue
from conformance.core.finding import Kind
from conformance.core.requirement import Level
from conformance.probes.chat import HELLO
from conformance.probes.upstream_script import CROWD, CUT_MIDWAY, ECHO, REFUSED, SLOW, USED, ordered
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.fault import faults
from conformance.reference.serve import serving
from conformance.runner.kill_matrix import Matrix, client, outcome, still
from conformance.transport.engines.launch import free_port
from tests.kit.legal import CHANGES, LEGAL
from tests.kit.said import said

CHECKS = [check for check in catalogue().values() if check.area == "gateway"]
NOT_TESTED, USAGE = 6, 4


def test_the_server_behind_reports_what_reached_it_and_no_credential() -> None:
    """Method, path, headers and body are in the answer; of the key there is only the name of its header."""
    ask = client(still())
    report = json.loads(ask(ECHO).choice.text)
    assert (report["method"], report["path"]) == ("POST", "/v1/chat/completions")
    assert report["body"]["messages"] == ECHO.wish["messages"]
    assert "authorization" in report["names"]
    assert DEFAULT_KEY not in ask(ECHO).text


def test_the_server_behind_does_what_it_is_ordered() -> None:
    """Errors, counts, breaks and slowness come as they were ordered; what is no order is answered as ever."""
    ask = client(still())
    assert ask(REFUSED[422]).status == 422
    assert ask(USED).usage["total_tokens"].value == 1801
    assert ask(CUT_MIDWAY).ending.how == "cut"
    assert ask(SLOW).ended > 2
    assert ask(HELLO).choice.text
    for nonsense in ({"status": "x", "usage": 1, "calls": [1], "after": -1, "every": 1e9}, {}):
        assert ask(ordered(nonsense)).status == 200
    assert len({ask(probe).choice.text for probe in CROWD}) == len(CROWD)


@cache
def matrix() -> Matrix:
    """The matrix of the gateway's checks: only what a variant changes for them is judged."""
    return Matrix(CHECKS)


def test_a_gateway_that_changes_nothing_trips_nothing() -> None:
    """With nothing planted, none of its checks finds anything."""
    ask = client(still())
    assert [check.id for check in CHECKS if outcome(check, ask).kind is Kind.VIOLATED] == []


@pytest.mark.parametrize("name", sorted(set(LEGAL) - CHANGES))
def test_how_an_answer_travels_is_no_change(name: str) -> None:
    """Framing, pacing, key order and whatever else is free to a gateway trips none of its checks."""
    assert matrix().row([faults()[name]]).violated == ()


def test_another_server_behind_is_told_from_a_bad_gateway() -> None:
    """Where the server behind reports nothing, nothing can be said: every check that could blame is unsupported."""

    def obeys_nothing(request):  # type: ignore[no-untyped-def]
        messages = request.wish.get("messages")
        if isinstance(messages, list) and "conformance:" in json.dumps(messages[-1]):
            request = request.asking(messages=[{"role": "user", "content": "Say hello"}])
        return still()(request)

    ask = client(obeys_nothing)
    kinds = {check.id: outcome(check, ask).kind for check in CHECKS if check.level is not Level.NOTE}
    assert set(kinds.values()) == {Kind.UNSUPPORTED}, kinds


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """A folder with gateways of several kinds in front of the reference server."""
    with serving() as base_url:
        faulty = base_url.replace("/v1", "/fault/gateway-error-wrapped/v1")
        nobody = f"http://127.0.0.1:{free_port()}/v1"

        def target(name: str, url: str, upstream: str = "") -> str:
            behind = f", upstream: {upstream}" if upstream else ""
            return f"  {name}: {{kind: openai, base_url: '{url}', model: reference, key: '${{KEY}}'{behind}}}\n"

        lines = [
            target("behind", base_url),
            target("gone", nobody),
            target("gateway", faulty, "behind"),
            target("sound", base_url, "behind"),
            target("down", nobody, "behind"),
            target("both-down", nobody, "gone"),
        ]
        pytester.makefile(".yaml", targets="targets:\n" + "".join(lines))
        monkeypatch.setenv("KEY", DEFAULT_KEY)
        yield pytester


def test_both_legs_are_asked_and_compared(project: pytest.Pytester) -> None:
    """The upstream sees the same probes without being judged; what the gateway changed is told field by field."""
    code, text = said(project, "--target", "gateway", "conformance/errors_shape", "-k", "gateway or error or behind")
    assert code == 0
    assert "gateway against its upstream behind" in text
    assert "a member is of another type at /error/type: behind string, gateway null" in text
    assert "baseline" in text
    code, text = said(project, "--target", "sound", "conformance/errors_shape")
    assert code == 0
    assert "sound against its upstream behind: no difference" in text
    header = json.loads(next((project.path / "reports" / "sound").glob("*/run.jsonl")).read_text().splitlines()[0])
    assert header["upstream"] == "behind"


def test_gateway_checks_are_for_gateways(project: pytest.Pytester) -> None:
    """A target without an upstream is not asked what it passes on."""
    _, text = said(project, "--target", "behind", "--collect-only", "-q", "conformance/gateway")
    assert "no tests collected" in text
    _, text = said(project, "--target", "gateway", "--collect-only", "-q", "conformance/gateway")
    assert "gateway.tools-reach-the-upstream[gateway]" in text
    assert "[behind]" not in text


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("down", "down: the gateway is down while its upstream `behind` is up: nothing answers at"),
        ("both-down", "both-down: the gateway is down, and so is its upstream `gone`: nothing answers at"),
    ],
)
def test_which_leg_is_down_is_said(project: pytest.Pytester, target: str, line: str) -> None:
    """Exactly that, whether the upstream has requests of its own in this run or not."""
    for files in ("conformance/gateway", "conformance/models"):
        code, text = said(project, "--target", target, files)
        assert code == NOT_TESTED
        assert line in text


def test_an_upstream_has_to_be_configured(project: pytest.Pytester) -> None:
    """One that is no target of the file is refused with the line that names it."""
    file = Path(project.path / "targets.yaml")
    file.write_text(file.read_text().replace("upstream: behind", "upstream: behnd"))
    code, text = said(project, "--target", "gateway")
    assert code == USAGE
    assert "targets.yaml:4: `targets.gateway.upstream` must be a target of this file" in text
    assert "did you mean `behind`?" in text
