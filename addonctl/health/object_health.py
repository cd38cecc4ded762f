"""The health of every object that has one, with Argo CD's terms and meanings.

Decided from a View alone. Each built-in kind has a function here, custom resources an entry in object_rules.py; other
kinds are assessed by conditions and phases as most controllers write them (general_rules.py). An object without a
status in the input is unknown, never healthy. Called by assessment.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import Any

from addonctl import model, resources
from addonctl.health.general_rules import by_conditions
from addonctl.health.object_rules import ENDS, READY, rule_for
from addonctl.health.status_rules import (
    DEGRADED,
    FINE,
    HEALTHY,
    PROGRESSING,
    STALE,
    SUSPENDED,
    UNKNOWN,
    WAITING,
    Rule,
    State,
    condition,
    find,
    why,
)
from addonctl.health.unready import last_exit, waits_for, why_not_ready
from addonctl.model import Health, ObjectHealth, ObjectRef, OtherObject, Pod, View

_DELETING: State = (PROGRESSING, "it is being deleted")
_NO_STATUS: State = (UNKNOWN, "the input has no status for it")


def judge(view: View) -> tuple[ObjectHealth, ...]:
    """The health of every object that has a state; others are omitted."""
    return tuple(chain(_by_kind(view, _PARTS), _pods(view), judge_others(view)))


def judge_one(thing: model.KubernetesObject) -> State:
    """The health of one object of a built-in kind, with the reason; unknown if its kind has none."""
    rule = _RULES.get(thing.ref.kind)
    return _state(thing, rule) if rule is not None else (UNKNOWN, "")


def judge_others(view: View) -> Iterator[ObjectHealth]:
    """The health of custom resources only, including those of Argo CD and Flux."""
    yield from _by_kind(view, _PARTS_OF_CUSTOM_RESOURCES)
    for other in view.snapshot.others:
        rule, known = rule_for(other.group, other.kind)
        said = _of_other(other, rule if known else by_conditions, known or _is_awaited(other, view))
        if said is not None:
            yield _made(other.ref, other.api_version, said, rule="kind" if known else "conditions")


def _by_kind(view: View, parts: Iterable[str]) -> Iterator[ObjectHealth]:
    for part in parts:
        for thing in getattr(view.snapshot, part):
            ref = thing.ref
            rule = _RULES.get(ref.kind)
            if rule is not None and not _is_spent(thing):
                yield _made(ref, _api_version(ref.kind), _state(thing, rule))


def _made(ref: ObjectRef, api_version: str, said: State, rule: str = "kind") -> ObjectHealth:
    health, reason = said
    return ObjectHealth(ref=ref, api_version=api_version, health=health, reason=reason, rule=rule)


def _api_version(kind: str) -> str:
    """The preferred API version of a kind in the table of resources.py."""
    known = resources.resource(kind)
    return f"{known.group}/{known.versions[0]}" if known.group else known.versions[0]


def _is_spent(thing: model.KubernetesObject) -> bool:
    """A ReplicaSet scaled to zero is an old revision of its Deployment."""
    return isinstance(thing, model.Revision) and thing.replicas == 0


def _state(thing: model.KubernetesObject, rule: Rule) -> State:
    if thing.deleting:
        return _DELETING
    return rule(thing) or (WAITING if _is_live(thing) else _NO_STATUS)


def _is_live(thing: model.KubernetesObject) -> bool:
    """Whether it has fields that an API server sets, or the traces of an apply; a manifest has neither."""
    if thing.uid or thing.created or thing.deleting or _ARGOCD_ID in thing.annotations:
        return True
    if isinstance(thing, model.Workload | model.Revision | OtherObject) and thing.generation:
        return True
    return any(applier.operation != "File" for applier in thing.appliers)


_ARGOCD_ID = "argocd.argoproj.io/tracking-id"


# ── Pods ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pods(view: View) -> Iterator[ObjectHealth]:
    for pod in view.snapshot.pods:
        runs_well = pod.ready and pod.restart_policy == "Always" and not pod.deleting
        yield _made(pod.ref, "v1", FINE if runs_well else _state(pod, partial(_pod, view)))


def _pod(view: View, pod: Pod) -> State | None:
    if not pod.phase:
        return None
    if pod.phase == "Succeeded":
        return FINE
    if pod.phase == "Failed":
        return DEGRADED, f"it failed: {pod.reason or _exit(pod) or 'no reason given'}"
    if _runs_for_good(pod):
        hurt = next((c for c in pod.containers if c.waiting.startswith("Err") or c.waiting.endswith(_ERRORS)), None)
        if hurt:
            return DEGRADED, f"container {hurt.name} waits: {waits_for(view, pod, hurt)}"
    if pod.phase == "Unknown":
        return UNKNOWN, "node unreachable"
    if pod.phase == "Pending":
        return PROGRESSING, why_not_ready(view, pod).text
    return _running(view, pod)


_ERRORS = ("Error", "BackOff")


def _runs_for_good(pod: Pod) -> bool:
    """Whether it is meant to run until it is deleted. Argo CD's hooks run to completion, whatever their annotations."""
    if pod.restart_policy == "Always":
        return True
    notes = pod.annotations
    return notes.get("argocd.argoproj.io/ignore-restart-policy") == "true" and "argocd.argoproj.io/hook" not in notes


