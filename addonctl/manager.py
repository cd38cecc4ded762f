"""The library's front door: the same operations as the CLI, over whatever source it is given.

    from addonctl import open_manager
    analysis = open_manager(context="prod-eu-1").analyze_addon_ecosystem()

Reading goes through the Source port, asking add-ons through the Prober port; all judging is pure. Writing operations
will join here behind the executor.
"""

from dataclasses import dataclass

from addonctl.assessment import Assessment, assess, new_since
from addonctl.catalog import Catalog
from addonctl.ecosystem import EcosystemAnalysis, ecosystem
from addonctl.errors import BadInput
from addonctl.inventory import take_inventory
from addonctl.model import Snapshot, View
from addonctl.ports import Clock, Prober, Source
from addonctl.versions import Minor
from addonctl.waivers import Waiver


@dataclass(frozen=True)
class Manager:
    """Asks a source for its cluster's snapshot and judges it by the catalogue.

    `kubernetes` says the running minor where the source does not know it. `waivers` are findings that were accepted for
    a time. `prober` asks add-ons themselves, where the source is a live cluster: the one that the source reads.
    """

    source: Source
    catalog: Catalog
    clock: Clock
    kubernetes: Minor | None = None
    waivers: tuple[Waiver, ...] = ()
    prober: Prober | None = None

    def snapshot(self) -> Snapshot:
        """Everything read from the cluster."""
        return self.source.snapshot()

    def assess(self, *, target: Minor | None = None, probe: bool = False, since: Snapshot | None = None) -> Assessment:
        """The judgement of the cluster, for its own Kubernetes and up to `target` (the next minor if None).

        `probe` also asks add-ons what only they can answer. With `since`, an older snapshot of the same cluster, only
        findings are listed that it did not have, or had as less severe. Raises BadInput when `probe` is asked of a
        file, or `since` is of another cluster.
        """
        if probe and self.prober is None:
            raise BadInput("Only a live cluster can be probed", "Leave out probing, or read a live cluster.")
        found = self._assess(self.snapshot(), target, probe=probe)
        return found if since is None else new_since(found, self._assess(since, target))

    def analyze_addon_ecosystem(self, cluster_name: str = "") -> EcosystemAnalysis:
        """What add-ons the cluster runs, how they came there, how they are, and what to do about them.

        `cluster_name` may name the cluster of the source; raises BadInput when that is another one.
        """
        named = self if not cluster_name else self._named(cluster_name)
        return ecosystem(named.assess())

    def _named(self, cluster: str) -> "Manager":
        source = self.source.named(cluster)
        prober = source if self.prober is not None and isinstance(source, Prober) else None
        return Manager(source, self.catalog, self.clock, self.kubernetes, self.waivers, prober)

    def _assess(self, snapshot: Snapshot, target: Minor | None, *, probe: bool = False) -> Assessment:
        view = View(snapshot)
        inventory = take_inventory(view, self.catalog)
        answers = self.prober.probe(view, inventory) if probe and self.prober is not None else ()
        return assess(
            view,
            inventory,
            self.catalog,
            day=self.clock.now().date(),
            kubernetes=self.kubernetes,
            target=target,
            waivers=self.waivers,
            probes=answers,
        )
