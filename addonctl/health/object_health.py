"""Verdicts: the state of every object that has one, in Argo CD's words and with its meanings.

Decided from a Snapshot alone. Kinds of Kubernetes have a function each here, custom resources an entry in
verdict_kinds.py; what has none is judged by conditions and phases as most controllers write them (verdict_rules.py).
What the input holds no status of is unknown, never healthy. Called by assessment.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from addonctl import model
from addonctl.health.object_rules import ENDS, READY, rule_for
from addonctl.health.status_rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    STALE,
    SUSPENDED,
    UNKNOWN,
    WAITING,
    WELL,
    Rule,
    Verdict,
    by_conditions,
    condition,
    find,
    why,
)
from addonctl.model import Health, ObjectHealth, OtherObject, Pod, Snapshot

_DELETING: Verdict = (PROGRESSING, "it is being deleted")
_NO_STATUS: Verdict = (UNKNOWN, "the input holds no status of it")


def judge(snapshot: Snapshot) -> tuple[ObjectHealth, ...]:
    """A verdict for every object that has a state; the others are left out."""
    return tuple(chain(_built_in(snapshot), _pods(snapshot.pods), judge_others(snapshot.others)))


def _built_in(snapshot: Snapshot) -> Iterator[ObjectHealth]:
    for part, api_version, kind, rule in _KINDS:
        for thing in getattr(snapshot, part):
            if part in _OF_SEVERAL_KINDS and (thing.kind != kind or (kind == "ReplicaSet" and thing.replicas == 0)):
                continue  # a ReplicaSet of none is an older revision of its Deployment
            verdict, reason = _verdict(thing, rule)
            yield ObjectHealth(
                api_version=api_version, kind=kind, namespace=thing.namespace, name=thing.name, verdict=verdict,
                reason=reason,
            )  # fmt: skip


def _verdict(thing: model.KubernetesObject, rule: Rule) -> Verdict:
    if thing.deleting:
        return _DELETING
    return rule(thing) or (WAITING if _is_live(thing) else _NO_STATUS)


def _is_live(thing: model.KubernetesObject) -> bool:
    """Whether it bears a mark of an API server, or of what applied it to one; a manifest bears none."""
    if thing.uid or thing.created or thing.deleting or _ARGOCD_ID in thing.annotations:
        return True
    if isinstance(thing, model.Workload | model.Revision | OtherObject) and thing.generation:
        return True
    return any(applier.operation != "File" for applier in thing.appliers)


_ARGOCD_ID = "argocd.argoproj.io/tracking-id"


# ── Pods, which are many ────────────────────────────────────────────────────────────────────────────────────────


def _pods(pods: Iterable[Pod]) -> Iterator[ObjectHealth]:
    for pod in pods:
        if pod.ready and pod.restart_policy == "Always" and not pod.deleting:
            verdict, reason = WELL
        else:
            verdict, reason = _verdict(pod, _pod)
        yield ObjectHealth(
            api_version="v1", kind="Pod", namespace=pod.namespace, name=pod.name, verdict=verdict, reason=reason
        )


def _pod(pod: Pod) -> Verdict | None:
    if not pod.phase:
        return None
    if pod.phase == "Succeeded":
        return WELL
    if pod.phase == "Failed":
        return DEGRADED, f"it failed: {pod.reason or _exit(pod) or 'no reason is told'}"
    if _runs_for_good(pod):
        hurt = next((c for c in pod.containers if c.waiting.startswith("Err") or c.waiting.endswith(_ERRORS)), None)
        if hurt:
            return DEGRADED, f"container {hurt.name} waits: {hurt.waiting}"
    if pod.phase == "Unknown":
        return UNKNOWN, "its node has not been heard of"
    if pod.phase == "Pending":
        return PROGRESSING, _failing(pod) or "it is pending"
    return _running(pod)


_ERRORS = ("Error", "BackOff")


def _runs_for_good(pod: Pod) -> bool:
    """Whether it is meant to run until it is deleted. Argo CD's own hooks run to an end whatever is noted on them."""
    if pod.restart_policy == "Always":
        return True
    notes = pod.annotations
    return notes.get("argocd.argoproj.io/ignore-restart-policy") == "true" and "argocd.argoproj.io/hook" not in notes


def _running(pod: Pod) -> Verdict:
    if not _runs_for_good(pod):
        return PROGRESSING, "it runs, and has yet to come to its end"
    if pod.ready:
        return WELL
    fallen = next((c for c in pod.containers if c.last_exit or c.last_exit_at), None)
    if fallen:
        return DEGRADED, f"it is not ready; container {fallen.name} ended before ({fallen.last_exit or 'no reason'})"
    return PROGRESSING, _failing(pod) or "it is not ready"


