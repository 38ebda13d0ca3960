"""Configuration: `targets.yaml` and `--target` -> Target values. Whatever is wrong with them is a Mistake."""

from __future__ import annotations

from conformance.configuration.file import FILE_NAME, Targets, find, read
from conformance.configuration.schema import json_schema
from conformance.configuration.selection import select

__all__ = ["FILE_NAME", "Targets", "find", "json_schema", "read", "select"]
