"""A real Flagger that has metrics-server in its hands: for bad_versions_beside_peers.py.

It keeps the Deployment as the canary, a copy of it as the primary, and points the Service at the primary: the new
version serves nobody before it is promoted. Its checks are that the canary's pods get ready, and if asked a webhook
that reads metrics from them, as its user would write it.
"""

import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import build
from tests.cluster.bad_trials import Outcome
from tests.cluster.bad_versions import METRICS, Bad
from tests.cluster.bad_worlds import ByManifests, Offer, World, manifest_of
from tests.cluster.changes import condition, got, pods
from tests.cluster.cluster import ADMIN_TOKEN, HOST, RUN, Cluster
from tests.cluster.processes import Records, wait_for

_PATIENCE_S, _WATCHED_S = 240, 30
_NODES = "/apis/metrics.k8s.io/v1beta1/nodes"
_CANARY: dict[str, Any] = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": METRICS, "namespace": "kube-system"},
    "spec": {
        "provider": "kubernetes",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": METRICS},
        "progressDeadlineSeconds": 60,
        "service": {"port": 443, "targetPort": "https", "portName": "https"},
        "analysis": {"interval": "5s", "threshold": 2, "iterations": 4},
    },
}


class OfFlagger(ByManifests):
    """metrics-server as Flagger's canary, with its own test of the API if `tested`."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        cluster.apply((build.FLAGGER_CRDS.folder / "crds.yaml").read_text())
        established = ("wait", "--for=condition=Established", "--timeout=30s", "crd/canaries.flagger.app")
        wait_for("Flagger's CRDs", lambda: bool(cluster.kubectl(*established)))
        Records(RUN).spawn(
            "flagger",
            build.FLAGGER.folder / "flagger",
            f"--kubeconfig={cluster.kubeconfig}",
            "--mesh-provider=kubernetes",
            "--selector-labels=k8s-app",
            "--control-loop-interval=5s",
            "--metrics-server=http://127.0.0.1:9",
            "--port=18095",
        )
        self.tests("")

    def tests(self, url: str) -> None:
        """What the canary is tested by besides; the Deployment is its own again, and sound."""
        canary = json.loads(json.dumps(_CANARY))
        if url:
            webhook = {"name": "metrics", "type": "rollout", "url": url, "timeout": "5s"}
            canary["spec"]["analysis"]["webhooks"] = [webhook]
        self.cluster.apply(json.dumps(canary))
        self.repair(METRICS)

    def repair(self, addon: str) -> None:
        self.cluster.apply(self._deployment(manifest_of(addon)))
        wait_for("Flagger", lambda: self.phase in ("Initialized", "Succeeded"), _PATIENCE_S)

    @staticmethod
    def _deployment(manifest: str) -> str:
        """Its Service is Flagger's now."""
        return yaml.safe_dump_all(each for each in yaml.safe_load_all(manifest) if each["kind"] == "Deployment")

    @property
    def status(self) -> dict[str, Any]:
        (found,) = got(self.cluster, f"canary/{METRICS}", "-n", "kube-system")
        return dict(found.get("status") or {})

    @property
    def phase(self) -> str:
        return str(self.status.get("phase", ""))

    def labels(self, addon: str) -> str:
        return f"k8s-app in ({METRICS},{METRICS}-primary)"

    def settle(self, addon: str) -> None:
        ready = (f"deployment/{METRICS}-primary", "kube-system")
        self.cluster.ready(*ready)
        wait_for("metrics", lambda: "node-1" in self.cluster.kubectl("top", "nodes", check=False), 90)

    def change(self, offer: Offer) -> None:
        assert offer.folder is not None
        self.cluster.apply(self._deployment(offer.folder.read_text()))


def by_flagger(world: World, _bad: Bad, offer: Offer, found: Outcome) -> None:
    assert isinstance(world, OfFlagger)
    world.change(offer)
    until, ended = time.monotonic() + _PATIENCE_S, ("Succeeded", "Failed")
    wait_for("Flagger", lambda: world.phase not in ended, 60)
    while time.monotonic() < until and world.phase not in ended:
        time.sleep(0.5)
    status = world.status
    found.code, found.outcome = int(status["phase"] == "Failed"), status["phase"]
    found.why = status["phase"] + ": " + "; ".join(each["message"] for each in status.get("conditions", ()))
    found.ended_at = time.time()
    time.sleep(_WATCHED_S)


@contextmanager
def read_by_user(cluster: Cluster) -> Iterator[str]:
    """The address of a webhook that says whether the canary's pods answer with metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200 if _answers(cluster) else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}/"
        server.shutdown()


def _answers(cluster: Cluster) -> bool:
    found = [pod for pod in pods(cluster, "kube-system", f"k8s-app={METRICS}") if condition(pod, "Ready") == "True"]
    return bool(found) and all(_has_metrics(pod["status"]["podIP"]) for pod in found)


def _has_metrics(address: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    asked = urllib.request.Request(
        f"https://{address}:10250{_NODES}", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}
    )
    with suppress(OSError), urllib.request.urlopen(asked, context=context, timeout=3) as answer:
        return bool(json.load(answer)["items"])
    return False