def _running(view: View, pod: Pod) -> State:
    if not _runs_for_good(pod):
        return PROGRESSING, "it is running and has not completed yet"
    if pod.ready:
        return FINE
    fallen = next((c for c in pod.containers if c.last_exit or c.last_exit_at), None)
    if fallen:
        return DEGRADED, f"it is not ready; container {fallen.name} ended before ({last_exit(fallen) or 'no reason'})"
    return PROGRESSING, why_not_ready(view, pod).text


def _exit(pod: Pod) -> str:
    ended = next((container for container in pod.containers if container.exit_code), None)
    return f"container {ended.name} ended with code {ended.exit_code}" if ended else ""


# ── Other built-in kinds ────────────────────────────────────────────────────────────────────────────────────────


def _behind(thing: model.Workload | model.Revision) -> bool:
    return thing.observed_generation is not None and thing.observed_generation < thing.generation


def _deployment(it: model.Workload) -> State | None:
    if it.ready is None:
        return None
    if it.paused:
        return SUSPENDED, "it is paused"
    if _behind(it):
        return STALE
    progress = find(it.conditions, "Progressing")
    if progress and progress.reason == "ProgressDeadlineExceeded":
        return DEGRADED, why(progress)
    wanted, total, updated, available = it.desired or 0, it.total or 0, it.updated or 0, it.available or 0
    if updated < wanted:
        return PROGRESSING, f"{updated} of {wanted} replicas are updated"
    if total > updated:
        return PROGRESSING, f"{total - updated} old replicas still exist"
    if available < updated:
        return PROGRESSING, f"{available} of {updated} updated replicas are available"
    return FINE


def _stateful_set(it: model.Workload) -> State | None:
    if it.ready is None:
        return None
    wanted, ready, updated = it.desired or 0, it.ready, it.updated or 0
    if _behind(it) or not it.observed_generation:
        return STALE
    if ready < wanted:
        return PROGRESSING, f"{ready} of {wanted} replicas are ready"
    due = wanted - it.partition
    if it.strategy == "OnDelete" or it.current_revision == it.update_revision:
        return FINE
    if it.strategy == "RollingUpdate" and updated >= due:
        return FINE
    return PROGRESSING, f"{updated} of {due} replicas are updated"


def _daemon_set(it: model.Workload) -> State | None:
    if it.ready is None:
        return None
    if _behind(it):
        return STALE
    wanted, updated, available = it.desired or 0, it.updated or 0, it.available or 0
    if it.strategy == "OnDelete":
        return FINE
    if updated < wanted:
        return PROGRESSING, f"{updated} of {wanted} pods are updated"
    if available < wanted:
        return PROGRESSING, f"{available} of {wanted} pods are available"
    return FINE


