"""Planted faults: refusals in the wrong place and of the wrong kind, and answers that a filter stopped."""

from __future__ import annotations

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.faults.sampling import crash, refuse
from conformance.reference.faults.shape import bodies, plain_messages, whole
from conformance.reference.policy import policy

FILTERED = "content_filter"


def ruled(request: Request) -> str:
    """What the server's policy says of the last message of a request."""
    messages = request.wish.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    return policy(content) if isinstance(content, str) else ""


@fault("refusal-is-true")
def says_that_it_refuses(answer: Answer, request: Request) -> None:
    """A refusal is the word true."""
    for message in answer.messages if answer.is_chat else []:
        if message.get("refusal"):
            message["refusal"] = True


@fault("refusal-of-every-answer")
def refuses_and_answers(answer: Answer, request: Request) -> None:
    """Every plain answer has the text None for a refusal."""
    for message in plain_messages(answer, request):
        message["refusal"] = message["refusal"] or "None"


@fault("refusal-finish-refusal")
def ends_with_refusal(answer: Answer, request: Request) -> None:
    """A refusal has the finish reason `refusal`."""
    if ruled(request) == "declines":
        for choice in answer.choices:
            choice["finish_reason"] = choice["finish_reason"] and "refusal"


@fault("refusal-streamed-as-content")
def streams_refusals_as_content(answer: Answer, request: Request) -> None:
    """A refusal has its own member in a whole answer, and comes as content in a stream."""
    if answer.events is not None and ruled(request) == "declines":
        for message in answer.messages:
            if message.get("refusal"):
                message["content"] = message.pop("refusal")


@fault("refusal-lost-in-stream")
def loses_refusals(answer: Answer, request: Request) -> None:
    """The deltas of a refusal are empty: a gateway passes on the content only."""
    if answer.events is not None and ruled(request) == "declines":
        for message in answer.messages:
            message.pop("refusal", None)


@fault("refusal-whole-as-content")
def refuses_in_the_content(answer: Answer, request: Request) -> None:
    """A refusal has its own member in a stream, and is content in a whole answer."""
    if whole(answer) and ruled(request) == "declines":
        for message in answer.messages:
            message["content"], message["refusal"] = message["refusal"], None


@fault("filtered-without-message")
def has_no_message_when_filtered(answer: Answer, request: Request) -> None:
    """A choice that the filter stopped has null for a message."""
    for choice in whole(answer).get("choices", ()):
        if choice["finish_reason"] == FILTERED:
            choice["message"] = None


@fault("filtered-content-is-object")
def explains_in_the_content(answer: Answer, request: Request) -> None:
    """The content of an answer that the filter stopped is an object with the reasons."""
    for choice in whole(answer).get("choices", ()):
        if choice["finish_reason"] == FILTERED:
            choice["message"]["content"] = {"filtered": True, "category": "violence"}


@fault("filtered-stream-goes-on")
def goes_on_when_filtered(answer: Answer, request: Request) -> None:
    """A stream that the filter stopped ends a second time, with `stop`."""
    last = answer.chunks[-1] if answer.is_chat and answer.events is not None else None
    if last and answer.events and any(choice["finish_reason"] == FILTERED for choice in last["choices"]):
        again = {**last, "choices": [{**last["choices"][0], "finish_reason": "stop"}]}
        answer.events.insert(len(answer.events) - 1, Event(again))


@fault("filtered-stream-says-stop")
def hides_the_filter(answer: Answer, request: Request) -> None:
    """A stream that the filter stopped says that it came to its end."""
    for chunk in answer.chunks:
        for choice in chunk.get("choices", ()):
            if choice.get("finish_reason") == FILTERED:
                choice["finish_reason"] = "stop"


@fault("filter-blocks-500", instead=True)
def fails_at_the_filter(request: Request, respond: Respond) -> Answer:
    """A question that the filter stops is a server error."""
    return crash("ContentFilterError") if ruled(request) == "filters" else respond(request)


@fault("filter-blocks-bare", instead=True)
def blocks_without_an_error(request: Request, respond: Respond) -> Answer:
    """A question that the filter stops is a 403 with a text."""
    if ruled(request) == "filters":
        return Answer(403, {"content-type": "application/json"}, {"message": "Blocked by policy"})
    return respond(request)


@fault("filter-blocks-empty", instead=True)
def blocks_with_nothing(request: Request, respond: Respond) -> Answer:
    """A question that the filter stops gets an answer without choices."""
    answer = respond(request)
    if ruled(request) == "filters" and whole(answer):
        answer.body["choices"] = []
    return answer


# What is legal


@fault("filter-blocks-400", instead=True, legal=True)
def blocks_prompts(request: Request, respond: Respond) -> Answer:
    """A delicate question is refused as a whole: 400 with the code `content_filter`, as Azure does."""
    if ruled(request):
        answer = refuse("The response was filtered due to the prompt triggering the content policy.", "prompt")
        answer.body["error"] |= {"type": None, "code": FILTERED, "innererror": {"code": "ResponsibleAIPolicyViolation"}}
        return answer
    return respond(request)


@fault("filter-tells-what-it-thinks", legal=True)
def tells_what_it_thinks(answer: Answer, request: Request) -> None:
    """Answers tell what a filter thinks of them, and of the prompt; streams do so in their pieces."""
    for body in bodies(answer):
        for choice in body["choices"]:
            choice["content_filter_results"] = {"violence": {"filtered": False, "severity": "safe"}}
    about = [{"prompt_index": 0, "content_filter_results": {"violence": {"filtered": False, "severity": "safe"}}}]
    for body in list(bodies(answer))[:1]:
        body["prompt_filter_results"] = about


@fault("refusals-never", instead=True, legal=True)
def declines_in_its_own_words(request: Request, respond: Respond) -> Answer:
    """A model that declines says so in the content, as it says everything."""
    answer = respond(request)
    if ruled(request) == "declines":
        for message in answer.messages if answer.is_chat else []:
            if message.get("refusal"):
                message["content"], message["refusal"] = message["refusal"], None
    return answer


@fault("filtered-content-null", legal=True)
def omits_filtered_content(answer: Answer, request: Request) -> None:
    """The content of an answer that the filter stopped is null."""
    for choice in whole(answer).get("choices", ()):
        if choice["finish_reason"] == FILTERED:
            choice["message"]["content"] = None
