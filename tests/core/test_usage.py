"""Metrics of pods are brought to workloads: of those that run, and of those that are gone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from addonctl import model
from addonctl.model.cost import Amount
from addonctl.model.sizing import Day
from addonctl.model.usage import Measured, Metrics, Spread
from addonctl.usage import UsageReport, containers_of, report, used_by_pods
from tests.builders import snapshot

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = date(2026, 11, 23)


def deployment(name: str, *containers: str) -> model.Workload:
    made = tuple(
        model.Container(name=each, cpu_request_millicores=100, memory_request_bytes=2**27) for each in containers
    )
    return model.Workload(
        kind="Deployment", name=name, namespace="kube-system", template=model.PodTemplate(containers=made)
    )


def pod(name: str, of: model.Workload) -> model.Pod:
    return model.Pod(name=name, namespace=of.namespace, phase="Running", owners=(of.ref,))


def measured(pod: str, container: str = "coredns", cpu: float = 10, memory: float = 1e8, **more: Any) -> Measured:
    spread, held = Spread(mean=cpu, p99=cpu * 2, max=cpu * 3), Spread(mean=memory, max=memory * 2)
    return Measured(namespace="kube-system", pod=pod, container=container, cpu=spread, memory=held, **more)


def reported(workloads: tuple[model.Workload, ...], pods: tuple[model.Pod, ...], *found: Measured) -> UsageReport:
    view = model.View(snapshot(workloads=workloads, pods=pods))
    metrics = Metrics(source="test", end=END, window=timedelta(days=7), containers=found)
    return report(view, {each.ref: each.name for each in workloads}, workloads, metrics)


DNS = deployment("coredns", "coredns")


def test_a_container_is_asked_for_by_namespace_and_name() -> None:
    assert containers_of([DNS, deployment("ebs-csi-controller", "csi", "liveness")]) == {
        ("kube-system", "coredns"),
        ("kube-system", "csi"),
        ("kube-system", "liveness"),
    }


def test_of_several_pods_the_one_that_used_most_counts_and_totals_are_of_those_that_run() -> None:
    running = (pod("coredns-1", DNS), pod("coredns-2", DNS))
    gone = measured("coredns-5d78c9869d-abcde", cpu=90)
    (found,) = reported((DNS,), running, measured("coredns-1", cpu=10), measured("coredns-2", cpu=30), gone).containers
    assert (found.pods, found.cpu.mean, found.cpu.p99, found.cpu.max) == (3, 90, 180, 270)
    assert found.cpu_total == 40
    assert (found.cpu_request_millicores, found.memory_request_bytes) == (100, 2**27)
    assert found.cpu.p50 is None


@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("coredns-5d78c9869d-abcde", "coredns"),
        ("coredns-autoscaler-5d78c9869d-abcde", "coredns-autoscaler"),
        ("coredns-0", "coredns"),
        ("coredns-x7k2p", "coredns"),
        ("corednsx-0", None),
        ("coredns-debug-pod-of-somebody", None),
    ],
)
def test_a_pod_that_is_gone_belongs_to_the_workload_that_its_name_begins_with(name: str, workload: str | None) -> None:
    both = (DNS, deployment("coredns-autoscaler", "coredns"))
    found = reported(both, (), measured(name)).containers
    assert [each.workload.name for each in found] == ([workload] if workload else [])


def test_a_pod_of_a_workload_that_was_not_asked_for_is_nobodys() -> None:
    other = deployment("coredns-test", "coredns")
    view = model.View(snapshot(workloads=(DNS, other), pods=(pod("coredns-0", other),)))
    metrics = Metrics(source="test", end=END, window=timedelta(days=7), containers=(measured("coredns-0"),))
    assert report(view, {}, (DNS,), metrics).containers == ()


def test_what_runs_and_was_not_measured_is_named() -> None:
    found = reported((DNS,), (pod("coredns-1", DNS),))
    assert found.containers == ()
    assert found.unmeasured == ((DNS.ref, "coredns"),)
    assert reported((DNS,), ()).unmeasured == ()


def test_a_day_is_that_of_the_pod_that_used_most_on_it() -> None:
    first = measured("coredns-aaaaa", days=(Day(date=DAY, cpu_max=5, oom_kills=1, samples_share=0.5),))
    second = measured("coredns-bbbbb", days=(Day(date=DAY, cpu_max=9, oom_kills=2, samples_share=0.25),))
    (found,) = reported((DNS,), (), first, second).containers
    assert found.days == (Day(date=DAY, cpu_max=9, oom_kills=3, samples_share=0.75),)


def test_the_week_is_the_highest_of_each_hour() -> None:
    found = reported((DNS,), (), measured("coredns-aaaaa", week=(1.0, 5.0)), measured("coredns-bbbbb", week=(2.0, 3.0)))
    assert found.containers[0].week == (2.0, 5.0)


def test_what_a_pod_used_is_the_sum_of_its_containers_rounded_up() -> None:
    metrics = Metrics(
        source="test",
        end=END,
        window=timedelta(days=7),
        containers=(measured("a", "app", cpu=10.2), measured("a", "sidecar", cpu=1, memory=5)),
    )
    ref = model.ObjectRef.of("Pod", "a", "kube-system")
    assert used_by_pods(metrics) == {ref: Amount(12, 100_000_005)}
