"""SageMaker's front door, emulated: who may come in, where a request goes, and how a container's errors come out.

Decisions only, without a network: `fronted` puts the door before a server that is a function, `forward` before one on a socket.
Measured on real endpoints, by others, are: the two URL shapes; an unknown endpoint and one without instances (400, OpenAI's
envelope without `param`); a container's 400, wrapped; that the component's header is refused, and SigV4 (403). Everything else is
a guess in the same style: what refused tokens, unknown components, other paths and time-outs are answered with. Nothing that
this door does may be taken for what Amazon does.
"""

from __future__ import annotations

import json
import re
import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote

from conformance.core.aws.tokens import ACTION, SAGEMAKER, Keys, Mint, Scheme, Unreadable, read, sign
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.wrong import clipped

EMULATED = "Amazon SageMaker's front door, emulated"
"""How it is named wherever its answers are shown."""
PATH = re.compile(
    r"/endpoints/(?P<endpoint>[^/]*)(?:/inference-components/(?P<component>[^/]*))?/openai/v1(?P<rest>/[^?]*)?"
)
CHAT = "/chat/completions"
INSIDE = "/v1/chat/completions"
"""The path of the container."""
COMPONENT_HEADER = "x-amzn-sagemaker-inference-component"
LARGEST = 25 * 2**20
"""Bytes of a request: 25 MB in the guide, 6 MiB in the model of the API. The larger one, so that nothing is refused for a guess."""
WHOLE, STREAMED = 60.0, 480.0
"""Seconds that a container has to begin its answer, and to end a streamed one."""
UNREAD = 64 * 1024
"""Bytes of a container's error beyond which its body could not be loaded, as the door then says."""
CARRIED = ("content-type", "cache-control", "retry-after")
"""Headers of the container that come through."""

Style = Literal["documented", "measured", "424"]
"""How a container's errors come out, and how much the door tells about itself: as the guide has it (straight from the container),
as it was seen (wrapped in a message, with account and logs), or in the shape of the older API, InvokeEndpoint."""


