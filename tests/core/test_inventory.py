"""One installation, one row: recognised, grouped, given a version; what belongs to none is listed."""

from dataclasses import replace
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.catalog import ImageFingerprint, VersionFrom, VersionRule
from addonctl.inventory import take_inventory
from addonctl.model import Method, View, owners
from tests.builders import eks, small_catalog, snapshot, workload

COREDNS = "registry.example.com/mirror/coredns/coredns:v1.12.4"
CATALOG = small_catalog()


def inventory(**parts: Any) -> model.Inventory:
    return take_inventory(View(snapshot(**parts)), CATALOG)


def rows(**parts: Any) -> list[model.Installation]:
    return list(inventory(**parts).installations)


def findings(**parts: Any) -> list[model.Finding]:
    return list(inventory(**parts).findings)


def codes(**parts: Any) -> list[str]:
    return [found.code for found in findings(**parts)]


def version(row: model.Installation) -> str:
    """As it is written."""
    return str(row.version)


# ── Recognition ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_image_of_its_own_is_enough() -> None:
    (row,) = rows(workloads=(workload("dns", COREDNS),))
    assert (row.addon, version(row), row.id) == ("coredns", "v1.12.4", "coredns/apps/dns")
    assert [item.kind for item in row.evidence] == ["version", "image"]


def test_without_its_image_two_traces_are_needed() -> None:
    renamed = workload("coredns", "internal/dns:7", labels={"app.kubernetes.io/name": "coredns"})
    (row,) = rows(workloads=(renamed,))
    assert row.addon == "coredns"
    assert rows(workloads=(workload("coredns", "internal/dns:7"),)) == []


def test_a_chart_named_after_its_addon_tells_and_a_generic_one_does_not() -> None:
    labelled = workload("dns", "internal/dns@sha256:0a", labels={"helm.sh/chart": "coredns-1.43.2"})
    (row,) = rows(workloads=(labelled,))
    assert (row.addon, row.version, str(row.chart_version)) == ("coredns", None, "1.43.2")
    assert row.version_unknown_reason == "only its chart is known, coredns 1.43.2; no table of its versions is known"
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
        name="coredns-5d78c9869d-x2x4z",
        namespace="kube-system",
        owners=(owner,),
        labels={"pod-template-hash": "5d78c9869d"},
        containers=(model.ContainerStatus(name="coredns", image=COREDNS),),
    )
    (row,) = rows(pods=(pod,))
    assert [str(ref) for ref in row.workloads] == ["Deployment/kube-system/coredns"]


def test_an_object_that_stands_twice_in_files_is_recognised_by_either() -> None:
    files = model.Cluster(name="files", source="files")
    both = (workload("coredns", COREDNS), workload("coredns"))
    for given_in in (both, both[::-1]):
        (row,) = rows(workloads=given_in, cluster=files)
        assert (version(row), row.workloads) == ("v1.12.4", (both[0].ref,))


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_version_that_nothing_tells_is_unknown_with_its_reason() -> None:
    (digest,) = rows(workloads=(workload("dns", "coredns/coredns@sha256:0a"),))
    assert digest.version is None
    assert digest.version_unknown_reason == "its images have no tag, and no label or chart names a version"
    (latest,) = rows(workloads=(workload("dns", "coredns/coredns:latest"),))
    assert latest.version_unknown_reason == "'latest' is not a version"


@pytest.mark.parametrize(
    ("parts", "upstream"),
    [
        ({"workloads": (workload("dns", "coredns/coredns:1.11.1"),)}, True),
        (
            {"helm_releases": (model.HelmRelease(name="cm", namespace="x", chart="cert-manager", chart_version="1"),)},
            True,
        ),
        ({"workloads": (workload("dns", "internal/coredns:1.11.1"),)}, False),
    ],
    ids=["its image", "a chart that is numbered as its application", "a rebuild that counts by itself"],
)
def test_whether_a_version_counts_as_upstreams_do(parts: dict[str, Any], upstream: bool) -> None:
    rebuilt = VersionRule(source=VersionFrom.IMAGE, key="internal/coredns", numbered_apart=True)
    dns = CATALOG.addons["coredns"]
    prints = replace(dns.fingerprints, images=(*dns.fingerprints.images, ImageFingerprint(path="internal/coredns")))
    known = replace(
        CATALOG,
        addons={**CATALOG.addons, "coredns": replace(dns, version=(rebuilt, *dns.version), fingerprints=prints)},
    )
    (row,) = take_inventory(View(snapshot(**parts)), known).installations
    assert (row.version is not None, row.upstream_version) == (True, upstream)


