"""YAML with line numbers: text -> plain data, and the line of everything in it.

Scalars stay the text they are (`8000`, `yes`, `2027-01-31`), because what they mean is for their reader to say. Nothing
is constructed, so no tag can run code; aliases and `<<` are followed without being copied, so no bomb can grow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]
"""Where something is: `("targets", "openai", "launch", "args", 0)`."""

_Reader = Callable[[yaml.ScalarNode], Any]

_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset(
    _STANDARD + each for each in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map", "merge", "value")
)
_MERGE = _STANDARD + "merge"

# In YAML the braces of ${VAR} end a value inside { }, so that `{key: ${KEY}}`, which everybody writes, is an error.
# For the parser they become characters of private use, one for one: columns stay what they are.
_BRACES = {"{": "\ue000", "}": "\ue001"}
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Problem:
    """Something in the text that cannot be read: where it is, on which line, and what to write instead."""

    path: Path
    line: int
    message: str


class Unreadable(Exception):
    """The text is not YAML: its one Problem."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem((), line, message)


@dataclass(frozen=True)
class Scalar:
    """One text of the document, a key or a value."""

    path: Path
    line: int
    text: str


class Document:
    """A YAML document. `data` is it as dicts, lists, texts and None; `problems` is what was wrong on the way."""

    def __init__(self, text: str) -> None:
        """Raises Unreadable."""
        self.problems: list[Problem] = []
        self._pairs: dict[int, list[tuple[yaml.ScalarNode, yaml.Node]]] = {}
        try:
            self._root = _compose(text)
            self.data = self._converted(self._root, (), _as_text, {})
        except RecursionError:
            raise Unreadable(1, "is nested too deeply") from None

    def typed(self, path: Path) -> Any:
        """What is at the path, with numbers and booleans as such instead of text."""
        return self._converted(self._at(path), path, _as_typed, {})

    def line(self, path: Path) -> int:
        """The line of the value at the path, or of the nearest thing around it that is there."""
        return _line(self._at(path))

    def line_of_key(self, path: Path) -> int:
        """The line of the key that the path ends with; for an item of a list, its own."""
        if not path:
            return 1
        around = self._at(path[:-1])
        for key, _ in self._pairs.get(id(around), ()):
            if _text(key) == path[-1]:
                return _line(key)
        return self.line(path)

    def scalars(self) -> Iterator[Scalar]:
        """Every key and value once, comments excepted."""
        seen: set[int] = set()
        waiting: list[tuple[Path, yaml.Node]] = [((), self._root)]
        while waiting:
            path, node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.ScalarNode):
                yield Scalar(path, _line(node), _text(node))
            elif isinstance(node, yaml.SequenceNode):
                waiting += [((*path, index), each) for index, each in enumerate(node.value)]
            else:
                for key, value in node.value:
                    inside = (*path, _text(key)) if isinstance(key, yaml.ScalarNode) else path
                    waiting += [(inside, key), (inside, value)]

    def _at(self, path: Path) -> yaml.Node:
        node = self._root
        for step in path:
            if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            elif found := [value for key, value in self._pairs.get(id(node), ()) if _text(key) == step]:
                node = found[0]
            else:
                break
        return node

    def _converted(self, node: yaml.Node, path: Path, scalar: _Reader, done: dict[int, Any]) -> Any:
        if id(node) in done:
            if done[id(node)] is _UNFINISHED:
                self._report(path, node, "contains itself")
                return None
            return done[id(node)]
        if node.tag not in _TAGS:
            self._report(path, node, "has a YAML tag (!...), which means nothing here: leave it out")
        done[id(node)] = _UNFINISHED
        result: Any
        if isinstance(node, yaml.ScalarNode):
            result = scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            result = [self._converted(each, (*path, i), scalar, done) for i, each in enumerate(node.value)]
        else:
            pairs = self._entries(node, path)
            result = {_text(k): self._converted(v, (*path, _text(k)), scalar, done) for k, v in pairs}
        done[id(node)] = result
        return result

    def _entries(self, node: yaml.Node, path: Path) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """Keys and values of a mapping, those of `<<` after its own."""
        if id(node) in self._pairs:
            return self._pairs[id(node)]
        self._pairs[id(node)] = own = []
        first_lines: dict[str, int] = {}
        merged: list[yaml.Node] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._report(path, key, "has a key that is not plain text")
            elif key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif (name := _text(key)) in first_lines:
                self._report((*path, name), key, f"is there twice, first on line {first_lines[name]}: keep one")
            else:
                first_lines[name] = _line(key)
                own.append((key, value))
        for each in merged:
            if not isinstance(each, yaml.MappingNode):
                self._report(path, each, "has a << that is not followed by a mapping")
                continue
            for key, value in list(self._entries(each, path)):
                if _text(key) not in first_lines:
                    first_lines[_text(key)] = _line(key)
                    own.append((key, value))
        return own

    def _report(self, path: Path, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(path, _line(node), message))


_UNFINISHED = object()


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _text(node: yaml.Node) -> str:
    return str(node.value).translate({ord(stand_in): brace for brace, stand_in in _BRACES.items()})


def _as_text(node: yaml.ScalarNode) -> str | None:
    return None if node.tag == _STANDARD + "null" else _text(node)


def _as_typed(node: yaml.ScalarNode) -> Any:
    text = _text(node)
    try:
        match node.tag.removeprefix(_STANDARD):
            case "null":
                return None
            case "bool":
                return text.casefold() in ("yes", "true", "on")
            case "int":
                return int(text.replace("_", ""))
            case "float":
                return float(text.replace("_", ""))
    except ValueError:
        pass  # an octal, hexadecimal or sexagesimal number: more likely meant as text
    return text


def _compose(text: str) -> yaml.Node:
    stand_ins = _VARIABLE.sub(lambda found: f"${_BRACES['{']}{found[1]}{_BRACES['}']}", text)
    try:
        root = yaml.compose(stand_ins, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        raise Unreadable(line, f"has a control character in it (U+{_code(problem.character):04X})") from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, _in_words(problem)) from None
    except (yaml.YAMLError, ValueError, OverflowError):  # the last two from an escape that is no character
        raise Unreadable(1, "is not YAML") from None
    if root is None:
        raise Unreadable(1, "is empty")
    return root


def _code(character: object) -> int:
    return character if isinstance(character, int) else ord(str(character)[:1] or "\0")


def _in_words(error: yaml.MarkedYAMLError) -> str:
    """What the parser says, without what it quotes: that may be a secret."""
    said = " ".join(filter(None, (error.context, error.problem)))
    if "'\\t'" in said:
        return "is not YAML: there is a tab here; indent with spaces"
    if "single document" in said:
        return "has several YAML documents (---); put all targets into one"
    if "mapping values are not allowed" in said:
        return "is not YAML: a second `:` on one line; quote the value, or mend the indentation"
    if "undefined alias" in said:
        return "is not YAML: a value that starts with * is an alias, and there is no such anchor; quote it"
    quiet = re.sub(r"'(?!<)[^']{2,}'|\"(?!<)[^\"]{2,}\"", "...", said)
    return f"is not YAML: {quiet}" if quiet else "is not YAML"
