"""Claim: with slack as VPA's, within 1.5 points, requests at medium risk leave a sixth of its uncovered demand or less.

python -m bench.rightsizing_beside_vpa [FOLDER]

The machines of Bitbrains' trace in FOLDER ($ADDONCTL_SHARED/data/bitbrains), CPU every 5 minutes for a month; or those
of a folder of NAB (data/nab/realAWSCloudwatch: five machines of EC2 and RDS for two weeks, incidents included). At each
review a policy sees the days before (7 or 14; VPA all of them) and sets the request until the next. VPA changes it as
its updater does; krr, which has no rule for that, like addonctl: at once where it is too small, else by 10 % or more.

- addonctl: at each risk, from five figures a day; in the sweep, at other levels and shares of days left out.
- VPA: its algorithm, and its own recommender where that is built (bench/vpa.py); both must say the same.
- krr: its simple strategy for CPU, a percentile of all samples; its rule for memory, the highest and 15 %, as CPU.
- oracle: what the time until the next review will need, on so many of its ticks.

slack: reserved and not used. uncovered: demand over the request. over: 5-minute ticks over the request. frontier: no
other policy reserves less and leaves no more uncovered. All that weighs each core alike; `alike` weighs each machine
alike, and cost is a multiple of its mean use. Dollars are a month of list price for all machines. The risks are not
fitted on these traces. Where a setting of the sweep is, it is chosen on four fifths of the machines and judged on the
rest, five times.

No trace of memory is at hand. The last tables have the rules for memory on the same figures, which are wilder: CPU as
multiples of its mean, of which one is 4 GiB. A day over the request would be an OOM kill; what comes of it is left out.
"""

import csv
import gzip
import math
import os
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path

from addonctl.model.sizing import Day, History, Resource, Risk, Setting, Statistic
from addonctl.rightsizing import BUDGETS, HYSTERESIS, Budget, cpu_need, memory_need, rightsized, rounded
from bench.measure import table
from bench.vpa import Recommended, by_algorithm, by_recommender, memory_by_recommender
from tests.cluster import build

CASES = ((7, 1), (14, 1), (14, 7))  # days of history, days from one review to the next
TICK_S, DAY_S, TICKS = 300, 86_400, 288
MHZ_PER_CORE = 2600.0
# m5.large in us-east-1: $0.096 an hour for 2 vCPU and 8 GiB, split 9:1 between them.
USD_PER_CORE_MONTH = 0.096 * 9 / (2 * 9 + 8) * 730
BYTES_PER_MEAN = 4 * 2**30
STATISTICS = (Statistic.P95, Statistic.P99, Statistic.MAX)
EPSILONS = (1 / 15, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
FOLDS = 5


@dataclass(frozen=True)
class Used:
    """One day of one machine in cores, tick by tick."""

    day: date
    ticks: tuple[float, ...]

    @cached_property
    def ordered(self) -> list[float]:
        return sorted(self.ticks)

    @cached_property
    def sums(self) -> list[float]:
        return list(accumulate(self.ordered, initial=0.0))

    @cached_property
    def aggregates(self) -> Day:
        p50, p95, p99, most = (1000 * self.quantile(share) for share in (0.5, 0.95, 0.99, 1.0))
        return Day(date=self.day, cpu_p50=p50, cpu_p95=p95, cpu_p99=p99, cpu_max=most)

    def quantile(self, share: float) -> float:
        return self.ordered[min(math.ceil(share * TICKS), TICKS) - 1]

    def over(self, request: float) -> tuple[int, float]:
        """Ticks over the request, and the demand over it in cores x ticks."""
        number = bisect_right(self.ordered, request)
        return TICKS - number, self.sums[-1] - self.sums[number] - (TICKS - number) * request


@dataclass(frozen=True)
class Machine:
    name: str
    days: tuple[Used, ...]

    @cached_property
    def mean(self) -> float:
        """Cores; of one that never does anything, a hundredth."""
        return max(sum(day.sums[-1] for day in self.days) / TICKS / len(self.days), 0.01)

    @cached_property
    def samples(self) -> list[tuple[int, float]]:
        start = self.midnights[0]
        return [(start + n * TICK_S, tick) for n, tick in enumerate(tick for day in self.days for tick in day.ticks)]

    @cached_property
    def midnights(self) -> list[int]:
        """Seconds at which each day begins."""
        return [(day.day - date(1970, 1, 1)).days * DAY_S for day in self.days]


def machines(folder: Path) -> list[Machine]:
    trace = folder / "vm_cpu_5min.csv.gz"
    rows = _bitbrains(trace) if trace.exists() else _nab(folder.glob("*cpu_utilization*.csv.gz"))
    return [Machine(name, tuple(_whole_days(sorted(found)))) for name, found in rows.items()]


def _bitbrains(trace: Path) -> dict[str, list[tuple[int, float]]]:
    rows: dict[str, list[tuple[int, float]]] = {}
    with gzip.open(trace, "rt") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["id"], []).append((int(row["ts"]), float(row["cpu_usage"]) / MHZ_PER_CORE))
    return rows


