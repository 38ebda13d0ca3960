"""The stanza of a target as it is written: which keys there are, and what is wrong with the ones there.

A stanza is judged alone, by shape (pydantic) and by sense (what its kind takes, what contradicts what). Where things
are on the page is `marked`, which file it is `file`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema

from conformance.core.capabilities import CAPABILITIES
from conformance.core.documents import Written
from conformance.core.mistake import nearest
from conformance.core.requirement import CHECK_ID
from conformance.core.secret import VARIABLE, is_secret_name, shape, shown
from conformance.core.yaml_lines import Path
from conformance.targets.kinds import KINDS, REACH, Kind, Option, carriage_of
from conformance.targets.quantities import Day, HeaderName, Named, Open, Plain, PlainOrEmpty, Text, Url
from conformance.targets.target import Launch, Limits, Price, Timeout

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # it becomes the name of a folder and a part of node ids

# What people write who have another tool's words in mind, and no resemblance would find.
_OTHER_WORDS = {
    "url": "base_url", "api_base": "base_url", "host": "base_url", "api_key": "key", "token": "key",
    "type": "kind", "provider": "kind", "concurrency": "at_once", "parallel": "at_once", "max_bytes": "body",
    "capabilities": "claims", "supports": "claims", "skip": "waives", "xfail": "waives", "reason": "because",
    "expires": "until", "ticket": "issue", "who": "owner",
}  # fmt: skip


def _capability(value: str) -> str:
    if value not in CAPABILITIES:
        known = nearest(value, CAPABILITIES) or f"there are: {', '.join(CAPABILITIES)}"
        raise ValueError(f"is no capability: {shown(value)} ({known})")
    return value


def _check_id(value: str) -> str:
    if not re.fullmatch(CHECK_ID, value):
        raise ValueError("must be the whole id of one check, such as stream.ends-with-done: no prefix, no pattern")
    return value


Capability = Annotated[
    str,
    AfterValidator(_capability),
    WithJsonSchema({"enum": list(CAPABILITIES), "enumDescriptions": list(CAPABILITIES.values())}),
]
CheckId = Annotated[
    str,
    AfterValidator(_check_id),
    WithJsonSchema({"type": "string", "pattern": f"^{CHECK_ID}$"}),
]
KindName = Annotated[
    str,
    BeforeValidator(str),  # _kind_problems has the better message for what is not one
    WithJsonSchema({"enum": list(KINDS), "enumDescriptions": [each.meaning for each in KINDS.values()]}),
]


class WrittenWaiver(Written):
    """A violation that somebody answers for."""

    because: Text = Field(description="Why the violation is accepted.")
    owner: Text = Field(description="Who answers for it: a person or a team.")
    issue: Text | None = Field(None, description="Where it is tracked.")
    until: Day | None = Field(None, description="The last day of the waiver, such as 2027-01-31.")
    codes: tuple[Plain, ...] = Field((), description="The codes of the findings that it is for; unless written, all.")


class Stanza(Written):
    """One endpoint to test."""

    kind: KindName = Field(description="What runs there.")
    base_url: Url | None = Field(None, description="The URL up to and with /v1.")
    model: PlainOrEmpty | None = Field(None, description="The model to ask for; the target is asked if there is none.")
    key: Named | None = Field(None, description="The API key, as the name of a variable: ${MY_KEY}.")
    headers: Mapping[HeaderName, Open] = Field(
        default_factory=dict, description="Sent with every request; secrets as ${VARIABLE}."
    )
    claims: tuple[Capability, ...] | None = Field(None, description="What it can do; unless written, it is found out.")
    disclaims: tuple[Capability, ...] = Field((), description="What it cannot do, and is not blamed for.")
    limits: Limits = Field(default_factory=Limits, description="What a run may ask of it.")
    waives: Mapping[CheckId, WrittenWaiver] = Field(
        default_factory=dict, description="Violations that somebody answers for, by the id of the check."
    )
    launch: Launch | None = Field(None, description="How to start the server here.")
    upstream: Plain | None = Field(None, description="The target of this file that a gateway passes requests on to.")
    price: Price | None = Field(None, description="What it costs, in any one currency.")
    profile: Mapping[str, Any] | None = Field(None, description="Answers where servers honestly differ.")


_PLACES: Mapping[Path, type[Written]] = {
    (): Stanza,
    ("limits",): Limits,
    ("limits", "timeout"): Timeout,
    ("launch",): Launch,
    ("price",): Price,
}

_SECRET_PLACES: tuple[Path, ...] = (("headers",), ("launch", "env"))
_NO_PAIR = {
    "headers": "must be the name of a header and its value: quote a value with a comma in it",
    "launch": "must be the name of an environment variable and its value: quote a value with a comma in it",
}
_CREDENTIAL = re.compile(r"(?:bearer|basic)\s+\S", re.IGNORECASE)


class Unshown(str):
    """A key that messages do not repeat: it may be the second half of a secret with a comma in it."""


Fault = tuple[Path, str]
"""What is wrong, and where in the stanza: the path ends with the key itself where the key is what is wrong."""


def judged(data: Any) -> tuple[Stanza | None, list[Fault]]:
    """The stanza, and what is wrong with it. There is no stanza where its shape is wrong."""
    if not isinstance(data, dict):
        return None, [((), f"must be a mapping, such as {{kind: openai, base_url: ...}}, not {_what(data)}")]
    faults = [*_literal_secrets(data), *_kind_faults(data)]
    try:
        stanza = Stanza.model_validate({k: v for k, v in data.items() if k not in _own_keys(data)})
    except ValidationError as error:
        told = {path for path, _ in faults}
        faults += [fault for fault in _shape_faults(error, data) if fault[0] not in told]
        return None, faults
    return stanza, faults + list(_contradictions(stanza))


def _own_keys(data: Mapping[str, Any]) -> Mapping[str, Option]:
    """The keys that only the stanza's kind has."""
    return KINDS[kind].options if (kind := str(data.get("kind"))) in KINDS else {}


