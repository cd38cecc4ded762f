"""What a cluster is charged for a month: nodes, control plane, volumes, load balancers, what AWS meters for add-ons.

Decided from the View, the Catalog and the table of prices. What has no price is a charge without a figure, with the
reason, and never nothing. Called by cost.check_cost.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from addonctl.catalog import Catalog, MeteredBy, Tier
from addonctl.catalog.prices import Price, PriceTable
from addonctl.model import Installation, Node, ObjectRef, Pod, StorageClass, View, Volume
from addonctl.model.cost import GIB, HOURS_PER_MONTH, Amount, Charge, CostKind
from addonctl.versions import Minor

_EBS = frozenset({"ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "kubernetes.io/aws-ebs"})
_AWS = (".amazonaws.com", ".amazonaws.com.cn")
_IN_TREE = "kubernetes.io/aws-ebs"
# What a gp3 volume has without further charge.
_GP3_IOPS, _GP3_MIBS = 3000, 125
_NO_BILL = "it depends on use, which only a bill tells"


@dataclass(frozen=True)
class Priced:
    """What charges are made from."""

    view: View
    catalog: Catalog
    prices: PriceTable
    owners: Mapping[ObjectRef, str]  # object → the id of its installation


def at(charge: Charge, quantity: Decimal, price: Price, estimated: str = "") -> Charge:
    """A charge of so many units at a price, rounded to whole micro-dollars. `estimated`: why else it is not sure."""
    return replace(
        charge,
        quantity=quantity,
        unit=price.unit,
        usd=price.usd,
        usd_micros=int((quantity * price.usd * 1_000_000).to_integral_value()),
        source=f"{price.source}, {price.as_of}",
        estimated="; ".join(filter(None, (price.estimated, estimated))),
    )


# ── Nodes and pods on Fargate ───────────────────────────────────────────────────────────────────────────────────

_HOURS = Decimal(HOURS_PER_MONTH)
_SPOT = frozenset({"SPOT", "spot"})
_CAPACITY_TYPES = ("eks.amazonaws.com/capacityType", "karpenter.sh/capacity-type")


def of_node(cost: Priced, node: Node) -> Iterator[Charge]:
    """The instance of a node, and what Auto Mode adds; nodes of Fargate are charged by their pods."""
    if node.compute_type == "fargate":
        return
    instance = node.instance_type
    resource = node.provider_id.rpartition("/")[2]
    charge = Charge(kind=CostKind.NODE, what=instance or "a node", about=node.ref, resource=resource)
    price = cost.prices.instance(instance) if instance else None
    unknown = _why_no_price(node, price)
    if price is None or unknown:
        yield replace(charge, unknown=unknown)
        return
    spot = any(node.labels.get(label) in _SPOT for label in _CAPACITY_TYPES)
    why = "a Spot instance: its on-demand price, which it is below" if spot else ""
    size = cost.prices.size(instance)
    assert size is not None, instance  # who has a price has a size
    charge = replace(charge, capacity=Amount(size.vcpus * 1000, size.memory_mib * 2**20))
    yield at(charge, _HOURS, price, why)
    if node.compute_type == "auto":
        added = replace(charge, kind=CostKind.AUTO_MODE, what=f"Auto Mode on {instance}")
        yield at(added, _HOURS * price.usd, cost.prices.of("eks.auto"), price.estimated)


def _why_no_price(node: Node, price: Price | None) -> str:
    if node.compute_type == "hybrid":
        return "a hybrid node: what it costs is not AWS's to say"
    if not node.instance_type:
        return "the node has no instance type"
    if price is None:
        return f"the price of {node.instance_type} is not in the table; `addonctl prices refresh` asks AWS"
    if node.operating_system not in ("", "linux"):
        return f"the table has prices of Linux, and the node runs {node.operating_system}"
    return ""


# vCPUs → the memory in GiB that Fargate gives them, from, to, and in steps of.
_FARGATE = (
    (250, 1, 2, 1),
    (500, 1, 4, 1),
    (1000, 2, 8, 1),
    (2000, 4, 16, 1),
    (4000, 8, 30, 1),
    (8000, 16, 60, 4),
    (16000, 32, 120, 8),
)
_FARGATE_OVERHEAD = 256 * 2**20  # for the kubelet, kube-proxy and containerd


def of_fargate_pod(cost: Priced, pod: Pod) -> tuple[Charge, Charge]:
    """The vCPU and the memory of a pod's microVM: the smallest that holds its requests.

    Source: AWS's EKS guide, "Fargate Pod configuration".
    """
    millicores, gib = fargate_size(pod.cpu_request_millicores, pod.memory_request_bytes)
    vcpus = Decimal(millicores) / 1000
    charge = Charge(kind=CostKind.FARGATE, what=f"{vcpus} vCPU, {gib} GB", about=pod.ref)
    return (
        at(charge, _HOURS * vcpus, cost.prices.of("fargate.vcpu")),
        at(charge, _HOURS * gib, cost.prices.of("fargate.memory")),
    )


def fargate_size(cpu_millicores: int, memory_bytes: int) -> tuple[int, Decimal]:
    """The millicores and the GiB of the smallest microVM that holds these requests; the largest if none does."""
    wanted = memory_bytes + _FARGATE_OVERHEAD
    if cpu_millicores <= 250 and wanted <= GIB // 2:
        return 250, Decimal("0.5")
    for millicores, least, most, step in _FARGATE:
        if cpu_millicores <= millicores and wanted <= most * GIB:
            steps = max(0, -(-(wanted - least * GIB) // (step * GIB)))
            return millicores, Decimal(least + steps * step)
    return _FARGATE[-1][0], Decimal(_FARGATE[-1][2])


_READ_FOR = {
    "nodes": CostKind.NODE,
    "pods": CostKind.NODE,
    "volumes": CostKind.VOLUME,
    "services": CostKind.LOAD_BALANCER,
    "ingresses": CostKind.LOAD_BALANCER,
}
"""Parts of a snapshot, and what cannot be said without them."""


def of_gaps(view: View) -> Iterator[Charge]:
    """What is paid for and was not read. Files that have no nodes say nothing of what nodes cost."""
    for part, kind in _READ_FOR.items():
        gap = view.gap(part)
        if gap is not None:
            yield Charge(kind=kind, what=part, unknown=f"{part} were not read: {gap.detail}")


# ── The cluster itself ──────────────────────────────────────────────────────────────────────────────────────────


_UPGRADED = "standard support has ended, and its upgrade policy is that AWS upgrades it instead of billing more"


def of_cluster(cost: Priced, minor: Minor | None, day: date) -> Iterator[Charge]:
    """The control plane, in standard or extended support, and EKS's capabilities."""
    eks, known = cost.view.snapshot.eks, cost.catalog.kubernetes
    release = known.release(minor) if minor else None
    charge = Charge(kind=CostKind.CONTROL_PLANE, what="control plane")
    if eks is None:
        yield replace(charge, unknown="what EKS says of it was not read")
        return
    if release is None:
        said = f"EKS's support of Kubernetes {minor} is not known" if minor else "which Kubernetes runs is not known"
        yield replace(charge, unknown=said)
    else:
        overdue = day >= release.end_standard
        extended = overdue and not eks.cluster.is_upgraded_by_aws
        usd = known.control_plane_usd_per_hour(release, day) if extended else known.standard_usd_per_hour
        price = Price(usd=usd, unit="hour", source="AWS list price", as_of=known.as_of)
        what = f"control plane of {minor}, {'extended' if extended else 'standard'} support"
        yield at(replace(charge, what=what), _HOURS, price, _UPGRADED if overdue and not extended else "")
    for capability in eks.capabilities:
        base = Charge(kind=CostKind.CAPABILITY, what=capability.name)
        yield at(base, _HOURS, cost.prices.of(f"eks.capability.{capability.type}"), "without what it keeps")


