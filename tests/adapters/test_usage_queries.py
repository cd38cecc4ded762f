"""How many queries Prometheus is asked for use: as many for every 500 containers, and two where means will do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from addonctl.adapters import knowledge
from addonctl.adapters.prometheus import Answer, Prometheus
from addonctl.adapters.usage import PrometheusUsage

END = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class Counting:
    """A Prometheus that has nothing, and counts what it is asked."""

    name: str = "counting"
    labels: Mapping[str, str] = field(default_factory=lambda: {"cluster": "prod-eu-1"})
    asked: list[str] = field(default_factory=list)

    def selector(self, metrics: Sequence[str], labels: Mapping[str, Sequence[str]]) -> str:
        return metrics[0]

    def instant(self, query: str, at: datetime | None = None) -> Answer:
        self.asked.append(query)
        return Answer(series=(), warnings=())

    def range(self, query: str, start: datetime, end: datetime, step_s: float) -> Answer:
        return self.instant(query)


def queries(containers: int, days: int = 14, **how: Any) -> int:
    counting = Counting()
    wanted = [("payments", f"api-{n}") for n in range(containers)]
    PrometheusUsage(cast("Prometheus", counting), **how).of(wanted, END, timedelta(days=days))
    return len(counting.asked)


@pytest.mark.parametrize("daily", [False, True])
def test_as_many_for_every_500_containers_whatever_the_window(daily: bool) -> None:
    few = queries(1, daily=daily)
    assert queries(500, daily=daily) == few
    assert queries(501, daily=daily) == 2 * few - ONCE
    assert queries(10_000, daily=daily) == 20 * few - 19 * ONCE
    assert queries(1, days=90, daily=daily) == few
    assert few <= 25 + ONCE


ONCE = 1
"""Volumes are asked for once, whosever they are."""


def test_two_are_enough_for_means_and_for_a_glance() -> None:
    assert queries(500, means=True) == queries(500, glance=True) == 2
    assert queries(10_000, glance=True) == 40


def test_slis_take_one_whatever_they_are() -> None:
    slis = {addon.id: addon.counted_slis for addon in knowledge.load().addons.values()}
    assert queries(501, slis=slis) == queries(501) + 1
