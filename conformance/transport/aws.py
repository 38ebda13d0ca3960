"""The AWS side of a target: credentials, region and host, as botocore finds them, and the clients that act with them.

botocore is imported when a target asks for it. Credentials are looked up anew each time (`Account.keys`), so that rotated ones
are used from the next request on. Nothing here prints, logs or keeps a secret, and botocore's own debug log, which would,
is turned off.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conformance.core.aws.tokens import ACTION, Scheme, packed, read, sign, tampered
from conformance.core.mistake import nearest
from conformance.core.probe import BRIEF
from conformance.targets.target import Target

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

INSTALL = "pip install 'openai-conformance[sagemaker]'"
SESSION = "openai-conformance"
"""What an assumed role's session is called, in somebody's CloudTrail."""
LOOK = 1.0
"""Seconds after which credentials that stand in a file or in the environment are read again: somebody may have rotated them."""
FRESH = 60.0
"""Seconds after which a token is not used again, nor after a quarter of its life: requests of the same minute share one."""
LONG_AGO = 300.0
ELSEWHERE = ("us-west-2", "eu-central-1")
"""Regions of which one is not the target's."""
CONNECT, READ = 5, 15
"""Seconds that AWS may take to answer. One try after the first."""


class AwsProblem(ValueError):
    """What keeps a target from being reached with AWS credentials: one line, with what to do."""


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


@dataclass(frozen=True)
class Caller:
    """Who AWS says that we are."""

    account: str
    arn: str


class Account:
    """The credentials, region and clients of one target."""

    def __init__(self, target: Target) -> None:
        """Raises AwsProblem where there is no botocore, or no such profile."""
        self.target = target
        self.session = _session(target)
        self._found: Credentials | None = None
        self._looked = 0.0

    @cached_property
    def region(self) -> str:
        """The region: of the target, else of the AWS configuration. Raises AwsProblem where neither says."""
        found = self.target.options.get("region") or os.environ.get("AWS_REGION")
        found = found or self.session.get_config_variable("region")  # which knows AWS_DEFAULT_REGION only
        if not found:
            raise self.problem("no region: write `region:`, or set AWS_REGION or a region in ~/.aws/config")
        return str(found)

    def keys(self) -> Keys:
        """The credentials, fresh. Raises AwsProblem where there are none, or a role cannot be assumed."""
        source = self._source
        try:
            frozen = source.get_frozen_credentials()
            expires = getattr(source, "_expiry_time", None)
        except Exception as problem:
            raise self.problem(self._refused(problem)) from None
        if not (frozen.access_key and frozen.secret_key):
            raise self.problem(self._none())
        return Keys(frozen.access_key, frozen.secret_key, frozen.token, expires)

    @property
    def origin(self) -> str:
        """How the credentials were found: `env`, `shared-credentials-file`, `sso`, `assume-role` and so on."""
        return str(getattr(self._source, "method", "") or "unknown")

    def host(self, service: Service | None = None) -> str:
        """Scheme and host of a service's runtime in the region, SageMaker's unless told, by botocore's rules. Raises AwsProblem."""
        return runtime(self.session, self.region, lambda message: self.problem(message), service or SAGEMAKER_RUNTIME)

    def client(self, service: str) -> Any:
        """A botocore client of a service in the region, with these credentials. Raises AwsProblem."""
        from botocore.config import Config

        keys = self.keys()
        config = Config(
            connect_timeout=CONNECT, read_timeout=READ, retries={"total_max_attempts": 2, "mode": "standard"}
        )
        return self.session.create_client(
            service,
            region_name=self.region,
            aws_access_key_id=keys.access,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.session,
            config=config,
        )

    def caller(self) -> Caller:
        """Who these credentials belong to; asks AWS, which allows it to everybody. Raises AwsProblem."""
        try:
            said = self.client("sts").get_caller_identity()
        except AwsProblem:
            raise
        except Exception as problem:
            raise self.problem(self._refused(problem)) from None
        return Caller(said["Account"], said["Arn"])

    def problem(self, message: str) -> AwsProblem:
        """The message with the place of the target's stanza."""
        return AwsProblem(f"{self.target.where}: {message}" if self.target.line else message)

    @property
    def _source(self) -> Credentials:
        """Where the credentials come from. Those that renew themselves are kept; others are looked up anew now and then."""
        now = time.monotonic()
        if self._found is None or (now - self._looked > LOOK and not hasattr(self._found, "refresh_needed")):
            if self._found is not None:
                self.session = _session(self.target)  # a session remembers what it once read
            self._found, self._looked = self._looked_up(), now
        return self._found

    def _looked_up(self) -> Credentials:
        try:
            found = self.session.get_credentials()
        except Exception as problem:
            raise self.problem(self._refused(problem)) from None
        if found is None:
            raise self.problem(self._none())
        role = self.target.options.get("role")
        return self._assumed(found, role) if role else found

    def _assumed(self, source: Credentials, role: str) -> Credentials:
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

        self.session.set_config_variable("region", self.region)  # of the STS endpoint that is asked
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self.session.create_client,
            source_credentials=source,
            role_arn=role,
            extra_args={"RoleSessionName": SESSION},
        )
        return DeferredRefreshableCredentials(method="assume-role", refresh_using=fetcher.fetch_credentials)

    def _none(self) -> str:
        profile = self.session.get_config_variable("profile")
        tried = (
            f"the profile `{profile}` has none" if profile else "none in the environment, ~/.aws or a container's role"
        )
        return (
            f"no AWS credentials ({tried}): run `aws configure` or `aws sso login`, or name a profile (`aws_profile:`)"
        )

    def _refused(self, problem: Exception) -> str:
        """What botocore or AWS said, as one line. Its messages name roles and profiles, never secrets."""
        said = " ".join(str(problem).split())[:300]
        code = getattr(problem, "response", {}).get("Error", {}).get("Code", "")
        if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
            return "the AWS credentials have expired: sign in again (`aws sso login`), or renew what set them"
        if code in ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"):
            return f"AWS does not accept the credentials ({code}): are they of this account, and not deleted?"
        role = self.target.options.get("role")
        if role and code in ("AccessDenied", "AccessDeniedException"):
            return f"the role {role} cannot be assumed: {said}; its trust policy has to name whoever assumes it"
        if "SSO" in type(problem).__name__ or "Token" in type(problem).__name__:
            return f"the sign-in is over ({said}): run `aws sso login`"
        return f"the AWS credentials cannot be used: {said}"


