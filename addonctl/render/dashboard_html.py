"""The dashboard as one self-contained HTML file with its charts: to open, send or print; light, dark and on a phone.

Pure: values in, text out; templates/dashboard.html is the structure, dashboard.css the style, beside that of the
report. All text from the cluster goes through `plain` and Jinja's escaping. Called by `addonctl dashboard -o html`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from addonctl import __version__
from addonctl.assessment import Assessment
from addonctl.compatibility import Support
from addonctl.dashboard import Dashboard, Recommendation, Resource, Trend, Within
from addonctl.model.cost import Pool
from addonctl.model.forecast import Forecast, Unknown
from addonctl.model.opportunity import Frees
from addonctl.opportunities import KINDS
from addonctl.render import dashboards, html, plots, terminal
from addonctl.render.commands import action_lines, boxes
from addonctl.render.costs import change, figure, totals, usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from addonctl.model import Action

_OPEN = 8
"""So many rows of a list are open; the rest is folded, and printed in full."""
_CLASSES = {"add-ons": "addons", Pool.IDLE.value: "idle", Pool.CLUSTER.value: "cluster"}


def page(assessment: Assessment, found: Dashboard) -> str:
    """The whole page."""
    from markupsafe import Markup

    named, purposes = dashboards.names(found), dashboards.purposes(found)
    parts = [(_CLASSES.get(each.name, "other"), each.usd_micros) for each in purposes]
    total, add_ons = totals(found.cost)
    status, plot = assessment.kubernetes, _plot(found.trend)
    said = ", ".join(f"{each.name} {each.told}" for each in purposes)
    return (
        html.environment()
        .get_template("dashboard.html")
        .render(
            assessment=assessment,
            found=found,
            version=__version__,
            kubernetes=terminal.kubernetes_line(status),
            ends_soon=status.support is Support.STANDARD and status.ends_soon(assessment.day),
            total=total,
            add_ons=add_ons,
            purposes=[(cls, each) for (cls, _), each in zip(parts, purposes, strict=True)],
            stack=Markup(plots.shares([part for part in parts if part[1]], f"What a month costs: {said}")),
            trend=found.trend if isinstance(found.trend, Trend) else None,
            whole=_whole(found.trend),
            plot=plot,
            drawn=Markup(plot.svg) if plot else "",
            unjudged=dashboards.unjudged_kinds(found.opportunities),
            unscored=dashboards.unscored(found.performance, named),
            by_addon=dashboards.owned(found.by_addon),
            by_category=dashboards.owned(found.by_category),
            named_of=lambda id_: named.get(id_, id_),
            savings=[(frees, found.opportunities.usd_micros(frees)) for frees in (Frees.CHARGES, Frees.ROOM)],
            groups=[(within, _told(found.recommendations, within)) for within in Within],
            usd=usd,
            change=change,
            figure=figure,
            percent=_percent,
            is_unknown=lambda value: isinstance(value, Unknown),
            spark=lambda name: _spark(found.trend, name),
            most=max((row.usd_micros for row in found.by_addon if not row.pool), default=1) or 1,
            most_category=max((row.usd_micros for row in dashboards.owned(found.by_category)), default=1) or 1,
            gauge=_gauge,
            amount=dashboards.amount,
            resources=_NAMES,
            kinds=KINDS,
            saving=dashboards.saving,
            fix=_fix,
            subject=lambda each: dashboards.subject(each, named),
            due=dashboards.DUE,
            happens=dashboards.happens,
            because=dashboards.said_of,
            back_test=dashboards.back_test,
            shifts=dashboards.shifts,
            formula=dashboards.FORMULA,
            opened=_OPEN,
        )
    )


_NAMES = {"cpu": "CPU", "memory": "Memory", "network": "Network", "volumes": "Volumes"}


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _whole(trend: Trend | Unknown) -> Forecast | Unknown:
    return trend.outlook.forecast.whole if isinstance(trend, Trend) else trend


def _plot(trend: Trend | Unknown) -> plots.Plot | None:
    """The chart of the trend with its words; None without one."""
    if isinstance(trend, Unknown):
        return None
    first, last = trend.days[0].day, trend.days[-1].day
    whole = trend.outlook.forecast.whole
    ahead = "" if isinstance(whole, Unknown) else f", and {len(whole.usd_micros)} days of forecast"
    return plots.trend(trend, f"Cost a day from {first} to {last}{ahead}; the figures stand below")


def _spark(trend: Trend | Unknown, name: str) -> Any:
    from markupsafe import Markup

    values = trend.by_name.get(name) if isinstance(trend, Trend) else None
    return Markup(plots.spark(values)) if values else ""


def _gauge(each: Resource) -> Any:
    """A bar of what is requested and used of what there is; nothing where that is not known."""
    from markupsafe import Markup

    if isinstance(each.allocatable, Unknown) or not each.allocatable:
        return ""
    used, requested = (
        None if isinstance(value, Unknown) else value / each.allocatable for value in (each.used, each.requested)
    )
    said = [
        f"{name} {100 * share:.0f} %" for name, share in (("used", used), ("requested", requested)) if share is not None
    ]
    return Markup(plots.gauge(used, requested, f"{_NAMES[each.name]}: {', '.join(said)} of what there is"))


def _told(found: Sequence[Recommendation], within: Within) -> list[Recommendation]:
    """What is to be done by then; money stands in a section of its own."""
    return [each for each in found if each.within is within and each.saving is None]


def _fix(actions: "Iterable[Action]") -> list[tuple[bool, str]]:
    """The change in pieces: whether these lines are to be pasted, and the lines."""
    return boxes(action_lines(actions))
