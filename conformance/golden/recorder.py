"""Makes a golden set from a target's answers, and writes it where people can read and mend it.

The probes, and what is masked, are those of the set that OpenAI's documents make; what a set of the same name masks already
is kept when it is recorded again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from conformance.check import REPLY, Check
from conformance.exchange import Exchange
from conformance.golden.checks import checks_of
from conformance.golden.order import order_of, pieces
from conformance.golden.reading import DIRECTORY, JSON_TYPE, NAME, SUFFIX, is_path, known, read, shipped_directory
from conformance.golden.sets import MEDIA_TYPE, PRESENT, Entry, GoldenSet, Stream
from conformance.golden.shape import TYPES, Pointers, Shape, merged, shape_of
from conformance.guard import Guard
from conformance.judgement import lacking
from conformance.mistake import Mistake
from conformance.probe import Probe, encode
from conformance.reading.json import type_of
from conformance.requirement import Level

OPTION = "--record-golden"
TEMPLATE = "openai"
"""The shipped set whose probes are asked."""

MASKS = {
    "/**/reasoning*": "prose",
    "/**/token_ids": "what the model said, in numbers",
    "/**/prompt_token_ids": "what the model read, in numbers",
    "/**/prompt_logprobs": "what the model read, in numbers",
    "/**/root": "a name on the server's disk",
    "/**/parent": "a name on the server's disk",
    "/**/permission": "made anew for each answer",
    "/**/timings": "measured",
    "/**/max_model_len": "belongs to the model",
    "/detail": "prose",
    "/message": "prose",
}
"""What other servers than OpenAI's say besides, and differently each time."""
HEADERS = {
    MEDIA_TYPE: "decides how a client reads the body",
    "x-request-id": "what one gives to support",
    "retry-after": "clients wait so long",
    "www-authenticate": "says how to send the key",
}


@dataclass(frozen=True)
class Recorder:
    """A set to be recorded: its name, its file, and the set whose probes are asked."""

    path: Path
    template: GoldenSet
    masks: Pointers
    counted: Pointers

    def record(self, answers: Mapping[str, Exchange], made: Mapping[str, Any]) -> tuple[GoldenSet, dict[str, str]]:
        """The set that these answers make, by the names of entries; and why others are not in it."""
        entries, left = [], {}
        for entry in self.template.entries:
            x = answers.get(entry.name)
            why = "it was not asked" if x is None else lacking(x, REPLY)
            if x is None or why:
                left[entry.name] = why
            else:
                entries.append(self.entry(entry, x))
        about = "What a target answered on a day; what differs from answer to answer is masked."
        level, headers = Level.MUST, HEADERS
        masks, counted = self.masks, self.counted
        whole = GoldenSet(self.path.stem, "recorded", level, tuple(entries), masks, counted, headers, about, made, self.path)
        return whole, left

    def entry(self, entry: Entry, x: Exchange) -> Entry:
        """What an answer looks like."""
        found = list(pieces(x)) if x.streamed else []
        stream = None
        if found:
            chunks = {
                kind: merged(shape_of(piece.value, self.masks, self.counted) for piece in found if piece.kind == kind)
                for kind in dict.fromkeys(piece.kind for piece in found if piece.value.type == "object")
            }
            shapes = {kind: shape for kind, shape in chunks.items() if shape is not None}
            stream = Stream(order_of([piece.kind for piece in found]), shapes)
        headers = {name: PRESENT for name in HEADERS if x.header(name) is not None}
        if MEDIA_TYPE in headers:
            headers[MEDIA_TYPE] = x.media_type
        return replace(
            entry,
            status=str(x.status),
            headers=headers,
            body=None if found or x.not_json else shape_of(x.json, self.masks, self.counted),
            stream=stream,
            source=None,
        )

    @property
    def asks(self) -> dict[str, Check]:
        """What is to be sent for, by the names of entries."""
        return {entry.name: check for entry, check in zip(self.template.entries, checks_of(self.template), strict=True)}

    def save(self, answers: Mapping[str, Exchange], made: Mapping[str, Any], guard: Guard) -> list[str]:
        """Write the set that these answers make, and say so. Raises Mistake where it cannot be written."""
        golden, left = self.record(answers, made)
        said = [f"not recorded: {name}: {why}" for name, why in left.items()]
        if not golden.entries:
            return [*said, f"the golden set `{golden.name}` was not written: there is nothing in it"]
        text = guard.check(text_of(golden), "a golden set")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(text, encoding="utf-8")
        except OSError as problem:
            raise Mistake(f"the golden set cannot be written: {problem.strerror}", where=str(self.path)) from None
        return [*said, f"golden set `{golden.name}`: {len(golden.entries)} answers recorded in {self.path}"]


def recorder(wanted: str, base: Path, here: Path) -> Recorder:
    """What records a set of this name, or into this file. Raises Mistake where that would overwrite anything else."""
    path = here / wanted if is_path(wanted) else base / DIRECTORY / f"{wanted}{SUFFIX}"
    if path.suffix != SUFFIX or not NAME.fullmatch(path.stem):
        raise Mistake(
            f"`{wanted}` can be no name of a golden set: small letters, digits, dots and dashes, such as `my-server`",
            where=OPTION,
        )
    if not is_path(wanted) and known(base).get(wanted, path) != path:
        raise Mistake(f"`{wanted}` is a set of the suite itself: choose another name", where=OPTION)
    template = read(shipped_directory() / f"{TEMPLATE}{SUFFIX}")
    masks = {**template.masks.reasons, **MASKS}
    counted = template.counted
    if path.exists():
        try:
            old = read(path)
        except Mistake as mistake:
            fix = "choose another name, or remove the file"
            raise Mistake(f"there is a file already, and it is no golden set: {mistake.message}", where=mistake.where, fix=fix) from None
        if not old.recorded:
            raise Mistake("this set is written by hand: choose another name", where=str(path))
        masks, counted = {**masks, **old.masks.reasons}, Pointers({**counted.reasons, **old.counted.reasons})
    return Recorder(path, template, Pointers(masks), counted)


HEAD = """\
# A golden set: what a target's answers look like, written by `pytest --target NAME {option} {name}`.
# `pytest --target NAME --golden {name}` says whether another target's answers, or later ones, still look so.
#
# Of what is masked only the type is compared. If something else differs from answer to answer, give it a mask below and
# record the set again: masks are kept. An `enum` holds the values that were seen.

"""


def text_of(golden: GoldenSet) -> str:
    """A set as the text of its file."""
    whole: dict[str, Any] = {"origin": golden.origin, "level": golden.level.value, "about": golden.about}
    whole |= {"made": dict(golden.made)}
    whole |= {"masks": dict(golden.masks.reasons), "counted": dict(golden.counted.reasons), "headers": dict(golden.headers)}
    whole["answers"] = {entry.name: _entry(entry) for entry in golden.entries}
    return HEAD.format(option=OPTION, name=golden.name) + _yaml(_laid_out(whole), 120)


SHORT = 90
"""Characters of what is written on one line."""


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


def _yaml(value: Any, width: float) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width, default_flow_style=False)
    return text


def _laid_out(value: Any, depth: int = 0) -> Any:
    """A value with all that is short on one line, and one thing a line above that."""
    if not isinstance(value, (dict, list)):
        return value
    if depth > 1:
        flat = OneLine(value) if isinstance(value, dict) else OneLineList(value)
        if len(_yaml(flat, float("inf"))) <= SHORT:
            return flat
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
