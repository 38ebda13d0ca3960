"""Asks a server that is a function, without a network: what the collector would have brought back over HTTP.

For tests and for the kill matrix, where hundreds of faulty servers are asked hundreds of probes each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from conformance.core.address import WRONG
from conformance.core.aws.names import elsewhere, route
from conformance.core.aws.tokens import SAGEMAKER, Bearer, Keys
from conformance.core.check import Check
from conformance.core.exchange import Chunk, Ending, Exchange, How, Wait
from conformance.core.probe import Probe
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.sagemaker_door import Door, own_mint
from conformance.targets import kinds
from conformance.targets.target import Limits
from conformance.transport.retry import ATTEMPTS, patience

Ask = Callable[[Probe], Exchange]

PATIENCE = 120.0
"""Seconds after which this client gives up on a server that neither answers nor closes."""
REPEATS = 2000
"""Times that this client reads the last piece of a stream that never ends, before it gives up."""


@dataclass(frozen=True)
class Way:
    """How a server is reached: its base path, and the credentials that there are, by the word that probes have for them."""

    base: str
    credentials: Mapping[str, Callable[[], str]]


@dataclass(frozen=True)
class Client:
    """A client of a server, and of the same server behind SageMaker's front door, where checks of that kind look."""

    plain: Ask
    behind: Ask

    def __call__(self, probe: Probe) -> Exchange:
        return self.plain(probe)

    def of(self, check: Check) -> Ask:
        """Whom a check asks."""
        return self.behind if kinds.SAGEMAKER in check.kinds else self.plain


def plain(key: str) -> Way:
    """The usual way."""
    return Way("/v1", {"key": lambda: key, "wrong": lambda: f"wrong-{key}"})


def request_of(probe: Probe, way: Way | str, model: str) -> Request:
    """The request as it would reach the server. A text is the key of the usual way."""
    way = plain(way) if isinstance(way, str) else way
    headers = dict(probe.headers)
    if (credential := way.credentials.get(probe.auth)) and "authorization" not in headers:
        headers["authorization"] = f"Bearer {credential()}"
    path, body = probe.filled(model)
    base = elsewhere(way.base, probe.place) if probe.place else way.base
    return Request(probe.method, f"{base}/{unquote(path)}", headers, body or b"", {})


def exchange_of(probe: Probe, answer: Answer, at: float = 0.0, model: str = "") -> Exchange:
    """The exchange that an answer makes, as a client on a fast network would see it."""
    headers = tuple((name.lower(), value) for name, value in answer.headers.items())
    clock = answer.after
    if clock >= PATIENCE:
        late = Ending(How.TIMED_OUT, "first byte", f"nothing came in {PATIENCE:g} s")
        return Exchange(probe, "memory", at, ending=late, ended=PATIENCE, model=model)
    answered, chunks, seen = clock, [], 0
    ending = Ending()
    for wait, data in answer.pieces():
        if wait >= PATIENCE:
            ending = Ending(How.TIMED_OUT, "idle", f"nothing came in {PATIENCE:g} s")
            clock += PATIENCE
            break
        clock += wait
        chunks.append(Chunk(clock, data))
        seen += data.count(b"\n\n")
        if probe.leave and probe.leave.events is not None and seen >= probe.leave.events:
            ending = Ending(How.LEFT)
            break
    else:
        done = b"".join(chunk.data for chunk in chunks[-2:]).rstrip().endswith(b"[DONE]")
        if answer.ending == "drop":
            ending = Ending(How.CUT, "body", "the connection was closed within the body")
        elif answer.ending == "hang":
            phase = "linger" if done else "idle"
            ending = Ending(How.TIMED_OUT, phase, "the server neither sent more nor closed")
            clock += PATIENCE
        elif answer.ending == "repeat" and chunks:
            chunks.append(Chunk(PATIENCE, chunks[-1].data * REPEATS))
            ending = Ending(How.TIMED_OUT, "total", f"not complete in {PATIENCE:g} s")
            clock = PATIENCE
    if probe.method == "HEAD":
        chunks = []
    return Exchange(probe, "memory", at, answer.status, headers, tuple(chunks), ending, answered, clock, model=model)


def asking(respond: Respond, way: Way | str, model: str, now: float = 0.0) -> Ask:
    """A client of a server that is a function. One server state, one exchange per probe. A text is the key of the usual way."""
    exchanges: dict[str, Exchange] = {}
    memory: dict[str, object] = {}

    def ask(probe: Probe) -> Exchange:
        if probe.key not in exchanges:
            exchanges[probe.key] = carried(probe)
        return exchanges[probe.key]

    def carried(probe: Probe) -> Exchange:
        """Sent as often as the collector would; its waits take no time here."""
        sent, waits = request_of(probe, way, model), list[Wait]()
        while True:
            answer = respond(Request(sent.method, sent.path, sent.headers, sent.body, memory))
            x = exchange_of(probe, answer, now, model)
            seconds = patience(x, Limits().retry_after)
            if seconds is None or len(waits) == ATTEMPTS - 1:
                return replace(x, waits=tuple(waits)) if waits else x
            waits.append(Wait(x.status or 0, seconds))

    return ask


def behind(door: Door) -> Way:
    """How a client in the same process comes through the door: to the component, with tokens of the door's own time."""
    keys = Keys(door.owner.access, door.owner.secret, door.owner.session)

    bearer = Bearer(SAGEMAKER, door.region, 900, lambda: keys, lambda *secrets: None, door.clock, own_mint(door.clock))
    credentials = {"key": bearer.token, "wrong": lambda: WRONG, **bearer.forged}
    return Way(route("", door.endpoint, door.component), credentials)
