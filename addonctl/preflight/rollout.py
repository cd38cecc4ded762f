"""What hardening cannot cover while instances are replaced: pauses, blind gates, budgets (PRE017, PRE018, PRE019).

Deployments surge whatever their own strategy says, and DaemonSets are replaced node by node: that they have one replica
or a large maxUnavailable is no finding. That a DaemonSet pauses on each node, the plan says of every such step.
"""

from collections.abc import Iterator

from addonctl.findings import finding, makes
from addonctl.model import READY, RESOURCES, DisruptionBudget, Finding, Severity, Workload
from addonctl.model.plan import Rollout
from addonctl.preflight.case import Case, seen

# SLIs that ask no instance for what it is there for.
_NOT_ASKED = (READY, RESOURCES)
_NONE = ("0", "0%")


@makes("PRE018")
def pauses(case: Case) -> Iterator[Finding]:
    """Workloads whose old pods end first."""
    for target, workload in case.unserved:
        how = "strategy Recreate" if target.rollout is Rollout.AT_ONCE else "one pod, replaced under its name"
        severity = Severity.RECOMMENDED if _is_called(case, workload) else None
        yield finding("PRE018", workload.ref, seen(workload, how), severity=severity)


def _is_called(case: Case, workload: Workload) -> bool:
    """Whether the API server or every pod depends on its answers: what only watches and acts may pause."""
    called = {*case.view.called_by_server}
    called |= {crd.conversion.ref for crd in case.view.snapshot.crds if crd.conversion is not None}
    services = case.view.services_of.get(workload.ref, ())
    for_all = bool(case.addon and case.addon.provides) and (bool(services) or workload.kind == "DaemonSet")
    return for_all or any(service.ref in called for service in services)


@makes("PRE019")
def blind(case: Case) -> Iterator[Finding]:
    """Workloads none of whose containers says when it is ready; of what nobody calls that is only worth knowing."""
    others = any(objective.sli not in _NOT_ASKED for objective in case.step.objectives)
    for _, workload in case.targets:
        serving = [container for container in workload.template.containers if not container.init]
        if serving and not any(container.has_readiness_probe for container in serving):
            serves = workload.kind == "DaemonSet" or bool(case.view.services_of.get(workload.ref))
            severity = None if serves and not others else Severity.INFO
            yield finding("PRE019", workload.ref, seen(workload, "no readiness probe"), severity=severity)


@makes("PRE017")
def budgets(case: Case) -> Iterator[Finding]:
    """Budgets that allow no disruption, on pods that are replaced before their successors are there."""
    for target, workload in case.targets:
        if target.rollout is Rollout.SURGE:
            continue
        for budget in case.view.budgets_of.get(workload.ref, ()):
            if _allows_none(budget, target.instances):
                minimum, maximum = budget.min_available, budget.max_unavailable
                rule = f"minAvailable {minimum}" if minimum else f"maxUnavailable {maximum}"
                detail = f"{rule} of {target.instances} pods of {workload.ref}: none may go"
                yield finding("PRE017", budget.ref, seen(budget, detail))


def _allows_none(budget: DisruptionBudget, instances: int) -> bool:
    """Always, not only while a pod happens not to be ready."""
    if budget.disruptions_allowed is not None and budget.pods:
        return budget.disruptions_allowed == 0 and (budget.healthy or 0) >= budget.pods
    return budget.max_unavailable in _NONE or budget.min_available in ("100%", str(instances))
