"""What goes with what: yes, no, or unknown with its reason; and what the next minors, nodes and neighbours need."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from addonctl import model
from addonctl.catalog import (
    AddOn,
    Answer,
    Catalog,
    Check,
    Conflict,
    EksAddonVersions,
    EksInstall,
    EksVersion,
    Install,
    KubernetesSupport,
    ReleaseCycle,
    Requirement,
    Skew,
    UpgradeRule,
)
from addonctl.compatibility import CONFLICT_TESTS, Compatibility, Support, check_compatibility, matrix
from addonctl.errors import BadInput
from addonctl.model import Finding, Installation, Inventory, Method, Severity
from addonctl.remediation import eks_addon, undo, update_addon_command
from tests.builders import DAY, addon, eks, small_catalog, snapshot, workload

SKEW = (Skew(component="kubelet", minors_behind=3), Skew(component="kube-proxy", minors_behind=3))


def catalog(*entries: AddOn, tables: tuple[EksAddonVersions, ...] = ()) -> Catalog:
    """The small catalogue with the skew policy and more entries."""
    known = small_catalog()
    calendar = replace(known.kubernetes, skew=SKEW, standard_usd_per_hour=0.1, extended_usd_per_hour=0.6)
    more = {table.name: table for table in tables}
    return Catalog(
        {**known.addons, **{entry.id: entry for entry in entries}},
        replace(known.eks, addons={**known.eks.addons, **more}), calendar,
    )  # fmt: skip


CATALOG = catalog(addon("kube-proxy", "eks/kube-proxy"))


def row(addon_id: str, version: str | None = None, method: Method = Method.HELM, **more: Any) -> Installation:
    owner = {
        Method.EKS: f"eks add-on {addon_id}", Method.HELM: f"helm release apps/{addon_id}",
        Method.ARGOCD: f"argocd application argocd/{addon_id}", Method.FLUX: f"flux helmrelease flux-system/{addon_id}",
        Method.MANIFEST: "kubectl", Method.BUILT_IN: "EKS Auto Mode",
    }[method]  # fmt: skip
    why = "" if version else "nothing tells it"
    return Installation(
        id=f"{addon_id}/apps", addon=addon_id, name=addon_id, version=version, version_unknown_reason=why,
        method=method, owner=owner, **more,
    )  # fmt: skip


def judged(
    *rows: Installation, known: Catalog = CATALOG, day: date = DAY, kubernetes: str = "", target: str = "", **parts: Any
) -> Compatibility:
    return check_compatibility(snapshot(**parts), Inventory(installations=rows), known, day, kubernetes, target)


def of(code: str, result: Compatibility) -> list[Finding]:
    return [item for item in result.findings if item.code.startswith(code)]


def version_codes(*rows: Installation, **more: Any) -> list[str]:
    return [item.code for item in judged(*rows, **more).findings if item.code[:3] in ("EKS", "CMP") and item.subject in
            {each.id for each in rows}]  # fmt: skip


# ── Which Kubernetes ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_asked_for_wins_over_eks_and_eks_over_the_server() -> None:
    said_by_eks = replace(eks(), cluster=model.EksCluster(name="prod-eu-1", version="1.33"))
    assert judged().kubernetes.running == "1.34"
    assert judged(eks=said_by_eks).kubernetes.running == "1.33"
    assert judged(eks=said_by_eks, kubernetes="v1.32.1").kubernetes.running == "1.32"


def test_the_next_minor_is_prepared_for_and_every_one_up_to_a_target() -> None:
    assert judged().kubernetes.targets == ("1.35",)
    status = judged(target="1.37").kubernetes
    assert (status.targets, status.target) == (("1.35", "1.36", "1.37"), "1.37")


@pytest.mark.parametrize("target", ["1.34", "1.33"])
def test_a_target_that_is_not_above_the_running_minor_stands_alone(target: str) -> None:
    assert judged(target=target).kubernetes.targets == (target,)


@pytest.mark.parametrize("target", ["newest", "1.x", "1", "2.0"])
def test_a_target_that_is_no_minor_to_come_is_refused_by_its_own_name(target: str) -> None:
    with pytest.raises(BadInput, match=f"'{target}'"):
        judged(target=target)


UNSAID = model.Cluster(name="files", source="files")


def test_without_a_kubernetes_answers_are_unknown_with_the_way_to_say_it() -> None:
    nodes = (model.Node(name="n1", kubelet_version="v1.33.4-eks-1"),)
    result = judged(row("coredns", "v1.12.4-eksbuild.3", Method.EKS), cluster=UNSAID, nodes=nodes)
    assert (result.kubernetes.running, result.kubernetes.support) == ("", Support.UNKNOWN)
    (check,) = result.checks["coredns/apps"]
    assert check.answer is Answer.UNKNOWN
    assert "its kubelets are of 1.33" in check.reason
    assert "--kubernetes" in check.reason
    assert result.findings == ()


def test_a_target_is_judged_though_the_running_minor_is_unknown() -> None:
    result = judged(row("coredns", "v1.11.4-eksbuild.2", Method.EKS), cluster=UNSAID, target="1.35")
    assert [check.answer for check in result.checks["coredns/apps"]] == [Answer.UNKNOWN, Answer.NO]
    assert [item.code for item in result.findings] == ["EKS002"]


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
        "extended support of Kubernetes 1.34 ends on 2027-12-02, 335 days from now",
        "$0.60 an hour in place of $0.10: $365 more a month for this control plane",
    ]
    (ended,) = of("EKS004", judged(day=date(2027, 12, 12)))
    assert ended.evidence[0].detail == "extended support of Kubernetes 1.34 ended on 2027-12-02, 10 days ago"


def test_eks_calendar_says_nothing_of_another_kubernetes() -> None:
    elsewhere = model.Cluster(name="kind", kubernetes="v1.34.2")
    assert of("EKS", judged(day=date(2027, 1, 1), cluster=elsewhere)) == []
    assert of("EKS", judged(day=date(2027, 1, 1), cluster=elsewhere, eks=eks())) != []


def test_a_minor_that_the_calendar_lacks_is_unknown() -> None:
    status = judged(kubernetes="1.21").kubernetes
    assert (status.support, status.ends) == (Support.UNKNOWN, None)
    assert status.reason == "the calendar of 2026-11-24 has no Kubernetes 1.21 on EKS"


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(*rows: Installation, **more: Any) -> list[Check]:
    (checks,) = judged(*rows, **more).checks.values()
    return list(checks)


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
        row("cert-manager", "latest"),
        row("cert-manager"),
        row("exporter", "v1.0.0"),
    ],
    ids=["AWS does not list it", "upstream says nothing", "no version", "version unknown", "no range at all"],
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


# ── How to update ───────────────────────────────────────────────────────────────────────────────────────────────


def fix(one: Installation, known: Catalog = CATALOG, **more: Any) -> str:
    (item,) = (item for item in judged(one, known=known, **more).findings if item.subject == one.id)
    return item.fix


OLD = "v1.11.4-eksbuild.2"


def test_an_eks_addon_is_updated_with_what_update_addon_would_drop() -> None:
    role = "arn:aws:iam::111122223333:role/dns"
    listed = model.EksAddon(name="coredns", version=OLD, service_account_role_arn=role, is_configured=True)
    command = fix(row("coredns", OLD, Method.EKS), eks=eks(addons=(listed,)))
    assert command.startswith(
        "aws eks update-addon --cluster-name prod-eu-1 --addon-name coredns --addon-version v1.12.4-eksbuild.3"
    )
    assert "--resolve-conflicts PRESERVE" in command
    assert f"--service-account-role-arn {role}" in command
    assert "--configuration-values file://" in command


def test_an_update_command_says_no_more_than_is_set() -> None:
    bare = model.EksAddon(name="coredns")
    for installed in (bare, None):
        command = update_addon_command("c", "coredns", "v2", installed)
        assert "--service-account-role-arn" not in command
        assert "--configuration-values" not in command


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Method.HELM, "Helm upgrade of apps/cert-manager to a chart that supports Kubernetes 1.30"),
        (Method.ARGOCD, "Set targetRevision of argocd application argocd/cert-manager to one that supports"),
        (Method.FLUX, "Set the version in flux helmrelease flux-system/cert-manager to one that supports"),
        (Method.MANIFEST, "Apply the manifests of a version that supports Kubernetes 1.30"),
    ],
)
def test_an_update_is_said_in_the_installers_language(method: Method, words: str) -> None:
    assert fix(row("cert-manager", "v1.20.3", method), kubernetes="1.30").startswith(words)


def test_an_update_names_the_range_that_does_or_eks_default() -> None:
    older = KubernetesSupport(versions="1.18", minimum="1.29", maximum="1.31")
    entry = addon("cert-manager", "jetstack/cert-manager-controller", kubernetes=(
        KubernetesSupport(versions="1.20", minimum="1.32", maximum="1.35"), older))  # fmt: skip
    assert fix(row("cert-manager", "v1.20.3"), catalog(entry), kubernetes="1.30").endswith("(1.18 does).")
    assert fix(row("coredns", OLD)).endswith("(EKS's default for 1.34 is v1.12.4-eksbuild.3).")


def cni(*listed: EksVersion) -> Catalog:
    entry = addon(
        "cni", "acme/cni", install=Install(eks=EksInstall(name="vpc-cni")),
        upgrade_rules=(UpgradeRule(text="one minor at a time", one_minor_at_a_time=True),),
    )  # fmt: skip
    return catalog(entry, tables=(EksAddonVersions(name="vpc-cni", versions=listed),))


def offered(version: str, *, default: bool = False) -> EksVersion:
    return EksVersion(version=version, kubernetes={"1.34": "*"}, default_for=("1.34",) if default else ())


def only_before(version: str) -> EksVersion:
    return EksVersion(version=version, kubernetes={"1.33": "*"})


def first_stop(now: str, *listed: EksVersion) -> tuple[str, str]:
    """(the version that the command names, what its comment says comes after)."""
    command = fix(row("cni", now, Method.EKS), cni(*listed, only_before(now)))
    version = command.partition("--addon-version ")[2].partition(" ")[0]
    return version, command.partition("then one minor at a time to ")[2]


def test_an_addon_that_moves_one_minor_at_a_time_is_sent_to_the_next_first() -> None:
    listed = (offered("v1.21.1-eksbuild.1", default=True), offered("v1.20.5-eksbuild.1"), offered("v1.19.6-eksbuild.1"))
    assert first_stop("v1.18.1-eksbuild.1", *listed) == ("v1.19.6-eksbuild.1", "v1.21.1-eksbuild.1")


def test_a_default_of_the_same_minor_is_one_step() -> None:
    listed = (offered("v1.21.1-eksbuild.1"), offered("v1.20.5-eksbuild.1", default=True))
    assert first_stop("v1.20.1-eksbuild.1", *listed) == ("v1.20.5-eksbuild.1", "")


def test_a_default_of_the_next_minor_is_one_step_though_a_newer_patch_is_listed() -> None:
    listed = (offered("v1.21.2-eksbuild.1"), offered("v1.21.1-eksbuild.1", default=True))
    assert first_stop("v1.20.1-eksbuild.1", *listed) == ("v1.21.1-eksbuild.1", "")


def test_without_a_step_between_the_default_is_named() -> None:
    assert first_stop("v1.10.0-eksbuild.1", offered("v1.21.1-eksbuild.1", default=True)) == ("v1.21.1-eksbuild.1", "")


# ── Installers ──────────────────────────────────────────────────────────────────────────────────────────────────

DNS = model.ObjectRef(kind="Deployment", name="dns", namespace="apps", group="apps")


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Method.HELM, "helm rollback dns -n apps"),
        (Method.EKS, "update the add-on to the version before"),
        (Method.ARGOCD, "argocd app rollback dns"),
        (Method.FLUX, "revert it"),
        (Method.MANIFEST, "kubectl rollout undo -n apps deployment/dns"),
    ],
)
def test_the_way_back_in_the_installers_language(method: Method, words: str) -> None:
    assert words in undo(row("dns", method=method), DNS)


def test_nobody_knows_the_way_back_of_what_aws_runs() -> None:
    assert undo(row("dns", method=Method.BUILT_IN), DNS) == ""


def test_a_helm_rollback_is_in_the_namespace_of_the_release_not_of_the_workload() -> None:
    elsewhere = replace(DNS, namespace="kube-system")
    assert "helm rollback dns -n apps" in undo(row("dns"), elsewhere)


def test_the_eks_addon_of_an_installation_is_the_one_that_claims_it() -> None:
    claim = model.Claim(method=Method.EKS, owner="eks add-on coredns", evidence="")
    listed = (model.EksAddon(name="vpc-cni"), model.EksAddon(name="coredns"))
    assert eks_addon(row("coredns", claims=(claim,)), listed) == listed[1]
    assert eks_addon(row("coredns"), listed) is None
    helm = model.Claim(method=Method.HELM, owner="eks add-on coredns", evidence="")
    assert eks_addon(row("coredns", claims=(helm,)), listed) is None


# ── Skew ────────────────────────────────────────────────────────────────────────────────────────────────────────


def skew(*kubelets: str, proxies: tuple[str, ...] = (), **more: Any) -> list[tuple[str, str]]:
    nodes = tuple(model.Node(name=f"n{number}", kubelet_version=text) for number, text in enumerate(kubelets))
    rows = tuple(row("kube-proxy", version, Method.MANIFEST) for version in proxies)
    return [(item.code, item.subject) for item in of("SKW", judged(*rows, nodes=nodes, **more))]


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
        "5 nodes run kubelet 1.30: n0, n1, n2 and 2 more, 4 minors behind Kubernetes 1.34 (at most 3)"
    )
    assert "node group" in item.fix


def test_nodes_ahead_of_the_server_are_not_to_be_updated() -> None:
    (item,) = of("SKW001", judged(nodes=(model.Node(name="n1", kubelet_version="v1.35.0-eks-1"),)))
    assert "ahead of Kubernetes 1.34" in item.evidence[0].detail
    assert "at most" not in item.evidence[0].detail, "none may be ahead"
    assert "Update the node group" not in item.fix


def test_only_the_next_minor_counts_nodes_are_updated_in_between() -> None:
    assert skew("v1.33.0-eks-1", target="1.37") == []


@pytest.mark.parametrize(
    ("version", "code"),
    [("v1.34.2-eksbuild.3", None), ("v1.31.0-eksbuild.2", "SKW002"), ("v1.30.0", "SKW001"), ("v1.35.1", "SKW001")],
)
def test_kube_proxy_against_the_server(version: str, code: str | None) -> None:
    assert skew(proxies=(version,)) == ([(code, "kube-proxy/apps")] if code else [])


def test_skew_is_not_judged_where_a_version_is_unknown() -> None:
    assert skew("", "unknown", proxies=("latest",)) == []
    assert skew("v1.20.0", cluster=UNSAID) == []


# ── Between add-ons ─────────────────────────────────────────────────────────────────────────────────────────────


def needing(need: Requirement) -> Catalog:
    return catalog(addon("app", "acme/app", requires=(need,)), addon("other", "acme/other"), addon("alt", "acme/alt"))


NEED = Requirement(text="somebody who serves it", addon="other", alternatives=("alt",))


def test_an_addon_without_what_it_cannot_do_without_is_found() -> None:
    (item,) = of("CMP003", judged(row("app"), known=needing(NEED)))
    assert (item.subject, item.severity) == ("app/apps", Severity.REQUIRED)
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
    """A pod network or an authority that the catalogue does not know serves as well, as the pods show."""
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


def test_associations_without_the_agent_give_no_credentials() -> None:
    (item,) = of("CMP003", judged(eks=eks(pod_identities=(IDENTITY,))))
    assert item.evidence[0].detail == "apps/dns"
    assert item.fix.startswith("aws eks create-addon --cluster-name prod-eu-1 --addon-name eks-pod-identity-agent")


def test_associations_with_the_agent_are_well() -> None:
    for method in (Method.EKS, Method.BUILT_IN):
        agent = row("eks-pod-identity-agent", "v1.3.4-eksbuild.1", method)
        known = catalog(addon("eks-pod-identity-agent", "eks/eks-pod-identity-agent"))
        assert of("CMP003", judged(agent, known=known, eks=eks(pod_identities=(IDENTITY,)))) == []
    assert of("CMP003", judged(eks=eks())) == []


# ── Conflicts ───────────────────────────────────────────────────────────────────────────────────────────────────


def conflicting(left: str, right: str, test: str) -> Catalog:
    one = Conflict(with_=right, when="", why="both do it", addon=right, test=test)
    back = replace(one, with_=left, addon=left)
    return catalog(addon(left, f"acme/{left}", conflicts=(one,)), addon(right, f"acme/{right}", conflicts=(back,)))


def conflicts(left: str, right: str, test: str, **more: Any) -> list[Finding]:
    listed = more.pop("workloads", ())
    rows = [row(name, workloads=tuple(w.ref for w in listed if w.name.startswith(name))) for name in (left, right)]
    return of("CMP004", judged(*rows, known=conflicting(left, right, test), workloads=listed, **more))


def test_a_conflict_is_said_once_though_both_sides_know_of_it() -> None:
    (item,) = conflicts("alpha", "beta", "always")
    assert item.subject == "alpha and beta"
    assert [seen.kind for seen in item.evidence] == ["conflict", "source"]


def test_a_conflict_needs_both() -> None:
    assert of("CMP004", judged(row("alpha"), known=conflicting("alpha", "beta", "always"))) == []


def test_a_conflict_that_cannot_be_seen_in_a_cluster_is_not_found() -> None:
    assert conflicts("alpha", "beta", "") == []


def cilium(**data: str) -> dict[str, Any]:
    return {"config_maps": (model.ConfigMap(name="cilium-config", namespace="kube-system", data=data),)}


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (cilium(), True),
        (cilium(**{"cni-chaining-mode": "none"}), True),
        (cilium(**{"cni-chaining-mode": "aws-cni"}), False),
        (cilium(**{"cni-chaining-mode": "generic-veth"}), False),
        ({}, False),
    ],
    ids=["not set", "none", "chained", "generic", "not seen"],
)
def test_cilium_beside_the_vpc_cni_conflicts_unless_chained(parts: dict[str, Any], found: bool) -> None:
    assert bool(conflicts("cilium", "aws-vpc-cni", "cilium-not-chained", **parts)) is found


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        (cilium(**{"kube-proxy-replacement": "true"}), True),
        (cilium(**{"kube-proxy-replacement": "strict"}), True),
        (cilium(**{"kube-proxy-replacement": "false"}), False),
        (cilium(), False),
        ({}, False),
    ],
)
def test_cilium_that_replaces_kube_proxy_conflicts_with_it(parts: dict[str, Any], found: bool) -> None:
    assert bool(conflicts("cilium", "kube-proxy", "cilium-replaces-kube-proxy", **parts)) is found


@pytest.mark.parametrize(
    ("init", "found"), [("calico/cni:v3.30.0", True), ("calico/pod2daemon:v3", False), ("", False)]
)
def test_calico_conflicts_where_it_installs_its_own_plugin(init: str, found: bool) -> None:
    nodes = workload("calico-node", "calico/node:v3.30.0", kind="DaemonSet", init=init)
    assert bool(conflicts("calico", "cilium", "calico-installs-cni", workloads=(nodes,))) is found


@pytest.mark.parametrize(
    ("karpenter", "scaler", "found"), [(2, 1, True), (2, 0, False), (0, 1, False), (2, None, False)]
)
def test_two_that_scale_nodes_conflict_while_both_run(karpenter: int, scaler: int | None, found: bool) -> None:
    listed = (
        workload("karpenter", "karpenter/controller:1.8.0", desired=karpenter),
        workload("cluster-autoscaler", "autoscaling/cluster-autoscaler:v1.34.0", desired=scaler),
    )
    assert bool(conflicts("karpenter", "cluster-autoscaler", "both-scale-nodes", workloads=listed)) is found


@pytest.mark.parametrize(("name", "desired", "found"), [("-dcgm", 3, True), ("-dcgm", 0, False), ("", 3, False)])
def test_two_dcgm_engines_conflict_on_the_same_nodes(name: str, desired: int, found: bool) -> None:
    agent = workload(f"eks-node-monitoring-agent{name}", "eks/agent:1", kind="DaemonSet", desired=desired)
    seen = conflicts("eks-node-monitoring-agent", "gpu-operator", "both-run-dcgm", workloads=(agent,))
    assert bool(seen) is found


def test_every_test_of_the_catalogue_is_known(catalog: Catalog) -> None:
    named = {conflict.test for entry in catalog.addons.values() for conflict in entry.conflicts if conflict.test}
    assert named <= CONFLICT_TESTS.keys()


# ── Insights ────────────────────────────────────────────────────────────────────────────────────────────────────


def insight(name: str, status: str = "WARNING") -> model.EksInsight:
    return model.EksInsight(id="i-1", name=name, category="UPGRADE_READINESS", status=status, reason="because",
                            resources=("arn:aws:eks:node/1",))  # fmt: skip


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
    assert listed == ([("insight Cluster health issues", severity)] if severity else [])


@pytest.mark.parametrize("name", ["EKS add-on version compatibility", "Kubelet version skew"])
def test_insights_on_what_is_judged_here_are_not_repeated(name: str) -> None:
    assert insights(insight(name)) == []


@pytest.mark.parametrize("name", ["EKS add-on version compatibility", "Kubelet version skew"])
def test_insights_are_all_there_is_where_nothing_could_be_judged(name: str) -> None:
    assert insights(insight(name), rows=()) == [(f"insight {name}", Severity.RECOMMENDED)]


def test_an_insight_on_skew_is_all_there_is_where_nodes_were_not_read() -> None:
    unread = model.Gap(part="nodes", reason=model.GapReason.FORBIDDEN, detail="403", permission="list nodes")
    listed = insights(insight("Kubelet version skew", "ERROR"), gaps=(unread,))
    assert listed == [("insight Kubelet version skew", Severity.REQUIRED)]


def test_an_insight_on_calls_of_deprecated_apis_says_what_no_object_shows() -> None:
    """It comes from the audit log: a client that only reads through an API that ends leaves no trace in objects."""
    name = "Deprecated APIs removed in Kubernetes v1.35"
    assert insights(insight(name, "ERROR")) == [(f"insight {name}", Severity.REQUIRED)]


def test_an_insight_shows_its_resources() -> None:
    (item,) = of("EKS007", judged(eks=replace(eks(), insights=(insight("Cluster health issues"),))))
    assert [(seen.subject, seen.detail) for seen in item.evidence] == [
        ("Cluster health issues", "because"),
        ("arn:aws:eks:node/1", "WARNING"),
    ]


# ── The matrix ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_matrix_has_every_version_with_every_minor() -> None:
    cells = matrix(CATALOG, ["coredns"], ("1.33", "1.34", "1.36"))
    assert [(cell.version, cell.kubernetes, cell.answer.value) for cell in cells] == [
        ("v1.12.4-eksbuild.3", "1.33", "no"),
        ("v1.12.4-eksbuild.3", "1.34", "yes"),
        ("v1.12.4-eksbuild.3", "1.36", "unknown"),
        ("v1.11.4-eksbuild.2", "1.33", "yes"),
        ("v1.11.4-eksbuild.2", "1.34", "no"),
        ("v1.11.4-eksbuild.2", "1.36", "unknown"),
    ]


def test_the_matrix_of_an_upstream_addon_has_its_release_cycles() -> None:
    entry = addon("up", "acme/up", lifecycle=(ReleaseCycle(cycle="1.20", latest="v1.20.3"), ReleaseCycle(cycle="1.19")),
                  kubernetes=(KubernetesSupport(versions="1.20", minimum="1.32", maximum="1.35"),))  # fmt: skip
    cells = matrix(catalog(entry), ["up"], ("1.31", "1.35"))
    assert [(cell.version, cell.answer.value) for cell in cells] == [("v1.20.3", "no"), ("v1.20.3", "yes")]


def test_the_matrix_refuses_a_name_that_means_no_addon() -> None:
    with pytest.raises(BadInput, match=r"cordns.*did you mean"):
        matrix(CATALOG, ["cordns"], ("1.34",))
