"""What a run costs, what the machine costs while nobody asks, and where the two ways to pay meet."""

from __future__ import annotations

from pathlib import Path

from conformance.checks.catalogue import catalogue
from conformance.core.mistake import Mistake
from conformance.doctor.amazon import Fleet
from conformance.doctor.lines import Sheet, State
from conformance.doctor.network import way
from conformance.evidence.record import Footer
from conformance.evidence.run import latest, read
from conformance.runner.budget import Estimate, estimate
from conformance.runner.runner import about
from conformance.targets.kinds import SAGEMAKER
from conformance.targets.target import Target
from conformance.transport.http import LOOPBACK

MONTH = 730
"""Hours."""
MILLION = 1e6


def told(sheet: Sheet, target: Target, last: Footer | None, fleet: Fleet | None) -> None:
    """Write what a run costs at most, what an hour costs, and from how many tokens on an hour is the cheaper way."""
    most = _run(sheet, target, fleet, last)
    price = target.price
    if price is None or price.hour is None:
        if target.kind == SAGEMAKER and not _own(target):
            sheet.skip("an hour", "an hour of the machine has no price here", "write it under `price: {hour: ...}`")
        return
    instances = max(1, fleet.instances) if fleet else 1
    hour = price.hour * instances
    times = f"{instances} × {price.hour:.2f} = " if instances > 1 else ""
    while_in_service = ", while InService, asked or not" if target.kind == SAGEMAKER else ""
    sheet.facts["cost_an_hour"] = hour
    sheet.ok("an hour", f"{times}{hour:.2f}{while_in_service}; about {hour * MONTH:,.0f} a month")
    _break_even(sheet, target, hour, most, last)


def last_run(reports: Path, slug: str) -> Footer | None:
    """What the last whole run of the target took."""
    directory = latest(reports, slug, complete=True) if reports.is_dir() else None
    try:
        return read(directory).footer if directory else None
    except Mistake:
        return None


def _run(sheet: Sheet, target: Target, fleet: Fleet | None, last: Footer | None) -> Estimate:
    """What a run of all checks costs, at most."""
    checks = (one for one in catalogue().values() if about(one, target))
    most = estimate(one for one in checks if not target.lacks(one.requires))
    said = f"at most {most.requests:,} requests, about {most.prompt_tokens:,} tokens in, {most.completion_tokens:,} out at most"
    sheet.facts |= {"requests": most.requests, "tokens_in": most.prompt_tokens, "tokens_out": most.completion_tokens}
    price, seconds = target.price, _seconds(sheet, target, most, last)
    cost: float | None = None
    if price is not None and price.hour is not None:
        if seconds is not None:
            cost = price.hour * max(1, fleet.instances if fleet else 1) * seconds / 3600
            how = "about" if last is not None else "at least"  # the one answer was a short one
            span = f"{seconds / 60:.0f} min" if seconds >= 60 else "a minute"
            said += f": {how} {cost:.2f} for {span} of the machine"
    elif (cost := most.cost(price)) is not None:
        said += f": {cost:.2f} at most"
    if cost is not None:
        sheet.facts["cost_of_a_run"] = round(cost, 4)
        sheet.ok("a run", said)
    else:
        todo = "write what it costs under `price: {input: ..., output: ...}` (a million tokens), or `hour`"
        sheet.write("a run", State.OK, said, todo if price is None and not _own(target) else "")
    limit = target.limits.requests
    if limit is not None and limit < most.requests:
        sheet.warn("limits", f"limits.requests stops a run at {limit:,}", "what is not sent by then is errored")
    return most


def _own(target: Target) -> bool:
    """Whether it runs on this machine, where nobody sends a bill."""
    return (
        target.kind == "reference"
        or target.container is not None
        or target.launch is not None
        or way(target.base_url or "").host in LOOPBACK
    )


def _seconds(sheet: Sheet, target: Target, most: Estimate, last: Footer | None) -> float | None:
    """How long a run takes: as the last one, else by the time of the one answer."""
    if last is not None and last.seconds:
        return last.seconds
    one = sheet.facts.get("latency_seconds")
    return most.requests * one / target.limits.at_once if one is not None else None


def _break_even(sheet: Sheet, target: Target, hour: float, most: Estimate, last: Footer | None) -> None:
    """From how many tokens an hour on the machine is cheaper than paying for each."""
    price = target.price
    if price is None or price.input is None or price.output is None:
        todo = "write what others charge for a million tokens: `price: {hour: ..., input: ..., output: ...}`"
        sheet.skip("break-even", "there is no price of a token to compare an hour with", todo)
        return
    counted = last.tokens if last is not None and last.tokens else {}
    tokens_in, tokens_out = counted.get("prompt", 0), counted.get("completion", 0)
    seen = (tokens_in + tokens_out) / last.seconds if last is not None and last.seconds and counted else None
    if not tokens_in + tokens_out:
        tokens_in, tokens_out = most.prompt_tokens, most.completion_tokens
    if (
        seen is None
        and isinstance((one := sheet.facts.get("tokens")), list)
        and all(isinstance(each, int) for each in one)
    ):
        seen = sum(one) / sheet.facts["latency_seconds"]
    share = tokens_in / (tokens_in + tokens_out)
    blended = share * price.input + (1 - share) * price.output
    if not blended:
        sheet.ok("break-even", "never: the tokens it is compared with cost nothing")
        return
    needed = hour / blended * MILLION / 3600
    sheet.facts["break_even_tokens_a_second"] = round(needed, 1)
    said = f"at {needed:,.0f} tokens a second, {share:.0%} of them in, an hour costs what they would ({blended:.2f} a million)"
    if seen is None:
        sheet.ok("break-even", f"{said}; no throughput was seen yet")
        return
    sheet.facts["seen_tokens_a_second"] = round(seen, 1)
    where = "the last run" if last is not None and counted else "this one answer"
    dearer = "the machine" if seen < needed else "tokens one by one"
    own = hour / (seen * 3600) * MILLION
    sheet.ok(
        "break-even",
        f"{said}; {where} saw {seen:,.0f} a second, {own:,.2f} a million: {dearer} cost{'s' if seen < needed else ''} more",
    )
