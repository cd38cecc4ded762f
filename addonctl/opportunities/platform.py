"""What of EKS and AWS around the add-ons could cost less: extended support, addresses held warm, CloudWatch."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from statistics import median

from addonctl.catalog import MeteredBy
from addonctl.model import CommandLine, Evidence, Installation, InstanceType, Node, Note, ObjectRef
from addonctl.model.cost import HOURS_PER_MONTH
from addonctl.model.opportunity import Frees, NotJudged, Opportunity, Saving
from addonctl.opportunities.case import Case, Found
from addonctl.opportunities.changing import by_hand, path_of, set_values
from addonctl.remediation import kubectl, upgrade_control_plane

SUPPORT, WARM, CLOUDWATCH = "extended-support", "warm-addresses", "cloudwatch-volume"


def extended_support(case: Case) -> Iterator[Found]:
    """A control plane in extended support, and the first minor that is not."""
    day, known, running = case.assessment.day, case.catalog.kubernetes, case.assessment.kubernetes.running
    release = known.release(running) if running else None
    eks = case.view.snapshot.eks
    if running is None or release is None or eks is None or eks.cluster.is_upgraded_by_aws:
        return
    newer = sorted(
        each.version for each in known.releases if each.version > running and each.released <= day < each.end_standard
    )
    if day < release.end_standard or not newer:
        return
    goal = known.release(newer[0])
    assert goal is not None, newer
    more = known.control_plane_usd_per_hour(release, day) - known.control_plane_usd_per_hour(goal, day)
    path = running.up_to(goal.version)
    cluster = case.assessment.cluster.eks_name
    check = CommandLine(
        ("addonctl", "plan", "--target", str(goal.version)), why="what of the add-ons has to change first:"
    )
    yield Opportunity(
        kind=SUPPORT,
        what=f"Kubernetes {running} to {goal.version}",
        evidence=(
            Evidence(
                kind="eks",
                subject="calendar",
                detail=f"standard support of {running} ended {release.end_standard}, "
                f"that of {goal.version} ends {goal.end_standard}",
            ),
        ),
        saving=Saving(frees=Frees.CHARGES, usd_micros=int(more * HOURS_PER_MONTH * 1_000_000)),
        do=(check, *(upgrade_control_plane(cluster, minor) for minor in path)),
        undo=(Note("EKS takes one minor back within seven days of it, not on Fargate; add-ons go back first."),),
    )


# ── Addresses ───────────────────────────────────────────────────────────────────────────────────────────────────

_WARM, _LEAST, _ENI, _PREFIX = "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_ENI_TARGET", "ENABLE_PREFIX_DELEGATION"
_SPARE = 2
"""Addresses that are kept free on each node beyond the usual number of its pods: some seconds' worth of new ones."""


def warm_addresses(case: Case) -> Iterator[Found]:
    """The VPC CNI's spare interfaces, where what they hold is more than what is left in a subnet."""
    eks = case.view.snapshot.eks
    if eks is None or not eks.subnets or not eks.instance_types:
        return
    sizes = {each.name: each for each in eks.instance_types}
    left = min(subnet.free_addresses for subnet in eks.subnets)
    for row in case.installations:
        for ref in row.workloads:
            workload = case.view.workloads.get(ref)
            settings = {k: v for each in workload.template.containers for k, v in each.env.items()} if workload else {}
            if _ENI not in settings or settings.get(_PREFIX, "").lower() == "true":
                continue
            if any(_number(settings, name) for name in (_WARM, _LEAST)):
                continue
            held = _held(case, sizes, max(_number(settings, _ENI), 0))
            spare = sum(now - need for now, need in held)
            if held and spare > left:
                yield _fewer_warm(case, row, ref, held, left)


def _number(settings: Mapping[str, str], name: str) -> int:
    value = settings.get(name, "")
    return int(value) if value.lstrip("-").isdigit() else 0


