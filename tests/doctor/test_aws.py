"""The doctor before a SageMaker endpoint, with Amazon on loopback: moto's server, and what moto has not before it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.test_steps import COMPLETION, chat, target_of
from tests.kit.servers import server

pytest.importorskip("moto.server", reason="needs the extra [test]")
pytest.importorskip("botocore")

import botocore.session

from conformance.cli.main import main
from conformance.doctor.examine import examine
from conformance.doctor.lines import Line, Sheet, State
from conformance.doctor.permissions import BEARER, INVOKE, source_of
from conformance.transport.aws import Caller
from tests.kit.amazon_stand_in import Cloud, cloud

ENDPOINT = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/llama-prod"
IMAGE = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/vllm:0.20.2-gpu-py312-cu130-ubuntu22.04-sagemaker"
PRICE = "price: {hour: 1.5, input: 1, output: 3}"


@pytest.fixture(scope="module")
def started() -> Iterator[Cloud]:
    """An account with an endpoint of two machines and a user, once for all of these: moto takes seconds to start."""
    with cloud() as made:
        iam, sagemaker = client("iam", made), client("sagemaker", made)
        iam.create_user(UserName="tester")
        key = iam.create_access_key(UserName="tester")["AccessKey"]
        made.keys = key["AccessKeyId"], key["SecretAccessKey"]
        role = "arn:aws:iam::123456789012:role/runs-models"
        sagemaker.create_model(ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": IMAGE})
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.g4dn.xlarge", "InitialInstanceCount": 2}
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName="llama-prod", EndpointConfigName="c")
        yield made


@pytest.fixture
def amazon(started: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """That account with a user who may call the endpoint, and nothing of this machine's configuration."""
    started.forget()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in started.environment().items():
        monkeypatch.setenv(name, value)
    started.decisions |= {(INVOKE, ENDPOINT): "allowed", (BEARER, "*"): "allowed"}
    return started


def client(service: str, made: Cloud) -> Any:
    """A botocore client for preparing the account."""
    access, secret = made.keys
    return botocore.session.Session().create_client(
        service,
        region_name="eu-west-1",
        endpoint_url=made.url,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
    )


def scaled(made: Cloud, instances: int) -> None:
    """Let the endpoint have so many machines."""
    client("sagemaker", made).update_endpoint_weights_and_capacities(
        EndpointName="llama-prod",
        DesiredWeightsAndCapacities=[{"VariantName": "v", "DesiredInstanceCount": instances}],
    )


def stanza(base_url: str = "http://127.0.0.1:1/v1", more: str = "") -> str:
    """A stanza whose route is served at this address."""
    return f"kind: sagemaker, endpoint: llama-prod, model: '', host: '{base_url.removesuffix('/v1')}'{more}"


def sheet_of(here: Path, written: str, *, free: bool = False) -> Sheet:
    """The whole checklist."""

    return examine(target_of(here, written), os.environ, here / "reports", free=free)


def seen(here: Path, written: str, *, free: bool = False) -> dict[str, Line]:
    """Its lines, by topic."""
    return {line.topic: line for line in sheet_of(here, written, free=free).lines}


