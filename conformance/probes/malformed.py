"""Bodies that are no chat request: JSON broken off, JSON of another kind, and JSON that is legal but odd.

What is wrong with the members of a well-formed request is in `invalid`.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.core.probe import MODEL
from conformance.probes.chat import HELLO, raw

WHOLE = HELLO.body or b""
BROKEN = raw(WHOLE[:-9])
"""A request that ends in the middle of its last message."""

broken = st.integers(1, len(WHOLE) - 1).map(lambda length: raw(WHOLE[:length]))
"""The plainest request, broken off anywhere: never a JSON document."""

others = st.sampled_from([b"", b"[]", b"[1,2]", b"null", b"true", b"42", b'"Say hello"', b'[{"model":"x"}]']).map(raw)
"""Bodies that are no JSON object: nothing at all, and documents of every other type."""

AS_TEXT = raw(WHOLE, "text/plain")
"""A good request under the wrong name."""


def _with(member: bytes) -> bytes:
    return WHOLE[:-1] + b"," + member + b"}"


_DEEP = 4000  # levels; beyond what recursive parsers and Python's own stack bear, and only 8 kB
ODD = (
    _with(b'"metadata":' + b"[" * _DEEP + b"]" * _DEEP),
    _with(b'"user":' + b'{"a":' * _DEEP + b"1" + b"}" * _DEEP),
    _with(b'"temperature":1e400'),
    _with(b'"seed":' + b"9" * 400),
    _with(b'"temperature":1,"temperature":1'),
    _with(b'"user":"\xff\xfe"'),
    _with(b'"user":"\\ud800"'),
    b'{"model":"' + MODEL.encode() + b'","messages":[{"role":"user","content":"\\ud83d"}]}',
    b"\xef\xbb\xbf" + WHOLE,
    b" \n\t" + WHOLE + b"\n\n",
)
odd = st.sampled_from(ODD).map(raw)
"""Bodies that one may refuse or answer, and that must not bring a server down: depth, huge numbers, members twice,
half characters, bytes that are no UTF-8."""
