"""The front door before another target's server: started for a run, on loopback, with credentials of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from conformance.core.address import Address
from conformance.core.aws import names as amazon
from conformance.core.aws.tokens import SAGEMAKER, Bearer, Keys, Mint, mint
from conformance.core.guard import Guard
from conformance.reference.sagemaker_door import EMULATED, Door, own_mint, somebody
from conformance.reference.sagemaker_proxy import Container, Forward
from conformance.reference.serve import hosting
from conformance.targets.target import Target

REGION = "us-east-1"
"""Where the endpoint is said to be, unless the target says."""


def minter() -> Mint:
    """How tokens are minted: by botocore, and where it is not installed by the standard library, which makes the same bytes."""
    return mint if find_spec("botocore") else own_mint(time.time)


@contextmanager
def emulated(target: Target, container: Address, guard: Guard) -> Iterator[Address]:
    """The address of the target: a door of its own before the container, open to tokens of credentials made just now."""
    owner = somebody()
    guard.learn(owner.access, owner.secret, *([owner.session] if owner.session else []))
    options = target.options
    door = Door(owner, options.get("region", REGION), options["endpoint"], options.get("inference_component"))
    keys = Keys(owner.access, owner.secret, owner.session)
    life = amazon.life(options.get("token_lifetime"))
    bearer = Bearer(SAGEMAKER, door.region, life, lambda: keys, guard.learn, mint=minter())
    with hosting(Forward(door, Container(container.base_url, container.credential))) as origin:
        base_url = amazon.route(origin, door.endpoint, door.component)
        behind = target.container.name if target.container else container.base_url
        note = f"{EMULATED}, in part by guess; behind it is {behind}"
        model = container.model if target.model is None else target.model
        yield Address(base_url, model, bearer.token, forged=bearer.forged, emulated=note)
