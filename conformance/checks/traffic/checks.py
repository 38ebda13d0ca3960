"""Requests of an application as checks: each is answered as it was before, and the official client can read the answer.

What the answer looks like is observed as well, so that two targets can be compared on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.checks.traffic.reading import OPTION, Asked, Traffic
from conformance.core.check import REPLY, Check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.official_client import Heard, heard
from conformance.core.requirement import MUST, SHOULD, Reference
from conformance.judging.judge import illegible

AREA = "traffic"
CHAT = "chat/completions"


def checks_of(traffic: Traffic) -> tuple[Check, ...]:
    """A check for each distinct request, in the order of the file."""
    return tuple(_check(traffic, asked, number) for number, asked in enumerate(traffic.requests, 1))


def _check(traffic: Traffic, asked: Asked, number: int) -> Check:
    was_refused = asked.status is not None and 400 <= asked.status < 500

    def judge(x: Exchange) -> Findings:
        if was_refused:
            if x.ok:
                yield Finding(
                    "answered",
                    "A request that was refused is now answered",
                    at="status",
                    expected=asked.status,
                    found=x.status,
                )
            return
        if not x.ok:
            message = x.error["message"].value
            yield Finding(
                "refused",
                "The request is refused",
                at="status",
                expected=asked.status or 200,
                found=f"{x.status} {message or x.text[:200]}",
            )
            return
        if asked.probe.path == CHAT:
            if reason := illegible(x):
                yield Finding("unreadable", "The answer cannot be read as a chat completion", at="body", found=reason)
                return
            client = heard(x)
            if client.raised:
                yield Finding("client-raises", "The official client raises an error", at="body", found=client.raised)
            for lost in client.lost:
                yield Finding(
                    "client-loses-part",
                    "The official client loses a part of the answer",
                    at="body",
                    found=lost,
                )
            yield Observed(_seen(x, client))

    place = f"{traffic.path.name}:{asked.line}"
    what = "refused as it was when it was recorded" if was_refused else "answered, and the official client reads it"
    return Check(
        id=f"{AREA}.request-{number}",
        level=SHOULD if was_refused else MUST,
        title=f"The application's request at {place} is {what}.",
        sends=asked.probe,
        spec=Reference(f"traffic of the application ({OPTION})", place, "", f"sent {asked.times} times", "client"),
        judge=judge,
        needs=REPLY,
        remedy="change what the application sends, or what stands between it and the endpoint",
        place=place,
    )


def _seen(x: Exchange, client: Heard) -> Mapping[str, Any]:
    """What an application could depend on in an answer, apart from what the model is free to say."""
    return {
        "finish_reason": sorted({str(choice.finish_reason) for choice in x.choices.values()}),
        "streamed": x.streamed,
        "calls": sorted(client.calls),
        "has_text": bool(client.text),
        "has_usage": x.usage.type == "object",
    }
