"""The simulated twin of a cluster: the world that a Blueprint describes, built anew for each seed.

Nodes, objects and owners are made as their controllers would have made them, then the world settles. Who keeps what is
at work in it: EKS's add-on API with the add-ons, helm with its releases, Argo CD and Flux with their objects; what the
new versions are is in the blueprint. `behaviours` says what images do, above all those of a new version.

Not carried over by any twin: see NOT_MODELLED in model/rehearsal.py, printed with each.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from addonctl.errors import AddonctlError, Invalid, NotFound
from addonctl.model import live, owners
from addonctl.model.rehearsal import Blueprint, KeptPlan, NodePlan
from addonctl.sim.controllers import Behaviour, Controllers, as_in
from addonctl.sim.controllers.nodes import NODE
from addonctl.sim.documents import Document, copied
from addonctl.sim.eks import Renderer, SimEks, SimEksAddons
from addonctl.sim.gitops import ArgoCd, HelmController, crds
from addonctl.sim.helm import Chart, Render, SimHelm
from addonctl.sim.kinds import CRD, Key
from addonctl.sim.readiness import WORKLOADS, is_rolled_out
from addonctl.sim.store import Store, Stored
from addonctl.sim.world import World

Rendered = Callable[[], list[Document]]
SETTLES_S = 600.0
_LOOKS_S = 5.0
_SOMEBODY = "kubectl-client-side-apply"
_BROKEN = Behaviour(gets_ready=False)
_GIT = "git"


class Twin:
    """A world with a cluster in it. `refused`: installations, and versions that do not take their configuration."""

    def __init__(
        self,
        drawn: Blueprint,
        seed: int,
        behaviours: Mapping[str, Behaviour] | None = None,
        refused: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.drawn, self.world = drawn, World(seed)
        self.store = Store(self.world)
        table = {**dict.fromkeys(drawn.broken, _BROKEN), **(behaviours or {})}
        self.behave = as_in(table)
        self.controllers = Controllers(self.store, self.behave)
        self._refused = frozenset(refused)
        self.eks = SimEks(self.store, self._eks_versions(), cluster=drawn.cluster)
        self.charts = self._charts()
        self.failed: list[tuple[str, str]] = []  # what could not be made, and why
        for one in drawn.nodes:
            self._add(one)
        for document in (*crds(), *drawn.first):
            self._make(document, _SOMEBODY)
        self.argo = ArgoCd(self.store, self._source)
        self.flux = HelmController(self.store, SimHelm(self.store, self.charts))
        for kept in drawn.kept:
            self._install(kept)
        for document in drawn.loose:
            self._make(document, _SOMEBODY)
        self.unsettled = self._settle()

    # ── Making ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _add(self, one: NodePlan) -> None:
        nodes = self.controllers.nodes
        node = nodes.add(one.name, one.labels, one.pods)
        spec: Document = {"taints": list(one.taints)} if one.taints else {}
        spec |= {"unschedulable": True} if one.unschedulable else {}
        if spec:
            self.store.update(node, {**node.document, "spec": spec})
        if not one.is_there:
            nodes.lose(one.name)

    def _make(self, document: Mapping[str, Any], manager: str) -> None:
        """What is there already stays as it is; a kind that is not served yet is from then on."""
        metadata = document["metadata"]
        if not self._is_served(document):
            self._serve(document)
        try:
            served = self.store.kinds.of(document)
            namespace = metadata.get("namespace", "") if served.namespaced else ""
            if self.store.get(served.key, namespace, metadata["name"]) is None:
                self.store.create(copied(document), manager)
        except AddonctlError as error:
            self.failed.append((f"{document['kind']}/{document['metadata']['name']}", error.what))

    def _serve(self, document: Mapping[str, Any]) -> None:
        group, _, version = str(document["apiVersion"]).rpartition("/")
        kind, plural = document["kind"], f"{document['kind'].lower()}s"
        spec = {
            "group": group,
            "scope": "Namespaced" if document["metadata"].get("namespace") else "Cluster",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": version, "served": True, "storage": True}],
        }
        crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
        name = f"{plural}.{group}"
        if self.store.get(CRD, "", name) is None:
            self.store.create({**crd, "metadata": {"name": name}}, _SOMEBODY)

    def _install(self, kept: KeptPlan) -> None:
        owner = kept.owner
        documents = kept.versions[kept.present]
        for document in documents:
            if not self._is_served(document):
                self._serve(document)
        match owner:
            case owners.EksAddon(name=name):
                self._create_addon(name, kept)
            case owners.HelmRelease(namespace=namespace, name=name) if name:
                self._release(namespace, name, kept)
            case owners.ArgoApplication() | owners.FluxHelmRelease():
                self._make(_controlled(owner, kept), _GIT)
            case owners.Manifest(manager=manager) if manager not in ("", "kubectl"):
                for document in documents:
                    self._make(document, manager)
            case _:
                for document in documents:
                    note = {live.LAST_APPLIED: json.dumps(document)}
                    self._make({**document, "metadata": {**document["metadata"], "annotations": note}}, _SOMEBODY)

    def _release(self, namespace: str, name: str, kept: KeptPlan) -> None:
        SimHelm(self.store, self.charts).deploy_in_background(
            namespace,
            name,
            chart=kept.record["asked"],
            version=kept.present,
            values={},
            timeout_s=1,
            then=self._told(kept),
            wait=False,
        )

    def _told(self, kept: KeptPlan) -> Callable[[AddonctlError | None], None]:
        def then(error: AddonctlError | None) -> None:
            if error is not None:
                self.failed.append((str(kept.owner), error.what))

        return then

    def _create_addon(self, name: str, kept: KeptPlan) -> None:
        SimEksAddons(self.eks).create(
            name,
            namespace="",
            version=kept.present,
            role_arn=kept.record.get("role", ""),
            identities=(),
            configuration="",
            resolve_conflicts=live.ResolveConflicts.OVERWRITE,
            token=f"twin-{name}"[:64],
        )

    def _is_served(self, document: Mapping[str, Any]) -> bool:
        group, _, version = str(document["apiVersion"]).rpartition("/")
        served = self.store.kinds.served((group, document["kind"]))
        return served is not None and version in served.versions

    def _settle(self) -> tuple[Stored, ...]:
        """Until all is rolled out; what is not by then, nor was it in the cluster, is told."""
        self.world.advance(_LOOKS_S)
        until = self.world.seconds + SETTLES_S
        while (waiting := self._waiting()) and self.world.seconds < until:
            self.world.advance(_LOOKS_S)
        self.world.advance(60)
        return waiting

    def _waiting(self) -> tuple[Stored, ...]:
        found = (row for key in sorted(WORKLOADS) for row in self.store.rows(key))
        return tuple(row for row in found if not is_rolled_out(row) and not self._is_broken(row))

    def _is_broken(self, row: Stored) -> bool:
        containers = row.spec["template"]["spec"]["containers"]
        return any(each["image"] in self.drawn.broken for each in containers)

    # ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────

    def _rendered(self, kept: KeptPlan, version: str) -> Rendered:
        def render() -> list[Document]:
            if any((each, version) in self._refused for each in kept.installations):
                raise Invalid("The configuration is not one of the new version", reason="InvalidParameter")
            return [copied(each) for each in kept.versions[version]]

        return render

    def _eks_versions(self) -> dict[tuple[str, str], Renderer]:
        found: dict[tuple[str, str], Renderer] = {}
        for kept in self.drawn.kept:
            if isinstance(kept.owner, owners.EksAddon):
                for version in kept.versions:
                    made = self._rendered(kept, version)
                    found[kept.owner.name, version] = lambda _, made=made: made()  # type: ignore[misc]
        return found

    def _charts(self) -> dict[tuple[str, str], Chart]:
        """A chart is rendered for each release of it as that one is."""
        renders: dict[tuple[str, str], dict[tuple[str, str], Rendered]] = {}
        names: dict[str, str] = {}
        for kept in self.drawn.kept:
            if isinstance(kept.owner, owners.HelmRelease | owners.FluxHelmRelease):
                name = kept.record["chart"]
                reference = kept.record.get("asked", name)
                names[reference] = name
                for version in kept.versions:
                    of_release = renders.setdefault((reference, version), {})
                    of_release[kept.owner.namespace, kept.owner.name] = self._rendered(kept, version)
        return {
            key: Chart(name=names[key[0]], version=key[1], render=_render(of_release))
            for key, of_release in renders.items()
        }

    def _source(self, source: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """What an Application's source holds: it is named by all but its revision."""
        for kept in self.drawn.kept:
            if isinstance(kept.owner, owners.ArgoApplication) and _source_of(kept).items() <= source.items():
                revision = str(source.get("targetRevision", ""))
                if revision in kept.versions:
                    return self._rendered(kept, revision)()
        raise NotFound(f"there is no revision {source.get('targetRevision')}")

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────────────

    def rows(self, kind: str) -> list[Stored]:
        keys: Mapping[str, Key] = {"Node": NODE, "Service": ("", "Service"), "Pod": ("", "Pod")}
        return self.store.rows(keys.get(kind, ("apps", kind)))


