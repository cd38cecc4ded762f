"""Where add-ons could cost less: what is found, what it saves, how it is taken and undone, and what is not judged."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.model import Gap, GapReason, ObjectRef
from addonctl.model.cost import GIB
from addonctl.model.opportunity import Frees, NotJudged, Opportunities, Opportunity
from addonctl.opportunities import KINDS, find_opportunities
from addonctl.opportunities.platform import _attached
from addonctl.opportunities.volumes import as_gp3
from addonctl.render.commands import action_lines
from addonctl.resources import RESOURCES
from tests.builders import snapshot
from tests.core.test_cost import node, pod
from tests.core.test_resizing import cluster, dns, resized
from tests.judging import assessed

REGION = "us-east-1"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_OF_ALB = 22_500


def found_in(day: date = date(2026, 11, 24), version: str = "1.35", **parts: Any) -> Opportunities:
    """Where a cluster with these objects could cost less, by the packaged catalogue and prices."""
    known = knowledge.load()
    described = model.EksCluster(name="prod-eu-1", region=REGION, version=version)
    parts.setdefault("eks", model.Eks(cluster=described))
    assessment = assessed(snapshot(**parts), known, prices=price_table.load, day=day)
    return find_opportunities(assessment, known, price_table.load)


def of(found: Opportunities, kind: str) -> list[Opportunity]:
    return [each for each in found.found if each.kind == kind]


def not_judged(found: Opportunities, kind: str) -> list[NotJudged]:
    return [each for each in found.not_judged if each.kind == kind]


def lines(each: Opportunity, *, undo: bool = False) -> list[str]:
    return [str(line) for line in action_lines(each.undo if undo else each.do)]


def workload(kind: str, name: str, image: str, namespace: str = "kube-system", **more: Any) -> model.Workload:
    template = model.PodTemplate(containers=(model.Container(name="main", image=image),))
    applied = model.Applier(manager="kubectl-client-side-apply", api_version="apps/v1")
    given: dict[str, Any] = {"template": template, "created": LONG_AGO, "appliers": (applied,)}
    return model.Workload(kind=kind, name=name, namespace=namespace, **(given | more))


def pods_of(work: model.Workload, *nodes: str, cpu: int = 100, memory: int = GIB) -> tuple[model.Pod, ...]:
    return tuple(
        pod(f"{work.name}-{n}", cpu, memory, on, namespace=work.namespace, owners=(work.ref,))
        for n, on in enumerate(nodes)
    )


# ── Volumes ─────────────────────────────────────────────────────────────────────────────────────────────────────

GP2 = model.StorageClass(
    name="gp2", provisioner="ebs.csi.aws.com", parameters={"type": "gp2"}, is_default=True, reclaim_policy="Retain"
)


def volume(name: str, gib: int, **more: Any) -> model.Volume:
    claim = ObjectRef.of("PersistentVolumeClaim", f"data-{name}", "payments")
    given: dict[str, Any] = {
        "capacity_bytes": gib * GIB,
        "storage_class": "gp2",
        "driver": "ebs.csi.aws.com",
        "handle": f"vol-{name}",
        "phase": "Bound",
        "claim": claim,
    }
    return model.Volume(name=name, **(given | more))


@pytest.mark.parametrize(
    ("gib", "usd", "slower"),
    [
        (100, "2", False),
        (170, "3.4", False),
        (200, "4", True),  # 250 MiB/s would cost $5 more
        (1000, "15", False),  # 20 less 125 MiB/s
        (2000, "20", False),  # 40 less 3,000 IOPS and 125 MiB/s
    ],
)
def test_gp2_as_gp3_is_as_fast_as_before_where_that_saves(gib: int, usd: str, slower: bool) -> None:
    plan = as_gp3(Decimal(gib), price_table.load(REGION))
    assert (plan.usd_micros, plan.slower) == (int(Decimal(usd) * 1_000_000), slower)


def test_volumes_of_gp2_are_changed_in_place_and_back() -> None:
    gp3 = model.StorageClass(name="gp3", provisioner="ebs.csi.aws.com")
    volumes = (volume("a", 100), volume("b", 2000), volume("c", 50, storage_class="gp3"))
    (one,) = of(found_in(storage_classes=(GP2, gp3), volumes=volumes), "gp3-volumes")
    assert [ref.name for ref in one.about] == ["a", "b"]
    assert one.saving.usd_micros == 22_000_000
    assert one.saving.frees is Frees.CHARGES
    assert lines(one)[1] == (
        "aws ec2 modify-volume --volume-id vol-b --volume-type gp3 --iops 6000 --throughput 250 --region us-east-1"
    )
    assert lines(one)[2].startswith("For new volumes, create a StorageClass like gp2 with `type: gp3`, and make it")
    assert lines(one, undo=True)[1] == "aws ec2 modify-volume --volume-id vol-b --volume-type gp2 --region us-east-1"


def test_of_volumes_whose_class_is_not_known_the_type_is_not_judged() -> None:
    found = found_in(volumes=(volume("a", 100, storage_class="gone"),))
    assert not of(found, "gp3-volumes")
    assert [each.reason for each in not_judged(found, "gp3-volumes")] == [
        "of 1 EBS volumes no StorageClass says the type"
    ]


def test_what_was_not_read_is_not_judged() -> None:
    gap = Gap(part="volumes", reason=GapReason.FORBIDDEN, detail="may not list persistentvolumes")
    found = found_in(gaps=(gap,))
    told = {each.kind for each in found.not_judged if "persistentvolumes" in each.reason}
    assert {"gp3-volumes", "unclaimed-volumes"} <= told
    assert not found.found


def test_a_volume_that_nothing_claims_is_saved_before_it_is_deleted() -> None:
    young = volume("c", 10, phase="Available", claim=None, created=datetime(2026, 11, 23, tzinfo=UTC))
    volumes = (volume("a", 100, phase="Released"), volume("b", 10), young)
    (one,) = of(found_in(storage_classes=(GP2,), volumes=volumes), "unclaimed-volumes")
    assert one.saving.usd_micros == 10_000_000
    said = lines(one)
    assert said[1].startswith("aws ec2 create-snapshot --volume-id vol-a")
    assert said[-1].startswith("aws ec2 delete-volume --volume-id vol-a")
    assert [ref.name for ref in one.about] == ["a"]


def claim(name: str, volume: str, namespace: str = "monitoring", **more: Any) -> model.VolumeClaim:
    return model.VolumeClaim(name=name, namespace=namespace, volume=volume, phase="Bound", created=LONG_AGO, **more)


def test_a_volume_that_an_uninstalled_chart_left_is_mounted_by_nothing() -> None:
    mounts = model.PodTemplate(claims=("files",))
    workloads = (
        model.Workload(kind="StatefulSet", name="prometheus", namespace="monitoring", desired=1),
        model.Workload(kind="Deployment", name="web", namespace="monitoring", template=mounts),
    )
    owner = (ObjectRef(kind="Cluster", name="pg", namespace="monitoring", group="postgresql.cnpg.io"),)
    claims = (
        claim("data-harbor-database-0", "left"),
        claim("data-prometheus-0", "used"),
        claim("data-prometheus-1", "scaled-down"),
        claim("files", "mounted"),
        claim("pg-1", "owned", owners=owner),
        claim("x", "hidden", namespace="databases"),
    )
    volumes = tuple(volume(each.volume, 100, claim=each.ref) for each in claims)
    strange = pod("kafka-0", 1, 1, namespace="databases", owners=(ObjectRef(kind="StrimziPodSet", name="kafka"),))
    found = found_in(
        storage_classes=(GP2,), volumes=volumes, volume_claims=claims, workloads=workloads, pods=(strange,)
    )
    (one,) = of(found, "unmounted-volumes")
    assert one.what == "data-harbor-database-0, 100 GiB"
    assert one.saving.usd_micros == 10_000_000
    assert "kubectl delete -n monitoring persistentvolumeclaim/data-harbor-database-0" in lines(one)
    (others,) = of(found, "gp3-volumes")
    assert "left" not in [ref.name for ref in others.about]  # what is to be deleted is not changed first


# ── Load balancers ──────────────────────────────────────────────────────────────────────────────────────────────

ALB = model.IngressClass(name="alb", controller="ingress.k8s.aws/alb")


def ingress(name: str, host: str, **more: Any) -> model.Ingress:
    address = f"{host}-1.us-east-1.elb.amazonaws.com"
    given: dict[str, Any] = {"namespace": "payments", "ingress_class": "alb", "services": ("api",)}
    return model.Ingress(name=name, load_balancers=(address,), **(given | more))


def test_ingresses_with_a_load_balancer_each_can_share_one_of_the_same_scheme() -> None:
    ingresses = (
        ingress("a", "k8s-a"),
        ingress("b", "k8s-b"),
        ingress("c", "k8s-c"),
        ingress("d", "internal-k8s-d"),
        ingress("e", "nlb", ingress_class="nginx"),
    )
    (one,) = of(found_in(ingress_classes=(ALB,), ingresses=ingresses), "shared-load-balancers")
    assert [ref.name for ref in one.about] == ["a", "b", "c"]
    assert one.saving.usd_micros == 2 * 730 * HOUR_OF_ALB
    assert lines(one)[0] == (
        "kubectl annotate -n payments ingress.networking.k8s.io/a alb.ingress.kubernetes.io/group.name=shared"
    )
    assert lines(one, undo=True)[0].endswith("alb.ingress.kubernetes.io/group.name-")


def test_they_join_a_group_that_is_there_and_what_argo_cd_keeps_is_changed_there() -> None:
    tracked = {"argocd.argoproj.io/tracking-id": "shop:networking.k8s.io/Ingress:payments/a"}
    ingresses = (
        ingress("a", "k8s-a", annotations=tracked),
        ingress("b", "k8s-b", annotations={"alb.ingress.kubernetes.io/group.name": "public"}),
    )
    (one,) = of(found_in(ingress_classes=(ALB,), ingresses=ingresses), "shared-load-balancers")
    assert one.saving.usd_micros == 730 * HOUR_OF_ALB
    assert "IngressGroup public" in one.what
    assert lines(one)[0].startswith("Where argocd application shop is kept: annotate Ingress/payments/a")


def test_more_rules_than_one_load_balancer_holds_need_several() -> None:
    many = tuple(f"api-{n}" for n in range(60))
    ingresses = (ingress("a", "k8s-a", services=many), ingress("b", "k8s-b", services=many))
    assert not of(found_in(ingress_classes=(ALB,), ingresses=ingresses), "shared-load-balancers")


def service(name: str, host: str, **more: Any) -> model.Service:
    return model.Service(
        name=name, namespace="payments", type="LoadBalancer", selector={"app": name}, load_balancers=(host,), **more
    )


def test_a_load_balancer_with_no_workload_behind_it_is_idle() -> None:
    host = "k8s-old-1.elb.us-east-1.amazonaws.com"
    (one,) = of(found_in(services=(service("old", host),)), "idle-load-balancers")
    assert one.saving.usd_micros == 730 * HOUR_OF_ALB
    assert lines(one)[-1] == "kubectl delete -n payments service/old"


def test_one_whose_workload_is_at_zero_is_not() -> None:
    template = model.PodTemplate(labels={"app": "old"})
    asleep = model.Workload(kind="Deployment", name="old", namespace="payments", template=template, desired=0)
    found = found_in(services=(service("old", "k8s-old-1.elb.us-east-1.amazonaws.com"),), workloads=(asleep,))
    assert not of(found, "idle-load-balancers")


# ── Add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────────

KEDA = workload("Deployment", "keda-operator", "ghcr.io/kedacore/keda:2.17.2", "keda", desired=1)
SCALED = model.CustomResourceDefinition(
    name="scaledobjects.keda.sh", group="keda.sh", kind="ScaledObject", plural="scaledobjects"
)
M5_LARGE = 96_000 * 730


def with_keda(**more: Any) -> Opportunities:
    given: dict[str, Any] = {"crds": (SCALED,), "nodes": (node(),), "pods": pods_of(KEDA, "a"), "workloads": (KEDA,)}
    return found_in(**(given | more))


def test_an_add_on_that_has_nothing_to_do_saves_its_share_of_nodes() -> None:
    (one,) = of(with_keda(), "idle-add-ons")
    assert one.saving.frees is Frees.ROOM
    assert one.saving.usd_micros == pytest.approx(M5_LARGE * (9 * 0.1 + 1) / 26, abs=1)
    assert one.evidence[0].detail == "there is no scaledobjects, scaledjobs"


@pytest.mark.parametrize(
    "more",
    [
        {"custom_resources": (model.CustomResources(group="keda.sh", kind="ScaledObject", plural="s", count=1),)},
        {"crds": ()},
        {"pods": ()},
        {
            "workloads": (
                workload(
                    "Deployment", "keda-operator", "kedacore/keda:2.17.2", created=datetime(2026, 11, 20, tzinfo=UTC)
                ),
            )
        },
    ],
    ids=["it has work", "its CRDs are not there", "it does not run", "it is new"],
)
def test_one_that_may_have_something_to_do_is_left_alone(more: dict[str, Any]) -> None:
    assert not of(with_keda(**more), "idle-add-ons")


def test_whether_it_has_work_is_not_judged_where_that_was_not_read() -> None:
    gap = Gap(part="custom_resources:scaledobjects.keda.sh", reason=GapReason.FORBIDDEN, detail="may not list them")
    found = with_keda(gaps=(gap,))
    assert not of(found, "idle-add-ons")
    (told,) = not_judged(found, "idle-add-ons")
    assert told.installation == "keda/keda/keda-operator"


def test_two_that_scale_nodes_save_the_cheaper_one() -> None:
    karpenter = workload("Deployment", "karpenter", "public.ecr.aws/karpenter/controller:1.8.1", desired=2)
    scaler = workload(
        "Deployment", "cluster-autoscaler", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0", desired=1
    )
    pods = (*pods_of(karpenter, "a", "a"), *pods_of(scaler, "a"))
    found = found_in(nodes=(node(),), pods=pods, workloads=(karpenter, scaler))
    (one,) = of(found, "overlapping-add-ons")
    assert one.installation.startswith("cluster-autoscaler/")
    assert one.saving.usd_micros == pytest.approx(M5_LARGE * 1.9 / 26, abs=1)
    asleep = workload("Deployment", "cluster-autoscaler", "autoscaling/cluster-autoscaler:v1.33.0", desired=0)
    without = found_in(nodes=(node(),), pods=pods_of(karpenter, "a"), workloads=(karpenter, asleep))
    assert not of(without, "overlapping-add-ons")


def test_a_daemonset_on_nodes_of_auto_mode_that_has_it_built_in_is_not_needed_there() -> None:
    agent = workload("DaemonSet", "eks-pod-identity-agent", "eks/eks-pod-identity-agent:v0.1.32", desired=2)
    auto = {"eks.amazonaws.com/compute-type": "auto"}
    nodes = (node("a"), node("b", labels=auto))
    given = (model.PodIdentity(namespace="payments", service_account="api", role_arn="arn:aws:iam::1:role/a"),)
    described = model.Eks(cluster=model.EksCluster(name="prod-eu-1", region=REGION), pod_identities=given)
    found = found_in(nodes=nodes, pods=pods_of(agent, "a", "b"), workloads=(agent,), eks=described)
    (one,) = of(found, "daemonsets-not-needed")
    # Auto Mode's surcharge of 12 % is split like the node.
    assert one.saving.usd_micros == pytest.approx(M5_LARGE * 1.12 * 1.9 / 26, abs=2)
    assert "by its node affinity" in lines(one)[0]


def test_more_replicas_of_coredns_than_eks_asks_for() -> None:
    work = dns(desired=5, created=LONG_AGO)
    pods = pods_of(work, "a", "a", "a", "b", "b")
    (one,) = of(found_in(nodes=(node("a"), node("b")), pods=pods, workloads=(work,)), "spare-replicas")
    assert one.what.endswith("5 replicas, 2 would do")
    assert one.saving.usd_micros == pytest.approx(3 * M5_LARGE * 1.9 / 26, abs=3)
    scaler = model.Autoscaler(name="dns", namespace="kube-system", target=work.ref)
    scaled = found_in(nodes=(node("a"), node("b")), pods=pods, workloads=(work,), autoscalers=(scaler,))
    assert not of(scaled, "spare-replicas")


def test_of_eks_it_is_a_value_of_its_configuration() -> None:
    work = dns(desired=5, appliers=(model.Applier(manager="eks", api_version="apps/v1", operation="Apply"),))
    listed = model.EksAddon(name="coredns", status="ACTIVE", version="v1.13.2-eksbuild.3")
    described = model.Eks(cluster=model.EksCluster(name="prod-eu-1", region=REGION), addons=(listed,))
    found = found_in(nodes=(node(),), pods=pods_of(work, *"aaaaa"), workloads=(work,), eks=described)
    (one,) = of(found, "spare-replicas")
    assert lines(one)[-1].endswith("--set replicaCount=2")
    assert lines(one, undo=True)[-1].endswith("--set replicaCount=5")


def test_what_is_requested_too_much_is_that_of_rightsize() -> None:
    assessment = cluster(dns(), eks=True)
    sized = resized(assessment)
    found = find_opportunities(assessment, knowledge.load(), price_table.load, (sized,))
    (one,) = of(found, "right-size")
    assert one.saving.usd_micros == -sized.usd_micros
    assert one.do == sized.do
    assert not not_judged(found, "right-size")


# ── EKS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_minor_ends_extended_support() -> None:
    calendar = knowledge.load().kubernetes
    release = next(each for each in calendar.releases if str(each.version) == "1.33")
    late = release.end_standard + timedelta(days=1)
    (one,) = of(found_in(late, "1.33"), "extended-support")
    assert one.saving.usd_micros == 365_000_000
    assert any("update-cluster-version --name prod-eu-1 --kubernetes-version 1.34" in line for line in lines(one))
    assert not of(found_in(release.end_standard - timedelta(days=1), "1.33"), "extended-support")
    upgraded = model.EksCluster(name="prod-eu-1", region=REGION, version="1.33", support_type="STANDARD")
    assert not of(found_in(late, "1.33", eks=model.Eks(cluster=upgraded)), "extended-support")


M5 = model.InstanceType(
    name="m5.large", vcpus=2, memory_bytes=8 * GIB, network_interfaces=3, addresses_per_interface=10
)


@pytest.mark.parametrize(("pods", "attached"), [(0, 9), (1, 18), (9, 18), (10, 27), (27, 27)])
def test_the_cni_holds_whole_interfaces(pods: int, attached: int) -> None:
    assert _attached(M5, pods, 1) == attached  # docs/eni-and-ip-target.md of amazon-vpc-cni-k8s


def cni(left: int, **env: str) -> Opportunities:
    image = "602401143452.dkr.ecr.us-east-1.amazonaws.com/amazon-k8s-cni:v1.20.1"
    container = model.Container(name="aws-node", image=image, env={"WARM_ENI_TARGET": "1"} | env)
    template = model.PodTemplate(containers=(container,), host_network=True)
    work = workload("DaemonSet", "aws-node", image, template=template, desired=2)
    app = workload("Deployment", "api", "example/api:1", "payments", desired=2)
    described = model.Eks(
        cluster=model.EksCluster(name="prod-eu-1", region=REGION),
        subnets=(model.Subnet(id="subnet-1", free_addresses=left),),
        instance_types=(M5,),
    )
    pods = (*pods_of(work, "a", "b"), *pods_of(app, "a", "b"))
    return found_in(nodes=(node("a"), node("b")), pods=pods, workloads=(work, app), eks=described)


def test_addresses_are_worth_freeing_where_a_subnet_runs_out() -> None:
    (one,) = of(cni(left=30), "warm-addresses")
    assert one.saving.frees is Frees.ADDRESSES
    assert one.saving.usd_micros == 0
    assert one.what == "30 addresses held free on 2 nodes"  # 18 - 3 each
    assert lines(one)[0] == "kubectl set env -n kube-system daemonset/aws-node WARM_IP_TARGET=2 MINIMUM_IP_TARGET=3"
    assert not of(cni(left=4000), "warm-addresses")
    assert not of(cni(left=30, WARM_IP_TARGET="4"), "warm-addresses")
    assert not of(cni(left=30, ENABLE_PREFIX_DELEGATION="true"), "warm-addresses")


def test_what_only_a_bill_tells_is_not_judged_but_says_where_to_look() -> None:
    agent = workload("DaemonSet", "cloudwatch-agent", "cloudwatch-agent/cloudwatch-agent:1.300", "amazon-cloudwatch")
    (one,) = not_judged(found_in(workloads=(agent,)), "cloudwatch-volume")
    (_, look) = action_lines(one.look)
    assert "--log-group-name-prefix /aws/containerinsights/prod-eu-1/" in str(look)


# ── The table and its facts ─────────────────────────────────────────────────────────────────────────────────────


def test_every_kind_says_how_it_is_reckoned_and_what_to_watch() -> None:
    assert all(kind.title and kind.cost_model and kind.guard for kind in KINDS.values())


def test_idle_add_ons_are_told_by_custom_resources_that_are_read() -> None:
    known = knowledge.load()
    groups = {group for entry in known.addons.values() for group in entry.fingerprints.crd_groups}
    groups |= {each.group for each in RESOURCES}
    named = [name for entry in known.addons.values() if entry.idle_without for name in entry.idle_without.crds]
    assert named
    assert [name for name in named if name.partition(".")[2] not in groups] == []


def test_conflicts_that_are_paid_twice_name_an_add_on() -> None:
    entries = knowledge.load().addons
    twice = [conflict for entry in entries.values() for conflict in entry.conflicts if conflict.paid_twice]
    assert twice
    assert all(conflict.addon in entries for conflict in twice)
