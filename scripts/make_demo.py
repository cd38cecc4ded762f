"""Makes the demo snapshot: builds the demo cluster for real, reads it as `addonctl snapshot save` does, and stores it.

Needs what the cluster tests need (`make cluster`): `python -m scripts.make_demo`.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from addonctl.adapters import api_reader
from addonctl.adapters.aws import Aws
from addonctl.adapters.decoding import Decoder
from addonctl.adapters.knowledge import load
from addonctl.adapters.sources import snapshot_file
from addonctl.model import Snapshot
from tests.cluster import dozen
from tests.cluster.cluster import Cluster
from tests.eks.server import REGION, EksServer, packaged_table

TARGET = Path(__file__).parents[1] / "addonctl" / "data" / "demo.json.gz"


def read(cluster: Cluster) -> Snapshot:
    """The cluster and what AWS says of it, as the command line reads them."""
    catalog = load()
    connection = api_reader.connect(None, str(cluster.kubeconfig))
    snapshot = api_reader.read(connection, Decoder(catalog), now=datetime.now(UTC))
    nodes = tuple(sorted({node.instance_type for node in snapshot.nodes}))
    eks, gaps = Aws(REGION).read(dozen.NAME, instance_types=nodes)
    # The API server of the tests is newer than the Kubernetes that the demo plays: EKS's word counts.
    version = f"v{eks.cluster.version}" if eks else ""
    named = replace(snapshot.cluster, name=dozen.NAME, kubernetes=version, server="", context="", demo=True)
    return replace(snapshot, cluster=named, eks=eks, gaps=(*snapshot.gaps, *gaps))


def main() -> None:
    with Cluster(real_nodes=0, simulated_nodes=3) as cluster, EksServer(packaged_table()) as server:
        os.environ.update(server.environment)
        dozen.install(cluster, server)
        snapshot = read(cluster)
        assert not server.state.violations, server.state.violations
    snapshot_file.save(snapshot, TARGET)
    TARGET.chmod(0o644)
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
