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
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from conformance.core.probe import BRIEF

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


FRESH = 60.0
"""Seconds after which a token is not used again, nor after a quarter of its life: requests of the same minute share one."""


LONG_AGO = 300.0


ELSEWHERE = ("us-west-2", "eu-central-1")
"""Regions of which one is not the target's."""


@dataclass(frozen=True)
class Keys:
    """Credentials as they are now."""

    access: str = field(repr=False)
    secret: str = field(repr=False)
    session: str | None = field(default=None, repr=False)
    expires: datetime | None = field(default=None, compare=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no artefact may contain."""
        return tuple(one for one in (self.access, self.secret, self.session) if one)


def mint(scheme: Scheme, keys: Keys, region: str, life: int) -> str:
    """A bearer token as Amazon's own generator makes it, byte for byte: signed by botocore, without asking anybody."""
    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import ReadOnlyCredentials

    request = AWSRequest("POST", f"https://{scheme.host}/", {"host": scheme.host}, params={"Action": ACTION})
    signer = SigV4QueryAuth(
        ReadOnlyCredentials(keys.access, keys.secret, keys.session), scheme.service, region, expires=life
    )
    signer.add_auth(request)
    return packed(scheme, request.url)


Mint = Callable[[Scheme, Keys, str, int], str]


class Bearer:
    """The bearer tokens of one target: minted near each request, renewed long before they end, and when credentials rotate.

    Every secret that goes into one is told to `learn` before the token is given to anybody.
    """

    def __init__(
        self,
        scheme: Scheme,
        region: str,
        life: int,
        keys: Callable[[], Keys],
        learn: Callable[..., None],
        clock: Callable[[], float] = time.time,
        mint: Mint = mint,
    ) -> None:
        self.scheme, self.region, self.life = scheme, region, life
        self._keys, self._learn, self._clock, self._mint = keys, learn, clock, mint
        self._minted: tuple[Keys, float, str] | None = None

    def __repr__(self) -> str:
        return f"Bearer({self.scheme.service}, {self.region}, {self.life} s)"

    def token(self) -> str:
        """A token for a request that is sent now."""
        keys, now = self._keys(), self._clock()
        if self._minted is not None:
            made_of, since, token = self._minted
            if made_of == keys and 0 <= now - since < min(FRESH, self.life / 4):
                return token
        token = self._told(self._mint(self.scheme, keys, self.region, self.life), keys)
        self._minted = keys, now, token
        return token

    def brief(self) -> str:
        """A token that is over in BRIEF seconds."""
        keys = self._keys()
        return self._told(self._mint(self.scheme, keys, self.region, BRIEF), keys)

    def expired(self) -> str:
        """A token of a second that is over: as it would have been minted LONG_AGO."""
        keys = self._keys()
        at = self._clock() - LONG_AGO
        return self._told(sign(self.scheme, keys.access, keys.secret, keys.session, self.region, 1, at), keys)

    def foreign(self) -> str:
        """A token that is valid in another region."""
        keys, region = self._keys(), ELSEWHERE[self.region == ELSEWHERE[0]]
        return self._told(self._mint(self.scheme, keys, region, self.life), keys)

    def tampered(self) -> str:
        """A token with another signature."""
        return self._told(tampered(self.token()), self._keys())

    def malformed(self) -> str:
        """A token of which the last third is missing: no base64 of a whole URL."""
        token = self.token()
        return token[: len(token) * 2 // 3 // 4 * 4 + 1]

    @property
    def forged(self) -> dict[str, Callable[[], str]]:
        """The tokens that are not simply valid, by the word that probes have for them."""
        return {
            "brief": self.brief,
            "expired": self.expired,
            "foreign": self.foreign,
            "tampered": self.tampered,
            "malformed": self.malformed,
        }

    def _told(self, token: str, keys: Keys) -> str:
        self._learn(*keys.secrets, *read(token).secrets(), token, token.removeprefix(self.scheme.prefix))
        return token
