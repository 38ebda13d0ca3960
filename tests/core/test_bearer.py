"""Bearer tokens: made as Amazon makes them, byte for byte; taken apart and verified; and no text at all breaks the reader."""

from __future__ import annotations

import base64
import calendar
import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.core.aws import names as amazon
from conformance.core.aws.tokens import (
    BEDROCK,
    SAGEMAKER,
    Bearer,
    Keys,
    Scheme,
    Unreadable,
    mint,
    packed,
    read,
    sign,
    tampered,
)

FOUR = datetime(2026, 11, 23, 4, 0, 0, tzinfo=UTC)
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
GOLDEN = [
    (None, "be55b2ece87b1b656cac5c7c33911e4b91b76f10a2185c0a8370ccb4f7be8eaf", 454),
    ("SESS/TOK+EN==", "7395fad77ee1d31fd145da64d526427494e06746ff960cf8274364395f66b5ad", 510),
]
"""Session token, signature and length of what Amazon's generator makes at FOUR for 900 seconds in us-west-2."""
WORDS = st.text("abcXYZ019/+=-_.~", min_size=1, max_size=40)


@pytest.fixture
def at_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's clock stands still."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: FOUR.replace(tzinfo=None))


@pytest.mark.parametrize(("session", "signature", "length"), GOLDEN)
def test_a_token_is_as_amazon_makes_it(at_four: None, session: str | None, signature: str, length: int) -> None:
    """The golden vectors: prefix, base64 of the presigned URL, its parameters in their order, `Version=1` after signing."""
    token = mint(SAGEMAKER, Keys(ACCESS, SECRET, session), "us-west-2", 900)
    assert len(token) == length
    url = base64.b64decode(token.removeprefix("sagemaker-api-key-")).decode()
    middle = "&X-Amz-Security-Token=SESS%2FTOK%2BEN%3D%3D" if session else ""
    assert url == (
        "sagemaker.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-west-2%2Fsagemaker%2Faws4_request&X-Amz-Date=20261123T040000Z"
        f"&X-Amz-Expires=900&X-Amz-SignedHeaders=host{middle}&X-Amz-Signature={signature}&Version=1"
    )
    one = read(token)
    assert (one.region, one.life, one.begins, one.session) == ("us-west-2", 900, FOUR, session)
    assert one.is_signed_with(SECRET)
    assert not one.is_signed_with(SECRET + "x")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([SAGEMAKER, BEDROCK]), WORDS, WORDS, st.none() | WORDS, st.integers(1, 43200),
    st.integers(946684800, 4102444800),
)  # fmt: skip
def test_botocore_and_the_standard_library_sign_alike(
    scheme: Scheme, access: str, secret: str, session: str | None, life: int, at: int
) -> None:
    """Whatever the credentials and the time: the same bytes, which the verifier takes."""
    access = access.replace("/", "")  # no access key has one
    with pytest.MonkeyPatch.context() as patch:
        moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
        patch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: moment)
        made = mint(scheme, Keys(access, secret, session), "eu-west-1", life)
    assert sign(scheme, access, secret, session, "eu-west-1", life, at) == made
    if access:
        assert read(made).is_signed_with(secret)


def test_a_tampered_token_is_readable_and_signed_by_nobody() -> None:
    """Everything is as before, except for the signature."""
    good = sign(SAGEMAKER, ACCESS, SECRET, None, "us-west-2", 900, FOUR.timestamp())
    bad = tampered(good)
    assert len(bad) == len(good)
    assert (read(bad).access, read(bad).region, read(bad).ends) == (ACCESS, "us-west-2", read(good).ends)
    assert not read(bad).is_signed_with(SECRET)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Version=1", "Version=2", "does not end with"),
        ("Action=", "Axtion=", "no Action"),
        ("SignedHeaders=host", "SignedHeaders=host%3Bx", "other headers"),
        ("HMAC-SHA256", "HMAC-SHA1", "algorithm"),
        ("X-Amz-Date=2026", "X-Amz-Date=x026", "date"),
        ("X-Amz-Expires=900", "X-Amz-Expires=-1", "number of seconds"),
        ("%2Faws4_request", "", "KEY/DAY/REGION"),
        ("&X-Amz-Date", "&Action=x&X-Amz-Date", "twice"),
        ("com/?", "com/x?", "HOST/?QUERY"),
    ],
)
def test_what_is_no_token_is_told_why(old: str, new: str, why: str) -> None:
    """Each part that has to be there is missed, and nothing of the token is in the message."""
    good = sign(SAGEMAKER, ACCESS, SECRET, None, "us-west-2", 900, FOUR.timestamp())
    url = base64.b64decode(good.removeprefix(SAGEMAKER.prefix)).decode()
    assert old in url
    with pytest.raises(Unreadable, match=re.escape(why)) as caught:
        read(SAGEMAKER.prefix + base64.b64encode(url.replace(old, new).encode()).decode())
    assert read(good).signature not in str(caught.value)


