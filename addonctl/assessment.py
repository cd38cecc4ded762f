"""What is to be said of a cluster: its inventory, what goes with what, how well each add-on is, what depends on what.

Pure: a Snapshot, the Catalog and the day in, an Assessment out. The capabilities know nothing of each other; here they
are joined. Called by manager.py; report.py puts it into words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

from addonctl import waivers as waiving
from addonctl.catalog import Catalog, Check
from addonctl.compatibility import Compatibility, KubernetesStatus, check_compatibility
from addonctl.dependencies import Dependencies, find_dependencies
from addonctl.errors import BadInput
from addonctl.findings import by_urgency, could_match, names_in, only_these
from addonctl.health import ClusterHealth, check_health
from addonctl.health.object_health import judge, judge_others
from addonctl.health.scores import AddonHealth
from addonctl.inventory import take_inventory
from addonctl.model import Cluster, Finding, Gap, Installation, Inventory, ObjectHealth, ProbeAnswer, Snapshot
from addonctl.waivers import Waived, Waiver

# AWS adds versions every week; after this many days the packaged table misses too many of them to go unsaid.
_TABLE_OLD = timedelta(days=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One installation with what is said of its version on the running and on the target Kubernetes, and its health."""

    installation: Installation
    running: Check
    target: Check
    health: AddonHealth


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The verdict on one cluster, as its snapshot shows it."""

    snapshot: Snapshot
    day: date
    inventory: Inventory
    compatibility: Compatibility
    dependencies: Dependencies
    health: ClusterHealth
    addons: tuple[Assessed, ...]
    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...] = ()
    stale: tuple[str, ...] = ()  # knowledge that is old, in words
    probes: tuple[ProbeAnswer, ...] = ()
    since: str = ""  # what `findings` are new since, in words; empty: all are listed

    @property
    def cluster(self) -> Cluster:
        return self.snapshot.cluster

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return self.snapshot.gaps

    @cached_property
    def objects(self) -> tuple[ObjectHealth, ...]:
        """Verdicts on every object; made when first asked for, since a cluster has many."""
        return judge(self.snapshot)

    @property
    def kubernetes(self) -> KubernetesStatus:
        return self.compatibility.kubernetes


def assess(
    snapshot: Snapshot,
    catalog: Catalog,
    *,
    day: date,
    kubernetes: str = "",
    target: str = "",
    waivers: Sequence[Waiver] = (),
    probes: Sequence[ProbeAnswer] = (),
) -> Assessment:
    """Judges a snapshot as of `day`, for the running Kubernetes (`kubernetes` wins over what was read) and `target`."""
    inventory = take_inventory(snapshot, catalog)
    compatibility = check_compatibility(snapshot, inventory, catalog, day, kubernetes, target)
    dependencies = find_dependencies(snapshot, inventory, catalog)
    custom = judge_others(snapshot.others)
    health = check_health(snapshot, inventory, catalog, dependencies.owners, custom, probes)
    found = (*inventory.findings, *compatibility.findings, *dependencies.findings, *health.findings)
    counts, waived = waiving.apply(waivers, found, snapshot.cluster.name, day)
    by_id = {each.id: each for each in health.addons}
    addons = tuple(
        Assessed(
            installation=row, running=compatibility.checks[row.id][0], target=compatibility.checks[row.id][-1],
            health=by_id[row.id],
        )
        for row in inventory.installations
    )  # fmt: skip
    return Assessment(
        snapshot=snapshot, day=day, inventory=inventory, compatibility=compatibility, dependencies=dependencies,
        health=health, addons=addons, findings=by_urgency(counts), waived=waived,
        stale=tuple(_stale(catalog, day)), probes=tuple(probes),
    )  # fmt: skip


def only_of(assessment: Assessment, catalog: Catalog, wanted: Sequence[str]) -> Assessment:
    """The assessment with only the findings that match any of `wanted`: severities, codes, add-ons, objects.

    Raises BadInput for a word that can match nothing: a slip of the finger would read as "all is well".
    """
    for word in wanted:
        if not could_match(word, _names(assessment, catalog)):
            raise BadInput(
                f"--only {word or repr(word)}: there is no such severity, code, add-on or object",
                "Codes: `addonctl findings explain`; add-ons: `addonctl inventory`.",
            )
    return replace(assessment, findings=only_these(assessment.findings, wanted))


def _names(assessment: Assessment, catalog: Catalog) -> Iterator[str]:
    """All that a finding can be about."""
    yield from catalog.addons
    yield from catalog.eks.addons
    for row in assessment.inventory.installations:
        yield from (row.addon, *names_in(row.id))
    for found in assessment.findings:
        yield from names_in(found.subject)
    for ref, _ in assessment.snapshot.objects():
        yield from names_in(str(ref))


def _stale(catalog: Catalog, day: date) -> Iterator[str]:
    if day - catalog.eks.as_of > _TABLE_OLD:
        age = (day - catalog.eks.as_of).days
        yield f"the table of EKS add-on versions is {age} days old; `addonctl catalog refresh` renews it"
