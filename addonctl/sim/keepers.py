"""Who keeps the add-on of a simulated update: EKS, Helm, Argo CD, Flux, or somebody who applies manifests.

Each installs its first state, is told of the next in its own terms, and says what it keeps, which the auditor compares
with what it should. Argo CD heals and prunes, Flux corrects drift: what an update leaves to them, they put back.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from addonctl.errors import Invalid, NotFound
from addonctl.model import Action, Apply, CommandLine, CreateAddon, DeleteAddon, GitChange, HelmUpgrade, Note, live
from addonctl.model import owners as own
from addonctl.model.manifests import Manifests
from addonctl.sim.documents import Document, at
from addonctl.sim.eks import Pace, Renderer, SimEks, SimEksAddons
from addonctl.sim.gitops import ArgoCd, HelmController, crds
from addonctl.sim.helm import Chart, Render, SimHelm
from addonctl.sim.store import Store, Stored
from addonctl.values import Values
from addonctl.versions import Version

ADDON, SPACE = "dns", "kube-system"
ROLE = "arn:aws:iam::123456789012:role/dns"
_REPOSITORY = "https://charts.example.com"
_BY_HAND = "kubectl-client-side-apply"


@dataclass(frozen=True, slots=True)
class State:
    """Of the add-on: a version with its configuration; without a version there is none of it."""

    version: Version | None
    values: Values


Rendered = Callable[[Version, Values], list[Document]]
"""The objects of a state. Raises Invalid where the version does not take the configuration."""


class Keeper(Protocol):
    """`fights`: how often it has put back by itself what others had changed."""

    @property
    def owner(self) -> own.Owner: ...

    @property
    def fights(self) -> int: ...

    def install(self, first: State) -> None: ...

    def change(self, to: State) -> Action:
        """What a plan says is to be done."""
        ...

    def given(self, to: State) -> Manifests | None:
        """The new manifests, where its owner is who applies some."""
        ...

    def is_settled(self) -> bool: ...

    def says(self) -> Document | None:
        """What it keeps of the add-on; None: nothing."""
        ...

    def wanted(self, state: State) -> Document | None:
        """What it should say of a state."""
        ...

    def ails(self) -> str:
        """What is wrong with the add-on by its own word, if anything is."""
        ...


class _Quiet:
    """What most have in common: they write only when they are asked to, and to nothing else."""

    fights = 0

    def given(self, to: State) -> Manifests | None:
        return None


class ByEks(_Quiet):
    owner = own.EksAddon(ADDON)

    def __init__(self, store: Store, rendered: Rendered, versions: tuple[Version, ...]) -> None:
        renders = {(ADDON, str(each)): self._renderer(rendered, each) for each in versions}
        self.eks = SimEks(store, renders, Pace(apply_s=5, poll_s=5))

    @staticmethod
    def _renderer(rendered: Rendered, version: Version) -> Renderer:
        def render(configuration: str) -> list[Document]:
            try:
                return rendered(version, json.loads(configuration or "{}"))
            except Invalid as error:
                text = "ConfigurationValue provided in request is not supported"
                raise Invalid(text, reason="InvalidParameter") from error

        return render

    def install(self, first: State) -> None:
        SimEksAddons(self.eks).create(
            ADDON,
            namespace="",
            version=str(first.version),
            role_arn=ROLE,
            identities=(),
            configuration=json.dumps(dict(first.values)),
            resolve_conflicts=live.ResolveConflicts.OVERWRITE,
            token="first",
        )

    def change(self, to: State) -> Action:
        return Note("the new version") if to.version else DeleteAddon(cluster=self.eks.cluster, addon=ADDON)

    def creation(self, to: State) -> Action:
        return CreateAddon(cluster=self.eks.cluster, addon=ADDON, version=str(to.version), role_arn=ROLE)

    def is_settled(self) -> bool:
        return self.eks.describe(ADDON).status == "ACTIVE"

    def says(self) -> Document | None:
        try:
            said = self.eks.describe(ADDON)
        except NotFound:
            return None
        configuration = json.loads(said.configuration or "{}")
        return {"version": said.version, "role": said.role_arn, "own": said.identities, "values": configuration}

    def wanted(self, state: State) -> Document | None:
        if state.version is None:
            return None
        return {"version": str(state.version), "role": ROLE, "own": (), "values": dict(state.values)}

    def ails(self) -> str:
        try:
            status = self.eks.describe(ADDON).status
        except NotFound:
            return ""
        return "" if status == "ACTIVE" else f"EKS says {status} of {ADDON}"


class ByHelm(_Quiet):
    owner = own.HelmRelease(SPACE, ADDON)

    def __init__(self, store: Store, rendered: Rendered, versions: tuple[Version, ...]) -> None:
        self._store, self.charts = store, charts(rendered, versions, f"{_REPOSITORY}/{ADDON}")

    @property
    def _helm(self) -> SimHelm:
        return SimHelm(self._store, self.charts)

    def install(self, first: State) -> None:
        chart = f"{_REPOSITORY}/{ADDON}"
        self._helm.install(SPACE, ADDON, chart=chart, version=str(first.version), values=first.values)

    def change(self, to: State) -> Action:
        if to.version is None:
            return CommandLine(("helm", "uninstall", ADDON, "-n", SPACE))
        version = str(to.version)
        return HelmUpgrade(namespace=SPACE, name=ADDON, chart=ADDON, repository=_REPOSITORY, version=version)

    def is_settled(self) -> bool:
        return True

    def history(self) -> tuple[live.Release, ...]:
        try:
            return self._helm.history(SPACE, ADDON)
        except NotFound:
            return ()

    def says(self) -> Document | None:
        history = self.history()
        return {"version": history[-1].chart_version, "values": dict(history[-1].values)} if history else None

    def wanted(self, state: State) -> Document | None:
        return {"version": str(state.version), "values": dict(state.values)} if state.version else None

    def ails(self) -> str:
        *older, newest = self.history() or (None,)
        if newest is None:
            return ""
        both = [each.revision for each in older if each is not None and each.status == "deployed"]
        if both:
            return f"helm has {len(both) + 1} revisions deployed"
        return "" if newest.status == "deployed" else f"helm says {newest.status} of revision {newest.revision}"


def charts(rendered: Rendered, versions: tuple[Version, ...], reference: str) -> Mapping[tuple[str, str], Chart]:
    def chart(version: Version) -> Chart:
        render: Render = lambda release, namespace, values: rendered(version, values)  # noqa: E731
        return Chart(name=ADDON, version=str(version), render=render)

    return {(reference, str(each)): chart(each) for each in versions}


class _Reconciled:
    """What Argo CD and Flux have in common: all that they keep is in one object."""

    owner: own.ArgoApplication | own.FluxHelmRelease
    api_version: ClassVar[str]

    def __init__(self, store: Store) -> None:
        self._store = store
        for document in crds():
            store.apply(document, "somebody")

    def given(self, to: State) -> Manifests | None:
        return None

    def spec(self, state: State) -> Document:
        raise NotImplementedError

    def install(self, first: State) -> None:
        kind, metadata = live.object_of(self.owner).kind, {"name": self.owner.name, "namespace": self.owner.namespace}
        document = {"apiVersion": self.api_version, "kind": kind, "metadata": metadata, "spec": self.spec(first)}
        self._store.apply(document, "git")

    def change(self, to: State) -> Action:
        return GitChange(owner=self.owner, change=f"set the version to {to.version}")

    @property
    def found(self) -> Stored:
        return self._store.found(live.object_of(self.owner))

    def says(self) -> Document | None:
        return dict(self.found.spec)

    def wanted(self, state: State) -> Document | None:
        return self.spec(state)

    def is_settled(self) -> bool:
        return not self.ails()

    def ails(self) -> str:
        raise NotImplementedError


class ByArgo(_Reconciled):
    owner = own.ArgoApplication("argocd", ADDON)
    api_version = "argoproj.io/v1alpha1"

    def __init__(self, store: Store, rendered: Rendered, versions: tuple[Version, ...]) -> None:
        super().__init__(store)
        store.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}, "somebody")
        known = {str(each): each for each in versions}

        def sources(source: Mapping[str, object]) -> list[Document]:
            version = known.get(str(source.get("targetRevision")))
            if version is None:
                raise NotFound(f"there is no revision {source.get('targetRevision')}")
            return rendered(version, at(source, "helm", "valuesObject") or {})

        self.controller = ArgoCd(store, sources)

    @property
    def fights(self) -> int:
        return self.controller.by_itself

    def spec(self, state: State) -> Document:
        helm = {"valuesObject": dict(state.values)}
        return {
            "project": "default",
            "destination": {"namespace": SPACE},
            "source": {"repoURL": _REPOSITORY, "chart": ADDON, "targetRevision": str(state.version), "helm": helm},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        }

    def ails(self) -> str:
        said = at(self.found.status, "sync", "status") or "nothing"
        busy = "is at work on" if self.found.document.get("operation") else ""
        return "" if said == "Synced" and not busy else f"Argo CD {busy or f'says {said} of'} {ADDON}"


class ByFlux(_Reconciled):
    owner = own.FluxHelmRelease(SPACE, ADDON)
    api_version = "helm.toolkit.fluxcd.io/v2"

    def __init__(self, store: Store, rendered: Rendered, versions: tuple[Version, ...]) -> None:
        super().__init__(store)
        self.controller = HelmController(store, SimHelm(store, charts(rendered, versions, ADDON)))

    @property
    def fights(self) -> int:
        return self.controller.by_itself

    def spec(self, state: State) -> Document:
        chart = {"spec": {"chart": ADDON, "version": str(state.version)}}
        drift = {"mode": "enabled"}
        return {"interval": "1m", "chart": chart, "values": dict(state.values), "driftDetection": drift}

    def ails(self) -> str:
        status = self.found.status
        ready = [each for each in status.get("conditions") or () if each["type"] == "Ready"]
        said = ready[0]["status"] if ready else "nothing"
        seen = status.get("observedGeneration") == self.found.metadata["generation"]
        return "" if said == "True" and seen else f"Flux says {said} of {ADDON}"


class ByHand(_Quiet):
    """Somebody who applies manifests with kubectl, as it does without --server-side."""

    owner = own.Manifest("kubectl")

    def __init__(self, store: Store, rendered: Rendered, versions: tuple[Version, ...]) -> None:
        self._store, self._rendered = store, rendered

    def install(self, first: State) -> None:
        assert first.version is not None
        for document in self._rendered(first.version, first.values):
            note = {live.LAST_APPLIED: json.dumps(document)}
            self._store.create({**document, "metadata": {**document["metadata"], "annotations": note}}, _BY_HAND)

    def change(self, to: State) -> Action:
        return Apply(what=ADDON, file=f"{to.version}.yaml")

    def given(self, to: State) -> Manifests | None:
        assert to.version is not None
        documents = tuple(map(live.Object, self._rendered(to.version, to.values)))
        return Manifests(f"{to.version}.yaml", f"{to.version.text.encode().hex():0<64}"[:64], documents)

    def is_settled(self) -> bool:
        return True

    def says(self) -> Document | None:
        return {}

    def wanted(self, state: State) -> Document | None:
        return {}

    def ails(self) -> str:
        return ""


KEEPERS: Mapping[str, Callable[[Store, Rendered, tuple[Version, ...]], Keeper]] = {
    "EKS": ByEks,
    "Helm": ByHelm,
    "Argo CD": ByArgo,
    "Flux": ByFlux,
    "manifests": ByHand,
}
