"""A seeded world with virtual time behind the ports that the adapters serve: production code runs in it unchanged.

`world.World` owns the time and all chance; the other modules are what lives in it. The same seed gives the same run,
bit for bit, on every machine: nothing here asks the clock, starts a thread or sleeps. What the world cannot show stands
in the docstrings of its modules.
"""

from addonctl.sim.clock import SimClock
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.world import World

__all__ = ["SimClock", "SimObjects", "Store", "World"]
