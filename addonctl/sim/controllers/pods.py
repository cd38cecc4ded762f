"""Pods: how their containers behave by their image, the scheduler, and the kubelet of every node.

Not modelled: requests of CPU and memory (a node holds so many pods), affinity between pods, priorities, volumes,
init containers. A kubelet acts on what the API server says at once; containers take the time that their images take.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from addonctl.sim.controllers.nodes import NODE, Nodes
from addonctl.sim.controllers.queue import Queue, condition, controller_of
from addonctl.sim.documents import Document, at
from addonctl.sim.store import POD, Change, Name, Store, Stored, is_ready
from addonctl.sim.world import Later

_BACK_OFF_S, _BACK_OFF_MAX_S = 10.0, 300.0
_COMPARES_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container of an image does. Times are in seconds after the step before, shares are of its requests.

    `wrong` and `late` answers set in `sets_in_s` after it started; with `every_s` they come in bursts of `burst_s`.
    What `leaks` ends when its memory does, at `crashes_after_s`, and answers ever later in the last fifth before that.
    `loses_node_s`: where it starts, the node is without a network for so long. `rejects`: the version does not take the
    configuration that the add-on has. `nodes`: all that is so only on these; none named: on all.
    """

    start_s: float = 2.0  # pulled and started
    ready_s: float = 1.0  # its readiness probe passes
    stop_s: float = 0.5  # answers on after SIGTERM, then ends
    is_there: bool = True  # the registry has the image
    gets_ready: bool = True
    crashes_after_s: float | None = None  # exits by itself, each time
    leaks: bool = False
    wrong: float = 0.0
    late: float = 0.0
    sets_in_s: float = 0.0
    every_s: float = 0.0
    burst_s: float = 0.0
    loses_node_s: float = 0.0
    rejects: bool = False
    nodes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        assert min(self.wrong, self.late) >= 0, "shares of answers"
        assert self.wrong + self.late <= 1, f"wrong or late, not both: {self.wrong}, {self.late}"
        assert not self.leaks or self.crashes_after_s, "what leaks ends some time"
        assert not self.every_s or 0 < self.burst_s < self.every_s, "bursts have pauses in between"

    def answers(self, age_s: float) -> tuple[float, float]:
        """The shares of wrong and of late answers, so long after the container started."""
        since = age_s - self.sets_in_s
        quiet = since < 0 or (self.every_s > 0 and since % self.every_s >= self.burst_s)
        wrong, late = (0.0, 0.0) if quiet else (self.wrong, self.late)
        if self.leaks and self.crashes_after_s:
            late = max(late, 5 * age_s / self.crashes_after_s - 4)
        return wrong, min(late, 1.0 - wrong)


STEADY = Behaviour()
Behave = Callable[[str, str], Behaviour]
"""(image, node) → what it does there."""


def as_in(table: Mapping[str, Behaviour], otherwise: Behaviour = STEADY) -> Behave:
    """Behaviour by image, on those nodes that it is for."""

    def behave(image: str, node: str) -> Behaviour:
        found = table.get(image, otherwise)
        return found if not found.nodes or node in found.nodes else otherwise

    return behave


# ── Scheduling ──────────────────────────────────────────────────────────────────────────────────────────────────


class Scheduler:
    """Binds pods to nodes: where the fewest pods of the same owner are, then the fewest pods."""

    def __init__(self, store: Store, nodes: Nodes) -> None:
        self._store, self._nodes = store, nodes
        self._queue = Queue(store.world, self._schedule)
        self._waiting: dict[Name, None] = {}
        self._on_node: dict[str, dict[Name, str]] = {}  # node → its pods and their owners
        store.listen(POD, self._pod_changed)
        store.listen(NODE, lambda change: self._try_again())

    def _pod_changed(self, change: Change) -> None:
        pod = change.stored
        node = pod.spec.get("nodeName")
        if change.after is None:
            self._waiting.pop(pod.name, None)
            if node:
                self._on_node.get(node, {}).pop(pod.name, None)
                self._try_again()
        elif node:
            owner = controller_of(pod)
            self._on_node.setdefault(node, {})[pod.name] = owner["uid"] if owner else ""
        elif change.before is None:
            self._queue.add(pod.name)

    def _try_again(self) -> None:
        for name in self._waiting:
            self._queue.add(name)

    def _schedule(self, name: Name) -> None:
        pod = self._store.get(POD, *name)
        if pod is None or pod.is_ending or pod.spec.get("nodeName"):
            return
        stamp, was = self._store.world.stamp, pod.status.get("conditions")
        node = self._chosen(pod)
        if node is None:
            self._waiting[name] = None
            unbound = condition("PodScheduled", False, "Unschedulable", was, stamp)
            self._store.set_status(pod, {**pod.status, "conditions": [unbound]}, "kube-scheduler")
            return
        self._waiting.pop(name, None)
        bound = condition("PodScheduled", True, "", was, stamp)
        document = {
            **pod.document,
            "spec": {**pod.spec, "nodeName": node},
            "status": {**pod.status, "conditions": [bound]},
        }
        self._store.update(pod, document)

    def _chosen(self, pod: Stored) -> str | None:
        owner = controller_of(pod)
        uid = owner["uid"] if owner else ""
        best: tuple[int, int, str] | None = None
        for node in self._nodes.fitting(pod.spec):
            name = node.metadata["name"]
            there = self._on_node.get(name, {})
            if len(there) >= int(at(node.status, "allocatable", "pods") or 110):
                continue
            alike = sum(1 for one in there.values() if one == uid) if uid else 0
            rank = alike, len(there), name
            best = rank if best is None or rank < best else best
        return best[2] if best is not None else None


# ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Run:
    """What a kubelet knows of a pod beyond its object."""

    uid: str
    restarts: int = 0
    ended_by: str = ""  # why it restarted last
    failures: int = 0
    ready: bool = False
    next: Later | None = None


class Kubelets:
    """Starts, restarts and stops the containers of every pod that has a node, while the node is there."""

    def __init__(self, store: Store, nodes: Nodes, behave: Behave) -> None:
        self._store, self._world, self._nodes, self.behave = store, store.world, nodes, behave
        self.pull_s = 0.0  # how much longer images take to be pulled, at present
        self.running: dict[str, int] = {}  # uid of a pod → when its containers started, where they run
        self.before_change: list[Callable[[], None]] = []  # called just before that changes
        self._runs: dict[Name, _Run] = {}
        self._addresses = 0
        self._cut_off: set[str] = set()  # pods that have cut their nodes off
        store.listen(POD, self._pod_changed)
        nodes.when_back = self._node_is_back

    def _pod_changed(self, change: Change) -> None:
        pod = change.stored
        if change.after is None:
            run = self._runs.pop(pod.name, None)
            self._runs_no_more(pod)
            if run is not None and run.next is not None:
                run.next.cancel()
        elif pod.spec.get("nodeName") and pod.name not in self._runs:
            self._begin(pod)
        elif pod.is_ending and change.before is not None and not change.before.is_ending:
            self._stop(pod)
        elif pod.name in self._runs and is_ready(pod) is not self._runs[pod.name].ready:
            self._world.after(self._compares_in_s(pod), lambda: self._put_right(pod.name, pod.uid))

    def _compares_in_s(self, pod: Stored) -> float:
        """Until the kubelet of the pod's node next compares what the API server has with what it knows."""
        phase = zlib.crc32(pod.spec["nodeName"].encode()) / 2**32
        return _COMPARES_S * (1 - (self._world.seconds / _COMPARES_S + phase) % 1)

    def _put_right(self, name: Name, uid: str) -> None:
        """What somebody else has said of a pod's readiness lasts until here."""
        pod, run = self._store.get(POD, *name), self._runs.get(name)
        if pod is None or run is None or run.uid != uid or not self._nodes.is_there(pod.spec["nodeName"]):
            return
        if is_ready(pod) is not run.ready:
            self._store.set_status(pod, {**pod.status, "conditions": self._conditions(pod, run.ready)}, "kubelet")

    def _node_is_back(self, node: str) -> None:
        """Containers ran on, or come up again; what was to end meanwhile ends now."""
        for pod in self._store.rows(POD):
            if pod.spec.get("nodeName") == node:
                if pod.is_ending:
                    self._stop(pod)
                else:
                    self._begin(pod)

    def _later(self, name: Name, seconds: float, what: Callable[[Stored], None]) -> None:
        """Does it to the pod then, if it is still there and its node is."""
        run = self._runs[name]
        if run.next is not None:
            run.next.cancel()

        def happen() -> None:
            pod = self._store.get(POD, *name)
            if pod is not None and pod.uid == run.uid and self._nodes.is_there(pod.spec["nodeName"]):
                what(pod)

        run.next = self._world.after(seconds, happen)

    def _behaviours(self, pod: Stored) -> list[Behaviour]:
        node = pod.spec["nodeName"]
        return [self.behave(one["image"], node) for one in pod.spec["containers"]]

    def _begin(self, pod: Stored) -> None:
        run = self._runs[pod.name] = _Run(pod.uid, restarts=_restarts(pod), ended_by=_ended_by(pod))
        self._runs_no_more(pod)
        if pod.is_ending:
            self._stop(pod)
            return
        found = self._behaviours(pod)
        run.failures = 0
        self._later(pod.name, self.pull_s + max(one.start_s for one in found), self._started)

    def _started(self, pod: Stored) -> None:
        if pod.is_ending:
            return
        found = self._behaviours(pod)
        if not all(one.is_there for one in found):
            self._held_back(pod, "ImagePullBackOff", "Pending")
            return
        run = self._runs[pod.name]
        self._tell()
        self.running[pod.uid] = self._world.micros
        crashes = [(one.crashes_after_s, one.leaks) for one in found if one.crashes_after_s is not None]
        ready_s = max(one.ready_s for one in found) if all(one.gets_ready for one in found) else None
        if ready_s == 0:
            self._set(pod, ready=True)
        else:
            self._set(pod, ready=False)
        if ready_s and (not crashes or ready_s < min(crashes)[0]):
            self._later(pod.name, ready_s, self._gets_ready)
        if crashes:
            seconds, leaks = min(crashes)
            self._crash_later(pod.name, seconds, run, "OOMKilled" if leaks else "Error")
        cut_off_s = max(one.loses_node_s for one in found)
        if cut_off_s and pod.uid not in self._cut_off:
            self._cut_off.add(pod.uid)
            self._nodes.cut_off(pod.spec["nodeName"], cut_off_s)

    def _tell(self) -> None:
        for listener in self.before_change:
            listener()

    def _runs_no_more(self, pod: Stored) -> None:
        if pod.uid in self.running:
            self._tell()
            del self.running[pod.uid]

    def _crash_later(self, name: Name, seconds: float, run: _Run, why: str) -> None:
        """Beside what else is to come: a container may be ready before it exits."""

        def crash() -> None:
            pod = self._store.get(POD, *name)
            if pod is None or self._runs.get(name) is not run or pod.is_ending:
                return
            if self._nodes.is_there(pod.spec["nodeName"]):
                run.restarts, run.ended_by = run.restarts + 1, why
                self._held_back(pod, "CrashLoopBackOff", "Running")

        self._world.after(seconds, crash)

    def _held_back(self, pod: Stored, reason: str, phase: str) -> None:
        run = self._runs[pod.name]
        self._runs_no_more(pod)
        pause = min(_BACK_OFF_S * 2**run.failures, _BACK_OFF_MAX_S)
        run.failures += 1
        self._set(pod, ready=False, waiting=reason, phase=phase)
        self._later(pod.name, pause, self._started)

    def _gets_ready(self, pod: Stored) -> None:
        if not pod.is_ending:
            self._set(pod, ready=True)

    def fail_readiness(self, name: Name, seconds: float) -> None:
        """The readiness probe of a running pod fails for so long, as under load."""
        pod = self._store.get(POD, *name)
        if pod is not None and is_ready(pod) and not pod.is_ending:
            self._set(pod, ready=False)
            self._later(name, seconds, self._gets_ready)

    def _set(self, pod: Stored, *, ready: bool, waiting: str = "", phase: str = "Running") -> None:
        run, stamp = self._runs[pod.name], self._world.stamp
        run.ready = ready
        state: Document = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": stamp}}
        containers = [
            {
                "name": one["name"],
                "image": one["image"],
                "ready": ready,
                "restartCount": run.restarts,
                "state": state,
                **({"lastState": {"terminated": {"reason": run.ended_by}}} if run.ended_by else {}),
            }
            for one in pod.spec["containers"]
        ]
        status = {
            **pod.status,
            "phase": phase,
            "podIP": pod.status.get("podIP") or self._address(),
            "conditions": self._conditions(pod, ready),
            "containerStatuses": containers,
        }
        self._store.set_status(pod, status, "kubelet")

    def _conditions(self, pod: Stored, ready: bool) -> list[Document]:
        was, kinds = pod.status.get("conditions"), ("ContainersReady", "Ready")
        reason = "" if ready else "ContainersNotReady"
        others = [one for one in was or () if one["type"] not in kinds]
        return [*others, *(condition(kind, ready, reason, was, self._world.stamp) for kind in kinds)]

    def _address(self) -> str:
        self._addresses += 1
        return f"10.{self._addresses >> 16}.{self._addresses >> 8 & 255}.{self._addresses & 255}"

    # ── Ending ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _stop(self, pod: Stored) -> None:
        if pod.name not in self._runs:
            self._runs[pod.name] = _Run(pod.uid)
        stops = max(one.stop_s for one in self._behaviours(pod))
        grace = float(pod.metadata.get("deletionGracePeriodSeconds", 30))
        self._later(pod.name, min(_pre_stop_s(pod.spec) + stops, grace), self._store.remove)


def _restarts(pod: Stored) -> int:
    return max((one["restartCount"] for one in pod.status.get("containerStatuses") or ()), default=0)


def _ended_by(pod: Stored) -> str:
    containers = pod.status.get("containerStatuses") or ()
    return next((at(one, "lastState", "terminated", "reason") or "" for one in containers), "")


def _pre_stop_s(spec: Document) -> float:
    """How long the longest preStop hook sleeps, by `sleep` or a command `sleep N`."""
    return max((_slept(at(one, "lifecycle", "preStop") or {}) for one in spec["containers"]), default=0.0)


def _slept(hook: Mapping[str, Any]) -> float:
    if seconds := at(hook, "sleep", "seconds"):
        return float(seconds)
    command = at(hook, "exec", "command") or []
    text = str(command[-1]) if command and "sleep" in str(command) else ""
    number = text.split()[-1] if text else ""
    return float(number) if number.isdigit() else 0.0


def is_active(pod: Stored) -> bool:
    """Whether a pod counts for its controller."""
    return not pod.is_ending and pod.status.get("phase") not in ("Failed", "Succeeded")


__all__ = ["STEADY", "Behave", "Behaviour", "Kubelets", "Scheduler", "as_in", "is_active", "is_ready"]
