"""Helm releases of one cluster: their history to the letter, changed as Helm changes them."""

from collections.abc import Mapping
from typing import Any, Protocol

from addonctl.model import live


class HelmReleases(Protocol):
    """What Helm has recorded. A failed revision is a status (`failed`, `pending-upgrade`), not an error."""

    def history(self, namespace: str, name: str) -> tuple[live.Release, ...]:
        """The revisions that are kept, oldest first. Raises NotFound where there is none."""
        ...

    def manifest(self, namespace: str, name: str, revision: int) -> str:
        """The objects that a revision rendered, as YAML, Secrets included; hooks are not. Raises NotFound."""
        ...


class HelmWriter(Protocol):
    """Changes of releases. Every change is a new revision, so the newest is read before one is repeated.

    All raise NotFound where there is no such release (or revision), Conflict while another operation on it is pending,
    TimedOut when what was applied did not become ready in `timeout_s` (it stays applied, the revision is `failed`), and
    Invalid when Helm or the server refuses. No value of the release stands in an error.
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
        dry_run: bool = False,
    ) -> live.Release:
        """The new revision: `chart` (a path, an OCI or repository reference) at `version` with exactly `values`.

        To keep what the user set, pass the values of the present revision: nothing is kept otherwise.
        """
        ...

    def rollback(self, namespace: str, name: str, *, revision: int, timeout_s: int, dry_run: bool = False) -> None:
        """Applies what `revision` was, as a new revision."""
        ...

    def uninstall(self, namespace: str, name: str, *, timeout_s: int, dry_run: bool = False) -> None:
        """Deletes the release, its objects and its history. No such release: no error."""
        ...
