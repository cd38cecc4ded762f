"""A cluster's twin on paper: from an Assessment to the Blueprint by which sim/twin.py builds simulated worlds.

Nodes with their labels and taints, workloads, Services, budgets, and who keeps them: EKS, Helm, Argo CD, Flux, those
who applied manifests. For a plan, only what its installations are made of, and the newer versions of it: those are the
present documents with other images, unless their manifests were given. What could not be carried over is counted, with
the reason. Pure; called by apps/rehearsing.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from addonctl import images
from addonctl.assessment import Assessment
from addonctl.model import (
    Application,
    HelmRelease,
    HelmUpgrade,
    Installation,
    KubernetesObject,
    Node,
    ObjectRef,
    Pod,
    Workload,
    owners,
)
from addonctl.model.manifests import Manifests
from addonctl.model.plan import Plan, Step
from addonctl.model.rehearsal import Blueprint, Carried, KeptPlan, NodePlan
from addonctl.sim.documents import Document
from addonctl.sim.documents_of import ROLLED, document_of
from addonctl.versions import Version, parse

_PODS_MAX = 110  # the kubelet's own limit
_CRD = "CustomResourceDefinition"  # made first: neither installers nor updates of a twin change them
_DONE = ("Succeeded", "Failed")
_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


def blueprint(assessment: Assessment, plan: Plan | None = None, given: Manifests | None = None) -> Blueprint:
    """The whole cluster; or, for a plan, what its installations are made of. `given`: manifests of its new version."""
    drawing = _Drawing(assessment, plan, given)
    kept = tuple(drawing.kept())
    return Blueprint(
        cluster=assessment.cluster.name,
        nodes=tuple(map(drawing.node, assessment.snapshot.nodes)),
        kept=kept,
        first=tuple(drawing.first()),
        loose=tuple(drawing.loose()),
        broken=drawing.broken(),
        carried=tuple(drawing.carried(kept)),
    )


@dataclass(frozen=True)
class _Drawing:
    assessment: Assessment
    plan: Plan | None
    given: Manifests | None

    # ── What is in it ───────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def rows(self) -> tuple[Installation, ...]:
        rows = self.assessment.inventory.installations
        if self.plan is None:
            return rows
        planned = {step.installation for step in self.plan.steps}
        return tuple(row for row in rows if row.id in planned)

    @cached_property
    def owned(self) -> Mapping[str, tuple[ObjectRef, ...]]:
        """Installation → its objects: what the plan says, and what guards or leads to its workloads."""
        found: dict[str, dict[ObjectRef, None]] = {row.id: dict.fromkeys(row.workloads) for row in self.rows}
        for ref, id in self.assessment.dependencies.owners.items():
            if id in found:
                found[id][ref] = None
        for step in self.plan.steps if self.plan else ():
            found.get(step.installation, {}).update(dict.fromkeys((*step.objects, *(t.ref for t in step.targets))))
        view = self.assessment.view
        for refs in found.values():
            for ref in tuple(refs):
                beside = (*view.services_of.get(ref, ()), *view.budgets_of.get(ref, ()))
                refs.update(dict.fromkeys(each.ref for each in beside))
        return {id: tuple(refs) for id, refs in found.items()}

    @cached_property
    def taken(self) -> frozenset[ObjectRef]:
        return frozenset(ref for refs in self.owned.values() for ref in refs)

    @cached_property
    def objects(self) -> Mapping[ObjectRef, KubernetesObject]:
        return self.assessment.view.objects

    def documents(self, refs: Iterable[ObjectRef]) -> Iterator[Document]:
        for ref in refs:
            thing = self.objects.get(ref)
            made = document_of(thing, self._nodes_of(thing)) if thing is not None else None
            if made is not None:
                yield made

    def _nodes_of(self, thing: KubernetesObject) -> frozenset[str] | None:
        """The nodes of a DaemonSet's pods, where its affinity, which was not read, decides."""
        if not isinstance(thing, Workload) or thing.kind != "DaemonSet" or not thing.template.has_affinity:
            return None
        return frozenset(pod.node for pod in self.assessment.view.pods.get(thing.ref, ()) if pod.node) or None

    # ── Owners ──────────────────────────────────────────────────────────────────────────────────────────────────

    def kept(self) -> Iterator[KeptPlan]:
        """What is in the hands of one owner stays together."""
        by_owner: dict[owners.Owner, list[Installation]] = {}
        for row in self.rows:
            if not isinstance(row.owner, owners.AwsManaged):
                by_owner.setdefault(row.owner, []).append(row)
        for owner, rows in by_owner.items():
            steps = [step for step in self._steps if step.installation in {row.id for row in rows}]
            refs = dict.fromkeys(ref for row in rows for ref in self.owned[row.id] if ref.kind != _CRD)
            present = str(steps[0].from_version or "") if steps else self._present(rows[0])
            documents = tuple(self.documents(refs))
            yield KeptPlan(
                owner=owner,
                installations=tuple(row.id for row in rows),
                present=present,
                versions={present: documents, **self._newer(documents, steps)},
                record=self._record(owner, steps),
            )

    @property
    def _steps(self) -> Sequence[Step]:
        return self.plan.steps if self.plan else ()

    def _present(self, row: Installation) -> str:
        release = self._release(row.owner)
        return release.chart_version if release else str(row.version or "")

    def _newer(self, documents: tuple[Document, ...], steps: Sequence[Step]) -> Mapping[str, tuple[Document, ...]]:
        found = {}
        for step in steps:
            if step.to_version is None:
                continue
            if self.given is not None and step.manifests is not None:
                made = tuple(dict(each.document) for each in self.given.documents)
            else:
                made = tuple(at_version(each, steps[0].from_version, step.to_version) for each in documents)
            found[str(step.to_version)] = made
        return found

    def _record(self, owner: owners.Owner, steps: Sequence[Step]) -> Mapping[str, str]:
        snapshot = self.assessment.snapshot
        match owner:
            case owners.EksAddon(name=name):
                addons = snapshot.eks.addons if snapshot.eks else ()
                return {"role": next((each.service_account_role_arn for each in addons if each.name == name), "")}
            case owners.HelmRelease():
                release = self._release(owner)
                upgrades = (action for step in steps for action in step.do if isinstance(action, HelmUpgrade))
                asked = next((f"{each.repository}/{each.chart}".lstrip("/") for each in upgrades if each.chart), "")
                chart = release.chart if release else owner.name
                return {"chart": chart, "asked": asked or chart}
            case owners.ArgoApplication():
                apps = (each for each in snapshot.applications if (each.namespace, each.name) == _named(owner))
                return _of_application(next(apps, None))
            case owners.FluxHelmRelease():
                kept = (each for each in snapshot.flux_helm_releases if (each.namespace, each.name) == _named(owner))
                return {"chart": next((each.chart for each in kept), "") or owner.name}
        return {}

    def _release(self, owner: owners.Owner) -> HelmRelease | None:
        if not isinstance(owner, owners.HelmRelease):
            return None
        releases = self.assessment.view.helm_releases
        return next((each for each in releases if (each.namespace, each.name) == _named(owner)), None)

    # ── Beside them ─────────────────────────────────────────────────────────────────────────────────────────────

    def first(self) -> Iterator[Document]:
        """Namespaces and definitions."""
        known = {each.name: each for each in self.assessment.snapshot.namespaces}
        refs = self.objects if self.plan is None else self.taken
        spaces = dict.fromkeys((*known, *(ref.namespace for ref in refs), *_spaces(self.rows)))
        for name in filter(None, spaces):
            labels = dict(known[name].labels) if name in known else {}
            yield {**_NAMESPACE, "metadata": {"name": name, "labels": labels}}
        yield from self.documents(each.ref for each in self.assessment.snapshot.crds)

    def loose(self) -> Iterator[Document]:
        """Of a whole cluster, all that no installation owns."""
        if self.plan is None:
            yield from self.documents(r for r in self.objects if r not in self.taken and r.kind != _CRD)

    def node(self, one: Node) -> NodePlan:
        ready = next((each for each in one.conditions if each.type == "Ready"), None)
        others = sum(1 for pod in self._pods_on.get(one.name, ()) if not self._is_in(pod))
        return NodePlan(
            name=one.name,
            labels=one.labels,
            taints=tuple({"key": each.key, "value": each.value, "effect": each.effect} for each in one.taints),
            unschedulable=one.unschedulable,
            pods=max((one.max_pods or _PODS_MAX) - others, 0),
            is_there=ready is None or ready.status == "True",
        )

    @cached_property
    def _pods_on(self) -> Mapping[str, Sequence[Pod]]:
        found: dict[str, list[Pod]] = {}
        for pod in self.assessment.snapshot.pods:
            if pod.phase not in _DONE:
                found.setdefault(pod.node, []).append(pod)
        return found

    def _is_in(self, pod: Pod) -> bool:
        """Whether a workload of the twin makes this pod."""
        of = self.assessment.view.workload_of(pod)
        return of is not None and of.kind in ROLLED and (self.plan is None or of in self.taken)

    def broken(self) -> frozenset[str]:
        """Images with which nothing is ready: nothing is in the twin either."""
        serving, silent = set[str](), set[str]()
        for one in self._workloads:
            found = {each.image for each in one.template.containers if each.image and not each.init}
            (serving if one.ready or not one.desired else silent).update(found)
        return frozenset(silent - serving)

    @cached_property
    def _workloads(self) -> tuple[Workload, ...]:
        all_ = self.assessment.snapshot.workloads
        return all_ if self.plan is None else tuple(each for each in all_ if each.ref in self.taken)

    # ── What could not be carried over ──────────────────────────────────────────────────────────────────────────

    def carried(self, kept: Sequence[KeptPlan]) -> Iterator[Carried]:
        snapshot = self.assessment.snapshot
        yield Carried(what="nodes", carried=len(snapshot.nodes), of=len(snapshot.nodes))
        rolled = [each for each in self._workloads if each.kind in ROLLED]
        odd = sorted({each.kind for each in self._workloads if each.kind not in ROLLED})
        why = f"{', '.join(odd)}: nothing runs them in a simulated world" if odd else ""
        yield Carried(what="workloads", carried=len(rolled), of=len(self._workloads), missing=why)
        pods = [pod for each in self._pods_on.values() for pod in each]
        inside = sum(map(self._is_in, pods))
        if self.plan is None:
            why = "what no Deployment, DaemonSet or StatefulSet makes" if inside < len(pods) else ""
        else:
            why = "those of other add-ons and applications: they take their place on the nodes"
        yield Carried(what="pods", carried=inside, of=len(pods), missing=why)
        yield from self._by_part()
        yield from self._by_owner(kept)
        for gap in snapshot.gaps:
            if gap.part in ("nodes", "workloads", "pods", "services", "disruption_budgets", "helm_releases"):
                yield Carried(what=gap.part, carried=0, of=0, missing=f"not read: {gap.detail}")

    def _by_part(self) -> Iterator[Carried]:
        snapshot = self.assessment.snapshot
        for what, found in (("Services", snapshot.services), ("PodDisruptionBudgets", snapshot.disruption_budgets)):
            mine = [each for each in found if self.plan is None or each.ref in self.taken]
            yield Carried(what=what, carried=len(mine), of=len(mine))
        shown = ("Service", "PodDisruptionBudget", *ROLLED)
        refs = self.objects if self.plan is None else self.taken
        names = sum(1 for each in self.documents(refs) if each["kind"] not in shown)
        why = "their names alone: nothing acts on them" if names else ""
        yield Carried(what="other objects", carried=names, of=names, missing=why)

    def _by_owner(self, kept: Sequence[KeptPlan]) -> Iterator[Carried]:
        counts: dict[str, int] = {}
        for each in kept:
            counts[each.owner.type] = counts.get(each.owner.type, 0) + 1
        for type, number in sorted(counts.items()):
            yield Carried(
                what=type, carried=0 if type in _NOT_ACTED else number, of=number, missing=_LESS.get(type, "")
            )


