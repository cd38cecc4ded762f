"""Carries out what a run wants and looks at the world for it: the one gate of all writes.

Each command is safe to repeat: what it is for is read first, owners are given the command's id as a token, and a write
that may have been carried out though its answer was lost is asked for again. An error says by its type whether trying
again may help; what is sure not to turns the run back. What differs between owners is in hands/. Called by worker.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from addonctl import leases, node_probes
from addonctl.errors import AddonctlError, Forbidden, Invalid, NotAllowed
from addonctl.hands import GivenUp, Hand, NotYet, Ports, Present, hand
from addonctl.hands.comparing import delete_added, differences, put_settings_back, rights_given_up
from addonctl.hands.configuration import check_premise, is_configured
from addonctl.instances import Instance, Instances, Seen, exists
from addonctl.model import NOTHING, READY, Answered, Counts, Guard, ObjectRef, Sample
from addonctl.model.checkpoint import Checkpoint, CheckpointEntry, Differences
from addonctl.model.plan import Step
from addonctl.model.run import Command, Do, Done, Event, Failed, Looked, OwnerState, Phase, Run, StepState
from addonctl.rollouts import KINDS, instances_of, of_checkpoint

# A wave goes on within seconds; what an owner describes may be of some seconds before.
_ROLLS_S, _LATE_S, _GIVEN_UP_S = 1.0, 5.0, 15.0
# Credentials that expire in the middle of a run are renewed by somebody.
_RENEWED_S = 30.0
# Rights that were granted or taken away by mistake; API servers that have just started know none for a moment.
_GRANTED_S = 10.0
_LEASE_TRIES = 20
_PROBES_START_S = 10
# Readiness is counted by the second; of a look that took long, no more than this.
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Executor:
    ports: Ports

    def do(self, run: Run, command: Command) -> Event:
        """Carries a command out; what came of it."""
        step = run.plan.steps[command.step]
        try:
            return Done(command.id, self._do(run, step, command))
        except NotYet as under_way:
            return Failed(command.id, str(under_way), under_way.seconds, given_up=isinstance(under_way, GivenUp))
        except Forbidden as error:
            return Failed(command.id, error.what, _GRANTED_S, forbidden=True)
        except NotAllowed as error:
            return Failed(command.id, error.what, _RENEWED_S)
        except AddonctlError as error:
            return Failed(command.id, error.what, error.retry_after_s)

    def fenced(self, check: Callable[[], None]) -> "Executor":
        """The same, where `check` is asked before anything is written, and may raise."""
        return replace(self, ports=self.ports.fenced(check))

    def hold(self, run: Run) -> None:
        """Holds the Lease again that was let go where a worker died at the end of a run, before it noted that end."""
        if run.phase is not Phase.PREFLIGHT and not run.phase.ended:
            with suppress(AddonctlError):  # the first look does it
                leases.renew(self.ports.writer, run, self.ports.clock.now())

    def turn(self, run: Run, wanted: Sequence[Command], since: datetime) -> Event:
        """One turn of a run: the command that it wants, else a look."""
        return self.do(run, wanted[0]) if wanted else self.look(run, since)

    def look(self, run: Run, since: datetime) -> Looked:
        """How far the present step is, and what was counted after `since`. Changes nothing but the Lease's time.

        Of what cannot be read the counts are not told either: nobody knows which instances are new.
        """
        step, now = run.at_work_on, self.ports.clock.now()
        answers = self.ports.signals.counted(step, since)
        of_users = {each.sli for each in step.objectives if each.of_users}
        served = tuple(_served(each for each in answers if each.sli not in of_users))
        try:
            leases.keep(self.ports.writer, run, since, now)
            if len(run.checkpoints) <= run.step:
                return Looked(state=StepState(of=0, updated=0, ready=0, updated_ready=0), served=served, troubles=None)
            owner, detail = self._hand(step).state(run.ticket)  # first: what it is done with is there in what follows
            looks = self._created(run) if step.creates else [each.look() for each in self._instances(run)]
        except AddonctlError as error:
            return Looked(state=None, unread=error.what, troubles=None)
        seen = counted = sum(looks, Seen())
        if run.changed and run.phase is not Phase.ROLLING_BACK and owner is OwnerState.DONE:
            # Workloads of which no pods are replaced have nothing to take up; of a change of none, all have it.
            moved = [each for each in looks if not each.as_it_was]
            counted = sum(moved, Seen()) if moved else seen.all_new()
            seen = seen if moved else counted
        state = _state(counted, owner, detail)
        seconds = min(max(round((now - since).total_seconds()), 0), _SECONDS)
        samples = (*_samples(run, answers, seen, now), _readiness(run, seen, seconds, now))
        troubles = self.ports.assessor.troubles(step) if self.ports.assessor else ()
        if troubles is not None:
            troubles += tuple(_out_of_memory(run, seen))
        return Looked(
            state=state,
            samples=samples,
            guards=_guards(run, seen),
            served=served,
            troubles=troubles,
            elsewhere=tuple(_elsewhere(run, troubles or (), seen)),
        )

    def checkpoint(self, cluster: str, step: Step) -> CheckpointEntry:
        """Stores what is needed to bring a step's installation back to what it is now."""
        owner = self._hand(step)
        found = filter(None, (exists(self.ports.reader, ref) for ref in _refs(step)))
        kept, applied, now = owner.kept(), owner.applied(), self.ports.clock.now()
        beside = (
            each for each in applied if each.ref.kind not in KINDS
        )  # the workloads of the step are put back alone
        names = tuple(each.ref for each in applied) or None  # who lists nothing does not tell
        version = owner.present().version
        checkpoint = kept.checkpoint(cluster, step, version, now, (*found, *beside), names)
        return self.ports.checkpoints.save(checkpoint)

    def differing(self, step: Step) -> Differences:
        """What of the checkpoint that a step restores is otherwise now."""
        return differences(self.ports, step, self._hand(step), self.ports.checkpoints.load(step.restores))

    def end(self, run: Run) -> None:
        """Lets go of what a run that has ended held: the probes, and the Leases of its installations."""
        self.ports.signals.close()
        if self.ports.assessor:
            self.ports.assessor.close()
        for _ in range(_LEASE_TRIES):  # the run has ended all the same; who meets its Lease is told what to do
            try:
                return leases.free(self.ports.reader, self.ports.writer, run)
            except AddonctlError as error:
                self.ports.clock.sleep(error.retry_after_s or _LATE_S)

    # ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────

    def _do(self, run: Run, step: Step, command: Command) -> str:
        match command.do:
            case Do.CHECK:
                return self._check(run, step)
            case Do.CHECKPOINT:
                return self.checkpoint(run.plan.cluster, step).id
            case Do.HARDEN:
                self._hand(step).hold(self._held(run))
                self._each(run, lambda each: each.harden())
                return self._probe_from_nodes(run, step)
            case Do.CHANGE:
                return self._change(run, step, command.id)
            case Do.RELEASE:
                return self._release(run, step, command.wave)
            case Do.RELAX:
                self._each(run, lambda each: None if each.is_untouched else each.relax())
                self._hand(step).let_go(self._held(run), command.id)
                if node_probes.are_wanted(step):
                    node_probes.remove(self.ports.reader, self.ports.writer, step)
                return ""
            case Do.COMPARE:
                return self._compare(run, step)
            case Do.REVERT_WORKLOADS:
                return self._revert_workloads(run, step)
            case Do.REVERT_OWNER:
                return self._hand(step).revert(self._held(run), command.id)

    def _hand(self, step: Step) -> Hand:
        return hand(step, self.ports)

    def _check(self, run: Run, step: Step) -> str:
        """Refuses where the world is not the one that the plan was made for, or somebody else is at work in it."""
        leases.take(self.ports.reader, self.ports.writer, run, self.ports.clock.now())
        found = self._hand(step).present()
        if found.version != str(step.from_version or ""):
            was = f"the plan was made for {step.from_version or 'none'}"
            raise Invalid(f"{step.installation} is at {found.version}, {was}", "Plan anew.")
        self._not_busy(step, found)
        if found.unsettled:
            raise Invalid(
                f"{step.installation} cannot be changed now: {found.unsettled}", "Update it once that is over."
            )
        if step.creates:
            return self._check_absent(step)
        check_premise(step, self.ports)
        others = [str(each.ref) for each in step.targets if each.ref.kind not in KINDS]
        if others:
            raise Invalid(f"{', '.join(others)}: only Deployments, StatefulSets and DaemonSets are updated in waves")
        missing = [str(ref) for ref in _refs(step) if exists(self.ports.reader, ref) is None]
        if missing:
            raise Invalid(f"{', '.join(missing)} of {step.installation} is not there", "Plan anew.")
        return ""

    def _check_absent(self, step: Step) -> str:
        there = [str(each.ref) for each in step.targets if exists(self.ports.reader, each.ref)]
        if there:
            raise Invalid(f"{', '.join(there)} is there already", "Adopt it.")
        return ""

    def _created(self, run: Run) -> list[Seen]:
        """What a creation has brought so far, which is new; without a ticket, what is there is somebody else's."""
        targets = run.at_work_on.targets if run.ticket else ()
        found = filter(None, (exists(self.ports.reader, each.ref) for each in targets))
        ways = (self.ports.reader, self.ports.writer, self.ports.clock)
        return [instances_of(*ways, each).look().all_new() for each in found]

    @staticmethod
    def _not_busy(step: Step, found: Present) -> None:
        if found.busy:
            raise NotYet(f"{step.installation}: {found.unsettled}", _LATE_S)

    def _held(self, run: Run) -> Checkpoint:
        """The checkpoint of the present step."""
        return self.ports.checkpoints.load(run.checkpoints[run.step])

    def _instances(self, run: Run) -> tuple[Instances, ...]:
        """Those that stay: what goes is deleted as it is, once the others serve."""
        if run.at_work_on.removes:
            return ()
        manifests = run.at_work_on.manifests
        gone = manifests.gone if manifests else ()
        held = of_checkpoint(self.ports.reader, self.ports.writer, self.ports.clock, self._held(run))
        return tuple(each for each in held if each.ref not in gone)

    def _each(self, run: Run, what: Callable[[Instances], None]) -> str:
        for instances in self._instances(run):
            what(instances)
        return ""

    def _probe_from_nodes(self, run: Run, step: Step) -> str:
        """From those that take the new version up first; what does not count before the change tells nothing of it."""
        if not node_probes.are_wanted(step):
            return ""
        first = [node for wave in step.waves for node in wave.nodes]
        there = [each.node for instances in self._instances(run) for each in instances.look().staying]
        self._place_probes(step, (*first, *sorted(there)))
        for _ in range(_PROBES_START_S):
            if node_probes.are_ready(self.ports.reader, step):
                break
            self.ports.clock.sleep(1)
        return ""

    def _place_probes(self, step: Step, nodes: Iterable[str], wave: int | None = None) -> None:
        if node_probes.are_wanted(step):
            node_probes.place(self.ports.reader, self.ports.writer, step, dict.fromkeys(filter(None, nodes)), wave)

    def _revert_workloads(self, run: Run, step: Step) -> str:
        """Its owner is held again where it was let go already: it would bring the new version back.

        Asked again until no new instance is left: one that somebody else writes to at that moment is not ended.
        """
        self._hand(step).hold(self._held(run))
        put_settings_back(self.ports, step, self._held(run))
        done = [each.revert() for each in self._instances(run)]
        if not all(done):
            raise NotYet("instances of the new version are ended", _ROLLS_S)
        return ""

    def _change(self, run: Run, step: Step, token: str) -> str:
        if step.restores:
            return self._hand(step).revert(self.ports.checkpoints.load(step.restores), token)
        return self._hand(step).change(self._held(run), token)

    def _release(self, run: Run, step: Step, wave: int) -> str:
        """Lets a wave take the new version up, once its owner has brought it; asked again until that is done."""
        is_done = self._hand(step).state(run.ticket)[0] is OwnerState.DONE  # before what it is done with is looked at
        seen = [(each, each.look()) for each in self._instances(run)]
        if is_done:
            seen = [(each, now) for each, now in seen if not now.as_it_was]  # of the others no pods are replaced
            if not seen:
                return "no pods are replaced"
        if all(each.as_it_was for _, each in seen):
            raise NotYet("the owner has not brought the new version yet", _ROLLS_S)
        so_far, last = step.waves[: wave + 1], wave + 1 == len(step.waves)
        so_many = sum(each.instances for each in so_far)
        nodes = [node for each in so_far for node in each.nodes]
        done = [each.release(now, so_many, nodes, last=last) for each, now in seen]
        if not all(done):
            raise NotYet("the wave takes the new version up", _ROLLS_S)
        new = (each.node for _, now in seen for each in now.staying if each.new)
        self._place_probes(step, nodes or new, wave)
        return ""

    def _compare(self, run: Run, step: Step) -> str:
        """Waits until the live state is what it should be by now: the plan's, or the checkpoint's."""
        if run.phase is Phase.ROLLING_BACK:
            return self._compare_with(self._held(run), run, step, strictly=True)
        if step.restores:
            return self._compare_with(self.ports.checkpoints.load(step.restores), run, step, strictly=False)
        found = self._hand(step).present()
        if found.version != str(step.to_version or ""):
            raise NotYet(f"{step.installation} is at {found.version}, not at {step.to_version or 'none'}", _LATE_S)
        self._not_busy(step, found)
        if step.configuration and not is_configured(step, self.ports, step.configuration.goal):
            raise NotYet(f"the configuration of {step.installation} is not what it is to be", _LATE_S)
        given_up = () if step.creates or step.removes else rights_given_up(self.ports, self._held(run))
        return _told({"rights that it gave up": given_up})

    def _compare_with(self, wanted: Checkpoint, run: Run, step: Step, *, strictly: bool) -> str:
        """Waits until the owner has a checkpoint's state, and `strictly` objects all but their labels and annotations.

        What others have noted or changed meanwhile stays theirs: it is told.
        """
        owner = self._hand(step)
        left = delete_added(self.ports, step, owner, wanted)
        found = differences(self.ports, step, owner, wanted)
        still = (each for each in found.added if each not in left)
        differ = [*owner.differences(wanted), *map(str, found.changed if strictly else ()), *map(str, still)]
        if differ:
            given_up = owner.state(run.ticket)[0] is OwnerState.FAILED
            what = f"not as the checkpoint has it: {', '.join(differ)}"
            raise GivenUp(what, _GIVEN_UP_S) if given_up else NotYet(what, _LATE_S)
        meanwhile = (*(() if strictly else found.changed), *found.others)
        return _told({"changed by others meanwhile": meanwhile, "new, and not to be deleted by us": left})


