"""What is declared differs from what runs (INV010). Decided from the declarations of each installation. Called by the
inventory.
"""

from collections.abc import Iterable, Iterator

from addonctl import declarations
from addonctl.catalog import Catalog
from addonctl.findings import finding, makes
from addonctl.inventory.declared import version_of
from addonctl.inventory.rows import Row
from addonctl.model import Declaration, Evidence, Finding, InstallationRef
from addonctl.model.installation import Installation
from addonctl.versions import Version


@makes("INV010")
def declared_findings(rows: Iterable[Row], catalog: Catalog) -> Iterator[Finding]:
    """One finding for each installation of which no declaration has the version that runs."""
    for row in rows:
        pairs = [(each, pair) for each in row.installation.declarations if (pair := _compared(each, row, catalog))]
        if pairs and all(_differ(*pair) for _, pair in pairs):
            shown = [_shown(each, pair) for each, pair in pairs]
            yield finding("INV010", InstallationRef(row.installation.id, row.installation.addon), *shown)


def _compared(each: Declaration, row: Row, catalog: Catalog) -> tuple[Version, Version] | None:
    """(what is declared, what runs), both versions of the same kind; None if there is no such pair."""
    installed: Installation = row.installation
    written = declarations.pinned(each.version)
    if written is None or (each.chart and not _is_main(each, row)):
        return None
    if each.chart and installed.chart == each.chart and installed.chart_version is not None:
        return written, installed.chart_version
    version, _, _ = version_of(each, row.group.addon, catalog)
    return (version, installed.version) if version is not None and installed.version is not None else None


def _is_main(each: Declaration, row: Row) -> bool:
    return any(chart.name == each.chart and chart.main for chart in row.group.addon.install.charts)


def _differ(written: Version, runs: Version) -> bool:
    """Whether they are two versions; one without the build of EKS names any of its builds."""
    if written.build == 0 and runs.is_eks_build:
        return written.numbers != runs.numbers
    return written != runs


def _shown(each: Declaration, pair: tuple[Version, Version]) -> Evidence:
    return Evidence(
        kind="declared",
        subject=str(each),
        detail=f"{each.what} {each.version} is declared, {pair[1]} runs",
        ref=each.ref,
    )
