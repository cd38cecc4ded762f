"""Claim: a simulated cluster lives through hundreds of updates a second, so that seeds are cheap.

An update is a rollout of a Deployment of three pods under a Service and a PodDisruptionBudget, from the server-side
apply to the last old pod gone from the endpoints, with all its controllers. Figures are of one core and the least of
some runs; `turn` is what this machine takes for one turn of a trivial loop, to compare machines by. Python's garbage
collector is on, and what was there before is frozen.
"""

import gc
from collections.abc import Callable, Mapping
from typing import Any

from addonctl.model import live
from addonctl.sim.controllers import Controllers
from addonctl.sim.eks import Pace, SimEks, SimEksAddons
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.store import Store
from addonctl.sim.world import World
from bench.measure import least_cpu_s, table

UPDATES, APPLIES, TURNS = 50, 500, 100_000
_KEY = ("apps", "Deployment")


def manifests(version: str) -> list[Mapping[str, Any]]:
    metadata = {"name": "dns", "namespace": "kube-system"}
    labels = {"app": "dns"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "dns", "image": f"dns:{version}"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": pod, "revisionHistoryLimit": 2}
    budget = {"minAvailable": 2, "selector": {"matchLabels": labels}}
    service = {"selector": labels, "ports": [{"port": 53}]}
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
    ]


class Cluster:
    def __init__(self) -> None:
        self.world = World(1)
        self.store = Store(self.world)
        controllers = Controllers(self.store)
        for number in range(3):
            controllers.nodes.add(f"node-{number}")
        self.objects = SimObjects(self.store)
        self.number = 0

    def settle(self) -> None:
        def done() -> bool:
            found = self.store.get(_KEY, "kube-system", "dns")
            return found is not None and is_rolled_out(found)

        assert self.world.until(done, 600)
        self.world.advance(5)

    def update(self) -> None:
        self.number += 1
        for document in manifests(str(self.number)):
            self.objects.apply(document)
        self.settle()

    def apply(self) -> None:
        self.number += 1
        data = {"a": str(self.number)}
        metadata = {"name": "one", "namespace": "default"}
        self.objects.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


class Addons(Cluster):
    """The same by EKS's add-on API."""

    def __init__(self) -> None:
        super().__init__()
        versions = {("dns", str(number)): (lambda _, number=number: manifests(str(number))) for number in range(1000)}
        eks = SimEks(self.store, versions, Pace(apply_s=1, poll_s=1, late_s=0))
        self.addons = SimEksAddons(eks)
        self.addons.create("dns", namespace="", **self.sent())
        self.world.advance(30)

    def sent(self) -> dict[str, Any]:
        return {
            "version": str(self.number),
            "role_arn": "",
            "identities": (),
            "configuration": "",
            "resolve_conflicts": live.ResolveConflicts.OVERWRITE,
            "token": f"t-{self.number}",
        }

    def update(self) -> None:
        self.number += 1
        update = self.addons.update("dns", **self.sent())
        done = self.world.until(lambda: self.addons.update_status("dns", update.id).status == "Successful", 600)
        assert done


def repeatedly(what: Callable[[], None], times: int) -> Callable[[], None]:
    def work() -> None:
        for _ in range(times):
            what()

    return work


def measured(name: str, cluster: Cluster) -> tuple[str, ...]:
    cluster.update()
    began, version, runs = cluster.world.seconds, cluster.store.version, 5
    took = least_cpu_s(repeatedly(cluster.update, UPDATES), runs) / UPDATES
    writes = (cluster.store.version - version) / (UPDATES * runs)
    seconds = (cluster.world.seconds - began) / (UPDATES * runs)
    return name, f"{took * 1e3:.2f}", f"{1 / took:.0f}", f"{writes:.0f}", f"{seconds / took:.0f}"


def main() -> None:
    gc.collect()
    gc.freeze()
    bare = Cluster()
    apply = least_cpu_s(repeatedly(bare.apply, APPLIES)) / APPLIES
    rows = [
        ("", "ms of CPU", "a second", "writes", "simulated s a CPU second"),
        measured("Deployment of 3", Cluster()),
        measured("EKS add-on of 3", Addons()),
        ("server-side apply", f"{apply * 1e3:.2f}", f"{1 / apply:.0f}", "1", ""),
    ]
    turn = least_cpu_s(lambda: [{1: number}.get(1) for number in range(TURNS)]) / TURNS
    table(f"Updates in a simulated cluster (turn {turn * 1e9:.0f} ns)", rows)


if __name__ == "__main__":
    main()
