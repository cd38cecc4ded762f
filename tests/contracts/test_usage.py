"""What containers used, from a real Prometheus with two weeks of history: doubled, broken off, of two clusters.

And from the metrics API, whose answers are those that metrics-server gives.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from addonctl.adapters import knowledge
from addonctl.adapters.api_connection import connect
from addonctl.adapters.prometheus import Place, at
from addonctl.adapters.usage import MetricsApiUsage, PrometheusUsage
from addonctl.errors import BadInput
from addonctl.model.usage import Measured, Metrics
from tests.cluster import prometheus as real
from tests.contracts.api_server import Answer, ApiServer, kubeconfig_of, running

END = datetime(2026, 11, 23, tzinfo=UTC)
DAYS, STEP_S = 14, 120
BEGAN = END - timedelta(days=DAYS)
MIB = 2**20
ASKED = [("kube-system", "coredns")]
Use = Callable[[datetime], float]


def flat(value: float) -> Use:
    return lambda _: value


def busy_on_monday(moment: datetime) -> float:
    """A tenth of a core, and half a core on Mondays from 02:00 to 04:00 UTC."""
    return 0.5 if moment.weekday() == 0 and 2 <= moment.hour < 4 else 0.1


def series(
    pod: str, cpu: Use, memory: Use, *, restarts: tuple[int, ...] = (), off: tuple[int, ...] = (), more: str = ""
) -> tuple[list[str], list[str]]:
    """Lines of CPU and of memory; on days of `restarts` the counter begins anew, on days `off` nothing is scraped."""
    labels = f'namespace="kube-system",pod="{pod}",container="coredns"{more}'
    counter, lines, held = 0.0, [], []
    for n in range(DAYS * 86400 // STEP_S + 1):
        moment = BEGAN + timedelta(seconds=n * STEP_S)
        day = n * STEP_S // 86400
        if day in restarts and n * STEP_S % 86400 == 0:
            counter = 0.0
        counter += cpu(moment) * STEP_S
        if day not in off:
            stamp = int(moment.timestamp())
            lines.append(f"container_cpu_usage_seconds_total{{{labels}}} {counter:.4f} {stamp}")
            held.append(f"container_memory_working_set_bytes{{{labels}}} {memory(moment):.0f} {stamp}")
    return lines, held


def history(*made: tuple[list[str], list[str]], kills: bool = False) -> str:
    """OpenMetrics, each metric's lines together."""
    cpu = [line for lines, _ in made for line in lines]
    memory = [line for _, lines in made for line in lines]
    oom = []
    if kills:
        labels = 'namespace="kube-system",pod="coredns-0",container="coredns"'
        oom = ["# TYPE container_oom_events counter"]
        for n in range(0, DAYS * 86400, 300):
            moment = BEGAN + timedelta(seconds=n)
            oom.append(
                f"container_oom_events_total{{{labels}}} {int(n >= 86400 * 11 + 3600)} {int(moment.timestamp())}"
            )
    return "\n".join(
        (
            "# TYPE container_cpu_usage_seconds counter",
            *cpu,
            "# TYPE container_memory_working_set_bytes gauge",
            *memory,
            *oom,
            "# EOF",
            "",
        )
    )


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Callable[..., Metrics]]:
    """Answers of a Prometheus with a history of its own."""
    if absent := real.missing():
        pytest.skip(f"a real Prometheus needs {absent}")
    with ExitStack() as stack:

        def ask(body: str, days: int = 7, labels: dict[str, str] | None = None) -> Metrics:
            url = stack.enter_context(real.serving(tmp_path / "prometheus", history=body))
            usage = PrometheusUsage(at(Place(url=url, labels=labels or {})), daily=True)
            return usage.of(ASKED, END, timedelta(days=days))

        yield ask


def only(metrics: Metrics) -> Measured:
    (one,) = metrics.containers
    return one


def test_steady_use_is_the_same_at_every_quantile(asked: Callable[..., Metrics]) -> None:
    found = only(asked(history(series("coredns-0", flat(0.05), flat(70 * MIB)))))
    for name in ("mean", "p50", "p95", "p99", "max"):
        assert getattr(found.cpu, name) == pytest.approx(50, rel=0.01)
        assert getattr(found.memory, name) == 70 * MIB
    assert found.coverage == pytest.approx(1, abs=0.01)
    assert found.oom_kills is None
    assert found.throttled is None


