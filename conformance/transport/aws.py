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
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conformance.core.aws.tokens import (
    Keys,
)
from conformance.core.mistake import nearest
from conformance.targets.target import Target

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

INSTALL = "pip install 'openai-conformance[sagemaker]'"
SESSION = "openai-conformance"
"""What an assumed role's session is called, in somebody's CloudTrail."""
LOOK = 1.0
"""Seconds after which credentials that stand in a file or in the environment are read again: somebody may have rotated them."""
CONNECT, READ = 5, 15
"""Seconds that AWS may take to answer. One try after the first."""


class AwsProblem(ValueError):
    """What keeps a target from being reached with AWS credentials: one line, with what to do."""


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
