"""What goes with what: yes, no, or unknown with its reason; and what the next minors, nodes and neighbours need."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from addonctl import model
from addonctl.catalog import (
    AddOn,
    Answer,
    ApiRemoval,
    Catalog,
    Cell,
    ClusterService,
    Conflict,
    ConflictSign,
    EksAddonVersions,
    EksInstall,
    EksVersion,
    Install,
    MigrationStep,
    ReleaseCycle,
    Requirement,
    Retirement,
    Skew,
    Successor,
    UpgradeRule,
)
from addonctl.compatibility import Compatibility, Support, check_compatibility, matrix, matrix_minors
from addonctl.errors import BadInput
from addonctl.model import (
    AddOnRef,
    Apply,
    CommandLine,
    CreateAddon,
    Due,
    Finding,
    GitChange,
    HelmRollback,
    HelmUpgrade,
    InsightRef,
    Installation,
    InstallationRef,
    Inventory,
    Method,
    NodesRef,
    Note,
    ObjectRef,
    Owner,
    Severity,
    Together,
    UpdateAddon,
    View,
    owners,
)
from addonctl.remediation import eks_addon, undo, update_addon
from addonctl.render.commands import fix_text
from addonctl.versions import Minor, Version
from tests.builders import DAY, addon, eks, offered, small_catalog, snapshot, supports, workload

SKEW = (
    Skew(component="kubelet", minors_behind=3),
    Skew(component="kube-proxy", minors_behind=3),
    Skew(component="kube-proxy", against="kubelet", minors_behind=3, minors_ahead=3),
)


def catalog(*entries: AddOn, tables: tuple[EksAddonVersions, ...] = ()) -> Catalog:
    """The small catalog with the skew policy and more entries."""
    known = small_catalog()
    calendar = replace(
        known.kubernetes, skew=SKEW, standard_usd_per_hour=Decimal("0.10"), extended_usd_per_hour=Decimal("0.60")
    )
    more = {table.name: table for table in tables}
    return Catalog(
        {**known.addons, **{entry.id: entry for entry in entries}},
        replace(known.eks, addons={**known.eks.addons, **more}),
        calendar,
    )


CATALOG = catalog(addon("kube-proxy", "eks/kube-proxy", component="kube-proxy"))


def owner_of(addon_id: str, method: Method) -> Owner:
    known: dict[Method, Owner] = {
        Method.EKS: owners.EksAddon(addon_id),
        Method.HELM: owners.HelmRelease("apps", addon_id),
        Method.ARGOCD: owners.ArgoApplication("argocd", addon_id),
        Method.FLUX: owners.FluxHelmRelease("flux-system", addon_id),
        Method.MANIFEST: owners.Manifest("kubectl"),
        Method.BUILT_IN: owners.AwsManaged("EKS Auto Mode"),
    }
    return known[method]


def row(addon_id: str, version: str | None = None, method: Method = Method.HELM, **more: Any) -> Installation:
    return Installation(
        id=f"{addon_id}/apps",
        addon=addon_id,
        name=addon_id,
        version=Version.of(version) if version else None,
        version_unknown_reason="" if version else "nothing tells it",
        owner=more.pop("owner", owner_of(addon_id, method)),
        **more,
    )


def judged(
    *rows: Installation, known: Catalog = CATALOG, day: date = DAY, kubernetes: str = "", target: str = "", **parts: Any
) -> Compatibility:
    said, wanted = (Minor.of(text) if text else None for text in (kubernetes, target))
    return check_compatibility(View(snapshot(**parts)), Inventory(installations=rows), known, day, said, wanted)


def of(code: str, result: Compatibility) -> list[Finding]:
    return [item for item in result.findings if item.code.startswith(code)]


def about(row: Installation) -> InstallationRef:
    return InstallationRef(row.id, row.addon)


def version_codes(*rows: Installation, **more: Any) -> list[str]:
    mine = {about(each) for each in rows}
    found = judged(*rows, **more).findings
    return [item.code for item in found if item.code[:3] in ("EKS", "CMP") and item.subject in mine]


# ── Which Kubernetes ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_asked_for_wins_over_eks_and_eks_over_the_server() -> None:
    said_by_eks = replace(eks(), cluster=model.EksCluster(name="prod-eu-1", version="1.33"))
    assert judged().kubernetes.running == Minor(1, 34)
    assert judged(eks=said_by_eks).kubernetes.running == Minor(1, 33)
    assert judged(eks=said_by_eks, kubernetes="v1.32.1").kubernetes.running == Minor(1, 32)


def test_the_next_minor_is_prepared_for_and_every_one_up_to_a_target() -> None:
    assert judged().kubernetes.targets == (Minor(1, 35),)
    status = judged(target="1.37").kubernetes
    assert (status.targets, status.target) == ((Minor(1, 35), Minor(1, 36), Minor(1, 37)), Minor(1, 37))


def test_the_running_minor_as_target_is_judged_once() -> None:
    result = judged(row("coredns", "v1.12.4-eksbuild.3", Method.EKS), target="1.34")
    assert (result.kubernetes.targets, result.kubernetes.target) == ((), Minor(1, 34))
    assert [cell.kubernetes for cell in result.cells["coredns/apps"]] == [Minor(1, 34)]


@pytest.mark.parametrize(
    ("target", "words"), [("1.33", "older than the running 1.34"), ("2.0", "Cannot upgrade from 1.34 to 2.0")]
)
def test_a_target_that_no_upgrade_leads_to_is_refused(target: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        judged(target=target)


# ── Without a known Kubernetes ──────────────────────────────────────────────────────────────────────────────────

UNSAID = model.Cluster(name="files", source="files")


def node(kubelet: str = "v1.34.2-eks-1", **more: Any) -> model.Node:
    return model.Node(name=more.pop("name", "n1"), kubelet_version=kubelet, **more)


def test_without_a_kubernetes_the_oldest_and_the_newest_of_eks_are_judged_and_it_is_a_gap() -> None:
    result = judged(row("coredns", "v1.12.4-eksbuild.3", Method.EKS), cluster=UNSAID)
    status = result.kubernetes
    assert (status.running, status.target, status.support) == (None, None, Support.UNKNOWN)
    assert status.assumed == (Minor(1, 33), Minor(1, 34))
    assert [cell.kubernetes for cell in result.cells["coredns/apps"]] == [Minor(1, 33), Minor(1, 34)]
    (gap,) = result.gaps
    assert (gap.part, gap.reason, gap.absent) == ("kubernetes", model.GapReason.NOT_IN_INPUT, False)
    assert "--kubernetes" in gap.detail
    assert "judged against Kubernetes 1.33 and 1.34" in gap.detail
    assert judged().gaps == ()


@pytest.mark.parametrize(
    ("kubelets", "assumed"),
    [
        (("v1.34.2-eks-1",), (Minor(1, 34),)),
        (("v1.33.4-eks-1", "v1.32.9-eks-1"), (Minor(1, 33), Minor(1, 34))),
        (("v1.29.1-eks-1",), (Minor(1, 33), Minor(1, 34))),
        (("v1.29.1",), (Minor(1, 29), Minor(1, 34))),
        (("v1.37.0-eks-1",), (Minor(1, 37),)),
    ],
    ids=["the newest", "the newer of two", "older than EKS offers", "not on EKS", "newer than the calendar"],
)
def test_kubelets_narrow_what_may_run(kubelets: tuple[str, ...], assumed: tuple[Minor, ...]) -> None:
    """No kubelet is newer than its API server, and EKS runs none that it does not offer."""
    status = judged(cluster=UNSAID, nodes=tuple(node(text) for text in kubelets)).kubernetes
    assert status.assumed == assumed
    assert f"its kubelets are of {Minor.read(min(kubelets))}" in status.reason


@pytest.mark.parametrize(
    ("version", "codes", "running"),
    [
        ("v1.12.4-eksbuild.3", [], Answer.UNKNOWN),
        ("v1.11.4-eksbuild.2", ["EKS002"], Answer.UNKNOWN),
        ("v1.10.1-eksbuild.1", ["EKS001"], Answer.NO),
        ("v1.99.0-eksbuild.1", [], Answer.UNKNOWN),
    ],
    ids=["too new for the oldest", "too old for the newest", "for none of them", "not listed"],
)
def test_a_version_is_judged_for_all_that_may_run(version: str, codes: list[str], running: Answer) -> None:
    table = small_catalog().eks.addons["coredns"]
    older = replace(table, versions=(*table.versions, offered("v1.10.1-eksbuild.1", {"1.32": "*"})))
    one = row("coredns", version, Method.EKS)
    result = judged(one, known=catalog(tables=(older,)), cluster=UNSAID)
    assert [item.code for item in of("EKS", result)] == codes
    cell = result.running(one.id)
    assert (cell.answer, cell.kubernetes) == (running, None)
    assert result.target(one.id).kubernetes == Minor(1, 34)


def test_a_version_that_only_a_minor_between_them_takes_is_not_refused_outright() -> None:
    listed = EksAddonVersions(
        name="mid", versions=(offered("v1.0.0-eksbuild.1", {"1.34": "*"}), offered("v2", {"1.35": ""}))
    )
    known = catalog(addon("mid", "acme/mid", install=Install(eks=EksInstall(name="mid"))), tables=(listed,))
    one = row("mid", "v1.0.0-eksbuild.1", Method.EKS)
    assert version_codes(one, known=known, cluster=UNSAID, target="1.35") == ["EKS002"]


def test_a_target_is_judged_though_the_running_minor_is_unknown() -> None:
    result = judged(row("coredns", "v1.11.4-eksbuild.2", Method.EKS), cluster=UNSAID, target="1.35")
    assert [cell.answer for cell in result.cells["coredns/apps"]] == [Answer.YES, Answer.NO]
    assert [item.code for item in result.findings] == ["EKS002"]


def test_a_target_older_than_all_that_eks_offers_is_judged_alone() -> None:
    status = judged(cluster=UNSAID, target="1.24").kubernetes
    assert (status.assumed, status.minors) == ((Minor(1, 24),), (Minor(1, 24),))
    with pytest.raises(BadInput, match=r"to 2\.0"):
        judged(cluster=UNSAID, target="2.0")


def test_a_running_answer_is_the_first_where_kubernetes_is_known() -> None:
    one = row("coredns", "v1.11.4-eksbuild.2", Method.EKS)
    result = judged(one, kubernetes="1.33")
    assert result.running(one.id) is result.cells[one.id][0]
    assert result.target(one.id).answer is Answer.NO


# ── Support ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "support", "code"),
    [
        (date(2026, 6, 1), Support.STANDARD, None),
        (date(2026, 10, 2), Support.STANDARD, None),
        (date(2026, 10, 3), Support.STANDARD, "EKS006"),
        (date(2026, 12, 1), Support.STANDARD, "EKS006"),
        (date(2026, 12, 2), Support.EXTENDED, "EKS003"),
        (date(2027, 12, 1), Support.EXTENDED, "EKS003"),
        (date(2027, 12, 2), Support.UNSUPPORTED, "EKS004"),
    ],
)
def test_support_by_the_calendar(day: date, support: Support, code: str | None) -> None:
    result = judged(day=day)
    assert result.kubernetes.support is support
    assert [item.code for item in of("EKS", result)] == ([code] if code else [])


def test_extended_support_is_said_with_its_price() -> None:
    (item,) = of("EKS003", judged(day=date(2027, 1, 1)))
    assert [seen.detail for seen in item.evidence] == [
        "extended support of Kubernetes 1.34 ends on 2027-12-02, 335 days from now; "
        "then AWS upgrades the control plane",
        "$0.60 an hour instead of $0.10: $365 more a month for this control plane",
    ]
    (ended,) = of("EKS004", judged(day=date(2027, 12, 12)))
    assert ended.evidence[0].detail == "extended support of Kubernetes 1.34 ended on 2027-12-02, 10 days ago"
    (ending,) = of("EKS004", judged(day=date(2027, 12, 2)))
    assert ending.evidence[0].detail == "extended support of Kubernetes 1.34 ended on 2027-12-02, today"


def test_the_end_of_support_is_answered_by_the_next_step_of_the_control_plane() -> None:
    (item,) = of("EKS006", judged(day=date(2026, 12, 1), eks=under("STANDARD")))
    assert fix_text(item) == (
        "# once nothing stands in its way (addonctl compat --target 1.35); EKS takes it back for 7 days, not add-ons:\n"
        "aws eks update-cluster-version --name prod-eu-1 --kubernetes-version 1.35"
    )
    (unasked,) = of("EKS006", judged(day=date(2026, 12, 1)))
    assert unasked.fix == (), "AWS was not read: nobody knows under which name it has the cluster"


def under(policy: str) -> model.Eks:
    return replace(eks(), cluster=model.EksCluster(name="prod-eu-1", version="1.34", support_type=policy))


def test_under_policy_standard_aws_upgrades_and_bills_no_extended_support() -> None:
    (item,) = of("EKS006", judged(day=date(2026, 12, 1), eks=under("STANDARD")))
    assert item.severity is Severity.REQUIRED
    assert [seen.detail for seen in item.evidence] == [
        "standard support of Kubernetes 1.34 ends on 2026-12-02, 1 day from now",
        "STANDARD: AWS upgrades the control plane on 2026-12-02; no extended support is billed",
    ]


def test_under_policy_extended_the_end_of_standard_support_costs_money() -> None:
    (item,) = of("EKS006", judged(day=date(2026, 12, 1), eks=under("EXTENDED")))
    assert item.severity is Severity.INFO
    assert [seen.kind for seen in item.evidence] == ["eks", "price"]


@pytest.mark.parametrize(
    ("day", "severity"), [(date(2027, 10, 2), Severity.RECOMMENDED), (date(2027, 10, 3), Severity.REQUIRED)]
)
def test_the_end_of_extended_support_is_required_work_when_it_is_near(day: date, severity: Severity) -> None:
    (item,) = of("EKS003", judged(day=day))
    assert item.severity is severity


KIND = model.Cluster(name="kind", kubernetes="v1.34.2")
EC2 = "aws:///eu-west-1a/i-0123456789abcdef0"


@pytest.mark.parametrize(
    ("nodes", "on_eks"),
    [
        ((node("v1.34.2-eks-1a2b3c4"),), True),
        ((node("v1.34.2", labels={"eks.amazonaws.com/compute-type": "fargate"}),), True),
        ((node("v1.34.2", labels={"eks.amazonaws.com/nodegroup": "web"}),), True),
        ((node("v1.34.2", provider_id=EC2),), True),
        (
            (node("v1.34.2", provider_id=EC2), node("v1.34.2", labels={"node-role.kubernetes.io/control-plane": ""})),
            False,
        ),
        ((node("v1.34.2", provider_id="kind://docker/kind/n1"),), False),
        ((), False),
    ],
    ids=["kubelet", "compute type", "node group", "provider", "its own control plane on EC2", "kind", "none"],
)
def test_eks_is_known_by_its_nodes(nodes: tuple[model.Node, ...], on_eks: bool) -> None:
    assert bool(of("EKS003", judged(day=date(2027, 1, 1), cluster=KIND, nodes=nodes))) is on_eks


def test_eks_calendar_says_nothing_of_another_kubernetes() -> None:
    elsewhere = model.Cluster(name="kind", kubernetes="v1.34.2")
    assert of("EKS", judged(day=date(2027, 1, 1), cluster=elsewhere)) == []
    assert of("EKS", judged(day=date(2027, 1, 1), cluster=elsewhere, eks=eks())) != []


def test_a_minor_that_the_calendar_lacks_is_unknown() -> None:
    status = judged(kubernetes="1.21").kubernetes
    assert (status.support, status.ends) == (Support.UNKNOWN, None)
    assert status.reason == "the calendar of 2026-11-24 has no Kubernetes 1.21 on EKS"


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(*rows: Installation, **more: Any) -> list[Cell]:
    (cells,) = judged(*rows, **more).cells.values()
    return list(cells)


def test_aws_table_answers_yes_for_what_it_lists() -> None:
    now, later = answers(row("coredns", "v1.12.4-eksbuild.3", Method.EKS))
    assert (now.answer, later.answer) == (Answer.YES, Answer.YES)
    assert "It is the default there." in now.reason
    assert "from platform version eks.4+ on" in later.reason


def test_what_aws_does_not_offer_is_a_finding_for_the_first_minor_that_it_fails() -> None:
    old = row("coredns", "v1.11.4-eksbuild.2", Method.EKS)
    assert version_codes(old) == ["EKS001"], "said once, not again for 1.35"
    assert version_codes(old, kubernetes="1.33") == ["EKS002"]
    assert version_codes(row("coredns", "v1.12.4-eksbuild.3", Method.EKS)) == []


def test_the_same_build_under_another_installer_is_not_a_matter_of_aws() -> None:
    assert version_codes(row("coredns", "v1.11.4-eksbuild.2")) == ["CMP001"]
    assert version_codes(row("coredns", "v1.11.4-eksbuild.2"), kubernetes="1.33") == ["CMP002"]


def test_upstream_ranges_answer_for_the_rest() -> None:
    assert [check.answer for check in answers(row("cert-manager", "v1.20.3"))] == [Answer.YES, Answer.YES]
    assert version_codes(row("cert-manager", "v1.20.3"), kubernetes="1.30") == ["CMP001"]


def test_a_kubernetes_newer_than_was_published_is_unknown_never_no() -> None:
    upstream = row("cert-manager", "v1.20.3")
    assert [check.answer for check in answers(upstream, kubernetes="1.35")] == [Answer.YES, Answer.UNKNOWN]
    listed = row("coredns", "v1.12.4-eksbuild.3", Method.EKS)
    assert answers(listed, kubernetes="1.36")[0].answer is Answer.UNKNOWN
    assert version_codes(upstream, listed, kubernetes="1.36") == []


@pytest.mark.parametrize(
    "unknown",
    [
        row("coredns", "v1.99.0-eksbuild.1", Method.EKS),
        row("cert-manager", "v1.99.0"),
        row("cert-manager"),
        row("exporter", "v1.0.0"),
    ],
    ids=["AWS does not list it", "upstream says nothing", "version unknown", "no range at all"],
)
def test_unknown_is_never_no(unknown: Installation) -> None:
    assert {check.answer for check in answers(unknown)} == {Answer.UNKNOWN}
    assert all(check.reason for check in answers(unknown))
    assert version_codes(unknown) == []


def test_an_unknown_version_keeps_its_reason() -> None:
    assert answers(row("cert-manager"))[0].reason == "Its version is unknown: nothing tells it."


def test_an_eks_addon_of_which_nothing_is_known_is_unknown() -> None:
    """AWS adds add-ons every month; one that the packaged table lacks must not stop the scan."""
    fresh = row("acme_brand-new-agent", "v1.0.0-eksbuild.1", Method.EKS)
    assert {check.answer for check in answers(fresh)} == {Answer.UNKNOWN}


def test_what_aws_runs_goes_with_every_minor() -> None:
    built_in = row("eks-capability-argocd", None, Method.BUILT_IN)
    assert {check.answer for check in answers(built_in)} == {Answer.YES}


def test_ranges_read_as_english() -> None:
    entry = addon(
        "up",
        "acme/up",
        kubernetes=(supports("4", "1.33", "1.33"), supports("3", "1.22"), supports("2", "", "1.30"), supports("1")),
    )
    said = {v: answers(row("up", v), known=catalog(entry))[0].reason for v in ("4", "3", "2", "1")}
    assert said == {
        "4": "Up 4 was published for Kubernetes 1.33.",
        "3": "Up 3 supports Kubernetes 1.22 and newer.",
        "2": "Up 2 was published for Kubernetes up to 1.30.",
        "1": "Up 1 supports Kubernetes of any version.",
    }


@pytest.mark.parametrize(
    ("version", "kubernetes", "answer"),
    [
        ("1.4.0", "1.32", Answer.UNKNOWN),
        ("1.4.0", "1.33", Answer.NO),
        ("1.4.0", "1.34", Answer.NO),
        ("1.4.0", "1.40", Answer.NO),
        ("1.5.0", "1.33", Answer.YES),
        ("1.9.0", "1.34", Answer.UNKNOWN),
    ],
    ids=["may do", "the oldest row's", "a later row's", "beyond all", "listed", "newer than the table"],
)
def test_older_than_a_table_of_minimums_is_no(version: str, kubernetes: str, answer: Answer) -> None:
    rows = (supports("1.6", "1.26", "1.34"), supports("1.5", "1.26", "1.33"))
    least = addon("app", "acme/app", kubernetes=rows, kubernetes_is_minimum=True)
    cell = answers(row("app", version), known=catalog(least), kubernetes=kubernetes)[0]
    assert cell.answer is answer
    assert cell.reason != "No range of Kubernetes is published for App 1.4.0."


def test_older_than_any_other_table_is_unknown_and_said_so() -> None:
    entry = addon("app", "acme/app", kubernetes=(supports("1.6", "1.30", "1.34"), supports("1.5", "1.29", "1.33")))
    cell = answers(row("app", "1.4.0"), known=catalog(entry))[0]
    assert cell.answer is Answer.UNKNOWN
    assert cell.reason == "App 1.4.0 is older than any whose range is known: our table begins with 1.5."


@pytest.mark.parametrize(
    ("version", "answer", "words"),
    [
        ("v1.23.17", Answer.NO, "11 minors behind Kubernetes 1.34; at most 3 are allowed"),
        ("v1.31.0", Answer.YES, "by the version skew policy"),
        ("v1.34.1", Answer.YES, "by the version skew policy"),
        ("v1.35.0", Answer.NO, "newer than Kubernetes 1.34, which is not allowed"),
    ],
)
def test_a_component_of_kubernetes_is_answered_by_the_skew_policy(version: str, answer: Answer, words: str) -> None:
    cell = answers(row("kube-proxy", version, Method.MANIFEST))[0]
    assert cell.answer is answer
    assert words in cell.reason


# ── Variants ────────────────────────────────────────────────────────────────────────────────────────────────────

FIPS = "vendor_coredns-fips"


def with_variant() -> Catalog:
    install = Install(eks=EksInstall(name="coredns", variants=(FIPS,)))
    listed = (
        offered("v1.12.10001-eksbuild.1", {"1.34": "*"}, "1.34"),
        offered("v1.11.10001-eksbuild.1", {"1.33": "*"}),
    )
    return catalog(
        addon("coredns", "coredns/coredns", install=install), tables=(EksAddonVersions(name=FIPS, versions=listed),)
    )


def test_a_variant_is_checked_against_its_own_table() -> None:
    variant = row("coredns", "v1.12.10001-eksbuild.1", owner=owners.EksAddon(FIPS))
    cell = answers(variant, known=with_variant())[0]
    assert (cell.answer, cell.addon) == (Answer.YES, "coredns")
    assert FIPS in cell.reason


def test_a_variant_is_updated_under_its_own_name() -> None:
    variant = row("coredns", "v1.11.10001-eksbuild.1", owner=owners.EksAddon(FIPS))
    (update,) = fix(variant, with_variant())
    assert isinstance(update, UpdateAddon)
    assert (update.addon, update.version) == (FIPS, "v1.12.10001-eksbuild.1")


def test_a_variant_that_a_claim_names_counts_as_well() -> None:
    claim = model.Claim(owner=owners.EksAddon(FIPS), evidence="field manager eks")
    held = row("coredns", "v1.12.10001-eksbuild.1", owner=owners.ArgoApplication("argocd", "dns"), claims=(claim,))
    assert answers(held, known=with_variant())[0].answer is Answer.YES


# ── How to update ───────────────────────────────────────────────────────────────────────────────────────────────


def fix(one: Installation, known: Catalog = CATALOG, **more: Any) -> tuple[model.Action, ...]:
    (item,) = (item for item in judged(one, known=known, **more).findings if item.subject == about(one))
    return item.fix


OLD = "v1.11.4-eksbuild.2"


def test_an_eks_addon_is_updated_with_what_update_addon_would_drop() -> None:
    role = "arn:aws:iam::111122223333:role/dns"
    listed = model.EksAddon(name="coredns", version=OLD, service_account_role_arn=role, is_configured=True)
    assert fix(row("coredns", OLD, Method.EKS), eks=eks(addons=(listed,))) == (
        UpdateAddon(
            cluster="prod-eu-1",
            addon="coredns",
            version="v1.12.4-eksbuild.3",
            role_arn=role,
            keep_configuration=True,
        ),
    )


def test_an_update_says_no_more_than_is_set() -> None:
    update = update_addon("c", "coredns", "v2", model.EksAddon(name="coredns", is_configured=False))
    assert (update.role_arn, update.keep_configuration, update.why) == ("", False, "")


def test_a_configuration_of_which_nothing_is_known_is_kept_and_a_role_is_asked_for() -> None:
    """A snapshot of an older addonctl does not say whether there is one; AWS may not have been asked at all."""
    update = update_addon("c", "coredns", "v2", model.EksAddon(name="coredns"))
    assert (update.keep_configuration, update.why) == (True, "")
    unasked = update_addon("c", "coredns", "v2", None, why="first:")
    assert unasked.keep_configuration
    assert unasked.why.startswith("first: AWS was not read")
    assert "--service-account-role-arn" in unasked.why


FOR_130 = "that supports Kubernetes 1.30"


@pytest.mark.parametrize(
    ("owner", "action"),
    [
        (owners.HelmRelease("apps", "x"), HelmUpgrade(namespace="apps", name="x", choose=FOR_130)),
        (owners.ArgoApplication("argocd", "x"), f"set targetRevision to a version {FOR_130}"),
        (owners.FluxHelmRelease("flux-system", "x"), f"set the chart's version to one {FOR_130}"),
        (owners.FluxKustomization("flux-system", "x"), f"put the manifests of a version there {FOR_130}"),
        (owners.Manifest("kubectl"), Apply(what=f"the manifests of a version {FOR_130}")),
        (owners.HelmRelease("apps", ""), Apply(what=f"the manifests of a version {FOR_130}")),
        (owners.EksAddon("cert-manager"), Note(f"Update EKS add-on cert-manager to a version {FOR_130}.")),
    ],
)
def test_an_update_is_in_the_installers_terms(owner: Owner, action: model.Action | str) -> None:
    wanted = GitChange(owner=owner, change=action) if isinstance(action, str) else action
    assert fix(row("cert-manager", "v1.20.3", owner=owner), kubernetes="1.30") == (wanted,)


def test_an_update_names_the_range_that_does_or_eks_default() -> None:
    entry = addon(
        "cert-manager",
        "jetstack/cert-manager-controller",
        kubernetes=(supports("1.20", "1.32", "1.35"), supports("1.18", "1.29", "1.31")),
    )
    chosen = HelmUpgrade(namespace="apps", name="cert-manager", choose=f"{FOR_130} (1.18 does)")
    assert fix(row("cert-manager", "v1.20.3"), catalog(entry), kubernetes="1.30") == (chosen,)
    by_eks = "that supports Kubernetes 1.34 (EKS offers v1.12.4-eksbuild.3 for it)"
    assert fix(row("coredns", OLD)) == (HelmUpgrade(namespace="apps", name="coredns", choose=by_eks),)


def test_without_a_default_the_newest_that_eks_offers_is_named() -> None:
    listed = (listing("v1.19.1-eksbuild.1"), listing("v1.19.6-eksbuild.1"))
    assert first_stop("v1.18.1-eksbuild.1", *listed) == ("v1.19.6-eksbuild.1", "")


def cni(*listed: EksVersion) -> Catalog:
    entry = addon(
        "cni",
        "acme/cni",
        install=Install(eks=EksInstall(name="vpc-cni")),
        upgrade_rules=(UpgradeRule(text="one minor at a time", one_minor_at_a_time=True),),
    )
    return catalog(entry, tables=(EksAddonVersions(name="vpc-cni", versions=listed),))


def listing(version: str, *, default: bool = False) -> EksVersion:
    return offered(version, {"1.34": "*"}, *(("1.34",) if default else ()))


def first_stop(now: str, *listed: EksVersion) -> tuple[str, str]:
    """(the version that the update names, what its note says comes after)."""
    update, *after = fix(row("cni", now, owner=owners.EksAddon("vpc-cni")), cni(*listed, offered(now, {"1.33": "*"})))
    assert isinstance(update, UpdateAddon)
    note = after[0].text if after and isinstance(after[0], Note) else ""
    return update.version, note.removeprefix("Then one minor at a time to ").removesuffix(".")


def test_an_addon_that_moves_one_minor_at_a_time_is_sent_to_the_next_first() -> None:
    listed = (listing("v1.21.1-eksbuild.1", default=True), listing("v1.20.5-eksbuild.1"), listing("v1.19.6-eksbuild.1"))
    assert first_stop("v1.18.1-eksbuild.1", *listed) == ("v1.19.6-eksbuild.1", "v1.21.1-eksbuild.1")


def test_a_default_of_the_same_minor_is_one_step() -> None:
    listed = (listing("v1.21.1-eksbuild.1"), listing("v1.20.5-eksbuild.1", default=True))
    assert first_stop("v1.20.1-eksbuild.1", *listed) == ("v1.20.5-eksbuild.1", "")


def test_a_default_of_the_next_minor_is_one_step_though_a_newer_patch_is_listed() -> None:
    listed = (listing("v1.21.2-eksbuild.1"), listing("v1.21.1-eksbuild.1", default=True))
    assert first_stop("v1.20.1-eksbuild.1", *listed) == ("v1.21.1-eksbuild.1", "")


def test_without_a_step_between_the_default_is_named() -> None:
    assert first_stop("v1.10.0-eksbuild.1", listing("v1.21.1-eksbuild.1", default=True)) == ("v1.21.1-eksbuild.1", "")


# ── Installers ──────────────────────────────────────────────────────────────────────────────────────────────────

DNS = ObjectRef.of("Deployment", "dns", "apps")


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (Method.HELM, HelmRollback),
        (Method.EKS, Note),
        (Method.ARGOCD, GitChange),
        (Method.FLUX, GitChange),
        (Method.MANIFEST, CommandLine),
    ],
)
def test_the_way_back_is_in_the_installers_terms(method: Method, kind: type) -> None:
    (action,) = undo(row("dns", method=method), DNS)
    assert isinstance(action, kind)


def test_nobody_knows_the_way_back_of_what_aws_runs() -> None:
    assert undo(row("dns", method=Method.BUILT_IN), DNS) == ()


@pytest.mark.parametrize(
    ("owner", "ref"),
    [
        (owners.HelmRelease("apps", ""), DNS),  # only a label says that Helm keeps it
        (owners.Manifest("kubectl"), ObjectRef.of("Pod", "dns", "apps")),
        (owners.Manifest("kubectl"), ObjectRef.of("Job", "dns", "apps")),
        (owners.Undetermined("why"), DNS),
    ],
    ids=["a release without a name", "a pod", "a job", "nobody"],
)
def test_no_way_back_is_offered_where_the_installer_has_none(owner: Owner, ref: ObjectRef) -> None:
    assert undo(replace(row("dns"), owner=owner), ref) == ()


def test_a_helm_rollback_is_in_the_namespace_of_the_release_not_of_the_workload() -> None:
    elsewhere = replace(DNS, namespace="kube-system")
    (action,) = undo(row("dns"), elsewhere)
    assert isinstance(action, HelmRollback)
    assert (action.namespace, action.name) == ("apps", "dns")


def test_the_eks_addon_of_an_installation_is_the_one_that_claims_it() -> None:
    claim = model.Claim(owner=owners.EksAddon("coredns"), evidence="")
    listed = (model.EksAddon(name="vpc-cni"), model.EksAddon(name="coredns"))
    assert eks_addon(row("coredns", claims=(claim,)), listed) == listed[1]
    assert eks_addon(row("coredns"), listed) is None
    helm = model.Claim(owner=owners.HelmRelease("apps", "coredns"), evidence="")
    assert eks_addon(row("coredns", claims=(helm,)), listed) is None


# ── Skew ────────────────────────────────────────────────────────────────────────────────────────────────────────


def skew(*kubelets: str, proxies: tuple[str, ...] = (), **more: Any) -> list[tuple[str, str]]:
    nodes = tuple(model.Node(name=f"n{number}", kubelet_version=text) for number, text in enumerate(kubelets))
    rows = tuple(row("kube-proxy", version, Method.MANIFEST) for version in proxies)
    return [(item.code, str(item.subject)) for item in of("SKW", judged(*rows, nodes=nodes, **more))]


@pytest.mark.parametrize(
    ("kubelet", "code"),
    [
        ("v1.34.2-eks-1", None),
        ("v1.32.0-eks-1", None),
        ("v1.31.14-eks-1", "SKW002"),
        ("v1.30.14-eks-1", "SKW001"),
        ("v1.35.0-eks-1", "SKW001"),
    ],
    ids=["the same", "two behind", "three behind: too far for the target", "four behind", "ahead"],
)
def test_kubelets_against_the_server_now_and_next(kubelet: str, code: str | None) -> None:
    minor = kubelet.removeprefix("v").rpartition(".")[0].partition("-")[0]
    assert skew(kubelet) == ([(code, f"nodes with kubelet {minor}")] if code else [])


def test_nodes_of_one_minor_are_one_finding_and_are_counted() -> None:
    nodes = tuple(model.Node(name=f"n{number}", kubelet_version="v1.30.14-eks-1") for number in range(5))
    (item,) = of("SKW001", judged(nodes=nodes))
    assert item.evidence[0].detail == (
        "5 nodes run kubelet 1.30 (n0, n1, n2 and 2 more), 4 minors behind Kubernetes 1.34 (at most 3)"
    )
    assert item.subject == NodesRef(("n0", "n1", "n2", "n3", "n4"), of=5, kubelet="1.30")
    assert item.fix == (Note("Replace the nodes by ones of the cluster's Kubernetes."),)


def test_nodes_of_a_node_group_are_updated_by_it() -> None:
    group = {"eks.amazonaws.com/nodegroup": "web"}
    (item,) = of("SKW001", judged(nodes=(node("v1.30.14-eks-1", labels=group), node("v1.34.0-eks-1", name="n2"))))
    (update,) = item.fix
    assert isinstance(update, CommandLine)
    assert update.argv[2:] == ("update-nodegroup-version", "--cluster-name", "prod-eu-1", "--nodegroup-name", "web")


def test_nodes_ahead_of_the_server_are_not_to_be_updated() -> None:
    (item,) = of("SKW001", judged(nodes=(model.Node(name="n1", kubelet_version="v1.35.0-eks-1"),)))
    assert item.evidence[0].detail.endswith("1 minor newer than Kubernetes 1.34 (not allowed)")
    assert item.fix == ()


def test_only_the_next_minor_counts_nodes_are_updated_in_between() -> None:
    assert skew("v1.33.0-eks-1", target="1.37") == []


@pytest.mark.parametrize(
    ("version", "code"),
    [("v1.34.2-eksbuild.3", None), ("v1.31.0-eksbuild.2", "SKW002"), ("v1.30.0", "SKW001"), ("v1.35.1", "SKW001")],
)
def test_kube_proxy_against_the_server(version: str, code: str | None) -> None:
    assert skew(proxies=(version,)) == ([(code, "kube-proxy/apps")] if code else [])


@pytest.mark.parametrize(
    ("proxy", "kubelet", "found"),
    [
        ("v1.34.0", "v1.31.9-eks-1", False),
        ("v1.34.0", "v1.30.9-eks-1", True),
        ("v1.31.0", "v1.34.9-eks-1", False),
        ("v1.30.0", "v1.34.9-eks-1", True),
    ],
    ids=["three ahead", "four ahead", "three behind", "four behind"],
)
def test_kube_proxy_against_the_kubelets_beside_it(proxy: str, kubelet: str, found: bool) -> None:
    """Which Kubernetes runs need not be known for that."""
    listed = of("SKW001", judged(row("kube-proxy", proxy, Method.MANIFEST), nodes=(node(kubelet),), cluster=UNSAID))
    assert [item.subject for item in listed] == ([InstallationRef("kube-proxy/apps", "kube-proxy")] if found else [])
    assert all("kubelet" in item.evidence[0].detail for item in listed)


def test_one_component_out_of_step_in_two_ways_is_one_finding() -> None:
    (item,) = of("SKW", judged(row("kube-proxy", "v1.30.0", Method.MANIFEST), nodes=(node("v1.34.0-eks-1"),)))
    assert [seen.detail for seen in item.evidence] == [
        "Kube-Proxy v1.30.0, 4 minors behind Kubernetes 1.34 (at most 3)",
        "Kube-Proxy v1.30.0, 4 minors behind kubelet 1.34 (at most 3) on 1 nodes",
    ]


def test_skew_is_not_judged_where_a_version_is_unknown() -> None:
    assert skew("", "unknown") == []
    assert of("SKW", judged(row("kube-proxy", None, Method.MANIFEST), nodes=(node(),))) == []
    assert skew("v1.20.0", cluster=UNSAID) == []


# ── Between add-ons ─────────────────────────────────────────────────────────────────────────────────────────────


def needing(need: Requirement) -> Catalog:
    return catalog(addon("app", "acme/app", requires=(need,)), addon("other", "acme/other"), addon("alt", "acme/alt"))


NEED = Requirement(text="somebody who serves it", addon="other", alternatives=("alt",))


def test_an_addon_without_what_it_cannot_do_without_is_found() -> None:
    (item,) = of("CMP003", judged(row("app"), known=needing(NEED)))
    assert (item.subject, item.severity) == (InstallationRef("app/apps", "app"), Severity.REQUIRED)
    assert item.evidence[0].detail == "needs somebody who serves it; found no other or alt"


@pytest.mark.parametrize("there", ["other", "alt"])
def test_a_need_is_met_by_the_addon_or_an_alternative(there: str) -> None:
    assert of("CMP003", judged(row("app"), row(there), known=needing(NEED))) == []


def test_a_need_is_met_by_what_aws_runs() -> None:
    assert of("CMP003", judged(row("app"), row("other", method=Method.BUILT_IN), known=needing(NEED))) == []


@pytest.mark.parametrize(
    "need",
    [replace(NEED, hard=False), Requirement(text="a load balancer")],
    ids=["can do without", "in words only"],
)
def test_a_need_that_is_soft_or_in_words_is_no_finding(need: Requirement) -> None:
    assert of("CMP003", judged(row("app"), known=needing(need))) == []


@pytest.mark.parametrize(
    ("proven", "available", "found"), [(True, 2, False), (True, 0, True), (False, 2, True), (True, None, True)]
)
def test_a_need_may_be_proven_by_pods_that_run(proven: bool, available: int | None, found: bool) -> None:
    """A pod network or an authority that the catalog does not know serves as well, as the pods show."""
    app = workload("app", "acme/app:1", desired=2, available=available)
    known = needing(replace(NEED, proven_by_running=proven))
    assert bool(of("CMP003", judged(row("app", workloads=(app.ref,)), known=known, workloads=(app,)))) is found


@pytest.mark.parametrize(
    "parts",
    [
        {"gaps": (model.Gap(part="workloads", reason=model.GapReason.FORBIDDEN, detail="403"),)},
        {"cluster": model.Cluster(name="f", kubernetes="v1.34.0", source="files")},
    ],
    ids=["workloads unread", "files"],
)
def test_what_was_not_seen_is_not_missing(parts: dict[str, Any]) -> None:
    assert of("CMP003", judged(row("app"), known=needing(NEED), **parts)) == []


IDENTITY = model.PodIdentity(namespace="apps", service_account="dns", role_arn="arn:aws:iam::1:role/dns")


def with_agent() -> Catalog:
    entry = addon(
        "pod-identity",
        "eks/agent",
        provides=(ClusterService.POD_IDENTITY,),
        install=Install(eks=EksInstall(name="eks-agent")),
    )
    return catalog(entry)


def test_associations_without_the_agent_give_no_credentials() -> None:
    many = tuple(replace(IDENTITY, service_account=f"sa{number}") for number in range(7))
    (item,) = of("CMP003", judged(known=with_agent(), eks=eks(pod_identities=many)))
    assert item.subject == AddOnRef("pod-identity")
    assert item.evidence[0].detail == "apps/sa0; apps/sa1; apps/sa2; apps/sa3; apps/sa4; and 2 more"
    assert item.fix == (CreateAddon(cluster="prod-eu-1", addon="eks-agent"),)


@pytest.mark.parametrize("method", [Method.EKS, Method.BUILT_IN])
def test_associations_with_the_agent_are_healthy(method: Method) -> None:
    agent = row("pod-identity", "v1.3.4-eksbuild.1", method)
    assert of("CMP003", judged(agent, known=with_agent(), eks=eks(pod_identities=(IDENTITY,)))) == []


def test_without_associations_no_agent_is_missed() -> None:
    assert of("CMP003", judged(known=with_agent(), eks=eks())) == []


# ── Conflicts ───────────────────────────────────────────────────────────────────────────────────────────────────


def conflicting(left: str, right: str, seen: ConflictSign | None) -> Catalog:
    one = Conflict(with_=right, when="", why="both do it", addon=right, seen=seen)
    back = replace(one, with_=left, addon=left)
    return catalog(addon(left, f"acme/{left}", conflicts=(one,)), addon(right, f"acme/{right}", conflicts=(back,)))


def conflicts(seen: ConflictSign | None, **parts: Any) -> list[Finding]:
    """Of add-ons alpha and beta, whose workloads begin with their names."""
    listed = parts.pop("workloads", ())
    rows = [row(name, workloads=tuple(w.ref for w in listed if w.name.startswith(name))) for name in ("alpha", "beta")]
    return of("CMP004", judged(*rows, known=conflicting("alpha", "beta", seen), workloads=listed, **parts))


def test_a_conflict_is_said_once_though_both_sides_know_of_it() -> None:
    (item,) = conflicts(ConflictSign())
    assert item.subject == Together(("alpha", "beta"))
    assert [seen.kind for seen in item.evidence] == ["conflict", "source"]
    assert item.evidence[0].detail == "both run: helm release apps/alpha and helm release apps/beta"


def test_a_conflict_needs_both() -> None:
    assert of("CMP004", judged(row("alpha"), known=conflicting("alpha", "beta", ConflictSign()))) == []


def test_a_conflict_that_cannot_be_seen_in_a_cluster_is_not_found() -> None:
    assert conflicts(None) == []


def setting(value: str | None) -> dict[str, Any]:
    data = {} if value is None else {"mode": value}
    return {"config_maps": (model.ConfigMap(name="alpha-config", namespace="kube-system", data=data),)}


@pytest.mark.parametrize(
    ("parts", "unless", "one_of"),
    [
        (setting("chained"), False, True),
        (setting("none"), True, False),
        (setting(None), True, False),
        ({}, False, False),
    ],
    ids=["named", "another", "not set", "not read"],
)
def test_a_conflict_may_hang_on_a_setting(parts: dict[str, Any], unless: bool, one_of: bool) -> None:
    key = "kube-system/alpha-config/mode"
    assert bool(conflicts(ConflictSign(setting=key, unless=("chained", "generic")), **parts)) is unless
    assert bool(conflicts(ConflictSign(setting=key, values=("chained", "generic")), **parts)) is one_of


@pytest.mark.parametrize(
    ("init", "found"), [("quay.io/alpha/cni:v3.30.0", True), ("alpha/pod2daemon:v3", False), ("", False)]
)
def test_a_conflict_may_show_in_an_init_container(init: str, found: bool) -> None:
    nodes = workload("alpha-node", "alpha/node:v3.30.0", kind="DaemonSet", init=init)
    assert bool(conflicts(ConflictSign(init_image="alpha/cni"), workloads=(nodes,))) is found


@pytest.mark.parametrize(("left", "right", "found"), [(2, 1, True), (2, 0, False), (0, 1, False), (2, None, False)])
def test_a_conflict_may_need_replicas_of_both(left: int, right: int | None, found: bool) -> None:
    listed = (workload("alpha", "acme/alpha:1", desired=left), workload("beta", "acme/beta:1", desired=right))
    assert bool(conflicts(ConflictSign(both_scaled=True), workloads=listed)) is found


@pytest.mark.parametrize(("name", "desired", "found"), [("-dcgm", 3, True), ("-dcgm", 0, False), ("", 3, False)])
def test_a_conflict_may_hang_on_one_workload(name: str, desired: int, found: bool) -> None:
    agent = workload(f"alpha{name}", "acme/agent:1", kind="DaemonSet", desired=desired)
    assert bool(conflicts(ConflictSign(workload="dcgm"), workloads=(agent,))) is found


def test_all_of_a_sign_must_be_seen() -> None:
    sign = ConflictSign(workload="dcgm", both_scaled=True)
    agent, other = workload("alpha-dcgm", "a/a:1", desired=3), workload("beta", "b/b:1", desired=1)
    assert conflicts(sign, workloads=(agent, other)) != []
    assert conflicts(sign, workloads=(agent, replace(other, desired=0))) == []


@pytest.mark.parametrize(
    ("left", "right", "parts", "found"),
    [
        ("cilium", "aws-vpc-cni", {"cni-chaining-mode": "none"}, True),
        ("cilium", "aws-vpc-cni", {"cni-chaining-mode": "aws-cni"}, False),
        ("cilium", "kube-proxy", {"kube-proxy-replacement": "true"}, True),
        ("cilium", "kube-proxy", {"kube-proxy-replacement": "false"}, False),
    ],
)
def test_the_signs_of_the_catalog_hold(
    catalog: Catalog, left: str, right: str, parts: dict[str, str], found: bool
) -> None:
    config = model.ConfigMap(name="cilium-config", namespace="kube-system", data=parts)
    assert bool(of("CMP004", judged(row(left), row(right), known=catalog, config_maps=(config,)))) is found


# ── Insights ────────────────────────────────────────────────────────────────────────────────────────────────────


def insight(name: str, status: str = "WARNING") -> model.EksInsight:
    return model.EksInsight(
        id="i-1",
        name=name,
        category="UPGRADE_READINESS",
        status=status,
        reason="because",
        resources=("arn:aws:eks:node/1",),
    )


ROWS = (row("cert-manager", "v1.20.3"),)


def insights(*given: model.EksInsight, rows: tuple[Installation, ...] = ROWS, **parts: Any) -> list[Any]:
    listed = replace(eks(), insights=given)
    return [(item.subject, item.severity) for item in of("EKS007", judged(*rows, eks=listed, **parts))]


@pytest.mark.parametrize(
    ("status", "severity"),
    [("ERROR", Severity.REQUIRED), ("WARNING", Severity.RECOMMENDED), ("PASSING", None), ("UNKNOWN", None), ("", None)],
)
def test_insights_that_did_not_pass_are_findings(status: str, severity: Severity | None) -> None:
    listed = insights(insight("Cluster health issues", status))
    assert listed == ([(InsightRef("Cluster health issues"), severity)] if severity else [])


@pytest.mark.parametrize("name", ["EKS add-on version compatibility", "Kubelet version skew"])
def test_insights_on_what_is_judged_here_are_not_repeated(name: str) -> None:
    assert insights(insight(name)) == []


@pytest.mark.parametrize("name", ["EKS add-on version compatibility", "Kubelet version skew"])
def test_insights_are_all_there_is_where_nothing_could_be_judged(name: str) -> None:
    assert insights(insight(name), rows=()) == [(InsightRef(name), Severity.RECOMMENDED)]


def test_an_insight_on_skew_is_all_there_is_where_nodes_were_not_read() -> None:
    unread = model.Gap(part="nodes", reason=model.GapReason.FORBIDDEN, detail="403", permission="list nodes")
    listed = insights(insight("Kubelet version skew", "ERROR"), gaps=(unread,))
    assert listed == [(InsightRef("Kubelet version skew"), Severity.REQUIRED)]


def test_an_insight_on_calls_of_deprecated_apis_says_what_no_object_shows() -> None:
    """It comes from the audit log: a client that only reads through an API that ends leaves no trace in objects."""
    name = "Deprecated APIs removed in Kubernetes v1.35"
    assert insights(insight(name, "ERROR")) == [(InsightRef(name), Severity.REQUIRED)]


@pytest.mark.parametrize(("uri", "listed"), [("/apis/policy/v1beta1/pdbs", 0), ("/apis/policy/v1/pdbs", 1), ("", 1)])
def test_an_insight_on_apis_is_merged_where_a_finding_names_the_version(uri: str, listed: int) -> None:
    gone = ApiRemoval(group="policy", version="v1beta1", kind="PodDisruptionBudget", removed_in=Minor(1, 25))
    facts = replace(CATALOG.kubernetes, removals=(gone,))
    budget = model.DisruptionBudget(
        name="web", namespace="shop", appliers=(model.Applier(manager="x", api_version="policy/v1beta1"),)
    )
    said = replace(insight("Deprecated APIs removed in Kubernetes v1.25"), resources=(uri,) if uri else ())
    known = replace(CATALOG, kubernetes=facts)
    result = judged(*ROWS, known=known, eks=replace(eks(), insights=(said,)), disruption_budgets=(budget,))
    assert len(of("EKS007", result)) == listed
    assert len(of("API001", result)) == 1


@pytest.mark.parametrize("advice", ["", "Update it."])
def test_an_insight_is_fixed_as_eks_says(advice: str) -> None:
    said = replace(insight("Cluster health issues"), recommendation=advice)
    (item,) = of("EKS007", judged(eks=replace(eks(), insights=(said,))))
    assert fix_text(item) == (advice or "See `aws eks describe-insight`.")


def test_an_insight_shows_its_resources() -> None:
    (item,) = of("EKS007", judged(eks=replace(eks(), insights=(insight("Cluster health issues"),))))
    assert [(seen.subject, seen.detail) for seen in item.evidence] == [
        ("Cluster health issues", "because"),
        ("arn:aws:eks:node/1", "WARNING"),
    ]


# ── The end of maintenance ─────────────────────────────────────────────────────────────────────────────────────────

CYCLES = (
    ReleaseCycle(cycle="1.30", latest=Version.of("1.30.3"), end_of_life=date(2027, 2, 1)),
    ReleaseCycle(cycle="1.29", latest=Version.of("1.29.6"), end_of_life=date(2026, 8, 31)),
    ReleaseCycle(cycle="1.28", latest=Version.of("1.28.10"), end_of_life=date(2026, 7, 1)),
)
MESH = catalog(addon("mesh", "acme/mesh", lifecycle=CYCLES))


def ended(version: str | None, day: date = DAY, *, known: Catalog = MESH, **more: Any) -> Finding | None:
    """The finding about the maintenance of a mesh of that version."""
    found = of("EOL", judged(row("mesh", version, **({"upstream_version": True} | more)), known=known, day=day))
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("version", "day", "severity", "says"),
    [
        ("1.29.1", date(2026, 7, 1), None, ""),
        ("1.29.1", date(2026, 7, 2), Severity.INFO, "gets fixes until 2026-08-31, 60 days from now"),
        ("1.29.1", date(2026, 8, 31), Severity.INFO, "has had no fixes since 2026-08-31"),
        ("1.29.1", date(2026, 10, 30), Severity.INFO, "no fixes since 2026-08-31, 60 days ago"),
        ("1.29.1", date(2026, 10, 31), Severity.RECOMMENDED, "61 days ago"),
        ("v1.29.9-rc.1", date(2026, 10, 31), Severity.RECOMMENDED, "Mesh 1.29 has had no fixes"),
        ("1.11.0", DAY, Severity.RECOMMENDED, "Mesh 1.11 is older than 1.28, which has had no fixes since 2026-07-01"),
        ("1.30.0", DAY, None, ""),
        ("1.31.0", DAY, None, ""),
        (None, DAY, None, ""),
    ],
)
def test_a_release_that_gets_no_more_fixes(version: str | None, day: date, severity: Severity, says: str) -> None:
    found = ended(version, day)
    assert (found.severity if found else None) == severity
    assert says in (found.evidence[0].detail if found else "")


def test_nothing_newer_that_is_known_makes_old_facts_of_it_not_an_urgent_finding() -> None:
    found = ended("1.30.0", date(2027, 9, 1))
    assert found
    assert (found.severity, found.fix) == (Severity.INFO, ())
    assert found.evidence[-1].detail == "no newer release that is maintained was known on 2026-11-24"


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (Method.HELM, "# to a version of a maintained release (Mesh 1.30.3)"),
        (Method.ARGOCD, "set targetRevision to a version of a maintained release (Mesh 1.30.3)"),
        (Method.MANIFEST, "the manifests of a version of a maintained release (Mesh 1.30.3)"),
    ],
)
def test_it_is_updated_as_it_was_installed(method: Method, line: str) -> None:
    found = ended("1.29.1", method=method)
    assert found
    assert line.removeprefix("# to a version ") in fix_text(found)


def test_a_release_that_does_not_support_the_running_kubernetes_is_not_offered() -> None:
    known = catalog(addon("mesh", "acme/mesh", lifecycle=CYCLES, kubernetes=(supports("1.30", "1.35", "1.36"),)))
    found = ended("1.29.1", known=known)
    assert found
    assert found.severity is Severity.RECOMMENDED
    assert found.fix == (Note("No maintained release of Mesh supports Kubernetes 1.34: upgrade Kubernetes first."),)


@pytest.mark.parametrize(
    "apart",
    [
        {"upstream_version": False},
        {"owner": owners.AwsManaged("EKS Auto Mode")},
        {"owner": owners.EksAddon("acme_mesh")},
    ],
    ids=["a chart's version", "AWS runs it", "a vendor's build"],
)
def test_what_upstream_says_does_not_hold_for_other_versions(apart: dict[str, Any]) -> None:
    table = EksAddonVersions(name="acme_mesh", owner="aws-marketplace", versions=())
    known = catalog(addon("mesh", "acme/mesh", lifecycle=CYCLES), tables=(table,))
    assert ended("1.29.1", known=known) is not None
    assert ended("1.29.1", known=known, **apart) is None


def test_what_aws_still_offers_for_this_kubernetes_is_not_urgent_and_goes_to_what_it_offers() -> None:
    versions = (
        offered("v1.30.3-eksbuild.1", {"1.34": "*"}, "1.34"),
        offered("v1.29.6-eksbuild.1", {"1.34": "*"}),
        offered("v1.28.1-eksbuild.1", {"1.33": "*"}),
    )
    entry = addon("mesh", "acme/mesh", lifecycle=CYCLES, install=Install(eks=EksInstall(name="mesh")))
    known = catalog(entry, tables=(EksAddonVersions(name="mesh", owner="community", versions=versions),))
    still = ended("v1.29.6-eksbuild.1", known=known, method=Method.EKS)
    gone = ended("v1.28.1-eksbuild.1", known=known, method=Method.EKS)
    assert still
    assert gone
    assert (still.severity, gone.severity) == (Severity.INFO, Severity.RECOMMENDED)
    (update,) = still.fix
    assert isinstance(update, UpdateAddon)
    assert update.version == "v1.30.3-eksbuild.1"


RETIRED = Retirement(
    text="nobody maintains it",
    ended=date(2026, 11, 24),
    keeps="it goes on",
    successors=(Successor(name="Other", text="the same, elsewhere"),),
    steps=(
        MigrationStep(text="Look:", due=Due.THIS_WEEK, argv=("kubectl", "get", "ingress", "-A")),
        MigrationStep(text="Move.", due=Due.NEXT_MONTH),
    ),
    source="its blog",
)


@pytest.mark.parametrize(
    ("day", "severity"), [(date(2026, 11, 24), Severity.INFO), (date(2026, 11, 25), Severity.RECOMMENDED)]
)
def test_a_retired_addon_whatever_its_version(day: date, severity: Severity) -> None:
    known = catalog(addon("mesh", "acme/mesh", lifecycle=CYCLES, retirement=RETIRED))
    for version in ("1.30.0", None):
        found = ended(version, day, known=known, upstream_version=False)
        assert found
        assert (found.code, found.severity, found.evidence[0].subject) == ("EOL001", severity, "its blog")
        assert fix_text(found) == "# Look:\nkubectl get ingress -A\n# Move."


# ── The matrix ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_matrix_has_every_version_with_every_minor() -> None:
    cells = matrix(CATALOG, ["coredns"], (Minor(1, 33), Minor(1, 34), Minor(1, 36)))
    assert [(str(cell.version), str(cell.kubernetes), cell.answer.value) for cell in cells] == [
        ("v1.12.4-eksbuild.3", "1.33", "no"),
        ("v1.12.4-eksbuild.3", "1.34", "yes"),
        ("v1.12.4-eksbuild.3", "1.36", "unknown"),
        ("v1.11.4-eksbuild.2", "1.33", "yes"),
        ("v1.11.4-eksbuild.2", "1.34", "no"),
        ("v1.11.4-eksbuild.2", "1.36", "unknown"),
    ]


def test_the_matrix_of_an_upstream_addon_has_its_release_cycles() -> None:
    entry = addon(
        "up",
        "acme/up",
        lifecycle=(ReleaseCycle(cycle="1.20", latest=Version.of("v1.20.3")), ReleaseCycle(cycle="1.19")),
        kubernetes=(supports("1.20", "1.32", "1.35"),),
    )
    cells = matrix(catalog(entry), ["up"], (Minor(1, 31), Minor(1, 35)))
    assert [(str(cell.version), cell.answer.value) for cell in cells] == [("v1.20.3", "no"), ("v1.20.3", "yes")]


def test_the_matrix_refuses_a_name_that_means_no_addon() -> None:
    with pytest.raises(BadInput, match=r"cordns.*did you mean"):
        matrix(CATALOG, ["cordns"], (Minor(1, 34),))


@pytest.mark.parametrize(
    ("oldest", "newest", "minors"),
    [
        ("", "", "1.33 1.34 1.35 1.36"),
        ("1.35", "", "1.35 1.36"),
        ("", "1.34", "1.33 1.34"),
        ("1.30", "1.32", "1.30 1.31 1.32"),
        ("1.38", "", "1.38"),
        ("", "1.30", "1.30"),
        ("1.35", "1.35", "1.35"),
    ],
)
def test_the_minors_of_a_matrix(oldest: str, newest: str, minors: str) -> None:
    low, high = (Minor.of(text) if text else None for text in (oldest, newest))
    assert " ".join(map(str, matrix_minors(CATALOG, low, high))) == minors


def test_a_matrix_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadInput, match=r"1\.36 to 1\.34 is not a range"):
        matrix_minors(CATALOG, Minor(1, 36), Minor(1, 34))


def test_an_open_range_says_nothing_of_what_is_newer_than_all_that_is_known() -> None:
    app = addon("app", "x/app", kubernetes=(supports("1.5+", "1.20"),), lifecycle=(ReleaseCycle(cycle="1.6"),))
    known = replace(small_catalog(), addons={"app": app})
    assert known.check("app", Version.of("1.6.9"), Minor(1, 34)).answer is Answer.YES
    beyond = known.check("app", Version.of("1.14.3"), Minor(1, 34))
    assert (beyond.answer, beyond.reason) == (
        Answer.UNKNOWN,
        "App 1.14.3 is newer than what is known; the newest that is known is 1.6.",
    )
    unknown = replace(known, addons={"app": replace(app, lifecycle=())})
    assert unknown.check("app", Version.of("1.6.9"), Minor(1, 34)).answer is Answer.UNKNOWN


def test_where_a_table_is_a_minimum_a_version_of_an_older_row_is_too_old() -> None:
    rows = (supports("1.5 - 1.6", "1.20", "1.34"), supports("1.2 - 1.4", "1.20", "1.32"))
    app = addon("app", "x/app", kubernetes=rows, kubernetes_is_minimum=True)
    known = replace(small_catalog(), addons={"app": app})
    old = known.check("app", Version.of("1.3.0"), Minor(1, 33))
    assert (old.answer, old.reason) == (
        Answer.NO,
        "App 1.3.0 is older than any that supports Kubernetes 1.33; 1.5 - 1.6 does.",
    )
    assert known.check("app", Version.of("1.3.0"), Minor(1, 32)).answer is Answer.YES
    assert known.check("app", Version.of("1.6.0"), Minor(1, 35)).answer is Answer.UNKNOWN
