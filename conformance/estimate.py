"""What a run will cost, before anything is sent: requests, tokens and money, at most.

Chains are counted as if every step were sent, tries as if each were needed; requests without a cap as if their answer had
`UNCAPPED` tokens, which is more than any prompt of the suite asks for (a model that thinks may take more).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.core.check import Check, first
from conformance.core.probe import Chain, Probe
from conformance.judging.draw import draw
from conformance.probes.chat import HELLO
from conformance.runner.budget import UNCAPPED, capped, prompted
from conformance.targets.target import Price


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
        return None if price is None else price.of(self.prompt_tokens, self.completion_tokens)


def estimate(checks: Iterable[Check], examples: float = 1.0) -> Estimate:
    """What these checks cost at one target, together: what they share is counted once, and so is the request that opens a run."""
    probes: dict[str, Probe] = {HELLO.key: HELLO}
    further = 0
    for check in checks:
        for case in draw(check, scaled(check, examples)):
            for part in case if isinstance(case, tuple) else (case,):
                begin = first(part)
                tries = check.tries if check.witness else 1
                for attempt in range(tries):
                    one = begin.again(begin.nth + attempt) if attempt else begin
                    probes[one.key] = one
                if isinstance(part, Chain):
                    further += len(part.steps) * tries
    prompts = sum(prompted(probe) for probe in probes.values())
    answers = sum(capped(probe) for probe in probes.values())
    # A later step repeats the conversation so far, so it is counted as twice a usual request.
    usual = prompts // max(1, len(probes))
    return Estimate(len(probes) + further, prompts + further * 2 * usual, answers + further * UNCAPPED)


def scaled(check: Check, examples: float) -> int:
    """How many cases a check draws in a profile."""
    return max(1, round(check.examples * examples))
