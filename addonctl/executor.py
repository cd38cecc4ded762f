"""Carries out what a run wants and looks at the world for it: the one gate of all writes.

Each command is safe to repeat: what it is for is read first, EKS is given the command's id as its token, and a write
that may have been carried out though its answer was lost is asked for again. An error says by its type whether trying
again may help; what is sure not to turns the run back. Steps of EKS add-ons are carried out; those of other owners are
refused for now. Called by whoever drives a run: the command line, an operator, the simulator.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from addonctl import ports
from addonctl.errors import AddonctlError, Conflict, Invalid, NotAllowed, NotFound
from addonctl.instances import KINDS, Count, Instances, exists, of_checkpoint
from addonctl.model import ObjectRef, live, owners
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.plan import Step
from addonctl.model.run import Command, Do, Done, Event, Failed, Looked, OwnerState, Phase, Run, StepState

# EKS works on one change of an add-on at a time and does not say how long it will; a wave goes on within seconds.
_BUSY_S, _ROLLS_S = 5.0, 1.0
# Credentials that expire in the middle of a run are renewed by somebody, and what EKS describes may be of before.
_RENEWED_S, _LATE_S = 30.0, 5.0
_OWNER_STATES = {"InProgress": OwnerState.AT_WORK, "Successful": OwnerState.DONE}


@dataclass(frozen=True, slots=True)
class Hands:
    """The ways to one cluster that changing it takes."""

    reader: ports.ObjectReader
    writer: ports.ObjectWriter
    eks: ports.EksAddons
    eks_writer: ports.EksAddonWriter
    checkpoints: ports.Checkpoints
    signals: ports.Signals
    clock: ports.Clock


class _NotYet(Exception):
    """What was asked for is under way; ask again in `seconds`."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(what)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Executor:
    hands: Hands

    def do(self, run: Run, command: Command) -> Event:
        """Carries a command out; what came of it."""
        step = run.plan.steps[command.step]
        try:
            return Done(command.id, self._do(run, step, command))
        except _NotYet as under_way:
            return Failed(command.id, str(under_way), under_way.seconds)
        except NotAllowed as error:
            return Failed(command.id, error.what, _RENEWED_S)
        except AddonctlError as error:
            return Failed(command.id, error.what, error.retry_after_s)

    def turn(self, run: Run, wanted: Sequence[Command], since: datetime) -> Event:
        """One turn of a run: the command that it wants, else a look."""
        return self.do(run, wanted[0]) if wanted else self.look(run, since)

    def look(self, run: Run, since: datetime) -> Looked:
        """How far the present step is, and what was counted after `since`. Changes nothing."""
        step = run.at_work_on
        samples = self.hands.signals.counted(step, since)
        try:
            return Looked(state=self._state(run, step), samples=samples)
        except AddonctlError as error:
            return Looked(state=None, samples=samples, unread=error.what)

    # ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────

    def _do(self, run: Run, step: Step, command: Command) -> str:
        match command.do:
            case Do.CHECK:
                return self._check(step)
            case Do.CHECKPOINT:
                return self._checkpoint(run, step)
            case Do.HARDEN:
                return self._each(run, Instances.harden)
            case Do.CHANGE:
                return self._change(step, self._held(run), command.id)
            case Do.RELEASE:
                return self._release(run, step, command.wave)
            case Do.RELAX:
                return self._each(run, Instances.relax)
            case Do.COMPARE:
                return self._compare(run, step)
            case Do.REVERT_WORKLOADS:
                return self._each(run, Instances.revert)
            case Do.REVERT_OWNER:
                return self._revert(step, self._held(run), command.id)

    def _check(self, step: Step) -> str:
        """Refuses where the world is not the one that the plan was made for."""
        found = self.hands.eks.describe(_eks_name(step))
        if found.version != str(step.from_version):
            was = f"the plan was made for {step.from_version}"
            raise Invalid(f"{found.name} is at {found.version}, {was}", "Plan anew.")
        if found.status != "ACTIVE":
            raise Invalid(f"{found.name} is {found.status}", "Update it once it is ACTIVE.")
        others = [str(each.ref) for each in step.targets if each.ref.kind not in KINDS]
        if others:
            raise Invalid(f"{', '.join(others)}: only Deployments and DaemonSets are updated in waves so far")
        missing = [str(ref) for ref in _refs(step) if exists(self.hands.reader, ref) is None]
        if missing:
            raise Invalid(f"{', '.join(missing)} of {step.installation} is not there", "Plan anew.")
        return ""

    def _checkpoint(self, run: Run, step: Step) -> str:
        objects = tuple(filter(None, (exists(self.hands.reader, ref) for ref in _refs(step))))
        checkpoint = Checkpoint(
            cluster=run.plan.cluster,
            installation=step.installation,
            addon=step.addon,
            taken=self.hands.clock.now(),
            owner=step.owner,
            eks=self.hands.eks.describe(_eks_name(step)),
            objects=objects,
        )
        return self.hands.checkpoints.save(checkpoint).id

    def _held(self, run: Run) -> Checkpoint:
        """The checkpoint of the present step."""
        return self.hands.checkpoints.load(run.checkpoints[run.step])

    def _instances(self, run: Run) -> tuple[Instances, ...]:
        return of_checkpoint(self.hands.reader, self.hands.writer, self._held(run))

    def _each(self, run: Run, what: Callable[[Instances], None]) -> str:
        for instances in self._instances(run):
            what(instances)
        return ""

    def _change(self, step: Step, before: Checkpoint, token: str) -> str:
        """Asks EKS for the new version with all that the add-on has; the id of its update."""
        assert before.eks is not None, step.installation
        return self._ask_eks(before.eks, str(step.to_version), token)

    def _revert(self, step: Step, before: Checkpoint, token: str) -> str:
        """The same for the checkpoint's version; nothing where EKS has it already."""
        assert before.eks is not None, step.installation
        now = self.hands.eks.describe(before.eks.name)
        if now.version == before.eks.version and now.status == "ACTIVE" and _alike(now, before.eks):
            return ""
        try:
            return self._ask_eks(before.eks, before.eks.version, token)
        except Conflict as busy:
            raise _NotYet(busy.what, _BUSY_S) from busy

    def _ask_eks(self, wanted: live.Addon, version: str, token: str) -> str:
        update = self.hands.eks_writer.update(
            wanted.name,
            version=version,
            role_arn=wanted.role_arn,
            identities=wanted.identities,
            configuration=wanted.configuration,
            resolve_conflicts=live.ResolveConflicts.PRESERVE,
            token=token,
        )
        return update.id

    def _release(self, run: Run, step: Step, wave: int) -> str:
        """Lets a wave take the new version up, once its owner has brought it; asked again until that is done."""
        counted = [(each, each.count()) for each in self._instances(run)]
        if counted and all(count.as_it_was for _, count in counted):
            raise _NotYet("the owner has not brought the new version yet", _ROLLS_S)
        so_far, last = step.waves[: wave + 1], wave + 1 == len(step.waves)
        so_many = sum(each.instances for each in so_far)
        nodes = [node for each in so_far for node in each.nodes]
        done = [each.release(count, so_many, nodes, last=last) for each, count in counted]
        if not all(done):
            raise _NotYet("the wave takes the new version up", _ROLLS_S)
        return ""

    def _compare(self, run: Run, step: Step) -> str:
        """Waits until the live state is what it should be by now: the plan's, or the checkpoint's."""
        before = self._held(run)
        assert before.eks is not None, step.installation
        found = self.hands.eks.describe(before.eks.name)
        if run.phase is not Phase.ROLLING_BACK:
            if found.version != str(step.to_version):
                raise _NotYet(f"EKS has {found.name} {found.version}, not {step.to_version}", _LATE_S)
            return ""
        differ = list(self._differences(before, found))
        if differ:
            raise _NotYet(f"not as the checkpoint has it: {', '.join(differ)}", _LATE_S)
        return ""

    def _differences(self, before: Checkpoint, now: live.Addon) -> Iterator[str]:
        assert before.eks is not None
        if now.version != before.eks.version or not _alike(now, before.eks):
            yield f"EKS add-on {now.name}"
        for old in before.objects:
            found = exists(self.hands.reader, old.ref)
            if found is None or live.normalised(found.document) != live.normalised(old.document):
                yield str(old.ref)

    # ── Looks ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _state(self, run: Run, step: Step) -> StepState:
        if len(run.checkpoints) <= run.step:
            return StepState(of=0, updated=0, ready=0, updated_ready=0)
        count = sum((each.count() for each in self._instances(run)), Count())
        owner, detail = self._owner(run, step)
        back = not count.updated and count.as_it_was
        return StepState(
            of=count.of,
            updated=count.updated,
            ready=count.ready,
            updated_ready=count.updated_ready,
            owner=owner,
            detail=detail,
            restored=back and owner is not OwnerState.AT_WORK,
        )

    def _owner(self, run: Run, step: Step) -> tuple[OwnerState, str]:
        """What EKS says of the update that it was asked for last."""
        if not run.ticket:
            return OwnerState.IDLE, ""
        try:
            update = self.hands.eks.update_status(_eks_name(step), run.ticket)
        except NotFound:
            return OwnerState.AT_WORK, "EKS does not know of its update yet"
        detail = "; ".join(f"{each.code}: {each.message}" for each in update.errors)
        return _OWNER_STATES.get(update.status, OwnerState.FAILED), detail


def _eks_name(step: Step) -> str:
    if not isinstance(step.owner, owners.EksAddon):
        raise Invalid(f"{step.installation} is kept by {step.owner}: only EKS add-ons are updated so far")
    return step.owner.name


def _refs(step: Step) -> tuple[ObjectRef, ...]:
    return tuple(dict.fromkeys((*(target.ref for target in step.targets), *step.objects)))


def _alike(one: live.Addon, other: live.Addon) -> bool:
    """Whether EKS keeps the same beside the version; a configuration that was reset is described as `{}`."""
    mine, its = ((each.role_arn, each.identities, each.configuration.replace("{}", "")) for each in (one, other))
    return mine == its
