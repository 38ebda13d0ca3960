"""The AWS side of a target: whose credentials, which region and host; and each thing that can be missing is one clear line."""

from __future__ import annotations

import json
import logging
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from conformance.core.aws.tokens import SAGEMAKER, mint, read
from conformance.targets.target import Target
from conformance.transport.aws import AwsProblem, account, regions
from conformance.transport.sagemaker import address, base_url
from tests.kit.servers import sends, server

ROLE = "arn:aws:iam::123456789012:role/caller"
KEYS = "[{name}]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The AWS configuration of this test, and nothing of the machine's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
                 "AWS_DEFAULT_REGION", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    (tmp_path / "config").write_text("[profile dev]\nregion = eu-central-1\n[profile empty]\nregion = us-east-2\n")
    (tmp_path / "credentials").write_text(KEYS.format(name="dev", access="AKIADEVDEVDEVDEVDEV1", secret="dev-secret"))
    return tmp_path


def target(**options: str) -> Target:
    """A target with these options."""
    return Target("it", "sagemaker", options={"endpoint": "llm", **options}, source="targets.yaml", line=3)


def problem(one: Target) -> str:
    """What is wrong with the AWS side of a target, in one line with its place."""
    with pytest.raises(AwsProblem) as caught:
        address(one, lambda *secrets: None)
    said = str(caught.value)
    assert said.startswith("targets.yaml:3: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"region": "us-west-2"}, "https://runtime.sagemaker.us-west-2.amazonaws.com/endpoints/llm/openai/v1"),
        ({"region": "cn-north-1"}, "https://runtime.sagemaker.cn-north-1.amazonaws.com.cn/endpoints/llm/openai/v1"),
        ({"region": "eusc-de-east-1"}, "https://runtime.sagemaker.eusc-de-east-1.amazonaws.eu/endpoints/llm/openai/v1"),
        ({"region": "us-gov-west-1"}, "https://runtime.sagemaker.us-gov-west-1.amazonaws.com/endpoints/llm/openai/v1"),
        ({"aws_profile": "dev"}, "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/llm/openai/v1"),
        (
            {"region": "us-west-2", "inference_component": "c"},
            "https://runtime.sagemaker.us-west-2.amazonaws.com/endpoints/llm/inference-components/c/openai/v1",
        ),
        (
            {"region": "us-west-2", "host": "vpce-1.runtime.sagemaker.us-west-2.vpce.amazonaws.com"},
            "https://vpce-1.runtime.sagemaker.us-west-2.vpce.amazonaws.com/endpoints/llm/openai/v1",
        ),
        ({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080/endpoints/llm/openai/v1"),
    ],
)
def test_where_the_route_is(options: dict[str, str], url: str) -> None:
    """Partition and host come from the region, by botocore's rules; a host of one's own goes before them."""
    one = target(**options)
    assert base_url(one, account(one)) == url


def test_where_the_route_is_by_fips_and_dual_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are taken from the AWS configuration, as every AWS tool takes them."""
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    one = target(region="us-east-1")
    assert "fips" in base_url(one, account(one))
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "false")
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert base_url(one, account(one)).startswith("https://runtime.sagemaker.us-east-1.api.aws/")


def test_the_region_of_the_target_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then AWS_REGION, AWS_DEFAULT_REGION, and the profile."""
    assert account(target(aws_profile="dev")).region == "eu-central-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    assert account(target(aws_profile="dev")).region == "us-east-2"
    monkeypatch.setenv("AWS_REGION", "us-west-1")
    assert account(target(aws_profile="dev")).region == "us-west-1"
    assert account(target(aws_profile="dev", region="sa-east-1")).region == "sa-east-1"


def test_what_is_missing_is_one_line() -> None:
    """Credentials, region, profile, a region without the service: what it is, where it is written, what to do."""
    assert "run `aws configure` or `aws sso login`" in problem(target(region="us-west-2"))
    assert "the profile `empty` has none" in problem(target(aws_profile="empty"))
    assert "write `region:`, or set AWS_REGION" in problem(target())
    assert "no profile `dve` in the AWS configuration (did you mean `dev`?)" in problem(target(aws_profile="dve"))
    said = problem(target(aws_profile="dev", region="eu-wset-1"))
    assert "no SageMaker in the region `eu-wset-1`" in said
    assert "did you mean `eu-west-1`?" in said


def test_without_botocore_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and the command in it."""
    monkeypatch.setitem(__import__("sys").modules, "botocore.session", None)
    with pytest.raises(AwsProblem, match=r"pip install 'openai-conformance\[sagemaker\]'"):
        account(target(region="us-west-2"))


def test_a_broken_configuration_is_one_line(files: Path) -> None:
    """A file that is no INI file."""
    (files / "config").write_text("nonsense = = [\n")
    assert "the AWS configuration cannot be used" in problem(target(region="us-west-2"))


def sts(status: int, body: str) -> Any:
    """A server that answers everything so, as STS would."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {len(body.encode())}\r\n\r\n"
    return sends(head.encode() + body.encode())


def refusal(code: str, message: str) -> str:
    """An error as STS writes it."""
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{error}<RequestId>1</RequestId></ErrorResponse>'


ASSUMED = (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
    "<AccessKeyId>ASIAROLEROLEROLEROLE</AccessKeyId><SecretAccessKey>role-secret-key</SecretAccessKey>"
    "<SessionToken>role-session-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
    f"<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>{ROLE}/b</Arn></AssumedRoleUser></AssumeRoleResult>"
    "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>"
)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", f"the role {ROLE} cannot be assumed"),
        ("ExpiredToken", "the AWS credentials have expired: sign in again"),
        ("InvalidClientTokenId", "AWS does not accept the credentials"),
    ],
)
def test_a_role_that_cannot_be_assumed(monkeypatch: pytest.MonkeyPatch, code: str, said: str) -> None:
    """Refused, or with credentials that are over: one line each."""
    with server(sts(403, refusal(code, "not authorized to perform: sts:AssumeRole"))) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url.removesuffix("/v1"))
        assert said in problem(target(aws_profile="dev", role=ROLE))


