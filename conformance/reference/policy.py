"""What the model of the reference server will not say, and what its filter lets nobody read.

Two kinds of prompts, both by their words: of the one the model declines to speak, which it says in `refusal`; of the other
it speaks, until the filter cuts it off, which the finish reason `content_filter` says.
"""

from __future__ import annotations

import re
from typing import Literal

DECLINED = "I'm sorry, but I can't help with that."
_DECLINES = re.compile(r"\bbreak into (?:my|a|the|somebody's) \w+", re.IGNORECASE)
_FILTERS = re.compile(r"\bcontent filter\b", re.IGNORECASE)

Policy = Literal["", "declines", "filters"]


def policy(say: str) -> Policy:
    """What becomes of an answer to this: nothing, it is declined, or it is filtered."""
    if _DECLINES.search(say):
        return "declines"
    return "filters" if _FILTERS.search(say) else ""
