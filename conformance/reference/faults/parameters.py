"""Planted faults: optional parameters that are taken and make no difference, the silent way to be wrong."""

from __future__ import annotations

from typing import Any

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import Fault, fault
from conformance.reference.faults.sampling import ignoring
from conformance.reference.rows import crashed, refused, whole

STORY = " ".join(f"The sea has {number} names, and nobody knows all of them." for number in range(12))
"""More than a hundred words, for a model that is otherwise brief."""

# Sampling

ignores_temperature = ignoring("temperature-ignored", "`temperature` is accepted and ignored.", "temperature")
ignores_top_p = ignoring("top_p-ignored", "`top_p` is accepted and ignored.", "top_p")


def _fixing(identity: str, title: str, name: str, value: Any) -> Fault:
    """A server that has a value of its own for a parameter, whenever it is sent."""

    def sin(request: Request, respond: Respond) -> Answer:
        answer = respond(request)
        given = request.wish.get(name) is not None and answer.status == 200
        return respond(request.asking(**{name: value})) if given else answer

    sin.__doc__ = title
    return fault(identity, instead=True)(sin)


is_always_cold = _fixing("temperature-always-0", "Any temperature is taken for 0.", "temperature", 0)
has_one_seed = _fixing("seed-always-the-same", "Any seed is taken for the same one.", "seed", 7)
lists_no_alternatives = _fixing("top_logprobs-ignored", "`top_logprobs` is taken for 0.", "top_logprobs", 0)
ignores_frequency = ignoring(
    "frequency_penalty-ignored", "`frequency_penalty` is accepted and ignored.", "frequency_penalty"
)


def _wordy(answer: Answer, request: Request) -> None:
    """The model talks at length about the sea."""
    messages = request.wish.get("messages")
    if whole(answer) and "three paragraphs" in str(messages):
        answer.messages[0]["content"] = STORY


@fault("presence_penalty-ignored", instead=True)
def ignores_presence(request: Request, respond: Respond) -> Answer:
    """A model of many words, whose server ignores `presence_penalty`."""
    answer = respond(request.asking(presence_penalty=...) if respond(request).status == 200 else request)
    _wordy(answer, request)
    return answer


@fault("presence-felt-in-long-texts-only", instead=True, legal=True)
def feels_presence_late(request: Request, respond: Respond) -> Answer:
    """A model of many words that repeats what it is told to, whatever the penalty, and tells other stories with it."""
    answer = respond(request)
    if answer.status != 200 or request.wish.get("presence_penalty") is None:
        _wordy(answer, request)
        return answer
    answer = respond(request.asking(presence_penalty=...))
    _wordy(answer, request)
    if whole(answer) and answer.messages[0]["content"] == STORY:
        answer.messages[0]["content"] = STORY.replace("nobody", "no one")
    return answer


# Functions, before there were tools


ignores_functions = ignoring("functions-ignored", "`functions` are accepted and ignored.", "functions", "function_call")


@fault("function_call-ignored", instead=True)
def calls_functions_as_it_likes(request: Request, respond: Respond) -> Answer:
    """`function_call` is ignored: the model is free to call, or not."""
    ignored = "function_call" in request.wish and respond(request).status == 200
    return respond(request.asking(function_call=...) if ignored else request)


@fault("function_call-comes-as-tool_calls")
def answers_in_the_newer_form(answer: Answer, request: Request) -> None:
    """A call of one of the `functions` comes in `tool_calls`, where older clients do not look."""
    for message in answer.messages if answer.is_chat else ():
        if call := message.pop("function_call", None):
            message["tool_calls"] = [{"index": 0, "id": "call_0", "type": "function", "function": call}]


# What only some servers do


def _dropping(identity: str, title: str, name: str) -> Fault:
    """A server that takes no notice of a parameter, not even of values which the reference refuses."""

    def sin(request: Request, respond: Respond) -> Answer:
        return respond(request.asking(**{name: ...}) if name in request.wish else request)

    sin.__doc__ = title
    return fault(identity, instead=True)(sin)


drops_moderation = _dropping("moderation-ignored", "`moderation` is accepted, and nothing is moderated.", "moderation")
drops_searches = _dropping(
    "web_search_options-ignored", "A web search is asked for, and the answer is made up.", "web_search_options"
)


@fault("service_tier-unsaid", legal=True)
def hides_its_tier(answer: Answer, request: Request) -> None:
    """The answer does not say which tier served it."""
    if body := whole(answer):
        del body["service_tier"]


