"""Planted faults: embeddings that are of another shape, in another place, or not what was asked for."""

from __future__ import annotations

import base64
import struct
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import (
    EMBEDDED,
    EMBEDDINGS,
    ENTRIES,
    VECTORS,
    ask,
    become,
    change,
    crash,
    embedded,
    exactly,
    given,
    has,
    numbered,
    on,
    put,
    refuse,
    without,
)

HERE = on(EMBEDDINGS)


def inputs(request: Request) -> Any:
    """What is to be embedded; None where that is not asked for."""
    return request.wish.get("input") if request.path == EMBEDDINGS else None


BASE64 = HERE & given("encoding_format", exactly("base64"))
PACKED = ENTRIES.texts("embedding")
"""Entries with vectors in base64."""


def packed(numbers: list[float], form: str = "<{}f") -> str:
    """A vector in base64."""
    return base64.b64encode(struct.pack(form.format(len(numbers)), *numbers)).decode()


def unpacked(text: str) -> list[float]:
    """The vector in base64."""
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


ANSWERS = (
    become("embeddings-bare-array", EMBEDDED,
        lambda answer: {"embeddings": [entry["embedding"] for entry in answer.body["data"]]},
        says="The answer is an array of vectors in an object, without entries around them."),
    put("embeddings-entry-kind", ENTRIES, object="list", says="The `object` of each entry is `list`."),
)  # fmt: skip


@fault("embeddings-out-of-order")
def comes_as_it_is_done(answer: Answer, request: Request) -> None:
    """Entries come in the order in which they were made; their indices are right."""
    embedded(answer, request).reverse()


@fault("embeddings-mixed-up")
def mixes_up_inputs(answer: Answer, request: Request) -> None:
    """Inputs are sorted by length before they are embedded, and the vectors are not put back into their places."""
    found = ENTRIES(answer, request)
    if len(found) > 1 and isinstance(inputs(request), list):
        places = sorted(range(len(found)), key=lambda place: -len(inputs(request)[place]))
        vectors = [found[place]["embedding"] for place in places]
        for entry, one in zip(found, reversed(vectors), strict=True):
            entry["embedding"] = one


@fault("embeddings-first-only")
def embeds_the_first(answer: Answer, request: Request) -> None:
    """Of several inputs only the first is embedded."""
    del embedded(answer, request)[1:]


NUMBERS = (
    change("embeddings-base64-unasked", VECTORS, "embedding", packed, when=~has("encoding_format"),
        says="Vectors are in base64 where no format is asked for."),
    change("embeddings-float-ignored", VECTORS, "embedding", packed, when=given("encoding_format", exactly("float")),
        says="Vectors are in base64 also where floats are asked for by name."),
    change("embeddings-texts-for-numbers", VECTORS, "embedding", lambda vector: [str(value) for value in vector],
        says="The numbers of a vector are strings."),
    change("embeddings-nested", VECTORS, "embedding", lambda vector: [vector],
        says="A vector is an array in an array, as for each token."),
    change("embeddings-null-for-nan", VECTORS, "embedding", lambda vector: [None, *vector[1:]],
        says="A number that could not be computed is null."),
    change("embeddings-lengths-differ", VECTORS[1:], "embedding", lambda vector: vector[:-1],
        says="Vectors are of different lengths: those of all inputs but the first lack their last number."),
    change("embeddings-same-for-all", VECTORS, "embedding", lambda vector: [0.125] * len(vector),
        says="Every text has the same vector."),
    change("embeddings-all-zero", VECTORS, "embedding", lambda vector: [0.0] * len(vector),
        says="Every vector is all zeros."),
    change("embeddings-base64-doubles", PACKED, "embedding", lambda text: packed(unpacked(text), "<{}d"),
        says="Vectors in base64 are of double floats."),
    change("embeddings-base64-big-endian", PACKED, "embedding", lambda text: packed(unpacked(text), ">{}f"),
        says="Vectors in base64 have the highest byte first."),
    change("embeddings-base64-of-text", PACKED, "embedding", lambda text: f"[{text}]",
        says="A vector in base64 is in brackets, as a list in text is."),
)  # fmt: skip


@fault("embeddings-by-chance")
def embeds_by_chance(answer: Answer, request: Request) -> None:
    """The same text has another vector each time."""
    if VECTORS(answer, request):
        turn = request.memory["embedded"] = request.memory.get("embedded", 0) + 1
        for entry in VECTORS(answer, request):
            entry["embedding"] = entry["embedding"][turn % 32 :] + entry["embedding"][: turn % 32]


