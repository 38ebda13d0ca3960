"""`targets.yaml` -> Targets. All mistakes of a file are told at once, each with its line. No secret is looked up."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from conformance.core import yaml_lines as marked
from conformance.core.capabilities import UPSTREAM
from conformance.core.documents import text_of
from conformance.core.mistake import Mistake, nearest, together
from conformance.core.secret import Secret, shape, shown
from conformance.core.verdict import Waiver
from conformance.core.yaml_lines import Document, Problem, Unreadable
from conformance.targets.kinds import KINDS, Kind
from conformance.targets.quantities import url_problem
from conformance.targets.stanza import NAME, Stanza, Unshown, judged
from conformance.targets.target import Target, place

FILE_NAME = "targets.yaml"
CONTAINER = "container"  # of a target whose front door is emulated: the target behind it
MOST_BYTES = 2**20  # a longer file is something else under the same name
EXAMPLE = "targets: {my-server: {kind: openai, base_url: 'http://127.0.0.1:8000/v1'}}"

REFERENCE = Target("reference", "reference", source="built in", claims=None)
"""Always there, also without a file."""


@dataclass(frozen=True)
class Targets:
    """The targets of a file by name, in its order, the reference among them."""

    file: Path
    by_name: Mapping[str, Target]

    def __iter__(self) -> Iterator[Target]:
        return iter(self.by_name.values())


def find(start: Path) -> Path | None:
    """The `targets.yaml` of a folder or the nearest one above it, up to the root of its repository.

    Outside a repository only the folder itself counts: what lies further up is somebody else's.
    """
    start = start.absolute()
    above = [start, *start.parents]
    root = next((index for index, each in enumerate(above) if _there(each / ".git")), 0)
    return next((each / FILE_NAME for each in above[: root + 1] if _there(each / FILE_NAME)), None)


def read(path: Path) -> Targets:
    """The targets of the file. Raises Mistake with everything that is wrong with it."""
    source = as_shown(path)
    try:
        document = Document(text_of(path, source, MOST_BYTES, ": is it really the list of targets?"))
        targets, problems = _targets(document, path, source)
    except Unreadable as unreadable:
        targets, problems = {}, [unreadable.problem]
    except RecursionError:
        targets, problems = {}, [Problem((), 1, "is nested too deeply")]
    if problems:
        mistakes = [_mistake(each, source) for each in sorted(dict.fromkeys(problems), key=lambda each: each.line)]
        raise together(mistakes, where=source)
    return Targets(path, {REFERENCE.name: REFERENCE} | targets if REFERENCE.name not in targets else targets)


def as_shown(path: Path) -> str:
    """The path as messages name it: relative where it is below the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # not ours to look into
        return False


def _targets(document: Document, path: Path, source: str) -> tuple[dict[str, Target], list[Problem]]:
    secrets = list(_exposed(document))
    exposed = {each.path for each in secrets}
    top, problems = _top(document)
    problems += [*document.problems, *secrets]
    targets: dict[str, Target] = {}
    upstreams: dict[str, str] = {}
    for name, data in top.items():
        stanza, faults = judged(data)
        here = ("targets", name)
        if not NAME.fullmatch(name):
            faults.append(((), "must have a name of letters, digits, dots, dashes and underscores only"))
        if name == REFERENCE.name and isinstance(data, dict) and data.get("kind") not in (None, "reference"):
            faults.append((("kind",), "must be reference: the name is taken by the embedded server"))
        problems += [
            Problem((*here, *inside), document.line_of_key((*here, *inside)), message)
            for inside, message in faults
            if (*here, *inside) not in exposed
        ]
        if stanza and not faults:
            targets[name] = _target(document, name, stanza, data, path, source)
            if stanza.upstream:
                upstreams[name] = stanza.upstream
    problems += _linked(targets, upstreams, top, document)
    return targets, problems


def _linked(
    targets: dict[str, Target], upstreams: Mapping[str, str], top: Mapping[str, Any], document: Document
) -> Iterator[Problem]:
    """Give targets that name another one (`container:`, `upstream:`) that one; the problems are of names that lead nowhere."""
    containers = {name: target.options[CONTAINER] for name, target in targets.items() if CONTAINER in target.options}
    known = {REFERENCE.name: REFERENCE, **targets}
    for key, named in ((CONTAINER, containers), (UPSTREAM, upstreams)):
        for name, wanted in named.items():
            here = ("targets", name, key)
            message = ""
            if wanted not in known and wanted in top:
                continue  # its own stanza is wrong, and that has been said
            if wanted not in known:
                hint = nearest(wanted, known) or f"there are: {', '.join(known)}"
                message = f"must be a target of this file, not {shown(wanted)} ({hint})"
            elif key == CONTAINER and known[wanted].kind == targets[name].kind:
                message = (
                    "must be a server behind the front door, such as a reference or vllm target: this one is a door"
                    " itself"
                )
            elif name in _chain(wanted, upstreams):
                message = "leads back to this target: an upstream is another one"
            if message:
                yield Problem(here, document.line_of_key(here), message)
    for name in (*containers, *upstreams):
        behind = _chain(name, upstreams)
        if all(one in known for one in behind) and len(behind) == len(set(behind)):
            targets[name] = _with_behind(behind, containers, known)


