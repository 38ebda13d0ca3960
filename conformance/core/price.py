"""What tokens cost."""

from __future__ import annotations


def cost_of(
    prompt: int,
    completion: int,
    *,
    input: float | None,  # noqa: A002  (as price lists have it)
    output: float | None,
    hour: float | None,
) -> float | None:
    """What so many tokens cost, at prices for a million; None where there is no price for both ways, or the hour is paid for."""
    if input is None or output is None or hour is not None:
        return None
    return (prompt * input + completion * output) / 1e6
