"""Problems of ownership: conflicting owners, copies, and leftovers of an uninstall (INV001 to INV005).

Decided from the groups and rows of one inventory and from a View. Called by the inventory.
"""

from collections.abc import Iterable, Iterator, Sequence

from addonctl.catalog import Catalog
from addonctl.findings import finding, makes
from addonctl.inventory.ownership import Ownership
from addonctl.inventory.rows import Row
from addonctl.model import (
    Action,
    AddOnRef,
    CustomResourceDefinition,
    Delete,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    KubernetesObject,
    Note,
    ObjectRef,
    Owner,
    Service,
    ServiceTarget,
    Severity,
    View,
    Webhook,
    WebhookConfiguration,
)
from addonctl.remediation import change_of, let_go


def ownership_findings(rows: Sequence[Row], view: View, catalog: Catalog, ownership: Ownership) -> Iterator[Finding]:
    """All findings on ownership, in no particular order."""
    yield from _fights(rows, view)
    yield from _copies(rows, catalog)
    narrowed = bool(view.snapshot.cluster.namespace)
    if not narrowed and view.gap("workloads") is None and (view.snapshot.workloads or view.snapshot.pods):
        yield from _left_crds(rows, view, catalog)
    if not narrowed and view.gap("services") is None:
        yield from _left_webhooks(view, ownership)
        yield from _left_api_services(view, ownership)


@makes("INV001")
def _fights(rows: Iterable[Row], view: View) -> Iterator[Finding]:
    for row in rows:
        against = row.group.fight
        if against:
            shown = (Evidence(kind="owner", subject=str(claim.owner), detail=claim.evidence) for claim in against)
            subject = InstallationRef(row.installation.id, row.installation.addon)
            fix = _one_owner(subject.addon, [claim.owner for claim in against], view.snapshot.cluster.eks_name)
            yield finding("INV001", subject, *shown, fix=fix)


def _one_owner(addon: str, against: Sequence[Owner], cluster: str) -> tuple[Action, ...]:
    """The first, which overwrites the others anyhow, keeps it; these let it go."""
    keeper, *others = dict.fromkeys(against)
    said = f"Let one owner keep it. If that is {keeper}, its objects stay and the other lets go:"
    return (Note(said), *(action for owner in others for action in let_go(owner, addon, cluster)))


@makes("INV002")
def _copies(rows: Iterable[Row], catalog: Catalog) -> Iterator[Finding]:
    """Several installations of an add-on of which a cluster should have one."""
    by_addon: dict[str, list[Installation]] = {}
    for row in rows:
        by_addon.setdefault(row.installation.addon, []).append(row.installation)
    for addon, copies in by_addon.items():
        if len(copies) > 1 and catalog.addons[addon].singleton:
            shown = (Evidence(kind="installation", subject=copy.id, detail=_in_short(copy)) for copy in copies)
            yield finding("INV002", AddOnRef(addon), *shown)


def _in_short(row: Installation) -> str:
    return f"{row.version or 'version unknown'}, {str(row.owner) or 'owner unknown'}"


@makes("INV003")
def _left_crds(rows: Iterable[Row], view: View, catalog: Catalog) -> Iterator[Finding]:
    """CRDs of the catalog's groups without an installed add-on; several add-ons may serve one group."""
    running = {row.group.addon.id: row.group.addon for row in rows if row.group.matches or row.group.eks}
    served = {group for addon in running.values() for group in addon.fingerprints.crd_groups}
    counts = {f"{each.plural}.{each.group}": each.count for each in view.snapshot.custom_resources}
    by_group: dict[str, list[Evidence]] = {}
    for crd in view.snapshot.crds:
        if crd.group not in served:
            by_group.setdefault(crd.group, []).append(_left_crd(crd, counts.get(crd.name)))
    for addon in catalog.addons.values():
        left = [shown for group in addon.fingerprints.crd_groups for shown in by_group.get(group, ())]
        if left and addon.id not in running:
            hang = any(thing.group in addon.fingerprints.crd_groups for thing in view.snapshot.others if thing.deleting)
            fix = (Note(f"Keep them until what hangs in deletion is gone: only {addon.name} removes its finalizers."),)
            yield finding("INV003", AddOnRef(addon.id, part="CRDs"), *left, fix=fix if hang else ())


def _left_crd(crd: CustomResourceDefinition, count: int | None) -> Evidence:
    """`count`: its custom resources, which would go with it; None where they were not counted."""
    objects = "" if count is None else f", {count} custom resource{'' if count == 1 else 's'}"
    detail = f"stored as {', '.join(crd.stored_versions) or 'nothing yet'}{objects}"
    return Evidence(kind="crd", subject=crd.name, detail=detail, ref=crd.ref)


@makes("INV004")
def _left_webhooks(view: View, ownership: Ownership) -> Iterator[Finding]:
    """Webhooks whose Service is missing; requests are rejected unless all of them have failurePolicy Ignore."""
    for configuration in view.snapshot.webhook_configurations:
        gone = [hook for hook in configuration.webhooks if _is_gone(hook.service, view)]
        if not gone:
            continue
        refuses = any(hook.failure_policy == "Fail" for hook in gone)
        moved = next((view.moved(hook.service) for hook in gone if hook.service), None)
        yield finding(
            "INV004",
            configuration.ref,
            *(_left_webhook(hook, configuration) for hook in gone),
            fix=(*_call_there(moved), *_delete(configuration, ownership)),
            severity=Severity.REQUIRED if refuses else Severity.RECOMMENDED,
        )


def _call_there(moved: Service | None) -> tuple[Action, ...]:
    """Where the Service really is, if it is elsewhere."""
    return (Note(f"There is a Service {moved.namespace}/{moved.name}: let it call that one."),) if moved else ()


def _left_webhook(hook: Webhook, configuration: WebhookConfiguration) -> Evidence:
    assert hook.service is not None, configuration.ref
    detail = f"Service {_named(hook.service)} does not exist, failurePolicy {hook.failure_policy}"
    return Evidence(kind="webhook", subject=hook.name, detail=detail, ref=configuration.ref)


@makes("INV005")
def _left_api_services(view: View, ownership: Ownership) -> Iterator[Finding]:
    for api in view.snapshot.api_services:
        if api.service is not None and _is_gone(api.service, view):
            detail = f"Service {_named(api.service)} does not exist"
            shown = Evidence(kind="apiservice", subject=api.name, detail=detail, ref=api.ref)
            yield finding("INV005", api.ref, shown, fix=_delete(api, ownership))


def _is_gone(service: ServiceTarget | None, view: View) -> bool:
    return service is not None and ObjectRef.of("Service", service.name, service.namespace) not in view.services


def _named(service: ServiceTarget) -> str:
    return f"{service.namespace}/{service.name}"


def _delete(thing: KubernetesObject, ownership: Ownership) -> tuple[Action, ...]:
    """Deletes a leftover; if a GitOps controller manages it and would recreate it, it is removed at its source."""
    claims = ownership.claims(thing)
    by_hand = Delete(target=thing.ref, save_first=True)
    what = f"{thing.ref} is removed, or its Service exists again"
    return (
        Note("Reinstall what served it, or delete what is left of it."),
        *change_of(claims[0].owner if claims else None, by_hand, what),
    )
