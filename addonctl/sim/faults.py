"""Faults of the infrastructure, drawn by seed: what goes wrong, when, for how long. A new one is one function below.

A fault begins, and its function says how it ends; nothing lasts for ever, so a world comes to rest and what must happen
then can be asked for. Each drawn fault has a seed of its own: leaving one out, as shrinking does, changes no other. A
fault needs parts of the scene (nodes, an EKS, a clock); what has no object in a world is never drawn there.

Reads of objects are never stale, since production reads them with a quorum: what is late are watches, and EKS.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from addonctl.errors import AddonctlError, Forbidden, NotAllowed, NotReachable, TimedOut, TooManyRequests, Unavailable
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Controllers
from addonctl.sim.controllers.nodes import NODE
from addonctl.sim.documents import copied, merged
from addonctl.sim.eks import SimEks
from addonctl.sim.gitops import APPLICATION, HELM_RELEASE, ArgoCd, HelmController
from addonctl.sim.kinds import Key
from addonctl.sim.store import POD, Store, is_ready
from addonctl.sim.traffic import Traffic
from addonctl.sim.weather import Call
from addonctl.sim.world import World

_ZONE = "topology.kubernetes.io/zone"
_PORTS = ("objects", "eks", "helm")


class Storm:
    """The weather that faults make; see weather.Weather. `met` counts how often each of them struck."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.met: Counter[str] = Counter()
        self._rules: list[Rule] = []

    def before(self, call: Call) -> None:
        if not self._rules:
            return
        for rule in list(self._rules):
            if not rule.is_after and rule.strikes(call):
                self._strike(rule, call)

    def after(self, call: Call) -> None:
        if not self._rules:
            return
        for rule in list(self._rules):
            if rule.is_after and rule.strikes(call):
                self._strike(rule, call)

    def _strike(self, rule: "Rule", call: Call) -> None:
        self.met[rule.name] += 1
        self.world.note(f"fault {rule.name} {call.port} {call.verb} {call.what}")
        error = rule.what(call)
        if error is not None:
            raise error

    def watch_lag_s(self) -> float:
        return max((rule.lag_s for rule in self._rules), default=0.0)

    def add(self, rule: "Rule") -> Callable[[], None]:
        """The rule holds until what is returned is called."""
        self._rules.append(rule)
        return lambda: self._rules.remove(rule)


@dataclass(slots=True, eq=False)
class Rule:
    """Strikes some calls, at a rate: by an error that `what` gives, or by what it does where it gives none."""

    name: str
    random: Random
    rate: float = 0.0
    what: Callable[[Call], AddonctlError | None] = lambda call: None
    applies: Callable[[Call], bool] = lambda call: True
    is_after: bool = False
    lag_s: float = 0.0

    def strikes(self, call: Call) -> bool:
        return self.rate > 0 and self.applies(call) and self.random.random() < self.rate


@dataclass(slots=True)
class Scene:
    """What faults may act on: a client's weather, its cluster, and what else there is."""

    store: Store
    weather: Storm
    controllers: Controllers | None = None
    eks: SimEks | None = None
    clocks: tuple[SimClock, ...] = ()
    traffic: Traffic | None = None
    argo: ArgoCd | None = None
    flux: HelmController | None = None
    helm: bool = False
    _set: dict[tuple[int, str], list[tuple[object, Any]]] = field(default_factory=dict)

    def override(self, target: object, name: str, value: Any) -> "End":
        """Sets an attribute until what is returned is called; of several, the last counts."""
        mine = (object(), value)
        values = self._set.setdefault((id(target), name), [(None, getattr(target, name))])
        values.append(mine)
        setattr(target, name, value)

        def end() -> None:
            values.remove(mine)
            setattr(target, name, values[-1][1])

        return end

    @property
    def world(self) -> World:
        return self.store.world

    @property
    def has(self) -> frozenset[str]:
        """The parts that faults may need."""
        nodes = self.store.rows(NODE) if self.controllers is not None else []
        zones = {node.labels.get(_ZONE, "") for node in nodes}
        there = {"nodes": len(nodes) > 1, "zones": len(zones) > 1, "eks": self.eks is not None}
        there |= {"controllers": self.controllers is not None, "clock": bool(self.clocks)}
        there |= {"traffic": self.traffic is not None, "helm": self.helm}
        there |= {"argo": self.argo is not None, "flux": self.flux is not None}
        there |= {"gitops": there["argo"] or there["flux"]}
        return frozenset(name for name, is_there in there.items() if is_there)