def _nab(traces: Iterable[Path]) -> dict[str, list[tuple[int, float]]]:
    """Each machine is taken to have two cores: the trace says a share of all."""
    rows = {}
    for trace in sorted(traces):
        with gzip.open(trace, "rt") as file:
            rows[trace.name] = [
                (int(datetime.fromisoformat(row["timestamp"] + "+00:00").timestamp()), float(row["value"]) / 100 * 2)
                for row in csv.DictReader(file)
            ]
    return rows


def _whole_days(rows: Sequence[tuple[int, float]]) -> Iterator[Used]:
    """A row holds for the time since the row before: the trace leaves out what is equal to the next."""
    times = [at_s for at_s, _ in rows]
    for number in range(-(-times[0] // DAY_S), times[-1] // DAY_S):
        ends = range(number * DAY_S + TICK_S, (number + 1) * DAY_S + 1, TICK_S)
        yield Used(date(1970, 1, 1) + timedelta(number), tuple(rows[bisect_left(times, end)][1] for end in ends))


Policy = Callable[[Machine, int, int, float | None], float]
"""Machine, number of the day, days of history, the request so far → the request of that day, in cores."""


def ours(risk: Risk, machine: Machine, number: int, window: int, current: float | None) -> float:
    setting = Setting(request=None if current is None else round(current * 1000))
    proposal = rightsized(_history(machine, number, window, setting), risk).cpu
    assert proposal.request is not None
    return proposal.request / 1000


def swept(budget: Budget, machine: Machine, number: int, window: int, current: float | None) -> float:
    need = cpu_need(_history(machine, number, window, Setting()), budget)
    assert need is not None
    return _steady(rounded(Resource.CPU, need.value) / 1000, current)


def _history(machine: Machine, number: int, window: int, setting: Setting) -> History:
    bytes_ = BYTES_PER_MEAN / machine.mean
    days = tuple(
        replace(day.aggregates, memory_max=math.ceil(day.ordered[-1] * bytes_))
        for day in machine.days[number - window : number]
    )
    return History(as_of=machine.days[number].day, days=days, cpu=setting)


def vpa(
    answers: Mapping[str, Sequence[Recommended]], machine: Machine, number: int, _: int, now: float | None
) -> float:
    return answers[machine.name][number - 1].applied(now)


def percentile(share: float, factor: float, machine: Machine, number: int, window: int, current: float | None) -> float:
    ticks = sorted(tick for day in machine.days[number - window : number] for tick in day.ticks)
    return _steady(max(ticks[math.ceil(share * len(ticks)) - 1] * factor, 0.01), current)


def oracle(share: float, every: int, machine: Machine, number: int, *_: object) -> float:
    ticks = sorted(tick for day in machine.days[number : number + every] for tick in day.ticks)
    return ticks[math.ceil(share * len(ticks)) - 1]


def our_memory(risk: Risk, machine: Machine, number: int, window: int, current: float | None) -> float:
    need = memory_need(_history(machine, number, window, Setting()), BUDGETS[risk])
    assert need is not None
    return _steady(rounded(Resource.MEMORY, need.value) / BYTES_PER_MEAN * machine.mean, current)


def vpa_memory(targets: Mapping[str, Sequence[int]], machine: Machine, number: int, _: int, now: float | None) -> float:
    target = targets[machine.name][number - 1] / BYTES_PER_MEAN * machine.mean
    return target if now is None or abs(target - now) >= HYSTERESIS * now else now


def _steady(wanted: float, current: float | None) -> float:
    near = current is not None and wanted <= current <= wanted * (1 + HYSTERESIS)
    return current if near and current is not None else wanted


@dataclass(frozen=True)
class Outcome:
    """What a policy did for some machines, in cores x ticks; the last two are the means of machines, each alike."""

    reserved: float
    used: float
    uncovered: float
    over: int
    ticks: int
    days_over: int
    resizes: int
    alike_reserved: float
    alike_uncovered: float

    @property
    def slack(self) -> float:
        return 1 - (self.used - self.uncovered) / self.reserved


def walked(policy: Policy, machine: Machine, window: int, every: int) -> Outcome:
    """Day after day, with a review every so many."""
    request: float | None = None
    reserved = used = uncovered = 0.0
    over = days_over = resizes = 0
    for number in range(window, len(machine.days)):
        if request is None or (number - window) % every == 0:
            new = policy(machine, number, window, request)
            resizes += request is not None and new != request
            request = new
        ticks, demand = machine.days[number].over(request)
        reserved, used = reserved + request * TICKS, used + machine.days[number].sums[-1]
        over, days_over, uncovered = over + ticks, days_over + (ticks > 0), uncovered + demand
    ticks = (len(machine.days) - window) * TICKS
    usual = machine.mean * ticks
    return Outcome(reserved, used, uncovered, over, ticks, days_over, resizes, reserved / usual, uncovered / usual)


def together(outcomes: Sequence[Outcome]) -> Outcome:
    names = ("reserved", "used", "uncovered", "over", "ticks", "days_over", "resizes")
    sums = {name: sum(getattr(one, name) for one in outcomes) for name in names}
    means = {
        name: sum(getattr(one, name) for one in outcomes) / len(outcomes)
        for name in ("alike_reserved", "alike_uncovered")
    }
    return Outcome(**sums, **means)


Walks = Mapping[str, Sequence[Outcome]]
"""By policy, the outcome of each machine."""
HEAD = (
    *("policy", "cores", "$ a month", "slack", "uncovered", "over", "resizes a machine and month", "frontier"),
    *("cost, alike", "uncovered, alike"),
)


def rows(walks: Walks) -> Iterator[tuple[str, ...]]:
    yield HEAD
    known = {name: together(one) for name, one in walks.items()}
    real = {name: one for name, one in known.items() if not name.startswith("oracle")}
    for name, one in known.items():
        cores = one.reserved / one.ticks * len(walks[name])
        beaten = any(other.reserved < one.reserved and other.uncovered <= one.uncovered for other in real.values())
        yield (
            name,
            f"{cores:.1f}",
            f"{cores * USD_PER_CORE_MONTH:.0f}",
            f"{one.slack:.1%}",
            f"{one.uncovered / one.used:.3%}",
            f"{one.over / one.ticks:.2%}",
            f"{one.resizes / (one.ticks / TICKS / 30):.1f}",
            "" if beaten or name not in real else "*",
            f"{one.alike_reserved:.2f}",
            f"{one.alike_uncovered:.2%}",
        )


def _different(sweep: Walks) -> Walks:
    """Once each: with few days several settings ask for the same."""
    first: dict[tuple[Outcome, ...], str] = {}
    for name, walk in sweep.items():
        first.setdefault(tuple(walk), name)
    return {name: sweep[name] for name in first.values()}


Measure = Callable[[Outcome], float]


def chosen(sweep: Walks, peer: Sequence[Outcome], least: Measure, at_most: Measure) -> tuple[Outcome, Outcome]:
    """The setting with the least of one measure that is no worse than the peer by another, on machines not chosen by.

    Where no setting is that good, the one that comes closest.
    """
    judged, beside = [], []
    for fold in range(FOLDS):
        train = [number for number in range(len(peer)) if number % FOLDS != fold]
        test = [number for number in range(len(peer)) if number % FOLDS == fold]
        bar = at_most(together([peer[number] for number in train]))
        seen = {name: together([walk[number] for number in train]) for name, walk in sweep.items()}
        best = min(seen, key=lambda name: (max(at_most(seen[name]) - bar, 0), least(seen[name])))
        judged += [sweep[best][number] for number in test]
        beside += [peer[number] for number in test]
    return together(judged), together(beside)


QUESTIONS: Sequence[tuple[str, Measure, Measure]] = (
    ("reserved, at VPA's ticks over", lambda one: one.reserved, lambda one: one.over),
    ("reserved, at VPA's uncovered demand", lambda one: one.reserved, lambda one: one.uncovered),
    ("uncovered demand, at VPA's slack", lambda one: one.uncovered, lambda one: one.slack),
    ("cost alike, at VPA's uncovered alike", lambda one: one.alike_reserved, lambda one: one.alike_uncovered),
    ("uncovered alike, at VPA's cost alike", lambda one: one.alike_uncovered, lambda one: one.alike_reserved),
)


def answers_by_validation(sweep: Walks, peer: Sequence[Outcome]) -> Iterator[tuple[str, ...]]:
    yield ("least …", "", "cores", "slack", "uncovered", "over", "cost, alike", "uncovered, alike")
    for question, least, at_most in QUESTIONS:
        for name, one in zip(("addonctl", "VPA"), chosen(sweep, peer, least, at_most), strict=True):
            yield (
                question,
                name,
                f"{one.reserved / one.ticks * len(peer):.1f}",
                f"{one.slack:.1%}",
                f"{one.uncovered / one.used:.3%}",
                f"{one.over / one.ticks:.2%}",
                f"{one.alike_reserved:.2f}",
                f"{one.alike_uncovered:.2%}",
            )


def drawn(walks: Walks, height: int = 14, width: int = 72) -> Iterator[str]:
    """Slack to the right, uncovered demand upwards, each line twice the one below; policies by their first letter."""
    known = {name: together(one) for name, one in walks.items()}
    slack = [one.slack for one in known.values()]
    low, step = min(slack), (max(slack) - min(slack)) / (width - 1)
    canvas = [[" "] * width for _ in range(height)]
    for name, one in known.items():
        share = one.uncovered / one.used
        line = min(max(round(math.log2(share / 0.00001)), 0) if share else 0, height - 1)
        canvas[line][round((one.slack - low) / step)] = name[0]
    for number, points in reversed(list(enumerate(canvas))):
        yield f"{0.00001 * 2**number:9.3%} |{''.join(points).rstrip()}"
    yield f"{'':9}  {low:.1%}{'slack':^{width - 12}}{max(slack):.1%}"


def recommendations(found: Sequence[Machine]) -> dict[str, dict[str, list[Recommended]]]:
    """By VPA's algorithm, and by its own recommender where it is built: at the end of each day."""
    asked = {one.name: [at_s + DAY_S for at_s in one.midnights] for one in found}
    answers = {"VPA, algorithm": {one.name: by_algorithm(one.samples, asked[one.name]) for one in found}}
    if build.VPA.built:
        answers["VPA, its recommender"] = by_recommender({one.name: one.samples for one in found}, asked)
    return answers


def policies(answers: Mapping[str, Mapping[str, Sequence[Recommended]]], every: int) -> dict[str, Policy]:
    return {
        **{f"addonctl, {risk} risk": partial(ours, risk) for risk in Risk},
        **{name: partial(vpa, by_machine) for name, by_machine in answers.items()},
        "krr, p95": partial(percentile, 0.95, 1.0),
        "krr, p99": partial(percentile, 0.99, 1.0),
        "krr's max and 15 %": partial(percentile, 1.0, 1.15),
        **{f"oracle, {share:.3g} of ticks": partial(oracle, share, every) for share in (1.0, 0.99, 0.95, 0.9)},
    }


def memory_policies(found: Sequence[Machine]) -> dict[str, Policy]:
    asked: dict[str, Policy] = {f"addonctl, {risk} risk": partial(our_memory, risk) for risk in Risk}
    if build.VPA.built:
        ends = {one.name: [at_s + DAY_S for at_s in one.midnights] for one in found}
        samples = {one.name: [(at, use / one.mean * BYTES_PER_MEAN) for at, use in one.samples] for one in found}
        asked["VPA, its recommender"] = partial(vpa_memory, memory_by_recommender(samples, ends))
    return asked | {"krr, max and 15 %": partial(percentile, 1.0, 1.15)}


def memory_rows(walks: Walks) -> Iterator[tuple[str, ...]]:
    yield ("policy", "reserved, alike", "days over, of 1,000", "resizes a machine and month")
    for name, outcomes in walks.items():
        one = together(outcomes)
        days = one.ticks / TICKS
        yield (
            name,
            f"{one.alike_reserved:.2f}",
            f"{1000 * one.days_over / days:.0f}",
            f"{one.resizes / (days / 30):.1f}",
        )


def sweep_of() -> dict[str, Policy]:
    return {
        f"sweep {statistic}, {epsilon:.2g} of days": partial(swept, Budget(statistic, epsilon))
        for statistic in STATISTICS
        for epsilon in EPSILONS
    }


def _walk(asked: Mapping[str, Policy], found: Iterable[Machine], window: int, every: int) -> dict[str, list[Outcome]]:
    enough = [machine for machine in found if len(machine.days) > window]
    return {name: [walked(policy, machine, window, every) for machine in enough] for name, policy in asked.items()}


def main(arguments: Sequence[str]) -> None:
    shared = Path(os.environ.get("ADDONCTL_SHARED") or "../shared") / "data" / "bitbrains"
    found = machines(Path(arguments[0]) if arguments else shared)
    answers = recommendations(found)
    if len(answers) > 1:
        port, real = answers.values()
        same = sum(port[name][n] == real[name][n] for name in port for n in range(len(port[name])))
        print(f"VPA's algorithm says what its own recommender says: {same} of {sum(map(len, port.values()))} times")
    for window, every in CASES:
        if not any(len(machine.days) > window for machine in found):
            continue
        walks = _walk(policies(answers, every), found, window, every)
        sweep = _walk(sweep_of(), found, window, every)
        peer = walks["VPA, algorithm"]
        days = sum(one.ticks for one in peer) // TICKS
        how = f"{window} days of history, a review every {'day' if every == 1 else f'{every} days'}"
        table(f"\n{how}: {days} days of {len(peer)} machines", list(rows({**walks, **_different(sweep)})))
        print("\n".join(drawn({**sweep, **walks})))
        table("\nsettings of the sweep chosen on other machines", list(answers_by_validation(sweep, peer)))
        memory = _walk(memory_policies(found), found, window, every)
        table("\nmemory's rules, as if the same were memory", list(memory_rows(memory)))


if __name__ == "__main__":
    main(sys.argv[1:])
