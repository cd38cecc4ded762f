"""What AWS says about a cluster: EKS, EC2 and STS through boto3. Reads only; a missing permission becomes a gap.

boto3 is imported on the first call, never for `--help`. Every action that is called is in PERMISSIONS, from which
`addonctl rbac` prints the IAM policy.
"""

import base64
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import addonctl
from addonctl import ports
from addonctl.adapters import api_errors, aws_errors, aws_records, eks_table
from addonctl.catalog import EksTable
from addonctl.errors import AddonctlError, BadInput, NotReachable
from addonctl.model import (
    Eks,
    EksAddon,
    EksCapability,
    EksInsight,
    EksUpdate,
    FargateProfile,
    Gap,
    GapReason,
    InstanceType,
    NodeGroup,
    PodIdentity,
    Subnet,
)

# Concurrent calls: EKS publishes no rate limits; adaptive retries slow down by themselves when it throttles.
PARALLEL = 8
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S, _ATTEMPTS = 5, 30, 10
# Ten attempts at an address that does not answer are half a minute of silence.
_ATTEMPTS_AT_FIRST = 2
# STS accepts the presigned URL for 15 minutes; aws CLI and aws-iam-authenticator renew after 14.
TOKEN_VALID = timedelta(minutes=14)
_TOKEN_URL_S = 60
# Instance types per call: the API's limit.
_TYPES_PER_CALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One IAM action, its resources, and the part that is unknown without it."""

    action: str
    resource: str
    part: str


PERMISSIONS = tuple(
    Permission(action=action, resource=resource, part=part)
    for action, resource, part in (
        ("eks:DescribeCluster", "cluster/*", "eks"),
        ("eks:ListAddons", "cluster/*", "eks:addons"),
        ("eks:DescribeAddon", "addon/*/*/*", "eks:addons"),
        ("eks:ListUpdates", "cluster/*,addon/*/*/*", "eks:updates"),
        ("eks:DescribeUpdate", "cluster/*,addon/*/*/*", "eks:updates"),
        ("eks:ListInsights", "cluster/*", "eks:insights"),
        ("eks:DescribeInsight", "cluster/*", "eks:insights"),
        ("eks:ListNodegroups", "cluster/*", "eks:node_groups"),
        ("eks:DescribeNodegroup", "nodegroup/*/*/*", "eks:node_groups"),
        ("eks:ListFargateProfiles", "cluster/*", "eks:fargate_profiles"),
        ("eks:DescribeFargateProfile", "fargateprofile/*/*/*", "eks:fargate_profiles"),
        ("eks:ListPodIdentityAssociations", "cluster/*", "eks:pod_identities"),
        ("eks:DescribePodIdentityAssociation", "podidentityassociation/*/*", "eks:pod_identities"),
        ("eks:ListCapabilities", "cluster/*", "eks:capabilities"),
        ("eks:DescribeCapability", "capability/*/*/*/*", "eks:capabilities"),
        ("eks:DescribeAddonVersions", "*", "catalog refresh"),
        ("eks:DescribeAddonConfiguration", "*", "plan"),
        ("ec2:DescribeSubnets", "*", "ec2:subnets"),
        ("ec2:DescribeInstanceTypes", "*", "ec2:instance_types"),
    )
)


OPTIONAL = (
    ("pricing:GetProducts", "prices refresh"),
    ("ce:GetCostAndUsage", "cost --cost-explorer"),
    ("cloudwatch:ListMetrics", "usage --cloudwatch"),
    ("cloudwatch:GetMetricData", "usage --cloudwatch"),
)
"""Actions that only one thing each takes: reading a cluster needs none of them."""


def policy(more: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """The least IAM policy for reading, and for `more` actions on resources; `"*"`: the action has no narrower one."""
    by_resource: dict[str, list[str]] = {}
    for action, resource in (*((each.action, each.resource) for each in PERMISSIONS), *more):
        by_resource.setdefault(resource, []).append(action)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": sorted(actions), "Resource": _arns(resource)}
            for resource, actions in by_resource.items()
        ],
    }


def _arns(resource: str) -> str | list[str]:
    if resource == "*":
        return "*"
    return [f"arn:aws:eks:*:*:{part}" for part in resource.split(",")]


# ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────

_REGION = r"([a-z]{2}(?:-[a-z]+)+-\d)"
# https://ID.gr7.REGION.eks.amazonaws.com; for IPv6 clusters https://eks-NAME.REGION.api.aws. Source: EKS user guide.
_SERVER = re.compile(
    rf"https://(?:[0-9A-Za-z-]+\.)+{_REGION}\.(?:eks\.(?:amazonaws|api)\.|api\.aws\b|api\.amazonwebservices\.com)",
    re.IGNORECASE,
)
_ARN = re.compile(r"arn:aws[a-z-]*:eks:([a-z0-9-]+):\d{12}:cluster/([0-9A-Za-z][\w-]{0,99})")
# eksctl names contexts USER@NAME.REGION.eksctl.io, and cluster entries the same without the user.
_EKSCTL = re.compile(rf"(?:[^\s]*@)?([0-9A-Za-z][\w-]{{0,99}})\.{_REGION}\.eksctl\.io")


def region_of(server: str) -> str:
    """The region in the URL of an EKS API server; empty if it is not one."""
    match = _SERVER.match(server)
    return match[1] if match else ""


def cluster_of(text: str) -> tuple[str, str] | None:
    """(region, cluster name) from an ARN or from eksctl's name of a context or cluster entry; None for other text."""
    if arn := _ARN.fullmatch(text):
        return arn[1], arn[2]
    if eksctl := _EKSCTL.fullmatch(text):
        return eksctl[2], eksctl[1]
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterEndpoint:
    """The address of a cluster's API server, and its CA."""

    name: str
    server: str
    ca_pem: str


