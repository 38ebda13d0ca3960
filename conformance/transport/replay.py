"""Carries probes to a recording: the same exchanges as on the day, without a network."""

from __future__ import annotations

import time

from conformance.exchange import Ending, Exchange, How
from conformance.probe import Probe
from conformance.recording import Recording


class Replay:
    """A recorded run in the place of a server."""

    def __init__(self, name: str, recording: Recording) -> None:
        self.name = name
        self.recording = recording

    async def carry(self, probe: Probe) -> Exchange:
        """The recorded exchange of a probe; one that was never sent where the recording has none."""
        try:
            return self.recording[probe.key]
        except KeyError:
            missing = Ending(How.UNSENT, "replay", "it is not in the recording: this check is newer than the run")
            return Exchange(probe, self.name, time.time(), ending=missing)

    async def aclose(self) -> None:
        """Let go of the files."""
        self.recording.close()
