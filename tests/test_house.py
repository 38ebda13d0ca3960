"""The house: fourteen wings on seven layers, what each may import, and no circle anywhere. A new file needs no line here."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "conformance"

# Each wing, lowest first, and the wings that it may import.
WINGS: Mapping[str, str] = {
    "core": "",
    "judging": "core",
    "targets": "core",
    "probes": "core",
    "evidence": "core",
    "reference": "core",
    "checks": "judging probes core",
    "transport": "targets evidence reference core",
    "analysis": "evidence checks core",
    "runner": "analysis transport evidence checks probes targets judging reference core",
    "report": "analysis evidence core",
    "doctor": "runner transport targets evidence checks core",
    "plugin": "report runner analysis evidence checks targets core",
    "cli": "core judging targets probes evidence reference checks transport analysis runner report doctor",
}
TOP = ("conformance", "conformance.__main__")
"""The public face, and `python -m conformance`."""


def named(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {named(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, for types or inside functions, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper in MODULES else node.module


def wing(module: str) -> str:
    """The wing that a module of the package is in."""
    return module.split(".")[1] if "." in module else ""


def test_every_module_is_in_a_wing() -> None:
    """There is no corridor: every module but the public face lies in one of the wings."""
    assert {name for name in MODULES if wing(name) not in WINGS} == set(TOP)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in TOP])
def test_a_wing_imports_what_it_may(name: str) -> None:
    """A module imports from its own wing, and from those that the table allows."""
    allowed = {wing(name), *WINGS[wing(name)].split()}
    others = {other for other in imported(MODULES[name]) if other.partition(".")[0] == "conformance"}
    assert {other for other in others if wing(other) not in allowed} == set()


def test_there_is_no_circle() -> None:
    """Modules import each other in no circle, inside a wing or across."""
    graph = {name: {other for other in imported(path) if other in MODULES} for name, path in MODULES.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


@pytest.mark.parametrize("start", ["import conformance.plugin.options", "import conformance.cli.main as m; m.parser()"])
def test_what_starts_fast_imports_nothing_slow(start: str) -> None:
    """`conformance --help`, and pytest without `--target`, wait for no models of files and no strategies that they do not use."""
    code = f"{start}; import sys; sys.exit(not {{'pydantic', 'hypothesis'}}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", MODULES)
def test_only_the_plugin_knows_pytest(name: str) -> None:
    """pytest is imported in `plugin/` alone, and its private parts nowhere."""
    roots = {other.partition(".")[0] for other in imported(MODULES[name])}
    assert "_pytest" not in roots
    assert "pytest" not in roots or wing(name) == "plugin"
