"""From pytest's options to a session: which targets, which checks, where to write. Raises Mistake for what makes no sense."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.checks.catalogue import areas, catalogue, load, room
from conformance.checks.codes import codes
from conformance.checks.golden.checks import checks_of
from conformance.checks.golden.reading import available
from conformance.checks.golden.reading import find as find_golden
from conformance.checks.golden.recorder import OPTION as RECORD
from conformance.checks.golden.recorder import recorder
from conformance.checks.golden.sets import GoldenSet
from conformance.checks.traffic.checks import checks_of as checks_of_traffic
from conformance.checks.traffic.reading import read as read_traffic
from conformance.core.check import Check
from conformance.core.mistake import Mistake, nearest
from conformance.core.requirement import Level
from conformance.evidence.find import REPORTS
from conformance.plugin.baseline import Asked, Baseline, Committed, Golden, Stored, check_common, last_of, resolve
from conformance.plugin.command_line import Options
from conformance.plugin.items import CHECKS, GOLDEN, HOUSE, TRAFFIC
from conformance.plugin.migration import TRAFFIC as ASKED
from conformance.plugin.migration import check_asked
from conformance.runner.budget import PROFILES, STANDARD
from conformance.runner.opening import versions
from conformance.runner.reconfirm import NEW, Against
from conformance.runner.reconfirm import OPTION as FAIL_ON
from conformance.runner.resume import OPTION as RESUME
from conformance.runner.resume import Resumed, resumed
from conformance.runner.runner import Made, Runner
from conformance.targets import find, select
from conformance.targets.target import Target, check_waivers

BASELINE = pytest.StashKey[Baseline]()
"""What the run is compared with, where something was asked for."""


def prepare(config: pytest.Config) -> Runner:
    """The session that the options ask for; sets what pytest is to collect."""
    options = Options.of(config)
    here, written = options.here, options.targets_file
    file = here / written if written else find(here)
    if written and not (here / written).is_file():
        raise Mistake(
            "there is no such file", where=written, fix="--conformance-targets-file names a file like targets.yaml"
        )
    targets, going_on = _targets(options, file)
    base = file.parent if file else here
    own = sorted(file.parent.glob("check_*.py")) if file else []
    reports = here / options.reports if options.reports else base / REPORTS
    baseline: Baseline | None = None
    if options.fails == NEW and not options.baseline:
        baseline = last_of(targets, reports)
        config.stash[BASELINE] = baseline
    elif options.baseline:
        folders = (base, here, reports)
        baseline = resolve(options.baseline, targets, options.target, file=file, folders=folders, environ=os.environ)
        config.stash[BASELINE] = baseline
    beside = _beside(targets, baseline)
    targets += [one for one in beside if one not in targets]
    for one in going_on.values():
        golden = dict.fromkeys((*options.golden, *one.made(GOLDEN)))
        traffic = dict.fromkeys((*options.traffic, *one.made(TRAFFIC)))
        options = replace(options, golden=tuple(golden), traffic=tuple(traffic))
    also = [baseline.golden] if isinstance(baseline, Golden) else []
    if options.record_golden and (len(targets) > 1 or getattr(config.option, "dist", "no") != "no"):
        raise Mistake("a golden set is recorded from one target, without -n", where=RECORD)
    made = _golden(options, base, also) | _traffic(config, options)
    check_asked(options, targets, baseline)
    checks = [*catalogue().values(), *(check for path in own for check in load(path))]
    checks += [check for one in made.values() for check in one.checks]
    for target in targets:
        known = {check.id: check for check in (*checks, *_golden_checks(target, base))}
        check_waivers(target, known, codes)
    for mark in sorted({level.value.lower() for level in Level} | {check.area for check in checks}):
        config.addinivalue_line("markers", f"{mark}: checks of this level or area")
    if baseline is not None:
        check_common(baseline, targets, {check.id for check in checks}, versions()["suite"])
    _collect(config, own, made)
    if not any(arg.startswith("-r") for arg in config.invocation_params.args):
        config.option.reportchars = "N"  # the summary lists what was skipped, and why
    asked = recorder(options.record_golden, base, here) if options.record_golden else None
    return Runner(
        targets,
        reports,
        strict=options.strict,
        profile=_profile(options, going_on.values()),
        made=made,
        recorder=asked,
        beside=frozenset(one.name for one in beside),
        resumed=going_on,
        against=_against(options, [target for target in targets if target not in beside], baseline),
    )


def _against(options: Options, targets: Sequence[Target], baseline: Baseline | None) -> dict[str, Against]:
    """What the run of each target is held against. Raises Mistake for a baseline that is not there before the run."""
    fail_on = options.fails
    if isinstance(baseline, (Stored, Committed)):
        return {
            target.name: Against(fail_on, baseline.name, held=True, baseline=baseline.run_for(target.name, {}))
            for target in targets
        }
    if fail_on == NEW and baseline is not None:
        raise Mistake(
            f"what is new is held against a run that is there already, and `{baseline.name}` is none",
            where=FAIL_ON,
            fix="let --conformance-baseline name a run, `last`, or a file of `conformance baseline`",
        )
    return {target.name: Against(fail_on, held=fail_on == NEW) for target in targets}


def _targets(options: Options, file: Path | None) -> tuple[list[Target], dict[str, Resumed]]:
    """The targets of this run, and the runs that some of them have been asked in before, by their names.

    A resumed run keeps the name of its target; `--target` says where that is now, where it is not as it was.
    """
    going_on: dict[str, Resumed] = {}
    for written in options.resume:
        one = resumed(written, options.here)
        if (other := going_on.setdefault(one.name, one)).directory != one.directory:
            raise Mistake(f"{other.directory} is a run of `{one.name}`, too: one of a target at a time", where=RESUME)
    asked = select(options.target, file=file, environ=os.environ) if options.target else []
    names = {target.name for target in asked}
    left = [one for one in going_on.values() if one.name not in names]
    if len(left) == len(asked) == 1:
        return [replace(asked[0], name=left[0].name)], going_on
    for one in left:
        try:
            (found,) = select([one.given], file=file, environ=os.environ)
            asked.append(replace(found, name=one.name))
        except Mistake as mistake:
            url = one.header.base_url or "URL"
            raise Mistake(
                f"the target of {one.directory.name} is not found: {mistake.message}",
                where=RESUME,
                fix=mistake.fix or f"say where it is now: --target {url}",
            ) from None
    return asked, going_on


def _profile(options: Options, going_on: Iterable[Resumed]) -> str:
    """How much is drawn: what is asked for, else what a resumed run has drawn, else the usual."""
    before = [one.profile for one in going_on if one.profile in PROFILES]
    return str(options.profile or (before[0] if before else STANDARD))


def _beside(targets: list[Target], baseline: Baseline | None) -> list[Target]:
    """The targets that are asked only for comparison: the baseline, and what stands behind gateways."""
    asked = [baseline.target] if isinstance(baseline, Asked) else []
    names = {one.name for one in (*targets, *asked)}
    behind = {one.upstream.name: one.upstream for one in targets if one.upstream and one.upstream.name not in names}
    return [*asked, *behind.values()]


def _golden(options: Options, base: Path, also: list[GoldenSet]) -> dict[Path, Made]:
    """The checks of the golden sets that are asked for, by their files."""
    sets = [*(find_golden(name, base, options.here) for name in options.golden), *also]
    found = {golden.path: golden for golden in sets}
    by_name = {golden.name: golden for golden in found.values()}
    for golden in found.values():
        if (other := by_name[golden.name]) is not golden:
            raise Mistake(f"there is another golden set of this name: {other.path}", where=str(golden.path))
    return {path: Made(GOLDEN, checks_of(golden)) for path, golden in found.items()}


def _traffic(config: pytest.Config, options: Options) -> dict[Path, Made]:
    """The checks of the requests that an application sent, by their files."""
    found: dict[Path, Made] = {}
    for name in options.traffic:
        path = (options.here / name).resolve()
        traffic = config.stash[ASKED] = read_traffic(path)
        found[path] = Made(TRAFFIC, checks_of_traffic(traffic))
    if len(found) > 1:
        raise Mistake(
            "one file of traffic at a time", where="--conformance-traffic", fix="put the lines of both into one file"
        )
    return found


def _golden_checks(target: Target, base: Path) -> list[Check]:
    """All golden checks where a target waives one: its waiver may stay when the set is not asked for."""
    if not any(waiver.check.startswith(f"{GOLDEN}.") for waiver in target.waives):
        return []
    return [check for golden in available(base) for check in checks_of(golden)]


def _collect(config: pytest.Config, own: list[Path], made: Mapping[Path, Made]) -> None:
    """The shipped checks where no path was given; their node ids understood where one was."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(CHECKS), *map(str, own), *map(str, made)]
        return
    rooms = {f"{HOUSE}/{room}": room for room in (GOLDEN, TRAFFIC)}
    chosen = [arg for arg in config.args if arg.split("::")[0].rstrip("/") in rooms]
    config.args = [path for arg in config.args if arg not in chosen for path in _located(config, arg)]
    if not chosen:
        config.args += map(str, made)
    for arg in chosen:
        place, colons, rest = arg.partition("::")
        room = rooms[place.rstrip("/")]
        files = [path for path, one in made.items() if one.room == room and _has(one, rest)]
        if not files:
            what = {GOLDEN: "of no golden set in this run; add --conformance-golden NAME"}.get(
                room, "not in this run; add --conformance-traffic FILE"
            )
            raise Mistake(f"`{arg}` is {what}")
        config.args += [f"{path}{colons}{rest}" for path in files]


