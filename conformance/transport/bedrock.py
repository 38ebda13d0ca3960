"""Reaches Amazon Bedrock's OpenAI-compatible endpoint: where it is, and the tokens that open it."""

from __future__ import annotations

from conformance.core.address import Address
from conformance.core.aws.tokens import BEDROCK
from conformance.targets.target import Target
from conformance.transport.aws import BEDROCK_RUNTIME, Account, account
from conformance.transport.sagemaker import Learn, tokens

ROUTE = "/openai/v1"


def base_url(target: Target, own: Account) -> str:
    """The base URL as written (Mantle's is), else that of the region's runtime. Raises AwsProblem."""
    return target.base_url.rstrip("/") if target.base_url else own.host(BEDROCK_RUNTIME) + ROUTE


def address(target: Target, learn: Learn) -> Address:
    """Where the target is: with its API key where it has one, else with tokens of the AWS credentials. Raises AwsProblem."""
    own = account(target)
    url, model, key = base_url(target, own), target.model or "", target.key
    if key is not None:
        return Address(url, model, lambda: key.reveal())
    bearer = tokens(target, own, learn, BEDROCK)
    bearer.token()  # credentials that are missing are better told before the first request
    return Address(url, model, bearer.token, forged=bearer.forged)