def _render(of_release: Mapping[tuple[str, str], Rendered]) -> Render:
    """Flux may name a release otherwise than its own object: where there is but one, it is that."""

    def render(release: str, namespace: str, values: Mapping[str, Any]) -> list[Document]:
        found = of_release.get((namespace, release)) or next(iter(of_release.values()))
        return found()

    return render


def _source_of(kept: KeptPlan) -> dict[str, str]:
    record = kept.record
    named = {"repoURL": record.get("repository") or "https://charts.example.com"}
    return named | ({"chart": record["chart"]} if record.get("chart") else {"path": record.get("path") or "."})


def _controlled(owner: owners.ArgoApplication | owners.FluxHelmRelease, kept: KeptPlan) -> Document:
    """The controller's object."""
    metadata = {"name": owner.name, "namespace": owner.namespace}
    if isinstance(owner, owners.FluxHelmRelease):
        spec: Document = {"interval": "1m", "chart": {"spec": {"chart": kept.record["chart"], "version": kept.present}}}
        return {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}
    spaces = (each["metadata"].get("namespace", "") for each in kept.versions[kept.present])
    spec = {
        "project": "default",
        "source": {**_source_of(kept), "targetRevision": kept.present},
        "destination": {"namespace": next(filter(None, spaces), owner.namespace)},
    }
    # Without it nobody would have brought it: the twin begins with what was synchronised by hand.
    heals = bool(kept.record.get("heals"))
    spec["syncPolicy"] = {"automated": {"prune": False, "selfHeal": heals}}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}
