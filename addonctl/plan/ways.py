"""A change in the terms of who keeps an installation, and the way back."""

from dataclasses import dataclass

from addonctl.catalog import EksAddonVersions
from addonctl.compatibility import update_fix
from addonctl.model import Action, GitChange, HelmRollback, HelmUpgrade, Installation, Note, owners
from addonctl.plan.case import Case
from addonctl.remediation import eks_addon, update_addon
from addonctl.versions import Minor, Version, parse, pinned


@dataclass(frozen=True, slots=True)
class Way:
    """A change, and the way back or why there is none."""

    do: tuple[Action, ...]
    undo: tuple[Action, ...]
    irreversible: str = ""


def by_eks(
    case: Case, row: Installation, listed: EksAddonVersions, was: Version, to: Version, kubernetes: Minor
) -> Way:
    """UpdateAddon there and back; EKS goes back to nothing that it does not offer."""
    cluster, eks = case.view.snapshot.cluster.eks_name, case.view.snapshot.eks
    installed = eks_addon(row, eks.addons) if eks else None
    there, again = (update_addon(cluster, listed.name, str(version), installed) for version in (to, was))
    if was in listed.offered(kubernetes):
        return Way((there,), (again,))
    return Way((there,), (), f"AWS offers no {listed.name} {was} for Kubernetes {kubernetes} any more")


def by_its_installer(case: Case, row: Installation, goal: Version | None, wanted: Minor) -> Way:
    """The same in the terms of who installed it; without a goal, a person chooses the version."""
    there = _there(case, row, goal) if goal else update_fix(row, case.view, case.catalog, wanted)
    return Way(there, (back(case, row),))


def back(case: Case, row: Installation) -> Action:
    match row.owner:
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            release = case.release(row)
            revision = release.revision_in_use if release else 0
            return HelmRollback(namespace=namespace, name=name, revision=revision)
        case owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
            field, was = _pinned(case, row)
            change = f"set {field} back to {was}" if field else f"revert that commit, back to {row.version}"
            return GitChange(owner=row.owner, change=change)
    return Note(f"Apply the manifests of {row.addon} {row.version} again.")


def present(case: Case, row: Installation) -> Version | None:
    """The version that its installer counts by: a Helm release's chart, what a controller's object names."""
    release = case.release(row)
    return _pinned(case, row)[1] or (parse(release.chart_version) if release else None) or row.version


def _there(case: Case, row: Installation, goal: Version) -> tuple[Action, ...]:
    match row.owner:
        case owners.HelmRelease(name=name) if name:
            return (_helm_upgrade(case, row, goal),)
        case owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
            field = _pinned(case, row)[0] or "the version"
            by_manifests = isinstance(row.owner, owners.FluxKustomization)
            change = f"bring the manifests of {row.addon} {goal}" if by_manifests else f"set {field} to {goal}"
            return (GitChange(owner=row.owner, change=change),)
    return (Note(f"Apply the manifests of {row.addon} {goal}."),)


def _pinned(case: Case, row: Installation) -> tuple[str, Version | None]:
    """Which field of a GitOps controller's object has the version, and which; empty where its repository has it."""
    snapshot = case.view.snapshot
    match row.owner:
        case owners.ArgoApplication(namespace=namespace, name=name):
            apps = [each for each in snapshot.applications if (each.namespace, each.name) == (namespace, name)]
            field, texts = "its targetRevision", [each.target_revision for each in apps]
        case owners.FluxHelmRelease(namespace=namespace, name=name):
            kept = [each for each in snapshot.flux_helm_releases if (each.namespace, each.name) == (namespace, name)]
            field, texts = "its chart's version", [each.chart_version for each in kept]
        case _:
            return "", None
    version = pinned(texts[0]) if texts else None
    return (field, version) if version else ("", None)


def _helm_upgrade(case: Case, row: Installation, goal: Version) -> HelmUpgrade:
    """With the chart that the release has, from the repository where the catalog knows it."""
    assert isinstance(row.owner, owners.HelmRelease), row.owner
    release, addon = case.release(row), case.addon(row)
    charts = addon.install.charts if addon else ()
    known = next((chart for chart in charts if (chart.name == release.chart if release else chart.main)), None)
    chart, repository = (known.name, known.repository) if known else ("", "")
    if repository.startswith("oci://"):  # a registry names the chart itself; some repositories end with its name
        chart, repository = f"{repository.rstrip('/').removesuffix(f'/{chart}')}/{chart}", ""
    return HelmUpgrade(
        namespace=row.owner.namespace,
        name=row.owner.name,
        chart=chart,
        repository=repository,
        version=str(goal),
        choose=str(goal),
    )