def test_days_are_told_apart_and_a_weekly_peak_is_seen_in_its_hours(asked: Callable[..., Metrics]) -> None:
    found = only(asked(history(series("coredns-0", busy_on_monday, flat(70 * MIB))), days=7))
    assert [day.date for day in found.days] == [(END - timedelta(days=n)).date() for n in range(7, 0, -1)]
    peaks = {day.date.weekday(): round(day.cpu_max) for day in found.days}
    assert peaks == {0: 500, 1: 100, 2: 100, 3: 100, 4: 100, 5: 100, 6: 100}
    assert {round(day.cpu_p50) for day in found.days} == {100}
    assert all(day.whole for day in found.days)
    assert [hour for hour, value in enumerate(found.week) if value > 300] == [2, 3]
    assert found.cpu.p50 == pytest.approx(100, rel=0.01)
    assert found.cpu.p99 == pytest.approx(500, rel=0.02)


def test_a_counter_that_begins_anew_is_no_use(asked: Callable[..., Metrics]) -> None:
    found = only(asked(history(series("coredns-0", flat(0.05), flat(MIB), restarts=(9, 11)))))
    assert found.cpu.max == pytest.approx(50, rel=0.05)


def test_what_two_scrape_counts_once(asked: Callable[..., Metrics]) -> None:
    twice = [series("coredns-0", flat(0.05), flat(70 * MIB), more=f',job="kubelet",replica="{each}"') for each in "ab"]
    found = asked(history(*twice))
    assert only(found).cpu.mean == pytest.approx(50, rel=0.01)
    assert only(found).memory.max == 70 * MIB


def test_days_without_samples_are_missing_and_cover_nothing(asked: Callable[..., Metrics]) -> None:
    found = only(asked(history(series("coredns-0", flat(0.05), flat(MIB), off=(11, 12)))))
    gone = {(BEGAN + timedelta(days=n)).date() for n in (11, 12)}
    assert not gone & {day.date for day in found.days if day.whole}
    assert found.coverage == pytest.approx(5 / 7, abs=0.02)


def growing(name: str, each: dict[str, float], labels: str, *, resets: bool = False) -> list[str]:
    """A counter that grows by so much a day for each value of a label, on the last three days."""
    lines = []
    for said, more in each.items():
        for n in range(0, 3 * 86400 + 1, 300):
            moment = END - timedelta(days=3) + timedelta(seconds=n)
            value = more * (n % 86400 if resets else n) / 86400
            both = ",".join(filter(None, (labels, said)))
            lines.append(f"{name}{{{both}}} {value:.3f} {int(moment.timestamp())}")
    return lines


def test_slis_are_counted_by_pod_from_two_servers_once_and_across_resets(tmp_path: Path) -> None:
    if absent := real.missing():
        pytest.skip(f"a real Prometheus needs {absent}")
    pod = 'namespace="kube-system",pod="coredns-0"'
    rcodes = {'rcode="NOERROR"': 900.0, 'rcode="NXDOMAIN"': 90.0, 'rcode="SERVFAIL"': 10.0}
    lines = ["# TYPE coredns_dns_responses counter"]
    for name in "ab":
        labels = f'{pod},prometheus_replica="{name}"'
        lines += growing("coredns_dns_responses_total", rcodes, labels, resets=True)
    for metric, more in (("request_total", 400.0), ("fail_open_count", 20.0)):
        lines.append(f"# TYPE apiserver_admission_webhook_{metric} unknown")
        lines += growing(f"apiserver_admission_webhook_{metric}", {"": more}, 'name="validate.kyverno.svc-fail"')
    slis = {each.id: each.counted_slis for each in knowledge.load().addons.values()}
    with real.serving(tmp_path / "prometheus", history="\n".join((*lines, "# EOF", ""))) as url:
        asked = PrometheusUsage(at(Place(url=url, labels={})), glance=True, slis=slis)
        found = {(each.addon, each.sli): each for each in asked.of(ASKED, END, timedelta(days=2)).counted}
    answered = found["coredns", "dns-responses"]
    assert (answered.namespace, answered.pod) == ("kube-system", "coredns-0")
    assert answered.requests == pytest.approx(2000, rel=0.02)
    assert answered.failed / answered.requests == pytest.approx(0.01, rel=0.02)
    called = found["kyverno", "webhook-calls"]
    assert called.requests == pytest.approx(800, rel=0.02)
    assert called.failed == pytest.approx(40, rel=0.02)
    assert set(found) == {("coredns", "dns-responses"), ("kyverno", "webhook-calls")}


