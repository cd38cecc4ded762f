"""What AWS says is wrong with the cluster, its groups, profiles, capabilities, subnets and nodes (EKS008 to EKS011).

An add-on's own trouble is reported by reports.py (EKS005). Decided from what EKS and EC2 describe. Called by
check_health.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from types import MappingProxyType

from addonctl.findings import finding, makes
from addonctl.health.case import Scene, Told
from addonctl.health.unready import in_one_line
from addonctl.model import (
    Action,
    AwsRef,
    ClusterRef,
    CommandLine,
    EksIssue,
    EksUpdate,
    Evidence,
    Finding,
    Node,
    Note,
    Severity,
    Subject,
)

_ILL = frozenset({"DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED", "FAILED"})
# A failed update of longer ago has been seen by whoever began it.
_RECENT = timedelta(days=14)
# What EKS needs free in a subnet of the cluster to update its control plane. Source: EKS user guide, network reqs.
_FREE_MIN = 5
_SHOWN = 5  # nodes of one instance type
_EVICTION = "PodEvictionFailure"
# What helps by the code of an issue or of an error. Source: EKS API reference, Issue, ClusterIssue and ErrorDetail.
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        _EVICTION: "Find the PodDisruptionBudget that allows no eviction on these nodes, and give its workload another "
        "replica; or update with --force.",
        "NodeCreationFailure": "The instances did not join: see the node role's access entry, the AMI, and the way "
        "from the subnets to the API server.",
        "InsufficientFreeAddresses": "Free addresses in these subnets, or give the node group others.",
        "IpNotAvailable": "Free addresses in these subnets: EKS needs up to five in each of the cluster's.",
        "Ec2SubnetNotFound": "The subnet was deleted: make the node group anew in one that exists.",
        "SubnetNotFound": "A subnet of the cluster was deleted: give it others (aws eks update-cluster-config).",
        "SecurityGroupNotFound": "A security group of the cluster was deleted: give it another one.",
        "Ec2SecurityGroupNotFound": "The cluster's security group was deleted: the cluster has to be made anew.",
        "Ec2LaunchTemplateNotFound": "The launch template was deleted: make the node group anew.",
        "Ec2LaunchTemplateVersionMismatch": "The group was changed by hand: give it the version that EKS expects.",
        "IamNodeRoleNotFound": "The node role was deleted: make it again under the same name.",
        "IamInstanceProfileNotFound": "The instance profile was deleted: make it again.",
        "IamRoleNotFound": "The cluster's role was deleted: make it again under the same name.",
        "IamLimitExceeded": "Ask for a higher limit of IAM.",
        "InstanceLimitExceeded": "Ask for a higher quota of instances, or take another type.",
        "AsgInstanceLaunchFailures": "The Auto Scaling group says why: capacity of the type, quota, or rights.",
        "AccessDenied": "Give the role that EKS uses its permissions back.",
        "AutoScalingGroupNotFound": "The Auto Scaling group was deleted: make the node group anew.",
        "ClusterUnreachable": "The nodes' way to the API server is closed: see endpoints and security groups.",
        "KmsKeyNotFound": "The key that encrypts Secrets is being deleted: cancel that, nothing replaces it.",
        "KmsKeyDisabled": "Enable the key that encrypts Secrets again.",
        "KmsGrantRevoked": "Grant the cluster's role the use of the key that encrypts Secrets again.",
        "VpcNotFound": "The VPC was deleted: the cluster has to be made anew.",
    }
)


@makes("EKS008")
def what_aws_reports(scene: Scene, told: Told) -> Iterator[Finding]:
    """Node groups, Fargate profiles, capabilities and the cluster itself that AWS calls ill."""
    eks = scene.view.snapshot.eks
    if eks is None:
        return
    things: list[tuple[Subject, str, tuple[EksIssue, ...]]] = [
        *((AwsRef("node group", each.name), each.status, each.issues) for each in eks.node_groups),
        *((AwsRef("Fargate profile", each.name), each.status, ()) for each in eks.fargate_profiles),
        *((AwsRef("capability", each.name), each.status, each.issues) for each in eks.capabilities),
    ]
    cluster = eks.cluster
    things.append((ClusterRef(cluster.name), cluster.status, tuple(EksIssue(code=c) for c in cluster.health_issues)))
    for subject, status, issues in things:
        if status in _ILL or issues:
            shown = [
                Evidence(kind="eks", subject=str(subject), detail=f"status {status or 'unknown'}"),
                *_shown(issues),
            ]
            yield finding("EKS008", subject, *shown, fix=_fix(issues), cause=_budget(scene, issues, told))


def _shown(issues: Sequence[EksIssue]) -> list[Evidence]:
    return [
        Evidence(
            kind="eks",
            subject=issue.code,
            detail=in_one_line(f"{issue.message} {', '.join(issue.resources)}") or "no message",
        )
        for issue in issues
    ]


def _fix(issues: Sequence[EksIssue]) -> tuple[Action, ...]:
    known = [Note(_REMEDIES[code]) for code in dict.fromkeys(issue.code for issue in issues) if code in _REMEDIES]
    return tuple(known) or (Note("What the issue names is to be put right; EKS tries again by itself."),)


def _budget(scene: Scene, issues: Sequence[EksIssue], told: Told) -> str | None:
    """The budget that kept EKS from evicting: one that allows nothing, of pods that run on a node that it names."""
    names = {name for issue in issues if issue.code == _EVICTION for name in issue.resources}
    for budget, workloads in scene.view.guarded.items():
        pods = (pod for workload in workloads for pod in scene.view.pods.get(workload.ref, ()))
        if budget in told and any(pod.node in names for pod in pods):
            return told[budget]
    return None


# ── Updates ─────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("EKS009")
def failed_updates(scene: Scene, told: Told) -> Iterator[Finding]:
    """The newest update of the cluster, if it failed; what a node group says of the same error is not repeated."""
    eks = scene.view.snapshot.eks
    if eks is None:
        return
    said = {(issue.code, issue.message) for group in eks.node_groups for issue in group.issues}
    for update in _newest_of_each_type(eks.updates):
        recent = update.created is None or scene.now - update.created < _RECENT
        new = any((error.code, error.message) not in said for error in update.errors) or not update.errors
        if update.status == "Failed" and recent and new:
            to = update.params.get("Version") or update.params.get("ReleaseVersion") or ""
            when = f" on {update.created:%Y-%m-%d %H:%M} UTC" if update.created else ""
            detail = f"{update.type}{f' to {to}' if to else ''} failed{when}"
            shown = (Evidence(kind="eks", subject=f"update {update.id}", detail=detail), *_shown(update.errors))
            cause = _budget(scene, update.errors, told)
            yield finding("EKS009", AwsRef("update", update.id), *shown, fix=_fix(update.errors), cause=cause)


def _newest_of_each_type(updates: Sequence[EksUpdate]) -> Iterator[EksUpdate]:
    newest: dict[str, EksUpdate] = {}
    for update in updates:
        known = newest.get(update.type)
        if not update.addon and (
            known is None or (known.created and update.created and update.created > known.created)
        ):
            newest[update.type] = update
    yield from newest.values()


# ── Subnets ─────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("EKS010")
def used_up_subnets(scene: Scene, told: Told) -> Iterator[Finding]:
    """Subnets of the cluster with no or hardly any free address."""
    eks = scene.view.snapshot.eks
    for subnet in eks.subnets if eks else ():
        if subnet.free_addresses < _FREE_MIN:
            ref = AwsRef("subnet", subnet.id)
            left = f"{subnet.free_addresses or 'no'} free address{'' if subnet.free_addresses == 1 else 'es'}"
            where = f"{subnet.cidr} in {subnet.zone or 'an unknown zone'}"
            shown = Evidence(kind="subnet", subject=subnet.id, detail=f"{where} has {left}")
            look = ("aws", "ec2", "describe-network-interfaces", "--filters", f"Name=subnet-id,Values={subnet.id}")
            fix: tuple[Action, ...] = (
                Note("Add a larger subnet in that zone; prefix delegation or fewer warm addresses need fewer of them."),
                CommandLine(look, why="says who has them:"),
            )
            severity = None if subnet.free_addresses else Severity.REQUIRED
            yield finding("EKS010", ref, shown, fix=fix, severity=severity)


def without_addresses(scene: Scene, nodes: Sequence[str]) -> str | None:
    """The finding on a subnet without a free address in the zone of one of these nodes, or on the nodes themselves."""
    crowded = next((each for each in _crowded(scene) if each.name in nodes), None)
    return _used_up_subnet(scene, nodes) or (f"EKS011 {_of_type(crowded)}" if crowded is not None else None)


def _used_up_subnet(scene: Scene, nodes: Sequence[str]) -> str | None:
    eks = scene.view.snapshot.eks
    zones = {node.zone for node in scene.view.snapshot.nodes if node.name in nodes and node.zone}
    for subnet in eks.subnets if eks else ():
        if subnet.free_addresses == 0 and subnet.zone in zones:
            return f"EKS010 {AwsRef('subnet', subnet.id)}"
    return None


# ── Pods of a node ──────────────────────────────────────────────────────────────────────────────────────────────

_WHOLE_INTERFACES, _PREFIXES, _OWN_SUBNETS = (
    "WARM_ENI_TARGET",
    "ENABLE_PREFIX_DELEGATION",
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
)
_ON_HOST = 2  # pods that every node has and that need no address of their own: kube-proxy and the agent of the network


@makes("EKS011")
def crowded_nodes(scene: Scene, told: Told) -> Iterator[Finding]:
    """Instance types whose nodes take more pods than they have addresses for; one finding a type."""
    by_type: dict[str, list[Node]] = {}
    for node in _crowded(scene):
        by_type.setdefault(node.instance_type, []).append(node)
    for nodes in by_type.values():
        limit = _places(scene)[nodes[0].instance_type]
        shown = (
            Evidence(
                kind="node",
                subject=str(node.ref),
                detail=f"it takes {node.max_pods} pods, and has addresses for {limit} as {node.instance_type}",
                ref=node.ref,
            )
            for node in nodes
        )
        yield finding("EKS011", _of_type(nodes[0]), *islice(shown, _SHOWN))


def _of_type(node: Node) -> AwsRef:
    return AwsRef("instance type", node.instance_type)


def _crowded(scene: Scene) -> Iterator[Node]:
    places = _places(scene)
    for node in scene.view.snapshot.nodes:
        if node.compute_type == "ec2" and node.max_pods > places.get(node.instance_type, node.max_pods):
            yield node


def _places(scene: Scene) -> Mapping[str, int]:
    """How many pods an instance of each type has addresses for; empty where another network, or prefixes, give them.

    Source: the VPC CNI's docs: interfaces × (addresses of each − 1) + 2; custom networking leaves the first one out.
    """
    eks = scene.view.snapshot.eks
    agents = [
        {name: value for container in workload.template.containers for name, value in container.env.items()}
        for workload in scene.view.snapshot.workloads
        if any(_WHOLE_INTERFACES in container.env for container in workload.template.containers)
    ]
    if eks is None or len(agents) != 1 or agents[0].get(_PREFIXES, "").lower() == "true":
        return {}
    left_out = int(agents[0].get(_OWN_SUBNETS, "").lower() == "true")
    return {
        each.name: (each.network_interfaces - left_out) * (each.addresses_per_interface - 1) + _ON_HOST
        for each in eks.instance_types
        if each.network_interfaces > left_out and each.addresses_per_interface > 1
    }
