"""Opening a target: one that cannot be tested says why, in a sentence for people and in a word for programs."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from conformance.core.mistake import CouldNotTest
from conformance.core.reason import Why
from conformance.runner.opening import opened
from conformance.targets.target import Target
from tests.kit.servers import json_reply, sends, server


def refused(base_url: str, folder: Path) -> tuple[str, str]:
    """The code that a target at this address is given up with, and the one that its run has written down."""
    with (
        pytest.raises(CouldNotTest) as caught,
        opened(Target("it", "openai", base_url=base_url, model="m"), folder, lambda line: None),
    ):
        pass
    (log,) = folder.glob("it/*/run.jsonl")
    return caught.value.code, json.loads(log.read_text().splitlines()[-1])["code"]


@pytest.mark.parametrize(("status", "why"), [(b"401 Unauthorized", Why.UNAUTHORISED), (b"404 Not Found", Why.REFUSED)])
def test_an_answer_that_ends_it_has_a_code(status: bytes, why: Why, tmp_path: Path) -> None:
    """What the first answer was is told in a word."""
    with server(sends(json_reply(b"{}", status))) as base_url:
        assert refused(base_url, tmp_path) == (why, why)


def test_nobody_there_has_a_code(tmp_path: Path) -> None:
    """So is that there was no answer, since nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/v1", tmp_path) == (Why.UNREACHABLE, Why.UNREACHABLE)
