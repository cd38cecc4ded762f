"""One live cluster: read through the API server and AWS, and probed. See ports.Source and ports.Prober.

The cluster is named once and the connection is created when first needed, so the same cluster is read and probed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

from addonctl import ports
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.inspection import Inspection
from addonctl.logs import Wanted
from addonctl.model import Gap, GapReason, Inventory, ProbeAnswer, Snapshot, View
from addonctl.model.plan import Plan
from addonctl.model.preflight import StepFacts

if TYPE_CHECKING:
    from addonctl.adapters.api_connection import Connection
    from addonctl.adapters.aws import Aws


NAME_UNKNOWN = "the cluster is on EKS, but its name there is not known; give it with --eks NAME --region REGION"


def on_eks(kubernetes: str) -> bool:
    """Whether the version that an API server gives itself is one of EKS."""
    return "-eks-" in kubernetes


class _How(TypedDict):
    timeout_s: float | None
    act_as: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class LiveCluster:
    """A live cluster, by kubeconfig context, in-cluster service account, or EKS name."""

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
    configurations: Callable[[], ports.Checkpoints] | None = None
    act_as: str = ""
    act_as_groups: tuple[str, ...] = ()

    def named(self, cluster: str) -> "LiveCluster":
        """See ports.Source: `cluster` is a context, unless this source has one already."""
        bound = self.eks or self.context
        if bound and cluster != bound:
            raise BadInput(f"This reads cluster {bound!r}, not {cluster!r}", "Open the other one for itself.")
        return self if bound else replace(self, context=cluster)

    @cached_property
    def connection(self) -> "Connection":
        """The connection to the API server. Raises NotReachable, NotAllowed or BadInput."""
        from addonctl.adapters import api_reader

        how: _How = {"timeout_s": self.timeout_s, "act_as": self.act_as, "groups": self.act_as_groups}
        if not self.eks:
            return api_reader.connect(self.context or None, self.kubeconfig or None, **how)
        aws = self.aws(self.region)
        self.progress(f"EKS cluster {self.eks}", 0, 0)
        endpoint = aws.endpoint(self.eks)
        return api_reader.connect(eks=endpoint, token=lambda: aws.token(self.eks), **how)

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

    def last_lines(self, wanted: Sequence[Wanted]) -> ports.LogLines:
        """See ports.LogReader."""
        from addonctl.adapters.log_reader import last_lines

        return last_lines(self.connection, wanted)

    def facts(self, view: View, plan: Plan) -> Mapping[str, StepFacts]:
        """See ports.Inspector."""
        from addonctl.adapters.api_objects import ApiObjects
        from addonctl.adapters.eks_addons import EksAddonApi
        from addonctl.adapters.schemas import JsonSchemas

        read = view.snapshot
        region, name = self.place(read.cluster.context, read.cluster.name, read.cluster.server)
        eks = EksAddonApi(self.aws(region), name) if name and read.eks is not None else None
        return Inspection(ApiObjects(self.connection), JsonSchemas(), eks, self.configurations).facts(plan)

    def place(self, context: str, cluster: str, server: str) -> tuple[str, str]:
        """Region and name that EKS knows the cluster by, of its kubeconfig's names and address; empty: not known."""
        from addonctl.adapters.aws import cluster_of, region_of

        named = cluster_of(context) or cluster_of(cluster)
        from_server = region_of(server)
        region = self.region or from_server or (named[0] if named else "")
        return region, self.eks or (named[1] if named else "") or (cluster if from_server else "")

    @property
    def eks_place(self) -> tuple[str, str]:
        """Region and name that EKS knows the cluster by; empty: not known."""
        connection = self.connection
        return self.place(connection.context, connection.name, connection.server)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that plans and reports may give the cluster, the likeliest first."""
        return tuple(filter(None, (self.eks_place[1], self.connection.name)))

    def aws(self, region: str) -> "Aws":
        """AWS in a region; empty: in the one of the environment."""
        from addonctl.adapters.aws import Aws

        return Aws(region or None, self.profile or None, self.timeout_s)

    def _with_aws(self, read: Snapshot) -> Snapshot:
        """What AWS says about it, if this is a cluster on EKS whose name is known."""
        region, name = self.place(read.cluster.context, read.cluster.name, read.cluster.server)
        if not name and not on_eks(read.cluster.kubernetes):
            return read
        if not name:
            return replace(read, gaps=(*read.gaps, Gap(part="eks", reason=GapReason.NOT_IN_INPUT, detail=NAME_UNKNOWN)))
        nodes = tuple(sorted({node.instance_type for node in read.nodes if node.instance_type}))
        eks, gaps = self.aws(region).read(name, progress=self.progress, instance_types=nodes)
        cluster = replace(read.cluster, name=name) if eks else read.cluster
        return replace(read, cluster=cluster, eks=eks, gaps=(*read.gaps, *gaps))
