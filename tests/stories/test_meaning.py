"""What each story is about, in asserts: renewed golden files may change its words, not its meaning."""

import pytest

from addonctl.assessment import Assessed, Assessment
from addonctl.catalog import Answer, Catalog
from addonctl.lifecycle import Task, lifecycle
from addonctl.model import ApiVersionRef, Due, Finding, Health, Method, MissingRef, ObjectRef, Severity
from addonctl.render.commands import LineKind, fix_lines
from tests.apps.test_commands import commands_of, of_aws
from tests.stories.world import NOW

Judged = dict[str, Assessment]


def addon(seen: Assessment, name: str) -> Assessed:
    (found,) = (each for each in seen.addons if each.installation.addon == name)
    return found


def of(seen: Assessment, code: str) -> list[Finding]:
    return [found for found in seen.findings if found.code == code]


def root(seen: Assessment, found: Finding) -> Finding:
    """The cause of the cause."""
    cause = seen.by_id.get(found.cause or "")
    return root(seen, cause) if cause is not None else found


# ── All of them ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cluster", ["prod-eu-1", "payments", "edge-us-2", "sandbox", "legacy-1"])
def test_an_effect_stands_under_its_cause(judged: Judged, cluster: str) -> None:
    seen = judged[cluster]
    places = {found.id: number for number, found in enumerate(seen.findings)}
    assert all(places[found.cause] < places[found.id] for found in seen.findings if found.cause in places)


@pytest.mark.parametrize("cluster", ["prod-eu-1", "payments", "edge-us-2", "sandbox", "legacy-1"])
def test_what_is_required_has_something_to_run_or_says_where_it_is_kept(judged: Judged, cluster: str) -> None:
    """A command; or in Git, or in a file of somebody's, where no command is right."""
    for found in judged[cluster].findings:
        lines = fix_lines(found)
        elsewhere = any(line.text.startswith("Where ") or "-f FILE" in line.text for line in lines)
        runs = any(line.kind is LineKind.COMMAND for line in lines)
        assert found.severity is not Severity.REQUIRED or runs or elsewhere, found


def test_commands_for_aws_are_understood_by_it(judged: Judged) -> None:
    listed = [words for seen in judged.values() for found in seen.findings for words in commands_of(fix_lines(found))]
    of_eks = [words for words in listed if words[0] == "aws"]
    assert of_eks
    for words in of_eks:
        of_aws(words)


# ── Cluster by cluster ──────────────────────────────────────────────────────────────────────────────────────────────


def test_in_prod_eu_1_all_is_healthy_and_nothing_is_to_do(judged: Judged) -> None:
    seen = judged["prod-eu-1"]
    assert (seen.findings, seen.gaps) == ((), ())
    assert {each.health.health for each in seen.addons} == {Health.HEALTHY}
    assert {each.running.answer for each in seen.addons} == {Answer.YES}
    methods = {each.installation.method for each in seen.addons}
    assert methods == {Method.EKS, Method.HELM, Method.ARGOCD, Method.MANIFEST}
    assert len(seen.addons) == 10


def test_in_payments_the_upgrade_has_stalled_in_four_places(judged: Judged) -> None:
    seen = judged["payments"]
    assert addon(seen, "coredns").health.health is Health.PROGRESSING, "EKS is updating it"
    (failed,) = of(seen, "EKS005")
    assert [item.subject for item in failed.evidence] == ["eks add-on aws-ebs-csi-driver", "ConfigurationConflict"]
    (stuck,) = of(seen, "HLT005")
    assert (str(stuck.subject), stuck.severity) == ("Deployment/cert-manager/cert-manager-webhook", Severity.REQUIRED)
    (release,) = of(seen, "INV007")
    assert "revision 5 failed" in release.evidence[0].detail
    (ended,) = of(seen, "API001")
    assert isinstance(ended.subject, ApiVersionRef)
    assert ended.subject.kind == "ValidatingAdmissionPolicy"


def test_in_payments_a_kube_proxy_one_minor_behind_is_within_the_policy(judged: Judged) -> None:
    seen = judged["payments"]
    assert addon(seen, "kube-proxy").installation.version is not None
    assert of(seen, "SKW001") == of(seen, "SKW002") == []
    assert [str(found.subject) for found in of(seen, "EKS002")] == ["coredns/kube-system/coredns"]


