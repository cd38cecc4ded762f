"""What is needed and missing: what add-ons refer to and came with, their permissions, system add-ons."""

from dataclasses import replace
from typing import Any

import pytest

from addonctl import model
from addonctl.catalog import AddOn, Catalog, ClusterService, EksInstall, Install, WorkloadFingerprint
from addonctl.model import Claim, Finding, Installation, InstallationRef, MissingRef, ObjectRef, Owner, Severity, owners
from addonctl.render.commands import fix_text
from addonctl.resources import group_of
from tests.builders import addon, eks
from tests.core.test_dependencies import (
    CATALOG,
    CLUSTER_ROLE,
    account,
    binding,
    catalog,
    dangling,
    gap,
    row,
    runs,
)


def of(code: str, *rows: Installation, **parts: Any) -> list[Finding]:
    return [item for item in dangling(*rows, **parts) if item.code == code]


# ── What is referred to ───────────────────────────────────────────────────────────────────────────────────────────


def missing(*workloads: model.Workload, **parts: Any) -> list[tuple[str, Severity]]:
    listed = of("DEP003", *(row(each.name, each) for each in workloads), workloads=workloads, **parts)
    return [(str(item.subject), item.severity) for item in listed]


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


def test_what_an_addon_refers_to_is_put_back_by_its_installer() -> None:
    (item,) = of(
        "DEP003",
        replace(row("app", APP), owner=owners.HelmRelease("apps", "app")),
        workloads=(APP,),
        helm_releases=(model.HelmRelease(name="app", namespace="apps", revision=7, status="deployed"),),
    )
    assert fix_text(item).splitlines() == [
        "# Create it, or apply the add-on again the way it was installed.",
        "# to its current revision: Helm recreates what is missing",
        "helm rollback app 7 -n apps",
    ]


def test_what_is_no_addons_is_not_looked_at() -> None:
    assert of("DEP003", workloads=(APP,)) == []


def test_secrets_and_config_maps_are_never_missing_they_are_not_listed() -> None:
    assert missing(runs("app", config_maps=("x",), secrets=("y",))) == []


def test_a_config_map_that_is_asked_for_by_name_can_be_missed() -> None:
    known = catalog(addon("app", "acme/app", config_maps=("apps/app",)))
    app = runs("app", config_maps=("app", "other"))

    def subjects(workload: model.Workload, **parts: Any) -> list[str]:
        listed = of("DEP003", row("app", workload), known=known, workloads=(workload,), **parts)
        return [str(item.subject) for item in listed]

    assert subjects(app) == ["Deployment/apps/app needs ConfigMap/apps/app"]
    assert subjects(app, config_maps=(model.ConfigMap(name="app", namespace="apps"),)) == []
    assert subjects(app, gaps=gap("config_maps")) == []
    assert subjects(runs("app", config_maps=("app",), optional=("ConfigMap/app",))) == []


def test_what_is_missing_is_a_value_and_its_evidence_names_the_object() -> None:
    (item,) = of("DEP003", row("app", APP), workloads=(APP,))
    assert item.subject == MissingRef(APP.ref, ObjectRef.of("ServiceAccount", "app", "apps"))
    assert [each.ref for each in item.evidence] == [APP.ref]
    (item,) = of(
        "DEP003", HELM, workloads=(LIVE,), helm_releases=released(("Service", "", "app"), ("Service", "", "b"))
    )
    service = ObjectRef.of("Service", "app", "apps")
    assert item.subject == MissingRef(InstallationRef("app", "app"), service, more=1)
    assert [each.ref for each in item.evidence] == [service, replace(service, name="b")]


def test_several_references_to_one_missing_object_are_one_finding() -> None:
    twice = (binding(account()), binding(account(), name="again"))
    (item,) = of("DEP003", row("app", APP), workloads=(APP,), service_accounts=(ACCOUNT,), role_bindings=twice)
    assert [each.detail for each in item.evidence] == [
        "Role/apps/reader: RoleBinding/apps/bind",
        "Role/apps/reader: RoleBinding/apps/again",
    ]


def test_a_namesake_of_another_group_is_not_what_is_needed() -> None:
    """Knative has Services as well."""
    namesake = model.OtherObject(name="app", namespace="apps", api_version="serving.knative.dev/v1", kind="Service")
    record = released(("Service", "", "app"))
    assert without(HELM, helm_releases=record, others=(namesake,)) == [
        ("app needs Service/apps/app", Severity.REQUIRED)
    ]


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


