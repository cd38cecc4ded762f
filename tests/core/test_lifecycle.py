"""What is due: from real plans, with reasons, urgency and a way back; and nothing where nothing is known."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from addonctl import model
from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.catalog import AddOn, Catalog, EksRelease, MigrationStep, Retirement, Successor
from addonctl.lifecycle import Choice, LifecycleAction, Outage, Task, lifecycle
from addonctl.model import Due, Severity, UpdateAddon
from addonctl.model.plan import Rollout
from addonctl.versions import Minor
from tests.builders import DAY, NOW, eks, offered, small_catalog, snapshot, workload
from tests.judging import assessed


@pytest.fixture(scope="module")
def demo(catalog: Catalog) -> Assessment:
    return assessed(wiring.open_manager(demo=True).snapshot(), catalog)


def due(assessment: Assessment, catalog: Catalog) -> dict[str, LifecycleAction]:
    """The actions by add-on, of clusters where each is installed once."""
    return {each.addon: each for each in lifecycle(assessment, catalog, NOW).lifecycle_actions}


# ── One add-on of EKS ───────────────────────────────────────────────────────────────────────────────────────────────

NODES = tuple(model.Node(name=f"n{n}", labels={"eks.amazonaws.com/nodegroup": "a"}) for n in range(2))


def _catalog(*versions: model.EksAddon, end: date = date(2027, 3, 1), retirement: Retirement | None = None) -> Catalog:
    """coredns in three versions, of which 1.34 prefers the second; `end` of its standard support."""
    known = small_catalog()
    table = replace(
        known.eks.addons["coredns"],
        owner="aws",
        versions=(
            offered("v1.13.2-eksbuild.1", {"1.34": "*", "1.35": "*"}, "1.35"),
            offered("v1.12.4-eksbuild.3", {"1.34": "*"}, "1.34"),
            offered("v1.12.4-eksbuild.1", {"1.34": "*"}),
            offered("v1.11.4-eksbuild.2", {"1.33": "*"}, "1.33"),
        ),
    )
    releases = (
        EksRelease(version=Minor(1, 34), released=date(2025, 10, 2), end_standard=end, end_extended=date(2028, 1, 1)),
    )
    calendar = replace(known.kubernetes, releases=releases)
    addons: dict[str, AddOn] = dict(known.addons)
    addons["ingress"] = replace(addons["ingress"], retirement=retirement)
    return Catalog(addons, replace(known.eks, addons={"coredns": table}), calendar)


def _cluster(
    version: str, known: Catalog, *more: model.Workload, target: str = "1.34", listed: bool = True
) -> Assessment:
    by = (model.Applier(manager="kubectl-client-side-apply", api_version="apps/v1", operation="Update"),)
    image = f"eks/coredns/coredns:{version}"
    dns = workload("coredns", image, namespace="kube-system", desired=2, ready=2, appliers=by)
    addon = model.EksAddon(name="coredns", version=version, status="ACTIVE")
    parts = {"eks": eks(addons=(addon,))} if listed else {}
    taken = snapshot(workloads=(dns, *more), nodes=NODES, **parts)
    return assessed(taken, known, target=Minor.of(target))


def test_a_newer_default_is_no_hurry() -> None:
    known = _catalog()
    action = due(_cluster("v1.12.4-eksbuild.1", known), known)["coredns"]
    assert (action.action.type, action.action.to_version) == (Task.UPDATE, "v1.12.4-eksbuild.3")
    assert (action.timeline.due, action.timeline.by) == (Due.NEXT_MONTH, None)
    assert action.action.why == ("v1.12.4-eksbuild.3 is EKS's default for Kubernetes 1.34",)
    assert action.rollback_plan is not None
    (undo,) = action.rollback_plan.do
    assert isinstance(undo, UpdateAddon)
    assert undo.version == "v1.12.4-eksbuild.1"
    assert [each.rollout for each in action.strategy.workloads] == [Rollout.SURGE]
    assert action.strategy.waves == (1, 1)
    assert [(each.type, each.version) for each in action.alternative_solutions] == [
        (Choice.OTHER_VERSION, "v1.13.2-eksbuild.1"),
        (Choice.WAIT, None),
    ]
    assert action.alternative_solutions[-1].text == "v1.12.4-eksbuild.1 goes on working: it supports Kubernetes 1.34."


@pytest.mark.parametrize("version", ["v1.12.4-eksbuild.3", "v1.13.2-eksbuild.1"])
def test_the_default_and_what_is_newer_need_nothing(version: str) -> None:
    known = _catalog()
    assert due(_cluster(version, known), known) == {}


def test_what_the_running_kubernetes_does_not_support_is_for_today() -> None:
    known = _catalog()
    action = due(_cluster("v1.11.4-eksbuild.2", known), known)["coredns"]
    assert action.timeline.due is Due.TODAY
    assert [each.partition(" ")[0] for each in action.action.findings] == ["EKS001"]
    assert action.rollback_plan is not None
    assert "no coredns v1.11.4-eksbuild.2" in action.rollback_plan.irreversible[0]
    assert any(each.startswith("PRE010") for each in action.confidence.speaks_against)


def test_a_version_too_new_for_the_cluster_goes_down() -> None:
    known = _catalog()
    versions = (offered("v1.14.0-eksbuild.1", {"1.35": "*"}), *known.eks.addons["coredns"].versions)
    table = replace(known.eks.addons["coredns"], versions=versions)
    known = replace(known, eks=replace(known.eks, addons={"coredns": table}))
    action = due(_cluster("v1.14.0-eksbuild.1", known), known)["coredns"]
    assert (action.action.to_version, action.timeline.due) == ("v1.12.4-eksbuild.3", Due.TODAY)


@pytest.mark.parametrize(
    ("end", "urgency"),
    [(date(2027, 3, 1), Due.THIS_WEEK), (date(2026, 12, 2), Due.THIS_WEEK), (date(2026, 11, 1), Due.THIS_WEEK)],
    ids=["standard", "ends soon", "extended"],
)
def test_what_the_next_kubernetes_waits_for_has_a_day(end: date, urgency: Due) -> None:
    known = _catalog(end=end)
    action = due(_cluster("v1.12.4-eksbuild.3", known, target="1.35"), known)["coredns"]
    assert action.action.to_version == "v1.13.2-eksbuild.1"
    assert (action.timeline.due, action.timeline.by) == (urgency, end if end > DAY else date(2028, 1, 1))
    assert "1.35 needs this update first" in action.timeline.because
    assert "v1.13.2-eksbuild.1 supports Kubernetes 1.34 and 1.35" in action.confidence.speaks_for


def test_the_day_on_which_aws_upgrades_by_itself_makes_it_urgent() -> None:
    known = _catalog(end=date(2026, 12, 2))
    cluster = _cluster("v1.12.4-eksbuild.3", known, target="1.35")
    assert cluster.snapshot.eks is not None
    forced = replace(cluster.snapshot.eks, cluster=replace(cluster.snapshot.eks.cluster, support_type="STANDARD"))
    there = assessed(replace(cluster.snapshot, eks=forced), known, target=Minor(1, 35))
    assert due(there, known)["coredns"].timeline.due is Due.TODAY


def test_what_a_waiver_accepts_gives_no_reason(demo: Assessment, catalog: Catalog) -> None:
    without = replace(demo, findings=tuple(found for found in demo.findings if found.code != "EOL002"))
    assert set(due(demo, catalog)) - set(due(without, catalog)) == {"argo-cd", "cert-manager", "keda"}


def test_without_the_running_kubernetes_nothing_is_planned() -> None:
    known = _catalog()
    dns = workload("coredns", "eks/coredns/coredns:v1.11.4-eksbuild.2", namespace="kube-system")
    cluster = model.Cluster(name="c", kubernetes="")
    managed = lifecycle(assessed(snapshot(workloads=(dns,), cluster=cluster), known), known, NOW)
    assert (managed.total_actions, managed.execution_priority) == (0, ())


def test_what_somebody_applied_could_be_handed_to_eks() -> None:
    known = _catalog()
    by_hand = _cluster("v1.12.4-eksbuild.1", known, listed=False)
    choices = due(by_hand, known)["coredns"].alternative_solutions
    assert [each.version for each in choices if each.type is Choice.OTHER_INSTALLER] == ["v1.12.4-eksbuild.3"]


# ── Retired add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────

GONE = Retirement(
    text="nobody maintains it",
    ended=date(2026, 3, 31),
    keeps="it goes on",
    successors=(Successor(name="CoreDNS", text="why not", addon="coredns"), Successor(name="Other", text="elsewhere")),
    steps=(
        MigrationStep(text="Look:", due=Due.THIS_WEEK, argv=("kubectl", "get", "ingress", "-A"), source="its docs"),
        MigrationStep(text="Move.", due=Due.NEXT_MONTH),
    ),
)


def test_a_retired_addon_is_left_step_by_step() -> None:
    known = _catalog(retirement=GONE)
    ingress = workload("ingress", "ingress/controller:1.2.3", desired=2, ready=2)
    action = due(_cluster("v1.12.4-eksbuild.3", known, ingress), known)["ingress"]
    assert (action.action.type, action.action.to_version) == (Task.MIGRATE, None)
    assert (action.timeline.due, action.timeline.by) == (Due.THIS_WEEK, date(2026, 3, 31))
    assert action.rollback_plan is None
    assert [(step.due, step.source) for step in action.migration_plan] == [
        (Due.THIS_WEEK, "its docs"),
        (Due.NEXT_MONTH, ""),
    ]
    assert action.expected_downtime.expected is Outage.UNKNOWN
    assert action.strategy.side_by_side
    assert [(each.type, each.text) for each in action.alternative_solutions] == [
        (Choice.SUCCESSOR, "CoreDNS: why not; it is installed here already"),
        (Choice.SUCCESSOR, "Other: elsewhere"),
        (Choice.WAIT, "it goes on"),
    ]


@pytest.mark.parametrize(("controller", "told"), [("acme/ingress", ("2 Ingresses use it",)), ("acme/other", ())])
def test_what_has_to_be_moved_is_counted(controller: str, told: tuple[str, ...]) -> None:
    known = _catalog(retirement=replace(GONE, ingress_controller="acme/ingress"))
    parts = {
        "workloads": (workload("ingress", "ingress/controller:1.2.3"),),
        "ingress_classes": (model.IngressClass(name="web", controller=controller),),
        "ingresses": tuple(
            model.Ingress(name=name, namespace="shop", ingress_class=of)
            for name, of in (("a", "web"), ("b", "web"), ("c", "alb"))
        ),
    }
    action = due(assessed(snapshot(**parts), known), known)["ingress"]
    assert action.action.why == ("nobody maintains it", *told)


def test_every_retired_addon_of_the_catalog_has_a_way_out(catalog: Catalog) -> None:
    retired = [addon for addon in catalog.addons.values() if addon.retirement]
    assert [addon.id for addon in retired] == ["ingress-nginx"]
    for addon in retired:
        assert addon.retirement is not None
        assert addon.retirement.source
        assert addon.retirement.successors
        assert addon.retirement.steps
        assert {each.addon for each in addon.retirement.successors} <= {"", *catalog.addons}


# ── The demo cluster ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_most_urgent_comes_first_and_then_what_others_depend_on(demo: Assessment, catalog: Catalog) -> None:
    managed = lifecycle(demo, catalog, NOW)
    dues = [list(Due).index(each.timeline.due) for each in managed.lifecycle_actions]
    assert dues == sorted(dues)
    order = demo.dependencies.order
    for group in managed.execution_priority:
        places = [order.index(installation) for installation in group.installations]
        assert places == sorted(places)
    grouped = [each for group in managed.execution_priority for each in group.installations]
    assert grouped == [each.action.installation for each in managed.lifecycle_actions]


def test_nothing_that_nobody_knows_has_a_number(demo: Assessment, catalog: Catalog) -> None:
    managed = lifecycle(demo, catalog, NOW)
    assert managed.lifecycle_actions
    for each in managed.lifecycle_actions:
        assert (each.confidence.value, each.expected_downtime.seconds) == (None, None)
        assert each.confidence.unknown_reason
        assert each.expected_downtime.unknown_reason
    saving = managed.estimated_improvement.monthly_saving
    assert (saving.usd_micros, bool(saving.unknown_reason)) == (None, True)


def test_every_required_finding_on_a_version_is_answered(demo: Assessment, catalog: Catalog) -> None:
    managed = lifecycle(demo, catalog, NOW)
    asked = {f.id for f in demo.findings if f.code in ("EKS001", "EKS002") and f.severity is not Severity.INFO}
    assert asked <= set(managed.estimated_improvement.findings)


def test_the_same_assessment_has_the_same_answer(demo: Assessment, catalog: Catalog) -> None:
    assert lifecycle(demo, catalog, NOW) == lifecycle(demo, catalog, NOW)


# ── Real dumps ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_real_dumps_have_plans_or_nothing_and_only_known_reasons(shared_data: Path, catalog: Catalog) -> None:
    dumps = sorted((shared_data / "clusters").iterdir())
    assert dumps
    for dump in dumps:
        for kubernetes in ("", "1.34"):
            taken = wiring.open_manager(files=str(dump), kubernetes=kubernetes).snapshot()
            assessment = assessed(taken, catalog, kubernetes=Minor.of(kubernetes) if kubernetes else None)
            for action in lifecycle(assessment, catalog, NOW).lifecycle_actions:
                assert action.action.findings or action.timeline.due is Due.NEXT_MONTH, (dump, action)
                assert set(action.action.findings) <= assessment.by_id.keys()
