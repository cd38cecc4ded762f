"""Claim: a live scan takes a tenth of popeye's time and a twentieth of its memory on the same API server.

1,000 nodes and 10,000 pods, stored as they would be at rest. Needs root, Go and `python -m tests.cluster build
control-plane popeye`; not part of `make bench`: `python -m bench.cluster_scan`.
"""

import sys

from bench.large_cluster import LargeCluster
from bench.measure import Run, process_peak, table
from tests.cluster import build
from tests.cluster.cluster import ADMIN_TOKEN, Cluster

NODES, DEPLOYMENTS, REPLICAS = 1_000, 200, 50


def audited(cluster: Cluster) -> int:
    return sum(1 for _ in cluster.audit_log.open())


def measured(cluster: Cluster, *command: str) -> tuple[Run, int]:
    """A run and the requests it cost; the cluster is quiet, so what is audited meanwhile is mostly its."""
    before = audited(cluster)
    run = process_peak(*command)
    return run, audited(cluster) - before


def main() -> None:
    with Cluster(real_nodes=0, controllers=False) as cluster:
        LargeCluster(cluster.server, ADMIN_TOKEN, cluster.ca_file, NODES).store(DEPLOYMENTS, REPLICAS)
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
    table(f"live scan: {NODES} nodes, {DEPLOYMENTS * REPLICAS} pods", rows)


if __name__ == "__main__":
    main()
