"""The dashboard as one HTML file: complete, harmless, readable without colours; and its charts."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from addonctl.adapters import price_table
from addonctl.adapters.sources import invented
from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.cost import By, summarise
from addonctl.dashboard import Dashboard
from addonctl.manager import Manager
from addonctl.model.cost import ClusterCost
from addonctl.model.forecast import Unknown
from addonctl.model.opportunity import Opportunities
from addonctl.render import charts, plots
from addonctl.render.dashboard_html import page
from addonctl.render.dashboards import dashboard_document, names
from addonctl.render.documents import dump
from addonctl.spending import cost_day
from tests.apps.conftest import FixedClock
from tests.apps.hostile import poisoned
from tests.apps.test_html import _Page


@pytest.fixture(scope="module")
def manager() -> Manager:
    return replace(wiring.open_manager(demo=True), clock=FixedClock(), prices=price_table.load)


@pytest.fixture(scope="module")
def whole(manager: Manager) -> tuple[Assessment, Dashboard]:
    """The demo with its made-up past."""
    assessment = manager.assess()
    assert assessment.cost is not None
    rows = summarise(assessment.cost, By.ADDON, assessment.inventory, manager.catalog)
    days = invented.history(cost_day("prod-eu-1", assessment.day, rows))
    used = manager.usage_of_all(assessment, invented.InventedUsage(assessment.snapshot), timedelta(days=14))
    return assessment, manager.dashboard(assessment, days, used, ("60 days of costs",))


@pytest.fixture(scope="module")
def bare(manager: Manager) -> tuple[Assessment, Dashboard]:
    """The same without a past."""
    assessment = manager.assess()
    return assessment, manager.dashboard(assessment, Unknown("no days"), Unknown("no use"))


@pytest.mark.parametrize("name", ["whole", "bare"])
def test_it_is_one_well_formed_file_that_loads_nothing(name: str, request: pytest.FixtureRequest) -> None:
    text = page(*request.getfixturevalue(name))
    found = _Page(text)
    assert not found.badly_nested
    assert not found.open
    assert not [attrs for _, attrs in found.tags if attrs.get("src") or attrs.get("href", "data:,") != "data:,"]
    assert "<script" not in text
    assert "url(" not in text


def test_it_says_all_that_the_page_holds(whole: tuple[Assessment, Dashboard]) -> None:
    assessment, found = whole
    text = _Page(page(assessment, found)).text
    for each in found.performance:
        assert names(found)[each.installation] in text
    assert {each.code for each in found.recommendations if each.code} <= set(re.findall(r"[A-Z]{3}\d{3}", text))
    assert "Made up for the demo: 60 days of costs." in text
    assert "$1,080.47" in text


def test_what_is_unknown_has_its_reason(bare: tuple[Assessment, Dashboard]) -> None:
    text = _Page(page(*bare)).text
    assert text.count("no days") == 2
    assert "Unknown of 19 add-ons: no use" in text


def test_every_chart_says_what_it_shows_or_is_hidden_from_readers(whole: tuple[Assessment, Dashboard]) -> None:
    drawn = [attrs for tag, attrs in _Page(page(*whole)).tags if tag == "svg"]
    assert len(drawn) > 4
    assert all(attrs.get("aria-label") or attrs.get("aria-hidden") == "true" for attrs in drawn)


def test_text_of_the_cluster_does_no_harm(whole: tuple[Assessment, Dashboard]) -> None:
    assessment, found = whole
    texts = replace(found, cost=ClusterCost(), use=Unknown("no use"), trend=Unknown("no days"))
    bad = replace(poisoned(replace(texts, opportunities=Opportunities())), cost=found.cost)
    page_of = _Page(page(poisoned(assessment), bad))
    assert "alert" in page_of.text
    assert not page_of.badly_nested
    assert not list(page_of.all("script"))
    assert not [attrs for _, attrs in page_of.tags if any(name.startswith("on") for name in attrs)]


def test_the_document_is_plain_json(whole: tuple[Assessment, Dashboard], bare: tuple[Assessment, Dashboard]) -> None:
    for assessment, found in (whole, bare):
        assert '"kind": "Dashboard"' in dump(dashboard_document(assessment, found), "json")


# ── Charts ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("share", "drawn"), [(0, ""), (0.001, "▏"), (0.5, "██"), (1, "████"), (2, "████")])
def test_a_bar_is_as_long_as_its_share(share: float, drawn: str) -> None:
    assert charts.bar(share, 4) == drawn


def test_a_sparkline_draws_little_change_as_little_and_gaps_as_gaps() -> None:
    assert charts.sparkline([100, 101, 100], 3) in ("▄▅▄", "▅▅▅", "▄▄▄")
    assert charts.sparkline([0, 0, 8], 3) == "▁▁█"
    assert charts.sparkline([8, None, 8], 3)[1] == "·"


def test_a_chart_reaches_from_the_least_to_the_most() -> None:
    assert charts.chart([0.0, 16.0], 2) == [" █", "▁█"]


def test_a_gauge_is_never_wider_than_what_there_is() -> None:
    widths = [float(each) for each in re.findall(r'width="([\d.]+)"', plots.gauge(1.4, 0.5, "CPU"))]
    assert max(widths) == 100
