"""SLIs that counters in Prometheus count: what users asked for, pod by pod where the pods count it themselves.

One query an SLI reads the points of some minutes as they were scraped, as often as they are scraped. What they have
grown by since the points that were read before is counted once, whenever it arrives; the first reading is of the time
before the change. A Prometheus that does not answer counts nothing.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from addonctl.adapters.api_objects import ApiObjects
from addonctl.adapters.prometheus import Prometheus, Series
from addonctl.catalog import CountedSli, Labels
from addonctl.errors import AddonctlError, NotFound
from addonctl.model import NOTHING, Answered, Counts, live
from addonctl.model.plan import Step

# Read more often than they are scraped, old and new pods would hardly ever be counted together.
_READ_S, _AT_LEAST_S, _AT_MOST_S = 30.0, 10.0, 60.0
# What arrives later than this is lost.
_WINDOW_S = 300
_CLOSED_S = 2.0
_POD = live.Kind("", "Pod")
# One of several Prometheus servers that scrape the same: its series are those of the others.
_REPLICA = frozenset(("prometheus_replica", "__replica__", "replica"))
_Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Source:
    """Whose counter it is: a pod, or without a uid the API server; since when it may have counted."""

    uid: str
    began: float


Whose = Callable[[Mapping[str, str], float], Source | None]
"""Whose a series was at a time; None: not of this step."""


class Ledger:
    """What the counters of one SLI have grown by since they were read last."""

    def __init__(self, sli: CountedSli) -> None:
        self._sli = sli
        self._last: dict[frozenset[tuple[str, str]], _Point] = {}
        self._seen: dict[str, float] = {}  # when each target was scraped first, as far as we know
        self._since: float | None = None

    def grown(self, series: Iterable[Series], whose: Whose, since: float) -> dict[str, Counts]:
        """By pod; `since`: the beginning of what was read. What began to count in sight began with nothing."""
        self._since = since if self._since is None else self._since
        one_of_each = _one_of_each(series)
        for each in one_of_each.values():
            target = _target(each.labels)
            self._seen[target] = min(self._seen.get(target, each.points[0][0]), each.points[0][0])
        kinds = self._sli.total, self._sli.good or self._sli.failed
        sums: dict[str, list[float]] = {}
        for key, each in one_of_each.items():
            for uid, growth in self._growth(key, each, whose):
                sum_of = sums.setdefault(uid, [0.0] * len(kinds))
                for place in (place for place, labels in enumerate(kinds) if _matches(each.labels, labels)):
                    sum_of[place] += growth
        return {uid: self._counts(*found) for uid, found in sums.items()}

    def _growth(self, key: frozenset[tuple[str, str]], one: Series, whose: Whose) -> Iterator[tuple[str, float]]:
        last = self._last.get(key)
        fresh = [point for point in one.points if last is None or point[0] > last[0]]
        if not fresh:
            return
        self._last[key] = fresh[-1]
        first = last or self._beginning(one, fresh[0], whose)
        for (_, before), (at, value) in pairwise([first, *fresh] if first else fresh):
            source = whose(one.labels, at)
            if source is not None:
                yield source.uid, value - before if value >= before else value

    def _beginning(self, one: Series, first: _Point, whose: Whose) -> _Point | None:
        """Where a counter that was not read before began; None: before anybody looked."""
        assert self._since is not None
        source = whose(one.labels, first[0])
        began_in_sight = source is not None and source.began > self._since
        return (first[0], 0.0) if began_in_sight or self._seen[_target(one.labels)] < first[0] else None

    def _counts(self, total: float, told: float) -> Counts:
        bad = round(max(total - told, 0.0) if self._sli.good else told)
        return Counts(max(round(total), bad), bad)


def _one_of_each(series: Iterable[Series]) -> dict[frozenset[tuple[str, str]], Series]:
    """Of the same counter as several servers have it, that with the newest point."""
    found: dict[frozenset[tuple[str, str]], Series] = {}
    for each in series:
        key = frozenset((name, value) for name, value in each.labels.items() if name not in _REPLICA)
        if each.points and (key not in found or found[key].points[-1][0] < each.points[-1][0]):
            found[key] = each
    return found


def _between_scrapes(series: Iterable[Series]) -> float | None:
    """So many seconds lie between two points as a rule; None: there are none."""
    gaps = [later[0] - earlier[0] for each in series for earlier, later in pairwise(each.points)]
    return min(max(median(gaps), _AT_LEAST_S), _AT_MOST_S) if gaps else None


def _target(labels: Mapping[str, str]) -> str:
    return f"{labels.get('job', '')} {labels.get('instance', '')} {labels.get('pod', '')}"


def _matches(labels: Mapping[str, str], wanted: Labels) -> bool:
    return all(labels.get(name, "") in values for name, values in wanted.items())


# ── Pods ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Pods:
    """The pods of a step that there are, and those that there were: by name, and by address."""

    def __init__(self, objects: ApiObjects, step: Step) -> None:
        self._objects, self._step = objects, step
        self._known: dict[str, dict[str, Source]] = {}

    def read(self) -> None:
        """Raises the errors of ApiConnection."""
        for target in self._step.targets:
            try:
                selector = self._objects.get(target.ref).document["spec"]["selector"].get("matchLabels") or {}
            except NotFound:
                continue
            labels = ",".join(f"{name}={value}" for name, value in selector.items())
            for pod in self._objects.list(_POD, target.ref.namespace, labels):
                meta, status = pod.document["metadata"], pod.document.get("status") or {}
                source = Source(meta["uid"], datetime.fromisoformat(meta["creationTimestamp"]).timestamp())
                for key in (f"{pod.ref.namespace}/{pod.ref.name}", status.get("podIP", "")):
                    self._known.setdefault(key, {})[source.uid] = source

    def of(self, labels: Mapping[str, str], at: float) -> Source | None:
        """Whose a series was at a time. Of several pods by the same name, that which was there."""
        by_name = f"{labels.get('namespace', '')}/{labels.get('pod', '')}"
        by_address = labels.get("instance", "").rpartition(":")[0].strip("[]")
        found = self._known.get(by_name if labels.get("pod") else by_address or "-", {}).values()
        there = [each for each in found if each.began <= at] or found
        return max(there, key=lambda each: each.began, default=None)


def _of_the_api_server(_labels: Mapping[str, str], _at: float) -> Source:
    return Source("", 0.0)


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Reading(threading.Thread):
    """Reads the SLIs of one step until it has `ended`."""

    def __init__(
        self,
        prometheus: Callable[[], Prometheus | None],
        objects: ApiObjects,
        step: Step,
        slis: Sequence[CountedSli],
    ) -> None:
        super().__init__(name="addonctl-signals-counters", daemon=True)
        self.step, self.ended = step, threading.Event()
        self._prometheus, self._pods = prometheus, Pods(objects, step)
        self._ledgers = [(each, Ledger(each)) for each in slis]
        self._lock = threading.Lock()
        self._counted: list[tuple[float, Answered]] = []
        self._pause_s = _READ_S
        self.start()

    def run(self) -> None:
        while not self.ended.is_set():
            with suppress(AddonctlError):  # what was not read now is read with the next reading, if that comes in time
                self._read()
            self.ended.wait(self._pause_s)

    def _read(self) -> None:
        prometheus = self._prometheus()
        if prometheus is None:
            return
        self._pods.read()
        since, found = time.time() - _WINDOW_S, list[Answered]()
        try:
            for sli, ledger in self._ledgers:
                answer = prometheus.instant(f"{prometheus.selector(sli.metrics, sli.where)}[{_WINDOW_S}s]")
                self._pause_s = _between_scrapes(answer.series) or self._pause_s
                whose = self._pods.of if sli.by_pod else _of_the_api_server
                grown = ledger.grown(answer.series, whose, since)
                found += [Answered(sli=sli.name, pod=uid, counts=counts) for uid, counts in grown.items()]
        finally:
            now = time.time()  # one for all: what is compared is told at once
            with self._lock:
                self._counted += [(now, each) for each in found if each.counts.requests]

    def after(self, moment: float) -> tuple[Answered, ...]:
        with self._lock:
            found = [each for at, each in self._counted if at > moment]
        sums: dict[tuple[str, str], Counts] = {}
        for each in found:
            sums[each.sli, each.pod] = sums.get((each.sli, each.pod), NOTHING) + each.counts
        return tuple(Answered(sli=sli, pod=pod, counts=counts) for (sli, pod), counts in sums.items())


class CounterSignals:
    """See ports.Signals: of a step, those of its additional objectives that the catalog knows how to count.

    `prometheus` finds the one to ask, when it is needed.
    """

    def __init__(
        self,
        prometheus: Callable[[], Prometheus | None],
        objects: ApiObjects,
        known: Callable[[str], Sequence[CountedSli]],
    ) -> None:
        self._prometheus, self._objects, self._known = prometheus, objects, known
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        with self._lock:
            if self._reading is None or self._reading.step != step:
                self._end()
                wanted = {each.sli for each in step.objectives if each.additional}
                slis = [each for each in self._known(step.addon) if each.name in wanted]
                self._reading = _Reading(self._prometheus, self._objects, step, slis) if slis else None
            return self._reading.after(since.timestamp()) if self._reading else ()

    def close(self) -> None:
        with self._lock:
            reading = self._end()
        if reading is not None:
            reading.join(_CLOSED_S)

    def _end(self) -> _Reading | None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.ended.set()
        return reading
