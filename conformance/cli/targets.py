"""List the targets, and print the schema of their file."""

from __future__ import annotations

import argparse
import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from conformance.cli.common import CLEAN, COULD_NOT, Command, console
from conformance.core.mistake import Mistake, nearest
from conformance.evidence.find import REPORTS, slug
from conformance.evidence.run import latest
from conformance.evidence.run import read as read_run

if TYPE_CHECKING:  # pydantic is slow to import, and `--help` needs none
    from conformance.targets.target import Target


def add(command: Command) -> None:
    """Declare the command."""
    one = command("targets", _targets, "list the targets: what is configured, reachable, claimed, and was observed")
    one.add_argument("name", nargs="*", help="names or globs (default: all)")
    one.add_argument("--targets", metavar="FILE", help="the file of targets")
    one.add_argument("--offline", action="store_true", help="do not ask whether they are reachable")
    one.add_argument("--json", action="store_true")
    two = command(
        "schema",
        _schema,
        "print a JSON Schema: of targets.yaml, for editors, of JSON reports, or of a line of run.jsonl",
    )
    two.add_argument(
        "of", nargs="?", choices=("targets", "report", "run"), default="targets", help="(default: targets)"
    )


def _targets(options: argparse.Namespace) -> int:

    rows = overview(options.name, options.targets, reach=not options.offline, environ=os.environ)
    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        screen = console()
        for row in rows:
            screen.print(block(row))
    return CLEAN if all(row.reachable is not False for row in rows) else COULD_NOT


def _schema(options: argparse.Namespace) -> int:
    from conformance.evidence import record
    from conformance.report import json as report
    from conformance.targets import json_schema

    schema = {"report": report.schema, "run": record.schema}.get(options.of, json_schema)
    print(json.dumps(schema(), indent=2))
    return CLEAN


FOUND = "where the AWS configuration says"


WAIT = 3.0
"""Seconds to wait for a connection: this is a look, not a test."""


@dataclass(frozen=True)
class Row:
    """What is known of one target."""

    target: Target
    where: str
    reachable: bool | None
    """None: it is started when it is needed, or nobody asked."""
    state: str
    observed: Mapping[str, str]
    """By capability: served, refused or unclear, in the last run."""
    run: Path | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "target": self.target.name,
            "kind": self.target.kind,
            "where": self.where,
            "reachable": self.reachable,
            "state": self.state,
            "claims": None if self.target.claims is None else sorted(self.target.claims),
            "observed": dict(self.observed),
            "last_run": str(self.run) if self.run else None,
        }


def overview(names: Sequence[str], file: str | None, *, reach: bool, environ: Mapping[str, str]) -> list[Row]:
    """What is known of the targets with these names or globs, or of all. Raises Mistake."""
    from conformance.targets import find, read

    path = Path(file) if file else find(Path.cwd())
    if path is None or not path.is_file():
        raise Mistake(
            "there is no targets.yaml here or above",
            where=str(file or Path.cwd()),
            fix="`pytest --target reference` needs none",
        )
    known = read(path).by_name
    chosen = {name: known[name] for name in known if not names or any(fnmatchcase(name, one) for one in names)}
    for one in names:
        if not any(fnmatchcase(name, one) for name in known):
            raise Mistake(f"there is no target `{one}`", where=str(path), fix=nearest(one, known))
    return [_row(target, path.parent / REPORTS, reach, environ) for target in chosen.values()]


def _row(target: Target, reports: Path, reach: bool, environ: Mapping[str, str]) -> Row:
    name = slug(target.name)
    run = (latest(reports, name, complete=True) or latest(reports, name)) if reports.is_dir() else None
    reachable, state = _state(target, reach, environ)
    if target.kind == "reference":
        where = "embedded"
    elif target.launch is not None:
        behind = f" in front of {target.upstream.name}" if target.upstream else f" with {target.launch.model}"
        where = f"launches {target.kind}{behind}"
    elif target.container is not None:
        where = f"an emulated front door before {target.container.name}"
    else:
        where = target.base_url or FOUND
    return Row(target, where, reachable, state, _observed(run), run)


def _state(target: Target, reach: bool, environ: Mapping[str, str]) -> tuple[bool | None, str]:
    missing = [secret.name for secret in target.secrets() if not secret.is_known and not environ.get(secret.name)]
    if missing:
        return (False if reach else None), f"${{{missing[0]}}} is not set"
    if target.kind == "reference" or target.launch is not None or target.container is not None:
        return None, "started when needed"
    if not reach:
        return None, "not asked"
    if not target.base_url:
        return None, f"not asked: `conformance doctor {target.name}` looks where it is"
    parts = urlsplit(target.base_url or "")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=WAIT):
            return True, "reachable"
    except OSError as problem:
        return False, f"not reachable: {problem.strerror or problem}"


def _observed(run: Path | None) -> dict[str, str]:
    """What the checks of a run that need a capability say of it."""
    if run is None:
        return {}
    seen: dict[str, set[str]] = {}
    for result in read_run(run, forgiving=True).results:
        for capability in result.requires:
            seen.setdefault(capability, set()).add(result.outcome.kind.value)
    served = {"holds", "violated"}
    return {
        capability: "served" if kinds & served else "refused" if "unsupported" in kinds else "unclear"
        for capability, kinds in sorted(seen.items())
    }


def block(row: Row) -> Group:
    """A few lines for a terminal."""
    target = row.target
    style = "red" if row.reachable is False else "green" if row.reachable else "cyan"
    name = Text.assemble((target.name, "bold"), f"  {target.kind}, {row.where}")
    text = Text.assemble((row.state, style), "\n")
    claims = "not declared: found out" if target.claims is None else ", ".join(sorted(target.claims))
    text.append(f"claims: {claims}\n")
    if row.run is not None:
        by_word: dict[str, list[str]] = {}
        for capability, word in row.observed.items():
            by_word.setdefault(word, []).append(capability)
        seen = "; ".join(f"{word}: {', '.join(names)}" for word, names in sorted(by_word.items(), reverse=True))
        text.append(f"observed in {row.run.name}: {seen or 'nothing'}\n")
    if target.waives:
        text.append(f"waives: {', '.join(waiver.check for waiver in target.waives)}\n")
    return Group(name, Padding(text, (0, 0, 0, 4)))
