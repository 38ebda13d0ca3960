"""What an application needs of an endpoint, and which checks that makes matter.

The features are data (`fixtures/features.yaml`), and every request parameter is one too. Needs are said by a person, or read off
the requests that an application sends. Nothing is asked of any target here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import Field

from conformance.analysis.coverage import coverage
from conformance.core.documents import Written, shipped
from conformance.core.mistake import Mistake, nearest
from conformance.evidence.record import Result

ANY = "any"
"""In the data: whatever value a member has, it shows the need."""
BY_PARAMETER = ("parameters", "sampling")
"""Areas whose checks are each about some request parameters."""

SPOKEN_FOR = frozenset({"messages", "model", "response_format"})
"""Request parameters that are no needs of their own: every request has them, or what is in them shows the need."""


class Feature(Written):
    """Something that an application may need."""

    name: str = ""
    says: str
    areas: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    capability: str = ""
    members: Mapping[str, Any] = Field(default_factory=dict)
    parts: tuple[str, ...] = ()
    path: str = ""
    always: bool = False


class _File(Written):
    features: Mapping[str, Feature]


@cache
def features() -> dict[str, Feature]:
    """Every feature by name; request parameters that no other feature stands for come last."""
    written = shipped("features.yaml", _File).features
    found = {name: one.model_copy(update={"name": name}) for name, one in written.items()}
    spoken_for = {member for one in found.values() for member in one.members} | SPOKEN_FOR
    for name in (entry.id for entry in coverage().parameters if entry.id not in spoken_for):
        found.setdefault(name, Feature(name=name, says=f"The request parameter `{name}`", members={name: ANY}))
    return found


def understood(words: Iterable[str], where: str = "--conformance-needs") -> frozenset[str]:
    """The features that these words name: features, capabilities of targets, or request parameters. Raises Mistake."""
    known = features()
    by_capability = {one.capability: one.name for one in known.values() if one.capability}
    needs = {name for name, one in known.items() if one.always}
    for word in (part.strip() for one in words for part in one.split(",")):
        name = word if word in known else by_capability.get(word, "")
        if not word:
            continue
        if not name:
            hint = nearest(word, [*known, *by_capability]) or f"there are: {', '.join(known)}"
            raise Mistake(f"nothing that can be needed is called `{word}` ({hint})", where=where)
        needs.add(name)
    return frozenset(needs)


def everything() -> frozenset[str]:
    """All features: the needs of an application about which nothing is said."""
    return frozenset(features())


def shown_by(path: str, body: Any) -> Iterator[str]:
    """The features that a request shows to be needed, by its path below the base URL and its JSON body."""
    body = body if isinstance(body, dict) else {}
    parts = {
        part.get("type")
        for message in body.get("messages") or ()
        if isinstance(message, dict) and isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict)
    }
    for name, one in features().items():
        by_path = bool(one.path) and path.strip("/") == one.path
        by_member = any(member in body and value in (ANY, body[member]) for member, value in one.members.items())
        if not one.always and (by_path or by_member or parts.intersection(one.parts)):
            yield name
    yield from _further(body)


def _further(body: Mapping[str, Any]) -> Iterator[str]:
    """Needs that no single member shows."""
    wanted = body.get("response_format")
    if isinstance(wanted, dict):
        yield from {"json_schema": ("structured",), "json_object": ("json-mode",)}.get(str(wanted.get("type")), ())
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        yield "allowed-tools"
    tools = [one for one in body.get("tools") or () if isinstance(one, dict)]
    if any(one.get("type") == "custom" for one in tools):
        yield "custom-tools"
    if any(isinstance(one.get("function"), dict) and one["function"].get("strict") for one in tools):
        yield "strict-tools"
    if any(isinstance(one, dict) and one.get("role") == "developer" for one in body.get("messages") or ()):
        yield "developer-role"


def about(result: Result) -> frozenset[str]:
    """The features that a check is about, by its area and by what it requires of a target."""
    known = features()
    by_area = {one.name for one in known.values() if result.area in one.areas or result.check in one.checks}
    by_capability = {one.name for one in known.values() if one.capability and one.capability in result.requires}
    return frozenset(by_area | by_capability)


def mainly(result: Result, needs: frozenset[str]) -> tuple[str, ...]:
    """The needed features that a check says most about: narrow ones before whole areas, any before what everybody needs."""
    known = features()
    wanted = [known[name] for name in known if name in about(result) & needs]
    narrow = [one.name for one in wanted if not one.areas]
    special = [one.name for one in wanted if not one.always]
    return tuple(narrow or special or [one.name for one in wanted])


def matters(result: Result, needs: frozenset[str]) -> bool:
    """Whether a check counts for an application with these needs: all that it is about is needed."""
    if not about(result) <= needs:
        return False
    if result.area not in BY_PARAMETER:
        return True
    parameters = [name for name, checks in _parameters().items() if result.check in checks]
    return not parameters or any(_standing_for(name) & needs for name in parameters)


@cache
def _parameters() -> dict[str, frozenset[str]]:
    """The checks of each request parameter."""
    return {one.id: frozenset(one.checks) for one in coverage().parameters}


@cache
def _standing_for(parameter: str) -> frozenset[str]:
    """The features that stand for a request parameter: those with the member, else the one of its own name."""
    found = {one.name for one in features().values() if parameter in one.members}
    return frozenset(found | {parameter})