def _told(what: Mapping[str, Iterable[object]]) -> str:
    listed = ((about, ", ".join(map(str, each))) for about, each in what.items())
    return "; ".join(f"{about}: {text}" for about, text in listed if text)


def _refs(step: Step) -> tuple[ObjectRef, ...]:
    return tuple(dict.fromkeys((*(target.ref for target in step.targets), *step.objects)))


# ── Looks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _state(seen: Seen, owner: OwnerState, detail: str) -> StepState:
    return StepState(
        of=seen.of,
        updated=seen.updated,
        ready=seen.ready,
        updated_ready=seen.updated_ready,
        owner=owner,
        detail=detail,
        restored=not seen.updated and seen.as_it_was and owner is not OwnerState.AT_WORK,
    )


def _samples(run: Run, answers: Iterable[Answered], seen: Seen, now: datetime) -> Iterator[Sample]:
    """What updated and other instances answered. Where nobody can tell who did, from the first update on they did."""
    new = {each.uid: each.new for each in seen.instances}
    alone = {each.sli for each in run.at_work_on.objectives if not each.controlled} if run.changed else ()
    for sli, counted in _by_sli(answers).items():
        known = [each for each in counted if each.pod in new]
        updated = _sum(each for each in known if new[each.pod])
        control = _sum(each for each in known if not new[each.pod])
        if not any(each.pod for each in counted):
            whole = _sum(counted)
            updated, control = (whole, NOTHING) if seen.updated_ready or sli in alone else (NOTHING, whole)
        yield Sample(sli=sli, at=now, updated=updated, control=control)


