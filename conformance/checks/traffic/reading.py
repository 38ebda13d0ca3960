"""Requests of an application, from a file: HAR, or a line of JSON for each.

A line is a request body, a line of OpenAI's batch format (`method`, `url`, `body`), a mapping with a `path` or `url` and a `body`
or `request`, or an exchange that this suite recorded. Headers are never taken over: that is where credentials are. Bodies are
looked through for secrets: what can be masked is masked, a request in which one would remain is left out, and both are told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.core.guard import Guard
from conformance.core.mistake import Mistake
from conformance.core.probe import MODEL, Probe, encode
from conformance.core.text import listed, number_of

OPTION = "--conformance-traffic"
ROUTES = ("chat/completions", "completions", "embeddings")
"""What is sent again. Other requests of a file (pages, pictures, other APIs) are none of an endpoint's business."""
MOST = 200
"""Distinct requests taken from one file: each is sent to both sides, and somebody pays for it."""
LARGEST = 1024 * 1024
"""Bytes of a request that is taken: pictures fit, recordings of an hour do not."""
FILE = 256 * 1024 * 1024
"""Bytes of a file that is read."""


@dataclass(frozen=True)
class Asked:
    """One request of the application."""

    probe: Probe
    line: int
    """Of the file; in a HAR the number of the entry."""
    times: int = 1
    status: int | None = None
    """What was answered when it was recorded, where the file has it."""


@dataclass(frozen=True)
class Traffic:
    """The distinct requests of a file, and what was not taken from it."""

    path: Path
    requests: tuple[Asked, ...]
    models: tuple[str, ...]
    """The models that were asked; the target's own takes their place."""
    said: tuple[str, ...]
    """What was left out or masked, in sentences."""


def read(path: Path) -> Traffic:
    """The requests of a file. Raises Mistake where there is no file, it cannot be read, or holds no request that can be sent."""
    where = f"{OPTION} {path}"
    try:
        if path.stat().st_size > FILE:
            raise Mistake(f"the file is larger than {FILE >> 20} MiB", where=where, fix="record less, or cut it")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8"
        raise Mistake(f"the traffic cannot be read: {why}", where=where) from None
    is_har = path.suffix.lower() == ".har" or text.lstrip()[:200].replace(" ", "").startswith('{"log":')
    taken = _Taken()
    for line, url, method, body, status in _har(text, where) if is_har else _lines(text, where):
        taken.take(line, url, method, body, status)
    if not taken.requests:
        found = f"{number_of(taken.seen, 'entry', 'entries')}, and none is a POST to {' or '.join(ROUTES)}"
        why = "; ".join(taken.sentences()) or (found if taken.seen else "it is empty")
        fix = "record where the application talks to its endpoint, with request bodies"
        raise Mistake(f"there is no request in it that can be sent: {why}", where=where, fix=fix)
    return Traffic(path, tuple(taken.requests.values()), tuple(taken.models), tuple(taken.sentences()))


class _Taken:
    """Takes requests one by one, and counts what it does not take."""

    def __init__(self) -> None:
        self.requests: dict[str, Asked] = {}
        self.models: dict[str, None] = {}
        self.counts: Counter[str] = Counter()
        self.seen = 0

    def take(self, line: int, url: str, method: str, body: Any, status: int | None) -> None:
        self.seen += 1
        route = _route(url)
        if not route or method.upper() != "POST":
            self.counts["other"] += 1
            return
        if not isinstance(body, dict):
            self.counts["bodiless"] += 1
            return
        sent = encode({**body, "model": MODEL})
        data = Guard().mask(sent)
        if len(data) > LARGEST:
            self.counts["large"] += 1
            return
        probe = Probe(route, data)
        if probe.key not in self.requests and len(self.requests) >= MOST:
            self.counts["many"] += 1
            return
        self.counts["masked"] += data != sent
        if isinstance(model := body.get("model"), str):
            self.models.setdefault(model)
        known = self.requests.get(probe.key)
        self.requests[probe.key] = Asked(
            probe, known.line if known else line, known.times + 1 if known else 1, known.status if known else status
        )

    def sentences(self) -> Iterator[str]:
        """What was not taken as it was."""
        for name, one, many in (
            ("other", "is no POST to a known route", "are no POSTs to a known route"),
            ("bodiless", "has no JSON object as its body", "have no JSON object as their body"),
            ("large", f"is larger than {LARGEST >> 20} MiB", f"are larger than {LARGEST >> 20} MiB"),
            ("many", f"is beyond the first {MOST} and was left out", f"are beyond the first {MOST} and were left out"),
            ("masked", "held a secret, which was masked", "held secrets, which were masked"),
        ):
            if count := self.counts[name]:
                yield f"{number_of(count, 'request')} {one if count == 1 else many}"


def _route(url: str) -> str:
    """The route below a base URL, whatever the base: `/v1`, `/openai/v1`, or a deployment of Azure's."""
    path = urlsplit(url).path.rstrip("/")
    return next((route for route in ROUTES if path == route or path.endswith(f"/{route}")), "")


def _har(text: str, where: str) -> Iterator[tuple[int, str, str, Any, int | None]]:
    try:
        entries = json.loads(text)["log"]["entries"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Mistake("this is no HAR: there is no log with entries in it", where=where) from None
    for number, entry in enumerate(entries if isinstance(entries, list) else (), 1):
        request, response = _member(entry, "request"), _member(entry, "response")
        posted = _member(request, "postData")
        yield (
            number,
            str(request.get("url") or ""),
            str(request.get("method") or ""),
            _json(posted.get("text")),
            _status(response.get("status")),
        )


def _lines(text: str, where: str) -> Iterator[tuple[int, str, str, Any, int | None]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        value = _json(line)
        if not isinstance(value, dict):
            raise Mistake(
                "this line is no JSON object", where=f"{where}:{number}", fix="a line of JSON for each request"
            )
        if value.get("version") and "key" not in value and "body" not in value:
            continue  # the header of a recording
        probe = value.get("probe")
        if isinstance(probe, dict):  # an exchange of this suite's
            if probe.get("auth", "key") == "key":
                yield (
                    number,
                    str(probe.get("path") or ""),
                    str(probe.get("method") or ""),
                    _json(probe.get("body")),
                    _status(value.get("status")),
                )
            continue
        body = next((value[name] for name in ("body", "request", "request_body") if name in value), None)
        url = next((str(value[name]) for name in ("url", "path", "endpoint") if isinstance(value.get(name), str)), "")
        if body is None:
            body, url = value, url or _route_of(value)
        body = _json(body) if isinstance(body, str) else body
        url = url or (_route_of(body) if isinstance(body, dict) else "")
        yield number, url, str(value.get("method") or "POST"), body, _status(value.get("status"))


def _route_of(body: Mapping[str, Any]) -> str:
    """The route that a bare body is for, by its members."""
    for member, route in (("messages", "chat/completions"), ("prompt", "completions"), ("input", "embeddings")):
        if member in body:
            return route
    return ""


def _member(value: Any, name: str) -> dict[str, Any]:
    """An object in an object; an empty one where there is none."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _json(text: Any) -> Any:
    if not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _status(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else None


def described(traffic: Traffic) -> list[str]:
    """A file of traffic in a few lines."""
    many = sum(one.times for one in traffic.requests)
    lines = [f"{traffic.path}: {number_of(len(traffic.requests), 'distinct request')} of {many} will be sent again"]
    if len(traffic.models) > 1:
        lines.append(f"they were for {listed(traffic.models, 5)}; all go to the one model of the target")
    return [*lines, *traffic.said]
