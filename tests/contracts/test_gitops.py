"""The contract of ports.GitOpsWriter, over a real API server and a simulated one, with own CRDs and published ones.

No controller runs: what they do with these fields is theirs.
"""

import gzip
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from addonctl import ports
from addonctl.adapters import yaml_loader
from addonctl.adapters.gitops import GitOpsObjects
from addonctl.errors import Conflict, Invalid, NotFound, NotServed
from addonctl.model import ObjectRef, live
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization
from tests.contracts.conftest import Api
from tests.contracts.test_objects import Side as Objects
from tests.contracts.test_objects import patiently
from tests.contracts.test_objects import side as objects_side

objects = objects_side
KINDS = {
    "Application": ("argoproj.io", "v1alpha1", "applications"),
    "HelmRelease": ("helm.toolkit.fluxcd.io", "v2", "helmreleases"),
    "Kustomization": ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
}
PUBLISHED = ("argo-cd/manifest-install-3.4.7.yaml.gz", "flux/2.17.2.yaml.gz")


def own_crds() -> Iterator[dict[str, Any]]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    for kind, (group, version, plural) in KINDS.items():
        names = {"plural": plural, "singular": kind.lower(), "kind": kind}
        versions = [{"name": version, "served": True, "storage": True, "schema": schema}]
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
        }


def published_crds(folder: Path) -> Iterator[dict[str, Any]]:
    names = {f"{plural}.{group}" for group, _, plural in KINDS.values()}
    for file in PUBLISHED:
        text = gzip.decompress((folder / "manifests" / file).read_bytes())
        for document in yaml.load_all(text, Loader=yaml_loader.usual()):
            if isinstance(document, dict) and document.get("metadata", {}).get("name") in names:
                yield document


