"""API versions with an end: who still writes them is found; who merely reads, converts or has moved on is not."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl import model
from addonctl.catalog import ApiRemoval, Catalog, CrdRemoval, Kubernetes, plural
from addonctl.compatibility import KubernetesStatus, Support
from addonctl.compatibility.api_deprecations import api_findings, webhook_findings
from addonctl.compatibility.crd_versions import crd_findings as find_crds
from addonctl.model import (
    ApiVersionRef,
    Apply,
    CommandLine,
    Finding,
    GitChange,
    HelmUpgrade,
    Inventory,
    Note,
    ObjectRef,
    Patch,
    Severity,
    View,
    owners,
)
from addonctl.render.commands import fix_text
from addonctl.versions import Minor, Version
from tests.builders import small_catalog, snapshot, workload


def removal(api_version: str, kind: str, deprecated: str = "", removed: str = "", replacement: str = "") -> ApiRemoval:
    group, _, version = api_version.rpartition("/")
    since, gone = (Minor.of(text) if text else None for text in (deprecated, removed))
    return ApiRemoval(
        group=group, version=version, kind=kind, deprecated_in=since, removed_in=gone, replacement=replacement
    )


REMOVALS = (
    removal("policy/v1beta1", "PodDisruptionBudget", "1.21", "1.25", "policy/v1"),
    removal("policy/v1beta1", "PodSecurityPolicy", "1.21", "1.25"),
    removal("batch/v1beta1", "CronJob", "1.21", "1.25", "batch/v1"),
    removal("flow.k8s.io/v1beta1", "FlowSchema", "1.23", "1.26", "flow.k8s.io/v1beta2"),
    removal("flow.k8s.io/v1beta2", "FlowSchema", "1.26", "1.29", "flow.k8s.io/v1"),
    removal("networking.k8s.io/v1beta1", "IPAddress", "1.34", "1.37", "networking.k8s.io/v1"),
    removal("admission.test/v1beta1", "Gate", "1.37", "1.40", "admission.test/v1"),
    removal("tool.test/v1beta3", "*", "1.31", "1.36", "tool.test/v1beta4"),
)


def kubernetes(*removals: ApiRemoval, crd_removals: tuple[CrdRemoval, ...] = ()) -> Kubernetes:
    known = small_catalog().kubernetes
    return Kubernetes(
        as_of=known.as_of,
        source=known.source,
        newest=known.newest,
        newest_on_eks=known.newest_on_eks,
        releases=known.releases,
        removals=removals,
        crd_removals=crd_removals,
    )


KUBERNETES = kubernetes(*REMOVALS)
CATALOG = replace(small_catalog(), kubernetes=KUBERNETES)


def wrote(api_version: str, manager: str = "kubectl", operation: str = "Update") -> model.Applier:
    return model.Applier(manager=manager, api_version=api_version, operation=operation)


def budget(*appliers: model.Applier, name: str = "web", namespace: str = "shop") -> model.DisruptionBudget:
    return model.DisruptionBudget(name=name, namespace=namespace, appliers=appliers)


def other(kind: str, api_version: str, name: str = "one") -> model.OtherObject:
    return model.OtherObject(api_version=api_version, kind=kind, name=name, appliers=(wrote(api_version),))


def known(running: str = "1.34", targets: tuple[str, ...] = ("1.35",)) -> KubernetesStatus:
    """The running Kubernetes and the next ones; where no running one is given, 1.33 is the oldest that it may be."""
    after = tuple(map(Minor.of, targets))
    now = Minor.of(running) if running else None
    assumed = () if now else (min((Minor(1, 33), *after)), after[-1] if after else Minor(1, 36))
    return KubernetesStatus(running=now, targets=after, support=Support.UNKNOWN, assumed=assumed)


def found(running: str = "1.34", targets: tuple[str, ...] = ("1.35",), **parts: Any) -> list[Finding]:
    return list(api_findings(View(snapshot(**parts)), CATALOG, known(running, targets)))


def codes(running: str = "1.34", targets: tuple[str, ...] = ("1.35",), **parts: Any) -> list[str]:
    return [item.code for item in found(running, targets, **parts)]


# ── Who writes what ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_version_that_is_gone_and_still_written_is_found_with_its_writer() -> None:
    (item,) = found(disruption_budgets=(budget(wrote("policy/v1beta1", "helm-operator")),))
    assert (item.code, item.severity) == ("API001", Severity.REQUIRED)
    assert item.subject == ApiVersionRef("policy/v1beta1", "PodDisruptionBudget")
    assert item.evidence[0].ref == ObjectRef.of("PodDisruptionBudget", "web", "shop")
    assert [(seen.subject, seen.detail) for seen in item.evidence] == [
        ("PodDisruptionBudget/shop/web", "removed in 1.25, written by helm-operator")
    ]
    assert item.fix == (Apply(what="its manifest with apiVersion: policy/v1"),)


def test_a_version_in_force_is_silent() -> None:
    assert codes(disruption_budgets=(budget(wrote("policy/v1")),)) == []
    assert codes(disruption_budgets=(budget(),)) == [], "nobody is known to have written it"


@pytest.mark.parametrize(
    ("manager", "fix"),
    [
        ("kubectl", "kubectl apply"),
        ("argocd-controller", "In Git"),
        ("kustomize-controller", "Flux applies it"),
    ],
)
def test_what_git_holds_is_fixed_there(manager: str, fix: str) -> None:
    (item,) = found(disruption_budgets=(budget(wrote("policy/v1beta1", manager)),))
    assert fix in fix_text(item)
    assert "policy/v1" in fix_text(item)
    assert ("kubectl" in fix_text(item)) is (manager == "kubectl"), "what Git holds would be put back"


@pytest.mark.parametrize(
    "manager", ["kube-controller-manager", "kube-apiserver", "kubelet", "before-first-apply", "kube-scheduler"]
)
def test_the_control_plane_writes_what_it_serves_and_is_updated_with_it(manager: str) -> None:
    assert codes(disruption_budgets=(budget(wrote("policy/v1beta1", manager)),)) == []


def test_the_writer_counts_not_the_version_in_which_the_server_answers() -> None:
    converted = model.OtherObject(
        api_version="flow.k8s.io/v1beta2", kind="FlowSchema", name="one", appliers=(wrote("flow.k8s.io/v1"),)
    )
    assert codes(others=(converted,)) == []


def test_the_same_version_of_another_kind_is_silent() -> None:
    assert codes(workloads=(workload("app", "shop/app:1", appliers=(wrote("policy/v1beta1"),)),)) == []


@pytest.mark.parametrize(
    "appliers",
    [
        (wrote("policy/v1beta1", "kubectl-client-side-apply"), wrote("policy/v1", "kubectl-client-side-apply")),
        (wrote("policy/v1beta1", "kubectl-client-side-apply"), wrote("policy/v1", "kubectl", "LastApplied")),
    ],
    ids=["newer entry of the same writer", "last-applied"],
)
def test_a_writer_that_has_moved_on_is_not_named(appliers: tuple[model.Applier, ...]) -> None:
    """managedFields keep an Update in the old version for ever, as long as a field of it was not changed since."""
    assert codes(disruption_budgets=(budget(*appliers),)) == []


def test_another_writer_in_the_old_version_is_found_beside_one_that_has_moved_on() -> None:
    both = budget(wrote("policy/v1", "argocd-controller", "Apply"), wrote("policy/v1beta1", "old-tool"))
    (item,) = found(disruption_budgets=(both,))
    assert "written by old-tool" in item.evidence[0].detail


def test_objects_of_one_version_are_one_finding_with_each_once_in_its_evidence() -> None:
    twice = budget(wrote("policy/v1beta1", "a"), wrote("policy/v1beta1", "b"))
    second = budget(wrote("policy/v1beta1", "a"), name="api")
    (item,) = found(disruption_budgets=(twice, second))
    assert [seen.subject for seen in item.evidence] == ["PodDisruptionBudget/shop/web", "PodDisruptionBudget/shop/api"]
    assert [seen.detail.partition(", ")[2] for seen in item.evidence] == ["written by a, b", "written by a"]


def test_a_star_in_the_facts_stands_for_every_kind_of_that_version() -> None:
    anything = other("Whatever", "tool.test/v1beta3")
    assert codes(targets=("1.35", "1.36"), others=(anything,)) == ["API002"]
    assert codes(targets=("1.35", "1.36"), others=(other("Whatever", "tool.test/v1beta4"),)) == []


# ── Helm and files ──────────────────────────────────────────────────────────────────────────────────────────────


def release(*objects: model.HelmObject, name: str = "web") -> model.HelmRelease:
    return model.HelmRelease(name=name, namespace="shop", chart="web", revision=3, objects=objects)


OLD = model.HelmObject(api_version="policy/v1beta1", kind="PodDisruptionBudget", name="web", namespace="shop")


def test_a_stored_helm_manifest_is_found_though_the_live_object_is_new() -> None:
    (item,) = found(helm_releases=(release(OLD),), disruption_budgets=(budget(wrote("policy/v1")),))
    assert (item.code, str(item.subject)) == ("API001", "helm release shop/web: policy/v1beta1 PodDisruptionBudget")
    stored, upgrade = item.fix
    assert isinstance(stored, CommandLine)
    assert stored.argv == ("helm", "mapkubeapis", "web", "-n", "shop")
    assert upgrade == HelmUpgrade(namespace="shop", name="web", choose="that writes policy/v1")


def test_what_nothing_replaces_is_taken_out_of_the_stored_manifest_as_well() -> None:
    policy = model.HelmObject(api_version="policy/v1beta1", kind="PodSecurityPolicy", name="web")
    (item,) = found(helm_releases=(release(policy),))
    stored, upgrade = item.fix
    assert isinstance(stored, CommandLine)
    assert stored.argv == ("helm", "mapkubeapis", "web", "-n", "shop")
    assert upgrade == HelmUpgrade(
        namespace="shop", name="web", choose="without a PodSecurityPolicy: there is no replacement"
    )


def test_each_helm_release_is_a_finding_of_its_own() -> None:
    two = found(helm_releases=(release(OLD), release(OLD, name="api")))
    assert [item.subject.writer for item in two if isinstance(item.subject, ApiVersionRef)] == [
        owners.HelmRelease("shop", "web"),
        owners.HelmRelease("shop", "api"),
    ]


def test_what_is_uninstalled_writes_nothing_any_more() -> None:
    assert codes(helm_releases=(replace(release(OLD), status="uninstalled"),)) == []


def test_a_helm_manifest_in_force_is_silent() -> None:
    assert codes(helm_releases=(release(replace(OLD, api_version="policy/v1")),)) == []


def test_a_file_is_named_as_such_and_not_as_a_writer() -> None:
    (item,) = found(disruption_budgets=(budget(wrote("policy/v1beta1", "file", "File")),))
    assert item.subject == ApiVersionRef("policy/v1beta1", "PodDisruptionBudget", in_files=True)
    assert item.evidence[0].detail == "removed in 1.25"


# ── When ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("running", "targets", "code", "severity"),
    [
        ("1.33", ("1.34",), "API003", Severity.INFO),
        ("1.33", ("1.34", "1.35", "1.36"), "API003", Severity.INFO),
        ("1.36", ("1.37",), "API002", Severity.REQUIRED),
        ("1.35", ("1.36", "1.37"), "API002", Severity.RECOMMENDED),
        ("1.37", ("1.38",), "API001", Severity.REQUIRED),
        ("1.40", ("1.41",), "API001", Severity.REQUIRED),
    ],
)
def test_gone_now_gone_next_gone_later_or_deprecated(
    running: str, targets: tuple[str, ...], code: str, severity: Severity
) -> None:
    (item,) = found(running, targets, others=(other("IPAddress", "networking.k8s.io/v1beta1"),))
    assert (item.code, item.severity) == (code, severity)


def test_what_is_deprecated_only_after_the_target_is_silent() -> None:
    assert codes("1.32", ("1.33",), others=(other("IPAddress", "networking.k8s.io/v1beta1"),)) == []
    assert codes("1.35", ("1.36",), others=(other("Gate", "admission.test/v1beta1"),)) == []


def test_minors_are_compared_as_numbers() -> None:
    ninth = removal("x.test/v1", "X", removed="1.9", replacement="x.test/v2")
    facts = replace(CATALOG, kubernetes=kubernetes(ninth))
    listed = api_findings(View(snapshot(others=(other("X", "x.test/v1"),))), facts, known())
    assert [item.code for item in listed] == ["API001"]


def test_what_every_kubernetes_that_may_run_has_removed_is_found_though_none_is_known() -> None:
    (item,) = found("", (), disruption_budgets=(budget(wrote("policy/v1beta1", "file", "File")),))
    assert (item.code, item.severity) == ("API001", Severity.REQUIRED)


def test_without_a_known_kubernetes_the_newest_that_may_run_is_judged_as_well() -> None:
    (item,) = found("", (), others=(other("Whatever", "tool.test/v1beta3"),))
    assert (item.code, item.severity) == ("API002", Severity.RECOMMENDED), "gone in 1.36, not in 1.33"
    assert codes("", (), others=(other("IPAddress", "networking.k8s.io/v1beta1"),)) == ["API003"]
    assert codes("", (), others=(other("Gate", "admission.test/v1beta1"),)) == []


def test_a_target_alone_is_enough_to_say_what_goes_away_with_it() -> None:
    """Manifests in a repository know no running Kubernetes; their reader asks about the one to come."""
    filed = budget(wrote("policy/v1beta1", "file", "File"))
    assert codes("", ("1.36",), disruption_budgets=(filed,)) == ["API001"]
    (item,) = found("", ("1.36",), others=(other("Whatever", "tool.test/v1beta3"),))
    assert (item.code, item.severity) == ("API002", Severity.REQUIRED)
    assert codes("", ("1.24",), disruption_budgets=(filed,)) == ["API003"]


# ── What to write instead ───────────────────────────────────────────────────────────────────────────────────────


def test_the_replacement_is_the_end_of_the_chain_not_another_version_that_ended() -> None:
    first = KUBERNETES.removal("flow.k8s.io/v1beta1", "FlowSchema")
    assert first is not None
    assert KUBERNETES.replacement(first, Minor(1, 34)) == "flow.k8s.io/v1"
    assert KUBERNETES.replacement(first, Minor(1, 25)) == "flow.k8s.io/v1beta2", "not deprecated there yet"
    assert KUBERNETES.replacement(first, None) == "flow.k8s.io/v1", "no minor: what ends in any does not count"
    (item,) = found(others=(other("FlowSchema", "flow.k8s.io/v1beta1"),))
    assert item.fix == (Apply(what="its manifest with apiVersion: flow.k8s.io/v1"),)


def test_without_a_replacement_the_fix_is_to_remove_it() -> None:
    (item,) = found(others=(other("PodSecurityPolicy", "policy/v1beta1"),))
    assert item.fix == (Note("There is no replacement: remove the PodSecurityPolicy."),)


def test_replacements_in_a_circle_come_to_an_end() -> None:
    there = removal("a/v1", "A", removed="1.20", replacement="a/v2")
    back = removal("a/v2", "A", removed="1.20", replacement="a/v1")
    assert kubernetes(there, back).replacement(there, Minor(1, 34)) in ("a/v1", "a/v2")


def test_deprecated_asks_of_one_minor_or_of_any() -> None:
    assert KUBERNETES.deprecated("networking.k8s.io", "v1beta1", "IPAddress", Minor(1, 34))
    assert not KUBERNETES.deprecated("networking.k8s.io", "v1beta1", "IPAddress", Minor(1, 33))
    assert KUBERNETES.deprecated("networking.k8s.io", "v1beta1", "IPAddress", None)
    assert not KUBERNETES.deprecated("networking.k8s.io", "v1", "IPAddress", Minor(1, 34))
    assert not KUBERNETES.deprecated("", "v1", "Pod", None)


def test_of_a_group_version_without_group_nothing_is_made_up() -> None:
    core = removal("v1", "ComponentStatus", "1.19")
    assert kubernetes(core).removal("v1", "ComponentStatus") is core
    assert kubernetes(core).removal("/v1", "ComponentStatus") is None


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Pod", "pods"),
        ("Ingress", "ingresses"),
        ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"),
        ("IPAddress", "ipaddresses"),
        ("CSIStorageCapacity", "csistoragecapacities"),
        ("EndpointSlice", "endpointslices"),
        ("Switch", "switches"),
        ("Mesh", "meshes"),
        ("Box", "boxes"),
    ],
)
def test_plural(kind: str, resource: str) -> None:
    assert plural(kind) == resource


# ── CRDs ────────────────────────────────────────────────────────────────────────────────────────────────────────

CERTIFICATES = "certificates.cert-manager.io"


def crd(stored: tuple[str, ...], *crd_versions: model.CrdVersion) -> model.CustomResourceDefinition:
    return model.CustomResourceDefinition(
        name=CERTIFICATES,
        group="cert-manager.io",
        kind="Certificate",
        plural="certificates",
        stored_versions=stored,
        versions=crd_versions,
    )


V1 = model.CrdVersion(name="v1", storage=True)
SERVED = model.CrdVersion(name="v1beta1")
UNSERVED = model.CrdVersion(name="v1beta1", served=False)


def crd_findings(
    *listed: model.CustomResourceDefinition, catalog: Catalog = CATALOG, version: str | None = "v1.6.0", **parts: Any
) -> list[Finding]:
    row = model.Installation(
        id="cert-manager/cm",
        addon="cert-manager",
        name="cert-manager",
        version=Version.of(version) if version else None,
        owner=owners.HelmRelease("cm", "cm"),
    )
    return list(find_crds(View(snapshot(crds=listed, **parts)), Inventory(installations=(row,)), catalog))


def test_a_stored_version_that_is_served_should_be_migrated() -> None:
    (item,) = crd_findings(crd(("v1beta1", "v1"), V1, SERVED))
    assert (item.code, item.severity) == ("CRD001", Severity.RECOMMENDED)
    assert item.subject == ObjectRef.of("CustomResourceDefinition", CERTIFICATES)
    rewrite, patch = item.fix
    assert isinstance(rewrite, CommandLine)
    assert rewrite.pipe == (("kubectl", "replace", "-f", "-"),)
    assert isinstance(patch, Patch)
    assert (patch.subresource, patch.body) == ("status", {"status": {"storedVersions": ["v1"]}})


def test_a_stored_version_that_is_not_served_any_more_must_be_migrated() -> None:
    (item,) = crd_findings(crd(("v1beta1", "v1"), V1, UNSERVED))
    assert (item.code, item.severity) == ("CRD001", Severity.REQUIRED)
    assert "v1beta1 is not served any more" in item.evidence[0].detail


@pytest.mark.parametrize(
    "well",
    [crd(("v1",), V1, UNSERVED), crd(("v1",), V1, SERVED), crd(()), crd(("v1beta1", "v1"))],
    ids=["unserved but not stored", "served but not stored", "nothing known", "storage version unknown"],
)
def test_a_crd_whose_objects_are_all_in_its_storage_version_is_silent(well: model.CustomResourceDefinition) -> None:
    assert crd_findings(well) == []


ENDS = CrdRemoval(addon="cert-manager", crd=CERTIFICATES, version="v1beta1", removed_in=Version.of("1.7.3"))
ENDING = replace(CATALOG, kubernetes=kubernetes(crd_removals=(ENDS,)))


def written(**as_versions: int) -> tuple[model.CustomResources, ...]:
    counts = {f"cert-manager.io/{version}": count for version, count in as_versions.items()}
    return (
        model.CustomResources(
            group="cert-manager.io", kind="Certificate", plural="certificates", count=9, written_as=counts
        ),
    )


def test_custom_resources_in_a_version_that_their_addon_drops_are_found() -> None:
    (item,) = crd_findings(crd(("v1",), V1, SERVED), catalog=ENDING, custom_resources=written(v1=5, v1beta1=4))
    assert (item.code, item.severity) == ("CRD002", Severity.RECOMMENDED)
    assert item.evidence[0].detail == "4 objects are written as v1beta1, which cert-manager 1.7.3 drops"


def test_custom_resources_in_the_newer_version_are_silent() -> None:
    assert crd_findings(crd(("v1",), V1), catalog=ENDING, custom_resources=written(v1=9)) == []
    assert crd_findings(crd(("v1",), V1), catalog=ENDING) == [], "none was read"


def test_what_the_running_release_has_dropped_already_is_silent() -> None:
    parts: dict[str, Any] = {"catalog": ENDING, "custom_resources": written(v1beta1=4)}
    assert crd_findings(crd(("v1",), V1), version="v1.20.0", **parts) == []
    assert crd_findings(crd(("v1",), V1), version="v1.7.3", **parts) == []
    assert [item.code for item in crd_findings(crd(("v1",), V1), version=None, **parts)] == ["CRD002"]


def test_versions_that_no_known_release_drops_are_silent() -> None:
    open_end = replace(CATALOG, kubernetes=kubernetes(crd_removals=(replace(ENDS, removed_in=None),)))
    foreign = replace(CATALOG, kubernetes=kubernetes(crd_removals=(replace(ENDS, addon="istio"),)))
    for facts in (open_end, foreign):
        assert crd_findings(crd(("v1",), V1), catalog=facts, custom_resources=written(v1beta1=4)) == []


def test_a_crd_that_its_addon_drops_altogether_is_found_whatever_the_version() -> None:
    """The facts say `*` where the whole CRD goes (Karpenter's Provisioner, Kyverno's reports)."""
    whole = replace(CATALOG, kubernetes=kubernetes(crd_removals=(replace(ENDS, version="*"),)))
    listed = crd_findings(crd(("v1",), V1), catalog=whole, custom_resources=written(v1=9))
    assert [item.code for item in listed] == ["CRD002"]
    assert "in version" not in fix_text(listed[0]), "no version of a kind that goes helps"


# ── Webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────


def asked_about(*rules: model.Rule, running: str = "1.34", targets: tuple[str, ...] = ("1.35",)) -> list[str]:
    hook = model.Webhook(name="check.example.com", rules=rules)
    configuration = model.WebhookConfiguration(kind="ValidatingWebhookConfiguration", name="check", webhooks=(hook,))
    view = View(snapshot(webhook_configurations=(configuration,)))
    return [item.code for item in webhook_findings(view, CATALOG, known(running, targets))]


BUDGETS = model.Rule(groups=("policy",), versions=("v1beta1",), resources=("poddisruptionbudgets",))


def test_a_webhook_that_names_only_versions_that_are_gone_is_found() -> None:
    assert asked_about(BUDGETS) == ["API004"]
    assert asked_about(replace(BUDGETS, resources=("poddisruptionbudgets/status",))) == ["API004"]


def test_a_webhook_that_names_only_versions_that_go_next_is_found() -> None:
    addresses = model.Rule(groups=("networking.k8s.io",), versions=("v1beta1",), resources=("ipaddresses",))
    assert asked_about(addresses, running="1.36", targets=("1.37",)) == ["API004"]
    assert asked_about(addresses, running="1.34", targets=("1.35",)) == []


@pytest.mark.parametrize(
    "rules",
    [
        (replace(BUDGETS, versions=("v1", "v1beta1")),),
        (replace(BUDGETS, versions=("*",)),),
        (replace(BUDGETS, groups=("*",)),),
        (replace(BUDGETS, resources=("*",)),),
        (replace(BUDGETS, resources=("poddisruptionbudgets", "evictions")),),
        (BUDGETS, model.Rule(groups=("",), versions=("v1",), resources=("pods",))),
        (model.Rule(),),
        (),
    ],
    ids=[
        "a newer version too",
        "any version",
        "any group",
        "any resource",
        "another resource",
        "another rule",
        "an empty rule",
        "no rule",
    ],
)
def test_a_webhook_that_is_still_asked_about_something_is_silent(rules: tuple[model.Rule, ...]) -> None:
    assert asked_about(*rules) == []


def test_without_a_known_kubernetes_only_what_is_surely_gone_is_found_of_webhooks() -> None:
    addresses = model.Rule(groups=("networking.k8s.io",), versions=("v1beta1",), resources=("ipaddresses",))
    assert asked_about(BUDGETS, running="", targets=()) == ["API004"]
    assert asked_about(addresses, running="", targets=()) == []


# ── Where it is kept ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_object_of_flux_is_changed_where_flux_keeps_it() -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
    kept = replace(budget(wrote("policy/v1beta1", "kustomize-controller")), labels=labels)
    (item,) = found(disruption_budgets=(kept,))
    owner = owners.FluxKustomization("flux-system", "shop")
    assert item.fix == (GitChange(owner=owner, change="write it as apiVersion: policy/v1"),)


def test_an_object_of_argo_cd_is_changed_where_its_application_keeps_it() -> None:
    listed = (ObjectRef(kind="PodDisruptionBudget", group="policy", namespace="shop", name="web"),)
    app = model.Application(name="shop", namespace="argocd", destination_namespace="shop", resources=listed)
    (item,) = found(disruption_budgets=(budget(wrote("policy/v1beta1", "argocd-controller")),), applications=(app,))
    owner = owners.ArgoApplication("argocd", "shop")
    assert item.fix == (GitChange(owner=owner, change="write it as apiVersion: policy/v1"),)
    hub = replace(app, destination="prod-eu-2", destination_in_cluster=False)
    (item,) = found(disruption_budgets=(budget(wrote("policy/v1beta1", "argocd-controller")),), applications=(hub,))
    assert not any(isinstance(action, GitChange) for action in item.fix), "it deploys to another cluster"


def test_a_chart_that_flux_installs_is_changed_in_its_helmrelease() -> None:
    keeper = model.FluxHelmRelease(name="web", namespace="flux-system", release="web", target_namespace="shop")
    (item,) = found(helm_releases=(release(OLD),), flux_helm_releases=(keeper,))
    assert [type(action) for action in item.fix] == [CommandLine, GitChange], "helm upgrade would be undone"
    (item,) = found(helm_releases=(release(OLD),), flux_helm_releases=(replace(keeper, elsewhere=True),))
    assert GitChange not in [type(action) for action in item.fix], "its release is in another cluster"


def test_each_kind_of_writer_has_its_fix() -> None:
    """One finding an API version: what Git holds and what somebody applied are fixed in two ways."""
    by_hand, by_git = wrote("policy/v1beta1", "kubectl"), wrote("policy/v1beta1", "argocd-controller")
    (item,) = found(disruption_budgets=(budget(by_hand), budget(by_git, name="api")))
    assert [type(action) for action in item.fix] == [Note, Apply]