def test_a_sound_endpoint_is_all_right(amazon: Cloud, tmp_path: Path) -> None:
    """Principal, permissions, machines, image, token and price are told; the request carries a token; no secret is shown."""
    heard: list[bytes] = []

    def route(connection: socket.socket, request: bytes) -> None:
        heard.append(request)
        chat(COMPLETION)(connection, request)

    with server(route) as base_url:
        sheet = sheet_of(tmp_path, stanza(base_url, f", {PRICE}"))
    lines = {line.topic: line for line in sheet.lines}
    assert {line.state for topic, line in lines.items() if topic not in ("model", "clock")} == {State.OK}, lines
    assert lines["credentials"].said == "found (env)"
    assert lines["principal"].said.startswith("arn:aws:iam::123456789012:user/tester")
    assert "on this endpoint, and not on all" in lines["may invoke"].said
    assert lines["endpoint"].said == "`llama-prod` is InService"
    assert lines["instances"].said == "2 × ml.g4dn.xlarge, in 1 variant"
    assert lines["container"].said == IMAGE
    assert lines["token"].said.startswith("valid for 15 min")
    assert lines["an hour"].said.startswith("2 × 1.50 = 3.00, while InService, asked or not")
    assert "an hour costs what they would" in lines["break-even"].said
    posted = next(one for one in heard if one.startswith(b"POST"))
    assert posted.startswith(b"POST /endpoints/llama-prod/openai/v1/chat/completions ")
    assert b"authorization: Bearer sagemaker-api-key-" in posted

    shown = json.dumps(sheet.to_json())
    for secret in (os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"], "sagemaker-api-key-"):
        assert secret not in shown


def test_a_policy_that_is_too_broad(amazon: Cloud, tmp_path: Path) -> None:
    """Who may call every endpoint is warned, with the statement that allows this one only."""
    amazon.decisions[INVOKE, "*"] = "allowed"
    line = seen(tmp_path, stanza(), free=True)["may invoke"]
    assert line.state is State.WARNING
    assert "and on every other" in line.said
    assert json.loads(line.todo.removeprefix("narrow it to ")) == {
        "Effect": "Allow", "Action": "sagemaker:InvokeEndpoint", "Resource": ENDPOINT,
    }  # fmt: skip


def test_a_role_that_cannot_call_the_endpoint(amazon: Cloud, tmp_path: Path) -> None:
    """What is missing is told with the statement that allows it; a Deny is told apart; the request is tried all the same."""
    amazon.decisions.clear()
    amazon.decisions[BEARER, "*"] = "explicitDeny"
    with server(chat({"message": "User is not authorized"}, 403)) as base_url:
        sheet = sheet_of(tmp_path, stanza(base_url))
    lines = {line.topic: line for line in sheet.lines}
    assert lines["may invoke"].state is State.FAILED
    assert "is not allowed by any statement" in lines["may invoke"].said
    assert f'"Resource": "{ENDPOINT}"' in lines["may invoke"].todo
    assert "is denied by a statement" in lines["may use tokens"].said
    assert lines["may use tokens"].todo.startswith(f"take the Deny of {BEARER} away")
    assert lines["key"].state is State.FAILED
    assert sheet.blocked


CALLS = {
    "SimulatePrincipalPolicy": ("may invoke", "iam:SimulatePrincipalPolicy", "arn:aws:iam::123456789012:user/tester"),
    "DescribeEndpoint": ("endpoint", "sagemaker:DescribeEndpoint", ENDPOINT),
    "DescribeEndpointConfig": ("instances", "sagemaker:DescribeEndpointConfig", "endpoint-config/llama-prod"),
    "DescribeModel": ("container", "sagemaker:DescribeModel", ":model/m"),
}


@pytest.mark.parametrize("operation", CALLS)
def test_a_call_that_is_denied_costs_one_line(operation: str, amazon: Cloud, tmp_path: Path) -> None:
    """Every call is optional: its denial names the statement that would allow it, and the rest goes on."""
    amazon.denied.add(operation)
    topic, action, resource = CALLS[operation]
    sheet = sheet_of(tmp_path, stanza(), free=True)
    line = next(line for line in sheet.lines if line.topic == topic)
    assert line.state is State.SKIPPED
    assert line.said == f"{action} is denied"
    statement = json.loads(line.todo.removeprefix("to see it, allow "))
    assert statement["Action"] == action
    assert resource in statement["Resource"]
    assert {"principal", "a run"} <= {line.topic for line in sheet.lines if line.state is State.OK}


def test_an_endpoint_that_is_not_there(amazon: Cloud, tmp_path: Path) -> None:
    """The likeliest endpoint of the account is named, and nothing is sent."""
    lines = seen(tmp_path, stanza().replace("llama-prod", "lama-prod"))
    assert lines["endpoint"].state is State.FAILED
    assert lines["endpoint"].todo == "did you mean `llama-prod`?"
    assert lines["request"].state is State.SKIPPED


def test_an_endpoint_that_is_scaled_to_zero_is_not_woken(amazon: Cloud, tmp_path: Path) -> None:
    """A request would start machines that are paid for: it is told, and not sent."""
    scaled(amazon, 0)
    heard: list[bytes] = []

    def route(connection: socket.socket, request: bytes) -> None:
        heard.append(request)
        chat(COMPLETION)(connection, request)

    try:
        with server(route) as base_url:
            lines = seen(tmp_path, stanza(base_url))
    finally:
        scaled(amazon, 2)
    assert lines["instances"].state is State.WARNING
    assert "scaled to zero" in lines["instances"].said
    assert not any(one.startswith(b"POST") for one in heard)


COMPONENTS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "sound": (
        {"InferenceComponentStatus": "InService", "RuntimeConfig": {"CurrentCopyCount": 2}},
        "ok",
        "with 2 copies",
    ),
    "asleep": (
        {"InferenceComponentStatus": "InService", "RuntimeConfig": {"CurrentCopyCount": 0}},
        "warning",
        "no copy",
    ),
    "broken": ({"InferenceComponentStatus": "Failed", "FailureReason": "no memory"}, "failed", "is Failed: no memory"),
}


