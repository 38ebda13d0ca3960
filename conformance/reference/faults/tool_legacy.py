"""Planted faults: many tools, what stands beside a call, and images and files that get lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.rows import DELTAS, SPOKEN, crash, given, put, refuse, refused

LIMITS = (
    refuse("tools-over-64-refused", when=given("tools", lambda tools: isinstance(tools, list) and len(tools) > 64),
        message="Invalid 'tools': array too long. Expected at most 64 items.", param="tools",
        says="More than 64 tools are refused."),
    refuse("tools-over-128-refused", when=given("tools", lambda tools: isinstance(tools, list) and len(tools) > 128),
        message="Invalid 'tools': array too long. Expected at most 128 items.", param="tools",
        says="More than 128 tools are refused.", legal=True),
    put("content-list-beside-calls",
        SPOKEN.where(lambda message: message.get("tool_calls") and not message.get("content")), content=[],
        says="Beside a call, the content is an empty list."),
    put("functions-stream-lost", DELTAS.under("function_call")[2:], arguments="",
        says="In a stream, the later pieces of a function's arguments are lost."),
)  # fmt: skip


# Images and files


def _parts(request: Request) -> Iterator[dict[str, Any]]:
    messages = request.wish.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        yield from (part for part in content if isinstance(part, dict)) if isinstance(content, list) else ()


def _images(request: Request) -> list[dict[str, Any]]:
    return [part["image_url"] for part in _parts(request) if isinstance(part.get("image_url"), dict)]


def _losing(identity: str, keep: Callable[[list[Any]], list[Any]], *, says: str) -> Fault:
    """A server that loses some of the parts of a content that it accepts."""

    def sin(request: Request, respond: Respond) -> Answer:
        if not list(_parts(request)) or respond(request).status != 200:
            return respond(request)
        messages = [
            {**message, "content": keep(message["content"])} if isinstance(message.get("content"), list) else message
            for message in request.wish["messages"]
        ]
        return respond(request.asking(messages=messages))

    return fault(identity, instead=True, says=says)(sin)


def _one_image(parts: list[Any]) -> list[Any]:
    images = [part for part in parts if part.get("type") == "image_url"]
    return [part for part in parts if part.get("type") != "image_url" or part is images[0]]


def _no_file(parts: list[Any]) -> list[Any]:
    return [part for part in parts if part.get("type") != "file"]


LOST = (
    _losing("image-second-lost", _one_image, says="Of several images in a message only the first is read."),
    _losing("file-ignored", _no_file, says="A file is accepted, and left out of the prompt."),
)  # fmt: skip


IMAGES = (
    refuse("image-detail-refused",
        when=lambda request: any(image.get("detail") not in (None, "low") for image in _images(request)),
        message="Extra inputs are not permitted", param="messages",
        says="An image with a `detail` other than `low` is refused."),
    crash("images-many-500", when=lambda request: len(_images(request)) > 8,
        message="At most 8 images may be provided in one prompt.", says="More than eight images are a server error."),
    refuse("images-one-only", when=lambda request: len(_images(request)) > 1,
        message="At most 1 image(s) may be provided in one prompt.", param="messages",
        says="More than one image is refused with 400.", legal=True),
    crash("image-private-address-fetched",
        when=lambda request: any(str(image.get("url")).startswith(("http://127.", "http://[::1]")) for image in _images(request)),
        message="Cannot connect to host",
        says="An image is fetched from any URL, even on the server's own machine; what fails is a 500."),
)  # fmt: skip


@fault("images-and-files-refused", instead=True, legal=True)
def reads_text_only(request: Request, respond: Respond) -> Answer:
    """Whatever is not text is refused by its type."""
    for part in _parts(request):
        if part.get("type") not in ("text", "refusal"):
            return refused(
                f"This model does not support content of the type {part.get('type')}: no image, no file", "messages"
            )
    return respond(request)
