"""Clusters that are not asked now: saved snapshots, manifests and dumps, the demo. See ports.Source."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from addonctl import ports
from addonctl.adapters.sources import snapshot_file
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Snapshot


@dataclass(frozen=True)
class SnapshotFile:
    """A file that `addonctl snapshot save` wrote."""

    path: Path

    def named(self, cluster: str) -> "ports.Source":
        return _Checked(self.snapshot, cluster, str(self.path))

    def snapshot(self) -> Snapshot:
        return snapshot_file.load(self.path)


@dataclass(frozen=True)
class Manifests:
    """Manifests, dumps and bundles; they may be called what their owner likes."""

    paths: tuple[str, ...]
    catalog: Catalog
    clock: ports.Clock
    kubernetes: str = ""
    name: str = ""
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
            progress=self.progress,
        )


@dataclass(frozen=True)
class Demo:
    """The snapshot of the demo cluster that comes with addonctl."""

    def named(self, cluster: str) -> "ports.Source":
        return _Checked(self.snapshot, cluster, "the demo")

    def snapshot(self) -> Snapshot:
        with resources.as_file(resources.files("addonctl") / "data" / "demo.json.gz") as path:
            read = snapshot_file.load(path)
        return replace(read, cluster=replace(read.cluster, demo=True, source="demo"))


@dataclass(frozen=True)
class _Checked:
    """A source that holds one cluster, asked for by name: its name is known once it is read."""

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
