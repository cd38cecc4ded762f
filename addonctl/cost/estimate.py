"""What manifests would cost a month in a cluster, before they are applied: the charges and shares that they would add.

A DaemonSet is counted on every node that it may run on, at the price of that node; where other pods will run is not
known, so they are taken at the mean of the nodes that they may run on. Decided from the View of the cluster, the View
and the Inventory of the manifests, the Catalog and the prices. Called by manager.py.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from addonctl.catalog import Catalog
from addonctl.catalog.prices import PriceTable
from addonctl.cost import charges
from addonctl.cost.charges import Priced, at
from addonctl.model import Inventory, Node, ObjectRef, Pod, PodTemplate, StorageClass, View, Volume, Workload
from addonctl.model.cost import HOURS_PER_MONTH, Amount, Charge, CostKind, Share

_KEEPS_OFF = ("NoSchedule", "NoExecute")
_OF_NODES = "node.kubernetes.io/"  # taints of a node's state: DaemonSets tolerate them, and others wait for their end
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """`shares` are those of nodes that the pods would be, and the charges that would come; `unknown` has no figure.

    `asks` is what all pods request together, `idle` what nobody requests of the nodes that take pods, None where that
    was not read. `there`: workloads of the manifests that the cluster has, so that this is what they will cost.
    """

    shares: tuple[Share, ...]
    unknown: tuple[Charge, ...]
    asks: Amount
    idle: Amount | None
    there: tuple[ObjectRef, ...]


def estimate(
    cluster: View,
    manifests: View,
    inventory: Inventory,
    catalog: Catalog,
    prices: Callable[[str], PriceTable],
    owners: Mapping[ObjectRef, str],
) -> Estimate:
    """`inventory` and `owners` (object → the id of its installation) are those of the manifests."""
    case = _Case(cluster, manifests, Priced(cluster, catalog, prices(cluster.region), owners))
    found = [each for workload in case.workloads for each in _of_workload(case, workload)]
    shares = [each for each in found if isinstance(each, Share)]
    single = [each for each in found if isinstance(each, Charge)]
    single += [*_volumes(case), *_balancers(case), *_of_operators(manifests)]
    for row in inventory.installations:
        on = (node for ref in row.workloads for node in case.nodes_of(ref))
        single += charges.of_meters(case.priced, row, {node.name: node for node in on}.values())
    shares += [Share.whole(each, each.usd_micros) for each in single if each.usd_micros is not None]
    return Estimate(
        shares=tuple(shares),
        unknown=tuple(each for each in single if each.usd_micros is None),
        asks=case.asks(),
        idle=_idle(cluster),
        there=tuple(ref for ref in manifests.workloads if ref in cluster.workloads),
    )


class _Case:
    """The cluster with its nodes priced, and the workloads that would come."""

    def __init__(self, cluster: View, manifests: View, priced: Priced) -> None:
        self.cluster, self.manifests, self.priced = cluster, manifests, priced
        nodes = [node for node in cluster.snapshot.nodes if node.compute_type != "fargate"]
        self.charges = {node.name: tuple(charges.of_node(priced, node)) for node in nodes}
        self._nodes = nodes
        self._least = {each.target: each.min_replicas for each in manifests.snapshot.autoscalers if each.target}
        eks = cluster.snapshot.eks
        self._fargate = {name for each in eks.fargate_profiles for name in each.namespaces} if eks else set()

    @property
    def workloads(self) -> Sequence[Workload]:
        """Without hooks of Helm, which run once."""
        listed = self.manifests.workloads.values()
        return [each for each in listed if "helm.sh/hook" not in each.annotations]

    def replicas(self, workload: Workload) -> int:
        """Those that it asks for, or its autoscaler keeps at least."""
        wanted = 1 if workload.desired is None else workload.desired
        return max(wanted, self._least.get(workload.ref, 0))

    def on_fargate(self, workload: Workload) -> bool:
        return workload.kind != "DaemonSet" and (workload.namespace or "default") in self._fargate

    def nodes_of(self, ref: ObjectRef) -> Sequence[Node]:
        """The nodes of the cluster that a workload of the manifests may run on."""
        workload = self.manifests.workloads.get(ref)
        return [node for node in self._nodes if _may_run(workload, node)] if workload else ()

    def asks(self) -> Amount:
        counts = {each.ref: self.replicas(each) for each in self.workloads if each.kind not in ("Job", "CronJob")}
        pods = [
            (workload.template, len(self.nodes_of(ref)) if ref.kind == "DaemonSet" else counts[ref])
            for ref, workload in self.manifests.workloads.items()
            if ref in counts and not self.on_fargate(workload)
        ]
        return Amount(
            sum(template.cpu_request_millicores * many for template, many in pods),
            sum(template.memory_request_bytes * many for template, many in pods),
        )


def _may_run(workload: Workload, node: Node) -> bool:
    """By its nodeSelector, the node's system and taints; node affinity is not read."""
    template = workload.template
    if any(node.labels.get(key) != value for key, value in template.node_selector.items()):
        return False
    if node.operating_system == "windows" and not template.node_selector:
        return False
    everywhere = workload.kind == "DaemonSet"
    if node.unschedulable and not everywhere:
        return False
    taints = (each for each in node.taints if each.effect in _KEEPS_OFF and not each.key.startswith(_OF_NODES))
    return all(any(borne.tolerates(taint) for borne in template.tolerations or ()) for taint in taints)


