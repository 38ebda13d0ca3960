"""Planted faults: servers that have no time, gateways that give up, clients that hang up on long answers.

Time stands still in a server in memory; its waits are those of its answers.
"""

from __future__ import annotations

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.framing import pieces, place
from conformance.reference.faults.timing import COUNT, PONG, before, broken
from conformance.reference.rows import crashed, refused, reply, said

LONG = "Count to two thousand"
"""What the suite says when it wants an answer that takes minutes."""
MINUTE = 60.0
"""Seconds after which the gateway in front gives up: the usual limit of load balancers."""
GATEWAY = b"<html><head><title>504 Gateway Time-out</title></head><body><center>nginx</center></body></html>"


def long(request: Request) -> bool:
    """Whether an answer takes its time."""
    return said(request).startswith((COUNT, LONG))


def paced(answer: Answer, seconds: float) -> Answer:
    """The answer, taking so long: a stream a little longer for every event, and a whole one all at once."""
    if answer.events:
        for event in answer.events:
            event.after = seconds / len(answer.events)
    elif answer.is_chat:
        answer.after += seconds
    return answer


def put_off(request: Request, status: int, message: str) -> Answer | None:
    """A refusal for the moment where a request comes for the first time; None where it has come before."""
    key = f"put off {request.method} {request.path} {request.body!r}"
    if request.memory.get(key) or request.path != "/v1/chat/completions":
        return None
    request.memory[key] = True
    answer = refused(message, status=status)
    answer.body["error"]["type"] = "rate_limit_error" if status == 429 else "server_error"
    answer.headers["retry-after"] = "1"
    return answer


@fault("put-off-at-first", legal=True, instead=True)
def limits_the_rate(request: Request, respond: Respond) -> Answer:
    """Every chat request is put off with 429 and `Retry-After` when it comes, and answered when it comes again."""
    return put_off(request, 429, "Rate limit reached. Please try again in 1s.") or respond(request)


@fault("unavailable-at-first", legal=True, instead=True)
def is_loading(request: Request, respond: Respond) -> Answer:
    """Every chat request is put off with 503 and `Retry-After` when it comes, and answered when it comes again."""
    return put_off(request, 503, "The model is loading.") or respond(request)


TIMEOUTS = (
    reply("gateway-timeout-page", lambda: Answer(504, {"content-type": "text/html"}, GATEWAY), when=long,
        says="A request for a long answer is given up by the proxy in front: 504, with a page of its own."),
    reply("request-timeout-text", lambda: Answer(408, {"content-type": "text/plain"}, b"Request Timeout"), when=long,
        says="A request for a long answer is answered with 408 and a line of text."),
)  # fmt: skip


@fault("timeout-in-stream-as-detail")
def hides_the_timeout(answer: Answer, request: Request) -> None:
    """A long stream breaks off with an event that says so in `detail` and not in `error`; then comes `[DONE]`."""
    if answer.events and long(request):
        answer.events = [*answer.events[: place(answer)], Event({"detail": "Request timed out"}), Event("[DONE]")]


@fault("stream-cut-within-event")
def breaks_within_an_event(answer: Answer, request: Request) -> None:
    """The connection breaks within an event half-way through a stream."""
    _half(answer)
    answer.ending = "drop" if answer.events else answer.ending


@fault("stream-ends-within-event")
def ends_within_an_event(answer: Answer, request: Request) -> None:
    """A stream ends within an event, half-way, as if that were all."""
    _half(answer)


def _half(answer: Answer) -> None:
    """Half of the events of a stream, and half of the one after them."""
    if answer.events:
        sent, middle = pieces(answer), place(answer)
        answer.events = [Event(data) for data in [*sent[:middle], sent[middle][: len(sent[middle]) // 2]]]


@fault("answer-cut")
def breaks_within_a_body(answer: Answer, request: Request) -> None:
    """The connection breaks half-way through every whole answer."""
    if answer.is_chat and answer.events is None:
        body = b"".join(data for _, data in answer.pieces())
        answer.body, answer.ending = body[: len(body) // 2], "drop"


@fault("stream-never-ends")
def never_ends(answer: Answer, request: Request) -> None:
    """The middle of a long stream comes again and again, for ever."""
    if answer.events and long(request):
        answer.events, answer.ending = answer.events[: place(answer) + 1], "repeat"


@fault("cut-after-a-minute")
def cuts_long_answers(answer: Answer, request: Request) -> None:
    """The load balancer in front breaks whatever takes more than a minute, streams as well."""
    if said(request).startswith(LONG) and answer.is_chat:
        if answer.events:
            answer.events = answer.events[:-2]
        paced(answer, MINUTE)
        if answer.events is None:
            answer.body = b""
        answer.ending = "drop"


@fault("gives-up-after-a-minute", instead=True)
def gives_up_after_a_minute(request: Request, respond: Respond) -> Answer:
    """Whole answers that take more than a minute are given up by the gateway, with 504 and an error object."""
    answer = respond(request)
    if not said(request).startswith(LONG) or not answer.is_chat or answer.events is not None:
        return answer
    given_up = refused("The upstream server did not answer in time.", status=504)
    given_up.body["error"]["type"] = "server_error"
    given_up.after = MINUTE
    return given_up


@fault("minutes", legal=True)
def takes_minutes(answer: Answer, request: Request) -> None:
    """A long answer takes 80 seconds, whole or streamed, and arrives."""
    if said(request).startswith(LONG):
        paced(answer, MINUTE + 20)


@fault("connection-breaks-after-error", instead=True)
def breaks_after_errors(request: Request, respond: Respond) -> Answer:
    """The request after one that was refused, on the same connection, is not answered."""
    refused = request.memory.pop("refused", False)
    before(request)
    if refused and said(request) == PONG:
        return broken()
    answer = respond(request)
    request.memory["refused"] = answer.status == 400
    return answer


@fault("hang-ups-keep-their-slots", instead=True)
def generates_for_nobody(request: Request, respond: Respond) -> Answer:
    """After a client hung up on a long answer, it is generated to its end all the same: the next request waits for it."""
    answer = respond(request)
    if said(request).startswith(LONG) and answer.events:
        request.memory["busy"] = request.memory.get("busy", 0) + 1
    elif request.memory.get("busy") and said(request) == PONG:
        request.memory["busy"] -= 1
        answer.after += 30.0
    return answer


@fault("storm-of-hang-ups-500", instead=True)
def loses_its_slots(request: Request, respond: Respond) -> Answer:
    """After the fourth client has hung up, no request is answered for a while."""
    answer = respond(request)
    left = request.memory.setdefault("left", 0)
    if said(request).startswith(LONG) and answer.events:
        request.memory["left"] = left + 1
    elif left >= 4 and said(request) == PONG:
        request.memory["left"] = 0
        return crashed("no free slot")
    return answer
