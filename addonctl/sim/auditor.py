"""An auditor of simulated updates: it sees the world and the journal, and nothing of what drives the update.

It watches while the update runs (each write that a client asks for, each pod that goes, each move that is stored) and
judges what is left at the end. How it compares, counts and decides is its own: it shares no code with the executor, the
orchestrator or the instances, only the values that the journal holds.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from addonctl.model import live, owners
from addonctl.model.journal import Line, What
from addonctl.model.plan import Plan, Step
from addonctl.model.run import Command, CommandFailed, Do, Phase, Run, Why
from addonctl.sim.controllers import STEADY
from addonctl.sim.documents import Document, at, copied
from addonctl.sim.faults import FAULTS
from addonctl.sim.incidents import DEPLOYMENT, STATEFUL_SET
from addonctl.sim.keepers import ADDON, SPACE, ByHelm
from addonctl.sim.scenario import CREATION, DELETION, Scenario
from addonctl.sim.selectors import selects
from addonctl.sim.stage import CANARIES, LABELS, Stage, tag
from addonctl.sim.store import BUDGET, POD, Change, Stored
from addonctl.sim.weather import Call

# What a server, or somebody who writes beside us, notes on objects.
_SERVERS = frozenset(
    "managedFields resourceVersion uid generation creationTimestamp selfLink deletionTimestamp "
    "deletionGracePeriodSeconds".split()
)
_NOTES = frozenset({"deployment.kubernetes.io/revision", "example.org/seen", "addonctl/run"})
_OURS = {"matchLabels": LABELS}
# Whose fields a change makes for a while; who applies them next would leave them, or be refused.
_OUR_UPDATE = f"{live.FIELD_MANAGER} Update"
# Whom a plan may ask, of what: EKS of its add-on, helm of its release.
_ASKED_OF = {
    ("eks", ADDON): (owners.EksAddon(ADDON),),
    ("helm", f"{SPACE}/{ADDON}"): (owners.HelmRelease(SPACE, ADDON),),
}
# What an owner is told with a command is recorded before; a Lease only says who is at work.
_UNRECORDED = "Lease/"
_LEASE = ("coordination.k8s.io", "Lease")
# Without a fault so long at most beside the soaks of its waves, and so long until harm is answered.
_BESIDE_S, _A_WAVE_S, _ANSWERED_S = 180.0, 120.0, 120.0
# Who has moved a run so short ago is alive, and who has not for so long is dead, by the Lease as well; who takes a run
# over has renewed it within so long.
_ALIVE_S, _DEAD_S, _RENEWED_S = 10.0, 70.0, 30.0
# What people ask is heard at the next move.
_HEARD_S = 60.0
# What fails at least so often at once is not let into a second wave.
_PLAIN = 0.2
_AS_BEFORE = (Phase.ROLLED_BACK, Phase.REFUSED, Phase.CANCELLED)


@dataclass(frozen=True, slots=True)
class Violation:
    """What must never be so, and was: in which seed, at which second of the world."""

    seed: int
    at_s: float
    what: str


@dataclass
class Auditor:
    """Of one run in a stage, whose scenario may be told otherwise afterwards."""

    stage: Stage
    plan: Plan
    violations: list[Violation] = field(default_factory=list)
    _run: Run | None = None
    _lines: list[Line] = field(default_factory=list)
    _before: dict[str, Document] = field(default_factory=dict)
    _wrote: dict[str, frozenset[str]] = field(default_factory=dict)
    _step: int = -1
    _moved: int = 0
    _taken: int = 0
    _ours: Call | None = None
    _approved: bool = False
    _paused: bool = False
    _turned: int | None = None
    _old_only: int | None = None
    _ended: int | None = None
    _asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        stage = self.stage
        self.scenario, self.store, self.nodes, self.eks = (
            stage.scenario,
            stage.store,
            stage.controllers.nodes,
            stage.eks,
        )
        self.keeper, self._tags = stage.keeper, tuple(map(tag, stage.states))
        self.store.listen(POD, self._pod_changed)
        self.known_tokens, self._fights = self.eks.tokens(), self.keeper.fights

    def found(self, what: str) -> None:
        self.violations.append(Violation(self.scenario.seed, round(self.store.world.seconds, 1), what))

    # ── While it runs ───────────────────────────────────────────────────────────────────────────────────────────

    def moved(self, run: Run, lines: Iterable[Line]) -> None:
        """A move was stored."""
        before, self._run, new = self._run, run, tuple(lines)
        if self.store.world.micros - self._moved > _DEAD_S * 1e6 / 2:
            self._taken = self.store.world.micros
        self._moved = self.store.world.micros
        self._lines += new
        self._hear(before, (line.detail for line in new if line.what is What.ASKED))
        if before is not None and before.phase is not run.phase:
            self._check_entered(before, run)
        if run.phase is Phase.ROLLING_BACK and self._turned is None:
            self._turned = self.store.world.micros
            self._see_old_only()
        if run.phase.ended and self._ended is None:
            self._ended = self.store.world.micros
        if any(line.what is What.DONE for line in new) and before is not None and before.todo:
            self._check_done(before.todo[0])
        if run.step != self._step and not run.phase.ended:
            self._step = run.step
            self._before = self._objects(self._at_work_on)
            self._wrote = self._writers(self._at_work_on)

    def _check_done(self, command: Command) -> None:
        """Instances of before go by the settings of before: those are back with them, not only when their owner is."""
        if command.do is not Do.REVERT_WORKLOADS or self.scenario.faults:
            return
        there = self._objects(self._at_work_on)
        for name in (name for name in self._before if name.startswith("ConfigMap")):
            if there.get(name) != self._before[name]:
                self.found(f"old instances come back to another {name}")

    @property
    def lines(self) -> tuple[Line, ...]:
        """The audit record as it was stored."""
        return tuple(self._lines)

    @property
    def why(self) -> Why | None:
        """Why the run turned back, as the journal has it."""
        return self._run.why if self._run else None

    def _hear(self, run: Run | None, asked: Iterable[str]) -> None:
        """What people asked, where it counts: an approval that nobody waits for is none."""
        for what in asked:
            if what == "approved" and run is not None and run.phase is Phase.APPROVAL:
                self._approved, self._paused = True, False
            self._paused = (self._paused or what == "paused") and what != "resumed"

    def _check_entered(self, before: Run, run: Run) -> None:
        """No wave begins while it is paused, and what is updated is so at that moment, not only in the end."""
        if self._paused and run.phase in (Phase.APPLY, Phase.VERIFY):
            self.found(f"{run.phase} begins though it is paused")
        if run.phase is Phase.SOAK and self._tag_after and not self.scenario.faults:
            new = sum(self._version(pod) == self._tag_after for pod in self.store.rows(POD) if self._counts(pod))
            if new < (wanted := sum(wave.instances for wave in self._at_work_on.waves[: run.wave + 1])):
                self.found(f"wave {run.wave} is soaked, while {new} of {wanted} of the new version serve")
        if run.phase is Phase.UPDATED and self._calm:
            serving = [self._version(pod) for pod in self.store.rows(POD) if self._counts(pod)]
            if serving != [self._tags[-1]] * (self.scenario.instances if self._tags[-1] else 0):
                self.found(f"updated, while {', '.join(serving)} serve")
            if not self.keeper.is_settled():
                self.found(f"updated, while {self.scenario.owner} is still at work")

    @property
    def _at_work_on(self) -> Step:
        assert self._run is not None
        return self.plan.steps[self._run.step]

    @property
    def _tag_after(self) -> str:
        assert self._run is not None
        return self._tags[self._run.step + 1]

    def before(self, call: Call) -> None:
        """A client is about to write."""
        if call.what.startswith(_UNRECORDED) or not call.writes:
            return
        run = self._run
        if run is None or not run.todo:
            self.found(f"{call.verb} {call.what} though nothing was wanted")
            return
        command = run.todo[0]
        recorded = any(line.what is What.WANTED and line.command == command.id for line in self._lines)
        if not recorded:
            self.found(f"{call.verb} {call.what} before command {command.id} was recorded")
        if not command.do.changes:
            self.found(f"{call.verb} {call.what} by {command.do}, which changes nothing")
        self._check_planned(call)
        if not self.holds_lease(run.id):
            self.found(f"{call.verb} {call.what} without the Lease")

    def holds_lease(self, run: str) -> bool:
        return any(lease.spec.get("holderIdentity") == run for lease in self.store.rows(_LEASE))

    def refused(self, rival: Run) -> None:
        """Another run was refused, and is told whether who holds the Lease is alive."""
        if rival.phase is not Phase.REFUSED or not isinstance(rival.why, CommandFailed):
            self.found(f"a second run is {rival.phase}")
            return
        quiet_s = (self.store.world.micros - self._moved) / 1e6
        alive = quiet_s < _ALIVE_S and self.store.world.micros - self._taken > _RENEWED_S * 1e6
        said = "is at work" if alive else "stopped in the middle" if quiet_s > _DEAD_S else ""
        if self.scenario.faults:  # by which a Lease cannot be renewed, or is by a wrong clock
            said = ""
        if said not in rival.why.reason or self.plan.steps[0].installation not in rival.why.reason:
            self.found(f"a second run is told {rival.why.reason}")

    def _check_planned(self, call: Call) -> None:
        step = self._at_work_on
        mine = {str(ref) for ref in (*(target.ref for target in step.targets), *step.objects)}
        if isinstance(step.owner, owners.ArgoApplication | owners.FluxHelmRelease):
            mine.add(str(live.object_of(step.owner)))
        if call.port == "objects":
            pod = self._is_our_pod(call.what)
            if call.what not in mine and not pod:
                self.found(f"{call.verb} {call.what}, which is not of the plan")
        elif step.owner not in _ASKED_OF.get((call.port, call.what), ()):
            self.found(f"{call.verb} {call.what} by {call.port}, which is not of the plan")
        if self._waits_for_approval(step):
            self.found(f"{call.verb} {call.what} before it was approved")

    def _waits_for_approval(self, step: Step) -> bool:
        run = self._run
        assert run is not None
        return (step.approval or bool(step.irreversible)) and run.changed and not self._approved

    def _is_our_pod(self, what: str) -> bool:
        pods = (pod for pod in self.store.rows(POD) if str(pod.ref) == what)
        return all(selects(_OURS, pod.labels) for pod in pods) and what.startswith("Pod")

    def asked(self) -> None:
        """Somebody asks something of a run that has not ended."""
        self._asked.append(self.store.world.micros)

    def at_work(self, call: Call) -> None:
        """What happens until `done` is the doing of this call."""
        self._ours = call

    def done(self) -> None:
        self._ours = None

    def _pod_changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if self._turned is not None:
            self._see_old_only()
        if before is None and after is not None and self._is_ours(after):
            self._check_wave()
        if before is None or not self._counts(before) or (after is not None and self._counts(after)):
            return
        if not self._serves(before):
            return
        if self._calm and self.scenario.kind == DEPLOYMENT and self._run is not None and self._run.changed:
            left = sum(1 for one in self.store.rows(POD) if one.uid != before.uid and self._counts(one))
            if left < self.scenario.instances:
                self.found(f"{before.metadata['name']} went before another served: {left} are left")
        if not self._by_us(before, after) or self._leaves_as_nodes_go():
            return
        for budget in self.store.rows(BUDGET, before.name[0]):
            if selects(budget.spec.get("selector"), before.labels):
                self._check_budget(budget, before)

    def _by_us(self, before: Stored, after: Stored | None) -> bool:
        """Whether a pod that takes no more requests was ended, or set not ready, by the call that is being made."""
        call, ends = self._ours, after is None or after.is_ending
        if call is None:
            return False
        return call.verb in ("delete", "evict") if ends else call.verb == "patch" and call.what == str(before.ref)

    def _leaves_as_nodes_go(self) -> bool:
        """Whether a pod leaves its Services while others turn out to be on lost nodes: no budget is asked for that."""
        leaves = self._ours is not None and self._ours.verb == "patch"
        return leaves and self.scenario.loses_nodes

    @property
    def _calm(self) -> bool:
        """Whether nothing is wrong at all, but for workers that die, with an add-on that is there all the time."""
        one = self.scenario
        return not (one.faults or one.asked or one.hangs) and one.does == STEADY and all(self._tags)

    def _see_old_only(self) -> None:
        """Notes since when no instance of the new version takes requests."""
        new = self._tag_after
        pods = (pod for pod in self.store.rows(POD) if self._counts(pod))
        there = (pod for pod in pods if self.nodes.is_there(pod.spec.get("nodeName", "")))
        if any(self._version(pod) == new for pod in there):
            self._old_only = None
        elif self._old_only is None:
            self._old_only = self.store.world.micros

    @property
    def old_again_s(self) -> float | None:
        """How long after a run had turned back only the old version took requests; None: it did not turn, or never."""
        if self._turned is None or self._old_only is None:
            return None
        return (self._old_only - self._turned) / 1e6

    @property
    def back_s(self) -> float | None:
        """How long after a run had turned back it ended."""
        if self._turned is None or self._ended is None:
            return None
        return (self._ended - self._turned) / 1e6

    def _counts(self, pod: Stored) -> bool:
        return self._is_ours(pod) and not pod.is_ending and pod.is_ready

    def _check_wave(self) -> None:
        """No more than the waves so far hold have the new version, but for one that surges."""
        run = self._run
        one = self.scenario  # a worker that dies lets a Deployment roll on until the next one holds it again
        if (
            run is None
            or one.faults
            or one.crashes
            or one.hangs
            or run.phase not in (Phase.BASELINE, Phase.APPLY, Phase.SOAK)
        ):
            return
        if one.change in (CREATION, DELETION):
            return
        step = self._at_work_on
        held = sum(wave.instances for wave in step.waves[: run.wave + 1]) if run.phase is not Phase.BASELINE else 0
        new = sum(
            1
            for pod in self.store.rows(POD)
            if self._is_ours(pod) and not pod.is_ending and self._version(pod) == self._tag_after
        )
        if new > held + (self.scenario.kind == DEPLOYMENT):
            self.found(f"{new} instances of {step.to_version} in wave {run.wave}, which with those before holds {held}")

    def _check_budget(self, budget: Stored, pod: Stored) -> None:
        pods = [one for one in self.store.rows(POD, pod.name[0]) if selects(budget.spec["selector"], one.labels)]
        left = sum(1 for one in pods if one.uid != pod.uid and not one.is_ending and one.is_ready)
        least = budget.spec.get("minAvailable", 0)
        if left < least:
            self.found(f"{pod.metadata['name']} was taken: {left} are left of the {least} that its budget wants")

    def _serves(self, pod: Stored) -> bool:
        return pod.is_ready and self.nodes.is_there(pod.spec.get("nodeName", ""))

    # ── Afterwards ──────────────────────────────────────────────────────────────────────────────────────────────

    def judge(self, run: Run, lost: int) -> None:
        """What is left of a run that has ended, when nothing disturbs the world any more; `lost` requests of users."""
        step = self.plan.steps[run.step]
        self._check_journal(run)
        self._check_waves(run)
        if run.phase is Phase.STUCK:
            self._check_stuck(run, step)
            return
        done = run.phase not in _AS_BEFORE
        self._check_left(run, step, done)
        self._check_writers(step, done)
        self._check_kept(run, done)
        if done and run.step + 1 < len(self.plan.steps):
            self.found(f"updated after {run.step + 1} of {len(self.plan.steps)} steps")
        if lost and self._calm and self.scenario.kind == DEPLOYMENT:
            self.found(f"{lost} requests were lost, and nothing was in its way")
        self._check_turn(run)
        self._check_times(run)
        self._check_leases()

    def _check_left(self, run: Run, step: Step, done: bool) -> None:
        """All is as it was before the step, but for what it brought."""
        was, now = self._tags[run.step], self._tags[run.step + done]
        images = {self._version(pod) for pod in self.store.rows(POD) if not pod.is_ending and self._is_ours(pod)}
        if images != ({now} if now else set()):
            self.found(f"instances run {', '.join(sorted(images)) or 'nothing'}, and should run {now or 'nothing'}")
        there = self._objects(step)
        if not (was and now):
            if bool(now) is not bool(there):
                self.found(f"of its objects there are {', '.join(there) or 'none'}")
            return
        for name in sorted(self._before.keys() | there.keys()):
            wanted = json.loads(json.dumps(self._before.get(name)).replace(f'{was}"', f'{now}"'))
            if done and self.scenario.owner == "manifests":  # where they came from, and what kubectl notes of them
                wanted, there[name] = (_without_notes(each) for each in (wanted, there.get(name, {})))
            if there.get(name) != wanted:
                self.found(f"{name} is not as it was: {', '.join(_differ(wanted, there.get(name)))}")

    def _check_writers(self, step: Step, done: bool) -> None:
        """Nothing is left ours that is the owner's to write, and who had written before has again after going back."""
        for name, now in self._writers(step).items():
            was = self._wrote.get(name, frozenset())
            if _OUR_UPDATE in now - was:
                self.found(f"fields of {name} are left to {_OUR_UPDATE}")
            if not done and was - now:
                self.found(f"fields of {name} are no longer of {', '.join(sorted(was - now))}")

    def _check_kept(self, run: Run, done: bool) -> None:
        """The owner has what it should, is content with it, and fought with nobody."""
        says, wanted = self.keeper.says(), self.keeper.wanted(self.stage.states[run.step + done])
        if says != wanted:
            self.found(f"{self.scenario.owner} has {says}, and should have {wanted}")
        kept_bad = self.scenario.does != STEADY and run.step + done + 1 == len(self._tags)
        if (ails := self.keeper.ails()) and not kept_bad:
            self.found(ails)
        disturbed = any(FAULTS[each.fault].needs & {"argo", "flux", "gitops"} for each in self.scenario.faults)
        if self.keeper.fights != self._fights and not disturbed:
            self.found(f"{self.scenario.owner} put back {self.keeper.fights - self._fights} times what was changed")
        self._check_releases()

    def _check_releases(self) -> None:
        """Helm deploys once a command, and once more for each revision that a helm that was killed has left."""
        history = self.keeper.history() if isinstance(self.keeper, ByHelm) else ()
        wanted = {line.command for line in self._lines if line.do in (Do.CHANGE, Do.REVERT_OWNER)}
        left = sum(each.status.startswith("pending") for each in history)
        deployed = sum(each.status in ("deployed", "superseded") for each in history[1:])
        if deployed > len(wanted) + left:
            self.found(f"helm deployed {deployed} times for {len(wanted)} commands, and {left} that were left")

    def _check_turn(self, run: Run) -> None:
        """Nothing turns back unless something was wrong, and nothing harmful that shows in time is left."""
        one = self.scenario
        disturbed = bool(one.faults or one.incident or one.asked or one.does != STEADY)
        disturbed |= one.kind == STATEFUL_SET and one.instances == 1  # nothing serves while it is replaced
        if run.phase is not Phase.UPDATED and not disturbed:
            self.found(f"{run.phase} without a fault")

    def _check_times(self, run: Run) -> None:
        """What was soaked, how long it took, and when harm was answered, where no fault delays anything."""
        one, times = self.scenario, run.timeline
        if one.faults or one.crashes or one.hangs or one.asked or run.phase is Phase.STUCK:
            return
        for entry, after in pairwise(times):
            lasted = (after.at - entry.at).total_seconds()
            if entry.phase is Phase.SOAK and after.why is None and lasted < self.plan.steps[entry.step].soak_s:
                self.found(f"wave {entry.wave} was soaked for {lasted:.0f} s only")
            if entry.phase is Phase.BASELINE and after.why is None and lasted < run.limits.baseline_s:
                self.found(f"it was watched for {lasted:.0f} s only before the change")
        if one.approval or one.does == STEADY:
            within = sum(_BESIDE_S + len(s.waves) * (s.soak_s + _A_WAVE_S) for s in self.plan.steps)
        elif one.does.nodes or not self._is_plain(one):
            return
        else:
            within = _BESIDE_S + _ANSWERED_S + (run.step * (len(self.plan.steps[0].waves) * (one.soak_s + _A_WAVE_S)))
            if any(entry.wave for entry in times if entry.step == run.step):
                self.found("plain harm was let into a second wave")
        took = (times[-1].at - times[0].at).total_seconds()
        if took > within + 600 * one.approval:
            self.found(f"it took {took:.0f} s, and nothing was in its way")

    @staticmethod
    def _is_plain(one: Scenario) -> bool:
        """Whether what is wrong shows on every instance at once, and where probes see it."""
        return one.does.wrong + one.does.late >= _PLAIN and not one.does.sets_in_s and not one.does.every_s

    def _check_stuck(self, run: Run, step: Step) -> None:
        one = self.scenario
        others = {"somebody else writes", "permission withdrawn", "clock jump"}
        excused = bool(step.irreversible) or any(fault.fault in others for fault in one.faults)
        if not excused:
            self.found("left for a person, and nothing excuses that")

    def _check_waves(self, run: Run) -> None:
        """One wave after the other, of every step from its first."""
        for number, step in enumerate(self.plan.steps[: run.step + 1]):
            waves = [entry.wave for entry in run.timeline if entry.phase is Phase.APPLY and entry.step == number]
            done = number < run.step or run.phase is Phase.UPDATED
            if waves != list(range(len(step.waves) if done else len(waves))):
                self.found(f"step {number + 1} was taken up in waves {waves}")

    def _check_journal(self, run: Run) -> None:
        phases = [line.detail for line in self._lines if line.what is What.PHASE]
        if phases != [entry.phase.value for entry in run.timeline[1:]]:
            self.found(f"the record tells of {', '.join(phases)}")
        told = repr(run) + repr(self._lines)
        for canary in CANARIES:
            if canary in told:
                self.found("a secret is in the journal")
        for line, after in pairwise(self._lines):
            if line.what is after.what is What.WAITS and (line.command, line.detail) == (after.command, after.detail):
                self.found(f"that {line.command} waits for {line.detail} is told twice")
        self._check_heard()
        wanted = {line.command: line.do for line in self._lines if line.what is What.WANTED}
        for line in self._lines:
            if line.what is What.WANTED and line.do is not wanted[line.command]:
                self.found(f"command {line.command} is {line.do}, and {wanted[line.command]} as well")
        for token in self.eks.tokens() - self.known_tokens - wanted.keys():
            self.found(f"EKS was asked with token {token}, which the journal does not have")
        versions = {str(each) for step in self.plan.steps for each in (step.from_version, step.to_version)}
        for version in self.eks.versions_asked() - versions:
            self.found(f"EKS was asked for {version}, which is not of the plan")

    def _check_heard(self) -> None:
        """What people asked is in the record, where nothing stood in its way."""
        one, began = self.scenario, self.store.world.beginning
        if one.faults or one.crashes or one.hangs or self._ended is None:
            return
        heard = [(line.at - began).total_seconds() for line in self._lines if line.what is What.ASKED]
        for asked_s in (micros / 1e6 for micros in self._asked if self._ended - micros > _HEARD_S * 1e6):
            if not any(asked_s <= heard_s <= asked_s + _HEARD_S for heard_s in heard):
                self.found(f"what was asked at {asked_s:.0f} s was not heard")

    def _check_leases(self) -> None:
        if self.scenario.faults:  # whoever may not give it back has ended all the same
            return
        for lease in self.store.rows(_LEASE):
            if lease.spec.get("holderIdentity") == (self._run.id if self._run else ""):
                self.found(f"{lease.ref} is still held")

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _is_ours(self, pod: Stored) -> bool:
        return selects(_OURS, pod.labels)

    def _version(self, pod: Stored) -> str:
        return str(pod.spec["containers"][0]["image"]).partition(":")[2]

    def _writers(self, step: Step) -> dict[str, frozenset[str]]:
        """By object, the field managers of more than its status, each with its operation."""
        refs = {target.ref for target in step.targets} | set(step.objects)
        there = ((ref, self.store.get((ref.group, ref.kind), ref.namespace, ref.name)) for ref in refs)
        return {
            str(ref): frozenset(f"{one.manager} {one.operation}" for one in found.managers if not one.subresource)
            for ref, found in there
            if found is not None
        }

    def _objects(self, step: Step) -> dict[str, Document]:
        """The add-on's objects as they stand, without what servers note."""
        refs = {target.ref for target in step.targets} | set(step.objects)
        return {
            str(ref): _plain(found.document)
            for ref in refs
            if (found := self.store.get((ref.group, ref.kind), ref.namespace, ref.name)) is not None
        }


def _plain(document: Mapping[str, Any]) -> Document:
    held: Document = copied({key: value for key, value in document.items() if key != "status"})
    metadata = {key: value for key, value in held["metadata"].items() if key not in _SERVERS}
    notes = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key not in _NOTES}
    held["metadata"] = {**metadata, "annotations": notes} if notes else metadata
    template = at(held, "spec", "template", "metadata")
    if isinstance(template, dict) and template.get("annotations") == {}:
        template.pop("annotations")
    return held


def _without_notes(document: Document | None) -> Document:
    held = dict(document or {})
    held["metadata"] = {name: value for name, value in held.get("metadata", {}).items() if name != "annotations"}
    return held


def _differ(one: Any, other: Any, path: str = "") -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys()):
            yield from _differ(one.get(key), other.get(key), f"{path}.{key}")
    elif one != other:
        yield f"{path.removeprefix('.') or 'it'} is {json.dumps(other)[:60]}, was {json.dumps(one)[:60]}"
