"""Optional parameters for what only some servers do: audio, moderation, web searches, service tiers.

A server that does not do it refuses the parameter by name: an answer as if nothing had been requested misleads.
"""

from __future__ import annotations

from conformance.checks.parameters import REQUEST, accepted_or_refused
from conformance.core.check import REPLY, Area
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.requirement import SPEC
from conformance.probes.parameters import CHOICES, MODERATED, of_choice, searched, spoken

area = Area("parameters", needs=REPLY)


@area.should(
    "audio-is-honoured-or-refused",
    sends=spoken,
    examples=1,
    spec=SPEC.at(
        "ChatCompletionResponseMessage.audio",
        "If the audio output modality is requested, this object contains data about the audio response from the model.",
    ),
)
def audio(x: Exchange) -> Findings:
    """`modalities` and `audio` are honoured or refused: where audio is requested, audio comes."""
    yield from accepted_or_refused(x, "modalities", "audio")
    sent = x.json["choices"][0]["message"]["audio"]
    if not sent["data"]:
        yield Finding(
            "no-audio", "Audio was requested, but there is none", at=sent.pointer, expected="object", found=sent
        )
        return
    for name, kind in (("id", "string"), ("expires_at", "integer"), ("data", "string"), ("transcript", "string")):
        if sent[name].type != kind:
            yield Finding(
                "wrong-type",
                "A member of the audio has the wrong type",
                at=sent[name].pointer,
                expected=kind,
                found=sent[name],
            )


@area.should(
    "moderation-is-honoured-or-refused",
    sends=MODERATED,
    spec=SPEC.at(
        "CreateChatCompletionResponse.moderation",
        "Moderation results for the request input and generated output, if moderated completions were requested.",
    ),
    remedy="Do not rely on it: moderate in a request of its own.",
)
def moderation(x: Exchange) -> Findings:
    """`moderation` is honoured or refused: where it is requested, its result comes."""
    yield from accepted_or_refused(x, "moderation")
    result = x.json["moderation"]
    for part in (result["input"], result["output"]):
        if part.type != "object":
            yield Finding(
                "no-result",
                "Moderation was requested, but has no result",
                at=part.pointer,
                expected="object",
                found=part,
            )


@area.should(
    "web-search-options-is-honoured-or-refused",
    sends=searched,
    examples=1,
    spec=SPEC.at(
        f"{REQUEST}.web_search_options", "This tool searches the web for relevant results to use in a response."
    ),
    remedy="Search with a tool of your own.",
)
def web_search_options(x: Exchange, oddly: Exchange) -> Findings:
    """`web_search_options` are honoured or refused: sources come, or an unknown option is at least refused."""
    yield from accepted_or_refused(x, "web_search_options")
    sources = x.json["choices"][0]["message"]["annotations"]
    if not sources and oddly.ok:
        yield Finding("no-source", "A search was requested, but there is no source", at=sources.pointer, found=sources)
    for source in sources:
        if source["type"].value != "url_citation" or source["url_citation"]["url"].type != "string":
            yield Finding(
                "not-a-citation",
                "A source is not a citation of a URL",
                at=source.pointer,
                expected="url_citation",
                found=source,
            )
    yield Observed(len(sources), "sources")


@area.may(
    "service-tier-is-honoured-or-refused",
    sends=of_choice("service_tier"),
    examples=len(CHOICES["service_tier"]),
    spec=SPEC.at(
        "ServiceTier",
        "When the `service_tier` parameter is set, the response body will include the `service_tier` value based on "
        "the processing mode actually used to serve the request.",
    ),
)
def service_tier(x: Exchange, oddly: Exchange) -> Findings:
    """`service_tier` is honoured or refused: the answer names a tier, or an unknown tier is refused."""
    yield from accepted_or_refused(x, "service_tier")
    tier = x.json["service_tier"]
    yield Observed(tier.value if tier.type == "string" else None, "tier")
    if tier.type != "string" and oddly.ok:
        yield Finding("accepted", "An unknown tier is accepted", expected="4xx", found=oddly.status, on=oddly.key)
