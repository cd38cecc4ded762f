"""What opportunities are judged by: an assessment, its shares of cost by add-on, prices, and counts of objects."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from addonctl import resources
from addonctl.assessment import Assessment
from addonctl.catalog import AddOn, Catalog
from addonctl.catalog.prices import Price, PriceTable
from addonctl.inventory.ownership import Ownership
from addonctl.model import CustomResourceDefinition, Gap, Installation, KubernetesObject, Owner, View
from addonctl.model.cost import HOURS_PER_MONTH, Share
from addonctl.model.opportunity import NotJudged, Opportunity
from addonctl.resizing import Resizing

Found = Opportunity | NotJudged
"""What a function of the table finds: something that saves, or why that cannot be said."""


@dataclass(frozen=True)
class Case:
    """All that a function of the table may look at. `resizings` are those by use; empty where it was not measured."""

    assessment: Assessment
    catalog: Catalog
    prices: PriceTable
    resizings: Sequence[Resizing] = ()

    @property
    def view(self) -> View:
        return self.assessment.view

    @property
    def installations(self) -> Sequence[Installation]:
        return self.assessment.inventory.installations

    def entry(self, row: Installation) -> AddOn | None:
        return self.catalog.addons.get(row.addon)

    @cached_property
    def _ownership(self) -> Ownership:
        return Ownership(self.view)

    def owner_of(self, thing: KubernetesObject) -> Owner | None:
        """Who keeps an object, whether it is an add-on's or not; None: nobody is known to."""
        return next((claim.owner for claim in self._ownership.claims(thing)), None)

    @cached_property
    def _shares(self) -> Mapping[str, Sequence[Share]]:
        found: dict[str, list[Share]] = {}
        for share in self.assessment.cost.shares if self.assessment.cost else ():
            if share.installation and share.is_known:
                found.setdefault(share.installation, []).append(share)
        return found

    def shares(self, installation: str) -> Sequence[Share]:
        """What an installation pays for, as far as it is known."""
        return self._shares.get(installation, ())

    # ── How many there are ──────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _crds(self) -> Mapping[str, CustomResourceDefinition]:
        return {crd.name: crd for crd in self.view.snapshot.crds}

    @cached_property
    def _counts(self) -> Mapping[tuple[str, str], int]:
        """(group, kind) → objects."""
        found: dict[tuple[str, str], int] = {}
        for ref in self.view.objects:
            found[ref.group, ref.kind] = found.get((ref.group, ref.kind), 0) + 1
        for each in self.view.snapshot.custom_resources:
            found[each.group, each.kind] = found.get((each.group, each.kind), 0) + each.count
        return found

    def custom_resources(self, crd_name: str) -> int | Gap | None:
        """How many there are of a CRD; why that is not known; None: there is no such CRD."""
        crd = self._crds.get(crd_name)
        if crd is None:
            return None
        known = resources.find(crd.group, crd.kind)
        gap = self.view.gap_of_group(crd.group) or (self.view.gap(known.part) if known else None)
        return gap or self._counts.get((crd.group, crd.kind), 0)


def usd_micros(price: Price, units: Decimal = Decimal(HOURS_PER_MONTH)) -> int:
    """What so many units cost; by default a month of hours."""
    return int((units * price.usd * 1_000_000).to_integral_value())


def estimates(*reasons: str) -> str:
    """Several reasons for which a figure is not certain, each once."""
    return "; ".join(dict.fromkeys(filter(None, reasons)))


def total(shares: Iterable[Share]) -> int:
    return sum(share.usd_micros for share in shares)


Finder = Callable[[Case], Iterable[Found]]
