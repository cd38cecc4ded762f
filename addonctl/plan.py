"""From an assessment and a goal to a Plan: what changes, to which version, in which order, and how to go back.

Two goals: one add-on to another version, or everything that the next Kubernetes minors need. Every version on the way
is one that AWS's table or upstream's ranges allow; what nobody can say becomes an open question, never a guess. Pure;
called by manager.py. orchestrator.py carries a plan out, render/ prints it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from addonctl.assessment import Assessment, not_installed
from addonctl.catalog import AddOn, Answer, Catalog, ClusterService, EksAddonVersions
from addonctl.compatibility import update_fix
from addonctl.errors import BadInput
from addonctl.model import (
    POD_NETWORK,
    READY,
    RESOURCES,
    SERVICE_NETWORK,
    Action,
    Apply,
    CommandLine,
    CreateAddon,
    Delete,
    DeleteAddon,
    GitChange,
    HelmRelease,
    HelmRollback,
    HelmUpgrade,
    Installation,
    KubernetesObject,
    Note,
    Objective,
    ObjectRef,
    UpdateAddon,
    View,
    live,
    owners,
)
from addonctl.model.checkpoint import CheckpointEntry, Differences
from addonctl.model.configuration import ConfigurationChange
from addonctl.model.manifests import KEPT, Manifests, ManifestSet, versions_in
from addonctl.model.plan import OpenQuestion, Plan, Premise, Rollout, Step, Target, Wave
from addonctl.remediation import eks_addon, update_addon
from addonctl.versions import Minor, Version, parse, pinned

DEFAULT, LATEST = "default", "latest-compatible"
# A wave is at most so many times as large as all before it together: few suffer what the first ones show.
_GROWTH = 2
# What add-ons do for the cluster, and the SLI by which one sees whether they still do it.
_SLIS = {ClusterService.CLUSTER_DNS: "dns", ClusterService.RESOURCE_METRICS: "metrics"}
_READY = Objective(sli=READY, controlled=False)
_RESOURCES = Objective(sli=RESOURCES, controlled=False)
# What is seen from nodes themselves, where a cluster lets us; each answer has its own control.
_FROM_NODES = {ClusterService.SERVICE_NETWORK: SERVICE_NETWORK, ClusterService.POD_NETWORK: POD_NETWORK}
# What is not deleted because manifests no longer hold it: what holds data, and what others may have put there.
_NOT_PRUNED = KEPT | {"Secret"}
_NAMING = ("k8s-app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/part-of", "app")
_CLIENT_SIDE = "kubectl-client-side-apply"
_WITH_ALL_OF_IT = "with the whole of the new configuration in the file:"
_AS_IT_WAS = "with the configuration of before in the file:"
_ALL = "with the identities and the configuration that it had:"
_CRD = "CustomResourceDefinition"
_CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet")


# ── One add-on to another version ───────────────────────────────────────────────────────────────────────────────────


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
    planner = _Planner(assessment, catalog)
    kubernetes = _running(assessment)
    row = _one(assessment, addon)
    row = replace(row, version=planner.present(row))
    goal = planner.goal(row, to, kubernetes) if to else row.version
    if configured and goal == row.version:
        return _plan(assessment, f"{row.id} to another configuration", [planner.configuring(row, kubernetes)], now)
    if manifests is not None:
        return _plan(assessment, f"{row.id} to {to}", [planner.applying(row, goal, kubernetes, manifests)], now)
    return _plan(assessment, f"{row.id} to {to}", planner.steps(row, goal, kubernetes, kubernetes), now)


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
    planner, kubernetes = _Planner(assessment, catalog), _running(assessment)
    step = planner.choosing(_one(assessment, installation), change, kubernetes)
    return _plan(assessment, f"{installation} to a version to choose", [step], now)


def _running(assessment: Assessment) -> Minor:
    status = assessment.kubernetes
    if status.running is None:
        raise BadInput(f"No plan without the running Kubernetes: {status.reason}", "Give it with --kubernetes.")
    return status.running


def _one(assessment: Assessment, addon: str) -> Installation:
    rows = assessment.inventory.installations
    found = [row for row in rows if addon and addon in (row.addon, row.id, row.eks_addon)]
    if not found:
        raise not_installed(assessment, addon)
    if len(found) > 1:
        raise BadInput(f"{addon} is installed {len(found)} times", f"Name one: {', '.join(row.id for row in found)}.")
    return _changeable(found[0])


def _changeable(row: Installation) -> Installation:
    match row.owner:
        case owners.AwsManaged(service=service):
            raise BadInput(f"{service} runs {row.addon}: AWS updates it", "There is nothing to do.")
        case owners.Undetermined(reason=reason):
            raise BadInput(f"Nobody knows who installed {row.id}{reason and f': {reason}'}", "Update it by hand.")
    if row.version is None:
        raise BadInput(f"The version of {row.id} is unknown: {row.version_unknown_reason}", "Update it by hand.")
    return row


# ── Into EKS's keeping ──────────────────────────────────────────────────────────────────────────────────────────────


def creation_plan(
    assessment: Assessment, catalog: Catalog, addon: str, to: str, now: datetime, adopt: str = "", role_arn: str = ""
) -> Plan:
    """An EKS add-on that is not there, at a version (empty: EKS's default), or with `adopt` over what somebody applied.

    `adopt` is what EKS does with fields that others set, PRESERVE or OVERWRITE. Raises BadInput where EKS does not
    offer it, where it is there already, or is kept by what would go on with it; where nobody knows its workloads.
    """
    planner, kubernetes = _Planner(assessment, catalog), _running(assessment)
    name = catalog.eks_name(addon)
    if name is None or name not in catalog.eks.addons:
        raise BadInput(f"EKS offers no add-on {addon}", "See `addonctl catalog list`.")
    row = _adoptable(assessment, catalog, name, addon, adopt)
    listed = catalog.eks.addons[name]
    goal = planner.offered_version(listed, to or DEFAULT, kubernetes)
    if goal is None:
        raise BadInput(f"AWS offers no {name} for Kubernetes {kubernetes}", "See `addonctl matrix`.")
    action = CreateAddon(
        cluster=assessment.cluster.name,
        addon=name,
        version=str(goal),
        role_arn=role_arn,
        resolve_conflicts=adopt or "NONE",
    )
    step = planner.creating(action, listed, goal, kubernetes) if row is None else planner.adopting(row, action, goal)
    return _plan(assessment, f"{name} as an EKS add-on", [replace(step, kubernetes=kubernetes)], now)


def letting_go_plan(assessment: Assessment, catalog: Catalog, addon: str, now: datetime) -> Plan:
    """An EKS add-on that EKS is to forget, while its objects stay. Raises BadInput where it is none."""
    planner, kubernetes, row = _Planner(assessment, catalog), _running(assessment), _one(assessment, addon)
    if not isinstance(row.owner, owners.EksAddon):
        raise BadInput(f"{row.id} is kept by {row.owner}, not by EKS", "Take it from there.")
    cluster, name = assessment.cluster.name, row.owner.name
    eks = assessment.snapshot.eks
    installed = eks_addon(row, eks.addons) if eks else None
    back = CreateAddon(
        cluster=cluster,
        addon=name,
        version=str(row.version),
        role_arn=installed.service_account_role_arn if installed else "",
        resolve_conflicts="PRESERVE",
        why=_ALL,
    )
    way = _Way((DeleteAddon(cluster=cluster, addon=name, preserve=True),), (back,))
    listed = catalog.eks.addons.get(name)
    if listed is None or row.version not in listed.offered(kubernetes):
        way = _Way(way.do, (), f"AWS offers no {name} {row.version} for Kubernetes {kubernetes} any more")
    step = planner.step(row, row.version, None, kubernetes, way)
    return _plan(assessment, f"{row.id} out of EKS's keeping", [step], now)


def removal_plan(assessment: Assessment, catalog: Catalog, addon: str, now: datetime) -> Plan:
    """An add-on that EKS or Helm keeps, deleted with its objects. Raises BadInput for what others keep."""
    planner, kubernetes, row = _Planner(assessment, catalog), _running(assessment), _one(assessment, addon)
    match row.owner:
        case owners.EksAddon(name=name):
            do: Action = DeleteAddon(cluster=assessment.cluster.name, addon=name)
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            do = CommandLine(("helm", "uninstall", name, "-n", namespace))
        case _:
            raise BadInput(f"{row.id} is kept by {row.owner}", "Delete it there.")
    way = _Way((do,), (), "what is deleted is gone: a new one has neither its custom resources nor what others set")
    step = planner.step(row, planner.present(row), None, kubernetes, way)
    alone = replace(step, removes=True, objectives=(), waves=(Wave(instances=1),), loses=True)
    return _plan(assessment, f"{row.id} deleted", [alone], now)


def _adoptable(assessment: Assessment, catalog: Catalog, name: str, addon: str, adopt: str) -> Installation | None:
    """The installation to be adopted; None: there is none, and none was asked for."""
    known = catalog.find(name)
    ids = {addon, name, known.id if known else name}
    found = [each for each in assessment.inventory.installations if ids & {each.addon, each.id, each.eks_addon}]
    kept = next((each for each in found if isinstance(each.owner, owners.EksAddon)), None)
    if kept is not None:
        raise BadInput(f"{kept.id} is an EKS add-on already", f"Update it: addonctl update {addon} --to VERSION")
    if not adopt:
        if found:
            what = f"{found[0].id} is installed, by {found[0].owner}"
            raise BadInput(what, "Have EKS take it over: --adopt overwrite, or --adopt preserve.")
        return None
    row = _one(assessment, addon)
    if not isinstance(row.owner, owners.Manifest):
        raise BadInput(f"{row.id} is kept by {row.owner}, which would go on with it", "Take it from there first.")
    return row


# ── Back to checkpoints ─────────────────────────────────────────────────────────────────────────────────────────────


def restore_plan(
    assessment: Assessment, catalog: Catalog, goal: str, entries: Sequence[CheckpointEntry], now: datetime
) -> Plan:
    """Installations to what checkpoints hold of them, in the order given: what their owners keep, exactly.

    Raises BadInput for a checkpoint of another cluster, or of what is not installed, or has another owner now.
    """
    planner, kubernetes = _Planner(assessment, catalog), _running(assessment)
    steps = [planner.restoring(_held(assessment, entry), entry, kubernetes) for entry in entries]
    return _plan(assessment, goal, steps, now)


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
    planner, row = _Planner(assessment, catalog), _one(assessment, addon)
    version = planner.present(row)
    way = _Way((Note("Make a checkpoint."),), (Note("Delete it."),))
    step = planner.step(row, version, version, _running(assessment), way)
    return _plan(assessment, f"a checkpoint of {row.id}", (step,), now)


def _held(assessment: Assessment, entry: CheckpointEntry) -> Installation:
    """The installation that a checkpoint is one of."""
    if entry.cluster != assessment.cluster.name:
        raise BadInput(f"Checkpoint {entry.id[:12]} is one of {entry.cluster}", f"This is {assessment.cluster.name}.")
    if not entry.version:
        what = f"Before checkpoint {entry.id[:12]} there was nothing of {entry.installation}"
        raise BadInput(what, "Delete it: aws eks delete-addon.")
    row = _one(assessment, entry.installation)
    if row.owner.type != entry.owner:
        raise BadInput(f"{row.id} had another owner then: {entry.owner}", "What one installed another cannot restore.")
    return row


# ── What the next Kubernetes needs ──────────────────────────────────────────────────────────────────────────────────


def upgrade_plan(assessment: Assessment, catalog: Catalog, target: Minor, now: datetime) -> Plan:
    """Everything that has to change for the control plane to get to `target`, minor by minor.

    Before each minor, add-ons that do not support it move to a version that supports it and the one that runs; those
    of which there is no such version follow right after it. Raises BadInput where `target` is not above what runs.
    """
    running = _running(assessment)
    if target.major != running.major or target <= running:
        raise BadInput(f"Kubernetes {target} is not above the running {running}", "Give a later minor.")
    planner = _Planner(assessment, catalog)
    by_id = {row.id: row for row in assessment.inventory.installations}
    rows = [by_id[id] for id in assessment.dependencies.order]
    steps: list[Step] = []
    questions: dict[str, OpenQuestion] = {}
    for minor in running.up_to(target):
        moves = [(row, planner.move(row, running, minor)) for row in rows]
        for row, found in moves:
            if isinstance(found, OpenQuestion):
                questions.setdefault(row.id, found)
        wanted = [(row, found) for row, found in moves if isinstance(found, _Move)]
        for at in (running, minor):
            steps += [s for row, move in wanted if move.at == at for s in planner.steps(row, move.to, at, minor)]
        moved = {row.id: move.to for row, move in wanted}
        # Of what a person chooses the version, nothing is known from there on.
        rows = [replace(row, version=moved.get(row.id, row.version)) for row in rows if moved.get(row.id, row)]
        running = minor
    made = _plan(assessment, f"Kubernetes {target}", steps, now)
    return replace(made, target=target, questions=tuple(questions.values()))


@dataclass(frozen=True, slots=True)
class _Move:
    """An installation has to change while Kubernetes `at` runs; to None: a version that a person chooses."""

    at: Minor
    to: Version | None


@dataclass(frozen=True, slots=True)
class _Planner:
    """What versions there are for the installations of a cluster, and the steps to them."""

    assessment: Assessment
    catalog: Catalog

    @property
    def view(self) -> View:
        return self.assessment.view

    def _addon(self, row: Installation) -> AddOn | None:
        return self.catalog.find(row.addon)

    def _listed(self, row: Installation) -> EksAddonVersions | None:
        """AWS's versions of what AWS built, whoever applied it; None of what others built."""
        if isinstance(row.owner, owners.EksAddon):
            return self.catalog.eks.addons.get(row.owner.name)
        built_by_aws = row.version is not None and row.version.is_eks_build
        return self.catalog.eks.addons.get(self.catalog.eks_name(row.addon) or "") if built_by_aws else None

    def move(self, row: Installation, running: Minor, minor: Minor) -> _Move | OpenQuestion | None:
        """What an installation needs before, or right after, the control plane gets to `minor`; None: nothing."""
        if isinstance(row.owner, owners.AwsManaged):
            return None
        if row.version is None:
            return OpenQuestion(
                installation=row.id,
                kubernetes=minor,
                reason=f"its version is unknown: {row.version_unknown_reason}",
            )
        cell = self.catalog.check(row.eks_addon or row.addon, row.version, minor)
        if cell.answer is Answer.YES:
            return None
        if cell.answer is Answer.UNKNOWN or isinstance(row.owner, owners.Undetermined):
            published = self.catalog.published_for(row.addon, minor)
            return OpenQuestion(installation=row.id, kubernetes=minor, reason=cell.reason, published=published)
        listed = self._listed(row)
        if listed is None:
            return _Move(running, None)
        both = [v for v in listed.offered(running) if self.catalog.check(listed.name, v, minor).answer is Answer.YES]
        if both:
            return _Move(running, listed.preferred(both, minor))
        later = listed.offered(minor)
        if later:
            return _Move(minor, listed.preferred(later, minor))
        return OpenQuestion(installation=row.id, kubernetes=minor, reason=f"AWS offers no {listed.name} for it")

    def goal(self, row: Installation, to: str, kubernetes: Minor) -> Version | None:
        """The version that a person asked for. Raises BadInput where it is not offered, or nobody knows of any."""
        listed = self._listed(row)
        if listed is None:
            if to in (DEFAULT, LATEST):
                raise BadInput(f"No table says which versions of {row.addon} there are", "Name one with --to.")
            return Version.of(to)
        return self.offered_version(listed, to, kubernetes) or row.version

    @staticmethod
    def offered_version(listed: EksAddonVersions, to: str, kubernetes: Minor) -> Version | None:
        """A version that AWS offers, by its name or as the default or newest; of these None where there is none."""
        fit = listed.offered(kubernetes)
        if to == LATEST:
            return max(fit, default=None)
        if to == DEFAULT:
            return listed.preferred(fit, kubernetes)
        wanted = Version.of(to)
        if wanted not in fit:
            newest = ", ".join(map(str, sorted(fit, reverse=True)[:3])) or "none"
            raise BadInput(f"AWS offers no {listed.name} {to} for Kubernetes {kubernetes}", f"The newest: {newest}.")
        return next(version for version in fit if version == wanted)

    # ── Steps ───────────────────────────────────────────────────────────────────────────────────────────────────

    def steps(self, row: Installation, goal: Version | None, kubernetes: Minor, wanted: Minor) -> Iterator[Step]:
        """The steps from the present version to `goal`, while `kubernetes` runs; none where it is there already.

        Without a goal, to a version for the Kubernetes that is `wanted`, which a person chooses.
        """
        if goal is not None and goal == row.version:
            return
        listed, was = self._listed(row), row.version
        if listed is None or goal is None or was is None:
            yield self.step(row, was, goal, kubernetes, self._by_its_installer(row, goal, wanted))
            return
        for stop in self._stops(row, listed, was, goal, kubernetes):
            by_eks = isinstance(row.owner, owners.EksAddon)
            way = (
                self._by_eks(row, listed, was, stop, kubernetes)
                if by_eks
                else self._by_its_installer(replace(row, version=was), stop, wanted)
            )
            step = self.step(row, was, stop, kubernetes, way)
            yield replace(step, skips=self._skipped(row, was, stop))
            was = stop

    def configuring(self, row: Installation, kubernetes: Minor) -> Step:
        """To the version that it has."""
        was, listed = row.version, self._listed(row)
        if was is None or listed is None or not isinstance(row.owner, owners.EksAddon):
            return self.step(row, was, was, kubernetes, self._by_its_installer(row, was, kubernetes))
        return self.step(row, was, was, kubernetes, self._by_eks(row, listed, was, was, kubernetes))

    def choosing(self, row: Installation, change: Sequence[Action], kubernetes: Minor) -> Step:
        """To a version that a person chooses."""
        return self.step(row, self.present(row), None, kubernetes, _Way(tuple(change), (self._back(row),)))

    def restoring(self, row: Installation, entry: CheckpointEntry, kubernetes: Minor) -> Step:
        """To the state that a checkpoint holds; back is to what was there before it."""
        way = _Way(
            (Note(f"Restore {row.addon} {entry.version} of checkpoint {entry.id[:12]}."),),
            (Note("Restore the checkpoint that is made before it."),),
        )
        step = self.step(row, self.present(row), parse(entry.version), kubernetes, way)
        return replace(step, restores=entry.id)

    def creating(self, action: CreateAddon, listed: EksAddonVersions, goal: Version, kubernetes: Minor) -> Step:
        """Its workloads are those that it usually has, so that it can be watched; of how many nobody knows."""
        addon = self.catalog.find(action.addon)
        namespace = listed.namespace or (addon.install.eks.namespace if addon and addon.install.eks else "")
        usual = [each for each in addon.fingerprints.workloads if each.kind in _CONTROLLERS] if addon else []
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
            objectives=tuple(_objectives(addon)),
        )

    def adopting(self, row: Installation, action: CreateAddon, goal: Version) -> Step:
        """With its workloads as they are, in waves; back is the add-on deleted, and its objects as they were."""
        delete = DeleteAddon(cluster=action.cluster, addon=action.addon, preserve=True)
        way = _Way((action,), (delete, Note(f"Put the objects of {row.addon} back as they were.")))
        return self.step(row, self.present(row), goal, _running(self.assessment), way)

    def applying(self, row: Installation, goal: Version | None, kubernetes: Minor, manifests: Manifests) -> Step:
        """Manifests that somebody gives, and the end of what they no longer hold."""
        if not isinstance(row.owner, owners.Manifest):
            raise BadInput(f"{row.id} is kept by {row.owner}, not as manifests", "Leave out --manifests.")
        named = versions_in(each.document for each in manifests.documents)
        if goal is None or goal not in named:
            held = ", ".join(map(str, named)) or "no version"
            raise BadInput(f"{manifests.path} holds {held}, not {row.addon} {goal}", "Give its manifests.")
        objects = tuple(each.ref for each in manifests.documents)
        gone = tuple(self._gone(row, row.owner, objects))
        given = ManifestSet(path=manifests.path, sha256=manifests.sha256, objects=objects, gone=gone)
        apply = Apply(what=f"{row.addon} {goal}", file=manifests.path)
        undo = Note(f"Put the objects of {row.addon} back as they were.")
        way = _Way((apply, *(Delete(target=ref, why="the manifests no longer hold it") for ref in gone)), (undo,))
        step = self.step(row, row.version, goal, kubernetes, way)
        targets = tuple(target for target in step.targets if target.ref not in gone)
        waves = tuple(_waves(targets))
        return replace(step, manifests=given, targets=targets, waves=waves)

    def _gone(self, row: Installation, by: owners.Manifest, given: Sequence[ObjectRef]) -> Iterator[ObjectRef]:
        """What was applied for an installation and is not in the manifests given: of what has its name, and no data."""
        there = {(ref.group, ref.kind, ref.name, ref.namespace) for ref in given}
        names = set().union(*(_names(self.view.workloads[ref]) for ref in row.workloads if ref in self.view.workloads))
        for ref, id in self.assessment.dependencies.owners.items():
            keys = {(ref.group, ref.kind, ref.name, namespace) for namespace in (ref.namespace, "")}
            found = self.view.objects.get(ref)
            if id != row.id or keys & there or ref.kind in _NOT_PRUNED or found is None:
                continue
            if _is_applied(found, by) and names & _names(found):
                yield ref

    def _one_minor_at_a_time(self, row: Installation) -> bool:
        addon = self._addon(row)
        return addon is not None and addon.one_minor_at_a_time

    def _stops(
        self, row: Installation, listed: EksAddonVersions, was: Version, goal: Version, kubernetes: Minor
    ) -> Iterator[Version]:
        """The versions on the way to `goal`, it included: one a minor that is offered, where it moves one at a time."""
        if self._one_minor_at_a_time(row):
            for minor in _between(was, goal):
                fit = [version for version in listed.offered(kubernetes) if version.minor == minor]
                yield from [max(fit)] if fit else []
        yield goal

    def _skipped(self, row: Installation, was: Version, to: Version) -> tuple[str, ...]:
        """The minors that a step leaps over though the add-on is to move one at a time: AWS no longer offers them."""
        if not self._one_minor_at_a_time(row):
            return ()
        return tuple(f"{major}.{minor}" for major, minor in _between(was, to))

    def _by_eks(
        self, row: Installation, listed: EksAddonVersions, was: Version, to: Version, kubernetes: Minor
    ) -> "_Way":
        """UpdateAddon there and back; EKS goes back to nothing that it does not offer."""
        cluster, eks = self.view.snapshot.cluster.name, self.view.snapshot.eks
        installed = eks_addon(row, eks.addons) if eks else None
        there, back = (update_addon(cluster, listed.name, str(version), installed) for version in (to, was))
        if was in listed.offered(kubernetes):
            return _Way((there,), (back,))
        return _Way((there,), (), f"AWS offers no {listed.name} {was} for Kubernetes {kubernetes} any more")

    def _by_its_installer(self, row: Installation, goal: Version | None, wanted: Minor) -> "_Way":
        """The same in the terms of who installed it; without a goal, a person chooses the version."""
        there = self._there(row, goal) if goal else update_fix(row, self.view, self.catalog, wanted)
        return _Way(there, (self._back(row),))

    def _there(self, row: Installation, goal: Version) -> tuple[Action, ...]:
        match row.owner:
            case owners.HelmRelease(name=name) if name:
                return (self._helm_upgrade(row, goal),)
            case owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
                field = self._pinned(row)[0] or "the version"
                return (GitChange(owner=row.owner, change=f"set {field} to {goal}"),)
        return (Note(f"Apply the manifests of {row.addon} {goal}."),)

    def _back(self, row: Installation) -> Action:
        match row.owner:
            case owners.HelmRelease(namespace=namespace, name=name) if name:
                release = self._release(row)
                revision = release.revision_in_use if release else 0
                return HelmRollback(namespace=namespace, name=name, revision=revision)
            case owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
                field, was = self._pinned(row)
                change = f"set {field} back to {was}" if field else f"revert that commit, back to {row.version}"
                return GitChange(owner=row.owner, change=change)
        return Note(f"Apply the manifests of {row.addon} {row.version} again.")

    def _release(self, row: Installation) -> HelmRelease | None:
        """The Helm release that keeps an installation, where it was read."""
        if not isinstance(row.owner, owners.HelmRelease):
            return None
        named = (row.owner.namespace, row.owner.name)
        return next((each for each in self.view.helm_releases if (each.namespace, each.name) == named), None)

    def _pinned(self, row: Installation) -> tuple[str, Version | None]:
        """Which field of a GitOps controller's object has the version, and which; empty where its repository has it."""
        snapshot = self.view.snapshot
        match row.owner:
            case owners.ArgoApplication(namespace=namespace, name=name):
                apps = [each for each in snapshot.applications if (each.namespace, each.name) == (namespace, name)]
                field, texts = "its targetRevision", [each.target_revision for each in apps]
            case owners.FluxHelmRelease(namespace=namespace, name=name):
                kept = [
                    each for each in snapshot.flux_helm_releases if (each.namespace, each.name) == (namespace, name)
                ]
                field, texts = "its chart's version", [each.chart_version for each in kept]
            case _:
                return "", None
        version = pinned(texts[0]) if texts else None
        return (field, version) if version else ("", None)

    def _helm_upgrade(self, row: Installation, goal: Version) -> HelmUpgrade:
        """With the chart that the release has, from the repository where the catalog knows it."""
        assert isinstance(row.owner, owners.HelmRelease), row.owner
        release, addon = self._release(row), self._addon(row)
        charts = addon.install.charts if addon else ()
        known = next((chart for chart in charts if (chart.name == release.chart if release else chart.main)), None)
        chart, repository = (known.name, known.repository) if known else ("", "")
        if repository.startswith("oci://"):  # a registry names the chart itself; some repositories end with its name
            chart, repository = f"{repository.rstrip('/').removesuffix(f'/{chart}')}/{chart}", ""
        return HelmUpgrade(
            namespace=row.owner.namespace,
            name=row.owner.name,
            chart=chart,
            repository=repository,
            version=str(goal),
            choose=str(goal),
        )

    def present(self, row: Installation) -> Version | None:
        """The version that its installer counts by: a Helm release's chart, what a controller's object names."""
        release = self._release(row)
        return self._pinned(row)[1] or (parse(release.chart_version) if release else None) or row.version

    def step(self, row: Installation, was: Version | None, to: Version | None, kubernetes: Minor, way: "_Way") -> Step:
        addon, targets = self._addon(row), tuple(_targets(row, self.view))
        disruption = addon.disruption.kind if addon else ""
        objects = tuple(ref for ref, id in self.assessment.dependencies.owners.items() if id == row.id)
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
            waves=tuple(_waves(targets)),
            objectives=tuple(_objectives(addon, objects)),
            disruption=disruption,
            loses=_loses(disruption, targets),
        )


