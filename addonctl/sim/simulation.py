"""Simulated updates: the production worker updates an add-on in a world made by a scenario, and an auditor judges.

`simulate(seed, mix)` is one run; the same seed is the same run, bit for bit. `shrunk` leaves out of a failing run's
scenario what the failure does not need; `story` tells a run in lines. Worker, executor, orchestrator and gate are those
that work on real clusters.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

from addonctl.errors import BadInput, Conflict, Invalid, NotServed
from addonctl.executor import Executor
from addonctl.hands import Ports
from addonctl.model import READY, Note, Objective, ObjectRef, live, owners
from addonctl.model.journal import Line
from addonctl.model.plan import Plan, Rollout, Step, Target, Wave
from addonctl.model.run import Approved, Cancelled, Limits, NoWayBack, Paused, Phase, Resumed, Run, Why
from addonctl.ports import Clock
from addonctl.sim.auditor import Auditor, Violation
from addonctl.sim.checkpoints import SimCheckpoints
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.documents import Document
from addonctl.sim.eks import Pace, Renderer, SimEks, SimEksAddons
from addonctl.sim.faults import Scene, Storm, schedule
from addonctl.sim.incidents import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from addonctl.sim.journal import HOLD_S, Shelf, SimJournal
from addonctl.sim.objects import SimObjects
from addonctl.sim.readiness import is_rolled_out
from addonctl.sim.scenario import BEGINS_S, Mix, Scenario, drawn, told
from addonctl.sim.store import Store
from addonctl.sim.traffic import SimSignals, Tally, Traffic
from addonctl.sim.weather import Call
from addonctl.sim.world import World
from addonctl.versions import Version
from addonctl.worker import Worker

VERSIONS = tuple(Version.of(f"v1.{minor}.0-eksbuild.1") for minor in range(3))
_ADDON, _SPACE, _IMAGE, _SLI = "dns", "kube-system", "eks/dns", "answers"
_ROLE = "arn:aws:iam::123456789012:role/dns"
_LABELS = {"app": _ADDON}
_CANARIES = ("canary-in-the-configuration", "canary-in-a-secret", "canary-in-the-environment")
_CONFIGURATION = f'{{"token": "{_CANARIES[0]}"}}'
_LIMITS = Limits(apply_s=600, approval_s=3_600)
_ROLLOUTS = {DEPLOYMENT: Rollout.SURGE, DAEMON_SET: Rollout.NODE_BY_NODE, STATEFUL_SET: Rollout.ONE_BY_ONE}
# When nothing disturbs the world any more it comes to rest within this time.
_REST_S = 180.0
_PEOPLE: Mapping[str, Callable[[str], Approved | Cancelled | Paused | Resumed]] = {
    "approve": Approved,
    "cancel": Cancelled,
    "pause": Paused,
    "resume": Resumed,
}
# Harm that sets in later than so long before the end of a run counts as harm to come: there was no time to notice it.
_NOTICED_S = 60.0
# So often somebody approves, whether or not anything waits for it.
_APPROVES_S = 100.0


class End(StrEnum):
    """What became of an update, in the order of what is told of many."""

    UPDATED = "updated"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    NO_WAY_BACK = "no way back"  # of a step that said so before it began; a person must look
    STUCK = "stuck"  # a person must look
    MISSED = "harm missed"  # the new version was kept, and what is wrong with it showed before the end
    LATENT = "harm to come"  # the new version was kept, and what is wrong with it shows only later
    WRONG = "wrong"  # an invariant was violated

    @property
    def bad(self) -> bool:
        return self in (End.STUCK, End.MISSED, End.LATENT, End.WRONG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One simulated update. Times in seconds of the world; `faults` struck so often, `users` is what users met.

    `old_again_s` after it had turned back, only the old version took requests; after `back_s` all was as before.
    """

    scenario: Scenario
    end: End
    phase: Phase
    why: str
    took_s: float
    back_s: float | None
    old_again_s: float | None
    users: Tally
    faults: int
    boundaries: int
    violations: tuple[Violation, ...]
    trace: str


