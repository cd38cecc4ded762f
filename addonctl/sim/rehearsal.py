"""Rehearsals: a plan is carried out in the twin of its cluster, once a seed, before anybody lets it at the cluster.

Worker, executor, orchestrator and gate are those that work on real clusters. Some runs are calm, some meet faults of
the infrastructure, in the others the new version is one of those that went wrong in public: of this add-on, where there
are any, else of any. `rehearsed` is one run; the same seed is the same run. Approvals are given at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any

from addonctl.errors import Conflict
from addonctl.executor import Executor
from addonctl.hands import Ports
from addonctl.model import READY, RESOURCES, Answered
from addonctl.model.journal import Line
from addonctl.model.manifests import Manifests
from addonctl.model.plan import Plan, Step, Target
from addonctl.model.rehearsal import Asked, Blueprint, KeptPlan, Passed, Rehearsed, Weather
from addonctl.model.run import Approved, Limits, NoWayBack, Phase, Run
from addonctl.ports import GitOpsWriter, HelmReleases
from addonctl.sim.assessor import SimAssessor
from addonctl.sim.checkpoints import SimCheckpoints
from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import STEADY, Behaviour
from addonctl.sim.controllers.pods import Behave
from addonctl.sim.eks import SimEksAddons
from addonctl.sim.faults import FAULTS, Drawn, Scene, Storm, begins, schedule
from addonctl.sim.helm import SimHelm
from addonctl.sim.incidents import INCIDENTS, Incident
from addonctl.sim.journal import Shelf, SimJournal
from addonctl.sim.objects import SimObjects
from addonctl.sim.selectors import selects
from addonctl.sim.simulation import End, bound_s, harmful
from addonctl.sim.store import POD, Name, Stored
from addonctl.sim.traffic import SimSignals, Tally, Traffic
from addonctl.sim.twin import Twin
from addonctl.worker import Worker

RPS, PROBE_RPS = 100.0, 10.0
_FAULTS_MOST, _WITHIN_S, _REST_S = 3, 400.0, 180.0
# Harm that sets in later than so long before the end counts as harm to come.
_NOTICED_S = 60.0
Reads = Callable[[SimObjects], tuple[GitOpsWriter, HelmReleases]]
"""The adapters that need no simulated side: they work on simulated objects as on real ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is rehearsed. `known`: add-on → its incidents, by their names in incidents.py; none of any: all of them."""

    plan: Plan
    drawn: Blueprint
    limits: Limits
    reads: Reads
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    given: Manifests | None = None

    @property
    def lasts(self) -> tuple[Step, ...]:
        """The last step of each installation: it brings the version that runs from then on."""
        return tuple({step.installation: step for step in self.plan.steps}.values())

    @property
    def pool(self) -> tuple[tuple[Step, str], ...]:
        """The steps that may bring a wrong version, each with an incident that may befall its workloads."""
        known = any(self.known.get(step.addon) for step in self.lasts)
        return tuple(
            (step, name)
            for step in self.lasts
            for name in self.known.get(step.addon, () if known else tuple(INCIDENTS))
            if list(befallen(step, INCIDENTS[name]))
        )


def befallen(step: Step, incident: Incident) -> Iterator[Target]:
    """The workloads of a step that an incident may befall."""
    for target in step.targets:
        fits = target.ref.kind in incident.kinds and incident.replicas in (0, target.instances)
        if target.instances and fits:
            yield target


def weather_of(seed: int) -> Weather:
    """Of four seeds in a row one is calm, one has faults, two have an incident, the second of them with faults."""
    return (Weather.INCIDENT, Weather.CALM, Weather.INCIDENT, Weather.FAULTS)[seed % 4]


# ── Drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one run has against it: `does` befalls the images that `step` brings of `target`."""

    seed: int
    step: Step
    weather: Weather
    incident: str
    does: Behaviour
    target: Target | None
    faults: tuple[str, ...]
    random: Random


