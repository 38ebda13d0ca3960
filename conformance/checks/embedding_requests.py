"""What may be asked of embeddings: the form of the vectors, their length, tokens for texts; and what has to be refused.

A parameter is honoured, refused by name, or silently ignored; the last is a violation. Each request stands beside the
plainest one: a server that does not answer that has no embeddings, and its refusals say nothing.
"""

from __future__ import annotations

import base64
import binascii
import struct

from conformance.checks.embeddings import ALIKE, UNREADABLE, cosine, vector, vectors
from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import MUST, NOTE, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import honoured, model_refused, named, with_error_object, without
from conformance.probes.embeddings import (
    BASE64,
    EMPTY,
    EMPTY_AMONG,
    FLOATS,
    ONE,
    OTHER_FORM,
    TOKEN_LISTS,
    TOKENS,
    TOO_LONG,
    UNKNOWN_MODEL,
    WRONG,
    no_sizes,
    sizes,
    wrong,
)
from conformance.probes.windows import WINDOWS

REQUEST = "CreateEmbeddingRequest"
FORMAT = SPEC.at(
    f"{REQUEST}.encoding_format",
    "The format to return the embeddings in. Can be either `float` or [`base64`](https://pypi.org/project/pybase64/).",
)


def unpacked(value: Value) -> list[float] | None:
    """A vector that came as base64 of single floats; None where it is none."""
    try:
        raw = base64.b64decode(value.value, validate=True) if isinstance(value.value, str) else b""
    except (binascii.Error, ValueError):
        return None
    return list(struct.unpack(f"<{len(raw) // 4}f", raw)) if raw and len(raw) % 4 == 0 else None


@check(
    "embeddings.float-is-honoured",
    MUST,
    sends=(ONE, FLOATS),
    needs=REPLY,
    requires="embeddings",
    spec=FORMAT,
)
def float_is_honoured(plain: Exchange, x: Exchange) -> Findings:
    """With the `encoding_format` of `float`, an embedding is an array of numbers."""
    yield from honoured(plain, x, "embeddings", "encoding_format")
    value = x.json["data"][0]["embedding"]
    if vector(value) is None:
        yield Finding(
            "floats-asked-did-not-come",
            "floats were asked for, and did not come",
            at=value.pointer,
            found=value,
            on=x.key,
        )


@check(
    "embeddings.base64-is-honoured-or-refused",
    SHOULD,
    sends=(ONE, BASE64),
    needs=REPLY,
    requires="embeddings",
    spec=REPORTS.at(
        "LM Studio",
        "The format was ignored, and the official .NET client, which asks for base64 only, could not read the answer.",
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/756",
    ),
    remedy="Ask for floats: `encoding_format: float`.",
)
def base64_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """With the `encoding_format` of `base64`, an embedding is a text; or the format is refused."""
    yield from honoured(plain, x, "embeddings", "encoding_format")
    value = x.json["data"][0]["embedding"]
    if value.type != "string":
        yield Finding(
            "base64-asked-did-not-come",
            "base64 was asked for, and did not come",
            at=value.pointer,
            expected="string",
            found=value,
        )


@check(
    "embeddings.base64-holds-the-same-numbers",
    MUST,
    sends=(ONE, BASE64),
    needs=REPLY,
    requires="embeddings",
    spec=REPORTS.at(
        "LiteLLM",
        "Vectors came with a quarter of their numbers, and every vector store refused them.",
        "https://github.com/BerriAI/litellm/pull/42421",
    ),
    remedy="Ask for floats: `encoding_format: float`.",
)
def base64_holds_the_same_numbers(plain: Exchange, x: Exchange) -> Findings:
    """A vector in base64 is the same vector: single floats, the lowest byte first."""
    without(plain, "embeddings")
    value, floats = x.json["data"][0]["embedding"], vectors(plain).get(0)
    if not x.ok or value.type != "string" or floats is None:
        yield UNREADABLE
        return
    numbers = unpacked(value)
    if numbers is None:
        yield Finding(
            "text-no-base64-floats", "the text is no base64 of floats", at=value.pointer, found=value, on=x.key
        )
    elif len(numbers) != len(floats):
        yield Finding(
            "base64-holds-another-number-floats",
            "base64 holds another number of floats",
            at=value.pointer,
            expected=len(floats),
            found=len(numbers),
            on=x.key,
        )
    elif (near := cosine(numbers, floats)) < ALIKE:
        yield Finding(
            "base64-holds-another-vector",
            "base64 holds another vector",
            at=value.pointer,
            expected=1.0,
            found=round(near, 4),
            on=x.key,
        )


