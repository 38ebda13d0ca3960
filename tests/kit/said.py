"""What a run within a test, or a command, says: its exit code and its output as one line."""

from __future__ import annotations

import pytest

from conformance.cli.main import main


def said(pytester: pytest.Pytester, *options: str) -> tuple[int, str]:
    """The exit code, and the output as one line."""
    result = pytester.runpytest(*options)
    return int(result.ret), " ".join((result.stdout.str() + result.stderr.str()).split())


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code of `conformance` with these words, and all that was written, on one line."""
    code = main(list(words))
    out = capsys.readouterr()
    return code, " ".join((out.out + out.err).split())
