"""The registry of checks, their order, and the words by which some findings are picked."""

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.findings import CHECKS, MAKERS, by_urgency, finding, is_about_codes, only_these
from addonctl.model import (
    ApiVersionRef,
    ClusterRef,
    Evidence,
    Finding,
    InstallationRef,
    MissingRef,
    Note,
    ObjectRef,
    Severity,
    Subject,
    Together,
    names_of,
    owners,
)

# ── The registry ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_code_is_a_family_and_a_number_and_says_why_and_what_to_do() -> None:
    for code, check in CHECKS.items():
        assert re.fullmatch(r"[A-Z]{3}\d{3}", code)
        assert check.code == code
        assert check.title
        assert check.why.endswith(".")
        assert check.fix.endswith(".")
        assert len(set(check.severities)) == len(check.severities)
    assert len({check.title for check in CHECKS.values()}) == len(CHECKS)


def test_every_code_is_made_by_one_function_of_its_capability() -> None:
    for of in ("assessment", "preflight"):
        import_module(f"addonctl.{of}")  # each of its checks enters itself
    assert MAKERS.keys() == CHECKS.keys()
    for code, maker in MAKERS.items():
        assert maker.__module__.split(".")[1] == CHECKS[code].capability.value


def test_a_finding_takes_from_the_registry_what_it_is_not_given() -> None:
    plain = finding("HLT005", X)
    assert (plain.severity, plain.fix, plain.evidence, plain.cause) == (Severity.RECOMMENDED, (), (), None)
    seen = Evidence(kind="k", subject="s", detail="d")
    nearer = finding("HLT005", X, seen, fix=[Note("do this")], severity=Severity.REQUIRED, cause="HLT021 Node/n")
    assert (nearer.severity, nearer.fix, nearer.evidence) == (Severity.REQUIRED, (Note("do this"),), (seen,))
    assert (nearer.id, nearer.cause) == ("HLT005 Service/x", "HLT021 Node/n")


def test_a_code_that_is_not_in_the_registry_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        finding("HLT999", X)


def test_a_severity_that_the_registry_does_not_explain_cannot_be_made() -> None:
    with pytest.raises(AssertionError, match="HLT013 is never required"):
        finding("HLT013", X, severity=Severity.REQUIRED)


# ── Order ───────────────────────────────────────────────────────────────────────────────────────────────────────

X, A, B = (ObjectRef.of("Service", name) for name in ("x", "a", "b"))


def test_the_worst_comes_first_then_in_the_order_of_the_registry_then_by_name() -> None:
    nodes, pods, unanswered = finding("HLT021", X), finding("HLT001", B), finding("HLT009", A)
    listed = by_urgency((finding("HLT008", A), unanswered, pods, finding("HLT001", A), nodes))
    assert [(item.code, item.subject) for item in listed] == [
        ("HLT021", X),
        ("HLT001", A),
        ("HLT001", B),
        ("HLT009", A),
        ("HLT008", A),
    ]


def test_a_severity_that_was_raised_or_lowered_counts_not_the_registrys() -> None:
    raised = finding("HLT008", X, severity=Severity.REQUIRED)
    lowered = finding("INV004", X, severity=Severity.RECOMMENDED)
    assert by_urgency((lowered, finding("HLT013", X), raised)) == (raised, lowered, finding("HLT013", X))


def test_an_effect_stands_under_its_cause_and_makes_it_as_urgent() -> None:
    cause = finding("HLT005", A)
    effect = finding("HLT009", B, cause=cause.id)
    of_effect = finding("HLT014", B, cause=effect.id)
    other = finding("HLT010", X)
    assert by_urgency((other, of_effect, effect, cause)) == (cause, effect, of_effect, other)


def test_an_effect_whose_cause_is_not_listed_stands_for_itself() -> None:
    alone = finding("HLT009", B, cause="HLT005 Service/a")
    assert by_urgency((alone,)) == (alone,)


def test_equal_findings_are_one_and_those_with_other_evidence_are_not() -> None:
    seen = Evidence(kind="k", subject="s", detail="d")
    assert len(by_urgency((finding("HLT013", X), finding("HLT013", X), finding("HLT013", X, seen)))) == 2


FINDINGS = st.lists(
    st.sampled_from(sorted(CHECKS)).flatmap(
        lambda code: st.builds(
            lambda subject, severity: finding(code, subject, severity=severity),
            st.sampled_from([A, B, X]),
            st.sampled_from(CHECKS[code].severities),
        )
    ),
    max_size=20,
)


