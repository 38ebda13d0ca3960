"""Golden sets: what answers look like, member by member, from OpenAI's documents or as a target was recorded.

`reading` finds and reads them, `checks` judges by them, `recorder` makes them from answers, `writing` writes them down.
"""

from __future__ import annotations
