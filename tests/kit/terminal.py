"""Terminals as some people have them."""

from __future__ import annotations

import io


class Ascii(io.TextIOWrapper):
    """A terminal that knows nothing but ASCII."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii")

    @property
    def written(self) -> str:
        """What was written to it."""
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("ascii")