def _chain(name: str, upstreams: Mapping[str, str]) -> list[str]:
    """The target, its upstream, that one's upstream; as far as none comes twice."""
    chain = [name]
    while (name := upstreams.get(name, "")) and name not in chain[1:]:
        chain.append(name)
    return chain


def _with_behind(chain: list[str], containers: Mapping[str, str], known: Mapping[str, Target]) -> Target:
    """The first target of a chain, with all that stands behind it."""
    name, *rest = chain
    upstream = _with_behind(rest, containers, known) if rest else None
    return replace(known[name], container=known.get(containers.get(name, "")), upstream=upstream)


def _top(document: Document) -> tuple[dict[str, Any], list[Problem]]:
    """What is under `targets:`, and what is wrong around it."""
    data = document.data
    if not isinstance(data, dict):
        return {}, [Problem((), document.line(()), f"must be a mapping, such as: {EXAMPLE}")]
    problems = []
    for key in data:
        if key != "targets":
            hint = nearest(key, ["targets"]) or "the only one is `targets`, and the targets are indented under it"
            problems.append(Problem((key,), document.line_of_key((key,)), f"is no key here ({hint})"))
    if "targets" not in data:
        problems += [] if problems else [Problem((), 1, f"has no `targets:`, such as: {EXAMPLE}")]
        return {}, problems
    line = document.line_of_key(("targets",))
    targets = data["targets"]
    if not targets:
        empty = Problem(("targets",), line, f"is empty: write a target, such as: {EXAMPLE}")
        return {}, problems if document.problems else [*problems, empty]  # what was in it could not be read
    if not isinstance(targets, dict):
        return {}, [*problems, Problem(("targets",), line, "must be a mapping from names to targets")]
    return targets, problems


def _exposed(document: Document) -> Iterator[Problem]:
    """What looks like a secret, wherever it is."""
    for scalar in document.scalars():
        if meaning := shape(scalar.text):
            message = f"looks like {meaning}: keep it in an environment variable and name that, as ${{VARIABLE}}"
            if scalar.path[-1:] == ("base_url",) and (problem := url_problem(scalar.text)):
                message = problem
            yield Problem(scalar.path, scalar.line, message)


def _mistake(problem: Problem, source: str) -> Mistake:
    if not problem.path:
        return Mistake(problem.message, where=place(source, problem.line))
    path = shown(".".join("..." if isinstance(each, Unshown) else str(each) for each in problem.path), most=120)
    return Mistake(f"{path} {problem.message}", where=place(source, problem.line))


def _carried(kind: Kind, options: Mapping[str, str], written: Iterable[str]) -> dict[str, str]:
    """The options of a kind that travel as headers, but for those that are written as such."""
    names = {each.casefold() for each in written}
    return {
        each.header: options[name]
        for name, each in kind.options.items()
        if each.header and name in options and each.header not in names
    }


def _target(document: Document, name: str, stanza: Stanza, data: Any, path: Path, source: str) -> Target:
    here: marked.Path = ("targets", name)
    kind = KINDS[stanza.kind]

    def line(*inside: str) -> int:
        return document.line_of_key((*here, *inside))

    def placed(values: Mapping[str, str | Secret], *inside: str) -> dict[str, str | Secret]:
        return {
            each: value.at(place(source, line(*inside, each))) if isinstance(value, Secret) else value
            for each, value in values.items()
        }

    options = {option: str(data[option]) for option in kind.options if data.get(option) is not None}
    base_url, key = stanza.base_url or kind.url(options), stanza.key
    if stanza.launch is not None:
        base_url = None
    elif stanza.base_url is None and key is None and kind.variable:
        key = Secret(kind.variable)
    launch = stanza.launch
    if launch is not None:
        launch = launch.model_copy(update={"env": placed(launch.env, "launch", "env")})
    return Target(
        name,
        stanza.kind,
        base_url=base_url,
        model=options.get(kind.model) if stanza.model is None else stanza.model,
        key=key.at(place(source, line("key"))) if key else None,
        headers={**_carried(kind, options, stanza.headers), **placed(stanza.headers, "headers")},
        claims=None if stanza.claims is None else frozenset(stanza.claims),
        disclaims=frozenset(stanza.disclaims),
        limits=stanza.limits,
        waives=tuple(
            Waiver(check, each.because, each.owner, each.issue, each.until, line("waives", check), each.codes)
            for check, each in stanza.waives.items()
        ),
        launch=launch,
        directory=path.absolute().parent,
        price=stanza.price,
        profile=None if stanza.profile is None else document.typed((*here, "profile")),
        query=urlencode(
            {each.query: options[name] for name, each in kind.options.items() if each.query and name in options}
        ),
        options=options,
        source=source,
        line=line(),
    )
