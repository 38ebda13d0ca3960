"""The words of planted faults that are rows: where in an answer or for which requests, and what is done.

`put`, `drop`, `change`, `fill` and `alter` work on objects of an answer: a `Place` finds them. `become` replaces a whole answer.
`refuse`, `crash` and `reply` answer a request themselves, and `ask` puts another request in its place: a `When` chooses which.
`says` is what the server then does. No fault is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.wrong import Wrong

Part = dict[str, Any]
"""A JSON object: of an answer, to change in place, or of a request, to read."""

CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"


# Where: objects of an answer


@dataclass(frozen=True)
class Place:
    """Where something is in an answer: its objects of one kind, to change in place. None where the answer is another."""

    find: Callable[[Answer, Request], Iterable[Part]]

    def __call__(self, answer: Answer, request: Request) -> list[Part]:
        """These objects of this answer."""
        return list(self.find(answer, request))

    def __getitem__(self, some: slice) -> Place:
        """Some of them, by their places."""
        return Place(lambda answer, request: self(answer, request)[some])

    def where(self, holds: Callable[[Part], object]) -> Place:
        """Those for which this holds."""
        return Place(lambda answer, request: filter(holds, self(answer, request)))

    def having(self, name: str) -> Place:
        """Those that have something under this name."""
        return self.where(lambda part: part.get(name))

    def texts(self, name: str) -> Place:
        """Those that have a text under this name, also an empty one."""
        return self.where(lambda part: isinstance(part.get(name), str))

    def under(self, name: str) -> Place:
        """What they have under this name, where it is an object."""
        return Place(lambda answer, request: [part[name] for part in self(answer, request) if _object(part.get(name))])


def _object(value: object) -> bool:
    return isinstance(value, dict)


def whole(answer: Answer) -> Part:
    """The completion object of an answer that is not streamed, to change in place; empty for any other answer."""
    if not answer.is_chat or answer.events is not None:
        return {}
    body: Part = answer.body
    return body


def bodies(answer: Answer) -> list[Part]:
    """The completion objects of an answer, whole or streamed, to change in place."""
    if not answer.is_chat:
        return []
    return [answer.body] if answer.events is None else answer.chunks


def refusal(answer: Answer, request: Request) -> Part:
    """The error object of a refused chat request, to change in place; empty for any other answer."""
    if request.path != CHAT or answer.status in (401, 405) or answer.status < 400 or not isinstance(answer.body, dict):
        return {}
    error: Part = answer.body.get("error", {})
    return error


def completions(answer: Answer, request: Request) -> list[Part]:
    """The objects of an answer of the older interface, whole or streamed; none for any other answer."""
    if request.path != COMPLETIONS or answer.status != 200:
        return []
    return answer.objects if answer.events is not None else [answer.body]


def embedded(answer: Answer, request: Request) -> list[Part]:
    """The entries of an answer with embeddings; none for any other answer."""
    if request.path != EMBEDDINGS or answer.status != 200 or not isinstance(answer.body, dict):
        return []
    found: list[Part] = answer.body.get("data", [])
    return found


def as_whole(place: Place) -> Place:
    """The same, of answers that are not streamed."""
    return Place(lambda answer, request: place(answer, request) if answer.events is None else ())


def as_stream(place: Place) -> Place:
    """The same, of streams."""
    return Place(lambda answer, request: place(answer, request) if answer.events is not None else ())


def as_plain(place: Place) -> Place:
    """The same, of whole answers to requests that say nothing but a model and messages: most other checks look elsewhere."""
    return Place(
        lambda answer, request: (
            place(answer, request) if whole(answer) and request.wish.keys() <= {"model", "messages"} else ()
        )
    )


def _each_choice(place: Place) -> Place:
    return Place(lambda answer, request: [choice for body in place(answer, request) for choice in body["choices"]])


BODIES = Place(lambda answer, request: bodies(answer))
"""Chat completions and the chunks of their streams."""
WHOLE = as_whole(BODIES)
CHUNKS = Place(lambda answer, request: answer.chunks)
CHOICES = Place(lambda answer, request: answer.choices)
"""Choices of whole answers and of chunks."""
CHOSEN = as_whole(CHOICES)
STREAMED = as_stream(CHOICES)
MESSAGES = Place(lambda answer, request: answer.messages)
"""Messages and deltas."""
SPOKEN = as_whole(MESSAGES)
DELTAS = as_stream(MESSAGES)
CALLS = Place(lambda answer, request: answer.calls)
"""Calls of tools and their fragments."""
USAGE = BODIES.under("usage")
ERROR = Place(lambda answer, request: [error] if (error := refusal(answer, request)) else [])
"""The error object of a refused chat request."""

COMPLETION = Place(completions)
"""Answers of the older interface and the pieces of their streams."""
COMPLETED = _each_choice(COMPLETION)
"""Their choices."""

ENTRIES = Place(embedded)
"""Entries of embeddings."""
VECTORS = ENTRIES.where(lambda entry: isinstance(entry["embedding"], list))
"""Those with numbers."""
EMBEDDED = Place(lambda answer, request: [answer.body] if embedded(answer, request) else [])
"""The object around them."""

HEADERS = Place(lambda answer, request: [cast("Part", answer.headers)])
ANY = Place(lambda answer, request: [{}])
"""For what is done to an answer whatever is in it."""


def answered(*statuses: int) -> Place:
    """For what is done to an answer with one of these statuses, whatever is in it."""
    return Place(lambda answer, request: [{}] if answer.status in statuses else [])


# When: requests

Chosen = Callable[[Request], object]
"""Whether a request is one of those that are meant."""


@dataclass(frozen=True)
class When:
    """Which requests."""

    holds: Chosen

    def __call__(self, request: Request) -> bool:
        """Whether this is one of them."""
        return bool(self.holds(request))

    def __and__(self, other: Chosen) -> When:
        """Those for which the other condition holds as well."""
        return When(lambda request: self(request) and other(request))

    def __invert__(self) -> When:
        """All others."""
        return When(lambda request: not self(request))


ALWAYS = When(lambda request: True)


def on(path: str) -> When:
    """Requests to this route."""
    return When(lambda request: request.path == path)


def header(name: str) -> When:
    """Requests with this header."""
    return When(lambda request: name in request.headers)


def has(*names: str) -> When:
    """Requests with one of these parameters, also where it is null."""
    return When(lambda request: any(name in request.wish for name in names))


def given(name: str, holds: Callable[[Any], object] = lambda value: value is not None) -> When:
    """Requests whose parameter is such a value; null stands for one that is not there."""
    return When(lambda request: holds(request.wish.get(name)))


def a(*kinds: type) -> Callable[[Any], bool]:
    """Whether a value is of one of these types."""
    return lambda value: isinstance(value, kinds)


def exactly(wanted: object) -> Callable[[Any], bool]:
    """Whether a value is this one."""
    return lambda value: type(value) is type(wanted) and value == wanted


def messages(request: Request) -> list[Part]:
    """The messages of a request that are objects."""
    found = request.wish.get("messages")
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def parts(message: Part) -> list[Part]:
    """The parts of a message's content; none where it is a string."""
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def said(request: Request) -> str:
    """What the last message says, where it is plain text."""
    listed = request.wish.get("messages")
    last = listed[-1] if isinstance(listed, list) and listed else None
    content = last.get("content") if isinstance(last, dict) else None
    return content if isinstance(content, str) else ""


