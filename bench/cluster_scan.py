"""Aim: a live scan takes a tenth of popeye's time and a twentieth of its memory on the same API server.

On a busy machine both wait for the API server most of the time, and popeye gives up on some lists: then the bench
ends without a table. 1,000 nodes and 10,000 pods, stored as they would be at rest. Needs root, Go and
`python -m tests.cluster build control-plane popeye`; not part of `make bench`: `python -m bench.cluster_scan`.
"""

import json
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


def pods_read_by_popeye(report: str) -> int:
    (tally,) = (each["tally"] for each in json.loads(report)["popeye"]["sections"] if each["linter"] == "pods")
    return sum(tally[level] for level in ("ok", "info", "warning", "error"))


def row(name: str, run: Run, requests: int) -> tuple[str, ...]:
    return name, f"{run.seconds:.1f}", f"{run.cpu_s:.1f}", str(requests), f"{run.peak_mib:.0f}", str(run.code)


def main() -> None:
    with Cluster(real_nodes=0, controllers=False) as cluster:
        LargeCluster(cluster.server, ADMIN_TOKEN, cluster.ca_file, NODES).store(DEPLOYMENTS, REPLICAS)
        config = f"--kubeconfig={cluster.kubeconfig}"
        analyze = (sys.executable, "-m", "addonctl", "analyze", config, "-o", "json")
        ours = sorted((measured(cluster, *analyze) for _ in range(3)), key=lambda pair: pair[0].seconds)[1]
        popeye = (str(build.POPEYE.folder / "popeye"), config, "-A", "-o", "json", "--force-exit-zero")
        peer = measured(cluster, *popeye)
    one, other = ours[0], peer[0]
    assert pods_read_by_popeye(other.output) == DEPLOYMENTS * REPLICAS, "popeye has not read all pods"
    assert "pods" not in {gap["part"] for gap in json.loads(one.output)["gaps"]}, "addonctl has not read all pods"
    ratio = (
        *("ratio", f"{one.seconds / other.seconds:.2f} (aim 0.1)", f"{one.cpu_s / other.cpu_s:.2f}"),
        *("", f"{one.peak_mib / other.peak_mib:.3f} (aim 0.05)", ""),
    )
    head = ("", "seconds", "CPU seconds", "requests", "peak MiB", "exit")
    rows = [head, row("addonctl analyze", *ours), row("popeye v0.22.1", *peer), ratio]
    table(f"live scan: {NODES} nodes, {DEPLOYMENTS * REPLICAS} pods", rows)


if __name__ == "__main__":
    main()
