"""A real Prometheus: on loopback, with a history that promtool writes or scraping the test cluster, or a pod in it.

What it scrapes has the labels that Prometheus' operator gives: namespace, pod, container, node.
"""

import json
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import build
from tests.cluster.cluster import ADMIN_TOKEN, RUN, Cluster
from tests.cluster.oci import write_image
from tests.cluster.processes import Records

_READY_S = 30


def missing() -> str:
    """What has to be built first, empty if nothing."""
    return "" if build.PROMETHEUS.built else "Prometheus (python -m tests.cluster build prometheus)"


@contextmanager
def serving(folder: Path, config: Mapping[str, Any] | None = None, history: str = "") -> Iterator[str]:
    """The URL of one that keeps its data in `folder`; `history`: OpenMetrics with times, as promtool reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.json").write_text(json.dumps(config or {}))
    if history:
        (folder / "history").write_text(history)
        # It reads the whole history once a block; of two hours each by default.
        whole = "--max-block-duration=720h"
        _promtool("tsdb", "create-blocks-from", whole, "openmetrics", folder / "history", folder / "data")
    address, records = f"127.0.0.1:{_free_port()}", Records(folder)
    try:
        records.spawn(
            "prometheus",
            build.PROMETHEUS.folder / "prometheus",
            f"--config.file={folder}/prometheus.json",
            f"--storage.tsdb.path={folder}/data",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address={address}",
            "--log.level=warn",
        )
        records.wait_for("prometheus", lambda: _is_ready(address), _READY_S)
        yield f"http://{address}"
    finally:
        records.stop()


@contextmanager
def scraping(cluster: Cluster, interval_s: float = 5) -> Iterator[str]:
    """The URL of one that scrapes the API server, the kubelets of real nodes, and pods with a port named `metrics`."""
    jobs = [_api_server(cluster), *map(_kubelet, ("", "/cadvisor", "/resource")), _PODS]
    for job in jobs[1:]:
        job["kubernetes_sd_configs"][0]["kubeconfig_file"] = str(cluster.kubeconfig)
    every = {"scrape_interval": f"{interval_s:g}s", "scrape_timeout": f"{interval_s:g}s"}
    with serving(RUN / "prometheus", {"global": every, "scrape_configs": jobs}) as url:
        yield url


@contextmanager
def running(cluster: Cluster) -> Iterator[None]:
    """One that runs in the cluster, as a chart installs it, behind Service monitoring/prometheus; it scrapes itself.

    The API server passes requests on to pods alone.
    """
    write_image(
        RUN / "prometheus.tar", _IMAGE, {"prometheus": build.PROMETHEUS.folder / "prometheus"}, ("/prometheus",)
    )
    cluster.import_images(RUN / "prometheus.tar")
    cluster.apply("\n---\n".join(map(json.dumps, _objects())))
    try:
        cluster.ready("deployment/prometheus", "monitoring")
        yield
    finally:
        cluster.kubectl("delete", "namespace", "monitoring", "--wait=false")


_IMAGE = "quay.io/prometheus/prometheus:v3"
_LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}
_ITSELF = {"scrape_configs": [{"job_name": "itself", "static_configs": [{"targets": ["127.0.0.1:9090"]}]}]}


def _objects() -> Iterator[dict[str, Any]]:
    meta = {"name": "prometheus", "namespace": "monitoring", "labels": _LABELS}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"prometheus.json": json.dumps(_ITSELF)}}
    ports = [{"name": "http", "port": 80, "targetPort": 9090}]
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": _LABELS, "ports": ports}}
    container = {
        "name": "prometheus",
        "image": _IMAGE,
        "args": ["--config.file=/config/prometheus.json", "--storage.tsdb.path=/data"],
        "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}, {"name": "data", "mountPath": "/data"}],
    }
    volumes = [{"name": "config", "configMap": {"name": "prometheus"}}, {"name": "data", "emptyDir": {}}]
    template = {"metadata": {"labels": _LABELS}, "spec": {"containers": [container], "volumes": volumes}}
    spec = {"selector": {"matchLabels": _LABELS}, "template": template}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _api_server(cluster: Cluster) -> dict[str, Any]:
    return {
        "job_name": "apiserver",
        "scheme": "https",
        "authorization": {"credentials": ADMIN_TOKEN},
        "tls_config": {"ca_file": str(cluster.ca_file)},
        "static_configs": [{"targets": [cluster.server.removeprefix("https://")]}],
    }


def _label(label: str, of: str) -> dict[str, Any]:
    return {"source_labels": [f"__meta_kubernetes_{of}"], "target_label": label}


def _kubelet(what: str) -> dict[str, Any]:
    """Simulated nodes have no kubelet."""
    real = {"source_labels": ["__meta_kubernetes_node_label_type"], "regex": "kwok", "action": "drop"}
    return {
        "job_name": f"kubelet{what}",
        "scheme": "https",
        "metrics_path": f"/metrics{what}",
        "tls_config": {"insecure_skip_verify": True},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [real, _label("node", "node_name")],
    }


_PODS: dict[str, Any] = {
    "job_name": "pods",
    "kubernetes_sd_configs": [{"role": "pod"}],
    "relabel_configs": [
        {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": "metrics", "action": "keep"},
        _label("namespace", "namespace"),
        _label("pod", "pod_name"),
        _label("container", "pod_container_name"),
        _label("node", "pod_node_name"),
    ],
}


def _is_ready(address: str) -> bool:
    with urllib.request.urlopen(f"http://{address}/-/ready", timeout=2) as answer:
        return bool(answer.status == 200)


def _promtool(*arguments: str | Path) -> None:
    promtool = build.PROMETHEUS.folder / "promtool"
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode, done.stderr or done.stdout


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
