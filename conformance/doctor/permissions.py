"""Calls to AWS that may be denied, each with the policy statement that would allow it; and what a principal may do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.doctor.lines import Sheet
from conformance.transport.aws import Account, AwsProblem, Caller

INVOKE, BEARER = "sagemaker:InvokeEndpoint", "sagemaker:CallWithBearerToken"
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException")
GONE = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "RequestExpired",
)
"""Errors that are about the credentials, whatever was called."""


@dataclass(frozen=True)
class Refused:
    """Why a call gave nothing."""

    code: str
    """AWS's own word for it; "" where AWS was not reached."""
    said: str

    @property
    def denied(self) -> bool:
        """Whether the principal may not call it."""
        return self.code in DENIED


def called(call: Callable[[], Any]) -> Any:
    """What a call of botocore gives, or Refused: every one of them is optional."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as problem:
        error = problem.response.get("Error", {})
        return Refused(str(error.get("Code", "")), " ".join(str(error.get("Message", problem)).split()))
    except BotoCoreError as problem:
        return Refused("", " ".join(str(problem).split()))
    except AwsProblem as problem:
        return Refused("", str(problem))


def statement(action: str, resource: str) -> str:
    """The statement of a policy that allows an action."""
    return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource})


def unknown(sheet: Sheet, topic: str, action: str, resource: str, why: Refused) -> None:
    """Write that a call gave nothing, and what would allow it where it was denied."""
    if why.denied:
        sheet.skip(topic, f"{action} is denied", f"to see it, allow {statement(action, resource)}")
    else:
        code = f"{why.code}: " if why.code else ""
        sheet.skip(topic, f"{action} gave nothing: {code}{why.said}")


def source_of(caller: Caller) -> str:
    """The ARN of the principal whose policies count: of an assumed role, that of the role; "" for root and others."""
    match = re.fullmatch(r"arn:([a-z-]+):sts::(\d+):assumed-role/([^/]+)/.*", caller.arn)
    if match:
        return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}"
    return caller.arn if re.fullmatch(r"arn:[a-z-]+:iam::\d+:(user|role)/.+", caller.arn) else ""


def policies(sheet: Sheet, account: Account, caller: Caller, endpoint: str) -> None:
    """Whether the principal may call this endpoint with a bearer token, and whether it may call every one."""
    source = source_of(caller)
    if not source:
        sheet.skip("permissions", f"the policies of {caller.arn} cannot be simulated: it is neither a user nor a role")
        return
    iam = called(lambda: account.client("iam"))
    if isinstance(iam, Refused):
        unknown(sheet, "permissions", "iam:SimulatePrincipalPolicy", source, iam)
        return
    if ":role/" in source:  # the ARN of an assumed role lacks the role's path
        found = called(lambda: iam.get_role(RoleName=source.rpartition("/")[2]))
        source = source if isinstance(found, Refused) else found["Role"]["Arn"]
    _may_invoke(sheet, iam, source, endpoint)
    _may_use_tokens(sheet, iam, source)


def _simulated(iam: Any, source: str, action: str, resource: str) -> Any:
    """`allowed`, `explicitDeny` or `implicitDeny`; or Refused."""
    found = called(
        lambda: iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=[action], ResourceArns=[resource])
    )
    if isinstance(found, Refused):
        return found
    results = found.get("EvaluationResults") or [{}]
    return results[0].get("EvalDecision", "implicitDeny")


def _may_invoke(sheet: Sheet, iam: Any, source: str, endpoint: str) -> None:
    topic = "may invoke"
    here = _simulated(iam, source, INVOKE, endpoint)
    if isinstance(here, Refused):
        unknown(sheet, topic, "iam:SimulatePrincipalPolicy", source, here)
        return
    if here != "allowed":
        _denied(sheet, topic, here, INVOKE, endpoint)
        return
    everywhere = _simulated(iam, source, INVOKE, "*")
    if everywhere == "allowed":
        sheet.warn(
            topic,
            f"{INVOKE} is allowed on this endpoint, and on every other",
            f"narrow it to {statement(INVOKE, endpoint)}",
        )
    else:
        sheet.ok(topic, f"{INVOKE} is allowed on this endpoint, and not on all")


def _may_use_tokens(sheet: Sheet, iam: Any, source: str) -> None:
    topic = "may use tokens"
    found = _simulated(iam, source, BEARER, "*")
    if isinstance(found, Refused):
        unknown(sheet, topic, "iam:SimulatePrincipalPolicy", source, found)
    elif found == "allowed":
        sheet.ok(topic, f"{BEARER} is allowed")
    else:
        _denied(sheet, topic, found, BEARER, "*")


def _denied(sheet: Sheet, topic: str, decision: str, action: str, resource: str) -> None:
    how = "denied by a statement" if decision == "explicitDeny" else "not allowed by any statement"
    todo = f"allow {statement(action, resource)}"
    if decision == "explicitDeny":
        todo = f"take the Deny of {action} away, and {todo}"
    # The request itself is sent all the same: a simulation knows no policy of a resource or an organization.
    sheet.fail(topic, f"{action} on {resource} is {how}", todo, blocks=False)
