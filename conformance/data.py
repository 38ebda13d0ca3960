"""Where the files that are data, not code, lie: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def fixtures() -> Path:
    """The directory of fixtures, wherever this package came from."""
    package = Path(__file__).resolve().parent
    inside = package / "fixtures"
    return inside if inside.is_dir() else package.parent / "fixtures"
