"""How the workloads of an installation are replaced, and by what it is judged whether they still serve."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from addonctl.catalog import AddOn, Catalog, ClusterService
from addonctl.model import POD_NETWORK, READY, RESOURCES, SERVICE_NETWORK, Installation, Objective, ObjectRef, View
from addonctl.model.plan import Plan, Rollout, Step, Target, Wave

# A wave is at most so many times as large as all before it together: few suffer what the first ones show.
_GROWTH = 2
# What add-ons do for the cluster, and the SLI by which one sees whether they still do it.
_SLIS = {ClusterService.CLUSTER_DNS: "dns", ClusterService.RESOURCE_METRICS: "metrics"}
_READY = Objective(sli=READY, controlled=False)
_RESOURCES = Objective(sli=RESOURCES, controlled=False)
# What is seen from nodes themselves, where a cluster lets us; each answer has its own control.
_FROM_NODES = {ClusterService.SERVICE_NETWORK: SERVICE_NETWORK, ClusterService.POD_NETWORK: POD_NETWORK}


_CRD = "CustomResourceDefinition"
CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet")


def targets_of(row: Installation, view: View) -> Iterator[Target]:
    for ref in row.workloads:
        workload = view.workloads.get(ref)
        if workload is None or ref.kind not in CONTROLLERS:
            continue
        rollout = Rollout.SURGE if ref.kind == "Deployment" else Rollout.ONE_BY_ONE
        if ref.kind == "DaemonSet":
            rollout = Rollout.NODE_BY_NODE
        if workload.strategy == "Recreate":
            rollout = Rollout.AT_ONCE
        yield Target(ref=ref, rollout=rollout, instances=workload.desired or 0)


def waves_of(targets: Sequence[Target]) -> Iterator[Wave]:
    """One instance first, then ever more; of none, one wave all the same, so that the change is watched.

    What its owner replaces at once is one wave. Where the first instance is the only one, the old one stays beside it
    until it has been watched: it goes in a wave of none.
    """
    instances, done = sum(target.instances for target in targets), 0
    if any(target.rollout is Rollout.AT_ONCE for target in targets):
        yield Wave(instances=instances)
        return
    while done < instances or not done:
        size = min(max(_GROWTH * done, 1), max(instances - done, 1))
        yield Wave(instances=size, canary=not done)
        done += size
    if instances == 1 and any(target.rollout is Rollout.SURGE and target.instances for target in targets):
        yield Wave(instances=0)


def objectives_of(addon: AddOn | None, objects: Sequence[ObjectRef] = ()) -> Iterator[Objective]:
    yield _READY
    for service in addon.provides if addon else ():
        if service in _SLIS:
            yield Objective(sli=_SLIS[service])
        if service in _FROM_NODES:
            yield Objective(sli=_FROM_NODES[service], controlled=False, additional=True)
    if addon and addon.fingerprints.webhooks:
        yield Objective(sli="admission")
    if any(ref.kind == _CRD for ref in objects):
        yield _RESOURCES


def counting(plan: Plan, known: Catalog) -> Plan:
    """The plan, judged by what counters in Prometheus say of its add-ons as well."""
    return replace(plan, steps=tuple(_counting(each, known.addons.get(each.addon)) for each in plan.steps))


def _counting(step: Step, addon: AddOn | None) -> Step:
    """What is created or deleted has nothing to be compared with."""
    slis = addon.counted_slis if addon and step.targets and not (step.creates or step.removes) else ()
    more = (
        Objective(sli=each.name, may_fail=each.may_fail, controlled=each.controlled, additional=True, of_users=True)
        for each in slis
    )
    return replace(step, objectives=(*step.objectives, *more))


def loses(disruption: str, targets: Iterable[Target]) -> bool:
    """Whether requests may be lost: by what carries them itself, or where nothing serves while an instance changes.

    DNS is asked through its Service, question by question: an instance leaves that before it ends.
    """
    if any(target.rollout is not Rollout.SURGE for target in targets):
        return True
    return disruption.startswith("data-path") and disruption != "data-path-dns"
