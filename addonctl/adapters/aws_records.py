"""Records of AWS, decoded from what its API answers: read live by boto3, or as the command line prints it.

Raises KeyError, TypeError or AttributeError for an answer without the documented shape.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from addonctl.adapters import redact
from addonctl.model import (
    Eks,
    EksAddon,
    EksCapability,
    EksCluster,
    EksInsight,
    EksIssue,
    EksUpdate,
    FargateProfile,
    InstanceType,
    NodeGroup,
    PodIdentity,
    Subnet,
)


def _utc(when: datetime | str | float | None) -> datetime | None:
    """In UTC: boto3 returns times in the local time zone, the command line texts, or seconds in old versions."""
    if isinstance(when, int | float):
        return datetime.fromtimestamp(when, UTC)
    if isinstance(when, str):
        try:
            when = datetime.fromisoformat(when)
        except ValueError:
            return None
    return when.astimezone(UTC) if when is not None else None


def is_set(values: str) -> bool:
    """Whether configurationValues (JSON or YAML, as sent) contain anything."""
    return "".join(values.split()) not in ("", "{}", "null", "---")


def _issues(issues: Iterable[Mapping[str, Any]] | None) -> tuple[EksIssue, ...]:
    return tuple(
        EksIssue(
            code=one.get("code") or one.get("errorCode") or "",
            message=redact.text(one.get("message") or one.get("errorMessage") or ""),
            resources=tuple(one.get("resourceIds") or ()),
        )
        for one in issues or ()
    )


def cluster(one: Mapping[str, Any], region: str) -> EksCluster:
    """DescribeCluster's answer."""
    return EksCluster(
        name=one["name"],
        arn=one.get("arn", ""),
        region=region,
        endpoint=one.get("endpoint") or "",
        status=one.get("status", ""),
        version=one.get("version", ""),
        platform_version=one.get("platformVersion") or "",
        support_type=(one.get("upgradePolicy") or {}).get("supportType", ""),
        auto_mode=bool((one.get("computeConfig") or {}).get("enabled")),
        health_issues=tuple(issue.code for issue in _issues((one.get("health") or {}).get("issues"))),
        subnets=tuple((one.get("resourcesVpcConfig") or {}).get("subnetIds") or ()),
    )


def update(one: Mapping[str, Any], addon: str) -> EksUpdate:
    """DescribeUpdate's answer, which does not say of which add-on it is."""
    params = {param["type"]: str(param.get("value") or "") for param in one.get("params") or ()}
    return EksUpdate(
        id=one["id"],
        type=one.get("type", ""),
        status=one.get("status", ""),
        addon=addon,
        created=_utc(one.get("createdAt")),
        params=_fitting(params),
        errors=_issues(one.get("errors")),
    )


# Of the parameters of an update, only versions are kept; not configuration, roles, addresses and endpoints.
_VERSION = re.compile(r"v?\d{1,4}(\.\d{1,8}){0,3}(-(eksbuild|eks|\d{8})[.\w]{0,12})?|eks\.\d{1,4}", re.ASCII)
_PARAMS: Mapping[str, re.Pattern[str]] = {
    "AddonVersion": _VERSION,
    "Version": _VERSION,
    "PlatformVersion": _VERSION,
    "ReleaseVersion": _VERSION,
    "ResolveConflicts": re.compile("OVERWRITE|PRESERVE|NONE"),
}


def _fitting(params: Mapping[str, str]) -> dict[str, str]:
    return {kind: params[kind] for kind, form in _PARAMS.items() if form.fullmatch(params.get(kind, ""))}


def insight(one: Mapping[str, Any]) -> EksInsight:
    """DescribeInsight's answer, or an entry of ListInsights."""
    status = one.get("insightStatus") or {}
    details = (one.get("categorySpecificSummary") or {}).get("addonCompatibilityDetails") or ()
    resources = (r.get("kubernetesResourceUri") or r.get("arn") or "" for r in one.get("resources") or ())
    return EksInsight(
        id=one["id"],
        name=one.get("name", ""),
        category=one.get("category", ""),
        status=status.get("status", ""),
        kubernetes_version=one.get("kubernetesVersion") or "",
        reason=redact.text(status.get("reason") or ""),
        recommendation=redact.text(one.get("recommendation") or ""),
        refreshed=_utc(one.get("lastRefreshTime")),
        resources=tuple(filter(None, resources)),
        addons={detail["name"]: tuple(detail.get("compatibleVersions") or ()) for detail in details},
    )