def test_a_role_is_assumed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Its credentials sign the tokens, with its session token; and no log has any of it, however talkative."""
    caplog.set_level(logging.DEBUG)
    learned: list[str] = []
    with server(sts(200, ASSUMED)) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url.removesuffix("/v1"))
        found = address(target(aws_profile="dev", role=ROLE, region="us-west-2"), lambda *them: learned.extend(them))
        assert found.credential is not None
        token = found.credential()
    one = read(token)
    assert (one.access, one.session) == ("ASIAROLEROLEROLEROLE", "role-session-token")
    assert one.is_signed_with("role-secret-key")
    for secret in ("role-secret-key", "role-session-token", "dev-secret", one.signature, token):
        assert secret not in caplog.text
    assert {"role-secret-key", "role-session-token", one.signature, token} <= set(learned)


def test_rotated_files_are_read_again(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes new credentials into the file need not start a new run."""
    monkeypatch.setattr("conformance.transport.aws.LOOK", 0.0)
    own = account(target(aws_profile="dev"))
    assert own.keys().access == "AKIADEVDEVDEVDEVDEV1"
    (files / "credentials").write_text(KEYS.format(name="dev", access="AKIANEWNEWNEWNEWNEW2", secret="new-secret"))
    time.sleep(0.001)
    assert own.keys().access == "AKIANEWNEWNEWNEWNEW2"


def test_minting_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is a calculation."""

    def refuse(*args: object, **more: object) -> None:
        raise AssertionError("a connection")

    own = account(target(aws_profile="dev"))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert read(mint(SAGEMAKER, own.keys(), own.region, 900)).is_signed_with("dev-secret")


def test_every_partition_has_regions() -> None:
    """What botocore knows, of China and of the sovereign clouds, too."""
    known = regions(account(target()).session)
    assert {"us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"} <= set(known)
    assert json.dumps(known)
