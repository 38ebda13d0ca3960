"""Which words of JSON Schema an endpoint enforces, ignores, or refuses. Facts to compare servers by, and no verdicts.

Each word is tried in strict mode where that has room for it, and without. A word is enforced where it is kept, and the same
request without it shows that it would have been broken.
"""

from __future__ import annotations

from typing import Any

import jsonschema

from conformance.core.check import REPLY, Check, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import NOTE, SHOULD, STRUCTURED
from conformance.judging.refusal import message
from conformance.probes.keywords import GROUPS, LOOSE, WORDS, Word, every_word, loose_words, words

BY_SCHEMA = "structured.json_schema"
EVERY = WORDS | LOOSE
"""The words by the keys of their requests, in both modes."""
Asserting = jsonschema.Draft202012Validator


def valid(schema: Any, value: Any) -> bool:
    """Whether a value is valid under a schema with all its words, formats too."""
    return bool(Asserting(schema, format_checker=Asserting.FORMAT_CHECKER).is_valid(value))


def written(x: Exchange) -> Any:
    """The value that an answer holds. Raises NotJSON for none, for one that was cut off, and for one with doubles.

    Where a member comes twice, a grammar has counted other members than a reader does.
    """
    if x.choice.refusal or x.choice.calls or x.choice.finish_reason in ("length", "content_filter"):
        raise NotJSON("cut off, or another answer than the one in question")
    return parse(x.choice.text, unique=True)


def breaks(x: Exchange, word: Word) -> bool | None:
    """Whether an answer breaks a word and nothing else; None where it cannot be told."""
    try:
        value = written(x)
    except NotJSON:
        return None
    if valid(word.schema, value):
        return False
    return True if valid(word.plain, value) else None


def ignored_altogether(x: Exchange) -> bool:
    """Whether an answer has come to its end and is no JSON."""
    try:
        parse(x.choice.text)
    except NotJSON:
        return x.choice.finish_reason == "stop" and not x.choice.refusal and not x.choice.calls
    return False


def standing(control: Exchange, x: Exchange) -> str:
    """What becomes of the word that a request is about, beside the same request without the word."""
    if not x.ok:
        return "refused" if x.status is not None and x.status < 500 else "server error"
    word = EVERY[x.key]
    broken = breaks(x, word)
    if broken or ignored_altogether(x):
        return "ignored"
    free = control.ok and (breaks(control, word) or ignored_altogether(control))
    return "enforced" if broken is False and free else "undecided"


def noting(group: str, what: str) -> Check:
    """A note of what becomes of each word of a group."""

    def judge(control: Exchange, x: Exchange) -> Findings:
        yield Observed(standing(control, x), WORDS[x.key].word)

    judge.__doc__ = f"What becomes of {what}: each is enforced, ignored, or refused."
    identity, examples = f"structured.words-for-{group}", len(GROUPS[group])
    return check(identity, NOTE, sends=words(group), needs=REPLY, requires=BY_SCHEMA, examples=examples)(judge)


values = noting("values", "a type, a constant, and an enumeration in a schema")
strings = noting("strings", "patterns, formats, and lengths of strings")
numbers = noting("numbers", "bounds of numbers, and what they are multiples of")
arrays = noting("arrays", "what a schema says about the items of an array")
objects = noting("objects", "what a schema says about the members of an object")
combinations = noting("combinations", "schemas that are combined: of any, of one, of all, of none, under a condition")
references = noting("references", "references in a schema, also to itself")
roots = noting("roots", "schemas whose root is no object, or one without members")


@check("structured.words-when-loose", NOTE, sends=loose_words, needs=REPLY, requires=BY_SCHEMA, examples=len(LOOSE))
def words_when_loose(control: Exchange, x: Exchange) -> Findings:
    """What becomes of each word under `strict: false`: it is enforced, ignored, or refused."""
    yield Observed(standing(control, x), LOOSE[x.key].word)


@check(
    "structured.words-are-no-server-error",
    SHOULD,
    sends=every_word,
    needs=REPLY,
    requires=BY_SCHEMA,
    examples=len(WORDS),
    spec=STRUCTURED.at(
        "supported schemas",
        "If you turn on Structured Outputs by supplying `strict: true` and call the API with an unsupported JSON "
        "Schema, you will receive an error.",
    ),
    remedy="Take the word out of the schema, and check the answer in the client.",
)
def words_are_no_server_error(x: Exchange) -> Findings:
    """A strict schema with any one word of JSON Schema is answered or refused, never a server error."""
    if x.status is not None and x.status >= 500:
        found = {"word": WORDS[x.key].word, "status": x.status, "message": message(x)[:300]}
        yield Finding(
            "word-json-schema-server-error",
            "a word of JSON Schema is a server error",
            expected="2xx or 4xx",
            found=found,
        )
