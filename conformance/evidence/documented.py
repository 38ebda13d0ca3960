"""What a vendor documents of its own server, and whether a run saw it so. A claim is told beside the verdicts, and is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Seen(StrEnum):
    """What a run says of a documented deviation."""

    CONFIRMED = "confirmed"
    NOT_SEEN = "not seen"
    """The documentation is stale, or a setting differs."""
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Claim:
    """One documented deviation, and what the run says of it."""

    about: str
    """What deviates: a parameter, a member, a behaviour."""
    says: str
    """What is claimed of it, in a few words."""
    quote: str
    url: str
    seen: Seen
    found: str = ""
    """What was seen instead, or why nothing could be."""
    checks: tuple[str, ...] = ()
    """The checks that show it."""

    @property
    def sentence(self) -> str:
        """Where the vendor says it, and in which words."""
        return f'{BY_THE_VENDOR}: "{self.quote}" ({self.url})'

    def to_json(self) -> dict[str, object]:
        """As a line of a run has it."""
        return {
            "about": self.about,
            "says": self.says,
            "seen": self.seen.value,
            "found": self.found,
            "checks": list(self.checks),
            "quote": self.quote,
            "url": self.url,
        }


BY_THE_VENDOR = "documented by the vendor"


def tally(claims: Sequence[Claim]) -> str:
    """`3 confirmed, 1 not seen, 4 not tested`."""
    counts = Counter(claim.seen for claim in claims)
    return ", ".join(f"{counts[seen]} {seen}" for seen in Seen if counts[seen])
