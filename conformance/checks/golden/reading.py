"""Golden sets from files: looked up by name, read, and refused with file and line where they are damaged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from conformance.checks.golden.order import KINDS, Malformed, Order
from conformance.checks.golden.sets import MEDIA_TYPE, PRESENT, Entry, GoldenSet, Stream
from conformance.checks.golden.shape import SCALARS, TYPES, Pointers, Shape
from conformance.core.fixtures import fixtures
from conformance.core.mistake import Mistake, nearest, together
from conformance.core.probe import Probe, encode
from conformance.core.reading.json import type_of
from conformance.core.requirement import Level, Reference
from conformance.core.yaml_lines import Document, Unreadable

NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
"""What sets and their entries are called."""
SUFFIX = ".yaml"
DIRECTORY = "golden"
"""Where sets lie: in the fixtures, and beside targets.yaml."""
OPTION = "--conformance-golden"

JSON_TYPE = (("content-type", "application/json"),)
Place = tuple[str | int, ...]


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
    try:
        text = path.read_text(encoding="utf-8")
        document = Document(text)
        data = document.typed(())
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"cannot be read: {error}", where=str(path)) from None
    except Unreadable as error:
        where = f"{path}:{error.problem.line}"
        raise Mistake(f"is damaged: it {error.problem.message}", where=where) from None
    reader = _Reader(document, path)
    found = reader.whole(data)
    for problem in dict.fromkeys(document.problems):
        reader.wrong(problem.path, problem.message)
    mistakes = sorted(reader.mistakes, key=lambda one: int(one.where.rpartition(":")[2]))
    if mistakes:
        raise together(mistakes, where=str(path))
    return found


class _Reader:
    """Makes values of what a file says, and keeps what it cannot make sense of."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document = document
        self.path = path
        self.mistakes: list[Mistake] = []
        self._told: set[tuple[int, Place, str]] = set()

    def wrong(self, place: Place, message: str) -> None:
        line = self.document.line_of_key(place)
        if (line, place[-1:], message) in self._told:
            return  # the same words again, by an alias
        self._told.add((line, place[-1:], message))
        where = f"{self.path}:{line}"
        self.mistakes.append(Mistake(f"{'.'.join(map(str, place)) or 'the file'} {message}", where=where))

    def mapping(self, value: Any, place: Place, keys: Iterable[str] = (), needed: Iterable[str] = ()) -> dict[str, Any]:
        """A mapping with these keys only (any, where none are given), and all of the needed ones."""
        if not isinstance(value, dict):
            self.wrong(place, "must be a mapping")
            return {}
        allowed = tuple(keys)
        for key in value if allowed else ():
            if key not in allowed:
                hint = nearest(key, allowed) or f"there are {', '.join(allowed)}"
                self.wrong((*place, key), f"is no key here ({hint})")
        for key in needed:
            if value.get(key) is None:
                self.wrong(place, f"has no `{key}`")
        return value

    def text(self, value: Any, place: Place) -> str:
        if isinstance(value, str):
            return value
        if value is not None:
            self.wrong(place, "must be text")
        return ""

    def texts(self, value: Any, place: Place) -> dict[str, str]:
        """A mapping from names to texts."""
        return {name: self.text(one, (*place, name)) for name, one in self.mapping(value or {}, place).items()}

    def whole(self, data: Any) -> GoldenSet:
        keys = ("origin", "level", "about", "made", "masks", "counted", "headers", "parts", "answers")
        data = self.mapping(data, (), keys, needed=("origin", "answers"))
        name = self.path.stem
        if not NAME.fullmatch(name):
            self.wrong((), "must be called by small letters, digits, dots and dashes only")
        origin = data.get("origin", "recorded")
        if origin not in ("documented", "recorded"):
            self.wrong(("origin",), "must be documented or recorded")
        level = data.get("level", "MUST" if origin == "recorded" else "SHOULD")
        if level not in Level.__members__:
            self.wrong(("level",), f"must be one of {', '.join(Level.__members__)}")
        for part, shape in self.mapping(data.get("parts") or {}, ("parts",)).items():
            self.shape(shape, ("parts", part))
        answers = self.mapping(data.get("answers") or {}, ("answers",))
        if not answers and not self.mistakes:
            self.wrong(("answers",), "is empty")
        return GoldenSet(
            name,
            origin,
            Level.__members__.get(str(level), Level.SHOULD),
            tuple(self.entry(one, value) for one, value in answers.items()),
            masks=self.pointers(data.get("masks"), ("masks",)),
            counted=self.pointers(data.get("counted"), ("counted",)),
            headers=self.texts(data.get("headers"), ("headers",)),
            about=self.text(data.get("about"), ("about",)),
            made=self.mapping(data.get("made") or {}, ("made",)),
            path=self.path,
        )

    def pointers(self, value: Any, place: Place) -> Pointers:
        reasons = self.texts(value, place)
        for one in reasons:
            if not one.startswith("/"):
                self.wrong((*place, one), "is no pointer: it begins with a slash")
        return Pointers(reasons)

    def entry(self, name: str, data: Any) -> Entry:
        place: Place = ("answers", name)
        keys = ("about", "source", "requires", "probe", "status", "headers", "body", "stream")
        data = self.mapping(data, place, keys, needed=("about", "probe", "status"))
        if not NAME.fullmatch(name):
            self.wrong(place, "must be called by small letters, digits, dots and dashes only")
        status = str(data.get("status", 200))
        if not re.fullmatch(r"[1-5]([0-9]{2}|xx)", status):
            self.wrong((*place, "status"), "must be a status such as 200, or a class such as 4xx")
        requires = data.get("requires") or []
        if not isinstance(requires, list) or not all(isinstance(one, str) for one in requires):
            self.wrong((*place, "requires"), "must be a list of capabilities")
            requires = []
        headers = self.texts(data.get("headers"), (*place, "headers"))
        for header, value in headers.items():
            if header != MEDIA_TYPE and value != PRESENT:
                self.wrong((*place, "headers", header), f"must be `{PRESENT}`")
        return Entry(
            name,
            self.text(data.get("about"), (*place, "about")),
            self.probe(data.get("probe"), (*place, "probe")),
            status,
            headers,
            self.shape(data["body"], (*place, "body")) if data.get("body") is not None else None,
            self.stream(data["stream"], (*place, "stream")) if data.get("stream") is not None else None,
            tuple(requires),
            self.source(data["source"], (*place, "source")) if data.get("source") is not None else None,
            self.document.line_of_key(place),
        )

    def source(self, value: Any, place: Place) -> Reference:
        keys = ("document", "section", "url", "quote")
        parts = self.mapping(value, place, keys, needed=keys)
        document, section, url, quote = (self.text(parts.get(key), (*place, key)) for key in keys)
        return Reference(document, section, url, quote, "contract")

    def probe(self, value: Any, place: Place) -> Probe:
        """The probe as `Probe.to_json` has it, with its body as a JSON value, or as text where it is exactly that."""
        keys = ("method", "path", "headers", "body", "hex", "auth", "leave", "nth", "pause", "line")
        given = dict(self.mapping(value, place, keys, needed=("path",)))
        try:
            given.setdefault("method", "POST")
            headers = given.get("headers", dict(JSON_TYPE) if given["method"] == "POST" else {})
            given["headers"] = list(headers.items()) if isinstance(headers, dict) else headers
            if "body" in given and not isinstance(given["body"], str):
                given["body"] = encode(given["body"]).decode()
            return Probe.from_json(given)
        except (KeyError, TypeError, ValueError) as problem:
            if not self.mistakes:
                self.wrong(place, f"is no probe: {problem}")
            return Probe("")

    def stream(self, value: Any, place: Place) -> Stream:
        parts = self.mapping(value, place, ("order", "chunks"), needed=("order",))
        chunks = self.mapping(parts.get("chunks") or {}, (*place, "chunks"), tuple(KINDS))
        shapes = {kind: self.shape(shape, (*place, "chunks", kind)) for kind, shape in chunks.items()}
        try:
            order = Order(self.text(parts.get("order"), (*place, "order")))
        except Malformed as problem:
            self.wrong((*place, "order"), f"is no order of events: {problem}")
            order = Order("done")
        return Stream(order, shapes)

    def shape(self, value: Any, place: Place) -> Shape:
        """A shape: the names of its types, or a mapping that says more."""
        if not isinstance(value, dict):
            return Shape(self.types(value, place))
        keys = ("type", "optional", "enum", "members", "items", "count", "least")
        given = self.mapping(value, place, keys)
        for key, fits in _FORMS.items():
            if key in given and not fits(given[key]):
                self.wrong((*place, key), "has not the form that it must have here")
        enum = given.get("enum") if isinstance(given.get("enum"), list) else None
        members = given.get("members") if isinstance(given.get("members"), dict) else None
        if given.get("type") is not None:
            types = self.types(given["type"], (*place, "type"))
        else:
            types = frozenset(type_of(one) for one in enum or ())
            types |= {"object"} if members is not None else set()
            types |= {"array"} if {"items", "count", "least"} & given.keys() else set()
            if not types:
                self.wrong(place, "says nothing about its type")
        values = tuple(one for one in enum if type_of(one) in SCALARS) if enum is not None else None
        if members is not None:
            members = {name: self.shape(one, (*place, "members", name)) for name, one in members.items()}
        return Shape(
            types,
            values=values,
            members=members,
            items=self.shape(given["items"], (*place, "items")) if given.get("items") is not None else None,
            count=given["count"] if _is_number(given.get("count")) else None,
            least=given["least"] if _is_number(given.get("least")) else 0,
            optional=given.get("optional") is True,
        )

    def types(self, value: Any, place: Place) -> frozenset[str]:
        """`string | null`, or null itself, which YAML takes for nothing."""
        words = ["null"] if value is None else [word.strip() for word in str(value).split("|")]
        for word in words:
            if word not in TYPES:
                hint = nearest(word, TYPES) or f"there are {', '.join(TYPES)}"
                self.wrong(place, f"has the type `{word}`, which is none ({hint})")
        return frozenset(words)


def _is_number(value: Any) -> bool:
    return type_of(value) == "integer" and bool(value >= 0)


_FORMS: dict[str, Callable[[Any], bool]] = {
    "optional": lambda value: isinstance(value, bool),
    "enum": lambda value: isinstance(value, list) and value != [],
    "members": lambda value: isinstance(value, dict),
    "count": _is_number,
    "least": _is_number,
}