# ── What an add-on came with ────────────────────────────────────────────────────────────────────────────────────

LIVE = runs("app")


def owned(owner: Owner) -> Installation:
    return replace(row("app", LIVE, owner=owner), claims=(Claim(owner=owner, evidence="label"),))


HELM = owned(owners.HelmRelease("apps", "web"))


def released(*objects: tuple[str, str, str], status: str = "deployed") -> tuple[model.HelmRelease, ...]:
    made = tuple(
        model.HelmObject(api_version=f"{group_of(kind)}/v1".lstrip("/"), kind=kind, namespace=namespace, name=name)
        for kind, namespace, name in objects
    )
    return (model.HelmRelease(name="web", namespace="apps", revision=7, status=status, objects=made),)


def without(*rows: Installation, known: Catalog = CATALOG, **parts: Any) -> list[tuple[str, Severity]]:
    listed = of("DEP003", *rows, known=known, workloads=(LIVE,), **parts)
    return [(str(item.subject), item.severity) for item in listed]


def test_what_a_releases_manifest_has_and_the_cluster_has_not_is_found() -> None:
    record = released(("Deployment", "", "app"), ("Service", "", "app"), ("ConfigMap", "", "app"))
    assert without(HELM, helm_releases=record) == [("app needs Service/apps/app", Severity.REQUIRED)]
    there = model.Service(name="app", namespace="apps")
    assert without(HELM, helm_releases=record, services=(there,)) == []
    elsewhere = without(HELM, helm_releases=record, services=(replace(there, namespace="b"),))
    assert elsewhere == [("app needs Service/apps/app", Severity.REQUIRED)]


def test_a_chart_may_write_a_namespace_where_there_is_none() -> None:
    record = released(("ClusterRole", "apps", "app"))
    assert without(HELM, helm_releases=record) == [("app needs ClusterRole/app", Severity.REQUIRED)]
    assert without(HELM, helm_releases=record, roles=(model.Role(name="app"),)) == []


def test_what_is_missing_as_a_reference_is_reported_once() -> None:
    record = released(("ServiceAccount", "", "app"), ("Service", "", "app"))
    assert [str(item.subject) for item in of("DEP003", HELM, workloads=(APP,), helm_releases=record)] == [
        "Deployment/apps/app needs ServiceAccount/apps/app",
        "app needs Service/apps/app",
    ]


def test_what_only_guards_an_addon_is_worth_a_recommendation() -> None:
    record = released(("PodDisruptionBudget", "", "app"), ("ValidatingWebhookConfiguration", "", "app"))
    assert {severity for _, severity in without(HELM, helm_releases=record)} == {Severity.RECOMMENDED}


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
    assert without(HELM, **parts) == []


def test_a_release_is_anothers_matter_where_nobody_claims_it() -> None:
    assert without(row("app", LIVE), helm_releases=released(("Service", "", "app"))) == []


def test_the_fix_is_the_installers_own() -> None:
    record: dict[str, Any] = {"helm_releases": released(("Service", "", "app"))}
    flux = owned(owners.FluxHelmRelease("apps", "site"))
    kept = model.FluxHelmRelease(name="site", namespace="apps", release="web", target_namespace="apps")
    argocd = owned(owners.ArgoApplication("cd", "app"))
    listed = model.Application(name="app", namespace="cd", resources=(ObjectRef.of("Service", "app", "apps"),))

    def fix(of_row: Installation, known: Catalog = CATALOG, **parts: Any) -> str:
        (item,) = of("DEP003", of_row, known=known, workloads=(LIVE,), **parts)
        return fix_text(item).splitlines()[-1]

    assert fix(HELM, **record) == "helm rollback web 7 -n apps"
    assert fix(flux, **record, flux_helm_releases=(kept,)) == "flux reconcile helmrelease site -n apps --force"
    assert fix(argocd, applications=(listed,)) == "argocd app sync cd/app"
    comes = catalog(addon("app", "acme/app", comes_with=("Service/apps/app",)))
    aws = eks(addons=(model.EksAddon(name="app", version="v1"),))
    by_eks = fix(owned(owners.EksAddon("app")), comes, eks=aws)
    assert by_eks.startswith("aws eks update-addon --cluster-name prod-eu-1 --addon-name app")
    assert "its manifests of 1.0, as they were installed" in fix(
        row("app", LIVE, owner=owners.Manifest("kubectl")), comes
    )


