"""Whose an installation is: by what its objects carry and by what the installers wrote down."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.inventory import take_inventory
from addonctl.inventory.ownership import Ownership, by_precedence
from addonctl.model import Claim, View, owners
from addonctl.model.owners import Owner
from addonctl.render.commands import fix_text
from tests.builders import eks, small_catalog, snapshot, workload

COREDNS = "registry.example.com/mirror/coredns/coredns:v1.12.4"
CATALOG = small_catalog()
FLUX = "kustomize.toolkit.fluxcd.io"
HELM = {"meta.helm.sh/release-name": "dns", "meta.helm.sh/release-namespace": "apps"}
TRACKED = "argocd.argoproj.io/tracking-id"


def inventory(**parts: Any) -> model.Inventory:
    return take_inventory(View(snapshot(**parts)), CATALOG)


def owner_of(thing: model.Workload, **parts: Any) -> Owner:
    (row,) = inventory(workloads=(thing,), **parts).installations
    return row.owner


def codes(*things: model.Workload, **parts: Any) -> list[str]:
    return [found.code for found in inventory(workloads=things, **parts).findings]


def dns(**more: Any) -> model.Workload:
    return workload("dns", COREDNS, **more)


def applied_by(manager: str, operation: str = "Apply") -> dict[str, Any]:
    return {"appliers": (model.Applier(manager=manager, api_version="apps/v1", operation=operation),)}


def application(name: str, *resources: model.ObjectRef, **more: Any) -> model.Application:
    return model.Application(name=name, namespace="argocd", resources=resources, **more)


# ── What an object carries ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("more", "owner"),
    [
        ({"annotations": HELM}, owners.HelmRelease("apps", "dns")),
        (applied_by("eks"), owners.EksAddon("coredns")),
        (applied_by("kubectl"), owners.Manifest("kubectl")),
        ({"annotations": {TRACKED: "dns:apps/Deployment:apps/dns"}}, owners.ArgoApplication("", "dns")),
        ({"annotations": {TRACKED: "team_dns:apps/Deployment:apps/dns"}}, owners.ArgoApplication("team", "dns")),
        (
            {"labels": {f"{FLUX}/name": "infra", f"{FLUX}/namespace": "flux-system"}},
            owners.FluxKustomization("flux-system", "infra"),
        ),
        ({"labels": {"addon.kops.k8s.io/name": "coredns.addons.k8s.io"}}, owners.Manifest("kops")),
        (applied_by("Terraform"), owners.Manifest("terraform")),
        ({"annotations": {"kapp.k14s.io/identity": "v1;a/apps/Deployment/dns;apps/v1"}}, owners.Manifest("kapp")),
        ({"labels": {"projectsveltos.io/reference-name": "prod"}}, owners.Manifest("sveltos")),
        ({"labels": {"olm.owner": "dns.v1.2.0"}}, owners.Manifest("olm")),
        (applied_by("pulumi-kubernetes-0f1e2d3c"), owners.Manifest("pulumi")),
        ({}, owners.Undetermined("no label, annotation or field manager says who installed it")),
    ],
)
def test_owner_by_what_the_object_carries(more: dict[str, Any], owner: Owner) -> None:
    assert owner_of(dns(**more)) == owner


@pytest.mark.parametrize("label", ["app.kubernetes.io/managed-by", "heritage"])
def test_a_label_alone_is_a_claim_and_makes_no_owner(label: str) -> None:
    (row,) = inventory(workloads=(dns(labels={label: "Helm"}),)).installations
    why = "a label says Helm, as charts write it, and no release or annotation does"
    assert row.owner == owners.Undetermined(why)
    assert [(claim.owner, claim.evidence) for claim in row.claims] == [
        (owners.HelmRelease("apps", ""), f"label {label}: Helm")
    ]
    named = {label: "Helm", "app.kubernetes.io/instance": "dns"}
    assert owner_of(dns(labels=named, **applied_by("kubectl"))) == owners.Manifest("kubectl")
    assert owner_of(dns(labels=named), helm_releases=(release(),)) == owners.HelmRelease("apps", "dns")
    files = model.Cluster(name="files", source="files")
    assert owner_of(dns(labels=named), cluster=files) == owners.Manifest("")


def test_what_eks_does_not_list_it_left_there() -> None:
    assert owner_of(dns(**applied_by("eks")), eks=eks(addons=())) == owners.Manifest("eks")
    unread = model.Gap(part="eks:addons", reason=model.GapReason.FORBIDDEN, detail="403")
    assert owner_of(dns(**applied_by("eks")), eks=eks(), gaps=(unread,)) == owners.EksAddon("coredns")


# ── Files and dumps ─────────────────────────────────────────────────────────────────────────────────────────────────

FILES = model.Cluster(name="files", source="files")


def test_manifests_that_nobody_applied_are_their_own_truth() -> None:
    assert owner_of(dns(), cluster=FILES) == owners.Manifest("")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "the dump has no managedFields; take it with --show-managed-fields"),
        (applied_by("acme-operator"), "no label, annotation or field manager says who installed it"),
    ],
)
def test_objects_of_a_dump_are_no_manifests(more: dict[str, Any], reason: str) -> None:
    assert owner_of(dns(uid="5f", **more), cluster=FILES) == owners.Undetermined(reason)
    assert owner_of(dns(uid="5f", annotations=HELM, **more), cluster=FILES) == owners.HelmRelease("apps", "dns")


def test_pods_of_a_dump_do_not_say_who_installed_them() -> None:
    maker = model.ObjectRef(kind="ReplicaSet", name="coredns-5d78c9869d", group="apps")
    pod = model.Pod(
        name="coredns-5d78c9869d-x2x4z",
        namespace="kube-system",
        uid="77",
        owners=(maker,),
        labels={"pod-template-hash": "5d78c9869d"},
        containers=(model.ContainerStatus(name="coredns", image=COREDNS),),
    )
    (row,) = inventory(pods=(pod,), cluster=FILES).installations
    assert row.owner == owners.Undetermined("only its pods were read, and they do not show who installed it")


# ── Argo CD ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DNS = model.ObjectRef.of("Deployment", "dns", "apps")
TRACKED_DNS = {TRACKED: "dns:apps/Deployment:apps/dns"}


@pytest.mark.parametrize("auto_sync", [True, False])
def test_an_application_owns_what_it_lists(auto_sync: bool) -> None:
    owner = owner_of(dns(), applications=(application("dns", DNS, auto_sync=auto_sync),))
    assert owner == owners.ArgoApplication("argocd", "dns")
    assert isinstance(owner, owners.ArgoApplication)
    assert owner.auto_sync is auto_sync
    unread = owner_of(dns(annotations=TRACKED_DNS))
    assert isinstance(unread, owners.ArgoApplication)
    assert unread.auto_sync is None


def test_applications_of_a_hub_own_nothing_here() -> None:
    remote = application("dns", DNS, destination_in_cluster=False)
    kept = dns(**applied_by("eks"))
    assert owner_of(kept, applications=(remote,)) == owners.EksAddon("coredns")
    tracked = dns(annotations=TRACKED_DNS, **applied_by("eks"))
    assert owner_of(tracked, applications=(remote,)) == owners.EksAddon("coredns")
    assert codes(tracked, applications=(remote,)) == []


SERVER = "https://0A1B2C3D4E5F6A7B8C9D0E1F2A3B4C5D.gr7.eu-central-1.eks.amazonaws.com"
ARN = "arn:aws:eks:eu-central-1:111122223333:cluster/prod-eu-1"


@pytest.mark.parametrize(
    ("destination", "here"),
    [
        ("https://kubernetes.default.svc", True),
        ("https://kubernetes.default.svc:443/", True),
        (SERVER, True),
        (SERVER.lower() + "/", True),
        (ARN, True),  # so EKS's own Argo CD names clusters
        ("https://bastion.example:8443", True),  # through which the cluster was read
        (SERVER.replace("0A1B", "1A1B"), False),
        (ARN.replace("prod", "test"), False),
        ("https://bastion.example:8444", False),
        ("prod-eu-2", False),
    ],
)
def test_an_application_may_name_this_cluster_by_any_of_its_addresses(destination: str, here: bool) -> None:
    app = application("dns", DNS, destination=destination, destination_in_cluster=False)
    at = model.EksCluster(name="prod-eu-1", arn=ARN, endpoint=SERVER)
    cluster = model.Cluster(name="prod-eu-1", server="https://bastion.example:8443")
    owner = owner_of(
        dns(annotations=TRACKED_DNS, **applied_by("kubectl")),
        applications=(app,),
        cluster=cluster,
        eks=model.Eks(cluster=at),
    )
    assert owner == (owners.ArgoApplication("argocd", "dns") if here else owners.Manifest("kubectl"))


def test_a_namesake_that_deploys_here_owns_what_is_tracked() -> None:
    remote = application("dns", destination_in_cluster=False)
    here = model.Application(name="dns", namespace="team")
    owner = owner_of(dns(annotations=TRACKED_DNS), applications=(remote, here))
    assert owner == owners.ArgoApplication("team", "dns")


def test_a_listed_object_is_of_its_group() -> None:
    knative = model.ObjectRef(kind="Deployment", name="dns", namespace="apps", group="example.com")
    assert owner_of(dns(**applied_by("kubectl")), applications=(application("dns", knative),)) == owners.Manifest(
        "kubectl"
    )


# ── Helm and Flux ───────────────────────────────────────────────────────────────────────────────────────────────────


def release(*objects: model.HelmObject, **more: Any) -> model.HelmRelease:
    given: dict[str, Any] = {"chart": "coredns", "chart_version": "1.43.2", "status": "deployed", "revision": 1}
    return model.HelmRelease(name="dns", namespace="apps", objects=objects, **(given | more))


@pytest.mark.parametrize(
    ("api_version", "owned"),
    [("apps/v1", True), ("extensions/v1beta1", True), ("example.com/v1", False)],
)
def test_a_release_owns_what_its_manifest_holds(api_version: str, owned: bool) -> None:
    made = model.HelmObject(api_version=api_version, kind="Deployment", name="dns")
    claims = Ownership(View(snapshot(workloads=(dns(),), helm_releases=(release(made),)))).claims(dns())
    assert [claim.owner for claim in claims] == ([owners.HelmRelease("apps", "dns")] if owned else [])


def test_what_was_uninstalled_owns_nothing() -> None:
    made = model.HelmObject(api_version="apps/v1", kind="Deployment", name="dns")
    gone = release(made, status="uninstalled")
    assert Ownership(View(snapshot(helm_releases=(gone,)))).claims(dns()) == ()


def test_a_helm_release_that_flux_keeps_is_flux() -> None:
    kept = model.FluxHelmRelease(name="dns", namespace="flux-system", release="dns", target_namespace="apps")
    parts: dict[str, Any] = {"flux_helm_releases": (kept,), "helm_releases": (release(),)}
    assert owner_of(dns(annotations=HELM), **parts) == owners.FluxHelmRelease("flux-system", "dns")
    assert codes(dns(annotations=HELM), **parts) == []


def test_a_helm_release_object_for_another_cluster_keeps_nothing_here() -> None:
    kept = model.FluxHelmRelease(
        name="dns", namespace="flux-system", release="dns", target_namespace="apps", elsewhere=True
    )
    parts: dict[str, Any] = {"flux_helm_releases": (kept,), "helm_releases": (release(),)}
    assert owner_of(dns(annotations=HELM), **parts) == owners.HelmRelease("apps", "dns")


def test_helm_is_the_means_of_flux_also_where_its_objects_were_not_read() -> None:
    labels = {"helm.toolkit.fluxcd.io/name": "dns", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
    made = dns(annotations=HELM, labels=labels)
    assert owner_of(made, helm_releases=(release(),)) == owners.FluxHelmRelease("flux-system", "dns")
    assert codes(made, helm_releases=(release(),)) == []


# ── Fights ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_owners_of_the_same_objects_are_a_finding() -> None:
    both = workload("coredns", COREDNS, namespace="kube-system", annotations=HELM, **applied_by("eks"))
    (found,) = inventory(workloads=(both,)).findings
    assert (found.code, found.subject) == (
        "INV001",
        model.InstallationRef("coredns/kube-system/coredns", "coredns"),
    )
    assert [item.subject for item in found.evidence] == ["eks add-on coredns", "helm release apps/dns"]
    assert codes(both, eks=eks(addons=())) == [], "EKS lists it no longer: its field manager is history"


def test_eks_fights_with_whoever_keeps_objects_of_its_addon() -> None:
    labels = {f"{FLUX}/name": "infra", f"{FLUX}/namespace": "flux-system"}
    listed = eks(addons=(model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3"),))
    assert codes(workload("coredns", COREDNS, namespace="kube-system", labels=labels), eks=listed) == ["INV001"]


def test_one_owner_keeps_what_is_fought_over_and_the_others_let_it_go_with_its_objects() -> None:
    both = workload("coredns", COREDNS, namespace="kube-system", annotations=HELM, **applied_by("eks"))
    (found,) = inventory(workloads=(both,)).findings
    assert fix_text(found).splitlines() == [
        "# Let one owner keep it. If that is eks add-on coredns, its objects stay and the other lets go:",
        "# makes Helm forget helm release apps/dns:",
        "kubectl delete secret -n apps -l owner=helm,name=dns",
    ]
    listed = eks(addons=(model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3"),))
    labels = {f"{FLUX}/name": "infra", f"{FLUX}/namespace": "flux-system"}
    (found,) = inventory(workloads=(replace(both, annotations={}, labels=labels),), eks=listed).findings
    assert fix_text(found).splitlines()[1:] == [
        "# takes it from eks add-on coredns:",
        "aws eks delete-addon --cluster-name prod-eu-1 --addon-name coredns --preserve",
    ]


def test_the_owner_that_counts_keeps_it_whichever_was_met_first() -> None:
    listed = eks(addons=(model.EksAddon(name="coredns", version="v1.12.4-eksbuild.3"),))
    of_helm = workload("coredns", COREDNS, namespace="kube-system", annotations=HELM)
    seen = inventory(workloads=(of_helm,), eks=listed)
    (row,), (found,) = seen.installations, seen.findings
    assert row.owner == owners.EksAddon("coredns")
    assert [item.subject for item in found.evidence] == ["eks add-on coredns", "helm release apps/dns"]
    assert "kubectl delete secret -n apps -l owner=helm,name=dns" in fix_text(found)
    assert "delete-addon" not in fix_text(found)


def test_parts_that_several_applications_keep_are_no_fight() -> None:
    parts = (
        workload("istiod", "istio/pilot:1.28.0", annotations={TRACKED: "istiod:apps/Deployment:apps/istiod"}),
        workload("cni", "istio/install-cni:1.28.0", annotations={TRACKED: "istio-cni:apps/Deployment:apps/cni"}),
    )
    (row,) = inventory(workloads=parts).installations
    assert len(row.claims) == len(parts)
    assert codes(*parts) == []


def test_two_applications_that_keep_one_object_fight() -> None:
    other = application("other", DNS)
    tracked = dns(annotations=TRACKED_DNS)
    assert codes(tracked, applications=(application("dns"), other)) == ["INV001"]
    assert codes(tracked, applications=(application("dns", DNS, auto_sync=True),)) == [], "one owner, known twice"


# ── Precedence ──────────────────────────────────────────────────────────────────────────────────────────────────────

ALL = [
    owners.ArgoApplication("argocd", "dns"),
    owners.FluxHelmRelease("flux-system", "dns"),
    owners.FluxKustomization("flux-system", "infra"),
    owners.EksAddon("coredns"),
    owners.HelmRelease("apps", "dns"),
    owners.AwsManaged("EKS Auto Mode"),
    owners.Manifest("kubectl"),
    owners.Undetermined(),
]


@given(st.lists(st.sampled_from(ALL), unique=True, min_size=1))
def test_the_claim_that_counts_does_not_depend_on_the_order(some: list[Owner]) -> None:
    claims = [Claim(owner=owner, evidence="seen") for owner in some]
    assert [claim.method for claim in by_precedence(claims)] == [c.method for c in by_precedence(reversed(claims))]
    assert by_precedence(claims)[0].method is min(some, key=ALL.index).method
