"""Carries probes to a recording: the same exchanges as on the day, without a network."""

from __future__ import annotations

import time

from conformance.core.exchange import Ending, Exchange, How
from conformance.core.probe import Probe
from conformance.evidence.exchanges import Recording


class Replay:
    """A recorded run in the place of a server."""

    def __init__(self, name: str, recording: Recording, *, incomplete: bool = False) -> None:
        self.name = name
        self.recording = recording
        self.incomplete = incomplete
        """Whether the run was broken off."""

    async def carry(self, probe: Probe) -> Exchange:
        """The recorded exchange of a probe; one that was never sent where the recording has none."""
        if (x := self.recording.get(probe.key)) is not None:
            return x
        why = "this check is newer than the run"
        if self.recording.lost:
            why += ", or it was in what is damaged"
        elif self.incomplete:
            why += ", or the run was stopped before it was sent"
        missing = Ending(How.UNSENT, "replay", f"it is not in the recording: {why}")
        return Exchange(probe, self.name, time.time(), ending=missing)

    async def aclose(self) -> None:
        """Let go of the files."""
        self.recording.close()
