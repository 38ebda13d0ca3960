"""How items are spread over xdist's workers: all items of a target go to the same one, which sends its probes once.

A scheduler of our own, because `--dist loadgroup` renames items in a way that pytest 9.2 does not see.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class ByTarget(LoadScopeScheduling):
    """Groups items by the target in the brackets at the end of their ids."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.rpartition("[")[2]


def by_target(config: pytest.Config, log: Any) -> ByTarget:
    """The scheduler of a run over several targets."""
    return ByTarget(config, log)
