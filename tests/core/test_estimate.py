"""What manifests would cost here before they are applied."""

from typing import Any

import pytest

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.adapters.decoders import KINDS
from addonctl.adapters.decoding import Decoder
from addonctl.cost import Estimate, check_cost, estimate, parts_of
from addonctl.dependencies import find_dependencies
from addonctl.inventory import take_inventory
from addonctl.model.cost import GIB, CostKind
from addonctl.versions import Minor
from tests.builders import snapshot
from tests.core.test_cost import DAY, M5_LARGE, node, pod

REGION = "us-east-1"
EKS = model.Eks(cluster=model.EksCluster(name="prod-eu-1", region=REGION))


def estimated(cluster: dict[str, Any], **manifests: Any) -> Estimate:
    """What the manifests would cost in the cluster."""
    known = knowledge.load()
    view, new = (model.View(snapshot(**parts)) for parts in ({"eks": EKS} | cluster, manifests))
    inventory = take_inventory(new, known)
    owners = find_dependencies(new, inventory, known).owners
    return estimate(view, new, inventory, known, price_table.load, owners)


def workload(kind: str, cpu: int = 100, memory: int = GIB, **more: Any) -> model.Workload:
    pick = {key: more.pop(key) for key in ("tolerations", "node_selector", "has_affinity") if key in more}
    template = model.PodTemplate(cpu_request_millicores=cpu, memory_request_bytes=memory, **pick)
    given: dict[str, Any] = {"name": "agent", "namespace": "monitoring", "template": template}
    return model.Workload(kind=kind, **(given | more))


def usd(found: Estimate) -> int:
    return sum(share.usd_micros for share in found.shares)


def reasons(found: Estimate) -> list[str]:
    return [charge.unknown for charge in found.unknown]


ONE_POD = M5_LARGE * (9 * 0.1 + 1) / 26
GPU = model.Taint(key="nvidia.com/gpu", value="true", effect="NoSchedule")


def test_a_daemonset_is_counted_on_each_node_that_it_may_run_on() -> None:
    nodes = (node("a"), node("b"), node("g", "g5.xlarge", taints=(GPU,)))
    found = estimated({"nodes": nodes}, workloads=(workload("DaemonSet"),))
    (part,) = parts_of(found.shares)
    assert part.count == 2
    assert usd(found) == pytest.approx(2 * ONE_POD, abs=2)
    everywhere = workload("DaemonSet", tolerations=(model.Toleration(operator="Exists"),))
    assert len(estimated({"nodes": nodes}, workloads=(everywhere,)).shares) == 3
    one = workload("DaemonSet", node_selector={"kubernetes.io/hostname": "a"})
    labelled = (node("a", labels={"kubernetes.io/hostname": "a"}), node("b"))
    assert len(estimated({"nodes": labelled}, workloads=(one,)).shares) == 1


def test_it_is_what_the_same_daemonset_costs_once_it_runs() -> None:
    nodes = (node("a"), node("b", "m5.xlarge", cpu_millicores=3920, memory_bytes=15 * GIB))
    work = workload("DaemonSet", labels={"app": "agent"})
    pods = tuple(pod(f"agent-{n}", 100, GIB, n, namespace="monitoring", owners=(work.ref,)) for n in ("a", "b"))
    view = model.View(snapshot(nodes=nodes, pods=pods, workloads=(work,), eks=EKS))
    known = knowledge.load()
    inventory = take_inventory(view, known)
    cost = check_cost(view, inventory, known, price_table.load, owners={}, kubernetes=Minor.of("1.35"), day=DAY)
    running = [share.usd_micros for share in cost.shares if share.workload == work.ref]
    found = estimated({"nodes": nodes}, workloads=(work,))
    assert sorted(share.usd_micros for share in found.shares) == pytest.approx(sorted(running), abs=1)


def test_other_pods_are_taken_at_the_mean_of_the_nodes_that_take_them() -> None:
    nodes = (node("a"), node("b", "m5.xlarge"), node("c", unschedulable=True))
    found = estimated({"nodes": nodes}, workloads=(workload("Deployment", desired=3),))
    # m5.xlarge costs twice as much and is twice as large, so that a pod costs the same on both.
    assert usd(found) == pytest.approx(3 * ONE_POD, abs=3)
    assert all("the mean of 2 nodes" in share.charge.estimated for share in found.shares)


def test_an_autoscaler_keeps_so_many_at_least() -> None:
    work = workload("Deployment", desired=1)
    scaler = model.Autoscaler(name="agent", namespace="monitoring", target=work.ref, min_replicas=4)
    assert len(estimated({"nodes": (node(),)}, workloads=(work,), autoscalers=(scaler,)).shares) == 4