# ── The client ──────────────────────────────────────────────────────────────────────────────────────────────────

_Part = TypeVar("_Part")


# At DEBUG these log signed requests, and response bodies that include configurationValues.
_TALKATIVE = ("botocore.auth", "botocore.endpoint", "botocore.parsers", "botocore.hooks", "botocore.regions")


_log = logging.getLogger(__name__)


def _log_call(http_response: Any, model: Any, **_: Any) -> None:
    _log.debug("AWS %s:%s: %d", model.service_model.endpoint_prefix, model.name, http_response.status_code)


def _keep_bodies_out_of_logs() -> None:
    """Keeps these at INFO whatever the application's log level: their DEBUG output contains secrets."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO)


@dataclass(frozen=True)
class Aws:
    """AWS in one region with one set of credentials. None: $AWS_REGION, and boto3's defaults.

    `timeout_s` is how long to wait for one connection and for one response.
    """

    region: str | None = None
    profile: str | None = None
    timeout_s: float | None = None

    @cached_property
    def _session(self) -> Any:
        import boto3

        _keep_bodies_out_of_logs()
        from botocore.exceptions import ProfileNotFound

        try:
            return boto3.Session(region_name=self.region or os.environ.get("AWS_REGION"), profile_name=self.profile)
        except ProfileNotFound as error:
            raise BadInput(f"There is no AWS profile {self.profile!r}", "See `aws configure list-profiles`.") from error

    def client(self, service: str, attempts: int = _ATTEMPTS) -> Any:
        """A boto3 client with our limits. Raises BadInput without a region or with an unknown profile."""
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            connect_timeout=self.timeout_s or _CONNECT_TIMEOUT_S,
            read_timeout=self.timeout_s or _READ_TIMEOUT_S,
            user_agent_extra=f"addonctl/{addonctl.__version__}",
            max_pool_connections=PARALLEL,
        )
        try:
            client = self._session.client(service, config=config)
            client.meta.events.register("after-call", _log_call)
            return client
        except NoRegionError as error:
            raise BadInput("No AWS region is set", "Give --region, or set AWS_REGION.") from error

    @cached_property
    def _eks(self) -> Any:
        client = self.client("eks")
        client.can_paginate("list_addons")  # reads the description of pages, once for all threads
        return client

    @cached_property
    def _ec2(self) -> Any:
        return self.client("ec2")

    def _pages(self, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All pages of a list operation, joined."""
        paginator = self._eks.get_paginator(operation)
        return [item for page in paginator.paginate(**arguments) for item in page.get(key) or ()]

    def _described(self, cluster: str) -> Any:
        """The first call: it fails quickly if AWS cannot be reached, and retries patiently if AWS throttles."""
        from botocore.exceptions import ClientError

        try:
            return self.client("eks", _ATTEMPTS_AT_FIRST).describe_cluster(name=cluster)["cluster"]
        except ClientError as error:
            if aws_errors.failure(error).retry_after_s is None:
                raise
            return self._eks.describe_cluster(name=cluster)["cluster"]

    def endpoint(self, cluster: str) -> ClusterEndpoint:
        """The address of the API server. Raises NotFound, NotAllowed, NotReachable …, with the fix."""
        described = _or_raise(lambda: self._described(cluster))
        if not described.get("endpoint"):
            raise NotReachable(
                f"EKS cluster {cluster} has no endpoint (status {described.get('status')})",
                f"`aws eks wait cluster-active --name {cluster}`.",
            )
        ca = base64.b64decode((described.get("certificateAuthority") or {}).get("data") or "").decode()
        return ClusterEndpoint(name=cluster, server=described["endpoint"], ca_pem=ca)

    def token(self, cluster: str) -> tuple[str, datetime]:
        """A bearer token for the cluster and when to renew it: a presigned GetCallerIdentity."""
        return _or_raise(lambda: self._presign(cluster)), datetime.now(UTC) + TOKEN_VALID

    def _presign(self, cluster: str) -> str:
        from botocore.signers import RequestSigner

        client = self.client("sts")
        session = self._session
        signer = RequestSigner(
            client.meta.service_model.service_id,
            client.meta.region_name,
            "sts",
            "v4",
            session.get_credentials(),
            session.events,
        )
        request = {
            "method": "GET",
            "url": f"{client.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        }
        url = signer.generate_presigned_url(
            request, region_name=client.meta.region_name, expires_in=_TOKEN_URL_S, operation_name=""
        )
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def read(
        self,
        cluster: str,
        *,
        progress: ports.Progress = ports.silent,
        instance_types: tuple[str, ...] = (),
    ) -> tuple[Eks | None, tuple[Gap, ...]]:
        """Everything that AWS says about `cluster`, with the gaps."""
        try:
            described = _or_gap("eks", lambda: self._described(cluster))
        except AddonctlError as error:  # no region, no such profile: AWS is optional, so this is a gap as well
            return None, (Gap(part="eks", reason=GapReason.NO_CREDENTIALS, detail=error.what),)
        if isinstance(described, Gap):
            return None, (described,)
        region = self._eks.meta.region_name  # makes the client here: each of the threads would make its own
        subnets = tuple((described.get("resourcesVpcConfig") or {}).get("subnetIds") or ())
        parts: dict[str, Callable[[], Any]] = {
            "eks:addons": lambda: self._addons(cluster),
            "eks:updates": lambda: self._updates(cluster, ""),
            "eks:insights": lambda: self._insights(cluster),
            "eks:node_groups": lambda: self._node_groups(cluster),
            "eks:fargate_profiles": lambda: self._fargate(cluster),
            "eks:capabilities": lambda: self._capabilities(cluster),
            "eks:pod_identities": lambda: self._pod_identities(cluster),
            "ec2:subnets": lambda: self._subnets(subnets),
            "ec2:instance_types": lambda: self.instance_types(instance_types),
        }
        found, gaps = self._all(parts, progress)
        eks = Eks(cluster=aws_records.cluster(described, region), **found)
        return aws_records.with_owned_identities(eks), tuple(gaps)

    def _all(
        self, parts: Mapping[str, Callable[[], Any]], progress: ports.Progress
    ) -> tuple[dict[str, Any], list[Gap]]:
        found: dict[str, Any] = {}
        gaps: list[Gap] = []
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="addonctl-aws") as pool:
            running = [(part, pool.submit(_or_gap, part, ask)) for part, ask in parts.items()]
            for done, (part, future) in enumerate(running, start=1):
                progress(part, done, len(parts))
                answer = future.result()
                if isinstance(answer, Gap):
                    gaps.append(answer)
                else:
                    found[part.partition(":")[2]] = tuple(answer)
        return found, gaps

    def _addons(self, cluster: str) -> list[EksAddon]:
        names = self._pages("list_addons", "addons", clusterName=cluster)
        return [self._addon(cluster, name) for name in names]

    def _addon(self, cluster: str, name: str) -> EksAddon:
        described = self._eks.describe_addon(clusterName=cluster, addonName=name)["addon"]
        busy = described.get("status") in ("UPDATING", "DEGRADED", "UPDATE_FAILED")
        return aws_records.addon(described, tuple(self._updates(cluster, name)) if busy else ())

    def _updates(self, cluster: str, addon: str) -> list[EksUpdate]:
        """The updates in progress and the newest one: EKS lists them newest first."""
        where = {"name": cluster} | ({"addonName": addon} if addon else {})
        newest = self._eks.list_updates(**where, maxResults=10).get("updateIds") or ()
        found = [
            aws_records.update(self._eks.describe_update(**where, updateId=one)["update"], addon) for one in newest[:3]
        ]
        return [one for number, one in enumerate(found) if number == 0 or one.status == "InProgress"]

    def _insights(self, cluster: str) -> list[EksInsight]:
        found = []
        for summary in self._pages("list_insights", "insights", clusterName=cluster):
            status = (summary.get("insightStatus") or {}).get("status", "")
            whole = summary
            if status != "PASSING":
                whole = self._eks.describe_insight(clusterName=cluster, id=summary["id"])["insight"]
            found.append(aws_records.insight(whole))
        return found

    def _node_groups(self, cluster: str) -> list[NodeGroup]:
        names = self._pages("list_nodegroups", "nodegroups", clusterName=cluster)
        described = (self._eks.describe_nodegroup(clusterName=cluster, nodegroupName=name) for name in names)
        return [aws_records.node_group(answer["nodegroup"]) for answer in described]

    def _fargate(self, cluster: str) -> list[FargateProfile]:
        names = self._pages("list_fargate_profiles", "fargateProfileNames", clusterName=cluster)
        described = (self._eks.describe_fargate_profile(clusterName=cluster, fargateProfileName=n) for n in names)
        return [aws_records.fargate_profile(answer["fargateProfile"]) for answer in described]

    def _capabilities(self, cluster: str) -> list[EksCapability]:
        names = [one["capabilityName"] for one in self._pages("list_capabilities", "capabilities", clusterName=cluster)]
        described = (self._eks.describe_capability(clusterName=cluster, capabilityName=name) for name in names)
        return [aws_records.capability(answer["capability"]) for answer in described]

    def _pod_identities(self, cluster: str) -> list[PodIdentity]:
        listed = self._pages("list_pod_identity_associations", "associations", clusterName=cluster)
        described = (
            self._eks.describe_pod_identity_association(clusterName=cluster, associationId=one["associationId"])
            for one in listed
        )
        return [aws_records.pod_identity(answer["association"]) for answer in described]

    def _subnets(self, ids: tuple[str, ...]) -> list[Subnet]:
        if not ids:
            return []
        answer = self._ec2.describe_subnets(SubnetIds=list(ids))
        return [aws_records.subnet(one) for one in answer["Subnets"]]

    def instance_types(self, names: Iterable[str]) -> list[InstanceType]:
        """The vCPUs, memory and addresses of instance types."""
        wanted = sorted(set(names))
        found = []
        for start in range(0, len(wanted), _TYPES_PER_CALL):
            pages = self._ec2.get_paginator("describe_instance_types")
            for page in pages.paginate(InstanceTypes=wanted[start : start + _TYPES_PER_CALL]):
                found += [aws_records.instance_type(one) for one in page["InstanceTypes"]]
        return found

    # ── Doctor ──────────────────────────────────────────────────────────────────────────────────────────────────

    def region_in_use(self) -> str:
        """The region that is asked. Raises BadInput where none is set, or for a profile that there is not."""
        return str(_or_raise(lambda: self.client("eks").meta.region_name))

    def identity(self) -> str:
        """The ARN that AWS knows the credentials by. Raises NotAllowed, NotReachable …"""
        return str(_or_raise(lambda: self.client("sts", _ATTEMPTS_AT_FIRST).get_caller_identity()["Arn"]))

    def simulated(self, arn: str, actions: Iterable[str]) -> dict[str, bool]:
        """Which actions on any resource IAM's policy simulation allows to the identity of that ARN.

        Raises Forbidden where one may not ask IAM, which is usual, and Invalid for identities that it does not take.
        """
        client = self.client("iam", _ATTEMPTS_AT_FIRST)
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        if kind == "assumed-role":  # which has no path, where its role may have one
            arn = _or_raise(lambda: client.get_role(RoleName=rest.partition("/")[0])["Role"]["Arn"])
        ask = client.simulate_principal_policy
        answer = _or_raise(lambda: ask(PolicySourceArn=arn, ActionNames=list(actions))["EvaluationResults"])
        return {one["EvalActionName"]: one["EvalDecision"] == "allowed" for one in answer}

    def try_instance_types(self) -> Gap | None:
        """Why instance types cannot be described: `read` asks only for those of nodes."""
        smallest_page = 5
        ask = self._ec2.describe_instance_types
        answer = _or_gap("ec2:instance_types", lambda: ask(MaxResults=smallest_page))
        return answer if isinstance(answer, Gap) else None

    # ── Catalog facts ───────────────────────────────────────────────────────────────────────────────────────────

    def addon_versions(self, *, as_of: date) -> EksTable:
        """AWS's table of add-on versions for this region, as of today."""
        found = _or_raise(lambda: self._pages("describe_addon_versions", "addons"))
        region = self._eks.meta.region_name
        return EksTable(
            as_of=as_of,
            source=f"DescribeAddonVersions, {region}",
            region=region,
            addons=eks_table.from_describe(found),
        )


# ── Failures ────────────────────────────────────────────────────────────────────────────────────────────────────


# This boto3 is older than the operation, or the response does not have the documented shape.
_NOT_PROMISED = (AttributeError, KeyError, TypeError)


def _or_gap(part: str, ask: Callable[[], _Part]) -> "_Part | Gap":
    """The answer, or the gap that explains why there is none."""
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        return ask()
    except exceptions.ClientError as error:
        service = "ec2" if part.startswith("ec2") else "eks"
        return api_errors.gap(part, aws_errors.failure(error), f"{service}:{error.operation_name}")
    except (exceptions.BotoCoreError, ResponseParserError, *_NOT_PROMISED) as error:
        return api_errors.gap(part, aws_errors.failure(error))


def _or_raise(ask: Callable[[], _Part]) -> _Part:
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        return ask()
    except (exceptions.ClientError, exceptions.BotoCoreError, ResponseParserError, *_NOT_PROMISED) as error:
        raise aws_errors.failure(error) from error
