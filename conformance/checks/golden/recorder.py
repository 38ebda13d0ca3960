"""Makes a golden set from a target's answers, and writes it where people can read and mend it.

The probes, and what is masked, are those of the set that OpenAI's documents make. What a recorded set masks already is
kept when it is recorded again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.checks.golden.checks import checks_of
from conformance.checks.golden.order import order_of, pieces
from conformance.checks.golden.reading import DIRECTORY, NAME, SUFFIX, is_path, known, read, shipped_directory
from conformance.checks.golden.sets import MEDIA_TYPE, PRESENT, Entry, GoldenSet, Stream
from conformance.checks.golden.shape import Pointers, merged, shape_of
from conformance.checks.golden.volatile import OTHERS
from conformance.checks.golden.writing import text_of
from conformance.core.check import REPLY, Check
from conformance.core.exchange import Exchange
from conformance.core.guard import Guard
from conformance.core.mistake import Mistake
from conformance.core.requirement import Level
from conformance.judging.judge import lacking

OPTION = "--conformance-record-golden"
TEMPLATE = "openai"
"""The shipped set whose probes are asked."""

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
        whole = GoldenSet(
            self.path.stem,
            "recorded",
            Level.MUST,
            tuple(entries),
            self.masks,
            self.counted,
            HEADERS,
            "What a target answered on a day; what differs from answer to answer is masked.",
            made,
            self.path,
        )
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
    path = (here / wanted if is_path(wanted) else base / DIRECTORY / f"{wanted}{SUFFIX}").resolve()
    if path.suffix != SUFFIX or not NAME.fullmatch(path.stem):
        raise Mistake(
            f"`{wanted}` can be no name of a golden set: small letters, digits, dots and dashes, such as `my-server`",
            where=OPTION,
        )
    if not is_path(wanted) and wanted in known(base) and known(base)[wanted].resolve() != path:
        raise Mistake(f"`{wanted}` is a set of the suite itself: choose another name", where=OPTION)
    template = read(shipped_directory() / f"{TEMPLATE}{SUFFIX}")
    masks = {**template.masks.reasons, **OTHERS}
    counted = template.counted
    if path.exists():
        try:
            old = read(path)
        except Mistake as mistake:
            message = f"there is a file already, and it is no golden set: {mistake.message}"
            raise Mistake(message, where=mistake.where, fix="choose another name, or remove the file") from None
        if not old.recorded:
            raise Mistake("this set is written by hand: choose another name", where=str(path))
        masks, counted = {**masks, **old.masks.reasons}, Pointers({**counted.reasons, **old.counted.reasons})
    return Recorder(path, template, Pointers(masks), counted)
