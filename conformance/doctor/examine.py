"""A target, examined step by step: its stanza, its secrets, AWS, the way to the host, the endpoint, the bill."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from conformance.checks.catalogue import catalogue
from conformance.checks.codes import codes
from conformance.core.guard import guard_of
from conformance.core.mistake import CouldNotTest, Mistake
from conformance.core.text import listed
from conformance.doctor import amazon, asking, bill, network
from conformance.doctor.lines import Sheet
from conformance.evidence.find import slug
from conformance.targets.selection import with_secrets
from conformance.targets.target import Target, check_waivers
from conformance.transport.engines.install import NotInstalled
from conformance.transport.reach import addressed, program_of


def examine(target: Target, environ: Mapping[str, str], reports: Path, *, free: bool = False) -> Sheet:
    """The checklist of a target. `free` leaves out the one request that a model answers."""
    sheet = Sheet(target.name)
    _stanza(sheet, target)
    target = _secrets(sheet, target, environ)
    fleet = None
    if not sheet.blocked and amazon.signed(target) and target.container is None:
        fleet = amazon.examined(sheet, target)
        if fleet is not None and fleet.instances == 0 and not free:
            free = True  # the request would start what is paid for
    if sheet.blocked:
        sheet.skip("endpoint" if not amazon.signed(target) else "request", "not asked: what failed above comes first")
    elif target.launch is not None:
        _launch(sheet, target)
    else:
        _asked(sheet, target, free)
    bill.told(sheet, target, bill.last_run(reports, slug(target.name)), fleet)
    return sheet


def _stanza(sheet: Sheet, target: Target) -> None:
    """Where the target stands, and whether what it waives makes sense."""
    where = target.base_url or ("started here" if target.launch else "")
    sheet.ok("stanza", ", ".join(part for part in (target.where, f"kind {target.kind}", where) if part))
    try:
        check_waivers(target, catalogue(), codes)
    except Mistake as mistake:
        for part in mistake.parts:
            sheet.fail("waivers", part.message, part.fix or "mend `waives:`, or take it out")
    today = datetime.now(UTC).date()
    over = [each.check for each in target.waives if each.until and each.until < today]
    if over:
        sheet.warn(
            "waivers",
            f"over: {listed(over, 6)}",
            "a violation that they covered fails the run again: renew or remove them",
        )


def _secrets(sheet: Sheet, target: Target, environ: Mapping[str, str]) -> Target:
    """The target with its secrets, if they are all set."""
    names = list(dict.fromkeys(each.name for each in target.secrets()))
    try:
        target = with_secrets([target], environ)[0]
    except Mistake as mistake:
        for part in mistake.parts:
            sheet.fail("secrets", part.message, part.fix)
        return target
    sheet.guard = guard_of(each.value for each in target.secrets())
    if names:
        sheet.ok("secrets", f"set: {', '.join(f'${{{name}}}' for name in names)}")
    return target


def _launch(sheet: Sheet, target: Target) -> None:
    """Whether what starts the server is there."""
    launch = target.launch
    assert launch is not None
    try:
        program = program_of(target)
        if not program.exists():
            sheet.fail("engine", f"there is no {program}", "check launch.python")
            return
        sheet.ok("engine", f"{target.engine} is installed: {program}")
    except NotInstalled as problem:
        said, _, todo = str(problem).partition(": ")
        sheet.fail("engine", said, todo or f"`conformance servers install {target.engine}`")
        return
    if not launch.model:
        pass  # a gateway serves the model of what stands behind it
    elif target.path(launch.model).exists():
        sheet.ok("model", f"{launch.model} is here")
    else:
        sheet.ok("model", f"{launch.model} is no file here: the engine will look for it in a hub")
    sheet.skip("endpoint", "it is started when a run begins")


def _asked(sheet: Sheet, target: Target, free: bool) -> None:
    """The way to the endpoint, and what it answers."""
    signed = amazon.signed(target)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            addressed(target, Path(folder), lambda line: None, sheet.guard) as address,
        ):
            if address.emulated:
                sheet.ok("front door", address.emulated)
            if network.reached(sheet, address.base_url, target.limits.timeout.connect):
                asking.told(sheet, target, address, asking.ask(target, address, free=free), signed=signed)
            else:
                sheet.skip("request", "not sent: there is no way to the host")
    except CouldNotTest as problem:
        sheet.fail("endpoint", str(problem).removeprefix(f"{target.name}: "), "see above")