@pytest.mark.parametrize(
    ("cluster", "work", "why"),
    [
        ({"nodes": (node("a", "zz9.large"),)}, workload("DaemonSet"), "of 1 nodes that it may run on, 1 have no price"),
        ({}, workload("Deployment"), "the cluster has no node that it may run on"),
        ({"nodes": (node(),)}, workload("CronJob"), "it runs at times"),
        ({"nodes": (node(taints=(GPU,)),)}, workload("DaemonSet"), "the cluster has no node that it may run on"),
    ],
)
def test_what_has_no_price_is_said(cluster: dict[str, Any], work: model.Workload, why: str) -> None:
    found = estimated(cluster, workloads=(work,))
    assert not found.shares
    assert reasons(found)[0].startswith(why)


def test_pods_that_request_nothing_are_not_free() -> None:
    found = estimated({"nodes": (node(),)}, workloads=(workload("Deployment", 0, 0),))
    assert [share.unasked for share in found.shares] == [True]


def test_on_fargate_a_pod_has_a_price_of_its_own() -> None:
    profile = model.FargateProfile(name="fp", namespaces=("monitoring",))
    eks = model.Eks(cluster=EKS.cluster, fargate_profiles=(profile,))
    found = estimated({"eks": eks}, workloads=(workload("Deployment", 250, GIB // 4),))
    assert {share.charge.kind for share in found.shares} == {CostKind.FARGATE}
    assert usd(found) == round(730 * (0.25 * 0.04048 + 0.5 * 0.004445) * 1_000_000)


def test_each_replica_of_a_statefulset_claims_its_volume_of_the_default_class() -> None:
    gp2 = model.StorageClass(
        name="gp2", provisioner="kubernetes.io/aws-ebs", parameters={"type": "gp2"}, is_default=True
    )
    claims = (model.ClaimTemplate("", 20 * GIB),)
    stateful = workload("StatefulSet", desired=3, claim_templates=claims)
    found = estimated({"nodes": (node(),), "storage_classes": (gp2,)}, workloads=(stateful,))
    volumes = [share.usd_micros for share in found.shares if share.charge.kind is CostKind.VOLUME]
    assert volumes == [2_000_000] * 3
    bare = estimated({"nodes": (node(),)}, workloads=(stateful,))
    assert len([why for why in reasons(bare) if "does not say its type" in why]) == 3


def test_services_and_ingresses_bring_load_balancers_unless_they_share_one() -> None:
    group = {"alb.ingress.kubernetes.io/group.name": "public"}
    there = model.Ingress(
        name="there", namespace="a", load_balancers=("k8s-1.eu.elb.amazonaws.com",), annotations=group
    )
    ingresses = tuple(
        model.Ingress(name=name, namespace="b", ingress_class=of, annotations=how)
        for name, of, how in (("x", "alb", {}), ("y", "alb", group), ("z", "nginx", {}))
    )
    nlb = {"service.beta.kubernetes.io/aws-load-balancer-type": "external"}
    services = (
        model.Service(name="one", namespace="b", type="LoadBalancer"),
        model.Service(name="two", namespace="b", type="LoadBalancer", annotations=nlb),
        model.Service(name="three", namespace="b", type="ClusterIP"),
    )
    found = estimated({"ingresses": (there,)}, ingresses=ingresses, services=services)
    assert sorted(share.charge.what for share in found.shares) == [
        "application load balancer",
        "classic load balancer",
        "network load balancer",
    ]


def test_what_operators_make_of_custom_resources_is_not_known() -> None:
    made = model.CustomResources(group="monitoring.coreos.com", kind="Prometheus", plural="prometheuses", count=1)
    found = estimated({}, custom_resources=(made,))
    assert [charge.what for charge in found.unknown] == ["Prometheus (1)"]


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}}]}, 100),
        ({"containers": [{"name": "a", "resources": {"limits": {"cpu": "200m"}}}]}, 200),
        (
            {
                "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}}],
                "initContainers": [
                    {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
                    {"name": "i", "resources": {"requests": {"cpu": "300m"}}},
                ],
            },
            350,
        ),
        (
            {
                "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}}],
                "resources": {"requests": {"cpu": "1"}},
            },
            1000,
        ),
    ],
    ids=["requests", "a limit alone", "sidecars and init containers", "of the pod"],
)
def test_a_template_requests_what_the_scheduler_counts(spec: dict[str, Any], cpu: int) -> None:
    decoder = Decoder(knowledge.load())
    kind = next(each for each in KINDS if each.kind == "Deployment")
    made = decoder.one(kind, {"metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}})
    assert made.template.cpu_request_millicores == cpu