def test_after_a_failed_upgrade_the_release_goes_back_to_what_it_deployed() -> None:
    (failed,) = released(status="failed")
    release = replace(failed, deployed_revision=6)
    web = replace(row("app", APP), owner=owners.HelmRelease("apps", "web"))
    (item,) = of("DEP004", web, workloads=(APP,), service_accounts=(ACCOUNT,), helm_releases=(release,))
    assert fix_text(item).splitlines()[-1] == "helm rollback web 6 -n apps"


def test_an_application_of_another_cluster_does_not_tell_what_this_one_should_have() -> None:
    argocd = owned(owners.ArgoApplication("cd", "app"))
    service = ObjectRef.of("Service", "app", "apps")
    listed = model.Application(name="app", namespace="cd", resources=(service,), destination_in_cluster=False)
    assert without(argocd, applications=(listed,)) == []
    assert without(argocd, applications=(replace(listed, destination_in_cluster=True),)) != []


def test_what_every_copy_comes_with_is_missed() -> None:
    known = catalog(addon("app", "acme/app", comes_with=("APIService/v1.app.test", "Service/apps/app")))
    assert without(row("app", LIVE), known=known) == [
        ("app needs APIService/v1.app.test and 1 more of its own", Severity.RECOMMENDED)
    ]
    api = (model.ApiService(name="v1.app.test"),)
    renamed = model.Service(name="anything", namespace="apps", selector={"app": "app"})
    assert without(row("app", LIVE), known=known, api_services=api, services=(renamed,)) == []
    assert without(row("app"), known=known) == [], "nothing of it runs"


def test_a_workload_that_every_copy_has_is_looked_for_where_the_copy_is() -> None:
    known = catalog(addon("app", "acme/app", comes_with=("Deployment/app", "Deployment/app-audit")))
    here = replace(row("app", LIVE), namespaces=("apps",))
    assert without(here, known=known) == [("app needs Deployment/apps/app-audit", Severity.RECOMMENDED)]


# ── Permissions ─────────────────────────────────────────────────────────────────────────────────────────────────


def unpermitted(
    *bindings: model.RoleBinding, known: Catalog = CATALOG, app: model.Workload = APP, **parts: Any
) -> list[str]:
    roles = (READER, model.Role(name="admin", rules=RULES))
    given: dict[str, Any] = {"service_accounts": (ACCOUNT,), "roles": roles}
    listed = of("DEP004", row("app", app), known=known, workloads=(app,), role_bindings=bindings, **(given | parts))
    return [str(item.subject) for item in listed]


def test_an_account_to_which_no_role_is_bound_is_found() -> None:
    assert unpermitted() == ["ServiceAccount/apps/app"]
    assert unpermitted(binding(account("other"))) == ["ServiceAccount/apps/app"]


def group(name: str) -> ObjectRef:
    return ObjectRef(kind="Group", name=name, group="rbac.authorization.k8s.io")


@pytest.mark.parametrize(
    "bound",
    [
        binding(account()),
        binding(account(), role=CLUSTER_ROLE, namespace=""),
        binding(group("system:serviceaccounts:apps"), role=CLUSTER_ROLE, namespace=""),
        binding(group("system:serviceaccounts:apps")),
        binding(group("system:serviceaccounts"), role=CLUSTER_ROLE, namespace=""),
        binding(group("system:authenticated"), role=CLUSTER_ROLE, namespace=""),
        binding(ObjectRef(kind="User", name="system:serviceaccount:apps:app"), role=CLUSTER_ROLE, namespace=""),
    ],
    ids=[
        "role",
        "cluster role",
        "all accounts of the namespace",
        "the same by a role of the namespace",
        "all accounts",
        "everybody",
        "the account by its user name",
    ],
)
def test_an_account_with_a_role_is_silent(bound: model.RoleBinding) -> None:
    assert unpermitted(bound) == []