def test_a_label_tells_where_the_image_is_pinned() -> None:
    pinned = workload("dns", "coredns/coredns@sha256:0a", labels={"app.kubernetes.io/version": "1.12.1"})
    (row,) = rows(workloads=(pinned,))
    assert version(row) == "1.12.1"


def test_what_eks_says_of_its_own_addon_counts_before_the_image() -> None:
    listed = model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3", status="ACTIVE")
    (row,) = rows(workloads=(workload("coredns", COREDNS, namespace="kube-system"),), eks=eks(addons=(listed,)))
    assert (version(row), row.owner) == ("v1.12.4-eksbuild.3", owners.EksAddon("coredns"))


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
    stack, exporter = rows(
        workloads=(
            workload("stack-exporter", "metrics/exporter:1.9.0", namespace="monitoring", **release),
            workload("stack-operator", "stack/operator:0.90.1", namespace="monitoring", **release),
        )
    )
    assert exporter.part_of == stack.id
    assert stack.part_of == ""


RENAMED = "internal/dns@sha256:0a"
CHART = {"helm.sh/chart": "coredns-1.43.2"}


def helm(namespace: str, name: str) -> dict[str, str]:
    """What Helm writes on the objects of a release."""
    return {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}


def record(namespace: str, name: str, chart: str = "coredns", **more: Any) -> model.HelmRelease:
    given: dict[str, Any] = {"chart_version": "1.43.2", "status": "deployed", "revision": 1}
    return model.HelmRelease(name=name, namespace=namespace, chart=chart, **(given | more))


@pytest.mark.parametrize(
    "traces",
    [
        {"labels": CHART},
        {"labels": {"app.kubernetes.io/name": "coredns"}},
    ],
    ids=["by chart", "by label and name"],
)
def test_releases_with_renamed_images_in_two_namespaces_are_two_copies(traces: dict[str, Any]) -> None:
    twice = tuple(workload("coredns", RENAMED, namespace=at, annotations=helm(at, "dns"), **traces) for at in "ab")
    first, second = rows(workloads=twice)
    assert [first.owner, second.owner] == [owners.HelmRelease("a", "dns"), owners.HelmRelease("b", "dns")]
    (found,) = findings(workloads=twice)
    assert (found.code, found.subject) == ("INV002", model.AddOnRef("coredns"))
    assert [item.subject for item in found.evidence] == [first.id, second.id]


def test_two_releases_in_one_namespace_are_two_installations() -> None:
    image = "ingress/controller:v1.15.1"
    both = tuple(
        workload(f"ingress-{name}", image, annotations=helm("apps", name), labels=CHART)
        for name in ("inside", "outside")
    )
    assert sorted(str(row.owner) for row in rows(workloads=both)) == [
        "helm release apps/inside",
        "helm release apps/outside",
    ]


def test_a_renamed_copy_beside_one_with_its_own_image_is_a_copy() -> None:
    two = (
        workload("coredns", COREDNS, namespace="a", annotations=helm("a", "dns"), labels=CHART),
        workload("coredns", RENAMED, namespace="b", annotations=helm("b", "dns"), labels=CHART),
    )
    assert codes(workloads=two) == ["INV002"]


def test_the_same_component_from_two_mirrors_is_two_copies() -> None:
    two = (
        workload("dns", "mirror-a.example.com/hub/coredns/coredns:v1.12.4", namespace="a"),
        workload("dns", "mirror-b.example.com/coredns/coredns:v1.12.4", namespace="b"),
    )
    assert codes(workloads=two) == ["INV002"]


def test_releases_of_several_charts_are_parts_though_their_images_are_renamed() -> None:
    traces = {"app.kubernetes.io/name": "istio"}
    parts = (
        workload(
            "istio",
            "internal/a",
            namespace="istio-system",
            annotations=helm("istio-system", "istiod"),
            labels=traces | {"helm.sh/chart": "istiod-1.28.0"},
        ),
        workload(
            "istio",
            "internal/b",
            namespace="kube-system",
            annotations=helm("kube-system", "base"),
            labels=traces | {"helm.sh/chart": "base-1.28.0"},
        ),
    )
    (row,) = rows(workloads=parts)
    assert {claim.owner for claim in row.claims} == {
        owners.HelmRelease("istio-system", "istiod"),
        owners.HelmRelease("kube-system", "base"),
    }
    assert codes(workloads=parts) == []


