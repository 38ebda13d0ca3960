"""A probe: one request worth sending, the same for every target.

It names no host, key or model (`MODEL` stands for whatever the target serves), so its content is its identity: it is sent
once per target, shared between checks, aligned between targets, and found again in a recording.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal
from urllib.parse import quote

MODEL = "$MODEL"
"""In a body or a path: the model that the target serves. A transport puts the real name in."""

Auth = Literal["key", "none", "wrong", "malformed", "tampered", "expired", "foreign", "brief"]
"""The target's credentials, none, or well-formed wrong ones. Of targets whose tokens are made from a signature also one that is
cut short, one with another signature, one whose time is over, one for another region, and one that is over in BRIEF seconds."""
BRIEF = 3
"""Seconds that a `brief` token is valid: enough for an answer to begin, not enough for a long one to end."""

Place = Literal["", "endpoint", "no-endpoint", "no-component"]
"""Where below the target a request goes: to its base URL; of an inference component, to the endpoint around it; or to one that
does not exist."""


@dataclass(frozen=True)
class Leave:
    """When the client hangs up on purpose: after so many events of a stream, or so many seconds after sending."""

    events: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Probe:
    """A frozen request. `path` is relative to the target's base URL; header names are as they will be sent."""

    path: str
    body: bytes | None = None
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    auth: Auth = "key"
    """Whether the target's credentials go with it, none do, or well-formed wrong ones do."""
    leave: Leave | None = None
    nth: int = 0
    """Which repetition of the same request this is."""
    pause: float = 0.0
    """Seconds to wait before it is sent; in a chain, after the step before."""
    line: str = ""
    """Probes of one target that name the same line go over one connection of their own, kept alive between them."""
    place: Place = ""
    """Where it goes instead of the base URL. Targets without such a place say so, and are not judged."""

    @cached_property
    def key(self) -> str:
        """The probe's identity: 20 hexadecimal digits of a hash over all that it is."""
        whole = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(whole.encode()).hexdigest()[:20]

    @cached_property
    def wish(self) -> Any:
        """The body as a JSON value, with MODEL in it; None where it is not JSON."""
        try:
            return json.loads(self.body or b"")
        except (ValueError, RecursionError):
            return None

    @property
    def streamed(self) -> bool:
        """Whether it asks for a stream."""
        return isinstance(self.wish, dict) and self.wish.get("stream") is True

    def again(self, nth: int = 1) -> Probe:
        """The same request as a probe of its own: repetition `nth`."""
        return replace(self, nth=nth)

    def until(self, *, events: int | None = None, seconds: float | None = None) -> Probe:
        """The same request, on which the client hangs up after so many events or seconds."""
        return replace(self, leave=Leave(events, seconds))

    def with_headers(self, **headers: str) -> Probe:
        """The same request with these headers as well; underscores in a name stand for hyphens."""
        more = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = tuple((name, value) for name, value in self.headers if name not in more)
        return replace(self, headers=(*kept, *more.items()))

    def asking(self, **changes: Any) -> Probe:
        """The same request with members of its JSON body changed; a value of `...` takes the member out."""
        body = {**self.wish, **changes}
        return replace(self, body=encode({key: value for key, value in body.items() if value is not ...}))

    def filled(self, model: str) -> tuple[str, bytes | None]:
        """The path and the body with a model's name in the place of MODEL; any name, also an empty one."""
        name = json.dumps(model, ensure_ascii=False).encode(errors="replace")
        body = None if self.body is None else self.body.replace(f'"{MODEL}"'.encode(), name)
        return self.path.replace(MODEL, quote(model, safe="", errors="replace")), body

    def then(self, *steps: Follow) -> Chain:
        """This probe, and after it what each step makes of the exchanges so far."""
        return Chain(self, steps)

    def to_json(self) -> dict[str, Any]:
        """All that it is, as a JSON value; what is as usual is left out. A body that is not UTF-8 is in `hex`."""
        value: dict[str, Any] = {"method": self.method, "path": self.path, "headers": [list(h) for h in self.headers]}
        if self.body is not None:
            try:
                value["body"] = self.body.decode()
            except UnicodeDecodeError:
                value["hex"] = self.body.hex()
        if self.auth != "key":
            value["auth"] = self.auth
        if self.leave:
            value["leave"] = {"events": self.leave.events, "seconds": self.leave.seconds}
        if self.nth:
            value["nth"] = self.nth
        if self.pause:
            value["pause"] = self.pause
        if self.line:
            value["line"] = self.line
        if self.place:
            value["place"] = self.place
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Probe:
        """The probe that `to_json` wrote. Raises KeyError or ValueError for anything else."""
        body = bytes.fromhex(value["hex"]) if "hex" in value else None
        return cls(
            path=value["path"],
            body=value["body"].encode() if "body" in value else body,
            method=value["method"],
            headers=tuple((name, text) for name, text in value["headers"]),
            auth=value.get("auth", "key"),
            leave=Leave(**value["leave"]) if "leave" in value else None,
            nth=value.get("nth", 0),
            pause=value.get("pause", 0.0),
            line=value.get("line", ""),
            place=value.get("place", ""),
        )


Follow = Callable[..., "Probe | str"]
"""Makes the next probe from the exchanges so far, or says why there is nothing to follow up."""


@dataclass(frozen=True)
class Chain:
    """Probes sent one after the other, each made from what came back before."""

    first: Probe
    steps: tuple[Follow, ...]

    def then(self, *steps: Follow) -> Chain:
        """The same chain with more steps."""
        return Chain(self.first, (*self.steps, *steps))

    @property
    def length(self) -> int:
        """How many requests it costs at most."""
        return 1 + len(self.steps)


def encode(value: Any) -> bytes:
    """A JSON body in the one form that probes have: members in order, no spaces, UTF-8. Lone surrogates stay escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()
