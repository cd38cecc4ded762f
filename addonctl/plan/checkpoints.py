"""Plans that go back to checkpoints, or make one."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Action, Delete, Installation, Note
from addonctl.model.checkpoint import CheckpointEntry, Differences
from addonctl.model.plan import Plan
from addonctl.plan.case import Case
from addonctl.plan.steps import restoring, step_of
from addonctl.plan.ways import Way, present


def restore_plan(
    assessment: Assessment, catalog: Catalog, goal: str, entries: Sequence[CheckpointEntry], now: datetime
) -> Plan:
    """Installations to what checkpoints hold of them, in the order given: what their owners keep, exactly.

    Raises BadInput for a checkpoint of another cluster, or of what is not installed, or has another owner now.
    """
    case = Case(assessment, catalog)
    kubernetes = case.kubernetes
    steps = [restoring(case, _held(case, entry), entry, kubernetes) for entry in entries]
    return case.plan(goal, steps, now)


def with_differences(plan: Plan, found: Sequence[Differences]) -> Plan:
    """The plan of restore_plan, each of whose steps says what of its checkpoint's objects is otherwise now."""
    steps = (replace(step, do=(*step.do, *_undoing(now))) for step, now in zip(plan.steps, found, strict=True))
    return replace(plan, steps=tuple(steps))


def _undoing(found: Differences) -> Iterator[Action]:
    if found.changed:
        yield Note(f"Bring back as they were: {', '.join(map(str, found.changed))}.")
    if found.others:
        yield Note(f"What others have changed since stays so: {', '.join(map(str, found.others))}.")
    yield from (Delete(target=ref, why="the checkpoint does not have it") for ref in found.added)


def checkpoint_plan(assessment: Assessment, catalog: Catalog, addon: str, now: datetime) -> Plan:
    """One step that changes nothing, for making a checkpoint of an add-on. Raises BadInput as update_plan does."""
    case = Case(assessment, catalog)
    row = case.one(addon)
    version = present(case, row)
    way = Way((Note("Make a checkpoint."),), (Note("Delete it."),))
    step = step_of(case, row, version, version, case.kubernetes, way)
    return case.plan(f"a checkpoint of {row.id}", (step,), now)


def _held(case: Case, entry: CheckpointEntry) -> Installation:
    """The installation that a checkpoint is one of."""
    if entry.cluster != case.assessment.cluster.name:
        raise BadInput(
            f"Checkpoint {entry.id[:12]} is one of {entry.cluster}", f"This is {case.assessment.cluster.name}."
        )
    if not entry.version:
        what = f"Before checkpoint {entry.id[:12]} there was nothing of {entry.installation}"
        raise BadInput(what, "Delete it: aws eks delete-addon.")
    row = case.one(entry.installation)
    if row.owner.type != entry.owner:
        raise BadInput(f"{row.id} had another owner then: {entry.owner}", "What one installed another cannot restore.")
    return row
