"""The library's front door: the same operations as the CLI, over whatever source it is given.

    from addonctl import open_manager
    analysis = open_manager().analyze_addon_ecosystem("prod-eu-1")

Reading goes through the Source port, asking add-ons through the Prober port; all judging is pure. Writing operations
will join here behind the executor.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from addonctl.assessment import Assessment, assess
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.inventory import take_inventory
from addonctl.model import ProbeAnswer, Snapshot
from addonctl.ports import Prober, Source
from addonctl.render.documents import EcosystemAnalysis, ecosystem
from addonctl.waivers import Waiver


@dataclass(frozen=True)
class Manager:
    """Asks a source for a cluster's snapshot and judges it by the catalogue.

    `kubernetes` says the running minor where the source does not know it. `now` is the clock. `waivers` are findings
    that were accepted for a time. `prober` asks add-ons themselves, where the source is a live cluster.
    """

    source: Source
    catalog: Catalog
    kubernetes: str = ""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    waivers: tuple[Waiver, ...] = ()
    prober: Prober | None = None

    def snapshot(self, cluster: str = "") -> Snapshot:
        """Everything read from `cluster`: a name, a kubeconfig context, or empty for the current one."""
        return self.source.snapshot(cluster)

    def assess(
        self, cluster: str = "", *, target: str = "", probe: bool = False, since: Snapshot | None = None
    ) -> Assessment:
        """The verdict on a cluster, for its own Kubernetes and up to `target` (the next minor if empty).

        `probe` also asks add-ons what only they can answer. With `since`, an older snapshot, only findings are listed
        that it did not have. Raises BadInput when `probe` is asked of a file.
        """
        snapshot = self.snapshot(cluster)
        assessment = self._assess(snapshot, target, self._probe(snapshot) if probe else ())
        if since is None:
            return assessment
        known = {(found.code, found.subject) for found in self._assess(since, target).findings}
        new = tuple(found for found in assessment.findings if (found.code, found.subject) not in known)
        return replace(assessment, findings=new, since=f"{since.taken:%Y-%m-%d %H:%M} UTC")

    def analyze_addon_ecosystem(self, cluster_name: str = "") -> EcosystemAnalysis:
        """What add-ons a cluster runs, how they came there, how they are, and what to do about them."""
        return ecosystem(self.assess(cluster_name))

    def _assess(self, snapshot: Snapshot, target: str, probes: tuple[ProbeAnswer, ...] = ()) -> Assessment:
        return assess(
            snapshot, self.catalog, day=self.now().date(), kubernetes=self.kubernetes, target=target,
            waivers=self.waivers, probes=probes,
        )  # fmt: skip

    def _probe(self, snapshot: Snapshot) -> tuple[ProbeAnswer, ...]:
        if self.prober is None:
            raise BadInput("Only a live cluster can be probed", "Leave --probe out, or name a cluster.")
        return self.prober.probe(snapshot, take_inventory(snapshot, self.catalog))
