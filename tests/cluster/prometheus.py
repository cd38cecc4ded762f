"""A real Prometheus: on loopback, with a history that promtool writes, or scraping the test cluster.

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
from tests.cluster.cluster import ADMIN_TOKEN, HOST, RUN, Cluster
from tests.cluster.processes import Records

_READY_S = 30


def missing() -> str:
    """What has to be built first, empty if nothing."""
    return "" if build.PROMETHEUS.built else "Prometheus (python -m tests.cluster build prometheus)"


@contextmanager
def serving(
    folder: Path, config: Mapping[str, Any] | None = None, history: str = "", address: str = "127.0.0.1"
) -> Iterator[str]:
    """The URL of one that keeps its data in `folder`; `history`: OpenMetrics with times, as promtool reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.json").write_text(json.dumps(config or {}))
    if history:
        (folder / "history").write_text(history)
        _promtool("tsdb", "create-blocks-from", "openmetrics", folder / "history", folder / "data")
    port, records = _free_port(address), Records(folder)
    url = f"http://{address}:{port}"
    try:
        records.spawn(
            "prometheus",
            build.PROMETHEUS.folder / "prometheus",
            f"--config.file={folder}/prometheus.json",
            f"--storage.tsdb.path={folder}/data",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address={address}:{port}",
            "--log.level=warn",
        )
        records.wait_for("prometheus", lambda: _is_ready(url), _READY_S)
        yield url
    finally:
        records.stop()


@contextmanager
def scraping(cluster: Cluster, interval_s: float = 5) -> Iterator[str]:
    """The URL of one that scrapes the API server, the kubelets of real nodes, and pods with a port named `metrics`.

    It listens on the cluster's bridge, and inside the cluster it is Service monitoring/prometheus.
    """
    jobs = [_api_server(cluster), *map(_kubelet, ("", "/cadvisor", "/resource")), _PODS]
    for job in jobs[1:]:
        job["kubernetes_sd_configs"][0]["kubeconfig_file"] = str(cluster.kubeconfig)
    every = {"scrape_interval": f"{interval_s:g}s", "scrape_timeout": f"{interval_s:g}s"}
    with serving(RUN / "prometheus", {"global": every, "scrape_configs": jobs}, address=HOST) as url:
        cluster.apply(_service(int(url.rpartition(":")[2])))
        try:
            yield url
        finally:
            cluster.kubectl("delete", "namespace", "monitoring", "--wait=false")


def _service(port: int) -> str:
    """What the chart of prometheus-community names it; who answers is no pod."""
    labels = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/component": "server"}
    meta = {"name": "prometheus", "namespace": "monitoring"}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**meta, "labels": labels},
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**meta, "labels": {"kubernetes.io/service-name": "prometheus"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}}],
        },
    ]
    return "\n---\n".join(map(json.dumps, objects))


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


def _is_ready(url: str) -> bool:
    with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
        return bool(answer.status == 200)


def _promtool(*arguments: str | Path) -> None:
    promtool = build.PROMETHEUS.folder / "promtool"
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode, done.stderr or done.stdout


def _free_port(address: str) -> int:
    with socket.socket() as taken:
        taken.bind((address, 0))
        return int(taken.getsockname()[1])
