"""One live cluster: read through the API server and AWS, and its add-ons asked. See ports.Source and ports.Prober.

Which cluster is said once; the connection is made when it is first needed, so that what is read and what is probed are
the same cluster.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from addonctl import ports
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Gap, GapReason, Inventory, ProbeAnswer, Snapshot, View

if TYPE_CHECKING:
    from addonctl.adapters.api_connection import Connection
    from addonctl.adapters.aws import Aws


@dataclass(frozen=True)
class LiveCluster:
    """A live cluster by kubeconfig context, by in-cluster account, or by its EKS name."""

    catalog: Catalog
    clock: ports.Clock
    context: str = ""
    kubeconfig: str = ""
    eks: str = ""
    region: str = ""
    profile: str = ""
    namespace: str = ""
    timeout_s: float | None = None
    progress: ports.Progress = ports.silent

    def named(self, cluster: str) -> "LiveCluster":
        """See ports.Source: a context, where none was said yet."""
        bound = self.eks or self.context
        if bound and cluster != bound:
            raise BadInput(f"This reads cluster {bound!r}, not {cluster!r}", "Open the other one for itself.")
        return self if bound else replace(self, context=cluster)

    @cached_property
    def connection(self) -> "Connection":
        """The way to the API server. Raises NotReachable, NotAllowed or BadInput."""
        from addonctl.adapters import api_reader

        if not self.eks:
            return api_reader.connect(self.context or None, self.kubeconfig or None, timeout_s=self.timeout_s)
        aws = self._aws(self.region)
        endpoint = aws.endpoint(self.eks)
        return api_reader.connect(eks=endpoint, token=lambda: aws.token(self.eks), timeout_s=self.timeout_s)

    def snapshot(self) -> Snapshot:
        from addonctl.adapters import api_reader
        from addonctl.adapters.decoding import Decoder

        read = api_reader.read(
            self.connection,
            Decoder(self.catalog),
            now=self.clock.now(),
            progress=self.progress,
            namespace=self.namespace or None,
        )
        return self._with_aws(read)

    def probe(self, view: View, inventory: Inventory) -> tuple[ProbeAnswer, ...]:
        from addonctl.adapters.probes import probe

        return probe(self.connection, self.catalog, view, inventory)

    def _aws(self, region: str) -> "Aws":
        from addonctl.adapters.aws import Aws

        return Aws(region or None, self.profile or None, self.timeout_s)

    def _with_aws(self, read: Snapshot) -> Snapshot:
        """What AWS says, if this is a cluster on EKS whose name is known."""
        from addonctl.adapters import aws

        named = aws.cluster_of(read.cluster.context) or aws.cluster_of(read.cluster.name)
        from_server = aws.region_of(read.cluster.server)
        region = self.region or from_server or (named[0] if named else "")
        name = self.eks or (named[1] if named else "") or (read.cluster.name if from_server else "")
        if not name and "-eks-" not in read.cluster.kubernetes:
            return read
        if not name:
            why = "the cluster is on EKS, but its name there is not known; give it with --eks NAME --region REGION"
            return replace(read, gaps=(*read.gaps, Gap(part="eks", reason=GapReason.NOT_IN_INPUT, detail=why)))
        nodes = tuple(sorted({node.instance_type for node in read.nodes if node.instance_type}))
        eks, gaps = self._aws(region).read(name, progress=self.progress, instance_types=nodes)
        cluster = replace(read.cluster, name=name) if eks else read.cluster
        return replace(read, cluster=cluster, eks=eks, gaps=(*read.gaps, *gaps))
