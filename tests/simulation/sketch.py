"""A sketch of the world for the orchestrator alone: counts of instances, an owner at work, seeded trouble.

It does what each Command says, as the executor will: it reads before it repeats, and what was done stays done though
the answer is lost. One integer makes a run. What it did is written down, for judging afterwards.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from addonctl.model import NOTHING, Counts, Guard, Note, Objective, Sample, owners
from addonctl.model.plan import Plan, Step, Wave
from addonctl.model.run import Command, Do, Done, Event, Failed, Limits, Looked, OwnerState, Run, StepState, Tick
from addonctl.orchestrator import advance, started
from tests.builders import NOW

_REQUESTS = 100  # a look


@dataclass
class Trouble:
    """What goes wrong in a world. Shares are of every command or look."""

    bad_share: float = 0.0  # of requests to the new version
    never_ready: bool = False
    guard: bool = False  # the new version breaks a guard
    guard_before: bool = False  # it is broken before anything is changed
    owner_fails: bool = False
    owner_needs_s: int = 20  # for its change; EKS gives up after some twenty minutes
    transient: float = 0.0
    lost: float = 0.0  # done, and answered by an error
    unread: float = 0.0
    permanent: frozenset[Do] = frozenset()
    crash: float = 0.0  # the process dies after a command and before its answer is stored
    silent: bool = False  # nothing is counted once the new version is there
    uncounted: bool = False  # nothing is ever counted


@dataclass
class World:
    """One installation of `of` instances."""

    seed: int
    trouble: Trouble
    of: int = 6
    now: datetime = NOW
    step: int = 0
    told: bool = False  # the owner is told the new version
    released: int = 0
    updated: int = 0
    most_updated: int = 0
    ready_new: int = 0
    owner: OwnerState = OwnerState.IDLE
    owner_ends: datetime = NOW
    hardened: bool = False
    checkpoint: bool = False
    did: list[Do] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    # ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for _ in range(max(round(seconds), 1)):
            self.ready_new = self.ready_new if self.trouble.never_ready else self.updated
            self.updated = min(self.updated + 1, self.released) if self.told else max(self.updated - 3, 0)
            self.ready_new = min(self.ready_new, self.updated)
            self.most_updated = max(self.most_updated, self.updated)
        if self.owner is OwnerState.AT_WORK and self.now >= self.owner_ends:
            self.owner = OwnerState.FAILED if self.trouble.owner_fails and self.told else OwnerState.DONE

    # ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────

    def do(self, command: Command) -> Event:
        self.pass_time(self.chance.choice((0.1, 1, 3)))
        if command.do in self.trouble.permanent:
            return Failed(command.id, "refused")
        if self.chance.random() < self.trouble.transient:
            return Failed(command.id, "throttled", retry_after_s=self.chance.choice((1, 5, 30)))
        if command.do is Do.REVERT_OWNER and self.owner is OwnerState.AT_WORK and self.told:
            return Failed(command.id, "at work", retry_after_s=5)
        self._carry_out(command)
        if self.chance.random() < self.trouble.lost:
            return Failed(command.id, "no answer", retry_after_s=2)
        return Done(command.id, "checkpoint-1" if command.do is Do.CHECKPOINT else "")

    def _carry_out(self, command: Command) -> None:
        self.did.append(command.do)
        match command.do:
            case Do.CHECK if command.step != self.step:  # what was new is now the old
                self.step, self.told, self.checkpoint = command.step, False, False
                self.released = self.updated = self.ready_new = 0
            case Do.CHECKPOINT:
                assert not self.told, "a checkpoint of a changed installation is none"
                self.checkpoint = True
            case Do.HARDEN:
                self.hardened = True
            case Do.RELAX:
                self.hardened = False
            case Do.CHANGE:
                assert self.checkpoint, "changed without a way back"
                if not self.told:
                    self._work(self.trouble.owner_needs_s)
                self.told = True
            case Do.RELEASE:
                self.released = max(self.released, (command.wave + 1) * 2)
            case Do.REVERT_WORKLOADS:
                self.released = self.updated = self.ready_new = 0
            case Do.REVERT_OWNER:
                if self.told:
                    self._work(10)
                self.told, self.released = False, 0
            case Do.COMPARE:
                assert not self.hardened, "compared with what is temporary still there"

    def _work(self, seconds: int) -> None:
        self.owner, self.owner_ends = OwnerState.AT_WORK, self.now + timedelta(seconds=seconds)

    # ── Looks ───────────────────────────────────────────────────────────────────────────────────────────────────

    def look(self, seconds: int) -> Looked:
        self.pass_time(seconds)
        if self.chance.random() < self.trouble.unread:
            return Looked(state=None, unread="time-out")
        guards: tuple[Guard, ...] = ()
        if (self.trouble.guard and self.updated) or self.trouble.guard_before:
            guards = (Guard(code="HLT001", subject="Deployment/shop/dns", detail="crashed"),)
        return Looked(state=self._state(), samples=self._samples(), guards=guards)

    def _state(self) -> StepState:
        old = self.of - self.updated
        owner = self.owner
        restored = not self.told and not self.updated and owner is not OwnerState.AT_WORK
        return StepState(
            of=self.of,
            updated=self.updated,
            ready=old + self.ready_new,
            updated_ready=self.ready_new,
            owner=owner,
            restored=restored,
        )

    def _samples(self) -> tuple[Sample, ...]:
        if self.trouble.uncounted:
            return (Sample(sli="ready", at=self.now, updated=NOTHING, control=Counts(self.of)),)
        if self.trouble.silent and self.told:
            return ()
        new, old = (_REQUESTS * n // self.of for n in (self.ready_new, self.of - self.updated))
        bad = sum(self.chance.random() < self.trouble.bad_share for _ in range(new))
        return (Sample(sli="dns", at=self.now, updated=Counts(new, bad), control=Counts(old)),)


def plan(steps: int = 1, waves: int = 3, irreversible: str = "", approval: bool = False) -> Plan:
    """So many updates of the same installation, one after the other."""
    made = tuple(
        Step(
            id=str(number),
            installation="coredns/kube-system/coredns",
            addon="coredns",
            owner=owners.EksAddon("coredns"),
            from_version=None,
            to_version=None,
            do=(Note("the new version"),),
            undo=() if irreversible else (Note("the old version"),),
            irreversible=irreversible,
            waves=(Wave(instances=2),) * waves,
            objectives=(Objective(sli="dns"),),
            soak_s=30,
            approval=approval,
        )
        for number in range(steps)
    )
    return Plan(cluster="prod-eu-1", kubernetes=None, made=NOW, goal="newer", steps=made)


def carried_out(world: World, wanted: Plan, said: Mapping[int, Event] = MappingProxyType({}), most: int = 5_000) -> Run:
    """The loop that an executor runs; after a crash it goes on with what was stored. `said` by people, by move."""
    run, commands = started("run", wanted, world.now, limits=Limits(approval_s=900))
    for move in range(most):
        if move in said:
            run, commands = advance(run, said[move], world.now)
        if run.phase.ended:
            return run
        event: Event = world.do(commands[0]) if commands else world.look(run.limits.look_s)
        if commands and world.chance.random() < world.trouble.crash:
            event = Tick()  # the answer died with the process: what is stored asks again
        run, commands = advance(run, event, world.now)
    raise AssertionError(f"seed {world.seed}: no end after {most} moves, {run.phase}")
