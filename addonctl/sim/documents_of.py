"""Objects of a Snapshot as documents of the simulated API server: what controllers and updates go by, and no more.

A Snapshot is trimmed, so documents are: containers with their images, selectors, strategies, where pods may run. Of
kinds that nothing in a simulated world acts on there is the name alone, so that what refers to them finds them.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from addonctl import resources
from addonctl.model import (
    CustomResourceDefinition,
    DisruptionBudget,
    KubernetesObject,
    Pod,
    Service,
    Toleration,
    Workload,
)
from addonctl.model.cluster import LabelExpression
from addonctl.sim.documents import Document

ROLLED = ("Deployment", "DaemonSet", "StatefulSet")
# Controllers make these, and servers; what is held by time alone is not of the twin's time.
_MADE = frozenset("EndpointSlice ReplicaSet ControllerRevision Pod Event Lease Node Namespace".split())
_NO_IMAGE = "not-read:0"


def document_of(thing: KubernetesObject, nodes: Iterable[str] | None = None) -> Document | None:
    """None for what controllers make themselves, and what a simulated world runs nothing of.

    `nodes`: those that the pods of a DaemonSet are on, where it does not say all of where they may be.
    """
    kind = thing.ref.kind
    if kind in _MADE or (isinstance(thing, Workload) and kind not in ROLLED) or isinstance(thing, Pod):
        return None
    known = resources.find(thing.ref.group, kind)
    version = getattr(thing, "api_version", "") or (known.versions[0] if known else "v1")
    group = thing.ref.group
    metadata: Document = {"name": thing.name, "labels": dict(thing.labels)}
    metadata |= {"namespace": thing.namespace} if thing.namespace else {}
    whole = version if "/" in version or not group else f"{group}/{version}"
    document: Document = {"apiVersion": whole, "kind": kind, "metadata": metadata}
    if isinstance(thing, Workload):
        return {**document, "spec": _workload(thing, nodes)}
    if isinstance(thing, Service):
        return {**document, "spec": _service(thing)}
    if isinstance(thing, DisruptionBudget):
        return {**document, "spec": _budget(thing)}
    if isinstance(thing, CustomResourceDefinition):
        return {**document, "spec": _definition(thing)}
    return document


# ── Workloads ───────────────────────────────────────────────────────────────────────────────────────────────────


def _workload(one: Workload, nodes: Iterable[str] | None) -> Document:
    labels = dict(one.template.labels) or dict(one.selector) or {"name": one.name}
    selector = dict(one.selector) or labels
    template = {"metadata": {"labels": {**labels, **selector}}, "spec": _pod_spec(one, nodes)}
    spec: Document = {"selector": {"matchLabels": selector}, "template": template, **_ROLLING[one.kind](one)}
    return spec | ({} if one.kind == "DaemonSet" else {"replicas": 1 if one.desired is None else one.desired})


def _pod_spec(one: Workload, nodes: Iterable[str] | None) -> Document:
    template = one.template
    containers = [
        {"name": each.name, "image": each.image or _NO_IMAGE} for each in template.containers if not each.init
    ]
    spec: Document = {"containers": containers or [{"name": one.name, "image": _NO_IMAGE}]}
    if template.node_selector:
        spec["nodeSelector"] = dict(template.node_selector)
    if template.tolerations is None:
        spec["tolerations"] = [{"operator": "Exists"}]
    elif template.tolerations:
        spec["tolerations"] = [_toleration(each) for each in template.tolerations]
    if nodes is not None:
        on = {"key": "kubernetes.io/hostname", "operator": "In", "values": sorted(nodes)}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [on]}]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    return spec


def _toleration(one: Toleration) -> Document:
    given = {"key": one.key, "operator": one.operator, "value": one.value, "effect": one.effect}
    return {name: value for name, value in given.items() if value}


def _limits(one: Workload) -> Document:
    given = {"maxSurge": one.max_surge, "maxUnavailable": one.max_unavailable}
    return {name: number_of(value) for name, value in given.items() if value}


def _deployment(one: Workload) -> Document:
    paused = {"paused": True} if one.paused else {}
    if one.strategy == "Recreate":
        return {"strategy": {"type": "Recreate"}, **paused}
    rolling = {"rollingUpdate": _limits(one)} if _limits(one) else {}
    return {"strategy": {"type": "RollingUpdate", **rolling}, **paused}


def _daemon_set(one: Workload) -> Document:
    if one.strategy == "OnDelete":
        return {"updateStrategy": {"type": "OnDelete"}}
    rolling = {"rollingUpdate": _limits(one)} if _limits(one) else {}
    return {"updateStrategy": {"type": "RollingUpdate", **rolling}}


def _stateful_set(one: Workload) -> Document:
    if one.strategy == "OnDelete":
        return {"serviceName": one.name, "updateStrategy": {"type": "OnDelete"}}
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": one.partition}}
    return {"serviceName": one.name, "updateStrategy": rolling}


_ROLLING: Mapping[str, Callable[[Workload], Document]] = {
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
}


def number_of(text: str) -> int | str:
    """A number or a share, as Kubernetes has it where it takes both."""
    return int(text) if text.isdecimal() else text


# ── Others ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _service(one: Service) -> Document:
    ports = [
        {"name": each.name, "port": each.number, "protocol": each.protocol, "targetPort": number_of(each.target)}
        if each.target
        else {"name": each.name, "port": each.number, "protocol": each.protocol}
        for each in one.ports
    ]
    spec: Document = {"ports": ports} if ports else {}
    spec |= {"selector": dict(one.selector)} if one.selector else {}
    return spec | ({"type": one.type} if one.type else {})


def _budget(one: DisruptionBudget) -> Document:
    spec: Document = {}
    if one.selector is not None:
        spec["selector"] = {"matchLabels": dict(one.selector), **_expressions(one.expressions)}
    given = {"minAvailable": one.min_available, "maxUnavailable": one.max_unavailable}
    return spec | {name: number_of(value) for name, value in given.items() if value}


def _expressions(given: Iterable[LabelExpression]) -> dict[str, Any]:
    found = [{"key": each.key, "operator": each.operator, "values": list(each.values)} for each in given]
    return {"matchExpressions": found} if found else {}


def _definition(one: CustomResourceDefinition) -> Document:
    versions = [
        {
            "name": each.name,
            "served": each.served,
            "storage": each.storage,
            "subresources": {"status": {}} if each.has_status else {},
        }
        for each in one.versions
    ]
    names = {"plural": one.plural, "kind": one.kind}
    return {
        "group": one.group,
        "scope": "Namespaced" if one.namespaced else "Cluster",
        "names": names,
        "versions": versions,
    }
