"""One execution of a plan: where it stands, what it wants done, what it was told. Only orchestrator.py moves it.

A Run is a value, stored after every move and before anything is done. Commands are what it wants done, one at a time
and in order; Events are what it is told. Both name the step that they are about by its place in the plan.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from addonctl.model.gate import Answered, Gate, GateSettings, Guard, Judgement, Sample
from addonctl.model.plan import Plan, Step


class Phase(StrEnum):
    """Where a run stands. The last five are ends."""

    PREFLIGHT = "preflight"
    CHECKPOINT = "checkpoint"
    BASELINE = "baseline"
    APPROVAL = "approval"  # somebody has to agree to a step that cannot be undone, or wants to be asked
    APPLY = "apply"  # a wave is being updated
    SOAK = "soak"  # it is updated, and watched
    VERIFY = "verify"
    ROLLING_BACK = "rolling-back"
    UPDATED = "updated"
    ROLLED_BACK = "rolled-back"
    REFUSED = "refused"  # nothing of the step was changed
    CANCELLED = "cancelled"
    STUCK = "stuck"  # a person must look; nothing more is touched

    @property
    def ended(self) -> bool:
        return self in _ENDS


_ENDS = (Phase.UPDATED, Phase.ROLLED_BACK, Phase.REFUSED, Phase.CANCELLED, Phase.STUCK)


# ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────


class Do(StrEnum):
    """What can be wanted. Each is safe to repeat: who carries it out reads the world first."""

    CHECK = "check"  # the world is as the plan was made for it, and every preflight check holds
    CHECKPOINT = "checkpoint"  # store what is needed to go back
    HARDEN = "harden"  # the temporary settings under which an update loses nothing
    CHANGE = "change"  # tell the owner to change; waves that can be held stay held
    RELEASE = "release"  # let the instances of one wave take it up
    RELAX = "relax"  # take the temporary settings away
    COMPARE = "compare"  # the live state with the plan's, or with the checkpoint's when rolling back
    REVERT_WORKLOADS = "revert-workloads"  # old pods serve again, in seconds
    REVERT_OWNER = "revert-owner"  # the owner is told the checkpoint's state

    @property
    def changes(self) -> bool:
        """Whether it writes to the world."""
        return self not in (Do.CHECK, Do.CHECKPOINT, Do.COMPARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing to do. `id` is the same when it is repeated: the token that makes the repeat harmless."""

    id: str
    do: Do
    step: int
    wave: int = 0


# ── Events ──────────────────────────────────────────────────────────────────────────────────────────────────────


class OwnerState(StrEnum):
    """What the owner says of its change. EKS's DEGRADED is no failure of an update."""

    IDLE = "idle"
    AT_WORK = "at-work"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """How far a step is, as the live objects show it: counts of instances, and what the owner says.

    `updated` run the new version, `restored`: none does, and the owner is told the old one.
    """

    of: int
    updated: int
    ready: int
    updated_ready: int
    owner: OwnerState = OwnerState.IDLE
    detail: str = ""
    restored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at the world showed. `state` is None where it could not be read, with the reason in `unread`.

    `served` is what was answered to users, by SLI; `troubles` what is wrong anywhere in the cluster; None: nobody
    has assessed it yet. `elsewhere` are those of nodes on which no updated instance is: it did not bring them about.
    """

    state: StepState | None
    samples: tuple[Sample, ...] = ()
    guards: tuple[Guard, ...] = ()
    served: tuple[Answered, ...] = ()
    troubles: tuple[Guard, ...] | None = ()
    elsewhere: tuple[Guard, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A command was carried out. `result`: a checkpoint's id."""

    command: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A command was not carried out, for `reason`. `retry_after_s` is None where trying again cannot help.

    `forbidden`: whoever carries it out lacks a right, which is hardly granted meanwhile. `given_up`: what it waits for
    comes about only where the owner is asked for it again.
    """

    command: str
    reason: str
    retry_after_s: float | None = None
    forbidden: bool = False
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Approved:
    by: str


@dataclass(frozen=True, slots=True)
class Paused:
    by: str


@dataclass(frozen=True, slots=True)
class Resumed:
    by: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    by: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; nothing else."""