@pytest.fixture(scope="module", params=["own CRDs", "published CRDs"])
def crds(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    published = request.param == "published CRDs"
    found = list(published_crds(request.getfixturevalue("shared_data")) if published else own_crds())
    assert len(found) == len(KINDS)
    return found


@pytest.fixture(scope="module")
def served(api: Api, crds: list[dict[str, Any]]) -> Iterator[None]:
    """The kinds of Argo CD and Flux on the real server. On a cluster that has them, those."""
    writer = api.objects()
    if api.compact is None:
        yield
        return
    for document in crds:
        writer.apply(document, force=True)
    yield
    for document in crds:
        writer.delete(live.Object(document).ref)
    names = [document["metadata"]["name"] for document in crds]
    kind = live.Kind("apiextensions.k8s.io", "CustomResourceDefinition")
    for _ in range(100):  # their own finalizer holds them for a moment
        if not any(one.ref.name == crd for one in writer.list(kind) for crd in names):
            break
        time.sleep(0.1)


@dataclass(frozen=True)
class Side:
    gitops: ports.GitOpsWriter
    objects: Objects

    def make(self, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
        group, version, _ = KINDS[kind]
        document = {
            "apiVersion": f"{group}/{version}",
            "kind": kind,
            "spec": spec,
            "metadata": {"name": name, "namespace": self.objects.namespace, **metadata},
        }
        patiently(lambda: self.objects.writer.apply(document, manager="somebody"), NotServed, NotFound)
        return document

    def spec(self, kind: str, name: str) -> dict[str, Any]:
        ref = ObjectRef(kind=kind, name=name, namespace=self.objects.namespace, group=KINDS[kind][0])
        return dict(self.objects.reader.get(ref).document["spec"])

    def application(self, name: str, sync: dict[str, Any] | None = None, **spec: Any) -> ArgoApplication:
        base = {"project": "default", "destination": {"server": "https://kubernetes.default.svc"}}
        base |= {"source": source("1.0.0")} | spec
        self.make("Application", name, base | ({"syncPolicy": sync} if sync is not None else {}))
        return ArgoApplication(self.objects.namespace, name)

    def helm_release(self, name: str, **spec: Any) -> FluxHelmRelease:
        base = {"interval": "10m", "chart": {"spec": chart("1.0.0")}}
        self.make("HelmRelease", name, base | spec)
        return FluxHelmRelease(self.objects.namespace, name)

    def kustomization(self, name: str, **spec: Any) -> FluxKustomization:
        base = {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "fleet"}}
        self.make("Kustomization", name, base | spec)
        return FluxKustomization(self.objects.namespace, name)


def source(version: str, name: str = "dns") -> dict[str, Any]:
    found = {"repoURL": "https://charts.example.com", "chart": name, "helm": {"values": "a: 1\n"}}
    return found | ({"targetRevision": version} if version else {})


def chart(version: str) -> dict[str, Any]:
    found = {"chart": "dns", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}
    return found | ({"version": version} if version else {})


@pytest.fixture
def side(request: pytest.FixtureRequest, objects: Objects, crds: list[dict[str, Any]]) -> Iterator[Side]:
    """The adapter works on objects, whichever side they are of."""
    if objects.store is None:
        request.getfixturevalue("served")
    else:
        for document in crds:
            objects.writer.apply(document)
    yield Side(GitOpsObjects(objects.reader, objects.writer), objects)
    for kind, (group, _, _) in KINDS.items():
        for left in objects.reader.list(live.Kind(group, kind), objects.namespace):
            objects.writer.delete(left.ref)


@pytest.mark.parametrize(
    "sync",
    [
        {"automated": {}},
        {"automated": {"prune": True, "selfHeal": True, "allowEmpty": False}, "syncOptions": ["CreateNamespace=true"]},
        {"automated": {"selfHeal": True}, "retry": {"limit": 3}},
        {"syncOptions": ["ServerSideApply=true"]},
        {},
        None,
    ],
)
def test_an_application_is_as_it_was(side: Side, sync: dict[str, Any] | None) -> None:
    owner = side.application("dns", sync)
    before = side.spec("Application", "dns")
    suspension = side.gitops.suspend(owner)
    during = side.spec("Application", "dns")
    assert "automated" not in (during.get("syncPolicy") or {})
    assert (during.get("syncPolicy") or {}).get("syncOptions") == (sync or {}).get("syncOptions")
    side.gitops.resume(suspension)
    side.gitops.resume(suspension)
    assert side.spec("Application", "dns") == before


@pytest.mark.parametrize("was", [None, False, True])
@pytest.mark.parametrize("kind", ["HelmRelease", "Kustomization"])
def test_flux_is_as_it_was(side: Side, kind: str, was: bool | None) -> None:
    more = {} if was is None else {"suspend": was}
    owner = side.helm_release("dns", **more) if kind == "HelmRelease" else side.kustomization("dns", **more)
    before = side.spec(kind, "dns")
    suspension = side.gitops.suspend(owner)
    assert side.spec(kind, "dns")["suspend"] is True
    assert suspension.was.document["spec"].get("suspend") is was
    side.gitops.resume(suspension)
    side.gitops.resume(suspension)
    assert side.spec(kind, "dns") == before


def test_suspending_twice_keeps_the_first_answer_true(side: Side) -> None:
    owner = side.application("dns", {"automated": {"prune": True}})
    first = side.gitops.suspend(owner)
    second = side.gitops.suspend(owner)
    side.gitops.resume(second)
    assert "automated" not in side.spec("Application", "dns")["syncPolicy"], "it restores what it met"
    side.gitops.resume(first)
    assert side.spec("Application", "dns")["syncPolicy"] == {"automated": {"prune": True}}


def test_what_somebody_set_meanwhile_is_left(side: Side) -> None:
    suspension = side.gitops.suspend(side.application("dns", {"automated": {"prune": True}}))
    ref = ObjectRef(kind="Application", name="dns", namespace=side.objects.namespace, group="argoproj.io")
    mine = {"spec": {"syncPolicy": {"automated": {"selfHeal": True}}}}
    side.objects.writer.patch(ref, mine)
    with pytest.raises(Conflict, match="while it was suspended"):
        side.gitops.resume(suspension)
    assert side.spec("Application", "dns")["syncPolicy"] == {"automated": {"selfHeal": True}}


def test_another_object_of_the_name_is_not_resumed(side: Side) -> None:
    suspension = side.gitops.suspend(side.helm_release("dns"))
    ref = ObjectRef(kind="HelmRelease", name="dns", namespace=side.objects.namespace, group="helm.toolkit.fluxcd.io")
    side.objects.writer.delete(ref)
    with pytest.raises(NotFound):
        side.gitops.resume(suspension)
    side.helm_release("dns")
    with pytest.raises(Conflict, match="another object"):
        side.gitops.resume(suspension)


def test_a_revision_and_the_way_back(side: Side) -> None:
    owner = side.application("dns", {"automated": {}})
    assert side.gitops.set_revision(owner, "2.0.0") == "1.0.0"
    assert side.spec("Application", "dns")["source"] == source("2.0.0")
    assert side.gitops.set_revision(owner, "2.0.0") == "2.0.0"
    assert side.gitops.set_revision(owner, "") == "2.0.0"
    assert "targetRevision" not in side.spec("Application", "dns")["source"]
    assert side.gitops.set_revision(owner, "1.0.0") == ""
    assert side.spec("Application", "dns")["source"] == source("1.0.0")


def test_the_revision_of_one_of_several_sources(side: Side) -> None:
    several = [source("1.0.0", "dns"), source("", "values"), source("3.0.0", "extra")]
    side.make(
        "Application",
        "dns",
        {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc"},
            "sources": several,
        },
    )
    owner = ArgoApplication(side.objects.namespace, "dns")
    assert side.gitops.set_revision(owner, "4.0.0", source=2) == "3.0.0"
    assert side.gitops.set_revision(owner, "main", source=1) == ""
    assert side.spec("Application", "dns")["sources"] == [
        several[0],
        source("main", "values"),
        source("4.0.0", "extra"),
    ]
    side.gitops.set_revision(owner, "", source=1)
    side.gitops.set_revision(owner, "3.0.0", source=2)
    assert side.spec("Application", "dns")["sources"] == several
    with pytest.raises(Invalid, match="3 sources"):
        side.gitops.set_revision(owner, "1.0.0", source=3)


def test_a_chart_version_and_the_way_back(side: Side) -> None:
    owner = side.helm_release("dns")
    before = side.spec("HelmRelease", "dns")
    assert side.gitops.set_revision(owner, "2.0.0") == "1.0.0"
    assert side.spec("HelmRelease", "dns")["chart"]["spec"]["version"] == "2.0.0"
    assert side.gitops.set_revision(owner, "1.0.0") == "2.0.0"
    assert side.spec("HelmRelease", "dns") == before


def test_a_chart_of_its_own_object_is_changed_there(side: Side) -> None:
    side.make("HelmRelease", "dns", {"interval": "10m", "chartRef": {"kind": "OCIRepository", "name": "dns"}})
    with pytest.raises(Invalid, match="chartRef"):
        side.gitops.set_revision(FluxHelmRelease(side.objects.namespace, "dns"), "2.0.0")


def test_what_its_keeper_would_undo_is_refused(side: Side) -> None:
    spec = {"project": "default", "destination": {"server": "https://x.example"}, "source": source("1.0.0")}
    spec["syncPolicy"] = {"automated": {}}
    by_set = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "fleet", "uid": "u-1"}
    side.make("Application", "set", spec, ownerReferences=[by_set])
    side.make(
        "Application", "child", spec, annotations={"argocd.argoproj.io/tracking-id": "root:argoproj.io/Application:a/b"}
    )
    for name, keeper in (("set", "ApplicationSet/.*/fleet"), ("child", "Application/root")):
        owner = ArgoApplication(side.objects.namespace, name)
        with pytest.raises(Conflict, match=keeper):
            side.gitops.suspend(owner)
        with pytest.raises(Conflict, match=keeper):
            side.gitops.set_revision(owner, "2.0.0")
        assert side.spec("Application", name) == spec


