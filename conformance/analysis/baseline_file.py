"""A baseline to be committed: what is known to be violated at a target, and what is not, in a small file that people can read.

It holds no bytes of any answer: a check, the code of a finding, and its place are what violations are told apart by; the
message is there for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field, model_validator

from conformance.analysis.regressions import spots
from conformance.core.documents import Written, document
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.requirement import Level
from conformance.evidence.former import code_of
from conformance.evidence.record import Footer, Header, Result
from conformance.evidence.run import REMARK, Run

FORM = 2
"""Of the file. A reader refuses a newer one; the first had no codes, and is read by the sentences of its findings."""
SUFFIXES = (".yaml", ".yml")
MADE = ("started", "suite", "model")
"""Of the header: when the run was made, and by what."""
WIDTH = 120
"""Characters of a line."""
OUTDATED = "{path} tells findings apart by their former sentences: make it anew with `conformance baseline`"

HEAD = """\
# What is known to be violated at {target}. Anything else fails:
# pytest --target {target} --conformance-fail-on new --conformance-baseline {name}
# Made by `conformance baseline`. A violation that is taken out by hand is new again. Messages are for people only.
"""


class Lenient(Written):
    """What is not known here is left alone: the file is edited by people."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class Found(Lenient):
    """A finding."""

    code: str = ""
    at: str = ""
    message: str = ""


class Violated(Lenient):
    """A requirement that is violated."""

    level: Level
    title: str = ""
    found: tuple[Found, ...]


class Baseline(Lenient):
    """The whole file."""

    form: int
    target: str
    made: Mapping[str, str | None] = Field(default_factory=dict)
    violated: Mapping[str, Violated] | None = None
    holds: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    unwitnessed: tuple[str, ...] = ()
    errored: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_a_known_form(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "form" not in data or "violated" not in data:
            raise ValueError(
                "is no baseline, as it has no `form` and no `violated`: `conformance baseline RUN -o FILE` makes one"
            )
        if not isinstance(data["form"], int) or data["form"] > FORM:
            raise ValueError(f"is of form {data['form']}, and this version reads up to {FORM}")
        return data


def text_of(run: Run, name: str) -> str:
    """The file that a run makes, which has been read to its end."""
    by_kind: dict[str, list[str]] = {}
    for result in run.results:
        by_kind.setdefault(result.outcome.kind.value, []).append(result.check)
    by_kind.pop(Kind.VIOLATED.value, None)
    violated = {
        result.check: Violated(
            level=result.level,
            title=result.title,
            found=tuple(Found(code=code, at=at, message=text) for (code, at), text in spots(result.outcome).items()),
        )
        for result in run.results
        if result.outcome.kind is Kind.VIOLATED
    }
    made = {name: getattr(run.header, name) for name in MADE}
    value = Baseline(form=FORM, target=run.target, made=made, violated=violated, **by_kind)
    body = yaml.safe_dump(
        value.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True, width=WIDTH
    )
    return HEAD.format(target=run.target, name=name) + body


def read(path: Path) -> Run:
    """The file as the run that it stands for. Raises Mistake, with the line where there is one."""
    value = document(path, Baseline)
    results = tuple(_results(value))
    made = {name: value.made.get(name) or "" for name in MADE}
    header = Header(value.target, selected=len(results), **made)  # type: ignore[arg-type]
    notes = ({"type": REMARK, "text": OUTDATED.format(path=path)},) if value.form < FORM else ()
    return Run(path, header, results, Footer(), notes=notes)


def _results(value: Baseline) -> Iterator[Result]:
    for check, told in (value.violated or {}).items():
        findings = tuple(Finding(one.code or code_of(check, one.message), one.message, one.at) for one in told.found)
        yield _result(check, Outcome(Kind.VIOLATED, findings), told.level, told.title)
    for kind in (Kind.HOLDS, Kind.UNSUPPORTED, Kind.UNWITNESSED, Kind.ERRORED):
        for check in getattr(value, kind.value):
            yield _result(check, Outcome(kind))


def _result(check: str, outcome: Outcome, level: Level = Level.MUST, title: str = "") -> Result:
    return Result(check, level, title or check, outcome, check.partition(".")[0])
