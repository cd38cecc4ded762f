"""Changes to a cluster that can be taken back, and what the cluster itself says of how it is.

Nothing here asks addonctl: whether a change has taken hold, and whether the add-ons are sound again, is read from the
cluster's own objects with kubectl.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.processes import sh, wait_for

Object = dict[str, Any]
Holds = Callable[[Cluster], bool]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SERVER_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink")


# ── Changes: each makes something wrong, and knows how to put it right ──────────────────────────────────────────


class Change:
    """Something that is done to a cluster. `undo` is called after all changes of a fault were made, in their order."""

    def make(self, cluster: Cluster) -> None:
        raise NotImplementedError

    def undo(self, cluster: Cluster) -> None:
        """Most is undone by another change."""


@dataclass
class _Kept(Change):
    """A change to one object, which is put back as it was."""

    target: str  # kind/name
    namespace: str = ""

    def keep(self, cluster: Cluster) -> None:
        kept: Object = json.loads(cluster.kubectl("get", self.target, *_in(self.namespace), "-o", "json"))
        for field in _SERVER_FIELDS:
            kept["metadata"].pop(field, None)
        self._before = json.dumps(kept)

    def undo(self, cluster: Cluster) -> None:
        there = cluster.kubectl("get", self.target, *_in(self.namespace), "--ignore-not-found", "-o", "name")
        cluster.kubectl("replace" if there else "create", "-f", "-", stdin=self._before)


@dataclass
class Patched(_Kept):
    """An object with a patch on it; a list is a JSON patch."""

    patch: Any = None
    subresource: str = ""

    def make(self, cluster: Cluster) -> None:
        self.keep(cluster)
        how = "json" if isinstance(self.patch, list) else "strategic" if self.namespace else "merge"
        cluster.kubectl(
            "patch", self.target, *_in(self.namespace), f"--type={how}", *self._below(), "-p", json.dumps(self.patch)
        )

    def undo(self, cluster: Cluster) -> None:
        if self.subresource:
            cluster.kubectl("replace", *self._below(), "-f", "-", stdin=self._before)
        else:
            super().undo(cluster)

    def _below(self) -> list[str]:
        return [f"--subresource={self.subresource}"] if self.subresource else []


@dataclass
class Deleted(_Kept):
    """An object that is gone, with what it owns."""

    def make(self, cluster: Cluster) -> None:
        self.keep(cluster)
        cluster.kubectl("delete", self.target, *_in(self.namespace))


@dataclass
class Made(Change):
    """Objects that were not there."""

    documents: Sequence[Object]

    def make(self, cluster: Cluster) -> None:
        cluster.kubectl("create", "-f", "-", stdin=_joined(self.documents))

    def undo(self, cluster: Cluster) -> None:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=_joined(self.documents))


@dataclass
class Replaced(Change):
    """Running pods that have to start again: one of them under the fault, those that it broke afterwards."""

    namespace: str
    labels: str

    def make(self, cluster: Cluster) -> None:
        self._delete(cluster, pods(cluster, self.namespace, self.labels)[:1])

    def undo(self, cluster: Cluster) -> None:
        self._delete(cluster, [pod for pod in pods(cluster, self.namespace, self.labels) if not _ready(pod)])

    def _delete(self, cluster: Cluster, chosen: list[Object]) -> None:
        names = [pod["metadata"]["name"] for pod in chosen]
        if names:
            cluster.kubectl("delete", "pod", *_in(self.namespace), "--grace-period=1", "--wait=false", *names)


@dataclass
class WrittenAs(Change):
    """An object that somebody applies in an API version of old; it goes with the object."""

    target: str
    namespace: str
    api_version: str

    def make(self, cluster: Cluster) -> None:
        last = json.dumps({"apiVersion": self.api_version})
        # Not part of the object when it is made: kubectl writes this annotation anew.
        cluster.kubectl("annotate", self.target, *_in(self.namespace), "--overwrite", f"{LAST_APPLIED}={last}")


@dataclass
class Killed(Change):
    """Pods that are gone at once, where their owner went before them."""

    namespace: str
    labels: str

    def make(self, cluster: Cluster) -> None:
        cluster.kubectl("delete", "pod", *_in(self.namespace), "-l", self.labels, "--grace-period=0", "--force")


@dataclass
class Frozen(Change):
    """A node whose kubelet hangs."""

    node: int

    def make(self, cluster: Cluster) -> None:
        cluster.freeze(f"kubelet-{self.node}")

    def undo(self, cluster: Cluster) -> None:
        cluster.thaw(f"kubelet-{self.node}")


@dataclass
class Held(Change):
    """An object with a finalizer that is deleted, and nobody there who removes the finalizer."""

    document: Object

    def make(self, cluster: Cluster) -> None:
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(self.document))
        cluster.kubectl("delete", "--wait=false", "-f", "-", stdin=json.dumps(self.document))

    def undo(self, cluster: Cluster) -> None:
        free = '{"metadata": {"finalizers": null}}'
        cluster.kubectl("patch", "--type=merge", "-p", free, "-f", "-", stdin=json.dumps(self.document), check=False)


@dataclass
class Leaving(Change):
    """Something that is deleted and is not waited for; what holds it is another change's to undo."""

    target: str

    def make(self, cluster: Cluster) -> None:
        cluster.kubectl("delete", self.target, "--wait=false")


