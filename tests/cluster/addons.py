"""The real add-ons of the test cluster: kube-proxy, CoreDNS, metrics-server and Gatekeeper, running for real."""

from pathlib import Path

from tests.cluster import build
from tests.cluster.cluster import Cluster
from tests.cluster.processes import wait_for

MANIFESTS = Path(__file__).parent / "manifests"


def install(cluster: Cluster) -> None:
    """Applies them all and waits until they are ready."""
    for name in ("kube-proxy", "coredns", "metrics-server"):
        cluster.apply((MANIFESTS / f"{name}.yaml").read_text())
    cluster.apply(gatekeeper_manifests())
    cluster.ready("daemonset/kube-proxy")
    cluster.ready("deployment/coredns")
    cluster.ready("deployment/metrics-server")
    for name in ("gatekeeper-controller-manager", "gatekeeper-audit"):
        cluster.ready(f"deployment/{name}", "gatekeeper-system")
    metrics_flow(cluster)


def gatekeeper_manifests() -> str:
    """Its released manifests; there is no registry to pull from, and one replica of three is enough here."""
    released = (build.GATEKEEPER_MANIFEST.folder / "gatekeeper.yaml").read_text()
    released = released.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
    released = released.replace("image: openpolicyagent/gatekeeper:", "image: docker.io/openpolicyagent/gatekeeper:")
    return released.replace("replicas: 3", "replicas: 1")


def metrics_flow(cluster: Cluster) -> None:
    """Waits until metrics-server has read a node."""
    wait_for("metrics", lambda: "node-0" in cluster.kubectl("top", "nodes", check=False), 60)
