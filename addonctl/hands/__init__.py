"""Hands: how each kind of owner is told to change an installation, and to change it back.

One class an owner, all with the methods of `Hand`. What they have in common, the instances of the workloads and their
waves, is in rollouts.py. Each method is safe to repeat: what it is for is read first. Called by executor.py.
"""

from addonctl.errors import Invalid
from addonctl.hands.base import GivenUp, Hand, Kept, NotYet, Ports, Present, Superseded
from addonctl.hands.creation import AdoptHand, CreateHand, LetGoHand
from addonctl.hands.eks import EksHand
from addonctl.hands.gitops import ArgoHand, FluxHand
from addonctl.hands.helm import HelmHand
from addonctl.hands.manifests import ManifestHand
from addonctl.hands.removal import EksRemoving, HelmRemoving, RemoveHand
from addonctl.model import owners
from addonctl.model.plan import Step

__all__ = ["GivenUp", "Hand", "Kept", "NotYet", "Ports", "Present", "Superseded", "hand"]


def hand(step: Step, ports: Ports) -> Hand:
    """The hand for a step's owner. Raises Invalid where there is none."""
    creation = step.creation
    match step.owner:
        case owners.EksAddon() if step.removes:
            return RemoveHand(step, EksRemoving(step, step.owner, ports))
        case owners.HelmRelease(name=name) if name and step.removes:
            return RemoveHand(step, HelmRemoving(step, step.owner, ports))
        case owners.EksAddon() if creation:
            return CreateHand(step, creation, ports)
        case owners.Manifest() if creation:
            return AdoptHand(step, step.owner, creation, ports)
        case owners.EksAddon(name=name) if step.lets_go:
            return LetGoHand(step, name, ports)
        case owners.EksAddon():
            return EksHand(step, step.owner, ports)
        case owners.HelmRelease(name=name) if name:
            return HelmHand(step, step.owner, ports)
        case owners.Manifest(manager=manager) if manager:
            return ManifestHand(step, step.owner, ports)
        case owners.ArgoApplication():
            return ArgoHand(step, step.owner, ports)
        case owners.FluxHelmRelease():
            return FluxHand(step, step.owner, ports)
    raise Invalid(
        f"{step.installation} is kept by {str(step.owner) or 'nobody known'}, of which nothing is updated so far"
    )
