"""Files of data as typed values: YAML, read up to a size, validated by a pydantic model; every mistake with its file and line.

Not for `import` by what starts fast (`conformance --help`, pytest without `--target`): pydantic is slow to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from conformance.core.fixtures import fixture
from conformance.core.mistake import Mistake, nearest, together
from conformance.core.yaml_lines import Document, Unreadable

LARGEST = 4 * 2**20
"""Bytes. What people write and read has a tenth of it."""

T = TypeVar("T")


class Written(BaseModel):
    """A mapping that somebody writes: no unknown keys, and a key without a value is a key not written."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {k: v for k, v in data.items() if v is not None or k not in cls.model_fields}


def document(path: Path, kind: type[T]) -> T:
    """The file as a value of this type. Raises Mistake with all that is wrong with it."""
    return with_lines(path, kind)[0]


def with_lines(path: Path, kind: type[T]) -> tuple[T, Document]:
    """The same, with the document that says on which line something is."""
    where, text = str(path), text_of(path)
    try:
        lines = Document(text)
        value = lines.typed(())
    except Unreadable as unreadable:
        raise Mistake(unreadable.problem.message, where=f"{where}:{unreadable.problem.line}") from None
    except RecursionError:
        raise Mistake("is nested too deeply", where=where) from None
    wrong = dict.fromkeys((problem.path, problem.message) for problem in lines.problems)
    try:
        made = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        wrong |= dict.fromkeys(_in_words(each, kind) for each in error.errors(include_url=False))
    if wrong:
        placed = sorted((lines.line_of_key(place), _named(place), message) for place, message in wrong)
        raise together([Mistake(f"{name} {said}", where=f"{where}:{line}") for line, name, said in placed], where=where)
    return made, lines


def shipped(name: str, kind: type[T]) -> T:
    """One of the fixtures: the same, sooner."""
    return TypeAdapter(kind).validate_python(fixture(name))


def _named(place: tuple[str | int, ...]) -> str:
    return ".".join(map(str, place)) or "the file"


def text_of(path: Path, where: str = "", largest: int = LARGEST, hint: str = "") -> str:
    """The text of a file, which messages call `where`. Raises Mistake for one that is too large, for which there is a `hint`."""
    where = where or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(largest + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "it has no possible name"
        raise Mistake(f"cannot be read: {reason}", where=where) from None
    if len(raw) > largest:
        raise Mistake(f"is larger than {largest >> 20} MiB{hint}", where=where)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise Mistake("is not UTF-8: save it in that encoding", where=f"{where}:{line}") from None


def _in_words(error: ErrorDetails, kind: Any) -> tuple[tuple[str | int, ...], str]:
    """Where a mistake is, and what it is."""
    place = tuple(step for step in error["loc"] if step != "[key]")
    match error["type"]:
        case "missing":
            return place[:-1], f"has no `{place[-1]}`"
        case "extra_forbidden":
            beside = [each for each in Written.__subclasses__() if each.__module__ == kind.__module__]
            hint = nearest(str(place[-1]), {name for each in beside for name in each.model_fields})
            return place, f"is no key here{f' ({hint})' if hint else ''}"
        case "value_error":
            return place, str(error["ctx"]["error"])
        case "model_type" | "dict_type" | "mapping_type" | "model_attributes_type":
            return place, "must be a mapping"
        case "list_type" | "tuple_type":
            return place, "must be a list"
        case "string_type":
            return place, "must be text"
        case "recursion_loop":
            return place, "contains itself"
    return place, error["msg"].replace("Input should be", "must be")
