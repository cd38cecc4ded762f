"""What is to be changed, in which order and waves, watched by which gates, and how each step is undone.

A value: printed, saved, compared, approved. Nothing in it happens before a Run (model/run.py) carries it out.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from addonctl.model.action import Action, CreateAddon, DeleteAddon
from addonctl.model.cluster import ObjectRef
from addonctl.model.configuration import ConfigurationChange
from addonctl.model.gate import Objective
from addonctl.model.manifests import ManifestSet
from addonctl.model.owners import EksAddon, Owner
from addonctl.versions import Minor, Version, VersionRange


class Rollout(StrEnum):
    """How the instances of a workload take up a new version."""

    SURGE = "surge"  # a new one is ready before an old one ends
    ONE_BY_ONE = "one-by-one"  # an old one ends before the new one of its name begins
    NODE_BY_NODE = "node-by-node"  # one a node: where it is replaced, nothing serves until it is back
    AT_ONCE = "at-once"  # its owner replaces all of them, in an order of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """So many instances that are updated before the gate is asked; on `nodes`, where it goes node by node.

    With the last wave the old instances that are left go as well: with one of none, nothing else happens.
    """

    instances: int
    nodes: tuple[str, ...] = ()
    canary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A workload of the step, and how its instances are replaced."""

    ref: ObjectRef
    rollout: Rollout
    instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One installation from one version (or configuration) to the next.

    `do` is the change in its owner's terms, `undo` the way back, in order; without one, `irreversible` says why.
    `kubernetes` runs while it is carried out, `prepares` is the one that asks for it. `skips` are minors that it
    leaps over though the add-on moves one at a time: they are not offered. `disruption` is the class of what stops
    meanwhile, in the catalog's words; `loses`: requests may be lost by it, whatever is done. `soak_s`: so long each
    wave is watched. `targets` are its workloads, `objects` all that belongs to it. `ails`: it is known to be
    unhealthy, and changed all the same; `blind`: also where an SLI cannot be counted. `manifests` are to be
    applied, where its owner is who applies manifests. `restores`: the checkpoint that it goes to, if to no version.
    `configuration`: what of it changes, where the version may stay. `removes`: it is deleted with its objects, so
    that nothing of it is left to be watched.
    """

    id: str
    installation: str
    addon: str
    owner: Owner
    from_version: Version | None
    to_version: Version | None
    do: tuple[Action, ...]
    undo: tuple[Action, ...]
    irreversible: str = ""
    kubernetes: Minor | None = None
    prepares: Minor | None = None
    skips: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    objects: tuple[ObjectRef, ...] = ()
    waves: tuple[Wave, ...] = ()
    objectives: tuple[Objective, ...] = ()
    soak_s: int = 60
    disruption: str = ""
    loses: bool = False
    approval: bool = False
    ails: bool = False
    blind: bool = False
    restores: str = ""
    manifests: ManifestSet | None = None
    configuration: ConfigurationChange | None = None
    removes: bool = False

    @property
    def creates(self) -> bool:
        """Whether there is nothing of it yet."""
        return isinstance(self.owner, EksAddon) and self.creation is not None

    @property
    def creation(self) -> CreateAddon | None:
        """What EKS is to be asked for that it does not keep yet: also over what is there, where it adopts that."""
        return next((each for each in self.do if isinstance(each, CreateAddon)), None)

    @property
    def lets_go(self) -> bool:
        """Whether its owner is to forget it, while its objects stay."""
        return any(isinstance(each, DeleteAddon) and each.preserve for each in self.do)

    def __post_init__(self) -> None:
        assert self.undo or self.irreversible, f"step {self.id}: what cannot be undone says why"


@dataclass(frozen=True, slots=True)
class Premise:
    """What the plan was made for: applying reads the world again, and refuses if it is otherwise."""

    installation: str
    version: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenQuestion:
    """What a plan cannot say: whether an installation supports a Kubernetes, or which version of it does.

    `published`: the versions that do. `unsupported`: the one that is there is known not to, and no step can be planned.
    """

    installation: str
    kubernetes: Minor
    reason: str
    unsupported: bool = False
    published: VersionRange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in the order in which they are carried out, one after the other.

    `kubernetes` runs at the beginning, `target` at the end, where the plan is one for the control plane; it is upgraded
    between the steps of one minor and those of the next.
    """

    cluster: str
    kubernetes: Minor | None
    made: datetime
    goal: str
    steps: tuple[Step, ...]
    target: Minor | None = None
    questions: tuple[OpenQuestion, ...] = ()
    premises: tuple[Premise, ...] = ()

    @property
    def id(self) -> str:
        """Of what it does, not of when it was made: the same plan has the same id."""
        steps = (f"{s.installation} {s.from_version} {s.to_version} {s.restores} {s.do}" for s in self.steps)
        read = (step.manifests.sha256 for step in self.steps if step.manifests)
        configured = (str(step.configuration.changes) for step in self.steps if step.configuration)
        told = "\n".join([self.cluster, *steps, *read, *configured])
        return hashlib.sha256(told.encode()).hexdigest()[:12]
