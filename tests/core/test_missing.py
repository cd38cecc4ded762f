"""What is needed and is not there: what add-ons refer to and came with, their permissions, system add-ons."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl import model
from addonctl.catalog import AddOn, Catalog, Requirement, WorkloadFingerprint
from addonctl.model import Claim, Installation, Method, ObjectRef, Severity
from tests.builders import addon, eks
from tests.core.test_dependencies import (
    CATALOG,
    CLUSTER_ROLE,
    SERVICE,
    account,
    binding,
    catalog,
    found,
    gap,
    of,
    row,
    runs,
)

# ── What is not there ───────────────────────────────────────────────────────────────────────────────────────────


def missing(*workloads: model.Workload, **parts: Any) -> list[tuple[str, Severity]]:
    result = found(*(row(each.name, each) for each in workloads), workloads=workloads, **parts)
    return [(item.subject, item.severity) for item in of("DEP003", result)]


APP = runs("app", service_account="app")
RULES = (model.PolicyRule(groups=("",), resources=("pods",), verbs=("list",)),)
READER = model.Role(name="reader", namespace="apps", rules=RULES)
ACCOUNT = model.ServiceAccount(name="app", namespace="apps")


def test_an_account_that_does_not_exist_is_found_and_one_that_does_is_not() -> None:
    assert missing(APP) == [("Deployment/apps/app needs ServiceAccount/apps/app", Severity.REQUIRED)]
    assert missing(APP, service_accounts=(ACCOUNT,)) == []
    assert missing(APP, service_accounts=(replace(ACCOUNT, namespace="b"),)) != []


@pytest.mark.parametrize(
    "parts",
    [{"gaps": gap("service_accounts")}, {"cluster": model.Cluster(name="f", source="files")}],
    ids=["not read", "a file need not hold it"],
)
def test_what_was_not_read_is_not_missing(parts: dict[str, Any]) -> None:
    assert missing(APP, **parts) == []


def test_what_is_no_addons_is_not_looked_at() -> None:
    assert of("DEP003", found(workloads=(APP,))) == []


def test_secrets_and_config_maps_are_never_missing_they_are_not_listed() -> None:
    assert missing(runs("app", config_maps=("x",), secrets=("y",))) == []


def test_a_config_map_that_is_asked_for_by_name_can_be_missed() -> None:
    known = catalog(addon("app", "acme/app", config_maps=("apps/app",)))
    app = runs("app", config_maps=("app", "other"))

    def subjects(workload: model.Workload, **parts: Any) -> list[str]:
        result = found(row("app", workload), known=known, workloads=(workload,), **parts)
        return [item.subject for item in of("DEP003", result)]

    assert subjects(app) == ["Deployment/apps/app needs ConfigMap/apps/app"]
    assert subjects(app, config_maps=(model.ConfigMap(name="app", namespace="apps"),)) == []
    assert subjects(app, gaps=gap("config_maps")) == []
    assert subjects(runs("app", config_maps=("app",), optional=("ConfigMap/app",))) == []


def test_a_role_that_is_bound_and_does_not_exist_is_found() -> None:
    bound = (binding(account()),)
    assert missing(APP, service_accounts=(ACCOUNT,), role_bindings=bound) == [
        ("ServiceAccount/apps/app needs Role/apps/reader", Severity.REQUIRED)
    ]
    role = READER
    assert missing(APP, service_accounts=(ACCOUNT,), role_bindings=bound, roles=(role,)) == []


def test_a_claim_that_does_not_exist_is_found() -> None:
    db = runs("app", claims=("data",))
    assert missing(db) == [("Deployment/apps/app needs PersistentVolumeClaim/apps/data", Severity.REQUIRED)]
    assert missing(db, volume_claims=(model.VolumeClaim(name="data", namespace="apps"),)) == []


def test_a_class_that_does_not_exist_is_found_while_a_claim_waits_for_it() -> None:
    waiting = model.VolumeClaim(name="data", namespace="apps", storage_class="gone", phase="Pending")
    listed = missing(runs("app", claims=("data",)), volume_claims=(waiting,))
    assert [subject for subject, _ in listed] == ["PersistentVolumeClaim/apps/data needs StorageClass/gone"]


def test_a_bound_claim_does_not_need_its_class_any_more() -> None:
    """gp2 is deleted when a cluster moves to gp3; its volumes stay, and go on."""
    bound = model.VolumeClaim(name="data", namespace="apps", storage_class="gp2", phase="Bound", volume="pvc-1")
    assert missing(runs("app", claims=("data",)), volume_claims=(bound,)) == []


def test_a_class_whose_driver_is_not_there_is_found_whoever_uses_it() -> None:
    lone = (model.StorageClass(name="fast", provisioner="disk.csi.test"),)
    assert missing(storage_classes=lone) == [("StorageClass/fast needs CSIDriver/disk.csi.test", Severity.RECOMMENDED)]
    assert missing(storage_classes=lone, csi_drivers=(model.CsiDriver(name="disk.csi.test"),)) == []
    assert missing(storage_classes=lone, gaps=gap("csi_drivers")) == []


def test_a_conversion_whose_service_is_gone_is_found_whosever_it_is() -> None:
    crd = model.CustomResourceDefinition(name="xs.x.test", group="x.test", kind="X", conversion=SERVICE)
    assert missing(crds=(crd,)) == [("CustomResourceDefinition/xs.x.test needs Service/apps/app", Severity.REQUIRED)]
    assert missing(crds=(crd,), services=(model.Service(name="app", namespace="apps"),)) == []
    assert missing(crds=(crd,), gaps=gap("services")) == []
    assert missing(crds=(replace(crd, conversion=None),)) == []


# ── What an add-on came with ────────────────────────────────────────────────────────────────────────────────────

LIVE = runs("app")


def owned(method: Method, owner: str) -> Installation:
    return replace(row("app", LIVE, method=method), owner=owner,
                   claims=(Claim(method=method, owner=owner, evidence="label"),))  # fmt: skip


HELM = owned(Method.HELM, "helm release apps/web")


def released(*objects: tuple[str, str, str], status: str = "deployed") -> tuple[model.HelmRelease, ...]:
    made = tuple(model.HelmObject(api_version="v1", kind=k, namespace=ns, name=name) for k, ns, name in objects)
    return (model.HelmRelease(name="web", namespace="apps", revision=7, status=status, objects=made),)


def lacking(*rows: Installation, known: Catalog = CATALOG, **parts: Any) -> list[tuple[str, Severity]]:
    result = found(*rows, known=known, workloads=(LIVE,), **parts)
    return [(item.subject, item.severity) for item in of("DEP003", result)]


def test_what_a_releases_manifest_has_and_the_cluster_has_not_is_found() -> None:
    record = released(("Deployment", "", "app"), ("Service", "", "app"), ("ConfigMap", "", "app"))
    assert lacking(HELM, helm_releases=record) == [("app needs Service/apps/app", Severity.REQUIRED)]
    there = model.Service(name="app", namespace="apps")
    assert lacking(HELM, helm_releases=record, services=(there,)) == []
    elsewhere = lacking(HELM, helm_releases=record, services=(replace(there, namespace="b"),))
    assert elsewhere == [("app needs Service/apps/app", Severity.REQUIRED)]


def test_a_chart_may_write_a_namespace_where_there_is_none() -> None:
    record = released(("ClusterRole", "apps", "app"))
    assert lacking(HELM, helm_releases=record) == [("app needs ClusterRole/app", Severity.REQUIRED)]
    assert lacking(HELM, helm_releases=record, roles=(model.Role(name="app"),)) == []


def test_what_lacks_as_a_reference_is_said_once() -> None:
    record = released(("ServiceAccount", "", "app"), ("Service", "", "app"))
    result = found(HELM, workloads=(APP,), helm_releases=record)
    assert [item.subject for item in of("DEP003", result)] == [
        "Deployment/apps/app needs ServiceAccount/apps/app", "app needs Service/apps/app",
    ]  # fmt: skip


def test_what_only_guards_an_addon_is_worth_a_recommendation() -> None:
    record = released(("PodDisruptionBudget", "", "app"), ("ValidatingWebhookConfiguration", "", "app"))
    assert {severity for _, severity in lacking(HELM, helm_releases=record)} == {Severity.RECOMMENDED}


@pytest.mark.parametrize(
    "parts",
    [
        {"helm_releases": released(("Service", "", "app"), status="pending-upgrade")},
        {"helm_releases": released(("Service", "", "app")), "gaps": gap("services")},
        {"helm_releases": released(("Service", "", "app")), "cluster": model.Cluster(name="f", source="files")},
        {"helm_releases": released(("Job", "", "app"), ("Widget", "", "app"))},
    ],
    ids=["a release under way", "not read", "a file", "kinds that come and go, or are not read as a whole"],
)
def test_what_may_be_there_after_all_is_not_said_to_be_gone(parts: dict[str, Any]) -> None:
    assert lacking(HELM, **parts) == []


def test_a_release_is_anothers_matter_where_nobody_claims_it() -> None:
    assert lacking(row("app", LIVE), helm_releases=released(("Service", "", "app"))) == []


def test_the_fix_is_the_installers_own() -> None:
    record: dict[str, Any] = {"helm_releases": released(("Service", "", "app"))}
    flux = owned(Method.FLUX, "flux helmrelease apps/site")
    kept = model.FluxHelmRelease(name="site", namespace="apps", release="web", target_namespace="apps")
    argocd = owned(Method.ARGOCD, "argocd application cd/app")
    gone = ObjectRef(kind="Service", namespace="apps", name="app")
    listed = model.Application(name="app", namespace="cd", resources=(gone,))
    eks_app = owned(Method.EKS, "eks add-on app")

    def fix(of_row: Installation, known: Catalog = CATALOG, **parts: Any) -> str:
        (item,) = of("DEP003", found(of_row, known=known, workloads=(LIVE,), **parts))
        return item.fix.splitlines()[-1]

    assert fix(HELM, **record) == "helm rollback web 7 -n apps"
    assert fix(flux, **record, flux_helm_releases=(kept,)) == "flux reconcile helmrelease site -n apps --force"
    assert fix(argocd, applications=(listed,)) == "argocd app sync cd/app"
    comes = catalog(addon("app", "acme/app", comes_with=("Service/apps/app",)))
    aws = eks(addons=(model.EksAddon(name="app", version="v1"),))
    assert fix(eks_app, comes, eks=aws).startswith("aws eks update-addon --cluster-name prod-eu-1 --addon-name app")
    assert fix(row("app", LIVE, method=Method.MANIFEST), comes).startswith("# apply its manifests of 1.0 again")


def test_what_every_copy_comes_with_is_missed() -> None:
    known = catalog(addon("app", "acme/app", comes_with=("APIService/v1.app.test", "Service/apps/app")))
    assert lacking(row("app", LIVE), known=known) == [
        ("app needs APIService/v1.app.test and 1 more of its own", Severity.RECOMMENDED)
    ]
    api = (model.ApiService(name="v1.app.test"),)
    renamed = model.Service(name="anything", namespace="apps", selector={"app": "app"})
    assert lacking(row("app", LIVE), known=known, api_services=api, services=(renamed,)) == []
    assert lacking(row("app"), known=known) == [], "nothing of it runs"


def test_a_workload_that_every_copy_has_is_looked_for_where_the_copy_is() -> None:
    known = catalog(addon("app", "acme/app", comes_with=("Deployment/app", "Deployment/app-audit")))
    here = replace(row("app", LIVE), namespaces=("apps",))
    assert lacking(here, known=known) == [("app needs Deployment/apps/app-audit", Severity.RECOMMENDED)]


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────


def unpermitted(
    *bindings: model.RoleBinding, known: Catalog = CATALOG, app: model.Workload = APP, **parts: Any
) -> list[str]:
    roles = (READER, model.Role(name="admin", rules=RULES))
    given: dict[str, Any] = {"service_accounts": (ACCOUNT,), "roles": roles}
    result = found(row("app", app), known=known, workloads=(app,), role_bindings=bindings, **(given | parts))
    return [item.subject for item in of("DEP004", result)]


def test_an_account_to_which_no_role_is_bound_is_found() -> None:
    assert unpermitted() == ["ServiceAccount/apps/app"]
    assert unpermitted(binding(account("other"))) == ["ServiceAccount/apps/app"]


@pytest.mark.parametrize(
    "bound",
    [
        binding(account()),
        binding(account(), role=CLUSTER_ROLE, namespace=""),
        binding(ObjectRef(kind="Group", name="system:serviceaccounts:apps"), role=CLUSTER_ROLE, namespace=""),
        binding(ObjectRef(kind="User", name="system:serviceaccount:apps:app"), role=CLUSTER_ROLE, namespace=""),
    ],
    ids=["role", "cluster role", "all accounts of the namespace", "the account by its user name"],
)
def test_an_account_with_a_role_is_silent(bound: model.RoleBinding) -> None:
    assert unpermitted(bound) == []


@pytest.mark.parametrize("part", ["role_bindings", "roles", "service_accounts"])
def test_permissions_that_were_not_read_are_not_missing(part: str) -> None:
    assert unpermitted(gaps=gap(part)) == []


def test_an_addon_that_does_not_ask_the_api_server_needs_no_role() -> None:
    assert unpermitted(known=catalog(addon("app", "acme/app", needs_rbac=False))) == []
    assert unpermitted(app=runs("app")) == [], "it names no account"
    assert unpermitted(cluster=model.Cluster(name="f", source="files")) == []


def test_a_role_that_allows_nothing_is_none() -> None:
    hollow = (replace(READER, rules=()),)
    assert unpermitted(binding(account()), roles=hollow) == ["ServiceAccount/apps/app"]


OWN_ROLE = model.Role(name="app", namespace="apps", rules=RULES)


@pytest.mark.parametrize("role", [OWN_ROLE, replace(OWN_ROLE, namespace=""), model.Role(name="system:app")])
def test_a_role_called_after_an_account_and_bound_to_nobody_is_found(role: model.Role) -> None:
    assert unpermitted(binding(account()), roles=(role, READER)) == ["ServiceAccount/apps/app"]


def test_a_role_that_is_bound_or_of_another_name_or_place_is_silent() -> None:
    own = binding(account(), role=ObjectRef(kind="Role", name="app", group="rbac.authorization.k8s.io"))
    assert unpermitted(own, roles=(OWN_ROLE,)) == []
    for other in (replace(OWN_ROLE, name="app-editor"), replace(OWN_ROLE, namespace="b")):
        assert unpermitted(binding(account()), roles=(other, READER)) == []


def test_an_account_without_any_role_is_said_once_though_one_waits_for_it() -> None:
    assert unpermitted(roles=(OWN_ROLE,)) == ["ServiceAccount/apps/app"]


def test_one_account_of_several_with_a_role_is_enough() -> None:
    """A CSI driver's node agent needs none; its controller does."""
    node = runs("app-node", service_account="node")
    result = found(
        row("app", node, APP), workloads=(node, APP), service_accounts=(ACCOUNT, replace(ACCOUNT, name="node")),
        roles=(READER,), role_bindings=(binding(account()),),
    )  # fmt: skip
    assert of("DEP004", result) == []


