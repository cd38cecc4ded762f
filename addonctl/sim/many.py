"""Many simulated updates: what became of them, counted, and how sure the count is."""

import gc
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from addonctl.sim.scenario import Mix
from addonctl.sim.simulation import End, Outcome, simulate

CONFIDENCE = 0.95
# Seeds of failing runs that are kept by number: the first ones tell the story.
_KEPT = 100
# After so many runs their garbage is collected.
_COLLECTED = 50


@dataclass(slots=True)
class Summary:
    """What became of some runs. `failing`: seeds of bad ends.

    Of those that went back, `old_again_s` are the seconds until only the old version took requests, `no_node_lost_s`
    the same of those whose nodes were all there, `back_s` until all was as before.
    """

    runs: int = 0
    ends: Counter[End] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)
    failing: dict[End, list[int]] = field(default_factory=dict)
    asked: int = 0
    wrong: int = 0
    late: int = 0
    lost: int = 0
    faults: int = 0
    simulated_s: float = 0.0
    back_s: list[float] = field(default_factory=list)
    old_again_s: list[float] = field(default_factory=list)
    no_node_lost_s: list[float] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        users = outcome.users
        self.runs += 1
        self.ends[outcome.end] += 1
        self.asked, self.wrong = self.asked + users.requests, self.wrong + users.wrong
        self.late, self.lost = self.late + users.late, self.lost + users.lost
        self.faults += outcome.faults
        self.simulated_s += outcome.took_s
        self.back_s += [outcome.back_s] if outcome.back_s is not None else []
        again_s = [outcome.old_again_s] if outcome.old_again_s is not None else []
        self.old_again_s += again_s
        self.no_node_lost_s += [] if outcome.scenario.loses_nodes else again_s
        if outcome.end.bad:
            self._keep(outcome.end, [outcome.scenario.seed])
        told = ((violation.seed, violation.what) for violation in outcome.violations)
        self.violations += list(told)[: _KEPT - len(self.violations)]

    def join(self, other: "Summary") -> None:
        """Adds what became of other runs."""
        self.runs += other.runs
        self.ends += other.ends
        self.asked, self.wrong = self.asked + other.asked, self.wrong + other.wrong
        self.late, self.lost = self.late + other.late, self.lost + other.lost
        self.faults, self.simulated_s = self.faults + other.faults, self.simulated_s + other.simulated_s
        self.back_s += other.back_s
        self.old_again_s += other.old_again_s
        self.no_node_lost_s += other.no_node_lost_s
        self.violations += other.violations[: _KEPT - len(self.violations)]
        for end, seeds in other.failing.items():
            self._keep(end, seeds)

    def _keep(self, end: End, seeds: Iterable[int]) -> None:
        self.failing[end] = sorted((*self.failing.get(end, ()), *seeds))[:_KEPT]

    @property
    def bad(self) -> int:
        return sum(number for end, number in self.ends.items() if end.bad)

    @property
    def judged(self) -> int:
        """Without those of which it was said before they began that there is no way back."""
        return self.runs - self.ends[End.NO_WAY_BACK]


def simulated(seeds: Iterable[int], mix: Mix) -> Summary:
    summary = Summary()
    with _collected_later():
        for seed in seeds:
            summary.add(simulate(seed, mix))
            if summary.runs % _COLLECTED == 0:
                gc.collect()
    return summary


@contextmanager
def _collected_later() -> Iterator[None]:
    """A world is one big cycle, half a megabyte of garbage once its run is over: looking for it before finds none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def chunks(first: int, runs: int, size: int) -> Iterator[range]:
    """The seeds of so many runs, in parts."""
    for start in range(first, first + runs, size):
        yield range(start, min(start + size, first + runs))


def most(bad: int, of: int, confidence: float = CONFIDENCE) -> float:
    """The share that is bad, at most, with this confidence: Clopper and Pearson's one-sided bound, exactly."""
    if bad >= of:
        return 1.0
    low, high = bad / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(bad, of, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(bad: int, of: int, share: float) -> float:
    """The chance of so many or fewer, of independent runs that are bad at this share."""
    logs = [
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(share)
        + (of - k) * math.log1p(-share)
        for k in range(bad + 1)
    ]
    return math.fsum(map(math.exp, logs))


def quantile(values: Iterable[float], share: float) -> float | None:
    found = sorted(values)
    return found[min(int(share * len(found)), len(found) - 1)] if found else None
