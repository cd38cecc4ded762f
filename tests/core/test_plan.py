"""Plans: every version on the way is one that is offered, the order is that of dependencies, and each step says its way
back or why there is none.
"""

from dataclasses import replace
from typing import Any

import pytest

from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.catalog import Answer, Catalog
from addonctl.errors import BadInput
from addonctl.model import (
    Application,
    Apply,
    CreateAddon,
    Delete,
    DeleteAddon,
    FluxHelmRelease,
    GitChange,
    HelmRollback,
    HelmUpgrade,
    Note,
    ObjectRef,
    Severity,
    Strength,
    UpdateAddon,
    View,
    live,
    owners,
)
from addonctl.model.checkpoint import CheckpointEntry, Differences
from addonctl.model.configuration import ConfigurationChange, KeyChange
from addonctl.model.manifests import Manifests
from addonctl.model.plan import Plan, Rollout, Step, Wave
from addonctl.plan import (
    check_premises,
    checkpoint_plan,
    counting,
    creation_plan,
    letting_go_plan,
    removal_plan,
    restore_plan,
    update_plan,
    upgrade_plan,
    with_configuration,
    with_differences,
)
from addonctl.preflight import preflight
from addonctl.versions import Minor, Version
from tests.builders import NOW
from tests.judging import assessed


@pytest.fixture(scope="module")
def demo(catalog: Catalog) -> Assessment:
    """The demo cluster: nineteen add-ons by every means, on Kubernetes 1.34."""
    return assessed(wiring.open_manager(demo=True).snapshot(), catalog)


def _path(plan: Plan) -> list[str]:
    return [str(step.to_version) for step in plan.steps]


def _updates(step: Step) -> tuple[UpdateAddon, ...]:
    return tuple(action for action in (*step.do, *step.undo) if isinstance(action, UpdateAddon))


# ── One add-on ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_eks_addon_goes_there_and_back_with_all_that_it_has(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "coredns", "latest-compatible", NOW)
    (step,) = plan.steps
    there, back = _updates(step)
    assert (step.id, str(step.from_version), str(step.to_version)) == ("1", back.version, there.version)
    assert replace(there, version="") == replace(back, version="")
    assert there.keep_configuration
    assert step.waves == (Wave(instances=1, canary=True), Wave(instances=1))
    assert [objective.sli for objective in step.objectives] == ["ready", "dns"]
    assert step.targets[0].rollout is Rollout.SURGE
    assert not step.loses, "an instance leaves its Service before it ends"


def test_vpc_cni_moves_one_minor_at_a_time(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "vpc-cni", "default", NOW)
    minors = [step.to_version.minor for step in plan.steps if step.to_version]
    assert minors == [(1, number) for number in range(18, 23)]
    assert [step.from_version for step in plan.steps[1:]] == [step.to_version for step in plan.steps[:-1]]
    assert {_updates(step)[0].role_arn for step in plan.steps} == {"arn:aws:iam::123456789012:role/vpc-cni"}


def test_by_hand_each_step_goes_back_to_the_one_before(demo: Assessment, catalog: Catalog) -> None:
    by_hand = tuple(
        replace(row, owner=owners.Manifest("kubectl"), claims=()) if row.addon == "aws-vpc-cni" else row
        for row in demo.inventory.installations
    )
    there = replace(demo, inventory=replace(demo.inventory, installations=by_hand))
    for step in update_plan(there, catalog, "aws-vpc-cni", "default", NOW).steps:
        assert step.undo == (Note(f"Apply the manifests of aws-vpc-cni {step.from_version} again."),)


def test_eks_cannot_go_back_to_what_it_no_longer_offers(demo: Assessment, catalog: Catalog) -> None:
    first, *others = update_plan(demo, catalog, "vpc-cni", "default", NOW).steps
    assert "no vpc-cni v1.17.1-eksbuild.1 for Kubernetes 1.34" in first.irreversible
    assert first.undo == ()
    assert all(step.undo and not step.irreversible for step in others)


