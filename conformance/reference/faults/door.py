"""Planted faults of SageMaker's front door: what it lets in that it should not, and what it makes of a container's answers.

Those of the second sort are what has been seen of the real one. None says anything about the server behind the door.
"""

from __future__ import annotations

from dataclasses import replace as changed

from conformance.core.aws.tokens import Token, Unreadable, read
from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import Place, answered, become
from conformance.reference.sagemaker_door import OPEN, PATH, Door, Owner, Refused
from conformance.reference.wrong import clipped

THROUGH = "x-amzn-invoked-production-variant"
"""A header of what comes from the container: the door's own answers lack it."""
MEASURED = Door(Owner("", ""), component="reference")
SHAPED_424 = Door(Owner("", ""), component="reference", style="424")
SLOW = 5.0
"""Seconds that a stream takes in these: longer than the short tokens live."""


def given(request: Request) -> str:
    """What a request offers as a token; "" where it offers none."""
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def token(request: Request) -> Token | None:
    """The token of a request, taken apart."""
    try:
        return read(given(request))
    except Unreadable:
        return None


def let_in(request: Request, respond: Respond) -> Answer:
    """What the container would have answered: the request goes in as if it had come with a valid token."""
    return respond(changed(request, headers={**request.headers, "authorization": OPEN}))


def refusing(message: str, status: int = 403) -> Answer:
    """An answer of the door's own."""
    return MEASURED.refused(Refused(status, message, "access_denied"))


@fault("door-valid-token-refused", instead=True, door=True)
def trusts_nobody(request: Request, respond: Respond) -> Answer:
    """Every token is refused."""
    return refusing("The security token included in the request is invalid")


@fault("door-no-token-needed", instead=True, door=True)
def asks_only_who_knocks(request: Request, respond: Respond) -> Answer:
    """A request without a token is let in; one with a bad token is not."""
    return respond(request) if given(request) else let_in(request, respond)


NOT_FOUND = Place(
    lambda answer, request: [answer.body] if THROUGH not in answer.headers and "not found" in str(answer.body) else []
)
"""The door's own answer to a name that nobody has."""


REFUSALS = (
    become("door-malformed-500", answered(403), status=500,
        when=lambda request: given(request) and token(request) is None,
        says="A token that cannot be read is a server error.", door=True),
    become("door-refusal-flat", answered(403), lambda answer: {"Message": answer.body["error"]["message"]},
        says='A refused token is answered with `{"Message": ...}`, as other services of Amazon answer it.', door=True),
    become("door-unknown-endpoint-500", NOT_FOUND, status=500,
        says="An endpoint that does not exist is a server error.", door=True),
    become("door-unknown-endpoint-404", NOT_FOUND, status=404,
        says="The name of an endpoint that does not exist is answered with 404.", legal=True, door=True),
)  # fmt: skip


@fault("door-signature-unread", instead=True, door=True)
def reads_no_signature(request: Request, respond: Respond) -> Answer:
    """Whatever can be read as a token of this region and time is let in."""
    one = token(request)
    answer = respond(request)
    refused = answer.status == 403 and one is not None and one.life > 1 and one.region == MEASURED.region
    return let_in(request, respond) if refused else answer


@fault("door-expiry-unread", instead=True, door=True)
def forgets_the_time(request: Request, respond: Respond) -> Answer:
    """A token whose time is over is let in."""
    one = token(request)
    return let_in(request, respond) if one is not None and one.life == 1 else respond(request)


@fault("door-region-unread", instead=True, door=True)
def knows_no_regions(request: Request, respond: Respond) -> Answer:
    """A token for another region is let in."""
    one = token(request)
    return let_in(request, respond) if one is not None and one.region != MEASURED.region else respond(request)


@fault("door-echoes-token", door=True)
def repeats_the_token(answer: Answer, request: Request) -> None:
    """The refusal of a token has it in its message."""
    if answer.status == 403 and given(request):
        answer.body["error"]["message"] += f": {given(request)}"


@fault("door-echoes-token-in-header", door=True)
def repeats_the_token_above(answer: Answer, request: Request) -> None:
    """The refusal of a token has it in a header."""
    if answer.status == 403 and given(request):
        answer.headers["x-amzn-errormessage"] = f"invalid token {given(request)}"


def _spread(answer: Answer) -> None:
    """Let a stream take SLOW seconds."""
    for event in answer.events or ():
        event.after = SLOW / max(1, len(answer.events or ()))


