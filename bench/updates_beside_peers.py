"""Claim: addonctl's updates end well where other ways leave harm running, and what users lose meanwhile is less.

python -m bench.updates_beside_peers [N] [--first SEED] [--jobs J] [--minutes M] [-o json]

N updates (default 5,000, stopped after M minutes), each in the same world for every way: the same seed gives the same
cluster, version, traffic and faults. The mix is that of `addonctl simulate` without people and without steps that
cannot be undone, which other ways do not know; it is printed. What the ways do stands in bench/peers.py.

All are judged alike, by what the world shows, half an hour after the update began and once the last fault is over:
an update ended well where all instances serve, either in a sound version or in the old one. Harm is an instance of a
harmful version of which its harm has set in; it lasts from the first to the last that was seen, every 5 s. Requests
are those of users within the half hour; what `no update` lost, faults alone have lost. Shares have exact 95 % bounds
(Clopper and Pearson). The last table has sound versions in calm weather: what an update itself costs its users.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from addonctl.apps.simulating import processors
from addonctl.sim.controllers import Behaviour
from addonctl.sim.incidents import KINDS
from addonctl.sim.keepers import ADDON
from addonctl.sim.many import most, quantile
from addonctl.sim.scenario import BEGINS_S, Mix, Scenario, drawn
from addonctl.sim.selectors import selects
from addonctl.sim.simulation import harmful
from addonctl.sim.stage import Stage
from addonctl.sim.store import POD, Stored
from addonctl.sim.traffic import Tally
from bench.measure import table
from bench.peers import WAYS, Way, new

WINDOW_S, REST_S, SAMPLE_S = 1_800.0, 180.0, 5.0
MIX = Mix(owners=("EKS",), asked=0, approved=0, irreversible=0, two_steps=0, configured=0, created=0, deleted=0)
CALM = replace(MIX, harmful=0, faults_most=0, crashes=0)
NEVER = float("inf")
_CHUNK = 10
_OURS = {"matchLabels": {"app": ADDON}}


class Left(StrEnum):
    """What an update left."""

    UPDATED = "updated"
    AS_BEFORE = "as before"
    HARM = "harm left"
    LATENT = "harm to come"
    HALF = "half done"

    @property
    def well(self) -> bool:
        return self in (Left.UPDATED, Left.AS_BEFORE)


@dataclass(frozen=True, slots=True)
class Case:
    """One update by one way. `harm_s`: None where no harm showed, infinite where it has not ended."""

    seed: int
    way: str
    group: str
    kind: str
    sound: bool
    left: Left
    harm_s: float | None
    asked: int
    wrong: int
    late: int
    lost: int


class Meter:
    """Sees one world from the beginning of the update on, and changes nothing in it."""

    def __init__(self, one: Scenario, stage: Stage) -> None:
        self.stage, self.world, self.does = stage, stage.world, stage.scenario.does
        self.harmful = harmful(self.does)
        self.since: float | None = None
        self.last: float | None = None
        self._shown: set[str] = set()
        stage.traffic.settle()
        self._before, self.asked = replace(stage.traffic.users.whole), Tally()
        self.world.after(BEGINS_S + WINDOW_S - self.world.seconds, self._close)
        if self.harmful:
            self._sample()

    def _sample(self) -> None:
        if self.is_harmed:
            self.since = self.world.seconds if self.since is None else self.since
            self.last = self.world.seconds
        if self.world.seconds < BEGINS_S + WINDOW_S:
            self.world.after(SAMPLE_S, self._sample)

    def _close(self) -> None:
        self.stage.traffic.settle()
        whole, before = self.stage.traffic.users.whole, self._before
        self.asked = Tally(
            whole.requests - before.requests,
            whole.wrong - before.wrong,
            whole.late - before.late,
            whole.lost - before.lost,
        )

    @property
    def pods(self) -> Iterator[Stored]:
        return (pod for pod in self.stage.store.rows(POD) if selects(_OURS, pod.labels) and not pod.is_ending)

    @property
    def is_harmed(self) -> bool:
        """Whether there is an instance of the harmful version that has begun to do harm."""
        if not self.harmful:
            return False
        harming = [self._harms(pod) for pod in self.pods if self.version(pod) == self.new]
        return any(harming)

    def _harms(self, pod: Stored) -> bool:
        does, node, kubelets = self.does, pod.spec.get("nodeName", ""), self.stage.controllers.kubelets
        if does.nodes and node not in does.nodes:
            return False
        if does.loses_node_s:
            return self.stage.controllers.nodes.is_cut_off(node)
        if not (does.is_there and does.gets_ready):
            return True
        started = kubelets.running.get(pod.uid)
        if started is not None and (self.world.micros - started) / 1e6 >= sets_in_s(does):
            self._shown.add(pod.uid)
        return pod.uid in self._shown

    @property
    def new(self) -> str:
        return new(self.stage)

    def version(self, pod: Stored) -> str:
        return str(pod.spec["containers"][0]["image"]).partition(":")[2]

    def judged(self) -> tuple[Left, float | None]:
        versions = {self.version(pod) for pod in self.pods}
        serving = sum(1 for pod in self.pods if pod.is_ready) >= self.stage.scenario.instances
        harmed, harm_s = self.is_harmed, None
        if self.since is not None and self.last is not None:
            harm_s = NEVER if harmed else self.last - self.since + SAMPLE_S
        if harmed:
            return Left.HARM, harm_s
        if self.harmful and self.new in versions:
            return Left.LATENT, harm_s
        if not serving or len(versions) != 1:
            return Left.HALF, harm_s
        return Left.UPDATED if self.new in versions else Left.AS_BEFORE, harm_s


def sets_in_s(does: Behaviour) -> float:
    """How long after its start an instance that starts begins to do harm."""
    return max(does.sets_in_s, (does.crashes_after_s or 0.0) * 0.8)


def group(one: Scenario) -> str:
    """Of which form the harm of a version is."""
    does = one.does
    if not harmful(does):
        return "sound"
    if does.rejects:
        return "refuses its configuration"
    if not (does.is_there and does.gets_ready) or (does.crashes_after_s or 1e9) <= 60:
        return "never ready, or crashes"
    if does.loses_node_s:
        return "takes a node's network"
    if sets_in_s(does) >= WINDOW_S:
        return "shows after hours or later"
    if does.sets_in_s or does.leaks or does.crashes_after_s:
        return "ready, fails after minutes"
    return "ready, answers wrongly or late"


def played(seed: int, mix: Mix, name: str, way: Way) -> Case:
    one = drawn(seed, mix)
    meters: list[Meter] = []
    quiet_s = way(one, lambda stage: meters.append(Meter(one, stage)))
    meter, world = meters[0], meters[0].world
    world.advance(max(BEGINS_S + WINDOW_S, quiet_s, world.seconds) + REST_S - world.seconds)
    left, harm_s = meter.judged()
    asked = meter.asked
    return Case(
        seed=seed,
        way=name,
        group=group(one),
        kind=one.kind,
        sound=not harmful(one.does),
        left=left,
        harm_s=harm_s,
        asked=asked.requests,
        wrong=asked.wrong,
        late=asked.late,
        lost=asked.lost,
    )


def part(seeds: range, mix: Mix) -> list[Case]:
    return [played(seed, mix, name, way) for seed in seeds for name, way in WAYS.items()]


def played_all(first: int, runs: int, mix: Mix, jobs: int, until: float) -> list[Case]:
    """In parts, on all processors; parts that have not begun by `until` are left out."""
    parts = [range(start, min(start + _CHUNK, first + runs)) for start in range(first, first + runs, _CHUNK)]
    found: list[Case] = []
    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(part, seeds, mix) for seeds in parts]
        for done in as_completed(waiting):
            if not done.cancelled():
                found += done.result()
            if time.monotonic() > until:
                for each in waiting:
                    each.cancel()
    return sorted(found, key=lambda case: case.seed)


# ── Tables ──────────────────────────────────────────────────────────────────────────────────────────────────────


def bounds(good: int, of: int) -> tuple[float, float]:
    """Within which the share of the good lies, with 95 % confidence: Clopper and Pearson's, exactly."""
    return 1 - most(of - good, of, 0.975), most(good, of, 0.975)


