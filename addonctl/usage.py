"""What the containers of add-ons use, beside what they request: metrics of pods, brought to workloads.

Decided from the View, the owners of objects (dependencies) and Metrics. A pod that is gone belongs to the workload
whose name its own begins with. Called by manager.py.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from addonctl.model import Container, ObjectRef, View, Workload
from addonctl.model.cost import Amount
from addonctl.model.sizing import Day
from addonctl.model.usage import ContainerUsage, Counted, Measured, Metrics, Spread

# What Kubernetes appends to the name of a workload for its pods: an ordinal, a hash, or two.
_APPENDED = re.compile(r"(-[0-9]+|-[a-z0-9]{5}|-[a-z0-9]{6,10}-[a-z0-9]{5}|-[0-9]{8}-[a-z0-9]{5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What an SLI counted of an add-on's requests. `installation` is empty where the series do not tell whose it is."""

    addon: str
    installation: str
    sli: str
    requests: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """The use of some workloads' containers, those of add-ons first, and the metrics that it is from."""

    metrics: Metrics
    containers: tuple[ContainerUsage, ...]
    unmeasured: tuple[tuple[ObjectRef, str], ...]  # containers that run and that the metrics do not know
    answers: tuple[Answers, ...] = ()


def containers_of(workloads: Iterable[Workload]) -> frozenset[tuple[str, str]]:
    """The names of containers that are asked for: namespace and container."""
    return frozenset((each.namespace, made.name) for each in workloads for made in each.template.containers)


def report(
    view: View,
    owners: Mapping[ObjectRef, str],
    workloads: Sequence[Workload],
    metrics: Metrics,
    addons: Collection[str] = (),
) -> UsageReport:
    """The use of each container of these workloads, and what the SLIs of these add-ons counted."""
    wanted = {each.ref: each for each in workloads}
    found: dict[tuple[ObjectRef, str], list[Measured]] = {}
    where = _Homes(view, wanted)
    for measured in metrics.containers:
        home = where.of(measured.namespace, measured.pod)
        if home is not None:
            found.setdefault((home, measured.container), []).append(measured)
    used = []
    unmeasured = []
    for ref, workload in wanted.items():
        running = {pod.name for pod in view.pods.get(ref, ())}
        for container in workload.template.containers:
            of_it = found.get((ref, container.name))
            if of_it:
                used.append(_together(owners.get(ref, ""), ref, container, of_it, running))
            elif running and not container.init:
                unmeasured.append((ref, container.name))
    used.sort(key=lambda each: (not each.installation, each.installation, str(each.workload), each.container))
    answers = tuple(_answers((each for each in metrics.counted if each.addon in addons), where, owners))
    return UsageReport(metrics=metrics, containers=tuple(used), unmeasured=tuple(unmeasured), answers=answers)


def _answers(counted: Iterable[Counted], where: "_Homes", owners: Mapping[ObjectRef, str]) -> Iterator[Answers]:
    """Of each SLI, that of all pods of an installation together."""
    sums: dict[tuple[str, str, str], tuple[float, float]] = {}
    for each in counted:
        home = where.of(each.namespace, each.pod)
        key = each.addon, owners.get(home, "") if home is not None else "", each.sli
        requests, failed = sums.get(key, (0.0, 0.0))
        sums[key] = requests + each.requests, failed + each.failed
    for (addon, installation, sli), (requests, failed) in sums.items():
        yield Answers(addon=addon, installation=installation, sli=sli, requests=round(requests), failed=round(failed))


class _Homes:
    """The workload of a pod by its name: as it was read, or for a pod that is gone as its name says."""

    def __init__(self, view: View, wanted: Mapping[ObjectRef, Workload]) -> None:
        self._known = {(pod.namespace, pod.name): ref for ref, pods in view.pods.items() for pod in pods}
        self._wanted = wanted
        self._by_namespace: dict[str, list[ObjectRef]] = {}
        for ref in sorted(wanted, key=lambda each: -len(each.name)):
            self._by_namespace.setdefault(ref.namespace, []).append(ref)

    def of(self, namespace: str, pod: str) -> ObjectRef | None:
        known = self._known.get((namespace, pod))
        if known is not None:
            return known if known in self._wanted else None
        return next((ref for ref in self._by_namespace.get(namespace, ()) if _is_of(pod, ref.name)), None)


def _is_of(pod: str, workload: str) -> bool:
    return pod.startswith(workload) and _APPENDED.fullmatch(pod, len(workload)) is not None


def _together(
    installation: str, workload: ObjectRef, container: Container, measured: Sequence[Measured], running: set[str]
) -> ContainerUsage:
    now = [each for each in measured if each.pod in running]
    return ContainerUsage(
        installation=installation,
        workload=workload,
        container=container.name,
        pods=len(measured),
        cpu=_most(each.cpu for each in measured),
        memory=_most(each.memory for each in measured),
        cpu_total=sum(each.cpu.mean or 0 for each in now),
        memory_total=sum(each.memory.mean or 0 for each in now),
        throttled=_max(each.throttled for each in measured),
        oom_kills=_sum(each.oom_kills for each in measured),
        restarts=_sum(each.restarts for each in measured),
        coverage=max(each.coverage for each in measured),
        days=tuple(_days(measured, container.memory_limit_bytes)),
        week=tuple(map(max, zip(*(each.week for each in measured if each.week), strict=True))),
        cpu_request_millicores=container.cpu_request_millicores,
        cpu_limit_millicores=container.cpu_limit_millicores,
        memory_request_bytes=container.memory_request_bytes,
        memory_limit_bytes=container.memory_limit_bytes,
    )


def _most(spreads: Iterable[Spread]) -> Spread:
    """Of each figure that of the pod that used most."""
    listed = tuple(spreads)
    figures = ("mean", "p50", "p95", "p99", "max")
    return Spread(**{name: _max(getattr(each, name) for each in listed) for name in figures})


def _days(measured: Sequence[Measured], memory_limit: int | None) -> Iterator[Day]:
    """Each day, of the pod that used most on it. Pods that follow each other share a day."""
    by_date: dict[date, list[Day]] = {}
    for each in measured:
        for day in each.days:
            by_date.setdefault(day.date, []).append(day)
    for moment, those in sorted(by_date.items()):
        yield Day(
            date=moment,
            cpu_p50=max(each.cpu_p50 for each in those),
            cpu_p95=max(each.cpu_p95 for each in those),
            cpu_p99=max(each.cpu_p99 for each in those),
            cpu_max=max(each.cpu_max for each in those),
            memory_max=max(each.memory_max for each in those),
            throttled_share=max(each.throttled_share for each in those),
            oom_kills=sum(each.oom_kills for each in those),
            samples_share=min(1.0, sum(each.samples_share for each in those)),
            memory_limit_bytes=memory_limit,
        )


def _max(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def used_by_pods(metrics: Metrics) -> dict[ObjectRef, Amount]:
    """What each pod used on average while it ran, over its containers."""
    found: dict[ObjectRef, Amount] = {}
    for each in metrics.containers:
        ref = ObjectRef.of("Pod", each.pod, each.namespace)
        so_far = found.get(ref, Amount())
        found[ref] = Amount(
            so_far.cpu_millicores + math.ceil(each.cpu.mean or 0),
            so_far.memory_bytes + math.ceil(each.memory.mean or 0),
        )
    return found
