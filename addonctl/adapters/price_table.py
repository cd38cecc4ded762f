"""AWS's prices in two small files: packaged with addonctl, or the user's own table of EC2 from `prices refresh`.

The table of EC2 is gzip of JSON: a type's size and its prices by region in one row. scripts/build_prices.py writes the
packaged one.
"""

import gzip
import zlib
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec
import yaml

from addonctl.adapters import shapes, whole_file, yaml_loader
from addonctl.catalog.prices import AwsPrices, Ec2Prices, InstanceType, PriceTable, RegionRatio
from addonctl.errors import BadInput, NotReachable

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


def load(region: str, cache_dir: Path | None = None) -> PriceTable:
    """All prices of a region (empty: not known). Raises BadInput when the user's own table is damaged."""
    own = _cached(cache_dir) if cache_dir else None
    return PriceTable(region=region, ec2=own or _packaged(), aws=_aws())


@cache
def _packaged() -> Ec2Prices:
    return _decode((_DATA / FILE_NAME).read_bytes(), "the packaged table")


@cache
def _aws() -> AwsPrices:
    body = (_DATA / "aws.yaml").read_bytes()
    return shapes.convert(yaml.load(body, Loader=yaml_loader.plain()), AwsPrices, strict=False)


def _cached(folder: Path) -> Ec2Prices | None:
    path = folder / FILE_NAME
    try:
        return _decode(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", "Delete it.") from error


def save(table: Ec2Prices, folder: Path) -> Path:
    """Writes the table atomically and returns its path; equal tables give equal bytes.

    Raises NotReachable when it cannot be written.
    """
    path = folder / FILE_NAME
    body = gzip.compress(msgspec.json.encode(_pack(table)), compresslevel=9, mtime=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        whole_file.write(path, body, mode=0o644)
    except OSError as error:
        fix = "Check free space and permissions, or set ADDONCTL_CACHE_DIR."
        raise NotReachable(f"{path} cannot be written: {error.strerror}", fix) from error
    return path


def _pack(table: Ec2Prices) -> _File:
    def hourly(name: str) -> dict[str, Decimal]:
        return {region: by_type[name] for region, by_type in sorted(table.hourly.items()) if name in by_type}

    rows = (_Type(name, size.vcpus, size.memory_mib, hourly(name)) for name, size in sorted(table.types.items()))
    ratios = {region: (each.median, dict(each.families)) for region, each in sorted(table.ratios.items())}
    priced = tuple(row for row in rows if row.hourly)
    return _File(format=_FORMAT, as_of=table.as_of, source=table.source, types=priced, ratios=ratios)


def _decode(body: bytes, name: str) -> Ec2Prices:
    try:
        stored = shapes.decode(gzip.decompress(body), _File)
    except (msgspec.DecodeError, OSError, EOFError, zlib.error) as error:
        raise BadInput(
            f"{name} of EC2 prices is damaged: {error}", "Renew it with `addonctl prices refresh`."
        ) from error
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
