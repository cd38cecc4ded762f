"""AWS's prices in small files: those packaged with addonctl, and beside them what `prices refresh` got for a region.

The packaged table of EC2 is gzip of JSON: a type's size and its prices by region in one row; scripts/build_prices.py
writes it. A region of the user's own is a file of its own, so that each keeps its date.
"""

import gzip
import zlib
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import yaml

from addonctl.adapters import shapes, whole_file, yaml_loader
from addonctl.catalog.prices import (
    AwsPrices,
    Ec2Prices,
    InstanceType,
    ListPrice,
    PriceFilter,
    PriceTable,
    RegionPrices,
    RegionRatio,
)
from addonctl.errors import BadInput

FILE_NAME = "ec2.json.gz"
_DATA = resources.files("addonctl") / "data" / "prices"
_FORMAT = 1


class _Type(msgspec.Struct, array_like=True, frozen=True, gc=False):
    name: str
    vcpus: int
    memory_mib: int
    hourly: dict[str, Decimal]  # by region


class _File(msgspec.Struct, frozen=True):
    format: int
    as_of: date
    source: str
    types: tuple[_Type, ...]
    ratios: dict[str, tuple[Decimal, dict[str, Decimal]]]  # region → median, by family


class _OwnType(msgspec.Struct, array_like=True, frozen=True, gc=False):
    name: str
    vcpus: int
    memory_mib: int
    usd: Decimal


class _OwnFile(msgspec.Struct, frozen=True):
    format: int
    region: str
    as_of: date
    source: str
    types: tuple[_OwnType, ...]
    prices: dict[str, tuple[Decimal, str]]  # key of aws.yaml → US dollars, unit


def load(region: str, cache_dir: Path | None = None) -> PriceTable:
    """All prices of a region (empty: not known). Raises BadInput when the user's own are damaged."""
    own = own_prices(region, cache_dir) if cache_dir and region else None
    return PriceTable(region=region, ec2=_packaged(), aws=packaged_aws(), own=own)


@cache
def _packaged() -> Ec2Prices:
    return _decode((_DATA / FILE_NAME).read_bytes())


@cache
def packaged_aws() -> AwsPrices:
    """The packaged prices of all but EC2."""
    return shapes.convert(_yaml("aws.yaml"), AwsPrices, strict=False)


@cache
def price_filters() -> dict[str, PriceFilter]:
    """Which product of AWS's Price List each packaged price is, by its key."""
    return shapes.convert(_yaml("price_list.yaml"), dict[str, PriceFilter])


def _yaml(name: str) -> Any:
    return yaml.load((_DATA / name).read_bytes(), Loader=yaml_loader.plain())


# ── The user's own ──────────────────────────────────────────────────────────────────────────────────────────────


def own_path(region: str, folder: Path) -> Path:
    """Where the user's own prices of a region are."""
    return folder / f"prices-{region}.json.gz"


def own_prices(region: str, folder: Path) -> RegionPrices | None:
    """The user's own prices of a region; None if there are none. Raises BadInput when they are damaged."""
    path = own_path(region, folder)
    try:
        stored = shapes.decode(gzip.decompress(path.read_bytes()), _OwnFile)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError, EOFError, zlib.error) as error:
        raise BadInput(
            f"{path} is damaged: {error}", f"Renew it with `addonctl prices refresh --region {region}`."
        ) from error
    return RegionPrices(
        region=stored.region,
        as_of=stored.as_of,
        source=stored.source,
        types={row.name: InstanceType(vcpus=row.vcpus, memory_mib=row.memory_mib) for row in stored.types},
        hourly={row.name: row.usd for row in stored.types},
        prices={key: ListPrice(usd=usd, unit=unit, source=stored.source) for key, (usd, unit) in stored.prices.items()},
    )


def save_own(prices: RegionPrices, folder: Path) -> Path:
    """Keeps a region's prices as the user's own and returns the path. Raises NotReachable when it cannot be written."""
    stored = _OwnFile(
        format=_FORMAT,
        region=prices.region,
        as_of=prices.as_of,
        source=prices.source,
        types=tuple(
            _OwnType(name, size.vcpus, size.memory_mib, prices.hourly[name])
            for name, size in sorted(prices.types.items())
        ),
        prices={key: (price.usd, price.unit) for key, price in sorted(prices.prices.items())},
    )
    return whole_file.write_table(own_path(prices.region, folder), msgspec.json.encode(stored))


# ── The packaged table of EC2 ───────────────────────────────────────────────────────────────────────────────────


def save(table: Ec2Prices, folder: Path) -> Path:
    """Writes the table of all regions and returns its path; equal tables give equal bytes.

    Raises NotReachable when it cannot be written.
    """
    return whole_file.write_table(folder / FILE_NAME, msgspec.json.encode(_pack(table)))


def _pack(table: Ec2Prices) -> _File:
    def hourly(name: str) -> dict[str, Decimal]:
        return {region: by_type[name] for region, by_type in sorted(table.hourly.items()) if name in by_type}

    rows = (_Type(name, size.vcpus, size.memory_mib, hourly(name)) for name, size in sorted(table.types.items()))
    ratios = {region: (each.median, dict(each.families)) for region, each in sorted(table.ratios.items())}
    priced = tuple(row for row in rows if row.hourly)
    return _File(format=_FORMAT, as_of=table.as_of, source=table.source, types=priced, ratios=ratios)


def _decode(body: bytes) -> Ec2Prices:
    stored = shapes.decode(gzip.decompress(body), _File)
    hourly: dict[str, dict[str, Decimal]] = {}
    for row in stored.types:
        for region, usd in row.hourly.items():
            hourly.setdefault(region, {})[row.name] = usd
    return Ec2Prices(
        as_of=stored.as_of,
        source=stored.source,
        types={row.name: InstanceType(vcpus=row.vcpus, memory_mib=row.memory_mib) for row in stored.types},
        hourly=hourly,
        ratios={
            region: RegionRatio(median=median, families=families)
            for region, (median, families) in stored.ratios.items()
        },
    )
