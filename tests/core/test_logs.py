"""The last lines of containers that are not ready: a few are read, and they are judged as last words are."""

from dataclasses import replace

from addonctl import model
from addonctl.inventory import take_inventory
from addonctl.logs import CONTAINERS_MAX, Wanted, wanted, with_lines
from addonctl.model import Gap, GapReason, Snapshot, View
from tests.builders import snapshot
from tests.core.test_health import CATALOG, HOOK, found, pod, runs, status
from tests.core.test_symptoms import KNOWN

CRASHES = pod(HOOK, status(waiting="CrashLoopBackOff", restarts=7), ready=False)


def asked(*pods: model.Pod, workloads: tuple[model.Workload, ...] = (HOOK,)) -> tuple[Wanted, ...]:
    view = View(snapshot(workloads=workloads, pods=pods))
    return wanted(view, take_inventory(view, CATALOG))


def test_a_container_that_crashed_is_asked_for_its_last_run_and_one_that_runs_for_this_one() -> None:
    assert asked(CRASHES) == (Wanted(CRASHES.ref, "main", previous=True),)
    unready = replace(CRASHES, containers=(status(),))
    assert asked(unready) == (Wanted(CRASHES.ref, "main"),)


def test_what_is_ready_has_words_or_has_not_run_is_not_asked() -> None:
    worded = replace(CRASHES, containers=(replace(CRASHES.containers[0], last_words="panic"),))
    pulls = replace(CRASHES, containers=(status(waiting="ImagePullBackOff"),))
    for silent in (pod(HOOK), worded, pulls, replace(CRASHES, deleting=True)):
        assert asked(silent) == ()


def test_replicas_say_the_same_and_there_is_a_bound() -> None:
    other = replace(CRASHES, name="hook-5d78-other")
    assert len(asked(CRASHES, other)) == 1
    many = replace(CRASHES, containers=tuple(status(f"c{n}") for n in range(50)))
    assert len(asked(many)) == CONTAINERS_MAX


def test_somebody_elses_containers_are_not_read() -> None:
    shop = runs("shop", "shop:1")
    assert asked(replace(CRASHES, owners=pod(shop).owners), workloads=(shop,)) == ()


def read(text: str, *gaps: Gap) -> Snapshot:
    taken = snapshot(workloads=(HOOK,), pods=(CRASHES,))
    return with_lines(taken, {Wanted(CRASHES.ref, "main", previous=True): text}, gaps)


def test_lines_are_last_words_that_known_issues_fit() -> None:
    enriched = read("starting\nfatal: no free address\n")
    (item,) = (each for each in found(HOOK, known=KNOWN, pods=enriched.pods) if each.code == "HLT001")
    assert "fatal: no free address" in item.evidence[0].detail
    assert item.evidence[-1].detail == "known cause: the range is used up (https://x.test/1)"


def test_a_container_that_is_only_not_ready_says_what_it_logs_where_nothing_else_does() -> None:
    running = replace(CRASHES, containers=(status(last_words="waiting for CRDs"),))
    short = replace(HOOK, ready=0, available=0)
    (item,) = (each for each in found(short, pods=(running,)) if each.code == "HLT005")
    assert item.evidence[-1].detail == "container main says: waiting for CRDs"


def test_what_could_not_be_read_is_a_gap() -> None:
    gap = Gap(part="logs", reason=GapReason.FORBIDDEN, detail="403")
    assert read("", gap).gap("logs") == gap