def test_flux_keeps_what_is_suspended_by_hand_but_no_version(side: Side) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    spec = {"interval": "10m", "chart": {"spec": chart("1.0.0")}}
    side.make("HelmRelease", "dns", spec, labels=labels)
    owner = FluxHelmRelease(side.objects.namespace, "dns")
    side.gitops.resume(side.gitops.suspend(owner))
    with pytest.raises(Conflict, match="Kustomization/flux-system/apps"):
        side.gitops.set_revision(owner, "2.0.0")


def test_what_is_not_there(side: Side) -> None:
    for owner in (ArgoApplication("none", "none"), FluxHelmRelease("none", "none"), FluxKustomization("none", "none")):
        with pytest.raises(NotFound):
            side.gitops.suspend(owner)


# ── Holding ───────────────────────────────────────────────────────────────────────────────────────────────────────

DAEMON = ObjectRef.of("DaemonSet", "dns", "kube-system")
ON_DELETE = {DAEMON: {"updateStrategy": {"type": "OnDelete"}}}


@pytest.mark.parametrize("sync", [{"automated": {"prune": True, "selfHeal": True}}, {"syncOptions": ["Replace=true"]}])
@pytest.mark.parametrize("more", [{}, {"ignoreDifferences": [{"kind": "ConfigMap", "jsonPointers": ["/data"]}]}])
def test_an_application_that_is_held_is_as_it_was_afterwards(
    side: Side, sync: dict[str, Any], more: dict[str, Any]
) -> None:
    owner = side.application("dns", sync, **more)
    before = side.spec("Application", "dns")
    suspension = side.gitops.hold(owner, ON_DELETE)
    side.gitops.hold(owner, ON_DELETE)
    during = side.spec("Application", "dns")
    assert "automated" not in during["syncPolicy"]
    *others, ours = during["ignoreDifferences"]
    assert others == more.get("ignoreDifferences", [])
    assert (ours["kind"], ours["name"], ours["jsonPointers"]) == ("DaemonSet", "dns", ["/spec/updateStrategy"])
    side.gitops.resume(suspension)
    side.gitops.resume(suspension)
    assert side.spec("Application", "dns") == before


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"driftDetection": {"mode": "enabled"}, "upgrade": {"remediation": {"retries": 2}}},
        {"driftDetection": {"mode": "warn"}, "upgrade": {}, "postRenderers": [{"kustomize": {"images": []}}]},
    ],
)
def test_a_release_that_is_held_is_as_it_was_afterwards(side: Side, more: dict[str, Any]) -> None:
    owner = side.helm_release("dns", **more)
    before = side.spec("HelmRelease", "dns")
    suspension = side.gitops.hold(owner, {})
    side.gitops.hold(owner, ON_DELETE)
    during = side.spec("HelmRelease", "dns")
    assert during["upgrade"]["disableWait"] is True
    assert (during.get("driftDetection") or {}).get("mode") != "enabled"
    (patch,) = during["postRenderers"][-1]["kustomize"]["patches"]
    assert patch["target"]["name"] == "dns"
    assert "OnDelete" in patch["patch"]
    side.gitops.resume(suspension)
    side.gitops.resume(suspension)
    assert side.spec("HelmRelease", "dns") == before


