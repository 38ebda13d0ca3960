"""The codes of a check's findings, with their messages: read off the source of its judge and of all that the judge uses.

Nothing is run: the first two arguments of every `Finding(...)` are literals, so its source says what a check can find.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache, partial
from inspect import getclosurevars
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from conformance.core.check import Check
from conformance.core.finding import Finding
from conformance.judging import judge

Code = tuple[str, str]
"""A code and its message."""
CLAIMED = (judge.gate, judge.read)
"""What finds that a target refuses what it claims, whatever the check is."""


def codes(check: Check) -> Mapping[str, str]:
    """The messages of the findings that a check can make, by code; "" is among them where one is not written as a literal."""
    return dict(all_codes(check))


def all_codes(check: Check) -> Iterator[Code]:
    """The same, each as often as it is written."""
    for function in (check.judge, check.given):
        yield from _codes(function, function.__module__ if function else "", set())
    for rule in CLAIMED if check.requires else ():
        yield from _written(rule)


def _codes(value: Any, home: str, seen: set[int]) -> Iterator[Code]:
    """Those of a value, if it is a finding, holds some, or is a function that makes some."""
    if id(value) in seen:
        return
    seen.add(id(value))
    match value:
        case Finding(code, message):
            yield code, message
        case partial():
            yield from _codes((value.func, *value.args, *value.keywords.values()), home, seen)
        case Mapping():
            yield from _codes(tuple(value.values()), home, seen)
        case tuple() | list() | set() | frozenset():
            for item in value:
                yield from _codes(item, home, seen)
        case FunctionType() if value.__module__ == home or value.__module__.startswith("conformance."):
            yield from _written(value)
            for used in _used(value):
                yield from _codes(used, home, seen)


@cache
def _written(function: FunctionType) -> tuple[Code, ...]:
    """The findings that are written out in a function."""
    found = []
    for node in ast.walk(_node(function)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Finding.__name__:
            code, message = (arg.value if isinstance(arg, ast.Constant) else "" for arg in (*node.args, *NONE)[:2])
            found.append((str(code), str(message)))
    return tuple(found)


NONE = (ast.Constant(""), ast.Constant(""))


@cache
def _used(function: FunctionType) -> tuple[Any, ...]:
    """What the names in a function stand for: of its module, of modules that it imports, and of the functions around it."""
    found = []
    around = {**function.__globals__, **getclosurevars(function).nonlocals}
    for part in ast.walk(_node(function)):
        match part:
            case ast.Name(name) if name in around:
                found.append(around[name])
            case ast.Attribute(ast.Name(name), attribute) if isinstance(around.get(name), ModuleType):
                found.append(getattr(around[name], attribute, None))
    return tuple(found)


def _node(function: FunctionType) -> ast.AST:
    """The function in the source of its file; an empty module where there is none."""
    code = function.__code__
    return _nodes(code.co_filename).get((code.co_firstlineno, code.co_name), ast.Module([], []))


@cache
def _nodes(file: str) -> Mapping[tuple[int, str], ast.AST]:
    """The functions of a file, by line and name."""
    path = Path(file)
    found: dict[tuple[int, str], ast.AST] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else ():
        match node:
            case ast.FunctionDef(name):
                first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
                found[first, name] = node
            case ast.Lambda():
                found[node.lineno, "<lambda>"] = node
    return found
