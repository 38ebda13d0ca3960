"""Planted faults: images and sounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.roles import Message, history, parts, refuse, saying

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"


def images(request: Request) -> Iterator[Any]:
    """The `image_url` of each image in a chat request."""
    for message in history(request):
        for part in parts(message):
            if part.get("type") == "image_url":
                yield part.get("image_url")


def urls(request: Request) -> list[str]:
    """The URLs of the images in a chat request."""
    found = [one.get("url") for one in images(request) if isinstance(one, dict)]
    return [url for url in found if isinstance(url, str)]


@fault("developer-role-with-image-500", instead=True)
def cannot_direct_its_eyes(request: Request, respond: Respond) -> Answer:
    """A developer message together with an image is a server error."""
    if urls(request) and any(one.get("role") == "developer" for one in history(request)):
        return refuse("internal error", 500)
    return respond(request)


@fault("image-error-200-body", instead=True)
def refuses_images_with_200(request: Request, respond: Respond) -> Answer:
    """An image is answered 200, with an error in the body."""
    if list(images(request)):
        text = "Model does not support images"
        return Answer(200, {"content-type": "application/json"}, {"error": {"message": text}, "message": text})
    return respond(request)


@fault("image-request-crashes-model", instead=True)
def dies_of_a_pixel(request: Request, respond: Respond) -> Answer:
    """An image of one pixel is a server error, and after it no model is loaded."""
    if request.memory.get("crashed"):
        return refuse("No models loaded.", 404)
    if any(len(url) < 130 and url.startswith("data:image/") for url in urls(request)):
        request.memory["crashed"] = True
        return refuse("The model has crashed without additional information.", 500)
    return respond(request)


@fault("image-valid-base64-500", instead=True)
def stumbles_over_padding(request: Request, respond: Respond) -> Answer:
    """An image in base64 without padding is a server error."""
    if any(len(url.partition(",")[2]) % 4 for url in urls(request)):
        return refuse("Incorrect padding", 500)
    return respond(request)


def _blind(message: Message) -> Message:
    seen = [one for one in parts(message) if one.get("type") != "image_url"]
    return message | {"content": seen or " "} if parts(message) else message


@fault("image-ignored", instead=True)
def does_not_look(request: Request, respond: Respond) -> Answer:
    """Images are left out of the prompt."""
    return respond(saying(request, _blind) if urls(request) else request)


@fault("image-refused-oddly", instead=True)
def refuses_without_a_reason(request: Request, respond: Respond) -> Answer:
    """An image is refused with words that do not speak of it."""
    return refuse("Invalid request") if urls(request) else respond(request)


@fault("broken-image-500", instead=True)
def opens_anything(request: Request, respond: Respond) -> Answer:
    """An image that is none is a server error."""
    answer = respond(request)
    whole = [url for url in urls(request) if url.startswith("data:") and len(url.partition(",")[2]) % 4 == 0]
    if answer.status == 400 and whole:
        return refuse("cannot identify image file", 500)
    return answer


@fault("file-url-read", instead=True)
def reads_its_own_disk(request: Request, respond: Respond) -> Answer:
    """An image URL that names a file is answered: the file was read."""
    text = request.body.replace(b'"file:///etc/hostname"', f'"data:image/png;base64,{PIXEL}"'.encode())
    return respond(Request(request.method, request.path, request.headers, text, request.memory))


@fault("sound-500", instead=True)
def falls_over_sounds(request: Request, respond: Respond) -> Answer:
    """A sound is a server error."""
    if any(part.get("type") == "input_audio" for one in history(request) for part in parts(one)):
        return refuse("KeyError: 'input_audio'", 500)
    return respond(request)


@fault("images-refused", legal=True, instead=True)
def has_no_eyes(request: Request, respond: Respond) -> Answer:
    """Images are refused in so many words."""
    if list(images(request)):
        return refuse("This model only supports text input; received unsupported content type 'image_url'.")
    return respond(request)


@fault("sounds-refused", legal=True, instead=True)
def has_no_ears(request: Request, respond: Respond) -> Answer:
    """Sounds are refused in so many words."""
    if any(part.get("type") == "input_audio" for one in history(request) for part in parts(one)):
        return refuse("This model does not support audio input.")
    return respond(request)
