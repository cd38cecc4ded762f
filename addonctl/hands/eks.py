"""The hand for EKS add-ons: UpdateAddon, with all that the add-on has, followed by its update."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from addonctl.errors import Conflict, NotFound
from addonctl.hands.applied import EKS, managed
from addonctl.hands.base import Kept, NotYet, Ports, Present, goal_of
from addonctl.model import ADDON_IN_FLIGHT, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.owners import EksAddon
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState

# EKS works on one change of an add-on at a time and does not say how long it will.
_BUSY_S = 5.0
_STATES = {"InProgress": OwnerState.AT_WORK, "Successful": OwnerState.DONE}


@dataclass(frozen=True, slots=True)
class EksHand:
    step: Step
    owner: EksAddon
    ports: Ports

    def present(self) -> Present:
        return present_of(self.ports.eks.describe(self.owner.name))

    def kept(self) -> Kept:
        return Kept(eks=self.ports.eks.describe(self.owner.name))

    def applied(self) -> tuple[live.Object, ...]:
        return managed(self.ports.reader, self.step, EKS)

    def hold(self, before: Checkpoint) -> None:
        """EKS writes to the cluster only when it is asked to."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """Nothing was held."""

    def change(self, before: Checkpoint, token: str) -> str:
        goal, wanted = goal_of(self.step, self.ports), _eks(before)
        if goal is not None:
            wanted = replace(wanted, configuration=_eks(goal).configuration)
        return self._ask(wanted, str(self.step.to_version), token)

    def revert(self, before: Checkpoint, token: str) -> str:
        """In any case, since EKS may still describe what was before the change that is to be undone."""
        was = _eks(before)
        try:
            return self._ask(was, was.version, token)
        except Conflict as busy:
            raise NotYet(busy.what, _BUSY_S) from busy

    def _ask(self, wanted: live.Addon, version: str, token: str) -> str:
        update = self.ports.eks_writer.update(
            wanted.name,
            version=version,
            role_arn=wanted.role_arn,
            identities=wanted.identities,
            configuration=wanted.configuration,
            resolve_conflicts=live.ResolveConflicts.PRESERVE,
            token=token,
        )
        return update.id

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        """What EKS says of the update: the add-on's own status lags, and DEGRADED is no failure."""
        if not ticket:
            return OwnerState.IDLE, ""
        try:
            update = self.ports.eks.update_status(self.owner.name, ticket)
        except NotFound:
            return OwnerState.AT_WORK, "EKS does not know of its update yet"
        detail = "; ".join(f"{each.code}: {each.message}" for each in update.errors)
        return _STATES.get(update.status, OwnerState.FAILED), detail

    def differences(self, before: Checkpoint) -> Iterator[str]:
        was, now = _eks(before), self.ports.eks.describe(self.owner.name)
        if now.version != was.version or not alike(now, was):
            yield f"EKS add-on {now.name}"


def _eks(before: Checkpoint) -> live.Addon:
    assert before.eks is not None, f"the checkpoint of {before.installation} is one of an EKS add-on"
    return before.eks


def described(ports: Ports, name: str) -> live.Addon | None:
    """The add-on as EKS keeps it; None: EKS does not."""
    try:
        return ports.eks.describe(name)
    except NotFound:
        return None


def present_of(found: live.Addon | None) -> Present:
    """What EKS has; while it is at work on it, nothing can be changed."""
    if found is None:
        return Present("")
    return Present(found.version, f"EKS says {found.status}" if found.status in ADDON_IN_FLIGHT else "")


def alike(one: live.Addon, other: live.Addon) -> bool:
    """Whether EKS keeps the same beside the version; a configuration that was reset is described as `{}`."""
    mine, its = ((each.role_arn, each.identities, each.configuration.replace("{}", "")) for each in (one, other))
    return mine == its
