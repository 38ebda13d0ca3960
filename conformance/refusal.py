"""Whether a server refused a request, and whether it did so cleanly: 4xx, an error that a client can read, naming the feature."""

from __future__ import annotations

from conformance.exchange import Exchange

ALWAYS = frozenset({"model", "messages"})
"""Members of every request: naming one of them is no word about a feature."""

WORDS = {
    "developer_role": ("role", "developer"),
    "vision": ("image", "vision", "multimodal", "content type", "content part"),
    "audio": ("audio", "multimodal"),
    "tools": ("tool choice", "tool-call-parser", "tool call parser", "function calling"),
}
"""What a refusal says that names a feature which is no member of the request."""


def message(x: Exchange) -> str:
    """The text by which a server says what is wrong, wherever in the body it put it."""
    for holder in (x.error, x.json, x.json["detail"]):
        for value in (holder["message"].value, holder.value):
            if isinstance(value, str):
                return value
    return x.text[:2000] if x.media_type != "text/html" else ""


def named(x: Exchange, requires: tuple[str, ...] = ()) -> str:
    """The feature that a 4xx answer names as refused; "" where it is no refusal, or names none.

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
