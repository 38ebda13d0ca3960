"""Reaches a SageMaker endpoint: where its OpenAI-compatible route is, and the bearer tokens that open it."""

from __future__ import annotations

from collections.abc import Callable

from conformance.core.address import Address
from conformance.core.aws import names as amazon
from conformance.core.aws.tokens import SAGEMAKER, Bearer, Scheme
from conformance.targets.target import Target
from conformance.transport.aws import Account, account

Learn = Callable[..., None]
"""Told every secret that is made on the way."""


def base_url(target: Target, own: Account) -> str:
    """The base URL of the route: as written, else of the endpoint or component at the region's host. Raises AwsProblem."""
    if target.base_url:
        return target.base_url.rstrip("/")
    host = target.options.get("host")
    root = own.host() if host is None else host if "://" in host else f"https://{host}"
    return amazon.route(root, target.options["endpoint"], target.options.get("inference_component"))


def address(target: Target, learn: Learn) -> Address:
    """Where the target is, with credentials that are known to work as far as no request tells. Raises AwsProblem."""
    own = account(target)
    url, bearer = base_url(target, own), tokens(target, own, learn)
    bearer.token()  # credentials that are missing are better told before the first request
    return Address(url, target.model or "", bearer.token, forged=bearer.forged)


def tokens(target: Target, own: Account, learn: Learn, scheme: Scheme = SAGEMAKER) -> Bearer:
    """The bearer tokens of a target, of SageMaker unless told. Raises AwsProblem."""
    return Bearer(scheme, own.region, amazon.life(target.options.get("token_lifetime")), own.keys, learn)
