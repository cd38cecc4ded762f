"""Claim: what containers used over 14 days takes a tenth of the requests, time and samples that krr takes.

python -m bench.usage_beside_krr [CONTAINERS]

Both ask the same real Prometheus, which promtool has given 14 days of CONTAINERS containers, scraped every 30 seconds.
krr is its simple strategy with its defaults (14 days, a step of 75 s): for each container of a workload four queries,
as its loaders write them (percentile and amount of CPU, highest and amount of memory), ten at a time. How it finds pods
comes on top and is left out. Samples are those that Prometheus says it has read (`stats=all`). addonctl is asked for
what it can say of all of them, quantiles, maxima, throttling, kills, restarts; for a glance; and day by day, as
`rightsize` does. What is found is held against the other: krr's percentile against p95, and the highest memory.
"""

import json
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from addonctl.adapters.prometheus import Answer, Place, Prometheus, at
from addonctl.adapters.usage import PrometheusUsage
from addonctl.model.usage import Metrics
from bench.measure import table
from tests.cluster.prometheus import missing, serving

CONTAINERS, DAYS, STEP_S = 40, 14, 30
END = datetime(2026, 11, 23, tzinfo=UTC)
NAMESPACE, MIB = "shop", 2**20
SIDE_BY_SIDE = 10  # krr's default number of workers
KRR_STEP = "75s"


def history(containers: int) -> Iterator[str]:
    """14 days, in OpenMetrics: CPU that differs by hour and container, memory that grows a little."""
    first = int((END - timedelta(days=DAYS)).timestamp())
    for metric, kind in (
        ("container_cpu_usage_seconds_total", "counter"),
        ("container_memory_working_set_bytes", "gauge"),
    ):
        yield f"# TYPE {metric.removesuffix('_total')} {kind}"
        for number in range(containers):
            labels = f'namespace="{NAMESPACE}",pod="app-{number}-0",container="app-{number}",job="kubelet"'
            used = 0.0
            for n in range(DAYS * 86_400 // STEP_S + 1):
                hour = n * STEP_S // 3600 % 24
                used += STEP_S * (0.01 + 0.002 * (number % 50) + 0.001 * abs(hour - 12))
                value = f"{used:.3f}" if kind == "counter" else f"{(50 + number % 100) * MIB + n * 10}"
                yield f"{metric}{'_total' if kind == 'counter' else ''}{{{labels}}} {value} {first + n * STEP_S}"
    yield "# EOF"


@dataclass
class Asked:
    """What was asked: requests, seconds, samples that Prometheus read."""

    requests: int = 0
    seconds: float = 0.0
    samples: int = 0
    found: dict[str, tuple[float, float]] = field(default_factory=dict)  # container → CPU in cores, bytes


# ── krr ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def krr_queries(number: int) -> tuple[str, ...]:
    where = f'{{namespace="{NAMESPACE}", pod=~"app-{number}-0", container="app-{number}"}}'
    by, over = "by (container, pod, job)", f"[{DAYS * 24}h:{KRR_STEP}]"
    cpu, memory = f"container_cpu_usage_seconds_total{where}", f"container_memory_working_set_bytes{where}"
    return (
        f"quantile_over_time(0.95, max(rate({cpu}[{KRR_STEP}])) {by} {over})",
        f"count_over_time(max({cpu}) {by} {over})",
        f"max_over_time(max({memory}) {by} {over})",
        f"count_over_time(max({memory}) {by} {over})",
    )


def ask(url: str, query: str) -> dict[str, Any]:
    form = {"query": query, "time": END.timestamp(), "stats": "all"}
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode(form)}", timeout=300) as answer:
        return cast("dict[str, Any]", json.load(answer)["data"])


def samples(data: Mapping[str, Any]) -> int:
    return int(data["stats"]["samples"]["totalQueryableSamples"])


