"""The `conformance` command: what there is to know and to do besides running the checks, which is pytest's business.

Exit codes: 0 done, 1 something is not as it should be, 4 the command or a file was wrong, 6 a target or engine could not be used.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.mistake import Mistake, nearest

CLEAN, WRONG, USAGE, COULD_NOT = 0, 1, 4, 6


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Mistakes are one line and exit code 4; what could not be done is one line and 6."""
    from conformance.transport.servers import InstallFailed, NotInstalled
    from conformance.trial import CouldNotTest

    options = parser().parse_args(argv)
    try:
        return int(options.run(options))
    except Mistake as mistake:
        print(f"conformance: {mistake}", file=sys.stderr)
        return USAGE
    except (CouldNotTest, InstallFailed, NotInstalled) as problem:
        print(f"conformance: {problem}", file=sys.stderr)
        return COULD_NOT
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `| head` has seen enough
        return CLEAN


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and exits like every other mistake."""

    def error(self, message: str) -> Any:
        print(f"{self.prog}: {message}\n  {self.prog} --help shows what there is", file=sys.stderr)
        raise SystemExit(USAGE)


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    whole = Parser(prog="conformance", description=f"{__doc__}".partition("\n")[0])
    commands = whole.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
        one.set_defaults(run=run)
        return one

    checks = command("checks", _checks, "list the checks: id, level, area, title, source, and requests each costs")
    checks.add_argument("prefix", nargs="*", help="only ids that begin so")
    checks.add_argument("--json", action="store_true", help="as JSON, with sources and remedies")
    targets = command("targets", _targets, "list the targets: what is configured, reachable, claimed, and was observed")
    targets.add_argument("name", nargs="*", help="names or globs (default: all)")
    targets.add_argument("--targets", metavar="FILE", help="the file of targets")
    targets.add_argument("--offline", action="store_true", help="do not ask whether they are reachable")
    targets.add_argument("--json", action="store_true")
    account = command(
        "coverage", _coverage, "what the suite covers: behaviours, request parameters, fields; and what it leaves out"
    )
    account.add_argument("prefix", nargs="*", help="only what begins so: an id, a section, or a check")
    account.add_argument("--json", action="store_true")
    command("schema", _schema, "print the JSON Schema of targets.yaml, for editors")
    serve = command("serve", _serve, "run the reference server by hand")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--fault", action="append", default=[], metavar="ID", help="plant this fault; may be repeated")
    serve.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="before each answer")
    serve.add_argument("--token-delay", type=float, default=0.0, metavar="SECONDS", help="before each streamed token")
    command("faults", _faults, "list the faults that the reference server can be given")
    matrix = command("matrix", _matrix, "compute the kill matrix: which checks each planted fault trips")
    matrix.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it as YAML (default: to the terminal)")
    matrix.add_argument("fault", nargs="*", help="only these faults")
    har = command("har", _har, "export a run as HAR 1.2, for viewers of network traffic")
    har.add_argument("run_directory", type=Path, metavar="DIR")
    har.add_argument("-o", "--output", type=Path, metavar="FILE")
    report = command("report", _report, "report one run or several side by side")
    report.add_argument("runs", nargs="+", type=Path, metavar="DIR")
    report.add_argument("--html", type=Path, metavar="FILE")
    report.add_argument("--markdown", type=Path, metavar="FILE")
    servers = command("servers", _servers, "engines that targets can launch: list them, or install one")
    servers.add_argument("action", choices=("list", "install"))
    servers.add_argument("engine", nargs="?")
    return whole


def _console() -> Console:
    return Console(highlight=False, soft_wrap=False)


def _checks(options: argparse.Namespace) -> int:
    from conformance.check import catalogue
    from conformance.trial import described

    every = catalogue()
    prefixes = tuple(options.prefix)
    chosen = [check for check in every.values() if not prefixes or check.id.startswith(prefixes)]
    if not chosen:
        hint = nearest(prefixes[0], [*every, *{check.area for check in every.values()}])
        raise Mistake(f"no check begins with `{prefixes[0]}`{f'; {hint}' if hint else ''}")
    if options.json:
        print(
            json.dumps(
                [{**described(check), "requests": check.cost, "drawn": check.drawn} for check in chosen], indent=2
            )
        )
        return CLEAN
    console = _console()
    for check in chosen:
        cost = f"{check.cost}{'*' if check.drawn else ''} request{'s' if check.cost > 1 else ''}"
        console.print(Text.assemble((check.id, "bold"), "  ", (check.level.value, "cyan"), f"  {cost}"))
        console.print(Padding(Text(check.title), (0, 0, 0, 4)))
    distinct = len({probe.key for check in chosen for probe in check.probes})
    console.print(
        f"\n{len(chosen)} checks; they share {distinct} fixed requests, and {sum(check.drawn for check in chosen)} of them draw"
        " their own (*: at most so many). `--json` adds sources and remedies."
    )
    return CLEAN


def _targets(options: argparse.Namespace) -> int:
    from conformance.overview import block, overview

    rows = overview(options.name, options.targets, reach=not options.offline, environ=os.environ)
    if options.json:
        print(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        console = _console()
        for row in rows:
            console.print(block(row))
    return CLEAN if all(row.reachable is not False for row in rows) else COULD_NOT


def _coverage(options: argparse.Namespace) -> int:
    from conformance.check import catalogue
    from conformance.coverage import blocks, chosen, coverage, summary, to_json

    entries = chosen(coverage(), options.prefix)
    if not entries:
        raise Mistake(f"nothing that is covered begins with `{options.prefix[0]}`; `conformance coverage` shows all")
    if options.json:
        print(json.dumps(to_json(entries), indent=2, ensure_ascii=False))
        return CLEAN
    console = _console()
    for block in blocks(entries, {check.id: check.level.value for check in catalogue().values()}):
        console.print(block)
    console.print(Text(summary(entries, len(catalogue()))))
    return CLEAN


def _schema(options: argparse.Namespace) -> int:
    from conformance.configuration import json_schema

    print(json.dumps(json_schema(), indent=2))
    return CLEAN


def _serve(options: argparse.Namespace) -> int:
    from conformance.reference.engine import DEFAULT_KEY, Settings
    from conformance.reference.fault import faults
    from conformance.reference.serve import main as serve

    _known(options.fault, faults())
    settings = Settings(delay=options.delay, token_delay=options.token_delay)
    try:
        serve(
            options.host,
            options.port,
            settings,
            options.fault,
            lambda url: print(f"serving at {url} (key: {DEFAULT_KEY})", flush=True),
        )
    except OSError as problem:
        raise Mistake(
            f"cannot serve at {options.host}:{options.port}: {problem.strerror}", fix="choose another --port"
        ) from None
    return CLEAN


def _faults(options: argparse.Namespace) -> int:
    from conformance.reference.fault import faults

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("fault", "", "the server then"):
        table.add_column(name)
    for one in faults().values():
        table.add_row(one.id, "legal" if one.legal else "", Text(one.title))
    _console().print(table)
    return CLEAN


def _matrix(options: argparse.Namespace) -> int:
    from conformance.check import catalogue
    from conformance.matrix import compute, published
    from conformance.reference.fault import faults

    known = faults()
    _known(options.fault, known)
    chosen = {name: known[name] for name in options.fault or known}
    rows = compute(chosen, catalogue().values(), tell=lambda line: print(line, file=sys.stderr, flush=True))
    before = options.output.read_text(encoding="utf-8") if options.output and options.output.exists() else ""
    names = {name: row.get("names", []) for name, row in (yaml.safe_load(before) or {}).items()}
    text = published(rows, catalogue(), names)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return CLEAN


def _known(wanted: Sequence[str], known: Mapping[str, object]) -> None:
    for one in wanted:
        if one not in known:
            hint = nearest(one, known) or "`conformance faults` lists them"
            raise Mistake(f"there is no fault called `{one}`; {hint}")


def _har(options: argparse.Namespace) -> int:
    from conformance.har import har
    from conformance.recording import EXCHANGES, Recording
    from conformance.report.run import read

    if not (options.run_directory / EXCHANGES).is_file():
        raise Mistake("no run is here: there is no exchanges.jsonl", where=str(options.run_directory))
    text = json.dumps(har(Recording(options.run_directory), read(options.run_directory).header.base_url), indent=1)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return CLEAN


def _report(options: argparse.Namespace) -> int:
    from conformance.reporting import Book

    book = Book.of(options.runs)
    if options.html:
        options.html.write_text(book.html(), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(book.markdown(), encoding="utf-8")
    if not options.html and not options.markdown:
        book.text(_console())
    return CLEAN


def _servers(options: argparse.Namespace) -> int:
    from conformance.transport import servers

    console = _console()
    if options.action == "install":
        if not options.engine:
            raise Mistake("which engine? `conformance servers list` shows them")
        program = servers.install(options.engine, tell=lambda line: console.print(Text(line)))
        console.print(Text(f"{options.engine} is ready: {program}"))
        return CLEAN
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("engine", "version", "state", "where"):
        table.add_column(name)
    for one in servers.installed():
        state = f"installed ({one.build})" if one.build else "not installed"
        table.add_row(one.engine.name, one.engine.version, state, Text(str(one.directory)))
    console.print(table)
    return CLEAN


if __name__ == "__main__":
    sys.exit(main())
