"""Argo CD and Flux of the world fight what others change, unless they are told to leave their hands off."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from addonctl.adapters.gitops import GitOpsObjects
from addonctl.errors import NotFound
from addonctl.model import ObjectRef, live
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.gitops import ArgoCd, HelmController, Kustomizer, crds
from addonctl.sim.helm import Chart, SimHelm
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.world import World

DEPLOYMENT = ObjectRef.of("Deployment", "dns", "default")


def manifests(version: str, extra: bool = False) -> list[dict[str, Any]]:
    template = {
        "metadata": {"labels": {"app": "dns"}},
        "spec": {"containers": [{"name": "dns", "image": f"dns:{version}"}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "dns"}}, "template": template}
    found = [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "dns"}, "spec": spec}]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"a": "1"}}
    return found + ([config] if extra else [])


class Cluster:
    """Git holds manifests by revision; version 3 never gets ready."""

    def __init__(self) -> None:
        self.world = World(9)
        self.store = Store(self.world)
        self.objects = SimObjects(self.store)
        controllers = Controllers(self.store, as_in({"dns:3": Behaviour(gets_ready=False)}))
        controllers.nodes.add("node-0")
        for document in crds():
            self.store.apply(document, "somebody")
        self.git = {"1": manifests("1", extra=True), "2": manifests("2"), "3": manifests("3")}
        self.head = "1"
        charts = {("dns", version): Chart(name="dns", version=version, render=self.chart(version)) for version in "123"}
        self.argo = ArgoCd(self.store, self.at_revision)
        self.kustomizer = Kustomizer(self.store, lambda spec: self.git[self.head])
        self.helm_controller = HelmController(self.store, SimHelm(self.store, charts))
        self.gitops = GitOpsObjects(self.objects, self.objects)

    def at_revision(self, source: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        if (revision := source.get("targetRevision", self.head)) not in self.git:
            raise NotFound(f"there is no revision {revision}")
        return self.git[revision]

    def chart(self, version: str) -> Any:
        return lambda release, namespace, values: self.git[version]

    def make(self, version: str, kind: str, spec: dict[str, Any], **metadata: Any) -> None:
        named = {"name": "dns", "namespace": "default", **metadata}
        self.objects.apply({"apiVersion": version, "kind": kind, "metadata": named, "spec": spec}, manager="somebody")
        self.world.advance(30)

    def application(self, **automated: bool) -> ArgoApplication:
        spec: dict[str, Any] = {"source": {"repoURL": "x", "targetRevision": "1"}, "destination": {}}
        spec |= {"syncPolicy": {"automated": automated}}
        self.make("argoproj.io/v1alpha1", "Application", spec)
        return ArgoApplication("default", "dns")

    def helm_release(self, **upgrade: Any) -> FluxHelmRelease:
        spec = {"interval": "10m", "timeout": "1m", "chart": {"spec": {"chart": "dns", "version": "1"}}}
        self.make("helm.toolkit.fluxcd.io/v2", "HelmRelease", spec | ({"upgrade": upgrade} if upgrade else {}))
        return FluxHelmRelease("default", "dns")

    def said(self, kind: str, group: str) -> Mapping[str, Any]:
        found = self.objects.get(ObjectRef(kind=kind, name="dns", namespace="default", group=group))
        return dict(found.document["status"])

    def argo_says(self) -> tuple[str, str]:
        status = self.said("Application", "argoproj.io")
        return status["sync"]["status"], status["health"]["status"]

    def image(self) -> str:
        spec = self.objects.get(DEPLOYMENT).document["spec"]
        return str(spec["template"]["spec"]["containers"][0]["image"])

    def by_hand(self, image: str) -> None:
        containers = {"spec": {"containers": [{"name": "dns", "image": image}]}}
        self.objects.patch(DEPLOYMENT, {"spec": {"template": containers}})


@pytest.mark.parametrize(("heals", "image"), [(True, "dns:1"), (False, "dns:9")])
def test_argo_puts_back_what_was_changed_by_hand_where_it_heals(heals: bool, image: str) -> None:
    cluster = Cluster()
    cluster.application(selfHeal=heals)
    assert cluster.image() == "dns:1"
    assert cluster.argo_says() == ("Synced", "Healthy")
    cluster.world.advance(60)
    cluster.by_hand("dns:9")
    cluster.world.advance(2)
    assert cluster.image() == image
    cluster.world.advance(300)
    assert cluster.image() == image
    assert cluster.argo_says()[0] == ("Synced" if heals else "OutOfSync")


def test_argo_leaves_its_hands_off_while_it_is_suspended() -> None:
    cluster = Cluster()
    owner = cluster.application(selfHeal=True, prune=True)
    suspension = cluster.gitops.suspend(owner)
    cluster.by_hand("dns:9")
    cluster.world.advance(600)
    assert cluster.image() == "dns:9"
    cluster.gitops.resume(suspension)
    cluster.world.advance(10)
    assert cluster.image() == "dns:1"


def test_argo_follows_a_revision_and_prunes_what_is_no_longer_in_it() -> None:
    cluster = Cluster()
    owner = cluster.application(prune=True)
    extra = ObjectRef.of("ConfigMap", "extra", "default")
    assert cluster.objects.get(extra)
    assert cluster.gitops.set_revision(owner, "2") == "1"
    cluster.world.advance(30)
    assert cluster.image() == "dns:2"
    with pytest.raises(NotFound):
        cluster.objects.get(extra)
    cluster.gitops.set_revision(owner, "3")
    cluster.world.advance(60)
    assert cluster.argo_says() == ("Synced", "Progressing")


def test_a_revision_that_is_not_there_is_told() -> None:
    cluster = Cluster()
    cluster.gitops.set_revision(cluster.application(), "9")
    cluster.world.advance(10)
    status = cluster.said("Application", "argoproj.io")
    assert status["sync"]["status"] == "Unknown"
    assert "no revision 9" in status["conditions"][0]["message"]
    assert cluster.image() == "dns:1"


@pytest.mark.parametrize("cascade", [True, False])
def test_an_application_ends_with_what_it_keeps_only_by_its_finalizer(cascade: bool) -> None:
    cluster = Cluster()
    cluster.application()
    application = ObjectRef(kind="Application", name="dns", namespace="default", group="argoproj.io")
    if cascade:
        finalizers = {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}
        cluster.objects.patch(application, {"metadata": finalizers})
    cluster.objects.delete(application)
    cluster.world.advance(30)
    names = [one.ref.name for one in cluster.objects.list(live.Kind("apps", "Deployment"))]
    assert names == ([] if cascade else ["dns"])


def test_flux_puts_back_what_a_kustomization_says_at_its_interval() -> None:
    cluster = Cluster()
    spec = {"interval": "5m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "fleet"}}
    cluster.make("kustomize.toolkit.fluxcd.io/v1", "Kustomization", spec)
    cluster.by_hand("dns:9")
    cluster.world.advance(60)
    assert cluster.image() == "dns:9"
    cluster.world.advance(300)
    assert cluster.image() == "dns:1"
    suspension = cluster.gitops.suspend(FluxKustomization("default", "dns"))
    cluster.by_hand("dns:9")
    cluster.world.advance(900)
    assert cluster.image() == "dns:9"
    cluster.head = "2"
    cluster.gitops.resume(suspension)
    cluster.world.advance(10)
    assert cluster.image() == "dns:2"
    assert [one.ref.name for one in cluster.objects.list(live.Kind("", "ConfigMap"), "default")] == []


def ready(cluster: Cluster) -> tuple[str, str]:
    (said,) = cluster.said("HelmRelease", "helm.toolkit.fluxcd.io")["conditions"]
    return said["status"], said["reason"]


def test_flux_upgrades_a_release_without_holding_up_the_world() -> None:
    cluster = Cluster()
    owner = cluster.helm_release()
    assert (cluster.image(), ready(cluster)) == ("dns:1", ("True", "UpgradeSucceeded"))
    cluster.gitops.set_revision(owner, "2")
    before = cluster.world.seconds
    cluster.world.advance(2)
    assert cluster.world.seconds - before == 2
    assert ready(cluster) == ("False", "Progressing")
    cluster.world.advance(30)
    assert (cluster.image(), ready(cluster)) == ("dns:2", ("True", "UpgradeSucceeded"))


@pytest.mark.parametrize(
    ("remediation", "image"), [({}, "dns:3"), ({"remediation": {"retries": 1, "strategy": "rollback"}}, "dns:1")]
)
def test_flux_leaves_a_failed_upgrade_or_remedies_it_as_it_is_told(remediation: dict[str, Any], image: str) -> None:
    cluster = Cluster()
    cluster.gitops.set_revision(cluster.helm_release(**remediation), "3")
    cluster.world.advance(400)
    assert cluster.image() == image
    assert ready(cluster) == ("False", "UpgradeFailed")
