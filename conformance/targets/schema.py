"""The JSON Schema of `targets.yaml`, for editors: made from the models that read the file, so it says the same."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from conformance.targets.kinds import KINDS, REACH, Kind
from conformance.targets.stanza import NAME, Stanza

Name = Annotated[
    str,
    AfterValidator(str),
    WithJsonSchema({"type": "string", "pattern": f"^{NAME.pattern}$"}),
]


class _File(BaseModel):
    """The endpoints that openai-conformance knows by name."""

    model_config = ConfigDict(extra="forbid", title="targets.yaml")

    targets: dict[Name, Stanza] = Field(min_length=1, description="Each target by its name.")


def json_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts what `read` accepts, as far as a schema can tell."""
    schema = _File.model_json_schema()
    for each in [schema, *schema["$defs"].values()]:
        _tidied(each)
    stanza = schema["$defs"][Stanza.__name__]
    for kind in KINDS.values():
        for name, option in kind.options.items():
            written = {"type": "string", "pattern": f"^({option.pattern})$"}
            stanza["properties"][name] = {"anyOf": [written, {"type": "null"}], "description": option.meaning}
    stanza["allOf"] = [_of_kind(name, kind) for name, kind in KINDS.items()]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _tidied(schema: dict[str, Any]) -> None:
    """Titles that only repeat the key go, a key may be left empty unless it is required, names are enforced."""
    schema["description"] = str(schema.get("description", "")).strip()
    for name, each in schema.get("properties", {}).items():
        each.pop("title", None)
        if "patternProperties" in each:
            each["additionalProperties"] = False
        if name not in schema.get("required", ()) and {"type": "null"} not in each.get("anyOf", ()):
            described = {key: each.pop(key) for key in ("description", "default") if key in each}
            schema["properties"][name] = {"anyOf": [each, {"type": "null"}], **described}


def _of_kind(name: str, kind: Kind) -> dict[str, Any]:
    """What a stanza of one kind has to have, and must not."""
    foreign = {option for other in KINDS.values() for option in other.options} - set(kind.options)
    absent = [key for key in REACH if key not in kind.takes] + sorted(foreign)
    then: dict[str, Any] = {"properties": {key: {"type": "null"} for key in absent}}
    if "launch" in kind.takes and kind.gateway:
        then |= {"if": _with_value("launch"), "then": _with_value("upstream")}
    elif "launch" in kind.takes:
        then["properties"]["launch"] = _with_value("model")
    if kind.one_of:
        then["oneOf"] = [_with_value(key) for key in kind.one_of]
    if len(kind.exclusive) > 1:
        pairs = [{"allOf": [_with_value(one), _with_value(other)]} for one, other in combinations(kind.exclusive, 2)]
        then["not"] = {"anyOf": pairs}
    if required := [key for key, option in kind.options.items() if option.required]:
        then["allOf"] = [_with_value(key) for key in required]
    return {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": then}


def _with_value(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}
