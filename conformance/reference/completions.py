"""The older interface of the reference server: a prompt goes in, and the text that follows it comes out.

The model is the one of the chat: it takes a prompt for what a user says. What a chat cannot ask for is made here: prompts
in several forms, the prompt in front of the answer (`echo`), the best of several, and log probabilities as arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import zip_longest
from typing import Any

from conformance.reference.answer import DONE, Event
from conformance.reference.embeddings import several
from conformance.reference.logprobs import entries
from conformance.reference.model import sayings
from conformance.reference.sampling import Said, said
from conformance.reference.shape import Head
from conformance.reference.task import Task
from conformance.reference.tokens import decode, groups
from conformance.reference.validation import PARAMETERS, no_model, stream_needed, whole
from conformance.reference.wrong import Wrong, boolean, missing, string, unknown

_CAP = 16
"""Tokens of an answer where no cap is asked for."""
_SHARED = (
    "model", "frequency_penalty", "logit_bias", "n", "presence_penalty", "seed", "stop", "stream", "stream_options",
    "temperature", "top_p", "user",
)  # fmt: skip
_OWN: dict[str, Callable[[Any, str], Any]] = {
    "best_of": whole(0, 20),
    "echo": boolean,
    "logprobs": whole(0, 5),
    "max_tokens": whole(0),
    "prompt": lambda value, path: several(value, path),
    "suffix": string,
}
MEMBERS: dict[str, Callable[[Any, str], Any]] = {**_OWN, **{name: PARAMETERS[name] for name in _SHARED}}
"""Each member of a request and its check."""


class Completion:
    """A validated request for completions. Raises Wrong where it is none."""

    def __init__(self, body: dict[str, Any], models: tuple[str, ...], window: int) -> None:
        self.raw = {name: value for name, value in body.items() if value is not None}
        for member in self.raw:
            if member not in MEMBERS:
                raise unknown(member)
        for member in ("model", "prompt"):
            if member not in self.raw:
                raise missing(member)
        found = {member: MEMBERS[member](value, member) for member, value in self.raw.items()}
        stream_needed(self.raw)
        self.n, self.best = self.raw.get("n", 1), self.raw.get("best_of") or self.raw.get("n", 1)
        if self.best < self.n or (self.best > self.n and self.raw.get("stream")):
            why = "has to be at least 'n'" if self.best < self.n else "cannot be streamed"
            raise Wrong(f"Invalid 'best_of': it {why}.", param="best_of", code="invalid_value")
        if self.raw["model"] not in models:
            raise no_model(self.raw["model"])
        self.cap = self.raw.get("max_tokens", _CAP)
        self.prompts: list[list[int]] = found["prompt"]
        self.suffix = self.raw.get("suffix", "")
        for prompt in self.prompts:
            if len(prompt) + self.cap > window:
                raise Wrong(
                    f"This model's maximum context length is {window} tokens, however you requested "
                    f"{len(prompt) + self.cap} tokens ({len(prompt)} in your prompt; {self.cap} for the completion).",
                    param="prompt",
                    code="context_length_exceeded",
                )
        self._found = found
        self._window = window

    def said(self) -> list[tuple[list[int], Said]]:
        """What is said to each prompt, `n` times each, with the prompt's tokens: only the best of what was made."""
        return [(prompt, one) for prompt, made in zip(self.prompts, self._made, strict=True) for one in made[: self.n]]

    def usage(self) -> dict[str, int]:
        """What it costs, with what was made and not shown."""
        prompt = sum(map(len, self.prompts)) + len(several(self.suffix, "suffix")[0]) * len(self.prompts)
        completion = sum(one.spent for made in self._made for one in made)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

    @cached_property
    def _made(self) -> list[list[Said]]:
        """All that was made, by prompt."""
        return [self._answers(prompt) for prompt in self.prompts]

    def _answers(self, prompt: list[int]) -> list[Said]:
        messages = [{"role": "user", "content": decode(prompt)}]
        if self.suffix:
            messages.insert(0, {"role": "system", "content": self.suffix})
        # Without a logprobs of its own: here it is a number.
        raw = {name: value for name, value in self.raw.items() if name != "logprobs"} | {"n": self.best}
        task = Task(
            model=self.raw["model"],
            messages=messages,
            raw=raw,
            stops=self._found.get("stop", ()),
            cap=self.cap,
            biases=self._found.get("logit_bias", {}),
        )
        return [said(one, task, self._window - len(prompt)) for one in sayings(task)]

    def body(self, head: Head) -> dict[str, Any]:
        """The whole answer."""
        choices = [
            self._choice(index, prompt + tokens if self._echo else tokens, one.finish, len(prompt))
            for index, (prompt, one) in enumerate(self.said())
            for tokens in [one.tokens or []]
        ]
        return self._object(head, choices) | {"usage": self.usage()}

    def events(self, head: Head, token_delay: float) -> list[Event]:
        """The same as a stream: objects of the same kind, each with a piece of the text."""
        asked = bool(self.raw.get("stream_options", {}).get("include_usage"))
        events: list[Event] = []
        for steps in zip_longest(*(self._steps(index, *one) for index, one in enumerate(self.said()))):
            for choice in steps:
                if choice is not None:
                    chunk = self._object(head, [choice]) | ({"usage": None} if asked else {})
                    events.append(Event(chunk, token_delay if choice["text"] else 0.0))
        if asked:
            events.append(Event(self._object(head, []) | {"usage": self.usage()}))
        return [*events, Event(DONE)]

    @property
    def _echo(self) -> bool:
        return bool(self.raw.get("echo"))

    def _object(self, head: Head, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": head.id,
            "object": "text_completion",
            "created": head.created,
            "model": self.raw["model"],
            "choices": choices,
            "system_fingerprint": head.fingerprint,
        }

    def _steps(self, index: int, prompt: list[int], one: Said) -> Iterator[dict[str, Any]]:
        before, place = "", 0
        for text, run in groups((prompt if self._echo else []) + (one.tokens or [])):
            yield self._choice(index, run, None, len(prompt), place, before)
            before, place = before + text, place + len(run)
        yield self._choice(index, [], one.finish, len(prompt), place, before)

    def _choice(
        self, index: int, tokens: list[int], finish: str | None, prompt: int, place: int = 0, before: str = ""
    ) -> dict[str, Any]:
        """One choice with these tokens, which stand after `before`, at `place` of the choice."""
        return {
            "text": decode(tokens),
            "index": index,
            "logprobs": self._logprobs(tokens, prompt, place, len(before)),
            "finish_reason": finish,
        }

    def _logprobs(self, tokens: list[int], prompt: int, place: int, offset: int) -> dict[str, Any] | None:
        top = self.raw.get("logprobs")
        if top is None:
            return None
        found = entries(tokens, place, top)
        known: list[float | None] = [entry["logprob"] for entry in found]
        likely: list[dict[str, float] | None] = [
            {item["token"]: item["logprob"] for item in entry["top_logprobs"]} for entry in found
        ]
        if self._echo and place == 0 and tokens and prompt:  # nothing comes before the first token of a prompt
            known[0], likely[0] = None, None
        ends = [len(decode(tokens[: end + 1])) for end in range(len(tokens))]
        return {
            "tokens": [entry["token"] for entry in found],
            "token_logprobs": known,
            "top_logprobs": likely if top else None,
            "text_offset": [offset + start for start in [0, *ends[:-1]]] if tokens else [],
        }