def _held(case: Case, sizes: Mapping[str, InstanceType], warm_interfaces: int) -> list[tuple[int, int]]:
    """Of each node: the addresses that its interfaces hold for pods, and those that pods have.

    Source: the VPC CNI's docs/eni-and-ip-target.md: whole interfaces, so many beyond those in use.
    """
    pods: dict[str, int] = {}
    for ref, running in case.view.pods.items():
        workload = case.view.workloads[ref]
        for pod in running if not workload.template.host_network else ():
            if pod.node and pod.phase not in ("Succeeded", "Failed"):
                pods[pod.node] = pods.get(pod.node, 0) + 1
    return [
        (_attached(sizes[node.instance_type], pods.get(node.name, 0), warm_interfaces), pods.get(node.name, 0))
        for node in case.view.snapshot.nodes
        if _has_interfaces(node, sizes)
    ]


def _has_interfaces(node: Node, sizes: Mapping[str, InstanceType]) -> bool:
    size = sizes.get(node.instance_type)
    return node.compute_type == "ec2" and size is not None and size.addresses_per_interface > 1


def _attached(size: InstanceType, pods: int, warm_interfaces: int) -> int:
    """An interface's first address is its own."""
    each = size.addresses_per_interface - 1
    interfaces = min(size.network_interfaces, ceil(pods / each) + warm_interfaces)
    return max(each * interfaces, pods)


def _fewer_warm(
    case: Case, row: Installation, ref: ObjectRef, held: Sequence[tuple[int, int]], left: int
) -> Opportunity:
    least = ceil(median(need for _, need in held)) + _SPARE
    then = sum(max(least, need + _SPARE) for _, need in held)
    now, used = (sum(column) for column in zip(*held, strict=True))
    goal = {_WARM: str(_SPARE), _LEAST: str(least)}
    if path_of(row, "env", "env"):
        do, undo = set_values(row, {f"env.{name}": value for name, value in goal.items()}, {}, text=True)
    else:
        words = (f"{name}={value}" for name, value in goal.items())
        unset = (f"{name}-" for name in goal)
        do, undo = by_hand(
            row,
            kubectl("set", "env", ref, *words),
            kubectl("set", "env", ref, *unset),
            f"{_WARM}={_SPARE} and {_LEAST}={least}",
        )
    return Opportunity(
        kind=WARM,
        what=f"{now - then} addresses held free on {len(held)} nodes",
        installation=row.id,
        about=(ref,),
        evidence=(
            Evidence(
                kind="subnets",
                subject=f"{_ENI} holds {now} addresses for {used} pods",
                detail=f"a subnet has {left} left; with {_WARM}={_SPARE} and {_LEAST}={least} it would be {then}",
                ref=ref,
            ),
        ),
        saving=Saving(frees=Frees.ADDRESSES, usd_micros=0),
        do=do,
        undo=undo,
    )


# ── CloudWatch ──────────────────────────────────────────────────────────────────────────────────────────────────


def cloudwatch(case: Case) -> Iterator[Found]:
    """What an add-on sends to CloudWatch, and how long that keeps it, only a bill and CloudWatch itself tell."""
    for row in case.installations:
        entry = case.entry(row)
        for meter in entry.meters if entry else ():
            if meter.by is not MeteredBy.USE:
                continue
            prefix = meter.log_groups.format(cluster=case.assessment.cluster.eks_name)
            region = ("--region", case.view.region) if case.view.region else ()
            words = ("aws", "logs", "describe-log-groups", "--log-group-name-prefix", prefix, *region)
            query = "logGroups[].[logGroupName,storedBytes,retentionInDays]"
            look = CommandLine(
                (*words, "--query", query, "--output", "text"), why="size, and days kept (None: for ever):"
            )
            yield NotJudged(
                kind=CLOUDWATCH,
                installation=row.id,
                reason=f"{meter.what}: volume and retention are not read; `addonctl cost --bill` says what they cost",
                look=(look,) if meter.log_groups else (),
            )
