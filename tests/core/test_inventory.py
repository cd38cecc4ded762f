"""One installation, one row: recognised, attributed, grouped; what belongs to none is listed."""

from typing import Any

import pytest

from addonctl import model
from addonctl.inventory import take_inventory
from addonctl.model import Method
from tests.builders import eks, small_catalog, snapshot, workload

COREDNS = "registry.example.com/mirror/coredns/coredns:v1.12.4"
CATALOG = small_catalog()


def rows(**parts: Any) -> list[model.Installation]:
    return list(take_inventory(snapshot(**parts), CATALOG).installations)


def codes(**parts: Any) -> list[str]:
    return [found.code for found in take_inventory(snapshot(**parts), CATALOG).findings]


# ── Recognition ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_image_of_its_own_is_enough() -> None:
    (row,) = rows(workloads=(workload("dns", COREDNS),))
    assert (row.addon, row.version, row.id) == ("coredns", "v1.12.4", "coredns/apps/dns")
    assert [item.kind for item in row.evidence] == ["version", "image"]


def test_without_its_image_two_traces_are_needed() -> None:
    renamed = workload("coredns", "internal/dns:7", labels={"app.kubernetes.io/name": "coredns"})
    (row,) = rows(workloads=(renamed,))
    assert row.addon == "coredns"
    assert rows(workloads=(workload("coredns", "internal/dns:7"),)) == []


def test_a_chart_named_after_its_addon_tells_and_a_generic_one_does_not() -> None:
    labelled = workload("dns", "internal/dns@sha256:0a", labels={"helm.sh/chart": "coredns-1.43.2"})
    (row,) = rows(workloads=(labelled,))
    assert (row.addon, row.version) == ("coredns", "1.43.2")
    assert rows(workloads=(workload("dns", "internal/dns", labels={"helm.sh/chart": "base-1.0.0"}),)) == []


@pytest.mark.parametrize(
    "carrier",
    [
        workload("shop", "shop/app:1", COREDNS),
        workload("shop", "shop/app:1", init=COREDNS),
        workload("resolve-once", COREDNS, kind="Job"),
        workload("shop", "shop/app:1", "docker.io/istio/proxyv2:1.28.0"),
    ],
    ids=["sidecar", "init container", "job", "part"],
)
def test_what_merely_carries_an_image_is_no_addon(carrier: model.Workload) -> None:
    assert rows(workloads=(carrier,)) == []


def test_a_part_joins_the_installation_that_is_there() -> None:
    gateway = workload("gateway", "istio/proxyv2:1.28.0", namespace="istio-system")
    (row,) = rows(workloads=(workload("istiod", "istio/pilot:1.28.0", namespace="istio-system"), gateway))
    assert [ref.name for ref in row.workloads] == ["istiod", "gateway"]


def test_pods_tell_of_workloads_that_the_input_lacks() -> None:
    owner = model.ObjectRef(kind="ReplicaSet", name="coredns-5d78c9869d", group="apps")
    pod = model.Pod(
        name="coredns-5d78c9869d-x2x4z", namespace="kube-system", owners=(owner,),
        labels={"pod-template-hash": "5d78c9869d"}, containers=(model.ContainerStatus(name="coredns", image=COREDNS),),
    )  # fmt: skip
    (row,) = rows(pods=(pod,))
    assert [str(ref) for ref in row.workloads] == ["Deployment/kube-system/coredns"]


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_version_that_nothing_tells_is_unknown_with_its_reason() -> None:
    (digest,) = rows(workloads=(workload("dns", "coredns/coredns@sha256:0a"),))
    assert digest.version is None
    assert digest.version_unknown_reason == "its images carry no tag, and no label or chart names a version"
    (latest,) = rows(workloads=(workload("dns", "coredns/coredns:latest"),))
    assert latest.version_unknown_reason == "'latest' is no version"


