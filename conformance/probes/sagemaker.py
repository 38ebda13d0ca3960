"""Requests for a SageMaker endpoint alone: with tokens that are to be refused, to names that nobody has, and to its limits."""

from __future__ import annotations

from dataclasses import replace

from conformance.probes.chat import GREEDY, HELLO, chat, get, raw, streamed
from conformance.probes.invalid import HOT
from conformance.probes.malformed import BROKEN
from conformance.probes.streams import ABANDONED

SAGEMAKER = "sagemaker"
"""The kind of target that is asked."""

MISSING = replace(HELLO, auth="none")
MALFORMED = replace(HELLO, auth="malformed")
TAMPERED = replace(HELLO, auth="tampered")
EXPIRED = replace(HELLO, auth="expired")
FOREIGN = replace(HELLO, auth="foreign")
BAD = (MISSING, MALFORMED, TAMPERED, EXPIRED, FOREIGN)
OUTLIVING = replace(ABANDONED, auth="brief")
"""A long stream whose token ends while it runs."""

NO_ENDPOINT = replace(HELLO, place="no-endpoint")
NO_COMPONENT = replace(HELLO, place="no-component")
AT_ENDPOINT = replace(GREEDY, place="endpoint")
NO_MODEL = HELLO.asking(model="")
WRONG_MODEL = HELLO.asking(model="conformance-no-such-model")
REFUSED = (HOT, BROKEN)
"""Requests that the container refuses: for a value, and for what is no JSON."""
PATHS = {
    "GET models": get("models"),
    "POST completions": replace(HELLO, path="completions"),
    "POST embeddings": replace(HELLO, path="embeddings"),
    "POST responses": replace(HELLO, path="responses"),
    "GET chat/completions": get("chat/completions"),
}
WITH_HEADER = HELLO.with_headers(x_amzn_sagemaker_inference_component="x")

MEBIBYTE = 2**20
SMALLER_LIMIT = 6 * MEBIBYTE
"""Bytes: what the model of InvokeEndpoint allows. The guide says 25 MB."""
LARGE = raw(b'{"model":"$MODEL",' + b" " * SMALLER_LIMIT + b'"messages":[{"role":"user","content":"Say hello"}]}')
"""More than that, and nearly all of it blank: it costs no tokens."""

WHOLE_LIMIT, STREAM_LIMIT = 60.0, 480.0
"""Seconds: of an answer, and of a stream."""
EIGHT_MINUTES = streamed(chat("Count to a hundred thousand in words, one number a line, and leave none out"))
"""Without a cap, which would be refused by servers with small windows."""
