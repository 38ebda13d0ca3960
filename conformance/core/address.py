"""Where a target is, and how a request to it travels: its URL, and where the key is put."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conformance.core.probe import Probe


@dataclass(frozen=True)
class Carriage:
    """How a key travels: in which header, after which word. Most take it as OpenAI does."""

    header: str = "authorization"
    scheme: str = "Bearer"

    def value(self, key: str) -> str:
        """The value of the header that carries the key."""
        return f"{self.scheme} {key}" if self.scheme else key


BEARER = Carriage()


@dataclass(frozen=True)
class Address:
    """Where a target is: base URL without a slash at the end, the model's name there, and how to get a credential."""

    base_url: str
    model: str = ""
    credential: Callable[[], str] | None = field(default=None, repr=False)
    """Gives the bearer token, fresh for each request; None where the target wants none."""
    headers: Callable[[], Mapping[str, str]] | None = field(default=None, repr=False)
    """Further headers of every request, which may hold secrets too."""
    carriage: Carriage = BEARER
    """How the credential travels."""
    query: str = ""
    """At the end of every URL."""
    forged: Mapping[str, Callable[[], str]] = field(default_factory=dict, repr=False)
    """Credentials that are to be refused, and those with something odd about them, by the word that probes have for them."""
    emulated: str = ""
    """What of the target is not the real thing: said in every report."""


WRONG = "conformance-wrong-credential"
"""What stands in for credentials that are to be refused: nothing that a guard would take for a real one."""


def filled(probe: Probe, model: str) -> tuple[str, bytes | None]:
    """The path and body of the probe with the model's name in place of MODEL; as they are where there is no name."""
    if not model:
        return probe.path, probe.body
    return probe.filled(model)


def url(base_url: str, path: str, query: str = "") -> str:
    """The address of a path below the base URL, with the query that all of the target's have."""
    return with_query(f"{base_url.rstrip('/')}/{path.lstrip('/')}", query)


def with_query(url: str, query: str) -> str:
    """The URL with a query after its own, if it has one."""
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url