def drawn(script: Script, seed: int) -> Case:
    weather = weather_of(seed)
    random = Random(f"{seed}/rehearsal")
    incident, does, step = "", STEADY, script.plan.steps[-1]
    target = seen(script, step)
    if weather is Weather.INCIDENT and script.pool:
        weights = [INCIDENTS[name].weight for _, name in script.pool]
        step, incident = random.choices(script.pool, weights)[0]
        target, may = seen(script, step), list(befallen(step, INCIDENTS[incident]))
        target = target if target in may else random.choice(may)
        does = INCIDENTS[incident].on(tuple(node.name for node in script.drawn.nodes), random)
    faults: tuple[str, ...] = ()
    if weather is Weather.FAULTS or (incident and seed % 4 == 0):
        faults = tuple(random.choice(tuple(FAULTS)) for _ in range(random.randint(1, _FAULTS_MOST)))
    return Case(
        seed=seed,
        step=step,
        weather=weather,
        incident=incident,
        does=does,
        target=target,
        faults=(*faults, *(INCIDENTS[incident].faults if incident else ())),
        random=random,
    )


def seen(script: Script, step: Step) -> Target | None:
    """The workload of a step whose users are counted: one behind a Service, if there is one."""
    targets = [each for each in step.targets if each.instances]
    behind = (each for each in targets if service_of(script.drawn, each) is not None)
    nodes = (each for each in targets if each.ref.kind == "DaemonSet")
    return next(behind, None) or next(nodes, None) or next(iter(targets), None)


def _documents(plan: Blueprint, at: Callable[[KeptPlan], str]) -> Iterator[Mapping[str, Any]]:
    for kept in plan.kept:
        yield from kept.versions.get(at(kept), ())


def workload_of(plan: Blueprint, target: Target, version: str = "") -> Mapping[str, Any] | None:
    """The document of a target, in the present version or another."""
    for document in _documents(plan, lambda kept: version or kept.present):
        metadata = document["metadata"]
        same = (document["kind"], metadata["name"]) == (target.ref.kind, target.ref.name)
        if same and metadata.get("namespace", target.ref.namespace) == target.ref.namespace:
            return document
    return None


def service_of(plan: Blueprint, target: Target) -> Name | None:
    """The Service by which users reach the pods of a target."""
    workload = workload_of(plan, target)
    labels = workload["spec"]["template"]["metadata"]["labels"] if workload else {}
    for document in (*_documents(plan, lambda kept: kept.present), *plan.loose):
        selector = (document.get("spec") or {}).get("selector") if document["kind"] == "Service" else None
        metadata = document["metadata"]
        if selector and metadata.get("namespace") == target.ref.namespace and selector.items() <= labels.items():
            return target.ref.namespace, metadata["name"]
    return None


def _images(document: Mapping[str, Any] | None) -> frozenset[str]:
    containers = document["spec"]["template"]["spec"]["containers"] if document else ()
    return frozenset(str(each["image"]) for each in containers)


