"""Runs in words and as documents: where one stands, how it came there, what it cost. live.py prints them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from addonctl.model import Answered, Judgement, SliJudgement, Verdict
from addonctl.model.checkpoint import Checkpoint, CheckpointEntry
from addonctl.model.journal import Line, RunEntry
from addonctl.model.plan import Step
from addonctl.model.run import (
    CancelledBy,
    CommandFailed,
    Do,
    Entry,
    GateFailed,
    NotCounted,
    NoVerdict,
    NoWayBack,
    OwnerFailed,
    Phase,
    Run,
    StepState,
    TookTooLong,
    Why,
)
from addonctl.render.documents import SCHEMA, Document, plain

DOES: Mapping[str, str] = {
    Do.CHECK: "check that the world is as the plan was made for it",
    Do.CHECKPOINT: "make a checkpoint",
    Do.HARDEN: "make its workloads take up nothing before it is released",
    Do.CHANGE: "tell its owner the new version",
    Do.RELEASE: "let a wave take the new version up",
    Do.RELAX: "take the temporary settings away",
    Do.COMPARE: "compare the live state with what it should be",
    Do.REVERT_WORKLOADS: "put the old pods back",
    Do.REVERT_OWNER: "tell its owner the old version",
}
"""What a command does, in words."""

PHASES = {
    Phase.PREFLIGHT: "checks that nothing has changed since the plan",
    Phase.CHECKPOINT: "makes a checkpoint",
    Phase.BASELINE: "watches it as it is",
    Phase.APPROVAL: "waits for an approval",
    Phase.APPLY: "updates",
    Phase.SOAK: "watches what is updated",
    Phase.VERIFY: "verifies",
    Phase.ROLLING_BACK: "goes back",
    Phase.UPDATED: "updated",
    Phase.ROLLED_BACK: "rolled back: as it was before",
    Phase.REFUSED: "refused: nothing was changed",
    Phase.CANCELLED: "cancelled: as it was before",
    Phase.STUCK: "stuck: a person must look; nothing more is touched",
}
"""What a run does in a phase, or how it has ended."""


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────


def why_text(why: Why) -> str:
    """Why a run turned back or stopped, in one sentence."""
    match why:
        case GateFailed(judgement):
            return "; ".join(evidence(judgement))
        case NoVerdict(seconds, judgement):
            return f"no verdict for {seconds} s: {'; '.join(evidence(judgement))}"
        case NotCounted(slis):
            names = ", ".join(slis)
            return f"nothing was counted of {names}, so nobody could judge it after the change (--accept-risk PRE023)"
        case TookTooLong(phase, seconds, state, waited_for):
            seen = f" ({state_text(state)})" if state and state.of else ""
            return f"too long: {PHASES[phase]} for {seconds} s{seen}{waited_for and f': {waited_for}'}"
        case CommandFailed(Do.CHECK, reason):
            return reason
        case CommandFailed(do, reason):
            return f"could not {DOES[do]}: {reason}"
        case OwnerFailed(detail):
            return f"its owner says that the change failed{detail and f': {detail}'}"
        case CancelledBy(by):
            return f"cancelled by {by}"
        case NoWayBack(irreversible, instead):
            return f"{why_text(instead)}; there is no way back: {irreversible}"


def evidence(judgement: Judgement) -> Iterator[str]:
    """What a verdict stands on: guards that are broken, else the SLIs that it goes by."""
    if judgement.guards:
        yield from dict.fromkeys(f"{each.subject}: {each.detail}" for each in judgement.guards)
        return
    verdict = judgement.verdict
    telling = [each for each in judgement.slis if each.verdict is verdict and (each.decides or verdict is Verdict.PASS)]
    yield from map(_sli, telling or judgement.slis)


def _sli(found: SliJudgement) -> str:
    updated, control = found.updated, found.control
    failed = f"{found.sli}: {updated.failed:,} of {updated.requests:,} failed"
    beside = f", {control.failed:,} of {control.requests:,} of the others" if control.requests else ""
    match found.verdict:
        case Verdict.FAIL:
            return f"{failed}{beside} (chance {found.chance:.0e} if the update were harmless)"
        case Verdict.UNKNOWN if found.silent:
            return f"{found.sli}: nothing is counted"
        case Verdict.UNKNOWN if found.missing:
            return f"{failed}{beside}; {found.missing} more good ones are needed"
    return f"{failed}{beside}"


def state_text(state: StepState) -> str:
    return f"{state.updated} of {state.of} updated, {state.updated_ready} of them ready"


def moves(step: Step, unknown: str = "?") -> str:
    """From which version to which; where it stays, what changes instead."""
    was, to = step.from_version or unknown, step.to_version or unknown
    if step.creates:
        return f"{to}, created"
    if step.lets_go or step.removes:
        return f"{was}, {'deleted' if step.removes else 'let go'}"
    if step.configuration is None:
        return f"{was} → {to}"
    return f"{was}, configured" if was == to else f"{was} → {to}, configured"


def position(run: Run) -> str:
    """What the run does now: its phase, wave and step."""
    step = run.at_work_on
    of_steps = f", step {run.step + 1} of {len(run.plan.steps)}" if len(run.plan.steps) > 1 else ""
    in_waves = run.phase in (Phase.APPLY, Phase.SOAK) and len(step.waves) > 1
    of_waves = f" wave {run.wave + 1} of {len(step.waves)}" if in_waves else ""
    return f"{PHASES[run.phase]}{of_waves}{of_steps}"


def entry_text(entry: Entry, run: Run) -> str:
    """A line of the timeline. An end gives its reason unless a turn before it has given it."""
    waves = run.plan.steps[entry.step].waves
    wave = f" wave {entry.wave + 1} of {len(waves)}" if entry.phase in (Phase.APPLY, Phase.SOAK) else ""
    by = f", approved by {entry.by}" if entry.by else ""
    told = entry.why and not (entry.phase.ended and any(each.why == entry.why for each in run.timeline[:-1]))
    why = f": {why_text(entry.why)}" if entry.why and told else ""
    blind = f"; without {', '.join(entry.unwatched)}: nothing was counted before the change" if entry.unwatched else ""
    return f"{PHASES[entry.phase]}{wave}{by}{blind}{why}"


def lost(served: Iterable[Answered]) -> Iterator[str]:
    """How many requests of users were lost, by SLI."""
    for each in served:
        yield f"{each.sli}: {each.counts.failed:,} of {each.counts.requests:,} lost"


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────


def run_document(run: Run, lines: Iterable[Line] = ()) -> Document:
    """`addonctl update -o json`, `runs RUN -o json`. `outcome` is empty while it runs; `lost` is by SLI."""
    return {
        "schema": SCHEMA,
        "kind": "Run",
        "id": run.id,
        "cluster": run.plan.cluster,
        "goal": run.plan.goal,
        "plan": run.plan.id,
        "phase": run.phase,
        "outcome": run.phase if run.phase.ended else "",
        "why": why_text(run.why) if run.why else "",
        "paused": run.paused,
        "begun": plain(run.begun),
        "since": plain(run.since),
        "steps": [_step(run, number) for number in range(len(run.plan.steps))],
        "verdicts": [_verdict(entry) for entry in run.timeline if entry.judgement],
        "timeline": [_entry(entry) for entry in run.timeline],
        "lost": {each.sli: plain(each.counts) for each in run.served},
        "audit": plain(tuple(lines)),
    }


def _step(run: Run, number: int) -> Document:
    step = run.plan.steps[number]
    state = plain(run.state) if number == run.step and run.state else None
    return {
        "id": step.id,
        "installation": step.installation,
        "owner": str(step.owner),
        "from": str(step.from_version or ""),
        "to": str(step.to_version or ""),
        "configuration": plain(step.configuration.changes) if step.configuration else [],
        "checkpoint": run.checkpoints[number] if number < len(run.checkpoints) else "",
        "state": state,
    }


def _entry(entry: Entry) -> Document:
    why: Any = {"type": type(entry.why).__name__, "text": why_text(entry.why)} if entry.why else None
    return {
        "at": plain(entry.at),
        "phase": entry.phase,
        "step": entry.step + 1,
        "wave": entry.wave + 1,
        "why": why,
        "by": entry.by,
        "unwatched": list(entry.unwatched),
    }


def _verdict(entry: Entry) -> Document:
    assert entry.judgement is not None
    judgement = entry.judgement
    return {
        "at": plain(entry.at),
        "before": entry.phase,
        "step": entry.step + 1,
        "verdict": judgement.verdict,
        "evidence": list(evidence(judgement)),
        "slis": plain(judgement.slis),
    }


def runs_document(entries: Iterable[RunEntry]) -> Document:
    """`addonctl runs -o json`."""
    return {"schema": SCHEMA, "kind": "Runs", "runs": plain(tuple(entries))}


def checkpoints_document(entries: Iterable[CheckpointEntry]) -> Document:
    """`addonctl checkpoint list -o json`."""
    return {"schema": SCHEMA, "kind": "Checkpoints", "checkpoints": plain(tuple(entries))}


def checkpoint_document(entry: CheckpointEntry, held: Checkpoint) -> Document:
    """`addonctl checkpoint show`: what is in it by name; contents may be secret."""
    return {
        "schema": SCHEMA,
        "kind": "Checkpoint",
        **plain(entry),
        "objects": [str(each.ref) for each in held.objects],
        "crds": [str(each.ref) for each in held.crds],
        "custom_resources": [str(each.ref) for each in held.custom_resources],
        "secrets_withheld": [str(each.ref) for each in held.secrets],
    }
