"""A recording as HAR: what the specification asks of it, and that nothing of the exchange is lost or invented."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conformance.core.exchange import Chunk, Ending, Exchange, How, Wait
from conformance.core.probe import Probe
from conformance.evidence.exchanges import Recording
from conformance.evidence.har import entry, har
from conformance.probes.chat import HELLO, STREAMED, get, raw

URL = "http://127.0.0.1:8000/v1"
TIME = {"type": "number", "minimum": -1}
TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": -1}


def members(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object of these members, and of others that begin with an underscore, as HAR has it."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {}), "comment": TEXT},
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def several(one: dict[str, Any]) -> dict[str, Any]:
    """An array of these."""
    return {"type": "array", "items": one}


PAIR = members({"name": TEXT, "value": TEXT})
COOKIE = members(
    {"name": TEXT, "value": TEXT},
    {"path": TEXT, "domain": TEXT, "expires": TEXT, "httpOnly": {"type": "boolean"}, "secure": {"type": "boolean"}},
)
MESSAGE = {
    "httpVersion": TEXT,
    "cookies": several(COOKIE),
    "headers": several(PAIR),
    "headersSize": WHOLE,
    "bodySize": WHOLE,
}
CONTENT = members(
    {"size": {"type": "integer", "minimum": 0}, "mimeType": TEXT},
    {"compression": {"type": "integer"}, "text": TEXT, "encoding": {"const": "base64"}},
)
POSTED = members({"mimeType": TEXT, "text": TEXT})
REQUEST = members({**MESSAGE, "method": TEXT, "url": TEXT, "queryString": several(PAIR)}, {"postData": POSTED})
RESPONSE = members(
    {**MESSAGE, "status": {"type": "integer"}, "statusText": TEXT, "content": CONTENT, "redirectURL": TEXT}
)
TIMINGS = members(
    {"send": {"type": "number", "minimum": 0}, "wait": {"type": "number"}, "receive": {"type": "number"}},
    {"blocked": TIME, "dns": TIME, "connect": TIME, "ssl": TIME},
)
ENTRY = members(
    {
        "startedDateTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$"},
        "time": {"type": "number", "minimum": 0},
        "request": REQUEST,
        "response": RESPONSE,
        "cache": members({}),
        "timings": TIMINGS,
    },
    {"pageref": TEXT, "serverIPAddress": TEXT, "connection": TEXT},
)
LOG = members(
    {"version": {"const": "1.2"}, "creator": members({"name": TEXT, "version": TEXT}), "entries": several(ENTRY)}
)
HAR = {"type": "object", "required": ["log"], "properties": {"log": LOG}, "additionalProperties": False}
"""HAR 1.2 as its specification has it, without pages and browsers, which a recording has none of."""

JSON = (("content-type", "application/json"),)
EXCHANGES = {
    "whole": Exchange(HELLO, "t", 1_795_000_000.25, 200, JSON, (Chunk(0.2, b'{"a": 1}'),), answered=0.1, ended=0.2),
    "streamed": Exchange(
        STREAMED,
        "t",
        1_795_000_001.0,
        200,
        (("content-type", "text/event-stream"),),
        (Chunk(0.5, b"data: 1\n\n"), Chunk(0.75, b"data: [DONE]\n\n")),
        answered=0.5,
        ended=0.8,
        model="tiny",
    ),
    "bytes": Exchange(
        raw(b"\xff\x00"), "t", 1_795_000_002.0, 400, (), (Chunk(0.1, b"\xfe\xff"),), answered=0.1, ended=0.1
    ),
    "none": Exchange(
        get("models?limit=2&x="), "t", 1_795_000_003.0, ending=Ending(How.UNREACHABLE, "connect", "refused")
    ),
    "cut": Exchange(
        HELLO.again(), "t", 1.0, 200, JSON, (Chunk(2.0, b"{"),), Ending(How.CUT, "body"), answered=1.0, ended=2.0
    ),
    "patient": Exchange(HELLO.again(2), "t", 2.0, 429, ended=0.5, waits=(Wait(429, 1.5),)),
    "cookie": Exchange(
        HELLO.again(3), "t", 3.0, 302, (("set-cookie", "a=b; Path=/"), ("location", "/x")), answered=0.1, ended=0.1
    ),
}


def recorded(directory: Path, *exchanges: Exchange) -> Recording:
    """A recording of these."""
    recording = Recording(directory)
    for x in exchanges:
        recording.append(x)
    return recording


def test_it_is_what_the_specification_asks_for(tmp_path: Path) -> None:
    """Every kind of exchange gives valid HAR 1.2, which survives JSON."""
    value = json.loads(json.dumps(har(recorded(tmp_path, *EXCHANGES.values()), URL)))
    problems = [problem.message for problem in Draft202012Validator(HAR).iter_errors(value)]
    assert problems == []
    assert len(value["log"]["entries"]) == len(EXCHANGES)
    assert value["log"]["creator"]["name"] == "openai-conformance"


@pytest.mark.parametrize("name", EXCHANGES)
def test_times_add_up(name: str) -> None:
    """The whole time is the sum of the parts that were measured, as the specification says."""
    value = entry(EXCHANGES[name], URL)
    parts = [time for time in value["timings"].values() if time != -1]
    assert value["time"] == pytest.approx(sum(parts))


def test_a_stream_keeps_its_chunks() -> None:
    """Times of the chunks are there, in milliseconds, and the text is the whole body."""
    value = entry(EXCHANGES["streamed"], URL)
    assert value["_chunks"] == [{"time": 500.0, "bytes": 9}, {"time": 750.0, "bytes": 14}]
    assert value["response"]["content"]["text"] == "data: 1\n\ndata: [DONE]\n\n"
    assert '"model":"tiny"' in value["request"]["postData"]["text"]
    assert (value["timings"]["wait"], value["timings"]["receive"]) == (500.0, 300.0)


def test_bytes_are_base64_and_said_to_be() -> None:
    """What is not UTF-8 is base64, in answers by HAR's own member and in requests by ours."""
    value = entry(EXCHANGES["bytes"], URL)
    content, posted = value["response"]["content"], value["request"]["postData"]
    assert (base64.b64decode(content["text"]), content["encoding"]) == (b"\xfe\xff", "base64")
    assert (base64.b64decode(posted["text"]), posted["_encoding"]) == (b"\xff\x00", "base64")


