"""The controllers of the world: they converge, keep their bounds all the way, and do the same for the same seed."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.errors import NotFound, TooManyRequests
from addonctl.model import ObjectRef, live
from addonctl.sim.controllers import Behave, Behaviour, Controllers, as_in
from addonctl.sim.controllers.replicas import REPLICA_SET
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.store import POD, Change, Store, Stored, is_ready
from addonctl.sim.world import World

NAMESPACE = "kube-system"
BROKEN = {
    "dns:absent": Behaviour(is_there=False),
    "dns:exits": Behaviour(crashes_after_s=1.0, ready_s=5.0),
    "dns:unready": Behaviour(gets_ready=False),
}


class Cluster:
    def __init__(self, seed: int = 1, nodes: int = 3, behave: Behave | None = None) -> None:
        self.world = World(seed)
        self.store = Store(self.world)
        self.controllers = Controllers(self.store, behave or as_in(BROKEN))
        self.objects = SimObjects(self.store)
        for number in range(nodes):
            self.controllers.nodes.add(f"node-{number}", {"zone": "ab"[number % 2]})

    def workload(self, kind: str, image: str = "dns:1", **spec: Any) -> ObjectRef:
        labels = {"app": "dns"}
        pod = {"containers": [{"name": "dns", "image": image}]} | spec.pop("pod", {})
        wanted = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
        self.apply("apps/v1", kind, wanted | spec)
        return ObjectRef.of(kind, "dns", NAMESPACE)

    def apply(self, version: str, kind: str, spec: dict[str, Any], name: str = "dns") -> None:
        metadata = {"name": name, "namespace": NAMESPACE}
        self.objects.apply({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}, force=True)

    def found(self, ref: ObjectRef) -> Stored:
        return self.store.found(ref)

    def rolled_out(self, ref: ObjectRef, within_s: float = 300) -> bool:
        return self.world.until(lambda: is_rolled_out(self.found(ref)), within_s)

    @property
    def pods(self) -> list[Stored]:
        return [pod for pod in self.store.rows(POD) if not pod.is_ending]

    @property
    def ready(self) -> list[Stored]:
        return [pod for pod in self.pods if is_ready(pod)]

    @property
    def wanted(self) -> int:
        return sum(one.spec["replicas"] for one in self.store.rows(REPLICA_SET))

    def images(self) -> list[str]:
        return sorted(pod.spec["containers"][0]["image"] for pod in self.pods)

    def always(self, holds: Callable[[], bool]) -> list[str]:
        """Where, in the whole of what follows, it did not hold."""
        broken: list[str] = []

        def look(change: Change) -> None:
            if not holds():
                broken.append(f"{self.world.seconds}: {change.stored.ref}")

        self.store.listen(POD, look)
        return broken


def reason(found: Stored, kind: str) -> str:
    return next(str(one["reason"]) for one in found.status["conditions"] if one["type"] == kind)


# ── Deployments ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deployment_runs_and_is_spread_over_the_nodes() -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=3)
    assert cluster.rolled_out(ref)
    assert sorted(pod.spec["nodeName"] for pod in cluster.ready) == ["node-0", "node-1", "node-2"]
    assert cluster.found(ref).status["availableReplicas"] == 3
    assert reason(cluster.found(ref), "Progressing") == "NewReplicaSetAvailable"


@given(
    seed=st.integers(0, 10_000),
    replicas=st.integers(1, 7),
    surge=st.sampled_from([0, 1, 2, "25%", "100%"]),
    unavailable=st.sampled_from([0, 1, 2, "25%", "50%"]),
)
def test_an_update_keeps_its_bounds_all_the_way(
    seed: int, replicas: int, surge: int | str, unavailable: int | str
) -> None:
    """Never more replicas wanted than surge allows, never fewer pods ready than maxUnavailable allows.

    Pods may be one too many for a moment, as on a cluster: each ReplicaSet goes at its own pace.
    """
    cluster = Cluster(seed)
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    ref = cluster.workload("Deployment", replicas=replicas, strategy=strategy)
    assert cluster.rolled_out(ref)
    most = replicas + (-(-replicas * int(surge[:-1]) // 100) if isinstance(surge, str) else surge)
    less = replicas * int(unavailable[:-1]) // 100 if isinstance(unavailable, str) else unavailable
    least = replicas - (1 if most == replicas and less == 0 else less)
    broken = cluster.always(lambda: cluster.wanted <= most and len(cluster.ready) >= least)
    cluster.workload("Deployment", "dns:2", replicas=replicas, strategy=strategy)
    assert cluster.rolled_out(ref)
    assert cluster.images() == ["dns:2"] * replicas
    assert broken == []


@pytest.mark.parametrize("image", BROKEN)
def test_a_bad_version_stops_half_way_and_the_old_one_comes_back(image: str) -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=4)
    assert cluster.rolled_out(ref)
    cluster.workload("Deployment", image, replicas=4)
    broken = cluster.always(lambda: len(cluster.ready) >= 3)
    assert not cluster.rolled_out(ref, 700)
    assert reason(cluster.found(ref), "Progressing") == "ProgressDeadlineExceeded"
    assert cluster.images().count("dns:1") == 3
    state = [pod.status["containerStatuses"][0] for pod in cluster.pods if not is_ready(pod)]
    assert len(state) == 2
    if image == "dns:exits":
        assert all(one["restartCount"] > 3 for one in state)
    if image == "dns:absent":
        assert all(one["state"]["waiting"]["reason"] == "ImagePullBackOff" for one in state)
    cluster.workload("Deployment", replicas=4)
    assert cluster.rolled_out(ref)
    assert cluster.images() == ["dns:1"] * 4
    assert broken == []


def test_revisions_are_counted_and_the_history_is_short() -> None:
    cluster = Cluster()
    for version in range(6):
        ref = cluster.workload("Deployment", f"dns:{version}", replicas=1, revisionHistoryLimit=2)
        assert cluster.rolled_out(ref)
    cluster.world.advance(60)
    sets = cluster.objects.list(live.Kind("apps", "ReplicaSet"))
    numbers = sorted(int(one.metadata["annotations"]["deployment.kubernetes.io/revision"]) for one in sets)
    assert numbers == [4, 5, 6]
    ref = cluster.workload("Deployment", "dns:4", replicas=1, revisionHistoryLimit=2)
    assert cluster.rolled_out(ref)
    annotations = cluster.found(ref).metadata["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "7", "a template that comes back is a new revision"


def test_a_paused_deployment_stays_and_is_scaled() -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=2)
    assert cluster.rolled_out(ref)
    cluster.workload("Deployment", "dns:2", replicas=4, paused=True)
    cluster.world.advance(60)
    assert cluster.images() == ["dns:1"] * 4
    cluster.workload("Deployment", "dns:2", replicas=4, paused=False)
    assert cluster.rolled_out(ref)
    assert cluster.images() == ["dns:2"] * 4


def test_recreate_never_runs_two_versions() -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=3, strategy={"type": "Recreate"})
    assert cluster.rolled_out(ref)
    broken = cluster.always(lambda: len({pod.spec["containers"][0]["image"] for pod in cluster.store.rows(POD)}) <= 1)
    cluster.workload("Deployment", "dns:2", replicas=3, strategy={"type": "Recreate"})
    assert cluster.rolled_out(ref)
    assert broken == []


def test_a_pod_has_to_be_ready_for_some_time() -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=1, minReadySeconds=30)
    assert cluster.world.until(lambda: len(cluster.ready) == 1, 10)
    ready = cluster.world.seconds
    assert cluster.rolled_out(ref)
    assert cluster.world.seconds - ready > 28


def test_a_pre_stop_hook_holds_the_pod() -> None:
    cluster = Cluster()
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": 20}}}}
    pod = {"containers": [{"name": "dns", "image": "dns:1", **hook}]}
    ref = cluster.workload("Deployment", replicas=1, pod=pod)
    assert cluster.rolled_out(ref)
    (name,) = [pod.ref for pod in cluster.pods]
    cluster.objects.delete(name)
    cluster.world.advance(19)
    assert cluster.objects.get(name).metadata["deletionTimestamp"]
    cluster.world.advance(3)
    with pytest.raises(NotFound):
        cluster.objects.get(name)


# ── DaemonSets and StatefulSets ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rolling", "least", "most"),
    [
        ({"maxUnavailable": 1}, 4, 5),
        ({"maxUnavailable": "50%"}, 2, 5),
        ({"maxSurge": 1, "maxUnavailable": 0}, 5, 6),
        ({"maxSurge": "40%", "maxUnavailable": 0}, 5, 7),
    ],
)
def test_a_daemon_set_is_updated_within_its_bounds(rolling: dict[str, Any], least: int, most: int) -> None:
    cluster = Cluster(nodes=5)
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    ref = cluster.workload("DaemonSet", updateStrategy=strategy)
    assert cluster.rolled_out(ref)
    assert len({pod.spec["nodeName"] for pod in cluster.ready}) == 5
    broken = cluster.always(lambda: len(cluster.ready) >= least and len(cluster.pods) <= most)
    cluster.workload("DaemonSet", "dns:2", updateStrategy=strategy)
    assert cluster.rolled_out(ref)
    cluster.world.advance(5)  # with surge, old pods end after the new count
    assert cluster.images() == ["dns:2"] * 5
    assert broken == []


def test_on_delete_waits_for_somebody_to_delete() -> None:
    cluster = Cluster()
    strategy = {"type": "OnDelete"}
    ref = cluster.workload("DaemonSet", updateStrategy=strategy)
    assert cluster.rolled_out(ref)
    cluster.workload("DaemonSet", "dns:2", updateStrategy=strategy)
    cluster.world.advance(120)
    assert cluster.images() == ["dns:1"] * 3
    cluster.objects.delete(cluster.pods[0].ref)
    cluster.world.advance(30)
    assert cluster.images() == ["dns:1", "dns:1", "dns:2"]
    assert cluster.found(ref).status["updatedNumberScheduled"] == 1


def test_a_version_may_be_bad_on_one_node_only() -> None:
    def behave(image: str, node: str) -> Behaviour:
        return Behaviour(gets_ready=(image, node) != ("dns:2", "node-1"))

    cluster = Cluster(behave=behave)
    ref = cluster.workload("DaemonSet")
    assert cluster.rolled_out(ref)
    cluster.workload("DaemonSet", "dns:2")
    assert not cluster.rolled_out(ref, 600)
    assert len(cluster.ready) == 2


@pytest.mark.parametrize(
    ("kind", "hashed"),
    [("DaemonSet", "controller-revision-hash"), ("StatefulSet", "controller.kubernetes.io/hash")],
)
def test_the_selector_of_a_workload_finds_its_revisions(kind: str, hashed: str) -> None:
    """Kubernetes labels a ControllerRevision as the pods of its template, and with its hash."""
    cluster = Cluster()
    cluster.rolled_out(cluster.workload(kind))
    (found,) = cluster.objects.list(live.Kind("apps", "ControllerRevision"), NAMESPACE, "app=dns")
    assert set(found.metadata["labels"]) == {"app", hashed}


def test_a_stateful_set_goes_from_the_last_to_the_first_down_to_its_partition() -> None:
    cluster = Cluster()
    ref = cluster.workload("StatefulSet", replicas=3)
    assert cluster.rolled_out(ref)
    broken = cluster.always(lambda: len(cluster.ready) >= 2)
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    cluster.workload("StatefulSet", "dns:2", replicas=3, updateStrategy=partition)
    cluster.world.advance(120)
    images = {pod.metadata["name"]: pod.spec["containers"][0]["image"] for pod in cluster.pods}
    assert images == {"dns-0": "dns:1", "dns-1": "dns:2", "dns-2": "dns:2"}
    cluster.workload("StatefulSet", "dns:2", replicas=3)
    assert cluster.rolled_out(ref)
    assert cluster.images() == ["dns:2"] * 3
    assert broken == []


def test_below_the_partition_a_pod_comes_back_as_it_was() -> None:
    cluster = Cluster()
    assert cluster.rolled_out(cluster.workload("StatefulSet", replicas=3))
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    cluster.workload("StatefulSet", "dns:2", replicas=3, updateStrategy=partition)
    cluster.world.advance(60)
    first = next(pod for pod in cluster.pods if pod.metadata["name"] == "dns-0")
    cluster.store.end(first)
    cluster.world.advance(60)
    images = {pod.metadata["name"]: pod.spec["containers"][0]["image"] for pod in cluster.pods}
    assert images == {"dns-0": "dns:1", "dns-1": "dns:1", "dns-2": "dns:2"}


# ── Budgets, endpoints, nodes, garbage ──────────────────────────────────────────────────────────────────────────


@given(seed=st.integers(0, 10_000), budget=st.sampled_from([("minAvailable", 2), ("maxUnavailable", "34%")]))
def test_evictions_never_break_a_budget(seed: int, budget: tuple[str, int | str]) -> None:
    """Somebody evicts whatever he meets, as fast as he can: two of three stay ready."""
    cluster = Cluster(seed)
    cluster.apply("policy/v1", "PodDisruptionBudget", dict([budget]) | {"selector": {"matchLabels": {"app": "dns"}}})
    assert cluster.rolled_out(cluster.workload("Deployment", replicas=3))
    cluster.world.advance(1)
    least = 2 if budget[0] == "minAvailable" else 1
    broken = cluster.always(lambda: len(cluster.ready) >= least)
    evicted = refused = 0
    for _ in range(60):
        for pod in cluster.pods:
            try:
                cluster.objects.evict(pod.ref)
                evicted += 1
            except TooManyRequests:
                refused += 1
        cluster.world.advance(cluster.world.random.random())
    assert evicted >= 3
    assert refused >= 3
    assert broken == []


def addresses(cluster: Cluster) -> dict[str, bool]:
    """Of the Service's endpoints, and whether they are ready."""
    (found,) = cluster.objects.list(live.Kind("discovery.k8s.io", "EndpointSlice"))
    return {one["addresses"][0]: one["conditions"]["ready"] for one in found.document["endpoints"]}