def _names(thing: KubernetesObject) -> set[tuple[str, str]]:
    """What an object says of whose it is."""
    return {(label, thing.labels[label]) for label in _NAMING if label in thing.labels}


def _is_applied(thing: KubernetesObject, by: owners.Manifest) -> bool:
    """Whether it stood in the manifests of its owner, rather than being made by a controller or by others."""
    applying = (_CLIENT_SIDE, by.manager, live.FIELD_MANAGER)
    return any(each.operation == "LastApplied" or each.manager in applying for each in thing.appliers)


@dataclass(frozen=True, slots=True)
class _Way:
    """A change, and the way back or why there is none."""

    do: tuple[Action, ...]
    undo: tuple[Action, ...]
    irreversible: str = ""


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _between(was: Version, goal: Version) -> Iterator[tuple[int, int]]:
    """The minors between two versions of one major, neither of theirs included, in the direction of the goal."""
    (major, first), (other, last) = was.minor, goal.minor
    if major == other:
        yield from ((major, minor) for minor in range(first, last, 1 if last > first else -1) if minor != first)


# ── How it is rolled out ────────────────────────────────────────────────────────────────────────────────────────────


def _targets(row: Installation, view: View) -> Iterator[Target]:
    for ref in row.workloads:
        workload = view.workloads.get(ref)
        if workload is None or ref.kind not in _CONTROLLERS:
            continue
        rollout = Rollout.SURGE if ref.kind == "Deployment" else Rollout.ONE_BY_ONE
        if ref.kind == "DaemonSet":
            rollout = Rollout.NODE_BY_NODE
        if workload.strategy == "Recreate":
            rollout = Rollout.AT_ONCE
        yield Target(ref=ref, rollout=rollout, instances=workload.desired or 0)