def test_what_is_on_a_volume_and_how_often_a_container_began_anew(tmp_path: Path) -> None:
    if absent := real.missing():
        pytest.skip(f"a real Prometheus needs {absent}")
    lines = history(series("coredns-0", flat(0.05), flat(70 * MIB))).splitlines()[:-1]
    claim, last = 'namespace="kube-system",persistentvolumeclaim="data"', int(END.timestamp()) - 60
    for metric, size in (("kubelet_volume_stats_used_bytes", 3e9), ("kubelet_volume_stats_capacity_bytes", 8e9)):
        lines += [f"# TYPE {metric} gauge", *(f'{metric}{{{claim},job="{job}"}} {size} {last}' for job in "ab")]
    lines.append("# TYPE container_start_time_seconds gauge")
    labels = 'namespace="kube-system",pod="coredns-0",container="coredns"'
    for n in range(0, 2 * 86400, 300):
        began = 1000 if n < 86400 else 2000 if n < 90000 else 3000
        moment = int((END - timedelta(days=2)).timestamp()) + n
        # The runtime names each incarnation: it is a series of its own.
        lines.append(f'container_start_time_seconds{{{labels},id="/{began}"}} {began} {moment}')
    with real.serving(tmp_path / "prometheus", history="\n".join((*lines, "# EOF", ""))) as url:
        found = PrometheusUsage(at(Place(url=url, labels={}))).of(ASKED, END, timedelta(days=2))
    (volume,) = found.volumes
    assert (volume.namespace, volume.claim) == ("kube-system", "data")
    assert (volume.used_bytes, volume.capacity_bytes) == (3e9, 8e9)
    assert only(found).restarts == 2


def test_how_large_the_cluster_was_on_each_day(tmp_path: Path) -> None:
    if absent := real.missing():
        pytest.skip(f"a real Prometheus needs {absent}")
    both = [series("coredns-0", flat(0.05), flat(MIB)), series("coredns-1", flat(0.05), flat(MIB), off=(11, 12))]
    lines = history(*both).splitlines()[:-1]
    lines.append("# TYPE machine_cpu_cores gauge")
    for node, since in (("a:10250", 0), ("b:10250", 2)):
        for replica in "xy":
            for n in range(since * 86400, 3 * 86400, 300):
                moment = int((END - timedelta(days=3)).timestamp()) + n
                lines.append(f'machine_cpu_cores{{instance="{node}",replica="{replica}"}} 4 {moment}')
    with real.serving(tmp_path / "prometheus", history="\n".join((*lines, "# EOF", ""))) as url:
        found = PrometheusUsage(at(Place(url=url, labels={})), growth=True).of(ASKED, END, timedelta(days=3))
    # One that has gone within five minutes still counts.
    assert [(each.pods, each.nodes) for each in found.sizes] == [(2, 1), (1, 1), (2, 2)]
    assert [each.date for each in found.sizes] == [(END - timedelta(days=n)).date() for n in (3, 2, 1)]


def test_a_glance_says_what_the_whole_says(asked: Callable[..., Metrics], tmp_path: Path) -> None:
    body = history(series("coredns-0", busy_on_monday, flat(70 * MIB)), kills=True)
    whole = only(asked(body))
    with real.serving(tmp_path / "other", history=body) as url:
        seen = only(PrometheusUsage(at(Place(url=url, labels={})), glance=True).of(ASKED, END, timedelta(days=7)))
    assert (seen.cpu.mean, seen.cpu.p95, seen.memory.max) == (whole.cpu.mean, whole.cpu.p95, whole.memory.max)
    assert (seen.oom_kills, seen.coverage) == (whole.oom_kills, whole.coverage)
    assert seen.oom_kills == pytest.approx(1, rel=0.01)


