"""From runs, needs and traffic to a decision, and to the files that it is written to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from conformance.analysis.migration.decision import Decision
from conformance.analysis.migration.proof import Evidence
from conformance.core.mistake import Mistake
from conformance.report.migration.json import to_json

FORMS = (".html", ".md", ".json")
"""What a report can be, by the end of its name."""


def checked(paths: Iterable[Path], where: str = "--conformance-migration") -> list[Path]:
    """The files that reports go to. Raises Mistake for one that is of no known form, or whose folder is not there."""
    found = list(paths)
    for path in found:
        if path.suffix not in FORMS:
            raise Mistake(
                f"a report cannot be `{path.suffix or path.name}`",
                where=where,
                fix=f"end the name in {', '.join(FORMS)}",
            )
        if not path.parent.is_dir():
            raise Mistake(f"there is no folder {path.parent}", where=where, fix="make it, or choose another")
    return found


def write(decision: Decision, paths: Iterable[Path]) -> None:
    """Write the decision to each file, in the form that its name says. Raises Mistake where it cannot be written."""
    from conformance.report.migration import html, markdown

    evidence = Evidence()
    for path in paths:
        match path.suffix:
            case ".html":
                text = html.render(decision, evidence)
            case ".md":
                text = markdown.render(decision, evidence)
            case _:
                text = json.dumps(to_json(decision, evidence), indent=2, ensure_ascii=False) + "\n"
        try:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as problem:
            raise Mistake(f"the report cannot be written: {problem.strerror}", where=str(path)) from None
