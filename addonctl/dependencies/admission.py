"""Which webhooks are called before a workload's pods start, and which of them block themselves (DEP001).

Decided from the webhooks' rules and selectors, the labels of namespaces and pod templates, and the owners of objects.
Called by find_dependencies.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from addonctl.findings import finding, makes
from addonctl.model import (
    Action,
    Affects,
    Edge,
    EdgeType,
    Evidence,
    Finding,
    Installation,
    Inventory,
    Note,
    ObjectRef,
    Rule,
    Strength,
    View,
    Webhook,
    Workload,
    selects,
)
from addonctl.remediation import change


class _Hook(NamedTuple):
    """A webhook that is called for pods, and its configuration."""

    configuration: ObjectRef
    webhook: Webhook


def admits(hook: Webhook, namespace: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a webhook is called when a pod with `labels` is created in a namespace with labels `namespace`."""
    return _about_pods(hook) and _of_namespace(hook, namespace) and _of_object(hook, labels)


def _about_pods(hook: Webhook) -> bool:
    return any(_matches_pods(rule) for rule in hook.rules)


def _of_namespace(hook: Webhook, labels: Mapping[str, str]) -> bool:
    return selects(hook.namespace_labels, hook.namespace_expressions, labels)


def _of_object(hook: Webhook, labels: Mapping[str, str]) -> bool:
    return selects(hook.object_labels, hook.object_expressions, labels)


def _matches_pods(rule: Rule) -> bool:
    return (
        bool({"", "*"} & set(rule.groups))
        and bool({"pods", "*", "*/*"} & set(rule.resources))
        and bool({"CREATE", "*"} & set(rule.operations))
        and rule.scope != "Cluster"
    )


def find_admission(view: View, owners: Mapping[ObjectRef, str]) -> Iterator[Edge]:
    """Workloads whose pods a webhook is called for before they start.

    Workloads outside add-ons, of which there are many, are included only if a failing webhook rejects their pods. Each
    namespace is matched once, not once per workload.
    """
    hooks = [
        _Hook(configuration.ref, hook)
        for configuration in view.snapshot.webhook_configurations
        for hook in configuration.webhooks
        if _about_pods(hook)
    ]
    for namespace in dict.fromkeys(workload.namespace for workload in view.workloads.values()) if hooks else ():
        asked = _asked_in(view, namespace, hooks)
        refusing = [hook for hook in asked if hook.webhook.failure_policy == "Fail"]
        for workload in view.in_namespace(namespace):
            for hook in asked if workload.ref in owners else refusing:
                if _of_object(hook.webhook, workload.template.labels):
                    yield _edge(workload, hook)


def _asked_in(view: View, namespace: str, hooks: Iterable[_Hook]) -> list[_Hook]:
    """The webhooks that certainly match a namespace."""
    labels = view.namespace_labels(namespace)
    return [
        hook
        for hook in hooks
        if view.knows_labels(namespace, _namespace_keys(hook.webhook)) and _of_namespace(hook.webhook, labels)
    ]


def _namespace_keys(hook: Webhook) -> set[str]:
    """The namespace labels that a webhook selects by."""
    return {*hook.namespace_labels, *(expression.key for expression in hook.namespace_expressions)}


def _edge(workload: Workload, hook: _Hook) -> Edge:
    name, policy = hook.webhook.name, hook.webhook.failure_policy
    # With match conditions (CEL) the webhook may not be called after all.
    hard = policy == "Fail" and not hook.webhook.has_match_conditions
    return Edge(
        source=workload.ref,
        target=hook.configuration,
        type=EdgeType.ADMISSION,
        strength=Strength.HARD if hard else Strength.SOFT,
        affects=Affects.CHANGE,
        evidence=f"{name} (failurePolicy {policy}) is asked for its pods",
    )


# ── Webhooks that block themselves ──────────────────────────────────────────────────────────────────────────────


@makes("DEP001")
def find_deadlocks(edges: Iterable[Edge], owners: Mapping[ObjectRef, str], inventory: Inventory) -> Iterator[Finding]:
    """Webhooks that must answer before the pods that serve them can start; one finding per workload."""
    listed = tuple(edges)
    serving = _serving(listed)
    found: dict[ObjectRef, list[Edge]] = {}
    for edge in listed:
        mine = edge.source in owners and owners[edge.source] == owners.get(edge.target)
        guarded = edge.type is EdgeType.ADMISSION and edge.strength is Strength.HARD
        if guarded and mine and edge.source in serving.get(edge.target, ()):
            found.setdefault(edge.source, []).append(edge)
    rows = {row.id: row for row in inventory.installations}
    for workload, guards in found.items():
        yield _deadlock(workload, guards, rows.get(owners[workload]))


def _serving(edges: Iterable[Edge]) -> Mapping[ObjectRef, set[ObjectRef]]:
    """A webhook configuration → the workloads whose pods serve it."""
    behind: dict[ObjectRef, set[ObjectRef]] = {}
    asking: list[Edge] = []
    for edge in edges:
        if edge.type is EdgeType.SELECTOR:
            behind.setdefault(edge.source, set()).add(edge.target)
        elif edge.type is EdgeType.WEBHOOK:
            asking.append(edge)
    found: dict[ObjectRef, set[ObjectRef]] = {}
    for edge in asking:
        found.setdefault(edge.source, set()).update(behind.get(edge.target, ()))
    return found


def _deadlock(workload: ObjectRef, guards: Iterable[Edge], row: Installation | None) -> Finding:
    evidence = [
        Evidence(kind="webhook", subject=str(edge.target), detail=edge.evidence, ref=edge.target) for edge in guards
    ]
    wanted = f"{{key: kubernetes.io/metadata.name, operator: NotIn, values: [{workload.namespace}]}}"
    fix: list[Action] = []
    for configuration in dict.fromkeys(edge.target for edge in guards):
        what = f"the namespaceSelector of {configuration} excludes its own namespace: matchExpressions has {wanted}"
        by_hand = Note(
            f"Exclude its own namespace: add {wanted} to matchExpressions of namespaceSelector in {configuration}."
        )
        fix += change(row, by_hand, what)
    return finding("DEP001", workload, *evidence, fix=fix)
