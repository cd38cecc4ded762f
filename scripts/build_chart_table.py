"""Builds the packaged table of charts, addonctl/data/charts.json.gz, from the index.yaml of chart repositories.

    python scripts/build_chart_table.py DATE SOURCE=INDEX …

SOURCE is what the table says that it is from, INDEX a file or an address. Charts that the catalogue does not know are
left out; versions that the table already has, and no index has any more, stay in it.
"""

import gzip
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from addonctl.adapters import chart_table, knowledge
from addonctl.catalog import ChartTable

TARGET = Path(__file__).parent.parent / "addonctl" / "data" / chart_table.FILE_NAME
# Publishers of charts with the names of upstream's and numbers of their own.
REBUILDERS = ("bitnami", "chainguard")


def main(argv: Sequence[str]) -> None:
    as_of = date.fromisoformat(argv[0])
    known = knowledge.load()
    table = ChartTable(charts=known.charts.charts, rebuilders=REBUILDERS)
    for given in argv[1:]:
        source, _, index = given.rpartition("=")
        found = chart_table.read([index], known.chart_names, as_of)
        table = chart_table.merged(table, (replace(each, source=source) for each in found))
        print(f"{source}: {', '.join(f'{each.name} {len(each.versions)}' for each in found) or 'nothing wanted'}")
    TARGET.write_bytes(gzip.compress(chart_table.encode(table), mtime=0))
    count = sum(len(each.versions) for each in table.charts)
    print(f"{len(table.charts)} charts, {count} versions, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