def with_message(holds: Callable[[Part], object]) -> When:
    """Requests with such a message."""
    return When(lambda request: any(map(holds, messages(request))))


def with_role(name: str, **members: Any) -> When:
    """Requests with a message of this role, and with these members."""
    return with_message(
        lambda message: message.get("role") == name and all(message.get(key) == value for key, value in members.items())
    )


def with_part(kind: str) -> When:
    """Requests with a part of this type in a message."""
    return with_message(lambda message: any(part.get("type") == kind for part in parts(message)))


# What is done to objects of an answer


def put(
    identity: str, place: Place, /, *, says: str, when: Chosen = ALWAYS, legal: bool = False, **members: Any
) -> Fault:
    """These members have other values."""
    return alter(identity, place, lambda found: found.update(deepcopy(members)), says=says, when=when, legal=legal)


def fill(
    identity: str, place: Place, /, *, says: str, when: Chosen = ALWAYS, legal: bool = False, **members: Any
) -> Fault:
    """These members have such values where they are not there."""
    return alter(
        identity, place, lambda found: found.update({**deepcopy(members), **found}), says=says, when=when, legal=legal
    )


def drop(identity: str, place: Place, *names: str, says: str, when: Chosen = ALWAYS, legal: bool = False) -> Fault:
    """These members are not there."""

    def gone(found: Part) -> None:
        for name in names:
            found.pop(name, None)

    return alter(identity, place, gone, says=says, when=when, legal=legal)


def change(
    identity: str,
    place: Place,
    name: str,
    how: Callable[[Any], Any] | Mapping[Any, Any],
    *,
    says: str,
    when: Chosen = ALWAYS,
    legal: bool = False,
) -> Fault:
    """A member is made something else, where it is there. A mapping says what becomes of which value."""
    act: Callable[[Any], Any] = (lambda value: how.get(value, value)) if isinstance(how, Mapping) else how

    def changed(found: Part) -> None:
        if name in found:
            found[name] = act(found[name])

    return alter(identity, place, changed, says=says, when=when, legal=legal)


def alter(
    identity: str,
    place: Place,
    act: Callable[[Part], object],
    *,
    says: str,
    when: Chosen = ALWAYS,
    legal: bool = False,
) -> Fault:
    """Something is done to each object of a place."""

    def sin(answer: Answer, request: Request) -> None:
        for found in place(answer, request) if when(request) else ():
            act(found)

    return fault(identity, says=says, legal=legal)(sin)


