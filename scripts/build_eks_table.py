"""Builds the packaged table of EKS add-on versions out of DescribeAddonVersions output.

    python scripts/build_eks_table.py --as-of 2026-08-22 --region us-east-1 --source "…" [--owners FILE.csv] PATH…

PATH is a file or a folder of JSON, plain or gzipped: what `aws eks describe-addon-versions` prints, or one AddonInfo a
file. --owners adds what older output lacks: columns addonName, owner, publisher, defaultNamespace.
"""

import argparse
import csv
import gzip
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from addonctl.adapters import eks_table
from addonctl.catalog import EksTable

TARGET = Path(__file__).parents[1] / "addonctl" / "data" / "eks"


def infos(paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Every AddonInfo in the files given."""
    for path in paths:
        if path.is_dir():
            yield from infos(sorted(path.iterdir()))
            continue
        body = path.read_bytes()
        document = json.loads(gzip.decompress(body) if path.suffix == ".gz" else body)
        yield from document.get("addons", (document,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--as-of", required=True, type=date.fromisoformat)
    parser.add_argument("--region", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--owners", type=Path)
    given = parser.parse_args()
    owners: dict[str, dict[str, str]] = {}
    if given.owners:
        with given.owners.open(newline="") as handle:
            owners = {row["addonName"]: row for row in csv.DictReader(handle)}
    found = list(infos(given.paths))
    for info in found:
        row = owners.get(info["addonName"], {})
        info.setdefault("owner", row.get("owner", ""))
        info.setdefault("publisher", row.get("publisher", ""))
        info.setdefault("defaultNamespace", row.get("defaultNamespace", ""))
    table = EksTable(as_of=given.as_of, source=given.source, region=given.region, addons=eks_table.from_describe(found))
    path = eks_table.save(table, TARGET)
    print(f"{len(table.addons)} add-ons, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