def shown_share(good: int, of: int) -> str:
    if not of:
        return "-"
    low, high = bounds(good, of)
    return f"{good / of:.2%} ({low:.2%} to {high:.2%})"


def seconds(harms: Sequence[float], share: float) -> str:
    found = quantile(harms, share)
    return "-" if found is None else "not in 30 min" if found == NEVER else f"{found:.0f}"


def requests(cases: Sequence[Case], what: str) -> str:
    return f"{sum(getattr(case, what) for case in cases) / len(cases):.1f}"


def by_way(cases: Iterable[Case]) -> Mapping[str, list[Case]]:
    found: dict[str, list[Case]] = {name: [] for name in WAYS}
    for case in cases:
        found[case.way].append(case)
    return found


def main_table(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    head = "n", "ended well (95 %)", *(left.value for left in Left), "sound, not taken up"
    head = "", *head, "harm lasts p50", "p95 s", "of", "wrong", "late", "lost an update"
    rows = [head]
    for name, mine in by_way(cases).items():
        counts = [sum(case.left is left for case in mine) for left in Left]
        harms = [case.harm_s for case in mine if case.harm_s is not None]
        well = sum(case.left.well for case in mine)
        kept = sum(case.sound and case.left is not Left.UPDATED for case in mine)
        first = name, str(len(mine)), shown_share(well, len(mine)) if name != "no update" else "", *map(str, counts)
        last = seconds(harms, 0.5), seconds(harms, 0.95), str(len(harms))
        rows.append((*first, str(kept), *last, *(requests(mine, what) for what in ("wrong", "late", "lost"))))
    return rows


def group_tables(cases: Sequence[Case]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """For each form of harm what became of its updates, and what users were answered wrongly, late or not at all."""
    names = sorted({case.group for case in cases}, key=lambda name: (name != "sound", name))
    per_way = by_way(cases)
    updating = [name for name in WAYS if name != "no update"]
    well, failed = [("", "n", *updating)], [("", "n", *WAYS)]
    for name in names:
        mine = {way: [case for case in found if case.group == name] for way, found in per_way.items()}
        of = len(mine["no update"])
        ended = (f"{sum(case.left.well for case in mine[way]) / of:.1%}" for way in updating)
        well.append((name, str(of), *ended))
        bad = (sum(case.wrong + case.late + case.lost for case in mine[way]) / of for way in WAYS)
        failed.append((name, str(of), *(f"{each:.0f}" for each in bad)))
    yield "ended well, by what is wrong with the version", well
    yield "requests that failed an update, by what is wrong with the version", failed


def calm_table(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "n", "requests", *WAYS)]
    for kind in KINDS:
        mine = [case for case in cases if case.kind == kind]
        of = [case for case in mine if case.way == "no update"]
        lost = (sum(case.lost for case in mine if case.way == way) for way in WAYS)
        rows.append((kind, str(len(of)), str(sum(case.asked for case in of)), *map(str, lost)))
    return rows


def document(cases: Sequence[Case], calm: Sequence[Case]) -> dict[str, Any]:
    return {"mix": asdict(MIX), "cases": [asdict(case) for case in cases], "calm": [asdict(case) for case in calm]}


def shown(cases: Sequence[Case], calm: Sequence[Case]) -> None:
    print(f"mix: {MIX.harmful:.0%} of the versions harmful, each by one of the public incidents, of equal weight;")
    print(f"  up to {MIX.faults_most} faults a run; addonctl's worker dies in {MIX.crashes:.0%} of the runs;")
    print("  these shares are chosen, public cases have no denominator")
    if cases:
        table("updates with the fault mix, the same worlds for each way", main_table(cases))
        for title, rows in group_tables(cases):
            table(title, rows)
    if calm:
        table("sound versions, nothing else wrong: requests lost by the update", calm_table(calm))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("runs", nargs="?", type=int, default=5_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--calm", type=int, default=None, help="sound versions in calm weather; a fifth of the runs")
    parser.add_argument("--jobs", type=int, default=processors())
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    given = parser.parse_args(arguments)
    until = time.monotonic() + 60 * given.minutes
    calm_runs = given.runs // 5 if given.calm is None else given.calm
    calm = played_all(given.first, calm_runs, CALM, given.jobs, time.monotonic() + 15 * given.minutes)
    cases = played_all(given.first, given.runs, MIX, given.jobs, until)
    if given.output == "json":
        print(json.dumps(document(cases, calm)))
    else:
        shown(cases, calm)


if __name__ == "__main__":
    main()
