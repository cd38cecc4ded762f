"""Writes the packaged table of EC2 prices: on-demand Linux by region, sizes of instance types, ratios of regions.

`python -m scripts.build_prices PRICES TYPES RATIOS SOURCE AS_OF`: PRICES is JSON (gzip) of region → type → US dollars
an hour, TYPES JSON lines with `type`, `vcpu` and `memory_mib`, RATIOS JSON with `regions` → `median`, `families`.
`addonctl prices refresh` needs none of this: it asks AWS.
"""

import gzip
import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from addonctl.adapters import price_table
from addonctl.catalog.prices import BASE_REGION, Ec2Prices, InstanceType, RegionRatio

TARGET = Path(__file__).parents[1] / "addonctl" / "data" / "prices"


def table(prices: Path, types: Path, ratios: Path, source: str, as_of: date) -> Ec2Prices:
    """What the three files say. China's regions are left out: their prices are in yuan."""
    by_region = json.loads(gzip.decompress(prices.read_bytes()), parse_float=Decimal)
    sizes = [json.loads(line) for line in types.read_text().splitlines()]
    regions = json.loads(ratios.read_text(), parse_float=Decimal)["regions"]
    return Ec2Prices(
        as_of=as_of,
        source=source,
        types={s["type"]: InstanceType(vcpus=s["vcpu"], memory_mib=s["memory_mib"]) for s in sizes if s["vcpu"]},
        hourly={name: by_type for name, by_type in by_region.items() if not name.startswith("cn-")},
        ratios={
            name: RegionRatio(median=Decimal(ratio["median"]), families=ratio["families"])
            for name, ratio in regions.items()
            if name != BASE_REGION and not name.startswith("cn-")
        },
    )


def main() -> None:
    prices, types, ratios, source, as_of = sys.argv[1:]
    made = table(Path(prices), Path(types), Path(ratios), source, date.fromisoformat(as_of))
    path = price_table.save(made, TARGET)
    print(f"{path}: {len(made.types)} types, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
