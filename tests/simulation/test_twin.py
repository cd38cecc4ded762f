"""The twin of a cluster: what is carried over, what is not and why, and that it comes to rest as the cluster had."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl.adapters.clock import SystemClock
from addonctl.adapters.sources.saved import Demo
from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.manager import Manager
from addonctl.model import Condition, Container, Snapshot, Taint, Workload, live, owners
from addonctl.model.rehearsal import Blueprint
from addonctl.sim.blueprint import blueprint, image_at
from addonctl.sim.documents_of import document_of
from addonctl.sim.eks import SimEksAddons
from addonctl.sim.twin import Twin
from addonctl.versions import Version


class Kept:
    """A source of a snapshot that is at hand."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @property
    def names(self) -> tuple[str, ...]:
        return (self._snapshot.cluster.name,)

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def named(self, cluster: str) -> "Kept":
        return self


DEMO = Demo().snapshot()


def manager(**changes: Any) -> Manager:
    return Manager(Kept(replace(DEMO, **changes)), wiring.catalog(), SystemClock())


def assessed(**changes: Any) -> Assessment:
    return manager(**changes).assess()


def drawn(**changes: Any) -> Blueprint:
    return blueprint(assessed(**changes))


def test_a_whole_cluster_comes_to_rest_as_it_was() -> None:
    made = Twin(drawn(), 1)
    assert (made.failed, made.unsettled) == ([], ())
    assert len(made.rows("Pod")) == len(DEMO.pods)
    assert all(pod.is_ready for pod in made.rows("Pod"))
    on = {pod.spec["nodeName"] for pod in made.rows("Pod")}
    assert on == {node.name for node in DEMO.nodes}


def test_who_keeps_what_is_at_work_in_it() -> None:
    made = Twin(drawn(), 1)
    assert DEMO.eks is not None
    assert made.eks.names() == tuple(sorted(each.name for each in DEMO.eks.addons))
    assert {made.eks.describe(name).status for name in made.eks.names()} == {"ACTIVE"}
    kept = {each.owner.type for each in made.drawn.kept}
    assert {"eks-addon", "helm-release", "argo-application", "flux-helm-release", "manifest"} <= kept
    (app,) = made.store.rows(("argoproj.io", "Application"))
    assert app.status["sync"]["status"] == "Synced"
    (release,) = made.store.rows(("helm.toolkit.fluxcd.io", "HelmRelease"))
    assert release.status["conditions"][0]["status"] == "True"


def test_the_same_seed_is_the_same_twin() -> None:
    once, again, other = (Twin(drawn(), seed).world.trace for seed in (3, 3, 4))
    assert once == again != other


def test_an_update_by_eks_brings_the_new_images() -> None:
    plan = manager().plan_update("coredns", "v1.13.2-eksbuild.21")
    made = Twin(blueprint(assessed(), plan), 1)
    found = made.eks.describe("coredns")
    SimEksAddons(made.eks).update(
        "coredns",
        version="v1.13.2-eksbuild.21",
        role_arn=found.role_arn,
        identities=(),
        configuration="",
        resolve_conflicts=live.ResolveConflicts.PRESERVE,
        token="an-update",
    )
    made.world.advance(300)
    images = {pod.spec["containers"][0]["image"].rpartition(":")[2] for pod in made.rows("Pod")}
    assert images == {"v1.13.2-eksbuild.21"}


def test_of_a_plan_only_its_own_is_in_it_and_the_others_take_their_places() -> None:
    plan = manager().plan_update("coredns", "v1.13.2-eksbuild.21")
    found = blueprint(assessed(), plan)
    assert [each.owner for each in found.kept] == [owners.EksAddon("coredns")]
    assert {each["kind"] for each in found.kept[0].versions[found.kept[0].present]} >= {"Deployment", "Service"}
    others = sum(not pod.name.startswith("coredns-") for pod in DEMO.pods)
    assert sum(node.max_pods or 110 for node in DEMO.nodes) - sum(node.pods for node in found.nodes) == others