def test_samples_that_are_no_numbers_are_not_taken_for_use(asked: Callable[..., Metrics]) -> None:
    def odd(moment: datetime) -> float:
        return math.nan if moment.hour == 3 else 70 * MIB

    found = only(asked(history(series("coredns-0", flat(0.05), odd))))
    assert found.memory.max == 70 * MIB
    assert found.memory.mean is None, "of what is partly no number there is no mean"
    assert found.cpu.mean == pytest.approx(50, rel=0.01)


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_a_clock_that_is_minutes_off_moves_days_by_minutes(asked: Callable[..., Metrics], ahead: timedelta) -> None:
    body = history(series("coredns-0", busy_on_monday, flat(70 * MIB)))
    shifted = "\n".join(_later(line, ahead) for line in body.splitlines()) + "\n"
    found = only(asked(shifted))
    assert [round(day.cpu_max) for day in found.days if day.date.weekday() == 0] == [500]
    assert found.cpu.mean == pytest.approx(100, rel=0.1)
    assert found.coverage == pytest.approx(1, abs=0.01)


def _later(line: str, by: timedelta) -> str:
    """A sample, as a server of another clock has it."""
    head, _, stamp = line.rpartition(" ")
    return line if line.startswith("#") else f"{head} {int(stamp) + int(by.total_seconds())}"


def test_pods_that_are_gone_are_told(asked: Callable[..., Metrics]) -> None:
    early = series("coredns-a", flat(0.05), flat(MIB), off=tuple(range(11, 15)))
    late = series("coredns-b", flat(0.02), flat(MIB), off=tuple(range(11)))
    found = asked(history(early, late))
    assert [each.pod for each in found.containers] == ["coredns-a", "coredns-b"]


def test_a_kill_for_memory_is_counted_on_its_day(asked: Callable[..., Metrics]) -> None:
    found = only(asked(history(series("coredns-0", flat(0.05), flat(MIB)), kills=True)))
    assert found.oom_kills == pytest.approx(1, abs=0.05)
    assert [day.date for day in found.days if day.oom_kills] == [(BEGAN + timedelta(days=11)).date()]


def test_of_two_clusters_one_has_to_be_named(asked: Callable[..., Metrics]) -> None:
    both = history(
        series("coredns-0", flat(0.05), flat(MIB), more=',cluster="prod-eu-1"'),
        series("coredns-0", flat(0.5), flat(MIB), more=',cluster="prod-us-1"'),
    )
    with pytest.raises(BadInput, match="prod-eu-1, prod-us-1"):
        asked(both)


def test_the_cluster_that_is_named_is_the_only_one(asked: Callable[..., Metrics]) -> None:
    both = history(
        series("coredns-0", flat(0.05), flat(MIB), more=',cluster="prod-eu-1"'),
        series("coredns-0", flat(0.5), flat(MIB), more=',cluster="prod-us-1"'),
    )
    assert only(asked(both, labels={"cluster": "prod-eu-1"})).cpu.mean == pytest.approx(50, rel=0.01)


def test_the_metrics_api_knows_what_is_used_now(tmp_path: Path) -> None:
    containers = [{"name": "coredns", "usage": {"cpu": "3250u", "memory": "70Mi"}}]
    pods = [{"metadata": {"name": "coredns-0", "namespace": "kube-system"}, "containers": containers}]
    body = json.dumps({"kind": "PodMetricsList", "items": pods}).encode()
    with running(ApiServer(lambda _: Answer(status=200, body=body), None)) as server:
        connection = connect(None, kubeconfig_of(tmp_path, server.url))
        found = MetricsApiUsage(connection).of(ASKED, END, timedelta(days=7))
    assert found.window == timedelta(0)
    assert only(found).cpu.mean == pytest.approx(3.25)
    assert only(found).memory.mean == 70 * MIB
    assert only(found).cpu.p95 is None
