"""Golden sets to files, such as `reading` reads and people can: what is short on one line, the rest a line a thing."""

from __future__ import annotations

import json
from typing import Any

import yaml

from conformance.checks.golden.reading import JSON_TYPE
from conformance.checks.golden.sets import Entry, GoldenSet
from conformance.checks.golden.shape import TYPES, Shape
from conformance.core.probe import Probe, encode
from conformance.core.reading.json import type_of

HEAD = """\
# A golden set: what a target's answers look like, written by `pytest --target NAME --conformance-record-golden {name}`.
# `pytest --target NAME --conformance-golden {name}` says whether another target's answers, or later ones, still look so.
#
# Of what is masked only the type is compared. If something else differs from answer to answer, give it a mask below and
# record the set again: masks are kept. An `enum` holds the values that were seen.

"""


def text_of(golden: GoldenSet) -> str:
    """A set as the text of its file."""
    whole: dict[str, Any] = {"origin": golden.origin, "level": golden.level.value, "about": golden.about}
    whole |= {"made": dict(golden.made)}
    whole |= {"masks": dict(golden.masks.reasons), "counted": dict(golden.counted.reasons)}
    whole["headers"] = dict(golden.headers)
    whole["answers"] = {entry.name: _entry(entry) for entry in golden.entries}
    style: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "default_flow_style": False, "width": 120}
    return HEAD.format(name=golden.name) + str(yaml.dump(_laid_out(whole), Dumper=_Dumper, **style))


SHORT = 100
"""Characters of what is written on one line, as JSON: YAML needs fewer quotes."""


class OneLine(dict[str, Any]):
    """A mapping to be written on one line."""


class OneLineList(list[Any]):
    """A list to be written on one line."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # each answer can be read by itself


_MAPPING, _LIST = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_Dumper.add_representer(OneLine, lambda dumper, data: dumper.represent_mapping(_MAPPING, data, flow_style=True))
_Dumper.add_representer(OneLineList, lambda dumper, data: dumper.represent_sequence(_LIST, data, flow_style=True))


def _laid_out(value: Any, depth: int = 0) -> Any:
    """A value with all that is short on one line, and one thing a line above that."""
    if not isinstance(value, (dict, list)):
        return value
    if depth > 1 and len(json.dumps(value, ensure_ascii=False)) <= SHORT:
        return OneLine(value) if isinstance(value, dict) else OneLineList(value)
    if isinstance(value, list):
        return [_laid_out(one, depth + 1) for one in value]
    return {name: _laid_out(one, depth + 1) for name, one in value.items()}


def _entry(entry: Entry) -> dict[str, Any]:
    value: dict[str, Any] = {"about": entry.about}
    if entry.requires:
        value["requires"] = list(entry.requires)
    value["probe"] = _probe(entry.probe)
    value["status"] = int(entry.status) if entry.status.isdigit() else entry.status
    value["headers"] = dict(entry.headers)
    if entry.body is not None:
        value["body"] = _shape(entry.body)
    if entry.stream is not None:
        chunks = {kind: _shape(shape) for kind, shape in entry.stream.chunks.items()}
        value["stream"] = {"order": entry.stream.order.text, "chunks": chunks}
    return value


def _probe(probe: Probe) -> dict[str, Any]:
    value = probe.to_json()
    headers = probe.headers
    del value["headers"]
    if headers != (JSON_TYPE if probe.method == "POST" else ()):
        value["headers"] = dict(headers) if len(dict(headers)) == len(headers) else [list(one) for one in headers]
    if isinstance(probe.wish, dict) and encode(probe.wish) == probe.body:
        value["body"] = probe.wish
    return value


def _shape(shape: Shape) -> Any:
    """A shape as `reading` reads it, as short as it can be said."""
    value: dict[str, Any] = {}
    implied: set[str] = set()
    if shape.optional:
        value["optional"] = True
    if shape.values is not None:
        nulls = [None] if "null" in shape.types else []
        value["enum"] = [*shape.values, *nulls]
        implied |= {type_of(one) for one in value["enum"]}
    for name, number in (("count", shape.count), ("least", shape.least or None)):
        if number is not None:
            value[name] = number
    if shape.members is not None:
        value["members"] = {name: _shape(inner) for name, inner in shape.members.items()}
    if shape.items is not None:
        value["items"] = _shape(shape.items)
    implied |= {"array"} if {"items", "count", "least"} & value.keys() else set()
    implied |= {"object"} if "members" in value else set()
    if implied == shape.types:
        return value
    named = " | ".join(sorted(shape.types, key=TYPES.index))
    return {"type": named, **value} if value else named
