"""Rights in the cluster that an add-on's version needs and that its ServiceAccounts do not have (DEP005).

Whoever updates an image without its RBAC leaves the rights of the version before. Decided from what the catalog says
that each version needs, and from the roles bound to the accounts across the cluster. Called by find_dangling.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from addonctl.catalog import AddOn, Catalog, NeededRight
from addonctl.dependencies.references import role_of
from addonctl.findings import finding, makes
from addonctl.model import (
    Edge,
    EdgeType,
    Evidence,
    Finding,
    Installation,
    Inventory,
    Note,
    ObjectRef,
    PolicyRule,
    Severity,
    View,
)
from addonctl.remediation import change, kubectl

_GAPS = ("role_bindings", "roles", "service_accounts")


@makes("DEP005")
def missing_rights(view: View, edges: Sequence[Edge], inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """One finding for each ServiceAccount; none for one without any role, which is a finding of its own (DEP004)."""
    if view.gap(*_GAPS) is not None or view.snapshot.cluster.namespace:
        return
    accounts = {edge.source: edge.target for edge in edges if edge.type is EdgeType.SERVICE_ACCOUNT}
    rules = _rules_of(view)
    for row in inventory.installations:
        entry = catalog.addons.get(row.addon)
        wanted = tuple(_wanted(entry, row)) if entry is not None else ()
        granted = [(ref, accounts[ref], rules[accounts[ref]]) for ref in row.workloads if accounts.get(ref) in rules]
        allowed = [rule for _, _, own in granted for rule in own]
        lacking = [right for right in wanted if _is_old(allowed, right) and not _allows(allowed, right)]
        if granted and lacking:
            yield _finding(view, row, granted[0][0], granted[0][1], lacking)


def _wanted(entry: AddOn, row: Installation) -> Iterator[NeededRight]:
    for right in entry.rights:
        if row.version is not None and row.upstream_version and right.versions.covers(row.version):
            yield right


def _rules_of(view: View) -> Mapping[ObjectRef, Sequence[PolicyRule]]:
    """A ServiceAccount → the rules that it has in the whole cluster, by its own bindings or those of its groups."""
    roles = {role.ref: role for role in view.snapshot.roles}
    own: dict[ObjectRef, list[PolicyRule]] = {}
    groups: dict[str, list[PolicyRule]] = {}
    for binding in view.snapshot.role_bindings:
        role = roles.get(role_of(binding)) if not binding.namespace else None
        if role is None:
            continue
        for subject in binding.subjects:
            if subject.kind == "ServiceAccount":
                own.setdefault(ObjectRef.of("ServiceAccount", subject.name, subject.namespace), []).extend(role.rules)
            elif subject.kind == "Group":
                groups.setdefault(subject.name, []).extend(role.rules)
    common = [*groups.get("system:serviceaccounts", ()), *groups.get("system:authenticated", ())]
    return {
        account: [*found, *common, *groups.get(f"system:serviceaccounts:{account.namespace}", ())]
        for account, found in own.items()
    }


def _is_old(rules: Iterable[PolicyRule], right: NeededRight) -> bool:
    """Whether the rules have what the versions before needed in its place."""
    return any(_covers(rule.groups, right.beside_group) and _covers(rule.resources, right.beside) for rule in rules)


def _allows(rules: Iterable[PolicyRule], right: NeededRight) -> bool:
    """Whether the rules allow every verb of a right on its resource."""
    fitting = [rule for rule in rules if _covers(rule.groups, right.group) and _covers(rule.resources, right.resource)]
    verbs = {verb for rule in fitting if not rule.names for verb in rule.verbs}
    return "*" in verbs or set(right.verbs) <= verbs


def _covers(allowed: Sequence[str], wanted: str) -> bool:
    return "*" in allowed or wanted in allowed


def _finding(
    view: View, row: Installation, workload: ObjectRef, account: ObjectRef, lacking: Sequence[NeededRight]
) -> Finding:
    of = f"needed by {row.name}"
    shown = [
        Evidence(
            kind="rbac",
            subject=str(account),
            detail=f"no ClusterRole of it allows {right.in_words()}, {of} {right.versions} ({right.source})",
            ref=workload,
        )
        for right in lacking
    ]
    bound = (
        role_of(b) for b in view.snapshot.role_bindings if not b.namespace and account in map(_as_account, b.subjects)
    )
    role = next(bound, None)
    said = f"allow {'; '.join(right.in_words() for right in lacking)}"
    by_hand = kubectl("edit", role, why=f"{said}:") if role is not None else Note(f"In its ClusterRole, {said}.")
    fix = (
        Note("Apply the RBAC of the version that runs, as its chart or manifests have it; or:"),
        *change(row, by_hand, said),
    )
    soft = all(right.soft for right in lacking)
    return finding("DEP005", account, *shown, fix=fix, severity=Severity.RECOMMENDED if soft else None)


def _as_account(subject: ObjectRef) -> ObjectRef:
    return ObjectRef.of("ServiceAccount", subject.name, subject.namespace)