@check(
    "embeddings.other-formats-are-refused",
    SHOULD,
    sends=(ONE, OTHER_FORM),
    needs=REPLY,
    requires="embeddings",
    spec=SPEC.at(f"{REQUEST}.encoding_format", "enum: [float, base64]"),
)
def other_formats_are_refused(plain: Exchange, x: Exchange) -> Findings:
    """An `encoding_format` that does not exist is refused."""
    without(plain, "embeddings")
    if x.ok:
        yield Finding(
            "format-does-not-exist-accepted",
            "a format that does not exist is accepted",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.status is not None and x.status >= 500:
        yield Finding(
            "format-does-not-exist-server",
            "a format that does not exist is a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@check(
    "embeddings.dimensions-is-honoured-or-refused",
    SHOULD,
    sends=sizes,
    needs=REPLY,
    requires="embeddings",
    examples=1,
    spec=SPEC.at(f"{REQUEST}.dimensions", "The number of dimensions the resulting output embeddings should have."),
    remedy="Cut the vectors in the client where the model is made for it, and scale them to the length of 1 again.",
)
def dimensions_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`dimensions` is honoured, or refused: the vector has as many numbers as were asked for."""
    yield from honoured(plain, x, "embeddings", "dimensions")
    numbers, wanted = vectors(x).get(0), x.probe.wish["dimensions"]
    if numbers is None or len(vectors(plain).get(0, [])) == wanted:
        yield UNREADABLE
    elif len(numbers) != wanted:
        yield Finding(
            "vector-another-number-dimensions",
            "the vector has another number of dimensions",
            expected=wanted,
            found=len(numbers),
            on=x.key,
        )


@check(
    "embeddings.bad-dimensions-are-refused",
    SHOULD,
    sends=no_sizes,
    needs=REPLY,
    requires="embeddings",
    examples=3,
    spec=SPEC.at(f"{REQUEST}.dimensions", "type: integer, minimum: 1"),
)
def bad_dimensions_are_refused(fewer: Exchange, x: Exchange) -> Findings:
    """`dimensions` that are no number, or below 1, are refused."""
    without(fewer, "embeddings") if not named(fewer) else ()
    if not fewer.ok or len(vectors(fewer).get(0, [])) != fewer.probe.wish["dimensions"]:
        yield Unwitnessed("the server does not honour `dimensions`")
    elif x.ok or (x.status is not None and x.status >= 500):
        found = {"dimensions": x.probe.wish["dimensions"], "status": x.status}
        yield Finding(
            "number-dimensions-cannot-not-refused",
            "a number of dimensions that cannot be is not refused",
            expected="4xx",
            found=found,
            on=x.key,
        )


@check(
    "embeddings.tokens-are-one-input",
    SHOULD,
    sends=each((ONE, TOKENS), (ONE, TOKEN_LISTS)),
    needs=REPLY,
    requires="embeddings",
    spec=SPEC.at(f"{REQUEST}.input", "Input text to embed, encoded as a string or array of tokens."),
    remedy="Send texts (LangChain: check_embedding_ctx_length=False).",
)
def tokens_are_one_input(plain: Exchange, x: Exchange) -> Findings:
    """An array of tokens is one input, an array of such arrays is as many as it has; or tokens are refused."""
    without(plain, "embeddings")
    given = x.probe.wish["input"]
    wanted = len(given) if isinstance(given[0], list) else 1
    if x.status is not None and x.status >= 500:
        yield Finding(
            "tokens-server-error", "tokens are a server error", expected="2xx or 4xx", found=x.status, on=x.key
        )
    elif not x.ok:
        yield Unsupported(f"the server refuses tokens as input ({x.status})")
    elif len(x.json["data"]) != wanted:
        yield Finding(
            "tokens-taken-another-number-inputs",
            "tokens are taken for another number of inputs",
            expected=wanted,
            found=len(x.json["data"]),
            on=x.key,
        )


@check(
    "embeddings.wrong-inputs-are-refused",
    MUST,
    sends=wrong,
    needs=REPLY,
    requires="embeddings",
    examples=len(WRONG),
    spec=SPEC.at(REQUEST, "required: [model, input]; input: oneOf [string, array (minItems: 1, maxItems: 2048)]"),
)
def wrong_inputs_are_refused(plain: Exchange, x: Exchange) -> Findings:
    """A request without an input, or with one that is neither text nor tokens, is refused with a 4xx."""
    without(plain, "embeddings")
    if x.status is not None and x.status >= 500:
        yield Finding(
            "invalid-request-server-error",
            "an invalid request is a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.ok and x.json["data"]:
        yield Finding(
            "invalid-request-answered-if-valid",
            "an invalid request is answered as if it were valid",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@check(
    "embeddings.refusals-have-an-error-object",
    MUST,
    sends=wrong,
    needs=REPLY,
    requires="embeddings",
    examples=len(WRONG),
    spec=SPEC.at("ErrorResponse", "properties: {error: {$ref: '#/components/schemas/Error'}}, required: [error]"),
)
def refusals_have_an_error_object(plain: Exchange, x: Exchange) -> Findings:
    """A refusal is an object with an `error`, and that has a message."""
    yield from with_error_object(plain, x, "embeddings")


@check(
    "embeddings.empty-text-is-refused",
    SHOULD,
    sends=each((ONE, EMPTY), (ONE, EMPTY_AMONG)),
    needs=REPLY,
    requires="embeddings",
    spec=SPEC.at(
        f"{REQUEST}.input",
        "The input must not exceed the max input tokens for the model (8192 tokens for all embedding models), cannot be "
        "an empty string, and any array must be 2048 dimensions or less.",
    ),
    remedy="Leave empty texts out in the client.",
)
def empty_text_is_refused(plain: Exchange, x: Exchange) -> Findings:
    """An empty text is refused, alone and among others."""
    without(plain, "embeddings")
    if x.ok:
        yield Finding(
            "empty-text-embedding", "an empty text has an embedding", expected="4xx", found=x.status, on=x.key
        )
    elif x.status is not None and x.status >= 500:
        yield Finding(
            "empty-text-server-error", "an empty text is a server error", expected="4xx", found=x.status, on=x.key
        )


@check(
    "embeddings.too-long-is-refused",
    SHOULD,
    sends=(ONE, TOO_LONG),
    needs=REPLY,
    requires="embeddings",
    spec=SPEC.at(f"{REQUEST}.input", "The input must not exceed the max input tokens for the model"),
    remedy="Count the tokens in the client: what is beyond the window is cut off without a word.",
)
def too_long_is_refused(plain: Exchange, card: Exchange, x: Exchange) -> Findings:
    """A text of more tokens than fit is refused: it is not cut off without a word."""
    without(plain, "embeddings")
    sent, counted = len(x.probe.wish["input"].split()), x.json["usage"]["prompt_tokens"].value
    if x.status is not None and x.status >= 500:
        yield Finding(
            "text-too-long-server-error",
            "a text that is too long is a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.ok and isinstance(counted, int) and 0 < counted < sent:
        found = {"status": x.status, "prompt_tokens": counted, "numbers in the text": sent}
        yield Finding(
            "text-too-long-cut-off",
            "a text that is too long is cut off without a word",
            expected="4xx",
            found=found,
            on=x.key,
        )
    elif x.ok:
        known = any(isinstance(card.json[name].value, int) for name in WINDOWS)
        yield Unwitnessed("the text fits" + ("" if known else ", as far as can be told"))


@check(
    "embeddings.unknown-model-is-refused",
    SHOULD,
    sends=(ONE, UNKNOWN_MODEL),
    needs=REPLY,
    requires="embeddings",
    spec=SPEC.at(f"{REQUEST}.model", "ID of the model to use."),
)
def unknown_model_is_refused(plain: Exchange, x: Exchange) -> Findings:
    """A request for a model that does not exist is refused."""
    yield from model_refused(plain, x, "embeddings")


@check("embeddings.refusals", NOTE, sends=(ONE, UNKNOWN_MODEL, EMPTY), needs=REPLY, requires="embeddings")
def refusals_of_embeddings(plain: Exchange, model: Exchange, empty: Exchange) -> Findings:
    """With which status an unknown model and an empty text are refused."""
    without(plain, "embeddings")
    yield Observed(model.status, "unknown model")
    yield Observed(empty.status, "empty text")