def test_a_label_tells_where_the_image_is_pinned() -> None:
    pinned = workload("dns", "coredns/coredns@sha256:0a", labels={"app.kubernetes.io/version": "1.12.1"})
    (row,) = rows(workloads=(pinned,))
    assert row.version == "1.12.1"


def test_what_eks_says_of_its_own_addon_counts_before_the_image() -> None:
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status="ACTIVE")
    (row,) = rows(workloads=(workload("coredns", COREDNS, namespace="kube-system"),), eks=eks(addons=(listed,)))
    assert (row.version, row.method, row.owner) == ("v1.12.4-eksbuild.3", Method.EKS, "eks add-on coredns")


# ── Owners ──────────────────────────────────────────────────────────────────────────────────────────────────────

FLUX = "kustomize.toolkit.fluxcd.io"
HELM = {"meta.helm.sh/release-name": "dns", "meta.helm.sh/release-namespace": "apps"}


def applied_by(manager: str) -> dict[str, Any]:
    return {"appliers": (model.Applier(manager=manager, api_version="apps/v1", operation="Apply"),)}


@pytest.mark.parametrize(
    ("more", "method", "owner"),
    [
        ({"annotations": HELM}, Method.HELM, "helm release apps/dns"),
        (applied_by("eks"), Method.EKS, "eks add-on coredns"),
        (applied_by("kubectl"), Method.MANIFEST, "kubectl"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "dns:apps/Deployment:apps/dns"}}, Method.ARGOCD,
         "argocd application dns"),
        ({"labels": {f"{FLUX}/name": "infra", f"{FLUX}/namespace": "flux-system"}}, Method.FLUX,
         "flux kustomization flux-system/infra"),
        ({}, Method.UNKNOWN, ""),
    ],
)  # fmt: skip
def test_owner_by_what_the_object_carries(more: dict[str, Any], method: Method, owner: str) -> None:
    (row,) = rows(workloads=(workload("dns", COREDNS, **more),))
    assert (row.method, row.owner) == (method, owner)


def test_a_helm_release_that_flux_keeps_is_flux() -> None:
    kept = model.FluxHelmRelease(name="dns", namespace="flux-system", release="dns", target_namespace="apps")
    release = model.HelmRelease(name="dns", namespace="apps", chart="coredns", chart_version="1.43.2")
    parts: dict[str, Any] = {"flux_helm_releases": (kept,), "helm_releases": (release,)}
    (row,) = rows(workloads=(workload("dns", COREDNS, annotations=HELM),), **parts)
    assert (row.method, row.owner) == (Method.FLUX, "flux helmrelease flux-system/dns")
    assert codes(workloads=(workload("dns", COREDNS, annotations=HELM),), **parts) == []


def test_two_owners_of_the_same_objects_are_a_finding() -> None:
    both = workload("coredns", COREDNS, namespace="kube-system", annotations=HELM, **applied_by("eks"))
    assert codes(workloads=(both,)) == ["INV001"]
    listed = eks(addons=())
    assert codes(workloads=(both,), eks=listed) == [], "EKS lists it no longer: its field manager is history"


def test_an_installers_record_is_a_row_though_nothing_runs() -> None:
    release = model.HelmRelease(name="cm", namespace="security", chart="cert-manager", chart_version="v1.20.3")
    (row,) = rows(helm_releases=(release,))
    assert (row.addon, row.version, row.workloads) == ("cert-manager", "v1.20.3", ())


# ── Grouping ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_different_components_in_several_namespaces_are_one_installation() -> None:
    parts = (
        workload("istiod", "istio/pilot:1.28.0", namespace="istio-system"),
        workload("istio-cni-node", "istio/install-cni:1.28.0", namespace="kube-system", kind="DaemonSet"),
    )
    (row,) = rows(workloads=parts)
    assert row.namespaces == ("istio-system", "kube-system")


def test_the_same_component_twice_is_two_copies() -> None:
    twice = (workload("dns", COREDNS, namespace="a"), workload("dns", COREDNS, namespace="b"))
    assert len(rows(workloads=twice)) == 2
    assert codes(workloads=twice) == ["INV002"]


