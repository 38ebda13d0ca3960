"""Planted faults: headers and codings of requests that a server stumbles over, and ids that its paths cannot hold."""

from __future__ import annotations

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.models import LIST, entries
from conformance.reference.faults.sampling import crash, refuse

HUB = "vendor/reference"
"""A model's id as a hub has it."""


@fault("idempotency-key-refused", instead=True)
def knows_no_idempotency(request: Request, respond: Respond) -> Answer:
    """A header that the gateway does not know is refused."""
    if "idempotency-key" in request.headers:
        return refuse("Unknown header: Idempotency-Key")
    return respond(request)


@fault("chunked-request-411", instead=True)
def wants_a_length(request: Request, respond: Respond) -> Answer:
    """A request without a content-length is refused with 411."""
    if request.headers.get("transfer-encoding", "").lower() == "chunked":
        return refuse("Length Required", status=411)
    return respond(request)


@fault("compressed-request-500", instead=True)
def cannot_unzip(request: Request, respond: Respond) -> Answer:
    """A compressed request is a server error."""
    return crash("'utf-8' codec can't decode byte 0x8b") if request.body[:2] == b"\x1f\x8b" else respond(request)


@fault("compressed-request-415", instead=True, legal=True)
def reads_plain_only(request: Request, respond: Respond) -> Answer:
    """A compressed request is refused with 415."""
    return refuse("Unsupported content coding", status=415) if request.body[:2] == b"\x1f\x8b" else respond(request)


def _with_a_hub(identity: str, title: str, status: int) -> Fault:
    """A server that lists a model with a slash in its id as well, and answers so when it is asked for it first.

    Clients send the encoded name first, and that it was encoded does not show in the path here.
    """

    def sin(request: Request, respond: Respond) -> Answer:
        if request.path == f"{LIST}/{HUB}":
            request.memory["hub"] = request.memory.get("hub", 0) + 1
            if status != 200 and request.memory["hub"] == 1:
                return refuse("The model does not exist", status=status)
            listed = respond(Request("GET", LIST, request.headers))
            return Answer(body={**listed.body["data"][0], "id": HUB}, headers=listed.headers)
        answer = respond(request)
        for entry in entries(answer, request)[:1]:
            answer.body["data"].append({**entry, "id": HUB})
        return answer

    sin.__doc__ = title
    return fault(identity, instead=True, legal=status == 200)(sin)


loses_slashes = _with_a_hub(
    "models-slash-404", "A model with a slash in its id is listed, and not found where the slash is encoded.", 404
)
keeps_slashes = _with_a_hub("models-with-slashes", "A model with a slash in its id is listed, and found.", 200)


@fault("browsers-welcome", instead=True, legal=True)
def welcomes_browsers(request: Request, respond: Respond) -> Answer:
    """Pages of any origin may ask the server: preflights are answered 204."""
    allowed = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}
    return Answer(status=204, headers=allowed) if request.method == "OPTIONS" else respond(request)