def _readiness(run: Run, seen: Seen, seconds: int, now: datetime) -> Sample:
    """A request a second and instance, answered by being ready. Those that still start are left out.

    That one was not ready at a look is one failure: how long it was not, nobody has seen.
    """
    starting = run.phase not in (Phase.SOAK, Phase.VERIFY)

    def counted(instances: Iterable[Instance]) -> Counts:
        asked = [each for each in instances if each.ready or not starting]
        failed = min(1, seconds) * sum(not each.ready for each in asked)
        return Counts(seconds * sum(each.ready for each in asked) + failed, failed)

    staying = seen.staying
    return Sample(
        sli=READY,
        at=now,
        updated=counted(each for each in staying if each.new),
        control=counted(each for each in staying if not each.new and each.ready),
    )


def _guards(run: Run, seen: Seen) -> tuple[Guard, ...]:
    """The troubles of updated instances; before anything is changed, of all."""
    return tuple(each.trouble for each in seen.staying if each.trouble and (each.new or not run.changed))


def _out_of_memory(run: Run, seen: Seen) -> Iterator[Guard]:
    """Containers that were killed, if only once: of updated instances, unless old ones are; before the change, of all.

    Unlike a crash loop it stays to be seen, also by a worker that was not there.
    """
    usual = {name for each in seen.instances if run.changed and not each.new for name in each.killed}
    for name in sorted({name for each in seen.instances for name in each.killed} - usual):
        subject = f"container {name} of {run.at_work_on.installation}"
        yield Guard(code="HLT007", subject=subject, detail="It was killed for want of memory")


def _elsewhere(run: Run, troubles: Iterable[Guard], seen: Seen) -> Iterator[Guard]:
    """The troubles of nodes on which no updated instance is. What it breaks on all nodes, it breaks on its own."""
    theirs = {each.node for each in seen.instances if each.new}
    return (each for each in troubles if run.changed and each.nodes and theirs.isdisjoint(each.nodes))


def _served(answers: Iterable[Answered]) -> Iterator[Answered]:
    """What users were answered: through the Service where that is counted, else by all instances together."""
    for sli, counted in _by_sli(answers).items():
        through_service = [each for each in counted if not each.pod]
        yield Answered(sli=sli, counts=_sum(through_service or counted))


def _by_sli(answers: Iterable[Answered]) -> dict[str, list[Answered]]:
    found: dict[str, list[Answered]] = {}
    for each in answers:
        found.setdefault(each.sli, []).append(each)
    return found


def _sum(answers: Iterable[Answered]) -> Counts:
    return sum((each.counts for each in answers), NOTHING)
