"""What may be asked of embeddings: the format of the vectors, their length, tokens as input; and what is refused.

A parameter is honoured, refused by name, or silently ignored; the last is a violation. Each request is sent beside the
plainest one: a server that does not answer that one has no embeddings, and its refusals say nothing.
"""

from __future__ import annotations

import base64
import binascii
import struct

from conformance.checks.embeddings import ALIKE, UNREADABLE, cosine, vector, vectors
from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import REPORTS, SPEC
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


def embeddings_are_served(plain: Exchange, *_: Exchange) -> None:
    """Raises Unsupported where the plainest request is not answered."""
    without(plain, "embeddings")


area = Area("embeddings", needs=REPLY, requires="embeddings", given=embeddings_are_served)

REQUEST = "CreateEmbeddingRequest"
FORMAT = SPEC.at(
    f"{REQUEST}.encoding_format",
    "The format to return the embeddings in. Can be either `float` or [`base64`](https://pypi.org/project/pybase64/).",
)


def unpacked(value: Value) -> list[float] | None:
    """A vector that came as base64 of 32-bit floats; None where it is something else."""
    try:
        raw = base64.b64decode(value.value, validate=True) if isinstance(value.value, str) else b""
    except (binascii.Error, ValueError):
        return None
    return list(struct.unpack(f"<{len(raw) // 4}f", raw)) if raw and len(raw) % 4 == 0 else None


@area.must("float-is-honoured", sends=(ONE, FLOATS), spec=FORMAT)
def float_is_honoured(plain: Exchange, x: Exchange) -> Findings:
    """With the `encoding_format` `float`, an embedding is an array of numbers."""
    yield from honoured(plain, x, "embeddings", "encoding_format")
    value = x.json["data"][0]["embedding"]
    if vector(value) is None:
        yield Finding(
            "not-numbers",
            "Floats were asked for, but the embedding is not an array of numbers",
            at=value.pointer,
            found=value,
            on=x.key,
        )


@area.should(
    "base64-is-honoured-or-refused",
    sends=(ONE, BASE64),
    spec=REPORTS.at(
        "LM Studio",
        "The format was ignored, and the official .NET client, which asks for base64 only, could not read the answer.",
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/756",
    ),
    remedy="Ask for floats: `encoding_format: float`.",
)
def base64_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """With the `encoding_format` `base64`, an embedding is a string; or the format is refused."""
    yield from honoured(plain, x, "embeddings", "encoding_format")
    value = x.json["data"][0]["embedding"]
    if value.type != "string":
        yield Finding(
            "not-string",
            "Base64 was asked for, but the embedding is not a string",
            at=value.pointer,
            expected="string",
            found=value,
        )


@area.must(
    "base64-holds-the-same-numbers",
    sends=(ONE, BASE64),
    spec=REPORTS.at(
        "LiteLLM",
        "Vectors came with a quarter of their numbers, and every vector store refused them.",
        "https://github.com/BerriAI/litellm/pull/42421",
    ),
    remedy="Ask for floats: `encoding_format: float`.",
)
def base64_holds_the_same_numbers(plain: Exchange, x: Exchange) -> Findings:
    """A vector in base64 is the same vector: 32-bit floats, the lowest byte first."""
    value, floats = x.json["data"][0]["embedding"], vectors(plain).get(0)
    if not x.ok or value.type != "string" or floats is None:
        raise Unwitnessed(UNREADABLE)
    numbers = unpacked(value)
    if numbers is None:
        yield Finding(
            "not-base64-floats", "The string is not base64 of 32-bit floats", at=value.pointer, found=value, on=x.key
        )
    elif len(numbers) != len(floats):
        yield Finding(
            "wrong-number-of-floats",
            "The base64 string holds a different number of floats",
            at=value.pointer,
            expected=len(floats),
            found=len(numbers),
            on=x.key,
        )
    elif (near := cosine(numbers, floats)) < ALIKE:
        yield Finding(
            "vector-differs",
            "The base64 string holds a different vector",
            at=value.pointer,
            expected=1.0,
            found=round(near, 4),
            on=x.key,
        )


