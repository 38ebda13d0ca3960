"""Amazon's bearer tokens: a presigned URL in base64. How one is put together, taken apart, and verified, with the standard library.

A token says `sagemaker-api-key-` (or `bedrock-api-key-`) and then, encoded, the presigned URL of one action without its
`https://`, to which `&Version=1` is added after signing. Transports sign with botocore, which makes the same bytes; this module
signs for tests and for tokens of another time, and verifies for the emulated front door.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

ACTION = "CallWithBearerToken"
ALGORITHM = "AWS4-HMAC-SHA256"
VERSION = "&Version=1"
STAMP = "%Y%m%dT%H%M%SZ"
EMPTY = hashlib.sha256(b"").hexdigest()
LONGEST = 16 * 1024
"""Characters of a token: with the credentials of a role it has two thousand."""
LIFE = 43200
"""The longest life of a token, in seconds."""


@dataclass(frozen=True)
class Scheme:
    """One service's tokens."""

    service: str

    @property
    def host(self) -> str:
        """The host that is signed: one for all regions."""
        return f"{self.service}.amazonaws.com"

    @property
    def prefix(self) -> str:
        """What every token begins with."""
        return f"{self.service}-api-key-"


SAGEMAKER, BEDROCK = Scheme("sagemaker"), Scheme("bedrock")
SCHEMES = (SAGEMAKER, BEDROCK)


class Unreadable(ValueError):
    """A text that is no token: why, without any of it."""


@dataclass(frozen=True)
class Token:
    """What a token says. Nothing of it is secret but the session token and the signature."""

    scheme: Scheme
    host: str
    action: str
    access: str = field(repr=False)
    scope: tuple[str, ...]
    """Day, region, service, and `aws4_request`."""
    begins: datetime
    life: int
    """Seconds that it is valid."""
    session: str | None = field(repr=False)
    signature: str = field(repr=False)
    pairs: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def region(self) -> str:
        """The region it was signed for."""
        return self.scope[1]

    @property
    def ends(self) -> datetime:
        """When it stops to be valid."""
        return self.begins + timedelta(seconds=self.life)

    def is_signed_with(self, secret: str) -> bool:
        """Whether the signature is that of this secret access key."""
        made = _signature(secret, self.scope, self.begins.strftime(STAMP), self.host, self.pairs)
        return hmac.compare_digest(made.encode(), self.signature.encode())

    def secrets(self) -> Iterator[str]:
        """The parts that no artefact may contain."""
        yield self.signature
        if self.session:
            yield self.session
        yield self.access


def read(text: str) -> Token:
    """A token taken apart. Raises Unreadable."""
    if len(text) > LONGEST:
        raise Unreadable(f"it has more than {LONGEST} characters")
    scheme = next((one for one in SCHEMES if text.startswith(one.prefix)), None)
    if scheme is None:
        raise Unreadable(f"it does not begin with {' or '.join(one.prefix for one in SCHEMES)}")
    try:
        url = base64.b64decode(text.removeprefix(scheme.prefix), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise Unreadable("what follows the prefix is not base64 of text") from None
    place, question, query = url.partition("?")
    host, slash, path = place.partition("/")
    if not question or not slash or path:
        raise Unreadable("it holds no URL of the form HOST/?QUERY")
    if not query.endswith(VERSION):
        raise Unreadable(f"it does not end with {VERSION}")
    try:
        pairs = parse_qsl(query.removesuffix(VERSION), keep_blank_values=True, strict_parsing=True, max_num_fields=32)
    except ValueError:
        raise Unreadable("its query cannot be read") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Unreadable("a parameter is there twice")
    if lacking := [name for name in _NEEDED if name not in values]:
        raise Unreadable(f"it has no {', '.join(lacking)}")
    if values["X-Amz-Algorithm"] != ALGORITHM:
        raise Unreadable(f"its algorithm is not {ALGORITHM}")
    if values["X-Amz-SignedHeaders"] != "host":
        raise Unreadable("it signs other headers than host")
    access, *scope = values["X-Amz-Credential"].split("/")
    if len(scope) != 4 or not access or scope[-1] != "aws4_request":
        raise Unreadable("its credential is not KEY/DAY/REGION/SERVICE/aws4_request")
    try:
        begins = datetime.strptime(values["X-Amz-Date"], STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise Unreadable("its date is none") from None
    if not re.fullmatch(r"[0-9]{1,6}", values["X-Amz-Expires"]):
        raise Unreadable("its lifetime is not a number of seconds")
    return Token(
        scheme,
        host,
        values["Action"],
        access,
        tuple(scope),
        begins,
        int(values["X-Amz-Expires"]),
        values.get("X-Amz-Security-Token"),
        values["X-Amz-Signature"],
        tuple(pairs),
    )


_NEEDED = (
    "Action", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature",
)  # fmt: skip


def sign(scheme: Scheme, access: str, secret: str, session: str | None, region: str, life: int, at: float) -> str:
    """A token that begins at a moment (Unix seconds) and is valid for `life` seconds."""
    stamp = datetime.fromtimestamp(at, UTC).strftime(STAMP)
    scope = (stamp[:8], region, scheme.service, "aws4_request")
    pairs = [
        ("Action", ACTION),
        ("X-Amz-Algorithm", ALGORITHM),
        ("X-Amz-Credential", "/".join((access, *scope))),
        ("X-Amz-Date", stamp),
        ("X-Amz-Expires", str(life)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    if session:
        pairs.append(("X-Amz-Security-Token", session))
    pairs.append(("X-Amz-Signature", _signature(secret, scope, stamp, scheme.host, pairs)))
    return packed(scheme, f"https://{scheme.host}/?{_query(pairs)}")


def packed(scheme: Scheme, presigned: str) -> str:
    """A presigned URL as a token."""
    url = presigned.removeprefix("https://") + VERSION
    return scheme.prefix + base64.b64encode(url.encode()).decode()


def tampered(token: str) -> str:
    """The same token with another signature: everything as it should be, and not signed by anybody."""
    one = read(token)
    pairs = [(name, value[::-1] if name == "X-Amz-Signature" else value) for name, value in one.pairs]
    return packed(one.scheme, f"https://{one.host}/?{_query(pairs)}")


def _query(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)


def _signature(secret: str, scope: Sequence[str], stamp: str, host: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Signature Version 4 of the request that the pairs are the query of."""
    query = _query(sorted((name, value) for name, value in pairs if name != "X-Amz-Signature"))
    request = f"POST\n/\n{query}\nhost:{host}\n\nhost\n{EMPTY}"
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join((ALGORITHM, stamp, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
