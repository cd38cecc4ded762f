"""Clients of an add-on in virtual time: who asks, who answers, and what nobody answers; every request is accounted for.

Two kinds of traffic. Users ask at a steady rate, through a Service or, where an add-on serves each node by itself, the
pod of their own node. Probes ask each endpoint, and the Service; `SimSignals` gives what they counted to who watches an
update, the account of the users is for who judges it afterwards.

Behind a Service a client's flow stays with its pod. Where a pod leaves the endpoints that take new flows, some requests
still reach it by flows of before, until those time out or the endpoint serves no more or is gone; what reaches a pod
that has ended is lost. How many is fitted to a real CoreDNS behind a real kube-proxy: a rolling update without a drain
lost 12 of 33,000 queries in 20 updates, one that drains for 35 s lost 1, flows to old pods faded between 14 and 34 s.

Not modelled: kube-proxies of different nodes seeing changes at different times, and clients that ask again.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from addonctl.model import Answered, Counts
from addonctl.model.plan import Step
from addonctl.ports import Clock
from addonctl.sim.controllers import Behave, Behaviour, Controllers
from addonctl.sim.controllers.nodes import NODE
from addonctl.sim.controllers.serving import SLICE
from addonctl.sim.documents import Document
from addonctl.sim.selectors import selects
from addonctl.sim.store import POD, Change, Name, Stored
from addonctl.sim.world import World

# Of the requests that a pod was given while it took new flows, so many still reach it by flows of before.
_OLD_FLOWS = 0.004
_FADES_S, _FADED_S = 14.0, 35.0
# Harm that sets in, and bursts, are seen at least so often.
_SLICE_S = 5.0
_KEPT_S = 900.0
# From so many on, a number of requests is drawn by its mean and spread.
_MANY = 30
_SECOND = 1_000_000


def some(random: Random, of: int, share: float) -> int:
    """How many of so many independent requests a share befalls."""
    if share <= 0 or of <= 0:
        return 0
    if share >= 1:
        return of
    if share > 0.5:
        return of - some(random, of, 1 - share)
    if of * share > _MANY:
        spread = math.sqrt(of * share * (1 - share)) * (sum(random.random() for _ in range(12)) - 6)
        return min(max(round(of * share + spread), 0), of)
    drawn, found, chance = random.random(), 0, (1 - share) ** of
    while drawn > chance and found < of:
        drawn -= chance
        chance *= (of - found) * share / ((found + 1) * (1 - share))
        found += 1
    return found


@dataclass(slots=True)
class Tally:
    """Of requests that one pod answered, or that one way was asked."""

    requests: int = 0
    wrong: int = 0
    late: int = 0
    lost: int = 0

    @property
    def bad(self) -> int:
        return self.wrong + self.late + self.lost

    def add(self, other: "Tally") -> None:
        self.requests += other.requests
        self.wrong += other.wrong
        self.late += other.late
        self.lost += other.lost


@dataclass(slots=True)
class Lost:
    """Requests that nobody answered, of a time without a pause."""

    since: int
    until: int
    requests: int
    why: str


@dataclass
class Account:
    """What users asked and were answered, by the uid of the pod; what reached no pod is under the empty one."""

    by_pod: dict[str, Tally] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)

    def of(self, pod: str) -> Tally:
        found = self.by_pod.get(pod)
        if found is None:
            found = self.by_pod[pod] = Tally()
        return found

    @property
    def whole(self) -> Tally:
        whole = Tally()
        for tally in self.by_pod.values():
            whole.add(tally)
        return whole

    def note_lost(self, since: int, until: int, requests: int, why: str) -> None:
        last = self.lost[-1] if self.lost else None
        if last is not None and last.why == why and last.until == since:
            last.until, last.requests = until, last.requests + requests
        else:
            self.lost.append(Lost(since, until, requests, why))


@dataclass(frozen=True, slots=True)
class _Flows:
    """What still reaches a pod that takes no new flows: this share of requests, since it left."""

    left: int
    share: float

    def at(self, micros: int) -> float:
        gone_s = (micros - self.left) / _SECOND
        faded = (gone_s - _FADES_S) / (_FADED_S - _FADES_S)
        return self.share * min(max(1 - faded, 0.0), 1.0)


class Traffic:
    """All traffic of one add-on. `service`: users go through it; None: each asks the pod of the node that it is on.

    `usual` is the share of requests that fail whoever answers, as some always do; faults raise it.
    """

    def __init__(
        self,
        controllers: Controllers,
        behave: Behave,
        labels: Mapping[str, str],
        *,
        service: Name | None,
        rps: float = 100.0,
        probe_rps: float = 10.0,
        usual: float = 0.0,
    ) -> None:
        self.world: World = controllers.store.world
        self._store, self._nodes, self._kubelets = controllers.store, controllers.nodes, controllers.kubelets
        self._behave, self._selector, self._service = behave, {"matchLabels": dict(labels)}, service
        self.rps, self.probe_rps, self.usual = rps, probe_rps, usual
        self.users, self._random = Account(), self.world.stream("traffic")
        self.harm_since: int | None = None  # when an instance first failed more than is usual, by what it does
        self._pods: dict[str, Stored] = {}
        self._does: dict[str, tuple[Behaviour, ...]] = {}
        # Worked out when it is asked for, until something changes: what is wrong with those that answer, None of those
        # that do not; whom the users of each node ask; whom probes ask.
        self._present: dict[str, tuple[Behaviour, ...] | None] = {}
        self._nodes_asked: tuple[list[str], dict[str, str]] | None = None
        self._probed: list[str] | None = None
        self._led: tuple[str, ...] = ()
        self._flows: dict[str, _Flows] = {}
        self._settled, self._owed, self._probes_owed, self._turn = self.world.micros, 0.0, 0.0, 0
        self.counted: Callable[[Mapping[str, Tally]], None] = lambda by_pod: None
        self._listen(controllers)

    def _listen(self, controllers: Controllers) -> None:
        self._store.listen(POD, self._pod_changed)
        self._store.listen(SLICE, self._slice_changed)
        self._store.listen(NODE, lambda change: self._forget())
        controllers.kubelets.before_change.append(self._before_change)
        controllers.nodes.before_change.append(self._before_change)
        for pod in self._store.rows(POD):
            self._note(pod)
        for found in self._store.rows(SLICE):
            self._lead(found)

    # ── Who takes requests ──────────────────────────────────────────────────────────────────────────────────────

    def _before_change(self) -> None:
        self.settle()
        self._forget()

    def _forget(self) -> None:
        self._present.clear()
        self._nodes_asked = self._probed = None

    def _pod_changed(self, change: Change) -> None:
        self._forget()
        if change.after is None:
            self._pods.pop(change.stored.uid, None)
        else:
            self._note(change.after)

    def _note(self, pod: Stored) -> None:
        if selects(self._selector, pod.labels):
            self._pods[pod.uid] = pod

    def _slice_changed(self, change: Change) -> None:
        self.settle()
        if change.after is not None:
            self._lead(change.after)

    def _lead(self, found: Stored) -> None:
        """New flows go to ready endpoints, and where there are none, to those that end and still serve."""
        name = found.labels.get("kubernetes.io/service-name", "")
        if self._service is None or (found.name[0], name) != self._service:
            return
        endpoints = found.document["endpoints"]
        there = set(_of(endpoints, "serving"))  # the flows of one that does not serve are cleared
        led = _of(endpoints, "ready") or _of(endpoints, "serving")
        left = [uid for uid in self._led if uid not in led and uid in there]
        share = _OLD_FLOWS / len(self._led) if self._led else 0.0
        now = self.world.micros
        self._flows = {uid: held for uid, held in self._flows.items() if uid in there and uid not in led}
        self._flows |= {uid: _Flows(now, share) for uid in left}
        self._led = led

    def _answering(self, uid: str) -> tuple[Behaviour, ...] | None:
        """What is wrong with a pod whose containers run on a machine that is there; None: nobody answers."""
        if uid not in self._present:
            pod = self._pods.get(uid)
            runs = pod is not None and uid in self._kubelets.running and self._nodes.is_there(pod.spec["nodeName"])
            self._present[uid] = self._troubles(pod) if pod is not None and runs else None
        return self._present[uid]

    def _troubles(self, pod: Stored) -> tuple[Behaviour, ...]:
        """What those of its containers do that do not always answer well."""
        found = self._does.get(pod.uid)
        if found is None:
            all_ = (self._behave(one["image"], pod.spec["nodeName"]) for one in pod.spec["containers"])
            found = self._does[pod.uid] = tuple(one for one in all_ if one.wrong or one.late or one.leaks)
        return found

    @property
    def of_troubled(self) -> Tally:
        """What users asked instances that do not always answer well, and were answered."""
        whole = Tally()
        for uid in (uid for uid, troubles in self._does.items() if troubles):
            whole.add(self.users.of(uid))
        return whole

    # ── Asking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Accounts for all that was asked up to now, by who answers at present: called before that changes."""
        while self._settled < self.world.micros:
            until = min(self._settled + round(_SLICE_S * _SECOND), self.world.micros)
            self._ask(self._settled, until)
            self._settled = until

    def _ask(self, since: int, until: int) -> None:
        seconds = (until - since) / _SECOND
        requests, self._owed = divmod(self._owed + self.rps * seconds, 1)
        probes, self._probes_owed = divmod(self._probes_owed + self.probe_rps * seconds, 1)
        middle = (since + until) // 2
        if self._service is None:
            by_user, probed = self._by_node(int(requests)), self._all_ready()
        else:
            by_user, probed = self._through_service(int(requests), middle), list(self._led)
        for uid, asked in by_user.items():
            lost = self._answer(self.users.of(uid), uid, asked, middle)
            if lost:
                self.users.note_lost(since, until, lost, self._why(uid))
        self._probe(int(probes), probed, middle)

    def _through_service(self, requests: int, middle: int) -> dict[str, int]:
        asked: dict[str, int] = {}
        for uid, flows in self._flows.items():
            if found := some(self._random, requests, flows.at(middle)):
                asked[uid] = found
        return asked | self._evenly(requests - sum(asked.values()), self._led)

    def _by_node(self, requests: int) -> dict[str, int]:
        """Those on each node that runs ask its pod."""
        if self._nodes_asked is None:
            names = [node.metadata["name"] for node in self._store.rows(NODE)]
            nodes = [name for name in names if self._nodes.is_there(name) or self._nodes.is_cut_off(name)]
            self._nodes_asked = nodes, self._serving()
        nodes, serving = self._nodes_asked
        asked: dict[str, int] = {}
        for node, share in self._evenly(requests, nodes).items():
            uid = serving.get(node, "")
            asked[uid] = asked.get(uid, 0) + share
        return asked

    def _serving(self) -> dict[str, str]:
        """The pod of each node, a ready one if there are several."""
        serving: dict[str, str] = {}
        for uid in self._kubelets.running:
            pod = self._pods.get(uid)
            if pod is not None and (pod.is_ready or pod.spec["nodeName"] not in serving):
                serving[pod.spec["nodeName"]] = uid
        return serving

    def _all_ready(self) -> list[str]:
        if self._probed is None:
            self._probed = [uid for uid, pod in self._pods.items() if pod.is_ready and not pod.is_ending]
        return self._probed

    def _evenly(self, requests: int, names: Sequence[str]) -> dict[str, int]:
        """Each the same, and whose turn it is one more; where there is nobody, nobody is asked."""
        if not names:
            return {"": requests} if requests else {}
        each, over = divmod(requests, len(names))
        self._turn = (self._turn + over) % len(names)
        if not over:
            return dict.fromkeys(names, each)
        return {name: each + ((place - self._turn) % len(names) < over) for place, name in enumerate(names)}

    def _answer(self, tally: Tally, uid: str, asked: int, middle: int) -> int:
        """Counts what a pod makes of so many requests; how many of them nobody answers."""
        tally.requests += asked
        troubles = self._answering(uid)
        if troubles is None:
            tally.lost += asked
            return asked
        if troubles or self.usual:
            self._answer_badly(tally, troubles, asked, middle, self._kubelets.running[uid])
        return 0

    def _answer_badly(self, tally: Tally, troubles: Iterable[Behaviour], asked: int, middle: int, started: int) -> None:
        wrong, late = 0.0, 0.0
        for does in troubles:
            mine = does.answers((middle - started) / _SECOND)
            wrong, late = max(wrong, mine[0]), max(late, mine[1])
        if not wrong and not late and not self.usual:
            return
        if self.harm_since is None and wrong + late > 0:
            self.harm_since = middle
        failed = some(self._random, asked, max(wrong, self.usual))
        tally.wrong += failed
        tally.late += some(self._random, asked - failed, late)

    def _why(self, uid: str) -> str:
        if not uid:
            return "no endpoint" if self._service is not None else "no pod on the node"
        pod = self._pods.get(uid)
        if pod is not None and not self._nodes.is_there(pod.spec.get("nodeName", "")):
            return "its node is lost"
        return "flows of before" if uid in self._flows else "the pod has ended or crashed"

    def _probe(self, probes: int, pods: Sequence[str], middle: int) -> None:
        """Half of them through the Service, where there is one; of those that reach no pod, nobody knows which."""
        by_pod: dict[str, Tally] = {}
        through = {} if self._service is None else self._through_service(probes // 2, middle)
        if through:
            together = by_pod[""] = Tally()
            for uid, asked in through.items():
                self._answer(together, uid, asked, middle)
        for uid, asked in self._evenly(probes - sum(through.values()), pods).items():
            if uid:
                tally = by_pod[uid] = Tally()
                self._answer(tally, uid, asked, middle)
        self.counted({uid: tally for uid, tally in by_pod.items() if tally.requests})


def _of(endpoints: Iterable[Document], what: str) -> tuple[str, ...]:
    return tuple(one["targetRef"]["uid"] for one in endpoints if one["conditions"][what])


class SimSignals:
    """ports.Signals: what probes counted, each count with the time that the watcher's clock showed then."""

    def __init__(self, traffic: Traffic, clock: Clock, sli: str) -> None:
        self._traffic, self._clock, self._sli = traffic, clock, sli
        self._counted: deque[tuple[datetime, Mapping[str, Tally]]] = deque()
        self._since: datetime | None = None
        traffic.counted = self._note

    def _note(self, by_pod: Mapping[str, Tally]) -> None:
        if self._since is not None:
            self._counted.append((self._clock.now(), by_pod))

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        now = self._clock.now()
        self._traffic.settle()
        self._since = self._since or now
        while self._counted and self._counted[0][0] < now - timedelta(seconds=_KEPT_S):
            self._counted.popleft()
        if all(objective.sli != self._sli for objective in step.objectives):
            return ()
        whole = Account()
        for at, by_pod in reversed(self._counted):
            if at <= since:
                break
            for uid, tally in by_pod.items():
                whole.of(uid).add(tally)
        return tuple(
            Answered(sli=self._sli, counts=Counts(tally.requests, tally.bad), pod=uid)
            for uid, tally in whole.by_pod.items()
        )

    def close(self) -> None:
        self._since = None
        self._counted.clear()