def test_in_edge_us_2_a_broken_webhook_is_why_three_deployments_cannot_replace_their_pods(judged: Judged) -> None:
    seen = judged["edge-us-2"]
    (webhook,) = of(seen, "HLT009")
    stuck = of(seen, "HLT005")
    assert {str(found.subject) for found in stuck} == {
        "Deployment/external-dns/external-dns",
        "Deployment/external-secrets/external-secrets",
        "Deployment/ingress-nginx/ingress-nginx-controller",
    }
    assert {found.cause for found in stuck} == {webhook.id}
    (image,) = of(seen, "HLT002")
    assert {root(seen, found).id for found in (*stuck, webhook)} == {image.id}
    assert seen.findings[0] is image, "the one thing to fix comes first"


def test_in_edge_us_2_two_owners_fight_over_one_add_on(judged: Judged) -> None:
    seen = judged["edge-us-2"]
    (fight,) = of(seen, "INV001")
    assert [item.subject for item in fight.evidence] == [
        "argocd application argocd/ingress-nginx",
        "flux helmrelease flux-system/ingress-nginx",
    ]
    assert {each.installation.method for each in seen.addons} == {Method.EKS, Method.FLUX, Method.ARGOCD}


def test_in_sandbox_nothing_is_called_healthy_and_nothing_passes(judged: Judged) -> None:
    seen = judged["sandbox"]
    assert seen.findings == ()
    assert len(seen.gaps) == 17
    assert {each.health.health for each in seen.addons} == {Health.UNKNOWN}
    assert all(each.health.unknown_reason for each in seen.addons)
    assert seen.health.coverage < 50


def test_in_legacy_1_what_was_left_behind_is_found_with_what_it_lacks(judged: Judged) -> None:
    seen = judged["legacy-1"]
    assert {str(found.subject) for code in ("INV003", "INV004", "INV005") for found in of(seen, code)} == {
        "CRDs of velero",
        "MutatingWebhookConfiguration/vpa-webhook-config",
        "APIService/v1beta1.custom.metrics.k8s.io",
    }
    (dangling,) = of(seen, "DEP003")
    assert isinstance(dangling.subject, MissingRef)
    assert dangling.subject.target == ObjectRef.of("ServiceAccount", "cert-manager-webhook", "cert-manager")
    assert addon(seen, "cert-manager").health.health is Health.DEGRADED, "its pods cannot start again"


def test_in_legacy_1_versions_and_releases_are_at_their_end(judged: Judged) -> None:
    seen = judged["legacy-1"]
    (support,) = of(seen, "EKS003")
    assert (support.severity, "1 day from now" in support.evidence[0].detail) == (Severity.REQUIRED, True)
    assert {found.severity for found in of(seen, "INV007")} == {Severity.REQUIRED}
    assert len(of(seen, "INV007")) == 2, "one failed at first, one hangs"
    assert len(of(seen, "CRD001")) == 4
    removed = {
        found.subject.kind
        for code in ("API001", "API002")
        for found in of(seen, code)
        if isinstance(found.subject, ApiVersionRef)
    }
    assert removed == {"PodSecurityPolicy", "FlowSchema"}


# ── What is due ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cluster", "actions"),
    [
        ("prod-eu-1", {}),
        ("sandbox", {}),
        ("edge-us-2", {"ingress-nginx": (Task.MIGRATE, Due.THIS_WEEK)}),
        (
            "payments",
            {
                "coredns": (Task.UPDATE, Due.TODAY),
                "cert-manager": (Task.UPDATE, Due.THIS_WEEK),
                "kyverno": (Task.UPDATE, Due.THIS_WEEK),
                "kube-proxy": (Task.UPDATE, Due.NEXT_MONTH),
            },
        ),
        (
            "legacy-1",
            {
                "coredns": (Task.UPDATE, Due.TODAY),
                "ingress-nginx": (Task.MIGRATE, Due.THIS_WEEK),
                "cert-manager": (Task.UPDATE, Due.THIS_WEEK),
                "kube-proxy": (Task.UPDATE, Due.NEXT_MONTH),
                "aws-vpc-cni": (Task.UPDATE, Due.NEXT_MONTH),
            },
        ),
    ],
)
def test_what_is_due_and_when(
    judged: Judged, catalog: Catalog, cluster: str, actions: dict[str, tuple[Task, Due]]
) -> None:
    made = lifecycle(judged[cluster], catalog, NOW).lifecycle_actions
    assert {each.addon: (each.action.type, each.timeline.due) for each in made} == actions