@dataclass
class Tainted(Change):
    """A node with a taint (`key=value:effect`)."""

    node: str
    taint: str

    def make(self, cluster: Cluster) -> None:
        cluster.kubectl("taint", "node", self.node, self.taint)

    def undo(self, cluster: Cluster) -> None:
        cluster.kubectl("taint", "node", self.node, f"{self.taint}-", check=False)


@dataclass
class NamedImage(Change):
    """An image that the nodes have under another name, too; it stays."""

    image: str
    name: str

    def make(self, cluster: Cluster) -> None:
        cluster.name_image(self.image, self.name)


@dataclass
class Dropped(Change):
    """Packets of the API server to a Service and the pods behind it are lost; others' are not."""

    namespace: str
    service: str

    def make(self, cluster: Cluster) -> None:
        service = got(cluster, f"service/{self.service}", *_in(self.namespace))[0]
        labels = ",".join(f"{key}={value}" for key, value in service["spec"]["selector"].items())
        behind = [pod["status"]["podIP"] for pod in pods(cluster, self.namespace, labels)]
        self._addresses = [service["spec"]["clusterIP"], *behind]
        self._rules("-I")

    def undo(self, cluster: Cluster) -> None:
        self._rules("-D")

    def _rules(self, how: str) -> None:
        """The API server runs on the machine itself: its packets leave from there."""
        for address in self._addresses:
            sh("iptables", "-w", how, "OUTPUT", "-p", "tcp", "-d", address, "-j", "DROP")


@dataclass
class Awaited(Change):
    """A change that has to wait for another to be seen."""

    holds: Holds

    def make(self, cluster: Cluster) -> None:
        wait_for("the change before", lambda: self.holds(cluster), 30)


def _in(namespace: str) -> list[str]:
    return ["-n", namespace] if namespace else []


def _joined(documents: Sequence[Object]) -> str:
    return "\n---\n".join(json.dumps(document) for document in documents)


# ── What the cluster says ───────────────────────────────────────────────────────────────────────────────────────


def got(cluster: Cluster, *what: str) -> list[Object]:
    """Objects as kubectl prints them; `what` as after `kubectl get`."""
    answer: Object = json.loads(cluster.kubectl("get", *what, "-o", "json", "--ignore-not-found") or '{"items": []}')
    return list(answer.get("items", [answer]))


def pods(cluster: Cluster, namespace: str = "", labels: str = "") -> list[Object]:
    """Pods, without those that are on their way out; of all namespaces if none is given."""
    where = ["-n", namespace] if namespace else ["-A"]
    found = got(cluster, "pods", *where, *(["-l", labels] if labels else []))
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def condition(thing: Object, kind: str) -> str:
    """The status of one condition of an object; empty where it has none of that type."""
    listed = thing.get("status", {}).get("conditions") or ()
    return next((str(c["status"]) for c in listed if c["type"] == kind), "")


def _ready(pod: Object) -> bool:
    return condition(pod, "Ready") == "True"