_NOT_ACTED = ("undetermined", "flux-kustomization")
_LESS: Mapping[str, str] = {
    "eks-addon": "configurationValues and Pod Identities, which snapshots do not hold",
    "helm-release": "values and hooks, which snapshots do not hold",
    "argo-application": "values, hooks and sync waves",
    "flux-helm-release": "values and hooks, which snapshots do not hold",
    "flux-kustomization": "nothing reconciles them: addonctl does not update them either",
    "undetermined": "nobody knows who keeps them, so nobody does",
}


def _named(owner: owners.ArgoApplication | owners.FluxHelmRelease | owners.HelmRelease) -> tuple[str, str]:
    return owner.namespace, owner.name


def _of_application(app: Application | None) -> Mapping[str, str]:
    if app is None:
        return {}
    source = {"repository": app.repository, "chart": app.chart, "path": app.path}
    return source | ({"automated": "true", "heals": "true" if app.self_heal else ""} if app.auto_sync else {})


def _spaces(rows: Iterable[Installation]) -> Iterator[str]:
    """Where the records of owners are."""
    for row in rows:
        namespace = getattr(row.owner, "namespace", "")
        if namespace:
            yield namespace


# ── Newer versions ──────────────────────────────────────────────────────────────────────────────────────────────


def at_version(document: Document, was: Version | None, to: Version) -> Document:
    """A workload with the images of another version; other documents as they are."""
    if document["kind"] not in ROLLED:
        return document
    template = document["spec"]["template"]
    containers = [{**each, "image": image_at(each["image"], was, to)} for each in template["spec"]["containers"]]
    spec = {**template["spec"], "containers": containers}
    return {**document, "spec": {**document["spec"], "template": {**template, "spec": spec}}}


def image_at(reference: str, was: Version | None, to: Version) -> str:
    """With the tag of the version where the present tag is one of it; else with one that tells them apart."""
    found = images.parse(reference)
    path = f"{found.host}/{found.path}" if found.host else found.path
    tag = found.tag or "untagged"
    mine = was is not None and parse(tag) is not None and parse(tag) == was
    return f"{path}:{to}" if mine else f"{path}:{tag}-of-{to}"
