"""The page of a cluster: what it adds up is what the capabilities found, and what nobody knows stays unknown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.adapters.sources import invented
from addonctl.adapters.sources.saved import Demo
from addonctl.assessment import Assessment
from addonctl.cost import By, summarise
from addonctl.dashboard import Coming, Dashboard, Trend, Within, dashboard
from addonctl.model.forecast import Forecast, Unknown
from addonctl.model.sizing import Risk
from addonctl.model.spending import CostDay
from addonctl.model.usage import Counted, Measured, Metrics, Spread, VolumeUse
from addonctl.opportunities import find_opportunities
from addonctl.performance import OOM_MOST, TIGHT_MOST, Performance, performances
from addonctl.resizing import resize
from addonctl.spending import cost_day
from addonctl.usage import UsageReport, report
from tests.builders import DAY
from tests.core.test_resizing import END, cluster, dns
from tests.judging import assessed

NOW = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
MIB = 2**20
NOBODY = Unknown("nobody looked")
KNOWN = knowledge.load()


def page(assessment: Assessment, days: Any = NOBODY, used: Any = NOBODY) -> Dashboard:
    resizings = resize(assessment, used, KNOWN, Risk.MEDIUM) if isinstance(used, UsageReport) else ()
    found = find_opportunities(assessment, KNOWN, price_table.load, resizings)
    return dashboard(assessment, KNOWN, NOW, found, days=days, used=used)


@pytest.fixture(scope="module")
def demo() -> Assessment:
    return assessed(Demo().snapshot(), KNOWN, prices=price_table.load)


@pytest.fixture(scope="module")
def past(demo: Assessment) -> tuple[CostDay, ...]:
    assert demo.cost is not None
    rows = summarise(demo.cost, By.ADDON, demo.inventory, KNOWN)
    return invented.history(cost_day("prod-eu-1", demo.day, rows))


@pytest.fixture(scope="module")
def use(demo: Assessment) -> UsageReport:
    view = demo.view
    names = [(each.namespace, made.name) for each in view.workloads.values() for made in each.template.containers]
    metrics = invented.InventedUsage(demo.snapshot).of(names, NOW, timedelta(days=14))
    return report(view, demo.dependencies.owners, tuple(view.workloads.values()), metrics)


# ── What adds up ────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_add_up_to_the_whole_and_so_do_the_names_of_a_day(
    demo: Assessment, past: tuple[CostDay, ...], use: UsageReport
) -> None:
    found = page(demo, past, use)
    for rows in (found.by_addon, found.by_category):
        assert sum(row.usd_micros for row in rows) == found.cost.usd_micros == found.efficiency.paid
    assert isinstance(found.trend, Trend)
    for number, each in enumerate(found.trend.days):
        assert each.usd_micros == sum(amounts[number] or 0 for amounts in found.trend.by_name.values())


def test_the_made_up_past_is_always_the_same_and_leads_to_today(past: tuple[CostDay, ...]) -> None:
    assert len(past) == invented.HISTORY_DAYS
    assert all(later.day - earlier.day == timedelta(days=1) for earlier, later in pairwise(past))
    assert invented.history(past[-1]) == past


def test_a_day_that_nobody_recorded_is_a_gap(demo: Assessment, past: tuple[CostDay, ...]) -> None:
    found = page(demo, (*past[:20], *past[21:]))
    assert isinstance(found.trend, Trend)
    assert [each.day for each in found.trend.days if each.usd_micros is None] == [past[20].day]
    assert len(found.trend.days) == len(past)


def test_efficiency_is_what_its_formula_says(demo: Assessment, use: UsageReport) -> None:
    of = page(demo, used=use).efficiency
    assert of.score == round(100 * (1 - (of.idle + of.unclaimed + of.savings) / of.paid))
    assert of.coverage == 100


def test_an_add_on_saves_no_more_than_it_costs(demo: Assessment, use: UsageReport) -> None:
    found = page(demo, used=use)
    sums: dict[str, int] = {}
    for each in found.opportunities.found:
        sums[each.installation] = sums.get(each.installation, 0) + (each.saving.usd_micros or 0)
    costs = {row.name: row.usd_micros for row in found.by_addon}
    assert any(micros > costs[id_] for id_, micros in sums.items()), "the demo has no add-on with two opportunities"
    assert found.efficiency.savings == sum(min(micros, costs[id_]) for id_, micros in sums.items())


def test_what_requests_cost_whose_use_nobody_measured_is_not_judged(demo: Assessment, use: UsageReport) -> None:
    of, measured_too = page(demo).efficiency, page(demo, used=use).efficiency
    assert 85 < of.coverage < 100
    assert of.savings < measured_too.savings


def test_extended_support_is_not_forecast_where_aws_upgrades_at_the_end_of_standard_support(
    demo: Assessment, past: tuple[CostDay, ...]
) -> None:
    assert page(demo, past).trend != page(_extended(demo), past).trend


def _extended(demo: Assessment) -> Assessment:
    eks = demo.snapshot.eks
    assert eks is not None
    paying = replace(eks, cluster=replace(eks.cluster, support_type="EXTENDED"))
    return assessed(replace(demo.snapshot, eks=paying), KNOWN, prices=price_table.load)


# ── What is not known ───────────────────────────────────────────────────────────────────────────────────────────


def test_without_days_and_use_all_that_needs_them_is_unknown_with_its_reason(demo: Assessment) -> None:
    found = page(demo)
    assert found.trend == NOBODY
    assert {each.score for each in found.performance} == {NOBODY}
    assert "right-size" in {each.kind for each in found.opportunities.not_judged}
    by_name = {each.name: each for each in found.resources}
    for name in ("cpu", "memory", "network"):
        assert by_name[name].used == by_name[name].used_by_addons == NOBODY
    assert by_name["cpu"].requested == sum(pod.cpu_request_millicores for pod in demo.snapshot.pods)


def test_no_recorded_day_is_no_free_day(demo: Assessment) -> None:
    trend = page(demo, ()).trend
    assert isinstance(trend, Unknown)
    assert "cost record" in trend.reason


def test_a_cluster_without_any_price_has_no_efficiency() -> None:
    workload = dns()
    read = cluster(workload).snapshot
    nameless = tuple(replace(node, labels={}) for node in read.nodes)
    found = page(assessed(replace(read, nodes=nameless, eks=None), KNOWN, prices=price_table.load))
    assert isinstance(found.efficiency.score, Unknown)


def test_nodes_that_could_not_be_read_offer_not_nothing() -> None:
    read = cluster(dns()).snapshot
    gap = model.Gap(part="nodes", reason=model.GapReason.FORBIDDEN, detail="403", permission="list nodes")
    found = page(assessed(replace(read, nodes=(), gaps=(gap,)), KNOWN, prices=price_table.load))
    assert found.resources[0].allocatable == Unknown("nodes were not read: 403")


# ── What to do, and when ────────────────────────────────────────────────────────────────────────────────────────


def test_findings_come_by_when_they_are_due_and_effects_with_their_cause(demo: Assessment, use: UsageReport) -> None:
    found = page(demo, used=use).recommendations
    codes = [each.code for each in found]
    effects = {each.code for each in demo.findings if each.cause in demo.by_id}
    assert effects == {"EKS005"}
    assert not effects & set(codes)
    order = [list(Within).index(each.within) for each in found]
    assert order == sorted(order)
    assert {each.severity for each in found if each.within is Within.WEEK} == {
        model.Severity.REQUIRED,
        model.Severity.RECOMMENDED,
    }
    savings = [each for each in found if each.saving]
    assert {each.within for each in savings} == {Within.MONTH}
    assert all(each.do for each in savings)


def test_what_is_coming_has_its_day(demo: Assessment) -> None:
    found = page(demo).upcoming
    assert [each.day for each in found] == sorted(each.day for each in found)
    (ends,) = (each for each in found if each.what is Coming.STANDARD_SUPPORT_ENDS)
    assert (str(ends.day), ends.about, ends.fixed) == ("2026-12-02", "Kubernetes 1.34", True)
    assert any(each.what is Coming.UPDATE and not each.fixed for each in found)


def test_a_release_whose_fixes_end_is_announced_before_anybody_finds_it(demo: Assessment) -> None:
    read = replace(demo.snapshot, gaps=())
    early = assessed(read, KNOWN, prices=price_table.load, day=datetime(2026, 4, 1, tzinfo=UTC).date())
    ends = {each.about.split("/")[0]: str(each.day) for each in page(early).upcoming if each.what is Coming.FIXES_END}
    assert ends["cert-manager"] == "2026-07-08"


# ── Performance ─────────────────────────────────────────────────────────────────────────────────────────────────


def measured(
    window: timedelta = timedelta(days=7), coverage: float = 1.0, counted: tuple[Counted, ...] = (), **more: Any
) -> Performance:
    """CoreDNS, which requests 400m and may use 600 MiB."""
    assessment = cluster(dns(), eks=True)
    usual: dict[str, Any] = {"cpu": Spread(p95=100), "memory": Spread(max=100 * MIB), "throttled": 0.0, "oom_kills": 0}
    one = Measured(namespace="kube-system", pod="coredns-0", container="coredns", coverage=coverage, **(usual | more))
    metrics = Metrics(source="test", end=END, window=window, containers=(one,), counted=counted)
    view = assessment.view
    workloads = tuple(view.workloads.values())
    used = report(view, assessment.dependencies.owners, workloads, metrics, ["coredns"])
    (found,) = performances(assessment.inventory.installations, used)
    return found


def test_what_has_all_it_needs_has_100() -> None:
    assert measured().score == 100


def test_throttling_takes_its_share() -> None:
    assert measured(throttled=0.3).score == 70


@pytest.mark.parametrize(
    ("use", "most"),
    [
        ({"oom_kills": 2}, OOM_MOST),
        ({"cpu": Spread(p95=500)}, TIGHT_MOST),
        ({"memory": Spread(max=550 * MIB)}, TIGHT_MOST),
    ],
)
def test_want_caps_it(use: dict[str, Any], most: int) -> None:
    assert measured(**use).score == most


def answered(requests: float, failed: float, addon: str = "coredns", **more: str) -> Counted:
    named = {"sli": "dns-responses", "namespace": "kube-system", "pod": "coredns-0"} | more
    return Counted(addon=addon, requests=requests, failed=failed, **named)


def test_requests_that_failed_take_their_share_of_the_worst_sli() -> None:
    slow = answered(1000, 200, sli="dns-latency")
    found = measured(counted=(answered(900, 10), answered(100, 40, pod="coredns-1"), slow), throttled=0.1)
    assert found.score == 80
    assert [(each.sli, each.requests, each.failed) for each in found.answers] == [
        ("dns-latency", 1000, 200),
        ("dns-responses", 1000, 50),
    ]


@pytest.mark.parametrize(
    "counted", [answered(19, 19), answered(1000, 900, addon="kyverno"), answered(0, 0)], ids=["few", "other's", "none"]
)
def test_what_says_nothing_of_an_add_on_is_no_part_of_its_score(counted: Counted) -> None:
    found = measured(counted=(counted,))
    assert (found.score, found.answers) == (100, ())


def test_what_the_api_server_counts_is_of_the_only_one() -> None:
    assert measured(counted=(answered(100, 25, namespace="", pod=""),)).score == 75


def test_what_is_on_volumes_is_told_where_it_was_read() -> None:
    claim = model.VolumeClaim(name="data-3", namespace="shop", requested_bytes=10)
    read = replace(cluster(dns(), eks=True).snapshot, volume_claims=(claim,))
    assessment = assessed(read, KNOWN, prices=price_table.load)
    held = tuple(VolumeUse(namespace="shop", claim=f"data-{size}", used_bytes=size) for size in (3, 4))
    metrics = Metrics(source="test", end=END, window=timedelta(days=7), volumes=held)
    for volumes, known in ((held, 7), ((), Unknown("test has nothing of volumes"))):
        used = report(assessment.view, {}, (), replace(metrics, volumes=volumes))
        (found,) = (each for each in page(assessment, used=used).resources if each.name == "volumes")
        assert found.used == known
    assert found.used_by_addons == known


def test_few_samples_are_no_score() -> None:
    assert measured(coverage=0.3).score == Unknown("only 30 % of the time was measured")


def test_a_source_that_knows_only_now_gives_no_score() -> None:
    assert isinstance(measured(window=timedelta()).score, Unknown)


def test_a_forecast_of_the_made_up_past_is_near_what_it_was(demo: Assessment, past: tuple[CostDay, ...]) -> None:
    trend = page(demo, past).trend
    assert isinstance(trend, Trend)
    whole = trend.outlook.forecast.whole
    assert isinstance(whole, Forecast)
    assert abs(whole.total / sum(trend.outlook.paid.values()) - 1) < 0.05
