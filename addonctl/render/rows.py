"""Rows of the inventory in words: a version of the application or of the chart, what is declared, for which cluster."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from addonctl.assessment import Assessment
from addonctl.model import Declaration, Installation, State
from addonctl.render.screen import counted

_NAMED_MAX = 12  # names in one line; the rest is counted


def version_of(row: Installation) -> str:
    """The application's version, else the chart's, else what is declared in its place; `unknown` of none."""
    if row.version is not None:
        return str(row.version)
    if row.chart_version is not None:
        return f"chart {row.chart_version}"
    written = row.declarations[0].version if row.declarations and not row.workloads else ""
    return f"{written}?" if written else "unknown"


def counted_addons(assessment: Assessment) -> str:
    """`12 add-ons, 3 more declared`."""
    found, declared = len(assessment.inventory.installations), len(assessment.inventory.declared)
    if declared and not found:
        return f"{counted(declared, 'add-on')} declared, none found"
    return counted(found, "add-on") + (f", {declared} more declared" if declared else "")


def is_elsewhere(row: Installation) -> bool:
    return row.state is State.DECLARED and bool(row.destination)


def elsewhere(rows: Iterable[Installation]) -> Iterator[tuple[str, str]]:
    """(cluster, add-ons with their versions) of what is declared for other clusters."""
    by_destination: dict[str, list[str]] = {}
    for row in rows:
        if is_elsewhere(row):
            by_destination.setdefault(row.destination, []).append(f"{row.addon} {version_of(row)}")
    for destination, names in by_destination.items():
        yield destination, _few(sorted(dict.fromkeys(names)))


def not_in_catalog(found: Sequence[Declaration]) -> str:
    """The declared charts that the catalog does not have, the most frequent first."""
    return _few([name for name, _ in Counter(each.what for each in found).most_common()])


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more
