"""API versions that Kubernetes removes and what still uses them: live objects, Helm releases, files, webhooks.

What counts is the version that an object was written with, from managedFields and last-applied, not the one that the
server converts its responses to. Called by check_compatibility.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from addonctl.catalog import ApiRemoval, Catalog, Kubernetes, plural
from addonctl.compatibility.support import KubernetesStatus
from addonctl.findings import finding, makes
from addonctl.model import (
    Action,
    ApiVersionRef,
    Applier,
    Apply,
    CommandLine,
    Evidence,
    Finding,
    GitChange,
    HelmUpgrade,
    KubernetesObject,
    Note,
    ObjectRef,
    Owner,
    Rule,
    Severity,
    View,
    owners,
)

# They are updated with the control plane, and use versions that it serves.
_CONTROL_PLANE = frozenset(
    {
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "cloud-controller-manager",
        "kubelet",
        "k8s-controlplane-gce",
        "before-first-apply",
    }
)
# Field managers of GitOps controllers, which restore what is in Git.
_FROM_GIT = {
    "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiUse:
    """An object written with a deprecated or removed API version, and its writers: field managers or a Helm release.

    `git` is the GitOps object that manages it, None if that is not known.
    """

    ref: ObjectRef
    removal: ApiRemoval
    managers: tuple[str, ...] = ()
    release: owners.HelmRelease | None = None
    in_files: bool = False
    git: Owner | None = None

    @property
    def subject(self) -> ApiVersionRef:
        return ApiVersionRef(self.removal.api_version, self.removal.kind, self.release, self.in_files)


def uses(view: View, kubernetes: Kubernetes) -> Iterator[ApiUse]:
    """All uses of API versions that are or will be deprecated."""
    applications = _applications(view)
    for thing in view.snapshot.objects():
        ref = thing.ref
        written: dict[ApiRemoval, list[Applier]] = {}
        for applier in _still_writing(ref.kind, thing.appliers, kubernetes):
            removal = kubernetes.removal(applier.api_version, ref.kind)
            if removal is not None:
                written.setdefault(removal, []).append(applier)
        for removal, appliers in written.items():
            git = _flux_keeper(thing) or applications.get(ref)
            yield from _written(ref, removal, appliers, git)
    flux = _flux_releases(view)
    for release in view.helm_releases:
        owner = owners.HelmRelease(release.namespace, release.name)
        for item in release.objects:
            removal = kubernetes.removal(item.api_version, item.kind)
            if removal is not None:
                ref = ObjectRef(kind=item.kind, name=item.name, namespace=item.namespace, group=removal.group)
                yield ApiUse(ref=ref, removal=removal, release=owner, git=flux.get((release.namespace, release.name)))


def _written(ref: ObjectRef, removal: ApiRemoval, appliers: Sequence[Applier], git: Owner | None) -> Iterator[ApiUse]:
    """The writers of live objects; objects in files have none yet."""
    if any(applier.operation == "File" for applier in appliers):
        yield ApiUse(ref=ref, removal=removal, in_files=True)
    live = tuple(dict.fromkeys(applier.manager for applier in appliers if applier.operation != "File"))
    if live:
        yield ApiUse(ref=ref, removal=removal, managers=live, git=git)


def _still_writing(kind: str, appliers: Sequence[Applier], kubernetes: Kubernetes) -> Iterator[Applier]:
    """Without the control plane, and without managers that have since written with a version that remains.

    managedFields keep an old entry as long as one of its fields was not changed since.
    """
    moved_on = {applier.manager for applier in appliers if kubernetes.removal(applier.api_version, kind) is None}
    if any(a.operation == "LastApplied" and a.manager in moved_on for a in appliers):
        moved_on |= {"kubectl-client-side-apply", "kubectl"}
    for applier in appliers:
        if applier.manager not in _CONTROL_PLANE and applier.manager not in moved_on:
            yield applier


# ── GitOps objects ──────────────────────────────────────────────────────────────────────────────────────────────────


def _applications(view: View) -> dict[ObjectRef, Owner]:
    """Objects in the status of the Argo CD Applications that deploy to this cluster."""
    return {
        view.located(ref, app.destination_namespace): owners.ArgoApplication(app.namespace, app.name, app.auto_sync)
        for app in view.applications
        for ref in app.resources
    }


def _flux_keeper(thing: KubernetesObject) -> Owner | None:
    """The Flux object named by an object's labels."""
    for group, kind in (
        ("kustomize.toolkit.fluxcd.io", owners.FluxKustomization),
        ("helm.toolkit.fluxcd.io", owners.FluxHelmRelease),
    ):
        name = thing.labels.get(f"{group}/name")
        if name:
            return kind(thing.labels.get(f"{group}/namespace", ""), name)
    return None


def _flux_releases(view: View) -> dict[tuple[str, str], Owner]:
    """Helm releases that a Flux HelmRelease manages."""
    return {
        (each.target_namespace, each.release): owners.FluxHelmRelease(each.namespace, each.name)
        for each in view.flux_helm_releases
    }