def _waves(targets: Sequence[Target]) -> Iterator[Wave]:
    """One instance first, then ever more; of none, one wave all the same, so that the change is watched.

    What its owner replaces at once is one wave. Where the first instance is the only one, the old one stays beside it
    until it has been watched: it goes in a wave of none.
    """
    instances, done = sum(target.instances for target in targets), 0
    if any(target.rollout is Rollout.AT_ONCE for target in targets):
        yield Wave(instances=instances)
        return
    while done < instances or not done:
        size = min(max(_GROWTH * done, 1), max(instances - done, 1))
        yield Wave(instances=size, canary=not done)
        done += size
    if instances == 1 and any(target.rollout is Rollout.SURGE and target.instances for target in targets):
        yield Wave(instances=0)


def _objectives(addon: AddOn | None, objects: Sequence[ObjectRef] = ()) -> Iterator[Objective]:
    yield _READY
    for service in addon.provides if addon else ():
        if service in _SLIS:
            yield Objective(sli=_SLIS[service])
        if service in _FROM_NODES:
            yield Objective(sli=_FROM_NODES[service], controlled=False, additional=True)
    if addon and addon.fingerprints.webhooks:
        yield Objective(sli="admission")
    if any(ref.kind == _CRD for ref in objects):
        yield _RESOURCES


