"""A bearer token for whoever asks for one by a target's name: what `conformance token` does, without its printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.core.mistake import Mistake
from conformance.targets import find, select
from conformance.targets.kinds import SAGEMAKER
from conformance.targets.target import Target
from conformance.transport.aws import AwsProblem, account
from conformance.transport.reach import CouldNotTest
from conformance.transport.sagemaker import tokens


@dataclass(frozen=True)
class Minted:
    """A token, and the secret key that signed it."""

    token: str = field(repr=False)
    secret: str = field(repr=False)


def minted(name: str, file: str | None, environ: Mapping[str, str], forged: str | None = None) -> Minted:
    """A token for a target, or one of the forged ones.

    Raises Mistake for a target that has none, and CouldNotTest where there are no credentials.
    """
    path = Path(file) if file else find(Path.cwd())
    if file and (path is None or not path.is_file()):
        raise Mistake("there is no such file", where=file, fix="--targets names a file like targets.yaml")
    chosen = select([name], file=path, environ=environ)
    if len(chosen) != 1:
        raise Mistake(f"`{name}` means {len(chosen)} targets: name one", where="token")
    target: Target = chosen[0]
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
