"""The AWS side of a target: whose credentials they are, what they may do, and how the endpoint is.

Every call is optional: one that is denied is told with what would allow it, and the rest goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from conformance.core.aws import names as amazon
from conformance.core.mistake import nearest
from conformance.core.text import number_of
from conformance.doctor.lines import Sheet
from conformance.doctor.permissions import GONE, Refused, called, policies, unknown
from conformance.targets.kinds import AWS_OPTIONS, KINDS, SAGEMAKER
from conformance.targets.target import Target
from conformance.transport import bedrock, sagemaker
from conformance.transport.aws import Account, AwsProblem, Caller, account

DESCRIBE = "sagemaker:Describe"
REFUSALS = {
    True: ("the AWS credentials have expired", "sign in again (`aws sso login`), or renew what set them"),
    False: ("AWS does not accept the credentials", "are they of this account, and not deleted?"),
}
"""By whether they have expired."""


@dataclass(frozen=True)
class Fleet:
    """What is paid for while an endpoint is in service."""

    instances: int = 1
    kind: str = ""


def signed(target: Target) -> bool:
    """Whether the target's tokens are made from AWS credentials."""
    kind = KINDS.get(target.kind)
    return kind is not None and set(AWS_OPTIONS) <= set(kind.options) and target.key is None


def examined(sheet: Sheet, target: Target) -> Fleet | None:
    """Write how the AWS side is; gives what is paid for, where that is known."""
    try:
        aws = account(target)
        keys = aws.keys()
    except AwsProblem as problem:
        sheet.fail("credentials", *_parted(target, problem))
        return None
    sheet.guard.learn(*keys.secrets)
    region = _placed(sheet, target, aws)
    _lasting(sheet, target, aws, keys.expires)
    if sheet.blocked:
        return None
    caller = _called_by(sheet, aws)
    if sheet.blocked or target.kind != SAGEMAKER:
        return None
    name, client = target.options["endpoint"], called(lambda: aws.client("sagemaker"))
    found = client if isinstance(client, Refused) else called(lambda: client.describe_endpoint(EndpointName=name))
    arn = _arn(region, caller, name) if isinstance(found, Refused) else str(found["EndpointArn"])
    if caller is not None:
        policies(sheet, aws, caller, arn)
    return _endpoint(sheet, target, client, found, arn)


def _arn(region: str, caller: Caller | None, name: str) -> str:
    """The ARN of an endpoint that AWS did not tell; SageMaker writes them in lower case."""
    partition, account_id = (caller.arn.split(":")[1], caller.account) if caller else ("aws", "*")
    return f"arn:{partition}:sagemaker:{region}:{account_id}:endpoint/{name}".lower()


def _parted(target: Target, problem: AwsProblem) -> tuple[str, str]:
    """What is the matter, and what to do: the parts of a message that has both."""
    whole = str(problem).removeprefix(f"{target.where}: ")
    said, _, todo = whole.partition(": ")
    if not todo or said.endswith(("used", "assumed")):  # what follows is AWS's own reason
        return whole, "`aws sts get-caller-identity`, with the same settings, says whether AWS knows them"
    return said, todo


def _placed(sheet: Sheet, target: Target, aws: Account) -> str:
    """The region; "" where there is none, or none with the service."""
    try:
        region = aws.region
        kind = sagemaker if target.kind == SAGEMAKER else bedrock
        sheet.ok("region", f"{region}: {kind.base_url(target, aws)}")
    except AwsProblem as problem:
        sheet.fail("region", *_parted(target, problem))
        return ""
    return region


def _lasting(sheet: Sheet, target: Target, aws: Account, expires: datetime | None) -> None:
    """How the credentials were found, how long they last, and a token made of them."""
    now = datetime.now(UTC)
    origin = f"found ({aws.origin})"
    life = amazon.life(target.options.get("token_lifetime"))
    if expires is not None and expires <= now:
        sheet.fail(
            "credentials", f"{origin}, and over since {expires:%Y-%m-%d %H:%M} UTC", "sign in again: `aws sso login`"
        )
        return
    left = None if expires is None else expires - now
    sheet.ok("credentials", origin if left is None else f"{origin}, valid for {_span(left)}")
    token = timedelta(seconds=life)
    if left is not None and left < token:
        sheet.warn(
            "token",
            f"valid for {_span(token)}, but over with the credentials, in {_span(left)}",
            "sign in again before a long run; a token never outlives what signed it",
        )
    else:
        sheet.ok("token", f"valid for {_span(token)}, made afresh near each request")


def _called_by(sheet: Sheet, aws: Account) -> Caller | None:
    """Whose credentials they are; AWS allows everybody to ask that."""
    found = called(lambda: aws.client("sts").get_caller_identity())
    if isinstance(found, Refused):
        if found.code in GONE:
            said, todo = REFUSALS["Expired" in found.code]
            sheet.fail("principal", f"{said} ({found.code})", todo)
        else:
            unknown(sheet, "principal", "sts:GetCallerIdentity", "*", found)
        return None
    caller = Caller(str(found["Account"]), str(found["Arn"]))
    sheet.facts["principal"] = caller.arn
    sheet.ok("principal", f"{caller.arn} (account {caller.account})")
    return caller


