"""Where a SageMaker endpoint's OpenAI-compatible route is, for a target as its stanza has it."""

from __future__ import annotations

from conformance import amazon
from conformance.target import Target
from conformance.transport.aws import Account


def base_url(target: Target, account: Account) -> str:
    """The base URL of the route: as written, else of the endpoint or component at the region's host. Raises AwsProblem."""
    if target.base_url:
        return target.base_url.rstrip("/")
    host = target.options.get("host")
    root = account.host() if host is None else host if "://" in host else f"https://{host}"
    return amazon.route(root, target.options["endpoint"], target.options.get("inference_component"))
