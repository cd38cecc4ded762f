"""What the demo has of the past: costs of 60 days and use of some weeks. Both are made up, the same every time.

The demo cluster never ran anywhere, so there is nothing to read. A day's figures follow from names and dates alone;
whoever shows them says that they are made up.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from math import pi, sin

from addonctl.model import Container, Pod, Snapshot, View
from addonctl.model.cost import Pool
from addonctl.model.sizing import HOURS_A_WEEK, Day
from addonctl.model.spending import CostDay
from addonctl.model.usage import ClusterSize, Measured, Metrics, Spread, Traffic

HISTORY_DAYS = 60
SOURCE = "the demo's made-up metrics"
_MIB = 2**20
_ADDED = 44  # days ago the cluster grew: what nobody asks for was a tenth less before
_INSTALLED = 37  # days ago the dearest add-on came that a cluster can do without
_WEEKEND, _GROWN, _WEAVE = 0.97, 0.9, 0.01


# ── Costs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def history(today: CostDay) -> tuple[CostDay, ...]:
    """Days until `today`: weekends were cheaper, an add-on was installed in between, and what is idle became more."""
    new = next((name for name in today.usd_micros if "/" in name and "/kube-system/" not in name), "")
    days = (today.day - timedelta(days=n) for n in range(HISTORY_DAYS - 1, 0, -1))
    return (*(replace(today, day=day, usd_micros=_day(today, day, new)) for day in days), today)


def _day(today: CostDay, day: date, new: str) -> Mapping[str, int]:
    ago = (today.day - day).days
    found = {}
    for name, micros in today.usd_micros.items():
        idle = name == Pool.IDLE.value
        weekend = _WEEKEND if idle and day.weekday() >= 5 else 1.0
        before = _GROWN if idle and ago >= _ADDED else 1.0
        fixed = name == Pool.CLUSTER.value
        weave = 1.0 if fixed else 1 + _WEAVE * (2 * _chance(name, day) - 1)
        if name != new or ago < _INSTALLED:
            found[name] = round(micros * weekend * before * weave)
    return found


def _chance(*words: object) -> float:
    """Between 0 and 1, the same for the same words."""
    return int.from_bytes(sha256(" ".join(map(str, words)).encode()).digest()[:4], "big") / 2**32


# ── Use ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class InventedUsage:
    """The Usage port over a snapshot: most containers use less than they request, some more."""

    snapshot: Snapshot

    def of(self, containers: Iterable[tuple[str, str]], end: datetime, window: timedelta) -> Metrics:
        wanted, view = frozenset(containers), View(self.snapshot)
        pods = [
            (pod, view.workloads[ref].template.containers)
            for ref, those in view.pods.items()
            if ref in view.workloads
            for pod in those
        ]
        return Metrics(
            source=SOURCE,
            end=end,
            window=window,
            containers=tuple(
                _measured(pod, container, end.date(), window.days)
                for pod, made in pods
                for container in made
                if (pod.namespace, container.name) in wanted
            ),
            traffic=tuple(map(_traffic, (pod for pod, _ in pods))),
            sizes=tuple(_sizes(len(self.snapshot.pods), len(self.snapshot.nodes), end.date(), window.days)),
        )


def _sizes(pods: int, nodes: int, today: date, days: int) -> Iterator[ClusterSize]:
    """A cluster that had a third fewer pods when it began."""
    for n in range(days, 0, -1):
        yield ClusterSize(date=today - timedelta(days=n), pods=round(pods * (1 - n / (3 * days))), nodes=nodes)


def _traffic(pod: Pod) -> Traffic:
    rate = 2_000 + 150_000 * _chance(pod.name, "network") ** 3
    return Traffic(namespace=pod.namespace, pod=pod.name, received=rate, sent=0.7 * rate)


def _measured(pod: Pod, container: Container, today: date, days: int) -> Measured:
    """Of its request: CPU from 4 % to 160 % at its busiest, memory from 25 % to 95 %."""
    cpu = (container.cpu_request_millicores or 50) * (0.02 + 0.8 * _chance(container.name, "cpu") ** 2)
    memory = (container.memory_request_bytes or 64 * _MIB) * (0.25 + 0.6 * _chance(container.name, "memory"))
    past = tuple(_used(pod.name, today - timedelta(days=n), cpu, memory) for n in range(days, 0, -1))
    return Measured(
        namespace=pod.namespace,
        pod=pod.name,
        container=container.name,
        cpu=Spread(mean=cpu, p50=cpu, p95=1.5 * cpu, p99=1.8 * cpu, max=2 * cpu),
        memory=Spread(mean=memory, p50=memory, p95=1.05 * memory, p99=1.08 * memory, max=1.1 * memory),
        throttled=0.0,
        oom_kills=0.0,
        coverage=1.0,
        days=past,
        week=tuple(_week(cpu)),
    )


def _used(pod: str, day: date, cpu: float, memory: float) -> Day:
    busy = (0.7 if day.weekday() >= 5 else 1.0) * (0.9 + 0.2 * _chance(pod, day))
    return Day(
        date=day,
        cpu_p50=busy * cpu,
        cpu_p95=1.5 * busy * cpu,
        cpu_p99=1.7 * busy * cpu,
        cpu_max=1.8 * busy * cpu,
        memory_max=round(memory * (1.0 + 0.1 * _chance(pod, day, "memory"))),
    )


def _week(cpu: float) -> Iterator[float]:
    """Each hour of the week, the busiest at noon."""
    for hour in range(HOURS_A_WEEK):
        weekday = 0.7 if hour >= 5 * 24 else 1.0
        yield weekday * cpu * (1.2 + 0.5 * sin(pi * (hour % 24) / 24))
