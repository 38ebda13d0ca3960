"""More about images and files: how closely to look, several at once, and where they may not come from."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from conformance.checks.multimodal import PART, answered_or_refused, said, taken
from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.requirement import OPENAI_PYTHON, SHOULD, SPEC
from conformance.probes.chat import chat
from conformance.probes.history import WHOLE, part
from conformance.probes.images import ASK, COLOUR, DOT, IMAGE, RED, image

DETAILS = {detail: chat([part(ASK), image(RED, detail=detail)]) for detail in ("low", "high", "auto")}
several = st.integers(2, 4).map(lambda number: (COLOUR, IMAGE, chat([part(ASK), *[image(RED)] * number])))
many = st.integers(30, 60).map(lambda number: (IMAGE, chat([part(ASK), *[image(DOT)] * number])))
NEARBY = {
    host: chat([part(ASK), {"type": "image_url", "image_url": {"url": f"http://{host}/red.png"}}])
    for host in ("127.0.0.1:9", "[::1]:9")
}
"""Images that the server would have to fetch from itself, from a port that throws everything away."""
PDF = (
    "JVBERi0xLjEKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0Nv"
    "dW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgOSA5XT4+ZW5kb2JqCnRyYWlsZXI8PC9Sb290"
    "IDEgMCBSPj4="
)
"""A PDF of one empty page."""
FILE = chat(
    [part(ASK), {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}]
)


def unwell(plain: Exchange) -> Findings:
    """A plain image that is a server error, or no answer, is found elsewhere, once; nothing else shows there."""
    if any(isinstance(saying, Finding) for saying in answered_or_refused(plain)):
        yield Unwitnessed(f"any image is neither answered nor refused ({plain.status})")


def about(x: Exchange, findings: Findings) -> Findings:
    """The same findings, said of this exchange."""
    for saying in findings:
        yield replace(saying, on=x.key) if isinstance(saying, Finding) else saying


def beside(plain: Exchange, x: Exchange, sentence: str) -> Findings:
    """A finding, in the words of `sentence`, where a plain image is read and this request is not answered."""
    yield from unwell(plain)
    if not plain.ok:
        yield Unsupported(f"the server refuses images ({plain.status})")
    elif not x.ok:
        yield Finding("", sentence, at="status", expected=200, found=said(x), on=x.key)


@check(
    "multimodal.detail-is-accepted",
    SHOULD,
    sends=st.sampled_from([(IMAGE, probe) for probe in DETAILS.values()]),
    needs=REPLY,
    requires="vision",
    examples=len(DETAILS),
    spec=SPEC.at(f"{PART}.image_url.detail", "Specifies the detail level of the image."),
)
def detail_is_accepted(plain: Exchange, x: Exchange) -> Findings:
    """An image may say how closely to look: `low`, `high` or `auto`; what that costs in tokens is noted."""
    yield from beside(plain, x, "an image with a level of detail is not answered")
    detail = x.probe.wish["messages"][0]["content"][1]["image_url"]["detail"]
    yield Observed(x.usage["prompt_tokens"].value if x.usage else None, f"prompt tokens, {detail}")


@check(
    "multimodal.several-images-are-counted",
    SHOULD,
    sends=several,
    needs=REPLY,
    examples=2,
    requires="vision",
    spec=SPEC.at("ChatCompletionRequestUserMessage.content", "An array of content parts with a defined type."),
    remedy="Raise the server's limit (vLLM: --limit-mm-per-prompt).",
)
def several_images_are_counted(none: Exchange, one: Exchange, together: Exchange) -> Findings:
    """A message with several images is refused, or costs more than one with one of them."""
    yield from unwell(one)
    least, less, more = (x.usage["prompt_tokens"] for x in (none, one, together))
    if not one.ok or (together.status is not None and 400 <= together.status < 500):
        yield Unsupported(f"the server refuses images, or several of them ({together.status})")
    elif not together.ok:
        found = said(together)
        yield Finding(
            "several-images-neither-answered-nor",
            "several images are neither answered nor refused",
            at="status",
            found=found,
            on=together.key,
        )
    elif not least.type == less.type == more.type == "integer" or less.value <= least.value:
        yield Unwitnessed("the tokens of images are not counted")
    elif more.value < less.value + 2:
        yield Finding(
            "further-images-lost",
            "the further images are lost",
            at=more.pointer,
            expected=f"over {less.value}",
            found=more,
            on=together.key,
        )


@check(
    "multimodal.many-images-do-no-harm",
    SHOULD,
    sends=many,
    needs=REPLY,
    examples=1,
    spec=OPENAI_PYTHON.at("retries", "an answer of 500 or above is sent again twice, a 400 is raised at once"),
)
def many_images_do_no_harm(plain: Exchange, x: Exchange) -> Findings:
    """A message with dozens of images is answered with choices or refused with 4xx."""
    yield from unwell(plain)
    yield from about(x, answered_or_refused(x))


@check(
    "multimodal.private-address-is-refused",
    SHOULD,
    sends=st.sampled_from([(IMAGE, probe, COLOUR) for probe in NEARBY.values()]),
    needs=REPLY,
    examples=len(NEARBY),
    spec=SPEC.at(f"{PART}.image_url.url", "Either a URL of the image or the base64 encoded image data."),
    remedy="Restrict what the server fetches (vLLM: --allowed-media-domains).",
)
def private_address_is_refused(plain: Exchange, near: Exchange, text: Exchange) -> Findings:
    """An image URL on the server's own machine is refused with 4xx."""
    yield from unwell(plain)
    yield from about(
        near, taken(near, text, plain, "an address on the server's own machine is not refused as an image")
    )


@check(
    "multimodal.file-is-not-ignored",
    SHOULD,
    sends=(FILE, COLOUR, WHOLE),
    needs=REPLY,
    spec=SPEC.at(
        "ChatCompletionRequestMessageContentPartFile.file.file_data",
        "The base64 encoded file data, used when passing the file to the model as a string.",
    ),
)
def file_is_not_ignored(file: Exchange, text: Exchange, longer: Exchange) -> Findings:
    """A file is refused with 4xx, or counted in the prompt."""
    more, less = file.usage["prompt_tokens"], text.usage["prompt_tokens"]
    if file.status is not None and 400 <= file.status < 500:
        yield Unsupported(f"the server refuses files ({file.status})")
    elif not file.ok:
        yield Finding(
            "file-neither-answered-nor-refused",
            "a file is neither answered nor refused",
            at="status",
            expected="200 or 400",
            found=said(file),
        )
    elif more.type != "integer" or less.type != "integer" or less.value == longer.usage["prompt_tokens"].value:
        yield Unwitnessed("tokens are not counted")
    elif more.value <= less.value:
        yield Finding(
            "file-accepted-ignored",
            "a file is accepted, and ignored",
            at=more.pointer,
            expected=f"over {less.value}",
            found=more,
        )
