"""Clusters with add-ons in somebody's hands, to whom bad versions are offered. Called by bad_trials.py."""

import itertools
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import argocd, build
from tests.cluster.addons import MANIFESTS, gatekeeper_manifests, install
from tests.cluster.bad_versions import (
    ARGOCD,
    COREDNS,
    EKS,
    GATEKEEPER,
    HELM,
    METRICS,
    PROXY,
    Bad,
    Document,
    write_images,
)
from tests.cluster.bad_versions import MANIFESTS as BY_MANIFESTS
from tests.cluster.changes import got
from tests.cluster.cluster import Cluster
from tests.cluster.lab import EKS_ADDONS, NAME, Lab, Served, image_of
from tests.cluster.processes import sh, wait_for

NAMESPACES = {GATEKEEPER: "gatekeeper-system"}
_LABELS = {
    COREDNS: "k8s-app=kube-dns",
    GATEKEEPER: "gatekeeper.sh/system=yes",
    METRICS: "k8s-app=metrics-server",
    PROXY: "k8s-app=kube-proxy",
}
_WORKLOADS = {
    COREDNS: ("deployment/coredns",),
    GATEKEEPER: ("deployment/gatekeeper-controller-manager", "deployment/gatekeeper-audit"),
    METRICS: ("deployment/metrics-server",),
    PROXY: ("daemonset/kube-proxy",),
}


@dataclass(frozen=True)
class Offer:
    """How addonctl is told of a bad version, and the image that its pods name. `folder`: its chart or manifests."""

    words: tuple[str, ...]
    image: str
    folder: Path | None = None


# No two trials of a process have the same version: an image that was there would be there again.
_NUMBERS = itertools.count(1)


class World(ABC):
    """A cluster with add-ons in somebody's hands; `environment` is that of who works on it."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.environment: Mapping[str, str] = {}

    def bring(self, bads: Iterable[Bad]) -> None:
        """Puts the images of bad versions on the nodes."""
        if any(bad.fault for bad in bads):
            tar = self.folder / "bad.tar"
            write_images(tar, bads)
            self.cluster.import_images(tar)
            tar.unlink()

    def labels(self, addon: str) -> str:
        """Which pods are those of an add-on."""
        return _LABELS[addon]

    @abstractmethod
    def offer(self, bad: Bad) -> Offer:
        """Makes a bad version the one that can be updated to."""

    def withdraw(self, bad: Bad) -> None:  # noqa: B027 - most leave nothing
        """Undoes what was set for it."""

    @abstractmethod
    def repair(self, addon: str) -> None:
        """Has the owner put the sound version back, where nobody else did."""

    def owned(self, addon: str) -> Any:
        """What the owner itself keeps of an add-on."""
        return None

    def settle(self, addon: str) -> None:
        """Waits until an add-on is sound."""
        for workload in _WORKLOADS[addon]:
            self.cluster.ready(workload, NAMESPACES.get(addon, "kube-system"))
        if addon == METRICS:
            wait_for("metrics", lambda: "node-1" in self.cluster.kubectl("top", "nodes", check=False), 90)


_EKS_VERSIONS = {COREDNS: "v1.13.2-eksbuild.21", METRICS: "v0.9.0-eksbuild.5", PROXY: "v1.36.0-eksbuild.15"}
_EKS_ABSENT = {COREDNS: "v1.14.3-eksbuild.14", METRICS: "v0.9.0-eksbuild.4", PROXY: "v1.36.0-eksbuild.13"}


class ByEks(World):
    """The lab's EKS serves the bad version under a name that AWS offers."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab.cluster, folder)
        self.lab, self.environment = lab, lab.environment

    def offer(self, bad: Bad) -> Offer:
        version = (_EKS_VERSIONS if bad.there else _EKS_ABSENT)[bad.addon]
        self.lab.served[bad.addon, version] = Served(bad.image, bad.change, bad.eks_works_s)
        self.lab.update_s = bad.eks_waits_s
        if bad.reported:
            self.lab.eks.state.fail_next = ("InternalFailure", "The update failed.")
        return Offer(("--to", version, "--eks", NAME), image_of(bad.addon, version))

    def withdraw(self, bad: Bad) -> None:
        self.lab.update_s, self.lab.eks.state.fail_next = 600, None
        for version in (_EKS_VERSIONS[bad.addon], _EKS_ABSENT[bad.addon]):
            self.lab.served.pop((bad.addon, version), None)

    def repair(self, addon: str) -> None:
        client, given = self.lab.eks.client("eks"), {"clusterName": NAME, "addonName": addon}
        waiter, patience = client.get_waiter("addon_active"), {"Delay": 1, "MaxAttempts": 240}
        wait_for("EKS", lambda: self.owned(addon)["status"] != "UPDATING", 300)
        client.update_addon(**given, addonVersion=EKS_ADDONS[addon], resolveConflicts="OVERWRITE")
        waiter.wait(**given, WaiterConfig=patience)

    def owned(self, addon: str) -> Any:
        found = self.lab.eks.client("eks").describe_addon(clusterName=NAME, addonName=addon)["addon"]
        configuration = found.get("configurationValues") or "{}"  # the one may become the other
        return {"version": found["addonVersion"], "status": found["status"], "configuration": configuration}


