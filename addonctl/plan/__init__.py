"""From an assessment and a goal to a Plan: what changes, to which version, in which order, and how to go back.

Two goals: one add-on to another version, or everything that the next Kubernetes minors need. Every version on the way
is one that AWS's table or upstream's ranges allow; what nobody can say becomes an open question, never a guess. Pure;
called by manager.py. orchestrator.py carries a plan out, render/ prints it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Action, CreateAddon, GitChange, HelmUpgrade, Installation, UpdateAddon
from addonctl.model.configuration import ConfigurationChange
from addonctl.model.manifests import Manifests
from addonctl.model.plan import OpenQuestion, Plan, Premise, Step
from addonctl.plan.case import Case
from addonctl.plan.checkpoints import checkpoint_plan, restore_plan, with_differences
from addonctl.plan.keeping import creation_plan, letting_go_plan, removal_plan
from addonctl.plan.rollout import counting
from addonctl.plan.steps import applying, choosing, configuring, to_version
from addonctl.plan.versions import DEFAULT, LATEST, Move, needed_move, version_asked_for
from addonctl.plan.ways import present
from addonctl.versions import Minor

__all__ = [
    "DEFAULT",
    "LATEST",
    "check_premises",
    "checkpoint_plan",
    "chosen_plan",
    "counting",
    "creation_plan",
    "letting_go_plan",
    "removal_plan",
    "restore_plan",
    "update_plan",
    "upgrade_plan",
    "with_configuration",
    "with_differences",
]

_WITH_ALL_OF_IT = "with the whole of the new configuration in the file:"
_AS_IT_WAS = "with the configuration of before in the file:"


def update_plan(
    assessment: Assessment,
    catalog: Catalog,
    addon: str,
    to: str,
    now: datetime,
    manifests: Manifests | None = None,
    *,
    configured: bool = False,
) -> Plan:
    """An add-on (its id, or that of an installation) to a version: one by name, `default` or `latest-compatible`.

    A plan without steps where it is there already; `manifests` of the same version are applied all the same. With
    `configured` there is a last step that may change its configuration, also where the version stays (no `to`). Raises
    BadInput when it is not installed, or not once; when the running Kubernetes, its version or its owner is not known;
    for a version that is not offered for it, and for manifests of another one or of what is not kept as manifests.
    """
    case = Case(assessment, catalog)
    kubernetes = case.kubernetes
    row = case.one(addon)
    row = replace(row, version=present(case, row))
    goal = version_asked_for(case, row, to, kubernetes) if to else row.version
    if configured and goal == row.version:
        return case.plan(f"{row.id} to another configuration", [configuring(case, row, kubernetes)], now)
    if manifests is not None:
        return case.plan(f"{row.id} to {to}", [applying(case, row, goal, kubernetes, manifests)], now)
    return case.plan(f"{row.id} to {to}", to_version(case, row, goal, kubernetes, kubernetes), now)


def with_configuration(plan: Plan, change: ConfigurationChange | None) -> Plan:
    """The plan, of which the last step changes the configuration as well; None: it is that already."""
    *others, last = plan.steps
    if change is None:
        return plan if last.to_version != last.from_version else replace(plan, steps=tuple(others))
    do, undo = (tuple(map(way, done)) for way, done in ((_configured, last.do), (_configured_back, last.undo)))
    # Instances that go because fewer are wanted, there or on the way back, are ended by their controller, not by us.
    scales = any("replica" in each.key.lower() for each in change.changes)
    changed = replace(last, configuration=change, do=do, undo=undo, loses=last.loses or scales)
    return replace(plan, steps=(*others, changed))


def _configured(action: Action) -> Action:
    match action:
        case UpdateAddon():
            return replace(action, keep_configuration=False, values="configuration.json", why=_WITH_ALL_OF_IT)
        case CreateAddon():
            return replace(action, values="configuration.json")
        case HelmUpgrade():
            return replace(action, values="values.yaml")
        case GitChange(change=change):
            return replace(action, change=f"{change}, with the values given")
    return action


def _configured_back(action: Action) -> Action:
    match action:
        case UpdateAddon():
            return replace(action, keep_configuration=False, values="configuration-before.json", why=_AS_IT_WAS)
        case GitChange(change=change):
            return replace(action, change=f"{change}, with the values of before")
    return action


def check_premises(plan: Plan, assessment: Assessment) -> None:
    """Raises BadInput where a saved plan is not one of this cluster as it is now."""
    if plan.cluster != assessment.cluster.name:
        raise BadInput(f"Plan {plan.id} is one of {plan.cluster}", f"This is {assessment.cluster.name}.")
    if plan.target is not None:
        what = f"Plan {plan.id} is one for Kubernetes {plan.target}, which is upgraded between its steps"
        raise BadInput(what, "Update its add-ons one by one, and upgrade the control plane in between.")
    found = [text for each in plan.premises if (text := _moved(each, assessment.row(each.installation)))]
    if found:
        raise BadInput(f"Plan {plan.id} was made for what is no longer so: {'; '.join(found)}", "Plan anew.")


def _moved(premise: Premise, row: Installation | None) -> str:
    if row is None:
        return f"{premise.installation} is not installed"
    if str(row.version or "") != premise.version:
        return f"{row.id} is at {row.version or 'no known version'}, not at {premise.version}"
    if row.owner.type != premise.owner:
        return f"{row.id} is kept by {row.owner}, not by a {premise.owner}"
    return ""


def chosen_plan(
    assessment: Assessment, catalog: Catalog, installation: str, change: Sequence[Action], now: datetime
) -> Plan:
    """An installation to a version that a person chooses, as `change` says; with its rollout and its way back.

    Raises BadInput as update_plan does.
    """
    case = Case(assessment, catalog)
    kubernetes = case.kubernetes
    step = choosing(case, case.one(installation), change, kubernetes)
    return case.plan(f"{installation} to a version to choose", [step], now)


def upgrade_plan(assessment: Assessment, catalog: Catalog, target: Minor, now: datetime) -> Plan:
    """Everything that has to change for the control plane to get to `target`, minor by minor.

    Before each minor, add-ons that do not support it move to a version that supports it and the one that runs; those
    of which there is no such version follow right after it. Raises BadInput where `target` is not above what runs.
    """
    case = Case(assessment, catalog)
    running = case.kubernetes
    if target.major != running.major or target <= running:
        raise BadInput(f"Kubernetes {target} is not above the running {running}", "Give a later minor.")
    by_id = {row.id: row for row in assessment.inventory.installations}
    rows = [by_id[id] for id in assessment.dependencies.order]
    steps: list[Step] = []
    questions: dict[str, OpenQuestion] = {}
    for minor in running.up_to(target):
        moves = [(row, needed_move(case, row, running, minor)) for row in rows]
        for row, found in moves:
            if isinstance(found, OpenQuestion):
                questions.setdefault(row.id, found)
        wanted = [(row, found) for row, found in moves if isinstance(found, Move)]
        for at in (running, minor):
            moved_now = (s for row, move in wanted if move.at == at for s in to_version(case, row, move.to, at, minor))
            steps += [replace(step, prepares=minor) for step in moved_now]
        moved = {row.id: move.to for row, move in wanted}
        # Of what a person chooses the version, nothing is known from there on.
        rows = [replace(row, version=moved.get(row.id, row.version)) for row in rows if moved.get(row.id, row)]
        running = minor
    made = case.plan(f"Kubernetes {target}", steps, now)
    return replace(made, target=target, questions=tuple(questions.values()))
