"""The history of costs, on SQLite and on PostgreSQL: what was recorded is there, to the micro-dollar."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from addonctl.adapters.cost_history import SqlCostHistory
from addonctl.model.spending import CostDay
from tests.contracts.postgres import PostgresServer

DAY = date(2026, 11, 24)


@pytest.fixture(params=["sqlite", "postgres"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCostHistory]:
    if request.param == "sqlite":
        made = SqlCostHistory(tmp_path / "state" / "costs.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        made = SqlCostHistory(server.new())
    yield made
    made.close()


def day(number: int, cluster: str = "prod-eu-1", **amounts: int) -> CostDay:
    return CostDay(cluster=cluster, day=DAY + timedelta(days=number), usd_micros=amounts)


def test_days_come_back_in_order_and_exactly(history: SqlCostHistory) -> None:
    history.record(day(1, coredns=109_124, idle=2**40))
    history.record(day(0, coredns=1))
    assert history.days("prod-eu-1", DAY) == (day(0, coredns=1), day(1, coredns=109_124, idle=2**40))
    assert history.days("prod-eu-1", DAY + timedelta(days=1)) == (day(1, coredns=109_124, idle=2**40),)


def test_what_eks_said_of_the_cluster_is_kept_by_day(history: SqlCostHistory) -> None:
    told = replace(day(0, coredns=1), kubernetes="1.34", support_type="EXTENDED")
    upgraded = replace(day(1, coredns=1), kubernetes="1.35", support_type="STANDARD")
    for each in (replace(told, kubernetes="1.33"), told, upgraded):
        history.record(each)
    assert history.days("prod-eu-1", DAY) == (told, upgraded)


def test_a_history_of_an_older_addonctl_is_read_and_gone_on_with(tmp_path: Path) -> None:
    place = tmp_path / "costs.db"
    made = SqlCostHistory(place)
    made.record(day(0, coredns=1))
    made.close()
    with closing(sqlite3.connect(place)) as db:
        db.execute("DROP TABLE addonctl_cost_days")
    again = SqlCostHistory(place)
    again.record(replace(day(1, coredns=2), kubernetes="1.34"))
    assert [each.kubernetes for each in again.days("prod-eu-1", DAY)] == ["", "1.34"]
    again.close()


def test_a_day_that_is_recorded_again_is_replaced(history: SqlCostHistory) -> None:
    history.record(day(0, coredns=1, gone=5))
    history.record(day(0, coredns=2))
    assert history.days("prod-eu-1", DAY) == (day(0, coredns=2),)


def test_clusters_are_kept_apart(history: SqlCostHistory) -> None:
    history.record(day(0, coredns=1))
    history.record(day(0, "payments", coredns=2))
    assert history.clusters() == ("payments", "prod-eu-1")
    assert history.days("payments", DAY) == (day(0, "payments", coredns=2),)
    assert history.days("nobody", DAY) == ()
