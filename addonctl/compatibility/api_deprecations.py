"""API versions that Kubernetes removes, and who still writes them: live objects, Helm releases, files, CRDs, webhooks.

What counts is the version in which something was written, from managedFields and last-applied, not the one to which
the server converts its answers. Called by compatibility.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from addonctl.catalog import ApiRemoval, Catalog, Kubernetes, plural
from addonctl.findings import finding
from addonctl.model import (
    Applier,
    CustomResourceDefinition,
    Evidence,
    Finding,
    Inventory,
    ObjectRef,
    Rule,
    Severity,
    Snapshot,
)
from addonctl.remediation import command, kubectl
from addonctl.versions import minor_key, parse

# They are updated with the control plane, and write what it serves.
_CONTROL_PLANE = frozenset({
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "cloud-controller-manager", "kubelet",
    "k8s-controlplane-gce", "before-first-apply",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiUse:
    """An object that is written in an API version with an end. `where`: live, helm or file; `by`: who writes it."""

    ref: ObjectRef
    removal: ApiRemoval
    where: str
    by: str


def uses(snapshot: Snapshot, kubernetes: Kubernetes) -> Iterator[ApiUse]:
    """All uses of API versions that are or will be deprecated."""
    for ref, thing in snapshot.objects():
        for applier in _still_writing(ref.kind, thing.appliers, kubernetes):
            removal = kubernetes.removal(applier.api_version, ref.kind)
            if removal is not None:
                yield ApiUse(ref=ref, removal=removal, where=_where(applier), by=applier.manager)
    for release in snapshot.helm_releases:
        for item in release.objects:
            removal = kubernetes.removal(item.api_version, item.kind)
            if removal is not None:
                ref = ObjectRef(kind=item.kind, name=item.name, namespace=item.namespace, group=removal.group)
                yield ApiUse(ref=ref, removal=removal, where="helm", by=f"{release.namespace}/{release.name}")


def _still_writing(kind: str, appliers: Sequence[Applier], kubernetes: Kubernetes) -> Iterator[Applier]:
    """Without the control plane, and without those who have since written in a version that stays.

    managedFields keep the old entry as long as one field of it was not changed since.
    """
    moved_on = {applier.manager for applier in appliers if kubernetes.removal(applier.api_version, kind) is None}
    if any(a.operation == "LastApplied" and a.manager in moved_on for a in appliers):
        moved_on |= {"kubectl-client-side-apply", "kubectl"}
    for applier in appliers:
        if applier.manager not in _CONTROL_PLANE and applier.manager not in moved_on:
            yield applier


def _where(applier: Applier) -> str:
    return "file" if applier.operation == "File" else "live"


def api_findings(snapshot: Snapshot, catalog: Catalog, running: str, targets: tuple[str, ...]) -> Iterator[Finding]:
    """One finding an API version and writer; the objects are its evidence."""
    if not running and not targets:
        return
    kubernetes, together = catalog.kubernetes, dict[tuple[str, str, str, str], list[ApiUse]]()
    for use in uses(snapshot, kubernetes):
        writer = use.by if use.where == "helm" else use.where
        together.setdefault((use.removal.api_version, use.removal.kind, use.where, writer), []).append(use)
    for same in together.values():
        removal = same[0].removal
        code, severity = _code(removal, running, targets)
        if code:
            yield _api_finding(code, severity, same, kubernetes, targets[-1] if targets else running)


def _code(removal: ApiRemoval, running: str, targets: tuple[str, ...]) -> tuple[str, Severity | None]:
    """API001: gone already; API002: gone in one of the targets; API003: deprecated in one of them."""
    removed = minor_key(removal.removed_in) if removal.removed_in else None
    deprecated = minor_key(removal.deprecated_in) if removal.deprecated_in else removed
    if removed is not None and running and removed <= minor_key(running):
        return "API001", None
    if removed is not None and targets and removed <= minor_key(targets[-1]):
        return "API002", Severity.REQUIRED if removed <= minor_key(targets[0]) else Severity.RECOMMENDED
    if deprecated is not None and deprecated <= minor_key(targets[-1] if targets else running):
        return "API003", None
    return "", None


def _api_finding(
    code: str, severity: Severity | None, same: list[ApiUse], kubernetes: Kubernetes, newest: str
) -> Finding:
    removal, where = same[0].removal, same[0].where
    replacement = kubernetes.replacement(removal, newest)
    writers = ", ".join(dict.fromkeys(use.by for use in same)) if where != "file" else ""
    subject = {
        "helm": f"helm release {same[0].by}: {removal.api_version} {removal.kind}",
        "file": f"{removal.api_version} {removal.kind} in the files",
    }.get(where, f"{removal.api_version} {removal.kind}")
    ends = f"removed in {removal.removed_in}" if removal.removed_in else f"deprecated since {removal.deprecated_in}"
    shown = [
        Evidence(kind="api", subject=str(ref), detail=ends + (f", written by {writers}" if writers else ""))
        for ref in dict.fromkeys(use.ref for use in same)
    ]
    fix = _fix(where, [use.by for use in same], removal.kind, replacement)
    return finding(code, subject, *shown, fix=fix, severity=severity)


# Field managers that put back what Git holds, and who they are.
_FROM_GIT = {
    "argocd-controller": "Argo CD", "argocd-application-controller": "Argo CD", "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}  # fmt: skip


def _fix(where: str, writers: Sequence[str], kind: str, replacement: str) -> str:
    if not replacement:
        return f"There is no replacement: remove the {kind} before the upgrade."
    keeper = next((_FROM_GIT[writer] for writer in writers if writer in _FROM_GIT), "")
    if keeper:
        return (
            f"In Git, write it as apiVersion: {replacement}; {keeper} applies it from there and undoes other changes."
        )
    if where == "helm":
        namespace, _, name = writers[0].partition("/")
        return (
            f"{command('helm', 'mapkubeapis', name, '-n', namespace)}  # plugin helm-mapkubeapis; then\n"
            f"# helm upgrade to a chart that writes {replacement}"
        )
    return f"# write it as apiVersion: {replacement}, then\nkubectl apply --server-side -f …"


# ── CRDs ────────────────────────────────────────────────────────────────────────────────────────────────────────


def crd_findings(snapshot: Snapshot, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """Stored versions that stand in the way of an update of the CRD, and custom resources in versions that end."""
    installed = {row.addon: row.version for row in inventory.installations}
    for crd in snapshot.crds:
        yield from _stale_stored(crd)
        yield from _ending_versions(crd, snapshot, catalog, installed)


def _stale_stored(crd: CustomResourceDefinition) -> Iterator[Finding]:
    storage = next((version.name for version in crd.versions if version.storage), "")
    stale = [name for name in crd.stored_versions if name != storage]
    if not stale or not storage:
        return
    served = {version.name for version in crd.versions if version.served}
    unserved = [name for name in stale if name not in served]
    detail = f"storedVersions {', '.join(crd.stored_versions)}; new objects are stored as {storage}"
    if unserved:
        detail += f"; {', '.join(unserved)} is not served any more"
    evidence = Evidence(kind="crd", subject=crd.name, detail=detail)
    patch = f'{{"status":{{"storedVersions":["{storage}"]}}}}'
    fix = (
        f"{kubectl('get', crd.name, '-A', '-o', 'json')} | kubectl replace -f -  # writes each as {storage}; then\n"
        + kubectl("patch", "crd", crd.name, "--subresource=status", "--type=merge", "-p", patch)
    )
    severity = Severity.REQUIRED if unserved else None
    yield finding("CRD001", f"CustomResourceDefinition/{crd.name}", evidence, fix=fix, severity=severity)


def _ending_versions(
    crd: CustomResourceDefinition, snapshot: Snapshot, catalog: Catalog, installed: dict[str, str | None]
) -> Iterator[Finding]:
    """Custom resources written in a version that a newer release of their add-on does not serve."""
    written = next((c for c in snapshot.custom_resources if (c.group, c.kind) == (crd.group, crd.kind)), None)
    if written is None:
        return
    for removal in catalog.kubernetes.crd_removals:
        whole = removal.version == "*"  # the CRD itself goes
        count = written.count if whole else written.written_as.get(f"{crd.group}/{removal.version}", 0)
        if removal.crd != crd.name or not count or removal.addon not in installed or not removal.removed_in:
            continue
        has, last = parse(installed[removal.addon] or ""), parse(removal.last_present_in)
        gone = parse(removal.removed_in)
        dropped = has is not None and ((last is not None and has > last) or (gone is not None and has >= gone))
        if dropped:
            continue  # the running release dropped it already, and its objects were converted
        what = "of a kind that" if whole else f"written as {removal.version}, which"
        detail = f"{count} objects are {what} {removal.addon} {removal.removed_in} drops"
        evidence = Evidence(kind="crd", subject=crd.name, detail=detail)
        stays = f"Write them in the version {_storage(crd)} before the update: manifests, charts and Git alike."
        fix = "Move to what replaces this kind before the update; its release notes say how." if whole else stays
        yield finding("CRD002", f"CustomResourceDefinition/{crd.name}", evidence, fix=fix)


def _storage(crd: CustomResourceDefinition) -> str:
    return next((version.name for version in crd.versions if version.storage), "")


# ── Webhooks ────────────────────────────────────────────────────────────────────────────────────────────────────


def webhook_findings(snapshot: Snapshot, catalog: Catalog, running: str, targets: tuple[str, ...]) -> Iterator[Finding]:
    """Webhooks whose rules name only API versions that are gone, or will be: they are not asked any more."""
    if not running:
        return
    newest = targets[0] if targets else running
    for configuration in snapshot.webhook_configurations:
        for hook in configuration.webhooks:
            gone = [found for rule in hook.rules for found in _gone(rule, catalog.kubernetes, newest)]
            if gone and len(gone) == len(hook.rules):
                subject = f"{configuration.kind}/{configuration.name}"
                shown = (Evidence(kind="webhook", subject=hook.name, detail=detail) for detail in gone)
                yield finding("API004", subject, *shown)


def _gone(rule: Rule, kubernetes: Kubernetes, minor: str) -> Iterator[str]:
    """What a rule matches, if every group, version and resource of it is removed by `minor`."""
    ends = [
        removal
        for removal in kubernetes.removals
        if removal.group in rule.groups and removal.version in rule.versions
        and plural(removal.kind) in {resource.partition("/")[0] for resource in rule.resources}
        and removal.removed_in and minor_key(removal.removed_in) <= minor_key(minor)
    ]  # fmt: skip
    matched = {(removal.group, removal.version, plural(removal.kind)) for removal in ends}
    named = {(group, version, resource.partition("/")[0]) for group in rule.groups for version in rule.versions
             for resource in rule.resources}  # fmt: skip
    if named and named <= matched:
        yield ", ".join(sorted(f"{r.api_version} {r.kind}: removed in {r.removed_in}" for r in ends))


def all_findings(
    snapshot: Snapshot, inventory: Inventory, catalog: Catalog, running: str, targets: tuple[str, ...]
) -> Iterable[Finding]:
    """Everything that this module finds."""
    yield from api_findings(snapshot, catalog, running, targets)
    yield from crd_findings(snapshot, inventory, catalog)
    yield from webhook_findings(snapshot, catalog, running, targets)
