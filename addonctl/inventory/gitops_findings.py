"""Add-ons that Argo CD or Flux say they cannot apply, in that installer's words; also where nothing runs (INV008).

Decided from the Applications, HelmReleases and Kustomizations that keep an installation, or declare one of which
nothing runs. Called by the inventory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from addonctl.findings import finding, makes
from addonctl.inventory.rows import Row
from addonctl.model import (
    Application,
    Condition,
    Evidence,
    Finding,
    FluxHelmRelease,
    FluxKustomization,
    Installation,
    InstallationRef,
    Owner,
    Severity,
    View,
    owners,
)
from addonctl.remediation import kubectl

_Record = Application | FluxHelmRelease | FluxKustomization
# Reasons of Flux's Ready condition that say that work goes on. Source: Flux API reference, condition reasons.
_UNDER_WAY = frozenset({"Progressing", "DependencyNotReady", "ProgressingWithRetry", "Suspended"})
_BAD_PHASES, _BAD_HEALTH = ("Failed", "Error"), ("Degraded", "Missing")


@makes("INV008")
def gitops_findings(rows: Iterable[Row], declared: Iterable[Installation], view: View) -> Iterator[Finding]:
    """One finding for each such object."""
    failing: dict[Owner, tuple[_Record, list[str]]] = {
        owner: (record, why) for owner, record in _records(view) if (why := _why(record))
    }
    kept: dict[Owner, InstallationRef] = {}
    for row in rows:
        for claim in row.installation.claims:
            if claim.owner in failing:
                name = InstallationRef(row.installation.id, row.installation.addon, topic=str(claim.owner))
                kept.setdefault(claim.owner, name)
    missing = {row.owner: InstallationRef(row.id, row.addon) for row in declared if not row.destination}
    for owner, (record, why) in failing.items():
        subject = kept.get(owner) or missing.get(owner)
        if subject is not None:
            severity = None if owner in kept else Severity.REQUIRED
            fix = (kubectl("describe", record.ref),)
            yield finding("INV008", subject, *_shown(owner, record, why), fix=fix, severity=severity)


def _records(view: View) -> Iterator[tuple[Owner, _Record]]:
    for app in view.applications:
        yield owners.ArgoApplication(app.namespace, app.name), app
    for release in view.flux_helm_releases:
        yield owners.FluxHelmRelease(release.namespace, release.name), release
    for one in view.snapshot.flux_kustomizations:
        yield owners.FluxKustomization(one.namespace, one.name), one


def _shown(owner: Owner, record: _Record, why: Sequence[str]) -> list[Evidence]:
    return [Evidence(kind="installer", subject=str(owner), detail=detail, ref=record.ref) for detail in why]


def _why(record: _Record) -> list[str]:
    """What the installer says is wrong; empty if nothing is, if it is suspended, or if it is still at work."""
    if isinstance(record, Application):
        return list(_of_application(record))
    if record.suspended:
        return []
    said: Mapping[str, Condition] = {condition.type: condition for condition in record.conditions}
    stalled, ready = said.get("Stalled"), said.get("Ready")
    if stalled is not None and stalled.status == "True":
        return [f"Stalled: {_in_words(stalled)}"]
    at_work = said.get("Reconciling") is not None and said["Reconciling"].status == "True"
    if ready is not None and ready.status == "False" and ready.reason not in _UNDER_WAY:
        retried = " (it tries again)" if at_work else ""
        return [f"Ready is False: {_in_words(ready)}{retried}"]
    return []


def _of_application(app: Application) -> Iterator[str]:
    if app.operation in _BAD_PHASES:
        yield f"its last sync {'failed' if app.operation == 'Failed' else 'ended in an error'}: {app.operation_message}"
    for condition in app.conditions:
        if condition.type.endswith("Error"):
            yield f"{condition.type}: {_in_words(condition)}"
    if app.health in _BAD_HEALTH:
        yield f"its health is {app.health}; its sync status is {app.sync or 'unknown'}"


def _in_words(condition: Condition) -> str:
    return " ".join(filter(None, (condition.reason, " ".join(condition.message.split()))))
