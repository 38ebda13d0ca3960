"""Planted faults: refusals in the wrong place and of the wrong kind, and answers that a filter stopped."""

from __future__ import annotations

from conformance.reference.answer import Answer, Event, Request, Respond
from conformance.reference.fault import fault
from conformance.reference.policy import policy
from conformance.reference.rows import (
    CHOICES,
    CHOSEN,
    DELTAS,
    MESSAGES,
    SPOKEN,
    STREAMED,
    WHOLE,
    Part,
    When,
    alter,
    as_plain,
    bodies,
    change,
    crash,
    drop,
    put,
    refused,
    reply,
    said,
)

FILTER = "content_filter"


def ruled(request: Request) -> str:
    """What the server's policy says of the last message of a request."""
    return policy(said(request))


DECLINED = When(lambda request: ruled(request) == "declines")
STOPPED = When(lambda request: ruled(request) == "filters")
FILTERED = CHOSEN.where(lambda choice: choice["finish_reason"] == FILTER)


def refuse_in_content(message: Part) -> None:
    """Say in the content what is said in `refusal`."""
    message["content"], message["refusal"] = message["refusal"], None


REFUSALS = (
    put("refusal-is-true", MESSAGES.having("refusal"), refusal=True,
        says="The `refusal` of an answer that refuses is `true`."),
    change("refusal-of-every-answer", as_plain(MESSAGES), "refusal", lambda refusal: refusal or "None",
        says='Every plain answer has the text "None" for a refusal.'),
    change("refusal-finish-refusal", CHOICES, "finish_reason", lambda reason: reason and "refusal", when=DECLINED,
        says="A refusal has the finish reason `refusal`."),
    alter("refusal-streamed-as-content", DELTAS.having("refusal"),
        lambda delta: delta.update(content=delta.pop("refusal")), when=DECLINED,
        says="A refusal is in `refusal` in a whole answer, and in `content` in a stream."),
    drop("refusal-lost-in-stream", DELTAS, "refusal", when=DECLINED,
        says="The deltas of a refusal are empty: a gateway passes on the content only."),
    alter("refusal-whole-as-content", SPOKEN, refuse_in_content, when=DECLINED,
        says="A refusal is in `refusal` in a stream, and in `content` in a whole answer."),
)  # fmt: skip


FILTERS = (
    put("filtered-without-message", FILTERED, message=None,
        says="A choice that the filter stopped has null for a message."),
    put("filtered-content-is-object", FILTERED.under("message"), content={"filtered": True, "category": "violence"},
        says="The content of an answer that the filter stopped is an object with the reasons."),
    change("filtered-stream-says-stop", STREAMED, "finish_reason", {FILTER: "stop"},
        says="A stream that the filter stopped has the finish reason `stop`."),
    crash("filter-blocks-500", when=STOPPED, message="ContentFilterError",
        says="A question that the filter stops is a server error."),
    reply("filter-blocks-bare",
        lambda: Answer(403, {"content-type": "application/json"}, {"message": "Blocked by policy"}), when=STOPPED,
        says="A question that the filter stops is answered with 403 and a text."),
    put("filter-blocks-empty", WHOLE, choices=[], when=STOPPED,
        says="A question that the filter stops gets an answer without choices."),
)  # fmt: skip


@fault("filtered-stream-goes-on")
def goes_on_when_filtered(answer: Answer, request: Request) -> None:
    """A stream that the filter stopped ends a second time, with `stop`."""
    last = answer.chunks[-1] if answer.is_chat and answer.events is not None else None
    if last and answer.events and any(choice["finish_reason"] == FILTER for choice in last["choices"]):
        again = {**last, "choices": [{**last["choices"][0], "finish_reason": "stop"}]}
        answer.events.insert(len(answer.events) - 1, Event(again))


# What is legal


@fault("filter-blocks-400", instead=True, legal=True)
def blocks_prompts(request: Request, respond: Respond) -> Answer:
    """A delicate question is refused as a whole: 400 with the code `content_filter`, as Azure does."""
    if ruled(request):
        answer = refused("The response was filtered due to the prompt triggering the content policy.", "prompt")
        answer.body["error"] |= {"type": None, "code": FILTER, "innererror": {"code": "ResponsibleAIPolicyViolation"}}
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


WITHOUT_REFUSAL = (
    alter("refusals-never", MESSAGES.having("refusal"), refuse_in_content, when=DECLINED,
        says="A model that declines says so in the content, as it says everything.", legal=True),
    put("filtered-content-null", FILTERED.under("message"), content=None,
        says="The content of an answer that the filter stopped is null.", legal=True),
)  # fmt: skip