@fault("door-stream-ends-with-token", door=True)
def throws_out(answer: Answer, request: Request) -> None:
    """A stream is cut the moment its token expires."""
    one = token(request)
    if answer.events and one is not None and one.life < SLOW:
        _spread(answer)
        answer.events = answer.events[: int(len(answer.events) * one.life / SLOW) + 2]
        answer.ending = "drop"


@fault("door-stream-ends-in-error", door=True)
def throws_out_with_a_word(answer: Answer, request: Request) -> None:
    """A stream whose token expires goes on with an error, and ends."""
    one = token(request)
    if answer.events and one is not None and one.life < SLOW:
        _spread(answer)
        kept = answer.events[: int(len(answer.events) * one.life / SLOW) + 2]
        answer.events = [*kept, Event({"error": {"message": "Bearer Token has expired", "code": "access_denied"}})]


@fault("door-slow-stream", legal=True, door=True)
def takes_its_time(answer: Answer, request: Request) -> None:
    """A stream takes longer than its token lives, and ends properly."""
    one = token(request)
    if answer.events and one is not None and one.life < SLOW:
        _spread(answer)


def _component(request: Request) -> str | None:
    found = PATH.fullmatch(request.path)
    return found["component"] if found else None


@fault("door-endpoint-is-another", door=True)
def leads_elsewhere(answer: Answer, request: Request) -> None:
    """The URL of the endpoint leads to another model than that of its component."""
    if answer.is_chat and answer.events is None and _component(request) is None:
        answer.body["model"] = "another"


@fault("door-endpoint-needs-component", instead=True, legal=True, door=True)
def insists_on_a_component(request: Request, respond: Respond) -> Answer:
    """The URL of an endpoint that has components is not served."""
    if _component(request) is None:
        message = "Inference Component name is required for this endpoint."
        return MEASURED.refused(Refused(400, message, "validation_error"))
    return respond(request)


@fault("door-any-component", instead=True, door=True)
def takes_any_component(request: Request, respond: Respond) -> Answer:
    """Every component is taken for the one that is there."""
    part = _component(request)
    path = request.path if part is None else request.path.replace(f"/{part}/", f"/{MEASURED.component}/")
    return respond(changed(request, path=path))


@fault("door-wraps-errors", door=True)
def wraps(answer: Answer, request: Request) -> None:
    """A container's error is put into a message, with the account and its logs, and called the server's: as it has been seen."""
    if answer.status >= 400 and THROUGH in answer.headers:
        seen = MEASURED.wrapped(answer.status, b"".join(piece for _, piece in answer.pieces()))
        answer.body = seen.body


@fault("door-wraps-errors-424", door=True)
def wraps_as_before(answer: Answer, request: Request) -> None:
    """A container's error is answered 424, in the shape of the older API."""
    if answer.status >= 400 and THROUGH in answer.headers:
        seen = SHAPED_424.wrapped(answer.status, b"".join(piece for _, piece in answer.pieces()))
        answer.status, answer.body = seen.status, seen.body


@fault("door-blames-the-server", instead=True, door=True)
def blames_the_server(request: Request, respond: Respond) -> Answer:
    """A container's refusal is called a server's error."""
    answer = respond(request)
    if 400 <= answer.status < 500 and THROUGH in answer.headers:
        body = Request("", "", {}, b"".join(piece for _, piece in answer.pieces())).wish
        answer.body = {"error": {**body.get("error", {}), "type": "server_error"}}
    return answer


@fault("door-names-the-account", door=True)
def names_the_account(answer: Answer, request: Request) -> None:
    """The refusal of a name says whose account was searched: as it has been seen."""
    if THROUGH not in answer.headers and "not found" in str(answer.body):
        found = PATH.fullmatch(request.path)
        name = clipped(found["endpoint"]) if found else ""
        answer.body["error"]["message"] = f"Endpoint {name} of account {MEASURED.owner.account} not found."


@fault("door-asleep", instead=True, door=True, legal=True)
def is_asleep(request: Request, respond: Respond) -> Answer:
    """The endpoint is scaled to zero: nothing can be said about it."""
    answer = respond(request)
    if THROUGH in answer.headers:
        asleep = changed(MEASURED, asleep=True)
        try:
            asleep.capacity()
        except Refused as refusal:
            return asleep.refused(refusal)
    return answer