@settings(max_examples=200)
@given(st.text() | st.text("aZ09+/=").map("sagemaker-api-key-".__add__) | st.text().map(lambda x: packed(SAGEMAKER, x)))
def test_any_text_is_a_token_or_unreadable(text: str) -> None:
    """Whatever somebody sends to the door, the reader has an answer."""
    with suppress(Unreadable):
        read(text)


def test_a_token_shows_no_secret_of_its_own() -> None:
    """Not in its repr, nor in that of what mints it."""
    keys = Keys("ASIACANARYCANARYCANA", "canary-secret-key", "canary-session-token")
    bearer = Bearer(SAGEMAKER, "eu-west-1", 900, lambda: keys, lambda *secrets: None)
    shown = f"{keys!r} {bearer!r} {read(bearer.token())!r}"
    for secret in (*keys.secrets, *read(bearer.token()).secrets(), bearer.token()[40:]):
        assert secret not in shown


class Clock:
    """A clock that is moved by hand, and credentials that are changed by hand."""

    def __init__(self) -> None:
        self.now = float(calendar.timegm(FOUR.timetuple()))
        self.keys = Keys("ASIAFIRSTFIRSTFIRST1", "first", "session")
        self.learned: list[str] = []

    def bearer(self, life: int) -> Bearer:
        """What mints tokens by this clock."""

        def by_the_clock(scheme: Scheme, keys: Keys, region: str, life: int) -> str:
            return sign(scheme, keys.access, keys.secret, keys.session, region, life, self.now)

        return Bearer(
            SAGEMAKER, "us-west-2", life, lambda: self.keys, lambda *them: self.learned.extend(them),
            lambda: self.now, by_the_clock,
        )  # fmt: skip


@pytest.mark.parametrize(("life", "soon", "later"), [(43200, 59, 61), (900, 59, 61), (40, 9, 11), (1, 0.2, 0.3)])
def test_a_token_is_fresh_near_each_request(life: int, soon: float, later: float) -> None:
    """Requests of the same minute share one; no token is used in the last three quarters of its life."""
    clock = Clock()
    bearer = clock.bearer(life)
    first = bearer.token()
    clock.now += soon
    assert bearer.token() == first
    clock.now += later - soon + 1
    second = bearer.token()
    assert second != first
    assert read(second).begins.timestamp() == int(clock.now)


def test_rotated_credentials_are_used_at_once() -> None:
    """The next request has a token of the new ones, and the guard knows both."""
    clock = Clock()
    bearer = clock.bearer(900)
    first = bearer.token()
    clock.keys = Keys("ASIASECONDSECONDSEC2", "second", "session 2")
    second = bearer.token()
    assert read(second).access == "ASIASECONDSECONDSEC2"
    assert {first, second, "first", "second", read(first).signature} <= set(clock.learned)


def test_forged_tokens_are_what_they_are_called() -> None:
    """One that is over, one for elsewhere, one that is over soon, one that nobody signed, one that is cut short."""
    clock = Clock()
    forged = {name: make() for name, make in clock.bearer(900).forged.items()}
    expired, foreign, brief = (read(forged[name]) for name in ("expired", "foreign", "brief"))
    assert (expired.life, expired.ends.timestamp() < clock.now) == (1, True)
    assert foreign.region != "us-west-2"
    assert brief.life == 3
    assert all(one.is_signed_with("first") for one in (expired, foreign, brief))
    assert not read(forged["tampered"]).is_signed_with("first")
    with pytest.raises(Unreadable):
        read(forged["malformed"])


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(None, 900), ("1s", 1), ("1", 1), ("43200", 43200), ("720m", 43200), ("12h", 43200), ("15m", 900)],
)
def test_a_lifetime_is_seconds(written: str | None, seconds: int) -> None:
    """A second to twelve hours."""
    assert written is None or re.fullmatch(amazon.LIFETIME, written)
    assert amazon.life(written) == seconds


@pytest.mark.parametrize("written", ["0", "0s", "500ms", "13h", "721m", "43201", "1.5s", "-1s", "x"])
def test_no_other_lifetime_is(written: str) -> None:
    """Amazon's own generator makes a token of no seconds out of half a one."""
    assert re.fullmatch(amazon.LIFETIME, written) is None


PLACES = [
    ("https://h/endpoints/e/openai/v1", "endpoint", None),
    ("https://h/endpoints/e/inference-components/c/openai/v1", "endpoint", "https://h/endpoints/e/openai/v1"),
    ("https://h/endpoints/e/openai/v1", "no-endpoint", f"https://h/endpoints/{amazon.NOBODY}/openai/v1"),
    (
        "https://h/endpoints/e/openai/v1",
        "no-component",
        f"https://h/endpoints/e/inference-components/{amazon.NOBODY}/openai/v1",
    ),
    ("https://h/v1", "no-endpoint", None),
]


@pytest.mark.parametrize(("base", "place", "url"), PLACES)
def test_places_beside_the_route(base: str, place: str, url: str | None) -> None:
    """The component goes into the path, and only there."""
    assert amazon.elsewhere(base, place) == url
