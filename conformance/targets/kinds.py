"""Kinds of targets: which keys of a stanza lead to the server, where it is unless that is written, and how its key travels.

A table, to be read. What vendors document of their own servers is `fixtures/kinds.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

from conformance.core.address import BEARER, Carriage
from conformance.core.aws import names as amazon

OPENAI = "https://api.openai.com/v1"


@dataclass(frozen=True, kw_only=True)
class Option:
    """A key that only targets of some kinds have; its value is text."""

    meaning: str
    required: bool = False
    pattern: str = r".+"
    form: str = "text on one line"
    """What `pattern` asks for, in words."""
    header: str = ""
    """Sent with every request under this name."""
    query: str = ""
    """Sent at the end of every URL under this name."""
    needs: str = ""
    """Another option that has to be there with it."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of target: which keys lead to the server, and what holds where they are not written."""

    meaning: str
    takes: frozenset[str] = frozenset()  # of REACH
    one_of: tuple[str, ...] = ()  # exactly one of these keys has to be there
    base_url: str | None = None  # when none is written
    addresses: tuple[str, ...] = ()  # made of options, when no base_url is written: the first that all are there for
    example: str = ""  # of a base URL
    version: tuple[str, str] | None = None
    """Where its servers tell their version: a path beside the API, and the member of the answer."""
    variable: str | None = None  # that holds the key, when neither base_url nor key is written
    carriage: Carriage = BEARER
    model: str = ""  # the option that is the model, when none is written
    options: Mapping[str, Option] = field(default_factory=dict)
    gateway: bool = False  # it passes requests on, and where it is started here, it has an upstream
    exclusive: tuple[str, ...] = ()  # at most one of these keys may be there

    def url(self, options: Mapping[str, str]) -> str | None:
        """The base URL where none is written."""
        for address in self.addresses:
            needed = re.findall(r"\{(\w+)\}", address)
            if all(options.get(each) for each in needed):
                return address.format_map({each: quote(options[each], safe="") for each in needed})
        return self.base_url


SAGEMAKER, BEDROCK = "sagemaker", "bedrock"
AWS_OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "region": Option(
            meaning="the region; unless written, that of the AWS configuration",
            pattern=amazon.REGION,
            form="a region, such as eu-west-1",
        ),
        "aws_profile": Option(
            meaning="the profile of the AWS configuration with the credentials",
            pattern=amazon.PROFILE,
            form="the name of a profile in ~/.aws/config",
        ),
        "role": Option(
            meaning="the ARN of a role to assume with those credentials",
            pattern=amazon.ROLE,
            form="the ARN of a role, such as arn:aws:iam::123456789012:role/NAME",
        ),
        "token_lifetime": Option(
            meaning="how long a bearer token is valid, from 1s to 12h; 15m unless written",
            pattern=amazon.LIFETIME,
            form="a whole number of seconds, minutes or hours from 1s to 12h, such as 15m",
        ),
    }
)
"""Keys of every kind whose bearer tokens are made from AWS credentials."""
SAGEMAKER_OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "endpoint": Option(
            meaning="the name of the endpoint", required=True, pattern=amazon.ENDPOINT, form=f"a name: {amazon.NAME}"
        ),
        "inference_component": Option(
            meaning="the inference component, where the endpoint has several",
            pattern=amazon.COMPONENT,
            form=f"a name: {amazon.NAME}",
        ),
        **AWS_OPTIONS,
        "host": Option(
            meaning="another host of the route, such as that of a VPC endpoint",
            pattern=amazon.HOST,
            form="a host, such as vpce-1234.runtime.sagemaker.eu-west-1.vpce.amazonaws.com",
        ),
        "container": Option(
            meaning="a target of this file that stands behind an emulated front door, in place of Amazon's"
        ),
    }
)

