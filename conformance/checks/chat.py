"""The shape of a whole answer to a plain chat request: the members that the contract has, and their types."""

from __future__ import annotations

from conformance.core.check import OK, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import JSON, MAY, MUST, NOTE, SHOULD, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import COUNT, GREEDY, HELLO

RESPONSE = "CreateChatCompletionResponse"
MESSAGE = "ChatCompletionResponseMessage"

FINISHES = ("stop", "length", "tool_calls", "content_filter", "function_call")

OLDEST, LATEST = 1_577_836_800, 10_000_000_000
"""Seconds since 1970 of the year 2020 and of the year 2286. Milliseconds are beyond, and so is 0."""


@check(
    "chat.requests-are-accepted",
    MUST,
    sends=each(HELLO, GREEDY, COUNT),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A plain chat request is answered 2xx."""
    if x.ok:
        return
    if feature := named(x):
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    elif x.status is not None and 300 <= x.status < 400:
        found = {"status": x.status, "location": x.header("location")}
        yield Finding(
            "plain-request-redirected", "a plain request is redirected", at="status", expected="200", found=found
        )
    else:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding(
            "plain-request-not-answered-2xx",
            "a plain request is not answered 2xx",
            at="status",
            expected="200",
            found=found,
        )


@check(
    "chat.answer-has-choices",
    MUST,
    sends=HELLO,
    needs=OK,
    spec=SPEC.at(RESPONSE, "required: [choices, created, id, model, object]; choices: array"),
)
def answer_has_choices(x: Exchange) -> Findings:
    """A 2xx answer is a JSON object with `choices`, and each choice has a message."""
    choices = x.json["choices"]
    if x.streamed:
        yield Unwitnessed("the answer is a stream")  # http.content-type-is-json says so
    elif x.not_json:
        yield Finding("body-not-json", "the body is not JSON", expected="an object", found=x.text[:200])
    elif x.json.type != "object":
        yield Finding("body-not-object", "the body is not an object", expected="object", found=x.json.type)
    elif choices.type != "array":
        found = list(x.json.value) if choices.absent else choices
        yield Finding("choices-not-array", "`choices` is not an array", at="/choices", expected="array", found=found)
    elif not choices:
        yield Finding(
            "choices-empty", "`choices` is empty", at="/choices", expected="at least one choice", found=choices
        )
    for choice in choices:
        if choice["message"].type != "object":
            yield Finding(
                "choice-no-message",
                "a choice has no message",
                at=choice["message"].pointer,
                expected="object",
                found=choice["message"].type,
            )


@check(
    "chat.object-is-chat-completion",
    MUST,
    sends=HELLO,
    spec=SPEC.at(f"{RESPONSE}.object", "The object type, which is always `chat.completion`."),
)
def object_is_chat_completion(x: Exchange) -> Findings:
    """The `object` of an answer is `chat.completion`."""
    if x.json["object"].value != "chat.completion":
        yield Finding(
            "object-another", "`object` is another", at="/object", expected="chat.completion", found=x.json["object"]
        )


@check(
    "chat.id-is-a-string",
    MUST,
    sends=HELLO,
    spec=SPEC.at(f"{RESPONSE}.id", "A unique identifier for the chat completion."),
)
def id_is_a_string(x: Exchange) -> Findings:
    """The `id` of an answer is a string that is not empty."""
    if x.json["id"].type != "string" or not x.json["id"].value.strip():
        yield Finding(
            "id-identifies-nothing", "`id` identifies nothing", at="/id", expected="a string", found=x.json["id"]
        )


@check(
    "chat.ids-differ",
    MUST,
    sends=(HELLO, GREEDY, COUNT),
    spec=SPEC.at(f"{RESPONSE}.id", "A unique identifier for the chat completion."),
)
def ids_differ(*answers: Exchange) -> Findings:
    """Answers to different requests have different ids."""
    seen: set[str] = set()
    for x in answers:
        identity = x.json["id"].value
        if not isinstance(identity, str) or not identity:
            continue  # chat.id-is-a-string says so
        if identity in seen:
            yield Finding("two-answers-same-id", "two answers have the same `id`", at="/id", found=identity, on=x.key)
        seen.add(identity)


@check(
    "chat.created-is-unix-seconds",
    MUST,
    sends=HELLO,
    spec=SPEC.at(f"{RESPONSE}.created", "The Unix timestamp (in seconds) of when the chat completion was created."),
)
def created_is_unix_seconds(x: Exchange) -> Findings:
    """The `created` of an answer is a whole number of seconds since 1970."""
    created = x.json["created"]
    if created.type != "integer":
        yield Finding(
            "created-not-integer", "`created` is not an integer", at="/created", expected="integer", found=created
        )
    elif not OLDEST <= created.value < LATEST:
        yield Finding(
            "created-no-time-seconds",
            "`created` is no time in seconds",
            at="/created",
            expected="about 1.8e9",
            found=created,
        )


@check(
    "chat.one-choice-at-index-0",
    MUST,
    sends=HELLO,
    spec=SPEC.at(
        f"{RESPONSE}.choices", "A list of chat completion choices. Can be more than one if `n` is greater than 1."
    ),
)
def one_choice_at_index_0(x: Exchange) -> Findings:
    """An answer to a request without `n` has one choice, with the index 0."""
    choices = x.json["choices"]
    if len(choices) != 1:
        yield Finding(
            "more-than-one-choice", "there is more than one choice", at="/choices", expected=1, found=len(choices)
        )
    elif choices[0]["index"].value != 0 or choices[0]["index"].type != "integer":
        yield Finding(
            "only-choice-not-index-0",
            "the only choice has not the index 0",
            at="/choices/0/index",
            expected=0,
            found=choices[0]["index"],
        )


@check(
    "chat.role-is-assistant",
    MUST,
    sends=HELLO,
    spec=SPEC.at(f"{MESSAGE}.role", "The role of the author of this message."),
)
def role_is_assistant(x: Exchange) -> Findings:
    """The `role` of an answer's message is `assistant`."""
    for choice in x.json["choices"]:
        role = choice["message"]["role"]
        if role.value != "assistant":
            yield Finding(
                "role-not-assistant", "the role is not `assistant`", at=role.pointer, expected="assistant", found=role
            )


@check(
    "chat.content-is-text",
    MUST,
    sends=HELLO,
    spec=SPEC.at(
        f"{MESSAGE}.content", "anyOf: [{type: string, description: The contents of the message.}, {type: null}]"
    ),
)
def content_is_text(x: Exchange) -> Findings:
    """The `content` of an answer's message is a string or null."""
    for choice in x.json["choices"]:
        content = choice["message"]["content"]
        if content.type not in ("string", "null", "absent"):
            yield Finding(
                "content-no-string", "the content is no string", at=content.pointer, expected="string", found=content
            )


@check(
    "chat.answer-is-in-content",
    MUST,
    sends=each(HELLO, COUNT),
    spec=SPEC.at(f"{MESSAGE}.content", "The contents of the message."),
    remedy="where the answer is in the reasoning: fix the server's reasoning parser (vLLM: --reasoning-parser)",
)
def answer_is_in_content(x: Exchange) -> Findings:
    """An answer that came to its natural end has its text in `content`."""
    said, content = x.choice, x.json["choices"][0]["message"]["content"]
    if said.finish_reason != "stop" or said.calls or said.refusal or content.type not in ("string", "null", "absent"):
        return  # cut by a cap, a call, a refusal; or no text, which another check says
    if not said.text.strip():
        found = {"content": content.value if not content.absent else "absent", "reasoning": said.reasoning[:200]}
        yield Finding(
            "answer-ended-content-empty",
            "the answer has ended and its content is empty",
            at=content.pointer,
            expected="text",
            found=found,
        )


@check(
    "chat.finish-reason-is-known",
    MUST,
    sends=HELLO,
    spec=SPEC.at(
        f"{RESPONSE}.choices.finish_reason", "enum: [stop, length, tool_calls, content_filter, function_call]"
    ),
)
def finish_reason_is_known(x: Exchange) -> Findings:
    """The `finish_reason` of an answer is one of those that the contract has."""
    for choice in x.json["choices"]:
        reason = choice["finish_reason"]
        if reason.value not in FINISHES:
            yield Finding(
                "finish-reason-another",
                "the finish reason is another",
                at=reason.pointer,
                expected=list(FINISHES),
                found=reason,
            )


@check(
    "chat.finish-reason-fits-a-text",
    SHOULD,
    sends=each(HELLO, COUNT),
    spec=SPEC.at(f"{RESPONSE}.choices.finish_reason", "`tool_calls` if the model called a tool"),
)
def finish_reason_fits_a_text(x: Exchange) -> Findings:
    """An answer without tool calls does not end with the finish reason of a tool call."""
    reason = x.choice.finish_reason
    if reason in ("tool_calls", "function_call") and not x.choice.calls:
        at = "/choices/0/finish_reason"
        yield Finding(
            "finish-reason-speaks-call-not",
            "the finish reason speaks of a call that there is not",
            at=at,
            expected="stop",
            found=reason,
        )


OPTIONAL: dict[str, dict[str, tuple[str, ...]]] = {
    "": {
        "model": ("string",),
        "usage": ("object", "null"),
        "system_fingerprint": ("string", "null"),
        "service_tier": ("string", "null"),
        "metadata": ("object", "null"),
    },
    "/choices/0": {"logprobs": ("object", "null")},
    "/choices/0/message": {
        "refusal": ("string", "null"),
        "tool_calls": ("array", "null"),
        "annotations": ("array", "null"),
        "function_call": ("object", "null"),
        "audio": ("object", "null"),
    },
}
"""The types of members beyond those with a check of their own, by the place of the object that holds them."""


@check(
    "chat.members-have-their-types",
    SHOULD,
    sends=HELLO,
    spec=SPEC.at(
        RESPONSE, "model: string; usage: CompletionUsage; service_tier: ServiceTier; system_fingerprint: string"
    ),
)
def members_have_their_types(x: Exchange) -> Findings:
    """The other documented members of an answer have the documented types where they are there; `model` is."""
    places = {"": x.json, "/choices/0": x.json["choices"][0], "/choices/0/message": x.json["choices"][0]["message"]}
    for place, members in OPTIONAL.items():
        for name, kinds in members.items():
            value = places[place][name]
            if value.type not in kinds and not (value.absent and name != "model"):
                yield Finding(
                    "member-not-type", "a member has not its type", at=value.pointer, expected=list(kinds), found=value
                )


NEVER_NULL = (
    ("usage",),
    ("system_fingerprint",),
    ("choices", 0, "message", "tool_calls"),
    ("choices", 0, "message", "annotations"),
    ("choices", 0, "message", "function_call"),
    ("usage", "prompt_tokens_details"),
    ("usage", "completion_tokens_details"),
)
"""Members that may be left out, but not be null."""


@check(
    "chat.nulls-are-documented",
    MAY,
    sends=HELLO,
    spec=SPEC.at(MESSAGE, "annotations: array; function_call: object; tool_calls: array (none of them nullable)"),
    remedy="none needed: the official clients take null for absent; validate with their types, not the specification",
)
def nulls_are_documented(x: Exchange) -> Findings:
    """Members that the contract has no null for are left out where there is nothing to say."""
    for steps in NEVER_NULL:
        value = x.json
        for step in steps:
            value = value[step]
        if value.type == "null":
            yield Finding(
                "null-where-contract-none",
                "null where the contract has none",
                at=value.pointer,
                expected="absent",
                found=value,
            )


@check(
    "chat.nullable-members-are-there",
    MAY,
    sends=HELLO,
    spec=SPEC.at(MESSAGE, "required: [role, content, refusal]; of a choice: [finish_reason, index, message, logprobs]"),
)
def nullable_members_are_there(x: Exchange) -> Findings:
    """The members that may be null are there all the same: `refusal` in a message, `logprobs` in a choice."""
    for choice in x.json["choices"]:
        for value in (choice["message"]["refusal"], choice["logprobs"]):
            if value.absent:
                yield Finding(
                    "required-member-absent",
                    "a required member is absent",
                    at=value.pointer,
                    expected="null",
                    found=value,
                )


@check(
    "chat.members-are-unique",
    SHOULD,
    sends=HELLO,
    spec=JSON.at("4. Objects", "The names within an object SHOULD be unique."),
)
def members_are_unique(x: Exchange) -> Findings:
    """No object of an answer has a member twice."""
    try:
        parse(x.body, unique=True)
    except NotJSON as problem:
        yield Finding("object-member-twice", "an object has a member twice", found=str(problem))


DOCUMENTED = {
    "": {
        "id", "object", "created", "model", "choices",
        "usage", "system_fingerprint", "service_tier", "metadata", "moderation",
    },
    "choice": {"index", "message", "finish_reason", "logprobs"},
    "message": {"role", "content", "refusal", "tool_calls", "annotations", "function_call", "audio"},
}  # fmt: skip


@check("chat.other-members", NOTE, sends=HELLO)
def other_members(x: Exchange) -> Findings:
    """An answer has members that the contract does not know, which is allowed."""
    choice = x.json["choices"][0]
    for place, value in (("", x.json), ("choice", choice), ("message", choice["message"])):
        others = sorted(name for name, _ in value.items() if name not in DOCUMENTED[place])
        if others:
            yield Observed(others, place or "answer")


@check("chat.optional-members", NOTE, sends=HELLO)
def optional_members(x: Exchange) -> Findings:
    """An answer has a fingerprint, a service tier, annotations; its `id` begins in some way."""
    message_ = x.json["choices"][0]["message"]
    for name, value in (
        ("system_fingerprint", x.json["system_fingerprint"]),
        ("service_tier", x.json["service_tier"]),
        ("annotations", message_["annotations"]),
    ):
        yield Observed(value.type, name)
    identity = x.json["id"].value
    if isinstance(identity, str):
        yield Observed("chatcmpl-" if identity.startswith("chatcmpl-") else "other", "id")
