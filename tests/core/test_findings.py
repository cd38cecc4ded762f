"""The table of findings, their order, and the words by which some are picked."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.findings import CODES, by_urgency, finding, only_these
from addonctl.model import Evidence, Finding, Severity

# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_code_is_a_family_and_a_number_and_says_why_and_what_to_do() -> None:
    for code, entry in CODES.items():
        assert re.fullmatch(r"[A-Z]{3}\d{3}", code)
        assert entry.code == code
        assert entry.title
        assert entry.why.endswith(".")
        assert entry.fix
    assert len({entry.title for entry in CODES.values()}) == len(CODES)


def test_a_finding_takes_from_the_table_what_it_is_not_given() -> None:
    plain = finding("HLT013", "x")
    assert (plain.severity, plain.fix, plain.evidence) == (CODES["HLT013"].severity, CODES["HLT013"].fix, ())
    seen = Evidence(kind="k", subject="s", detail="d")
    nearer = finding("HLT013", "x", seen, fix="do this", severity=Severity.INFO)
    assert (nearer.severity, nearer.fix, nearer.evidence) == (Severity.INFO, "do this", (seen,))


def test_a_code_that_is_not_in_the_table_cannot_be_made() -> None:
    with pytest.raises(KeyError):
        finding("HLT999", "x")


# ── Order ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_worst_comes_first_then_causes_before_effects_then_by_name() -> None:
    nodes, pods, unanswered = finding("HLT021", "Node/n1"), finding("HLT001", "b"), finding("HLT009", "a")
    soft = finding("HLT008", "a")
    listed = by_urgency((soft, unanswered, pods, finding("HLT001", "a"), nodes))
    assert [(item.code, item.subject) for item in listed] == [
        ("HLT021", "Node/n1"), ("HLT001", "a"), ("HLT001", "b"), ("HLT009", "a"), ("HLT008", "a"),
    ]  # fmt: skip


def test_a_severity_that_was_raised_or_lowered_counts_not_the_tables() -> None:
    raised, lowered = finding("HLT008", "x", severity=Severity.REQUIRED), finding("HLT021", "x", severity=Severity.INFO)
    assert by_urgency((lowered, finding("HLT013", "x"), raised)) == (raised, finding("HLT013", "x"), lowered)


def test_equal_findings_are_one_and_those_with_other_evidence_are_not() -> None:
    seen = Evidence(kind="k", subject="s", detail="d")
    assert len(by_urgency((finding("HLT013", "x"), finding("HLT013", "x"), finding("HLT013", "x", seen)))) == 2


FINDINGS = st.lists(
    st.builds(
        lambda code, subject, severity: finding(code, subject, severity=severity),
        st.sampled_from(sorted(CODES)), st.sampled_from(["a", "b", "Deployment/a/b"]),
        st.none() | st.sampled_from(list(Severity)),
    ), max_size=20,
)  # fmt: skip


@given(FINDINGS)
def test_order_is_a_permutation_without_duplicates(found: list[Finding]) -> None:
    listed = by_urgency(found)
    assert set(listed) == set(found)
    assert len(listed) == len(set(found))
    assert [item.severity.rank for item in listed] == sorted((item.severity.rank for item in listed), reverse=True)
    assert by_urgency(reversed(listed)) == listed, "in whatever order they come"


# ── --only ──────────────────────────────────────────────────────────────────────────────────────────────────────

ALL = (
    finding("HLT014", "Deployment/kube-system/coredns"),
    finding("HLT017", "cert-manager/cm/cert-manager: FailedMount"),
    finding("CMP004", "karpenter and cluster-autoscaler"),
    finding("API001", "helm release shop/web: policy/v1beta1 PodDisruptionBudget"),
    finding("EKS006", "cluster prod-eu-1"),
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
    ],
)
def test_words_that_pick_findings(word: str, codes: list[str]) -> None:
    assert list(picked(word)) == codes


@pytest.mark.parametrize("word", ["HLT", "dns", "manager", "HLT999", "", "core"])
def test_a_part_of_a_word_picks_nothing(word: str) -> None:
    assert list(picked(word)) == []


def test_several_words_add_up_in_the_order_of_the_findings() -> None:
    assert list(picked("eks006", "coredns", "HLT014")) == ["HLT014", "EKS006"]
    assert list(picked()) == []