def _kind_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """What the kind has against the keys: one that it does not take, one that it needs."""
    name = data.get("kind")
    if name is None:
        yield (), f"does not say its kind, one of {', '.join(KINDS)}"
        return
    if not isinstance(name, str) or name not in KINDS:
        yield ("kind",), _unknown_kind(name)
        return
    kind = KINDS[name]
    written = {key for key, value in data.items() if value is not None}
    for key in REACH:
        if key in written and key not in kind.takes:
            yield (key,), f"means nothing for the kind {name} ({kind.meaning}): leave it out"
    if kind.one_of and not written.intersection(kind.one_of):
        such = f", such as base_url: {kind.example}" if kind.example else ""
        yield (), f"needs {' or '.join(kind.one_of)}, as its kind is {name}{such}"
    if len(both := [key for key in kind.one_of if key in written]) > 1:
        why = "a server is either running or started here" if "launch" in both else "keep one of them"
        yield (both[-1],), f"contradicts {both[0]}: {why}"
    if len(several := [key for key in kind.exclusive if key in written]) > 1:
        yield (several[-1],), f"contradicts {several[0]}: each says where the target is, so keep one of them"
    launch = data.get("launch")
    if isinstance(launch, dict) and "launch" in kind.takes:
        if kind.gateway and "upstream" not in written:
            yield ("launch",), "needs upstream: the target of this file that the gateway is to stand in front of"
        if not kind.gateway and launch.get("model") is None:
            yield ("launch",), f"has no model: {_meaning(('launch', 'model'))}"
    yield from _option_faults(kind, data)


def _option_faults(kind: Kind, data: Mapping[str, Any]) -> Iterator[Fault]:
    for key, option in kind.options.items():
        if data.get(key) is None:
            if option.required:
                yield (), f"needs {key}: {option.meaning}"
        elif not isinstance(data[key], str):
            yield (key,), f"must be text, not {_what(data[key])}"
        elif VARIABLE.search(data[key]):
            yield (key,), "takes no ${VARIABLE}: those are filled in under key, headers and launch.env only"
        elif not re.fullmatch(option.pattern, data[key]):
            yield (key,), f"must be {option.form}, not {shown(data[key])}"
        elif option.needs and data.get(option.needs) is None:
            yield (), f"needs {option.needs} with {key}: {kind.options[option.needs].meaning}"


def _unknown_kind(name: Any) -> str:
    if name == "replay":
        return "is not written here: a recorded run is chosen by `--target replay:DIR`"
    if not isinstance(name, str):
        return f"must be one of {', '.join(KINDS)}, not {_what(name)}"
    hint = nearest(name, KINDS)
    return f"must be one of {', '.join(KINDS)}, not {shown(name)}" + (f": {hint}" if hint else "")


