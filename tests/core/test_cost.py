"""What a cluster costs: money is split without losing any, charges have their prices, what is not known is said."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.catalog.prices import PriceTable
from addonctl.cost import By, CostRow, check_cost, explain, summarise
from addonctl.cost.allocation import Demand, split, split_node
from addonctl.cost.charges import fargate_size
from addonctl.dependencies import find_dependencies
from addonctl.inventory import take_inventory
from addonctl.model.cost import GIB, Amount, Charge, ClusterCost, CostKind, Pool
from addonctl.versions import Minor
from tests.builders import eks, snapshot

DAY = date(2026, 11, 24)
M5_LARGE = 96_000 * 730  # micro-dollars a month in us-east-1
MIB = 2**20


def prices(region: str) -> PriceTable:
    return price_table.load(region)


def node(name: str = "a", instance: str = "m5.large", **more: Any) -> model.Node:
    labels = {"node.kubernetes.io/instance-type": instance, **more.pop("labels", {})}
    given: dict[str, Any] = {"operating_system": "linux", "cpu_millicores": 1930, "memory_bytes": 7 * GIB}
    return model.Node(name=name, labels=labels, **(given | more))


def pod(name: str, cpu: int, memory: int, on: str = "a", **more: Any) -> model.Pod:
    given: dict[str, Any] = {"namespace": "payments", "phase": "Running", "node": on}
    return model.Pod(name=name, cpu_request_millicores=cpu, memory_request_bytes=memory, **(given | more))


def cost_of(region: str = "us-east-1", **parts: Any) -> ClusterCost:
    """The cost of a cluster with these objects, its add-ons recognised by the packaged catalogue."""
    known = knowledge.load()
    parts.setdefault("eks", model.Eks(cluster=model.EksCluster(name="prod-eu-1", region=region)))
    view = model.View(snapshot(**parts))
    inventory = take_inventory(view, known)
    owners = find_dependencies(view, inventory, known).owners
    return check_cost(view, inventory, known, prices, owners=owners, kubernetes=Minor.of("1.35"), day=DAY)


def of_kind(cost: ClusterCost, kind: CostKind) -> tuple[Charge, ...]:
    return tuple(charge for charge in cost.charges if charge.kind is kind)


# ── Splitting ───────────────────────────────────────────────────────────────────────────────────────────────────

weights = st.lists(st.integers(0, 10**15), min_size=1, max_size=40).filter(any)


@given(st.integers(0, 10**13), weights)
def test_nothing_is_lost_and_nothing_made(total: int, parts: list[int]) -> None:
    assert sum(split(total, parts)) == total


@given(st.integers(0, 10**13), weights)
def test_who_weighs_more_never_gets_less_and_nobody_without_weight_anything(total: int, parts: list[int]) -> None:
    got = split(total, parts)
    by_weight = sorted(zip(parts, got, strict=True))
    assert all(one[1] <= other[1] for one, other in pairwise(by_weight) if one[0] < other[0])
    assert all(part == 0 for weight, part in zip(parts, got, strict=True) if weight == 0)


@given(st.integers(0, 10**13), weights)
def test_equals_differ_by_a_micro_dollar_at_most(total: int, parts: list[int]) -> None:
    got = split(total, [*parts, parts[0]])
    assert abs(got[0] - got[-1]) <= 1


amounts = st.builds(Amount, st.integers(0, 8000), st.integers(0, 32 * GIB))
demands = st.lists(st.builds(Demand, amounts, amounts), max_size=12)


@given(st.integers(1, 10**10), demands)
def test_a_node_is_split_whole(usd_micros: int, pods: list[Demand]) -> None:
    parts = split_node(usd_micros, Amount(4000, 16 * GIB), Amount(3920, 14 * GIB), pods)
    assert sum(parts.demands) + parts.reserved + parts.idle == usd_micros
    assert min((*parts.demands, parts.reserved, parts.idle)) >= 0


def test_a_vcpu_is_worth_nine_gib_as_aws_splits_it() -> None:
    # AWS's example: an m5.xlarge of $1 an hour makes $0.17 a vCPU-hour and $0.02 a GB-hour.
    pods = [Demand(Amount(1000, 0)), Demand(Amount(0, GIB))]
    parts = split_node(1_000_000, Amount(4000, 16 * GIB), Amount(4000, 16 * GIB), pods)
    assert parts.demands == (173_077, 19_231)
    assert parts.idle == 1_000_000 - 173_077 - 19_231


def test_the_greater_of_request_and_use_is_charged_each_resource_for_itself() -> None:
    assert Demand(Amount(100, 5 * GIB), Amount(300, GIB)).charged == Amount(300, 5 * GIB)


def test_where_use_goes_beyond_a_node_requests_are_charged_in_full() -> None:
    whole = Amount(1000, 0)
    quiet, busy = Demand(Amount(500, 0)), Demand(Amount(100, 0), Amount(1500, 0))
    parts = split_node(1_000_000, whole, whole, [quiet, busy])
    assert parts.demands == (500_000, 500_000)
    assert parts.idle == parts.reserved == 0


# ── Nodes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_node_costs_its_list_price_and_its_pods_what_they_request() -> None:
    cost = cost_of(nodes=(node(),), pods=(pod("api", 1000, 4 * GIB),))
    (charge,) = of_kind(cost, CostKind.NODE)
    assert (charge.usd_micros, charge.estimated) == (M5_LARGE, "")
    by_pool = {share.pool: share.usd_micros for share in cost.shares if share.charge is charge}
    assert by_pool[None] == round(M5_LARGE * 13 / 26)
    assert sum(by_pool.values()) == M5_LARGE
    assert by_pool[Pool.RESERVED] == round(M5_LARGE * (0.07 * 9 + 1) / 26)


def test_pods_that_have_ended_or_wait_for_their_image_are_not_charged() -> None:
    waiting = model.ContainerStatus(name="app", waiting="ImagePullBackOff")
    ended = pod("job", 500, GIB, phase="Succeeded")
    cost = cost_of(nodes=(node(),), pods=(ended, pod("new", 500, GIB, containers=(waiting,))))
    assert {share.pool for share in cost.shares} == {Pool.RESERVED, Pool.IDLE, Pool.CLUSTER}


def test_pods_that_request_nothing_are_counted() -> None:
    cost = cost_of(nodes=(node(),), pods=(pod("free", 0, 0), pod("paid", 100, 0)))
    (row, *_) = summarise(cost, By.NAMESPACE, model.Inventory(installations=()), knowledge.load())
    assert (row.name, row.unasked) == ("payments", 1)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (node(instance="zz9.large"), "not in the table"),
        (node(labels={"node.kubernetes.io/instance-type": ""}), "no instance type"),
        (node(operating_system="windows"), "runs windows"),
        (node(labels={"eks.amazonaws.com/compute-type": "hybrid"}), "hybrid"),
    ],
)
def test_a_node_without_a_price_is_unknown_and_so_are_its_pods(made: model.Node, why: str) -> None:
    cost = cost_of(nodes=(made,), pods=(pod("api", 1000, GIB),))
    (charge,) = of_kind(cost, CostKind.NODE)
    assert charge.usd_micros is None
    assert why in charge.unknown
    assert [share.usd_micros for share in cost.shares if share.charge.kind is CostKind.NODE] == [0]
    assert not any(share.is_known for share in cost.shares if share.charge.kind is CostKind.NODE)


def test_a_spot_node_is_an_estimate() -> None:
    cost = cost_of(nodes=(node(labels={"karpenter.sh/capacity-type": "spot"}),))
    (charge,) = of_kind(cost, CostKind.NODE)
    assert "Spot" in charge.estimated


def test_auto_mode_adds_its_fee() -> None:
    cost = cost_of(nodes=(node(labels={"eks.amazonaws.com/compute-type": "auto"}),))
    (fee,) = of_kind(cost, CostKind.AUTO_MODE)
    assert fee.usd_micros == M5_LARGE * 12 // 100


def test_another_region_is_an_estimate_and_one_of_its_own_is_not() -> None:
    (frankfurt,) = of_kind(cost_of("eu-central-1", nodes=(node(),)), CostKind.NODE)
    (gov,) = of_kind(cost_of("us-gov-west-1", nodes=(node(),)), CostKind.NODE)
    (nowhere,) = of_kind(cost_of("xx-nowhere-1", nodes=(node(),)), CostKind.NODE)
    assert frankfurt.usd_micros
    assert frankfurt.usd_micros > M5_LARGE
    assert "eu-central-1" in frankfurt.estimated
    assert gov.estimated == ""
    assert "not known" in nowhere.estimated


@pytest.mark.parametrize(
    ("cpu", "memory", "size"),
    [
        (0, 0, (250, Decimal("0.5"))),
        (250, 257 * MIB, (250, Decimal(1))),
        (250, 768 * MIB, (250, Decimal(1))),
        (250, 2 * GIB, (500, Decimal(3))),
        (251, 0, (500, Decimal(1))),
        (1000, 8 * GIB, (2000, Decimal(9))),
        (8000, 20 * GIB, (8000, Decimal(24))),
        (99_000, 0, (16000, Decimal(120))),
    ],
)
def test_a_pod_on_fargate_gets_the_smallest_microvm_that_holds_it(
    cpu: int, memory: int, size: tuple[int, Decimal]
) -> None:
    assert fargate_size(cpu, memory) == size


def test_a_pod_on_fargate_is_charged_for_itself() -> None:
    labels = {"eks.amazonaws.com/compute-type": "fargate"}
    cost = cost_of(nodes=(node(labels=labels),), pods=(pod("api", 250, 256 * MIB),))
    cpu, memory = of_kind(cost, CostKind.FARGATE)
    assert cpu.usd_micros == 7_387_600  # a quarter of a vCPU at $0.04048 an hour
    assert memory.usd_micros == 1_622_425  # half a GB at $0.004445
    assert {share.pool for share in cost.shares} == {None, Pool.CLUSTER}


# ── What else is paid for ───────────────────────────────────────────────────────────────────────────────────────


def volume(type_: str = "gp3", gib: int = 100, driver: str = "ebs.csi.aws.com", **parameters: str) -> dict[str, Any]:
    made = model.StorageClass(name="fast", provisioner=driver, parameters={"type": type_, **parameters})
    claim = model.ObjectRef(kind="PersistentVolumeClaim", name="data", namespace="payments")
    of_it = model.Volume(name="pv", capacity_bytes=gib * GIB, storage_class="fast", driver=driver, claim=claim)
    return {"storage_classes": (made,), "volumes": (of_it,)}


@pytest.mark.parametrize(
    ("parts", "usd"),
    [
        (volume(), "8"),
        (volume("gp2"), "10"),
        (volume(iops="4000", throughput="250"), "18"),  # 1,000 IOPS and 125 MiB/s beyond its own
        (volume("io2", iops="1000"), "77.5"),
        (volume("io1", iopsPerGB="10"), "77.5"),
        (volume("st1"), "4.5"),
    ],
)
def test_a_volume_costs_its_size_and_what_it_has_beyond_its_type(parts: dict[str, Any], usd: str) -> None:
    charges = of_kind(cost_of(**parts), CostKind.VOLUME)
    assert sum(charge.usd_micros or 0 for charge in charges) == Decimal(usd) * 1_000_000
    assert {charge.namespace for charge in charges} == {"payments"}


@pytest.mark.parametrize(
    "parts", [volume(driver="efs.csi.aws.com"), volume(type_="gp9"), volume() | {"storage_classes": ()}]
)
def test_a_volume_whose_price_depends_on_what_was_not_read_is_unknown(parts: dict[str, Any]) -> None:
    (charge,) = of_kind(cost_of(**parts), CostKind.VOLUME)
    assert charge.usd_micros is None
    assert charge.unknown


def test_a_volume_without_a_claim_is_nobodys() -> None:
    parts = volume()
    parts["volumes"] = (replace(parts["volumes"][0], claim=None),)
    assert {share.pool for share in cost_of(**parts).shares} == {Pool.UNCLAIMED, Pool.CLUSTER}


def test_a_load_balancer_is_charged_once_by_its_type() -> None:
    def ingress(name: str, host: str) -> model.Ingress:
        return model.Ingress(name=name, namespace="payments", load_balancers=(host,))

    shared = "k8s-group-1.eu-central-1.elb.amazonaws.com"
    service = model.Service(name="gw", namespace="payments", load_balancers=("gw-2.elb.eu-central-1.amazonaws.com",))
    old = model.Service(name="old", namespace="payments", load_balancers=("old-3.eu-central-1.elb.amazonaws.com",))
    cost = cost_of(services=(service, old), ingresses=(ingress("a", shared), ingress("b", shared)))
    charged = {charge.what: charge.usd_micros for charge in of_kind(cost, CostKind.LOAD_BALANCER)}
    assert charged == {
        "network load balancer": 16_425_000,
        "classic load balancer": 18_250_000,
        "application load balancer": 16_425_000,
    }


def test_extended_support_costs_six_times_as_much() -> None:
    known = knowledge.load()
    view = model.View(snapshot(eks=eks()))
    inventory = take_inventory(view, known)

    def of(minor: str) -> int | None:
        cost = check_cost(view, inventory, known, prices, owners={}, kubernetes=Minor.of(minor), day=DAY)
        return of_kind(cost, CostKind.CONTROL_PLANE)[0].usd_micros

    assert (of("1.35"), of("1.32")) == (73_000_000, 438_000_000)


@pytest.mark.parametrize(("policy", "usd_micros"), [("STANDARD", 73_000_000), ("EXTENDED", 438_000_000)])
def test_a_cluster_that_aws_upgrades_pays_no_extended_support(policy: str, usd_micros: int) -> None:
    cluster = model.EksCluster(name="prod-eu-1", region="us-east-1", support_type=policy)
    view, known = model.View(snapshot(eks=model.Eks(cluster=cluster))), knowledge.load()
    inventory = take_inventory(view, known)
    cost = check_cost(view, inventory, known, prices, owners={}, kubernetes=Minor.of("1.32"), day=DAY)
    (charge,) = of_kind(cost, CostKind.CONTROL_PLANE)
    assert charge.usd_micros == usd_micros
    assert ("AWS upgrades it" in charge.estimated) is (policy == "STANDARD")


@pytest.mark.parametrize(("count", "said"), [(0, ()), (1, ("1 volume snapshot",)), (7, ("7 volume snapshots",))])
def test_snapshots_of_volumes_are_listed_without_a_figure(count: int, said: tuple[str, ...]) -> None:
    made = model.CustomResources(group="snapshot.storage.k8s.io", kind="VolumeSnapshotContent", plural="", count=count)
    found = of_kind(cost_of(custom_resources=(made,)), CostKind.VOLUME)
    assert tuple(charge.what for charge in found) == said
    assert all(charge.usd_micros is None for charge in found)
    assert all("only a bill tells" in charge.unknown for charge in found)


def test_a_capability_costs_its_base() -> None:
    capability = model.EksCapability(name="argocd", type="ARGOCD")
    cost = cost_of(eks=eks(capabilities=(capability,)))
    (charge,) = of_kind(cost, CostKind.CAPABILITY)
    assert charge.usd_micros == 21_051_740
    assert "without what it keeps" in charge.estimated


def guarded(nodes: int, instance: str = "m5.24xlarge") -> ClusterCost:
    """GuardDuty's agent on so many nodes."""
    image = "602401143452.dkr.ecr.eu-central-1.amazonaws.com/aws-guardduty-agent:v1.12.1"
    agent = model.Workload(
        kind="DaemonSet",
        name="aws-guardduty-agent",
        namespace="amazon-guardduty",
        template=model.PodTemplate(containers=(model.Container(name="agent", image=image),)),
    )
    return cost_of(
        workloads=(agent,),
        nodes=tuple(node(f"n{n}", instance) for n in range(nodes)),
        pods=tuple(
            pod(f"agent-{n}", 200, 256 * MIB, f"n{n}", namespace="amazon-guardduty", owners=(agent.ref,))
            for n in range(nodes)
        ),
    )