End = Callable[[], None]
Begin = Callable[[Scene, Random], End]


@dataclass(frozen=True, slots=True)
class Fault:
    """`lasts_s`: from and to how many seconds; `needs`: parts of the scene."""

    name: str
    begin: Begin
    lasts_s: tuple[float, float]
    needs: frozenset[str]

    @property
    def what(self) -> str:
        return (self.begin.__doc__ or "").strip()


FAULTS: dict[str, Fault] = {}


def fault(name: str, lasts_s: tuple[float, float], *needs: str) -> Callable[[Begin], Begin]:
    """Enters a function in the table."""

    def enter(begin: Begin) -> Begin:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, begin, lasts_s, frozenset(needs))
        return begin

    return enter


# ── Drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Drawn:
    """One fault of one run, in seconds from the beginning of the world."""

    fault: str
    at_s: float
    lasts_s: float
    seed: int


def draw(scene: Scene, most: int, within_s: float, only: Iterable[str] = ()) -> tuple[Drawn, ...]:
    """Up to `most` faults that begin within so many seconds, in the order in which they begin.

    Each run draws first which kinds it has at all: some runs are all of one kind, which an even mixture never is.
    """
    random = scene.world.stream("faults")
    wanted = tuple(only)
    possible = [one for one in FAULTS.values() if one.needs <= scene.has and (not wanted or one.name in wanted)]
    chosen = [one for one in possible if random.random() < 0.5] or possible
    most = random.randint(0, most) if chosen else 0
    drawn = (begins(random, random.choice(chosen).name, scene.world.seconds, within_s) for _ in range(most))
    return tuple(sorted(drawn, key=lambda one: (one.at_s, one.seed)))


def begins(random: Random, fault: str, now_s: float, within_s: float) -> Drawn:
    """A fault that begins within so many seconds, and lasts as long as such a fault may."""
    at_s = round(now_s + random.uniform(0, within_s), 3)
    lasts_s = round(random.uniform(*FAULTS[fault].lasts_s), 3)
    return Drawn(fault, at_s, lasts_s, random.getrandbits(32))


def schedule(scene: Scene, drawn: Iterable[Drawn]) -> float:
    """Lets the faults happen; the second after which none of them is at work any more."""
    quiet = scene.world.seconds
    for one in drawn:
        found = FAULTS[one.fault]
        assert found.needs <= scene.has, f"{one.fault} needs {sorted(found.needs - scene.has)}, which is not there"
        scene.world.after(max(one.at_s - scene.world.seconds, 0), partial(_begin, scene, one))
        quiet = max(quiet, one.at_s + one.lasts_s)
    return quiet


def _begin(scene: Scene, drawn: Drawn) -> None:
    scene.world.note(f"fault {drawn.fault} begins")
    end = FAULTS[drawn.fault].begin(scene, Random(drawn.seed))
    scene.world.after(drawn.lasts_s, end)


# ── The way to the servers ──────────────────────────────────────────────────────────────────────────────────────


def _of(port: str) -> Callable[[Call], bool]:
    return lambda call: call.port == port


@fault("throttled", (2, 90))
def _throttled(scene: Scene, random: Random) -> End:
    """Calls of one API are answered with 429."""

    def what(call: Call) -> AddonctlError:
        return TooManyRequests("Too many requests", reason="ThrottlingException", retry_after_s=1.0)

    port = random.choice(_PORTS)
    return scene.weather.add(Rule("throttled", random, random.uniform(0.2, 0.95), what, _of(port)))


@fault("unavailable", (1, 60))
def _unavailable(scene: Scene, random: Random) -> End:
    """One API answers with 5xx, now and then or always."""
    port, rate = random.choice(_PORTS), random.choice((0.3, 0.7, 1.0))
    rule = Rule("unavailable", random, rate, lambda call: Unavailable("the server is unavailable"), _of(port))
    return scene.weather.add(rule)


@fault("unreachable", (1, 60))
def _unreachable(scene: Scene, random: Random) -> End:
    """No connection: nothing is sent."""
    rule = Rule("unreachable", random, random.choice((0.3, 1.0)), lambda call: NotReachable("connection refused"))
    return scene.weather.add(rule)


@fault("lost answers", (5, 120))
def _lost_answers(scene: Scene, random: Random) -> End:
    """Writes are done, and the answer never comes."""
    rule = Rule(
        "lost answers",
        random,
        random.uniform(0.2, 0.8),
        lambda call: TimedOut(f"no answer to {call.verb} in time"),
        lambda call: call.writes,
        is_after=True,
    )
    return scene.weather.add(rule)