Event = Looked | Done | Failed | Approved | Paused | Resumed | Cancelled | Tick


# ── Runs ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class GateFailed:
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """The gate knew nothing for so long; unknown never passes."""

    seconds: int
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class NotCounted:
    """Nothing was counted of these SLIs before the change, so nobody could judge them after it."""

    slis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TookTooLong:
    """`waited_for`: why the last command was not carried out, where it was one that it waited for."""

    phase: Phase
    seconds: int
    state: StepState | None
    waited_for: str = ""


@dataclass(frozen=True, slots=True)
class CommandFailed:
    do: Do
    reason: str


@dataclass(frozen=True, slots=True)
class OwnerFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class CancelledBy:
    by: str


@dataclass(frozen=True, slots=True)
class NoWayBack:
    """The step cannot be undone, which was said before it began; `instead` is why it would have been."""

    irreversible: str
    instead: "Why"


Why = GateFailed | NoVerdict | NotCounted | TookTooLong | CommandFailed | OwnerFailed | CancelledBy | NoWayBack
"""Why a run turned back, or stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of a run's timeline: a phase was entered, and why if it was a turn.

    `judgement`: what the gate said last of the phase before, where one was open. `unwatched`: SLIs that gave no count
    before the change that begins here, and so cannot tell anything after it.
    """

    at: datetime
    phase: Phase
    step: int
    wave: int = 0
    why: Why | None = None
    judgement: Judgement | None = None
    by: str = ""  # who approved
    unwatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a phase may last, in seconds, before the run goes back, or stops for a person when it is going back.

    `baseline_s`: so long it is watched before anything is changed. `hold_s`: how long a soak may stay unknown.
    `look_s`: between two looks.
    """

    preflight_s: int = 300
    checkpoint_s: int = 300
    baseline_s: int = 30
    harden_s: int = 300
    approval_s: int = 86_400
    apply_s: int = 600
    hold_s: int = 300
    verify_s: int = 600
    rolling_back_s: int = 1_800
    look_s: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A plan that is being carried out.

    `since` is when the phase was entered, `moved` when the run last moved: what lies between two moves, and nobody saw,
    is no part of the time that a phase lasts.
    `todo` are the commands that the phase still wants, the first of them being done now, not before `not_before` where
    it `waits_for` something.
    `forbidden_since`: the first of them has been so for as long.
    `ticket` is what the owner gave for the change that it was asked for last: the id of EKS's update.
    `hardened` and `changed`: of the present step, that was asked for, so it may be so. `restored`: while rolling back,
    the live state was seen to be the old one again. `ending` is the end that rolling back leads to. `checkpoints`: one
    id for every step that was begun. `served`: what users were answered from the baseline to the end, by SLI.
    `troubles`: those of the cluster before the change; others are new.
    """

    id: str
    plan: Plan
    phase: Phase
    since: datetime
    moved: datetime | None = None
    settings: GateSettings = field(default_factory=GateSettings)
    limits: Limits = field(default_factory=Limits)
    step: int = 0
    wave: int = 0
    todo: tuple[Command, ...] = ()
    not_before: datetime | None = None
    waits_for: str = ""
    forbidden_since: datetime | None = None
    numbered: int = 0
    ticket: str = ""
    baseline: tuple[Sample, ...] = ()
    gate: Gate | None = None
    judgement: Judgement | None = None
    state: StepState | None = None
    unknown_since: datetime | None = None
    hardened: bool = False
    changed: bool = False
    restored: bool = False
    paused: bool = False
    ending: Phase | None = None
    why: Why | None = None
    checkpoints: tuple[str, ...] = ()
    served: tuple[Answered, ...] = ()
    troubles: tuple[Guard, ...] | None = None
    timeline: tuple[Entry, ...] = ()

    @property
    def at_work_on(self) -> Step:
        return self.plan.steps[self.step]

    @property
    def begun(self) -> datetime:
        return self.timeline[0].at