def test_what_may_run_twice_is_no_finding() -> None:
    image = "ingress/controller:v1.15.1"
    twice = (workload("public", image, namespace="a"), workload("private", image, namespace="b"))
    assert len(rows(workloads=twice)) == 2
    assert codes(workloads=twice) == []


def test_a_bundle_is_the_parent_of_its_parts() -> None:
    release: dict[str, Any] = {
        "annotations": {"meta.helm.sh/release-name": "kps", "meta.helm.sh/release-namespace": "monitoring"}
    }
    stack, exporter = rows(workloads=(
        workload("stack-exporter", "metrics/exporter:1.9.0", namespace="monitoring", **release),
        workload("stack-operator", "stack/operator:0.90.1", namespace="monitoring", **release),
    ))  # fmt: skip
    assert exporter.part_of == stack.id
    assert stack.part_of == ""


# ── What belongs to none ────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_system_workloads_are_listed_with_the_reason() -> None:
    found = take_inventory(
        snapshot(
            workloads=(
                workload("node-tool", "acme/tool:1", namespace="acme", kind="DaemonSet"),
                workload("helper", "acme/helper:1", namespace="kube-system"),
                workload("agent", "acme/agent:1", namespace="acme", priority_class="system-node-critical"),
                workload("shop", "shop/app:1", namespace="shop"),
                workload("kube-apiserver-cp1", "registry.k8s.io/kube-apiserver:v1.34.2", namespace="kube-system"),
            )
        ),
        CATALOG,
    ).unrecognised
    assert {item.ref.name: item.why for item in found} == {
        "node-tool": "a DaemonSet: runs on every node",
        "agent": "priority class system-node-critical",
        "helper": "namespace kube-system",
    }


def crd(name: str, group: str, **more: Any) -> model.CustomResourceDefinition:
    return model.CustomResourceDefinition(
        name=f"{name}.{group}", group=group, kind=name.title(), plural=name, stored_versions=("v1",), **more
    )


def test_crds_alone_are_orphans_unless_a_chart_of_crds_brought_them() -> None:
    left = crd("virtualservices", "networking.istio.io")
    app = workload("shop", "shop/app:1")
    assert rows(crds=(left,), workloads=(app,)) == []
    assert codes(crds=(left,), workloads=(app,)) == ["INV003"]
    brought = crd("virtualservices", "networking.istio.io", labels={"helm.sh/chart": "base-1.28.0"})
    (row,) = rows(crds=(brought,), workloads=(app,))
    assert (row.addon, row.workloads) == ("istio", ())


def test_webhooks_and_apiservices_without_their_service() -> None:
    target = model.ServiceTarget(namespace="gone", name="hook")
    hook = model.Webhook(name="a.example.com", service=target)
    parts: dict[str, Any] = {
        "webhook_configurations": (
            model.WebhookConfiguration(kind="MutatingWebhookConfiguration", name="a", webhooks=(hook,)),
        ),
        "api_services": (model.ApiService(name="v1.example.com", group="example.com", version="v1", service=target),),
    }
    assert codes(**parts) == ["INV004", "INV005"]
    assert codes(**parts, services=(model.Service(name="hook", namespace="gone"),)) == []
    unseen = model.Gap(part="services", reason=model.GapReason.FORBIDDEN, detail="403", permission="list services")
    assert codes(**parts, gaps=(unseen,)) == [], "Services that were not read are not gone"


def test_auto_mode_and_capabilities_are_listed_as_such() -> None:
    capability = model.EksCapability(name="argocd", type="ARGOCD", status="ACTIVE")
    found = rows(eks=eks(auto_mode=True, capabilities=(capability,)))
    assert all(row.method is Method.BUILT_IN for row in found)
    assert {"coredns", "aws-vpc-cni", "eks-capability-argocd"} <= {row.addon for row in found}