@fault("slow answers", (5, 120))
def _slow_answers(scene: Scene, random: Random) -> End:
    """Each call takes seconds, in which the world goes on."""
    seconds = random.uniform(0.2, 5.0)
    rule = Rule("slow answers", random, 0.8, lambda call: scene.world.advance(random.uniform(0, seconds)))
    return scene.weather.add(rule)


@fault("expired credentials", (10, 300))
def _expired_credentials(scene: Scene, random: Random) -> End:
    """Credentials of one API, or of all, are not accepted until somebody renews them."""
    ports = random.choice((("eks",), ("objects", "helm"), _PORTS))
    rule = Rule("expired credentials", random, 1.0, lambda call: NotAllowed("expired"), lambda call: call.port in ports)
    return scene.weather.add(rule)


@fault("permission withdrawn", (10, 300))
def _permission_withdrawn(scene: Scene, random: Random) -> End:
    """One kind of write is forbidden."""
    verb = random.choice(("apply", "patch", "delete", "evict", "UpdateAddon", "upgrade", "rollback"))
    rule = Rule("permission withdrawn", random, 1.0, lambda call: Forbidden(verb), lambda call: call.verb == verb)
    return scene.weather.add(rule)


@fault("somebody else writes", (5, 120))
def _somebody_else_writes(scene: Scene, random: Random) -> End:
    """Objects change between our reading and our writing: who asks for the state that was read gets a 409."""

    def write(call: Call) -> None:
        for key in scene.store.stored_kinds():
            for one in scene.store.rows(key):
                if str(one.ref) == call.what:
                    notes = {**(one.metadata.get("annotations") or {}), "example.org/seen": scene.world.stamp}
                    document = copied(one.document)
                    document["metadata"]["annotations"] = notes
                    scene.store.update(one, document, "somebody")

    changes = ("apply", "patch", "delete")
    rule = Rule("somebody else writes", random, random.uniform(0.1, 0.6), write, lambda call: call.verb in changes)
    return scene.weather.add(rule)


@fault("watch lag", (10, 180))
def _watch_lag(scene: Scene, random: Random) -> End:
    """Watches tell of changes late."""
    return scene.weather.add(Rule("watch lag", random, lag_s=random.uniform(1, 30)))


@fault("compaction", (1, 2))
def _compaction(scene: Scene, random: Random) -> End:
    """The server forgets the past: watches that are behind have to list again (410)."""
    scene.store.compact(scene.store.version)
    scene.weather.met["compaction"] += 1
    return lambda: None


# ── EKS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@fault("late descriptions", (10, 300), "eks")
def _late_descriptions(scene: Scene, random: Random) -> End:
    """For some time after an update, EKS describes what was before."""
    assert scene.eks is not None
    return scene.override(scene.eks.pace, "late_s", random.uniform(5, 60))


@fault("slow updates", (30, 900), "eks")
def _slow_updates(scene: Scene, random: Random) -> End:
    """Updates of EKS add-ons that begin now take minutes before anything is applied."""
    assert scene.eks is not None
    return scene.override(scene.eks.pace, "apply_s", random.uniform(60, 900))


@fault("failed update", (30, 600), "eks")
def _failed_update(scene: Scene, random: Random) -> End:
    """The next update fails for a reason of EKS's own, and stays applied."""
    eks = scene.eks
    assert eks is not None
    eks.fails_next = random.choice(("InternalFailure", "ClusterUnreachable", "AdmissionRequestDenied"))
    return lambda: setattr(eks, "fails_next", "")


# ── Helm, Argo CD and Flux ──────────────────────────────────────────────────────────────────────────────────────────


@fault("helm killed", (5, 120), "helm")
def _helm_killed(scene: Scene, random: Random) -> End:
    """The helm program is killed in the middle, and leaves its revision pending."""
    rule = Rule(
        "helm killed",
        random,
        random.uniform(0.3, 0.9),
        lambda call: TimedOut("helm was killed"),
        lambda call: call.port == "helm" and call.verb in ("apply", "record"),
    )
    return scene.weather.add(rule)


@fault("late controllers", (30, 300), "gitops")
def _late_controllers(scene: Scene, random: Random) -> End:
    """Argo CD or Flux looks at its objects late."""
    controller = scene.argo or scene.flux
    assert controller is not None
    scene.weather.met["late controllers"] += 1
    return scene.override(controller.queue, "soon_s", (random.uniform(5, 30), random.uniform(30, 120)))


