"""Helm releases of one cluster: their lossless history, and changes through Helm."""

from collections.abc import Mapping
from typing import Any, Protocol

from addonctl.model import live


class HelmReleases(Protocol):
    """Helm's records. A failed revision is a status (`failed`, `pending-upgrade`), not an error."""

    def history(self, namespace: str, name: str) -> tuple[live.Release, ...]:
        """The stored revisions, oldest first. Raises NotFound when there is none."""
        ...

    def manifest(self, namespace: str, name: str, revision: int) -> str:
        """The objects that a revision rendered, as YAML, with Secrets and without hooks. Raises NotFound."""
        ...

    def objects(self, namespace: str, name: str, revision: int) -> tuple[live.Object, ...]:
        """The same, parsed. Those without a namespace are in the release's. Raises NotFound."""
        ...


class HelmWriter(Protocol):
    """Changes of releases. Every change is a new revision, so read the newest before repeating one.

    All raise NotFound when there is no such release (or revision), Conflict while another operation on it is pending or
    when another manager owns a field that the chart sets otherwise, TimedOut when the objects did not become ready in
    `timeout_s` (they stay applied, the revision is `failed`), and Invalid when Helm or the server rejects the change.
    No error quotes a value of the release. Without `wait` only hooks are waited for, not the objects. A rollback is
    not refused while an operation is pending: it is the way out after a helm that was killed.
    """

    def upgrade(
        self,
        namespace: str,
        name: str,
        *,
        chart: str,
        version: str,
        values: Mapping[str, Any],
        timeout_s: int,
        repository: str = "",
        wait: bool = True,
        dry_run: bool = False,
    ) -> live.Release:
        """The new revision: `chart` at `version` with exactly `values`.

        `chart` is a name in `repository` (an address), or without one a path, an OCI or a repository reference.

        No values are reused: to keep what the user set, pass the values of the current revision.
        """
        ...

    def rollback(
        self, namespace: str, name: str, *, revision: int, timeout_s: int, wait: bool = True, dry_run: bool = False
    ) -> None:
        """Applies the contents of `revision` as a new revision."""
        ...

    def uninstall(self, namespace: str, name: str, *, timeout_s: int, dry_run: bool = False) -> None:
        """Deletes the release, its objects and its history. Not an error if it does not exist."""
        ...