# ── The run ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Stage:
    """The twin of one run, with its clients and what goes wrong."""

    def __init__(self, script: Script, case: Case) -> None:
        self.script, self.case, self.plan = script, case, _counted(script.plan)
        version = str(case.step.to_version or "")
        behaviours: dict[str, Behaviour] = {}
        if case.target is not None and case.incident:
            new = _images(workload_of(script.drawn, case.target, version))
            behaviours = dict.fromkeys(new - _images(workload_of(script.drawn, case.target)), case.does)
        refused = ((case.step.installation, version),) if case.does.rejects else ()
        self.twin = Twin(script.drawn, case.seed, behaviours, refused)
        self.world, self.store = self.twin.world, self.twin.store
        self.clock, self.storm = SimClock(self.world), Storm(self.world)
        self.traffic = {step.installation: self._traffic(step, self.twin.behave) for step in script.lasts}
        about = self.traffic[case.step.installation]
        self.scene = Scene(self.store, self.storm, self.twin.controllers, self.twin.eks, (self.clock,), about)
        self.faults = tuple(self._faults())

    def _traffic(self, step: Step, behave: Behave) -> Traffic:
        """Where nobody is led to a workload by a Service, and it is none of each node, nobody asks."""
        mine = step.installation == self.case.step.installation
        target = self.case.target if mine else seen(self.script, step)
        service = service_of(self.script.drawn, target) if target else None
        workload = workload_of(self.script.drawn, target) if target else None
        by_node = target is not None and target.ref.kind == "DaemonSet" and service is None
        if service is None and not by_node and workload is not None and sli_of(step):
            service = self._led_to(workload)
        asked = service is not None or by_node
        return Traffic(
            self.twin.controllers,
            behave,
            workload["spec"]["selector"]["matchLabels"] if workload else {"nobody": "asks"},
            service=None if by_node else service or ("", ""),
            rps=RPS if asked else 0.0,
            probe_rps=PROBE_RPS if asked else 0.0,
        )

    def settle(self) -> Tally:
        """What users of all installations were answered up to now."""
        whole = Tally()
        for each in self.traffic.values():
            each.settle()
            whole.add(each.users.whole)
        return whole

    def _led_to(self, workload: Mapping[str, Any]) -> Name:
        """Where the SLI of an add-on is counted and no Service leads to it, as the server does by its own way."""
        space, labels = workload["metadata"]["namespace"], workload["spec"]["selector"]["matchLabels"]
        metadata = {"name": f"{workload['metadata']['name']}-asked-by-the-rehearsal", "namespace": space}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels}}
        self.store.create(service, "rehearsal")
        self.world.advance(10)
        return space, metadata["name"]

    def _faults(self) -> Iterator[Drawn]:
        now_s = self.world.seconds
        for name in self.case.faults:
            if FAULTS[name].needs <= self.scene.has:
                yield begins(self.case.random, name, now_s, _WITHIN_S)

    def ports(self) -> Ports:
        objects, addons = SimObjects(self.store, weather=self.storm), SimEksAddons(self.twin.eks, self.storm)
        gitops, helm = self.script.reads(objects)
        return Ports(
            reader=objects,
            writer=objects,
            eks=addons,
            eks_writer=addons,
            checkpoints=SimCheckpoints(),
            signals=_Signals(self),
            clock=self.clock,
            gitops=gitops,
            helm=helm,
            helm_writer=SimHelm(self.store, self.twin.charts, self.storm),
            manifests=_Given(self.script.given),
            assessor=SimAssessor(self.store),
        )

    # ── What is left ────────────────────────────────────────────────────────────────────────────────────────────

    def versions_left(self) -> tuple[bool, bool]:
        """Whether pods of the workloads of the step at work run the present images, and the newest ones."""
        old = new = False
        for target in self.case.step.targets:
            was = _images(workload_of(self.script.drawn, target))
            to = _images(workload_of(self.script.drawn, target, str(self.case.step.to_version or "")))
            workload = workload_of(self.script.drawn, target)
            for pod in self._pods(workload, target) if was != to and workload else ():
                runs = frozenset(str(each["image"]) for each in pod.spec["containers"])
                old, new = old or runs <= was, new or runs <= to
        return old, new

    def _pods(self, workload: Mapping[str, Any], target: Target) -> Iterator[Stored]:
        for pod in self.store.rows(POD, target.ref.namespace):
            if selects(workload["spec"]["selector"], pod.labels) and not pod.is_ending:
                yield pod


def sli_of(step: Step) -> str:
    """The SLI of a step's instances beside readiness; empty: it has none."""
    asked = (each.sli for each in step.objectives if each.sli not in (READY, RESOURCES) and not each.additional)
    return next(asked, "")


def _counted(plan: Plan) -> Plan:
    """With the objectives that clients in the twin can count: each installation has one kind of them."""

    def kept(step: Step) -> Step:
        slis = (READY, sli_of(step))
        return replace(step, objectives=tuple(each for each in step.objectives if each.sli in slis))

    return replace(plan, steps=tuple(map(kept, plan.steps)))


class _Signals:
    """ports.Signals of all installations, each counted by its own SLI."""

    def __init__(self, stage: Stage) -> None:
        self._of = {
            step.installation: SimSignals(stage.traffic[step.installation], stage.clock, sli_of(step))
            for step in stage.script.lasts
        }

    def counted(self, step: Step, since: datetime) -> tuple[Answered, ...]:
        return self._of[step.installation].counted(step, since)

    def close(self) -> None:
        for each in self._of.values():
            each.close()


class _Given:
    """ports.ManifestReader of what was read before."""

    def __init__(self, given: Manifests | None) -> None:
        self._given = given

    def read(self, path: str) -> Manifests:
        assert self._given is not None, path
        return self._given


class _NoEnd(Exception):
    """The run goes on for longer than it may."""


