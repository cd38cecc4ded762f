"""Clusters read from files: saved snapshots, manifests and dumps, the demo. See ports.Source."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from pathlib import Path

from addonctl import ports
from addonctl.adapters.sources import snapshot_file
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Snapshot


@dataclass(frozen=True)
class SnapshotFile:
    """A file written by `addonctl snapshot save`."""

    path: Path

    def named(self, cluster: str) -> "ports.Source":
        return _Checked(self.snapshot, cluster, str(self.path))

    def snapshot(self) -> Snapshot:
        return snapshot_file.load(self.path)


@dataclass(frozen=True)
class Manifests:
    """Manifests, dumps and bundles, under any cluster name that the caller chooses."""

    paths: tuple[str, ...]
    catalog: Catalog
    clock: ports.Clock
    kubernetes: str = ""
    name: str = ""
    as_of: datetime | None = None  # None: the newest time in a dump, now for manifests
    progress: ports.Progress = ports.silent

    def named(self, cluster: str) -> "Manifests":
        return replace(self, name=cluster)

    def snapshot(self) -> Snapshot:
        from addonctl.adapters.decoding import Decoder
        from addonctl.adapters.sources import manifests

        decoder = Decoder(self.catalog)
        return manifests.read(
            self.paths,
            decoder,
            taken=self.clock.now(),
            name=self.name,
            kubernetes=self.kubernetes,
            as_of=self.as_of,
            progress=self.progress,
        )


@dataclass(frozen=True)
class Demo:
    """The snapshot of the demo cluster, packaged with addonctl."""

    def named(self, cluster: str) -> "ports.Source":
        return _Checked(self.snapshot, cluster, "the demo")

    def snapshot(self) -> Snapshot:
        with resources.as_file(resources.files("addonctl") / "data" / "demo.json.gz") as path:
            read = snapshot_file.load(path)
        return replace(read, cluster=replace(read.cluster, demo=True, source="demo"))


@dataclass(frozen=True)
class _Checked:
    """A source with one cluster, requested by name: the name can only be checked after reading."""

    read: Callable[[], Snapshot]
    wanted: str
    what: str

    def named(self, cluster: str) -> "_Checked":
        return replace(self, wanted=cluster)

    def snapshot(self) -> Snapshot:
        found = self.read()
        if self.wanted not in (found.cluster.name, found.cluster.context):
            holds = f"{self.what} holds cluster {found.cluster.name!r}, not {self.wanted!r}"
            raise BadInput(holds, "Leave the name out, or read the other cluster.")
        return found