def test_minors_that_aws_no_longer_offers_are_skipped_and_named(demo: Assessment, catalog: Catalog) -> None:
    old = _at(demo, "aws-vpc-cni", Version.of("v1.15.1-eksbuild.1"))
    first, second, *_ = update_plan(old, catalog, "vpc-cni", "default", NOW).steps
    assert (first.to_version and first.to_version.minor, first.skips) == ((1, 18), ("1.16", "1.17"))
    assert second.skips == ()


def test_down_is_the_same_way(demo: Assessment, catalog: Catalog) -> None:
    row = next(row for row in demo.inventory.installations if row.addon == "aws-vpc-cni")
    newer = replace(row, version=Version.of("v1.21.2-eksbuild.2"))
    rows = tuple(newer if each is row else each for each in demo.inventory.installations)
    there = replace(demo, inventory=replace(demo.inventory, installations=rows))
    plan = update_plan(there, catalog, row.id, "v1.19.6-eksbuild.7", NOW)
    assert [step.to_version.minor for step in plan.steps if step.to_version] == [(1, 20), (1, 19)]


def test_a_helm_release_counts_by_its_chart(demo: Assessment, catalog: Catalog) -> None:
    (step,) = update_plan(demo, catalog, "cert-manager", "v1.20.0", NOW).steps
    (upgrade,), (rollback,) = step.do, step.undo
    assert isinstance(upgrade, HelmUpgrade)
    assert isinstance(rollback, HelmRollback)
    assert (upgrade.chart.rpartition("/")[2], upgrade.version, rollback.revision) == ("cert-manager", "v1.20.0", 1)
    assert upgrade.chart.count("cert-manager/cert-manager") == 0, "a reference names its chart once"


def _with(assessment: Assessment, **parts: Any) -> Assessment:
    """With other records in the snapshot."""
    return replace(assessment, view=View(replace(assessment.view.snapshot, **parts)))


def _kept_by(assessment: Assessment, addon: str, owner: owners.Owner) -> Assessment:
    inventory = assessment.inventory
    rows = tuple(replace(r, owner=owner) if r.addon == addon else r for r in inventory.installations)
    return replace(assessment, inventory=replace(inventory, installations=rows))


def test_an_application_and_a_release_of_flux_count_by_the_version_in_them(demo: Assessment, catalog: Catalog) -> None:
    application = Application(namespace="argocd", name="certs", chart="cert-manager", target_revision="v1.19.0")
    release = FluxHelmRelease(namespace="certs", name="certs", chart="cert-manager", chart_version="v1.19.0")
    for owner, parts, field in (
        (owners.ArgoApplication("argocd", "certs"), {"applications": (application,)}, "its targetRevision"),
        (owners.FluxHelmRelease("certs", "certs"), {"flux_helm_releases": (release,)}, "its chart's version"),
    ):
        kept = _with(_kept_by(demo, "cert-manager", owner), **parts)
        (step,) = update_plan(kept, catalog, "cert-manager", "v1.20.0", NOW).steps
        assert (str(step.from_version), str(step.to_version)) == ("v1.19.0", "v1.20.0")
        assert step.do == (GitChange(owner=owner, change=f"set {field} to v1.20.0"),)
        assert step.undo == (GitChange(owner=owner, change=f"set {field} back to v1.19.0"),)


@pytest.mark.parametrize("takes", ["main", "1.19.x", "release-1.19"])
def test_an_application_that_takes_what_moves_is_changed_by_a_commit(
    demo: Assessment, catalog: Catalog, takes: str
) -> None:
    owner = owners.ArgoApplication("argocd", "certs")
    application = Application(namespace="argocd", name="certs", path="certs", target_revision=takes)
    kept = _with(_kept_by(demo, "cert-manager", owner), applications=(application,))
    (step,) = update_plan(kept, catalog, "cert-manager", "v1.20.0", NOW).steps
    (change,), (undo,) = step.do, step.undo
    assert isinstance(change, GitChange)
    assert isinstance(undo, GitChange)
    assert (change.change, undo.change) == (
        "set the version to v1.20.0",
        f"revert that commit, back to {step.from_version}",
    )


def test_what_a_gitops_controller_keeps_is_changed_there(demo: Assessment, catalog: Catalog) -> None:
    (step,) = update_plan(demo, catalog, "kyverno", "1.17.0", NOW).steps
    (change,), (undo,) = step.do, step.undo
    assert isinstance(change, GitChange)
    assert isinstance(undo, GitChange)
    assert "1.17.0" in change.change
    assert str(step.from_version) in undo.change