def waits_for(namespace: str, labels: str, *reasons: str) -> Holds:
    """A container of such a pod waits for one of these reasons."""

    def holds(cluster: Cluster) -> bool:
        statuses = [
            status
            for pod in pods(cluster, namespace, labels)
            for status in pod["status"].get("containerStatuses") or ()
        ]
        return any(status["state"].get("waiting", {}).get("reason") in reasons for status in statuses)

    return holds


def unscheduled(namespace: str, labels: str) -> Holds:
    return lambda cluster: any(condition(pod, "PodScheduled") == "False" for pod in pods(cluster, namespace, labels))


def started_unready(namespace: str, labels: str) -> Holds:
    """A pod runs but is not ready: it started, and its probe fails."""

    def holds(cluster: Cluster) -> bool:
        return any(
            status.get("started") and not status["ready"] and pod["status"]["phase"] == "Running"
            for pod in pods(cluster, namespace, labels)
            for status in pod["status"].get("containerStatuses") or ()
        )

    return holds


def ready_endpoints(cluster: Cluster, namespace: str, service: str) -> int:
    slices = got(cluster, "endpointslices", "-n", namespace, "-l", f"kubernetes.io/service-name={service}")
    return sum(e["conditions"].get("ready") is not False for s in slices for e in s.get("endpoints") or ())


def leads_nowhere(namespace: str, service: str) -> Holds:
    return lambda cluster: ready_endpoints(cluster, namespace, service) == 0


def says(target: str, kind: str, status: str, namespace: str = "") -> Holds:
    """A condition of one object has this status."""
    return lambda cluster: any(condition(thing, kind) == status for thing in got(cluster, target, *_in(namespace)))


def warned(namespace: str, reason: str, text: str = "") -> Holds:
    """An event of this reason was written."""
    return lambda cluster: any(
        text in (event.get("message") or "")
        for event in got(cluster, "events", "-n", namespace, f"--field-selector=reason={reason}")
    )


def both(*conditions: Holds) -> Holds:
    return lambda cluster: all(holds(cluster) for holds in conditions)


def at_once(_: Cluster) -> bool:
    """Nothing in the cluster reacts: the object itself is the fault."""
    return True


def unsound(cluster: Cluster) -> list[str]:
    """What is not as it should be with the real add-ons; empty when all is well."""
    wrong = []
    for thing in got(cluster, "nodes,apiservices,deployments,daemonsets,poddisruptionbudgets", "-A"):
        name, kind, status = thing["metadata"]["name"], thing["kind"], thing.get("status", {})
        if kind == "Node" and condition(thing, "Ready") != "True":
            wrong.append(f"node {name}")
        elif kind == "APIService" and condition(thing, "Available") != "True":
            wrong.append(f"APIService {name}")
        elif kind == "PodDisruptionBudget" and status.get("currentHealthy", 0) < status.get("expectedPods", 0):
            wrong.append(f"budget {name}")
        elif kind in ("Deployment", "DaemonSet") and not _rolled_out(thing):
            wrong.append(f"{kind} {name}")
    wrong += [f"pod {pod['metadata']['name']}" for pod in pods(cluster) if not _ready(pod)]
    return wrong + [f"Service {n}" for ns, n in _SERVICES if not ready_endpoints(cluster, ns, n)]


_SERVICES = (
    ("kube-system", "kube-dns"),
    ("kube-system", "metrics-server"),
    ("gatekeeper-system", "gatekeeper-webhook-service"),
)


def _rolled_out(thing: Object) -> bool:
    spec, status = thing["spec"], thing.get("status", {})
    if status.get("observedGeneration") != thing["metadata"]["generation"]:
        return False
    if thing["kind"] == "DaemonSet":
        wanted = status["desiredNumberScheduled"]
        return bool(
            wanted and status.get("numberAvailable") == wanted and status.get("updatedNumberScheduled") == wanted
        )
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")}
    return counts == {spec["replicas"]}


def wait_until_sound(cluster: Cluster, timeout_s: float = 90) -> None:
    """Waits until the add-ons are well again, and forgets the events of what was wrong."""
    last: list[str] = []

    def sound() -> bool:
        last[:] = unsound(cluster)
        return not last

    try:
        wait_for("the add-ons", sound, timeout_s)
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {', '.join(last)}") from None
    cluster.kubectl("delete", "events", "-A", "--all")