class ByHelm(World):
    """A release whose next chart comes from a folder, and not from its repository."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(lab.cluster, folder)
        (folder / "bin").mkdir()
        wrapper = folder / "bin" / "helm"
        wrapper.write_text(_HELM.format(helm=build.HELM.folder / "helm", charts=folder))
        wrapper.chmod(0o755)
        self.environment = {**lab.environment, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        self._place = ("--eks", NAME)
        history = json.loads(self.cluster.helm("history", "gatekeeper", "-n", "gatekeeper-system", "-o", "json"))
        self._sound = history[-1]["revision"]

    def offer(self, bad: Bad) -> Offer:
        version = f"3.24.{next(_NUMBERS)}"
        image = f"docker.io/openpolicyagent/gatekeeper:v{version}"
        if bad.image:
            self.cluster.name_image(bad.image, image)
        documents = list(yaml.safe_load_all(self._rendered()))
        chart = self.folder / f"gatekeeper-{version}"
        write_chart(chart, "gatekeeper", version, [each for each in documents if each], image, bad)
        return Offer(("--to", version, *self._place), image, chart)

    def _rendered(self) -> str:
        """As the release has it."""
        return self.cluster.helm("get", "manifest", "gatekeeper", "-n", "gatekeeper-system")

    def repair(self, addon: str) -> None:
        self.cluster.helm("rollback", "gatekeeper", str(self._sound), "-n", "gatekeeper-system")

    def owned(self, addon: str) -> Any:
        return release(self.cluster, "gatekeeper", "gatekeeper-system")


def release(cluster: Cluster, name: str, namespace: str) -> Document:
    """The newest revision of a release: its chart, status and values."""
    newest = json.loads(cluster.helm("history", name, "-n", namespace, "--max=1", "-o", "json"))[-1]
    values = json.loads(cluster.helm("get", "values", name, "-n", namespace, "-o", "json"))
    return {"chart": newest["chart"], "status": newest["status"], "values": values}


# Charts of the folder stand for those of any repository.
_HELM = """\
#!/bin/sh
for word; do
  shift
  case "$word" in
    --repo=*) repository=1; continue ;;
    --version=*) version="${{word#*=}}"; continue ;;
  esac
  set -- "$@" "$word"
done
if [ "$repository" ]; then
  command="$1"; release="$2"; chart="$3"
  shift 3
  set -- "$command" "$release" "{charts}/$chart-$version" "$@"
