"""Helm releases of add-ons whose last change failed, or began and never ended (INV007).

Decided from the newest record of each release that an installation has. What Flux keeps is left to Flux's own status,
which says the same. Called by the inventory.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from addonctl.findings import finding, makes
from addonctl.inventory.rows import Row
from addonctl.model import (
    Action,
    CommandLine,
    Evidence,
    Finding,
    HelmRelease,
    HelmRollback,
    InstallationRef,
    Note,
    Severity,
    View,
    owners,
)

_FAILED = "failed"
_HANGS = frozenset({"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"})
# Whoever waits for an upgrade rarely waits longer: Helm's own limit is five minutes.
_UNDER_WAY = timedelta(hours=1)


@makes("INV007")
def release_findings(rows: Iterable[Row], view: View) -> Iterator[Finding]:
    """One finding a release; one that may still be under way is none."""
    for row in rows:
        kept = {claim.owner for claim in row.installation.claims}
        for release in row.group.releases:
            owner = owners.HelmRelease(release.namespace, release.name)
            if owner in kept and (release.status == _FAILED or _hangs(release, view)):
                subject = InstallationRef(row.installation.id, row.installation.addon, topic=str(owner))
                yield _finding(subject, release)


def _hangs(release: HelmRelease, view: View) -> bool:
    long = release.updated is None or view.snapshot.taken - release.updated > _UNDER_WAY
    return release.status in _HANGS and long


def _finding(subject: InstallationRef, release: HelmRelease) -> Finding:
    deployed = f"revision {release.deployed_revision} is deployed" if release.deployed_revision else "none is deployed"
    detail = f"revision {release.revision} {_how_it_went(release)}; {deployed}"
    bad = release.status in _HANGS or not release.deployed_revision
    return finding(
        "INV007",
        subject,
        Evidence(kind="helm", subject=subject.topic, detail=detail),
        fix=_fix(release),
        severity=Severity.REQUIRED if bad else None,
    )


def _how_it_went(release: HelmRelease) -> str:
    day = f"{release.updated:%Y-%m-%d %H:%M} UTC" if release.updated else ""
    if release.status == _FAILED:
        return f"failed on {day}" if day else "failed"
    return f"has been {release.status} since {day}" if day else f"is {release.status}"


def _fix(release: HelmRelease) -> tuple[Action, ...]:
    look = CommandLine(("helm", "history", release.name, "-n", release.namespace), why="says what went wrong:")
    if release.status == "uninstalling":
        return (look, Note("To remove it, uninstall it again."))
    if not release.deployed_revision:
        return (look, Note("No revision was deployed before it: install it again (helm upgrade --install)."))
    why = "back to what is deployed; then upgrade again:"
    return (
        look,
        HelmRollback(namespace=release.namespace, name=release.name, revision=release.deployed_revision, why=why),
    )
