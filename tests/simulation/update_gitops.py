"""GitOps controllers that keep the add-on of update.py, and put back what others change."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

from addonctl.errors import NotFound
from addonctl.model import GitChange, live, owners
from addonctl.model.manifests import Manifests
from addonctl.sim.gitops import ArgoCd, HelmController, crds
from addonctl.sim.helm import Chart, SimHelm
from addonctl.sim.objects import SimObjects
from addonctl.values import Values
from addonctl.versions import Version
from tests.simulation.update import NEW, OLD, Cluster, manifests, rolling_of

_SETTLES_S = 60


class _Controller:
    """`spec` is that of the controller's object, but for the version."""

    owner: owners.ArgoApplication | owners.FluxHelmRelease
    given: Manifests | None = None

    def __init__(self, cluster: Cluster, spec: dict[str, Any], **metadata: Any) -> None:
        self._cluster, self._spec = cluster, spec
        self.objects = SimObjects(cluster.store)
        for document in crds():
            self.objects.apply(document)
        group, kind = live.object_of(self.owner).group, live.object_of(self.owner).kind
        version = {"Application": "v1alpha1", "HelmRelease": "v2"}[kind]
        named = {"name": self.owner.name, "namespace": self.owner.namespace, **metadata}
        document = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": named, "spec": self.at(OLD)}
        self.objects.apply(document, manager="git")

    @property
    def do(self) -> GitChange:
        return GitChange(owner=self.owner, change=f"set the version to {NEW}")

    def at(self, version: Version) -> dict[str, Any]:
        raise NotImplementedError

    def is_settled(self) -> bool:
        raise NotImplementedError

    def document(self) -> Mapping[str, Any]:
        return self.objects.get(live.object_of(self.owner)).document

    def audit(self, version: Version) -> None:
        assert self._cluster.world.until(self.is_settled, _SETTLES_S), self.document()
        assert self.document()["spec"] == self.at(version)


class Argo(_Controller):
    """The manifests set what is patched for an update."""

    owner = owners.ArgoApplication("argocd", "dns")
    values: ClassVar[Values] = MappingProxyType({})

    def __init__(self, cluster: Cluster, **automated: bool) -> None:
        def at_revision(source: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
            values = (source.get("helm") or {}).get("valuesObject") or self.values
            if (found := self.manifests.get(source["targetRevision"])) is None:
                raise NotFound(f"there is no revision {source['targetRevision']}")
            return found(values)

        more = rolling_of(cluster.kind)
        self.manifests: dict[str, Callable[[Values], Iterable[Mapping[str, Any]]]] = {
            str(version): partial(manifests, str(version), cluster.kind, **more) for version in (OLD, NEW)
        }
        self.manifests["main"] = self.manifests[str(OLD)]
        cluster.store.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}, "somebody")
        self.controller = ArgoCd(cluster.store, at_revision)
        policy = {"automated": automated or {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]}
        spec = {"project": "default", "destination": {"namespace": "kube-system"}, "syncPolicy": policy}
        super().__init__(cluster, spec)

    def at(self, version: Version) -> dict[str, Any]:
        source = {"repoURL": "https://charts.example.com", "chart": "dns", "targetRevision": str(version)}
        return {**self._spec, "source": source}

    def is_settled(self) -> bool:
        document = self.document()
        status = document.get("status") or {}
        return "operation" not in document and (status.get("sync") or {}).get("status") == "Synced"


class Flux(_Controller):
    """The chart sets what is patched for an update, and drift is corrected every minute."""

    owner = owners.FluxHelmRelease("kube-system", "dns")

    def __init__(self, cluster: Cluster, **more: Any) -> None:
        def render(version: Version) -> Callable[..., list[Mapping[str, Any]]]:
            more = rolling_of(cluster.kind)
            return lambda release, namespace, values: manifests(str(version), cluster.kind, values, **more)

        charts = {("dns", str(each)): Chart(name="dns", version=str(each), render=render(each)) for each in (OLD, NEW)}
        self.controller = HelmController(cluster.store, SimHelm(cluster.store, charts))
        super().__init__(cluster, {"interval": "1m", "driftDetection": {"mode": "enabled"}, **more})

    def at(self, version: Version) -> dict[str, Any]:
        return {**self._spec, "chart": {"spec": {"chart": "dns", "version": str(version)}}}

    def is_settled(self) -> bool:
        document = self.document()
        status = document.get("status") or {}
        ready = any(each["status"] == "True" for each in status.get("conditions") or ())
        return ready and status["observedGeneration"] == document["metadata"]["generation"]