def _literal_secrets(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Secrets that are written out, to judge by the name of their place. Their value is never repeated."""
    launch = data.get("launch")
    places = (data.get("headers"), launch.get("env") if isinstance(launch, dict) else None)
    for place, values in zip(_SECRET_PLACES, places, strict=True):
        for name, value in values.items() if isinstance(values, dict) else ():
            if not isinstance(value, str) or VARIABLE.search(value):
                continue
            if is_secret_name(name) or _CREDENTIAL.match(value):
                variable = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") if not shape(name) else "VARIABLE"
                yield (*place, name), f"holds a secret, by its name or form: write ${{{variable}}}, never the value"


def _contradictions(stanza: Stanza) -> Iterator[Fault]:
    for index, each in enumerate(stanza.disclaims):
        if each in (stanza.claims or ()):
            yield ("disclaims", index), f"contradicts claims: `{each}` is in both"
    if stanza.limits.cost is not None and (stanza.price is None or stanza.price.of(0, 0) is None):
        yield (
            ("limits", "cost"),
            "needs a price for both ways: price: {input: 0.25, output: 2}, for a million tokens each, and no hour",
        )
    carrier = carriage_of(stanza.kind).header
    same = next((name for name in stanza.headers if name.casefold() == carrier), None)
    if same and stanza.key:
        yield ("headers", same), "contradicts key, which is sent as this header: keep one of them"


def _shape_faults(error: ValidationError, data: Any) -> Iterator[Fault]:
    """What pydantic found, in the words of the file."""
    for each in error.errors(include_url=False):
        path: Path = tuple(step for step in each["loc"] if step != "[key]")
        if path[:-1] in _SECRET_PLACES and (each["input"] is None or each["loc"][-1] == "[key]"):
            yield (*path[:-1], Unshown(path[-1])), _NO_PAIR[str(path[0])]
            continue
        match each["type"]:
            case "missing" if path == ("kind",):
                pass  # already said, with the kinds there are
            case "missing":
                yield path[:-1], f"has no {path[-1]}: {_meaning(path)}"
            case "extra_forbidden":
                yield path, _unknown_key(path, data)
            case "value_error":
                yield path, str(each["ctx"]["error"])
            case "dict_type" | "mapping_type" if path == ("profile",) and "aws_profile" in _own_keys(data):
                yield path, "must be a mapping of answers where servers differ; did you mean `aws_profile`?"
            case "model_type" | "dict_type" | "mapping_type" | "model_attributes_type":
                yield path, f"must be a mapping (key: value), not {_what(each['input'])}"
            case "list_type" | "tuple_type":
                yield path, f"must be a list, such as [a, b], not {_what(each['input'])}"
            case "string_type":
                yield path, f"must be text, not {_what(each['input'])}"
            case _:
                yield path, "is not what belongs here"


def _meaning(path: Path) -> str:
    fields = _PLACES[path[:-1]].model_fields if path[:-1] in _PLACES else WrittenWaiver.model_fields
    said = fields[str(path[-1])].description or ""
    return said[:1].lower() + said[1:].rstrip(".")


def _unknown_key(path: Path, data: Any) -> str:
    """That nobody knows the key, and the likeliest thing meant."""
    around, key = path[:-1], str(path[-1])
    fields = set(_PLACES[around].model_fields if around in _PLACES else WrittenWaiver.model_fields)
    kind = data.get("kind")
    if not around and isinstance(kind, str) and kind in KINDS:
        fields |= set(KINDS[kind].options)
    elsewhere = [each for each, model in _PLACES.items() if key in model.model_fields]
    foreign = [name for name, each in KINDS.items() if key in each.options]
    if elsewhere:
        place = ".".join(map(str, elsewhere[0]))
        hint = f"it belongs under {place}" if place else "it belongs to the target itself"
    elif foreign and not around:
        hint = f"only the kind{'s' if len(foreign) > 1 else ''} {' and '.join(foreign)} {'have' if len(foreign) > 1 else 'has'} it"
    elif (other := _OTHER_WORDS.get(key.casefold())) in fields:
        hint = f"did you mean `{other}`?"
    else:
        hint = nearest(key, fields) or f"there are: {', '.join(sorted(fields))}"
    return f"is no key here ({hint})"


def _what(value: Any) -> str:
    """What was there instead, without its text: it may be a secret in the wrong place."""
    return {dict: "a mapping", list: "a list", str: "text", type(None): "nothing"}.get(type(value), "something else")
