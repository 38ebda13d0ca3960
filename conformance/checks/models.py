"""The list of models, and what becomes of a request for a model that is not in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import MODEL
from conformance.core.reading.json import Value
from conformance.core.requirement import MUST, NOTE, OPENAI_PYTHON, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import NOT_SERVED
from conformance.probes.chat import chat, get

LIST = get("models")
KEYLESS_LIST = replace(LIST, auth="none")
ONE = get(f"models/{MODEL}")
NOBODY = "no-such-model-7c1e"
NONE = get(f"models/{NOBODY}")
ASKED_OF_NOBODY = chat(model=NOBODY)


def without_list(x: Exchange) -> Findings:
    """Why there is no list to look at; nothing where there is one. That it is missing is for the first check to say."""
    if x.status in NOT_SERVED:
        yield Unsupported(f"the server has no list of models ({x.status})")
    elif not x.ok:
        yield Unwitnessed(f"there is no list of models to look at ({x.status})")
    elif x.json["data"].type != "array":
        yield Unwitnessed("the list of models cannot be read")


def entry(x: Exchange, name: str) -> Value | None:
    """The entry of a model in a list; None where it has none."""
    return next((one for one in x.json["data"] if one["id"].value == name), None)


@check(
    "models.list-is-served",
    MUST,
    sends=LIST,
    needs=REPLY,
    requires="models",
    spec=SPEC.at("ListModelsResponse", "required: [object, data]; object: enum [list]; data: array of Model"),
)
def list_is_served(x: Exchange) -> Findings:
    """`GET /models` answers with an object of the kind `list` and an array `data`."""
    if x.status in NOT_SERVED:
        yield Unsupported(f"the server has no list of models ({x.status})")
    elif not x.ok:
        yield Finding(
            "list-models-not-answered-2xx",
            "the list of models is not answered 2xx",
            at="status",
            expected="200",
            found=x.status,
        )
    elif x.not_json:
        yield Finding(
            "list-models-not-json", "the list of models is not JSON", expected="an object", found=x.text[:200]
        )
    elif x.json.type != "object":
        yield Finding(
            "list-models-not-object", "the list of models is not an object", expected="object", found=x.json.type
        )
    else:
        if x.json["object"].value != "list":
            yield Finding(
                "object-not-list", "`object` is not `list`", at="/object", expected="list", found=x.json["object"]
            )
        if x.json["data"].type != "array":
            yield Finding(
                "data-not-array", "`data` is not an array", at="/data", expected="array", found=x.json["data"].type
            )


@check(
    "models.entries-have-their-members",
    MUST,
    sends=LIST,
    needs=REPLY,
    requires="models",
    spec=SPEC.at("Model", "required: [id, object, created, owned_by]; created: integer, format unixtime"),
)
def entries_have_their_members(x: Exchange) -> Findings:
    """Each entry of the list has an `id`, the `object` model, an integer `created` and a string `owned_by`."""
    yield from without_list(x)
    for one in x.json["data"]:
        if one.type != "object":
            yield Finding(
                "entry-not-object", "an entry is not an object", at=one.pointer, expected="object", found=one.type
            )
            continue
        if one["id"].type != "string" or not one["id"]:
            yield Finding(
                "id-not-string-names-model",
                "an `id` is not a string that names a model",
                at=one["id"].pointer,
                found=one["id"],
            )
        if one["object"].value != "model":
            yield Finding(
                "object-not-model",
                "an `object` is not `model`",
                at=one["object"].pointer,
                expected="model",
                found=one["object"],
            )
        for name, kind in (("created", "integer"), ("owned_by", "string")):
            if one[name].type != kind:
                yield Finding(
                    "member-not-type", "a member has not its type", at=one[name].pointer, expected=kind, found=one[name]
                )


@check(
    "models.ids-differ",
    SHOULD,
    sends=LIST,
    needs=REPLY,
    requires="models",
    spec=SPEC.at("Model.id", "The model identifier, which can be referenced in the API endpoints."),
)
def ids_differ(x: Exchange) -> Findings:
    """No model is listed twice."""
    yield from without_list(x)
    times = Counter(one["id"].value for one in x.json["data"] if one["id"].type == "string")
    for name, number in times.items():
        if number > 1:
            yield Finding(
                "id-listed-more-than-once",
                "an `id` is listed more than once",
                at="/data",
                expected=1,
                found={name: number},
            )


@check(
    "models.model-under-test-is-listed",
    SHOULD,
    sends=LIST,
    needs=REPLY,
    requires="models",
    spec=REPORTS.at(
        "mlx-omni-server",
        "the list is empty though the model answers: clients that let people choose from it offer nothing",
        "https://github.com/madroidmaq/mlx-omni-server/issues/130",
    ),
    remedy="give the server the name it is asked by (vLLM: --served-model-name), or ask for one that it lists",
)
def model_under_test_is_listed(x: Exchange) -> Findings:
    """The list has the model that the target is asked for."""
    yield from without_list(x)
    if x.model and entry(x, x.model) is None:
        listed = [one["id"].value for one in x.json["data"]]
        yield Finding(
            "model-used-not-listed",
            "the model that is used is not listed",
            at="/data",
            expected=x.model,
            found=listed[:20],
        )


@check(
    "models.one-is-as-listed",
    MUST,
    sends=(LIST, ONE),
    needs=REPLY,
    requires="models",
    spec=SPEC.at(
        "/models/{model}",
        "Retrieves a model instance, providing basic information about the model such as the owner and permissioning.",
    ),
    remedy="a client can find the entry in the list instead",
)
def one_is_as_listed(all_: Exchange, one: Exchange) -> Findings:
    """`GET /models/{model}` of a listed model answers with the same entry."""
    listed = entry(all_, all_.model) if all_.model else None
    if listed is None:
        yield Unwitnessed("the model that is used is not listed")
    elif not one.ok:
        yield Finding(
            "listed-model-cannot-retrieved",
            "a listed model cannot be retrieved",
            at="status",
            expected=200,
            found=one.status,
            on=one.key,
        )
    elif one.json.type != "object":
        yield Finding(
            "model-not-json-object",
            "the model is not a JSON object",
            expected="object",
            found=one.text[:200],
            on=one.key,
        )
    elif listed is not None:
        for name in ("id", "object", "owned_by"):  # not `created`: some servers put in the time of the request
            if one.json[name].value != listed[name].value:
                yield Finding(
                    "member-differs-from-list",
                    "a member differs from the list",
                    at=one.json[name].pointer,
                    expected=listed[name],
                    found=one.json[name],
                    on=one.key,
                )


@check(
    "models.unknown-id-is-404",
    SHOULD,
    sends=NONE,
    needs=REPLY,
    requires="models",
    spec=OPENAI_PYTHON.at("models.retrieve", "raises NotFoundError for 404, and for no other status"),
)
def unknown_id_is_404(x: Exchange) -> Findings:
    """`GET /models/{model}` of a model that does not exist is answered 404."""
    if x.status in (405, 501):
        yield Unsupported(f"the server does not give single models ({x.status})")
    elif x.status != 404:
        yield Finding(
            "model-does-not-exist-not",
            "a model that does not exist is not answered 404",
            at="status",
            expected=404,
            found=x.status,
        )


@check(
    "models.unknown-model-is-refused",
    SHOULD,
    sends=ASKED_OF_NOBODY,
    needs=REPLY,
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
        yield Finding(
            "model-does-not-exist-answered",
            "a model that does not exist answered",
            at="status",
            expected="404",
            found={"status": x.status, "model": x.json["model"]},
        )
    elif not 400 <= x.status < 500:
        yield Finding(
            "model-does-not-exist-not",
            "a model that does not exist is not answered 4xx",
            at="status",
            expected="404",
            found=x.status,
        )


@check("models.context-window", NOTE, sends=LIST, needs=REPLY, requires="models")
def context_window(x: Exchange) -> Findings:
    """The list tells how many tokens the model reads.

    Not in OpenAI's contract; vLLM and SGLang say `max_model_len`, OpenRouter `context_length`.
    """
    yield from without_list(x)
    listed = entry(x, x.model)
    for name in ("max_model_len", "context_length", "context_window", "max_context_length"):
        if listed is not None and not listed[name].missing:
            yield Observed(listed[name].value, name)


@check("models.list-without-key", NOTE, sends=KEYLESS_LIST, needs=REPLY, requires="models")
def list_without_key(x: Exchange) -> Findings:
    """The list of models can be read without a key."""
    yield Observed(x.status, "status")
