"""Claim: scanning a saved snapshot costs at most half as much again as decoding its bytes; judging half of decoding,
and so does pricing.

A cluster of 5,000 nodes and 150,000 pods; the peer is msgspec's bare decoding of the same JSON into the same types.
"""

import gc
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from addonctl.adapters import encoding, knowledge, price_table
from addonctl.adapters.decoders import KINDS
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.sources import snapshot_file
from addonctl.model import Cluster, Container, Node, PodTemplate, Snapshot, Workload
from bench.measure import median_s, process_peak, table
from tests.judging import assessed

NODES, PODS, APPS = 5_000, 150_000, 3_000


def pod_list(first: int, count: int) -> bytes:
    """A page of pods as an API server answers it."""
    items = []
    for number in range(first, first + count):
        app = number % APPS
        items.append(
            {
                "metadata": {
                    "name": f"app-{app}-5d78c9869d-{number:05x}",
                    "namespace": f"team-{app % 60}",
                    "uid": f"{number:032x}",
                    "creationTimestamp": "2026-11-01T00:00:00Z",
                    "labels": {"app": f"app-{app}", "pod-template-hash": "5d78c9869d", "team": f"team-{app % 60}"},
                    "ownerReferences": [
                        {
                            "apiVersion": "apps/v1",
                            "kind": "ReplicaSet",
                            "name": f"app-{app}-5d78c9869d",
                            "uid": f"{app:032x}",
                            "controller": True,
                        }
                    ],
                    "managedFields": [
                        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1"},
                        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1"},
                    ],
                },
                "spec": {
                    "nodeName": f"node-{number % NODES}",
                    "containers": [
                        {
                            "name": "app",
                            "image": f"registry.example.com/team/app-{app}:1.{app % 9}.0",
                            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                        }
                    ],
                },
                "status": {
                    "phase": "Running",
                    "containerStatuses": [
                        {
                            "name": "app",
                            "ready": True,
                            "restartCount": 0,
                            "image": f"registry.example.com/team/app-{app}:1.{app % 9}.0",
                            "imageID": f"registry.example.com/team/app-{app}@sha256:{app:064x}",
                            "state": {"running": {}},
                        }
                    ],
                },
            }
        )
    return msgspec.json.encode({"items": items, "metadata": {}})


def cluster() -> Snapshot:
    """The cluster, decoded from pages as a live scan decodes them."""
    kind = next(kind for kind in KINDS if kind.part == "pods")
    decoder = Decoder(knowledge.load())
    pods = [pod for first in range(0, PODS, 500) for pod in decoder.page(kind, pod_list(first, 500)).items]
    labels = {"node.kubernetes.io/instance-type": "m7g.4xlarge", "topology.kubernetes.io/region": "us-east-1"}
    nodes = tuple(Node(name=f"node-{number}", kubelet_version="v1.34.2", labels=labels) for number in range(NODES))
    workloads = tuple(
        Workload(
            kind="Deployment",
            name=f"app-{app}",
            namespace=f"team-{app % 60}",
            template=PodTemplate(
                containers=(Container(name="app", image=f"registry.example.com/team/app-{app}:1.{app % 9}.0"),)
            ),
        )
        for app in range(APPS)
    )
    return Snapshot(
        taken=datetime(2026, 11, 24, tzinfo=UTC),
        cluster=Cluster(name="large", kubernetes="v1.34.2"),
        nodes=nodes,
        pods=tuple(pods),
        workloads=workloads,
    )


def main() -> None:
    catalog = knowledge.load()
    body = snapshot_file.encode(cluster())
    bare = msgspec.json.Decoder(Snapshot, dec_hook=encoding.decode)

    def scan() -> None:
        with snapshot_file.without_collector():
            assessed(snapshot_file.decode(body, "benchmark"), catalog, day=date(2026, 11, 24))

    read = snapshot_file.decode(body, "benchmark")

    def judge() -> None:
        with snapshot_file.without_collector():
            assessed(read, catalog, day=date(2026, 11, 24))

    judged = assessed(read, catalog, day=date(2026, 11, 24), prices=price_table.load)

    def price() -> None:
        with snapshot_file.without_collector():
            assert judged.pricing is not None
            judged.pricing()

    gc.collect()
    pricing = median_s(price, 5)
    decoding, scanning = median_s(lambda: bare.decode(body), 5), median_s(scan, 5)
    reading, judging = median_s(lambda: snapshot_file.decode(body, "benchmark"), 5), median_s(judge, 5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.json.gz"
        snapshot_file.save(snapshot_file.decode(body, "benchmark"), path)
        size, command = path.stat().st_size, ("-m", "addonctl", "analyze", "--snapshot", str(path), "-o", "json")
        whole = process_peak(sys.executable, *command)
    what = f"{NODES:,} nodes, {PODS:,} pods, {len(body) >> 20} MiB of JSON, {size >> 20} MiB saved"
    table(
        f"scan of a snapshot: {what}",
        [
            ("", "seconds", "ratio"),
            ("bare msgspec decoding", f"{decoding:.2f}", "1.0"),
            ("decoding as we do it", f"{reading:.2f}", f"{reading / decoding:.2f}"),
            ("all judging", f"{judging:.2f}", f"{judging / reading:.2f} of our decoding (aim 0.5)"),
            ("pricing", f"{pricing:.2f}", f"{pricing / reading:.2f} of our decoding (aim 0.5)"),
            ("decode and assess", f"{scanning:.2f}", f"{scanning / decoding:.2f} (aim 1.5)"),
            ("addonctl analyze, whole process", f"{whole.seconds:.2f}", f"{whole.seconds / decoding:.2f}"),
            ("its peak memory", f"{whole.peak_mib:.0f} MiB", f"{whole.peak_mib / (len(body) / 2**20):.1f} × the JSON"),
        ],
    )


if __name__ == "__main__":
    main()
