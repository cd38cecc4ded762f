"""A large cluster at rest, stored in an API server as controllers, scheduler and kubelets would have left it.

Nobody has to start its pods: 10,000 of them are there in a minute, where controllers and simulated kubelets on the
same two cores took more than ten. So nothing runs beside the API server that could disturb what is measured.
"""

import json
import ssl
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

Object = dict[str, Any]
_SIDE_BY_SIDE = 8  # requests
_LINUX = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}


class LargeCluster:
    """Writes nodes, and Deployments with their pods spread over them; `nodes` is how many."""

    def __init__(self, server: str, token: str, ca_file: Path | None, nodes: int) -> None:
        trust = {"ca_certs": str(ca_file)} if ca_file else {"cert_reqs": ssl.CERT_NONE}
        self._http = urllib3.PoolManager(maxsize=_SIDE_BY_SIDE, block=True, **trust)
        self._server, self._headers = server, {"Authorization": f"Bearer {token}"}
        self._nodes = nodes
        self._now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._pods, self._counting = 0, threading.Lock()

    def store(self, deployments: int, replicas: int) -> None:
        """Deployments app-0 … in the namespace default. Raises RuntimeError with the answer to a refused write."""
        self._create("v1", "serviceaccounts", {"metadata": {"name": "default"}})
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            _finish(pool.map(self._node, range(self._nodes)))
            _finish(pool.map(lambda number: self._deployment(number, replicas), range(deployments)))

    def _node(self, number: int) -> None:
        size = {"cpu": "8", "memory": "32Gi", "pods": "110"}
        labels = {
            **_LINUX,
            "kubernetes.io/hostname": f"node-{number}",
            "node.kubernetes.io/instance-type": "m5.2xlarge",
        }
        labels["topology.kubernetes.io/zone"] = f"eu-central-1{'abc'[number % 3]}"
        about = {"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.1.4", "architecture": "amd64"}
        status = {"allocatable": size, "capacity": size, "conditions": [self._true("Ready")], "nodeInfo": about}
        self._create("v1", "nodes", {"metadata": {"name": f"node-{number}", "labels": labels}, "status": status})

    def _deployment(self, number: int, replicas: int) -> None:
        """The Deployment, its ReplicaSet and its pods, each owned by the one before."""
        labels = {"app": f"app-{number}"}
        requests = {"cpu": "50m", "memory": "64Mi"}
        container = {
            "name": "app",
            "image": f"registry.example.com/app-{number}:1.0",
            "resources": {"requests": requests},
        }
        spec: Object = {"containers": [container], "automountServiceAccountToken": False}
        scaled = {"replicas": replicas, "selector": {"matchLabels": labels}}
        all_run = {
            "replicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
            "observedGeneration": 1,
        }
        owner: Object = {}
        for kind, name in (("Deployment", f"app-{number}"), ("ReplicaSet", f"app-{number}-7d9c5b8f4")):
            document = {"metadata": _meta(name, labels, owner), "spec": {**scaled, "template": _template(labels, spec)}}
            updated = {"updatedReplicas": replicas} if kind == "Deployment" else {}
            owner = self._create("apps/v1", f"{kind.lower()}s", document, all_run | updated)
        for pod in range(replicas):
            self._pod(_meta(f"{owner['name']}-{pod:05}", labels, owner), spec)

    def _pod(self, meta: Object, spec: Object) -> None:
        with self._counting:
            number = self._pods = self._pods + 1
        container = spec["containers"][0]
        state = {"name": container["name"], "image": container["image"], "imageID": "", "ready": True, "started": True}
        state |= {"restartCount": 0, "state": {"running": {"startedAt": self._now}}}
        status = {
            "phase": "Running",
            "conditions": [self._true(each) for each in ("PodScheduled", "Initialized", "ContainersReady", "Ready")],
            "containerStatuses": [state],
            "podIP": f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}",
            "startTime": self._now,
        }
        bound = {**spec, "nodeName": f"node-{number % self._nodes}"}
        self._create("v1", "pods", {"metadata": meta, "spec": bound}, status)

    def _true(self, condition: str) -> Object:
        return {"type": condition, "status": "True", "lastTransitionTime": self._now}

    def _create(self, version: str, plural: str, document: Object, status: Object | None = None) -> Object:
        """Creates an object, with its status if it has one; its reference as an owner."""
        root = "/api" if version == "v1" else "/apis"
        path = f"{root}/{version}/{'' if plural == 'nodes' else 'namespaces/default/'}{plural}"
        made = self._send("POST", path, document, "application/json")
        if status is not None:
            path = f"{path}/{made['metadata']['name']}/status"
            self._send("PATCH", path, {"status": status}, "application/merge-patch+json")
        owner = {key: made["metadata"][key] for key in ("name", "uid")}
        return {**owner, "apiVersion": version, "kind": made["kind"], "controller": True}

    def _send(self, method: str, path: str, body: Object, content: str) -> Object:
        headers = {**self._headers, "Content-Type": content}
        answer = self._http.request(method, self._server + path, body=json.dumps(body), headers=headers)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.data.decode()[:500]}")
        stored: Object = json.loads(answer.data)
        return stored


def _meta(name: str, labels: Object, owner: Object) -> Object:
    return {"name": name, "labels": labels, "ownerReferences": [owner] if owner else []}


def _template(labels: Object, spec: Object) -> Object:
    return {"metadata": {"labels": labels}, "spec": spec}


def _finish(done: Iterable[None]) -> None:
    """Waits for all, and raises what one of them raised."""
    for _ in done:
        pass
