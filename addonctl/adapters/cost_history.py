"""The history of costs in a database: one SQLite file, or PostgreSQL. See ports.CostHistory."""

from datetime import date
from itertools import groupby
from pathlib import Path

import sqlalchemy as sql

from addonctl.adapters.database import Database
from addonctl.model.spending import CostDay

LAYOUT = 1
"""Of the table; raised when an older addonctl would misread or damage it."""
_TABLES = sql.MetaData()
_COSTS = sql.Table(
    "addonctl_costs",
    _TABLES,
    sql.Column("cluster", sql.Text, primary_key=True),
    sql.Column("day", sql.Date, primary_key=True),
    sql.Column("name", sql.Text, primary_key=True),
    sql.Column("usd_micros", sql.BigInteger, nullable=False),
)
_DAYS = sql.Table(
    "addonctl_cost_days",
    _TABLES,
    sql.Column("cluster", sql.Text, primary_key=True),
    sql.Column("day", sql.Date, primary_key=True),
    sql.Column("kubernetes", sql.Text, nullable=False),
    sql.Column("support_type", sql.Text, nullable=False),
)


class SqlCostHistory:
    """A history at `place`, a SQLite file or the URL of a database. Raises what a Database does."""

    def __init__(self, place: Path | str) -> None:
        self._database = Database(place, _TABLES, "addonctl_costs_layout", LAYOUT)

    def record(self, day: CostDay) -> None:
        rows = [
            {"cluster": day.cluster, "day": day.day, "name": name, "usd_micros": micros}
            for name, micros in day.usd_micros.items()
        ]
        with self._database.writing() as db:
            for table in (_COSTS, _DAYS):
                db.execute(table.delete().where(table.c.cluster == day.cluster, table.c.day == day.day))
            of_it = {"kubernetes": day.kubernetes, "support_type": day.support_type}
            db.execute(_DAYS.insert(), {"cluster": day.cluster, "day": day.day, **of_it})
            if rows:
                db.execute(_COSTS.insert(), rows)

    def days(self, cluster: str, since: date) -> tuple[CostDay, ...]:
        of, of_days = ((table.c.cluster == cluster) & (table.c.day >= since) for table in (_COSTS, _DAYS))
        with self._database.reading() as db:
            rows = db.execute(sql.select(_COSTS).where(of).order_by(_COSTS.c.day, _COSTS.c.name)).all()
            told = {row.day: row for row in db.execute(sql.select(_DAYS).where(of_days))}
        return tuple(
            CostDay(
                cluster=cluster,
                day=day,
                usd_micros={row.name: row.usd_micros for row in those},
                kubernetes=told[day].kubernetes if day in told else "",  # older versions did not keep it
                support_type=told[day].support_type if day in told else "",
            )
            for day, those in groupby(rows, key=lambda row: row.day)
        )

    def clusters(self) -> tuple[str, ...]:
        with self._database.reading() as db:
            return tuple(db.scalars(sql.select(_COSTS.c.cluster).distinct().order_by(_COSTS.c.cluster)))

    def close(self) -> None:
        self._database.close()