@fault("somebody synchronises", (1, 2), "argo")
def _somebody_synchronises(scene: Scene, random: Random) -> End:
    """A person presses Sync, where nothing is under way: all that the Application holds is applied."""
    for found in scene.store.rows(APPLICATION):
        if not found.document.get("operation"):
            asked = {"sync": {"prune": True}, "initiatedBy": {"username": "somebody"}}
            scene.store.update(found, {**found.document, "operation": asked}, "somebody")
            scene.weather.met["somebody synchronises"] += 1
    return lambda: None


@fault("somebody resumes", (1, 2), "gitops")
def _somebody_resumes(scene: Scene, random: Random) -> End:
    """A person takes a controller that was held for one that was forgotten, and lets it reconcile again."""
    resumed: Mapping[Key, Mapping[str, Any]] = {
        APPLICATION: {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
        HELM_RELEASE: {"suspend": None, "driftDetection": {"mode": "enabled"}},
    }
    for key, spec in resumed.items():
        for found in scene.store.rows(key) if scene.store.kinds.served(key) else ():
            changed = merged(found.document, {"spec": spec})
            scene.store.update(found, changed, "somebody")
            scene.weather.met["somebody resumes"] += 1
    return lambda: None


# ── The cluster ─────────────────────────────────────────────────────────────────────────────────────────────────


def _lose(scene: Scene, names: list[str]) -> End:
    """Loses nodes that are there; at the end those come back that this fault has lost, unless they were removed."""
    nodes = scene.controllers.nodes if scene.controllers is not None else None
    assert nodes is not None
    mine = [name for name in names if nodes.is_there(name)]
    for name in mine:
        nodes.lose(name)
        scene.weather.met["node lost"] += 1

    def back() -> None:
        for name in mine:
            if not nodes.is_there(name) and scene.store.get(NODE, "", name) is not None:
                nodes.bring_back(name)

    return back


@fault("node lost", (20, 900), "nodes")
def _node_lost(scene: Scene, random: Random) -> End:
    """A machine stops answering, and comes back later."""
    names = [node.metadata["name"] for node in scene.store.rows(NODE)]
    return _lose(scene, [random.choice(names)])


@fault("zone lost", (20, 600), "zones")
def _zone_lost(scene: Scene, random: Random) -> End:
    """All machines of a zone stop answering at once."""
    nodes = scene.store.rows(NODE)
    zone = random.choice(sorted({node.labels.get(_ZONE, "") for node in nodes}))
    return _lose(scene, [node.metadata["name"] for node in nodes if node.labels.get(_ZONE, "") == zone])


@fault("slow starts", (30, 300), "controllers")
def _slow_starts(scene: Scene, random: Random) -> End:
    """Images are pulled slowly: every container takes long to start."""
    assert scene.controllers is not None
    return scene.override(scene.controllers.kubelets, "pull_s", random.uniform(10, 120))


@fault("flapping pods", (10, 120), "controllers")
def _flapping_pods(scene: Scene, random: Random) -> End:
    """A ready pod fails its readiness probe for some seconds, as under load."""
    assert scene.controllers is not None
    ready = [pod for pod in scene.store.rows(POD) if is_ready(pod) and not pod.is_ending]
    if ready:
        scene.controllers.kubelets.fail_readiness(random.choice(ready).name, random.uniform(3, 30))
        scene.weather.met["flapping pods"] += 1
    return lambda: None


@fault("clock jump", (10, 600), "clock")
def _clock_jump(scene: Scene, random: Random) -> End:
    """One machine's clock is set wrong, forward or back, and right again later."""
    clock = random.choice(scene.clocks)
    seconds = random.choice((-1, 1)) * random.choice((1.0, 60.0, 3600.0, 86_400.0))
    clock.jump(seconds)
    scene.weather.met["clock jump"] += 1
    return lambda: clock.jump(-seconds)


# ── What the add-on itself needs ────────────────────────────────────────────────────────────────────────────────


@fault("upstream fails", (5, 60), "traffic")
def _upstream_fails(scene: Scene, random: Random) -> End:
    """What the add-on asks itself fails now and then: old and new instances alike answer wrongly."""
    assert scene.traffic is not None
    scene.traffic.settle()
    scene.weather.met["upstream fails"] += 1
    return scene.override(scene.traffic, "usual", random.choice((0.02, 0.05, 0.2)))