def _has(made: Made, item: str) -> bool:
    """Whether one of the checks is the one that a node id names; any is where it names none."""
    return not item or any(item.split("[")[0] == check.id for check in made.checks)


def _located(config: pytest.Config, arg: str) -> list[str]:
    """An argument as pytest can find it: shipped checks are named by their area, and their ids by themselves."""
    path, colons, item = arg.partition("::")
    house, _, name = path.rstrip("/").partition("/")
    if house != HOUSE or (config.invocation_params.dir / path).exists():
        return [arg]
    if not name:
        return [str(CHECKS)]
    if item and (check := catalogue().get(item.split("[")[0])) is not None:
        return [f"{CHECKS / check.area}.py::{item}"]
    if name in areas():
        return [f"{CHECKS / name}.py{colons}{item}"]
    if ids := room(name):
        return [f"{CHECKS / check.partition('.')[0]}.py::{check}" for check in ids]
    hint = nearest(name, areas()) or f"there are {', '.join(areas())}"
    raise Mistake(f"there are no checks called `{path}`; {hint}")


def quieten(config: pytest.Config) -> None:
    """No traceback sections and no list of skips, unless asked for: the summary tells what was found."""
    asked = config.invocation_params.args
    if not any(arg.startswith("--tb") for arg in asked):
        config.option.tbstyle = "no"