class Died(Exception):
    """The worker's process was killed."""


class NoEnd(Exception):
    """The run goes on for longer than it may."""


# ── The world ───────────────────────────────────────────────────────────────────────────────────────────────────


def manifests(one: Scenario, version: Version) -> list[Document]:
    metadata = {"name": _ADDON, "namespace": _SPACE}
    environment = [{"name": "TOKEN", "value": _CANARIES[2]}]
    container: Document = {"name": _ADDON, "image": f"{_IMAGE}:{version}", "env": environment}
    if one.drain_s:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": one.drain_s}}}
    template = {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}}
    spec: Document = {"selector": {"matchLabels": _LABELS}, "template": template}
    if one.kind == DEPLOYMENT:
        rolling = {"maxSurge": one.surge, "maxUnavailable": "25%"}
        spec |= {"replicas": one.instances, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    if one.kind == STATEFUL_SET:
        spec |= {"replicas": one.instances, "serviceName": _ADDON}
    budget = {"minAvailable": one.least, "selector": {"matchLabels": _LABELS}}
    secret = {"stringData": {"key": _CANARIES[1]}}
    service = {"selector": _LABELS, "ports": [{"port": 53}]}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **secret},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": budget},
        {"apiVersion": "apps/v1", "kind": one.kind, "metadata": metadata, "spec": spec},
    ]


class Stage:
    """The world of a scenario, with the add-on settled in its old version, and a client's way to it."""

    def __init__(self, one: Scenario) -> None:
        self.scenario, self.world = one, World(one.seed)
        self.store = Store(self.world)
        self.last = VERSIONS[one.steps]
        behave = as_in({f"{_IMAGE}:{self.last}": one.does}, Behaviour(stop_s=one.stop_s))
        self.controllers = Controllers(self.store, behave)
        for number, name in enumerate(one.node_names):
            self.controllers.nodes.add(name, {"topology.kubernetes.io/zone": "ab"[number % 2]})
        self.eks = SimEks(self.store, dict(self._versions()), Pace(apply_s=5, poll_s=5))
        self._install()
        service = (_SPACE, _ADDON) if one.kind != DAEMON_SET else None
        self.traffic = Traffic(
            self.controllers,
            behave,
            _LABELS,
            service=service,
            rps=one.rps,
            probe_rps=one.probe_rps,
            usual=one.usual,
        )
        self.clock = SimClock(self.world)
        self.storm = Storm(self.world)
        self.scene = Scene(self.store, self.storm, self.controllers, self.eks, (self.clock,), self.traffic)

    def _versions(self) -> Iterator[tuple[tuple[str, str], Renderer]]:
        for version in VERSIONS[: self.scenario.steps + 1]:
            yield (_ADDON, str(version)), self._rendered(version)

    def _rendered(self, version: Version) -> Renderer:
        made = manifests(self.scenario, version)

        def render(configuration: str) -> list[Document]:
            if version == self.last and self.scenario.does.rejects:
                raise Invalid("ConfigurationValue provided in request is not supported", reason="InvalidParameter")
            return made

        return render

    def _install(self) -> None:
        SimEksAddons(self.eks).create(
            _ADDON,
            namespace="",
            version=str(VERSIONS[0]),
            role_arn=_ROLE,
            identities=(),
            configuration=_CONFIGURATION,
            resolve_conflicts=live.ResolveConflicts.OVERWRITE,
            token="first",
        )
        assert self.world.until(self._is_settled, BEGINS_S / 2), f"seed {self.scenario.seed} does not settle"
        self.world.advance(BEGINS_S - self.world.seconds)

    def _is_settled(self) -> bool:
        found = self.store.get(("apps", self.scenario.kind), _SPACE, _ADDON)
        return found is not None and is_rolled_out(found) and self.eks.describe(_ADDON).status == "ACTIVE"

    def plan(self) -> Plan:
        steps = tuple(self._step(number) for number in range(self.scenario.steps))
        return Plan(cluster="prod-eu-1", kubernetes=None, made=self.world.now, goal="newer", steps=steps)

    def _step(self, number: int) -> Step:
        one, last = self.scenario, number + 1 == self.scenario.steps
        kinds = (("Secret", ""), ("Service", ""), ("PodDisruptionBudget", "policy"))
        return Step(
            id=str(number + 1),
            installation=f"{_ADDON}/{_SPACE}/{_ADDON}",
            addon=_ADDON,
            owner=owners.EksAddon(_ADDON),
            from_version=VERSIONS[number],
            to_version=VERSIONS[number + 1],
            do=(Note("the new version"),),
            undo=(Note("the old version"),),
            irreversible="the old version is offered no more" if one.irreversible and last else "",
            approval=one.approval and last,
            targets=(
                Target(
                    ref=ObjectRef.of(one.kind, _ADDON, _SPACE), rollout=_ROLLOUTS[one.kind], instances=one.instances
                ),
            ),
            objects=tuple(ObjectRef(kind=kind, name=_ADDON, namespace=_SPACE, group=group) for kind, group in kinds),
            waves=tuple(waves(one)),
            objectives=(Objective(sli=READY), Objective(sli=_SLI)),
            soak_s=one.soak_s,
        )


