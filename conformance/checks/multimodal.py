"""Images, sounds and files in messages: read and counted, or refused in so many words; never silently lost.

What they must not do to a server is in `multimodal_harm`.
"""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import SPEC
from conformance.judging.refusal import named, status_and_message
from conformance.probes.chat import chat
from conformance.probes.history import WHOLE, part
from conformance.probes.images import ASK, BARE, COLOUR, DETAILED, IMAGE, RED, image

area = Area("multimodal", needs=REPLY)

IMAGE_PART = "ChatCompletionRequestMessageContentPartImage"
DETAILS = {detail: chat([part(ASK), image(RED, detail=detail)]) for detail in ("low", "high", "auto")}
SEVERAL = st.integers(2, 4).map(lambda number: (COLOUR, IMAGE, chat([part(ASK), *[image(RED)] * number])))
PDF = (
    "JVBERi0xLjEKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0Nv"
    "dW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgOSA5XT4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290"
    "IDEgMCBSPj4="
)
"""A PDF of one empty page."""
FILE = chat(
    [part(ASK), {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}]
)


def neither(x: Exchange) -> Finding | None:
    """The finding that a request is neither answered with choices nor refused with 4xx; None where it is."""
    assert x.status is not None
    if x.ok and x.json["choices"].type != "array" and not x.error.missing:
        return Finding(
            "error-with-2xx",
            "The refusal comes with a 2xx status",
            at="/error",
            expected="choices, or 4xx",
            found={"status": x.status, "body": x.text[:300]},
            on=x.key,
        )
    if not x.ok and not 400 <= x.status < 500:
        return Finding(
            "neither-answered-nor-refused",
            "The request is neither answered nor refused",
            at="status",
            expected="200 or 400",
            found=status_and_message(x),
            on=x.key,
        )
    return None


def images_are_handled(plain: Exchange) -> None:
    """Raises Unwitnessed where even a plain image is neither answered nor refused: that is found once, elsewhere."""
    if neither(plain):
        raise Unwitnessed(f"any image is neither answered nor refused ({plain.status})")


def prompt_tokens(x: Exchange) -> Value:
    """The number of tokens in the prompt, as the usage has it."""
    return x.usage["prompt_tokens"]


@area.must(
    "image-is-accepted",
    sends=each(IMAGE, DETAILED),
    requires="vision",
    spec=SPEC.at(f"{IMAGE_PART}.image_url.url", "Either a URL of the image or the base64 encoded image data."),
)
def image_is_accepted(x: Exchange) -> Findings:
    """A user message may hold an image in a data URL."""
    assert x.status is not None
    if x.status >= 500:
        raise Unwitnessed(f"the server failed ({x.status})")  # multimodal.image-does-no-harm finds it
    if not x.ok and named(x, ("vision",)):
        raise Unsupported(f"the server refuses images ({x.status})")
    if not x.ok:
        yield Finding(
            "refused",
            "An image is refused, and the refusal does not name images",
            at="status",
            expected="200",
            found=status_and_message(x),
        )


@area.should(
    "image-is-not-ignored",
    sends=(IMAGE, COLOUR, WHOLE),
    spec=SPEC.at("ChatCompletionRequestUserMessage.content", "Can contain text, image, or audio inputs."),
    remedy="claim `vision` only for a model that reads images, and let the server refuse them otherwise",
)
def image_is_not_ignored(shown: Exchange, text: Exchange, longer: Exchange) -> Findings:
    """An image that is not refused is counted in the prompt."""
    more, less = prompt_tokens(shown), prompt_tokens(text)
    assert shown.status is not None
    if 400 <= shown.status < 500:
        raise Unsupported(f"the server refuses images ({shown.status})")
    if not shown.ok:
        raise Unwitnessed(f"the server failed ({shown.status})")
    if more.type != "integer" or less.type != "integer" or less.value == prompt_tokens(longer).value:
        raise Unwitnessed("tokens are not counted")
    if more.value <= less.value:
        yield Finding(
            "image-ignored",
            "An image is accepted and then ignored",
            at=more.pointer,
            expected=f"more than {less.value}",
            found=more,
        )


