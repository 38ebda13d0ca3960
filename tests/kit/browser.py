"""A real headless Chromium, driven over a pair of pipes by its own debugging protocol. Not tests.

Nothing is installed for it and no port is opened. A page is judged as a person has it before them: sizes, keys, media.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60.0
"""Seconds for one answer of the browser: machines are busy."""
FAMILIAR = ("Runtime.exceptionThrown", "Log.entryAdded", "Network.requestWillBeSent", "Page.javascriptDialogOpening")


class Browser:
    """One page in a browser of its own. `events` are what it reported: errors, requests, dialogs."""

    def __init__(self) -> None:
        assert PROGRAM is not None
        self.events: list[dict[str, Any]] = []
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        read_by_it, self._write = os.pipe()
        self._read, written_by_it = os.pipe()
        # The browser reads from descriptor 3 and writes to 4.
        shell = f'exec "$0" "$@" 3<&{read_by_it} 4>&{written_by_it}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, PROGRAM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            pass_fds=(read_by_it, written_by_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        self._buffer, self._number, self._session = b"", 0, ""
        (page,) = [one for one in self._ask("Target.getTargets")["targetInfos"] if one["type"] == "page"][:1]
        self._session = self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._hear()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def _hear(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(deadline - time.monotonic(), 0))
            data = os.read(self._read, 1 << 20) if ready else b""
            assert data, "the browser says nothing any more"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if message.get("method") in FAMILIAR:
            self.events.append(message)
        return message

    def open(self, file: Path, fragment: str = "") -> None:
        """Show a file, and wait until it is loaded."""
        # A new document, also where only the fragment differs.
        self._ask("Page.navigate", url="about:blank")
        self.events.clear()
        self._ask("Page.navigate", url=file.absolute().as_uri() + fragment)
        deadline = time.monotonic() + PATIENCE
        while self.run("document.readyState + location.protocol") != "completefile:":
            assert time.monotonic() < deadline, "the page does not load"

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        made = self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in made, made["exceptionDetails"]
        return made["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < deadline, f"never true: {script}"
            time.sleep(0.02)

    def size(self, width: int, height: int) -> None:
        """The size of the window."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, kind: str = "", scheme: str = "light") -> None:
        """The medium (`print`, or "" for a screen), and the colours that the reader prefers."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", media=kind, features=[feature])

    def script(self, *, allowed: bool) -> None:
        """Whether pages opened from now on may run their scripts."""
        self._ask("Emulation.setScriptExecutionDisabled", value=not allowed)

    def press(self, key: str, text: str = "") -> None:
        """Press a key."""
        code = {"Escape": 27, "Enter": 13, "Tab": 9}.get(key, ord(key[0].upper()))
        said = {"text": text or key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **said)
        self._ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self._ask("Input.insertText", text=text)

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Take a picture of what is seen, or of the whole page."""
        data = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(data))

    def printed(self, file: Path) -> None:
        """Print the page to a PDF."""
        made = self._ask("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.69)
        file.write_bytes(base64.b64decode(made["data"]))

    def reported(self, *methods: str) -> list[dict[str, Any]]:
        """What the browser reported of these kinds; what was under way is waited for."""
        self.run("new Promise(done => setTimeout(done, 50))")
        return [one["params"] for one in self.events if one["method"] in methods]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, gone when the block ends."""
    with Browser() as one:
        yield one
