"""Claim: a live scan takes a tenth of popeye's time and a twentieth of its memory on the same API server.

1,000 simulated nodes and 10,000 pods. Needs root, Go and `python -m tests.cluster build --with popeye`; not part of
`make bench`: `python -m bench.cluster_scan`.
"""

import json
import sys
import time

from bench.measure import Run, process_peak, table
from tests.cluster import build
from tests.cluster.cluster import Cluster

NODES, DEPLOYMENTS, REPLICAS = 1_000, 200, 50


def deployment(number: int) -> dict[str, object]:
    labels = {"app": f"app-{number}"}
    containers = [
        {
            "name": "app",
            "image": f"registry.example.com/app-{number}:1.0",
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        }
    ]
    spec = {
        "replicas": REPLICAS,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"app-{number}"}, "spec": spec}


def fill(cluster: Cluster) -> None:
    """Makes the pods and waits until all run."""
    cluster.apply("\n---\n".join(json.dumps(deployment(number)) for number in range(DEPLOYMENTS)))
    end = time.monotonic() + 600
    while time.monotonic() < end:
        running = cluster.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.phase}").count("Running")
        print(f"\r{running} pods run", end="", file=sys.stderr, flush=True)
        if running >= DEPLOYMENTS * REPLICAS:
            return
        time.sleep(5)
    raise TimeoutError("the pods did not all start")


def audited(cluster: Cluster) -> int:
    return sum(1 for _ in cluster.audit_log.open())


def measured(cluster: Cluster, *command: str) -> tuple[Run, int]:
    """A run and the requests it cost; the cluster is quiet, so what is audited meanwhile is mostly its."""
    before = audited(cluster)
    run = process_peak(*command)
    return run, audited(cluster) - before


def main() -> None:
    with Cluster(real_nodes=0, simulated_nodes=NODES) as cluster:
        fill(cluster)
        config = str(cluster.kubeconfig)
        ours = [
            measured(cluster, sys.executable, "-m", "addonctl", "analyze", "--kubeconfig", config, "-o", "json")
            for _ in range(3)
        ]
        peer = measured(
            cluster,
            str(build.POPEYE.folder / "popeye"),
            "--kubeconfig",
            config,
            "-A",
            "-o",
            "json",
            "--force-exit-zero",
        )
    best = sorted(ours, key=lambda pair: pair[0].seconds)[1]
    rows = [("", "seconds", "requests", "peak MiB", "exit")]
    for name, (run, requests) in (("addonctl analyze", best), ("popeye v0.22.1", peer)):
        rows.append((name, f"{run.seconds:.1f}", str(requests), f"{run.peak_mib:.0f}", str(run.code)))
    rows.append(
        (
            "ratio",
            f"{best[0].seconds / peer[0].seconds:.2f} (aim 0.1)",
            "",
            f"{best[0].peak_mib / peer[0].peak_mib:.3f} (aim 0.05)",
            "",
        )
    )
    table(f"live scan: {NODES} simulated nodes, {DEPLOYMENTS * REPLICAS} pods", rows)


if __name__ == "__main__":
    main()
