"""The library's front door: the same operations as the CLI, over whatever source it is given.

    from addonctl import open_manager
    analysis = open_manager().analyze_addon_ecosystem("prod-eu-1")

Reading goes through the Source port; all judging is pure. Writing operations will join here behind the executor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from addonctl.assessment import Assessment, assess
from addonctl.catalog import Catalog
from addonctl.model import Snapshot
from addonctl.ports import Source
from addonctl.report import EcosystemAnalysis, ecosystem


@dataclass(frozen=True)
class Manager:
    """Asks a source for a cluster's snapshot and judges it by the catalogue.

    `kubernetes` says the running minor where the source does not know it. `now` is the clock.
    """

    source: Source
    catalog: Catalog
    kubernetes: str = ""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def snapshot(self, cluster: str = "") -> Snapshot:
        """Everything read from `cluster`: a name, a kubeconfig context, or empty for the current one."""
        return self.source.snapshot(cluster)

    def assess(self, cluster: str = "", *, target: str = "") -> Assessment:
        """The verdict on a cluster, for its own Kubernetes and for `target` (the next minor if empty)."""
        snapshot = self.snapshot(cluster)
        return assess(snapshot, self.catalog, day=self.now().date(), kubernetes=self.kubernetes, target=target)

    def analyze_addon_ecosystem(self, cluster_name: str = "") -> EcosystemAnalysis:
        """What add-ons a cluster runs, how they came there, and what to do about them."""
        return ecosystem(self.assess(cluster_name))