def account(target: Target) -> Account:
    """The AWS side of a target. Raises AwsProblem."""
    return Account(target)


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


def _session(target: Target) -> Session:
    try:
        import botocore.session
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise AwsProblem(f"AWS credentials need botocore: {INSTALL}") from None
    logging.getLogger("botocore").setLevel(logging.WARNING)  # its debug log has signed requests and assumed roles in it
    profile = target.options.get("aws_profile")
    session = botocore.session.Session(profile=profile)
    try:
        if profile and profile not in (known := session.available_profiles):
            hint = nearest(profile, known) or (f"there are: {', '.join(known[:12])}" if known else "it has none")
            raise AwsProblem(f"{target.where}: no profile `{profile}` in the AWS configuration ({hint})")
        session.get_scoped_config()
    except BotoCoreError as problem:
        said = " ".join(str(problem).split())[:300]
        raise AwsProblem(f"{target.where}: the AWS configuration cannot be used: {said}") from None
    return session


@dataclass(frozen=True)
class Service:
    """A service whose runtime answers requests: in words, in botocore's models, and in its list of regions."""

    name: str
    model: str
    listed: str


SAGEMAKER_RUNTIME = Service("SageMaker", "sagemaker-runtime", "sagemaker-runtime")
BEDROCK_RUNTIME = Service("Bedrock", "bedrock-runtime", "bedrock")


def regions(session: Session, service: Service = SAGEMAKER_RUNTIME) -> list[str]:
    """The regions with a service's runtime that this version of botocore knows, of all partitions."""
    return [
        one
        for partition in session.get_available_partitions()
        for one in session.get_available_regions(service.listed, partition)
    ]


def runtime(
    session: Session, region: str, problem: Callable[[str], AwsProblem], service: Service = SAGEMAKER_RUNTIME
) -> str:
    """Scheme and host of a service's runtime in a region: partition, FIPS and dual stack as botocore's rules have them."""
    from botocore.endpoint_provider import EndpointProvider
    from botocore.exceptions import BotoCoreError

    known = regions(session, service)
    if region not in known:
        where = "host" if service is SAGEMAKER_RUNTIME else "base_url"
        hint = nearest(region, known) or f"AWS lists the regions of {service.name}; a newer one needs `{where}:`"
        raise problem(f"no {service.name} in the region `{region}` that botocore knows of ({hint})")
    loader = session.get_component("data_loader")
    rules = EndpointProvider(
        loader.load_service_model(service.model, "endpoint-rule-set-1"), loader.load_data("partitions")
    )
    wishes = {
        "UseFIPS": bool(session.get_config_variable("use_fips_endpoint")),
        "UseDualStack": bool(session.get_config_variable("use_dualstack_endpoint")),
    }
    try:
        url = rules.resolve_endpoint(Region=region, **wishes).url
    except BotoCoreError as refused:
        raise problem(f"no host of {service.name}'s runtime in `{region}`: {' '.join(str(refused).split())}") from None
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
