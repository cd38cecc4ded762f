"""The faults of victims.py on the real cluster, side by side: each is found on what is wrong, not where it hurts.

All are made together, and scanned once for each age that they are to look. Everything that is found belongs to one of
them, and the cause of each stands before its effects.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from addonctl.model import Finding
from tests.cluster.changes import Change, wait_until_sound
from tests.cluster.cluster import Cluster
from tests.cluster.faults import Fault, broken
from tests.cluster.processes import wait_for
from tests.cluster.test_faults import Known, judge, matches, scan
from tests.cluster.test_live import addonctl
from tests.cluster.victims import ALONE, ECHOES, NO_SLICES, VICTIMS

pytestmark = pytest.mark.prove  # CI's group of faults has no time left
Found = dict[int, tuple[tuple[Finding, ...], Known]]


@contextmanager
def all_broken(cluster: Cluster, faults: Sequence[Fault], timeout_s: float = 120) -> Iterator[None]:
    """The cluster with faults that have all taken hold; afterwards it is sound again."""
    made: list[Change] = []
    try:
        for fault in faults:
            for change in fault.changes:
                change.make(cluster)
                made.append(change)
        for fault in faults:
            wait_for(fault.name, lambda fault=fault: fault.holds(cluster), timeout_s)  # type: ignore[misc]
        yield
    finally:
        for change in made:
            change.undo(cluster)
        wait_until_sound(cluster)


@pytest.fixture(scope="module")
def found(cluster: Cluster) -> Found:
    """By age: what is found with all faults, and what was found of the sound cluster looked at so much later."""
    wait_until_sound(cluster)
    ages = sorted({fault.age_s for fault in VICTIMS})
    sound = {age: frozenset((one.code, str(one.subject)) for one in scan(cluster, age)) for age in ages}
    with all_broken(cluster, VICTIMS):
        return {age: (scan(cluster, age), sound[age]) for age in ages}


def lacking(fault: Fault, found: tuple[Finding, ...], known: Known) -> list[str]:
    """What is not said as it should be of one of several faults; its cause is to stand before its effects."""
    row = judge(fault, found, known)
    places = [n for n, one in enumerate(found) for wanted in fault.effects if matches(one, wanted)]
    cause = next((n for n, one in enumerate(found) if matches(one, fault.cause)), -1)
    late = ["the cause before its effects"] if any(place < cause for place in places) else []
    return [*row.lacks, *late]


@pytest.mark.parametrize("fault", VICTIMS, ids=lambda fault: fault.name)
def test_the_culprit_is_named(found: Found, fault: Fault) -> None:
    of_age, known = found[fault.age_s]
    assert lacking(fault, of_age, known) == [], "\n".join(
        f"{one.severity.value} {one.code} {one.subject}" for one in of_age if (one.code, str(one.subject)) not in known
    )


def test_nothing_is_said_that_belongs_to_no_fault(found: Found) -> None:
    wanted = [*ECHOES, *(pair for fault in VICTIMS for pair in (fault.cause, *fault.effects))]
    beside = {
        f"{one.code} {one.subject}"
        for of_age, known in found.values()
        for one in of_age
        if (one.code, str(one.subject)) not in known and not any(matches(one, pair) for pair in wanted)
    }
    assert sorted(beside) == []


@pytest.mark.parametrize("fault", ALONE, ids=lambda fault: fault.name)
def test_the_culprit_is_named_where_all_else_waits(cluster: Cluster, fault: Fault) -> None:
    known = frozenset((one.code, str(one.subject)) for one in scan(cluster))
    with broken(cluster, fault):
        seen = scan(cluster, fault.age_s)
    assert lacking(fault, seen, known) == [], "\n".join(f"{one.code} {one.subject}" for one in seen)


def test_a_lost_right_is_seen_by_its_probe_and_in_its_log(cluster: Cluster) -> None:
    known = frozenset((one.code, str(one.subject)) for one in scan(cluster))
    with broken(cluster, NO_SLICES):
        seen = scan(cluster)
        told = addonctl(cluster, "analyze", "--logs", "--probe", "-o", "json")
    assert lacking(NO_SLICES, seen, known) == []
    first, *_ = json.loads(told)["findings"]
    assert (first["code"], first["subject"]) == NO_SLICES.cause
    assert "endpointslices" in told
