"""Faults of the infrastructure: each begins, strikes and ends; the same seed draws the same; worlds come to rest."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from addonctl.errors import AddonctlError, TimedOut, TooManyRequests
from addonctl.model import ObjectRef, live
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Controllers, as_in
from addonctl.sim.eks import SimEks, SimEksAddons
from addonctl.sim.faults import FAULTS, Drawn, Rule, Scene, Storm, draw, schedule
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.store import POD, Store, is_ready
from addonctl.sim.traffic import Traffic
from addonctl.sim.world import World

DEPLOYMENT = ObjectRef.of("Deployment", "dns", "kube-system")


def manifests(version: str) -> list[Mapping[str, Any]]:
    metadata = {"name": "dns", "namespace": "kube-system"}
    labels = {"app": "dns"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "dns", "image": f"dns:{version}"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": pod}
    budget = {"minAvailable": 2, "selector": {"matchLabels": labels}}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget},
    ]


class Cluster:
    """An EKS cluster of four nodes in two zones with the add-on dns; one client in the storm, one in calm weather."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.store = Store(self.world)
        self.controllers = Controllers(self.store, as_in({}))
        for number in range(4):
            zone = {"topology.kubernetes.io/zone": "ab"[number % 2]}
            self.controllers.nodes.add(f"node-{number}", zone)
        versions = {("dns", version): (lambda _, version=version: manifests(version)) for version in "12"}
        self.eks = SimEks(self.store, versions)
        self.clock = SimClock(self.world)
        self.storm = Storm(self.world)
        traffic = Traffic(self.controllers, as_in({}), {"app": "dns"}, service=None)
        self.scene = Scene(self.store, self.storm, self.controllers, self.eks, (self.clock,), traffic)
        self.objects = SimObjects(self.store, weather=self.storm)
        self.addons = SimEksAddons(self.eks, self.storm)
        self.calm = SimObjects(self.store)
        SimEksAddons(self.eks).create("dns", namespace="", **self.sent("1"))
        assert self.settled(120)

    def sent(self, version: str) -> dict[str, Any]:
        return {
            "version": version,
            "role_arn": "",
            "identities": (),
            "configuration": "",
            "resolve_conflicts": live.ResolveConflicts.OVERWRITE,
            "token": f"to-{version}",
        }

    def settled(self, within_s: float) -> bool:
        def so() -> bool:
            found = self.store.get(("apps", "Deployment"), "kube-system", "dns")
            return found is not None and is_rolled_out(found)

        return self.world.until(so, within_s)

    def call(self) -> None:
        """A client that does a bit of everything, whatever comes of it."""
        calls = (
            lambda: self.objects.get(DEPLOYMENT),
            lambda: self.objects.patch(DEPLOYMENT, {"metadata": {"labels": {"a": str(self.world.micros)}}}),
            lambda: self.addons.describe("dns"),
            lambda: self.addons.update("dns", **self.sent("2")),
            lambda: list(self.objects.watch(live.Kind("", "Pod"))),
        )
        for call in calls:
            try:
                call()
            except AddonctlError:
                continue


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_begins_and_ends(name: str) -> None:
    """While it is at work the world may suffer; afterwards everything is as it would have been."""
    cluster = Cluster(3)
    if missing := FAULTS[name].needs - cluster.scene.has:
        pytest.skip(f"this cluster has no {', '.join(sorted(missing))}; the drawn ones of the simulation have")
    pace = replace(cluster.eks.pace)
    end = schedule(cluster.scene, [Drawn(name, cluster.world.seconds + 1, 30.0, seed) for seed in (1, 2)])
    for _ in range(12):
        cluster.world.advance(3)
        cluster.call()
    cluster.world.advance(max(end - cluster.world.seconds, 0) + 1)
    struck = cluster.storm.met[name] or cluster.storm.met["node lost"]
    felt_elsewhere = {"watch lag", "late descriptions", "slow updates", "failed update", "slow starts"}
    assert struck or name in felt_elsewhere or name == "permission withdrawn"
    assert cluster.eks.pace == pace
    assert cluster.clock.now() == cluster.world.now
    assert cluster.storm.watch_lag_s() == 0
    before = cluster.storm.met.total()
    cluster.call()
    assert cluster.storm.met.total() == before, "nothing strikes any more"
    assert cluster.settled(1500)


