"""`targets.yaml` as text: written where a test is, and the mistake that is in it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from conformance.core.mistake import Mistake
from conformance.targets import read


def written(here: Path, text: str) -> Path:
    """A `targets.yaml` with the text."""
    path = here / "targets.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return path


def mistake_in(here: Path, text: str) -> Mistake:
    """The Mistake that the text is."""
    with pytest.raises(Mistake) as caught:
        read(written(here, text))
    return caught.value


def stanza_of(body: str) -> str:
    """A file whose only target `a` starts on line 2, its body on line 3."""
    return "targets:\n  a:\n" + textwrap.indent(textwrap.dedent(body), "    ")
