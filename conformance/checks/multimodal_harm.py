"""What images and sounds must not do: bring a server down, or make it read its own files and addresses."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.checks.multimodal import IMAGE_PART, images_are_handled, neither, prompt_tokens
from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import OPENAI_PYTHON, REPORTS, SPEC
from conformance.judging.refusal import status_and_message
from conformance.probes.chat import HELLO, chat
from conformance.probes.history import part
from conformance.probes.images import (
    ASK,
    BROKEN,
    COLOUR,
    DIRECTED,
    DOT,
    FILE_URL,
    IMAGE,
    ONE_PIXEL,
    SOUND,
    UNPADDED,
    image,
)

area = Area("multimodal", needs=REPLY)

URL = SPEC.at(f"{IMAGE_PART}.image_url.url", "Either a URL of the image or the base64 encoded image data.")
MANY = st.integers(30, 60).map(lambda number: (IMAGE, chat([part(ASK), *[image(DOT)] * number])))
NEARBY = {
    host: chat([part(ASK), {"type": "image_url", "image_url": {"url": f"http://{host}/red.png"}}])
    for host in ("127.0.0.1:9", "[::1]:9")
}
"""Images that the server would have to fetch from itself, from a port that discards everything."""


@area.should(
    "image-does-no-harm",
    sends=each(IMAGE, ONE_PIXEL, UNPADDED, DIRECTED),
    spec=REPORTS.at(
        "LM Studio",
        "an image for a model without eyes is answered 200 with an error in the body: clients see no choices",
        "https://github.com/lmstudio-ai/lms/issues/362",
    ),
)
def image_does_no_harm(x: Exchange) -> Findings:
    """An image, large or tiny, is answered with choices or refused with 4xx, whether or not the model reads images."""
    if finding := neither(x):
        yield finding


@area.should(
    "many-images-do-no-harm",
    sends=MANY,
    examples=1,
    spec=OPENAI_PYTHON.at("retries", "an answer of 500 or above is sent again twice, a 400 is raised at once"),
)
def many_images_do_no_harm(plain: Exchange, x: Exchange) -> Findings:
    """A message with dozens of images is answered with choices or refused with 4xx."""
    images_are_handled(plain)
    if finding := neither(x):
        yield finding


@area.should(
    "sound-does-no-harm",
    sends=SOUND,
    spec=SPEC.at("ChatCompletionRequestMessageContentPartAudio.input_audio.data", "Base64 encoded audio data."),
)
def sound_does_no_harm(x: Exchange) -> Findings:
    """A sound is answered with choices or refused with 4xx, whether or not the model hears it."""
    if finding := neither(x):
        yield finding


def afterwards(x: Exchange) -> Probe:
    """A plain request, after an image."""
    return HELLO.again(1000)


@area.should(
    "server-survives-an-image",
    sends=ONE_PIXEL.then(afterwards),
    spec=REPORTS.at(
        "LM Studio",
        "an image of one pixel crashes the model, and every request after it fails",
        "https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/1755",
    ),
)
def server_survives_an_image(shown: Exchange, plain: Exchange) -> Findings:
    """After an image, plain requests are answered as before."""
    if not plain.ok:
        yield Finding(
            "not-answered",
            "A plain request after an image is not answered",
            at="status",
            expected=200,
            found=status_and_message(plain),
            on=plain.key,
        )


def is_refused(x: Exchange, text: Exchange, plain: Exchange) -> bool:
    """Whether an image that must not be read is refused. Raises Unwitnessed where nothing shows it.

    Where any image is a server error, that is found once, elsewhere.
    """
    assert x.status is not None
    if x.status >= 500 and plain.status == x.status:
        raise Unwitnessed(f"any image is a server error ({plain.status})")
    if 400 <= x.status < 500:
        return True
    more, less = prompt_tokens(x), prompt_tokens(text)
    if x.ok and not (more.type == less.type == "integer" and more.value > less.value):
        raise Unwitnessed("nothing shows that the image was read")  # multimodal.image-is-not-ignored looks at that
    return False


@area.should("broken-image-is-refused", sends=(BROKEN, COLOUR, IMAGE), spec=URL)
def broken_image_is_refused(broken: Exchange, text: Exchange, plain: Exchange) -> Findings:
    """A broken image is refused with 4xx."""
    if not is_refused(broken, text, plain):
        yield Finding(
            "not-refused", "A broken image is not refused", at="status", expected=400, found=status_and_message(broken)
        )


@area.should(
    "file-url-is-refused",
    sends=(FILE_URL, COLOUR, IMAGE),
    spec=URL,
    remedy="restrict what the server fetches (vLLM: --allowed-media-domains, no --allowed-local-media-path)",
)
def file_url_is_refused(file: Exchange, text: Exchange, plain: Exchange) -> Findings:
    """An image URL that names a file on the server is refused with 4xx."""
    if not is_refused(file, text, plain):
        yield Finding(
            "not-refused",
            "An image URL of a file on the server is not refused",
            at="status",
            expected=400,
            found=status_and_message(file),
        )


@area.should(
    "private-address-is-refused",
    sends=st.sampled_from([(IMAGE, probe, COLOUR) for probe in NEARBY.values()]),
    examples=len(NEARBY),
    spec=URL,
    remedy="Restrict what the server fetches (vLLM: --allowed-media-domains).",
)
def private_address_is_refused(plain: Exchange, near: Exchange, text: Exchange) -> Findings:
    """An image URL on the server's own machine is refused with 4xx."""
    images_are_handled(plain)
    if not is_refused(near, text, plain):
        yield Finding(
            "not-refused",
            "An image URL on the server's own machine is not refused",
            at="status",
            expected=400,
            found=status_and_message(near),
            on=near.key,
        )