def counting(plan: Plan, known: Catalog) -> Plan:
    """The plan, judged by what counters in Prometheus say of its add-ons as well."""
    return replace(plan, steps=tuple(_counting(each, known.addons.get(each.addon)) for each in plan.steps))


def _counting(step: Step, addon: AddOn | None) -> Step:
    """What is created or deleted has nothing to be compared with."""
    slis = addon.counted_slis if addon and step.targets and not (step.creates or step.removes) else ()
    more = (
        Objective(sli=each.name, may_fail=each.may_fail, controlled=each.controlled, additional=True, of_users=True)
        for each in slis
    )
    return replace(step, objectives=(*step.objectives, *more))


def _loses(disruption: str, targets: Iterable[Target]) -> bool:
    """Whether requests may be lost: by what carries them itself, or where nothing serves while an instance changes.

    DNS is asked through its Service, question by question: an instance leaves that before it ends.
    """
    if any(target.rollout is not Rollout.SURGE for target in targets):
        return True
    return disruption.startswith("data-path") and disruption != "data-path-dns"


# ── The plan ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plan(assessment: Assessment, goal: str, steps: Iterable[Step], now: datetime) -> Plan:
    numbered = tuple(replace(step, id=str(number)) for number, step in enumerate(steps, start=1))
    touched = {step.installation for step in numbered}
    premises = (
        Premise(row.id, str(row.version or ""), row.owner.type)
        for row in assessment.inventory.installations
        if row.id in touched
    )
    return Plan(
        cluster=assessment.cluster.name,
        kubernetes=assessment.kubernetes.running,
        made=now,
        goal=goal,
        steps=numbered,
        premises=tuple(premises),
    )
