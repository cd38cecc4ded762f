"""The library's public result has figures that were measured, and else the reason why there is none."""

from datetime import timedelta

import pytest

from addonctl.adapters import knowledge, price_table
from addonctl.assessment import Assessment
from addonctl.cost import By, summarise
from addonctl.ecosystem import AddonMetrics, ecosystem
from addonctl.efficiency import efficiency
from addonctl.model.forecast import Unknown
from addonctl.model.usage import Measured, Metrics, Spread
from addonctl.opportunities import find_opportunities
from addonctl.usage import UsageReport, report
from tests.core.test_resizing import END, cluster, dns

NOBODY = Unknown("nobody was asked")
MIB = 2**20


def used(assessment: Assessment, *measured: Measured, days: int = 7) -> UsageReport:
    view = assessment.view
    metrics = Metrics(source="test", end=END, window=timedelta(days=days), containers=measured)
    return report(view, assessment.dependencies.owners, tuple(view.workloads.values()), metrics)


def coredns(assessment: Assessment, known: UsageReport | Unknown) -> AddonMetrics:
    (found,) = ecosystem(assessment, known).addon_metrics
    return found


def test_what_it_uses_is_a_share_of_what_it_requests() -> None:
    assessment = cluster(dns(), eks=True)
    running = assessment.view.snapshot.pods
    busy = [
        Measured(
            namespace=pod.namespace,
            pod=pod.name,
            container="coredns",
            cpu=Spread(mean=100, p95=100),
            memory=Spread(mean=50 * MIB, max=50 * MIB),
            throttled=0.1,
            coverage=1,
        )
        for pod in running
    ]
    found = coredns(assessment, used(assessment, *busy))
    request = dns().template.containers[0].cpu_request_millicores
    assert request
    assert found.cpu_utilisation.used == 100 * len(running)
    assert found.cpu_utilisation.requested == request * len(running)
    assert found.cpu_utilisation.percent == round(100 * 100 / request)
    assert found.performance_score.value == 90


@pytest.mark.parametrize("days", [7, 0])
def test_what_nobody_measured_says_so(days: int) -> None:
    assessment = cluster(dns(), eks=True)
    for known, reason in (
        (NOBODY, NOBODY.reason),
        (used(assessment, days=days), "none of its containers was measured"),
    ):
        found = coredns(assessment, known)
        for figure in (found.cpu_utilisation, found.memory_utilisation):
            assert (figure.percent, figure.unknown_reason) == (None, reason)
        assert (found.performance_score.value, found.performance_score.unknown_reason) == (None, reason)


def test_a_figure_that_is_no_number_is_not_nothing() -> None:
    assessment = cluster(dns(), eks=True)
    odd = Measured(namespace="kube-system", pod="coredns-0", container="coredns", cpu=Spread(mean=10), coverage=1)
    found = coredns(assessment, used(assessment, odd))
    assert found.cpu_utilisation.used == 10
    assert found.memory_utilisation.percent is None
    assert found.memory_utilisation.unknown_reason == "none of its containers was measured"


def test_without_prices_no_money_is_known_and_with_them_an_hour_is_a_730th() -> None:
    assessment = cluster(dns(), eks=True)
    analysis = ecosystem(assessment, NOBODY)
    assert assessment.cost is not None
    monthly, hourly = analysis.addon_metrics[0].monthly_cost, analysis.addon_metrics[0].hourly_cost
    assert monthly.usd_micros is not None
    assert hourly.usd_micros == round(monthly.usd_micros / 730)
    assert analysis.cost_efficiency_score.unknown_reason == "no prices were given"
    known = knowledge.load()
    found = find_opportunities(assessment, known, price_table.load)
    rows = summarise(assessment.cost, By.ADDON, assessment.inventory, known)
    spent = efficiency(assessment.cost, rows, found, NOBODY)
    score = ecosystem(assessment, NOBODY, found, spent).cost_efficiency_score
    assert (score.value, score.coverage) == (spent.score, spent.coverage)