fi
exec {helm} "$@"
"""


def write_chart(folder: Path, name: str, version: str, documents: Sequence[Document], image: str, bad: Bad) -> None:
    """A chart that says what a bad version brings, word by word."""
    (folder / "templates").mkdir(parents=True)
    head = {"apiVersion": "v2", "name": name, "version": version, "appVersion": f"v{version}"}
    (folder / "Chart.yaml").write_text(json.dumps(head))
    text = "\n---\n".join(json.dumps(each) for each in changed(documents, image, bad))
    (folder / "templates" / "all.yaml").write_text(text.replace("{{", '{{ "{{" }}'))


def changed(documents: Iterable[Document], image: str, bad: Bad) -> Iterator[Document]:
    """What a bad version brings: other images, and whatever else it changes."""
    for document in documents:
        if document["kind"] in ("Deployment", "DaemonSet"):
            document["spec"]["template"]["spec"]["containers"][0]["image"] = image
        bad.change(document)
        yield document


_IMAGES = {
    COREDNS: ("registry.k8s.io/coredns/coredns", "v1.13.{}"),
    METRICS: ("registry.k8s.io/metrics-server/metrics-server", "v0.9.{}"),
    GATEKEEPER: ("docker.io/openpolicyagent/gatekeeper", "v3.24.{}"),
    PROXY: ("registry.k8s.io/kube-proxy", "v1.36.{}"),
}


def manifest_of(addon: str) -> str:
    return gatekeeper_manifests() if addon == GATEKEEPER else (MANIFESTS / f"{addon}.yaml").read_text()


class ByManifests(World):
    """What somebody applied, and whose new manifests are in a file."""

    def version(self, bad: Bad) -> tuple[str, str]:
        """Version and image; no two trials have the same."""
        repository, form = _IMAGES[bad.addon]
        version = form.format(50 + next(_NUMBERS))
        if bad.image:
            self.cluster.name_image(bad.image, f"{repository}:{version}")
        return version, f"{repository}:{version}"

    def offer(self, bad: Bad) -> Offer:
        version, image = self.version(bad)
        documents = [each for each in yaml.safe_load_all(manifest_of(bad.addon)) if each]
        file = self.folder / f"{bad.name}.yaml"
        file.write_text(yaml.safe_dump_all(changed(documents, image, bad)))
        place = ("--kubeconfig", str(self.cluster.kubeconfig))
        return Offer(("--to", version, "--manifests", str(file), *place), image, file)

    def repair(self, addon: str) -> None:
        self.cluster.apply(manifest_of(addon))

    def settle(self, addon: str) -> None:
        super().settle(addon)
        if addon == GATEKEEPER:
            self.cluster.apply(json.dumps(_TEMPLATE))
            kind = "crd/k8straffic.constraints.gatekeeper.sh"
            wait_for("a constraint's kind", lambda: bool(self.cluster.kubectl("get", kind, "-o", "name")), 60)


_TEMPLATE = {
    "apiVersion": "templates.gatekeeper.sh/v1",
    "kind": "ConstraintTemplate",
    "metadata": {"name": "k8straffic"},
    "spec": {
        "crd": {"spec": {"names": {"kind": "K8sTraffic"}}},
        "targets": [
            {"target": "admission.k8s.gatekeeper.sh", "rego": 'package k8straffic\nviolation[{"msg": "no"}] { false }'}
        ],
    },
}


class ByArgoCd(ByManifests):
    """CoreDNS in the hands of a real Argo CD, with a tag in a git repository for each version."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        self._repository = folder / "repository"
        sh("git", "init", "-q", "-b", "main", self._repository)
        version = build.COREDNS[0]
        self._commit(version, manifest_of(COREDNS))
        application = json.loads(json.dumps(_APPLICATION))
        application["spec"]["source"] |= {"repoURL": f"file://{self._repository}", "targetRevision": version}
        cluster.apply(json.dumps(application))
        wait_for("Argo CD", self._is_synced, 120)

    def _commit(self, version: str, manifest: str) -> None:
        (self._repository / COREDNS).mkdir(parents=True, exist_ok=True)
        (self._repository / COREDNS / "all.yaml").write_text(manifest)
        author = ("-c", "user.name=lab", "-c", "user.email=lab@example.com", "-c", "commit.gpgsign=false")
        sh("git", "-C", self._repository, "add", ".")
        sh("git", "-C", self._repository, *author, "commit", "-q", "--allow-empty", "-m", version)
        sh("git", "-C", self._repository, "tag", version)

    def _application(self) -> Document:
        (found,) = got(self.cluster, f"application.argoproj.io/{COREDNS}", "-n", argocd.NAMESPACE)
        return found

    def _is_synced(self) -> bool:
        status = self._application().get("status") or {}
        return (status.get("sync") or {}).get("status") == "Synced"

    def offer(self, bad: Bad) -> Offer:
        version, image = self.version(bad)
        documents = [each for each in yaml.safe_load_all(manifest_of(COREDNS)) if each]
        self._commit(version, yaml.safe_dump_all(changed(documents, image, bad)))
        return Offer(("--to", version, "--kubeconfig", str(self.cluster.kubeconfig)), image)

    def repair(self, addon: str) -> None:
        to = json.dumps({"spec": {"source": {"targetRevision": build.COREDNS[0]}}})
        place = ("-n", argocd.NAMESPACE, "patch", f"application.argoproj.io/{addon}", "--type=merge", "-p", to)
        self.cluster.kubectl(*place)

    def settle(self, addon: str) -> None:
        wait_for("Argo CD", self._is_synced, 60)
        super().settle(addon)

    def owned(self, addon: str) -> Any:
        return self._application()["spec"]


_APPLICATION: Document = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": COREDNS, "namespace": argocd.NAMESPACE},
    "spec": {
        "project": "default",
        "source": {"path": COREDNS},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "kube-system"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    },
}


def worlds(bads: Sequence[Bad], folder: Path) -> Iterator[tuple[World, list[Bad]]]:
    """Starts what bad versions need, one cluster after the other: each owner's world, and what is tried in it."""
    of = {owner: [bad for bad in bads if bad.owner == owner] for owner in (EKS, HELM, BY_MANIFESTS, ARGOCD)}
    if of[EKS] or of[HELM]:
        with Lab() as lab:
            yield from _ready(
                (lambda path: ByEks(lab, path), of[EKS]), (lambda path: ByHelm(lab, path), of[HELM]), folder=folder
            )
    if of[BY_MANIFESTS] or of[ARGOCD]:
        with Cluster() as cluster, ExitStack() as stack:
            install(cluster)
            yield from _ready((lambda path: ByManifests(cluster, path), of[BY_MANIFESTS]), folder=folder)
            if of[ARGOCD]:
                stack.enter_context(argocd.ArgoCd(cluster))
                yield from _ready((lambda path: ByArgoCd(cluster, path), of[ARGOCD]), folder=folder)


def _ready(*kinds: tuple[Callable[[Path], World], list[Bad]], folder: Path) -> Iterator[tuple[World, list[Bad]]]:
    for make, bads in kinds:
        if bads:
            place = Path(tempfile.mkdtemp(dir=folder))
            world = make(place)
            world.bring(bads)
            yield world, bads
