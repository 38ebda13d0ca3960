"""Whether a server refused a request, and whether it did so cleanly: 4xx, an error that a client can read, naming the feature."""

from __future__ import annotations

from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed

ALWAYS = frozenset({"model", "messages", "prompt", "input"})
"""Members of every request: a refusal that names one of them says nothing about a feature."""

WORDS = {
    "developer_role": ("role", "developer"),
    "vision": ("image", "vision", "multimodal", "content type", "content part"),
    "audio": ("audio", "multimodal"),
    "tools": ("tool choice", "tool-call-parser", "tool call parser", "function calling"),
}
"""Words of a refusal that name a feature which is not a member of the request."""


def message(x: Exchange) -> str:
    """The text that says what is wrong, wherever in the body the server puts it."""
    for holder in (x.error, x.json, x.json["detail"]):
        for value in (holder["message"].value, holder.value):
            if isinstance(value, str):
                return value
    return x.text[:2000] if x.media_type != "text/html" else ""


def status_and_message(x: Exchange) -> dict[str, object]:
    """A status and what the server said with it, as `found` of a finding."""
    return {"status": x.status, "message": message(x)[:300]}


def named(x: Exchange, requires: tuple[str, ...] = ()) -> str:
    """The feature that a 4xx answer names as refused; "" where it is not a refusal, or names none.

    A feature is a member of the request beyond model and messages, or one of `requires` that WORDS knows.
    """
    if x.status is None or not 400 <= x.status < 500 or x.status in (401, 403, 404, 408, 429):
        return ""
    text = message(x).lower()
    param_value = x.error["param"].value
    param = param_value if isinstance(param_value, str) else ""
    wish = x.probe.wish if isinstance(x.probe.wish, dict) else {}
    members: list[str] = [name for name in wish if name not in ALWAYS]
    for name in members:
        if param == name or param.startswith((f"{name}.", f"{name}[")):
            return name
    for name in members:
        if name != "stream" and name.lower() in text:
            return name
    for feature in requires:
        for word in WORDS.get(feature, ()):
            if word in text:
                return feature
    return "stream" if "stream" in members and "stream" in text else ""


ROUTES = {"embeddings": "embedding", "completions": "completions"}
"""Capabilities that are a route of their own, and the word by which a refusal names the route."""
NOT_SERVED = (404, 405, 501)
"""How a server says that it has no such route."""


def unserved(x: Exchange, requires: tuple[str, ...]) -> str:
    """The capability whose route a server does not have, or not for this model; "" where it answers there.

    Some servers have the route for all models, and say in the message that this one cannot do it.
    """
    for feature in requires:
        if feature in ROUTES and x.probe.path == feature and x.status is not None:
            refused = 400 <= x.status < 500 and ROUTES[feature] in message(x).lower()
            if x.status in NOT_SERVED or refused:
                return feature
    return ""


def without(x: Exchange, feature: str) -> None:
    """Raises Unsupported where the plainest request to a route is not answered.

    A server that refuses it cleanly does not serve the route, whatever it says; a broken answer is for the first check.
    """
    if not x.ok:
        raise Unsupported(f"the server does not serve `{feature}` ({x.status})")


def honoured(plain: Exchange, x: Exchange, feature: str, name: str) -> Findings:
    """A finding where a documented parameter of a route is refused, and not by its name.

    Raises Unsupported where there is no such route, or the parameter is refused by its name; Unwitnessed where another parameter
    of the request is refused, so that nothing is known of this one.
    """
    without(plain, feature)
    if not x.ok:
        refused = named(x)
        if refused == name:
            raise Unsupported(f"the server refuses `{name}` ({x.status})")
        if refused:
            raise Unwitnessed(f"the request is refused for another parameter, `{refused}` ({x.status})")
        yield neither(x, "2xx, or 4xx that names it")


def neither(x: Exchange, expected: str) -> Finding:
    """The finding that a documented parameter is neither honoured nor refused by name."""
    found = status_and_message(x)
    return Finding(
        "neither-taken-nor-refused",
        "A documented parameter is neither honoured nor refused by name",
        expected=expected,
        found=found,
        on=x.key,
    )


def with_error_object(plain: Exchange, x: Exchange, feature: str) -> Findings:
    """A finding where the refusal of a request to a route has no `error` with a message."""
    without(plain, feature)
    if x.ok:
        raise Unwitnessed("the request is not refused")
    if x.error.type != "object" or x.error["message"].type != "string":
        yield Finding(
            "no-error-object",
            "The refusal has no error object with a message",
            at="/error/message",
            expected="string",
            found=x.text[:300],
            on=x.key,
        )


def model_refused(plain: Exchange, x: Exchange, feature: str) -> Findings:
    """A finding where a request to a route for a model that does not exist is not refused."""
    without(plain, feature)
    if x.ok:
        yield Finding(
            "answered",
            "A request for a model that does not exist is answered",
            expected="404",
            found=x.status,
            on=x.key,
        )
    elif x.crashed:
        yield Finding(
            "server-error",
            "A request for a model that does not exist causes a server error",
            expected="404",
            found=x.status,
            on=x.key,
        )
