"""What the simulated EKS does to a cluster, which its contract suite does not look at."""

from typing import Any

import pytest

from addonctl.errors import Conflict, TimedOut
from addonctl.model import EksUpdate, ObjectRef, live
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.eks import SimEks, SimEksAddons
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.weather import Call, Calm
from addonctl.sim.world import World

DEPLOYMENT = ObjectRef.of("Deployment", "dns", "kube-system")


def manifests(version: str) -> list[dict[str, Any]]:
    metadata = {"name": "dns", "namespace": "kube-system"}
    container = {"name": "dns", "image": f"registry.local/dns:{version}", "args": ["-conf", "/etc/Corefile"]}
    template = {"metadata": {"labels": {"app": "dns"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "dns"}}, "template": template}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": f"# of {version}"}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
    ]


class Cluster:
    """EKS with the add-on dns in versions 1 and 2; nothing but `ready` makes a Deployment ready."""

    def __init__(self, weather: Calm | None = None) -> None:
        self.world = World(3)
        self.store = Store(self.world)
        self.objects = SimObjects(self.store)
        versions = {("dns", version): (lambda _, version=version: manifests(version)) for version in ("1", "2")}
        self.eks = SimEks(self.store, versions)
        self.addons = SimEksAddons(self.eks, weather)
        self.tokens = 0

    def sent(self, version: str, resolve: str, role: str) -> dict[str, Any]:
        self.tokens += 1
        return {
            "version": version,
            "role_arn": role,
            "identities": (),
            "configuration": "",
            "resolve_conflicts": live.ResolveConflicts(resolve),
            "token": f"t-{self.tokens}",
        }

    def create(self, resolve: str = "OVERWRITE", role: str = "") -> None:
        self.addons.create("dns", namespace="", **self.sent("1", resolve, role))
        self.world.advance(15)
        self.ready(2)
        self.world.advance(15)

    def update(self, version: str, resolve: str = "OVERWRITE", role: str = "") -> EksUpdate:
        return self.addons.update("dns", **self.sent(version, resolve, role))

    def ready(self, pods: int) -> None:
        generation = self.objects.get(DEPLOYMENT).metadata["generation"]
        status = dict.fromkeys(("replicas", "updatedReplicas"), 2) | dict.fromkeys(
            ("availableReplicas", "readyReplicas"), pods
        )
        body = {"status": status | {"observedGeneration": generation}}
        self.objects.patch(DEPLOYMENT, body, subresource="status")

    def image(self) -> str:
        spec = self.objects.get(DEPLOYMENT).document["spec"]
        return str(spec["template"]["spec"]["containers"][0]["image"])

    def status(self, update: EksUpdate) -> EksUpdate:
        return self.addons.update_status("dns", update.id)


def test_an_update_takes_its_time_and_ends_when_the_workload_has_rolled_out() -> None:
    cluster = Cluster()
    cluster.create()
    assert cluster.addons.describe("dns").status == "ACTIVE"
    update = cluster.update("2")
    assert cluster.image().endswith(":1"), "accepted is not applied"
    cluster.world.advance(60)
    assert cluster.image().endswith(":2")
    assert cluster.status(update).status == "InProgress"
    cluster.ready(2)
    cluster.world.advance(10)
    assert cluster.status(update).status == "Successful"
    assert cluster.addons.describe("dns").status == "ACTIVE"


def test_an_update_that_never_gets_ready_fails_stays_and_heals_by_itself() -> None:
    cluster = Cluster()
    cluster.create()
    update = cluster.update("2")
    cluster.world.advance(1300)
    done = cluster.status(update)
    assert (done.status, done.errors[0].code) == ("Failed", "InsufficientNumberOfReplicas")
    found = cluster.addons.describe("dns")
    assert (found.status, found.version) == ("DEGRADED", "2")
    assert cluster.image().endswith(":2"), "nothing is put back"
    cluster.ready(2)
    assert cluster.addons.describe("dns").status == "ACTIVE"
    assert cluster.status(update).status == "Failed", "what has failed has failed"


def test_an_addon_that_serves_no_longer_is_degraded() -> None:
    cluster = Cluster()
    cluster.create()
    cluster.ready(0)
    assert cluster.addons.describe("dns").status == "DEGRADED"


