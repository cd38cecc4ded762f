"""Usage from Prometheus, aggregated there: the same few queries for every 500 containers, however many pods they have.

A glance takes two, which carry their figures as values of a label; volumes and SLIs take one each, whatever there is.

Series of one container that are there twice (two replicas of Prometheus, two jobs that scrape a kubelet) count once.
From the metrics API, where there is no Prometheus: what is used now, and nothing of before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate

import msgspec

from addonctl import units
from addonctl.adapters import api_errors, shapes
from addonctl.adapters.api_protocol import ApiConnection
from addonctl.adapters.prometheus import Prometheus, Series
from addonctl.catalog import CountedSli
from addonctl.errors import AddonctlError, BadInput, Broken
from addonctl.model import Gap, GapReason
from addonctl.model.sizing import HOURS_A_WEEK, Day
from addonctl.model.usage import ClusterSize, Counted, Measured, Metrics, Spread, Traffic, VolumeUse

_CONTAINERS = 500
_AT_ONCE = 4  # queries: a Prometheus computes 20 at once by default, and is there for others as well
_STEP, _SLOT_S = "5m", 300  # of rates, and between the samples of quantiles
_WEEK, _DAY, _HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)
_BY = "max by (namespace, pod, container)"
_CPU, _MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
_PERIODS, _THROTTLED = "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"
_OOM = "container_oom_events_total"
_CORES = "machine_cpu_cores"  # once a node, by its cAdvisor
_STARTED = "container_start_time_seconds"
_HELD, _CAPACITY = "kubelet_volume_stats_used_bytes", "kubelet_volume_stats_capacity_bytes"
_RECEIVED, _SENT = "container_network_receive_bytes_total", "container_network_transmit_bytes_total"
# How Prometheus, Thanos and Mimir name clusters that share one.
_CLUSTER = "cluster"

_Key = tuple[str, str, str]  # namespace, pod, container


@dataclass(frozen=True)
class PrometheusUsage:
    """The port. `daily`: each day by itself as well, for what has to be sized. `means`: nothing but means.

    `glance`: what a score and a utilisation take, in two requests. `slis` are counted as well, by their add-on.
    `growth`: how large the cluster was on each day.
    """

    prometheus: Prometheus
    daily: bool = False
    means: bool = False
    glance: bool = False
    slis: Mapping[str, Sequence[CountedSli]] = field(default_factory=dict)
    growth: bool = False

    def of(self, containers: Iterable[tuple[str, str]], end: datetime, window: timedelta) -> Metrics:
        wanted = sorted(set(containers))
        chunks = [_Chunk(self.prometheus, wanted[n : n + _CONTAINERS], end) for n in range(0, len(wanted), _CONTAINERS)]
        if chunks:
            chunks[0].check_cluster()
        measured: list[Measured] = []
        traffic: list[Traffic] = []
        for chunk in chunks:
            if self.glance:
                measured += chunk.glanced(window)
                continue
            measured += chunk.measured(window, daily=self.daily, means=self.means)
            traffic += () if self.means else chunk.traffic(window)
        volumes = chunks[0].volumes() if chunks and not (self.means or self.glance) else ()
        counted = chunks[0].counted(self.slis, window) if chunks and self.slis else ()
        sizes = chunks[0].sizes(window) if chunks and self.growth else ()
        gaps = (gap for chunk in chunks for gap in chunk.gaps)
        return Metrics(
            source=self.prometheus.name,
            end=end,
            window=window,
            containers=tuple(measured),
            traffic=tuple(traffic),
            volumes=tuple(volumes),
            counted=tuple(counted),
            sizes=tuple(sizes),
            gaps=tuple(dict.fromkeys(gaps)),
        )


class _Chunk:
    """Some containers, asked for together."""

    def __init__(self, prometheus: Prometheus, wanted: Sequence[tuple[str, str]], end: datetime) -> None:
        self._prometheus, self._wanted, self._end = prometheus, frozenset(wanted), end
        self._namespaces = tuple(dict.fromkeys(namespace for namespace, _ in wanted))
        self._containers = tuple(dict.fromkeys(container for _, container in wanted))
        self.gaps: list[Gap] = []

    def check_cluster(self) -> None:
        """Raises BadInput where there is more than one cluster, and nothing says which is this one."""
        if _CLUSTER in self._prometheus.labels:
            return
        answer = self._prometheus.instant(f"group by ({_CLUSTER}) ({self._of(_MEMORY)})", self._end)
        names = sorted({series.labels.get(_CLUSTER, "") for series in answer.series})
        if len(names) > 1:
            raise BadInput(
                f"{self._prometheus.name} has metrics of several clusters: {', '.join(filter(None, names))}",
                "Name this one in the settings: `labels: {cluster: NAME}` under `prometheus`.",
            )

    def measured(self, window: timedelta, *, daily: bool, means: bool) -> Iterator[Measured]:
        found: dict[_Key, dict[str, float]] = {}
        queries = self._over(_seconds(window))
        for figure, those in self._each(
            _MEANS if means else tuple(queries), lambda name: self._asked(name, queries[name])
        ):
            for series in those:
                found.setdefault(_key(series.labels), {})[figure] = series.points[-1][1]
        days = self._days(window) if daily else {}
        weeks = self._weeks() if daily else {}
        for key in sorted(found):
            if (key[0], key[2]) in self._wanted:
                by_day = tuple(_day(day, said) for day, said in sorted(days.get(key, {}).items()))
                yield replace(_measured(key, found[key], window), days=by_day, week=weeks.get(key, ()))

    def _each(
        self, figures: Sequence[str], ask: Callable[[str], Iterator[Series]]
    ) -> Iterator[tuple[str, Sequence[Series]]]:
        """What is asked for each figure, some at once."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from zip(figures, pool.map(lambda figure: tuple(ask(figure)), figures), strict=True)

    def glanced(self, window: timedelta) -> Iterator[Measured]:
        """The figures of _GLANCE, those of each of its groups by one query."""
        found: dict[_Key, dict[str, float]] = {}
        queries = self._over(_seconds(window))
        for figures in _GLANCE:
            query = " or ".join(_marked(queries[figure], figure) for figure in figures)
            for series in self._asked("glance", query):
                found.setdefault(_key(series.labels), {})[series.labels.get(_MARK, "")] = series.points[-1][1]
        return (_measured(key, found[key], window) for key in sorted(found) if (key[0], key[2]) in self._wanted)

    def volumes(self) -> Iterator[VolumeUse]:
        """What is on the volumes of all claims, now, whosever they are."""
        query = " or ".join(
            _marked(f"max by (namespace, persistentvolumeclaim) ({self._prometheus.selector((metric,), {})})", metric)
            for metric in (_HELD, _CAPACITY)
        )
        found: dict[tuple[str, str], dict[str, float]] = {}
        for series in self._asked("volumes", query):
            key = series.labels.get("namespace", ""), series.labels.get("persistentvolumeclaim", "")
            found.setdefault(key, {})[series.labels.get(_MARK, "")] = series.points[-1][1]
        for (namespace, claim), said in sorted(found.items()):
            if _HELD in said:
                capacity = said.get(_CAPACITY)
                yield VolumeUse(namespace=namespace, claim=claim, used_bytes=said[_HELD], capacity_bytes=capacity)

    def sizes(self, window: timedelta) -> Iterator[ClusterSize]:
        """How many pods and nodes there were at most on each whole day, by one query."""
        last = self._end.replace(hour=0, minute=0, second=0, microsecond=0)
        of_pods = self._prometheus.selector((_MEMORY,)).removesuffix("}") + ', pod!=""}'
        pods = f"count by (namespace, pod) ({of_pods})"
        nodes = f"count by (instance) ({self._prometheus.selector((_CORES,))})"
        query = " or ".join(
            _marked(f"max_over_time((count({each}))[1d:1h] offset 30m)", name)
            for name, each in (("pods", pods), ("nodes", nodes))
        )
        found: dict[date, dict[str, int]] = {}
        for series in self._asked("sizes", query, since=last - window + _DAY, until=last):
            for at, value in series.points:
                day = (datetime.fromtimestamp(at, UTC) - _DAY).date()
                found.setdefault(day, {})[series.labels.get(_MARK, "")] = round(value)
        for day, said in sorted(found.items()):
            yield ClusterSize(date=day, pods=said.get("pods"), nodes=said.get("nodes"))

    def counted(self, slis: Mapping[str, Sequence[CountedSli]], window: timedelta) -> Iterator[Counted]:
        """What SLIs have counted over the window, all by one query: by pod where pods count it themselves."""
        known = {f"{addon} {sli.name}": (addon, sli) for addon, those in slis.items() for sli in those}
        query = " or ".join(
            _marked(_marked(self._growth(sli, metric, window), name), metric, _METRIC)
            for name, (_, sli) in known.items()
            for metric in sli.metrics
        )
        sums: dict[tuple[str, str, str], list[float]] = {}
        for series in self._asked("slis", query):
            name = series.labels.get(_MARK, "")
            _, sli = known[name]
            labels = {**series.labels, "__name__": series.labels.get(_METRIC, "")}
            sum_of = sums.setdefault((name, labels.get("namespace", ""), labels.get("pod", "")), [0.0, 0.0])
            for place, wanted in enumerate((sli.total, sli.good or sli.failed)):
                if all(labels.get(label, "") in values for label, values in wanted.items()):
                    sum_of[place] += series.points[-1][1]
        for (name, namespace, pod), (total, told) in sorted(sums.items()):
            addon, sli = known[name]
            failed = max(total - told, 0.0) if sli.good else min(told, total)
            if total:
                yield Counted(addon=addon, sli=sli.name, requests=total, failed=failed, namespace=namespace, pod=pod)

    def _growth(self, sli: CountedSli, metric: str, window: timedelta) -> str:
        """What one metric of an SLI grew by, told apart by what it is judged by. Two servers' series are one."""
        told = dict.fromkeys(label for labels in (sli.total, sli.failed, sli.good) for label in labels)
        by = [*(("namespace", "pod") if sli.by_pod else ()), *(label for label in told if label != "__name__")]
        grown = f"increase({self._prometheus.selector((metric,), sli.where)}[{_seconds(window)}])"
        return f"sum by ({', '.join(by)}) (max without ({', '.join(_REPLICAS)}) ({grown}))"

    def _days(self, window: timedelta) -> Mapping[_Key, Mapping[date, Mapping[str, float]]]:
        """The figures of each day of the window, from midnight to midnight UTC."""
        last = self._end.replace(hour=0, minute=0, second=0, microsecond=0)
        found: dict[_Key, dict[date, dict[str, float]]] = {}
        queries = self._over("1d")
        since = last - window + _DAY
        for figure, those in self._each(_DAILY, lambda name: self._asked(name, queries[name], since=since, until=last)):
            for series in those:
                of_it = found.setdefault(_key(series.labels), {})
                for at, value in series.points:
                    day = (datetime.fromtimestamp(at, UTC) - _DAY).date()
                    of_it.setdefault(day, {})[figure] = value
        return found

    def _weeks(self) -> Mapping[_Key, tuple[float, ...]]:
        """The CPU of each hour of the week, from Monday 00:00 UTC: the lower of its highest in the last two weeks."""
        query = f"{_BY} (max_over_time(rate({self._of(_CPU)}[{_STEP}])[1h:{_STEP}]))"
        last = self._end.replace(minute=0, second=0, microsecond=0)
        found: dict[_Key, tuple[float, ...]] = {}
        for series in self._asked("week", query, since=last - 2 * _WEEK + _HOUR, step=_HOUR, until=last):
            hours: list[list[float]] = [[] for _ in range(HOURS_A_WEEK)]
            for at, value in series.points:
                began = datetime.fromtimestamp(at, UTC) - _HOUR
                hours[began.weekday() * 24 + began.hour].append(value * 1000)
            found[_key(series.labels)] = tuple(min(twice) if len(twice) > 1 else 0.0 for twice in hours)
        return found

    def traffic(self, window: timedelta) -> Iterator[Traffic]:
        found: dict[tuple[str, str], dict[str, float]] = {}
        for figure, metric in (("received", _RECEIVED), ("sent", _SENT)):
            where = self._prometheus.selector((metric,), {"namespace": self._namespaces})
            inner = f"sum by (namespace, pod, job) (rate({where}[{_seconds(window)}]))"
            query = f"max by (namespace, pod) ({inner})"
            for series in self._asked(figure, query):
                key = (series.labels.get("namespace", ""), series.labels.get("pod", ""))
                found.setdefault(key, {})[figure] = series.points[-1][1]
        return (Traffic(namespace=namespace, pod=pod, **said) for (namespace, pod), said in sorted(found.items()))

    def _of(self, metric: str) -> str:
        return self._prometheus.selector((metric,), {"namespace": self._namespaces, "container": self._containers})

    def _over(self, window: str) -> Mapping[str, str]:
        """The query of each figure over a window."""
        memory, every = f"{self._of(_MEMORY)}[{window}]", f"{self._of(_MEMORY)}[{window}:{_STEP}]"
        cpu = f"rate({self._of(_CPU)}[{_STEP}])[{window}:{_STEP}]"
        periods, throttled = (f"increase({self._of(each)}[{window}])" for each in (_PERIODS, _THROTTLED))
        figures = {
            f"{what}_{name}": f"{_BY} ({of}{over}))"
            for what, over in (("cpu", cpu), ("memory", every))
            for name, of in _SPREAD.items()
        }
        return {
            **figures,
            "memory_max": f"{_BY} (max_over_time({memory}))",  # of every sample: a peak is what kills
            "throttled": f"{_BY} ({throttled} / {periods})",
            "oom_kills": f"{_BY} (increase({self._of(_OOM)}[{window}]))",
            "restarts": f"{_BY} (changes(({_BY} ({self._of(_STARTED)}))[{window}:{_STEP}]))",
            "slots": f"{_BY} (count_over_time({self._of(_MEMORY)}[{window}:{_STEP}]))",
        }

    def _asked(
        self,
        figure: str,
        query: str,
        since: datetime | None = None,
        step: timedelta = _DAY,
        until: datetime | None = None,
    ) -> Iterator[Series]:
        """The series of a figure, at the end or since a time; what could not be read of it is a gap."""
        try:
            if since is None:
                answer = self._prometheus.instant(query, self._end)
            else:
                answer = self._prometheus.range(query, since, until or self._end, step.total_seconds())
        except AddonctlError as error:
            self.gaps.append(api_errors.gap(f"usage:{figure}", error))
            return
        if answer.warnings:
            detail = f"{self._prometheus.name} says: {'; '.join(answer.warnings)}"
            self.gaps.append(Gap(part=f"usage:{figure}", reason=GapReason.BROKEN, detail=detail))
        yield from (series for series in answer.series if series.points)


