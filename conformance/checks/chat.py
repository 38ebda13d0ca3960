"""The shape of a whole answer to a plain chat request: the documented members and their types."""

from __future__ import annotations

from conformance.core.check import OK, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import JSON, SPEC
from conformance.judging.refusal import named, status_and_message
from conformance.probes.chat import COUNT, GREEDY, HELLO

RESPONSE = "CreateChatCompletionResponse"
MESSAGE = "ChatCompletionResponseMessage"

UNIQUE_ID = SPEC.at(f"{RESPONSE}.id", "A unique identifier for the chat completion.")

FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")

OLDEST, LATEST = 1_577_836_800, 10_000_000_000
"""Seconds since 1970 of the years 2020 and 2286. Milliseconds lie beyond them, and so does 0."""

area = Area("chat")


@area.must(
    "requests-are-accepted",
    sends=each(HELLO, GREEDY, COUNT),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A plain chat request is answered 2xx."""
    if x.ok:
        return
    if feature := named(x):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    if x.status is not None and 300 <= x.status < 400:
        moved = {"status": x.status, "location": x.header("location")}
        yield Finding("redirected", "A plain request is redirected", at="status", expected="200", found=moved)
    else:
        found = status_and_message(x)
        yield Finding("not-2xx", "A plain request is not answered 2xx", at="status", expected="200", found=found)


@area.must(
    "answer-has-choices",
    sends=HELLO,
    needs=OK,
    spec=SPEC.at(RESPONSE, "required: [choices, created, id, model, object]; choices: array"),
)
def answer_has_choices(x: Exchange) -> Findings:
    """A 2xx answer is a JSON object with `choices`, and each choice has a message."""
    if x.streamed:
        raise Unwitnessed("the answer is a stream")  # http.content-type-is-json says so
    choices = x.json["choices"]
    if x.not_json:
        yield Finding("not-json", "The body is not JSON", expected="an object", found=x.text[:200])
    elif x.json.type != "object":
        yield Finding("not-an-object", "The body is not an object", expected="object", found=x.json.type)
    elif choices.type != "array":
        found = list(x.json.value) if choices.absent else choices
        yield Finding("not-an-array", "`choices` is not an array", at="/choices", expected="array", found=found)
    elif not choices:
        yield Finding("no-choices", "`choices` is empty", at="/choices", expected="at least one choice", found=choices)
    for choice in choices:
        own = choice["message"]
        if own.type != "object":
            yield Finding("no-message", "A choice has no message", at=own.pointer, expected="object", found=own.type)


@area.must(
    "object-is-chat-completion",
    sends=HELLO,
    spec=SPEC.at(f"{RESPONSE}.object", "The object type, which is always `chat.completion`."),
)
def object_is_chat_completion(x: Exchange) -> Findings:
    """The `object` of an answer is `chat.completion`."""
    kind = x.json["object"]
    if kind.value != "chat.completion":
        yield Finding(
            "other-object", "`object` is not `chat.completion`", at="/object", expected="chat.completion", found=kind
        )


@area.must("id-is-a-string", sends=HELLO, spec=UNIQUE_ID)
def id_is_a_string(x: Exchange) -> Findings:
    """The `id` of an answer is a string that is not empty."""
    identity = x.json["id"]
    if identity.type != "string" or not identity.value.strip():
        yield Finding("no-id", "`id` is not a string, or is empty", at="/id", expected="a string", found=identity)


@area.must("ids-differ", sends=(HELLO, GREEDY, COUNT), spec=UNIQUE_ID)
def ids_differ(*answers: Exchange) -> Findings:
    """Answers to different requests have different ids."""
    seen: set[str] = set()
    for x in answers:
        identity = x.json["id"].value
        if not isinstance(identity, str) or not identity:
            continue  # chat.id-is-a-string says so
        if identity in seen:
            yield Finding("same-id", "Two answers have the same `id`", at="/id", found=identity, on=x.key)
        seen.add(identity)


@area.must(
    "created-is-unix-seconds",
    sends=HELLO,
    spec=SPEC.at(f"{RESPONSE}.created", "The Unix timestamp (in seconds) of when the chat completion was created."),
)
def created_is_unix_seconds(x: Exchange) -> Findings:
    """The `created` of an answer is a whole number of seconds since 1970."""
    created, at = x.json["created"], "/created"
    if created.type != "integer":
        yield Finding("not-an-integer", "`created` is not an integer", at=at, expected="integer", found=created)
    elif not OLDEST <= created.value < LATEST:
        yield Finding(
            "not-unix-seconds", "`created` is not a time in seconds", at=at, expected="about 1.8e9", found=created
        )


@area.must(
    "one-choice-at-index-0",
    sends=HELLO,
    spec=SPEC.at(
        f"{RESPONSE}.choices", "A list of chat completion choices. Can be more than one if `n` is greater than 1."
    ),
)
def one_choice_at_index_0(x: Exchange) -> Findings:
    """An answer to a request without `n` has one choice, with the index 0."""
    choices = x.json["choices"]
    index = choices[0]["index"]
    if len(choices) != 1:
        yield Finding("several-choices", "There is more than one choice", at="/choices", expected=1, found=len(choices))
    elif index.value != 0 or index.type != "integer":
        yield Finding("other-index", "The index of the only choice is not 0", at=index.pointer, expected=0, found=index)


@area.must(
    "role-is-assistant",
    sends=HELLO,
    spec=SPEC.at(f"{MESSAGE}.role", "The role of the author of this message."),
)
def role_is_assistant(x: Exchange) -> Findings:
    """The `role` of an answer's message is `assistant`."""
    for choice in x.json["choices"]:
        role = choice["message"]["role"]
        if role.value != "assistant":
            yield Finding("other-role", "`role` is not `assistant`", at=role.pointer, expected="assistant", found=role)


@area.must(
    "content-is-text",
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
                "not-a-string",
                "`content` is neither a string nor null",
                at=content.pointer,
                expected="string",
                found=content,
            )


@area.must(
    "answer-is-in-content",
    sends=each(HELLO, COUNT),
    spec=SPEC.at(f"{MESSAGE}.content", "The contents of the message."),
    remedy="where the answer is in the reasoning: fix the server's reasoning parser (vLLM: --reasoning-parser)",
)
def answer_is_in_content(x: Exchange) -> Findings:
    """An answer that came to its natural end has its text in `content`."""
    choice, content = x.choice, x.json["choices"][0]["message"]["content"]
    if choice.finish_reason != "stop" or choice.calls or choice.refusal:
        return  # cut off by a cap, a tool call, or a refusal
    if content.type not in ("string", "null", "absent"):
        return  # chat.content-is-text says so
    if not choice.text.strip():
        found = {"content": content.value if not content.absent else "absent", "reasoning": choice.reasoning[:200]}
        yield Finding(
            "empty-content",
            "The answer ended with `stop`, but its `content` is empty",
            at=content.pointer,
            expected="text",
            found=found,
        )


@area.must(
    "finish-reason-is-known",
    sends=HELLO,
    spec=SPEC.at(
        f"{RESPONSE}.choices.finish_reason", "enum: [stop, length, tool_calls, content_filter, function_call]"
    ),
)
def finish_reason_is_known(x: Exchange) -> Findings:
    """The `finish_reason` of an answer is a documented one."""
    for choice in x.json["choices"]:
        reason = choice["finish_reason"]
        if reason.value not in FINISH_REASONS:
            yield Finding(
                "unknown-finish-reason",
                "`finish_reason` is not a documented one",
                at=reason.pointer,
                expected=list(FINISH_REASONS),
                found=reason,
            )


@area.should(
    "finish-reason-fits-a-text",
    sends=each(HELLO, COUNT),
    spec=SPEC.at(f"{RESPONSE}.choices.finish_reason", "`tool_calls` if the model called a tool"),
)
def finish_reason_fits_a_text(x: Exchange) -> Findings:
    """An answer without tool calls does not end with the finish reason of a tool call."""
    reason = x.choice.finish_reason
    if reason in ("tool_calls", "function_call") and not x.choice.calls:
        yield Finding(
            "no-tool-call",
            "`finish_reason` announces a tool call, but there is none",
            at="/choices/0/finish_reason",
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
"""The types of the members that have no check of their own, by the pointer of the object that holds them."""


@area.should(
    "members-have-their-types",
    sends=HELLO,
    spec=SPEC.at(
        RESPONSE, "model: string; usage: CompletionUsage; service_tier: ServiceTier; system_fingerprint: string"
    ),
)
def members_have_their_types(x: Exchange) -> Findings:
    """The other documented members of an answer have their documented types; all but `model` may be absent."""
    choice = x.json["choices"][0]
    holders = {"": x.json, "/choices/0": choice, "/choices/0/message": choice["message"]}
    for pointer, members in OPTIONAL.items():
        for name, types in members.items():
            value = holders[pointer][name]
            if value.type not in types and not (value.absent and name != "model"):
                yield Finding(
                    "wrong-type", "A member has the wrong type", at=value.pointer, expected=list(types), found=value
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
"""Members that may be left out, but may not be null."""


@area.may(
    "nulls-are-documented",
    sends=HELLO,
    spec=SPEC.at(MESSAGE, "annotations: array; function_call: object; tool_calls: array (none of them nullable)"),
    remedy="none needed: the official clients treat null as absent; validate with their types, not the specification",
)
def nulls_are_documented(x: Exchange) -> Findings:
    """Members that are not nullable are left out where they have no value."""
    for steps in NEVER_NULL:
        value = x.json
        for step in steps:
            value = value[step]
        if value.type == "null":
            yield Finding(
                "undocumented-null",
                "A member that is not nullable is null",
                at=value.pointer,
                expected="absent",
                found=value,
            )


@area.may(
    "nullable-members-are-there",
    sends=HELLO,
    spec=SPEC.at(MESSAGE, "required: [role, content, refusal]; of a choice: [finish_reason, index, message, logprobs]"),
)
def nullable_members_are_there(x: Exchange) -> Findings:
    """The required members that may be null are present: `refusal` in a message, `logprobs` in a choice."""
    for choice in x.json["choices"]:
        for value in (choice["message"]["refusal"], choice["logprobs"]):
            if value.absent:
                yield Finding(
                    "member-missing", "A required member is missing", at=value.pointer, expected="null", found=value
                )


@area.should(
    "members-are-unique", sends=HELLO, spec=JSON.at("4. Objects", "The names within an object SHOULD be unique.")
)
def members_are_unique(x: Exchange) -> Findings:
    """No object of an answer has a member twice."""
    try:
        parse(x.body, unique=True)
    except NotJSON as problem:
        yield Finding("duplicate-member", "An object has a member twice", found=str(problem))


DOCUMENTED = {
    "": {
        "id", "object", "created", "model", "choices",
        "usage", "system_fingerprint", "service_tier", "metadata", "moderation",
    },
    "choice": {"index", "message", "finish_reason", "logprobs"},
    "message": {"role", "content", "refusal", "tool_calls", "annotations", "function_call", "audio"},
}  # fmt: skip


@area.note("other-members", sends=HELLO)
def other_members(x: Exchange) -> Findings:
    """An answer may have undocumented members; which ones it has is noted."""
    choice = x.json["choices"][0]
    for name, holder in (("", x.json), ("choice", choice), ("message", choice["message"])):
        others = sorted(member for member, _ in holder.items() if member not in DOCUMENTED[name])
        if others:
            yield Observed(others, name or "answer")


@area.note("optional-members", sends=HELLO)
def optional_members(x: Exchange) -> Findings:
    """An answer may have a fingerprint, a service tier and annotations; its `id` may begin with `chatcmpl-`."""
    for name, value in (
        ("system_fingerprint", x.json["system_fingerprint"]),
        ("service_tier", x.json["service_tier"]),
        ("annotations", x.json["choices"][0]["message"]["annotations"]),
    ):
        yield Observed(value.type, name)
    identity = x.json["id"].value
    if isinstance(identity, str):
        yield Observed("chatcmpl-" if identity.startswith("chatcmpl-") else "other", "id")


@area.note("fingerprints", sends=(HELLO, GREEDY, COUNT), needs=REPLY)
def fingerprints(*answers: Exchange) -> Findings:
    """Answers may have a `system_fingerprint`, and those of the same minute may share it."""
    found = [value for x in answers if isinstance(value := x.json["system_fingerprint"].value, str)]
    yield Observed("none" if not found else "one" if len(set(found)) == 1 else "several", "fingerprints")
