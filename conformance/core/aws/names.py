"""How Amazon names things: endpoints, components, regions, roles, hosts, the life of a token; and the URL of the route.

The patterns are those of botocore's model of SageMaker. Text in, text out; nothing here knows AWS.
"""

from __future__ import annotations

import re
from urllib.parse import quote

ENDPOINT = r"(?!.{64})[a-zA-Z0-9](-*[a-zA-Z0-9])*"
COMPONENT = r"(?!.{64})[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
NAME = (
    "at most 63 letters, digits and hyphens, a letter or digit at both ends; not an ARN, but what follows its last `/`"
)
"""What both ask for, in words."""
REGION = r"[a-z]{2,6}(-[a-z]{2,12})+-[0-9]{1,2}"
PROFILE = r"[^\s\[\]]{1,100}"
ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}"
HOST = r"(https?://)?[A-Za-z0-9.-]+(:[0-9]{1,5})?"
LIFETIME = (
    r"([1-9][0-9]{0,3}|[1-3][0-9]{4}|4[0-2][0-9]{3}|43[01][0-9]{2}|43200)s?"
    r"|([1-9][0-9]?|[1-6][0-9]{2}|7[01][0-9]|720)m|([1-9]|1[0-2])h"
)
"""1 s to 12 h, in whole seconds, minutes or hours."""

LIFE = 900
"""Seconds that a bearer token is valid where the target does not say: long enough for any answer, no longer."""
ROUTE = re.compile(
    r"(?P<root>.*)/endpoints/(?P<endpoint>[^/]+)(?:/inference-components/(?P<component>[^/]+))?/openai/v1"
)
"""The base URL of the OpenAI-compatible route, taken apart."""


NOBODY = "conformance-no-such-name"
"""An endpoint and a component that nobody has."""


def elsewhere(base_url: str, place: str) -> str | None:
    """The base URL of another place beside the route's; None where there is no such place."""
    found = ROUTE.fullmatch(base_url)
    if found is None:
        return None
    root, name, part = found["root"], found["endpoint"], found["component"]
    match place:
        case "endpoint" if part:
            return route(root, name)
        case "no-endpoint":
            return route(root, NOBODY)
        case "no-component":
            return route(root, name, NOBODY)
    return None


def life(written: str | None) -> int:
    """A lifetime as LIFETIME has it, in seconds."""
    if not written:
        return LIFE
    return int(written.rstrip("smh")) * {"m": 60, "h": 3600}.get(written[-1], 1)


def route(root: str, name: str, part: str | None = None) -> str:
    """The base URL of an endpoint's OpenAI-compatible route, or of an inference component's; `root` is scheme and host."""
    within = f"/inference-components/{quote(part, safe='')}" if part else ""
    return f"{root.rstrip('/')}/endpoints/{quote(name, safe='')}{within}/openai/v1"
