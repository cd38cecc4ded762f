"""The hands that delete an add-on with its objects: EKS's DeleteAddon, `helm uninstall`. Nothing brings it back.

What is left to be watched is the rest of the cluster. Called through hand().
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from addonctl.errors import Invalid, NotFound
from addonctl.hands.applied import EKS, managed, rendered
from addonctl.hands.base import Kept, Ports, Present, as_written
from addonctl.hands.eks import described
from addonctl.model import ADDON_IN_FLIGHT, live
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.owners import EksAddon, HelmRelease
from addonctl.model.plan import Step
from addonctl.model.run import OwnerState

_HOOK_S = 120  # so long Helm waits for each hook, and for its objects to be gone


class Removing(Protocol):
    """What owners differ in."""

    def kept(self) -> Kept: ...

    def applied(self) -> tuple[live.Object, ...]: ...

    def status(self) -> tuple[str, str]:
        """The version and what the owner says of it; both empty where it is gone."""
        ...

    def remove(self) -> None:
        """Once more is no error."""
        ...


@dataclass(frozen=True, slots=True)
class RemoveHand:
    step: Step
    owner: Removing

    def present(self) -> Present:
        version, status = self.owner.status()
        return Present(version, f"it is {status}" if status in _UNSETTLED else "")

    def kept(self) -> Kept:
        return self.owner.kept()

    def applied(self) -> tuple[live.Object, ...]:
        return self.owner.applied()

    def hold(self, before: Checkpoint) -> None:
        """Nothing of it is changed before it goes."""

    def let_go(self, before: Checkpoint, token: str) -> None:
        """Nothing was held."""

    def change(self, before: Checkpoint, token: str) -> str:
        self.owner.remove()
        return token

    def revert(self, before: Checkpoint, token: str) -> str:
        """Never called: what cannot be undone is left to a person."""
        raise Invalid(f"{self.step.installation} is deleted", "Install it anew.")

    def state(self, ticket: str) -> tuple[OwnerState, str]:
        version, status = self.owner.status()
        if not ticket:
            return OwnerState.IDLE, ""
        if not version:
            return OwnerState.DONE, ""
        return (OwnerState.FAILED if status in _FAILED else OwnerState.AT_WORK), status

    def differences(self, before: Checkpoint) -> Iterator[str]:
        if not self.owner.status()[0]:
            yield f"{self.step.owner}, which is gone"


_UNSETTLED = (*ADDON_IN_FLIGHT, "uninstalling", "pending-install", "pending-upgrade", "pending-rollback")
_FAILED = ("DELETE_FAILED", "failed")


@dataclass(frozen=True, slots=True)
class EksRemoving:
    step: Step
    owner: EksAddon
    ports: Ports

    def kept(self) -> Kept:
        return Kept(eks=described(self.ports, self.owner.name))

    def applied(self) -> tuple[live.Object, ...]:
        return managed(self.ports.reader, self.step, EKS)

    def status(self) -> tuple[str, str]:
        found = described(self.ports, self.owner.name)
        return (found.version, found.status) if found else ("", "")

    def remove(self) -> None:
        self.ports.eks_writer.delete(self.owner.name, preserve=False)


@dataclass(frozen=True, slots=True)
class HelmRemoving:
    step: Step
    owner: HelmRelease
    ports: Ports

    def kept(self) -> Kept:
        return Kept(helm=self._newest())

    def applied(self) -> tuple[live.Object, ...]:
        newest = self._newest()
        return rendered(self.ports, self.owner.namespace, self.owner.name, newest.revision) if newest else ()

    def status(self) -> tuple[str, str]:
        newest = self._newest()
        return (as_written(self.step, newest.chart_version), newest.status) if newest else ("", "")

    def remove(self) -> None:
        """Helm waits for its objects to be gone."""
        self.ports.helm_writer.uninstall(self.owner.namespace, self.owner.name, timeout_s=_HOOK_S)

    def _newest(self) -> live.Release | None:
        try:
            return self.ports.helm.history(self.owner.namespace, self.owner.name)[-1]
        except NotFound:
            return None
