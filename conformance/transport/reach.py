"""Where a target is: its server started where it has to be, and what a request there needs.

It sends nothing but what tells that a server is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.core.address import BEARER
from conformance.core.guard import Guard
from conformance.core.mistake import CouldNotTest
from conformance.core.secret import Secret
from conformance.targets.kinds import BEDROCK, SAGEMAKER
from conformance.targets.target import Launch, Target
from conformance.transport.engines.commands import COMMANDS, GATEWAYS, Start, Upstream, emulation
from conformance.transport.engines.install import NotInstalled, executable
from conformance.transport.engines.launch import LaunchFailed, free_port, launched

if (
    TYPE_CHECKING
):  # the client and the server are imported when a target is reached for: collecting checks needs neither
    from conformance.core.address import Address

SERVED = "tiny"
"""The name under which a launched engine serves its model."""

Say = Callable[[str], None]
"""Told, now and then, what is being waited for."""


@contextmanager
def addressed(target: Target, directory: Path, say: Say, guard: Guard) -> Iterator[Address]:
    """Where the target is, with its server running for the length of the block where it has to be started."""
    from conformance.core.address import Address

    credential = _revealed(target.key) if target.key is not None else None
    headers = (lambda: {name: _text(value) for name, value in target.headers.items()}) if target.headers else None
    if target.kind == "reference":
        from conformance.reference.engine import DEFAULT_KEY
        from conformance.reference.serve import serving

        with serving() as base_url:
            yield Address(base_url, target.model or "reference", lambda: DEFAULT_KEY, headers)
    elif target.container is not None:
        from conformance.transport.emulation import emulated

        with (
            addressed(target.container, directory, say, guard) as container,
            emulated(target, container, guard) as door,
        ):
            yield replace(door, headers=headers)
    elif target.kind in (SAGEMAKER, BEDROCK) and not (target.base_url and target.key):
        from conformance.transport import bedrock, sagemaker
        from conformance.transport.aws import AwsProblem

        try:
            found = (sagemaker if target.kind == SAGEMAKER else bedrock).address(target, guard.learn)
        except AwsProblem as problem:
            raise CouldNotTest(f"{target.name}: {problem}") from None
        yield replace(found, headers=headers)
    elif target.launch is not None:
        with _started(target, target.launch, directory, say, guard) as found:
            yield found if credential is None else replace(found, credential=credential)
    else:
        base_url, model = (target.base_url or "").rstrip("/"), target.model or ""
        yield Address(base_url, model, credential, headers, target.carriage, target.query)


@contextmanager
def _started(target: Target, launch: Launch, directory: Path, say: Say, guard: Guard) -> Iterator[Address]:
    """The server of a target for the length of the block, what stands behind it included.

    The log of a server lies in the directory; that of an upstream in one below. Raises CouldNotTest.
    """
    from conformance.core.address import Address

    with ExitStack() as stack:
        port, behind, stands_for = free_port(), None, emulation(target.kind)
        if target.kind in GATEWAYS and target.upstream is not None:
            below = directory / "upstream"
            below.mkdir()
            upstream = stack.enter_context(addressed(target.upstream, below, say, guard))
            behind, stands_for = _upstream(target, upstream), upstream.emulated
        try:
            program = program_of(target)
            if behind is not None:
                served = behind.model
                start = GATEWAYS[target.kind](program, behind, launch.model or "", port, launch.args, directory)
            else:
                written = launch.model or ""
                model = str(target.path(written)) if target.path(written).exists() else written
                served = target.model or SERVED
                start = Start(*COMMANDS[target.kind](program, model, served, port, launch.args), "/health")
        except (NotInstalled, LaunchFailed) as problem:
            raise CouldNotTest(f"{target.name}: {problem}") from None

        def waiting(seconds: float, line: str) -> None:
            say(f"{target.name}: starting the server, {seconds:.0f} s: {line}")

        try:
            stack.enter_context(
                launched(
                    start.command,
                    env={**start.env, **{name: _text(value) for name, value in launch.env.items()}},
                    health=f"http://127.0.0.1:{port}{start.health}",
                    log=directory / "server.log",
                    timeout=launch.ready,
                    progress=waiting,
                )
            )
        except LaunchFailed as problem:
            raise CouldNotTest(f"{target.name}: {problem}") from None
        if start.key is not None:
            guard.learn(start.key)  # it may have been made for the day
        needed = {**start.headers, **target.headers}
        yield Address(
            f"http://127.0.0.1:{port}/v1",
            served,
            None if start.key is None else _given(start.key),
            (lambda: {name: _text(value) for name, value in needed.items()}) if needed else None,
            emulated=stands_for,
        )


def program_of(target: Target) -> Path:
    """The program that starts the server of a target. Raises NotInstalled."""
    written = target.launch.python if target.launch else None
    return Path(written) if written else executable(target.engine)


def _upstream(target: Target, address: Address) -> Upstream:
    """What a gateway is told of its upstream. Raises CouldNotTest for one that it cannot be told of."""
    if not address.model or address.query or address.carriage != BEARER or address.headers is not None:
        what = "a model by name" if not address.model else "nothing but a base URL, a model and a bearer key"
        raise CouldNotTest(
            f"{target.name}: the upstream of a gateway that is started here needs {what}; start the gateway yourself and"
            " give its base_url"
        )
    return Upstream(address.base_url, address.credential() if address.credential else None, address.model)


def _given(key: str) -> Callable[[], str]:
    return lambda: key


def _revealed(secret: Secret) -> Callable[[], str]:
    return lambda: secret.reveal()


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value
