"""Preflight: each check finds what it is for, and says nothing of a healthy cluster.

The world is one cluster with CoreDNS by EKS, two replicas on two nodes; tests change one thing in it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl import model
from addonctl.assessment import Assessment
from addonctl.catalog import (
    Catalog,
    ChartInstall,
    ClusterService,
    CrdRemoval,
    EksAddonVersions,
    EksInstall,
    EksVersion,
    Install,
    Meets,
    Requirement,
    Skew,
    UpgradeNote,
    Weight,
)
from addonctl.errors import BadInput
from addonctl.findings import CHECKS, Capability
from addonctl.model import Finding, ObjectRef, Severity, live
from addonctl.model.plan import OpenQuestion, Plan
from addonctl.model.preflight import Fact, ForeignField, StepFacts, Violation
from addonctl.plan import update_plan, upgrade_plan
from addonctl.preflight import Prepared, check_accepted, preflight
from addonctl.versions import Minor, Version, VersionRange
from tests.builders import NOW, addon, eks, offered, small_catalog, snapshot
from tests.judging import assessed

OLD, NEW = "v1.12.1-eksbuild.1", "v1.12.4-eksbuild.3"
LABELS = {"k8s-app": "kube-dns"}
DNS = ObjectRef.of("Deployment", "coredns", "kube-system")
MIB = 2**20
ALL_READ = StepFacts(configuration={OLD: (), NEW: ()}, fields=(), stored_versions={}, lacking=())


# ── The world ───────────────────────────────────────────────────────────────────────────────────────────────────────


def catalog(*versions: EksVersion, **more: Any) -> Catalog:
    """CoreDNS in two versions for 1.34, and what `more` says of it."""
    known = small_catalog()
    listed = versions or (offered(NEW, {"1.34": "*", "1.35": "*"}, "1.34"), offered(OLD, {"1.34": "*"}))
    table = replace(known.eks, addons={"coredns": EksAddonVersions(name="coredns", versions=listed)})
    given: dict[str, Any] = {
        "install": Install(eks=EksInstall(name="coredns"), charts=(ChartInstall(name="coredns"),)),
        "provides": (ClusterService.CLUSTER_DNS,),
    }
    return replace(
        known, addons={**known.addons, "coredns": addon("coredns", "coredns/coredns", **(given | more))}, eks=table
    )


def container(**more: Any) -> model.Container:
    asked: dict[str, Any] = {
        "cpu_request_millicores": 100,
        "memory_request_bytes": 70 * MIB,
        "has_readiness_probe": True,
    }
    return model.Container(name="coredns", **({"image": "eks/coredns/coredns:v1.12.1-eksbuild.1"} | asked | more))


def dns(containers: tuple[model.Container, ...] = (), kind: str = "Deployment", **more: Any) -> model.Workload:
    template = model.PodTemplate(labels=LABELS, containers=containers or (container(),), **more.pop("template", {}))
    counts: dict[str, Any] = dict.fromkeys(
        ("desired", "ready", "available", "updated", "total"), more.pop("replicas", 2)
    )
    return model.Workload(
        kind=kind,
        name="coredns",
        namespace="kube-system",
        labels=LABELS,
        selector=LABELS,
        template=template,
        strategy=more.pop("strategy", "RollingUpdate"),
        **(counts | more),
    )


def node(name: str, **more: Any) -> model.Node:
    ready = model.Condition(type="Ready", status=more.pop("ready", "True"))
    given: dict[str, Any] = {
        "cpu_millicores": 2000,
        "memory_bytes": 4096 * MIB,
        "max_pods": 17,
        "kubelet_version": "v1.34.1-eks-1",
    }
    return model.Node(name=name, conditions=(ready,), **(given | more))


def pod(name: str, on: str, cpu: int = 100, **more: Any) -> model.Pod:
    given: dict[str, Any] = {
        "namespace": "kube-system",
        "labels": LABELS,
        "owners": (ObjectRef.of("ReplicaSet", "coredns-5d"),),
        "phase": "Running",
        "ready": True,
        "memory_request_bytes": 70 * MIB,
    }
    return model.Pod(name=name, node=on, cpu_request_millicores=cpu, **(given | more))


REVISION = model.Revision(
    kind="ReplicaSet", name="coredns-5d", namespace="kube-system", owners=(ObjectRef.of("Deployment", "coredns"),)
)
ADDON = model.EksAddon(name="coredns", namespace="kube-system", status="ACTIVE", version=OLD, is_configured=True)
NODES = (node("a"), node("b"))
PODS = (pod("coredns-5d-1", "a"), pod("coredns-5d-2", "b"))


def cluster(known: Catalog | None = None, **parts: Any) -> Assessment:
    given: dict[str, Any] = {
        "workloads": (dns(),),
        "revisions": (REVISION,),
        "pods": PODS,
        "nodes": NODES,
        "namespaces": (model.Namespace(name="kube-system"),),
        "eks": eks(addons=(parts.pop("eks_addon", ADDON),)),
    }
    return assessed(snapshot(**(given | parts)), known or catalog())


def made(world: Assessment, known: Catalog | None = None, to: str = NEW) -> Plan:
    return update_plan(world, known or catalog(), "coredns", to, NOW)


def found(
    world: Assessment,
    known: Catalog | None = None,
    *,
    plan: Plan | None = None,
    facts: StepFacts | Mapping[str, StepFacts] = ALL_READ,
    **plan_options: str,
) -> tuple[Finding, ...]:
    known = known or catalog()
    plan = plan or made(world, known, **plan_options)
    read = facts if isinstance(facts, Mapping) else {step.id: facts for step in plan.steps}
    return preflight(plan, world, known, read)


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [each.code for each in findings]


def one(findings: tuple[Finding, ...], code: str) -> Finding:
    (only,) = (each for each in findings if each.code == code)
    return only


def test_of_a_healthy_cluster_of_which_all_was_read_it_says_nothing() -> None:
    assert found(cluster()) == ()


def test_a_plan_without_steps_has_nothing_to_find() -> None:
    world = cluster(
        eks_addon=replace(ADDON, version=NEW), workloads=(dns((container(image=f"coredns/coredns:{NEW}"),)),)
    )
    assert found(world) == ()


# ── Before (PRE001, PRE006, PRE007, PRE021) ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", ["UPDATING", "CREATING", "DELETING"])
def test_while_eks_changes_it_nothing_else_can(status: str) -> None:
    busy = one(found(cluster(eks_addon=replace(ADDON, status=status))), "PRE001")
    assert busy.severity is Severity.REQUIRED
    assert status in busy.evidence[0].detail


def test_an_update_that_goes_on_is_one_whatever_the_status_says() -> None:
    update = model.EksUpdate(id="u-1", type="AddonUpdate", status="InProgress", addon="coredns")
    assert "PRE001" in codes(found(cluster(eks_addon=replace(ADDON, updates=(update,)))))
    done = replace(ADDON, updates=(replace(update, status="Successful"),))
    assert "PRE001" not in codes(found(cluster(eks_addon=done)))


def by_helm(status: str, ago: timedelta = timedelta(0), **more: Any) -> tuple[Assessment, Plan]:
    """CoreDNS by Helm: chart 1.43.0 of CoreDNS 1.12.1, to 1.45.0; its last change began so long `ago`."""
    release = model.HelmRelease(
        name="coredns",
        namespace="kube-system",
        chart="coredns",
        chart_version="1.43.0",
        revision=3,
        updated=NOW - ago,
        status=status,
        deployed_revision=2,
        objects=(model.HelmObject(api_version="apps/v1", kind="Deployment", name="coredns"),),
    )
    helm = {"app.kubernetes.io/managed-by": "Helm", **LABELS}
    annotations = {"meta.helm.sh/release-name": "coredns", "meta.helm.sh/release-namespace": "kube-system"}
    workload = dns((container(image="coredns/coredns:1.12.1"),), annotations=annotations)
    world = cluster(eks=None, helm_releases=(release,), workloads=(replace(workload, labels=helm),), **more)
    return world, made(world, to="1.45.0")


@pytest.mark.parametrize(("status", "is_busy"), [("pending-upgrade", True), ("deployed", False), ("failed", False)])
def test_helm_makes_one_change_at_a_time(status: str, is_busy: bool) -> None:
    world, plan = by_helm(status)
    assert ("PRE001" in codes(found(world, plan=plan))) is is_busy


def test_a_release_that_hangs_is_unhealthy_and_nobody_is_at_work_on_it() -> None:
    world, plan = by_helm("pending-upgrade", timedelta(days=9))
    listed = found(world, plan=plan)
    assert "PRE001" not in codes(listed)
    assert "INV007" in one(listed, "PRE006").evidence[0].detail


def test_what_is_broken_already_is_not_updated() -> None:
    crashing = replace(
        PODS[0],
        ready=False,
        containers=(model.ContainerStatus(name="coredns", waiting="CrashLoopBackOff", restarts=9),),
    )
    unhealthy = one(found(cluster(pods=(crashing, PODS[1]))), "PRE006")
    assert unhealthy.severity is Severity.REQUIRED
    assert "HLT001" in unhealthy.evidence[0].detail


def test_a_degraded_eks_addon_is_unhealthy() -> None:
    assert "PRE006" in codes(found(cluster(eks_addon=replace(ADDON, status="DEGRADED"))))


def test_what_is_required_of_a_version_is_what_an_update_is_for() -> None:
    """The present version does not support the running Kubernetes: no reason to keep it."""
    known = catalog(offered(NEW, {"1.34": "*"}, "1.34"), offered(OLD, {"1.33": "*"}))
    world = cluster(known)
    assert "EKS001" in codes(world.findings)
    assert "PRE006" not in codes(found(world, known))


def test_nodes_that_are_not_ready_hold_up_a_daemonset_and_no_deployment() -> None:
    nodes = (*NODES, node("c", ready="False"))
    assert one(found(cluster(nodes=nodes)), "PRE007").severity is Severity.RECOMMENDED
    by_node = cluster(nodes=nodes, workloads=(dns(kind="DaemonSet"),), revisions=(), pods=())
    assert one(found(by_node), "PRE007").severity is Severity.REQUIRED


def test_a_control_plane_in_change_is_not_at_rest() -> None:
    changing = replace(
        eks(addons=(ADDON,)), cluster=model.EksCluster(name="prod-eu-1", version="1.34", status="UPDATING")
    )
    assert "UPDATING" in one(found(cluster(eks=changing)), "PRE007").evidence[0].detail


# ── Configuration (PRE002, PRE014, PRE020) ──────────────────────────────────────────────────────────────────────────


BAD = Violation("replicaCount", "must be integer")


def test_a_configuration_that_the_target_rejects_cannot_be_accepted() -> None:
    facts = replace(ALL_READ, configuration={NEW: (BAD,), OLD: ()})
    listed = found(cluster(), facts=facts)
    assert codes(listed) == ["PRE002"]
    assert listed[0].evidence[0].detail == "must be integer"
    refused = Prepared(made(cluster()), listed, frozenset({"PRE002"}))
    assert not CHECKS["PRE002"].acceptable
    with pytest.raises(BadInput, match="PRE002 cannot be accepted"):
        check_accepted(["pre002"])
    assert Prepared(refused.plan, listed).refusals == listed


def test_a_configuration_that_only_the_old_version_rejects_blocks_the_way_back() -> None:
    facts = replace(ALL_READ, configuration={NEW: (), OLD: (BAD,)})
    assert codes(found(cluster(), facts=facts)) == ["PRE014"]


def test_a_version_that_stays_is_asked_about_the_new_configuration_alone() -> None:
    world, facts = cluster(), replace(ALL_READ, configuration={OLD: (BAD,)})
    stays = update_plan(world, catalog(), "coredns", "", NOW, configured=True)
    assert codes(found(world, plan=stays, facts=facts)) == ["PRE002"]


def test_where_there_is_no_way_back_its_schema_is_nobodys_concern() -> None:
    known = catalog(offered(NEW, {"1.34": "*"}, "1.34"), offered(OLD, {"1.33": "*"}))
    facts = replace(ALL_READ, configuration={NEW: (), OLD: (BAD,)})
    assert codes(found(cluster(known), known, facts=facts)) == ["PRE010"]


def test_fields_of_others_are_told_by_object_and_manager() -> None:
    fields = (
        ForeignField(DNS, "kubectl-edit", "spec.replicas"),
        ForeignField(DNS, "kubectl-patch", "spec.template.spec.dnsPolicy"),
    )
    (clash,) = found(cluster(), facts=replace(ALL_READ, fields=fields))
    assert (clash.code, clash.subject, clash.severity) == ("PRE020", DNS, Severity.RECOMMENDED)
    assert [each.subject for each in clash.evidence] == ["set by kubectl-edit", "set by kubectl-patch"]


# ── CRDs (PRE003, PRE022) ───────────────────────────────────────────────────────────────────────────────────────────


CRD = model.CustomResourceDefinition(
    name="zones.dns.io",
    group="dns.io",
    kind="Zone",
    plural="zones",
    versions=(model.CrdVersion(name="v1alpha1"), model.CrdVersion(name="v1", storage=True)),
    stored_versions=("v1alpha1", "v1"),
    conditions=(model.Condition(type="Established", status="True"),),
)


def dropping(version: str, removed_in: str = "1.12.3") -> Catalog:
    removal = CrdRemoval(addon="coredns", crd=CRD.name, version=version, removed_in=Version.of(removed_in))
    known = catalog()
    return replace(known, kubernetes=replace(known.kubernetes, crd_removals=(removal,)))


def test_a_stored_version_that_the_step_drops_blocks_it() -> None:
    known = dropping("v1alpha1")
    assert "PRE003" in codes(found(cluster(known, crds=(CRD,)), known))


@pytest.mark.parametrize(
    ("known", "crd"),
    [
        (dropping("v1alpha1"), replace(CRD, stored_versions=("v1",))),
        (dropping("v1alpha1", "1.13.0"), CRD),
        (dropping("v1alpha1", "1.12.0"), CRD),
        (dropping("v1beta1"), CRD),
    ],
    ids=["not stored any more", "dropped by a later one", "dropped before", "another version"],
)
def test_what_the_step_does_not_drop_does_not_block_it(known: Catalog, crd: model.CustomResourceDefinition) -> None:
    assert not {"PRE003", "PRE022"} & set(codes(found(cluster(known, crds=(crd,)), known)))


def test_what_was_read_just_now_counts_more_than_the_snapshot() -> None:
    known = dropping("v1alpha1")
    migrated = replace(ALL_READ, stored_versions={CRD.name: ("v1",)})
    assert "PRE003" not in codes(found(cluster(known, crds=(CRD,)), known, facts=migrated))


def test_resources_written_in_a_dropped_version_are_counted() -> None:
    known = dropping("v1alpha1")
    written = model.CustomResources(
        group="dns.io", kind="Zone", plural="zones", count=3, written_as={"dns.io/v1alpha1": 2}
    )
    told = one(found(cluster(known, crds=(CRD,), custom_resources=(written,)), known), "PRE022")
    assert told.evidence[0].detail.startswith("2 objects written as v1alpha1")
    whole = dropping("*")
    told = one(found(cluster(whole, crds=(CRD,), custom_resources=(written,)), whole), "PRE022")
    assert told.evidence[0].detail.startswith("3 objects of a kind")


# ── Versions (PRE004, PRE005, PRE011, PRE012, PRE013, PRE016) ───────────────────────────────────────────────────────


def test_a_chart_whose_versions_are_its_own_leaves_kubernetes_open() -> None:
    world, plan = by_helm("deployed")
    unknown = one(found(world, plan=plan), "PRE004")
    assert unknown.severity is Severity.INFO
    assert "chart" in unknown.evidence[0].detail


def test_a_version_that_follows_the_control_plane_does_not_fit_until_then() -> None:
    known = catalog(offered("v1.13.1-eksbuild.1", {"1.35": "*"}, "1.35"), offered(OLD, {"1.34": "*"}))
    world = cluster(known)
    plan = upgrade_plan(world, known, Minor.of("1.35"), NOW)
    facts = StepFacts(configuration={OLD: (), "v1.13.1-eksbuild.1": ()}, fields=())
    between = one(found(world, known, plan=plan, facts=facts), "PRE004")
    assert between.severity is Severity.RECOMMENDED
    assert "not 1.35" in between.evidence[0].detail


def test_open_questions_are_a_finding() -> None:
    asked = OpenQuestion(installation="x", kubernetes=Minor.of("1.35"), reason="nobody published it")
    plan = replace(made(cluster()), steps=(), questions=(asked,))
    assert codes(found(cluster(), plan=plan)) == ["PRE011"]


@pytest.mark.parametrize(("kubelet", "fits"), [("v1.12.0", True), ("v1.9.0", False)])
def test_a_component_may_not_be_too_far_from_the_kubelets(kubelet: str, fits: bool) -> None:
    known = catalog(component="coredns")
    rule = Skew(component="coredns", against="kubelet", minors_behind=1, minors_ahead=1)
    known = replace(known, kubernetes=replace(known.kubernetes, skew=(rule,)))
    world = cluster(known, nodes=(*NODES[:0], node("a", kubelet_version=kubelet), node("b", kubelet_version=kubelet)))
    assert ("PRE005" not in codes(found(world, known))) is fits


@pytest.mark.parametrize(("platform", "fits"), [("eks.4", False), ("eks.5", True), ("eks.12", True), ("", True)])
def test_a_version_may_need_a_newer_platform(platform: str, fits: bool) -> None:
    known = catalog(offered(NEW, {"1.34": "eks.5+"}, "1.34"), offered(OLD, {"1.34": "*"}))
    of_aws = eks(addons=(ADDON,))
    world = cluster(known, eks=replace(of_aws, cluster=replace(of_aws.cluster, platform_version=platform)))
    assert ("PRE005" not in codes(found(world, known))) is fits


def note(versions: str, **more: Any) -> UpgradeNote:
    return UpgradeNote(what="it breaks", versions=VersionRange.of(versions), source="release notes", **more)


@pytest.mark.parametrize(
    ("known", "code", "severity"),
    [
        (note("1.12.2+"), "PRE013", Severity.RECOMMENDED),
        (note("1.12.4", meets=Meets.LANDS, weight=Weight.BLOCKS), "PRE013", Severity.REQUIRED),
        (note("1.12.2+", weight=Weight.CHANGES), "PRE013", Severity.INFO),
        (note("1.12.2", meets=Meets.JUMPS), "PRE012", Severity.REQUIRED),
        (note("1.12.3+", meets=Meets.RETURNS, weight=Weight.BLOCKS), "PRE010", Severity.REQUIRED),
        (note("1.12.3+", meets=Meets.RETURNS), "PRE010", Severity.RECOMMENDED),
        (note("*", meets=Meets.RETURNS), "PRE010", Severity.RECOMMENDED),
    ],
)
def test_what_is_known_of_the_versions_of_a_step(known: UpgradeNote, code: str, severity: Severity) -> None:
    facts = catalog(upgrade_notes=(known,))
    (told,) = found(cluster(facts), facts)
    assert (told.code, told.severity, told.evidence[0].subject) == (code, severity, "release notes")


def test_on_the_way_down_a_note_on_the_way_back_is_a_known_issue() -> None:
    facts = catalog(upgrade_notes=(note("1.12.3+", meets=Meets.RETURNS),))
    image = container(image=f"eks/coredns/coredns:{NEW}")
    world = cluster(facts, eks_addon=replace(ADDON, version=NEW), workloads=(dns((image,)),))
    assert codes(found(world, facts, to=OLD)) == ["PRE013"]


@pytest.mark.parametrize(
    "other",
    [
        note("1.12+"),
        note("1.13+"),
        note("1.12.1", meets=Meets.LANDS),
        note("1.12.4", meets=Meets.JUMPS),
        note("1.12+", meets=Meets.RETURNS),
        note("1.12.2+", chart=True),
    ],
    ids=["before it", "after it", "where it comes from", "ends in it", "does not return", "of the chart"],
)
def test_what_is_known_of_other_versions_is_not_told(other: UpgradeNote) -> None:
    facts = catalog(upgrade_notes=(other,))
    assert found(cluster(facts), facts) == ()


VERSIONS = st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)).map(
    lambda numbers: Version.of(".".join(map(str, numbers)))
)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_a_note_is_met_in_one_direction_and_never_by_standing_still(was: Version, to: Version, at: Version) -> None:
    reaches, returns = note(f"{at}+"), note(f"{at}+", meets=Meets.RETURNS)
    assert reaches.is_met(was, to) == (was < at <= to)
    assert returns.is_met(was, to) == (to < at <= was)
    assert not reaches.is_met(was, was)
    assert reaches.is_met(was, to) == returns.is_met(to, was)
    assert note("*", meets=Meets.RETURNS).is_met(was, to) == (to < was)


def test_a_skipped_minor_is_a_finding_with_the_minors() -> None:
    plan = made(cluster())
    skipping = replace(plan, steps=(replace(plan.steps[0], skips=("1.13",)),))
    assert "1.13" in one(found(cluster(), plan=skipping), "PRE012").evidence[0].detail


@pytest.mark.parametrize(
    ("had", "comes", "of_eks", "expected"),
    [
        ({}, {"requires_iam": True}, ADDON, Severity.RECOMMENDED),
        ({}, {"requires_iam": True}, replace(ADDON, service_account_role_arn="arn:aws:iam::1:role/dns"), None),
        ({"requires_iam": True}, {"requires_iam": True}, ADDON, None),
        ({}, {"requires_configuration": True}, replace(ADDON, is_configured=False), Severity.REQUIRED),
        ({}, {"requires_configuration": True}, ADDON, None),
    ],
)
def test_what_the_new_version_needs_for_the_first_time(
    had: Any, comes: Any, of_eks: model.EksAddon, expected: Severity | None
) -> None:
    known = catalog(replace(offered(NEW, {"1.34": "*"}, "1.34"), **comes), replace(offered(OLD, {"1.34": "*"}), **had))
    listed = [each.severity for each in found(cluster(known, eks_addon=of_eks), known) if each.code == "PRE016"]
    assert listed == ([expected] if expected else [])


# ── The rollout (PRE017, PRE018, PRE019) ────────────────────────────────────────────────────────────────────────────


def test_one_replica_that_surges_is_covered_by_hardening() -> None:
    world = cluster(workloads=(dns(replicas=1),), pods=PODS[:1])
    assert not {"PRE017", "PRE018"} & set(codes(found(world)))


@pytest.mark.parametrize(
    ("workload", "pauses"),
    [
        (dns(strategy="Recreate"), True),
        (dns(kind="StatefulSet", replicas=1), True),
        (dns(kind="StatefulSet"), False),
        (dns(kind="DaemonSet"), False),
        (dns(max_unavailable="100%"), False),
    ],
)
def test_nothing_serves_where_old_pods_end_first(workload: model.Workload, pauses: bool) -> None:
    world = cluster(workloads=(workload,), pods=(), revisions=(), services=(service("kube-dns", LABELS),))
    told = [each.severity for each in found(world) if each.code == "PRE018"]
    assert told == ([Severity.RECOMMENDED] if pauses else [])


def test_a_pause_of_what_nobody_calls_is_only_worth_knowing() -> None:
    behind = (service("kube-dns", LABELS),)
    known = catalog(provides=())
    world = cluster(known, workloads=(dns(strategy="Recreate"),), services=behind)
    assert one(found(world, known), "PRE018").severity is Severity.INFO
    controller = cluster(workloads=(dns(strategy="Recreate"),))
    assert one(found(controller), "PRE018").severity is Severity.INFO, "no Service: it watches and acts"


def test_without_a_readiness_probe_the_gate_is_blind() -> None:
    bare, init = container(has_readiness_probe=False), container(init=True, has_readiness_probe=False)
    world = cluster(workloads=(dns((bare,)),))
    assert one(found(world), "PRE019").severity is Severity.INFO, "DNS queries are counted as well"
    silent = catalog(provides=())
    serving = cluster(silent, workloads=(dns((bare,)),), services=(service("kube-dns", LABELS),))
    assert one(found(serving, silent), "PRE019").severity is Severity.RECOMMENDED
    acting = cluster(silent, workloads=(dns((bare,)),))
    assert one(found(acting, silent), "PRE019").severity is Severity.INFO, "nobody calls it"
    assert "PRE019" not in codes(found(cluster(workloads=(dns((container(), bare, init)),))))


def budget(**more: Any) -> model.DisruptionBudget:
    return model.DisruptionBudget(name="coredns", namespace="kube-system", selector=LABELS, **more)


@pytest.mark.parametrize(
    ("kind", "rule", "forbids"),
    [
        ("DaemonSet", {"disruptions_allowed": 0, "pods": 2, "healthy": 2, "min_available": "2"}, True),
        ("DaemonSet", {"disruptions_allowed": 0, "pods": 2, "healthy": 1, "min_available": "1"}, False),
        ("DaemonSet", {"disruptions_allowed": 1, "pods": 2, "healthy": 2, "min_available": "1"}, False),
        ("StatefulSet", {"max_unavailable": "0"}, True),
        ("StatefulSet", {"min_available": "100%"}, True),
        ("StatefulSet", {"min_available": "2"}, True),
        ("StatefulSet", {"min_available": "1"}, False),
        ("Deployment", {"disruptions_allowed": 0, "pods": 2, "healthy": 2, "min_available": "2"}, False),
    ],
)
def test_a_budget_is_in_the_way_of_what_does_not_surge(kind: str, rule: Any, forbids: bool) -> None:
    world = cluster(workloads=(dns(kind=kind),), disruption_budgets=(budget(**rule),), pods=(), revisions=())
    assert ("PRE017" in codes(found(world))) is forbids


# ── Room (PRE009) ───────────────────────────────────────────────────────────────────────────────────────────────────


FULL = tuple(pod(f"app-{on}", on, 1850, labels={}, owners=(), namespace="apps") for on in "ab")


def room(*nodes: model.Node, pods: tuple[model.Pod, ...] = PODS, **more: Any) -> list[Finding]:
    return [each for each in found(cluster(nodes=nodes or NODES, pods=pods, **more)) if each.code == "PRE009"]


def test_a_pod_more_needs_a_node_with_room() -> None:
    (full,) = room(pods=(*PODS, *FULL))
    assert full.severity is Severity.REQUIRED
    assert full.evidence[0].detail.startswith("requests 100m CPU and 70 MiB; none of 2 nodes")
    assert room(node("a"), node("b"), node("c"), pods=(*PODS, *FULL)) == []


def test_pods_that_ended_take_no_room() -> None:
    assert room(pods=(*PODS, *(replace(each, phase="Succeeded") for each in FULL))) == []


@pytest.mark.parametrize(
    "third",
    [
        node("c", max_pods=0 + 1, labels={"full": "yes"}),
        node("c", unschedulable=True),
        node("c", ready="False"),
        node("c", taints=(model.Taint(key="gpu", effect="NoSchedule"),)),
        node("c", labels={"eks.amazonaws.com/compute-type": "fargate"}),
        node("c", memory_bytes=64 * MIB),
    ],
    ids=["pods", "cordoned", "not ready", "tainted", "fargate", "memory"],
)
def test_a_node_that_takes_no_such_pod_is_no_room(third: model.Node) -> None:
    last = pod("on-c", "c", 0, labels={}, owners=(), namespace="apps", memory_request_bytes=0)
    assert room(node("a"), node("b"), third, pods=(*PODS, *FULL, last))


def test_a_taint_that_its_pods_bear_is_tolerated() -> None:
    taint = (model.Taint(key="CriticalAddonsOnly", effect="NoSchedule"),)
    tainted = (node("a", taints=taint), node("b", taints=taint))
    assert room(*tainted) == []
    assert room(*tainted, node("c", taints=taint), pods=(*PODS, *FULL)) == []


GPU = model.Taint(key="gpu", value="a100", effect="NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (model.Toleration(operator="Exists"), True),
        (model.Toleration(key="gpu", operator="Exists"), True),
        (model.Toleration(key="gpu", value="a100"), True),
        (model.Toleration(key="gpu", value="a100", effect="NoSchedule"), True),
        (model.Toleration(key="gpu", value="h100"), False),
        (model.Toleration(key="gpu", operator="Exists", effect="NoExecute"), False),
        (model.Toleration(key="cpu", operator="Exists"), False),
    ],
)
def test_what_is_tolerated_is_room(toleration: model.Toleration, tolerated: bool) -> None:
    bearing = dns(template={"tolerations": (toleration,)})
    free = node("c", taints=(GPU,))
    assert (room(*NODES, free, pods=(*PODS, *FULL), workloads=(bearing,)) == []) is tolerated


def test_a_taint_that_only_asks_keeps_nobody_off() -> None:
    asking = node("c", taints=(model.Taint(key="gpu", effect="PreferNoSchedule"),))
    assert room(*NODES, asking, pods=(*PODS, *FULL)) == []


def test_a_node_selector_narrows() -> None:
    chosen = dns(template={"node_selector": {"pool": "system"}})
    here = node("a", labels={"pool": "system"}), node("b", labels={"pool": "system"})
    assert room(*here, node("c"), pods=(*PODS, *FULL), workloads=(chosen,))


def test_a_pod_on_the_nodes_network_needs_a_node_of_its_own() -> None:
    port = (model.Port("dns", 53, "UDP"),)
    on_host = dns((container(ports=port),), template={"host_network": True})
    assert room(workloads=(on_host,))
    assert room(*NODES, node("c"), workloads=(on_host,)) == []


def test_where_nodes_come_by_themselves_it_only_takes_longer() -> None:
    auto = replace(eks(addons=(ADDON,)), cluster=model.EksCluster(name="prod-eu-1", version="1.34", auto_mode=True))
    assert [each.severity for each in room(pods=(*PODS, *FULL), eks=auto)] == [Severity.RECOMMENDED]


def test_fargate_brings_a_node_for_every_pod() -> None:
    fargate: dict[str, Any] = {"labels": {"eks.amazonaws.com/compute-type": "fargate"}, "max_pods": 1}
    assert room(node("a", **fargate), node("b", **fargate)) == []


def test_a_volume_may_hold_a_second_pod_up() -> None:
    held = dns(template={"claims": ("data",)})
    assert [each.severity for each in room(workloads=(held,))] == [Severity.RECOMMENDED]


def test_a_daemonset_needs_no_room() -> None:
    assert room(pods=(*PODS, *FULL), workloads=(dns(kind="DaemonSet"),), revisions=()) == []


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=6), st.integers(1, 2000))
def test_room_is_found_exactly_where_a_node_has_it(used: list[int], wanted: int) -> None:
    nodes = tuple(node(f"n{number}") for number in range(len(used)))
    others = tuple(pod(f"app-{n}", f"n{n}", cpu, labels={}, owners=(), namespace="apps") for n, cpu in enumerate(used))
    workloads = (dns((container(cpu_request_millicores=wanted),)),)
    lacking = [each for each in room(*nodes, pods=others, workloads=workloads) if each.severity is Severity.REQUIRED]
    assert bool(lacking) is all(2000 - each < wanted for each in used)


# ── Webhooks (PRE008, PRE015) ───────────────────────────────────────────────────────────────────────────────────────


PODS_RULE = model.Rule(groups=("",), versions=("v1",), resources=("pods",), operations=("CREATE",))


def hooked(service: str = "policy", **more: Any) -> model.WebhookConfiguration:
    hook = model.Webhook(
        name="check.policy.io",
        service=model.ServiceTarget(namespace="kube-system", name=service),
        **({"rules": (PODS_RULE,)} | more),
    )
    return model.WebhookConfiguration(kind="ValidatingWebhookConfiguration", name="policy", webhooks=(hook,))


def service(name: str, selector: Mapping[str, str]) -> model.Service:
    return model.Service(name=name, namespace="kube-system", selector=selector)


def answered(name: str, ready: int) -> model.EndpointSlice:
    return model.EndpointSlice(name=f"{name}-1", namespace="kube-system", service=name, ready=ready)


OUTSIDE = (model.LabelExpression(key="kubernetes.io/metadata.name", operator="NotIn", values=("kube-system",)),)


@pytest.mark.parametrize(
    ("hook", "ready", "blocks"),
    [
        (hooked(), 0, True),
        (hooked(), 2, False),
        (hooked(failure_policy="Ignore"), 0, False),
        (hooked(namespace_expressions=OUTSIDE), 0, False),
        (hooked(object_labels={"app": "web"}), 0, False),
        (hooked(rules=(replace(PODS_RULE, resources=("services",)),)), 0, False),
        (hooked(has_match_conditions=True), 0, False),
    ],
    ids=["down", "up", "ignored", "excluded", "of other pods", "of other kinds", "conditional"],
)
def test_a_webhook_that_is_down_blocks_new_pods(hook: model.WebhookConfiguration, ready: int, blocks: bool) -> None:
    world = cluster(
        webhook_configurations=(hook,),
        services=(service("policy", {"app": "policy"}),),
        endpoint_slices=(answered("policy", ready),),
    )
    assert ("PRE008" in codes(found(world))) is blocks


def own_hook(**more: Any) -> Assessment:
    workload = more.pop("workload", dns())
    return cluster(
        workloads=(workload,),
        webhook_configurations=(hooked("kube-dns", **more),),
        services=(service("kube-dns", LABELS),),
        endpoint_slices=(answered("kube-dns", 2),),
    )


def test_a_webhook_that_guards_its_own_pods_may_lock_them_out() -> None:
    assert one(found(own_hook()), "PRE015").severity is Severity.RECOMMENDED, "old pods answer while new ones start"
    alone = own_hook(workload=dns(strategy="Recreate"))
    assert one(found(alone), "PRE015").severity is Severity.REQUIRED
    assert "PRE015" not in codes(found(own_hook(namespace_expressions=OUTSIDE)))
    assert "PRE015" not in codes(found(own_hook(failure_policy="Ignore")))


# ── Dependencies (PRE021) ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_it_needs_should_be_well() -> None:
    needs = (Requirement(text="certificates", addon="cert-manager"),)
    known = catalog(requires=needs)
    issuer = model.Workload(
        kind="Deployment",
        name="cert-manager",
        namespace="cert-manager",
        selector={"app": "cm"},
        template=model.PodTemplate(
            labels={"app": "cm"}, containers=(container(image="quay.io/jetstack/cert-manager-controller:v1.20.0"),)
        ),
        desired=1,
        ready=0,
        available=0,
        updated=1,
        total=1,
    )
    world = cluster(known, workloads=(dns(), issuer))
    assert "needs cert-manager" in str(one(found(world, known), "PRE021").subject)
    fine = replace(issuer, ready=1, available=1)
    assert "PRE021" not in codes(found(cluster(known, workloads=(dns(), fine)), known))


# ── Rights (PRE026) ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_rights_that_are_missing_refuse_the_change_and_are_named_as_rbac_has_them() -> None:
    pods = ObjectRef.of("Pod", "", "kube-system")
    lacking = (live.Right("patch", DNS), live.Right("create", pods, "eviction"), live.Right("create", CRD.ref))
    listed = found(cluster(), facts=replace(ALL_READ, lacking=lacking))
    assert [each.detail for each in one(listed, "PRE026").evidence] == [
        "patch deployments.apps in namespace kube-system",
        "create pods/eviction in namespace kube-system",
        "create customresourcedefinitions.apiextensions.k8s.io in the whole cluster",
    ]
    assert Prepared(made(cluster()), listed).refusals == listed
    assert "addonctl rbac --for update | kubectl apply -f -" in CHECKS["PRE026"].fix


# ── What was not read (PRE023) ──────────────────────────────────────────────────────────────────────────────────────


def test_what_was_not_read_is_said_with_the_reason() -> None:
    facts = StepFacts(unread={Fact.CONFIGURATION: "eks:DescribeAddonConfiguration is not allowed"})
    gap = one(found(cluster(), facts=facts), "PRE023")
    details = [each.detail for each in gap.evidence]
    assert [detail for detail in details if OLD in detail and "not allowed" in detail]
    assert [detail for detail in details if NEW in detail and "not allowed" in detail]
    assert [detail for detail in details if detail == "whose the fields of its objects are: not read"]


def test_a_part_that_was_not_read_is_said_once() -> None:
    gaps = (model.Gap(part="nodes", reason=model.GapReason.FORBIDDEN, detail="nodes is forbidden"),)
    listed = found(cluster(gaps=gaps, nodes=()))
    assert [each.detail for each in one(listed, "PRE023").evidence] == ["nodes is forbidden"]


def test_what_is_known_of_pods_alone_is_not_taken_for_a_workload() -> None:
    running = model.ContainerStatus(name="coredns", image=f"eks/coredns/coredns:{OLD}", ready=True)
    world = cluster(workloads=(), revisions=(), pods=tuple(replace(each, containers=(running,)) for each in PODS))
    plan = made(world)
    listed = found(world, plan=plan)
    assert "only its pods were read" in [each.detail for each in one(listed, "PRE023").evidence]
    assert "PRE019" not in codes(listed)


@given(st.sets(st.sampled_from(list(Fact))))
def test_unread_facts_never_pass_for_good_ones(missing: set[Fact]) -> None:
    facts = StepFacts(
        configuration=None if Fact.CONFIGURATION in missing else ALL_READ.configuration,
        fields=None if Fact.FIELDS in missing else (),
        stored_versions={},
        lacking=None if Fact.RIGHTS in missing else (),
    )
    expected = bool(missing & {Fact.CONFIGURATION, Fact.FIELDS, Fact.RIGHTS})
    assert ("PRE023" in codes(found(cluster(), facts=facts))) is expected


# ── Accepting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_required_findings_refuse_until_they_are_accepted() -> None:
    world = cluster(eks_addon=replace(ADDON, status="DEGRADED"))
    prepared = Prepared(made(world), found(world))
    assert codes(prepared.refusals) == ["PRE006"]
    assert prepared.accepting(check_accepted(["pre006"])).refusals == ()
    assert prepared.accepting(check_accepted(["PRE010"])).refusals == prepared.refusals


@pytest.mark.parametrize("code", ["HLT001", "PRE999", "", "PRE*"])
def test_only_a_code_of_preflight_is_a_risk(code: str) -> None:
    with pytest.raises(BadInput, match="no risk of an update"):
        check_accepted([code])


def test_what_cannot_be_accepted_is_required() -> None:
    hopeless = [each for each in CHECKS.values() if not each.acceptable]
    assert [each.code for each in hopeless] == ["PRE001", "PRE002", "PRE003", "PRE027"]
    assert all(each.capability is Capability.PREFLIGHT and each.severity is Severity.REQUIRED for each in hopeless)


def test_what_is_so_now_is_said_once_however_many_steps_meet_it() -> None:
    world = cluster(pods=(*PODS, *FULL))
    plan = made(world)
    twice = replace(plan, steps=(plan.steps[0], replace(plan.steps[0], id="2")))
    facts = {"1": ALL_READ, "2": ALL_READ}
    assert found(world, plan=twice, facts=facts) == found(world, plan=plan) != ()


# ── Where its version is kept (PRE027) ──────────────────────────────────────────────────────────────────────────────

GITOPS_LABELS = {
    "kustomize": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
    "helm": {"helm.toolkit.fluxcd.io/name": "dns", "helm.toolkit.fluxcd.io/namespace": "flux-system"},
}
CHART_SOURCES = (
    model.FluxSource(kind="HelmRepository", name="charts", namespace="flux-system", url="https://charts.example.com"),
    model.FluxSource(
        kind="GitRepository",
        name="fleet",
        namespace="flux-system",
        url="https://git.example.com/fleet",
        reference="branch main",
    ),
    model.FluxSource(
        kind="OCIRepository", name="dns", namespace="flux-system", url="oci://r.example.com/dns", reference="semver >=1"
    ),
)


def by_argo(application: model.Application) -> tuple[Finding, ...]:
    tracked = {"argocd.argoproj.io/tracking-id": "dns:apps/Deployment:kube-system/coredns"}
    workload = dns((container(image="coredns/coredns:v1.12.1"),), annotations=tracked)
    world = cluster(eks=None, applications=(application,), workloads=(workload,))
    return found(world, plan=made(world, to="1.45.0"))


def by_flux(kind: str, **parts: Any) -> tuple[Finding, ...]:
    image = container(image="coredns/coredns:v1.12.1")
    workload = replace(dns((image,)), labels={**LABELS, **GITOPS_LABELS[kind]})
    world = cluster(eks=None, flux_sources=CHART_SOURCES, workloads=(workload,), **parts)
    return found(world, plan=made(world, to="1.45.0"))


def application(**more: Any) -> model.Application:
    given: dict[str, Any] = {"repository": "https://git.example.com/fleet", "auto_sync": True}
    return model.Application(name="dns", namespace="argocd", **(given | more))


def release(**more: Any) -> model.FluxHelmRelease:
    given: dict[str, Any] = {"chart": "coredns", "source": "HelmRepository/charts", "chart_version": "1.43.0"}
    return model.FluxHelmRelease(name="dns", namespace="flux-system", **(given | more))


def said(finding: Finding) -> tuple[str, str]:
    """What was seen, and what is to be committed."""
    (evidence,), (change,) = finding.evidence, finding.fix
    assert isinstance(change, model.GitChange)
    assert finding.severity is Severity.REQUIRED
    return evidence.detail, change.change


@pytest.mark.parametrize(
    ("takes", "seen", "commit"),
    [
        ({"path": "dns", "target_revision": "main"}, "dns of https://git.example.com/fleet at main", "in dns of"),
        ({"path": "dns"}, "dns of https://git.example.com/fleet at HEAD", "bring the manifests of coredns 1.45.0"),
        (
            {"chart": "coredns", "target_revision": "1.*"},
            "chart coredns of https://git.example.com/fleet at 1.*",
            "set its targetRevision to 1.45.0",
        ),
    ],
)
def test_an_application_that_moves_by_itself_is_changed_where_it_takes_its_version(
    takes: dict[str, str], seen: str, commit: str
) -> None:
    detail, change = said(one(by_argo(application(**takes)), "PRE027"))
    assert detail == f"it takes {seen}"
    assert commit in change


@pytest.mark.parametrize(
    ("takes", "seen", "commit"),
    [
        (
            {"chart_version": "1.x"},
            "1.x of chart coredns of HelmRepository charts (https://charts.example.com)",
            "set its chart's version to 1.45.0",
        ),
        (
            {"chart_version": ""},
            "the newest of chart coredns of HelmRepository charts (https://charts.example.com)",
            "name version 1.45.0 in HelmRepository/charts",
        ),
        (
            {"chart_version": "", "chart": "dns", "source": "OCIRepository/dns"},
            "the newest of chart dns of OCIRepository dns (oci://r.example.com/dns at semver >=1)",
            "name version 1.45.0 in OCIRepository/dns",
        ),
        (
            {"source": "GitRepository/fleet", "chart": "charts/coredns"},
            "chart charts/coredns of GitRepository fleet (https://git.example.com/fleet at branch main), "
            "whatever version it names",
            "in charts/coredns of GitRepository fleet (https://git.example.com/fleet at branch main), bring the chart",
        ),
    ],
)
def test_a_release_that_moves_by_itself_is_changed_where_it_takes_its_version(
    takes: dict[str, str], seen: str, commit: str
) -> None:
    detail, change = said(one(by_flux("helm", flux_helm_releases=(release(**takes),)), "PRE027"))
    assert detail == f"it takes {seen}"
    assert commit in change


def test_what_a_kustomization_applies_is_changed_in_its_folder() -> None:
    kept = model.FluxKustomization(
        name="apps", namespace="flux-system", path="./clusters/prod", source="GitRepository/fleet"
    )
    detail, change = said(one(by_flux("kustomize", flux_kustomizations=(kept,)), "PRE027"))
    place = "./clusters/prod of GitRepository fleet (https://git.example.com/fleet at branch main)"
    assert detail == f"it takes {place}"
    assert change == f"in {place}, bring the manifests of coredns 1.45.0 (coredns/coredns:v1.12.1 now)"


def test_an_object_that_another_controller_keeps_is_changed_there() -> None:
    kept = replace(release(), labels=GITOPS_LABELS["kustomize"])
    only = one(by_flux("helm", flux_helm_releases=(kept,)), "PRE027")
    detail, change = said(only)
    assert detail.startswith("it is kept by ")
    assert "flux-system/apps" in detail
    assert change.startswith("set the version of ")
    of_set = application(chart="coredns", target_revision="1.43.0", owners=(ObjectRef.of("ApplicationSet", "all"),))
    assert "ApplicationSet" in said(one(by_argo(of_set), "PRE027"))[0]


def test_an_exact_version_that_nobody_else_keeps_is_changed_in_place() -> None:
    assert "PRE027" not in codes(by_argo(application(chart="coredns", target_revision="1.43.0")))
    assert "PRE027" not in codes(by_flux("helm", flux_helm_releases=(release(),)))
    unread = one(by_flux("helm"), "PRE023")
    assert any("which says what it takes" in each.detail for each in unread.evidence)


def test_what_is_committed_in_git_is_not_refused_for_that() -> None:
    kept = replace(release(), labels=GITOPS_LABELS["kustomize"])
    findings = by_flux("helm", flux_helm_releases=(kept,))
    prepared = Prepared(made(cluster()), tuple(each for each in findings if each.code == "PRE027"))
    assert [each.code for each in prepared.refusals] == ["PRE027"]
    assert prepared.to_commit.refusals == ()


def test_the_manifests_of_a_kustomization_are_not_committed() -> None:
    """With a checkout or without one it says where they are to be brought, and goes no further."""
    kept = model.FluxKustomization(name="apps", namespace="flux-system", path="./prod", source="GitRepository/fleet")
    image = container(image="coredns/coredns:v1.12.1")
    workload = replace(dns((image,)), labels={**LABELS, **GITOPS_LABELS["kustomize"]})
    world = cluster(eks=None, flux_sources=CHART_SOURCES, workloads=(workload,), flux_kustomizations=(kept,))
    plan = made(world, to="1.45.0")
    (do,) = plan.steps[0].do
    assert isinstance(do, model.GitChange)
    assert do.change == "bring the manifests of coredns 1.45.0"
    prepared = Prepared(plan, tuple(each for each in found(world, plan=plan) if each.code == "PRE027"))
    assert [each.code for each in prepared.to_commit.refusals] == ["PRE027"]
