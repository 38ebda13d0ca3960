"""The endpoint itself, asked twice: for its models, which costs nothing, and for the plainest answer, which costs a few tokens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

from conformance.core.address import Address
from conformance.core.exchange import Exchange
from conformance.core.mistake import nearest
from conformance.core.text import number_of
from conformance.doctor import network
from conformance.doctor.lines import Sheet
from conformance.runner.preflight import MODELS, is_nameless, listed, opening, unusable, version_asked, version_told
from conformance.targets.kinds import OPENAI
from conformance.targets.target import Target
from conformance.transport.http import Http

NAMES = ("server", "openai-version", "x-powered-by", "via", "x-litellm-version", "x-vllm-version")
"""Headers in which servers tell what they are."""


@dataclass(frozen=True)
class Asked:
    """What the endpoint answered."""

    models: Exchange
    hello: Exchange | None = None
    version: Exchange | None = None
    model: str = ""
    """The one that was asked."""


def ask(target: Target, address: Address, *, free: bool) -> Asked:
    """Ask the endpoint for its models and its version and, unless it is to be free, for an answer."""
    return asyncio.run(_ask(target, address, free))


async def _ask(target: Target, address: Address, free: bool) -> Asked:
    http = Http(target.name, address, target.limits)
    try:
        models = await http.carry(MODELS)
        if is_nameless(target, address) and address.base_url != OPENAI:
            address = http.address = replace(address, model="".join(listed(models)[:1]))
        about = version_asked(target.kind) if models.status is not None else None
        version = await http.carry(about) if about is not None else None
        hello = None if free or models.status is None else await http.carry(opening(target))
        return Asked(models, hello, version, address.model)
    finally:
        await http.aclose()


def told(sheet: Sheet, target: Target, address: Address, asked: Asked, *, signed: bool) -> None:
    """Write what the answers say."""
    first = asked.hello or asked.models
    problem = unusable(first, target, address.base_url)
    if first.status is None:
        said, _, todo = problem.partition("; ")
        sheet.fail("HTTP", said, todo)
        return
    took = f" in {asked.models.ended * 1000:.0f} ms" if asked.models.complete else ""
    sheet.ok("HTTP", f"{asked.models.http}: GET models answered {asked.models.status}{took}")
    _key(sheet, target, address, first)
    _model(sheet, target, asked)
    _answer(sheet, asked, problem)
    network.clock(sheet, first.header("date"), first.at + (first.answered or 0.0), parsedate_to_datetime, signed=signed)
    _self(sheet, target, asked)


def _key(sheet: Sheet, target: Target, address: Address, x: Exchange) -> None:
    if x.status in (401, 403):
        key = f"the key in ${{{target.key.name}}}" if target.key else "the request, which has no key"
        sheet.fail(
            "key",
            f"{key} is refused ({x.status}): {_said(x)}",
            "is it of this endpoint, and still valid? `key: ${VARIABLE}`",
        )
    elif address.credential is None and not target.headers:
        sheet.ok("key", f"none is sent, and none is asked for ({x.status})")
    else:
        sheet.ok("key", f"accepted ({x.status}), sent as {target.carriage.header}")


def _model(sheet: Sheet, target: Target, asked: Asked) -> None:
    names = listed(asked.models)
    sheet.facts["models"] = names[:50]
    if not asked.model and target.model is None:
        todo = "name one: `model:`"
        sheet.fail(
            "model",
            "none is named, and none is listed" if not names else "none is named",
            todo,
            blocks=target.base_url == OPENAI,
        )
    elif not asked.model:
        sheet.ok("model", "the empty name: the endpoint serves one")
    elif not names:
        sheet.skip("model", f"no list of models to look for `{asked.model}` in (GET models: {asked.models.status})")
    elif asked.model in names:
        how = "" if target.model else ", the first that is listed"
        sheet.ok("model", f"`{asked.model}`{how}, among {number_of(len(names), 'model')}")
    else:
        hint = nearest(asked.model, names) or f"there are: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
        sheet.warn("model", f"`{asked.model}` is not among the {number_of(len(names), 'model')} listed", hint)


def _answer(sheet: Sheet, asked: Asked, problem: str) -> None:
    x = asked.hello
    if x is None:
        sheet.skip("answer", "not asked for, as it costs tokens", "leave --free out")
        return
    if x.ok and not problem and not x.not_json:
        tokens = [x.usage[name].value if x.usage else None for name in ("prompt_tokens", "completion_tokens")]
        sheet.facts["latency_seconds"] = round(x.ended, 3)
        sheet.facts["tokens"] = tokens
        counted = f", {tokens[0]} tokens in and {tokens[1]} out" if all(isinstance(one, int) for one in tokens) else ""
        sheet.ok("answer", f"in {x.ended:.2f} s{counted}")
    elif x.status in (401, 403):
        sheet.skip("answer", f"the key is refused ({x.status})")
    else:
        said, _, todo = problem.partition("; ") if problem else (f"answered {x.status}: {_said(x)}", "", "")
        sheet.fail(
            "answer",
            said,
            todo or "the plainest request is refused: a run would find nothing else",
            blocks=bool(problem),
        )


def _self(sheet: Sheet, target: Target, asked: Asked) -> None:
    """What the server tells of itself."""
    found = [said] if (said := version_told(target.kind, asked.version)) else []
    x = asked.hello if asked.hello is not None and asked.hello.ok else asked.models
    fingerprint = x.json["system_fingerprint"].value if x.json.type == "object" else None
    if isinstance(fingerprint, str) and fingerprint:
        found.append(f"fingerprint {fingerprint}")
    found += [f"{name}: {value}" for name in NAMES if (value := x.header(name))]
    if found:
        sheet.facts["version"] = found
        sheet.ok("version", "; ".join(found))
    else:
        sheet.skip("version", "the server does not tell")


def _said(x: Exchange) -> str:
    return " ".join(x.text.split())[:160] if x.media_type != "text/html" else "an HTML page"
