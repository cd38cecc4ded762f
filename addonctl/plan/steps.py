"""The steps that change an installation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from addonctl.catalog import EksAddonVersions
from addonctl.errors import BadInput
from addonctl.model import (
    Action,
    Apply,
    CreateAddon,
    Delete,
    DeleteAddon,
    Installation,
    KubernetesObject,
    Note,
    ObjectRef,
    live,
    owners,
)
from addonctl.model.checkpoint import CheckpointEntry
from addonctl.model.manifests import KEPT, Manifests, ManifestSet, versions_in
from addonctl.model.plan import Rollout, Step, Target, Wave
from addonctl.plan.case import Case
from addonctl.plan.rollout import CONTROLLERS, loses, objectives_of, targets_of, waves_of
from addonctl.plan.versions import skipped, stops
from addonctl.plan.ways import Way, back, by_eks, by_its_installer, present
from addonctl.versions import Minor, Version, parse

# What is not deleted because manifests no longer hold it: what holds data, and what others may have put there.
_NOT_PRUNED = KEPT | {"Secret"}
_NAMING = ("k8s-app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "app")
_CLIENT_SIDE = "kubectl-client-side-apply"


def to_version(case: Case, row: Installation, goal: Version | None, kubernetes: Minor, wanted: Minor) -> Iterator[Step]:
    """The steps from the present version to `goal`, while `kubernetes` runs; none where it is there already.

    Without a goal, to a version for the Kubernetes that is `wanted`, which a person chooses.
    """
    if goal is not None and goal == row.version:
        return
    listed, was = case.listed(row), row.version
    if listed is None or goal is None or was is None:
        yield step_of(case, row, was, goal, kubernetes, by_its_installer(case, row, goal, wanted))
        return
    for stop in stops(case, row, listed, was, goal, kubernetes):
        if isinstance(row.owner, owners.EksAddon):
            way = by_eks(case, row, listed, was, stop, kubernetes)
        else:
            way = by_its_installer(case, replace(row, version=was), stop, wanted)
        step = step_of(case, row, was, stop, kubernetes, way)
        yield replace(step, skips=skipped(case, row, was, stop))
        was = stop


def configuring(case: Case, row: Installation, kubernetes: Minor) -> Step:
    """To the version that it has."""
    was, listed = row.version, case.listed(row)
    if was is None or listed is None or not isinstance(row.owner, owners.EksAddon):
        return step_of(case, row, was, was, kubernetes, by_its_installer(case, row, was, kubernetes))
    return step_of(case, row, was, was, kubernetes, by_eks(case, row, listed, was, was, kubernetes))


def choosing(case: Case, row: Installation, change: Sequence[Action], kubernetes: Minor) -> Step:
    """To a version that a person chooses."""
    return step_of(case, row, present(case, row), None, kubernetes, Way(tuple(change), (back(case, row),)))


def restoring(case: Case, row: Installation, entry: CheckpointEntry, kubernetes: Minor) -> Step:
    """To the state that a checkpoint holds; back is to what was there before it."""
    way = Way(
        (Note(f"Restore {row.addon} {entry.version} of checkpoint {entry.id[:12]}."),),
        (Note("Restore the checkpoint that is made before it."),),
    )
    step = step_of(case, row, present(case, row), parse(entry.version), kubernetes, way)
    return replace(step, restores=entry.id)


def creating(case: Case, action: CreateAddon, listed: EksAddonVersions, goal: Version, kubernetes: Minor) -> Step:
    """Its workloads are those that it usually has, so that it can be watched; of how many nobody knows."""
    addon = case.catalog.find(action.addon)
    namespace = listed.namespace or (addon.install.eks.namespace if addon and addon.install.eks else "")
    usual = [each for each in addon.fingerprints.workloads if each.kind in CONTROLLERS] if addon else []
    refs = [ObjectRef.of(each.kind, each.name, each.namespace or namespace) for each in usual]
    targets = tuple(Target(ref=ref, rollout=Rollout.AT_ONCE, instances=0) for ref in dict.fromkeys(refs))
    if not addon or not targets or not namespace:
        what = f"Nobody knows which workloads {action.addon} brings, by which it could be watched"
        raise BadInput(what, f"Create it by hand: aws eks create-addon --addon-name {action.addon}")
    return Step(
        id="",
        installation=f"{addon.id}/{namespace}/{action.addon}",
        addon=addon.id,
        owner=owners.EksAddon(action.addon),
        from_version=None,
        to_version=goal,
        do=(action,),
        undo=(DeleteAddon(cluster=action.cluster, addon=action.addon),),
        kubernetes=kubernetes,
        targets=targets,
        waves=(Wave(instances=1, canary=True),),
        objectives=tuple(objectives_of(addon)),
    )


def adopting(case: Case, row: Installation, action: CreateAddon, goal: Version) -> Step:
    """With its workloads as they are, in waves; back is the add-on deleted, and its objects as they were."""
    delete = DeleteAddon(cluster=action.cluster, addon=action.addon, preserve=True)
    way = Way((action,), (delete, Note(f"Put the objects of {row.addon} back as they were.")))
    return step_of(case, row, present(case, row), goal, case.kubernetes, way)


def applying(case: Case, row: Installation, goal: Version | None, kubernetes: Minor, manifests: Manifests) -> Step:
    """Manifests that somebody gives, and the end of what they no longer hold."""
    if not isinstance(row.owner, owners.Manifest):
        raise BadInput(f"{row.id} is kept by {row.owner}, not as manifests", "Leave out --manifests.")
    named = versions_in(each.document for each in manifests.documents)
    if goal is None or goal not in named:
        held = ", ".join(map(str, named)) or "no version"
        raise BadInput(f"{manifests.path} holds {held}, not {row.addon} {goal}", "Give its manifests.")
    objects = tuple(each.ref for each in manifests.documents)
    gone = tuple(_gone(case, row, row.owner, objects))
    given = ManifestSet(path=manifests.path, sha256=manifests.sha256, objects=objects, gone=gone)
    apply = Apply(what=f"{row.addon} {goal}", file=manifests.path)
    undo = Note(f"Put the objects of {row.addon} back as they were.")
    way = Way((apply, *(Delete(target=ref, why="the manifests no longer hold it") for ref in gone)), (undo,))
    step = step_of(case, row, row.version, goal, kubernetes, way)
    targets = tuple(target for target in step.targets if target.ref not in gone)
    waves = tuple(waves_of(targets))
    return replace(step, manifests=given, targets=targets, waves=waves)


def step_of(
    case: Case, row: Installation, was: Version | None, to: Version | None, kubernetes: Minor, way: Way
) -> Step:
    addon, targets = case.addon(row), tuple(targets_of(row, case.view))
    disruption = addon.disruption.kind if addon else ""
    objects = tuple(ref for ref, id in case.assessment.dependencies.owners.items() if id == row.id)
    return Step(
        id="",
        installation=row.id,
        addon=row.addon,
        owner=row.owner,
        from_version=was,
        to_version=to,
        do=way.do,
        undo=way.undo,
        irreversible=way.irreversible,
        kubernetes=kubernetes,
        targets=targets,
        objects=objects,
        waves=tuple(waves_of(targets)),
        objectives=tuple(objectives_of(addon, objects)),
        disruption=disruption,
        loses=loses(disruption, targets),
    )


def _gone(case: Case, row: Installation, by: owners.Manifest, given: Sequence[ObjectRef]) -> Iterator[ObjectRef]:
    """What was applied for an installation and is not in the manifests given: of what has its name, and no data."""
    there = {(ref.group, ref.kind, ref.name, ref.namespace) for ref in given}
    names = set().union(*(_names(case.view.workloads[ref]) for ref in row.workloads if ref in case.view.workloads))
    for ref, id in case.assessment.dependencies.owners.items():
        keys = {(ref.group, ref.kind, ref.name, namespace) for namespace in (ref.namespace, "")}
        found = case.view.objects.get(ref)
        if id != row.id or keys & there or ref.kind in _NOT_PRUNED or found is None:
            continue
        if _is_applied(found, by) and names & _names(found):
            yield ref


def _names(thing: KubernetesObject) -> set[tuple[str, str]]:
    """What an object says of whose it is."""
    return {(label, thing.labels[label]) for label in _NAMING if label in thing.labels}


def _is_applied(thing: KubernetesObject, by: owners.Manifest) -> bool:
    """Whether it stood in the manifests of its owner, rather than being made by a controller or by others."""
    applying = (_CLIENT_SIDE, by.manager, live.FIELD_MANAGER)
    return any(each.operation == "LastApplied" or each.manager in applying for each in thing.appliers)
