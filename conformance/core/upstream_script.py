"""Orders for the reference server as the upstream of a gateway: a JSON object after one word in the text of a message.

Probes write them (`probes.upstream_script`), and the reference server does what they say (`reference.upstream_script`).
"""

from __future__ import annotations

import json
from typing import Any

CALL = "conformance:"
"""What the text of a message with an order begins with."""


def text_of(order: dict[str, Any]) -> str:
    """An order as the text of a message."""
    return f"{CALL} {json.dumps(order, ensure_ascii=False)}"


def order_in(text: object) -> dict[str, Any] | None:
    """The order that a text begins with; None where there is none."""
    if not isinstance(text, str) or not text.startswith(CALL):
        return None
    try:
        order, _ = json.JSONDecoder().raw_decode(text.removeprefix(CALL).lstrip())
    except (ValueError, RecursionError):
        return None
    return order if isinstance(order, dict) else None