def _replica_set(it: model.Revision) -> State | None:
    if it.available is None:
        return None
    if _behind(it):
        return STALE
    wanted, failure = it.replicas or 0, find(it.conditions, "ReplicaFailure")
    if failure and failure.status == "True":
        return DEGRADED, why(failure)
    if it.available < wanted:
        return PROGRESSING, f"{it.available} of {wanted} replicas are available"
    return FINE


def _job(it: model.Workload) -> State | None:
    if it.ready is None:
        return None
    return ENDS(it) or (PROGRESSING, f"{it.active or 0} of its pods run, {it.ready} of {it.desired} are done")


def _cron_job(it: model.Workload) -> State | None:
    """A failed run counts for its Job; a CronJob is degraded if its last run failed after an earlier success."""
    if it.active is None:
        return None
    if it.paused or it.active or it.last_scheduled is None or it.last_succeeded is None:
        return FINE
    if it.last_succeeded < it.last_scheduled:
        return DEGRADED, "its last run has not succeeded"
    return FINE


def _node(it: model.Node) -> State | None:
    ready = find(it.conditions, "Ready")
    if ready is None:
        return None
    pressed = next((c for c in it.conditions if c.status == "True" and c.type in _NODE_TROUBLES), None)
    if ready.status != "True" or pressed:
        return DEGRADED, why(pressed if pressed and ready.status == "True" else ready)
    return (SUSPENDED, "it is cordoned") if it.unschedulable else FINE


_NODE_TROUBLES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def _service(it: model.Service) -> State | None:
    if it.type == "LoadBalancer" and not it.load_balancers:
        return (PROGRESSING, "it waits for its load balancer") if it.cluster_ip or _is_live(it) else None
    known = it.load_balancers or it.cluster_ip not in ("", "None") or _is_live(it)
    return FINE if known else None


def _ingress(it: model.Ingress) -> State | None:
    if it.load_balancers:
        return FINE
    return (PROGRESSING, "it has no address yet") if _is_live(it) else None


def _autoscaler(it: model.Autoscaler) -> State | None:
    """A failure shows as a reason, even while the condition is still True."""
    for told in it.conditions:
        if told.type in ("AbleToScale", "ScalingActive") and told.reason.startswith(("Failed", "Invalid")):
            return DEGRADED, why(told)
    able = find(it.conditions, "AbleToScale")
    if able and able.status == "True":
        return FINE
    if able:
        return PROGRESSING, why(able)
    return WAITING if it.conditions or it.current_replicas is not None else None


def _attachment(it: model.VolumeAttachment) -> State | None:
    if it.attach_error:
        return DEGRADED, it.attach_error
    if it.attached is None:
        return None
    return FINE if it.attached else (PROGRESSING, "it is not attached yet")


def _budget(it: model.DisruptionBudget) -> State | None:
    """Argo CD calls one degraded that allows no eviction, also where that is as it is meant to be."""
    if it.disruptions_allowed is None:
        return None
    if it.disruptions_allowed:
        return FINE
    counts = f"{it.healthy or 0} of {it.pods or 0} pods are healthy, {it.healthy_wanted or 0} have to be"
    return DEGRADED, f"it allows no eviction: {counts}"


def _crd(it: model.CustomResourceDefinition) -> State | None:
    if not it.conditions:
        return None
    for name, status, health in _CRD_TROUBLES:
        found = find(it.conditions, name)
        if found and found.status == status:
            return health, why(found)
    return FINE if find(it.conditions, "Established") else (DEGRADED, "it is not established")


_CRD_TROUBLES = (
    ("Terminating", "True", PROGRESSING),
    ("NamesAccepted", "False", DEGRADED),
    ("NonStructuralSchema", "True", DEGRADED),
    ("Established", "False", DEGRADED),
    ("Established", "Unknown", DEGRADED),
)


