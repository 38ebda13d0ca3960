"""The reference server as one function: a request in, an answer out. No sockets, no waiting, no HTTP library."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.caching import cached_tokens
from conformance.reference.completions import Completion
from conformance.reference.embeddings import embeddings
from conformance.reference.model import sayings
from conformance.reference.sampling import said
from conformance.reference.shape import Head, stream, whole
from conformance.reference.task import Task
from conformance.reference.upstream_script import obey, order_of
from conformance.reference.usage import prompt_tokens, usage
from conformance.reference.validation import no_model, parsed, task
from conformance.reference.wrong import Wrong, clipped

DEFAULT_KEY = "reference-key"
"""The key that the server asks for where none is configured. It guards nothing."""
PING = "/ping"
"""Where a container says that it is well, as SageMaker asks it."""
FINGERPRINT = "fp_reference"
BODY_LIMIT = 32 * 2**20
"""Bytes. Far more than the window can hold, so that what is too long is refused as such, not as too large."""
STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
"""The headers of a stream."""
_BORN = 1_700_000_000
"""When the served models were made, in Unix seconds."""


@dataclass(frozen=True)
class Settings:
    """How the reference server behaves where a server is free to."""

    key: str = DEFAULT_KEY
    models: tuple[str, ...] = ("reference",)
    window: int = 4096
    """Tokens of context: prompt and answer together."""
    delay: float = 0.0
    """Seconds before each answer."""
    token_delay: float = 0.0
    """Seconds before each streamed token."""
    body_limit: int = BODY_LIMIT
    """The most bytes of a request's body."""
    clock: Callable[[], float] = time.time


def responder(settings: Settings | None = None) -> Respond:
    """The server with these settings."""
    server = _Server(settings or Settings())
    return server.respond


class _Server:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.routes: dict[str, dict[str, Callable[[Request], Answer]]] = {
            "/v1/models": {"GET": self.models},
            "/v1/chat/completions": {"POST": self.chat},
            "/v1/completions": {"POST": self.completions},
            "/v1/embeddings": {"POST": self.embeddings},
        }

    def respond(self, request: Request) -> Answer:
        """The answer to a request, whatever it is."""
        started = time.perf_counter()
        try:
            answer = self.route(request)
        except Wrong as wrong:
            answer = wrong.answer()
        except RecursionError:
            answer = Wrong("The body of your request nests too deeply.").answer()
        answer.after += self.settings.delay
        headers = {
            "content-type": "application/json",
            "x-request-id": f"req_{secrets.token_hex(16)}",
            "openai-organization": "reference",
            "openai-processing-ms": str(int((time.perf_counter() - started + answer.after) * 1000) + 1),
            "openai-version": "2020-10-01",
        }
        answer.headers = {**headers, **answer.headers}
        if request.method == "HEAD":
            answer.headers["content-length"] = str(sum(len(piece) for _, piece in answer.pieces()))
            answer.body = None
        return answer

    def route(self, request: Request) -> Answer:
        path = request.path
        if path == PING and request.method == "GET":
            return Answer(body={})
        if path != "/v1" and not path.startswith("/v1/"):
            raise _no_url(request)
        self.authorise(request.headers.get("authorization", ""))
        if path.startswith("/v1/models/") and path != "/v1/models/":
            methods: dict[str, Callable[[Request], Answer]] = {"GET": self.model}
        elif path in self.routes:
            methods = self.routes[path]
        else:
            raise _no_url(request)
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            raise Wrong(
                f"Not allowed to {clipped(request.method)} on {clipped(path)}.",
                code="method_not_supported",
                status=405,
                headers={"allow": ", ".join([*methods, "HEAD"] if "GET" in methods else methods)},
            )
        return methods[method](request)

    def authorise(self, header: str) -> None:
        scheme, _, key = header.strip().partition(" ")
        if scheme.lower() == "bearer" and hmac.compare_digest(key.strip().encode(), self.settings.key.encode()):
            return
        what = "Incorrect API key provided." if key.strip() else "You did not provide an API key."
        raise Wrong(
            f"{what} Send it in the header 'Authorization: Bearer KEY'.",
            code="invalid_api_key",
            status=401,
            headers={"www-authenticate": "Bearer"},
        )

    def models(self, request: Request) -> Answer:
        return Answer(body={"object": "list", "data": [_model(name) for name in self.settings.models]})

    def model(self, request: Request) -> Answer:
        rest = request.path.removeprefix("/v1/models/")
        for name in (rest, unquote(rest)):
            if name in self.settings.models:
                return Answer(body=_model(name))
        raise no_model(rest)

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON object of a request."""
        media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media != "application/json":
            raise Wrong(
                f"Unsupported content type: '{clipped(media)}'. This API method only accepts 'application/json'.",
                code="unsupported_content_type",
                status=415,
            )
        if len(request.body) > self.settings.body_limit:
            raise Wrong(
                f"The body of your request is too large: {self.settings.body_limit} bytes are the limit.",
                code="request_too_large",
                status=413,
            )
        return parsed(request.body)

    def chat(self, request: Request) -> Answer:
        body = self.body(request)
        if (order := order_of(request)) is not None:  # whatever else is in it: it is to be reported, not judged
            return obey(request, order, int(self.settings.clock()))
        return self.complete(task(body, self.settings.models), request.memory)

    def completions(self, request: Request) -> Answer:
        wanted = Completion(self.body(request), self.settings.models, self.settings.window)
        head = self.head("cmpl")
        if wanted.raw.get("stream"):
            return Answer(headers=dict(STREAM), events=wanted.events(head, self.settings.token_delay))
        return Answer(body=wanted.body(head))

    def embeddings(self, request: Request) -> Answer:
        return Answer(body=embeddings(self.body(request), self.settings.models, self.settings.window))

    def head(self, kind: str) -> Head:
        return Head(f"{kind}-{secrets.token_hex(15)}", int(self.settings.clock()), FINGERPRINT)

    def complete(self, wanted: Task, memory: dict[str, Any]) -> Answer:
        window = self.settings.window
        prompt, sound = prompt_tokens(wanted, window)
        if prompt + (wanted.cap or 1) > window:
            raise _overflow(window, prompt, wanted.cap)
        choices = [said(one, wanted, window - prompt) for one in sayings(wanted)]
        spent = usage(wanted, prompt, sound, cached_tokens(memory, wanted, prompt, window), choices)
        head = self.head("chatcmpl")
        if not wanted.stream:
            return Answer(body=whole(wanted, head, choices, spent))
        return Answer(headers=dict(STREAM), events=stream(wanted, head, choices, spent, self.settings.token_delay))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _BORN, "owned_by": "openai-conformance"}


def _no_url(request: Request) -> Wrong:
    return Wrong(f"Invalid URL ({clipped(request.method)} {clipped(request.path)})", code="unknown_url", status=404)


def _overflow(window: int, prompt: int, cap: int | None) -> Wrong:
    if cap is None or prompt >= window:
        asked = f"your messages resulted in {prompt} tokens. Please reduce the length of the messages."
    else:
        asked = (
            f"you requested {prompt + cap} tokens ({prompt} in the messages, {cap} in the completion). "
            "Please reduce the length of the messages or completion."
        )
    return Wrong(
        f"This model's maximum context length is {window} tokens. However, {asked}",
        param="messages",
        code="context_length_exceeded",
    )