def test_what_runs_nothing_is_counted_with_its_reason() -> None:
    job = Workload(kind="Job", name="nightly", namespace="default")
    found = {each.what: each for each in drawn(workloads=(*DEMO.workloads, job)).carried}
    assert found["workloads"].of - found["workloads"].carried == 1
    assert found["workloads"].missing == "Job: nothing runs them in a simulated world"
    assert found["flux-kustomization"].carried == 0


def test_a_node_that_is_lost_or_taken_is_so_in_the_twin() -> None:
    first, second, *rest = DEMO.nodes
    down = replace(first, conditions=(Condition(type="Ready", status="Unknown"),))
    taken = replace(second, taints=(Taint(key="gpu", value="true", effect="NoSchedule"),))
    made = Twin(drawn(nodes=(down, taken, *rest)), 1)
    assert not made.controllers.nodes.is_there(first.name)
    node = next(each for each in made.rows("Node") if each.metadata["name"] == second.name)
    assert node.spec["taints"] == [{"key": "gpu", "value": "true", "effect": "NoSchedule"}]


def test_what_was_never_ready_is_not_in_the_twin_either() -> None:
    def silent(one: Workload) -> Workload:
        return replace(one, ready=0) if one.name == "karpenter" else one

    found = drawn(workloads=tuple(map(silent, DEMO.workloads)))
    assert len(found.broken) == 1
    made = Twin(found, 1)
    assert made.unsettled == ()
    pods = [pod for pod in made.rows("Pod") if pod.metadata["name"].startswith("karpenter-")]
    assert pods
    assert not any(pod.is_ready for pod in pods)


def test_what_decides_where_daemons_are_and_was_not_read_is_where_they_are() -> None:
    def choosing(one: Workload) -> Workload:
        return replace(one, template=replace(one.template, has_affinity=True)) if one.name == "node-tuner" else one

    here = next(pod for pod in DEMO.pods if pod.name.startswith("node-tuner-"))
    pods = tuple(pod for pod in DEMO.pods if not pod.name.startswith("node-tuner-") or pod is here)
    made = Twin(drawn(workloads=tuple(map(choosing, DEMO.workloads)), pods=pods), 1)
    found = [pod for pod in made.rows("Pod") if pod.metadata["name"].startswith("node-tuner-")]
    assert [pod.spec["nodeName"] for pod in found] == [here.node]


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("eks/coredns:v1.11.4-eksbuild.2", "eks/coredns:v1.12.4-eksbuild.18"),
        ("quay.io/sidecar:2.1", "quay.io/sidecar:2.1-of-v1.12.4-eksbuild.18"),
        ("quay.io/sidecar", "quay.io/sidecar:untagged-of-v1.12.4-eksbuild.18"),
    ],
)
def test_a_newer_version_has_other_images(reference: str, image: str) -> None:
    was, to = Version.of("v1.11.4-eksbuild.2"), Version.of("v1.12.4-eksbuild.18")
    assert image_at(reference, was, to) == image


@pytest.mark.parametrize(
    ("workload", "spec"),
    [
        ({"kind": "Deployment", "strategy": "Recreate"}, {"strategy": {"type": "Recreate"}}),
        (
            {"kind": "Deployment", "max_surge": "25%", "max_unavailable": "0", "desired": 3},
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}},
        ),
        ({"kind": "DaemonSet", "strategy": "OnDelete"}, {"updateStrategy": {"type": "OnDelete"}}),
        (
            {"kind": "StatefulSet", "partition": 2},
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
        ),
    ],
)
def test_how_a_workload_is_rolled_out_is_carried_over(workload: dict[str, Any], spec: dict[str, Any]) -> None:
    one = Workload(name="dns", namespace="kube-system", selector={"app": "dns"}, **workload)
    found = document_of(one)
    assert found is not None
    assert {name: found["spec"][name] for name in spec} == spec
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "dns"}


def test_init_containers_are_none_of_the_twin() -> None:
    template = replace(
        DEMO.workloads[0].template, containers=(Container(name="init", image="a:1", init=True), Container(name="main"))
    )
    found = document_of(Workload(kind="DaemonSet", name="dns", template=template, selector={}))
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"] == [{"name": "main", "image": "not-read:0"}]
