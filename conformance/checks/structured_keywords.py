"""Which keywords of JSON Schema an endpoint enforces, ignores, or refuses. Facts to compare servers by, and no verdicts.

Each keyword is tried in strict mode where strict mode allows it, and without. A keyword counts as enforced where an answer
keeps it, and the answer to the same request without it would have broken it.
"""

from __future__ import annotations

from typing import Any

import jsonschema

from conformance.core.check import REPLY, Area, Check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed
from conformance.core.reading.json import NotJSON, parse
from conformance.core.requirement import STRUCTURED
from conformance.judging.refusal import message
from conformance.probes.keywords import GROUPS, LOOSE, WORDS, Word, every_word, loose_words, words

area = Area("structured", needs=REPLY, requires="structured.json_schema")

EVERY = WORDS | LOOSE
"""The keywords by the keys of their requests, in both modes."""
Asserting = jsonschema.Draft202012Validator


def valid(schema: Any, value: Any) -> bool:
    """Whether a value is valid under a schema with all its keywords, `format` too."""
    return bool(Asserting(schema, format_checker=Asserting.FORMAT_CHECKER).is_valid(value))


def written(x: Exchange) -> Any:
    """The value that an answer holds.

    Raises NotJSON where there is none, where it was cut off, and where a member comes twice: there a grammar has counted
    other members than a reader does.
    """
    if x.choice.refusal or x.choice.calls or x.choice.finish_reason in ("length", "content_filter"):
        raise NotJSON("cut off, refused, or a tool call")
    return parse(x.choice.text, unique=True)


def breaks(x: Exchange, word: Word) -> bool | None:
    """Whether an answer breaks a keyword and nothing else; None where it cannot be told."""
    try:
        value = written(x)
    except NotJSON:
        return None
    if valid(word.schema, value):
        return False
    return True if valid(word.plain, value) else None


def ignored_altogether(x: Exchange) -> bool:
    """Whether an answer is complete, and is not JSON."""
    try:
        parse(x.choice.text)
    except NotJSON:
        return x.choice.finish_reason == "stop" and not x.choice.refusal and not x.choice.calls
    return False


def treatment(control: Exchange, x: Exchange) -> str:
    """How the server treats the keyword that a request is about. `control` is the same request without the keyword."""
    if not x.ok:
        return "refused" if x.status is not None and x.status < 500 else "server error"
    word = EVERY[x.key]
    broken = breaks(x, word)
    if broken or ignored_altogether(x):
        return "ignored"
    free = control.ok and (breaks(control, word) or ignored_altogether(control))
    return "enforced" if broken is False and free else "undecided"


def noting(group: str, subject: str) -> Check:
    """A note of how each keyword of a group is treated."""

    def judge(control: Exchange, x: Exchange) -> Findings:
        yield Observed(treatment(control, x), WORDS[x.key].word)

    title = f"Whether {subject} are enforced, ignored, or refused."
    return area.note(f"words-for-{group}", sends=words(group), examples=len(GROUPS[group]), title=title)(judge)


BY_GROUP = (
    noting("values", "types, constants, and enumerations in a schema"),
    noting("strings", "patterns, formats, and lengths of strings"),
    noting("numbers", "bounds and `multipleOf` for numbers"),
    noting("arrays", "keywords for the items of an array"),
    noting("objects", "keywords for the members of an object"),
    noting("combinations", "`anyOf`, `oneOf`, `allOf`, `not`, and conditions"),
    noting("references", "references in a schema, also to itself"),
    noting("roots", "schemas whose root is not an object, or is one without members"),
)


@area.note("words-when-loose", sends=loose_words, examples=len(LOOSE))
def words_when_loose(control: Exchange, x: Exchange) -> Findings:
    """Whether each keyword is enforced, ignored, or refused under `strict: false`."""
    yield Observed(treatment(control, x), LOOSE[x.key].word)


@area.should(
    "words-are-no-server-error",
    sends=every_word,
    examples=len(WORDS),
    spec=STRUCTURED.at(
        "supported schemas",
        "If you turn on Structured Outputs by supplying `strict: true` and call the API with an unsupported JSON "
        "Schema, you will receive an error.",
    ),
    remedy="Take the keyword out of the schema, and check the answer in the client.",
)
def words_are_no_server_error(x: Exchange) -> Findings:
    """A strict schema with any one keyword of JSON Schema is answered or refused, never a server error."""
    if x.crashed:
        found = {"word": WORDS[x.key].word, "status": x.status, "message": message(x)[:300]}
        yield Finding(
            "server-error", "A keyword of JSON Schema causes a server error", expected="2xx or 4xx", found=found
        )
