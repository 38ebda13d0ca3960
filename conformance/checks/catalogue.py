"""The checks that there are: those that ship with the suite, and those of a file of somebody's own."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from conformance.core.check import Check
from conformance.core.mistake import Mistake


def checks_of(module: ModuleType) -> Iterator[Check]:
    """The checks that a module defines, in the order of its lines: each by its name, or several in a tuple."""
    for value in vars(module).values():
        if isinstance(value, Check):
            yield value
        elif isinstance(value, tuple):
            yield from (one for one in value if isinstance(one, Check))


@cache
def shipped() -> dict[str, tuple[Check, ...]]:
    """The shipped checks by the name of their module, in `conformance/checks/`."""
    package = importlib.import_module("conformance.checks")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: tuple(checks_of(importlib.import_module(f"{package.__name__}.{name}"))) for name in names}


FORMER = {
    "completion_requests": "completions_requests", "completion_streams": "completions_streams",
    "embedding_requests": "embeddings_requests", "error_shape": "errors_shape", "gateway_after": "gateway_answers",
    "invalid": "errors_invalid", "keywords": "structured_keywords", "limits": "sampling_limits", "load": "timing_load",
    "metadata": "http_metadata", "more_chat": "chat_text", "more_http": "http", "more_models": "models",
    "more_multimodal": "multimodal_harm", "more_parameters": "parameters_hints", "more_services": "parameters_services",
    "more_stream": "stream", "more_tools": "tools_legacy", "streaming": "stream", "tool_arguments": "tools_arguments",
    "tool_definitions": "tools_definitions", "tool_streaming": "tool_stream",
}  # fmt: skip
"""Names that files of checks had in version 0.1, in which node ids were made of them."""


@cache
def areas() -> dict[str, tuple[Check, ...]]:
    """The shipped checks by their area, which node ids are made of, whatever file they are in."""
    found: dict[str, list[Check]] = {}
    for check in catalogue().values():
        found.setdefault(check.area, []).append(check)
    return {area: tuple(found[area]) for area in sorted(found)}


def room(name: str) -> tuple[str, ...]:
    """The ids of the checks that a name stands for: of an area, or of a file of checks, as it is called or was; else none."""
    checks = areas().get(name) or shipped().get(FORMER.get(name, name), ())
    return tuple(check.id for check in checks)


@cache
def catalogue() -> dict[str, Check]:
    """Every shipped check by id. Raises TypeError where two have the same id."""
    found: dict[str, Check] = {}
    for module, checks in shipped().items():
        for check in checks:
            if found.setdefault(check.id, check) is not check:
                raise TypeError(f"two checks are called {check.id}: the second is in {module}")
    return found


def load(path: Path) -> tuple[Check, ...]:
    """The checks of a file of somebody's own. Raises Mistake where the file cannot be imported."""
    name = f"conformance_own_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise Mistake("this file cannot be imported as Python", where=str(path))
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except Exception as problem:
        raise Mistake(f"cannot be imported: {type(problem).__name__}: {problem}", where=str(path)) from problem
    return tuple(checks_of(module))