_SPREAD = {
    "mean": "avg_over_time(",
    "p50": "quantile_over_time(0.5, ",
    "p95": "quantile_over_time(0.95, ",
    "p99": "quantile_over_time(0.99, ",
    "max": "max_over_time(",
}
_MEANS = ("cpu_mean", "memory_mean")
_GLANCE = (("cpu_mean", "cpu_p95"), ("memory_mean", "memory_max", "throttled", "oom_kills", "slots"))
# What a query puts on its series to tell them apart, and what servers put there that scrape the same.
_MARK, _METRIC = "addonctl", "addonctl_metric"
_REPLICAS = ("prometheus_replica", "__replica__", "replica", "prometheus")


def _marked(query: str, mark: str, label: str = _MARK) -> str:
    """The query, its series with a label."""
    return f'label_replace({query}, "{label}", "{mark}", "", "")'


_DAILY = ("cpu_p50", "cpu_p95", "cpu_p99", "cpu_max", "memory_max", "throttled", "oom_kills", "slots")


def _seconds(window: timedelta) -> str:
    return f"{int(window.total_seconds())}s"


def _key(labels: Mapping[str, str]) -> _Key:
    return labels.get("namespace", ""), labels.get("pod", ""), labels.get("container", "")


def _measured(key: _Key, said: Mapping[str, float], window: timedelta) -> Measured:
    namespace, pod, container = key
    return Measured(
        namespace=namespace,
        pod=pod,
        container=container,
        cpu=_spread(said, "cpu", 1000),
        memory=_spread(said, "memory", 1),
        throttled=said.get("throttled"),
        oom_kills=said.get("oom_kills"),
        restarts=said.get("restarts"),
        coverage=_coverage(said, window),
    )


