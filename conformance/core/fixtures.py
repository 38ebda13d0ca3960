"""Where the files that are data, not code, lie: in a checkout beside the package, in a wheel inside it; and how they are read."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def fixtures() -> Path:
    """The directory of fixtures, wherever this package came from."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "fixtures"
    return inside if inside.is_dir() else package.parent / "fixtures"


def of_yaml(text: str) -> Any:
    """What a text of YAML says. Read by libyaml where there is one: without it, a large file takes seconds."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  - both are safe loaders


def fixture(name: str) -> Any:
    """What one of the fixtures says."""
    return of_yaml((fixtures() / name).read_text(encoding="utf-8"))
