"""Findings of runs and baselines that were made before findings had codes: their sentences told them apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from conformance.core.fixtures import fixture


def code_of(check: str, sentence: str) -> str:
    """The code that the finding has today; the sentence itself where nothing is known of it, as for somebody's own check."""
    area = check.partition(".")[0]
    return next(
        (_table()[key][sentence] for key in (check, f"{area}.*", "*") if sentence in _table().get(key, ())), sentence
    )


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    """Codes by sentence, by check; `golden.*` for all checks of an area, `*` for all checks."""
    table: Mapping[str, Mapping[str, str]] = fixture("former-sentences.yaml")
    return table
