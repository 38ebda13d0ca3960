"""A mistake of the person who runs the suite: what is wrong, where, and what to do about it.

Raised at the edge (command line, `targets.yaml`, somebody's own checks) and shown as it is, without a traceback. It is
not for faults of a target (those are findings) nor for bugs of the suite (those keep their traceback).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

COULD_NOT_TEST = 6
"""The exit code where something could not be tested, and nothing is violated."""
MOST_SHOWN = 20  # more mistakes than this in one file have one cause, and the first ones tell it


class Mistake(Exception):
    """One clear message. `str()` is all of it: `where: message`, and a second line with the fix if there is one.

    `parts` holds the single mistakes when several were found together; otherwise only itself.
    """

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = fix
        self._parts: tuple[Mistake, ...] = ()

    @property
    def parts(self) -> tuple[Mistake, ...]:
        """The single mistakes this one is made of, in the order of the file."""
        return self._parts or (self,)

    def __str__(self) -> str:
        line = f"{self.where}: {self.message}" if self.where else self.message
        return f"{line}\n  {self.fix}" if self.fix else line


def together(mistakes: Sequence[Mistake], *, where: str) -> Mistake:
    """One Mistake of one or more: a single one stays what it is, several become numbered lines."""
    if len(mistakes) == 1:
        return mistakes[0]
    lines = [f"{number}. {each}".replace("\n", "\n   ") for number, each in enumerate(mistakes, start=1)]
    if (more := len(lines) - MOST_SHOWN) > 0:
        lines[MOST_SHOWN:] = [f"and {more} more"]
    whole = Mistake("\n  ".join([f"{len(mistakes)} mistakes", *lines]), where=where)
    whole._parts = tuple(mistakes)
    return whole


def nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean ...?` for the known word that is closest to `word`, or nothing when none is close."""
    by_folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word.casefold()[:80], by_folded, n=1, cutoff=0.6)
    return f"did you mean `{by_folded[close[0]]}`?" if close else ""


class CouldNotTest(Exception):
    """A target that cannot be tested at all. The message is one line: what happened, and what to do.

    `code` is why in a word for programs, one of `core.reason.Why`, where an answer (or none) is the reason.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code
