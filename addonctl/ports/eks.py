"""EKS add-ons of one cluster: described to the letter, changed by EKS's API."""

from typing import Protocol

from addonctl.model import EksUpdate, live


class EksAddons(Protocol):
    """What EKS says of the cluster's add-ons. Shortly after a change it may still say what was before."""

    def names(self) -> tuple[str, ...]:
        """The add-ons that EKS has. Raises NotFound for an unknown cluster."""
        ...

    def describe(self, addon: str) -> live.Addon:
        """The add-on; DEGRADED, CREATE_FAILED and UPDATE_FAILED are statuses, not errors.

        Raises NotFound; Unavailable while its parts are of different times.
        """
        ...

    def update_status(self, addon: str, update_id: str) -> EksUpdate:
        """How an update fares: InProgress, then Successful, Failed (with errors) or Cancelled.

        This, and not the add-on's status, tells its end: the status may lag behind. A Failed update is not undone: the
        new version stays applied. Raises NotFound.
        """
        ...


class EksAddonWriter(Protocol):
    """Changes of add-ons. Everything is said each time, since EKS takes what is left out for a wish.

    `token` makes a call safe to repeat: the same token is the same change, answered again. `role_arn` empty: no role.
    `create` and `update` raise Conflict while EKS is at work on the add-on (one change at a time; no delay is known:
    follow the update), and Invalid when EKS refuses what is asked (a version that it does not offer for this cluster,
    configuration that is not of its schema). No error quotes the configuration.
    """

    def create(
        self,
        addon: str,
        *,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        configuration: str,
        resolve_conflicts: live.ResolveConflicts,
        namespace: str,
        token: str,
    ) -> live.Addon:
        """The add-on, CREATING; `namespace` empty: EKS's own choice. Conflict as well where it exists already."""
        ...

    def update(
        self,
        addon: str,
        *,
        version: str,
        role_arn: str,
        identities: tuple[live.Identity, ...],
        configuration: str,
        resolve_conflicts: live.ResolveConflicts,
        token: str,
    ) -> EksUpdate:
        """The update, to be followed by EksAddons.update_status; an older `version` is the way back.

        `configuration` empty resets it to none, which EKS then describes as `{}`. `identities` replace those that the
        add-on owns. Raises NotFound.
        """
        ...

    def delete(self, addon: str, *, preserve: bool) -> None:
        """Asks for the add-on's end; `preserve` leaves its objects in the cluster. No such add-on: no error."""
        ...
