"""How the evidence of one case is gathered, step by step, whoever sends the probes.

`plan` is a generator: it yields the probes to send next (all of them at the same time), is sent their exchanges in the same
order, and returns the Evidence. The collector drives it over a network, tests drive it in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from conformance.core.check import Case, Check
from conformance.core.exchange import Exchange
from conformance.core.probe import Chain, Probe
from conformance.judging.judge import Evidence

Plan = Generator[list[Probe], list[Exchange], Evidence]


def plan(check: Check, case: Case) -> Plan:
    """The rounds of requests that one case of a check takes; asked again where the model did not show the behaviour."""
    evidence = Evidence(())
    for attempt in range(max(1, check.tries)):
        evidence = yield from _once(case, attempt)
        if check.witness is None or evidence.stopped:
            return evidence
        if all(x.ok for x in evidence.exchanges) and not check.witness(*evidence.exchanges):
            evidence = Evidence(evidence.exchanges, witnessed=False)
            continue
        return evidence
    return evidence


STEP = 1000
"""More than any check repeats a request by itself."""


def afresh(case: Case, number: int) -> Case:
    """The same case once more, as probes of their own: repetition `number`, over connections of its own."""

    def fresh(probe: Probe) -> Probe:
        line = f"{probe.line}-{number}" if probe.line else ""
        return replace(probe, nth=probe.nth + STEP * number, line=line)

    def following(step: Callable[..., Probe | str]) -> Callable[..., Probe | str]:
        def made(*got: Exchange) -> Probe | str:
            found = step(*got)
            return fresh(found) if isinstance(found, Probe) else found

        return made

    def part(one: Probe | Chain) -> Probe | Chain:
        if isinstance(one, Probe):
            return fresh(one)
        return Chain(fresh(one.first), tuple(following(step) for step in one.steps))

    return tuple(part(one) for one in case) if isinstance(case, tuple) else part(case)


def _once(case: Case, attempt: int) -> Plan:
    parts = case if isinstance(case, tuple) else (case,)
    chains = [part if isinstance(part, Chain) else Chain(part, ()) for part in parts]
    got: list[list[Exchange]] = [[] for _ in chains]
    waiting: dict[int, Probe] = {
        place: chain.first.again(chain.first.nth + attempt) if attempt else chain.first
        for place, chain in enumerate(chains)
    }
    stopped = ""
    while waiting:
        answers = yield list(waiting.values())
        places, waiting = list(waiting), {}
        for place, x in zip(places, answers, strict=True):
            got[place].append(x)
            step = len(got[place]) - 1
            if step < len(chains[place].steps):
                following = _follow(chains[place].steps[step], got[place])
                if isinstance(following, str):
                    stopped = stopped or following
                else:
                    waiting[place] = following.again(following.nth + attempt) if attempt else following
    return Evidence(tuple(x for exchanges in got for x in exchanges), stopped)


def _follow(step: Callable[..., Probe | str], got: list[Exchange]) -> Probe | str:
    """The next probe of a chain, or why there is none. A broken answer before it must not break the plan."""
    try:
        return step(*got)
    except Exception as problem:
        return f"the next request could not be made from this answer: {type(problem).__name__}: {problem}"
