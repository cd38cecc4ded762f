"""Charts as SVG to embed in HTML: the trend of costs, shares of a whole, sparklines, use of what there is.

Pure: numbers in, elements out. Shapes alone are drawn, at any size; words stand beside them in HTML, so that they stay
readable on a phone. Classes give the colours, by the style sheet. Called by dashboard_html.py.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from addonctl.dashboard import Trend
from addonctl.model.forecast import Forecast, Interval
from addonctl.render.charts import buckets

_TICKS = 4
_HEIGHT = 100.0
_DOLLAR = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside an axis: so far along it, in percent."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A chart, the words of its axes (from the bottom, from the left), and where today is."""

    svg: str
    across: tuple[Mark, ...]
    up: tuple[Mark, ...]
    today: float


def trend(found: Trend, title: str) -> Plot:
    """Dollars a day: a line of what was recorded, a dashed one of what is forecast, with the band of its interval."""
    whole = found.outlook.forecast.whole
    past: list[float | None] = [None if each.usd_micros is None else each.usd_micros / _DOLLAR for each in found.days]
    ahead = [micros / _DOLLAR for micros in whole.usd_micros] if isinstance(whole, Forecast) else []
    band = _band(whole, ahead) if isinstance(whole, Forecast) else []
    known = [each for each in (*past, *ahead, *(edge for pair in band for edge in pair)) if each is not None]
    ticks = _ticks(min(known), max(known))
    low, high, width = ticks[0], ticks[-1], max(len(past) + len(ahead) - 1, 1)

    def y(value: float) -> float:
        return _HEIGHT * (1 - (value - low) / (high - low))

    root = _svg("plot-lines", title, width, _HEIGHT)
    for tick in ticks:
        ET.SubElement(root, "path", {"class": "rule", "d": f"M0 {y(tick):.2f}H{width}"})
    if band:
        there = [(len(past) + n, y(above)) for n, (_, above) in enumerate(band)]
        back = [(len(past) + n, y(below)) for n, (below, _) in reversed(list(enumerate(band)))]
        ET.SubElement(root, "path", {"class": "band", "d": f"M{_points([*there, *back])}Z"})
    for run in _runs(past):
        ET.SubElement(root, "path", {"class": "past", "d": f"M{_points([(n, y(value)) for n, value in run])}"})
    if ahead:
        ahead_of = [(len(past) + n, y(value)) for n, value in enumerate(ahead)]
        last = [(len(past) - 1, y(past[-1]))] if past[-1] is not None else []
        ET.SubElement(root, "path", {"class": "ahead", "d": f"M{_points([*last, *ahead_of])}"})
    today = 100 * (len(past) - 1) / width
    ET.SubElement(root, "path", {"class": "today", "d": f"M{len(past) - 1} 0V{_HEIGHT}"})
    return Plot(
        svg=ET.tostring(root, encoding="unicode"),
        across=tuple(_dates(found.days[0].day, width)),
        up=tuple(Mark(100 - y(tick), _dollars(tick, ticks)) for tick in ticks),
        today=today,
    )


def _band(whole: Forecast, ahead: Sequence[float]) -> list[tuple[float, float]]:
    """The interval of the total, spread over the days as the forecast is."""
    between = whole.interval
    if not isinstance(between, Interval) or not whole.total:
        return []
    return [(each * between.low / whole.total, each * between.high / whole.total) for each in ahead]


def _ticks(low: float, high: float) -> list[float]:
    """Round values that hold both ends; the axis need not begin with nothing, since lines are no areas."""
    span = max(high - low, 0.02 * high, 0.01)
    rough = span / _TICKS
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [n * step for n in range(first, max(last, first + 1) + 1)]


def _dollars(tick: float, ticks: Sequence[float]) -> str:
    whole = all(abs(each - round(each)) < 1e-9 for each in ticks)
    return f"${tick:,.0f}" if whole else f"${tick:,.2f}"


def _dates(first: date, width: int) -> Iterator[Mark]:
    """The first of each month, and the days in the middle where months are few."""
    for n in range(width + 1):
        day = first + timedelta(days=n)
        if day.day in (1, 15):
            yield Mark(100 * n / width, f"{day.day} {day:%b}")


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """Stretches of days that were recorded."""
    run: list[tuple[int, float]] = []
    for n, value in enumerate(values):
        if value is not None:
            run.append((n, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def spark(values: Sequence[int | None], points: int = 30) -> str:
    """A small line; what varies little is drawn as varying little. A picture of what the row says already."""
    found = buckets(values, points)
    known = [each for each in found if each is not None] or [0.0]
    room = max(max(known) / 4 - (max(known) - min(known)), 0) or 1
    low, high = min(known) - room / 2, max(known) + room / 2
    root = ET.Element("svg", {**_frame(len(found) - 1 or 1, 20), "class": "spark", "aria-hidden": "true"})
    for run in _runs(found):
        line = _points([(n, 20 * (1 - (value - low) / (high - low))) for n, value in run])
        ET.SubElement(root, "path", {"d": f"M{line}"})
    return ET.tostring(root, encoding="unicode")


def shares(parts: Sequence[tuple[str, int]], title: str) -> str:
    """One bar of a whole; `parts` are classes and amounts. What is small is still seen."""
    whole = sum(amount for _, amount in parts) or 1
    root = _svg("shares", title, 1000, 24)
    x = 0.0
    for name, amount in parts:
        width = 1000 * amount / whole
        size = {"x": f"{x:.2f}", "width": f"{max(width - 2, 1):.2f}", "height": "24"}
        ET.SubElement(root, "rect", {"class": name, **size})
        x += width
    return ET.tostring(root, encoding="unicode")


def gauge(used: float | None, requested: float | None, title: str) -> str:
    """What is requested and used of what there is, as shares: a wide bar and a narrow one in it."""
    root = _svg("gauge", title, 100, 14)
    ET.SubElement(root, "rect", {"class": "all", "width": "100", "height": "14"})
    for name, share, height in (("requested", requested, 14), ("used", used, 6)):
        if share:
            size = {"width": f"{min(100 * share, 100):.2f}", "y": f"{(14 - height) / 2:g}", "height": str(height)}
            ET.SubElement(root, "rect", {"class": name, **size})
    return ET.tostring(root, encoding="unicode")


def _svg(name: str, title: str, width: float, height: float) -> ET.Element:
    root = ET.Element("svg", {**_frame(width, height), "class": name, "role": "img", "aria-label": title})
    ET.SubElement(root, "title").text = title
    return root


def _frame(width: float, height: float) -> dict[str, str]:
    return {"viewBox": f"0 0 {width:g} {height:g}", "preserveAspectRatio": "none"}


def _points(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:g} {y:.2f}" for x, y in points)
