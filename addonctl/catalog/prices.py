"""AWS's list prices: of EC2 by type and region, and of what else add-ons use. Answers what a unit costs, and how sure.

A price that the table has for another region only is given as estimated, with the reason; one it has not is None.
Filled by adapters/price_table.py; asked by cost/.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

BASE_REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars a unit. `estimated` says why it is not the list price itself; empty if it is."""

    usd: Decimal
    unit: str  # hour, GB-month, IOPS-month, …
    source: str
    as_of: date
    estimated: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """The size of an EC2 instance type as AWS sells it; a kubelet reports less memory."""

    vcpus: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRatio:
    """Prices of a region over those of the base region: the median of its families, and by family."""

    median: Decimal
    families: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ec2Prices:
    """On-demand prices of Linux instances, region → type → US dollars an hour."""

    as_of: date
    source: str
    types: Mapping[str, InstanceType]
    hourly: Mapping[str, Mapping[str, Decimal]]
    ratios: Mapping[str, RegionRatio]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPrice:
    """One entry of data/prices/aws.yaml: US dollars a unit in the base region."""

    usd: Decimal
    unit: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsPrices:
    """Prices of all but EC2, by key; of the base region."""

    as_of: date
    prices: Mapping[str, ListPrice]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceFilter:
    """Which product of AWS's Price List an entry of aws.yaml is: its service, product family and usage type.

    The usage type is without the short name of a region, which may come before it. AWS's price is for `per` of our
    units: 1024 where it is for a GiB/s and ours for a MiB/s.
    """

    service: str
    family: str
    usage_type: str
    per: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPrices:
    """What AWS's Price List said of one region on one day: EC2 by type, and other prices by the keys of aws.yaml."""

    region: str
    as_of: date
    source: str
    types: Mapping[str, InstanceType]
    hourly: Mapping[str, Decimal]
    prices: Mapping[str, ListPrice]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """All prices of one region; an empty `region` is one that was not read. `own` is what the user asked AWS for."""

    region: str
    ec2: Ec2Prices
    aws: AwsPrices
    own: RegionPrices | None = None

    def size(self, instance_type: str) -> InstanceType | None:
        """The size of an instance type; None if the table has no such type."""
        own = self.own.types.get(instance_type) if self.own else None
        return own or self.ec2.types.get(instance_type)

    def instance(self, instance_type: str) -> Price | None:
        """An hour of an on-demand Linux instance; None if the table has no such type."""
        if self.own and instance_type in self.own.hourly:
            usd = self.own.hourly[instance_type]
            return Price(usd=usd, unit="hour", source=self.own.source, as_of=self.own.as_of)
        here = self.ec2.hourly.get(self.region, {}).get(instance_type)
        if here is not None:
            return self._ec2(here)
        base = self.ec2.hourly[BASE_REGION].get(instance_type)
        if base is None:
            return None
        ratio = self.ec2.ratios.get(self.region)
        if ratio is None:
            return self._ec2(base, self._elsewhere)
        factor = ratio.families.get(instance_type.partition(".")[0], ratio.median)
        return self._ec2(base * factor, f"{BASE_REGION}'s price × {factor}, the ratio of {self.region} by estimate")

    def of(self, key: str) -> Price:
        """A price of aws.yaml by its key. Raises KeyError if there is none."""
        if self.own and key in self.own.prices:
            own = self.own.prices[key]
            return Price(usd=own.usd, unit=own.unit, source=own.source, as_of=self.own.as_of)
        found = self.aws.prices[key]
        why = "" if self.region == BASE_REGION else self._elsewhere
        return Price(usd=found.usd, unit=found.unit, source=found.source, as_of=self.aws.as_of, estimated=why)

    @property
    def _elsewhere(self) -> str:
        return f"{BASE_REGION}'s price; " + (
            f"{self.region}'s is not known" if self.region else "the region is not known"
        )

    def _ec2(self, usd: Decimal, estimated: str = "") -> Price:
        return Price(usd=usd, unit="hour", source=self.ec2.source, as_of=self.ec2.as_of, estimated=estimated)
