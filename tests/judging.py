"""The judgement of a snapshot in one call, as the manager makes it."""

from typing import Any

from addonctl.assessment import Assessment, assess
from addonctl.catalog import Catalog
from addonctl.inventory import take_inventory
from addonctl.model import Snapshot, View
from tests.builders import DAY


def assessed(snapshot: Snapshot, catalog: Catalog, **options: Any) -> Assessment:
    """Judged on the day of the builders, unless `options` say otherwise; they are those of `assess`."""
    view = View(snapshot)
    return assess(view, take_inventory(view, catalog), catalog, **({"day": DAY} | options))
