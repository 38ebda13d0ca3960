"""Planted faults: embeddings that are of another shape, in another place, or not what was asked for."""

from __future__ import annotations

import base64
import struct
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.sampling import crash, refuse

ROUTE = "/v1/embeddings"


def entries(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """The entries of an answer with embeddings, to change in place; none for any other answer."""
    if request.path != ROUTE or answer.status != 200 or not isinstance(answer.body, dict):
        return []
    found: list[dict[str, Any]] = answer.body.get("data", [])
    return found


def floats(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """Those with numbers."""
    return [entry for entry in entries(answer, request) if isinstance(entry["embedding"], list)]


def given(request: Request) -> Any:
    """What is to be embedded; None where that is not asked for."""
    return request.wish.get("input") if request.path == ROUTE else None


@fault("embeddings-absent", instead=True, legal=True)
def has_no_embeddings(request: Request, respond: Respond) -> Answer:
    """There is no route for embeddings: 404, with an error object."""
    return refuse("Unknown route", status=404) if request.path == ROUTE else respond(request)


@fault("embeddings-absent-detail", instead=True, legal=True)
def has_no_embeddings_in_detail(request: Request, respond: Respond) -> Answer:
    """There is no route for embeddings: 404, as FastAPI says it."""
    return Answer(404, body={"detail": "Not Found"}) if request.path == ROUTE else respond(request)


@fault("embeddings-of-another-model", instead=True, legal=True)
def embeds_with_another_model(request: Request, respond: Respond) -> Answer:
    """The model that is served makes no embeddings, which a 400 says."""
    if request.path == ROUTE:
        return refuse("The model does not support the Embeddings API")
    return respond(request)


@fault("embeddings-501", instead=True, legal=True)
def embeds_when_started_so(request: Request, respond: Respond) -> Answer:
    """The server says with 501 that it was started without embeddings."""
    if request.path == ROUTE:
        return refuse("This server does not support embeddings. Start it with `--embeddings`", status=501)
    return respond(request)


@fault("embeddings-500", instead=True)
def cannot_embed(request: Request, respond: Respond) -> Answer:
    """Every request for embeddings is a server error."""
    return crash("'NoneType' object has no attribute 'encode'") if request.path == ROUTE else respond(request)


@fault("embeddings-bare-array")
def gives_a_bare_array(answer: Answer, request: Request) -> None:
    """The answer is the array of entries, without the object around it."""
    if entries(answer, request):
        answer.body = {"embeddings": [entry["embedding"] for entry in answer.body["data"]]}


@fault("embeddings-object-missing")
def is_of_no_kind(answer: Answer, request: Request) -> None:
    """The answer has no `object`."""
    if entries(answer, request):
        del answer.body["object"]


@fault("embeddings-entry-kind")
def entries_are_lists(answer: Answer, request: Request) -> None:
    """Each entry calls itself a list."""
    for entry in entries(answer, request):
        entry["object"] = "list"


@fault("embeddings-index-missing")
def numbers_nothing(answer: Answer, request: Request) -> None:
    """The entries have no index."""
    for entry in entries(answer, request):
        del entry["index"]


@fault("embeddings-index-all-zero")
def numbers_all_alike(answer: Answer, request: Request) -> None:
    """Every entry has the index 0."""
    for entry in entries(answer, request):
        entry["index"] = 0


@fault("embeddings-index-of-the-batch")
def numbers_the_whole_batch(answer: Answer, request: Request) -> None:
    """Entries are numbered as they stood in a batch with those of other requests: the first has the index 1."""
    for entry in entries(answer, request):
        entry["index"] += 1


@fault("embeddings-out-of-order")
def comes_as_it_is_done(answer: Answer, request: Request) -> None:
    """Entries come in the order in which they were made; their indices are right."""
    entries(answer, request).reverse()


@fault("embeddings-mixed-up")
def mixes_up_inputs(answer: Answer, request: Request) -> None:
    """Inputs are sorted by length before they are embedded, and the vectors are not put back into their places."""
    found = entries(answer, request)
    if len(found) > 1 and isinstance(given(request), list):
        places = sorted(range(len(found)), key=lambda place: -len(given(request)[place]))
        vectors = [found[place]["embedding"] for place in places]
        for entry, one in zip(found, reversed(vectors), strict=True):
            entry["embedding"] = one


@fault("embeddings-first-only")
def embeds_the_first(answer: Answer, request: Request) -> None:
    """Of several inputs only the first is embedded."""
    del entries(answer, request)[1:]


@fault("embeddings-base64-unasked")
def packs_unasked(answer: Answer, request: Request) -> None:
    """Vectors come in base64 where no format is asked for."""
    if "encoding_format" not in request.wish:
        for entry in floats(answer, request):
            entry["embedding"] = packed(entry["embedding"])


@fault("embeddings-float-ignored")
def always_packs(answer: Answer, request: Request) -> None:
    """Vectors come in base64 also where floats are asked for by name."""
    if request.wish.get("encoding_format") == "float":
        for entry in floats(answer, request):
            entry["embedding"] = packed(entry["embedding"])


def packed(numbers: list[float], form: str = "<{}f") -> str:
    """A vector in base64."""
    return base64.b64encode(struct.pack(form.format(len(numbers)), *numbers)).decode()


@fault("embeddings-texts-for-numbers")
def writes_numbers_as_text(answer: Answer, request: Request) -> None:
    """The numbers of a vector are texts."""
    for entry in floats(answer, request):
        entry["embedding"] = [str(number) for number in entry["embedding"]]


@fault("embeddings-nested")
def wraps_vectors(answer: Answer, request: Request) -> None:
    """A vector is an array in an array, as for each token."""
    for entry in floats(answer, request):
        entry["embedding"] = [entry["embedding"]]


@fault("embeddings-null-for-nan")
def writes_null_for_nan(answer: Answer, request: Request) -> None:
    """A number that could not be computed is null."""
    for entry in floats(answer, request):
        entry["embedding"][0] = None


@fault("embeddings-lengths-differ")
def cuts_trailing_zeros(answer: Answer, request: Request) -> None:
    """Vectors are of different lengths: those of several inputs lack their last number."""
    for entry in floats(answer, request)[1:]:
        entry["embedding"].pop()


@fault("embeddings-same-for-all")
def knows_one_vector(answer: Answer, request: Request) -> None:
    """Every text has the same vector."""
    for entry in floats(answer, request):
        entry["embedding"] = [0.125] * len(entry["embedding"])


@fault("embeddings-all-zero")
def knows_nothing(answer: Answer, request: Request) -> None:
    """Every vector is all zeros."""
    for entry in floats(answer, request):
        entry["embedding"] = [0.0] * len(entry["embedding"])


@fault("embeddings-by-chance")
def embeds_by_chance(answer: Answer, request: Request) -> None:
    """The same text has another vector each time."""
    if floats(answer, request):
        turn = request.memory["embedded"] = request.memory.get("embedded", 0) + 1
        for entry in floats(answer, request):
            entry["embedding"] = entry["embedding"][turn % 32 :] + entry["embedding"][: turn % 32]


@fault("embeddings-model-missing")
def names_no_model(answer: Answer, request: Request) -> None:
    """The answer does not name the model."""
    if entries(answer, request):
        del answer.body["model"]


@fault("embeddings-usage-missing")
def counts_nothing(answer: Answer, request: Request) -> None:
    """There is no usage."""
    if entries(answer, request):
        del answer.body["usage"]


@fault("embeddings-usage-zero")
def counts_zero(answer: Answer, request: Request) -> None:
    """All counts of tokens are 0."""
    if entries(answer, request):
        answer.body["usage"] = {"prompt_tokens": 0, "total_tokens": 0}


@fault("embeddings-usage-total-zero")
def forgets_the_total(answer: Answer, request: Request) -> None:
    """The tokens of the prompt are counted, and those in all are 0."""
    if entries(answer, request):
        answer.body["usage"]["total_tokens"] = 0


@fault("embeddings-usage-of-the-first", instead=True)
def counts_the_first(request: Request, respond: Respond) -> Answer:
    """Of several inputs only the tokens of the last are counted."""
    answer = respond(request)
    several = given(request)
    if entries(answer, request) and isinstance(several, list) and len(several) > 1 and isinstance(several[-1], str):
        answer.body["usage"] = respond(request.asking(input=several[-1])).body["usage"]
    return answer


@fault("embeddings-nan-500", instead=True)
def fails_on_some_texts(request: Request, respond: Respond) -> Answer:
    """A text beyond ASCII is a server error: its vector has NaN in it."""
    text = given(request)
    if isinstance(text, str) and not text.isascii():
        return crash("failed to encode response: json: unsupported value: NaN")
    return respond(request)


def _without(identity: str, name: str, title: str) -> Fault:
    """A server that ignores a member of requests for embeddings."""

    def sin(request: Request, respond: Respond) -> Answer:
        return respond(request.asking(**{name: ...}) if request.path == ROUTE and name in request.wish else request)

    sin.__doc__ = title
    return fault(identity, instead=True)(sin)


ignores_the_format = _without("embeddings-format-ignored", "encoding_format", "`encoding_format` is ignored.")
ignores_dimensions = _without("embeddings-dimensions-ignored", "dimensions", "`dimensions` is ignored.")


@fault("embeddings-format-nonsense-taken", instead=True)
def takes_any_format(request: Request, respond: Respond) -> Answer:
    """A format that nobody knows is taken for floats."""
    if request.path == ROUTE and request.wish.get("encoding_format") not in (None, "float", "base64"):
        return respond(request.asking(encoding_format=...))
    return respond(request)


@fault("embeddings-format-refused-unnamed", instead=True)
def refuses_without_a_name(request: Request, respond: Respond) -> Answer:
    """A known format is refused, and the refusal does not say what for."""
    if request.path == ROUTE and request.wish.get("encoding_format") == "base64":
        return refuse("Bad request")
    return respond(request)


@fault("embeddings-dimensions-any", instead=True)
def takes_any_dimensions(request: Request, respond: Respond) -> Answer:
    """`dimensions` that cannot be are ignored; others are honoured."""
    size = request.wish.get("dimensions")
    if request.path == ROUTE and size is not None and not (isinstance(size, int) and size > 0):
        return respond(request.asking(dimensions=...))
    return respond(request)


@fault("embeddings-base64-doubles")
def packs_doubles(answer: Answer, request: Request) -> None:
    """Vectors in base64 are of double floats."""
    for entry in entries(answer, request):
        if isinstance(entry["embedding"], str):
            raw = base64.b64decode(entry["embedding"])
            entry["embedding"] = packed(list(struct.unpack(f"<{len(raw) // 4}f", raw)), "<{}d")


@fault("embeddings-base64-big-endian")
def packs_the_other_way(answer: Answer, request: Request) -> None:
    """Vectors in base64 have the highest byte first."""
    for entry in entries(answer, request):
        if isinstance(entry["embedding"], str):
            raw = base64.b64decode(entry["embedding"])
            entry["embedding"] = packed(list(struct.unpack(f"<{len(raw) // 4}f", raw)), ">{}f")


@fault("embeddings-base64-of-text")
def packs_text(answer: Answer, request: Request) -> None:
    """Vectors in base64 are a text with the numbers in it."""
    for entry in entries(answer, request):
        if isinstance(entry["embedding"], str):
            entry["embedding"] = "[" + entry["embedding"] + "]"


@fault("embeddings-token-each", instead=True)
def takes_tokens_for_texts(request: Request, respond: Respond) -> Answer:
    """An array of tokens is taken for as many inputs as it has tokens."""
    tokens = given(request)
    if isinstance(tokens, list) and tokens and all(type(one) is int for one in tokens):
        return respond(request.asking(input=[[one] for one in tokens]))
    return respond(request)


@fault("embeddings-tokens-500", instead=True)
def stumbles_over_tokens(request: Request, respond: Respond) -> Answer:
    """Tokens in the place of a text are a server error."""
    tokens = given(request)
    if isinstance(tokens, list) and tokens and isinstance(tokens[0], int | list):
        return crash("'int' object has no attribute 'strip'")
    return respond(request)


@fault("embeddings-anything-taken", instead=True)
def embeds_anything(request: Request, respond: Respond) -> Answer:
    """What is no text is written as text, and embedded."""
    value = given(request)
    if request.path == ROUTE and request.wish and not (isinstance(value, str | list) and value):
        return respond(request.asking(input=str(value) or "None"))
    return respond(request)


@fault("embeddings-wrong-input-500", instead=True)
def crashes_on_wrong_inputs(request: Request, respond: Respond) -> Answer:
    """An input of a wrong type is a server error."""
    answer = respond(request)
    return crash("Internal error") if request.path == ROUTE and answer.status == 400 else answer


@fault("embeddings-errors-in-detail", instead=True)
def refuses_in_detail(request: Request, respond: Respond) -> Answer:
    """Refusals of this route lie under `detail`, with a 422."""
    answer = respond(request)
    if request.path == ROUTE and answer.status == 400:
        answer.status = 422
        answer.body = {"detail": [{"loc": ["body", "input"], "msg": "field required"}]}
    return answer


@fault("embeddings-empty-taken", instead=True)
def embeds_nothing(request: Request, respond: Respond) -> Answer:
    """An empty text has an embedding like any other."""
    text = given(request)
    if text == "" or (isinstance(text, list) and "" in text):
        return respond(request.asking(input=" " if text == "" else [one or " " for one in text]))
    return respond(request)


@fault("embeddings-too-long-cut", instead=True)
def cuts_long_texts(request: Request, respond: Respond) -> Answer:
    """A text that is too long is cut off without a word."""
    text = given(request)
    if isinstance(text, str) and len(text) > 4000:
        return respond(request.asking(input=text[:4000]))
    return respond(request)


@fault("embeddings-any-model", instead=True)
def embeds_for_any_name(request: Request, respond: Respond) -> Answer:
    """Any name of a model is answered, by the model that there is."""
    if request.path == ROUTE and "model" in request.wish:
        return respond(request.asking(model="reference"))
    return respond(request)


# What is legal


@fault("embeddings-dimensions-refused", instead=True, legal=True)
def cannot_cut(request: Request, respond: Respond) -> Answer:
    """`dimensions` is refused by name: the model was not made for it."""
    if request.path == ROUTE and "dimensions" in request.wish:
        return refuse("This model does not support specifying dimensions.", "dimensions")
    return respond(request)


@fault("embeddings-base64-refused", instead=True, legal=True)
def writes_floats_only(request: Request, respond: Respond) -> Answer:
    """The format base64 is refused by name."""
    if request.path == ROUTE and request.wish.get("encoding_format") == "base64":
        return refuse("encoding_format base64 is not supported")
    return respond(request)


@fault("embeddings-tokens-refused", instead=True, legal=True)
def wants_texts(request: Request, respond: Respond) -> Answer:
    """Tokens in the place of a text are refused."""
    tokens = given(request)
    if isinstance(tokens, list) and tokens and isinstance(tokens[0], int | list):
        return refuse("'input' must be a string or an array of strings")
    return respond(request)


@fault("embeddings-not-scaled", legal=True)
def leaves_lengths(answer: Answer, request: Request) -> None:
    """Vectors that come as numbers are not of length 1."""
    for entry in floats(answer, request):
        entry["embedding"] = [number * 3.5 for number in entry["embedding"]]


@fault("embeddings-rounded-otherwise", legal=True)
def rounds_otherwise(answer: Answer, request: Request) -> None:
    """The same text in a batch has its last digits otherwise."""
    for place, entry in enumerate(floats(answer, request)):
        entry["embedding"] = [number * (1 + 1e-4 * place) + 1e-6 for number in entry["embedding"]]


@fault("embeddings-more-members", legal=True)
def says_more(answer: Answer, request: Request) -> None:
    """The answer has an id and a time, and counts of what there is not, as vLLM's has."""
    if entries(answer, request):
        answer.body |= {"id": "embd-1", "created": 1_800_000_000}
        answer.body["usage"] |= {"completion_tokens": 0, "prompt_tokens_details": None}
