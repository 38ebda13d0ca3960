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


@cache
def catalogue() -> dict[str, Check]:
    """Every shipped check by id. Raises TypeError where two have the same id."""
    found: dict[str, Check] = {}
    for module, checks in shipped().items():
        for one in checks:
            if found.setdefault(one.id, one) is not one:
                raise TypeError(f"two checks are called {one.id}: the second is in {module}")
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