def krr(url: str, containers: int) -> Asked:
    asked, began = Asked(), time.perf_counter()

    def one(number: int) -> tuple[int, list[dict[str, Any]]]:
        return number, [ask(url, query) for query in krr_queries(number)]

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for number, answers in pool.map(one, range(containers)):
            asked.requests += len(answers)
            asked.samples += sum(map(samples, answers))
            cpu, _, memory, _ = (each["result"] for each in answers)
            highest = float(memory[0]["value"][1])
            asked.found[f"app-{number}"] = (float(cpu[0]["value"][1]) if cpu else float("nan"), highest)
    asked.seconds = time.perf_counter() - began
    return asked


# ── addonctl ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Counting:
    """A Prometheus that notes what it is asked."""

    inner: Prometheus
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def labels(self) -> Mapping[str, str]:
        return self.inner.labels

    def selector(self, metrics: Iterable[str], where: Mapping[str, Iterable[str]] | None = None) -> str:
        return self.inner.selector(metrics, where)

    def instant(self, query: str, moment: datetime | None = None) -> Answer:
        self.asked.append(("query", {"query": query, "time": f"{(moment or END).timestamp()}"}))
        return self.inner.instant(query, moment)

    def range(self, query: str, start: datetime, end: datetime, step_s: float) -> Answer:
        times = {"start": f"{start.timestamp()}", "end": f"{end.timestamp()}", "step": f"{step_s}"}
        self.asked.append(("query_range", {"query": query, **times}))
        return self.inner.range(query, start, end, step_s)


def addonctl(url: str, containers: int, **how: Any) -> tuple[Asked, Metrics]:
    counting, asked = Counting(at(Place(url=url, labels={"job": "kubelet"}))), Asked()
    wanted = [(NAMESPACE, f"app-{number}") for number in range(containers)]
    began = time.perf_counter()
    metrics = PrometheusUsage(cast("Prometheus", counting), **how).of(wanted, END, timedelta(days=DAYS))
    asked.seconds, asked.requests = time.perf_counter() - began, len(counting.asked)
    assert not metrics.gaps, metrics.gaps
    for what, form in counting.asked:  # asked again for its statistics, which take no part in the time
        data = urllib.parse.urlencode({**form, "stats": "all"}).encode()
        with urllib.request.urlopen(f"{url}/api/v1/{what}", data, timeout=300) as answer:
            asked.samples += samples(json.load(answer)["data"])
    return asked, metrics


_HEADER = ("", "requests", "seconds", "samples read", "of krr's time", "of krr's samples")


def main() -> None:
    if absent := missing():
        sys.exit(f"A real Prometheus is needed: {absent}")
    containers = int(sys.argv[1]) if len(sys.argv) > 1 else CONTAINERS
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with serving(Path(folder) / "prometheus", history="\n".join((*history(containers), ""))) as url:
            print(f"history of {containers} containers written in {time.perf_counter() - began:.0f} s", flush=True)
            theirs = krr(url, containers)
            rows: list[tuple[str, ...]] = [
                ("", "requests", "seconds", "samples read", "of krr's time", "of krr's samples")
            ]
            rows.append(("krr, simple strategy", *_row(theirs, theirs)))
            for name, how in (("addonctl: a glance", {"glance": True}), ("usage", {}), ("rightsize", {"daily": True})):
                ours, metrics = addonctl(url, containers, **how)
                rows.append((name, *_row(ours, theirs)))
                for each in metrics.containers:
                    assert each.memory.max == theirs.found[each.container][1], each
    table(f"{containers} containers, {DAYS} days, a sample every {STEP_S} s", rows)


def _row(of: Asked, beside: Asked) -> tuple[str, ...]:
    return (
        f"{of.requests:,}",
        f"{of.seconds:.1f}",
        f"{of.samples / 1e6:.1f} M",
        f"{of.seconds / beside.seconds:.2f}",
        f"{of.samples / beside.samples:.2f}",
    )


if __name__ == "__main__":
    main()
