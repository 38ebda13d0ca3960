"""The house has floors: a module imports only from floors below its own, and nothing below floor 12 knows pytest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "conformance"

FLOORS: dict[int, str] = {
    1: "amazon bearer data mistake requirement reading.sse reading.json reading.place secret",
    2: "kinds probe quantity reading.message",
    3: "reading.calls exchange finding target reference.answer",
    4: "golden.shape golden.order probes.* check guard journal curl refusal verdict configuration.*",
    5: "patience spending recording judgement checks.* golden.volatile",
    6: "har plan report.* search transport.* coverage",
    7: "merging collector estimate resume github history baseline_file reference.* parameters",
    8: "nights golden.* matrix reaching deviations client",
    9: "preflight",
    10: "trial needs impact traffic.*",
    11: "differential session sagemaker allure baseline",
    12: "parting migration.* reporting runs items spread overview doctor.*",
    13: "migrating terminal interrupts",
    14: "prepare",
    15: "hooks commands.*",
    16: "plugin cli",
    17: "__main__",
}
"""Lowest first. `package.*` is a room: modules in it may use each other, downstairs only as the room's own imports go."""

FREE = {
    "conformance",
    "checks",
    "configuration",
    "doctor",
    "probes",
    "commands",
    "reading",
    "reference",
    "reference.faults",
    "transport",
}
"""Packages that hold names only. The public face re-exports from where they live."""

PYTEST_FROM = 12
LATE = {("plugin", "hooks"), ("plugin", "spread"), ("reference.fault", "reference.faults")}
"""Imported inside a function, when it is needed."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package, by its name without `conformance.`."""
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        yield ".".join(parts) or "conformance", path


def floor(name: str) -> tuple[int, str]:
    """The floor of a module, and the pattern that says so."""
    for number, names in FLOORS.items():
        for one in names.split():
            if name == one or (one.endswith(".*") and (name + ".").startswith(one[:-1])):
                return number, one
    raise AssertionError(f"{name} lives on no floor: add it to FLOORS")


def imports(path: Path) -> Iterator[str]:
    """The modules of the package that a file imports, for types or inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            base = node.module or ""
            deeper = [f"{base}.{alias.name}" for alias in node.names]
            exists = [one for one in deeper if (HOUSE.parent / one.replace(".", "/")).with_suffix(".py").exists()]
            names = exists or [base]
        else:
            continue
        for name in names:
            if name == "conformance" or name.startswith("conformance."):
                yield name.removeprefix("conformance.")


@pytest.mark.parametrize(("name", "path"), [pytest.param(*one, id=one[0]) for one in modules()])
def test_imports_run_downstairs(name: str, path: Path) -> None:
    """A module imports only from floors below its own, or from its own room."""
    if name in FREE:
        return
    own, room = floor(name)
    for imported in imports(path):
        if imported in FREE or (name, imported) in LATE:
            continue
        other, other_room = floor(imported)
        assert other < own or (room.endswith(".*") and room == other_room), (
            f"{name} (floor {own}) imports {imported} (floor {other})"
        )


@pytest.mark.parametrize(("name", "path"), [pytest.param(*one, id=one[0]) for one in modules()])
def test_only_the_top_knows_pytest(name: str, path: Path) -> None:
    """Nothing below the items imports pytest, and nothing anywhere imports its private parts."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for one in names:
            assert not one.startswith("_pytest"), f"{name} imports {one}"
            if one.split(".")[0] == "pytest":
                assert name in ("plugin",) or floor(name)[0] >= PYTEST_FROM, f"{name} imports pytest"


def test_reports_know_neither_checks_nor_transports() -> None:
    """A report must read old runs of checks that no longer exist."""
    for name, path in modules():
        if name.startswith("report"):
            if name == "reporting":
                continue
            for imported in imports(path):
                assert not imported.startswith(("check", "transport", "collector")), f"{name} imports {imported}"
