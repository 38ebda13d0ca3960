"""Whole runs without pytest, of a sample of the shipped checks; and the reference's answers as bytes of HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from conformance.checks.catalogue import catalogue
from conformance.core.check import Check
from conformance.core.finding import Outcome
from conformance.core.probe import Probe
from conformance.core.secret import Secret
from conformance.probes.chat import COUNT, COUNT_STREAMED, GREEDY, HELLO, STREAMED, chat, get
from conformance.probes.streams import GREEDY_STREAMED, LOGPROBS, USAGE
from conformance.probes.tools import (
    BOTH,
    BOTH_STREAMED,
    NAMED,
    NAMED_STREAMED,
    REQUIRED,
    REQUIRED_STREAMED,
    WEATHER,
    WEATHER_STREAMED,
)
from conformance.reference.answer import Answer, Request
from conformance.reference.engine import DEFAULT_KEY
from conformance.runner.runner import Runner
from conformance.targets.target import Limits, Target

LIST = get("models")
NO_MESSAGES = chat(messages=...)

FEW = (
    HELLO, STREAMED, COUNT, COUNT_STREAMED, GREEDY, GREEDY_STREAMED, USAGE, LOGPROBS, WEATHER, WEATHER_STREAMED,
    BOTH, BOTH_STREAMED, REQUIRED, REQUIRED_STREAMED, NAMED, NAMED_STREAMED, LIST, NO_MESSAGES,
)  # fmt: skip
"""Requests of quick tests: one of each kind, and those that most checks read."""


@cache
def sample(probes: tuple[Probe, ...] = FEW) -> tuple[Check, ...]:
    """The checks that need nothing but these requests."""
    few = {probe.key for probe in probes}
    listed = [check for check in catalogue().values() if not check.drawn]
    return tuple(
        check for check in listed if check.cost == len(check.probes) and {probe.key for probe in check.probes} <= few
    )


def run(base_url: str, directory: Path, checks: Iterable[Check], limits: Limits) -> tuple[dict[str, Outcome], str]:
    """The outcomes of a run, and why there are none where the target could not be tested at all."""
    chosen = tuple(checks)
    key = Secret("KEY", DEFAULT_KEY)
    target = Target("it", "openai", base_url=base_url, model="reference", key=key, limits=limits)
    session = Runner([target], directory)
    try:
        session.open({"it": chosen})
        outcomes = {} if session.dead else {check.id: session.judge(check, target).outcome for check in chosen}
    finally:
        session.close(finished=True)
    return outcomes, session.dead.get("it", "")


def head(answer: Answer, *headers: str, version: str = "1.1", capitals: bool = False) -> bytes:
    """The status line and the headers of an answer."""
    lines = [f"{name.title() if capitals else name}: {value}" for name, value in answer.headers.items()]
    return "\r\n".join([f"HTTP/{version} {answer.status} Whatever", *lines, *headers, "", ""]).encode("latin-1")


def parts_of(answer: Answer) -> list[bytes]:
    """The pieces of its body."""
    return [data for _, data in answer.pieces() if data]


def whole(answer: Answer) -> bytes:
    """All of it."""
    body = b"".join(parts_of(answer))
    return head(answer, f"content-length: {len(body)}") + body


def heard(request: bytes) -> Request:
    """The request that these bytes are."""
    lines, _, body = request.partition(b"\r\n\r\n")
    first, *headers = lines.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":")[::2] for line in headers)
    return Request(method, path, {name.strip().lower(): value.strip() for name, value in pairs}, body)