OWNERS = st.sampled_from(["", "a", "b", "c"])
IMAGES = st.sampled_from([COREDNS, RENAMED, "hub/coredns/coredns:v1.11.1"])


@given(st.lists(st.tuples(OWNERS, st.sampled_from(["a", "b", "c"]), IMAGES), max_size=8))
def test_no_workload_and_no_owner_is_lost_in_grouping(drawn: list[tuple[str, str, str]]) -> None:
    things = tuple(
        workload(f"dns-{n}", image, namespace=at, labels=CHART, annotations=helm(at, release) if release else {})
        for n, (release, at, image) in enumerate(drawn)
    )
    found = rows(workloads=things)
    assert sorted(str(ref) for row in found for ref in row.workloads) == sorted(str(thing.ref) for thing in things)
    named = {owners.HelmRelease(at, release) for release, at, _ in drawn if release}
    assert {claim.owner for row in found for claim in row.claims} == named
    assert len({row.id for row in found}) == len(found)


def test_a_thousand_copies_take_linear_time() -> None:
    def seconds(copies: int) -> float:
        image = "ingress/controller:v1.15.1"
        things = tuple(
            workload("ingress", image, namespace=f"n{n}", annotations=helm(f"n{n}", "in")) for n in range(copies)
        )
        releases = tuple(record(f"n{n}", "in", chart="ingress") for n in range(copies))
        view = View(snapshot(workloads=things, helm_releases=releases))
        began = process_time()
        assert len(take_inventory(view, CATALOG).installations) == copies
        return process_time() - began

    few = min(seconds(200) for _ in range(3))
    assert seconds(1600) < 8 * few * 3, "eight times as many took more than thrice eight times as long"


# ── Helm's records ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_installers_record_is_a_row_though_nothing_runs() -> None:
    (row,) = rows(helm_releases=(record("security", "cm", "cert-manager", chart_version="v1.20.3"),))
    assert (row.addon, version(row), row.workloads) == ("cert-manager", "v1.20.3", ())
    assert (row.id, row.owner) == ("cert-manager/security/cm", owners.HelmRelease("security", "cm"))


@pytest.mark.parametrize("order", [1, -1], ids=["oldest first", "newest first"])
def test_of_several_revisions_the_newest_deployed_one_counts(order: int) -> None:
    revisions = (
        record("security", "cm", "cert-manager", revision=2, status="superseded", chart_version="v1.14.0"),
        record("security", "cm", "cert-manager", revision=9, status="deployed", chart_version="v1.16.0"),
        record("security", "cm", "cert-manager", revision=10, status="deployed", chart_version="v1.16.1"),
        record("security", "cm", "cert-manager", revision=11, status="pending-upgrade", chart_version="v1.17.0"),
    )
    (row,) = rows(helm_releases=revisions[::order])
    assert version(row) == "v1.16.1"
    assert View(snapshot(helm_releases=revisions)).helm_releases[0].status == "pending-upgrade"


def test_a_release_that_never_was_deployed_counts_as_it_is() -> None:
    failed = record("security", "cm", "cert-manager", status="failed", chart_version="v1.17.0")
    (row,) = rows(helm_releases=(failed,))
    assert version(row) == "v1.17.0"


def test_an_uninstalled_release_whose_history_is_kept_is_no_installation() -> None:
    kept = (
        record("security", "cm", "cert-manager", revision=1, status="superseded"),
        record("security", "cm", "cert-manager", revision=2, status="uninstalled"),
    )
    assert rows(helm_releases=kept) == []
    again = (*kept, record("security", "cm", "cert-manager", revision=3))
    assert len(rows(helm_releases=again)) == 1


def test_two_releases_of_which_nothing_runs_are_two_rows() -> None:
    two = (record("a", "cm", "cert-manager"), record("b", "cm", "cert-manager"))
    assert [row.owner for row in rows(helm_releases=two)] == [
        owners.HelmRelease("a", "cm"),
        owners.HelmRelease("b", "cm"),
    ]
    assert codes(helm_releases=two) == ["INV002"]


def test_a_record_without_objects_tells_of_what_runs_unclaimed_in_its_namespace() -> None:
    runs = workload("coredns", COREDNS, namespace="apps")
    (row,) = rows(workloads=(runs,), helm_releases=(record("apps", "dns"),))
    assert (row.owner, row.workloads) == (owners.HelmRelease("apps", "dns"), (runs.ref,))


def test_a_chart_of_crds_joins_the_installation_that_is_there() -> None:
    istiod = workload("istiod", "istio/pilot:1.28.0", namespace="istio-system")
    (row,) = rows(workloads=(istiod,), helm_releases=(record("istio-system", "istio-base", "base"),))
    assert row.workloads == (istiod.ref,)