# ── Volumes ─────────────────────────────────────────────────────────────────────────────────────────────────────


def of_volume(cost: Priced, volume: Volume, classes: Mapping[str, StorageClass]) -> Iterator[Charge]:
    """An EBS volume by the type of its class, with what it has beyond the type's own IOPS and throughput."""
    size, claim = Decimal(volume.capacity_bytes) / GIB, volume.claim
    charge = Charge(
        kind=CostKind.VOLUME,
        what=volume.driver or "a volume",
        about=volume.ref,
        resource=volume.handle,
        installation=cost.owners.get(claim, "") if claim else "",
        namespace=claim.namespace if claim else "",
    )
    made_by = classes.get(volume.storage_class)
    type_ = ebs_type(volume, made_by)
    if not is_ebs(volume):
        yield replace(charge, unknown=_NO_BILL)
    elif made_by is None or f"ebs.{type_}" not in cost.prices.aws.prices:
        said = f"its StorageClass {volume.storage_class or '(none)'} does not say its type"
        yield replace(charge, what="EBS", unknown=said)
    else:
        sized = replace(charge, what=f"{type_}, {size.normalize():f} GB")
        yield at(sized, size, cost.prices.of(f"ebs.{type_}"))
        for key, units in _beyond(type_, made_by.parameters, size):
            yield at(sized, Decimal(units), cost.prices.of(key))


_SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshotContent")


def of_snapshots(cost: Priced) -> Iterator[Charge]:
    """Snapshots of volumes: AWS charges for the blocks that changed, which nobody in the cluster knows."""
    listed = sum((ref.group, ref.kind) == _SNAPSHOT for ref in cost.view.objects)
    counted = sum(each.count for each in cost.view.snapshot.custom_resources if (each.group, each.kind) == _SNAPSHOT)
    if listed + counted:
        what = "1 volume snapshot" if listed + counted == 1 else f"{listed + counted} volume snapshots"
        yield Charge(kind=CostKind.VOLUME, what=what, unknown=_NO_BILL)


def is_ebs(volume: Volume) -> bool:
    """Whether it is of EBS, whichever driver made it."""
    return volume.driver in _EBS


def ebs_type(volume: Volume, made_by: StorageClass | None) -> str:
    """The type in a class's parameters, or the one that its driver takes."""
    default = "gp2" if volume.driver == _IN_TREE else "gp3"
    return made_by.parameters.get("type", default) if made_by else default


def _beyond(type_: str, parameters: Mapping[str, str], size: Decimal) -> Iterator[tuple[str, int]]:
    """The IOPS and MiB/s that are paid apart: the key of the price, and how many."""

    def number(key: str) -> int:
        return int(parameters[key]) if parameters.get(key, "").isdigit() else 0

    iops = number("iops") or int(number("iopsPerGB") * size)
    apart = {
        "gp3": (("ebs.gp3.iops", iops - _GP3_IOPS), ("ebs.gp3.throughput", number("throughput") - _GP3_MIBS)),
        "io1": (("ebs.io1.iops", iops),),
        "io2": (("ebs.io2.iops", iops),),
    }
    return ((key, units) for key, units in apart.get(type_, ()) if units > 0)


# ── Load balancers ──────────────────────────────────────────────────────────────────────────────────────────────


def of_load_balancers(cost: Priced) -> Iterator[Charge]:
    """Each load balancer once, however many Ingresses share it, by its hours; what passes through it is not known."""
    read = cost.view.snapshot
    seen: dict[str, ObjectRef] = {}
    for ref, hosts in (
        *((s.ref, s.load_balancers) for s in read.services),
        *((i.ref, i.load_balancers) for i in read.ingresses),
    ):
        for host in hosts:
            if host.endswith(_AWS):
                seen.setdefault(host, ref)
    for host, ref in seen.items():
        type_ = balancer_type(host, ref)
        charge = Charge(
            kind=CostKind.LOAD_BALANCER,
            what=f"{type_} load balancer",
            about=ref,
            resource=host,
            installation=cost.owners.get(ref, ""),
            namespace=ref.namespace,
        )
        price = cost.prices.of(f"elb.{type_}")
        yield at(charge, _HOURS, price, "without capacity units, data and public addresses")


def balancer_type(host: str, ref: ObjectRef) -> str:
    """Its type: NAME.elb.REGION.… is a network load balancer's name, NAME.REGION.elb.… that of the others."""
    if host.split(".")[1] == "elb":
        return "network"
    return "application" if ref.kind == "Ingress" else "classic"


# ── What AWS meters ─────────────────────────────────────────────────────────────────────────────────────────────


def of_meters(cost: Priced, row: Installation, nodes: Iterable[Node]) -> Iterator[Charge]:
    """What AWS charges for what an add-on does, by the facts of the catalogue."""
    addon = cost.catalog.addons.get(row.addon)
    sizes = [cost.prices.size(node.instance_type) for node in nodes]
    for meter in addon.meters if addon else ():
        charge = Charge(kind=CostKind.METERED, what=meter.what, installation=row.id)
        if meter.by is MeteredBy.USE:
            yield replace(charge, unknown=_NO_BILL)
            continue
        vcpus = sum(size.vcpus for size in sizes if size is not None)
        why = "as if nothing else in the account were metered, and no trial ran"
        for key, units in _tiered(vcpus, meter.tiers):
            yield at(charge, Decimal(units), cost.prices.of(key), why)


def _tiered(units: int, tiers: Iterable[Tier]) -> Iterator[tuple[str, int]]:
    """The units in each tier that there are any in, by the key of its price."""
    below = 0
    for tier in tiers:
        here = (units if tier.up_to is None else min(units, tier.up_to)) - below
        if here > 0:
            yield tier.price, here
            below += here
