"""Print a nightly job for GitHub, GitLab or cron."""

from __future__ import annotations

import argparse
from pathlib import Path

from conformance.cli.common import CLEAN, Command, write
from conformance.core.mistake import Mistake

JOBS = Path(__file__).parent.parent / "workflows"
FILES = {"github": "github.yml", "gitlab": "gitlab.yml", "cron": "cron"}
TARGET = "my-server"
"""The name that the files have in the place of a target's."""


def add(command: Command) -> None:
    """Declare the command."""
    one = command("workflow", _workflow, "print a nightly job, with what it needs: for github, gitlab or cron")
    one.add_argument("where", choices=tuple(FILES))
    one.add_argument("target", nargs="?", default=TARGET, help="the target to be asked (default: my-server)")
    one.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (default: the terminal)")


def _workflow(options: argparse.Namespace) -> int:
    from conformance.targets.stanza import NAME

    if not NAME.fullmatch(options.target):
        raise Mistake(f"`{options.target}` can be no target: letters, digits, dots, dashes and underscores only")
    text = (JOBS / FILES[options.where]).read_text(encoding="utf-8").replace(TARGET, options.target)
    if options.output is None:
        print(text, end="")
        return CLEAN
    if options.output.exists():
        raise Mistake("there is a file already", where=str(options.output), fix="remove it, or choose another name")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write(options.output, text)
    return CLEAN
