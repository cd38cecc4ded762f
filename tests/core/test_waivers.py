"""What is accepted for a time does not count; what was, and is not any more, counts and says so."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.findings import finding
from addonctl.model import ApiVersionRef, Finding, Note, ObjectRef, Severity
from addonctl.waivers import Waiver, apply

DAY = date(2026, 11, 24)
PDB = finding("HLT013", ObjectRef.of("PodDisruptionBudget", "queue", "payments"))
SINGLE = finding("HLT014", ObjectRef.of("Deployment", "queue", "payments"))
GONE = finding("API001", ApiVersionRef("policy/v1beta1", "PodDisruptionBudget"))


def waiver(code: str = "HLT013", *, days: int = 30, **more: Any) -> Waiver:
    return Waiver(code=code, reason="until the queue is sharded", until=DAY + timedelta(days=days), **more)


def counted(*waivers: Waiver, found: tuple[Finding, ...] = (PDB, SINGLE, GONE)) -> list[str]:
    counts, _ = apply(waivers, found, "prod-eu-1", DAY)
    return [item.code for item in counts]


def test_without_waivers_everything_counts() -> None:
    assert apply((), (PDB, GONE), "prod-eu-1", DAY) == ((PDB, GONE), ())


def test_a_waived_finding_does_not_count_and_names_its_waiver() -> None:
    by = waiver()
    counts, waived = apply((by,), (PDB, SINGLE), "prod-eu-1", DAY)
    assert counts == (SINGLE,)
    assert [(each.finding, each.waiver) for each in waived] == [(PDB, by)]


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        (waiver("HLT*"), ["API001"]),
        (waiver("*"), []),
        (waiver(subject="PodDisruptionBudget/payments/*"), ["HLT014", "API001"]),
        (waiver(subject="*/queue"), ["HLT014", "API001"]),
        (waiver(cluster="prod-*"), ["HLT014", "API001"]),
        (waiver(subject="PodDisruptionBudget/shop/*"), ["HLT013", "HLT014", "API001"]),
        (waiver(subject="payments"), ["HLT013", "HLT014", "API001"]),
        (waiver(cluster="staging"), ["HLT013", "HLT014", "API001"]),
        (waiver("hlt013"), ["HLT013", "HLT014", "API001"]),
        (waiver("HLT0"), ["HLT013", "HLT014", "API001"]),
    ],
    ids=[
        "codes by pattern",
        "all codes",
        "subject by pattern",
        "end of a subject",
        "clusters by pattern",
        "another namespace",
        "part of a subject",
        "another cluster",
        "case counts",
        "part of a code",
    ],
)
def test_a_waiver_covers_what_matches_in_all_three(one: Waiver, counts: list[str]) -> None:
    assert counted(one) == counts


def test_a_waiver_stands_on_its_last_day_and_not_after() -> None:
    assert counted(waiver(days=0), found=(PDB,)) == []
    assert counted(waiver(days=-1), found=(PDB,)) == ["HLT013", "WVR001"]


def test_an_expired_waiver_is_a_finding_beside_what_it_covered() -> None:
    counts, waived = apply((waiver(days=-1),), (PDB,), "prod-eu-1", DAY)
    item = counts[-1]
    assert (item.code, str(item.subject), item.severity) == ("WVR001", "waiver HLT013 *", Severity.RECOMMENDED)
    assert item.evidence[0].detail == (
        "ended on 2026-11-23: until the queue is sharded; it would cover 1 of today's findings"
    )
    assert waived == ()


def test_an_expired_waiver_that_covers_nothing_should_go() -> None:
    counts, _ = apply((waiver("HLT022", days=-1),), (PDB,), "prod-eu-1", DAY)
    assert counts[-1].fix == (Note("It no longer matches any finding: remove it from the file."),)


def test_an_expired_waiver_of_another_cluster_is_no_matter_here() -> None:
    assert counted(waiver(days=-1, cluster="staging"), found=()) == []


def test_expiry_itself_cannot_be_waived() -> None:
    assert counted(waiver("*"), waiver("HLT013", days=-1), found=()) == ["WVR001"]


def test_a_renewed_waiver_covers_again_though_the_old_line_is_still_there() -> None:
    assert counted(waiver(days=-1), waiver(days=30), found=(PDB,)) == ["WVR001"]


def test_the_first_of_several_waivers_is_named() -> None:
    first, second = waiver("HLT*"), waiver("HLT013")
    _, waived = apply((first, second), (PDB,), "prod-eu-1", DAY)
    assert [each.waiver for each in waived] == [first]


CODES = st.sampled_from(["HLT013", "HLT014", "API001", "HLT*", "*"])
WAIVERS = st.lists(st.builds(waiver, CODES, days=st.integers(-2, 2)), max_size=4)
FOUND = st.lists(st.sampled_from([PDB, SINGLE, GONE, replace(PDB, subject=ObjectRef.of("Service", "x"))]), max_size=5)


@given(WAIVERS, FOUND)
def test_nothing_is_lost_every_finding_counts_or_is_waived(waivers: list[Waiver], found: list[Finding]) -> None:
    counts, waived = apply(waivers, found, "prod-eu-1", DAY)
    kept = [item for item in counts if item.code != "WVR001"]
    assert sorted([*kept, *(each.finding for each in waived)], key=found.index) == sorted(found, key=found.index)
    assert all(each.waiver.until >= DAY for each in waived)
    assert len(counts) - len(kept) == sum(each.until < DAY for each in waivers)
