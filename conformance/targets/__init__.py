"""Configuration: `targets.yaml` and `--target` -> Target values. Whatever is wrong with them is a Mistake."""

from __future__ import annotations

from conformance.targets.file import FILE_NAME, Targets, find, read
from conformance.targets.schema import json_schema
from conformance.targets.selection import select

__all__ = ["FILE_NAME", "Targets", "find", "json_schema", "read", "select"]
