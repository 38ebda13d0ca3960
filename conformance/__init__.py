"""What happens to your application when the OpenAI-compatible endpoint behind it changes.

The names that a check of your own needs:

    from conformance import MUST, SPEC, Exchange, Finding, Findings, chat, check

pytest imports this package in every run that it is installed for, so nothing heavy is imported here.
"""

from __future__ import annotations

from conformance.checks.catalogue import catalogue
from conformance.core.check import ANSWER, ANYTHING, OK, REPLY, Check, Needs, check, each
from conformance.core.exchange import Chunk, Ending, Exchange, How
from conformance.core.finding import Finding, Findings, Kind, Observed, Outcome, Unsupported, Unwitnessed
from conformance.core.mistake import Mistake
from conformance.core.probe import MODEL, Chain, Probe
from conformance.core.requirement import MAY, MUST, NOTE, SHOULD, SPEC, Level, Reference, Source
from conformance.probes.chat import chat, get, raw, streamed

__version__ = "0.1.0"

__all__ = [
    "ANSWER", "ANYTHING", "MAY", "MODEL", "MUST", "NOTE", "OK", "REPLY", "SHOULD", "SPEC",
    "Chain", "Check", "Chunk", "Ending", "Exchange", "Finding", "Findings", "How", "Kind", "Level", "Mistake", "Needs",
    "Observed", "Outcome", "Probe", "Reference", "Source", "Unsupported", "Unwitnessed",
    "catalogue", "chat", "check", "each", "get", "raw", "streamed",
]  # fmt: skip
