"""`addonctl dashboard`: what add-ons cost, use and need, on one page. Reads; changes nothing."""

from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import options as opt
from addonctl.apps import watching
from addonctl.apps.shared import print_document, source_options
from addonctl.errors import AddonctlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from addonctl.apps.wiring import SourceOptions
    from addonctl.assessment import Assessment
    from addonctl.dashboard import Dashboard
    from addonctl.manager import Manager
    from addonctl.model.forecast import Unknown
    from addonctl.model.spending import CostDay
    from addonctl.usage import UsageReport


@click.command()
@opt.source_options
@opt.window("14d", "How far to look back for use, such as 7d or 14d.")
@opt.prometheus
@opt.output_option("table", "wide", "json", "yaml", "html")
@watching.option
def dashboard(window: "timedelta", output: str, watch: bool, **source: Any) -> None:
    """What add-ons cost, what they use, what can be saved, and what is due when, on one page.

    Costs are at list price; their trend and forecast are of the days that `cost record` has kept. Use is of Prometheus,
    or of the metrics API, which knows only now. What is not known is said with its reason.
    """
    from addonctl.render import dashboards, screen

    options = source_options(source)
    if watch:
        watching.check(output)
    assessment, found = _read(options, window)
    if watch:
        shown = (assessment, found)
        assessment, found = watching.watch(
            shown, lambda: _read(options, window), lambda read, *room: dashboards.screenful(*read, *room)
        )
    style = screen.Style(wide=output == "wide")
    print_document(
        output,
        lambda: dashboards.dashboard_document(assessment, found),
        lambda: dashboards.dashboard(assessment, found, style),
        {"html": lambda: _page(assessment, found)},
    )


def _page(assessment: "Assessment", found: "Dashboard") -> str:
    from addonctl.render import dashboard_html

    return dashboard_html.page(assessment, found)


def _read(options: "SourceOptions", window: "timedelta") -> "tuple[Assessment, Dashboard]":
    """All that the page shows, read anew."""
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring

    manager = wiring.manager(options)
    with snapshot_file.without_collector():
        assessment = manager.assess()
        days, used, made_up = _past(manager, assessment, options, window)
        return assessment, manager.dashboard(assessment, days, used, made_up)


def _past(
    manager: "Manager", assessment: "Assessment", options: "SourceOptions", window: "timedelta"
) -> "tuple[Sequence[CostDay] | Unknown, UsageReport | Unknown, tuple[str, ...]]":
    """The days that were recorded and what was used; of the demo both are made up, and so it is said."""
    if not assessment.cluster.demo:
        return _recorded(assessment), _used(manager, assessment, options, window), ()
    from addonctl.adapters.sources import invented
    from addonctl.cost import By, summarise
    from addonctl.spending import cost_day

    assert assessment.cost is not None
    rows = summarise(assessment.cost, By.ADDON, assessment.inventory, manager.catalog)
    eks = assessment.view.snapshot.eks
    days = invented.history(cost_day(assessment.cluster.name, assessment.day, rows, eks.cluster if eks else None))
    used = manager.usage_of_all(assessment, invented.InventedUsage(assessment.snapshot), window)
    return days, used, (f"{len(days)} days of costs", f"{window.days} days of use")


def _recorded(assessment: "Assessment") -> "Sequence[CostDay] | Unknown":
    """A history that does not answer leaves the rest of the page as it is."""
    from datetime import timedelta

    from addonctl.apps import wiring
    from addonctl.model.forecast import Unknown

    try:
        return wiring.recorded(assessment.cluster.name, assessment.day - timedelta(days=_KEPT_DAYS))
    except AddonctlError as error:
        return Unknown(error.what)


_KEPT_DAYS = 90  # what a page can show


def _used(
    manager: "Manager", assessment: "Assessment", options: "SourceOptions", window: "timedelta"
) -> "UsageReport | Unknown":
    """What was used, or why that is not known. Raises what went wrong with a Prometheus that was asked for."""
    from addonctl.apps import wiring
    from addonctl.model.forecast import Unknown

    if options.is_saved:
        return Unknown("what is used is read from a live cluster alone")
    try:
        return manager.usage_of_all(assessment, wiring.usage(options, daily=True), window)
    except AddonctlError as error:
        if options.prometheus not in ("", "none"):
            raise
        return Unknown(error.what)
