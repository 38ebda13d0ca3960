"""Optional parameters for what only some servers do: sound, moderation, web searches, tiers of service.

A server that does not do it refuses the parameter by its name: an answer as if nothing had been asked misleads.
"""

from __future__ import annotations

from conformance.checks.parameters import REQUEST, only
from conformance.core.check import REPLY, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.requirement import MAY, SHOULD, SPEC
from conformance.probes.parameters import CHOICES, MODERATED, of_choice, searched, spoken


@check(
    "parameters.audio-is-honoured-or-refused",
    SHOULD,
    sends=spoken,
    needs=REPLY,
    examples=1,
    spec=SPEC.at(
        "ChatCompletionResponseMessage.audio",
        "If the audio output modality is requested, this object contains data about the audio response from the model.",
    ),
)
def audio(x: Exchange) -> Findings:
    """`modalities` and `audio` are honoured, or refused: where sound is asked for, sound comes."""
    yield from only(x, "modalities", "audio")
    sound = x.json["choices"][0]["message"]["audio"]
    if not sound["data"]:
        yield Finding(
            "sound-asked-none",
            "sound was asked for, and there is none",
            at=sound.pointer,
            expected="object",
            found=sound,
        )
        return
    for name, kind in (("id", "string"), ("expires_at", "integer"), ("data", "string"), ("transcript", "string")):
        if sound[name].type != kind:
            yield Finding(
                "part-sound-not-type",
                "a part of the sound has not its type",
                at=sound[name].pointer,
                expected=kind,
                found=sound[name],
            )


@check(
    "parameters.moderation-is-honoured-or-refused",
    SHOULD,
    sends=MODERATED,
    needs=REPLY,
    spec=SPEC.at(
        "CreateChatCompletionResponse.moderation",
        "Moderation results for the request input and generated output, if moderated completions were requested.",
    ),
    remedy="Do not rely on it: moderate in a request of its own.",
)
def moderation(x: Exchange) -> Findings:
    """`moderation` is honoured, or refused: where it is asked for, its result comes."""
    yield from only(x, "moderation")
    result = x.json["moderation"]
    for part in (result["input"], result["output"]):
        if part.type != "object":
            yield Finding(
                "moderation-asked-no-result",
                "moderation was asked for, and has no result",
                at=part.pointer,
                expected="object",
                found=part,
            )


@check(
    "parameters.web-search-options-is-honoured-or-refused",
    SHOULD,
    sends=searched,
    needs=REPLY,
    examples=1,
    spec=SPEC.at(
        f"{REQUEST}.web_search_options", "This tool searches the web for relevant results to use in a response."
    ),
    remedy="Search with a tool of your own.",
)
def web_search_options(x: Exchange, oddly: Exchange) -> Findings:
    """`web_search_options` are honoured, or refused: sources come, or at least unknown options are refused."""
    yield from only(x, "web_search_options")
    sources = x.json["choices"][0]["message"]["annotations"]
    if not sources and oddly.ok:
        yield Finding(
            "search-asked-no-source",
            "a search was asked for, and there is no source",
            at=sources.pointer,
            found=sources,
        )
    for source in sources:
        if source["type"].value != "url_citation" or source["url_citation"]["url"].type != "string":
            yield Finding(
                "source-no-citation-url",
                "a source is no citation of a URL",
                at=source.pointer,
                expected="url_citation",
                found=source,
            )
    yield Observed(len(sources), "sources")


@check(
    "parameters.service-tier-is-honoured-or-refused",
    MAY,
    sends=of_choice("service_tier"),
    needs=REPLY,
    examples=len(CHOICES["service_tier"]),
    spec=SPEC.at(
        "ServiceTier",
        "When the `service_tier` parameter is set, the response body will include the `service_tier` value based on "
        "the processing mode actually used to serve the request.",
    ),
)
def service_tier(x: Exchange, oddly: Exchange) -> Findings:
    """`service_tier` is honoured, or refused: the answer names one, or a tier that does not exist is refused."""
    yield from only(x, "service_tier")
    tier = x.json["service_tier"]
    yield Observed(tier.value if tier.type == "string" else None, "tier")
    if tier.type != "string" and oddly.ok:
        yield Finding(
            "tier-does-not-exist-accepted",
            "a tier that does not exist is accepted",
            expected="4xx",
            found=oddly.status,
            on=oddly.key,
        )
