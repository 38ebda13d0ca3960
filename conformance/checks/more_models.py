"""More about the list of models: ids with a slash in them, and whether the list comes in pages."""

from __future__ import annotations

import re

from conformance.checks.models import LIST, without_list
from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import NOTE, OPENAI_PYTHON, SHOULD
from conformance.probes.chat import get

SLASHED = re.compile(r"(?=.*/)[A-Za-z0-9_-][A-Za-z0-9._:@+-]*(/[A-Za-z0-9_-][A-Za-z0-9._:@+-]*)+")
"""Ids as hubs have them. What else a server lists does not become a path here."""


def _slashed(x: Exchange) -> str:
    """An id with a slash that is listed, the one of the model under test before others; "" where there is none."""
    listed = [one["id"].value for one in x.json["data"]]
    found = [one for one in listed if isinstance(one, str) and len(one) <= 200 and SLASHED.fullmatch(one)]
    return x.model if x.model in found else found[0] if found else ""


def _encoded(x: Exchange) -> Probe | str:
    name = _slashed(x)
    return get(f"models/{name.replace('/', '%2F')}") if name else "no model has a slash in its id"


def _as_it_is(x: Exchange, _: Exchange) -> Probe:
    return get(f"models/{_slashed(x)}")


@check(
    "models.slashes-in-ids-do-no-harm",
    SHOULD,
    sends=LIST.then(_encoded, _as_it_is),
    needs=REPLY,
    requires="models",
    spec=OPENAI_PYTHON.at("models.retrieve", "the id becomes one step of the path: a slash in it is sent as %2F"),
    remedy="Serve the model under a name without a slash, or find its entry in the list.",
)
def slashes_in_ids_do_no_harm(all_: Exchange, encoded: Exchange, as_it_is: Exchange) -> Findings:
    """A listed model whose id has a slash is found by it, encoded as clients send it."""
    yield from without_list(all_)
    yield Observed(as_it_is.status, "with the slash as it is")
    if not encoded.ok and not as_it_is.ok and _slashed(all_) != all_.model:
        yield Unwitnessed("a model that is only listed cannot be retrieved at all")
    elif not encoded.ok:
        yield Finding(
            "listed-id-slash-not-found",
            "a listed id with a slash is not found",
            expected=200,
            found=encoded.status,
            on=encoded.key,
        )
    elif encoded.json["id"].value != _slashed(all_):
        at = encoded.json["id"]
        yield Finding(
            "another-model-found",
            "another model is found",
            at=at.pointer,
            expected=_slashed(all_),
            found=at,
            on=encoded.key,
        )


PAGING = ("has_more", "first_id", "last_id", "next", "next_page_token", "nextPageToken", "total", "cursor")


@check("models.pages", NOTE, sends=LIST, needs=REPLY, requires="models")
def pages(x: Exchange) -> Findings:
    """Whether the list of models comes in pages, which OpenAI's does not: clients read the first one only."""
    yield from without_list(x)
    yield Observed(len(x.json["data"]), "models")
    for name in PAGING:
        if not x.json[name].missing:
            yield Observed(x.json[name].value, name)
