"""The composition root: which adapters serve which face. Nothing here decides anything about clusters."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from addonctl import ports
from addonctl.errors import AddonctlError, BadInput
from addonctl.manager import Manager
from addonctl.model import Gap, GapReason, Inventory, ProbeAnswer, Snapshot
from addonctl.waivers import Waiver

if TYPE_CHECKING:
    from addonctl.adapters.api_reader import Connection
    from addonctl.catalog import Catalog


def cache_dir() -> Path:
    """Where `catalog refresh` keeps the user's own table."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ADDONCTL_CACHE_DIR") or Path(base) / "addonctl")


@cache
def catalog() -> "Catalog":
    """The packaged knowledge, with the user's own table of EKS versions where there is one."""
    from addonctl.adapters import knowledge

    return knowledge.load(cache_dir())


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class LiveSource:
    """A live cluster by kubeconfig, by in-cluster account, or by its EKS name."""

    context: str = ""
    kubeconfig: str = ""
    eks: str = ""
    region: str = ""
    profile: str = ""
    namespace: str = ""
    progress: ports.Progress = ports.silent
    clock: Callable[[], datetime] = now

    def connection(self, cluster: str = "") -> "Connection":
        from addonctl.adapters import api_reader

        if not self.eks:
            return api_reader.connect(cluster or self.context or None, self.kubeconfig or None)
        aws = self._aws(self.region)
        endpoint = aws.endpoint(self.eks)
        return api_reader.connect(eks=endpoint, token=lambda: aws.token(self.eks))

    def snapshot(self, cluster: str) -> Snapshot:
        from addonctl.adapters import api_reader
        from addonctl.adapters.decoding import Decoder

        connection = self.connection(cluster)
        decoder = Decoder(catalog())
        read = api_reader.read(
            connection, decoder, now=self.clock(), progress=self.progress, namespace=self.namespace or None
        )
        return self._with_aws(read)

    def _aws(self, region: str) -> "Aws":
        from addonctl.adapters.aws import Aws

        return Aws(region or None, self.profile or None)

    def _with_aws(self, read: Snapshot) -> Snapshot:
        """What AWS says, if this is a cluster on EKS whose name is known."""
        from addonctl.adapters import aws

        named = aws.cluster_of(read.cluster.context) or aws.cluster_of(read.cluster.name)
        region = self.region or aws.region_of(read.cluster.server) or (named[0] if named else "")
        name = self.eks or (named[1] if named else "")
        if not name and not aws.region_of(read.cluster.server) and "-eks-" not in read.cluster.kubernetes:
            return read
        if not name:
            name = read.cluster.name if aws.region_of(read.cluster.server) else ""
        if not name:
            why = "the cluster is on EKS, but its name there is not known; give it with --eks NAME --region REGION"
            return replace(read, gaps=(*read.gaps, Gap(part="eks", reason=GapReason.NOT_IN_INPUT, detail=why)))
        nodes = tuple(sorted({node.instance_type for node in read.nodes if node.instance_type}))
        eks, gaps = self._aws(region).read(name, progress=self.progress, instance_types=nodes)
        cluster = replace(read.cluster, name=name) if eks else read.cluster
        return replace(read, cluster=cluster, eks=eks, gaps=(*read.gaps, *gaps))


if TYPE_CHECKING:
    from addonctl.adapters.aws import Aws


@dataclass(frozen=True)
class LiveProber:
    """Asks the add-ons of the cluster that a LiveSource reads."""

    source: LiveSource

    def probe(self, snapshot: Snapshot, inventory: Inventory) -> tuple[ProbeAnswer, ...]:
        from addonctl.adapters.probes import Probes

        return Probes(self.source.connection()).probe(snapshot, inventory)


@dataclass(frozen=True)
class SnapshotSource:
    """A file that `addonctl snapshot save` wrote."""

    path: Path

    def snapshot(self, cluster: str) -> Snapshot:
        from addonctl.adapters.sources import snapshot_file

        read = snapshot_file.load(self.path)
        if cluster and cluster != read.cluster.name:
            raise BadInput(f"{self.path} holds cluster {read.cluster.name!r}, not {cluster!r}", "Leave the name out.")
        return read


@dataclass(frozen=True)
class FilesSource:
    """Manifests, dumps and bundles."""

    paths: tuple[str, ...]
    kubernetes: str = ""
    clock: Callable[[], datetime] = now

    def snapshot(self, cluster: str) -> Snapshot:
        from addonctl.adapters.decoding import Decoder
        from addonctl.adapters.sources import manifests

        decoder = Decoder(catalog())
        return manifests.read(self.paths, decoder, taken=self.clock(), name=cluster, kubernetes=self.kubernetes)


@dataclass(frozen=True)
class DemoSource:
    """The snapshot of the demo cluster that is shipped with addonctl."""

    def snapshot(self, cluster: str) -> Snapshot:
        from importlib import resources

        from addonctl.adapters.sources import snapshot_file

        with resources.as_file(resources.files("addonctl") / "data" / "demo.json.gz") as path:
            read = snapshot_file.load(path)
        return replace(read, cluster=replace(read.cluster, demo=True))


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where a command reads from, as the user said it; the same options on every face."""

    context: str = ""
    kubeconfig: str = ""
    namespace: str = ""
    eks: str = ""
    region: str = ""
    profile: str = ""
    snapshot: str = ""
    files: tuple[str, ...] = ()
    demo: bool = False
    kubernetes: str = ""
    progress: ports.Progress = field(default=ports.silent)

    def source(self) -> ports.Source:
        """The source that was asked for. Raises BadInput when two were."""
        asked = [flag for flag, given in (("--snapshot", self.snapshot), ("-f", self.files), ("--eks", self.eks),
                                          ("--demo", self.demo)) if given]  # fmt: skip
        if len(asked) > 1:
            raise BadInput(f"{' and '.join(asked)} cannot be used together", "Give one place to read from.")
        if self.snapshot:
            return SnapshotSource(Path(self.snapshot))
        if self.files:
            return FilesSource(self.files, self.kubernetes)
        return DemoSource() if self.demo else self.live()

    def live(self) -> LiveSource:
        return LiveSource(
            self.context, self.kubeconfig, self.eks, self.region, self.profile, self.namespace, self.progress
        )


def manager(options: SourceOptions, waivers: tuple[Waiver, ...] = ()) -> Manager:
    """A Manager over what the options name; it can probe where that is a live cluster."""
    source = options.source()
    prober = LiveProber(source) if isinstance(source, LiveSource) else None
    return Manager(source, catalog(), options.kubernetes, now, waivers, prober)


def open_manager(
    *,
    context: str = "",
    kubeconfig: str = "",
    eks: str = "",
    region: str = "",
    profile: str = "",
    snapshot: str = "",
    files: tuple[str, ...] = (),
    demo: bool = False,
    kubernetes: str = "",
) -> Manager:
    """A Manager over a live cluster (kubeconfig context, or EKS name and region), a snapshot, or files.

    Raises BadInput when two places to read from are given. Nothing is read before the first question.
    """
    options = SourceOptions(
        context=context, kubeconfig=kubeconfig, eks=eks, region=region, profile=profile, snapshot=snapshot,
        files=files, demo=demo, kubernetes=kubernetes,
    )  # fmt: skip
    return manager(options)


__all__ = ["AddonctlError", "SourceOptions", "cache_dir", "catalog", "now", "open_manager"]
