"""The plugin as pytest loads it, in every run of every project that has the suite installed: options, and little else.

The other hooks are in `hooks.py`, which is imported only where a target is asked for: nobody else pays for it.
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all in one group."""
    group = parser.getgroup("conformance", "conformance of OpenAI-compatible endpoints")
    group.addoption(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="judge this target: a name or glob of targets.yaml, a URL, or replay:DIR; may be repeated",
    )
    group.addoption(
        "--baseline",
        metavar="NAME",
        help="say what differs from this: another target (asked in the same run), the directory of a run, `last`"
        " (the newest complete run of each target), golden:SET, or a file of `conformance baseline`",
    )
    group.addoption(
        "--fail-on",
        choices=("new", "any", "never"),
        default="any",
        help="what fails the run: any violation, only what is new since --baseline (default then: last) and stays when it is"
        " asked again, or none at all (default: any)",
    )
    group.addoption("--targets", metavar="FILE", help="the file of targets (default: targets.yaml here or above)")
    group.addoption(
        "--profile",
        choices=("quick", "standard", "full"),
        help="how much is drawn: quick is for a minute and a few cents, full for a night (default: standard)",
    )
    group.addoption(
        "--dry-run", action="store_true", help="say what would be sent, and what it costs at most; send nothing"
    )
    group.addoption(
        "--resume",
        action="append",
        default=[],
        metavar="DIR",
        help="finish the run in this directory, sending only what is missing; its target is found in it, or named by --target",
    )
    group.addoption("--reports", metavar="DIR", help="where runs are written (default: reports/ beside targets.yaml)")
    group.addoption(
        "--golden",
        action="append",
        default=[],
        metavar="NAME",
        help="compare answers with this golden set as well: `openai`, one of golden/ beside targets.yaml, or a file",
    )
    group.addoption(
        "--traffic",
        action="append",
        default=[],
        metavar="FILE",
        help="send an application's own requests as well: a HAR, or a line of JSON for each request",
    )
    group.addoption(
        "--needs",
        action="append",
        default=[],
        metavar="FEATURE[,FEATURE]",
        help="what the application needs, for --report: `conformance migration --list-needs` lists it all",
    )
    group.addoption(
        "--report",
        action="append",
        default=[],
        metavar="FILE",
        help="may the application move? Write the decision to FILE (.html, .md or .json); see --baseline, --needs, --traffic",
    )
    group.addoption("--record-golden", metavar="NAME", help="write what the target answers as golden/NAME.yaml")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the items of one target with one of xdist's workers, so that no request is sent twice."""
    if (config.option.target or config.option.resume) and config.option.dist in ("load", "loadgroup"):
        from conformance.plugin.xdist import by_target

        return by_target(config, log)
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Where a target is asked for, load the rest."""
    if config.option.target or config.option.resume:
        from conformance.plugin import hooks

        hooks.begin(config)
        config.pluginmanager.register(hooks, "conformance-hooks")
    elif config.option.baseline:
        raise pytest.UsageError("--baseline is what a target is compared with: add --target NAME")
    elif config.option.golden or config.option.record_golden or config.option.traffic or config.option.report:
        raise pytest.UsageError(
            "--golden, --record-golden, --traffic and --report are about a target's answers: add --target NAME"
        )