def test_what_is_applied_is_put_back_whole(side: Side) -> None:
    owner = side.helm_release("dns", values={"replicas": 2})
    ref = live.object_of(owner)
    before = side.objects.reader.get(ref)
    side.gitops.set_revision(owner, "2.0.0")
    side.objects.writer.patch(ref, {"spec": {"values": {"replicas": None, "more": {"a": 1}}, "interval": "5m"}})
    side.gitops.put_back(owner, before)
    assert side.spec("HelmRelease", "dns") == {**before.document["spec"], "interval": "5m"}


def test_values_of_an_application_are_set_and_put_back(side: Side) -> None:
    """As helm/configuration has them: an object in the place of a text, with what is nested in it."""
    owner = side.application("dns")
    ref = live.object_of(owner)
    side.objects.writer.patch(ref, {"spec": {"source": {"helm": {"values": "a: 1", "releaseName": "dns"}}}})
    before = side.objects.reader.get(ref)
    spec = before.document["spec"]
    helm = {"releaseName": "dns", "valuesObject": {"a": 2, "b": {"c": [{"d": True}, "e"]}, "f": ""}}
    wanted = {**spec, "source": {**spec["source"], "helm": helm}}
    side.gitops.put_back(owner, live.Object({**before.document, "spec": wanted}))
    assert side.spec("Application", "dns") == wanted
    side.gitops.put_back(owner, before)
    assert side.spec("Application", "dns") == spec


def test_a_rehearsal_of_a_revision_changes_nothing(side: Side) -> None:
    owner = side.application("dns")
    assert side.gitops.set_revision(owner, "2.0.0", dry_run=True) == "1.0.0"
    assert side.spec("Application", "dns")["source"] == source("1.0.0")


# ── Synchronisations ──────────────────────────────────────────────────────────────────────────────────────────────


def document(side: Side) -> dict[str, Any]:
    ref = ObjectRef(kind="Application", name="dns", namespace=side.objects.namespace, group="argoproj.io")
    return dict(side.objects.reader.get(ref).document)


def controller_says(side: Side, phase: str) -> None:
    """What Argo CD's controller writes of the operation."""
    found = document(side)
    operation = found.get("operation") or found["status"]["operationState"]["operation"]
    state = {"operation": operation, "phase": phase, "startedAt": "2026-11-26T10:00:00Z"}
    done = phase == "Succeeded"
    body = {"status": {"operationState": state}} | ({"operation": None} if done else {})
    side.objects.writer.patch(live.Object(found).ref, body)


