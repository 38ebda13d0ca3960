"""What a request spends: tokens at most, before it is sent; as the answer says, after it; by guess where it says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from conformance.core.check import Check, first
from conformance.core.exchange import Exchange
from conformance.core.probe import Chain, Probe
from conformance.core.reading.json import ABSENT, NotJSON, Value, parse
from conformance.judging.draw import draw
from conformance.probes.chat import HELLO
from conformance.targets.target import Price, Target

QUICK, STANDARD = "quick", "standard"
PROFILES = {QUICK: 0.25, STANDARD: 1.0, "full": 4.0}
"""How many of the examples that a check asks for are drawn."""
WAITS = {QUICK: 0.0, STANDARD: 30.0}
"""Seconds that a check may wait on purpose, where there is a bound: `quick` has no time, and only `full` has minutes."""
UNCAPPED = 500
"""Tokens counted for an answer that nothing caps."""
MEANT = 10_000
"""The largest cap that an answer is expected to come near: what is above it is there to be refused."""
MANY = 4
"""Choices that are counted at most: more are only asked for in order to be refused."""
BYTES_A_TOKEN = 3
"""Of a request body. English has four, JSON and other scripts fewer."""
USAGE = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')
"""A member `usage` with an object, in which there may be others."""


def prompted(probe: Probe) -> int:
    """Tokens of a request, about."""
    return len(probe.body or b"") // BYTES_A_TOKEN


def capped(probe: Probe) -> int:
    """Tokens of an answer, at most."""
    wish = probe.wish if isinstance(probe.wish, dict) else {}
    if probe.method != "POST" or not isinstance(probe.wish, dict):
        return 0
    caps: list[int] = [
        wish[name] for name in ("max_completion_tokens", "max_tokens") if isinstance(wish.get(name), int)
    ]
    many = wish.get("n") if isinstance(wish.get("n"), int) else 1
    most = min((cap for cap in caps if 0 <= cap <= MEANT), default=UNCAPPED)
    return most * max(1, min(int(many or 1), MANY))


def spent(x: Exchange) -> Value:
    """The last `usage` object of a 200, found without reading the rest: whoever sends is not held up by whoever reads."""
    body = x.body if x.status == 200 else b""
    at = body.rfind(b'"usage"')
    while at >= 0:
        if found := USAGE.match(body, at):
            with suppress(NotJSON):
                return Value(parse(found[1]))
        at = body.rfind(b'"usage"', 0, at)
    return Value(ABSENT)


def guessed(x: Exchange) -> tuple[int, int]:
    """Tokens in and out of an answer that says nothing of them: of a stream, one an event; of one that broke off, all of it."""
    if x.status != 200 or x.probe.method != "POST":
        return 0, 0
    return prompted(x.probe), x.raw.count(b"data:") if x.streamed else len(x.raw) // BYTES_A_TOKEN


def amount(number: float) -> str:
    """A number of requests or tokens, or of money that may be little, without an exponent."""
    return str(number) if isinstance(number, int) else f"{number:.6f}".rstrip("0").rstrip(".")


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


def plan_of(target: Target, checks: Sequence[Check], profile: str) -> str:
    """What a run of a target would send and cost, at most, in a line."""
    asked = [check for check in checks if not target.lacks(check.requires)]
    most, limits = estimate(asked, PROFILES[profile]), target.limits
    line = (
        f"{target.name}: {len(asked)} checks, at most {most.requests} requests, about {most.prompt_tokens} tokens in"
        f" and at most {most.completion_tokens} out"
    )
    if (cost := most.cost(target.price)) is not None:
        line += f", at most {cost:.2f} at the prices in {target.source}"
    if small := too_little(target, asked, profile):
        return f"{line}; {small}"
    for name, bound, needed in (
        ("requests", limits.requests, most.requests),
        ("tokens", limits.tokens, most.tokens),
        ("cost", limits.cost, cost),
    ):
        if bound is not None and needed is not None and needed > bound:
            line += f"; limits.{name} stops it at {amount(bound)}, and what is not sent by then is errored"
    return line


def too_little(target: Target, checks: Sequence[Check], profile: str) -> str:
    """Why the budget of a target is not enough for a single one of these checks; "" where it is, or has no bound."""
    limits = target.limits
    if target.kind == "replay" or (limits.requests, limits.tokens, limits.cost) == (None, None, None):
        return ""
    each = [estimate([check], PROFILES[profile]) for check in checks]
    for name, bound, needed in (
        ("requests", limits.requests, [most.requests for most in each]),
        ("tokens", limits.tokens, [most.tokens for most in each]),
        ("cost", limits.cost, [most.cost(target.price) or 0.0 for most in each]),
    ):
        if bound is not None and needed and min(needed) > bound:
            small = f"limits.{name}: {amount(bound)} is too small for any of these checks"
            return f"{small}: the cheapest may take {amount(min(needed))}"
    return ""
