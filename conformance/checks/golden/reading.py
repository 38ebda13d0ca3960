"""Golden sets from files: looked up by name, read, and refused with file and line where they are damaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, model_validator

from conformance.checks.golden.order import KINDS, Malformed, Order
from conformance.checks.golden.sets import MEDIA_TYPE, PRESENT, Entry, GoldenSet, Stream
from conformance.checks.golden.shape import SCALARS, TYPES, Pointers, Shape
from conformance.core.documents import Written, with_lines
from conformance.core.fixtures import fixtures
from conformance.core.mistake import Mistake, nearest
from conformance.core.probe import Probe, encode
from conformance.core.reading.json import type_of
from conformance.core.requirement import Level, Reference

NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
"""What sets and their entries are called."""
SUFFIX = ".yaml"
DIRECTORY = "golden"
"""Where sets lie: in the fixtures, and beside targets.yaml."""
OPTION = "--conformance-golden"

JSON_TYPE = (("content-type", "application/json"),)


def shipped_directory() -> Path:
    """Where the sets of the suite itself lie."""
    return fixtures() / DIRECTORY


def is_path(wanted: str) -> bool:
    """Whether somebody who writes this means a file and not a name."""
    return "/" in wanted or "\\" in wanted or wanted.endswith((SUFFIX, ".yml"))


def known(base: Path) -> dict[str, Path]:
    """The files of all sets by name: those beside targets.yaml, and those of the suite, whose names are taken."""
    directories = (base / DIRECTORY, shipped_directory())
    return {path.stem: path for directory in directories for path in sorted(directory.glob(f"*{SUFFIX}"))}


def available(base: Path) -> list[GoldenSet]:
    """All sets that have a name. Raises Mistake where one of them is damaged."""
    return [read(path) for path in known(base).values()]


def find(wanted: str, base: Path, here: Path) -> GoldenSet:
    """The set with this name, or in this file. `base` is the directory of targets.yaml. Raises Mistake."""
    if is_path(wanted):
        path = (here / wanted).resolve()
        if not path.is_file():
            raise Mistake("there is no such file", where=f"{OPTION} {wanted}")
        return read(path)
    paths = known(base)
    if wanted not in paths:
        hint = nearest(wanted, paths)
        there = f"there are {', '.join(sorted(paths))}"
        raise Mistake(
            f"there is no golden set `{wanted}`{f' ({hint})' if hint else ''}; {there}",
            where=OPTION,
            fix=f"`pytest --target NAME --conformance-record-golden {wanted}` makes one from a target's answers",
        )
    return read(paths[wanted].resolve())


def read(path: Path) -> GoldenSet:
    """The set in a file. Raises Mistake with everything that is wrong with it, each with its line."""
    written, lines = with_lines(path, WrittenSet)
    if not NAME.fullmatch(path.stem):
        raise Mistake(f"the file {CALLED}", where=f"{path}:1")
    return GoldenSet(
        path.stem,
        written.origin,
        written.level or (Level.MUST if written.origin == "recorded" else Level.SHOULD),
        tuple(entry.made(name, lines.line_of_key(("answers", name))) for name, entry in written.answers.items()),
        masks=Pointers(written.masks),
        counted=Pointers(written.counted),
        headers=written.headers,
        about=written.about,
        made=written.made,
        path=path,
    )


CALLED = "must be called by small letters, digits, dots and dashes only"


def _must(fits: Callable[[str], object], message: str) -> AfterValidator:
    """Refuses text that does not fit."""

    def checked(text: str) -> str:
        if not fits(text):
            raise ValueError(message)
        return text

    return AfterValidator(checked)


def _types(text: str) -> frozenset[str]:
    """`string | null`."""
    words = frozenset(word.strip() for word in text.split("|"))
    for word in sorted(words.difference(TYPES)):
        hint = nearest(word, TYPES) or f"there are {', '.join(TYPES)}"
        raise ValueError(f"has the type `{word}`, which is none ({hint})")
    return words


def _short(value: Any) -> Any:
    """A shape that is only the names of its types, at full length; YAML takes null for nothing."""
    return value if isinstance(value, dict) else {"type": "null" if value is None else value}


class WrittenShape(Written):
    """A shape: its types, or a mapping that says more."""

    type: Annotated[str, AfterValidator(_types)] | None = None
    optional: StrictBool = False
    enum: tuple[Any, ...] | None = Field(None, min_length=1)
    members: Mapping[str, AnyShape] | None = None
    items: AnyShape | None = None
    count: Annotated[int, Field(strict=True, ge=0)] | None = None
    least: Annotated[int, Field(strict=True, ge=0)] | None = None

    @property
    def types(self) -> frozenset[str]:
        """Its types, as they are named or as the rest implies them."""
        if self.type is not None:
            return frozenset(self.type)
        types = {type_of(value) for value in self.enum or ()} | ({"object"} if self.members is not None else set())
        return frozenset(types | ({"array"} if {"items", "count", "least"} & self.model_fields_set else set()))

    @model_validator(mode="after")
    def _has_types(self) -> Self:
        if not self.types:
            raise ValueError("says nothing about its type")
        return self

    def made(self) -> Shape:
        """The shape."""
        return Shape(
            self.types,
            values=None if self.enum is None else tuple(value for value in self.enum if type_of(value) in SCALARS),
            members=None if self.members is None else {name: inner.made() for name, inner in self.members.items()},
            items=self.items.made() if self.items else None,
            count=self.count,
            least=self.least or 0,
            optional=self.optional,
        )


AnyShape = Annotated[WrittenShape, BeforeValidator(_short)]
Texts = Mapping[str, str]
Reasons = Mapping[
    Annotated[str, _must(lambda text: text.startswith("/"), "is no pointer: it begins with a slash")], str
]
Named = Annotated[str, _must(NAME.fullmatch, CALLED)]


class WrittenProbe(Written):
    """A probe as `Probe.to_json` has it, with its body as a JSON value, or as text where it is exactly that."""

    path: str
    method: str = "POST"
    headers: Texts | tuple[tuple[str, str], ...] | None = None
    body: Any = None
    hex: str | None = None
    auth: str = "key"
    leave: Mapping[str, Any] | None = None
    nth: int = 0
    pause: float = 0.0
    line: str = ""

    @property
    def probe(self) -> Probe:
        """The probe. Raises KeyError, TypeError or ValueError where it makes no sense."""
        value = self.model_dump(exclude_none=True)
        headers = self.headers if self.headers is not None else dict(JSON_TYPE) if self.method == "POST" else {}
        value["headers"] = list(headers.items()) if isinstance(headers, Mapping) else headers
        if self.body is not None and not isinstance(self.body, str):
            value["body"] = encode(self.body).decode()
        return Probe.from_json(value)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        try:
            self.probe  # noqa: B018  - it raises
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"is no probe: {problem}") from None
        return self


def _order(text: Any) -> Order:
    try:
        return Order(str(text))
    except Malformed as problem:
        raise ValueError(f"is no order of events: {problem}") from None


class WrittenStream(Written):
    """What a stream looks like."""

    order: Annotated[Order, BeforeValidator(_order)]
    chunks: Mapping[Annotated[str, _must(KINDS.__contains__, f"is no kind of event: {', '.join(KINDS)}")], AnyShape] = (
        Field(default_factory=dict)
    )

    def made(self) -> Stream:
        """The stream."""
        return Stream(self.order, {kind: shape.made() for kind, shape in self.chunks.items()})


class WrittenSource(Written):
    """Where it is known from."""

    document: str
    section: str
    url: str
    quote: str

    def made(self) -> Reference:
        """The reference."""
        return Reference(self.document, self.section, self.url, self.quote, "contract")


STATUS = re.compile(r"[1-5]([0-9]{2}|xx)")


class WrittenEntry(Written):
    """One probe, and what its answer looks like."""

    about: str
    source: WrittenSource | None = None
    requires: tuple[str, ...] = ()
    probe: WrittenProbe
    status: Annotated[
        str, BeforeValidator(str), _must(STATUS.fullmatch, "must be a status such as 200, or a class such as 4xx")
    ]
    headers: Texts = Field(default_factory=dict)
    body: AnyShape | None = None
    stream: WrittenStream | None = None

    @model_validator(mode="after")
    def _headers_are_present(self) -> Self:
        for name, value in self.headers.items():
            if name != MEDIA_TYPE and value != PRESENT:
                raise ValueError(f"has the header {name}, of which the value must be `{PRESENT}`")
        return self

    def made(self, name: str, line: int) -> Entry:
        """The entry."""
        return Entry(
            name, self.about, self.probe.probe, self.status, self.headers,
            body=self.body.made() if self.body else None,
            stream=self.stream.made() if self.stream else None,
            requires=self.requires,
            source=self.source.made() if self.source else None,
            line=line,
        )  # fmt: skip


class WrittenSet(Written):
    """The whole file."""

    origin: Literal["documented", "recorded"]
    level: Level | None = None
    about: str = ""
    made: Mapping[str, Any] = Field(default_factory=dict)
    masks: Reasons = Field(default_factory=dict)
    counted: Reasons = Field(default_factory=dict)
    headers: Texts = Field(default_factory=dict)
    parts: Mapping[str, AnyShape] = Field(default_factory=dict)
    """Shapes that answers share, by aliases."""
    answers: Mapping[Named, WrittenEntry] = Field(min_length=1)