# ── Findings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("API001", "API002", "API003")
def api_findings(view: View, catalog: Catalog, status: KubernetesStatus) -> Iterator[Finding]:
    """One finding per API version and writer; the objects are its evidence."""
    together: dict[ApiVersionRef, list[ApiUse]] = {}
    for use in uses(view, catalog.kubernetes):
        together.setdefault(use.subject, []).append(use)
    for subject, same in together.items():
        removal = same[0].removal
        code, severity = _code(removal, status)
        if code:
            replacement = catalog.kubernetes.replacement(removal, status.newest)
            shown = (_evidence(use) for use in dict.fromkeys(same))
            yield finding(code, subject, *shown, fix=_fix(same, replacement), severity=severity)


def _code(removal: ApiRemoval, status: KubernetesStatus) -> tuple[str, Severity | None]:
    """API001: removed from every possible running minor; API002: removed in a later one checked; API003: deprecated."""
    removed, deprecated = removal.removed_in, removal.deprecated_in or removal.removed_in
    if removed is not None and removed <= status.oldest:
        return "API001", None
    if removed is not None and removed <= status.newest:
        soon = bool(status.targets) and removed <= status.next
        return "API002", Severity.REQUIRED if soon else Severity.RECOMMENDED
    if deprecated is not None and deprecated <= status.newest:
        return "API003", None
    return "", None


def _evidence(use: ApiUse) -> Evidence:
    removal = use.removal
    ends = f"removed in {removal.removed_in}" if removal.removed_in else f"deprecated since {removal.deprecated_in}"
    by = f", written by {', '.join(use.managers)}" if use.managers else ""
    return Evidence(kind="api", subject=str(use.ref), detail=ends + by, ref=use.ref)


def _fix(same: Sequence[ApiUse], replacement: str) -> list[Action]:
    first = same[0]
    if first.release is not None:
        without = f"without a {first.removal.kind}: there is no replacement"
        return _helm_fix(first.release, first.git, f"that writes {replacement}" if replacement else without)
    if not replacement:
        return [Note(f"There is no replacement: remove the {first.removal.kind}.")]
    written = f"write it as apiVersion: {replacement}"
    if first.in_files:
        return [Note(f"W{written[1:]}.")]
    by_git = [use for use in same if any(manager in _FROM_GIT for manager in use.managers)]
    kept = dict.fromkeys(use.git for use in by_git if use.git is not None)
    actions: list[Action] = [GitChange(owner=owner, change=written) for owner in kept]
    unseen = dict.fromkeys(_FROM_GIT[m] for use in by_git if use.git is None for m in use.managers if m in _FROM_GIT)
    actions += [Note(f"In Git, {written}; {who} applies it from there and undoes other changes.") for who in unseen]
    if any(manager not in _FROM_GIT for use in same for manager in use.managers):
        actions.append(Apply(what=f"its manifest with apiVersion: {replacement}"))
    return actions


def _helm_fix(release: owners.HelmRelease, git: Owner | None, chart: str) -> list[Action]:
    """Helm compares with its stored manifest, so every upgrade fails until that is rewritten.

    `chart` describes the version that is needed.
    """
    namespace = ("-n", release.namespace) if release.namespace else ()
    why = "rewrites the stored manifest (plugin helm-mapkubeapis); then upgrade:"
    stored = CommandLine(("helm", "mapkubeapis", release.name, *namespace), why=why)
    if git is not None:
        return [stored, GitChange(owner=git, change=f"set the chart's version to one {chart}")]
    return [stored, HelmUpgrade(namespace=release.namespace, name=release.name, choose=chart)]


# ── Webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("API004")
def webhook_findings(view: View, catalog: Catalog, status: KubernetesStatus) -> Iterator[Finding]:
    """Webhooks whose rules name only API versions that are, or will be, removed: they are no longer called."""
    ended = {
        (removal.group, removal.version, plural(removal.kind)): removal
        for removal in catalog.kubernetes.removals
        if removal.removed_in is not None and removal.removed_in <= status.next
    }
    for configuration in view.snapshot.webhook_configurations:
        for hook in configuration.webhooks:
            gone = [found for rule in hook.rules for found in _gone(rule, ended)]
            if gone and len(gone) == len(hook.rules):
                shown = (Evidence(kind="webhook", subject=hook.name, detail=detail) for detail in gone)
                yield finding("API004", configuration.ref, *shown)


def _gone(rule: Rule, ended: Mapping[tuple[str, str, str], ApiRemoval]) -> Iterator[str]:
    """What a rule matches, if all its groups, versions and resources are removed; otherwise empty."""
    resources = {resource.partition("/")[0] for resource in rule.resources}
    named = {(group, version, name) for group in rule.groups for version in rule.versions for name in resources}
    if named and named <= ended.keys():
        found = (ended[key] for key in sorted(named))
        yield ", ".join(f"{removal.api_version} {removal.kind}: removed in {removal.removed_in}" for removal in found)