def test_endpoints_follow_the_pods_after_a_while() -> None:
    cluster = Cluster()
    cluster.apply("v1", "Service", {"selector": {"app": "dns"}, "ports": [{"name": "dns", "port": 53}]})
    assert cluster.rolled_out(cluster.workload("Deployment", replicas=2))
    cluster.world.advance(3)
    assert sorted(addresses(cluster).values()) == [True, True]
    victim = cluster.pods[0]
    cluster.objects.delete(victim.ref)
    assert addresses(cluster)[victim.status["podIP"]], "not yet"
    cluster.world.advance(10)
    assert victim.status["podIP"] not in addresses(cluster)
    assert sorted(addresses(cluster).values()) == [True, True]


def test_a_lost_node_is_noticed_and_its_pods_go_elsewhere() -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=3)
    daemon = ObjectRef.of("DaemonSet", "proxy", NAMESPACE)
    template = {"metadata": {"labels": {"app": "proxy"}}, "spec": {"containers": [{"name": "p", "image": "p:1"}]}}
    cluster.apply(
        "apps/v1", "DaemonSet", {"selector": {"matchLabels": {"app": "proxy"}}, "template": template}, "proxy"
    )
    assert cluster.rolled_out(ref)
    assert cluster.rolled_out(daemon)
    cluster.controllers.nodes.lose("node-1")
    cluster.world.advance(30)
    assert cluster.found(ref).status["readyReplicas"] == 3, "nobody knows yet"
    cluster.world.advance(20)
    assert cluster.found(ref).status["readyReplicas"] == 2
    cluster.world.advance(320)
    assert cluster.found(ref).status["readyReplicas"] == 3
    assert cluster.found(daemon).status["numberReady"] == 2
    cluster.controllers.nodes.bring_back("node-1")
    cluster.world.advance(60)
    assert cluster.found(daemon).status["numberReady"] == 3
    assert len([pod for pod in cluster.store.rows(POD) if pod.labels["app"] == "dns"]) == 3


