"""A seeded world with virtual time behind the ports that the adapters serve: production code runs in it unchanged.

`world.World` owns the time and all chance; the other modules are what lives in it: the API server (`store`) and its
clients (`objects`), the controllers and kubelets (`controllers`), EKS (`eks`), helm (`helm`), Argo CD and Flux
(`gitops`), and what goes wrong between them (`weather`, `faults`). The same seed gives the same run, bit for bit, on
every machine: nothing here asks the clock, starts a thread or sleeps. What each of them does not model stands in its
docstring.
"""

from addonctl.sim.clock import SimClock
from addonctl.sim.controllers import Behaviour, Controllers
from addonctl.sim.eks import SimEks, SimEksAddons
from addonctl.sim.faults import Scene, Storm, draw, schedule
from addonctl.sim.gitops import ArgoCd, HelmController, Kustomizer
from addonctl.sim.helm import Chart, SimHelm
from addonctl.sim.objects import SimObjects
from addonctl.sim.store import Store
from addonctl.sim.world import World

__all__ = [
    "ArgoCd",
    "Behaviour",
    "Chart",
    "Controllers",
    "HelmController",
    "Kustomizer",
    "Scene",
    "SimClock",
    "SimEks",
    "SimEksAddons",
    "SimHelm",
    "SimObjects",
    "Store",
    "Storm",
    "World",
    "draw",
    "schedule",
]