# ── System add-ons ──────────────────────────────────────────────────────────────────────────────────────────────


def system(addon_id: str, kind: str) -> AddOn:
    return addon(addon_id, f"acme/{addon_id}", system=True, workloads=(WorkloadFingerprint(kind=kind, name=addon_id),))


PROXY = catalog(
    system("proxy", "DaemonSet"),
    addon("mesh", "acme/mesh"),
    addon("dns", "acme/dns", requires=(Requirement(text="a proxy", addon="proxy", alternatives=("mesh",)),)),
)
LEFT = {"service_accounts": (model.ServiceAccount(name="proxy", namespace="kube-system"),),
        "nodes": (model.Node(name="node-1"),)}  # fmt: skip


def gone(*rows: Installation, known: Catalog = PROXY, **parts: Any) -> list[str]:
    return [item.subject for item in of("INV006", found(*rows, known=known, **(LEFT | parts)))]


def test_a_system_addon_of_which_only_the_account_is_left_is_found() -> None:
    assert gone() == ["DaemonSet/kube-system/proxy"]
    assert gone(row("proxy", LIVE)) == []
    (item,) = of("INV006", found(known=PROXY, **LEFT))
    assert item.severity is Severity.REQUIRED


def test_a_system_addon_that_another_stands_in_for_or_aws_runs_is_not_missed() -> None:
    assert gone(row("mesh", LIVE)) == []
    assert gone(row("proxy", method=Method.BUILT_IN)) == []


@pytest.mark.parametrize(
    "parts",
    [
        {"service_accounts": ()},
        {"nodes": ()},
        {"nodes": (model.Node(name="f", labels={"eks.amazonaws.com/compute-type": "fargate"}),)},
        {"gaps": gap("workloads")},
        {"cluster": model.Cluster(name="f", source="files")},
    ],
    ids=["it never was there", "no nodes", "only Fargate", "workloads not read", "a file"],
)
def test_a_system_addon_that_may_be_elsewhere_is_not_missed(parts: dict[str, Any]) -> None:
    assert gone(**parts) == []
