"""Mint a bearer token from AWS credentials, or explain one without showing it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from conformance.cli.common import CLEAN, WRONG, Command, console
from conformance.core.mistake import CouldNotTest, Mistake

FORGED = ("brief", "expired", "foreign", "tampered", "malformed")


def add(command: Command) -> None:
    """Declare the command."""
    one = command(
        "token", _token, "the bearer token of a SageMaker target: mint it into a pipe, or explain it (--check)"
    )
    one.add_argument("target", nargs="?", help="a target of the kind sagemaker")
    one.add_argument("--targets", metavar="FILE", help="the file of targets")
    one.add_argument(
        "--check", action="store_true", help="say what the token holds, field by field, and never the token"
    )
    one.add_argument("--forged", choices=FORGED, help="one that is to be refused, or (brief) is over in seconds")
    one.add_argument("--stdin", action="store_true", help="explain the token that is read from standard input")
    one.add_argument("--env", metavar="NAME", help="explain the token in this environment variable")


def _token(options: argparse.Namespace) -> int:
    sources = [one for one in (options.target, options.stdin, options.env) if one]
    if len(sources) != 1:
        raise Mistake("which token? name a target, or say --stdin or --env NAME", where="token")
    if options.target:
        return _of_target(options)
    if not options.check:
        raise Mistake("a token from elsewhere can only be explained: add --check", where="token")
    if options.forged:
        raise Mistake("a token is forged for a target: name one", where="--forged")
    if options.env:
        text = os.environ.get(options.env, "")
        if not text:
            raise Mistake(f"${{{options.env}}} is not set", where="--env")
    else:
        text = sys.stdin.read(32 * 1024)
    return _explain(text.strip().removeprefix("Bearer "), None)


def _of_target(options: argparse.Namespace) -> int:

    made = minted(options.target, options.targets, os.environ, options.forged)
    if options.check:
        return _explain(made.token, made.secret)
    if sys.stdout.isatty():
        raise Mistake(
            "a token is not shown on a terminal, where it would stay",
            fix=f"KEY=$(conformance token {options.target}) in a shell keeps it in a variable",
        )
    print(made.token)
    return CLEAN


def _explain(text: str, secret: str | None) -> int:
    """Field by field, and whether it is valid now; exit code 1 where it is not."""
    from conformance.core.aws.tokens import Unreadable, read

    try:
        token = read(text)
    except Unreadable as problem:
        console().print(Text(f"no valid token: {problem}"))
        return WRONG
    now = datetime.fromtimestamp(time.time(), UTC).replace(microsecond=0)
    kind = {"ASIA": "temporary credentials", "AKIA": "a user's own key"}.get(token.access[:4], "an access key")
    left = (token.ends - now).total_seconds()
    over = left <= 0
    state = f"over for {-left:.0f} s" if over else f"{left:.0f} s left" if token.begins <= now else "not yet begun"
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in (
        ("service", f"{token.scope[2]}, signed for {token.host}"),
        ("action", token.action),
        ("region", token.region),
        ("access key", f"{token.access[:4]}...{token.access[-4:]} ({kind})"),
        ("session token", f"{len(token.session)} characters" if token.session else "none"),
        ("valid from", f"{token.begins:%Y-%m-%d %H:%M:%S} UTC"),
        ("valid until", f"{token.ends:%Y-%m-%d %H:%M:%S} UTC ({token.life} s; {state})"),
        ("signature", _signature(token.is_signed_with(secret) if secret else None)),
        ("length", f"{len(text)} characters"),
    ):
        table.add_row(name, Text(value))
    console().print(table)
    if token.session:
        console().print(Text("It stops to be valid earlier where the credentials it is made of expire before it."))
    return WRONG if over else CLEAN


def _signature(good: bool | None) -> str:
    if good is None:
        return "64 digits; only who has the secret key can verify them"
    return "verified" if good else "not made with these credentials"


@dataclass(frozen=True)
class Minted:
    """A token, and the secret key that signed it."""

    token: str = field(repr=False)
    secret: str = field(repr=False)


def minted(name: str, file: str | None, environ: Mapping[str, str], forged: str | None = None) -> Minted:
    """A token for a target, or one of the forged ones.

    Raises Mistake for a target that has none, and CouldNotTest where there are no credentials.
    """
    from conformance.targets import find, select  # pydantic is slow to import, and `--help` needs none
    from conformance.targets.kinds import SAGEMAKER
    from conformance.transport.aws import AwsProblem, account
    from conformance.transport.sagemaker import tokens

    path = Path(file) if file else find(Path.cwd())
    if file and (path is None or not path.is_file()):
        raise Mistake("there is no such file", where=file, fix="--targets names a file like targets.yaml")
    chosen = select([name], file=path, environ=environ)
    if len(chosen) != 1:
        raise Mistake(f"`{name}` means {len(chosen)} targets: name one", where="token")
    target = chosen[0]
    if target.kind != SAGEMAKER:
        raise Mistake(f"`{target.name}` is of the kind {target.kind}, which has no minted tokens", where=target.where)
    if target.container is not None:
        raise Mistake(
            f"the front door of `{target.name}` is emulated, and its credentials are made for each run",
            where=target.where,
            fix="`conformance serve --sagemaker` says which credentials open it",
        )
    try:
        own = account(target)
        bearer = tokens(target, own, lambda *secrets: None)
        return Minted(bearer.forged[forged]() if forged else bearer.token(), own.keys().secret)
    except AwsProblem as problem:
        raise CouldNotTest(f"{target.name}: {problem}") from None
