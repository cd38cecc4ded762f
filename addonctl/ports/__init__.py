"""Ports: what the core needs from the outside world, as small protocols in our own types. adapters/ implements them.

Reading and writing are different ports. Failures are the errors of errors.py, whose type says whether retrying may
help. Each port has one contract suite (tests/contracts) that every implementation passes.

A port serves the one cluster it was created for. Every method may raise the following, which the docstrings do not
repeat: NotAllowed (Forbidden if a permission is missing), NotReachable (TimedOut if a write may have taken effect:
read before repeating it), TooManyRequests, Unavailable and Broken.
"""

from addonctl.ports.bills import Bills
from addonctl.ports.checkpoints import Checkpoints
from addonctl.ports.cost_history import CostHistory
from addonctl.ports.eks import EksAddons, EksAddonWriter
from addonctl.ports.gitops import GitOpsSource, GitOpsWriter
from addonctl.ports.helm import HelmReleases, HelmWriter
from addonctl.ports.journal import Journal
from addonctl.ports.manifests import ManifestReader
from addonctl.ports.objects import ObjectReader, ObjectWriter, Watch
from addonctl.ports.observing import Clock, Inspector, LogLines, LogReader, Prober, Progress, Source, silent
from addonctl.ports.schemas import Schemas
from addonctl.ports.signals import Assessor, Signals
from addonctl.ports.usage import Usage

__all__ = [
    "Assessor",
    "Bills",
    "Checkpoints",
    "Clock",
    "CostHistory",
    "EksAddonWriter",
    "EksAddons",
    "GitOpsSource",
    "GitOpsWriter",
    "HelmReleases",
    "HelmWriter",
    "Inspector",
    "Journal",
    "LogLines",
    "LogReader",
    "ManifestReader",
    "ObjectReader",
    "ObjectWriter",
    "Prober",
    "Progress",
    "Schemas",
    "Signals",
    "Source",
    "Usage",
    "Watch",
    "silent",
]
