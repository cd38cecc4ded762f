"""What the core asks of the world, as small questions in our own types. adapters/ answers them; sim/ will too.

Reading and writing are different ports. What goes wrong is an error of errors.py, whose type says whether trying again
may help. Each port has one contract suite (tests/contracts) that every side of it passes.

A port is made for one cluster, which was named when it was made. Its questions may all raise what a way to a server
has in common, which their docstrings do not repeat: NotAllowed (Forbidden where a permission is missing), NotReachable
(TimedOut where a write may have been carried out: read before repeating it), TooManyRequests, Unavailable and Broken.
"""

from addonctl.ports.checkpoints import Checkpoints
from addonctl.ports.eks import EksAddons, EksAddonWriter
from addonctl.ports.gitops import GitOpsWriter
from addonctl.ports.helm import HelmReleases, HelmWriter
from addonctl.ports.objects import ObjectReader, ObjectWriter, Watch
from addonctl.ports.observing import Clock, Prober, Progress, Source, silent

__all__ = [
    "Checkpoints",
    "Clock",
    "EksAddonWriter",
    "EksAddons",
    "GitOpsWriter",
    "HelmReleases",
    "HelmWriter",
    "ObjectReader",
    "ObjectWriter",
    "Prober",
    "Progress",
    "Source",
    "Watch",
    "silent",
]