def test_every_fault_says_what_it_is() -> None:
    assert all(one.what and one.lasts_s[0] <= one.lasts_s[1] for one in FAULTS.values())
    assert len(FAULTS) >= 18


def test_a_lost_answer_is_of_something_done() -> None:
    cluster = Cluster(1)
    schedule(cluster.scene, [Drawn("lost answers", 0, 1000.0, 4)])
    cluster.world.advance(1)
    lost = 0
    for number in range(40):
        try:
            cluster.objects.patch(DEPLOYMENT, {"metadata": {"labels": {"n": str(number)}}})
        except TimedOut:
            lost += 1
        assert cluster.calm.get(DEPLOYMENT).metadata["labels"]["n"] == str(number)
    assert 0 < lost < 40


def test_a_storm_is_of_one_client_only() -> None:
    cluster = Cluster(1)
    for number in range(4):
        schedule(cluster.scene, [Drawn("unavailable", 0, 1000.0, number)])
    cluster.world.advance(1)
    for _ in range(20):
        cluster.calm.get(DEPLOYMENT)


def test_what_a_world_does_not_have_is_not_drawn_and_refused() -> None:
    world = World(1)
    bare = Scene(Store(world), Storm(world))
    for _ in range(20):
        assert all(not FAULTS[one.fault].needs for one in draw(bare, 10, 60))
    with pytest.raises(AssertionError, match="node lost needs"):
        schedule(bare, [Drawn("node lost", 1, 1, 1)])


def test_the_same_seed_draws_the_same() -> None:
    drawn = [draw(Cluster(seed).scene, 12, 600) for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_leaving_a_fault_out_changes_no_other() -> None:
    """What shrinking needs: the throttling strikes the same calls, whether or not something else goes on."""

    def refused(*faults: Drawn) -> list[int]:
        cluster = Cluster(1)
        schedule(cluster.scene, faults)
        cluster.world.advance(1)
        result = []
        for number in range(60):
            try:
                cluster.objects.list(live.Kind("", "Node"))
            except TooManyRequests:
                result.append(number)
        return result

    seed = next(seed for seed in range(20) if refused(Drawn("throttled", 0, 900, seed)))
    alone = refused(Drawn("throttled", 0, 900, seed))
    assert alone == refused(Drawn("watch lag", 0, 900, 8), Drawn("throttled", 0, 900, seed))


def run(seed: int) -> tuple[str, int]:
    """An update in a storm; afterwards the world comes to rest with the new version everywhere."""
    cluster = Cluster(seed)
    drawn = draw(cluster.scene, 8, 300)
    quiet = schedule(cluster.scene, drawn)
    for _ in range(30):
        cluster.world.advance(10)
        cluster.call()
    cluster.world.advance(max(quiet - cluster.world.seconds, 0) + 1)
    cluster.world.until(lambda: cluster.eks.describe("dns").status in ("ACTIVE", "DEGRADED"), 2000)
    SimEksAddons(cluster.eks).update("dns", **(cluster.sent("2") | {"token": "last"}))
    cluster.world.advance(30)
    assert cluster.settled(2000), drawn
    pods = [pod for pod in cluster.store.rows(POD) if is_ready(pod) and not pod.is_ending]
    assert [pod.spec["containers"][0]["image"] for pod in pods] == ["dns:2"] * 3, drawn
    return cluster.world.trace, cluster.storm.met.total()


def test_worlds_come_to_rest_and_the_same_seed_is_the_same_storm() -> None:
    results = [run(seed) for seed in range(25)]
    assert results[:3] == [run(seed) for seed in range(3)]
    assert sum(met for _, met in results) > 100


def test_a_rule_strikes_at_its_rate() -> None:
    world = World(2)
    storm = Storm(world)
    end = storm.add(Rule("half", world.random, 0.5, lambda call: TooManyRequests("no")))
    objects = SimObjects(Store(world), weather=storm)
    for _ in range(400):
        try:
            objects.list(live.Kind("", "Node"))
        except TooManyRequests:
            continue
    assert 150 < storm.met["half"] < 250
    end()
    objects.list(live.Kind("", "Node"))