REACH = ("base_url", "key", "launch")  # keys that lead to a server: a kind says which of them it takes

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "reference": Kind(meaning="the embedded conforming server; needs nothing"),
        "openai": Kind(
            meaning="OpenAI, or with base_url anything that claims to be compatible",
            takes=frozenset({"base_url", "key"}),
            base_url=OPENAI,
            variable="OPENAI_API_KEY",
        ),
        "vllm": Kind(
            meaning="a vLLM server, running (base_url) or started here (launch)",
            takes=frozenset({"base_url", "key", "launch"}),
            one_of=("base_url", "launch"),
            version=("version", "version"),
        ),
        "llama.cpp": Kind(
            meaning="llama.cpp's llama-server, running (base_url) or started here (launch)",
            takes=frozenset({"base_url", "key", "launch"}),
            one_of=("base_url", "launch"),
            version=("props", "build_info"),
        ),
        "sglang": Kind(
            meaning="an SGLang server, running (base_url) or started here (launch)",
            takes=frozenset({"base_url", "key", "launch"}),
            one_of=("base_url", "launch"),
            example="http://127.0.0.1:30000/v1",
            version=("get_server_info", "version"),
        ),
        "litellm": Kind(
            meaning="a LiteLLM proxy, running (base_url) or started here (launch) in front of its upstream",
            takes=frozenset({"base_url", "key", "launch"}),
            one_of=("base_url", "launch"),
            gateway=True,
            example="http://127.0.0.1:4000/v1",
            version=("health/readiness", "litellm_version"),
        ),
        "portkey": Kind(
            meaning="Portkey, or a gateway of one's own, running (base_url) or started here (launch)",
            takes=frozenset({"base_url", "key", "launch"}),
            exclusive=("base_url", "launch"),
            gateway=True,
            base_url="https://api.portkey.ai/v1",
            variable="PORTKEY_API_KEY",
            carriage=Carriage("x-portkey-api-key", ""),
            options={
                "provider": Option(meaning="which provider answers, such as openai", header="x-portkey-provider"),
                "config": Option(meaning="the id of a stored configuration", header="x-portkey-config"),
                "custom_host": Option(
                    meaning="the base URL of the provider, where it is not the usual one",
                    header="x-portkey-custom-host",
                ),
                "strict": Option(
                    meaning="true to leave out what OpenAI's answers have not, false to keep it",
                    pattern="true|false",
                    form="true or false",
                    header="x-portkey-strict-open-ai-compliance",
                ),
            },
        ),
        "openrouter": Kind(
            meaning="OpenRouter",
            takes=frozenset({"base_url", "key"}),
            base_url="https://openrouter.ai/api/v1",
            variable="OPENROUTER_API_KEY",
        ),
        "azure": Kind(
            meaning="Azure OpenAI: the v1 route of a resource, or a deployment in the path",
            takes=frozenset({"base_url", "key"}),
            one_of=("base_url", "resource"),
            addresses=(
                "https://{resource}.openai.azure.com/openai/deployments/{deployment}",
                "https://{resource}.openai.azure.com/openai/v1",
            ),
            example="https://my-resource.openai.azure.com/openai/v1",
            variable="AZURE_OPENAI_API_KEY",
            carriage=Carriage("api-key", ""),
            model="deployment",
            options={
                "resource": Option(
                    meaning="the name of the resource, the first part of its host",
                    pattern=r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?",
                    form="letters, digits and dashes, 64 at most",
                ),
                "deployment": Option(
                    meaning="the deployment in the path; leave it out for the v1 route, where model names it",
                    pattern=r"[A-Za-z0-9._-]{1,64}",
                    form="letters, digits, dots, dashes and underscores, 64 at most",
                    needs="api_version",
                ),
                "api_version": Option(
                    meaning="the version of the API, such as 2024-10-21; the v1 route needs none",
                    pattern=r"\d{4}-\d{2}-\d{2}(?:-preview)?|preview|latest|v1",
                    form="a day such as 2024-10-21, with or without -preview, or preview",
                    query="api-version",
                ),
            },
        ),
        "anthropic": Kind(
            meaning="Anthropic's compatibility layer for the OpenAI SDK",
            takes=frozenset({"base_url", "key"}),
            base_url="https://api.anthropic.com/v1",
            variable="ANTHROPIC_API_KEY",
        ),
        "vercel-gateway": Kind(
            meaning="Vercel's AI Gateway; key may also be an OIDC token",
            takes=frozenset({"base_url", "key"}),
            base_url="https://ai-gateway.vercel.sh/v1",
            variable="AI_GATEWAY_API_KEY",
        ),
        "bifrost": Kind(
            meaning="a running Bifrost gateway (base_url)",
            takes=frozenset({"base_url", "key"}),
            one_of=("base_url",),
            example="http://127.0.0.1:8080/v1",
        ),
        BEDROCK: Kind(
            meaning="Amazon Bedrock's OpenAI-compatible endpoint, with an API key (key) or tokens of AWS credentials",
            takes=frozenset({"base_url", "key"}),
            example="https://bedrock-mantle.us-east-1.api.aws/v1",
            options=AWS_OPTIONS,
        ),
        SAGEMAKER: Kind(
            meaning="an Amazon SageMaker endpoint, at its OpenAI-compatible route",
            takes=frozenset({"base_url"}),
            options=SAGEMAKER_OPTIONS,
            exclusive=("container", "base_url", "host"),
        ),
    }
)


def carriage_of(kind: str) -> Carriage:
    """How the key of a target of this kind travels; as OpenAI's where nobody knows the kind any more."""
    return KINDS[kind].carriage if kind in KINDS else BEARER
