"""Which application each version of a chart has: packaged with addonctl, and the user's own from `catalog refresh`.

Read from the index.yaml of chart repositories, for the charts of the catalogue alone. The file is gzip of JSON;
scripts/build_chart_table.py writes the packaged one.
"""

import gzip
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from addonctl import versions
from addonctl.adapters import files, shapes, whole_file
from addonctl.catalog import ChartTable, ChartVersions
from addonctl.errors import BadInput

FILE_NAME = "charts.json.gz"
_RENEW = "Renew it with `addonctl catalog refresh --charts INDEX`."


def known(folder: Path | None) -> ChartTable:
    """The packaged table, with the charts of the user's own in place of its. Raises BadInput when that is damaged."""
    own = _cached(folder) if folder else None
    return merged(_packaged(), own.charts) if own else _packaged()


def merged(table: ChartTable, newer: Iterable[ChartVersions]) -> ChartTable:
    """The table with charts that were read again. Versions that an index of the same source no longer has stay known;
    another source has other charts of that name.
    """
    charts = {chart.name: chart for chart in table.charts}
    for chart in newer:
        before = charts.get(chart.name)
        same = before is not None and before.source == chart.source
        charts[chart.name] = (
            replace(chart, versions={**before.versions, **chart.versions}) if before and same else chart
        )
    return replace(table, charts=tuple(charts[name] for name in sorted(charts)))


@cache
def _packaged() -> ChartTable:
    body = (resources.files("addonctl") / "data" / FILE_NAME).read_bytes()
    return _decode(body, "the packaged table")


def _cached(folder: Path) -> ChartTable | None:
    path = folder / FILE_NAME
    body = whole_file.read_table(path, _RENEW)
    return None if body is None else _decode(body, str(path))


def save(charts: Iterable[ChartVersions], folder: Path) -> Path:
    """Writes the user's own table, with the charts that it had before; returns its path.

    Raises NotReachable when it cannot be written.
    """
    before = _cached(folder) or ChartTable()
    return whole_file.write_table(folder / FILE_NAME, encode(merged(before, charts)))


def encode(table: ChartTable) -> bytes:
    """The table as JSON; equal tables give equal bytes."""
    return msgspec.json.encode(table)


def _decode(body: bytes, name: str) -> ChartTable:
    try:
        return shapes.decode(gzip.decompress(body), ChartTable)
    except (msgspec.DecodeError, OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{name} of charts is damaged: {error}", _RENEW) from error


# ── Indexes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_NAMED = re.compile(r"^  ([A-Za-z0-9][\w.-]*):[ \t]*$", re.MULTILINE)


def read(paths: Iterable[str], wanted: Collection[str], as_of: date) -> tuple[ChartVersions, ...]:
    """The wanted charts in the indexes at these paths or addresses. Raises BadInput where one is none."""
    found: list[ChartVersions] = []
    for path in paths:
        whole = not path.startswith("https://") or path.endswith((".yaml", ".yml"))
        given = path if whole else f"{path.rstrip('/')}/index.yaml"
        for file in files.files([given]):
            if file.error:
                raise BadInput(f"{given} cannot be read: {file.error}", "Give the index.yaml of a chart repository.")
            found += of_index(file.body.decode(errors="replace"), wanted, as_of, path)
    return tuple(found)


def of_index(text: str, wanted: Collection[str], as_of: date, source: str) -> Iterator[ChartVersions]:
    """The wanted charts in an index.yaml. Raises BadInput for a text that is none."""
    if re.search(r"^entries:", text, re.MULTILINE) is None:
        raise BadInput(f"{source} is no index of charts", "Give the index.yaml of a chart repository.")
    body = text[text.index("entries:") :]
    marks = [*_NAMED.finditer(body)]
    for mark, following in zip(marks, [*(each.start() for each in marks[1:]), len(body)], strict=True):
        if mark[1] in wanted:
            pairs = dict(_pairs(body[mark.end() : following], source))
            if pairs:
                yield ChartVersions(name=mark[1], as_of=as_of, source=source, versions=pairs)


_PAIR = re.compile(r"^    (version|appVersion):[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_ITEM = re.compile(r"^  -[ \t]", re.MULTILINE)


def _pairs(entries: str, source: str) -> Iterator[tuple[str, str]]:
    """(version of the chart, version of the application), of releases whose both are versions, without `v`.

    An index has megabytes of descriptions, so its lines are looked at, which a program has written.
    """
    for item in _ITEM.split(entries)[1:]:
        said = {key: value.strip("\"'") for key, value in _PAIR.findall("    " + item.lstrip())}
        chart, application = (versions.parse(said.get(key, "")) for key in ("version", "appVersion"))
        if chart is not None and application is not None and chart.is_released:
            yield str(chart).removeprefix("v"), str(application).removeprefix("v")
