"""Requests that hold an image or a sound, so small that they cost next to nothing. Nothing has to be fetched."""

from __future__ import annotations

from typing import Any

from conformance.probes.chat import chat, user
from conformance.probes.history import part, said, talk

ASK = "What colour is this?"

RED = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAIAAAD9b0jDAAAAI0lEQVR42u3MsQ0AAAjAoP7/tD7hJgkzTZ1LKpVKpVKp9Ee6DsoNHtgm0ZUAAAAASUVORK"
    "5CYII="
)
"""A red PNG of 28 x 28 pixels, in base64 that ends with padding."""
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"
"""A red PNG of one pixel: valid, and smaller than the patches that some models cut images into."""
SILENCE = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA=="
"""A WAV file: a millisecond of silence."""


def image(data: str, **more: Any) -> dict[str, Any]:
    """A part of a content: an image in a data URL."""
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}", **more}}


COLOUR = chat(ASK)
IMAGE = chat([part(ASK), image(RED)])
DETAILED = chat([part(ASK), image(RED, detail="low")])
ONE_PIXEL = chat([part(ASK), image(DOT)])
UNPADDED = chat([part(ASK), image(RED.rstrip("="))])
DIRECTED = talk(said("developer", "Answer in one word."), user([part(ASK), image(RED)]))
BROKEN = chat([part(ASK), image("bm90IGFuIGltYWdl")])
"""What is sent as a PNG is base64 of a few letters."""
FILE_URL = chat([part(ASK), {"type": "image_url", "image_url": {"url": "file:///etc/hostname"}}])
BARE = chat([part(ASK), {"type": "image_url", "image_url": f"data:image/png;base64,{RED}"}])
"""`image_url` as a string, as some servers take it and OpenAI does not."""
SOUND = chat([part("What do you hear?"), {"type": "input_audio", "input_audio": {"data": SILENCE, "format": "wav"}}])
