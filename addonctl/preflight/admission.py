"""Webhooks in the way of new pods: one that does not answer, and the add-on's own (PRE008, PRE015).

Of webhooks, those that are called for pods: whose rules, namespaceSelector and objectSelector match them.
"""

from collections.abc import Iterator

from addonctl.dependencies import admits
from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding, ObjectRef, Severity, Webhook, WebhookConfiguration, Workload
from addonctl.preflight.case import Case

_SYSTEM = "kube-system"


@makes("PRE008")
def unanswered(case: Case) -> Iterator[Finding]:
    """Webhooks without a ready backend that the API server has to ask about its pods."""
    for configuration, hook in _refusing(case):
        mine = next((workload for _, workload in case.targets if _asked(case, hook, workload)), None)
        if mine is None or hook.service is None or hook.has_match_conditions:
            continue
        backends = case.view.backends(hook.service.ref)
        gone = case.view.absent(hook.service.ref)
        if gone or (backends is not None and case.view.is_whole and not backends.ready):
            why = "does not exist" if gone else "has no ready backend"
            detail = f"is asked for pods of {mine.ref} (failurePolicy Fail); {hook.service.ref} {why}"
            yield finding("PRE008", configuration.ref, _shown(configuration, hook, detail))


@makes("PRE015")
def locks(case: Case) -> Iterator[Finding]:
    """Webhooks that the step's own workloads serve, and that are asked for these or for kube-system's."""
    unserved = {workload.ref for _, workload in case.unserved}
    for configuration, hook in _refusing(case):
        servers = _servers(case, hook)
        guarded = next(_guarded(case, hook), None) if servers else None
        if guarded is None:
            continue
        alone = bool(servers & unserved)
        detail = f"is asked for pods of {guarded} (failurePolicy Fail), and answered by {min(map(str, servers))}"
        severity = Severity.REQUIRED if alone else None
        yield finding("PRE015", configuration.ref, _shown(configuration, hook, detail), severity=severity)


def _refusing(case: Case) -> Iterator[tuple[WebhookConfiguration, Webhook]]:
    for configuration in case.view.snapshot.webhook_configurations:
        yield from ((configuration, hook) for hook in configuration.webhooks if hook.failure_policy == "Fail")


def _asked(case: Case, hook: Webhook, workload: Workload) -> bool:
    """Whether it is certainly called for a workload's pods."""
    keys = {*hook.namespace_labels, *(each.key for each in hook.namespace_expressions)}
    if not case.view.knows_labels(workload.namespace, keys):
        return False
    return admits(hook, case.view.namespace_labels(workload.namespace), workload.template.labels)


def _servers(case: Case, hook: Webhook) -> set[ObjectRef]:
    """The step's workloads that answer it."""
    if hook.service is None:
        return set()
    targets = {workload.ref for _, workload in case.targets}
    return targets & {workload.ref for workload in case.view.behind.get(hook.service.ref, ())}


def _guarded(case: Case, hook: Webhook) -> Iterator[ObjectRef]:
    yield from (workload.ref for _, workload in case.targets if _asked(case, hook, workload))
    yield from (workload.ref for workload in case.view.in_namespace(_SYSTEM) if _asked(case, hook, workload))


def _shown(configuration: WebhookConfiguration, hook: Webhook, detail: str) -> Evidence:
    return Evidence(kind="webhook", subject=hook.name, detail=detail, ref=configuration.ref)
