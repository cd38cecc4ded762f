"""The report of an upgrade: what others have found, sorted by what is in the way; nothing lost, nothing judged anew."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from addonctl import model
from addonctl.adapters.clock import SystemClock
from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.catalog import Answer, Catalog
from addonctl.errors import BadInput
from addonctl.findings import CHECKS, Capability, finding
from addonctl.model import CommandLine, Evidence, Finding, Note, ObjectRef, Severity, View, owners
from addonctl.plan import upgrade_plan
from addonctl.preflight import Prepared, preflight
from addonctl.upgrading import Outcome, Topic, UpgradeReport, answer, by_addonctl, by_owner, of_upgrades, upgrade_report
from addonctl.versions import Minor, Version
from tests.builders import NOW
from tests.judging import assessed

Reported = Callable[..., UpgradeReport]


@pytest.fixture(scope="module")
def demo(catalog: Catalog) -> Assessment:
    return assessed(wiring.open_manager(demo=True).snapshot(), catalog, target=Minor(1, 36))


@pytest.fixture
def reported(catalog: Catalog) -> Reported:
    def make(assessment: Assessment, to: Minor | None = None) -> UpgradeReport:
        target = to or Minor(1, 36)
        plan = upgrade_plan(assessment, catalog, target, NOW)
        return upgrade_report(assessment, Prepared(plan, preflight(plan, assessment, catalog, {})), catalog)

    return make


def with_findings(assessment: Assessment, *found: Finding) -> Assessment:
    return replace(assessment, findings=found)


def at(assessment: Assessment, addon: str, **changes: object) -> Assessment:
    """The same with another version or owner of one add-on."""
    inventory = assessment.inventory
    rows = tuple(replace(row, **changes) if row.addon == addon else row for row in inventory.installations)  # type: ignore[arg-type]
    changed = replace(inventory, installations=rows)
    return replace(assessment, inventory=changed)


def test_every_step_of_the_plan_stands_once_in_its_stage(demo: Assessment, reported: Reported) -> None:
    found = reported(demo)
    listed = [step for stage in found.stages for step in (*stage.before, *stage.after)]
    assert listed == list(found.plan.steps)
    assert [(str(stage.kubernetes), str(stage.to)) for stage in found.stages] == [("1.34", "1.35"), ("1.35", "1.36")]
    for stage in found.stages:
        assert {step.kubernetes for step in stage.before} <= {stage.kubernetes}
        assert {step.kubernetes for step in stage.after} <= {stage.to}
        assert {step.prepares for step in (*stage.before, *stage.after)} <= {stage.to}


def test_every_installation_has_one_outcome_and_the_unknown_a_reason(demo: Assessment, reported: Reported) -> None:
    found = reported(demo)
    assert sorted(each.installation for each in found.addons) == sorted(row.id for row in demo.inventory.installations)
    assert {each.installation for each in found.of(Outcome.UNKNOWN)} == {each.installation for each in found.questions}
    assert all(each.reason for each in found.of(Outcome.UNKNOWN))
    moved = {each.addon: (each.from_version, each.to_version, len(each.steps)) for each in found.of(Outcome.CHANGES)}
    assert moved == {
        "aws-vpc-cni": ("v1.17.1-eksbuild.1", "v1.22.4-eksbuild.3", 5),
        "coredns": ("v1.12.4-eksbuild.18", "v1.14.3-eksbuild.3", 1),
    }


def test_what_the_plan_answers_is_not_told_twice(demo: Assessment, reported: Reported) -> None:
    """EKS001 of vpc-cni is what its step answers."""
    codes = {each.finding.code for each in reported(demo).obstacles}
    assert "EKS001" in {found.code for found in demo.findings}
    assert not codes & {"EKS001", "EKS002", "CMP001", "CMP002", "EKS006", "PRE011", "PRE023"}


def test_what_a_finding_is_rated_is_not_changed(demo: Assessment, reported: Reported) -> None:
    known = {found.id: found for found in demo.findings}
    for each in reported(demo).obstacles:
        assert known.get(each.finding.id, each.finding) == each.finding
        assert each.blocks or each.finding.severity is Severity.RECOMMENDED


def test_effects_go_with_their_cause_and_are_not_counted(demo: Assessment, reported: Reported) -> None:
    found = reported(demo)
    (crash,) = (each for each in found.blockers if each.finding.code == "HLT001")
    assert [effect.code for effect in crash.effects] == ["EKS005"]
    assert "EKS005" not in {each.finding.code for each in found.obstacles}


def test_what_blocks_is_no_effect_of_what_does_not(demo: Assessment, reported: Reported) -> None:
    cause = finding("EKS009", model.AwsRef("node group", "a"))
    effect = finding("HLT005", ObjectRef.of("Deployment", "x", "y"), severity=Severity.REQUIRED, cause=cause.id)
    found = reported(with_findings(demo, cause, effect))
    assert effect in [each.finding for each in found.blockers]
    assert cause in [each.finding for each in found.to_look_at]


def test_an_api_is_in_the_way_of_the_minor_that_removes_it(demo: Assessment, reported: Reported) -> None:
    gone = finding(
        "API002",
        model.ApiVersionRef("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema"),
        Evidence(kind="api", subject="FlowSchema/a", detail="removed in 1.32"),
        severity=Severity.RECOMMENDED,
    )
    cluster = replace(demo.snapshot.cluster, kubernetes="1.29")
    eks = replace(demo.snapshot.eks, cluster=replace(demo.snapshot.eks.cluster, version="1.29"))  # type: ignore[union-attr, type-var]
    old = assessed(replace(demo.snapshot, cluster=cluster, eks=eks), wiring.catalog(), target=Minor(1, 33))
    found = reported(with_findings(old, gone), Minor(1, 33))
    (each,) = (each for each in found.blockers if each.finding.code == "API002")
    assert (each.before, each.topic) == (Minor(1, 32), Topic.APIS)
    assert [stage.to for stage in found.stages] == [Minor(1, minor) for minor in (30, 31, 32, 33)]
    assert found.obstacles[0] is each


@pytest.mark.parametrize(
    ("code", "severity", "blocks"),
    [
        ("HLT013", Severity.RECOMMENDED, True),
        ("SKW002", Severity.RECOMMENDED, True),
        ("EKS010", Severity.REQUIRED, True),
        ("EKS010", Severity.RECOMMENDED, False),
        ("EKS007", Severity.REQUIRED, True),
        ("EOL001", Severity.RECOMMENDED, False),
        ("HLT004", Severity.REQUIRED, True),
        ("HLT014", Severity.RECOMMENDED, None),
        ("HLT015", Severity.INFO, None),
        ("EKS004", Severity.REQUIRED, None),
    ],
)
def test_what_blocks_what_is_looked_at_and_what_is_left_out(
    demo: Assessment, reported: Reported, code: str, severity: Severity, blocks: bool | None
) -> None:
    made = finding(code, model.AwsRef("subnet", "subnet-1"), severity=severity)
    listed = [each.blocks for each in reported(with_findings(demo, made)).obstacles if each.finding == made]
    assert listed == ([] if blocks is None else [blocks])


def test_blockers_come_first_and_in_the_order_of_topics(demo: Assessment, reported: Reported) -> None:
    found = reported(demo)
    places = [(not each.blocks, list(Topic).index(each.topic)) for each in found.obstacles]
    assert places == sorted(places)
    assert found.is_blocked


def test_every_check_of_an_upgrade_has_a_topic_and_no_other_is_listed(demo: Assessment, reported: Reported) -> None:
    for each in reported(demo).obstacles:
        assert of_upgrades(CHECKS[each.finding.code])
    assert not of_upgrades(CHECKS["EKS006"])
    assert not any(of_upgrades(check) for check in CHECKS.values() if check.capability is Capability.WAIVERS)


def test_an_add_on_without_a_version_for_the_target_blocks(
    demo: Assessment, catalog: Catalog, reported: Reported
) -> None:
    """EKS offers nothing of it for the target any more."""
    eks = catalog.eks
    offered = eks.addons["coredns"]
    fewer = replace(
        offered,
        versions=tuple(
            replace(each, kubernetes={minor: on for minor, on in each.kubernetes.items() if minor < Minor(1, 36)})
            for each in offered.versions
        ),
    )
    known = replace(catalog, eks=replace(eks, addons={**eks.addons, "coredns": fewer}))
    seen = assessed(demo.snapshot, known, target=Minor(1, 36))
    plan = upgrade_plan(seen, known, Minor(1, 36), NOW)
    found = upgrade_report(seen, Prepared(plan, preflight(plan, seen, known, {})), known)
    (stuck,) = found.of(Outcome.NO_VERSION)
    assert (stuck.addon, stuck.kubernetes) == ("coredns", Minor(1, 36))
    assert "EKS002" in {each.finding.code for each in found.blockers}
    assert stuck.installation not in {each.installation for each in found.questions}


def test_what_aws_runs_needs_nothing_and_an_unknown_version_says_why(demo: Assessment, reported: Reported) -> None:
    managed = at(demo, "coredns", owner=owners.AwsManaged("EKS Auto Mode"))
    assert [each.addon for each in reported(managed).of(Outcome.BY_AWS)] == ["coredns"]
    unread = at(demo, "coredns", version=None, version_unknown_reason="its image has no tag")
    (each,) = (each for each in reported(unread).addons if each.addon == "coredns")
    assert (each.outcome, each.from_version) == (Outcome.UNKNOWN, "")
    assert "its image has no tag" in each.reason


def test_what_is_known_not_to_fit_and_published_otherwise_is_for_a_person_to_choose(
    demo: Assessment, reported: Reported
) -> None:
    old = at(demo, "coredns", version=Version.of("v1.10.1-eksbuild.1"), owner=owners.Undetermined("nobody says"))
    (each,) = (each for each in reported(old).addons if each.addon == "coredns")
    assert each.outcome in (Outcome.CHOOSE, Outcome.NO_VERSION)
    assert each.reason


def without_add_ons(assessment: Assessment, *gaps: model.Gap) -> Assessment:
    """The same cluster with nothing in it that speaks against an upgrade."""
    nothing = replace(assessment.inventory, installations=())
    unordered = replace(assessment.dependencies, order=())
    view = View(replace(assessment.snapshot, gaps=gaps))
    return replace(assessment, view=view, findings=(), inventory=nothing, dependencies=unordered)


def test_what_no_step_answers_is_asked_before_its_stage(demo: Assessment, reported: Reported) -> None:
    found = reported(demo)
    asked = [each for stage in found.stages for each in stage.questions]
    assert sorted(each.installation for each in asked) == sorted(each.installation for each in found.plan.questions)
    assert all(each.kubernetes == stage.to for stage in found.stages for each in stage.questions)
    assert [bool(stage.questions) for stage in found.stages] == [True, True]


def test_a_kubernetes_that_nobody_knows_is_never_a_yes(demo: Assessment, catalog: Catalog, reported: Reported) -> None:
    """Without an add-on, a finding and a gap, nothing but the calendar speaks against it."""
    newest = catalog.kubernetes.newest_on_eks
    empty = without_add_ons(demo)
    known, beyond = reported(empty, newest), reported(empty, newest.next)
    assert (known.beyond, answer(known, empty)) == ((), Answer.YES)
    assert (beyond.beyond, answer(beyond, empty)) == ((newest.next,), Answer.UNKNOWN)


def test_what_is_not_in_the_input_is_never_a_yes(demo: Assessment, reported: Reported) -> None:
    absent = model.Gap(part="leases", reason=model.GapReason.NOT_IN_INPUT, detail="", absent=True)
    part = without_add_ons(demo, absent)
    assert answer(reported(part), part) is Answer.UNKNOWN


# ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_step_of_eks_ends_before_the_next_begins(demo: Assessment, reported: Reported) -> None:
    steps = [step for step in reported(demo).plan.steps if isinstance(step.owner, owners.EksAddon)]
    assert len(steps) == 6
    for step in steps:
        *_, last = by_owner(step)
        assert isinstance(last, CommandLine)
        assert last.argv[:4] == ("aws", "eks", "wait", "addon-active")
        (ours,) = by_addonctl(step)
        assert isinstance(ours, CommandLine)
        assert ours.argv == ("addonctl", "update", step.installation, "--to", str(step.to_version))


def test_what_is_kept_elsewhere_is_changed_there_alone(demo: Assessment, catalog: Catalog, reported: Reported) -> None:
    git = owners.ArgoApplication("argocd", "coredns")
    steps = [step for step in reported(at(demo, "coredns", owner=git)).plan.steps if step.addon == "coredns"]
    assert steps
    assert all(by_addonctl(step) == () and by_owner(step) == step.do for step in steps)


def node(name: str, **labels: str) -> model.Node:
    told = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    return model.Node(name=name, kubelet_version="v1.34.2-eks-1", labels=told)


def test_nodes_are_updated_by_who_made_them(demo: Assessment, reported: Reported) -> None:
    nodes = (
        node("a", eks_amazonaws_com__nodegroup="blue"),
        node("b", eks_amazonaws_com__nodegroup="green"),
        node("c", karpenter_sh__nodepool="spot"),
        replace(node("d"), labels={"eks.amazonaws.com/compute-type": "fargate"}),
        replace(node("e"), labels={"eks.amazonaws.com/compute-type": "auto"}),
        node("f"),
    )
    view = View(replace(demo.snapshot, nodes=nodes))
    stage = reported(replace(demo, view=view)).stages[0]
    commands = [each.argv[2:4] for each in stage.nodes if isinstance(each, CommandLine)]
    assert commands == [("update-nodegroup-version", "--cluster-name"), ("wait", "nodegroup-active")] * 2
    told = " ".join(each.text for each in stage.nodes if isinstance(each, Note))
    assert all(word in told for word in ("Karpenter", "Fargate", "Auto Mode", "Replace the nodes"))


def test_nodes_that_were_not_read_are_named_all_the_same(demo: Assessment, reported: Reported) -> None:
    view = View(replace(demo.snapshot, nodes=()))
    for stage in reported(replace(demo, view=view)).stages:
        assert [each for each in stage.nodes if isinstance(each, Note) and "No node was read" in each.text]


# ── The door ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Fixed(SystemClock):
    def now(self):  # type: ignore[no-untyped-def]
        return NOW


def test_without_a_target_it_is_the_next_minor_and_a_lower_one_is_refused() -> None:
    manager = replace(wiring.open_manager(demo=True), clock=_Fixed())
    assert manager.upgrade_report()[1].target == Minor(1, 35)
    with pytest.raises(BadInput, match="not above"):
        manager.upgrade_report(Minor(1, 34))
