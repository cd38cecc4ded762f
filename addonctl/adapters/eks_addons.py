"""The add-ons of one EKS cluster, losslessly, through the EKS API: ports.EksAddons and ports.EksAddonWriter.

boto3 tries again by itself, which is safe: writes carry the caller's token. The settings that were sent are never shown
in an error.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from addonctl.adapters import aws_errors, redact
from addonctl.adapters.aws import Aws
from addonctl.errors import BadInput, Invalid, NotFound, Unavailable
from addonctl.model import EksIssue, EksUpdate, live

_T = TypeVar("_T")
_RESET = "{}"  # configurationValues cannot be unset; EKS treats this as empty
_MARK = "addonctl/step"  # a tag
_TOKEN = re.compile(r"[!-~]{1,64}")


class EksAddonApi:
    """Both ports for one cluster; nothing is cached. AWS is not needed before the first call."""

    def __init__(self, aws: Aws, cluster: str) -> None:
        self._aws, self._cluster = aws, cluster

    @cached_property
    def _eks(self) -> Any:
        return self._aws.client("eks")

    def names(self) -> tuple[str, ...]:
        pages = self._eks.get_paginator("list_addons").paginate(clusterName=self._cluster)
        return _asked(lambda: tuple(name for page in pages for name in page.get("addons") or ()))

    def describe(self, addon: str) -> live.Addon:
        found = _asked(lambda: self._eks.describe_addon(clusterName=self._cluster, addonName=addon)["addon"])
        return self._addon(found)

    def configuration_schema(self, addon: str, version: str) -> str:
        which = {"addonName": addon, "addonVersion": version}
        found = _asked(lambda: self._eks.describe_addon_configuration(**which))
        return str(found.get("configurationSchema") or "{}")

    def update_status(self, addon: str, update_id: str) -> EksUpdate:
        which = {"name": self._cluster, "addonName": addon, "updateId": update_id}
        return _update(_asked(lambda: self._eks.describe_update(**which)["update"]), addon)

    def create(
        self,
        addon: str,
        *,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        configuration: str,
        resolve_conflicts: live.ResolveConflicts,
        namespace: str,
        token: str,
        mark: str = "",
    ) -> live.Addon:
        wanted = self._wanted(addon, version, role_arn, identities, resolve_conflicts, token)
        if configuration:
            wanted["configurationValues"] = configuration
        if namespace:
            wanted["namespaceConfig"] = {"namespace": namespace}
        if mark:
            wanted["tags"] = {_MARK: mark}
        return self._addon(_asked(lambda: self._eks.create_addon(**wanted)["addon"], configuration))

    def update(
        self,
        addon: str,
        *,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        configuration: str,
        resolve_conflicts: live.ResolveConflicts,
        token: str,
    ) -> EksUpdate:
        wanted = self._wanted(addon, version, role_arn, identities, resolve_conflicts, token)
        wanted["configurationValues"] = configuration or _RESET
        return _update(_asked(lambda: self._eks.update_addon(**wanted)["update"], configuration), addon)

    def delete(self, addon: str, *, preserve: bool) -> None:
        try:
            _asked(lambda: self._eks.delete_addon(clusterName=self._cluster, addonName=addon, preserve=preserve))
        except NotFound:
            self.names()  # the cluster itself must exist

    def _wanted(
        self,
        addon: str,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        resolve_conflicts: live.ResolveConflicts,
        token: str,
    ) -> dict[str, Any]:
        if not _TOKEN.fullmatch(token):
            raise BadInput("A change of an EKS add-on needs a token of 1 to 64 characters", "Give the step's own.")
        wanted = {
            "clusterName": self._cluster,
            "addonName": addon,
            "addonVersion": version,
            "resolveConflicts": resolve_conflicts.value,
            "clientRequestToken": token,
            "podIdentityAssociations": [
                {"serviceAccount": one.service_account, "roleArn": one.role_arn} for one in identities
            ],
        }
        return wanted | ({"serviceAccountRoleArn": role_arn} if role_arn else {})  # EKS rejects an empty one

    def _addon(self, said: Mapping[str, Any]) -> live.Addon:
        return live.Addon(
            name=said["addonName"],
            status=said.get("status", ""),
            version=said.get("addonVersion", ""),
            arn=said.get("addonArn", ""),
            namespace=(said.get("namespaceConfig") or {}).get("namespace", ""),
            role_arn=said.get("serviceAccountRoleArn", ""),
            identities=tuple(map(self._identity, said.get("podIdentityAssociations") or ())),
            configuration=said.get("configurationValues") or "",
            issues=_issues((said.get("health") or {}).get("issues")),
            modified=said.get("modifiedAt"),
            mark=(said.get("tags") or {}).get(_MARK, ""),
        )

    def _identity(self, arn: str) -> live.Identity:
        which = {"clusterName": self._cluster, "associationId": arn.rpartition("/")[2]}
        try:
            found = _asked(lambda: self._eks.describe_pod_identity_association(**which)["association"])
        except NotFound as error:  # the description predates the last change
            raise Unavailable(f"{error.what}; EKS is between two states", "Ask again.") from error
        return live.Identity(found["serviceAccount"], found["roleArn"])


def _update(said: Mapping[str, Any], addon: str) -> EksUpdate:
    """`params` without the configuration, which may contain secrets."""
    params = {one["type"]: str(one.get("value") or "") for one in said.get("params") or ()}
    params.pop("ConfigurationValues", None)
    return EksUpdate(
        id=said["id"],
        type=said.get("type", ""),
        status=said.get("status", ""),
        addon=addon,
        created=said.get("createdAt"),
        params=params,
        errors=_issues(said.get("errors")),
    )


def _issues(said: Any) -> tuple[EksIssue, ...]:
    return tuple(
        EksIssue(
            code=str(one.get("code") or one.get("errorCode") or ""),
            message=redact.text(str(one.get("message") or one.get("errorMessage") or "")),
            resources=tuple(one.get("resourceIds") or ()),
        )
        for one in said or ()
    )


def _asked(ask: Callable[[], _T], sent: str = "") -> _T:
    """The response of AWS. An error must not quote `sent`, so botocore's exception is not chained."""
    from botocore import exceptions as aws

    try:
        return ask()
    except aws.ParamValidationError as error:
        raise Invalid(f"EKS would not take this: {redact.without(redact.message(str(error)), sent)}") from None
    except (aws.BotoCoreError, aws.ClientError, AttributeError, KeyError, TypeError) as error:
        found = aws_errors.failure(error)
        raise type(found)(redact.without(found.what, sent), found.fix, reason=found.reason) from None