DISCOVERY = model.PolicyRule(urls=("/api", "/healthz"), verbs=("get",))
OLD_POLICY = model.PolicyRule(groups=("policy",), resources=("podsecuritypolicies",), verbs=("use",))
REVIEWS = model.PolicyRule(groups=("authorization.k8s.io",), resources=("selfsubjectaccessreviews",), verbs=("create",))


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("system:authenticated", (DISCOVERY,)),
        ("system:authenticated", (REVIEWS,)),
        ("system:serviceaccounts", (DISCOVERY, REVIEWS)),
        ("system:authenticated", (OLD_POLICY,)),
        ("system:serviceaccounts", ()),
        ("system:serviceaccounts:elsewhere", RULES),
        ("system:unauthenticated", RULES),
    ],
)
def test_what_kubernetes_grants_to_everybody_or_others_have_is_no_role(
    name: str, rules: tuple[model.PolicyRule, ...]
) -> None:
    """Every cluster binds system:discovery and system:basic-user to all that are authenticated."""
    roles = (model.Role(name="admin", rules=rules),)
    assert unpermitted(binding(group(name), role=CLUSTER_ROLE, namespace=""), roles=roles) == [
        "ServiceAccount/apps/app"
    ]


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
    listed = of(
        "DEP004",
        row("app", node, APP),
        workloads=(node, APP),
        service_accounts=(ACCOUNT, replace(ACCOUNT, name="node")),
        roles=(READER,),
        role_bindings=(binding(account()),),
    )
    assert listed == []


def test_a_role_of_another_namespace_that_is_bound_does_not_bind_its_namesake() -> None:
    elsewhere = binding(account(), role=ObjectRef.of("Role", "app"), namespace="b")
    listed = unpermitted(binding(account()), elsewhere, roles=(OWN_ROLE, replace(OWN_ROLE, namespace="b"), READER))
    assert listed == ["ServiceAccount/apps/app"]


def test_several_roles_of_one_account_are_one_finding() -> None:
    (item,) = of(
        "DEP004",
        row("app", APP),
        workloads=(APP,),
        service_accounts=(ACCOUNT,),
        roles=(READER, OWN_ROLE, replace(OWN_ROLE, namespace="")),
        role_bindings=(binding(account()),),
    )
    assert [each.detail for each in item.evidence] == [
        "Role/apps/app is not bound to anything",
        "ClusterRole/app is not bound to anything",
    ]
    assert item.subject == account()


# ── System add-ons ──────────────────────────────────────────────────────────────────────────────────────────────


def system(addon_id: str, kind: str) -> AddOn:
    return addon(addon_id, f"acme/{addon_id}", system=True, workloads=(WorkloadFingerprint(kind=kind, name=addon_id),))


PROXY = catalog(
    replace(system("proxy", "DaemonSet"), provides=(ClusterService.SERVICE_NETWORK,)),
    addon("mesh", "acme/mesh", provides=(ClusterService.SERVICE_NETWORK,)),
)
LEFT = {
    "service_accounts": (model.ServiceAccount(name="proxy", namespace="kube-system"),),
    "nodes": (model.Node(name="node-1"),),
}


def gone(*rows: Installation, known: Catalog = PROXY, **parts: Any) -> list[str]:
    return [str(item.subject) for item in of("INV006", *rows, known=known, **(LEFT | parts))]


def test_a_system_addon_of_which_only_the_account_is_left_is_found() -> None:
    assert gone() == ["DaemonSet/kube-system/proxy"]
    assert gone(row("proxy", LIVE)) == []
    (item,) = of("INV006", known=PROXY, **LEFT)
    assert (item.severity, item.subject) == (Severity.REQUIRED, ObjectRef.of("DaemonSet", "proxy", "kube-system"))
    assert item.evidence[0].ref == ObjectRef.of("ServiceAccount", "proxy", "kube-system")


def test_what_eks_offers_is_installed_by_eks_where_the_cluster_is_its_own() -> None:
    offered = catalog(replace(system("proxy", "DaemonSet"), install=Install(eks=EksInstall(name="kube-proxy"))))
    (item,) = of("INV006", known=offered, eks=eks(), **LEFT)
    assert item.fix == (model.CreateAddon(cluster="prod-eu-1", addon="kube-proxy"),)
    (item,) = of("INV006", known=PROXY, eks=eks(), **LEFT)
    assert item.fix == (model.Apply(what="the manifests of Proxy, as they were installed"),)


def test_a_system_addon_that_another_stands_in_for_or_aws_runs_is_not_missed() -> None:
    assert gone(row("mesh", LIVE)) == []
    assert gone(row("proxy", owner=owners.AwsManaged("EKS Auto Mode"))) == []


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