def _idle(view: View) -> Amount | None:
    if view.gap("nodes", "pods") is not None or not view.snapshot.nodes:
        return None
    nodes = {each.name: each for each in view.snapshot.nodes if each.compute_type != "fargate"}
    pods = [each for each in view.snapshot.pods if each.node in nodes and each.phase not in _ENDED]
    return Amount(
        sum(each.cpu_millicores for each in nodes.values()) - sum(each.cpu_request_millicores for each in pods),
        sum(each.memory_bytes for each in nodes.values()) - sum(each.memory_request_bytes for each in pods),
    )


# ── Pods ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_workload(case: _Case, workload: Workload) -> Iterator[Share | Charge]:
    """The shares of its pods, or a charge without a figure."""
    owner = case.priced.owners.get(workload.ref, "")
    unknown = Charge(
        kind=CostKind.NODE, what=str(workload.ref), installation=owner, namespace=workload.namespace or "default"
    )
    if workload.kind in ("Job", "CronJob"):
        yield replace(unknown, unknown="it runs at times, until it is done")
    elif case.on_fargate(workload):
        yield from _on_fargate(case, workload, owner)
    else:
        nodes = case.nodes_of(workload.ref)
        priced = [node for node in nodes if _rate(case, node) is not None]
        if priced:
            share = _each if workload.kind == "DaemonSet" else _mean
            yield from share(case, workload, owner, priced)
        if len(priced) < len(nodes) or not nodes:
            yield replace(unknown, unknown=_why(case, nodes, priced))


def _why(case: _Case, nodes: Sequence[Node], priced: Sequence[Node]) -> str:
    """Why some of its nodes, or all, have no figure."""
    gap = case.cluster.gap("nodes")
    if gap is not None:
        return f"nodes were not read: {gap.detail}"
    if not nodes:
        return "the cluster has no node that it may run on"
    bad = [node for node in nodes if node not in priced]
    why = dict.fromkeys(charge.unknown for node in bad for charge in case.charges[node.name])
    return f"of {len(nodes)} nodes that it may run on, {len(bad)} have no price: {'; '.join(why)}"


def _rate(case: _Case, node: Node) -> int | None:
    """What a node costs a month; None: that is not known."""
    amounts = [charge.usd_micros for charge in case.charges[node.name]]
    return None if not amounts or None in amounts else sum(filter(None, amounts))


def _each(case: _Case, workload: Workload, owner: str, nodes: Sequence[Node]) -> Iterator[Share]:
    """One pod on each node."""
    for node in nodes:
        for charge in case.charges[node.name]:
            yield _share(workload, owner, charge)


def _mean(case: _Case, workload: Workload, owner: str, nodes: Sequence[Node]) -> Iterator[Share]:
    """So many pods at the mean of the nodes."""
    parts = [case.charges[node.name] for node in nodes]
    sizes = [charge.capacity for charge, *_ in parts if charge.capacity is not None]
    whole = sum(charge.usd_micros or 0 for each in parts for charge in each)
    first, many = parts[0][0], len(nodes)
    why = f"where it will run is not known: the mean of {many} nodes" if many > 1 else ""
    charge = replace(
        first,
        what=f"a node of {many}" if many > 1 else first.what,
        about=None,
        resource="",
        capacity=Amount(sum(each.cpu_millicores for each in sizes), sum(each.memory_bytes for each in sizes)),
        usd=Decimal(whole) / 1_000_000 / HOURS_PER_MONTH / many,
        usd_micros=whole,
        estimated="; ".join(dict.fromkeys(filter(None, (*(c.estimated for each in parts for c in each), why)))),
    )
    yield from (_share(workload, owner, charge) for _ in range(case.replicas(workload)))


def _share(workload: Workload, owner: str, charge: Charge) -> Share:
    """What one pod would be charged: its requests, as a part of the size that is paid for."""
    template = workload.template
    asked = Amount(template.cpu_request_millicores, template.memory_request_bytes)
    if template.has_affinity:
        charge = replace(charge, estimated="; ".join(filter(None, (charge.estimated, "its node affinity is not read"))))
    assert charge.capacity is not None, charge
    assert charge.usd_micros is not None, charge
    part = round(Decimal(charge.usd_micros) * asked.weight / charge.capacity.weight)
    return Share(charge, part, owner, workload.namespace, workload.ref, None, *asked, unasked=not any(asked))