def waves(one: Scenario) -> Iterator[Wave]:
    """One instance, then up to three times as many, as plans have it."""
    done = 0
    while done < one.instances:
        size = min(max(3 * done, 1), one.instances - done)
        yield Wave(instances=size, canary=not done)
        done += size
    if one.kind == DEPLOYMENT and one.instances == 1:
        yield Wave(instances=0)


class _Absent:
    """A port to what is not in this world."""

    def __getattr__(self, name: str) -> Any:
        raise NotServed(f"{name}: there is no such thing in this world")


# ── The run ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Drive:
    """Workers that carry the plan out, one after the other as they die, and people who ask, until the run has ended."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world, self.scenario = stage, stage.world, stage.scenario
        self.plan, self.shelf, self.boundaries = stage.plan(), Shelf(), 0
        self.deaths: list[float] = []
        self.quiet_s = schedule(stage.scene, self.scenario.faults)
        self.auditor = Auditor(
            scenario=self.scenario,
            plan=self.plan,
            store=stage.store,
            nodes=stage.controllers.nodes,
            eks=stage.eks,
            labels=_LABELS,
            canaries=_CANARIES,
        )
        self._ports = self._ways()
        self._people()
        last_word = max((at_s for at_s, _ in self.scenario.asked), default=0.0)
        self._until_s = max(self.quiet_s, self.world.seconds, last_word) + bound_s(self.plan, _LIMITS)

    def _ways(self) -> Ports:
        stage = self.stage
        addons, objects = SimEksAddons(stage.eks, self), SimObjects(stage.store, weather=self)
        absent = cast(Any, _Absent())
        return Ports(
            reader=objects,
            writer=objects,
            eks=addons,
            eks_writer=addons,
            checkpoints=SimCheckpoints(),
            signals=SimSignals(stage.traffic, stage.clock, _SLI),
            clock=stage.clock,
            gitops=absent,
            helm=absent,
            helm_writer=absent,
            manifests=absent,
        )

    def _people(self) -> None:
        asked = list(self.scenario.asked)
        if self.scenario.approval:
            asked += [(BEGINS_S + _APPROVES_S * number, "approve") for number in range(1, 6 * self.scenario.steps)]
        for at_s, what in asked:
            self.world.after(at_s - self.world.seconds, lambda what=what: self._ask(what))  # type: ignore[misc]

    def _ask(self, what: str) -> None:
        kept = self.shelf.kept.get("run")
        if kept is None or kept.run.phase.ended:
            return
        SimJournal(self.shelf, "somebody", self.stage.clock).ask("run", _PEOPLE[what]("somebody"))

    def to_the_end(self) -> Run:
        for number in itertools.count():
            name = f"worker-{number}"
            journal = Mortal(self, name, self.stage.clock)
            worker = Worker(name, Executor(self._ports), journal, self.stage.clock)
            try:
                if number == 0:
                    return worker.drive(worker.begin("run", self.plan, "somebody", limits=_LIMITS))
                return worker.drive(self._taken(journal))
            except Died:
                self.deaths.append(self.world.seconds)
                self.world.advance(HOLD_S + 1)
            except NoEnd:
                run = self.shelf.kept["run"].run
                self.auditor.found(f"no end: {run.phase}, waits for {run.waits_for or 'something to be seen'}")
                return run
        raise AssertionError

    def _taken(self, journal: "Mortal") -> Run:
        """The run, once its last worker counts as dead; a clock that was set back makes that late."""
        kept = self.shelf.kept["run"]
        while not kept.run.phase.ended:
            self.in_time()
            try:
                return journal.take("run") or kept.run
            except (Conflict, BadInput):
                self.world.advance(10)
        return kept.run

    def in_time(self) -> None:
        if self.world.seconds > self._until_s:
            raise NoEnd

    # ── weather.Weather, and boundaries at which a worker dies ──────────────────────────────────────────────────

    def boundary(self) -> None:
        self.boundaries += 1
        self.in_time()
        if self.boundaries in self.scenario.crashes:
            self.world.note(f"boundary {self.boundaries}: the worker dies")
            raise Died

    def before(self, call: Call) -> None:
        if call.writes:
            self.auditor.before(call)
            self.boundary()
        self.stage.storm.before(call)
        if call.writes:
            self.auditor.at_work(call)

    def after(self, call: Call) -> None:
        self.auditor.done()
        if call.writes:
            self.boundary()
        self.stage.storm.after(call)

    def watch_lag_s(self) -> float:
        return self.stage.storm.watch_lag_s()


class Mortal(SimJournal):
    """A journal whose worker may die just before or just after a move is stored; the auditor reads along."""

    def __init__(self, drive: Drive, worker: str, clock: Clock) -> None:
        super().__init__(drive.shelf, worker, clock)
        self._drive = drive

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        told = tuple(lines)
        super().begin(run, by, told)
        self._drive.auditor.moved(run, told)

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        told = tuple(lines)
        self._drive.boundary()
        super().store(run, told, heard)
        self._drive.auditor.moved(run, told)
        self._drive.boundary()


def bound_s(plan: Plan, limits: Limits) -> float:
    """How long a run may last at most when nothing disturbs it: the sum of what its phases may."""
    once = limits.preflight_s + limits.checkpoint_s + limits.baseline_s + limits.harden_s + limits.verify_s
    once += limits.approval_s + limits.rolling_back_s
    wave = limits.apply_s * 2 + limits.hold_s
    return sum(once + len(step.waves) * (wave + step.soak_s) for step in plan.steps) + 600


def simulate(seed: int, mix: Mix | None = None) -> Outcome:
    """One update, with all that this seed draws."""
    return play(drawn(seed, mix or Mix()))[0]


def play(one: Scenario) -> tuple[Outcome, Drive]:
    """The update of a scenario, carried out and judged."""
    drive = Drive(Stage(one))
    began, world, auditor = drive.world.seconds, drive.world, drive.auditor
    run = drive.to_the_end()
    took_s = world.seconds - began
    world.advance(max(drive.quiet_s - world.seconds, 0) + _REST_S)
    drive.stage.traffic.settle()
    if run.phase.ended:
        auditor.judge(run, drive.stage.traffic.users.whole.lost)
    outcome = Outcome(
        scenario=one,
        end=_end(drive, run, round((began + took_s) * 1e6)),
        phase=run.phase,
        why=type(run.why).__name__ if run.why else "",
        took_s=round(took_s, 1),
        back_s=auditor.back_s if run.phase is Phase.ROLLED_BACK else None,
        old_again_s=auditor.old_again_s if run.phase is Phase.ROLLED_BACK else None,
        users=drive.stage.traffic.users.whole,
        faults=sum(drive.stage.storm.met.values()),
        boundaries=drive.boundaries,
        violations=tuple(auditor.violations),
        trace=world.trace,
    )
    return outcome, drive


_ENDS: Mapping[Phase, End] = {
    Phase.ROLLED_BACK: End.ROLLED_BACK,
    Phase.REFUSED: End.REFUSED,
    Phase.CANCELLED: End.CANCELLED,
    Phase.STUCK: End.STUCK,
}


def _end(drive: Drive, run: Run, ended: int) -> End:
    if drive.auditor.violations:
        return End.WRONG
    if isinstance(run.why, NoWayBack):
        return End.NO_WAY_BACK
    if run.phase is not Phase.UPDATED:
        return _ENDS[run.phase]
    if not harmful(drive.scenario.does):
        return End.UPDATED
    since = drive.stage.traffic.harm_since
    return End.LATENT if since is None or since > ended - round(_NOTICED_S * 1e6) else End.MISSED


def harmful(does: Behaviour) -> bool:
    """Whether a version breaks the objective of 1 %, at some time, somewhere."""
    broken = not (does.is_there and does.gets_ready) or does.crashes_after_s is not None or does.rejects
    return broken or does.wrong + does.late > 0.01 or does.loses_node_s > 0


# ── Failing runs ────────────────────────────────────────────────────────────────────────────────────────────────


def shrunk(one: Scenario, fails: Callable[[Outcome], bool]) -> Scenario:
    """The scenario without whatever its failure does not need, one part left out at a time, until none can be."""
    while True:
        for less in _without_one(one):
            if fails(play(less)[0]):
                one = less
                break
        else:
            return one


def _without_one(one: Scenario) -> Iterator[Scenario]:
    for name in ("faults", "crashes", "asked"):
        held = getattr(one, name)
        for place in range(len(held)):
            yield replace(one, **{name: held[:place] + held[place + 1 :]})
    if one.incident:
        yield replace(one, incident="", does=Behaviour())
    if one.steps > 1:
        yield replace(one, steps=1)
    if one.usual:
        yield replace(one, usual=0.0)
    if one.approval and not one.irreversible:
        yield replace(one, approval=False)


def story(one: Scenario, reason: Callable[[Why], str] = lambda why: type(why).__name__) -> Iterator[str]:
    """A run in lines: what the cluster is, what happened when, what was found wrong, how it ended and for which reason.

    `reason` says in words why a run turned back.
    """
    outcome, drive = play(one)
    yield f"seed {one.seed}: {told(one)}"
    events = [(fault.at_s, f"fault: {fault.fault}, for {fault.lasts_s:.0f} s") for fault in one.faults]
    events += [(at_s, "the worker dies") for at_s in drive.deaths]
    events += [(at_s, f"somebody asks to {what}") for at_s, what in one.asked]
    for line in drive.auditor.lines:
        detail = f": {line.detail}" if line.detail else ""
        command = f" {line.do or line.command}" if line.do or line.command else ""
        events.append(((line.at - drive.world.beginning).total_seconds(), f"{line.by} {line.what}{command}{detail}"))
    for lost in drive.stage.traffic.users.lost:
        events.append(
            (
                lost.since / 1e6,
                f"{lost.requests} requests lost, {lost.why}, for {(lost.until - lost.since) / 1e6:.1f} s",
            )
        )
    events += [(violation.at_s, f"WRONG: {violation.what}") for violation in outcome.violations]
    for at_s, what in sorted(events, key=lambda event: event[0]):
        yield f"{at_s:9.1f} s  {what}"
    why = drive.auditor.why
    yield f"{outcome.end}: {outcome.phase}" + (f", {reason(why)}" if why else "")