def _blind(name: str) -> Fault:
    """A server that never looks at a parameter."""
    return _dropping(f"{name}-unread", f"`{name}` is never looked at: any value is accepted.", name)


effort_unread = _blind("reasoning_effort")
verbosity_unread = _blind("verbosity")
retention_unread = _blind("prompt_cache_retention")


@fault("modalities-unread", instead=True)
def speaks_in_no_way(request: Request, respond: Respond) -> Answer:
    """`modalities` are never looked at: any list of them is accepted, and text comes."""
    return respond(request.asking(modalities=..., audio=...) if "modalities" in request.wish else request)


@fault("service_tier-unread", instead=True)
def knows_no_tiers(request: Request, respond: Respond) -> Answer:
    """Any service tier is accepted, and none is named in the answer."""
    answer = respond(request.asking(service_tier=...) if "service_tier" in request.wish else request)
    hides_its_tier.plant(request, lambda _: answer)
    return answer


@fault("hints-refused", instead=True, legal=True)
def wants_no_hints(request: Request, respond: Respond) -> Answer:
    """Whatever is only a hint, or OpenAI's own product, is refused by its name."""
    for name in HINTS:
        if request.wish.get(name) is not None:
            return refused(f"Unrecognized request argument supplied: {name}", name)
    return respond(request)


HINTS = (
    "audio",
    "functions",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
    "verbosity",
    "web_search_options",
)


@fault("effort-nonsense-500", instead=True)
def falls_over_unknown_efforts(request: Request, respond: Respond) -> Answer:
    """An effort that does not exist is a server error."""
    answer = respond(request)
    return crashed() if "reasoning_effort" in request.wish and answer.status == 400 else answer


@fault("tier-served-by-another", legal=True)
def serves_by_another_tier(answer: Answer, request: Request) -> None:
    """The answer names another tier than the one asked for, as it may."""
    if body := whole(answer):
        body["service_tier"] = "scale"


@fault("speaks-when-asked", instead=True, legal=True)
def speaks(request: Request, respond: Respond) -> Answer:
    """Where sound is asked for, sound comes, and the text is its transcript."""
    if "audio" not in request.wish:
        return respond(request)
    answer = respond(request.asking(audio=..., modalities=...))
    if whole(answer):
        message = answer.messages[0]
        sound = {"id": "audio_1", "expires_at": 1_900_000_000, "data": "UklGRg==", "transcript": message["content"]}
        message.update(content=None, audio=sound)
    return answer


@fault("searches-and-moderates", instead=True, legal=True)
def searches(request: Request, respond: Respond) -> Answer:
    """Where a search or moderation is asked for, its sources or results come."""
    wish = request.wish
    options = wish.get("web_search_options")
    if isinstance(options, dict) and options.get("search_context_size") not in (None, "low", "medium", "high"):
        return refused("Invalid value: search_context_size", "web_search_options.search_context_size")
    answer = respond(request.asking(web_search_options=..., moderation=...))
    if body := whole(answer):
        if isinstance(options, dict):
            place = {"start_index": 0, "end_index": 4, "url": "https://example.com/", "title": "Example"}
            answer.messages[0]["annotations"] = [{"type": "url_citation", "url_citation": place}]
        if isinstance(wish.get("moderation"), dict):
            body["moderation"] = {"input": {"type": "results"}, "output": {"type": "results"}}
    return answer


@fault("audio-without-transcript", instead=True)
def mumbles(request: Request, respond: Respond) -> Answer:
    """Sound comes without a transcript, and expires at a time of day."""
    answer = speaks.plant(request, respond)
    for message in answer.messages if whole(answer) else ():
        if isinstance(sound := message.get("audio"), dict):
            del sound["transcript"]
            sound["expires_at"] = "12:00"
    return answer


@fault("moderation-in-part", instead=True)
def moderates_questions_only(request: Request, respond: Respond) -> Answer:
    """Moderation has a result for the question, and none for the answer."""
    answer = searches.plant(request, respond)
    if (body := whole(answer)) and "moderation" in body:
        del body["moderation"]["output"]
    return answer


@fault("sources-as-text", instead=True)
def names_its_sources(request: Request, respond: Respond) -> Answer:
    """The sources of a search are a list of URLs, not of citations."""
    answer = searches.plant(request, respond)
    for message in answer.messages if whole(answer) else ():
        message["annotations"] = [{"url": "https://example.com/"} for _ in message.get("annotations") or ()]
    return answer
