"""Usage from CloudWatch Container Insights with enhanced observability, aggregated there: eleven figures a container.

Container Insights says what a container used as a percentage of its node, and what its pod used also in absolute terms:
from both follows the size of that node. 500 figures are asked for at once. Asking costs $0.01 for 1,000 figures.
Source: AWS's CloudWatch guide, "Enhanced Container Insights metric reference".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from addonctl.adapters import api_errors, aws_errors
from addonctl.adapters.aws import Aws
from addonctl.errors import BadInput
from addonctl.model import Gap, GapReason
from addonctl.model.sizing import Day
from addonctl.model.usage import Measured, Metrics, Spread, Traffic

_NAMESPACE = "ContainerInsights"
_FIGURES = 500  # in one request, by GetMetricData's limit
_SAMPLE_S = 60  # how often an agent reports at least
_DAY = timedelta(days=1)
_STATS = {"mean": "Average", "p50": "p50", "p95": "p95", "p99": "p99", "max": "Maximum"}
_CPU, _MEMORY = "container_cpu_utilization", "container_memory_utilization"  # percent of the node
# Of a pod: percent of the node, and the same in millicores and in bytes.
_OF_PODS = {
    "cpu_percent": "pod_cpu_utilization",
    "cpu": "pod_cpu_usage_total",
    "memory_percent": "pod_memory_utilization",
    "memory": "pod_memory_working_set",
}
_TRAFFIC = {"received": "pod_network_rx_bytes", "sent": "pod_network_tx_bytes"}
_DAILY = ("cpu_p50", "cpu_p95", "cpu_p99", "cpu_max", "memory_max", "samples")


class _Container(NamedTuple):
    """By the names of Container Insights: `workload` is its PodName, `pod` its FullPodName."""

    namespace: str
    workload: str
    pod: str
    container: str

    @property
    def of_pod(self) -> "_Container":
        return self._replace(container="")


class _Figure(NamedTuple):
    """One statistic of one metric of a container or of a pod."""

    of: _Container
    name: str
    metric: str
    stat: str


_Points = Mapping[datetime, float]
_Said = Mapping[_Container, Mapping[str, _Points]]


@dataclass(frozen=True)
class ContainerInsights:
    """The port. `daily`: each day by itself as well. `means`: nothing but means."""

    aws: Aws
    cluster: str
    daily: bool = False
    means: bool = False

    def of(self, containers: Iterable[tuple[str, str]], end: datetime, window: timedelta) -> Metrics:
        wanted, until = frozenset(containers), end.replace(minute=0, second=0, microsecond=0)
        gaps: list[Gap] = []
        asking = _Asking(self.aws.client("cloudwatch"), self.cluster, gaps)
        listed = [each for each in asking.containers() if (each.namespace, each.container) in wanted] if wanted else []
        said = asking.figures(_figures(listed, means=self.means), until - window, until, window)
        midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
        days = asking.figures(_daily(listed), midnight - window, midnight, _DAY) if self.daily else {}
        measured = [_measured(each, said, days, window) for each in listed]
        lost = sum(each is None for each in measured)
        if lost:
            detail = f"of {lost} of {len(listed)} containers CloudWatch does not say how large their node is"
            gaps.append(Gap(part="usage:nodes", reason=GapReason.NOT_IN_INPUT, detail=detail))
        return Metrics(
            source=f"CloudWatch Container Insights of {self.cluster}",
            end=until,
            window=window,
            containers=tuple(filter(None, measured)),
            traffic=tuple(_traffic(said)),
            gaps=tuple(dict.fromkeys(gaps)),
        )


@dataclass(frozen=True)
class _Asking:
    """CloudWatch, asked for one cluster; what could not be read is noted in `gaps`."""

    client: Any
    cluster: str
    gaps: list[Gap]

    def containers(self) -> Iterator[_Container]:
        """Those that it has had of the cluster in the last two weeks. Raises BadInput where there is none."""
        dimensions = [{"Name": "ClusterName", "Value": self.cluster}, {"Name": "FullPodName"}]
        more: dict[str, str] = {}
        found: dict[_Container, None] = {}
        while True:
            try:
                asked = {"Namespace": _NAMESPACE, "MetricName": _CPU, "Dimensions": dimensions}
                page = self.client.list_metrics(**asked, **more)
                names = [{each["Name"]: each["Value"] for each in metric["Dimensions"]} for metric in page["Metrics"]]
            except _failures() as error:
                raise aws_errors.failure(error) from error
            for name in names:
                keys = ("Namespace", "PodName", "FullPodName", "ContainerName")
                if all(key in name for key in keys):
                    found[_Container(*(name[key] for key in keys))] = None
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        if not found:
            raise BadInput(
                f"CloudWatch has no containers of cluster {self.cluster!r}",
                "Install amazon-cloudwatch-observability with enhanced observability, or give --prometheus URL.",
            )
        yield from found

    def figures(self, wanted: Sequence[_Figure], begin: datetime, end: datetime, period: timedelta) -> _Said:
        """The points of each figure, one a period."""
        found: dict[_Container, dict[str, _Points]] = {}
        for n in range(0, len(wanted), _FIGURES):
            some = wanted[n : n + _FIGURES]
            for figure, points in self._asked(some, begin, end, period):
                found.setdefault(figure.of, {}).setdefault(figure.name, {})
                found[figure.of][figure.name] = {**found[figure.of][figure.name], **points}
        return found

    def _asked(
        self, figures: Sequence[_Figure], begin: datetime, end: datetime, period: timedelta
    ) -> Iterator[tuple[_Figure, _Points]]:
        """Up to 500 figures, page by page."""
        queries = [_query(n, each, self.cluster, period) for n, each in enumerate(figures)]
        states: dict[str, str] = {}
        more: dict[str, str] = {}
        while True:
            try:
                page = self.client.get_metric_data(
                    MetricDataQueries=queries, StartTime=begin, EndTime=end, ScanBy="TimestampAscending", **more
                )
                for each in page["MetricDataResults"]:
                    states[each["Id"]] = each.get("StatusCode", "Complete")
                    times = (moment.astimezone(UTC) for moment in each["Timestamps"])
                    yield figures[int(each["Id"][1:])], dict(zip(times, each["Values"], strict=True))
            except _failures() as error:
                self.gaps.append(api_errors.gap("usage:cloudwatch", aws_errors.failure(error)))
                return
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
        partial = sum(state != "Complete" for state in states.values())
        if partial:
            detail = f"{partial} of {len(figures)} figures came in part"
            self.gaps.append(Gap(part="usage:cloudwatch", reason=GapReason.BROKEN, detail=detail))


def _failures() -> tuple[type[Exception], ...]:
    """What botocore raises, and what a response of an unexpected shape does."""
    from botocore.exceptions import BotoCoreError, ClientError

    return ClientError, BotoCoreError, LookupError, TypeError, ValueError


def _query(number: int, figure: _Figure, cluster: str, period: timedelta) -> dict[str, Any]:
    of = figure.of
    names = {"ClusterName": cluster, "Namespace": of.namespace, "PodName": of.workload, "FullPodName": of.pod}
    names |= {"ContainerName": of.container} if of.container else {}
    dimensions = [{"Name": name, "Value": value} for name, value in names.items()]
    metric = {"Namespace": _NAMESPACE, "MetricName": figure.metric, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": int(period.total_seconds()), "Stat": figure.stat}
    return {"Id": f"q{number}", "MetricStat": stat}


# ── Which figures ───────────────────────────────────────────────────────────────────────────────────────────────


def _figures(listed: Sequence[_Container], *, means: bool) -> list[_Figure]:
    """Those of a window: of each container, and of each pod the size of its node."""
    stats = {"mean": _STATS["mean"]} if means else _STATS
    of_pods = _OF_PODS if means else _OF_PODS | _TRAFFIC
    found = [
        _Figure(each, f"{what}_{name}", metric, stat)
        for each in listed
        for what, metric in (("cpu", _CPU), ("memory", _MEMORY))
        for name, stat in stats.items()
    ]
    found += [_Figure(each, "samples", _CPU, "SampleCount") for each in listed]
    pods = dict.fromkeys(each.of_pod for each in listed)
    return found + [_Figure(pod, name, metric, "Average") for pod in pods for name, metric in of_pods.items()]


def _daily(listed: Sequence[_Container]) -> list[_Figure]:
    every = {figure.name: figure for figure in _figures([_Container("", "", "", "")], means=False)}
    return [every[name]._replace(of=each) for each in listed for name in _DAILY]


# ── What they say ───────────────────────────────────────────────────────────────────────────────────────────────


class _Node(NamedTuple):
    """The millicores and bytes of the node of a pod."""

    cpu: float
    memory: float


def _node(pod: Mapping[str, _Points]) -> _Node | None:
    """None where CloudWatch has not both its percentage and what it is of."""

    def size(what: str) -> float | None:
        absolute, percent = _mean(pod.get(what, {}), {}), _mean(pod.get(f"{what}_percent", {}), {})
        return absolute / percent * 100 if absolute is not None and percent else None

    cpu, memory = size("cpu"), size("memory")
    return _Node(cpu, memory) if cpu is not None and memory is not None else None


def _measured(each: _Container, said: _Said, days: _Said, window: timedelta) -> Measured | None:
    mine, node = said.get(each, {}), _node(said.get(each.of_pod, {}))
    if node is None:
        return None
    samples = mine.get("samples", {})
    found = Measured(
        namespace=each.namespace,
        pod=each.pod,
        container=each.container,
        cpu=_spread(mine, "cpu", node.cpu, samples),
        memory=_spread(mine, "memory", node.memory, samples),
        coverage=_coverage(sum(samples.values()), window),
    )
    return replace(found, days=tuple(_days(days.get(each, {}), node)))


def _spread(said: Mapping[str, _Points], what: str, whole: float, samples: _Points) -> Spread:
    """Of percentages what they are of `whole`; CloudWatch may cut a window in two, of which the greater counts."""
    figures = {name: _most(said.get(f"{what}_{name}", {})) for name in _STATS}
    figures["mean"] = _mean(said.get(f"{what}_mean", {}), samples)
    return Spread(**{name: None if value is None else value * whole / 100 for name, value in figures.items()})


def _most(points: _Points) -> float | None:
    return max(points.values(), default=None)


def _mean(points: _Points, samples: _Points) -> float | None:
    """Of all, by how many samples each stands for where that is known."""
    weights = {moment: samples.get(moment, 1.0) for moment in points}
    whole = sum(weights.values())
    return sum(value * weights[moment] for moment, value in points.items()) / whole if whole else None


def _days(said: Mapping[str, _Points], node: _Node) -> Iterator[Day]:
    """Each day, from midnight to midnight UTC; rates in microcores, each level at least the one below it."""
    moments: dict[date, datetime] = {moment.date(): moment for moment in said.get("samples", {})}
    for day, moment in sorted(moments.items()):
        levels = (said.get(f"cpu_{name}", {}).get(moment, 0.0) for name in ("p50", "p95", "p99", "max"))
        p50, p95, p99, most = accumulate((round(level * node.cpu / 100, 3) for level in levels), max)
        yield Day(
            date=day,
            cpu_p50=p50,
            cpu_p95=p95,
            cpu_p99=p99,
            cpu_max=most,
            memory_max=int(said.get("memory_max", {}).get(moment, 0.0) * node.memory / 100),
            samples_share=_coverage(said["samples"][moment], _DAY),
        )


def _coverage(samples: float, window: timedelta) -> float:
    return min(1.0, samples * _SAMPLE_S / window.total_seconds())


def _traffic(said: _Said) -> Iterator[Traffic]:
    for each, figures in said.items():
        if not each.container and any(name in figures for name in _TRAFFIC):
            moved = {name: _mean(figures.get(name, {}), {}) for name in _TRAFFIC}
            yield Traffic(namespace=each.namespace, pod=each.pod, **moved)