@given(FINDINGS)
def test_order_is_a_permutation_without_duplicates(found: list[Finding]) -> None:
    listed = by_urgency(found)
    assert set(listed) == set(found)
    assert len(listed) == len(set(found))
    assert [item.severity.rank for item in listed] == sorted((item.severity.rank for item in listed), reverse=True)
    assert by_urgency(reversed(listed)) == listed, "in whatever order they come"


@given(FINDINGS, st.data())
def test_with_causes_nothing_is_lost_and_every_cause_stands_above(found: list[Finding], data: st.DataObject) -> None:
    unique = list({item.id: item for item in found}.values())
    linked = [
        replace(item, cause=data.draw(st.none() | st.sampled_from([u.id for u in unique[:number]]))) if number else item
        for number, item in enumerate(unique)
    ]
    listed = by_urgency(linked)
    assert sorted(item.id for item in listed) == sorted(item.id for item in linked)
    place = {item.id: number for number, item in enumerate(listed)}
    assert all(place[item.cause] < place[item.id] for item in listed if item.cause)


# ── --only ──────────────────────────────────────────────────────────────────────────────────────────────────────

ALL = (
    finding("HLT014", ObjectRef.of("Deployment", "coredns", "kube-system")),
    finding("HLT017", InstallationRef("cert-manager/cm/cert-manager", "cert-manager", "FailedMount")),
    finding("CMP004", Together(("karpenter", "cluster-autoscaler"))),
    finding("API001", ApiVersionRef("policy/v1beta1", "PodDisruptionBudget", owners.HelmRelease("shop", "web"))),
    finding("EKS006", ClusterRef("prod-eu-1")),
)


def picked(*words: str) -> Iterator[str]:
    yield from (item.code for item in only_these(ALL, words))


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("required", ["API001"]),
        ("Required", ["API001"]),
        ("info", ["EKS006"]),
        ("HLT014", ["HLT014"]),
        ("hlt014", ["HLT014"]),
        ("HLT*", ["HLT014", "HLT017"]),
        ("hlt01?", ["HLT014", "HLT017"]),
        ("coredns", ["HLT014"]),
        ("core*", ["HLT014"]),
        ("cert-manager", ["HLT017"]),
        ("cluster-autoscaler", ["CMP004"]),
        ("kube-system", ["HLT014"]),
        ("shop", ["API001"]),
        ("Deployment/kube-system/coredns", ["HLT014"]),
        ("Deployment/*", ["HLT014"]),
        ("cluster prod-eu-1", ["EKS006"]),
        ("*", ["HLT014", "HLT017", "CMP004", "API001", "EKS006"]),
        ("API*", ["API001"]),
        ("CRD*", []),
        ("HLT", ["HLT014", "HLT017"]),
        ("API", ["API001"]),
    ],
)
def test_words_that_pick_findings(word: str, codes: list[str]) -> None:
    assert list(picked(word)) == codes


@pytest.mark.parametrize("word", ["HL", "hlt", "api", "dns", "manager", "HLT999", "", "core"])
def test_a_part_of_a_word_picks_nothing(word: str) -> None:
    assert list(picked(word)) == []


def test_several_words_add_up_in_the_order_of_the_findings() -> None:
    assert list(picked("eks006", "coredns", "HLT014")) == ["HLT014", "EKS006"]
    assert list(picked()) == []


@pytest.mark.parametrize("word", ["API", "API*", "api*", "CRD*", "required", "HLT014", "*"])
def test_a_word_that_fits_a_code_is_about_codes_alone(word: str) -> None:
    """Otherwise `API*` would pick what is said of an APIService."""
    assert is_about_codes(word)
    other = finding("INV005", ObjectRef.of("APIService", "v1beta1.custom.metrics.k8s.io"))
    assert bool(only_these((other,), [word])) == (word in ("required", "*"))


SUBJECTS: tuple[Subject, ...] = (
    ObjectRef.of("Deployment", "web", "shop"),
    InstallationRef("coredns/kube-system/coredns", "coredns"),
    MissingRef(ObjectRef.of("Deployment", "web", "shop"), ObjectRef.of("ServiceAccount", "web", "shop"), 2),
    owners.EksAddon("vpc-cni"),
    ClusterRef("prod-eu-1"),
)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_every_subject_is_known_by_its_label_and_by_the_names_in_it(subject: Subject) -> None:
    names = list(names_of(subject))
    assert names[0] == str(subject)
    assert all(names)


def test_what_is_missing_says_what_needs_it_and_how_much_more_is() -> None:
    assert str(SUBJECTS[2]) == "Deployment/shop/web needs ServiceAccount/shop/web and 2 more of its own"
