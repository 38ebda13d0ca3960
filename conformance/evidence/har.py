"""A recording as HAR 1.2, for the tools that read it: browsers' network tabs, viewers, proxies.

The specification is http://www.softwareishard.com/blog/har-12-spec/. Members that begin with an underscore are ours,
as it allows. Credentials were never recorded: `_auth` says whether there were any.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from conformance.core.address import filled, url
from conformance.core.exchange import Exchange, How
from conformance.core.version import __version__
from conformance.evidence.exchanges import Recording

UNKNOWN = -1
"""What HAR says for a size or time that nobody measured."""
UNMEASURED = {"blocked": UNKNOWN, "dns": UNKNOWN, "connect": UNKNOWN}


CREATOR = {"name": "openai-conformance", "version": __version__}


def har(recording: Recording, base_url: str) -> dict[str, Any]:
    """All exchanges of a recording that were sent to `base_url`, oldest first, as the value of a .har file."""
    exchanges = (recording.get(key) for key in recording)
    entries = [entry(x, base_url) for x in exchanges if x is not None and x.ending.how is not How.UNSENT]
    entries.sort(key=lambda one: str(one["startedDateTime"]))
    return {"log": {"version": "1.2", "creator": CREATOR, "entries": entries}}


def entry(x: Exchange, base_url: str) -> dict[str, Any]:
    """One exchange as an entry. Times are in milliseconds; a status of 0 says that there was no answer."""
    answered = x.ended if x.answered is None else x.answered
    wait, receive = round(answered * 1000, 3), round(max(x.ended - answered, 0.0) * 1000, 3)
    begun = datetime.fromtimestamp(x.at, UTC).isoformat(timespec="milliseconds")
    value: dict[str, Any] = {
        "startedDateTime": begun.replace("+00:00", "Z"),
        "time": round(wait + receive, 3),
        "request": _request(x, base_url),
        "response": _response(x),
        "cache": {},
        "timings": {**UNMEASURED, "send": 0, "wait": wait, "receive": receive},
        "_probe": x.key,
        "_target": x.target,
        "_auth": x.probe.auth,
        "_chunks": [{"time": round(chunk.at * 1000, 3), "bytes": len(chunk.data)} for chunk in x.chunks],
    }
    if x.probe.line:
        value["connection"] = x.probe.line
    if x.ending.how is not How.DONE:
        value["_ending"] = str(x.ending)
    if x.waits:
        value["_waits"] = [{"status": wait.status, "time": wait.seconds * 1000} for wait in x.waits]
    return value


def _pairs(headers: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _request(x: Exchange, base_url: str) -> dict[str, Any]:
    path, body = filled(x.probe, x.model)
    address = url(base_url, path)
    value: dict[str, Any] = {
        "method": x.probe.method,
        "url": address,
        "httpVersion": x.http,
        "cookies": [],
        "headers": _pairs(x.probe.headers),
        "queryString": _pairs(tuple(parse_qsl(address.partition("?")[2], keep_blank_values=True))),
        "headersSize": UNKNOWN,
        "bodySize": len(body or b""),
    }
    if body is not None:
        types = [text for name, text in x.probe.headers if name.lower() == "content-type"]
        value["postData"] = {"mimeType": types[0] if types else "", **_text(body, "_encoding")}
    return value


def _response(x: Exchange) -> dict[str, Any]:
    status = x.status or 0
    return {
        "status": status,
        "statusText": HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "",
        "httpVersion": x.http if x.status is not None else "",
        "cookies": list(_cookies(x)),
        "headers": _pairs(x.headers),
        "content": {
            "size": len(x.body),
            **({"compression": len(x.body) - len(x.raw)} if x.body != x.raw else {}),
            "mimeType": x.header("content-type") or "x-unknown",
            **(_text(x.body, "encoding") if x.body else {}),
        },
        "redirectURL": x.header("location") or "",
        "headersSize": UNKNOWN,
        "bodySize": len(x.raw) if x.status is not None else UNKNOWN,
    }


def _text(body: bytes, encoding: str) -> dict[str, str]:
    """The body as text, or as base64 with a member that says so: HAR has one for answers, and none for requests."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), encoding: "base64"}


def _cookies(x: Exchange) -> Iterator[dict[str, str]]:
    for name, text in x.headers:
        if name == "set-cookie":
            cookie, _, value = text.partition(";")[0].partition("=")
            yield {"name": cookie.strip(), "value": value.strip()}
