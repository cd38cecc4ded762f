"""The faults of faults.py, one after the other on the real cluster: each is found, on the right object, cause first.

A scan is made once a fault, after the cluster itself shows it. Its rank is that of the cause among the findings of
its severity that the sound cluster does not have.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from addonctl.adapters.clock import SystemClock
from addonctl.adapters.sources.live import LiveCluster
from addonctl.apps import wiring
from addonctl.manager import Manager
from addonctl.model import Finding, Severity
from addonctl.render.commands import fix_text
from tests.cluster.changes import wait_until_sound
from tests.cluster.cluster import Cluster
from tests.cluster.faults import FAULTS, Fault, broken
from tests.cluster.test_live import addonctl

Known = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Row:
    """What was found of one fault. `lacks`: what should have been said and was not."""

    fault: Fault
    rank: int
    of: int
    lacks: tuple[str, ...]
    beside: tuple[str, ...]  # what else was found that is neither cause nor effect

    def __str__(self) -> str:
        code, subject = self.fault.cause
        rank = f"{self.rank}/{self.of}" if self.rank else "—"
        more = [f"lacks {lack}" for lack in self.lacks] + [f"beside {other}" for other in self.beside]
        return f"{self.fault.name:<58} {code} {subject:<82} {rank:>5}" + "".join(f"\n      {line}" for line in more)


def scan(cluster: Cluster, age_s: int = 0) -> tuple[Finding, ...]:
    """The findings, as of `age_s` from now: some wait until a state has lasted."""
    clock = Later(age_s)
    source = LiveCluster(wiring.catalog(), clock, kubeconfig=str(cluster.kubeconfig))
    return Manager(source, wiring.catalog(), clock).assess().findings


@dataclass(frozen=True)
class Later(SystemClock):
    """A clock that goes some seconds ahead."""

    seconds: int

    def now(self) -> datetime:
        return wiring.CLOCK.now() + timedelta(seconds=self.seconds)


def matches(found: Finding, wanted: tuple[str, str]) -> bool:
    return found.code == wanted[0] and str(found.subject).startswith(wanted[1])


def judge(fault: Fault, found: tuple[Finding, ...], known: Known) -> Row:
    new = [one for one in found if (one.code, str(one.subject)) not in known]
    cause = next((one for one in new if matches(one, fault.cause)), None)
    told = [(one.code, str(one.subject)) for one in new]
    lacks = [
        f"{code} {subject}"
        for code, subject in (fault.cause, *fault.effects)
        if not any(matches(one, (code, subject)) for one in new)
    ]
    beside = tuple(
        " ".join(pair)
        for pair, one in zip(told, new, strict=True)
        if not any(matches(one, wanted) for wanted in (fault.cause, *fault.effects))
    )
    if cause is None:
        return Row(fault, 0, 0, tuple(lacks), beside)
    text = " ".join([fix_text(cause), *(f"{shown.subject} {shown.detail}" for shown in cause.evidence)])
    lacks += [f"the words {word!r}" for word in fault.says if word not in text]
    peers = [one for one in new if one.severity is cause.severity]
    return Row(fault, peers.index(cause) + 1, len(peers), tuple(lacks), beside)


@pytest.fixture(scope="module")
def sound(cluster: Cluster) -> Known:
    """What is found when nothing is wrong."""
    wait_until_sound(cluster)
    return frozenset((one.code, str(one.subject)) for one in scan(cluster))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return []


def required(cluster: Cluster) -> list[Finding]:
    return [one for one in scan(cluster) if one.severity is Severity.REQUIRED]


def test_a_sound_cluster_requires_nothing(cluster: Cluster, sound: Known) -> None:
    assert required(cluster) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_is_found(cluster: Cluster, sound: Known, rows: list[Row], fault: Fault) -> None:
    with broken(cluster, fault):
        found = scan(cluster, fault.age_s)
    row = judge(fault, found, sound)
    rows.append(row)
    assert row.lacks == (), "\n".join(f"{one.severity.value} {one.code} {one.subject}" for one in found)


def test_causes_stand_before_their_effects(rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(
            f"\n{len(rows)} faults: found {sum(row.rank > 0 for row in rows)}, "
            f"complete {sum(not row.lacks for row in rows)}, cause first {sum(row.rank == 1 for row in rows)}, "
            f"other findings beside {sum(len(row.beside) for row in rows)}"
        )
        print("\n".join(map(str, rows)))
    assert [row.fault.name for row in rows if row.rank > 1] == []


def test_a_fixed_cluster_requires_nothing(cluster: Cluster, sound: Known) -> None:
    wait_until_sound(cluster)
    assert required(cluster) == []


def test_the_command_line_names_it(cluster: Cluster, sound: Known) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "Service selector wrong, kube-dns")
    with broken(cluster, fault):
        listed = json.loads(addonctl(cluster, "findings", "-o", "json"))
        health = json.loads(addonctl(cluster, "health", "-o", "json"))
    first = listed["findings"][0]
    assert (first["code"], first["subject"]) == fault.cause
    degraded = [addon["addon"] for addon in health["addons"] if addon["health"] == "degraded"]
    assert degraded == ["coredns"]
