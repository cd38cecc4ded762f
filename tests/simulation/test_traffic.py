"""Traffic in the simulated world: every request is accounted for, and as many are lost as a real cluster lost."""

from typing import Any

import pytest

from addonctl.model import ObjectRef
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.store import POD, Store
from addonctl.sim.traffic import Account, Traffic
from addonctl.sim.world import World

LABELS = {"app": "dns"}
SPACE = "kube-system"
NAMED = {"name": "dns", "namespace": SPACE}


class Cluster:
    """An add-on under traffic; `update` rolls out another image."""

    def __init__(self, seed: int, kind: str = "Deployment", usual: float = 0.0, drain_s: int = 0, **does: Any) -> None:
        self.world, self.kind, self.drain_s = World(seed), kind, drain_s
        self.store = Store(self.world)
        behave = as_in({"dns:bad": Behaviour(**does)}, Behaviour(stop_s=5.0))
        self.controllers = Controllers(self.store, behave)
        for number in range(3):
            self.controllers.nodes.add(f"node-{number}")
        self.objects, self.number = SimObjects(self.store), 0
        spec = {"selector": LABELS, "ports": [{"port": 53}]}
        self.objects.apply({"apiVersion": "v1", "kind": "Service", "metadata": NAMED, "spec": spec})
        self.update()
        service = (SPACE, "dns") if kind == "Deployment" else None
        self.traffic = Traffic(self.controllers, behave, LABELS, service=service, rps=100, usual=usual)

    def update(self, image: str = "") -> None:
        self.number += 1
        container: dict[str, Any] = {"name": "dns", "image": f"dns:{image or self.number}"}
        container |= {"lifecycle": {"preStop": {"sleep": {"seconds": self.drain_s}}}} if self.drain_s else {}
        grace = {"terminationGracePeriodSeconds": 60}
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container], **grace}}
        spec: dict[str, Any] = {"selector": {"matchLabels": LABELS}, "template": template}
        if self.kind == "Deployment":
            surge = {"maxSurge": 1, "maxUnavailable": 0 if self.drain_s else 1}
            spec |= {"replicas": 2, "strategy": {"type": "RollingUpdate", "rollingUpdate": surge}}
        self.objects.apply({"apiVersion": "apps/v1", "kind": self.kind, "metadata": NAMED, "spec": spec})
        self.world.until(self._rolled_out, 120)
        self.world.advance(20)

    def _rolled_out(self) -> bool:
        found = self.store.get(("apps", self.kind), SPACE, "dns")
        return found is not None and is_rolled_out(found)

    @property
    def account(self) -> Account:
        self.traffic.settle()
        return self.traffic.users


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_every_request_is_accounted_for(kind: str) -> None:
    cluster = Cluster(1, kind, usual=0.01)
    began = cluster.world.seconds
    cluster.update("bad")
    cluster.controllers.nodes.lose("node-1")
    cluster.world.advance(100)
    whole = cluster.account.whole
    assert abs(whole.requests - 100 * (cluster.world.seconds - began)) <= 1
    assert whole.lost == sum(lost.requests for lost in cluster.account.lost)
    assert 0 < whole.wrong < 0.03 * whole.requests


def _lost(drain_s: int) -> tuple[int, int]:
    cluster = Cluster(3, drain_s=drain_s)
    while cluster.account.whole.requests < 33_000 * 4:
        cluster.update()
    whole = cluster.account.whole
    return whole.lost, whole.requests


def test_a_rolling_update_loses_what_a_real_one_lost() -> None:
    """12 of 33,000 queries in 20 updates of a real CoreDNS; with a drain of 35 s, 1 of 33,000."""
    (stock, asked), (drained, _) = _lost(0), _lost(35)
    assert 12 / 33_000 / 4 < stock / asked < 12 / 33_000 * 4
    assert drained < stock / 4


def test_a_version_answers_wrongly_from_when_it_sets_in_and_only_where_it_does() -> None:
    cluster = Cluster(1, "DaemonSet", wrong=0.5, sets_in_s=60, nodes=frozenset({"node-0"}))
    cluster.update("bad")
    cluster.traffic.settle()
    assert cluster.account.whole.wrong == 0
    cluster.world.advance(60)
    wrong = {uid for uid, tally in cluster.account.by_pod.items() if tally.wrong}
    nodes = {pod.uid: pod.spec["nodeName"] for pod in cluster.store.rows(POD)}
    assert {nodes[uid] for uid in wrong} == {"node-0"}


def test_what_leaks_answers_late_before_it_ends() -> None:
    does = Behaviour(leaks=True, crashes_after_s=100.0)
    assert [does.answers(age_s)[1] for age_s in (0, 80, 90, 100)] == [0.0, 0.0, 0.5, 1.0]


def test_bursts_have_pauses() -> None:
    does = Behaviour(wrong=0.5, sets_in_s=10, every_s=100, burst_s=5)
    assert [does.answers(age_s)[0] for age_s in (9, 11, 16, 112, 116)] == [0.0, 0.5, 0.0, 0.5, 0.0]


def test_where_a_version_starts_its_node_is_cut_off_once() -> None:
    cluster = Cluster(1, "DaemonSet", loses_node_s=60)
    cluster.update("bad")
    cluster.world.advance(400)
    assert all(cluster.controllers.nodes.is_there(f"node-{number}") for number in range(3))
    assert {lost.why for lost in cluster.account.lost} == {"its node is lost"}
    ready = cluster.objects.get(ObjectRef.of("DaemonSet", "dns", SPACE)).document["status"]["numberReady"]
    assert ready == 3