def _exit(pod: Pod) -> str:
    ended = next((container for container in pod.containers if container.exit_code), None)
    return f"container {ended.name} ended with code {ended.exit_code}" if ended else ""


def _failing(pod: Pod) -> str:
    told = next((condition for condition in pod.conditions if condition.message), None)
    return why(told) if told else ""


# ── The other kinds of Kubernetes ───────────────────────────────────────────────────────────────────────────────


def _behind(thing: model.Workload | model.Revision) -> bool:
    return thing.observed_generation is not None and thing.observed_generation < thing.generation


def _deployment(it: model.Workload) -> Verdict | None:
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
        return PROGRESSING, f"{total - updated} old replicas are still there"
    if available < updated:
        return PROGRESSING, f"{available} of {updated} updated replicas are available"
    return WELL


def _stateful_set(it: model.Workload) -> Verdict | None:
    if it.ready is None:
        return None
    wanted, ready, updated = it.desired or 0, it.ready, it.updated or 0
    if _behind(it) or not it.observed_generation:
        return STALE
    if ready < wanted:
        return PROGRESSING, f"{ready} of {wanted} replicas are ready"
    due = wanted - it.partition
    if it.strategy == "OnDelete" or it.current_revision == it.update_revision:
        return WELL
    if it.strategy == "RollingUpdate" and updated >= due:
        return WELL
    return PROGRESSING, f"{updated} of {due} replicas are updated"


def _daemon_set(it: model.Workload) -> Verdict | None:
    if it.ready is None:
        return None
    if _behind(it):
        return STALE
    wanted, updated, available = it.desired or 0, it.updated or 0, it.available or 0
    if it.strategy == "OnDelete":
        return WELL
    if updated < wanted:
        return PROGRESSING, f"{updated} of {wanted} pods are updated"
    if available < wanted:
        return PROGRESSING, f"{available} of {wanted} pods are available"
    return WELL


def _replica_set(it: model.Revision) -> Verdict | None:
    if it.available is None:
        return None
    if _behind(it):
        return STALE
    wanted, failure = it.replicas or 0, find(it.conditions, "ReplicaFailure")
    if failure and failure.status == "True":
        return DEGRADED, why(failure)
    if it.available < wanted:
        return PROGRESSING, f"{it.available} of {wanted} replicas are available"
    return WELL


def _job(it: model.Workload) -> Verdict | None:
    if it.ready is None:
        return None
    return ENDS(it) or (PROGRESSING, f"{it.active or 0} of its pods run, {it.ready} of {it.desired} are done")


def _cron_job(it: model.Workload) -> Verdict | None:
    """A run that fails is its Job's matter; only one that ended without success after a success hurts."""
    if it.active is None:
        return None
    if it.paused or it.active or it.last_scheduled is None or it.last_succeeded is None:
        return WELL
    if it.last_succeeded < it.last_scheduled:
        return DEGRADED, "its last run has not succeeded"
    return WELL


def _node(it: model.Node) -> Verdict | None:
    ready = find(it.conditions, "Ready")
    if ready is None:
        return None
    pressed = next((c for c in it.conditions if c.status == "True" and c.type in _NODE_TROUBLES), None)
    if ready.status != "True" or pressed:
        return DEGRADED, why(pressed if pressed and ready.status == "True" else ready)
    return (SUSPENDED, "it is cordoned") if it.unschedulable else WELL


_NODE_TROUBLES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


def _service(it: model.Service) -> Verdict | None:
    if it.type == "LoadBalancer" and not it.load_balancers:
        return (PROGRESSING, "it waits for its load balancer") if it.cluster_ip or _is_live(it) else None
    known = it.load_balancers or it.cluster_ip not in ("", "None") or _is_live(it)
    return WELL if known else None


def _ingress(it: model.Ingress) -> Verdict | None:
    if it.load_balancers:
        return WELL
    return (PROGRESSING, "no controller has given it an address") if _is_live(it) else None


def _autoscaler(it: model.Autoscaler) -> Verdict | None:
    """A failure shows as a reason even while the condition is still True."""
    for told in it.conditions:
        if told.type in ("AbleToScale", "ScalingActive") and told.reason.startswith(("Failed", "Invalid")):
            return DEGRADED, why(told)
    able = find(it.conditions, "AbleToScale")
    if able and able.status == "True":
        return WELL
    if able:
        return PROGRESSING, why(able)
    return WAITING if it.conditions or it.current_replicas is not None else None


def _crd(it: model.CustomResourceDefinition) -> Verdict | None:
    if not it.conditions:
        return None
    for name, status, verdict in _CRD_TROUBLES:
        found = find(it.conditions, name)
        if found and found.status == status:
            return verdict, why(found)
    return WELL if find(it.conditions, "Established") else (DEGRADED, "it is not established")