def _spread(said: Mapping[str, float], what: str, times: int) -> Spread:
    figures = {name: said.get(f"{what}_{name}") for name in _SPREAD}
    return Spread(**{name: None if value is None else value * times for name, value in figures.items()})


def _day(day: date, said: Mapping[str, float]) -> Day:
    """One day of a container. Each level is at least the one below it: they come from queries of their own.

    Rates are rounded to microcores: what Prometheus extrapolates is never quite what it was, and would be over it.
    """
    rates = (round(said.get(f"cpu_{name}", 0.0) * 1000, 3) for name in ("p50", "p95", "p99", "max"))
    levels = list(accumulate(rates, max))
    return Day(
        date=day,
        cpu_p50=levels[0],
        cpu_p95=levels[1],
        cpu_p99=levels[2],
        cpu_max=levels[3],
        memory_max=int(said.get("memory_max", 0)),
        throttled_share=min(1.0, said.get("throttled", 0.0)),
        oom_kills=round(said.get("oom_kills", 0.0)),
        samples_share=_coverage(said, _DAY),
    )


def _coverage(said: Mapping[str, float], window: timedelta) -> float:
    return min(1.0, said.get("slots", 0.0) * _SLOT_S / window.total_seconds())


# ── The metrics API ─────────────────────────────────────────────────────────────────────────────────────────────


