"""What happens to your application when the OpenAI-compatible endpoint behind it changes.

The names that a check of your own needs:

    from conformance import MUST, SPEC, Area, Exchange, Finding, Findings, chat, check

pytest imports this package in every run of every project that it is installed for: so each name is fetched when it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.checks.catalogue import catalogue
    from conformance.core.check import ANSWER, ANYTHING, OK, REPLY, Area, Check, Needs, check, each
    from conformance.core.exchange import Chunk, Ending, Exchange, How
    from conformance.core.finding import Finding, Findings, Kind, Observed, Outcome, Unsupported, Unwitnessed
    from conformance.core.mistake import Mistake
    from conformance.core.probe import MODEL, Chain, Probe
    from conformance.core.requirement import MAY, MUST, NOTE, SHOULD, SPEC, Level, Reference, Source
    from conformance.core.version import __version__
    from conformance.probes.chat import chat, get, raw, streamed

_HOMES = {
    "checks.catalogue": "catalogue",
    "core.check": "ANSWER ANYTHING Area Check Needs OK REPLY check each",
    "core.exchange": "Chunk Ending Exchange How",
    "core.finding": "Finding Findings Kind Observed Outcome Unsupported Unwitnessed",
    "core.mistake": "Mistake",
    "core.probe": "Chain MODEL Probe",
    "core.requirement": "Level MAY MUST NOTE Reference SHOULD SPEC Source",
    "core.version": "__version__",
    "probes.chat": "chat get raw streamed",
}
_HOME = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "ANSWER", "ANYTHING", "MAY", "MODEL", "MUST", "NOTE", "OK", "REPLY", "SHOULD", "SPEC",
    "Area", "Chain", "Check", "Chunk", "Ending", "Exchange", "Finding", "Findings", "How", "Kind", "Level", "Mistake", "Needs",
    "Observed", "Outcome", "Probe", "Reference", "Source", "Unsupported", "Unwitnessed",
    "__version__", "catalogue", "chat", "check", "each", "get", "raw", "streamed",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, from the module where it lives."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
