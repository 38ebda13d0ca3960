"""Images and sounds in messages: understood, or refused in so many words; never lost, never the end of a server."""

from __future__ import annotations

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import MUST, NOTE, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import HELLO
from conformance.probes.history import WHOLE
from conformance.probes.images import (
    BARE,
    BROKEN,
    COLOUR,
    DETAILED,
    DIRECTED,
    FILE_URL,
    IMAGE,
    ONE_PIXEL,
    SOUND,
    UNPADDED,
)

PART = "ChatCompletionRequestMessageContentPartImage"


def said(x: Exchange) -> dict[str, object]:
    """A status and what came with it, as `found` of a finding."""
    return {"status": x.status, "message": message(x)[:300]}


def answered_or_refused(x: Exchange) -> Findings:
    """A finding where a request is neither answered with choices nor refused with 4xx."""
    assert x.status is not None
    if x.ok and x.json["choices"].type != "array" and not x.error.missing:
        found = {"status": x.status, "body": x.text[:300]}
        yield Finding("refused-2xx", "it is refused with 2xx", at="/error", expected="choices, or 4xx", found=found)
    elif not x.ok and not 400 <= x.status < 500:
        yield Finding(
            "neither-answered-nor-refused",
            "it is neither answered nor refused",
            at="status",
            expected="200 or 400",
            found=said(x),
        )


@check(
    "multimodal.image-is-accepted",
    MUST,
    sends=each(IMAGE, DETAILED),
    needs=REPLY,
    requires="vision",
    spec=SPEC.at(f"{PART}.image_url.url", "Either a URL of the image or the base64 encoded image data."),
)
def image_is_accepted(x: Exchange) -> Findings:
    """A user message may hold an image in a data URL."""
    assert x.status is not None
    if x.status >= 500:
        yield Unwitnessed(f"the server failed ({x.status})")  # multimodal.image-does-no-harm says so
    elif not x.ok and named(x, ("vision",)):
        yield Unsupported(f"the server refuses images ({x.status})")
    elif not x.ok:
        yield Finding(
            "image-refused-not-being-image",
            "an image is refused, and not for being an image",
            at="status",
            expected="200",
            found=said(x),
        )


@check(
    "multimodal.image-is-not-ignored",
    SHOULD,
    sends=(IMAGE, COLOUR, WHOLE),
    needs=REPLY,
    spec=SPEC.at("ChatCompletionRequestUserMessage.content", "Can contain text, image, or audio inputs."),
    remedy="claim `vision` only for a model that reads images, and let the server refuse them otherwise",
)
def image_is_not_ignored(image: Exchange, text: Exchange, longer: Exchange) -> Findings:
    """An image that is not refused is counted in the prompt."""
    more, less = image.usage["prompt_tokens"], text.usage["prompt_tokens"]
    assert image.status is not None
    if 400 <= image.status < 500:
        yield Unsupported(f"the server refuses images ({image.status})")
    elif not image.ok:
        yield Unwitnessed(f"the server failed ({image.status})")
    elif more.type != "integer" or less.type != "integer" or less.value == longer.usage["prompt_tokens"].value:
        yield Unwitnessed("tokens are not counted")
    elif more.value <= less.value:
        expected = f"more than {less.value}"
        yield Finding(
            "image-accepted-ignored",
            "an image is accepted, and ignored",
            at=more.pointer,
            expected=expected,
            found=more,
        )


@check(
    "multimodal.image-does-no-harm",
    SHOULD,
    sends=each(IMAGE, ONE_PIXEL, UNPADDED, DIRECTED),
    needs=REPLY,
    spec=REPORTS.at(
        "LM Studio",
        "an image for a model without eyes is answered 200 with an error in the body: clients see no choices",
        "https://github.com/lmstudio-ai/lms/issues/362",
    ),
)
def image_does_no_harm(x: Exchange) -> Findings:
    """An image, large or tiny, is answered with choices or refused with 4xx, whatever the model can see."""
    yield from answered_or_refused(x)


def taken(image: Exchange, text: Exchange, plain: Exchange, sentence: str) -> Findings:
    """A finding, in the words of `sentence`, where an image that should be refused is read, or a server error.

    Where any image is a server error, that is found once, elsewhere.
    """
    assert image.status is not None
    if image.status >= 500 and plain.status == image.status:
        yield Unwitnessed(f"any image is a server error ({plain.status})")
        return
    more, less = image.usage["prompt_tokens"], text.usage["prompt_tokens"]
    if 400 <= image.status < 500:
        return
    if image.ok and not (more.type == less.type == "integer" and more.value > less.value):
        yield Unwitnessed("nothing shows that the image was read")  # multimodal.image-is-not-ignored looks at that
    else:
        yield Finding("", sentence, at="status", expected=400, found=said(image))


def afterwards(x: Exchange) -> Probe:
    """A plain request, after an image."""
    return HELLO.again(1000)


@check(
    "multimodal.server-survives-an-image",
    SHOULD,
    sends=ONE_PIXEL.then(afterwards),
    needs=REPLY,
    spec=REPORTS.at(
        "LM Studio",
        "an image of one pixel crashes the model, and every request after it fails",
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1755",
    ),
)
def server_survives_an_image(image: Exchange, plain: Exchange) -> Findings:
    """After an image, plain requests are answered as before."""
    if not plain.ok:
        yield Finding(
            "after-image-plain-request-fails",
            "after an image a plain request fails",
            at="status",
            expected=200,
            found=said(plain),
            on=plain.key,
        )


@check(
    "multimodal.broken-image-is-refused",
    SHOULD,
    sends=(BROKEN, COLOUR, IMAGE),
    needs=REPLY,
    spec=SPEC.at(f"{PART}.image_url.url", "Either a URL of the image or the base64 encoded image data."),
)
def broken_image_is_refused(broken: Exchange, text: Exchange, plain: Exchange) -> Findings:
    """An image that is none is refused with 4xx."""
    yield from taken(broken, text, plain, "an image that is none is not refused")


@check(
    "multimodal.file-url-is-refused",
    SHOULD,
    sends=(FILE_URL, COLOUR, IMAGE),
    needs=REPLY,
    spec=SPEC.at(f"{PART}.image_url.url", "Either a URL of the image or the base64 encoded image data."),
    remedy="restrict what the server fetches (vLLM: --allowed-media-domains, no --allowed-local-media-path)",
)
def file_url_is_refused(file: Exchange, text: Exchange, plain: Exchange) -> Findings:
    """An image URL that names a file of the server's is refused with 4xx."""
    yield from taken(file, text, plain, "a file of the server's is not refused as an image")


@check(
    "multimodal.sound-does-no-harm",
    SHOULD,
    sends=SOUND,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionRequestMessageContentPartAudio.input_audio.data", "Base64 encoded audio data."),
)
def sound_does_no_harm(x: Exchange) -> Findings:
    """A sound is answered with choices or refused with 4xx, whatever the model can hear."""
    yield from answered_or_refused(x)


@check("multimodal.image-url-may-be-a-string", NOTE, sends=BARE, needs=REPLY)
def image_url_may_be_a_string(x: Exchange) -> Findings:
    """An `image_url` that is a string, not an object, is read or refused."""
    yield Observed(x.status, "status")