def _endpoint(sheet: Sheet, target: Target, client: Any, found: Any, arn: str) -> Fleet | None:
    """How the endpoint is, and what is paid for while it is in service."""
    name = target.options["endpoint"]
    if isinstance(found, Refused):
        if found.code == "ValidationException":
            sheet.fail("endpoint", f"there is no endpoint `{name}`: {found.said}", _other(client, name))
        elif found.code in GONE:
            said, todo = REFUSALS["Expired" in found.code]
            sheet.fail("endpoint", f"{said} ({found.code})", todo)
        else:
            unknown(sheet, "endpoint", f"{DESCRIBE}Endpoint", arn, found)
        return None
    variants = found.get("ProductionVariants") or []
    sheet.facts["endpoint_status"] = found["EndpointStatus"]
    status = f"`{name}` is {found['EndpointStatus']}"
    if found["EndpointStatus"] in ("InService", "Updating", "SystemUpdating"):
        sheet.ok("endpoint", status)
    else:
        why = f": {found['FailureReason']}" if found.get("FailureReason") else ""
        sheet.fail("endpoint", status + why, "wait until it is InService: `aws sagemaker wait endpoint-in-service`")
    instances = sum(int(one.get("CurrentInstanceCount") or 0) for one in variants)
    fleet = _machines(sheet, client, found, variants, instances, arn)
    part = target.options.get("inference_component")
    images = _component(sheet, client, part, arn) if part else _images(sheet, client, found, variants, arn)
    if images:
        sheet.facts["images"] = images
        sheet.ok("container", ", ".join(images))
    elif all(line.topic != "container" for line in sheet.lines):
        sheet.skip("container", "no image is told")
    return fleet


def _other(client: Any, name: str) -> str:
    """The likeliest endpoint meant, of those there are."""
    found = called(lambda: client.list_endpoints(MaxResults=100))
    names = [] if isinstance(found, Refused) else [one["EndpointName"] for one in found.get("Endpoints", ())]
    return nearest(name, names) or (
        f"there are: {', '.join(names[:8])}" if names else "check endpoint, region and account"
    )


def _machines(sheet: Sheet, client: Any, found: Any, variants: list[Any], instances: int, arn: str) -> Fleet | None:
    """The instances behind an endpoint: of which type, and how many."""
    name = found.get("EndpointConfigName", "")
    config = called(lambda: client.describe_endpoint_config(EndpointConfigName=name))
    if isinstance(config, Refused):
        unknown(sheet, "instances", f"{DESCRIBE}EndpointConfig", arn.replace(":endpoint/", ":endpoint-config/"), config)
        return Fleet(instances) if instances else None
    wanted = config.get("ProductionVariants") or []
    types = sorted({str(one["InstanceType"]) for one in wanted if one.get("InstanceType")})
    if not types:
        sheet.ok("instances", "serverless: none is paid for while nobody asks")
        return None
    sheet.facts["instances"] = instances
    if instances == 0 and variants:
        todo = "a request wakes it up, which takes minutes and is paid for; a run before that is refused with 400"
        sheet.warn("instances", f"none of {', '.join(types)} is running: it is scaled to zero", todo)
    else:
        sheet.ok("instances", f"{instances} × {', '.join(types)}, in {number_of(len(wanted), 'variant')}")
    return Fleet(instances, ", ".join(types))


def _component(sheet: Sheet, client: Any, name: str, arn: str) -> list[str]:
    """How an inference component is; gives its images."""
    found = called(lambda: client.describe_inference_component(InferenceComponentName=name))
    if isinstance(found, Refused):
        if found.code == "ValidationException":
            sheet.fail(
                "component", f"there is no inference component `{name}`: {found.said}", "check inference_component"
            )
        else:
            place = arn.rpartition(":endpoint/")[0] + f":inference-component/{name}".lower()
            unknown(sheet, "component", f"{DESCRIBE}InferenceComponent", place, found)
        return []
    copies = (found.get("RuntimeConfig") or {}).get("CurrentCopyCount")
    status = f"`{name}` is {found['InferenceComponentStatus']}"
    if found["InferenceComponentStatus"] != "InService":
        why = f": {found['FailureReason']}" if found.get("FailureReason") else ""
        sheet.fail("component", status + why, "wait until it is InService")
    elif copies == 0:
        sheet.warn("component", f"{status} with no copy", "a request wakes it up, which takes minutes and is paid for")
    else:
        sheet.ok("component", status + (f" with {number_of(copies, 'copy', 'copies')}" if copies is not None else ""))
    container = (found.get("Specification") or {}).get("Container") or {}
    image = (container.get("DeployedImage") or {}).get("SpecifiedImage")
    return [image] if image else []


def _images(sheet: Sheet, client: Any, found: Any, variants: list[Any], arn: str) -> list[str]:
    """The images that run, or else those of the models that the configuration names."""
    running = [one.get("SpecifiedImage") for each in variants for one in each.get("DeployedImages") or ()]
    if not any(running):
        config = called(lambda: client.describe_endpoint_config(EndpointConfigName=found.get("EndpointConfigName", "")))
        wanted = () if isinstance(config, Refused) else config.get("ProductionVariants") or ()
        for name in dict.fromkeys(str(each.get("ModelName", "")) for each in wanted):
            model = called(partial(client.describe_model, ModelName=name))
            if isinstance(model, Refused):
                place = f"{arn.rpartition(':endpoint/')[0]}:model/{name}".lower()
                unknown(sheet, "container", f"{DESCRIBE}Model", place, model)
                continue
            containers = [model.get("PrimaryContainer") or {}, *(model.get("Containers") or ())]
            running += [one.get("Image") for one in containers]
    return list(dict.fromkeys(str(one) for one in running if one))


def _span(length: timedelta) -> str:
    """A length of time, as people say it."""
    seconds = round(length.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
