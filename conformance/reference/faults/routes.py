"""Planted faults: the same sins of several routes. What only one of them can do is in the module of that route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.reference.answer import Answer
from conformance.reference.fault import Fault
from conformance.reference.rows import (
    BODIES,
    CHOICES,
    CHOSEN,
    COMPLETED,
    COMPLETION,
    COMPLETIONS,
    EMBEDDED,
    EMBEDDINGS,
    ENTRIES,
    STREAMED,
    USAGE,
    WHOLE,
    Part,
    When,
    a,
    alter,
    answered,
    as_plain,
    as_stream,
    as_whole,
    ask,
    become,
    change,
    crash,
    drop,
    given,
    instead,
    numbered,
    on,
    put,
    refuse,
    reply,
)

# Routes that are not there, or broken


@dataclass(frozen=True)
class Route:
    """A route that not every server has."""

    name: str
    path: str
    thing: str
    """What there is none of where the route is not there."""
    text: str
    """The parameter with the text."""
    of_tokens: Callable[[Any], object]
    """Whether the first of a list of texts is none: a token or several."""
    failure: str
    """What a server says that cannot do it at all."""
    stumbling: str
    """What one says that stumbles over tokens."""
    typed: str
    """What the fault is called by which a wrong type becomes a server error."""

    @property
    def tokens(self) -> When:
        """Requests with tokens in the place of a text."""
        return on(self.path) & given(self.text, lambda value: a(list)(value) and value and self.of_tokens(value[0]))

    @property
    def some_tokens(self) -> When:
        """Requests with a list of tokens."""
        return on(self.path) & given(self.text, lambda value: a(list)(value) and value and {*map(type, value)} == {int})


ROUTES = (
    Route(
        name="completions",
        path=COMPLETIONS,
        thing="older interface",
        text="prompt",
        of_tokens=lambda first: not isinstance(first, str),
        failure="KeyError: 'messages'",
        stumbling="expected string or bytes-like object",
        typed="completions-wrong-500",
    ),
    Route(
        name="embeddings",
        path=EMBEDDINGS,
        thing="route for embeddings",
        text="input",
        of_tokens=a(int, list),
        failure="'NoneType' object has no attribute 'encode'",
        stumbling="'int' object has no attribute 'strip'",
        typed="embeddings-wrong-input-500",
    ),
)


def sins(route: Route) -> tuple[Fault, ...]:
    """What each of these routes can do."""
    here, name = on(route.path), route.name
    return (
        refuse(f"{name}-absent", when=here, message="Unknown route", status=404,
            says=f"There is no {route.thing}: 404, with an error object.", legal=True),
        reply(f"{name}-absent-detail", lambda: Answer(404, body={"detail": "Not Found"}), when=here,
            says=f"There is no {route.thing}: 404, as FastAPI says it.", legal=True),
        crash(f"{name}-500", when=here, message=route.failure, says="Every request to this route is a server error."),
        crash(route.typed, when=here, after=400, message="Internal error",
            says="A parameter of a wrong type is a server error."),
        become(f"{name}-errors-in-detail", answered(400),
            lambda answer: {"detail": [{"loc": ["body", route.text], "msg": "field required"}]}, status=422, when=here,
            says="Refusals of this route are under `detail`, with a 422."),
        ask(f"{name}-any-model", instead(model="reference"), when=here,
            says="Any name of a model is answered, by the model that there is."),
        ask(f"{name}-token-each",
            lambda request: request.asking(**{route.text: [[token] for token in request.wish[route.text]]}),
            when=route.some_tokens, says="An array of tokens is taken for as many texts as it has tokens."),
        crash(f"{name}-tokens-500", when=route.tokens, message=route.stumbling,
            says="Tokens in the place of a text are a server error."),
        refuse(f"{name}-tokens-refused", when=route.tokens,
            message=f"'{route.text}' must be a string or an array of strings",
            says="Tokens in the place of a text are refused.", legal=True),
    )  # fmt: skip


NOT_SERVED = tuple(sin for route in ROUTES for sin in sins(route))

OF_ANOTHER_MODEL = (
    refuse("completions-of-no-chat-model", when=on(COMPLETIONS),
        message="This is a chat model and not supported in the v1/completions endpoint.",
        says="The older interface is refused for this model, which is made for chats.", legal=True),
    refuse("embeddings-of-another-model", when=on(EMBEDDINGS), message="The model does not support the Embeddings API",
        says="The model that is served makes no embeddings, which a 400 says.", legal=True),
    refuse("embeddings-501", when=on(EMBEDDINGS),
        message="This server does not support embeddings. Start it with `--embeddings`", status=501,
        says="The server says with 501 that it was started without embeddings.", legal=True),
)  # fmt: skip

# Answers: one sin a row, with the place where each route has it

COMPLETED_WHOLE = as_whole(COMPLETION)
CHOSEN_OLDER = as_whole(COMPLETED)


def _one_more(index: int) -> int:
    return index + 1


def _milliseconds(created: int) -> int:
    return created * 1000


def _total_of_completion(usage: Part) -> None:
    usage["total_tokens"] = usage["completion_tokens"]


INDICES = (
    drop("index-missing", CHOSEN, "index", says="The choices of a whole answer have no `index`."),
    drop("embeddings-index-missing", ENTRIES, "index", says="The entries have no `index`."),
    put("n2-stream-choice-index-always-0", STREAMED, index=0, says="All choices of a stream have the `index` 0."),
    put("completions-index-all-zero", CHOSEN_OLDER, index=0, says="Every choice has the `index` 0."),
    put("embeddings-index-all-zero", ENTRIES, index=0, says="Every entry has the `index` 0."),
    change("choice-index-one-based", STREAMED, "index", _one_more, says="The choices of a stream are counted from 1."),
    change("n-numbered-from-1", CHOICES, "index", _one_more, when=given("n", lambda n: isinstance(n, int) and n > 1),
        says="Where there are several choices, they are counted from 1."),
    change("embeddings-index-of-the-batch", ENTRIES, "index", _one_more,
        says="Entries are numbered as in a batch with those of other requests: the first has the `index` 1."),
)  # fmt: skip
IDS = (
    put("response-id-null", BODIES, id=None, says="The `id` of an answer is null."),
    put("id-empty-string", BODIES, id="", says="The `id` of an answer is an empty string."),
    put("sagemaker-id-request-counter", BODIES, id="chatcmpl-0", says="Every answer has the `id` chatcmpl-0."),
    drop("completions-id-missing", COMPLETED_WHOLE, "id", says="The answer has no `id`."),
    numbered("completions-stream-ids-differ", as_stream(COMPLETION), "id", lambda old, place: f"{old}{place}",
        says="Each piece of a stream has another `id`."),
)  # fmt: skip
TIMES = (
    change("created-milliseconds", BODIES, "created", _milliseconds,
        says="The `created` of an answer is in milliseconds."),
    change("completions-created-milliseconds", COMPLETED_WHOLE, "created", _milliseconds,
        says="`created` is in milliseconds."),
    change("created-float", BODIES, "created", lambda created: created + 0.123,
        says="The `created` of an answer has a fraction."),
    put("created-zero", BODIES, created=0, says="The `created` of an answer is 0."),
)  # fmt: skip
KINDS = (
    put("object-text_completion", BODIES, object="text_completion",
        says="The `object` of a chat answer is `text_completion`."),
    put("completions-object-of-chat", COMPLETED_WHOLE, object="chat.completion",
        says="The `object` of the answer is `chat.completion`."),
    drop("embeddings-object-missing", EMBEDDED, "object", says="The answer has no `object`."),
)  # fmt: skip
MODELS = (
    put("model-field-local-path", BODIES, model="/data/models--x/snapshots/abc",
        says="The `model` of an answer is a path on the server's disk."),
    put("model-number", WHOLE, model=7, says="The `model` of an answer is a number."),
    drop("embeddings-model-missing", EMBEDDED, "model", says="The answer has no `model`."),
)  # fmt: skip
REASONS = (
    change("finish-reason-eos_token", as_plain(CHOICES), "finish_reason", {"stop": "eos_token"},
        says="A natural end has the finish reason `eos_token`."),
    change("completions-finish-eos", COMPLETED, "finish_reason", lambda reason: None if reason is None else "eos_token",
        says="The finish reason is `eos_token`, the engine's own word."),
)  # fmt: skip
COUNTS = (
    drop("usage-missing", WHOLE, "usage", says="A whole answer has no `usage`."),
    drop("embeddings-usage-missing", EMBEDDED, "usage", says="The answer has no `usage`."),
    alter("usage-total-wrong", USAGE, _total_of_completion, says="`total_tokens` is `completion_tokens` alone."),
    alter("completions-usage-total-wrong", COMPLETED_WHOLE.under("usage"), _total_of_completion,
        says="`total_tokens` is `completion_tokens` alone."),
)  # fmt: skip