_CRD_TROUBLES = (
    ("Terminating", "True", PROGRESSING), ("NamesAccepted", "False", DEGRADED),
    ("NonStructuralSchema", "True", DEGRADED), ("Established", "False", DEGRADED), ("Established", "Unknown", DEGRADED),
)  # fmt: skip


def _application(it: model.Application) -> Verdict | None:
    if not it.health:
        return (PROGRESSING, "Argo CD has not judged it yet") if it.sync else None
    verdict = _WORD.get(it.health.lower(), UNKNOWN)
    return (verdict, "" if verdict is HEALTHY else f"Argo CD says {it.health}; its sync is {it.sync or 'not told'}")


_WORD = {health.value: health for health in Health}


def _flux(it: model.FluxHelmRelease | model.FluxKustomization | model.FluxSource) -> Verdict | None:
    if it.suspended and (it.conditions or _is_live(it)):
        return SUSPENDED, "it is suspended"
    return READY(it)


def _flux_source(it: model.FluxSource) -> Verdict | None:
    return WELL if it.static and not it.conditions and _is_live(it) else _flux(it)


def _phase_of(phases: Mapping[str, Health]) -> Rule:
    """A kind of Kubernetes by its phase."""

    def rule(it: Any) -> Verdict | None:
        if not it.phase:
            return None
        verdict = phases.get(it.phase, UNKNOWN)
        return verdict, "" if verdict is HEALTHY else f"it is {it.phase}"

    return rule


_STORED = {"Bound": HEALTHY, "Available": HEALTHY, "Released": HEALTHY, "Pending": PROGRESSING, "Failed": DEGRADED,
           "Lost": DEGRADED}  # fmt: skip
_FLUX_SOURCES = ("GitRepository", "HelmRepository", "OCIRepository", "HelmChart", "Bucket")
_OF_SEVERAL_KINDS = frozenset({"workloads", "revisions", "flux_sources"})
_KINDS: tuple[tuple[str, str, str, Rule], ...] = (
    ("nodes", "v1", "Node", _node),
    ("namespaces", "v1", "Namespace", _phase_of({"Active": HEALTHY, "Terminating": PROGRESSING})),
    ("workloads", "apps/v1", "Deployment", _deployment),
    ("workloads", "apps/v1", "StatefulSet", _stateful_set),
    ("workloads", "apps/v1", "DaemonSet", _daemon_set),
    ("workloads", "batch/v1", "Job", _job),
    ("workloads", "batch/v1", "CronJob", _cron_job),
    ("revisions", "apps/v1", "ReplicaSet", _replica_set),
    ("services", "v1", "Service", _service),
    ("ingresses", "networking.k8s.io/v1", "Ingress", _ingress),
    ("volumes", "v1", "PersistentVolume", _phase_of(_STORED)),
    ("volume_claims", "v1", "PersistentVolumeClaim", _phase_of(_STORED)),
    ("autoscalers", "autoscaling/v2", "HorizontalPodAutoscaler", _autoscaler),
    ("api_services", "apiregistration.k8s.io/v1", "APIService", condition("Available", false=PROGRESSING)),
    ("crds", "apiextensions.k8s.io/v1", "CustomResourceDefinition", _crd),
    ("applications", "argoproj.io/v1alpha1", "Application", _application),
    ("flux_helm_releases", "helm.toolkit.fluxcd.io/v2", "HelmRelease", _flux),
    ("flux_kustomizations", "kustomize.toolkit.fluxcd.io/v1", "Kustomization", _flux),
    *(("flux_sources", "source.toolkit.fluxcd.io/v1", kind, _flux_source) for kind in _FLUX_SOURCES),
)
"""(part of the Snapshot, API version, kind, rule)."""


# ── Custom resources ────────────────────────────────────────────────────────────────────────────────────────────


def judge_others(others: Iterable[OtherObject]) -> Iterator[ObjectHealth]:
    """Verdicts on custom resources alone."""
    for other in others:
        rule, known = rule_for(other.group, other.kind)
        said = _of_other(other, rule if known else by_conditions, known)
        if said is None:
            continue
        yield ObjectHealth(
            api_version=other.api_version, kind=other.kind, namespace=other.namespace, name=other.name,
            verdict=said[0], reason=said[1], rule="kind" if known else "conditions",
        )  # fmt: skip


def _of_other(other: OtherObject, rule: Rule | None, known: bool) -> Verdict | None:
    """None where it has no state, or where only its metadata was read."""
    if other.has_status is None:
        return None
    if other.deleting:
        return _DELETING
    if rule is None or not (known or other.has_status):
        return None
    said = rule(other)
    # A manifest waits for its controller as an object just applied does; that it is well, it does not say.
    if said is not None and said[0] is not PROGRESSING and not other.has_status and not _is_live(other):
        return _NO_STATUS
    return said