@pytest.mark.parametrize("state", COMPONENTS)
def test_an_inference_component_is_looked_at(state: str, amazon: Cloud, tmp_path: Path) -> None:
    """Its status, copies and image are told; one that failed says why; one that is not there is a line of its own."""
    container = {"DeployedImage": {"SpecifiedImage": IMAGE}}
    said, expected, words = COMPONENTS[state]
    amazon.components["llama"] = {**said, "Specification": {"Container": container}}
    lines = seen(tmp_path, stanza(more=", inference_component: llama"), free=True)
    assert lines["component"].state == expected
    assert words in lines["component"].said
    assert lines["container"].said == IMAGE
    lines = seen(tmp_path, stanza(more=", inference_component: other"), free=True)
    assert "there is no inference component `other`" in lines["component"].said
    amazon.denied.add("DescribeInferenceComponent")
    line = seen(tmp_path, stanza(more=", inference_component: llama"), free=True)["component"]
    assert line.state is State.SKIPPED
    assert "inference-component/llama" in line.todo


BAD = {
    "expired": ("ExpiredToken", "the AWS credentials have expired", "aws sso login"),
    "unknown": ("InvalidClientTokenId", "AWS does not accept the credentials", "not deleted"),
}


@pytest.mark.parametrize("state", BAD)
def test_credentials_that_aws_does_not_accept(state: str, amazon: Cloud, tmp_path: Path) -> None:
    """Expired ones and unknown ones are told apart; nothing else is asked."""
    code, said, todo = BAD[state]
    amazon.broken["GetCallerIdentity"] = code
    sheet = sheet_of(tmp_path, stanza())
    lines = {line.topic: line for line in sheet.lines}
    assert lines["principal"].state is State.FAILED
    assert said in lines["principal"].said
    assert todo in lines["principal"].todo
    assert sheet.blocked
    assert amazon.asked == ["GetCallerIdentity"]


def test_no_credentials_at_all(amazon: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked for is told, and how to get some; AWS is not asked."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    lines = seen(tmp_path, stanza())
    assert lines["credentials"].state is State.FAILED
    assert lines["credentials"].said.startswith("no AWS credentials (none in the environment")
    assert "aws configure" in lines["credentials"].todo
    assert amazon.asked == []


def test_a_region_without_the_service(amazon: Cloud, tmp_path: Path) -> None:
    """The region is told with the likeliest one meant."""
    written = "kind: sagemaker, endpoint: llama-prod, region: eu-weast-1"
    line = seen(tmp_path, written)["region"]
    assert line.state is State.FAILED
    assert "did you mean `eu-west-1`?" in line.said + line.todo


def test_aws_that_is_not_reached_is_no_verdict(amazon: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where AWS's own services cannot be reached (a VPC without them), the endpoint may be: the request is sent."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with server(chat(COMPLETION)) as base_url:
        lines = seen(tmp_path, stanza(base_url))
    assert lines["principal"].state is State.SKIPPED
    assert lines["endpoint"].state is State.SKIPPED
    assert lines["answer"].state is State.OK


def test_the_command_of_a_bad_name_and_of_a_sound_target(
    amazon: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An illegal endpoint name is a mistake of the file (4); a policy that is missing something is 1; the table fits."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    file = tmp_path / "targets.yaml"
    file.write_text(f"targets: {{prod: {{{stanza().replace('llama-prod', 'llama_prod')}}}}}")
    assert main(["doctor", "prod"]) == 4
    error = capsys.readouterr().err
    assert "targets.yaml:1: `targets.prod.endpoint` must be a name" in error
    with server(chat(COMPLETION)) as base_url:
        file.write_text(f"targets: {{prod: {{{stanza(base_url)}}}}}")
        assert main(["doctor", "prod"]) == 0
        amazon.decisions.clear()
        assert main(["doctor", "prod"]) == 1
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())


def test_whose_policies_count() -> None:
    """Those of the role behind an assumed role, those of a user; the account itself and federated users have none to ask for."""
    arns = {
        "arn:aws:sts::123456789012:assumed-role/caller/me": "arn:aws:iam::123456789012:role/caller",
        "arn:aws-cn:iam::123456789012:user/team/me": "arn:aws-cn:iam::123456789012:user/team/me",
        "arn:aws:iam::123456789012:root": "",
        "arn:aws:sts::123456789012:federated-user/me": "",
    }
    assert {arn: source_of(Caller("123456789012", arn)) for arn in arns} == arns