def _application(it: model.Application) -> State | None:
    if not it.health:
        return (PROGRESSING, "Argo CD has not assessed it yet") if it.sync else None
    health = _WORD.get(it.health.lower(), UNKNOWN)
    return (health, "" if health is HEALTHY else f"Argo CD says {it.health}; its sync status is {it.sync or 'unknown'}")


_WORD = {health.value: health for health in Health}


def _flux(it: model.FluxHelmRelease | model.FluxKustomization | model.FluxSource) -> State | None:
    if it.suspended and (it.conditions or _is_live(it)):
        return SUSPENDED, "it is suspended"
    return READY(it)


def _flux_source(it: model.FluxSource) -> State | None:
    return FINE if it.static and not it.conditions and _is_live(it) else _flux(it)


def _phase_of(phases: Mapping[str, Health]) -> Rule:
    """A built-in kind, by its phase."""

    def rule(it: Any) -> State | None:
        if not it.phase:
            return None
        health = phases.get(it.phase, UNKNOWN)
        return health, "" if health is HEALTHY else f"it is {it.phase}"

    return rule


_STORED = {
    "Bound": HEALTHY,
    "Available": HEALTHY,
    "Released": HEALTHY,
    "Pending": PROGRESSING,
    "Failed": DEGRADED,
    "Lost": DEGRADED,
}
_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Node": _node,
        "Namespace": _phase_of({"Active": HEALTHY, "Terminating": PROGRESSING}),
        "Deployment": _deployment,
        "StatefulSet": _stateful_set,
        "DaemonSet": _daemon_set,
        "Job": _job,
        "CronJob": _cron_job,
        "ReplicaSet": _replica_set,
        "Service": _service,
        "Ingress": _ingress,
        "VolumeAttachment": _attachment,
        "PersistentVolume": _phase_of(_STORED),
        "PersistentVolumeClaim": _phase_of(_STORED),
        "PodDisruptionBudget": _budget,
        "HorizontalPodAutoscaler": _autoscaler,
        "APIService": condition("Available", false=PROGRESSING),
        "CustomResourceDefinition": _crd,
        "Application": _application,
        "HelmRelease": _flux,
        "Kustomization": _flux,
        **{each.kind: _flux_source for each in resources.RESOURCES if each.part == "flux_sources"},
    }
)
"""By kind; pods are handled apart, and a kind that is not listed has no state."""
_PARTS_OF_CUSTOM_RESOURCES = ("applications", "flux_helm_releases", "flux_kustomizations", "flux_sources")
_PARTS = tuple(
    part
    for part in dict.fromkeys(each.part for each in resources.RESOURCES if each.kind in _RULES)
    if part not in _PARTS_OF_CUSTOM_RESOURCES
)


# ── Custom resources ────────────────────────────────────────────────────────────────────────────────────────────


def _is_awaited(other: OtherObject, view: View) -> bool:
    """Whether an object without a status should have one: it lives, and its CRD, if it was read, has a status."""
    if other.has_status or not _is_live(other):
        return False
    crd = view.crds.get((other.group, other.kind))
    if crd is None:  # of the kinds of Kubernetes itself, many have none
        return "." in other.group and not other.group.endswith("k8s.io")
    return any(version.has_status for version in crd.versions)


def _of_other(other: OtherObject, rule: Rule | None, known: bool) -> State | None:
    """None if it has no state, or if only its metadata was read."""
    if other.has_status is None:
        return None
    if other.deleting:
        return _DELETING
    if rule is None or not (known or other.has_status):
        return None
    said = rule(other)
    # A manifest looks like an object that was just applied and waits for its controller; it is not known to be healthy.
    if said is not None and said[0] is not PROGRESSING and not other.has_status and not _is_live(other):
        return _NO_STATUS
    return said