@dataclass(frozen=True)
class Owner:
    """Whose the endpoint is: an account and one pair of credentials."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    session: str | None = field(default=None, repr=False)
    account: str = "111122223333"


OPEN = secrets.token_hex(32)
"""What planted faults let strangers in with: known in this process only."""


def somebody() -> Owner:
    """Credentials of their own for one run: they open this door only, and are nowhere else."""
    letters = string.ascii_uppercase + "234567"
    access = "ASIA" + "".join(secrets.choice(letters) for _ in range(16))
    return Owner(access, secrets.token_urlsafe(30), secrets.token_urlsafe(240))


def owner(environ: Mapping[str, str]) -> Owner:
    """Those whose credentials are in the environment; somebody new where there are none."""
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    return Owner(access, secret, environ.get("AWS_SESSION_TOKEN") or None) if access and secret else somebody()


class Refused(Exception):
    """The answer of the door itself."""

    def __init__(self, status: int, message: str, code: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "code": code}}


@dataclass(frozen=True)
class Door:
    """The front door of one endpoint."""

    owner: Owner
    region: str = "us-east-1"
    endpoint: str = "local"
    component: str | None = None
    asleep: bool = False
    """Whether it is scaled to zero."""
    style: Style = "measured"
    clock: Callable[[], float] = time.time

    def admit(self, method: str, path: str, headers: Mapping[str, str], size: int) -> None:
        """Let a request through to the container. Raises Refused. `headers` have lower-case names."""
        found = PATH.fullmatch(path)
        if found is None or (found["rest"] or "") != CHAT:
            raise Refused(404, f"No route for {clipped(method)} {clipped(path)}.", "unknown_operation")
        if method != "POST":
            raise Refused(405, f"{clipped(method)} is not allowed here.", "method_not_allowed")
        self.authorise(headers.get("authorization", ""))
        if COMPONENT_HEADER in headers:
            raise Refused(400, "The inference component goes into the path on this route.", "validation_error")
        if size > LARGEST:
            raise Refused(413, f"The request has more than {LARGEST} bytes.", "request_too_large")
        name, part = unquote(found["endpoint"]), found["component"]
        if name != self.endpoint:
            whose = "" if self.style == "documented" else f" of account {self.owner.account}"
            said = f"Endpoint {clipped(name)}{whose} not found."
            raise Refused(400, said, "validation_error")
        if part is not None and unquote(part) != self.component:
            said = f"Inference Component {clipped(unquote(part))} of endpoint {name} not found."
            raise Refused(400, said, "validation_error")
        self.capacity()

    def capacity(self) -> None:
        """Whether there is anybody to answer. Raises Refused."""
        if self.asleep:
            raise Refused(
                400,
                "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress"
                " (if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API.",
                "validation_error",
            )

    def authorise(self, header: str) -> None:
        """Verify the credentials of a request: form, signature, region, action, time. Raises Refused."""
        scheme, _, text = header.strip().partition(" ")
        if header == OPEN:
            return
        if not header:
            raise self._denied("Missing Authentication Token")
        if scheme.lower() != "bearer":
            raise self._denied("This route takes a bearer token")
        try:
            token = read(text.strip())
        except Unreadable:
            raise self._denied("Invalid API Key format") from None
        if token.scheme is not SAGEMAKER or token.host != SAGEMAKER.host or token.scope[2] != SAGEMAKER.service:
            raise self._denied("The token is for another service")
        if token.action != ACTION or token.scope[0] != token.begins.strftime("%Y%m%d"):
            raise self._denied("The token is not of the right form")
        known = token.access == self.owner.access and token.session == self.owner.session
        if not known or not token.is_signed_with(self.owner.secret):
            raise self._denied("The security token included in the request is invalid")
        if token.region != self.region:
            raise self._denied("The token is for another region")
        if not token.begins.timestamp() - 300 <= self.clock() < token.ends.timestamp():
            raise self._denied("Bearer Token has expired")

    @staticmethod
    def _denied(message: str) -> Refused:
        return Refused(403, message, "access_denied", "authentication_error")

    def headers(self) -> dict[str, str]:
        """The headers of every answer."""
        return {"x-amzn-requestid": f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(6)}"}

    def refused(self, refusal: Refused) -> Answer:
        """The door's own answer."""
        return Answer(refusal.status, {"content-type": "application/json", **self.headers()}, refusal.body)

    def passed(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of an answer that comes through: few of the container's, and the door's own."""
        kept = {name: value for name, value in headers.items() if name in CARRIED}
        return {**kept, **self.headers(), "x-amzn-invoked-production-variant": "AllTraffic"}

    def wrapped(self, status: int, body: bytes) -> Answer:
        """A container's error as the door lets it out: as it is, or as text within a message."""
        answer = Answer(status, self.passed({"content-type": "application/json"}))
        if self.style == "documented":
            answer.body = body
            return answer
        whose = "client" if status < 500 else "server"
        text = body.decode(errors="replace")
        logs = (
            f"https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}"
            f"#logEventViewer:group=/aws/sagemaker/Endpoints/{self.endpoint}"
        )
        if self.style == "424":
            answer.status = 424
            answer.body = {
                "ErrorCode": f"{whose.upper()}_ERROR_FROM_MODEL",
                "LogStreamArn": f"arn:aws:logs:{self.region}:{self.owner.account}:log-group:"
                f"/aws/sagemaker/Endpoints/{self.endpoint}",
                "Message": f'Received {whose} error ({status}) from primary with message "{text}". See {logs}'
                f" in account {self.owner.account} for more information.",
                "OriginalMessage": text,
                "OriginalStatusCode": status,
            }
            return answer
        said = f'with message "{text}".' if len(body) <= UNREAD else "and could not load the entire response body."
        answer.body = {
            "error": {
                "message": f"Received {whose} error ({status}) from {self.component or 'primary'} {said} See {logs}"
                f" in account {self.owner.account} for more information.",
                "type": "server_error",
                "code": "model_error",
            }
        }
        return answer

    def late(self) -> Answer:
        """The answer where the container did not begin its own in time."""
        said = f"Your invocation timed out while waiting for a response from container {self.component or 'primary'}."
        return self.wrapped(500, json.dumps({"message": said}).encode())

    def broken(self) -> Answer:
        """The answer where there is no container to be reached."""
        return self.wrapped(502, b"")


def fronted(respond: Respond, door: Door, key: str = DEFAULT_KEY) -> Respond:
    """A server that is a function, behind the door. `key` is what the container wants, if anything."""

    def respond_at_the_door(request: Request) -> Answer:
        try:
            door.admit(request.method, request.path, request.headers, len(request.body))
        except Refused as refusal:
            return door.refused(refusal)
        headers = {name: value for name, value in request.headers.items() if name != "authorization"}
        inner = respond(
            Request("POST", INSIDE, {**headers, "authorization": f"Bearer {key}"}, request.body, request.memory)
        )
        if inner.after >= WHOLE:
            answer = door.late()
            answer.after = WHOLE
            return answer
        if inner.status >= 400:
            outer = door.wrapped(inner.status, b"".join(piece for _, piece in inner.pieces()))
            outer.after = inner.after
            return outer
        inner.headers = door.passed({name.lower(): value for name, value in inner.headers.items()})
        return inner

    return respond_at_the_door


def own_mint(clock: Callable[[], float]) -> Mint:
    """Mints by the standard library, at a clock's time."""

    def mint(scheme: Scheme, keys: Keys, region: str, life: int) -> str:
        return sign(scheme, keys.access, keys.secret, keys.session, region, life, clock())

    return mint