def test_pods_wait_for_room_and_go_where_they_are_allowed() -> None:
    cluster = Cluster(nodes=0)
    cluster.controllers.nodes.add("small", pods=1)
    ref = cluster.workload("Deployment", replicas=2, pod={"nodeSelector": {"kubernetes.io/os": "linux"}})
    assert not cluster.rolled_out(ref, 60)
    waiting = next(pod for pod in cluster.pods if not pod.spec.get("nodeName"))
    assert reason(waiting, "PodScheduled") == "Unschedulable"
    cluster.controllers.nodes.add("more")
    assert cluster.rolled_out(ref)


@pytest.mark.parametrize("propagation", live.Propagation)
def test_what_a_deployment_owns_goes_with_it_unless_it_is_orphaned(propagation: live.Propagation) -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=2)
    assert cluster.rolled_out(ref)
    cluster.objects.delete(ref, propagation=propagation)
    cluster.world.advance(60)
    with pytest.raises(NotFound):
        cluster.objects.get(ref)
    left = cluster.store.rows(POD)
    assert len(left) == (2 if propagation is live.Propagation.ORPHAN else 0)


def test_a_namespace_ends_with_all_that_is_in_it() -> None:
    cluster = Cluster()
    ref = cluster.workload("Deployment", replicas=2)
    assert cluster.rolled_out(ref)
    cluster.objects.delete(ObjectRef.of("Namespace", NAMESPACE))
    cluster.world.advance(60)
    with pytest.raises(NotFound):
        cluster.objects.get(ObjectRef.of("Namespace", NAMESPACE))
    assert cluster.store.rows(POD) == []


# ── Determinism ─────────────────────────────────────────────────────────────────────────────────────────────────


def run(seed: int) -> tuple[str, list[Any]]:
    cluster = Cluster(seed, nodes=4)
    cluster.apply("v1", "Service", {"selector": {"app": "dns"}, "ports": [{"port": 53}]})
    for version in range(3):
        ref = cluster.workload("Deployment", f"dns:{version}", replicas=3)
        cluster.world.advance(5)
        cluster.controllers.nodes.lose(f"node-{version}")
    cluster.world.advance(600)
    assert is_rolled_out(cluster.found(ref))
    return cluster.world.trace, [one.document for one in cluster.objects.list(live.Kind("", "Pod"))]


def test_the_same_seed_is_the_same_run_to_the_bit() -> None:
    assert run(11) == run(11)
    assert run(12)[0] != run(11)[0]


_PRINTS = """
import hashlib, json
from tests.simulation.test_controllers import run
trace, pods = run(11)
print(trace, hashlib.sha256(json.dumps(pods, default=list).encode()).hexdigest())
"""


def test_a_run_does_not_depend_on_how_a_process_orders_its_sets() -> None:
    """Hashes of strings differ from process to process, and with them the order of sets."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", _PRINTS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