@pytest.mark.parametrize(
    ("resolve", "status", "replicas", "image"),
    [("NONE", "Failed", 5, "1"), ("PRESERVE", "Successful", 5, "2"), ("OVERWRITE", "Successful", 2, "2")],
)
def test_fields_of_others(resolve: str, status: str, replicas: int, image: str) -> None:
    cluster = Cluster()
    cluster.create()
    cluster.objects.patch(DEPLOYMENT, {"spec": {"replicas": 5}})
    update = cluster.update("2", resolve)
    cluster.world.advance(12)
    for _ in range(2):
        cluster.objects.patch(
            DEPLOYMENT,
            {
                "status": dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
                | {"observedGeneration": 9}
            },
            subresource="status",
        )
        cluster.world.advance(12)
    done = cluster.status(update)
    assert done.status == status
    assert cluster.objects.get(DEPLOYMENT).document["spec"]["replicas"] == replicas
    assert cluster.image().endswith(f":{image}")
    if resolve == "NONE":
        assert done.errors[0].code == "ConfigurationConflict"
        assert ".spec.replicas" in done.errors[0].message
        config = cluster.objects.get(ObjectRef.of("ConfigMap", "dns", "kube-system"))
        assert config.document["data"] == {"Corefile": "# of 1"}, "no object is changed where one is in conflict"


def test_a_role_left_out_is_dropped_from_the_service_account() -> None:
    cluster = Cluster()
    cluster.create(role="arn:aws:iam::123456789012:role/dns")
    account = ObjectRef.of("ServiceAccount", "dns", "kube-system")
    assert "eks.amazonaws.com/role-arn" in cluster.objects.get(account).metadata["annotations"]
    cluster.update("2")
    cluster.world.advance(20)
    assert "annotations" not in cluster.objects.get(account).metadata


def test_nothing_is_pruned_and_a_deletion_may_preserve() -> None:
    for preserve in (True, False):
        cluster = Cluster()
        cluster.create()
        cluster.addons.delete("dns", preserve=preserve)
        assert cluster.addons.describe("dns").status == "DELETING"
        cluster.world.advance(20)
        names = [found.ref.name for found in cluster.objects.list(live.Kind("apps", "Deployment"))]
        assert names == (["dns"] if preserve else [])


class LosesAnswers(Calm):
    """So many answers to UpdateAddon are lost after it was done."""

    def __init__(self, times: int) -> None:
        self.left = times

    def after(self, call: Call) -> None:
        if call.verb == "UpdateAddon" and self.left:
            self.left -= 1
            raise TimedOut("no answer")


def test_a_lost_answer_is_asked_for_again_with_the_same_token() -> None:
    cluster = Cluster(LosesAnswers(2))
    cluster.create()
    before = cluster.world.seconds
    update = cluster.update("2")
    assert cluster.status(update).status == "InProgress"
    assert cluster.world.seconds > before, "waiting takes the world's time"


def test_answers_that_stay_lost_leave_the_change_done() -> None:
    cluster = Cluster(LosesAnswers(99))
    cluster.create()
    with pytest.raises(TimedOut):
        cluster.update("2")
    assert cluster.addons.describe("dns").version == "2"


# ── With controllers ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bad_version_under_controllers_is_put_back_by_an_update_and_by_nothing_else() -> None:
    """The whole story that is to be survived: 20 minutes UPDATING, DEGRADED, the old version only by asking for it."""
    cluster = Cluster()
    unready = {"registry.local/dns:2": Behaviour(gets_ready=False)}
    Controllers(cluster.store, as_in(unready)).nodes.add("node-0")
    cluster.addons.create("dns", namespace="", **cluster.sent("1", "OVERWRITE", ""))
    cluster.world.advance(60)
    assert cluster.addons.describe("dns").status == "ACTIVE"
    update = cluster.update("2")
    cluster.world.advance(600)
    assert cluster.status(update).status == "InProgress"
    with pytest.raises(Conflict, match="UPDATING"):
        cluster.update("1")
    cluster.world.advance(700)
    assert cluster.status(update).status == "Failed"
    cluster.world.advance(3600)
    assert cluster.addons.describe("dns").status == "DEGRADED"
    back = cluster.update("1")
    cluster.world.advance(60)
    assert cluster.status(back).status == "Successful"
    found = cluster.objects.get(DEPLOYMENT).document["status"]
    assert (found["readyReplicas"], found["updatedReplicas"]) == (2, 2)
    assert cluster.image().endswith(":1")
