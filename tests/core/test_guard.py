"""Secrets are masked before anybody reads them, in every form that they may turn up in."""

from __future__ import annotations

import base64
import gzip
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.core.exchange import Chunk, Ending, Exchange, How
from conformance.core.guard import Guard, Leak
from conformance.probes.chat import HELLO

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


@pytest.mark.parametrize(
    "token",
    [
        "sk-proj-abcdefghijklmnopqrstuvwx",
        "sagemaker-api-key-c2FnZW1ha2VyLmFtYXpvbmF3cy5jb20vPw==",
        "AKIAIOSFODNN7EXAMPLE",
        "X-Amz-Signature=be55b2ece87b1b656cac5c7c33911e4b",
        "hf_abcdefghijklmnopqrstuvwxyz012345",
    ],
)
def test_foreign_keys_are_known_by_their_shape(token: str) -> None:
    """A token that nobody told us about is masked, too."""
    assert Guard().mask_text(f"got {token} here") == f"got {'*' * len(token)} here"
    with pytest.raises(Leak):
        Guard().check(token, "a line")


@pytest.mark.parametrize("text", ["the tiny model", "task-force sk-1", "mask-abc", "X-Amz-Date=20261123", "usage", ""])
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