def test_one_token_starts_one_synchronisation(side: Side) -> None:
    owner = side.application("dns", {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]})
    side.gitops.sync(owner, "one", prune=True)
    operation = document(side)["operation"]
    assert live.sync_token(operation) == "one"
    assert operation["sync"] == {
        "prune": True,
        "syncOptions": ["CreateNamespace=true", "RespectIgnoreDifferences=true"],
    }
    side.gitops.sync(owner, "one", prune=True)
    with pytest.raises(Conflict, match="being synchronised") as busy:
        side.gitops.sync(owner, "two")
    assert busy.value.reason == "InProgress"
    controller_says(side, "Running")
    side.gitops.sync(owner, "one")
    controller_says(side, "Succeeded")
    side.gitops.sync(owner, "one")
    assert "operation" not in document(side)
    side.gitops.sync(owner, "two", only=[DAEMON])
    found = document(side)
    (only,) = found["operation"]["sync"]["resources"]
    assert (only["kind"], only["name"]) == ("DaemonSet", "dns")
    assert "operationState" not in found["status"], "nothing of the last one is taken for this one's"


def test_a_synchronisation_is_ended_where_it_is_ours(side: Side) -> None:
    owner = side.application("dns")
    assert side.gitops.end_sync(owner)
    side.gitops.sync(owner, "one")
    assert side.gitops.end_sync(owner), "nobody has begun it"
    assert "operation" not in document(side)
    side.gitops.sync(owner, "two")
    controller_says(side, "Running")
    assert not side.gitops.end_sync(owner)
    assert document(side)["status"]["operationState"]["phase"] == "Terminating"
    assert not side.gitops.end_sync(owner)
    controller_says(side, "Succeeded")
    assert side.gitops.end_sync(owner)
    by_hand = {"operation": {"initiatedBy": {"username": "admin"}, "sync": {}}}
    side.objects.writer.patch(live.object_of(owner), by_hand)
    assert side.gitops.end_sync(owner), "it is somebody else's"
    with pytest.raises(Conflict, match="being synchronised"):
        side.gitops.sync(owner, "three")


# ── Somebody else writes as well ──────────────────────────────────────────────────────────────────────────────────


class Meddling:
    """Objects that somebody else writes between our reading and our writing, so many times."""

    def __init__(self, objects: Objects, times: int) -> None:
        self._objects, self._left = objects, times

    def get(self, ref: ObjectRef, version: str = "") -> live.Object:
        found = self._objects.reader.get(ref, version)
        if self._left:
            self._left -= 1
            self._objects.writer.patch(ref, {"metadata": {"annotations": {"status": str(time.time_ns())}}})
        return found


@pytest.mark.parametrize(("times", "lasts"), [(2, False), (99, True)])
def test_another_write_at_the_same_moment(side: Side, times: int, lasts: bool) -> None:
    owner = side.application("dns", {"automated": {"prune": True}})
    meddled: Any = Meddling(side.objects, times)
    gitops = GitOpsObjects(meddled, side.objects.writer)
    if not lasts:
        assert gitops.suspend(owner).was.document["spec"]["syncPolicy"]["automated"] == {"prune": True}
        return
    with pytest.raises(Conflict):
        gitops.suspend(owner)
    assert side.spec("Application", "dns")["syncPolicy"] == {"automated": {"prune": True}}


def test_flux_is_asked_again_once_it_has_handled_the_last_request(side: Side, crds: list[dict[str, Any]]) -> None:
    owner = side.helm_release("dns")
    ref = live.object_of(owner)

    def asked() -> set[str]:
        annotations = side.objects.reader.get(ref).metadata["annotations"]
        return {annotations[f"reconcile.fluxcd.io/{each}"] for each in ("requestedAt", "resetAt")}

    side.gitops.retry(owner, "first")
    assert asked() == {"first"}
    side.gitops.retry(owner, "second")
    assert asked() == {"first"}, "Flux has not looked yet"
    (crd,) = (each["spec"] for each in crds if each["spec"]["names"]["kind"] == "HelmRelease")
    apart = "status" if any("subresources" in version for version in crd["versions"]) else ""
    side.objects.writer.patch(ref, {"status": {"lastHandledResetAt": "first"}}, subresource=apart)
    side.gitops.retry(owner, "second")
    assert asked() == {"second"}