def numbered(
    identity: str, place: Place, name: str, how: Callable[[Any, int], Any], *, says: str, legal: bool = False
) -> Fault:
    """A member is made something else in each object, by the place of the object."""

    def sin(answer: Answer, request: Request) -> None:
        for where, found in enumerate(place(answer, request)):
            found[name] = how(found[name], where)

    return fault(identity, says=says, legal=legal)(sin)


def become(
    identity: str,
    place: Place,
    body: Callable[[Answer], Any] | None = None,
    *,
    says: str,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    when: Chosen = ALWAYS,
    legal: bool = False,
    door: bool = False,
) -> Fault:
    """An answer in which there is such a place becomes another: its body, its status, its headers."""

    def sin(answer: Answer, request: Request) -> None:
        if when(request) and place(answer, request):
            answer.body = body(answer) if body else answer.body
            answer.status = status or answer.status
            answer.headers |= headers or {}

    return fault(identity, says=says, legal=legal, door=door)(sin)


# What is done with requests


def refused(
    text: str,
    param: str | None = None,
    status: int = 400,
    *,
    kind: str | None = "invalid_request_error",
    traced: bool = True,
) -> Answer:
    """A refusal as the reference server has them, in other words; `traced` where it has the id of its request."""
    answer = Wrong(text, param=param, status=status).answer()
    answer.headers = {"content-type": "application/json"} | ({"x-request-id": "req_planted"} if traced else {})
    answer.body["error"]["type"] = kind
    return answer


def crashed(text: str = "Internal server error", *, traced: bool = True) -> Answer:
    """A server error in OpenAI's form, so that the status is all that is wrong with it."""
    return refused(text, status=500, kind="server_error", traced=traced)


def refuse(
    identity: str,
    *,
    when: Chosen,
    message: str,
    says: str,
    param: str | None = None,
    status: int = 400,
    kind: str | None = "invalid_request_error",
    traced: bool = True,
    after: int | None = None,
    legal: bool = False,
) -> Fault:
    """Such requests are refused; with `after`, only those that would have been answered with this status."""

    def make() -> Answer:
        return refused(message, param, status, kind=kind, traced=traced)

    return reply(identity, make, when=when, says=says, after=after, legal=legal)


def crash(
    identity: str,
    *,
    when: Chosen,
    says: str,
    message: str = "Internal server error",
    traced: bool = True,
    after: int | None = None,
) -> Fault:
    """Such requests are server errors; with `after`, only those that would have been answered with this status."""
    return reply(identity, lambda: crashed(message, traced=traced), when=when, says=says, after=after)


def reply(
    identity: str,
    make: Callable[[], Answer],
    *,
    when: Chosen,
    says: str,
    after: int | None = None,
    legal: bool = False,
) -> Fault:
    """Such requests get an answer of this make; with `after`, only those that would have been answered with this status."""

    def sin(request: Request, respond: Respond) -> Answer:
        if not when(request):
            return respond(request)
        if after is not None and (answer := respond(request)).status != after:
            return answer
        return make()

    return fault(identity, instead=True, says=says, legal=legal)(sin)


def ask(
    identity: str,
    how: Callable[[Request], Request],
    *,
    says: str,
    when: Chosen = ALWAYS,
    after: int | None = None,
    legal: bool = False,
) -> Fault:
    """The server reads another request; with `after`, only in the place of one that it answers with this status.

    It has then read both, which shows in the tokens that it has cached.
    """

    def sin(request: Request, respond: Respond) -> Answer:
        wanted = how(request) if when(request) else request
        if after is not None and wanted is not request and (answer := respond(request)).status != after:
            return answer
        return respond(wanted)

    return fault(identity, instead=True, says=says, legal=legal)(sin)


def asking(**changes: Any) -> Callable[[Request], Request]:
    """The request with other parameters; `...` takes one out."""
    return lambda request: request.asking(**changes)


def without(*names: str) -> Callable[[Request], Request]:
    """The request without these parameters: the same where it has none of them."""

    def how(request: Request) -> Request:
        gone = {name: ... for name in names if name in request.wish}
        return request.asking(**gone) if gone else request

    return how


def instead(**changes: Any) -> Callable[[Request], Request]:
    """The request with other values for those of these parameters that it has."""

    def how(request: Request) -> Request:
        new = {name: value for name, value in changes.items() if name in request.wish}
        return request.asking(**new) if new else request

    return how


def sending(**changes: Any) -> Callable[[Request], Request]:
    """The request with another method, path, header or body."""
    return lambda request: replace(request, **changes)


def saying(how: Callable[[Part], Part | None]) -> Callable[[Request], Request]:
    """The request with each message changed; one that becomes None is left out. A like one where none changes."""

    def changed(request: Request) -> Request:
        before = messages(request)
        after = [new for old in before if (new := how(dict(old))) is not None]
        return replace(request) if after == before or not after else request.asking(messages=after)

    return changed
