"""The contract of ports.Clock, of this machine and of one in a world."""

from datetime import UTC, datetime

import pytest

from addonctl import ports
from addonctl.adapters.clock import SystemClock
from addonctl.sim.clock import SimClock
from addonctl.sim.world import World


@pytest.mark.parametrize("clock", [SystemClock(), SimClock(World(7))])
def test_the_time_is_aware_and_in_utc(clock: ports.Clock) -> None:
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert first <= second


@pytest.mark.parametrize("clock", [SystemClock(), SimClock(World(7))])
def test_it_sleeps_for_as_long_as_it_is_told(clock: ports.Clock) -> None:
    before = clock.now()
    clock.sleep(0.05)
    assert (clock.now() - before).total_seconds() >= 0.05


def test_the_systems_clock_tells_the_time() -> None:
    assert abs((SystemClock().now() - datetime.now(UTC)).total_seconds()) < 5
