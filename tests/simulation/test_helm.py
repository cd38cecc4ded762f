"""What the simulated helm does to a cluster with controllers, which its contract suite does not look at."""

from collections.abc import Mapping
from typing import Any

import pytest

from addonctl.adapters.helm_binary import HelmSecrets
from addonctl.errors import Conflict, NotFound, NotServed, TimedOut
from addonctl.model import ObjectRef, live
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.helm import Chart, SimHelm
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.world import World

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "zones.dns.example.org"},
    "spec": {
        "group": "dns.example.org",
        "scope": "Namespaced",
        "names": {"plural": "zones", "kind": "Zone"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {}}],
    },
}


def chart(version: str, *extra: str, crds: tuple[Mapping[str, Any], ...] = ()) -> Chart:
    def render(release: str, namespace: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        template = {
            "metadata": {"labels": {"app": release}},
            "spec": {"containers": [{"name": "dns", "image": f"dns:{version}"}]},
        }
        spec = {
            "replicas": values.get("replicas", 2),
            "selector": {"matchLabels": {"app": release}},
            "template": template,
        }
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": release}, "spec": spec}
        config_maps = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name,
                    "annotations": {"helm.sh/resource-policy": "keep"} if name == "kept" else {},
                },
            }
            for name in extra
        ]
        return [deployment, *config_maps]

    return Chart(name="dns", version=version, app_version=version, render=render, crds=crds)


CHARTS = {("dns", one.version): one for one in (chart("1", "old", "kept", crds=(CRD,)), chart("2", "new"), chart("3"))}


class Cluster:
    def __init__(self) -> None:
        self.world = World(5)
        self.store = Store(self.world)
        controllers = Controllers(self.store, as_in({"dns:3": Behaviour(gets_ready=False)}))
        for number in range(2):
            controllers.nodes.add(f"node-{number}")
        self.objects = SimObjects(self.store)
        self.releases = HelmSecrets(self.objects)
        self.helm = SimHelm(self.store, CHARTS)
        self.helm.install("default", "dns", chart="dns", version="1", values={"replicas": 3})

    def upgrade(self, version: str, timeout_s: int = 120) -> live.Release:
        return self.helm.upgrade(
            "default", "dns", chart="dns", version=version, values={"replicas": 3}, timeout_s=timeout_s
        )

    def statuses(self) -> list[str]:
        return [one.status for one in self.releases.history("default", "dns")]

    def config_maps(self) -> list[str]:
        return [one.ref.name for one in self.objects.list(live.Kind("", "ConfigMap"), "default")]


def test_waiting_takes_the_worlds_time() -> None:
    cluster = Cluster()
    before = cluster.world.seconds
    assert cluster.upgrade("2").status == "deployed"
    assert 3 < cluster.world.seconds - before < 60
    ready = cluster.objects.get(ObjectRef.of("Deployment", "dns", "default")).document["status"]["availableReplicas"]
    assert ready == 3


def test_what_fails_stays_applied_and_the_rollback_is_by_hand() -> None:
    cluster = Cluster()
    before = cluster.world.seconds
    with pytest.raises(TimedOut):
        cluster.upgrade("3", timeout_s=60)
    assert cluster.world.seconds - before == 60
    assert cluster.statuses() == ["deployed", "failed"]
    cluster.helm.rollback("default", "dns", revision=1, timeout_s=120)
    assert cluster.statuses() == ["superseded", "failed", "deployed"]
    pods = cluster.objects.list(live.Kind("", "Pod"), "default")
    images = [pod.document["spec"]["containers"][0]["image"] for pod in pods if "deletionTimestamp" not in pod.metadata]
    assert images == ["dns:1"] * 3


def test_what_is_no_longer_rendered_goes_unless_it_is_to_be_kept() -> None:
    cluster = Cluster()
    assert cluster.config_maps() == ["kept", "old"]
    cluster.upgrade("2")
    assert cluster.config_maps() == ["kept", "new"]
    cluster.helm.uninstall("default", "dns", timeout_s=60)
    assert cluster.config_maps() == ["kept"]
    with pytest.raises(NotFound):
        cluster.releases.history("default", "dns")
    cluster.world.advance(5)
    assert cluster.objects.list(live.Kind("", "Pod"), "default").objects == ()


def test_crds_come_with_the_first_revision_and_are_not_touched_again() -> None:
    cluster = Cluster()
    cluster.objects.delete(live.Object(CRD).ref)
    cluster.upgrade("2")
    cluster.helm.rollback("default", "dns", revision=1, timeout_s=120)
    with pytest.raises(NotServed):
        cluster.objects.list(live.Kind("dns.example.org", "Zone"))


def test_a_strangers_object_is_not_taken_over() -> None:
    cluster = Cluster()
    named = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "default"}}
    cluster.objects.apply(named, manager="somebody")
    with pytest.raises(Conflict, match="cannot be imported"):
        cluster.upgrade("2")
    assert cluster.statuses() == ["deployed", "failed"]


def test_the_history_is_short() -> None:
    cluster = Cluster()
    for number in range(12):
        cluster.upgrade("21"[number % 2])
    history = cluster.releases.history("default", "dns")
    assert [one.revision for one in history] == list(range(4, 14))
    assert cluster.statuses() == ["superseded"] * 9 + ["deployed"]
