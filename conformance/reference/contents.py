"""What is checked about the parts of a message's content: text, images, audio, files, refusals.

Images are never fetched: a URL only has to be one that a server should fetch.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from conformance.reference.wrong import Wrong, array, listed, mapping, mistyped, need, one_of, string

_IMAGE = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp);base64,(.*)", re.DOTALL | re.IGNORECASE)
_DATA = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,(.*)", re.DOTALL)
_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"RIFF")


def content(value: Any, path: str, kinds: tuple[str, ...]) -> None:
    """A message's content: a string, or parts of these kinds."""
    if isinstance(value, str):
        return
    if not isinstance(value, list):
        raise mistyped(path, "one of a string or array of objects", value)
    for index, part in enumerate(array(value, path, fewest=1)):
        here = f"{path}[{index}]"
        kind = string(need(mapping(part, here), "type", here), f"{here}.type")
        if kind not in kinds:
            raise Wrong(
                f"Invalid value: '{kind[:100]}'. Supported values are: {listed(kinds)}.",
                param=f"{here}.type",
                code="invalid_value",
            )
        _PARTS[kind](part, here)


def _text(part: dict[str, Any], path: str) -> None:
    string(need(part, "text", path), f"{path}.text")


def _refusal(part: dict[str, Any], path: str) -> None:
    string(need(part, "refusal", path), f"{path}.refusal")


def _image(part: dict[str, Any], path: str) -> None:
    path = f"{path}.image_url"
    image = mapping(need(part, "image_url", path.removesuffix(".image_url")), path)
    url = string(need(image, "url", path), f"{path}.url")
    if image.get("detail") is not None:
        one_of(image["detail"], f"{path}.detail", ("auto", "low", "high", "original"))
    if url[:5].lower() == "data:":
        match = _IMAGE.fullmatch(url)
        if match is None:
            raise _bad(f"{path}.url", "Expected a base64-encoded data URL of an image.", "invalid_image_url")
        if not _decoded(match[1], f"{path}.url", "invalid_base64").startswith(_MAGIC):
            raise _bad(f"{path}.url", "The data is not a PNG, JPEG, GIF or WebP image.", "invalid_image")
    elif not _fetchable(url):
        raise _bad(f"{path}.url", "Expected an http or https URL of a public host.", "invalid_image_url")


def _fetchable(url: str) -> bool:
    """Whether a server should fetch this for a stranger: nothing on its own machine or network."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))


def _audio(part: dict[str, Any], path: str) -> None:
    path = f"{path}.input_audio"
    audio = mapping(need(part, "input_audio", path.removesuffix(".input_audio")), path)
    _decoded(string(need(audio, "data", path), f"{path}.data", fewest=1), f"{path}.data", "invalid_base64")
    one_of(need(audio, "format", path), f"{path}.format", ("wav", "mp3"))


def _file(part: dict[str, Any], path: str) -> None:
    path = f"{path}.file"
    file = mapping(need(part, "file", path.removesuffix(".file")), path)
    if file.get("file_id") is not None:
        string(file["file_id"], f"{path}.file_id")
        raise _bad(f"{path}.file_id", "There is no such file.", "invalid_value")
    data = string(need(file, "file_data", path), f"{path}.file_data", fewest=1)
    match = _DATA.fullmatch(data)
    _decoded(match[1] if match else data, f"{path}.file_data", "invalid_base64")
    if file.get("filename") is not None:
        string(file["filename"], f"{path}.filename")


def _decoded(text: str, path: str, code: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise _bad(path, "Expected base64-encoded data.", code)
    return found


def _bad(path: str, why: str, code: str) -> Wrong:
    return Wrong(f"Invalid '{path}': {why}", param=path, code=code)


_PARTS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}