def node_group(one: Mapping[str, Any]) -> NodeGroup:
    """DescribeNodegroup's answer."""
    scaling = one.get("scalingConfig") or {}
    return NodeGroup(
        name=one["nodegroupName"],
        status=one.get("status", ""),
        version=one.get("version") or "",
        release_version=one.get("releaseVersion") or "",
        ami_type=one.get("amiType") or "",
        capacity_type=one.get("capacityType") or "",
        node_role=one.get("nodeRole") or "",
        instance_types=tuple(one.get("instanceTypes") or ()),
        desired=scaling.get("desiredSize", 0),
        minimum=scaling.get("minSize", 0),
        maximum=scaling.get("maxSize", 0),
        issues=_issues((one.get("health") or {}).get("issues")),
    )


def instance_type(one: Mapping[str, Any]) -> InstanceType:
    """An entry of DescribeInstanceTypes."""
    network = one.get("NetworkInfo") or {}
    return InstanceType(
        name=one["InstanceType"],
        vcpus=(one.get("VCpuInfo") or {}).get("DefaultVCpus", 0),
        memory_bytes=(one.get("MemoryInfo") or {}).get("SizeInMiB", 0) << 20,
        architecture=",".join((one.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()),
        network_interfaces=network.get("MaximumNetworkInterfaces", 0),
        addresses_per_interface=network.get("Ipv4AddressesPerInterface", 0),
        nitro=one.get("Hypervisor") == "nitro" or bool(one.get("BareMetal")),
    )


def addon(one: Mapping[str, Any], updates: tuple[EksUpdate, ...] = ()) -> EksAddon:
    """DescribeAddon's answer."""
    return EksAddon(
        name=one["addonName"],
        status=one.get("status", ""),
        version=one.get("addonVersion", ""),
        arn=one.get("addonArn", ""),
        namespace=(one.get("namespaceConfig") or {}).get("namespace", ""),
        owner=one.get("owner", ""),
        publisher=one.get("publisher", ""),
        service_account_role_arn=one.get("serviceAccountRoleArn", ""),
        is_configured=is_set(one.get("configurationValues") or ""),
        issues=_issues((one.get("health") or {}).get("issues")),
        updates=updates,
        created=_utc(one.get("createdAt")),
        modified=_utc(one.get("modifiedAt")),
    )


def fargate_profile(one: Mapping[str, Any]) -> FargateProfile:
    """DescribeFargateProfile's answer."""
    return FargateProfile(
        name=one["fargateProfileName"],
        status=one.get("status", ""),
        namespaces=tuple(selector.get("namespace", "") for selector in one.get("selectors") or ()),
    )


def capability(one: Mapping[str, Any]) -> EksCapability:
    """DescribeCapability's answer."""
    return EksCapability(
        name=one["capabilityName"],
        type=one.get("type", ""),
        status=one.get("status", ""),
        version=one.get("version") or "",
        issues=_issues((one.get("health") or {}).get("issues")),
    )


def pod_identity(one: Mapping[str, Any]) -> PodIdentity:
    """DescribePodIdentityAssociation's answer."""
    return PodIdentity(
        namespace=one["namespace"],
        service_account=one["serviceAccount"],
        role_arn=one.get("roleArn", ""),
        owner_arn=one.get("ownerArn") or "",
    )


def subnet(one: Mapping[str, Any]) -> Subnet:
    """An entry of DescribeSubnets."""
    return Subnet(
        id=one["SubnetId"],
        zone=one.get("AvailabilityZone", ""),
        cidr=one.get("CidrBlock", ""),
        free_addresses=one.get("AvailableIpAddressCount", 0),
    )


def with_owned_identities(eks: Eks) -> Eks:
    """Assigns each add-on the pod identities that it owns."""

    def owned(addon: EksAddon) -> Iterator[PodIdentity]:
        return (one for one in eks.pod_identities if addon.arn and one.owner_arn == addon.arn)

    return replace(eks, addons=tuple(replace(addon, pod_identities=tuple(owned(addon))) for addon in eks.addons))
