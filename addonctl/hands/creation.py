"""The hands that bring an add-on into EKS's keeping, and out of it: CreateAddon, of what is not there or over what
somebody applied, and DeleteAddon that leaves the objects.

What was created has a mark, so that going back deletes nothing that somebody else created at the same moment. EKS says
of a creation only what state the add-on is in.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from addonctl.errors import Invalid
from addonctl.hands.applied import EKS, appliers, managed
from addonctl.hands.base import Kept, NotYet, Ports, Present, goal_of
from addonctl.hands.eks import alike, described, present_of
from addonctl.hands.manifests import ManifestHand
from addonctl.model import ADDON_IN_FLIGHT, live
from addonctl.model.action import CreateAddon
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.owners import Manifest
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState

_SOON_S = 5.0
_STATES = {"ACTIVE": OwnerState.DONE, "DEGRADED": OwnerState.DONE} | dict.fromkeys(ADDON_IN_FLIGHT, OwnerState.AT_WORK)


@dataclass(frozen=True, slots=True)
class CreateHand:
    """`preserve`: what is in the cluster stays when the add-on is deleted again."""

    step: Step
    wanted: CreateAddon
    ports: Ports
    preserve: bool = False

    def present(self) -> Present:
        return present_of(self._found())

    def kept(self) -> Kept:
        return Kept(eks=self._found())

    def applied(self) -> tuple[live.Object, ...]:
        """EKS deletes what it has created."""
        return ()

    def hold(self, before: Checkpoint) -> None:
        """EKS has nothing of it to hold."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """Nothing was held."""

    def change(self, before: Checkpoint, token: str) -> str:
        """Once: what has the mark was created by this step."""
        found = self._found()
        if found is not None and found.mark != _mark(before):
            raise Invalid(f"Somebody has created EKS add-on {found.name} meanwhile", "Update it.")
        return (found or self._create(before, token)).arn

    def _create(self, before: Checkpoint, token: str) -> live.Addon:
        goal = goal_of(self.step, self.ports)
        return self.ports.eks_writer.create(
            self.wanted.addon,
            version=str(self.step.to_version),
            role_arn=self.wanted.role_arn,
            identities=(),
            configuration=goal.eks.configuration if goal and goal.eks else "",
            resolve_conflicts=live.ResolveConflicts(self.wanted.resolve_conflicts),
            namespace="",
            token=token,
            mark=_mark(before),
        )

    def revert(self, before: Checkpoint, token: str) -> str:
        """Deletes it, if this step created it; until it is gone. Raises NotYet meanwhile."""
        found = self._found()
        if found is None or found.mark != _mark(before):
            return ""
        if found.status != "DELETING":
            self.ports.eks_writer.delete(self.wanted.addon, preserve=self.preserve)
        raise NotYet(f"EKS deletes {self.wanted.addon}", _SOON_S)

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """DEGRADED is no failure: whether it serves, its instances show."""
        found = self._found()
        if not ticket or found is None:
            return OwnerState.IDLE, ""
        detail = "; ".join(f"{each.code}: {each.message}" for each in found.issues)
        return _STATES.get(found.status, OwnerState.FAILED), detail

    def differences(self, before: Checkpoint) -> Iterator[str]:
        found = self._found()
        if found is not None and found.mark == _mark(before):
            yield f"EKS add-on {found.name}, which is still there"

    def _found(self) -> live.Addon | None:
        return described(self.ports, self.wanted.addon)


@dataclass(frozen=True, slots=True)
class AdoptHand:
    """Over what somebody applied: back is their objects as they were, and EKS has nothing to do with them."""

    step: Step
    owner: Manifest
    wanted: CreateAddon
    ports: Ports

    @property
    def _eks(self) -> CreateHand:
        return CreateHand(self.step, self.wanted, self.ports, preserve=True)

    @property
    def _objects(self) -> ManifestHand:
        return ManifestHand(self.step, self.owner, self.ports)

    def present(self) -> Present:
        kept = self._eks.present()
        return kept if kept.version else Present(self._objects.present().version)

    def kept(self) -> Kept:
        return self._eks.kept()

    def applied(self) -> tuple[live.Object, ...]:
        return managed(self.ports.reader, self.step, appliers(self.owner) | EKS)

    def hold(self, before: Checkpoint) -> None:
        """Nobody applies by himself."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """Nothing was held."""

    def change(self, before: Checkpoint, token: str) -> str:
        return self._eks.change(before, token)

    def revert(self, before: Checkpoint, token: str) -> str:
        self._eks.revert(before, token)
        return self._objects.revert(before, token)

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        return self._eks.state(ticket)

    def differences(self, before: Checkpoint) -> Iterator[str]:
        yield from self._eks.differences(before)
        yield from self._objects.differences(before)


@dataclass(frozen=True, slots=True)
class LetGoHand:
    """EKS forgets the add-on, and its objects stay as they are; back is EKS's creation over them."""

    step: Step
    name: str
    ports: Ports

    def present(self) -> Present:
        return present_of(described(self.ports, self.name))

    def kept(self) -> Kept:
        return Kept(eks=described(self.ports, self.name))

    def applied(self) -> tuple[live.Object, ...]:
        return managed(self.ports.reader, self.step, EKS)

    def hold(self, before: Checkpoint) -> None:
        """EKS writes to the cluster only when it is asked to."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """Nothing was held."""

    def change(self, before: Checkpoint, token: str) -> str:
        self.ports.eks_writer.delete(self.name, preserve=True)
        return token

    def revert(self, before: Checkpoint, token: str) -> str:
        """As the checkpoint has it; objects that EKS owns are no conflict, and what others set stays."""
        found, was = described(self.ports, self.name), before.eks
        assert was is not None, f"the checkpoint of {before.installation} is one of an EKS add-on"
        if found is not None and found.status == "DELETING":
            raise NotYet(f"EKS deletes {self.name}", _SOON_S)
        if found is None:
            self.ports.eks_writer.create(
                self.name,
                version=was.version,
                role_arn=was.role_arn,
                identities=was.identities,
                configuration=was.configuration,
                resolve_conflicts=live.ResolveConflicts.PRESERVE,
                namespace=was.namespace,
                token=token,
                mark=was.mark,
            )
        return token

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """It is done when EKS knows nothing of it; what EKS keeps is as far as EKS says."""
        found = described(self.ports, self.name)
        if not ticket:
            return OwnerState.IDLE, ""
        if found is None:
            return OwnerState.DONE, ""
        detail = "; ".join(f"{each.code}: {each.message}" for each in found.issues)
        return _STATES.get(found.status, OwnerState.FAILED), detail

    def differences(self, before: Checkpoint) -> Iterator[str]:
        found = described(self.ports, self.name)
        if found is None or before.eks is None or not alike(found, before.eks) or found.version != before.eks.version:
            yield f"EKS add-on {self.name}"


def _mark(before: Checkpoint) -> str:
    """Of one attempt: its checkpoint was made just before it."""
    told = f"{before.cluster} {before.installation} {before.taken.isoformat()}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]
