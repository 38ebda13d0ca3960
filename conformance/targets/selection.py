"""`--target` -> the targets of a run: by name, by pattern, by URL, or a recorded run. Here secrets are looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from conformance.core.mistake import Mistake, nearest, together
from conformance.core.secret import Secret, shown
from conformance.targets.file import EXAMPLE, FILE_NAME, REFERENCE, Targets, as_shown, read
from conformance.targets.kinds import KINDS, OPENAI
from conformance.targets.quantities import url_problem
from conformance.targets.target import Target

OPTION = "--target"
REPLAY = "replay:"
OWN_KEY = "CONFORMANCE_KEY"  # the variable with the key for a URL, so that OpenAI's key never goes to another host


def select(wanted: Sequence[str], *, file: Path | None, environ: Mapping[str, str]) -> list[Target]:
    """The wanted targets with their secrets, each once, in the order asked for.

    `file` is the `targets.yaml` to look names up in, as `find` gives it. It is read only if there is a name to look up.
    Raises Mistake for what is unknown, what is wrong in the file, and variables that are not set.
    """
    targets: Targets | None = None
    selected: list[Target] = []
    for each in wanted:
        if each.startswith(REPLAY):
            found = [_recorded(each)]
        elif "://" in each:
            found = [_of_url(each, environ)]
        else:
            if targets is None and file is not None:
                targets = read(file)
            found = named(each, targets)
        selected += found
    return with_secrets(_distinct(selected), environ)


def named(wanted: str, targets: Targets | None) -> list[Target]:
    """The targets of a name or a pattern, without their secrets. Raises Mistake where there is none."""
    known = targets.by_name if targets else {REFERENCE.name: REFERENCE}
    if wanted in known:
        return [known[wanted]]
    if any(each in wanted for each in "*?["):
        if matching := [known[name] for name in known if fnmatchcase(name, wanted)]:
            return matching
        raise Mistake(f"no target matches {shown(wanted)}; {_looked_in(targets)}", where=OPTION)
    if not wanted.strip():
        raise Mistake(f"needs a name, a pattern, a URL or {REPLAY}DIR; {_looked_in(targets)}", where=OPTION)
    if re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]{1,5}(/[A-Za-z0-9._/-]*)?", wanted):
        url = f"http://{wanted}" if "/" in wanted else f"http://{wanted}/v1"
        raise Mistake(f"{shown(wanted)} is no target; did you mean the URL {shown(url)}?", where=OPTION)
    hint = nearest(wanted, known)
    message = f"there is no target {shown(wanted)}{f' ({hint})' if hint else ''}; {_looked_in(targets)}"
    raise Mistake(message, where=OPTION, fix="" if targets else _how_to_make_one())


def _looked_in(targets: Targets | None) -> str:
    if targets is None:
        return f"no {FILE_NAME} in {Path.cwd()} or above it in its repository, so there is only `{REFERENCE.name}`"
    names = list(targets.by_name)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{as_shown(targets.file)} has {', '.join(names[:12])}{more}"


def _how_to_make_one() -> str:
    return f"to make one, write this line to {FILE_NAME}: {EXAMPLE}"


def _of_url(url: str, environ: Mapping[str, str]) -> Target:
    if problem := url_problem(url):
        raise Mistake(f"the target {problem}", where=OPTION)
    parts, openai = urlsplit(url), urlsplit(OPENAI)
    key: Secret | None = None
    if (parts.scheme, parts.netloc.casefold()) == (openai.scheme, openai.netloc):
        key = Secret(KINDS["openai"].variable or "", where=OPTION)
    elif environ.get(OWN_KEY):
        key = Secret(OWN_KEY, where=OPTION)
    path = parts.path.rstrip("/")
    name = _as_name(parts.netloc.casefold() + ("" if path == "/v1" else path))
    return Target(name, "openai", base_url=url.rstrip("/"), key=key, directory=Path.cwd(), source=OPTION)


def _recorded(wanted: str) -> Target:
    written = wanted.removeprefix(REPLAY)
    if not written:
        example = f"{REPLAY}reports/my-server/TIME"
        raise Mistake(f"{REPLAY} needs the folder of a recorded run, such as {example}", where=OPTION)
    directory = Path(written).expanduser()
    try:
        directory = directory.resolve()
        is_folder, beside = directory.is_dir(), [each.name for each in directory.parent.iterdir() if each.is_dir()]
    except (OSError, ValueError):
        is_folder, beside = False, []
    if not is_folder:
        hint = nearest(directory.name, beside) or "recorded runs are under reports/<target>/<time>"
        raise Mistake(f"there is no folder {shown(written)} to replay ({hint})", where=OPTION)
    return Target(
        _as_name("-".join(("replay", *directory.parts[-2:]))),
        "replay",
        directory=directory,
        source=OPTION,
    )


def _as_name(text: str) -> str:
    """The text as the name of a target: one that a folder and a node id can have."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-._")[:100] or "target"


def _distinct(targets: Iterable[Target]) -> list[Target]:
    """Each target once; of different ones with the same name, the later gets a number."""
    kept: dict[str, Target] = {}
    for target in targets:
        name, number = target.name, 1
        while name in kept and kept[name] != replace(target, name=name):
            number += 1
            name = f"{target.name}-{number}"
        kept.setdefault(name, replace(target, name=name))
    return list(kept.values())


def with_secrets(targets: Iterable[Target], environ: Mapping[str, str]) -> list[Target]:
    """The targets with their secrets looked up. Raises Mistake for every variable that is not set."""
    missing: dict[str, Mistake] = {}

    def known(secret: Secret, target: Target, part: str) -> Secret:
        if problem := _variable_problem(environ.get(secret.name), part):
            missing.setdefault(
                secret.name,
                Mistake(
                    f"${{{secret.name}}} {problem}, and the target `{target.name}` needs it as {part}",
                    where=secret.where,
                    fix=f"export {secret.name}=...",
                ),
            )
            return secret
        return secret.from_environment(environ)

    def all_known(values: Mapping[str, str | Secret], target: Target, part: str) -> dict[str, str | Secret]:
        return {
            name: known(value, target, f"{part}.{name}") if isinstance(value, Secret) else value
            for name, value in values.items()
        }

    def filled(target: Target) -> Target:
        key = known(target.key, target, "key") if target.key else None
        headers = all_known(target.headers, target, "headers")
        launch = target.launch
        if launch:
            launch = launch.model_copy(update={"env": all_known(launch.env, target, "launch.env")})
        container = filled(target.container) if target.container else None
        upstream = filled(target.upstream) if target.upstream else None
        return replace(target, key=key, headers=headers, launch=launch, container=container, upstream=upstream)

    complete = [filled(target) for target in targets]
    if missing:
        raise together(list(missing.values()), where=OPTION)
    return complete


def _variable_problem(value: str | None, part: str) -> str | None:
    if value is None:
        return "is not set"
    if not value.strip():
        return "is empty"
    if part.startswith("launch.env"):
        return None
    if value != value.strip():
        return "has a space or line break before or after it"
    if not (value.isascii() and value.isprintable()):
        return "has characters in it that no header can carry"
    return None