def test_what_aws_meters_by_vcpu_is_charged_by_tiers() -> None:
    charges = of_kind(guarded(10), CostKind.METERED)
    assert [str(charge.quantity) for charge in charges] == ["500", "460"]
    assert [charge.usd_micros for charge in charges] == [750_000_000, 345_000_000]
    assert all(charge.installation.startswith("guardduty-agent/") for charge in charges)


def test_what_was_not_read_is_said() -> None:
    gap = model.Gap(part="pods", reason=model.GapReason.FORBIDDEN, detail="may not be listed")
    unknown = cost_of(gaps=(gap,)).unknown
    assert [charge.what for charge in unknown] == ["pods"]


# ── Adding up ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by", By)
def test_rows_add_up_to_the_whole(by: By) -> None:
    cost = guarded(3)
    known = knowledge.load()
    rows = summarise(cost, by, model.Inventory(installations=()), known)
    assert sum(row.usd_micros for row in rows) == cost.usd_micros == sum(share.usd_micros for share in cost.shares)
    assert all(sum(row.by_kind.values()) == row.usd_micros for row in rows)


def test_the_parts_of_an_add_on_add_up_to_its_row() -> None:
    cost = guarded(3)
    (row,) = (
        row
        for row in summarise(cost, By.ADDON, model.Inventory(installations=()), knowledge.load())
        if row.name.startswith("guardduty-agent/")
    )
    parts = explain(cost, (row.name,))
    assert sum(part.usd_micros for part in parts) == row.usd_micros
    on_nodes = next(part for part in parts if part.workload)
    assert (on_nodes.count, on_nodes.workload) == (3, "DaemonSet/aws-guardduty-agent")


