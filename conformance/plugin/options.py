"""The plugin as pytest loads it, in every run of every project that has the suite installed: options, and little else.

The other hooks are in `hooks.py`, which is imported only where a target is asked for: nobody else pays for it. All options but
`--target` begin with `--conformance-`: the plain words belong to the projects and plugins that had them first.
"""

from __future__ import annotations

from typing import Any

import pytest

PREFIX = "--conformance-"
FAIL_ON = ("new", "any", "should", "never")


def _fail_on(written: str) -> str:
    """What fails the run, as it was written. Raises UsageError for words that there are not."""
    words = written.split(",")
    if unknown := [word for word in words if word not in FAIL_ON]:
        raise pytest.UsageError(
            f"{PREFIX}fail-on: there is no `{unknown[0]}`; it takes {', '.join(FAIL_ON)}, or new,should"
        )
    if len(words) > 1 and set(words) != {"new", "should"}:
        raise pytest.UsageError(f"{PREFIX}fail-on: `{written}` contradicts itself; only new,should go together")
    return written


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all in one group."""
    group = parser.getgroup("conformance", "conformance of OpenAI-compatible endpoints")

    def option(name: str, **more: Any) -> None:
        group.addoption(f"{PREFIX}{name}", **more)

    def several(name: str, **more: Any) -> None:
        option(name, action="append", default=[], **more)

    group.addoption(
        "--target", action="append", default=[], metavar="NAME",
        help="judge this target: a name or glob of targets.yaml, a URL, or replay:DIR; may be repeated",
    )  # fmt: skip
    option(
        "baseline", metavar="NAME",
        help="say what differs from this: another target (asked in the same run), the directory of a run, `last`"
        " (the newest complete run of each target), golden:SET, or a file of `conformance baseline`",
    )  # fmt: skip
    option(
        "fail-on", metavar="WHAT", type=_fail_on, default="any",
        help="what fails the run: `any` violated MUST; `should`: a violated SHOULD or MAY as well; `new`: only what is new since"
        " the baseline (default then: last) and stays when it is asked again; `new,should`; or `never` (default: any)",
    )  # fmt: skip
    option("targets-file", metavar="FILE", help="the file of targets (default: targets.yaml here or above)")
    option(
        "profile", choices=("quick", "standard", "full"),
        help="how much is drawn: quick is for a minute and a few cents, full for a night (default: standard)",
    )  # fmt: skip
    option("dry-run", action="store_true", help="say what would be sent, and what it costs at most; send nothing")
    several(
        "resume", metavar="DIR",
        help="finish the run in this directory, sending only what is missing; its target is found in it, or named by --target",
    )  # fmt: skip
    option("reports", metavar="DIR", help="where runs are written (default: reports/ beside targets.yaml)")
    several(
        "golden", metavar="NAME",
        help="compare answers with this golden set as well: `openai`, one of golden/ beside targets.yaml, or a file",
    )  # fmt: skip
    option("record-golden", metavar="NAME", help="write what the target answers as golden/NAME.yaml")
    several(
        "traffic", metavar="FILE",
        help="send an application's own requests as well: a HAR, or a line of JSON for each request",
    )  # fmt: skip
    several(
        "migration", metavar="FILE",
        help=f"may the application move? Write the decision to FILE (.html, .md or .json); see {PREFIX}baseline, {PREFIX}needs",
    )  # fmt: skip
    several(
        "needs", metavar="FEATURE[,FEATURE]",
        help=f"what the application needs, for {PREFIX}migration: `conformance migration --list-needs` lists it all",
    )  # fmt: skip


def _runs(config: pytest.Config) -> bool:
    """Whether any target is to be asked: without one, the suite does nothing."""
    return bool(config.option.target or config.option.conformance_resume)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the items of one target with one of xdist's workers, so that no request is sent twice."""
    if _runs(config) and config.option.dist in ("load", "loadgroup"):
        from conformance.plugin.xdist import by_target

        return by_target(config, log)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Where a target is asked for, load the rest."""
    if _runs(config):
        from conformance.plugin import hooks

        hooks.begin(config)
        config.pluginmanager.register(hooks, "conformance-hooks")
        return
    idle = ("baseline", "golden", "record_golden", "traffic", "migration", "needs", "dry_run")
    for name in idle:
        if config.getoption(f"conformance_{name}"):
            raise pytest.UsageError(f"{PREFIX}{name.replace('_', '-')} is about a target: add --target NAME")
