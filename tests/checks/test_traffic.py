"""An application's own requests: read from whatever recorded them, without their secrets, and judged like every other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.checks.traffic import reading
from conformance.checks.traffic.checks import checks_of
from conformance.checks.traffic.reading import described, read
from conformance.core.finding import Kind
from conformance.core.mistake import Mistake
from conformance.core.probe import MODEL
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import client, outcome, still

BODY = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Say hello"}]}
CANARY = "sk-canary0123456789abcdefghij"


def entry(url: str, body: Any, method: str = "POST", status: int = 200) -> dict[str, Any]:
    """An entry of a HAR as browsers write them."""
    headers = [{"name": "Authorization", "value": f"Bearer {CANARY}"}, {"name": "Cookie", "value": "session=1"}]
    request = {"method": method, "url": url, "headers": headers, "postData": {"text": json.dumps(body)}}
    return {"request": request, "response": {"status": status, "content": {"text": "{}"}}}


def har(path: Path, *entries: dict[str, Any]) -> Path:
    """A HAR with these entries."""
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return path


def lines(path: Path, *values: Any) -> Path:
    """A line of JSON for each value."""
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_a_har_gives_its_requests(tmp_path: Path) -> None:
    """Every POST to a known route is taken, whatever the base URL; the same one twice is one; the rest is told."""
    file = har(
        tmp_path / "a.har",
        entry("https://api.openai.com/v1/chat/completions", BODY),
        entry("https://api.openai.com/v1/chat/completions", BODY),
        entry("https://x.azure.com/openai/deployments/d/chat/completions?api-version=1", {**BODY, "stream": True}),
        entry("https://example.com/v1/embeddings", {"model": "e", "input": "a"}, status=400),
        entry("https://example.com/index.html", None, method="GET"),
    )
    traffic = read(file)
    assert [(one.probe.path, one.times, one.status) for one in traffic.requests] == [
        ("chat/completions", 2, 200), ("chat/completions", 1, 200), ("embeddings", 1, 400),
    ]  # fmt: skip
    assert all(one.probe.wish["model"] == MODEL for one in traffic.requests)
    assert traffic.models == ("gpt-5-mini", "e")
    assert any("1 request is no POST to a known route" in line for line in described(traffic))


@pytest.mark.parametrize(
    "value",
    [
        BODY,
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": BODY},
        {"path": "chat/completions", "request": BODY, "status": 200},
        {"endpoint": "/v1/chat/completions", "request_body": json.dumps(BODY)},
        {"key": "k", "status": 200, "probe": {"method": "POST", "path": "chat/completions", "body": json.dumps(BODY)}},
    ],
)
def test_lines_may_have_any_usual_form(value: dict[str, Any], tmp_path: Path) -> None:
    """A bare body, OpenAI's batch format, a log of one's own, and a recording of this suite give the same request."""
    (one,) = read(lines(tmp_path / "a.jsonl", value)).requests
    (plain,) = read(lines(tmp_path / "b.jsonl", BODY)).requests
    assert one.probe.key == plain.probe.key


def test_secrets_are_never_taken_over(tmp_path: Path) -> None:
    """Headers stay behind; a key in a body is masked, and said."""
    hidden = {**BODY, "messages": [{"role": "user", "content": f"my key is {CANARY}"}]}
    private = {**BODY, "messages": [{"role": "user", "content": "-----BEGIN RSA PRIVATE KEY-----"}]}
    traffic = read(
        har(tmp_path / "a.har", *(entry("https://a/v1/chat/completions", body) for body in (BODY, hidden, private)))
    )
    assert CANARY not in repr(traffic)
    assert b"canary" not in b"".join(one.probe.body or b"" for one in traffic.requests)
    assert b"PRIVATE KEY" not in b"".join(one.probe.body or b"" for one in traffic.requests)
    assert len(traffic.requests) == 3
    assert traffic.said == ("2 requests held secrets, which were masked",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n", "it is empty"),
        ('{"log": {}}', "no log with entries"),
        ("no json\n", "this line is no JSON object"),
        (
            json.dumps({"log": {"entries": [entry("https://a/", None, method="GET")]}}),
            "no request in it that can be sent",
        ),
        ('{"odd": 1}\n', "no request in it that can be sent"),
    ],
)
def test_a_file_without_requests_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    """What cannot be used is refused, with the file and what to record."""
    file = tmp_path / ("a.har" if text.startswith('{"log"') else "a.jsonl")
    file.write_text(text)
    with pytest.raises(Mistake, match=said):
        read(file)
    with pytest.raises(Mistake, match="cannot be read"):
        read(tmp_path / "nowhere.har")


def test_so_many_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of distinct requests the rest is left out, and said: each is paid for twice."""
    monkeypatch.setattr(reading, "MOST", 2)
    traffic = read(lines(tmp_path / "a.jsonl", *({**BODY, "seed": seed} for seed in (1, 2, 3, 1))))
    assert [one.times for one in traffic.requests] == [2, 1]
    assert any("beyond the first 2" in line for line in traffic.said)


@pytest.mark.parametrize(
    ("body", "status", "fault", "kind"),
    [
        (BODY, 200, "", Kind.HOLDS),
        ({**BODY, "stream": True}, None, "", Kind.HOLDS),
        ({**BODY, "temperature": 9}, 400, "", Kind.HOLDS),
        ({**BODY, "temperature": 9}, 200, "", Kind.VIOLATED),
        ({**BODY, "stream": True}, 200, "stream-of-json-lines", Kind.VIOLATED),
        ({**BODY, "stream": True}, 200, "delta-null-on-finish", Kind.VIOLATED),
    ],
)
def test_an_applications_request_is_judged(
    body: dict[str, Any], status: int | None, fault: str, kind: Kind, tmp_path: Path
) -> None:
    """It holds where it is answered as it was and the official client reads the answer; a fault that client feels is one."""
    value = {"path": "chat/completions", "body": body, "status": status}
    (check,) = checks_of(read(lines(tmp_path / "a.jsonl", value)))
    respond = faults()[fault](still()) if fault else still()
    assert outcome(check, client(respond)).kind is kind


def test_legal_variants_are_no_faults(tmp_path: Path) -> None:
    """No legal variant of the reference server breaks an application's requests."""
    checks = checks_of(read(lines(tmp_path / "a.jsonl", BODY, {**BODY, "stream": True})))
    for variant in (
        one for one in faults().values() if one.legal and one.id != "streams-refused"
    ):  # it refuses, and says so
        for check in checks:
            found = outcome(check, client(still(), [variant]))
            assert found.kind is Kind.HOLDS, (variant.id, found)