def test_an_add_on_on_nodes_without_a_price_has_a_row_that_says_so() -> None:
    work = model.Workload(kind="Deployment", name="keda-operator", namespace="keda", template=_KEDA)
    pods = tuple(pod(f"keda-{on}", 100, GIB, on, namespace="keda", owners=(work.ref,)) for on in ("a", "z"))
    nodes = (node("a"), node("z", "zz9.large"))
    known = knowledge.load()

    def row(*on: model.Node) -> CostRow:
        view = model.View(snapshot(nodes=on, pods=pods, workloads=(work,)))
        inventory = take_inventory(view, known)
        owners = find_dependencies(view, inventory, known).owners
        cost = check_cost(view, inventory, known, prices, owners=owners, kubernetes=None, day=DAY)
        return next(each for each in summarise(cost, By.ADDON, inventory, known) if each.name.startswith("keda"))

    both, none = row(*nodes), row(nodes[1])
    assert (both.unpriced, none.unpriced) == (1, 1)
    assert both.usd_micros > 0
    assert (none.usd_micros, none.by_kind) == (0, {})  # unknown, and not recorded as nothing
    assert none.cpu_millicores == 100


_KEDA = model.PodTemplate(containers=(model.Container(name="keda", image="ghcr.io/kedacore/keda:2.17.2"),))
