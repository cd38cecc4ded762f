"""EKS add-ons of one cluster: described losslessly, and changed, through the EKS API."""

from typing import Protocol

from addonctl.model import EksUpdate, live


class EksAddons(Protocol):
    """The cluster's EKS add-ons. Eventually consistent: shortly after a change, the old state may be returned."""

    def names(self) -> tuple[str, ...]:
        """The names of the EKS add-ons. Raises NotFound for an unknown cluster."""
        ...

    def describe(self, addon: str) -> live.Addon:
        """The add-on; DEGRADED, CREATE_FAILED and UPDATE_FAILED are statuses, not errors.

        Raises NotFound; Unavailable while EKS returns parts of different ages.
        """
        ...

    def configuration_schema(self, addon: str, version: str) -> str:
        """The JSON schema, as text, of the configuration that a version of an add-on takes.

        Raises NotFound when EKS has no such add-on or version.
        """
        ...

    def update_status(self, addon: str, update_id: str) -> EksUpdate:
        """The status of an update: InProgress, then Successful, Failed (with errors) or Cancelled.

        This, not the add-on's status, shows when it is over: the add-on's status may lag. A Failed update is not
        rolled back: the new version stays applied. Raises NotFound.
        """
        ...


class EksAddonWriter(Protocol):
    """Changes of add-ons. Every setting is sent each time, since EKS removes or resets what is omitted.

    `token` makes a call idempotent: the same token is the same change. An empty `role_arn` means no role.
    `create` and `update` raise Conflict while EKS is changing the add-on (one change at a time; there is no known
    delay: follow the update), and Invalid when EKS rejects the request (a version that it does not offer for this
    cluster, configuration that does not match its schema). No error quotes the configuration.
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
        mark: str = "",
    ) -> live.Addon:
        """The add-on, CREATING; an empty `namespace` is EKS's default. Raises Conflict also when it already exists.

        `mark` is kept with it, and describe tells it.
        """
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
        """The update, to be followed with EksAddons.update_status; an older `version` rolls back.

        An empty `configuration` resets it, and EKS then describes it as `{}`. `identities` replace those that the
        add-on owns. Raises NotFound.
        """
        ...

    def delete(self, addon: str, *, preserve: bool) -> None:
        """Starts the deletion; `preserve` leaves its objects in the cluster. Not an error if it does not exist."""
        ...