# ── What belongs to none ────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_system_workloads_are_listed_with_the_reason() -> None:
    found = inventory(
        workloads=(
            workload("node-tool", "acme/tool:1", namespace="acme", kind="DaemonSet"),
            workload("helper", "acme/helper:1", namespace="kube-system"),
            workload("agent", "acme/agent:1", namespace="acme", priority_class="system-node-critical"),
            workload("shop", "shop/app:1", namespace="shop"),
            workload("kube-apiserver-cp1", "registry.k8s.io/kube-apiserver:v1.34.2", namespace="kube-system"),
        )
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


def test_a_webhook_is_as_urgent_as_the_hooks_whose_service_is_gone() -> None:
    gone = model.Webhook(
        name="a.example.com", failure_policy="Ignore", service=model.ServiceTarget(namespace="gone", name="hook")
    )
    served = model.Webhook(name="b.example.com", service=model.ServiceTarget(namespace="here", name="hook"))
    both = model.WebhookConfiguration(kind="MutatingWebhookConfiguration", name="a", webhooks=(gone, served))
    service = model.Service(name="hook", namespace="here")
    (found,) = findings(webhook_configurations=(both,), services=(service,))
    assert (found.code, found.severity, found.subject) == ("INV004", model.Severity.RECOMMENDED, both.ref)
    assert [item.subject for item in found.evidence] == ["a.example.com"]
    assert found.fix[-1] == model.Delete(target=both.ref, save_first=True)


def test_what_flux_keeps_is_not_deleted_by_hand() -> None:
    hook = model.Webhook(name="a.example.com", service=model.ServiceTarget(namespace="gone", name="hook"))
    labels = {"kustomize.toolkit.fluxcd.io/name": "infra", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    kept = model.WebhookConfiguration(kind="ValidatingWebhookConfiguration", name="a", webhooks=(hook,), labels=labels)
    (found,) = findings(webhook_configurations=(kept,))
    (change,) = (action for action in found.fix if isinstance(action, model.GitChange))
    assert change.owner == owners.FluxKustomization("flux-system", "infra")
    assert not any(isinstance(action, model.Delete) for action in found.fix)


# ── What AWS runs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_auto_mode_and_capabilities_are_listed_as_such() -> None:
    built_in = replace(CATALOG.addons["coredns"], auto_mode="cluster DNS")
    known = replace(CATALOG, addons=dict(CATALOG.addons) | {"coredns": built_in})
    capability = model.EksCapability(name="argocd", type="ARGOCD", status="ACTIVE")
    view = View(snapshot(eks=eks(auto_mode=True, capabilities=(capability,))))
    found = take_inventory(view, known).installations
    assert {row.id: (row.addon, row.name, row.owner) for row in found} == {
        "coredns/auto-mode": ("coredns", "cluster DNS of EKS Auto Mode", owners.AwsManaged("EKS Auto Mode")),
        "capability/argocd": (
            "eks-capability-argocd",
            "EKS capability ARGOCD",
            owners.AwsManaged("EKS capability ARGOCD"),
        ),
    }
    assert all(row.method is Method.BUILT_IN for row in found)


def test_an_eks_addon_that_the_catalog_does_not_know_is_a_row() -> None:
    listed = model.EksAddon(name="acme_tool", version="v2.1.0-eksbuild.1", namespace="acme")
    (row,) = rows(eks=eks(addons=(listed,)))
    assert (row.id, version(row), row.owner) == ("acme_tool/acme", "v2.1.0-eksbuild.1", owners.EksAddon("acme_tool"))


def test_what_an_addon_includes_is_a_part_of_it_and_a_row_elsewhere() -> None:
    known = small_catalog()
    stack = replace(known.addons["stack"], bundles=(), includes=("exporter",))
    including = replace(known, addons={**known.addons, "stack": stack})
    parts = (
        workload("operator", "stack/operator:v1", namespace="monitoring", annotations=helm("monitoring", "stack")),
        workload("exporter", "metrics/exporter:v2", namespace="monitoring", annotations=helm("monitoring", "stack")),
        workload("exporter", "metrics/exporter:v2", namespace="apps"),
    )
    found = take_inventory(View(snapshot(workloads=parts)), including).installations
    assert [(row.addon, len(row.workloads)) for row in found] == [("exporter", 1), ("stack", 2)]
    assert version(found[1]) == "v1"
