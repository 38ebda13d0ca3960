"""What was asked for on pytest's command line, typed. The options themselves are declared in `options.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Options:
    """What was asked for on pytest's command line."""

    here: Path
    """The folder that the command runs in."""
    target: tuple[str, ...] = ()
    baseline: str = ""
    fail_on: str = "any"
    targets_file: str = ""
    profile: str = ""
    dry_run: bool = False
    resume: tuple[str, ...] = ()
    reports: str = ""
    golden: tuple[str, ...] = ()
    record_golden: str = ""
    traffic: tuple[str, ...] = ()
    migration: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: pytest.Config) -> Options:
        """The options of a run."""

        def value(name: str) -> Any:
            found = config.getoption("target" if name == "target" else f"conformance_{name}")
            return tuple(found) if isinstance(found, list) else found or getattr(cls, name)

        names = [name for name in cls.__dataclass_fields__ if name != "here"]
        return cls(config.invocation_params.dir, **{name: value(name) for name in names})

    @property
    def strict(self) -> bool:
        """Whether violated SHOULDs and MAYs fail, too."""
        return "should" in self.fail_on

    @property
    def fails(self) -> str:
        """What fails the run, apart from strictness: `new`, `any` or `never`."""
        words = self.fail_on.split(",")
        return words[0] if words[0] in ("new", "never") else "new" if "new" in words else "any"
