"""What the tests of the report formats render: the demo cluster, judged on a fixed day, and a cluster at its worst."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from addonctl.adapters.clock import SystemClock
from addonctl.apps import wiring
from addonctl.assessment import Assessment
from addonctl.manager import Manager
from addonctl.model import Gap, GapReason, View
from addonctl.versions import Minor
from addonctl.waivers import Waiver
from tests.apps.hostile import poisoned

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)


class FixedClock(SystemClock):
    """The same day for every run."""

    def now(self) -> datetime:
        return NOW


@pytest.fixture(scope="session")
def demo() -> Assessment:
    return replace(wiring.open_manager(demo=True), clock=FixedClock()).assess()


@pytest.fixture(scope="session")
def everything() -> Assessment:
    """The demo with what a report may have besides: gaps, waivers, more minors, old knowledge."""
    waivers = (
        Waiver(code="HLT*", subject="Deployment/*", reason="until the move", until=date(2027, 1, 31)),
        Waiver(code="CMP004", reason="both are wanted", until=date(2026, 1, 31)),
    )
    manager: Manager = replace(wiring.open_manager(demo=True), clock=FixedClock(), waivers=waivers)
    gaps = (
        Gap(part="leases", reason=GapReason.FORBIDDEN, detail="403", permission="list leases.coordination.k8s.io"),
        Gap(part="eks:insights", reason=GapReason.FORBIDDEN, detail="denied", permission="eks:ListInsights"),
        Gap(part="quotas", reason=GapReason.NOT_IN_INPUT, detail="the input has no quotas", absent=True),
    )
    seen = manager.assess(target=Minor(1, 37))
    return replace(seen, view=View(replace(seen.snapshot, gaps=gaps)), stale=("the table is 130 days old",))


@pytest.fixture(scope="session")
def hostile(everything: Assessment) -> Assessment:
    return poisoned(everything)
