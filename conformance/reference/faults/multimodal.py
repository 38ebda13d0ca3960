"""Planted faults: images and sounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from conformance.reference import rows
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import Part, ask, messages, parts, refused, reply, saying, with_part, with_role

refuse = partial(rows.refuse, param="messages", traced=False)
SOUND = with_part("input_audio")


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC"


def images(request: Request) -> Iterator[Any]:
    """The `image_url` of each image in a chat request."""
    for message in messages(request):
        for part in parts(message):
            if part.get("type") == "image_url":
                yield part.get("image_url")


def urls(request: Request) -> list[str]:
    """The URLs of the images in a chat request."""
    found = [image.get("url") for image in images(request) if isinstance(image, dict)]
    return [url for url in found if isinstance(url, str)]


def _blind(message: Part) -> Part:
    seen = [part for part in parts(message) if part.get("type") != "image_url"]
    return message | {"content": seen or " "} if parts(message) else message


NO_IMAGES = "Model does not support images"
DISK = b'"file:///etc/hostname"'

IMAGES = (
    refuse("developer-role-with-image-500", when=with_role("developer") & urls, message="internal error", status=500,
        says="A developer message together with an image is a server error."),
    reply("image-error-200-body",
        lambda: Answer(200, {"content-type": "application/json"}, {"error": {"message": NO_IMAGES}, "message": NO_IMAGES}),
        when=lambda request: list(images(request)), says="An image is answered with 200 and an error in the body."),
    refuse("image-valid-base64-500", when=lambda request: any(len(url.partition(",")[2]) % 4 for url in urls(request)),
        message="Incorrect padding", status=500, says="An image in base64 without padding is a server error."),
    refuse("image-refused-oddly", when=urls, message="Invalid request",
        says="An image is refused with words that do not speak of it."),
    refuse("broken-image-500",
        when=lambda request: any(url.startswith("data:") and len(url.partition(",")[2]) % 4 == 0 for url in urls(request)),
        after=400, message="cannot identify image file", status=500,
        says="An image that cannot be read is a server error."),
    ask("file-url-read",
        lambda request: replace(request, body=request.body.replace(DISK, f'"data:image/png;base64,{PIXEL}"'.encode())),
        says="An image URL that names a file is answered: the file was read."),
    refuse("sound-500", when=SOUND, message="KeyError: 'input_audio'", status=500, says="A sound is a server error."),
    refuse("sounds-refused", when=SOUND, message="This model does not support audio input.",
        says="Sounds are refused in so many words.", legal=True),
)  # fmt: skip


@fault("image-request-crashes-model", instead=True)
def dies_of_a_pixel(request: Request, respond: Respond) -> Answer:
    """An image of one pixel is a server error, and after it no model is loaded."""
    if request.memory.get("crashed"):
        return refused("No models loaded.", "messages", 404, traced=False)
    if any(len(url) < 130 and url.startswith("data:image/") for url in urls(request)):
        request.memory["crashed"] = True
        return refused("The model has crashed without additional information.", "messages", 500, traced=False)
    return respond(request)


does_not_look = ask("image-ignored", saying(_blind), when=urls, says="Images are left out of the prompt.")
has_no_eyes = refuse(
    "images-refused",
    when=lambda request: list(images(request)),
    message="This model only supports text input; received unsupported content type 'image_url'.",
    says="Images are refused in so many words.",
    legal=True,
)