@area.should(
    "detail-is-accepted",
    sends=st.sampled_from([(IMAGE, probe) for probe in DETAILS.values()]),
    requires="vision",
    examples=len(DETAILS),
    spec=SPEC.at(f"{IMAGE_PART}.image_url.detail", "Specifies the detail level of the image."),
)
def detail_is_accepted(plain: Exchange, x: Exchange) -> Findings:
    """An image may have a level of detail, `low`, `high` or `auto`; what that costs in tokens is noted."""
    images_are_handled(plain)
    if not plain.ok:
        raise Unsupported(f"the server refuses images ({plain.status})")
    if not x.ok:
        yield Finding(
            "not-answered",
            "An image with a level of detail is not answered",
            at="status",
            expected=200,
            found=status_and_message(x),
            on=x.key,
        )
    detail = x.probe.wish["messages"][0]["content"][1]["image_url"]["detail"]
    yield Observed(prompt_tokens(x).value if x.usage else None, f"prompt tokens, {detail}")


@area.should(
    "several-images-are-counted",
    sends=SEVERAL,
    examples=2,
    requires="vision",
    spec=SPEC.at("ChatCompletionRequestUserMessage.content", "An array of content parts with a defined type."),
    remedy="Raise the server's limit (vLLM: --limit-mm-per-prompt).",
)
def several_images_are_counted(text: Exchange, single: Exchange, together: Exchange) -> Findings:
    """A message with several images is refused, or costs more tokens than one with a single image."""
    images_are_handled(single)
    least, less, more = map(prompt_tokens, (text, single, together))
    if not single.ok or (together.status is not None and 400 <= together.status < 500):
        raise Unsupported(f"the server refuses images, or several of them ({together.status})")
    if not together.ok:
        yield Finding(
            "neither-answered-nor-refused",
            "The request is neither answered nor refused",
            at="status",
            found=status_and_message(together),
            on=together.key,
        )
    elif not least.type == less.type == more.type == "integer" or less.value <= least.value:
        raise Unwitnessed("the tokens of images are not counted")
    elif more.value < less.value + 2:
        yield Finding(
            "images-lost",
            "All images but one are lost",
            at=more.pointer,
            expected=f"over {less.value}",
            found=more,
            on=together.key,
        )


@area.should(
    "file-is-not-ignored",
    sends=(FILE, COLOUR, WHOLE),
    spec=SPEC.at(
        "ChatCompletionRequestMessageContentPartFile.file.file_data",
        "The base64 encoded file data, used when passing the file to the model as a string.",
    ),
)
def file_is_not_ignored(file: Exchange, text: Exchange, longer: Exchange) -> Findings:
    """A file is refused with 4xx, or counted in the prompt."""
    more, less = prompt_tokens(file), prompt_tokens(text)
    if file.status is not None and 400 <= file.status < 500:
        raise Unsupported(f"the server refuses files ({file.status})")
    if not file.ok:
        yield Finding(
            "neither-answered-nor-refused",
            "A file is neither answered nor refused",
            at="status",
            expected="200 or 400",
            found=status_and_message(file),
        )
    elif more.type != "integer" or less.type != "integer" or less.value == prompt_tokens(longer).value:
        raise Unwitnessed("tokens are not counted")
    elif more.value <= less.value:
        yield Finding(
            "file-ignored",
            "A file is accepted and then ignored",
            at=more.pointer,
            expected=f"over {less.value}",
            found=more,
        )


@area.note("image-url-may-be-a-string", sends=BARE)
def image_url_may_be_a_string(x: Exchange) -> Findings:
    """Whether an `image_url` that is a string, not an object, is accepted."""
    yield Observed(x.status, "status")