class _Container(msgspec.Struct):
    name: str
    usage: dict[str, str] = {}


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = ""


class _PodMetrics(msgspec.Struct):
    metadata: _Metadata
    containers: tuple[_Container, ...] = ()


class _PodMetricsList(msgspec.Struct):
    items: tuple[_PodMetrics, ...] = ()


_POD_METRICS = "/apis/metrics.k8s.io/v1beta1/pods"


@dataclass(frozen=True)
class MetricsApiUsage:
    """The port, of a cluster without Prometheus: one look, of now. The window asked for is not that of the answer."""

    connection: ApiConnection

    def of(self, containers: Iterable[tuple[str, str]], end: datetime, window: timedelta) -> Metrics:
        wanted = frozenset(containers)
        try:
            listed = shapes.decode(self.connection.request("GET", _POD_METRICS).body, _PodMetricsList)
        except msgspec.DecodeError as error:
            raise Broken(f"The answer is none of metrics.k8s.io: {error}", "Check metrics-server.") from error
        found = (
            Measured(
                namespace=pod.metadata.namespace,
                pod=pod.metadata.name,
                container=container.name,
                cpu=Spread(mean=float(units.quantity(container.usage.get("cpu", "0")) * 1000)),
                memory=Spread(mean=float(units.quantity(container.usage.get("memory", "0")))),
                coverage=1.0,
            )
            for pod in listed.items
            for container in pod.containers
            if (pod.metadata.namespace, container.name) in wanted
        )
        return Metrics(source="metrics.k8s.io", end=end, window=timedelta(0), containers=tuple(found))