COUNTS = (
    put("embeddings-usage-zero", EMBEDDED, usage={"prompt_tokens": 0, "total_tokens": 0},
        says="All counts of tokens are 0."),
    put("embeddings-usage-total-zero", EMBEDDED.under("usage"), total_tokens=0,
        says="`prompt_tokens` is counted, and `total_tokens` is 0."),
)  # fmt: skip


@fault("embeddings-usage-of-the-first", instead=True)
def counts_the_first(request: Request, respond: Respond) -> Answer:
    """Of several inputs only the tokens of the last are counted."""
    answer = respond(request)
    several = inputs(request)
    if ENTRIES(answer, request) and isinstance(several, list) and len(several) > 1 and isinstance(several[-1], str):
        answer.body["usage"] = respond(request.asking(input=several[-1])).body["usage"]
    return answer


REQUESTS = (
    crash("embeddings-nan-500", when=HERE & given("input", lambda text: isinstance(text, str) and not text.isascii()),
        message="failed to encode response: json: unsupported value: NaN",
        says="A text beyond ASCII is a server error: its vector has NaN in it."),
    ask("embeddings-format-ignored", without("encoding_format"), when=HERE, says="`encoding_format` is ignored."),
    ask("embeddings-dimensions-ignored", without("dimensions"), when=HERE, says="`dimensions` is ignored."),
    ask("embeddings-format-nonsense-taken", without("encoding_format"),
        when=HERE & given("encoding_format", lambda form: form not in (None, "float", "base64")),
        says="An `encoding_format` that nobody knows is taken for `float`."),
    refuse("embeddings-format-refused-unnamed", when=BASE64, message="Bad request",
        says="`base64` is refused, and the refusal does not name it."),
    ask("embeddings-dimensions-any", without("dimensions"),
        when=HERE & given("dimensions", lambda size: size is not None and not (isinstance(size, int) and size > 0)),
        says="`dimensions` that cannot be are ignored; others are honoured."),
    ask("embeddings-anything-taken", lambda request: request.asking(input=str(request.wish.get("input")) or "None"),
        when=HERE & (lambda request: request.wish) & given("input", lambda value: not (isinstance(value, str | list) and value)),
        says="An input that is no text is written as text, and embedded."),
    ask("embeddings-too-long-cut", lambda request: request.asking(input=request.wish["input"][:4000]),
        when=HERE & given("input", lambda text: isinstance(text, str) and len(text) > 4000),
        says="A text that is too long is cut off without a word."),
    refuse("embeddings-dimensions-refused", when=HERE & has("dimensions"),
        message="This model does not support specifying dimensions.", param="dimensions",
        says="`dimensions` is refused by name: the model was not made for it.", legal=True),
    refuse("embeddings-base64-refused", when=BASE64, message="encoding_format base64 is not supported",
        says="`base64` is refused by name.", legal=True),
)  # fmt: skip


@fault("embeddings-empty-taken", instead=True)
def embeds_nothing(request: Request, respond: Respond) -> Answer:
    """An empty text has an embedding like any other."""
    text = inputs(request)
    if text == "" or (isinstance(text, list) and "" in text):
        return respond(request.asking(input=" " if text == "" else [inner or " " for inner in text]))
    return respond(request)


# What is legal


is_not_scaled = change(
    "embeddings-not-scaled",
    VECTORS,
    "embedding",
    lambda vector: [value * 3.5 for value in vector],
    says="Vectors of numbers are not of length 1.",
    legal=True,
)
rounds_otherwise = numbered(
    "embeddings-rounded-otherwise",
    VECTORS,
    "embedding",
    lambda vector, place: [value * (1 + 1e-4 * place) + 1e-6 for value in vector],
    says="The last digits of a vector depend on the place of its text in a batch.",
    legal=True,
)


@fault("embeddings-more-members", legal=True)
def says_more(answer: Answer, request: Request) -> None:
    """The answer has an id and a time, and counts of what there is not, as vLLM's has."""
    if ENTRIES(answer, request):
        answer.body |= {"id": "embd-1", "created": 1_800_000_000}
        answer.body["usage"] |= {"completion_tokens": 0, "prompt_tokens_details": None}