class _Journal(SimJournal):
    """Where somebody approves at once, and a run that does not end is given up."""

    def __init__(self, stage: Stage, until_s: float) -> None:
        super().__init__(Shelf(), "rehearsal", stage.clock)
        self._stage, self._until_s, self._began_s = stage, until_s, stage.world.seconds
        self.passed: list[Passed] = []  # by the world's time: a clock may be set wrong

    def begin(self, run: Run, by: str, lines: Iterable[Line]) -> None:
        super().begin(run, by, lines)
        self._note(run)

    def _note(self, run: Run) -> None:
        at_s = round(self._stage.world.seconds - self._began_s, 1)
        for entry in run.timeline[len(self.passed) :]:
            self.passed.append(Passed(phase=entry.phase.value, step=entry.step, wave=entry.wave, at_s=at_s))

    @property
    def back_s(self) -> float | None:
        """How long going back took, of a run that is back."""
        turned = next((each.at_s for each in self.passed if each.phase == Phase.ROLLING_BACK), None)
        if turned is None or self.passed[-1].phase != Phase.ROLLED_BACK:
            return None
        return round(self.passed[-1].at_s - turned, 1)

    def store(self, run: Run, lines: Iterable[Line] = (), heard: int = 0) -> None:
        super().store(run, lines, heard)
        self._note(run)
        if run.phase is Phase.APPROVAL:
            self.ask(run.id, Approved("rehearsal"))
        if self._stage.world.seconds > self._until_s:
            raise _NoEnd


def rehearsed(script: Script, seed: int) -> Rehearsed:
    """One run, with all that its seed draws."""
    case = drawn(script, seed)
    stage = Stage(script, case)
    world = stage.world
    before, began_s = stage.settle(), world.seconds
    quiet_s = schedule(stage.scene, stage.faults)
    journal = _Journal(stage, max(quiet_s, began_s) + bound_s(script.plan, script.limits))
    run = _driven(stage, journal)
    ended_s = world.seconds
    world.advance(max(quiet_s - ended_s, 0) + _REST_S)
    users = stage.settle()
    end = _end(stage, run, ended_s)
    incident = INCIDENTS.get(case.incident)
    return Rehearsed(
        seed=case.seed,
        weather=case.weather,
        end=end.value,
        bad=end.bad,
        why=run.why,
        took_s=round(ended_s - began_s, 1),
        back_s=journal.back_s,
        incident=case.incident,
        shows=incident.what if incident else "",
        source=incident.source if incident else "",
        faults=tuple(fault.fault for fault in stage.faults),
        asked=_less(users, before),
        passed=tuple(journal.passed),
    )


def _driven(stage: Stage, journal: _Journal) -> Run:
    worker = Worker("rehearsal", Executor(stage.ports()), journal, stage.clock)
    run = worker.begin("rehearsal", stage.plan, "rehearsal", limits=stage.script.limits)
    try:
        return worker.drive(run)
    except (_NoEnd, Conflict):
        return journal.load("rehearsal")


def _less(whole: Tally, before: Tally) -> Asked:
    return Asked(
        requests=whole.requests - before.requests,
        wrong=whole.wrong - before.wrong,
        late=whole.late - before.late,
        lost=whole.lost - before.lost,
    )


_ENDS: Mapping[Phase, End] = {
    Phase.ROLLED_BACK: End.ROLLED_BACK,
    Phase.REFUSED: End.REFUSED,
    Phase.CANCELLED: End.CANCELLED,
}


def _end(stage: Stage, run: Run, ended_s: float) -> End:
    """What became of it, by what is left in the twin once everything has come to rest."""
    if isinstance(run.why, NoWayBack):
        return End.NO_WAY_BACK
    if run.phase is not Phase.UPDATED and run.phase not in _ENDS:
        return End.STUCK
    old, new = stage.versions_left()
    if (old and new) or (run.phase is Phase.UPDATED and old):
        return End.WRONG
    if run.phase is not Phase.UPDATED:
        return _ENDS[run.phase]
    if not harmful(stage.case.does):
        return End.UPDATED
    since = stage.traffic[stage.case.step.installation].harm_since
    return End.LATENT if since is None or since > round((ended_s - _NOTICED_S) * 1e6) else End.MISSED
