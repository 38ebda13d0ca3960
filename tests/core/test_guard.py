"""Secrets are masked before anybody reads them, in every form that they may turn up in."""

from __future__ import annotations

import base64
import gzip
import json
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.core.exchange import Chunk, Ending, Exchange, How
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.guard import Guard, Leak
from conformance.core.mistake import Mistake
from conformance.core.secret import SHAPES, shape, shown
from conformance.probes.chat import HELLO
from conformance.targets.file import read

SECRET = 'canary/47"11+x'
GUARD = Guard((SECRET, "tiny"))


def exchange(*chunks: bytes, **headers: str) -> Exchange:
    """An answer in these pieces."""
    return Exchange(HELLO, "t", 0.0, 401, tuple(headers.items()), tuple(Chunk(0.0, data) for data in chunks))


@pytest.mark.parametrize(
    "form",
    [
        SECRET.encode(),
        SECRET.replace('"', '\\"').encode(),
        quote(SECRET, safe="").encode(),
        base64.b64encode(SECRET.encode()),
        base64.urlsafe_b64encode(SECRET.encode()),
    ],
)
def test_a_known_secret_is_masked_in_every_form(form: bytes) -> None:
    """As it is, in JSON, in a URL, in base64; the length stays, so that offsets stay true."""
    masked = GUARD.clean(exchange(b"you sent " + form + b"!"))
    assert form.rstrip(b"=") not in masked.raw
    assert len(masked.raw) == len(b"you sent " + form + b"!")
    assert masked.raw.startswith(b"you sent ***")


@given(st.lists(st.integers(0, 40), max_size=6))
def test_chunk_boundaries_hide_nothing(cuts: list[int]) -> None:
    """A secret that is split over network reads is masked all the same, and every read keeps its length."""
    whole = b"Incorrect key: " + SECRET.encode() + b". Bye."
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    x = exchange(*(whole[a:b] for a, b in pairwise(edges)))
    masked = GUARD.clean(x)
    assert SECRET.encode() not in masked.raw
    assert [len(chunk.data) for chunk in masked.chunks] == [len(chunk.data) for chunk in x.chunks]


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
SAMPLES = [
    "sk-abcd1234",
    "sk-proj-abcdefghijklmnopqrstuvwx",
    "sk-ant-api03-abcdefghijkl_mnop-qrst",
    "sagemaker-api-key-aGVsbG8=",
    "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz8=",
    "c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20vP0FjdGlvbj1DYWxsV2l0aEJlYXJlclRva2Vu",
    "YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249Q2FsbFdpdGhCZWFyZXJUb2tlbg==",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "X-Amz-Signature=be55b2ece87b1b656cac5c7c33911e4b",
    "x-amz-security-token%3DIQoJb3JpZ2luX2Vj",
    "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261123",
    f"hf_{LETTERS[:24]}",
    *(f"{prefix}_{LETTERS}" for prefix in ("ghp", "gho", "ghu", "ghs", "ghr", "github_pat")),
    f"glpat-{LETTERS[:20]}",
    f"AIza{LETTERS[:35]}",
    *(f"{prefix}{LETTERS}" for prefix in ("gsk_", "nvapi-", "xai-", "pplx-")),
    f"{(LETTERS * 2)[:52]}JQQJ99BAACYeBjFXJ3w3AAABACOGq1Zx",
    f"AccountKey={LETTERS}{LETTERS}==",
    f"SharedAccessKey={LETTERS}AbCdEfG=",
    "xoxb-123456789012-abcdefABCDEF",
    "xapp-1-A0123456789-0123456789-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_DEF-123",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEow+/==\n-----END RSA PRIVATE KEY-----",
    "Bearer abcdef123456",
    "bearer abcdefghijklmnopqrstuvwxyz",
]
"""Secrets that nobody told us about, one of each shape at least."""


def test_every_shape_has_a_sample() -> None:
    """No row of the table is without a sample."""
    samples = [*SAMPLES, "https://me:pass@h"]
    assert [one for one in SHAPES if not any(re.search(one.pattern, sample) for sample in samples)] == []


@pytest.mark.parametrize("token", SAMPLES)
def test_a_foreign_secret_passes_no_door(token: str, tmp_path: Path) -> None:
    """What `targets.yaml` refuses is masked in bodies and headers of exchanges and in outcomes; neither quotes it; nothing writes it."""
    file = tmp_path / "targets.yaml"
    file.write_text(f"targets: {{a: {{kind: openai, model: m, headers: {{X-Team: {json.dumps(token)}}}}}}}")
    with pytest.raises(Mistake, match="looks like") as refused:
        read(file)
    assert token not in str(refused.value)
    assert shown(token) == "`...`"

    guard, stars = Guard(), "*" * len(token)
    said = json.dumps({"message": f"see:\n{token}"})
    x = guard.clean(exchange(said.encode(), x_echo=f"got {token} here"))
    assert x.json["message"].value.strip("*") == "see:\n"
    assert len(x.body) == len(said)
    assert x.header("x_echo") == f"got {stars} here"
    outcome = Outcome(Kind.VIOLATED, (Finding("a", "b", found={token: [f"'{token}'"]}),), reason=f"({token})")
    cleaned = guard.clean_outcome(outcome)
    assert (cleaned.findings[0].found, cleaned.reason) == ({stars: [f"'{stars}'"]}, f"({stars})")
    for line in (token, said):
        with pytest.raises(Leak):
            guard.check(line, "a line")


def test_the_user_of_a_url_is_masked() -> None:
    """A user and password before a host go; the address stays."""
    assert Guard().mask_text("proxy http://me:pass@h:3128/ is down") == "proxy http://*******@h:3128/ is down"
    assert Guard().mask_text(r"https:\/\/me:pass@h") == r"https:\/\/*******@h"
    assert shape("https://me:pass@h/v1")


@pytest.mark.parametrize(
    "text",
    [
        "the tiny model",
        "task-force sk-1",
        "mask-abc",
        "X-Amz-Date=20261123",
        "usage",
        "",
        "the Bearer token is dropped",
        "Bearer KEY'.",
        "Bearer ${TOKEN2}",
        f"Bearer {'x' * 4000}",
        "http://127.0.0.1/v1?to=me@example.com",
        "--hf_overrides",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Short secrets are not searched for, and words that only look like keys are words."""
    assert GUARD.mask_text(text) == text


def test_headers_and_endings_are_masked() -> None:
    """A server may echo a key in a header; a library may quote it in an error."""
    x = exchange(b"", www_authenticate=f"Bearer {SECRET}")
    x = Exchange(x.probe, x.target, x.at, x.status, x.headers, x.chunks, Ending(How.CUT, "body", f"bad: {SECRET}"))
    assert SECRET not in repr(GUARD.clean(x))


def test_compressed_bodies_are_masked_decoded() -> None:
    """Inside gzip nothing can be masked in place: the decoded body is kept instead, and says so."""
    x = exchange(gzip.compress(b"key " + SECRET.encode()), **{"content-encoding": "gzip"})
    masked = GUARD.clean(x)
    assert masked.body == b"key " + b"*" * len(SECRET)
    assert masked.header("content-encoding") is None


def test_what_holds_no_secret_is_the_same_object() -> None:
    """The usual case costs no copy."""
    x = exchange(b"hello")
    assert GUARD.clean(x) is x


def test_the_guard_does_not_show_what_it_knows() -> None:
    """Not in its repr, which ends up in tracebacks."""
    assert "canary" not in repr(GUARD)