@area.should(
    "other-formats-are-refused",
    sends=(ONE, OTHER_FORM),
    spec=SPEC.at(f"{REQUEST}.encoding_format", "enum: [float, base64]"),
)
def other_formats_are_refused(_: Exchange, x: Exchange) -> Findings:
    """An `encoding_format` that does not exist is refused."""
    if x.ok:
        yield Finding(
            "accepted",
            "A format that does not exist is accepted",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.crashed:
        yield Finding(
            "server-error",
            "A format that does not exist causes a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@area.should(
    "dimensions-is-honoured-or-refused",
    sends=sizes,
    examples=1,
    spec=SPEC.at(f"{REQUEST}.dimensions", "The number of dimensions the resulting output embeddings should have."),
    remedy="Where the model is made for it, cut the vectors in the client, and scale them to length 1 again.",
)
def dimensions_is_honoured_or_refused(plain: Exchange, x: Exchange) -> Findings:
    """`dimensions` is honoured or refused: the vector has as many numbers as were asked for."""
    yield from honoured(plain, x, "embeddings", "dimensions")
    numbers, dimensions = vectors(x).get(0), x.probe.wish["dimensions"]
    if numbers is None or len(vectors(plain).get(0, [])) == dimensions:
        raise Unwitnessed(UNREADABLE)
    if len(numbers) != dimensions:
        yield Finding(
            "wrong-length",
            "The vector does not have the number of dimensions that was asked for",
            expected=dimensions,
            found=len(numbers),
            on=x.key,
        )


def dimensions_are_honoured(fewer: Exchange, _: Exchange) -> None:
    """Raises Unsupported where embeddings are not served, Unwitnessed where `dimensions` is not honoured."""
    if not named(fewer):
        without(fewer, "embeddings")
    if not fewer.ok or len(vectors(fewer).get(0, [])) != fewer.probe.wish["dimensions"]:
        raise Unwitnessed("the server does not honour `dimensions`")


@area.should(
    "bad-dimensions-are-refused",
    sends=no_sizes,
    given=dimensions_are_honoured,
    examples=3,
    spec=SPEC.at(f"{REQUEST}.dimensions", "type: integer, minimum: 1"),
)
def bad_dimensions_are_refused(_: Exchange, x: Exchange) -> Findings:
    """`dimensions` below 1, or of another type than integer, is refused."""
    if x.ok or (x.crashed):
        found = {"dimensions": x.probe.wish["dimensions"], "status": x.status}
        yield Finding(
            "not-refused",
            "Impossible `dimensions` are not refused with a 4xx",
            expected="4xx",
            found=found,
            on=x.key,
        )


@area.should(
    "tokens-are-one-input",
    sends=each((ONE, TOKENS), (ONE, TOKEN_LISTS)),
    spec=SPEC.at(f"{REQUEST}.input", "Input text to embed, encoded as a string or array of tokens."),
    remedy="Send texts (LangChain: check_embedding_ctx_length=False).",
)
def tokens_are_one_input(_: Exchange, x: Exchange) -> Findings:
    """An array of tokens is one input, an array of such arrays one input for each; or tokens are refused."""
    given = x.probe.wish["input"]
    count = len(given) if isinstance(given[0], list) else 1
    if x.crashed:
        yield Finding(
            "server-error", "Tokens as input cause a server error", expected="2xx or 4xx", found=x.status, on=x.key
        )
    elif not x.ok:
        raise Unsupported(f"the server refuses tokens as input ({x.status})")
    elif len(x.json["data"]) != count:
        yield Finding(
            "wrong-number-of-inputs",
            "Tokens are counted as a different number of inputs",
            expected=count,
            found=len(x.json["data"]),
            on=x.key,
        )


@area.must(
    "wrong-inputs-are-refused",
    sends=wrong,
    examples=len(WRONG),
    spec=SPEC.at(REQUEST, "required: [model, input]; input: oneOf [string, array (minItems: 1, maxItems: 2048)]"),
)
def wrong_inputs_are_refused(_: Exchange, x: Exchange) -> Findings:
    """A request without an input, or with one that is neither text nor tokens, is refused with a 4xx."""
    if x.crashed:
        yield Finding(
            "server-error",
            "An invalid request causes a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.ok and x.json["data"]:
        yield Finding(
            "accepted",
            "An invalid request is answered as if it were valid",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@area.must(
    "refusals-have-an-error-object",
    sends=wrong,
    examples=len(WRONG),
    spec=SPEC.at("ErrorResponse", "properties: {error: {$ref: '#/components/schemas/Error'}}, required: [error]"),
)
def refusals_have_an_error_object(plain: Exchange, x: Exchange) -> Findings:
    """A refusal is an object with an `error` that has a `message`."""
    yield from with_error_object(plain, x, "embeddings")


@area.should(
    "empty-text-is-refused",
    sends=each((ONE, EMPTY), (ONE, EMPTY_AMONG)),
    spec=SPEC.at(
        f"{REQUEST}.input",
        "The input must not exceed the max input tokens for the model (8192 tokens for all embedding models), cannot be "
        "an empty string, and any array must be 2048 dimensions or less.",
    ),
    remedy="Leave empty texts out in the client.",
)
def empty_text_is_refused(_: Exchange, x: Exchange) -> Findings:
    """An empty text is refused, alone and among others."""
    if x.ok:
        yield Finding("accepted", "An empty text gets an embedding", expected="4xx", found=x.status, on=x.key)
    elif x.crashed:
        yield Finding("server-error", "An empty text causes a server error", expected="4xx", found=x.status, on=x.key)


@area.should(
    "too-long-is-refused",
    sends=(ONE, TOO_LONG),
    spec=SPEC.at(f"{REQUEST}.input", "The input must not exceed the max input tokens for the model"),
    remedy="Count the tokens in the client: what is beyond the window is silently cut off.",
)
def too_long_is_refused(_: Exchange, card: Exchange, x: Exchange) -> Findings:
    """A text of more tokens than fit is refused, not silently cut off."""
    sent, counted = len(x.probe.wish["input"].split()), x.json["usage"]["prompt_tokens"].value
    if x.crashed:
        yield Finding(
            "server-error",
            "A text that is too long causes a server error",
            expected="4xx",
            found=x.status,
            on=x.key,
        )
    elif x.ok and isinstance(counted, int) and 0 < counted < sent:
        found = {"status": x.status, "prompt_tokens": counted, "numbers in the text": sent}
        yield Finding(
            "silently-cut-off",
            "A text that is too long is silently cut off",
            expected="4xx",
            found=found,
            on=x.key,
        )
    elif x.ok:
        known = any(isinstance(card.json[name].value, int) for name in WINDOWS)
        raise Unwitnessed("the text fits" + ("" if known else ", as far as can be told"))


@area.should(
    "unknown-model-is-refused",
    sends=(ONE, UNKNOWN_MODEL),
    spec=SPEC.at(f"{REQUEST}.model", "ID of the model to use."),
)
def unknown_model_is_refused(plain: Exchange, x: Exchange) -> Findings:
    """A request for a model that does not exist is refused."""
    yield from model_refused(plain, x, "embeddings")


@area.note("refusals", sends=(ONE, UNKNOWN_MODEL, EMPTY))
def refusals_of_embeddings(_: Exchange, model: Exchange, empty: Exchange) -> Findings:
    """The statuses with which an unknown model and an empty text are refused."""
    yield Observed(model.status, "unknown model")
    yield Observed(empty.status, "empty text")