def test_compression_is_undone_and_told() -> None:
    """The content is what a client reads; how much less came over the wire is told apart."""
    body = b'{"a": "' + b"x" * 500 + b'"}'
    zipped = gzip.compress(body)
    headers = (("content-encoding", "gzip"), *JSON)
    value = entry(Exchange(HELLO, "t", 1.0, 200, headers, (Chunk(0.1, zipped),), answered=0.1, ended=0.1), URL)[
        "response"
    ]
    assert value["content"]["text"] == body.decode()
    assert (value["content"]["size"], value["bodySize"]) == (len(body), len(zipped))
    assert value["content"]["compression"] == len(body) - len(zipped)


def test_no_answer_is_status_0() -> None:
    """Where nothing came back, nothing is invented, and the reason is kept."""
    value = entry(EXCHANGES["none"], URL)
    assert (value["response"]["status"], value["response"]["bodySize"]) == (0, -1)
    assert value["_ending"] == "unreachable (connect) refused"
    assert value["request"]["url"] == f"{URL}/models?limit=2&x="
    assert value["request"]["queryString"] == [{"name": "limit", "value": "2"}, {"name": "x", "value": ""}]


def test_cookies_and_redirects_are_where_viewers_look() -> None:
    """A cookie that was set and an address to go to have members of their own."""
    value = entry(EXCHANGES["cookie"], URL)["response"]
    assert value["cookies"] == [{"name": "a", "value": "b"}]
    assert (value["redirectURL"], value["statusText"]) == ("/x", "Found")


def test_what_was_not_sent_is_left_out(tmp_path: Path) -> None:
    """A probe that the budget kept from being sent is no entry; the others are in the order of time."""
    unsent = Exchange(Probe("x"), "t", 5.0, ending=Ending(How.UNSENT, "", "budget"))
    value = har(recorded(tmp_path, EXCHANGES["streamed"], unsent, EXCHANGES["whole"]), URL)
    assert [one["_probe"] for one in value["log"]["entries"]] == [HELLO.key, STREAMED.key]
