"""The clock of a machine in the world: ports.Clock. It shows the world's time, and may be set wrong."""

from datetime import datetime, timedelta

from addonctl.sim.world import World


class SimClock:
    """One machine's clock; `jump` sets it forward or back, as a bad time server does. The world's time goes on."""

    def __init__(self, world: World) -> None:
        self._world, self._off_by = world, timedelta()

    def now(self) -> datetime:
        return self._world.now + self._off_by if self._off_by else self._world.now

    def sleep(self, seconds: float) -> None:
        self._world.advance(seconds)

    def jump(self, seconds: float) -> None:
        self._off_by += timedelta(seconds=seconds)
