"""What a run will cost, before anything is sent: requests, tokens and money, at most.

Chains are counted as if every step were sent, tries as if each were needed; requests without a cap as if their answer had
`UNCAPPED` tokens, which is more than any prompt of the suite asks for (a model that thinks may take more).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.check import Check, first
from conformance.probe import Chain, Probe
from conformance.search import draw
from conformance.target import Price

UNCAPPED = 500
"""Tokens counted for an answer that nothing caps."""
MANY = 4
"""Choices that are counted at most: more are only asked for in order to be refused."""
BYTES_A_TOKEN = 3
"""Of a request body. English has four, JSON and other scripts fewer."""


@dataclass(frozen=True)
class Estimate:
    """Upper bounds."""

    requests: int
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """Both ways."""
        return self.prompt_tokens + self.completion_tokens

    def cost(self, price: Price | None) -> float | None:
        """In the currency of the price list; None where there is none for tokens."""
        if price is None or price.input is None or price.output is None:
            return None
        return (self.prompt_tokens * price.input + self.completion_tokens * price.output) / 1e6


def capped(probe: Probe) -> int:
    """Tokens of an answer, at most."""
    wish = probe.wish if isinstance(probe.wish, dict) else {}
    if probe.method != "POST" or not isinstance(probe.wish, dict):
        return 0
    caps: list[int] = [
        wish[name] for name in ("max_completion_tokens", "max_tokens") if isinstance(wish.get(name), int)
    ]
    many = wish.get("n") if isinstance(wish.get("n"), int) else 1
    # A cap beyond what any prompt here asks for is there to be refused.
    return min([UNCAPPED, *(cap for cap in caps if cap >= 0)]) * max(1, min(int(many or 1), MANY))


def estimate(checks: Iterable[Check], examples: float = 1.0) -> Estimate:
    """What these checks cost at one target, together: what they share is counted once."""
    probes: dict[str, Probe] = {}
    further = 0
    for check in checks:
        for case in draw(check, scaled(check, examples)):
            for part in case if isinstance(case, tuple) else (case,):
                begin = first(part)
                for attempt in range(check.tries if check.witness else 1):
                    one = begin.again(begin.nth + attempt) if attempt else begin
                    probes[one.key] = one
                if isinstance(part, Chain):
                    further += len(part.steps)
    prompts = sum(len(probe.body or b"") // BYTES_A_TOKEN for probe in probes.values())
    answers = sum(capped(probe) for probe in probes.values())
    # A later step repeats the conversation so far, so it is counted as twice a usual request.
    usual = prompts // max(1, len(probes))
    return Estimate(len(probes) + further, prompts + further * 2 * usual, answers + further * UNCAPPED)


def scaled(check: Check, examples: float) -> int:
    """How many cases a check draws in a profile."""
    return max(1, round(check.examples * examples))
