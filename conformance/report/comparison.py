"""What differs between a baseline and a candidate, in words: for a terminal, for Markdown, and as a JSON value.

What breaks comes first. What a server said is shown as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console

from conformance.analysis.comparison import Comparison
from conformance.analysis.differences import NOT_ASKED, Difference, Relation
from conformance.analysis.wire import Change
from conformance.core.finding import Finding
from conformance.core.mistake import Mistake, nearest
from conformance.core.reading.json import ABSENT
from conformance.core.text import legible, listed, number_of, value_text
from conformance.evidence.exchanges import Recording
from conformance.report.markdown import code, folded, plain
from conformance.report.side_by_side import change_line, pair
from conformance.report.side_by_side import told as pair_told
from conformance.report.text import Page

TOLD = (Relation.BREAKS, Relation.DIFFERENTLY, Relation.IMPROVES, Relation.DIFFERS)
"""The relations whose differences are told one by one, in this order."""
BRIEF = (Relation.ALIKE, Relation.INCOMPARABLE)
"""Those of which only the requirements are listed."""
STYLES = {
    Relation.BREAKS: "bold red",
    Relation.DIFFERENTLY: "red",
    Relation.IMPROVES: "green",
    Relation.DIFFERS: "yellow",
    Relation.ALIKE: "dim",
    Relation.INCOMPARABLE: "dim bold",
}
MOST = 40
"""Requirements of one relation that are told; of more, the rest is listed."""
FIELDS = 20
"""Ways in which answers differ that are told."""
FEW = 3
"""Differences told of one requirement."""
UNASKED = tuple(NOT_ASKED.format(who) for who in ("baseline", "candidate"))
NONE_IN_COMMON = "nothing can be compared: there is no requirement that both were judged by"


def in_words(one: Comparison) -> str:
    """The comparison in one line."""
    baseline, candidate = (legible(name, 100) for name in one.names)
    counts = [f"{relation.value}: {one.counts[relation]}" for relation in (*TOLD, *BRIEF) if one.counts[relation]]
    said = "; ".join(counts) or "no difference"
    return f"{candidate} against {upstream(one)}{baseline}: {NONE_IN_COMMON if not one.common else said}"


def upstream(one: Comparison) -> str:
    """What is said before the name of a baseline that stands behind the candidate."""
    return "its upstream " if one.behind else ""


def style(one: Comparison) -> str:
    """How that line is shown."""
    if one.counts[Relation.BREAKS]:
        return STYLES[Relation.BREAKS]
    return "bold yellow" if not one.common or one.counts[Relation.DIFFERENTLY] else "bold green"


def told(console: Console, one: Comparison, *, verbose: bool = False) -> None:
    """Write what differs: all of it with `verbose`."""
    page = Page(console, lambda target, key: None, verbose)
    baseline, candidate = one.names
    page.head(legible(f"{candidate} against {upstream(one)}{baseline}", 200), "bold")
    for caveat in one.caveats:
        page.say(legible(caveat, 300), "yellow")
    if not one.common:
        page.say(NONE_IN_COMMON, "bold yellow")
    for relation in TOLD:
        _told(page, one, relation)
    for relation in BRIEF:
        for reason, checks in by_reason(one.of(relation)):
            if reason in UNASKED and not verbose:
                continue  # a caveat has said how many
            ids = legible(listed(checks, 0 if verbose else 6))
            page.say(f"{relation.value}: {legible(reason, 200)}{': ' if reason else ''}{ids}", STYLES[relation])
    _changes(page, one)


def _changes(page: Page, one: Comparison) -> None:
    """How the answers differ, whatever any requirement says of it."""
    if not one.pairs:
        return
    if not one.changes:
        page.say(f"the answers to {number_of(one.pairs, 'request')} differ in nothing that matters", "dim")
        return
    touched = len({key for change in one.changes for key in change.keys})
    page.say(f"answers that differ, field by field: {touched} of {one.pairs}", "bold")
    shown = one.changes if page.verbose else one.changes[:FIELDS]
    for change in shown:
        page.say(change_line(change, one.names, one.pairs), indent=2)
    if len(one.changes) > len(shown):
        page.say(f"and {len(one.changes) - len(shown)} more ways", "dim", 2)


def _told(page: Page, one: Comparison, relation: Relation) -> None:
    every = one.of(relation)
    groups = by_check([difference for difference in every if not unsupported(difference)])
    if not every:
        return
    page.say(f"{relation.value}: {number_of(len(by_check(every)), 'requirement')}", STYLES[relation])
    shown = groups if page.verbose else groups[:MOST]
    for group in shown:
        first = group[0]
        page.say(f"{legible(first.check, 100)}  {first.level}  {legible(first.title, 300)}", indent=2)
        few = group if page.verbose else group[:FEW]
        for difference in few:
            page.say(sentence(difference, *one.names), indent=6)
        if len(group) > len(few):
            page.say(f"and {len(group) - len(few)} more", "dim", 6)
    if len(groups) > len(shown):
        page.say("and " + legible(listed(group[0].check for group in groups[len(shown) :])), "dim", 2)
    for said, checks in by_support(every):
        page.say(f"{legible(said, 300)}: {legible(listed(checks, 0 if page.verbose else 6))}", indent=2)


def unsupported(one: Difference) -> bool:
    """Whether it is that one side does not support something at all: many requirements have one reason then."""
    return bool(one.reason) and not one.code


def by_support(differences: Sequence[Difference]) -> list[tuple[str, list[str]]]:
    """What only one side supports: the reason, and the requirements; the most first."""
    groups: dict[str, list[str]] = {}
    for one in filter(unsupported, differences):
        groups.setdefault(sentence(one, "", ""), []).append(one.check)
    return sorted(groups.items(), key=lambda group: -len(group[1]))


def pairs_told(console: Console, one: Comparison, check: str, *, verbose: bool = False) -> None:
    """Write what differs in one requirement, and the answers that both were judged by. Raises Mistake for an unknown one."""
    results = [run.by_check.get(check) for run in (one.baseline, one.candidate)]
    told_of = next((result for result in reversed(results) if result), None)
    if told_of is None:
        hint = (
            nearest(check, {**one.baseline.by_check, **one.candidate.by_check})
            or "`conformance diff A B` lists what differs"
        )
        raise Mistake(f"neither run judged `{check}`; {hint}")
    page = Page(console, lambda target, key: None, verbose)
    page.say(f"{legible(told_of.check)}  {told_of.level}  {legible(told_of.title)}", "bold")
    for difference in one.differences:
        if difference.check == check:
            page.say(f"{difference.relation.value}: {sentence(difference, *one.names)}", STYLES[difference.relation], 2)
    old, new = (Recording(run.evidence, forgiving=True) for run in (one.baseline, one.candidate))
    wanted = dict.fromkeys(key for result in reversed(results) if result for key in result.keys)
    keys = [key for key in wanted if key in old and key in new]
    findings = [finding for result in results if result for finding in result.findings]
    for number, key in enumerate(keys[: None if verbose else FEW], 1):
        page.head(f"answer {number} of {len(keys)}: {key[:8]}", "bold")
        pair_told(page, pair((one.baseline, one.candidate), (old[key], new[key]), findings, one.names))
    if not keys:
        page.say("no request that it was judged by was answered by both", "dim")
    old.close()
    new.close()


def by_check(differences: Sequence[Difference]) -> list[tuple[Difference, ...]]:
    """The differences of each requirement."""
    return [tuple(group) for _, group in groupby(differences, key=lambda one: one.check)]


def by_reason(differences: Sequence[Difference]) -> list[tuple[str, list[str]]]:
    """The requirements by the reason that is given; the most frequent first."""
    groups: dict[str, dict[str, None]] = {}
    for one in differences:
        groups.setdefault(one.reason, {})[one.check] = None
    return sorted(((reason, list(checks)) for reason, checks in groups.items()), key=lambda group: -len(group[1]))


def sentence(one: Difference, baseline: str, candidate: str) -> str:
    """What differs, where, and what each of the two did."""
    where = f" at {legible(one.place, 120)}" if one.place else ""
    if unsupported(one):
        said = legible(str(one.candidate or one.baseline or ""), 200)
        return f"{one.reason}{where}{f': {said}' if said else ''}"
    head = f"{legible(one.message, 200) or 'observed'}{where}{f' ({one.reason})' if one.reason else ''}"
    judged = isinstance(one.baseline, Finding) or isinstance(one.candidate, Finding)
    sides = (
        f"{legible(name, 60)} {_did(side, judged)}"
        for name, side in ((baseline, one.baseline), (candidate, one.candidate))
    )
    return f"{head}: {', '.join(sides)}"


def _did(side: Any, judged: bool) -> str:
    """What one side did, as a predicate."""
    if side is None:
        return "conforms" if judged else "has nothing of the kind"
    if isinstance(side, Finding):
        return "does not conform" if side.found is ABSENT else f"has {value_text(side.found, 80)}"
    return f"has {value_text(side, 80)}"


def markdown(one: Comparison) -> str:
    """The comparison for a pull request."""
    parts = [f"### {plain(in_words(one), 400)}", *(f"> {plain(caveat, 300)}" for caveat in one.caveats)]
    for relation in TOLD:
        every = one.of(relation)
        groups = by_check([difference for difference in every if not unsupported(difference)])
        if not every:
            continue
        lines = []
        for group in groups[:MOST]:
            lines.append(f"- {code(group[0].check)} {group[0].level}: {plain(group[0].title, 300)}")
            lines += [f"  - {plain(sentence(difference, *one.names), 400)}" for difference in group[:FEW]]
        if len(groups) > MOST:
            lines.append(f"- and {len(groups) - MOST} more")
        lines += [f"- {plain(said, 300)}: {code(listed(checks, 20))}" for said, checks in by_support(every)]
        title = f"{relation.value}: {number_of(len(by_check(every)), 'requirement')}"
        body = "\n".join(lines)
        parts.append(f"**{title}**\n\n{body}" if relation is Relation.BREAKS else folded(title, body))
    for relation in BRIEF:
        if groups_of := by_reason(one.of(relation)):
            body = "\n".join(f"- {plain(reason, 200)} {code(listed(checks, 40))}" for reason, checks in groups_of)
            parts.append(folded(f"{relation.value}: {one.counts[relation]}", body))
    if one.changes:
        lines = [f"- {plain(change_line(change, one.names, one.pairs), 400)}" for change in one.changes[:FIELDS]]
        if len(one.changes) > FIELDS:
            lines.append(f"- and {len(one.changes) - FIELDS} more")
        parts.append(folded("answers that differ, field by field", "\n".join(lines)))
    return "\n\n".join(parts) + "\n"


def to_json(one: Comparison) -> dict[str, Any]:
    """The comparison as a JSON value."""
    return {
        "baseline": _run(one, 0),
        "candidate": _run(one, 1),
        "caveats": list(one.caveats),
        "common": one.common,
        "counts": {relation.value: one.counts[relation] for relation in Relation},
        "differences": list(_differences(one)),
        "answers": {"compared": one.pairs, "changes": [_change(change) for change in one.changes]},
    }


def _run(one: Comparison, side: int) -> dict[str, Any]:
    run = (one.baseline, one.candidate)[side]
    header = run.header
    return {
        "name": one.names[side],
        "target": run.target,
        "directory": str(run.directory),
        "started": header.started,
        "suite": header.suite,
        "model": header.model,
        "complete": run.complete,
    }


def _differences(one: Comparison) -> Iterator[dict[str, Any]]:
    for difference in one.of(*TOLD, *BRIEF):
        yield {
            "check": difference.check,
            "level": difference.level.value,
            "title": difference.title,
            "relation": difference.relation.value,
            "code": difference.code,
            "message": difference.message,
            "place": difference.place,
            "baseline": _side(difference.baseline),
            "candidate": _side(difference.candidate),
            "reason": difference.reason,
            "on": difference.on,
        }


def _change(change: Change) -> dict[str, Any]:
    one = change.departure
    sides = {"baseline": one.baseline, "candidate": one.candidate}
    return {"sort": one.sort, "place": one.place, **sides, "on": list(change.keys)}


def _side(side: Any) -> Any:
    if not isinstance(side, Finding):
        return None if side is None else {"value": side}
    value: dict[str, Any] = {"at": side.at, "on": side.on}
    for name in ("expected", "found"):
        if (one := getattr(side, name)) is not ABSENT:
            value[name] = one
    return value
