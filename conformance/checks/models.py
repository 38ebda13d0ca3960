"""The list of models, its entries one by one, and requests for a model that is not in it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from conformance.core.check import REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import MODEL, Probe
from conformance.core.reading.json import Value
from conformance.core.requirement import OPENAI_PYTHON, REPORTS, SPEC
from conformance.judging.refusal import NOT_SERVED
from conformance.probes.chat import chat, get

LIST = get("models")
KEYLESS_LIST = replace(LIST, auth="none")
ONE = get(f"models/{MODEL}")
UNKNOWN_ID = "no-such-model-7c1e"
UNKNOWN = get(f"models/{UNKNOWN_ID}")
UNKNOWN_ASKED = chat(model=UNKNOWN_ID)

WITH_SLASH = re.compile(r"(?=.*/)[A-Za-z0-9_-][A-Za-z0-9._:@+-]*(/[A-Za-z0-9_-][A-Za-z0-9._:@+-]*)+")
"""Ids as hubs have them. Whatever else a server lists is not made part of a path."""

PAGING = ("has_more", "first_id", "last_id", "next", "next_page_token", "nextPageToken", "total", "cursor")
"""Members by which lists say that they come in pages."""


def readable(listing: Exchange, *_: Exchange) -> None:
    """Raises where there is no list to look at. That it is missing is for `models.list-is-served` to say."""
    if listing.status in NOT_SERVED:
        raise Unsupported(f"the server has no list of models ({listing.status})")
    if not listing.ok:
        raise Unwitnessed(f"there is no list of models to look at ({listing.status})")
    if listing.json["data"].type != "array":
        raise Unwitnessed("the list of models cannot be read")


def entry(listing: Exchange, name: str) -> Value | None:
    """The entry of a model in a list; None where it has none."""
    return next((model for model in listing.json["data"] if model["id"].value == name), None)


area = Area("models", needs=REPLY, requires="models")
of_the_list = Area("models", needs=REPLY, requires="models", given=readable)


@area.must(
    "list-is-served",
    sends=LIST,
    spec=SPEC.at("ListModelsResponse", "required: [object, data]; object: enum [list]; data: array of Model"),
)
def list_is_served(x: Exchange) -> Findings:
    """`GET /models` answers with an object of the kind `list` and an array `data`."""
    if x.status in NOT_SERVED:
        raise Unsupported(f"the server has no list of models ({x.status})")
    kind, data = x.json["object"], x.json["data"]
    if not x.ok:
        yield Finding("not-2xx", "The request is not answered 2xx", at="status", expected="200", found=x.status)
    elif x.not_json:
        yield Finding("not-json", "The body is not JSON", expected="an object", found=x.text[:200])
    elif x.json.type != "object":
        yield Finding("not-an-object", "The body is not an object", expected="object", found=x.json.type)
    else:
        if kind.value != "list":
            yield Finding("other-object", "`object` is not `list`", at="/object", expected="list", found=kind)
        if data.type != "array":
            yield Finding("not-an-array", "`data` is not an array", at="/data", expected="array", found=data.type)


@of_the_list.must(
    "entries-have-their-members",
    sends=LIST,
    spec=SPEC.at("Model", "required: [id, object, created, owned_by]; created: integer, format unixtime"),
)
def entries_have_their_members(x: Exchange) -> Findings:
    """Each entry of the list has an `id`, the `object` model, an integer `created` and a string `owned_by`."""
    for model in x.json["data"]:
        identity, kind = model["id"], model["object"]
        if model.type != "object":
            yield Finding(
                "not-an-object", "An entry is not an object", at=model.pointer, expected="object", found=model.type
            )
            continue
        if identity.type != "string" or not identity:
            yield Finding("no-id", "`id` is not a string, or is empty", at=identity.pointer, found=identity)
        if kind.value != "model":
            yield Finding("other-object", "`object` is not `model`", at=kind.pointer, expected="model", found=kind)
        for name, type_ in (("created", "integer"), ("owned_by", "string")):
            if model[name].type != type_:
                at, found = model[name].pointer, model[name]
                yield Finding("wrong-type", "A member has the wrong type", at=at, expected=type_, found=found)


@of_the_list.should(
    "ids-differ",
    sends=LIST,
    spec=SPEC.at("Model.id", "The model identifier, which can be referenced in the API endpoints."),
)
def ids_differ(x: Exchange) -> Findings:
    """No model is listed twice."""
    times = Counter(model["id"].value for model in x.json["data"] if model["id"].type == "string")
    for name, number in times.items():
        if number > 1:
            yield Finding("same-id", "An `id` is listed more than once", at="/data", expected=1, found={name: number})


@of_the_list.should(
    "model-under-test-is-listed",
    sends=LIST,
    spec=REPORTS.at(
        "mlx-omni-server",
        "the list is empty though the model answers: clients that let people choose from it offer nothing",
        "https://github.com/madroidmaq/mlx-omni-server/issues/130",
    ),
    remedy="give the server the name it is asked by (vLLM: --served-model-name), or ask for one that it lists",
)
def model_under_test_is_listed(x: Exchange) -> Findings:
    """The list has the model that the target is asked for."""
    if x.model and entry(x, x.model) is None:
        listed = [model["id"].value for model in x.json["data"]]
        yield Finding(
            "not-listed", "The model under test is not listed", at="/data", expected=x.model, found=listed[:20]
        )


@area.must(
    "one-is-as-listed",
    sends=(LIST, ONE),
    spec=SPEC.at(
        "/models/{model}",
        "Retrieves a model instance, providing basic information about the model such as the owner and permissioning.",
    ),
    remedy="a client can find the entry in the list instead",
)
def one_is_as_listed(listing: Exchange, single: Exchange) -> Findings:
    """`GET /models/{model}` of a listed model answers with the same entry."""
    listed = entry(listing, listing.model) if listing.model else None
    if listed is None:
        raise Unwitnessed("the model that is used is not listed")
    if not single.ok:
        yield Finding(
            "not-2xx",
            "A listed model cannot be retrieved",
            at="status",
            expected=200,
            found=single.status,
            on=single.key,
        )
    elif single.json.type != "object":
        yield Finding(
            "not-an-object",
            "The model is not a JSON object",
            expected="object",
            found=single.text[:200],
            on=single.key,
        )
    else:
        for name in ("id", "object", "owned_by"):  # not `created`: some servers put in the time of the request
            found = single.json[name]
            if found.value != listed[name].value:
                yield Finding(
                    "differs-from-list",
                    "A member differs from that in the list",
                    at=found.pointer,
                    expected=listed[name],
                    found=found,
                    on=single.key,
                )


@area.should(
    "unknown-id-is-404",
    sends=UNKNOWN,
    spec=OPENAI_PYTHON.at("models.retrieve", "raises NotFoundError for 404, and for no other status"),
)
def unknown_id_is_404(x: Exchange) -> Findings:
    """`GET /models/{model}` of a model that does not exist is answered 404."""
    if x.status in (405, 501):
        raise Unsupported(f"the server does not give single models ({x.status})")
    if x.status != 404:
        yield Finding(
            "not-404", "A model that does not exist is not answered 404", at="status", expected=404, found=x.status
        )


@area.should(
    "unknown-model-is-refused",
    sends=UNKNOWN_ASKED,
    requires=(),
    spec=REPORTS.at(
        "mlx-serve",
        "an unknown model is answered by the one that is loaded, under the unknown name: a typo goes unnoticed",
        "https://github.com/ddalcu/mlx-serve/issues/257",
    ),
    remedy="do not rely on the name: compare `model` in answers with GET /models",
)
def unknown_model_is_refused(x: Exchange) -> Findings:
    """A chat with a model that does not exist is refused."""
    assert x.status is not None
    if x.ok:
        found = {"status": x.status, "model": x.json["model"]}
        yield Finding(
            "answered", "A model that does not exist is answered for", at="status", expected="404", found=found
        )
    elif not 400 <= x.status < 500:
        yield Finding(
            "not-4xx", "A model that does not exist is not answered 4xx", at="status", expected="404", found=x.status
        )


def id_with_slash(listing: Exchange) -> str | None:
    """A listed id that has a slash, if possible that of the model under test; None where there is none."""
    listed = [model["id"].value for model in listing.json["data"]]
    ids = [name for name in listed if isinstance(name, str) and len(name) <= 200 and WITH_SLASH.fullmatch(name)]
    return listing.model if listing.model in ids else ids[0] if ids else None


def _encoded(listing: Exchange) -> Probe | str:
    name = id_with_slash(listing)
    return get(f"models/{name.replace('/', '%2F')}") if name else "no model has a slash in its id"


def _as_it_is(listing: Exchange, _: Exchange) -> Probe:
    return get(f"models/{id_with_slash(listing)}")


@of_the_list.should(
    "slashes-in-ids-do-no-harm",
    sends=LIST.then(_encoded, _as_it_is),
    spec=OPENAI_PYTHON.at("models.retrieve", "the id becomes one step of the path: a slash in it is sent as %2F"),
    remedy="serve the model under a name without a slash, or find its entry in the list",
)
def slashes_in_ids_do_no_harm(listing: Exchange, encoded: Exchange, as_it_is: Exchange) -> Findings:
    """A listed model whose id has a slash is found by it, encoded as clients send it."""
    asked, found = id_with_slash(listing), encoded.json["id"]
    if not encoded.ok and not as_it_is.ok and asked != listing.model:
        raise Unwitnessed("a model that is only listed cannot be retrieved at all")
    yield Observed(as_it_is.status, "with the slash as it is")
    if not encoded.ok:
        yield Finding(
            "not-found", "A listed id with a slash is not found", expected=200, found=encoded.status, on=encoded.key
        )
    elif found.value != asked:
        yield Finding(
            "other-model", "A different model is found", at=found.pointer, expected=asked, found=found, on=encoded.key
        )


@of_the_list.note("context-window", sends=LIST)
def context_window(x: Exchange) -> Findings:
    """The list may tell how many tokens the model reads.

    Not in OpenAI's contract; vLLM and SGLang say `max_model_len`, OpenRouter `context_length`.
    """
    listed = entry(x, x.model)
    for name in ("max_model_len", "context_length", "context_window", "max_context_length"):
        if listed is not None and not listed[name].missing:
            yield Observed(listed[name].value, name)


@of_the_list.note("pages", sends=LIST)
def pages(x: Exchange) -> Findings:
    """The list of models may come in pages, which OpenAI's does not: clients read the first one only."""
    yield Observed(len(x.json["data"]), "models")
    for name in PAGING:
        if not x.json[name].missing:
            yield Observed(x.json[name].value, name)


@area.note("list-without-key", sends=KEYLESS_LIST)
def list_without_key(x: Exchange) -> Findings:
    """The list of models may be readable without a key."""
    yield Observed(x.status, "status")
