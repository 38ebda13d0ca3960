"""Planted faults: many tools, what stands beside a call, and images and files that get lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.shape import whole_messages
from conformance.reference.rows import crashed, refused


@fault("tools-over-64-refused", instead=True)
def takes_few_tools(request: Request, respond: Respond) -> Answer:
    """More than 64 tools are refused."""
    tools = request.wish.get("tools")
    if isinstance(tools, list) and len(tools) > 64:
        return refused("Invalid 'tools': array too long. Expected at most 64 items.", "tools")
    return respond(request)


@fault("tools-over-128-refused", instead=True, legal=True)
def takes_many_tools(request: Request, respond: Respond) -> Answer:
    """More than 128 tools are refused."""
    tools = request.wish.get("tools")
    if isinstance(tools, list) and len(tools) > 128:
        return refused("Invalid 'tools': array too long. Expected at most 128 items.", "tools")
    return respond(request)


@fault("content-list-beside-calls")
def lists_nothing(answer: Answer, request: Request) -> None:
    """Beside a call, the content is an empty list."""
    for message in whole_messages(answer):
        if message.get("tool_calls") and not message.get("content"):
            message["content"] = []


@fault("functions-stream-lost")
def loses_streamed_arguments(answer: Answer, request: Request) -> None:
    """In a stream, the later pieces of a function's arguments are lost."""
    if answer.is_chat and answer.events is not None:
        pieces = [part["function_call"] for part in answer.messages if "function_call" in part]
        for piece in pieces[2:]:
            piece["arguments"] = ""


# Images and files


def _parts(request: Request) -> Iterator[dict[str, Any]]:
    messages = request.wish.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        yield from (part for part in content if isinstance(part, dict)) if isinstance(content, list) else ()


def _images(request: Request) -> list[dict[str, Any]]:
    return [part["image_url"] for part in _parts(request) if isinstance(part.get("image_url"), dict)]


def _losing(identity: str, title: str, keep: Callable[[list[Any]], list[Any]]) -> Fault:
    """A server that loses some of the parts of a content that it accepts."""

    def sin(request: Request, respond: Respond) -> Answer:
        if not list(_parts(request)) or respond(request).status != 200:
            return respond(request)
        messages = [
            {**message, "content": keep(message["content"])} if isinstance(message.get("content"), list) else message
            for message in request.wish["messages"]
        ]
        return respond(request.asking(messages=messages))

    sin.__doc__ = title
    return fault(identity, instead=True)(sin)


def _one_image(parts: list[Any]) -> list[Any]:
    images = [part for part in parts if part.get("type") == "image_url"]
    return [part for part in parts if part.get("type") != "image_url" or part is images[0]]


def _no_file(parts: list[Any]) -> list[Any]:
    return [part for part in parts if part.get("type") != "file"]


loses_the_second_image = _losing(
    "image-second-lost", "Of several images in a message only the first is read.", _one_image
)
loses_files = _losing("file-ignored", "A file is accepted, and left out of the prompt.", _no_file)


@fault("image-detail-refused", instead=True)
def sees_at_one_level(request: Request, respond: Respond) -> Answer:
    """An image that says how closely to look is refused."""
    if any(image.get("detail") not in (None, "low") for image in _images(request)):
        return refused("Extra inputs are not permitted", "messages")
    return respond(request)


@fault("images-many-500", instead=True)
def falls_over_many_images(request: Request, respond: Respond) -> Answer:
    """More than eight images are a server error."""
    return crashed("At most 8 images may be provided in one prompt.") if len(_images(request)) > 8 else respond(request)


@fault("images-one-only", instead=True, legal=True)
def sees_one_image(request: Request, respond: Respond) -> Answer:
    """More than one image is refused with 400."""
    if len(_images(request)) > 1:
        return refused("At most 1 image(s) may be provided in one prompt.", "messages")
    return respond(request)


@fault("image-private-address-fetched", instead=True)
def fetches_from_itself(request: Request, respond: Respond) -> Answer:
    """An image is fetched from wherever the request says, also from the server's own machine; what fails is a 500."""
    urls = [str(image.get("url")) for image in _images(request)]
    if any(url.startswith(("http://127.", "http://[::1]")) for url in urls):
        return crashed("Cannot connect to host")
    return respond(request)


@fault("images-and-files-refused", instead=True, legal=True)
def reads_text_only(request: Request, respond: Respond) -> Answer:
    """Whatever is not text is refused by its type."""
    for part in _parts(request):
        if part.get("type") not in ("text", "refusal"):
            return refused(
                f"This model does not support content of the type {part.get('type')}: no image, no file", "messages"
            )
    return respond(request)
