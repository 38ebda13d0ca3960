"""Run the reference server by hand, alone or behind SageMaker's emulated front door."""

from __future__ import annotations

import argparse
import os
import re

from conformance.cli.common import CLEAN, Command, known
from conformance.core.mistake import Mistake

STYLES = ("measured", "documented", "424")


def add(command: Command) -> None:
    """Declare the command."""
    one = command(
        "serve", _serve, "run the reference server by hand, or SageMaker's front door before it (--sagemaker)"
    )
    one.add_argument("--host", default="127.0.0.1")
    one.add_argument("--port", type=int, default=8000)
    one.add_argument("--fault", action="append", default=[], metavar="ID", help="plant this fault; may be repeated")
    one.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="before each answer")
    one.add_argument("--token-delay", type=float, default=0.0, metavar="SECONDS", help="before each streamed token")
    door = one.add_argument_group("the front door of Amazon SageMaker, emulated")
    door.add_argument("--sagemaker", action="store_true", help="stand before the server, and want bearer tokens")
    door.add_argument(
        "--container", metavar="URL", help="forward to this server instead, such as http://127.0.0.1:8080"
    )
    door.add_argument("--endpoint", default="local", metavar="NAME")
    door.add_argument("--component", metavar="NAME", help="the inference component of the endpoint")
    door.add_argument("--region", metavar="NAME", help="the region (default: $AWS_REGION, or us-east-1)")
    door.add_argument(
        "--errors", choices=STYLES, default="measured", help="how a container's errors come out (default: as was seen)"
    )
    door.add_argument("--asleep", action="store_true", help="be scaled to zero")


def _serve(options: argparse.Namespace) -> int:
    from conformance.reference.engine import DEFAULT_KEY, Settings
    from conformance.reference.fault import faults
    from conformance.reference.serve import main as serve

    known(options.fault, faults())
    if options.sagemaker:
        return _door(options)
    for name in ("container", "component", "region", "asleep"):
        if getattr(options, name):
            raise Mistake(f"--{name} is about the front door: add --sagemaker", where=f"--{name}")
    if doors := [one for one in options.fault if faults()[one].door]:
        raise Mistake(f"`{doors[0]}` is a fault of the front door: add --sagemaker", where="--fault")
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
        raise _taken(options, problem) from None
    return CLEAN


def _taken(options: argparse.Namespace, problem: OSError) -> Mistake:
    return Mistake(f"cannot serve at {options.host}:{options.port}: {problem.strerror}", fix="choose another --port")


def _door(options: argparse.Namespace) -> int:
    """Stand before the reference server, with its faults and the door's own, or before a container on a socket."""
    from conformance.core.aws import names as amazon
    from conformance.reference.app import app
    from conformance.reference.engine import Settings, responder
    from conformance.reference.fault import faults, with_faults
    from conformance.reference.sagemaker_door import EMULATED, Door, fronted, owner
    from conformance.reference.sagemaker_proxy import Container, Forward
    from conformance.reference.serve import Application, foreground
    from conformance.targets.quantities import url_problem

    region = options.region or os.environ.get("AWS_REGION") or "us-east-1"
    for name, value, pattern, form in (
        ("--endpoint", options.endpoint, amazon.ENDPOINT, amazon.NAME),
        ("--component", options.component or "x", amazon.COMPONENT, amazon.NAME),
        ("--region", region, amazon.REGION, "a region, such as eu-west-1"),
    ):
        if not re.fullmatch(pattern, value):
            raise Mistake(f"must be {form}", where=name)
    own = owner(os.environ)
    door = Door(own, region, options.endpoint, options.component, options.asleep, options.errors)
    application: Application
    if options.container:
        if problem := url_problem(options.container):
            raise Mistake(problem, where="--container")
        if options.fault or options.delay or options.token_delay:
            raise Mistake("faults and delays are of the reference server: leave --container out", where="--container")
        base = options.container.rstrip("/")
        behind = base if base.endswith("/v1") else f"{base}/v1"
        application = Forward(door, Container(behind, None))
    else:
        planted = [faults()[one] for one in options.fault]
        server = with_faults(
            responder(Settings(delay=options.delay, token_delay=options.token_delay)),
            [one for one in planted if not one.door],
        )
        application = app(with_faults(fronted(server, door), [one for one in planted if one.door]))
        behind = "the reference server"

    def ready(origin: str) -> None:
        print(f"serving at {amazon.route(origin, door.endpoint, door.component)}")
        print(f"{EMULATED}; behind it: {behind}. It opens to tokens of these credentials, nothing else:")
        if own.access == os.environ.get("AWS_ACCESS_KEY_ID"):
            print("  those in your environment", flush=True)
            return
        print(f"export AWS_ACCESS_KEY_ID={own.access}")
        print(f"export AWS_SECRET_ACCESS_KEY={own.secret}")
        print(f"export AWS_SESSION_TOKEN={own.session or ''}")
        print(f"export AWS_REGION={region}", flush=True)

    try:
        foreground(application, options.host, options.port, ready)
    except OSError as problem:
        raise _taken(options, problem) from None
    return CLEAN
