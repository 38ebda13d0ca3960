"""Planted faults: optional parameters that are taken and make no difference, the silent way to be wrong."""

from __future__ import annotations

from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.rows import WHOLE, ask, crash, drop, given, has, instead, put, refused, whole, without

STORY = " ".join(f"The sea has {number} names, and nobody knows all of them." for number in range(12))
"""More than a hundred words, for a model that is otherwise brief."""

IGNORED = (
    *(
        ask(f"{name}-ignored", without(name), after=200, says=f"`{name}` is accepted and ignored.")
        for name in ("temperature", "top_p", "frequency_penalty")
    ),
    ask("functions-ignored", without("functions", "function_call"), after=200,
        says="`functions` are accepted and ignored."),
    ask("function_call-ignored", without("function_call"), after=200,
        says="`function_call` is ignored: the model is free to call, or not."),
    ask("temperature-always-0", instead(temperature=0), when=given("temperature"), after=200,
        says="Any temperature is taken for 0."),
    ask("seed-always-the-same", instead(seed=7), when=given("seed"), after=200,
        says="Any seed is taken for the same one."),
    ask("top_logprobs-ignored", instead(top_logprobs=0), when=given("top_logprobs"), after=200,
        says="`top_logprobs` is taken for 0."),
)  # fmt: skip
UNREAD = (
    *(
        ask(f"{name}-unread", without(name), says=f"`{name}` is never looked at: any value is accepted.")
        for name in ("reasoning_effort", "verbosity", "prompt_cache_retention")
    ),
    ask("moderation-ignored", without("moderation"), says="`moderation` is accepted, and nothing is moderated."),
    ask("web_search_options-ignored", without("web_search_options"),
        says="A web search is asked for, and the answer is made up."),
    ask("modalities-unread", without("modalities", "audio"), when=has("modalities"),
        says="`modalities` are never looked at: any list of them is accepted, and there is text."),
)  # fmt: skip
TIERS = (
    drop("service_tier-unsaid", WHOLE, "service_tier",
        says="The answer does not say which tier served it.", legal=True),
    put("tier-served-by-another", WHOLE, service_tier="scale",
        says="The answer names another tier than the one asked for, as it may.", legal=True),
    crash("effort-nonsense-500", when=has("reasoning_effort"), after=400,
        says="An effort that does not exist is a server error."),
)  # fmt: skip


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


@fault("function_call-comes-as-tool_calls")
def answers_in_the_newer_form(answer: Answer, request: Request) -> None:
    """A call of one of the `functions` comes in `tool_calls`, where older clients do not look."""
    for message in answer.messages if answer.is_chat else ():
        if call := message.pop("function_call", None):
            message["tool_calls"] = [{"index": 0, "id": "call_0", "type": "function", "function": call}]


@fault("service_tier-unread", instead=True)
def knows_no_tiers(request: Request, respond: Respond) -> Answer:
    """Any service tier is accepted, and none is named in the answer."""
    answer = respond(request.asking(service_tier=...) if "service_tier" in request.wish else request)
    whole(answer).pop("service_tier", None)
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