def _on_fargate(case: _Case, workload: Workload, owner: str) -> Iterator[Share]:
    template: PodTemplate = workload.template
    pod = Pod(
        name=workload.name,
        namespace=workload.namespace,
        cpu_request_millicores=template.cpu_request_millicores,
        memory_request_bytes=template.memory_request_bytes,
    )
    why = "as if the Fargate profile of its namespace selects it"
    for charge in charges.of_fargate_pod(case.priced, pod):
        sure = replace(charge, estimated="; ".join(filter(None, (charge.estimated, why))))
        for _ in range(case.replicas(workload)):
            yield Share(sure, sure.usd_micros or 0, owner, workload.namespace, workload.ref)


def _of_operators(manifests: View) -> Iterator[Charge]:
    """Custom resources: what an operator makes of them is in no manifest."""
    kinds = ", ".join(f"{each.kind} ({each.count})" for each in manifests.snapshot.custom_resources if each.count)
    if kinds:
        yield Charge(kind=CostKind.OTHER, what=kinds, unknown="pods and volumes that operators make of these, if any")


# ── Volumes and load balancers ──────────────────────────────────────────────────────────────────────────────────


def _volumes(case: _Case) -> Iterator[Charge]:
    """What is claimed, by the claims themselves and by each pod of a StatefulSet."""
    read = (*case.cluster.snapshot.storage_classes, *case.manifests.snapshot.storage_classes)
    classes: dict[str, StorageClass] = {each.name: each for each in read}
    default = next((each.name for each in read if each.is_default), "")
    owners = case.priced.owners
    asked = [
        (owners.get(claim.ref, ""), claim.namespace, claim.storage_class, claim.requested_bytes, 1)
        for claim in case.manifests.snapshot.volume_claims
    ]
    asked += [
        (owners.get(each.ref, ""), each.namespace, claim.storage_class, claim.requested_bytes, case.replicas(each))
        for each in case.workloads
        for claim in each.claim_templates
    ]
    for owner, namespace, named, size, many in asked:
        made_by = classes.get(named or default)
        driver = made_by.provisioner if made_by else "ebs.csi.aws.com"
        volume = Volume(name="", capacity_bytes=size, storage_class=named or default, driver=driver)
        for charge in (*charges.of_volume(case.priced, volume, classes),) * many:
            yield replace(charge, about=None, installation=owner, namespace=namespace or "default")


_GROUP = "alb.ingress.kubernetes.io/group.name"
_CLASS = "kubernetes.io/ingress.class"
_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"
_ALB = ("ingress.k8s.aws/alb", "eks.amazonaws.com/alb")
_TAKES_SERVICES = "mservice.elbv2.k8s.aws"  # the webhook by which AWS's controller takes Services over


def _balancers(case: _Case) -> Iterator[Charge]:
    """One for each Service that asks for one, and each Ingress or group of them."""
    for service in case.manifests.snapshot.services:
        if service.type == "LoadBalancer":
            yield _balancer(case, service.ref, _type_of(case, service.annotations.get(_TYPE, "")))
    read = (*case.cluster.snapshot.ingress_classes, *case.manifests.snapshot.ingress_classes)
    ours = {each.name for each in read if each.controller in _ALB} | {"alb"}
    groups = {each.annotations.get(_GROUP, "") for each in case.cluster.snapshot.ingresses if each.load_balancers}
    for ingress in case.manifests.snapshot.ingresses:
        group = ingress.annotations.get(_GROUP, "")
        if (ingress.ingress_class or ingress.annotations.get(_CLASS, "")) in ours and (
            not group or group not in groups
        ):
            groups.add(group)
            yield _balancer(case, ingress.ref, "application")


def _type_of(case: _Case, asked: str) -> str:
    eks = case.cluster.snapshot.eks
    taken = _TAKES_SERVICES in case.cluster.webhooks_named or (eks is not None and eks.cluster.auto_mode)
    return "network" if asked in ("nlb", "nlb-ip", "external") or taken else "classic"


def _balancer(case: _Case, ref: ObjectRef, type_: str) -> Charge:
    charge = Charge(
        kind=CostKind.LOAD_BALANCER,
        what=f"{type_} load balancer",
        about=ref,
        installation=case.priced.owners.get(ref, ""),
        namespace=ref.namespace or "default",
    )
    price = case.priced.prices.of(f"elb.{type_}")
    return at(charge, Decimal(HOURS_PER_MONTH), price, "without capacity units, data and public addresses")