@pytest.mark.parametrize("to", ["default", "latest-compatible", "v1.34.6-eksbuild.19"])
def test_what_is_there_already_needs_no_step(demo: Assessment, catalog: Catalog, to: str) -> None:
    there = update_plan(demo, catalog, "kube-proxy", to, NOW)
    again = _at(demo, "kube-proxy", there.steps[-1].to_version) if there.steps else demo
    assert update_plan(again, catalog, "kube-proxy", to, NOW).steps == ()


def _at(assessment: Assessment, addon: str, version: Version | None) -> Assessment:
    inventory = assessment.inventory
    rows = tuple(replace(r, version=version) if r.addon == addon else r for r in inventory.installations)
    return replace(assessment, inventory=replace(inventory, installations=rows))


@pytest.mark.parametrize(
    ("addon", "to", "says"),
    [
        ("coredns", "v1.99.0-eksbuild.1", "AWS offers no coredns v1.99.0-eksbuild.1 for Kubernetes 1.34"),
        ("kube-proxy", "v1.36.0-eksbuild.14", "for Kubernetes 1.34"),
        ("coredns", "newest", "cannot be read as a version"),
        ("velero", "1.18.0", "is not installed here"),
        ("", "1.18.0", "is not installed here"),
        ("cert-manager", "latest-compatible", "No table says"),
    ],
)
def test_a_goal_that_cannot_be_is_refused(demo: Assessment, catalog: Catalog, addon: str, to: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        update_plan(demo, catalog, addon, to, NOW)


@pytest.mark.parametrize("owner", [owners.AwsManaged("EKS Auto Mode"), owners.Undetermined("two managers")])
def test_nobody_updates_what_is_not_theirs(demo: Assessment, catalog: Catalog, owner: owners.Owner) -> None:
    rows = tuple(replace(r, owner=owner) if r.addon == "coredns" else r for r in demo.inventory.installations)
    with pytest.raises(BadInput, match=r"EKS Auto Mode runs coredns|two managers"):
        update_plan(replace(demo, inventory=replace(demo.inventory, installations=rows)), catalog, "coredns", "1", NOW)


# ── A Kubernetes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_supports_each_kubernetes_before_it_runs(demo: Assessment, catalog: Catalog) -> None:
    """Checked by the catalog, step by step: what is asked of the planner is asked again of each state on the way."""
    plan = upgrade_plan(demo, catalog, Minor(1, 36), NOW)
    versions = {row.id: row.version for row in demo.inventory.installations if isinstance(row.owner, owners.EksAddon)}
    names = {row.id: row.eks_addon for row in demo.inventory.installations}
    for step in plan.steps:
        assert step.kubernetes is not None
        if step.installation in versions:
            assert versions[step.installation] == step.from_version
            versions[step.installation] = step.to_version
            assert step.to_version is not None
            answer = catalog.check(names[step.installation], step.to_version, step.kubernetes).answer
            assert answer is Answer.YES, step
    asked = {question.installation for question in plan.questions}
    for installation, version in versions.items():
        assert version is not None
        if installation not in asked:
            assert catalog.check(names[installation], version, Minor(1, 36)).answer is Answer.YES, installation


def test_steps_stand_in_the_order_of_dependencies_and_of_minors(demo: Assessment, catalog: Catalog) -> None:
    plan = upgrade_plan(demo, catalog, Minor(1, 36), NOW)
    minors = [step.kubernetes for step in plan.steps]
    assert minors == sorted(minors, key=lambda minor: minor or Minor(0, 0))
    order = demo.dependencies.order
    for minor in set(minors):
        places = [order.index(step.installation) for step in plan.steps if step.kubernetes == minor]
        assert places == sorted(places)


def test_what_nobody_can_say_is_an_open_question(demo: Assessment, catalog: Catalog) -> None:
    plan = upgrade_plan(demo, catalog, Minor(1, 35), NOW)
    asked = {question.installation.partition("/")[0]: question for question in plan.questions}
    assert asked["keda"].published is not None
    assert asked["kube-state-metrics"].published is None
    assert not {step.installation for step in plan.steps} & {question.installation for question in plan.questions}


def test_each_installation_is_asked_about_once_and_changed_by_a_person_once(demo: Assessment, catalog: Catalog) -> None:
    plan = upgrade_plan(demo, catalog, Minor(1, 37), NOW)
    asked = [question.installation for question in plan.questions]
    assert len(asked) == len(set(asked))
    chosen = [step.installation for step in plan.steps if step.to_version is None]
    assert len(chosen) == len(set(chosen))


def test_what_aws_built_has_aws_versions_whoever_applied_it(demo: Assessment, catalog: Catalog) -> None:
    by_hand = tuple(
        replace(row, owner=owners.Manifest("kubectl"), claims=()) if row.addon == "coredns" else row
        for row in demo.inventory.installations
    )
    there = replace(demo, inventory=replace(demo.inventory, installations=by_hand))
    (step,) = (s for s in upgrade_plan(there, catalog, Minor(1, 36), NOW).steps if s.addon == "coredns")
    assert step.to_version is not None
    assert catalog.check("coredns", step.to_version, Minor(1, 36)).answer is Answer.YES
    assert not step.irreversible, "who applies manifests can apply the old ones"


# ── Manifests ───────────────────────────────────────────────────────────────────────────────────────────────────────


def given(*documents: dict[str, Any]) -> Manifests:
    return Manifests("new.yaml", "ab" * 32, tuple(map(live.Object, documents)))


def deployment(version: str, name: str = "cluster-autoscaler") -> dict[str, Any]:
    containers = [{"name": name, "image": f"registry.k8s.io/autoscaling/cluster-autoscaler:{version}"}]
    metadata = {"name": name, "namespace": "kube-system"}
    spec = {"template": {"spec": {"containers": containers}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_manifests_are_applied_as_they_were_given(demo: Assessment, catalog: Catalog) -> None:
    (step,) = update_plan(demo, catalog, "cluster-autoscaler", "v1.34.1", NOW, given(deployment("v1.34.1"))).steps
    assert step.do == (Apply(what="cluster-autoscaler v1.34.1", file="new.yaml"),)
    assert step.manifests is not None
    assert (step.manifests.path, step.manifests.sha256, step.manifests.gone) == ("new.yaml", "ab" * 32, ())
    assert [ref.name for ref in step.manifests.objects] == ["cluster-autoscaler"]
    assert [target.ref.name for target in step.targets] == ["cluster-autoscaler"]


def test_what_the_manifests_no_longer_hold_goes_and_is_named_before(demo: Assessment, catalog: Catalog) -> None:
    """The workload is another one now; what others applied, and what holds data, stays whatever its name is."""
    renamed = given(deployment("v1.34.1", "autoscaler"))
    (step,) = update_plan(demo, catalog, "cluster-autoscaler", "v1.34.1", NOW, renamed).steps
    assert step.manifests is not None
    assert [ref.name for ref in step.manifests.gone] == ["cluster-autoscaler"]
    assert step.do[1:] == tuple(
        Delete(target=ref, why="the manifests no longer hold it") for ref in step.manifests.gone
    )
    assert step.targets == ()
    without_namespace = deployment("v1.34.1")
    del without_namespace["metadata"]["namespace"]
    (step,) = update_plan(demo, catalog, "cluster-autoscaler", "v1.34.1", NOW, given(without_namespace)).steps
    assert step.manifests is not None
    assert step.manifests.gone == (), "it stands for the one in any namespace"


def test_other_manifests_are_another_plan(demo: Assessment, catalog: Catalog) -> None:
    one = given(deployment("v1.34.1"))
    other = replace(one, sha256="cd" * 32)
    ids = {update_plan(demo, catalog, "cluster-autoscaler", "v1.34.1", NOW, each).id for each in (one, other)}
    assert len(ids) == 2


def test_manifests_of_the_same_version_are_applied_all_the_same(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "cluster-autoscaler", "v1.33.0", NOW, given(deployment("v1.33.0")))
    assert len(plan.steps) == 1


@pytest.mark.parametrize(
    ("addon", "version", "says"),
    [("cluster-autoscaler", "v1.35.0", "holds v1.34.1, not"), ("coredns", "default", "eks add-on coredns, not as")],
)
def test_manifests_of_something_else_are_refused(
    demo: Assessment, catalog: Catalog, addon: str, version: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        update_plan(demo, catalog, addon, version, NOW, given(deployment("v1.34.1")))


@pytest.mark.parametrize("target", [Minor(1, 34), Minor(1, 30), Minor(2, 0)])
def test_a_kubernetes_that_no_upgrade_leads_to(demo: Assessment, catalog: Catalog, target: Minor) -> None:
    with pytest.raises(BadInput, match=r"is not above the running 1\.34"):
        upgrade_plan(demo, catalog, target, NOW)


def test_without_the_running_kubernetes_there_is_no_plan(demo: Assessment, catalog: Catalog) -> None:
    taken = demo.snapshot
    unknown = replace(taken, cluster=replace(taken.cluster, kubernetes=""), eks=None)
    with pytest.raises(BadInput, match="No plan without the running Kubernetes"):
        upgrade_plan(assessed(unknown, catalog), catalog, Minor(1, 36), NOW)


# ── The plan as a value ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_plan_has_the_same_id_whenever_it_is_made(demo: Assessment, catalog: Catalog) -> None:
    one, later = (update_plan(demo, catalog, "coredns", "default", when) for when in (NOW, NOW.replace(hour=13)))
    other = update_plan(demo, catalog, "vpc-cni", "default", NOW)
    assert one.id == later.id != other.id


def test_a_plan_says_what_it_was_made_for(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "vpc-cni", "default", NOW)
    (premise,) = plan.premises
    assert (premise.installation, premise.version, premise.owner) == (
        plan.steps[0].installation,
        "v1.17.1-eksbuild.1",
        "eks-addon",
    )


def test_waves_hold_every_instance_once(demo: Assessment, catalog: Catalog) -> None:
    for row in demo.inventory.installations:
        if isinstance(row.owner, owners.HelmRelease | owners.EksAddon) and row.version is not None:
            goal = "latest-compatible" if row.eks_addon else "99.0.0"
            for step in update_plan(demo, catalog, row.id, goal, NOW).steps:
                instances = sum(target.instances for target in step.targets)
                assert sum(wave.instances for wave in step.waves) == max(instances, 1)
                assert [wave.canary for wave in step.waves] == [True, *[False] * (len(step.waves) - 1)]


def test_the_only_instance_goes_when_the_new_one_has_been_watched(demo: Assessment, catalog: Catalog) -> None:
    snapshot = demo.view.snapshot
    workloads = tuple(replace(w, desired=1) if w.ref.name == "coredns" else w for w in snapshot.workloads)
    alone = replace(demo, view=View(replace(snapshot, workloads=workloads)))
    (step,) = update_plan(alone, catalog, "coredns", "latest-compatible", NOW).steps
    assert step.waves == (Wave(instances=1, canary=True), Wave(instances=0))


def test_what_is_recreated_is_one_wave(demo: Assessment, catalog: Catalog) -> None:
    """Two of its versions must not run side by side, so that there is nothing to compare it with."""
    before = update_plan(demo, catalog, "coredns", "latest-compatible", NOW).steps[0]
    (ref,) = (target.ref for target in before.targets)
    snapshot = demo.view.snapshot
    workloads = tuple(replace(w, strategy="Recreate") if w.ref == ref else w for w in snapshot.workloads)
    recreated = replace(demo, view=View(replace(snapshot, workloads=workloads)))
    (step,) = update_plan(recreated, catalog, "coredns", "latest-compatible", NOW).steps
    assert (step.targets[0].rollout, step.waves) == (Rollout.AT_ONCE, (Wave(instances=2),))


@pytest.mark.parametrize("addon", ["vpc-cni", "kube-proxy", "coredns", "aws-ebs-csi-driver", "eks-pod-identity-agent"])
def test_from_every_version_a_way_leads_to_the_default_or_it_is_said_why_not(
    demo: Assessment, catalog: Catalog, addon: str
) -> None:
    """Over AWS's own table: each stop is offered for the running Kubernetes."""
    listed = catalog.eks.addons[addon]
    fit = {entry.version for entry in listed.versions if Minor(1, 34) in entry.kubernetes}
    row = next(row for row in demo.inventory.installations if row.eks_addon == addon)
    for entry in listed.versions[::7]:
        there = _at(demo, row.addon, entry.version)
        for step in update_plan(there, catalog, row.id, "default", NOW).steps:
            assert step.to_version in fit
            assert not step.skips or addon in ("vpc-cni", "eks-pod-identity-agent")
            assert bool(step.undo) is (step.from_version in fit)


# ── Another configuration ───────────────────────────────────────────────────────────────────────────────────────────

_CHANGE = ConfigurationChange(changes=(KeyChange("replicaCount", "2", "3"),), was="a1", goal="b2")


@pytest.mark.parametrize("addon", ["coredns", "cert-manager", "keda", "external-secrets"])
def test_a_configuration_may_change_where_the_version_stays(demo: Assessment, catalog: Catalog, addon: str) -> None:
    plan = update_plan(demo, catalog, addon, "", NOW, configured=True)
    (step,) = plan.steps
    assert step.from_version == step.to_version
    assert step.waves
    (changed,) = with_configuration(plan, _CHANGE).steps
    assert changed.configuration == _CHANGE
    assert changed.do != step.do
    assert changed.loses, "fewer replicas are ended by their controller"
    assert changed.undo


def test_eks_is_sent_the_whole_of_the_configuration_both_ways(demo: Assessment, catalog: Catalog) -> None:
    (step,) = with_configuration(update_plan(demo, catalog, "coredns", "", NOW, configured=True), _CHANGE).steps
    there, back = _updates(step)
    assert there.version == back.version
    assert there.role_arn == back.role_arn
    assert (there.values, back.values) == ("configuration.json", "configuration-before.json")


def test_of_several_steps_the_last_brings_the_configuration(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "vpc-cni", "default", NOW, configured=True)
    *others, last = with_configuration(plan, _CHANGE).steps
    assert len(others) > 1
    assert {each.configuration for each in others} == {None}
    assert last.configuration == _CHANGE


def test_what_is_so_already_is_no_step(demo: Assessment, catalog: Catalog) -> None:
    assert with_configuration(update_plan(demo, catalog, "coredns", "", NOW, configured=True), None).steps == ()
    moving = update_plan(demo, catalog, "coredns", "latest-compatible", NOW, configured=True)
    assert with_configuration(moving, None) == moving


def test_the_id_of_a_plan_is_of_its_changes_too(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "coredns", "", NOW, configured=True)
    more = replace(_CHANGE, changes=(KeyChange("replicaCount", "2", "4"),))
    stored_elsewhere = replace(_CHANGE, was="c3", goal="d4")
    ids = [with_configuration(plan, change).id for change in (_CHANGE, stored_elsewhere, more)]
    assert ids[0] == ids[1] != ids[2]


# ── Saved plans ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_holds_while_nothing_has_moved(demo: Assessment, catalog: Catalog) -> None:
    check_premises(update_plan(demo, catalog, "coredns", "latest-compatible", NOW), demo)


def test_a_plan_for_another_version_is_refused_by_its_id(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "coredns", "latest-compatible", NOW)
    moved = _at(demo, "coredns", Version.of("v1.13.2-eksbuild.21"))
    with pytest.raises(BadInput, match=f"{plan.id}.*is at v1.13.2-eksbuild.21, not at") as caught:
        check_premises(plan, moved)
    assert caught.value.fix == "Plan anew."


def test_a_plan_for_another_owner_is_refused(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "coredns", "latest-compatible", NOW)
    others = (
        replace(row, owner=owners.Manifest("kubectl")) if row.addon == "coredns" else row
        for row in demo.inventory.installations
    )
    taken = replace(demo, inventory=replace(demo.inventory, installations=tuple(others)))
    with pytest.raises(BadInput, match=r"is kept by .*, not by a"):
        check_premises(plan, taken)


def test_a_plan_for_what_is_gone_or_for_another_cluster_is_refused(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "coredns", "latest-compatible", NOW)
    rows = tuple(row for row in demo.inventory.installations if row.addon != "coredns")
    with pytest.raises(BadInput, match="is not installed"):
        check_premises(plan, replace(demo, inventory=replace(demo.inventory, installations=rows)))
    with pytest.raises(BadInput, match="one of prod-eu-9"):
        check_premises(replace(plan, cluster="prod-eu-9"), demo)


def test_a_plan_between_whose_steps_the_control_plane_moves_is_not_carried_out(
    demo: Assessment, catalog: Catalog
) -> None:
    with pytest.raises(BadInput, match=r"one for Kubernetes 1\.36"):
        check_premises(upgrade_plan(demo, catalog, Minor(1, 36), NOW), demo)


# ── Into EKS's keeping ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_there_is_created_and_watched_by_its_usual_workloads(demo: Assessment, catalog: Catalog) -> None:
    (step,) = creation_plan(demo, catalog, "snapshot-controller", "", NOW).steps
    (create,), (delete,) = step.do, step.undo
    assert isinstance(create, CreateAddon)
    assert isinstance(delete, DeleteAddon)
    assert (create.addon, create.version, create.resolve_conflicts) == (
        "snapshot-controller",
        str(step.to_version),
        "NONE",
    )
    assert step.creates
    assert step.from_version is None
    assert ("Deployment", "kube-system") in {(each.ref.kind, each.ref.namespace) for each in step.targets}
    assert [each.sli for each in step.objectives] == ["ready"]


def test_a_version_that_is_not_offered_is_not_created(demo: Assessment, catalog: Catalog) -> None:
    with pytest.raises(BadInput, match=r"AWS offers no snapshot-controller v0\.0\.1"):
        creation_plan(demo, catalog, "snapshot-controller", "v0.0.1-eksbuild.1", NOW)


@pytest.mark.parametrize(
    ("addon", "adopt", "says"),
    [
        ("coredns", "", "is an EKS add-on already"),
        ("coredns", "OVERWRITE", "is an EKS add-on already"),
        ("cert-manager", "", "is installed, by helm release"),
        ("cert-manager", "OVERWRITE", "which would go on with it"),
        ("snapshot-controller", "OVERWRITE", "is not installed here"),
        ("argo-cd", "", "EKS offers no add-on argo-cd"),
    ],
)
def test_what_eks_cannot_be_given_is_refused(
    demo: Assessment, catalog: Catalog, addon: str, adopt: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        creation_plan(demo, catalog, addon, "", NOW, adopt)


def test_what_was_applied_is_adopted_in_waves_and_handed_back(demo: Assessment, catalog: Catalog) -> None:
    rows = tuple(
        replace(row, owner=owners.Manifest("kubectl"), claims=()) if row.addon == "coredns" else row
        for row in demo.inventory.installations
    )
    by_hand = replace(demo, inventory=replace(demo.inventory, installations=rows))
    (step,) = creation_plan(by_hand, catalog, "coredns", "latest-compatible", NOW, "OVERWRITE").steps
    (create,), (delete, *_) = step.do, step.undo
    assert isinstance(create, CreateAddon)
    assert isinstance(delete, DeleteAddon)
    assert (create.resolve_conflicts, delete.preserve) == ("OVERWRITE", True)
    assert not step.creates
    assert step.waves == (Wave(instances=1, canary=True), Wave(instances=1))
    with pytest.raises(BadInput, match="is installed, by") as caught:
        creation_plan(by_hand, catalog, "coredns", "", NOW)
    assert "--adopt" in caught.value.fix


def test_back_to_nothing_is_no_restoring(demo: Assessment, catalog: Catalog) -> None:
    entry = CheckpointEntry(
        id="ab12",
        cluster=demo.cluster.name,
        installation="coredns/kube-system/coredns",
        addon="coredns",
        owner="eks-addon",
        taken=NOW,
        bytes=1,
        objects=0,
        crds=0,
        custom_resources=0,
        secrets_withheld=0,
    )
    with pytest.raises(BadInput, match="there was nothing of coredns"):
        restore_plan(demo, catalog, "back", [entry], NOW)


def test_a_restoring_says_what_is_put_back_and_what_goes(demo: Assessment, catalog: Catalog) -> None:
    plan = checkpoint_plan(demo, catalog, "coredns", NOW)
    kube = "kube-system"
    changed, theirs, new = (ObjectRef.of("ConfigMap", name, kube) for name in ("coredns", "theirs", "new"))
    (step,) = with_differences(plan, [Differences(changed=(changed,), others=(theirs,), added=(new,))]).steps
    *_, back, stays, goes = step.do
    assert [each.text for each in (back, stays) if isinstance(each, Note)] == [
        "Bring back as they were: ConfigMap/kube-system/coredns.",
        "What others have changed since stays so: ConfigMap/kube-system/theirs.",
    ]
    assert isinstance(goes, Delete)
    assert goes.target == new
    assert with_differences(plan, [Differences()]).steps == plan.steps


def test_what_eks_forgets_it_can_be_given_back(demo: Assessment, catalog: Catalog) -> None:
    (step,) = letting_go_plan(demo, catalog, "coredns", NOW).steps
    assert step.lets_go
    assert (step.to_version, step.irreversible) == (None, "")
    (back,) = step.undo
    assert isinstance(back, CreateAddon)
    assert back.version == str(step.from_version)
    assert step.waves == (Wave(instances=1, canary=True), Wave(instances=1))


def test_what_eks_does_not_offer_any_more_it_is_never_given_back(demo: Assessment, catalog: Catalog) -> None:
    (step,) = letting_go_plan(demo, catalog, "vpc-cni", NOW).steps
    assert "AWS offers no vpc-cni v1.17.1-eksbuild.1" in step.irreversible


def test_what_eks_does_not_keep_it_cannot_forget(demo: Assessment, catalog: Catalog) -> None:
    with pytest.raises(BadInput, match="kept by helm release"):
        letting_go_plan(demo, catalog, "cert-manager", NOW)


@pytest.mark.parametrize(("addon", "does"), [("coredns", "DeleteAddon"), ("cert-manager", "CommandLine")])
def test_what_is_deleted_is_gone_and_nothing_of_it_is_watched(
    demo: Assessment, catalog: Catalog, addon: str, does: str
) -> None:
    (step,) = removal_plan(demo, catalog, addon, NOW).steps
    assert step.removes
    assert not step.lets_go
    assert [type(each).__name__ for each in step.do] == [does]
    assert step.irreversible
    assert step.objectives == ()


def test_what_git_keeps_is_deleted_there(demo: Assessment, catalog: Catalog) -> None:
    with pytest.raises(BadInput, match="is kept by") as caught:
        removal_plan(demo, catalog, "keda", NOW)
    assert caught.value.fix == "Delete it there."


def test_what_others_cannot_run_without_is_a_refusal(demo: Assessment, catalog: Catalog) -> None:
    needed = next(each for each in demo.dependencies.addons if each.strength is Strength.HARD)
    rows = (row for row in demo.inventory.installations if row.id == needed.target)
    helm = owners.HelmRelease("x", "x")
    taken = {row.id: replace(row, owner=helm) for row in rows}
    kept = tuple(taken.get(row.id, row) for row in demo.inventory.installations)
    there = replace(demo, inventory=replace(demo.inventory, installations=kept))
    plan = removal_plan(there, catalog, needed.target, NOW)
    found = preflight(plan, there, catalog, {})
    refused = {each.code for each in found if each.severity is Severity.REQUIRED}
    assert {"PRE010", "PRE025"} <= refused
    (named,) = [each for each in found if each.code == "PRE025"]
    assert needed.source in {each.subject for each in named.evidence}
    assert not {each.code for each in found} & {"PRE006", "PRE009", "PRE011"}, "what goes need not be able to change"


def test_a_plan_is_judged_by_what_prometheus_counts_as_well(demo: Assessment, catalog: Catalog) -> None:
    plan = update_plan(demo, catalog, "coredns", "latest-compatible", NOW)
    (step,) = counting(plan, catalog).steps
    more = {each.sli: each for each in step.objectives if each.additional}
    assert set(more) == {each.name for each in catalog.addons["coredns"].counted_slis}
    assert step.objectives[: len(plan.steps[0].objectives)] == plan.steps[0].objectives
    assert counting(replace(plan, steps=(replace(plan.steps[0], removes=True),)), catalog).steps[0].objectives == (
        plan.steps[0].objectives
    )
