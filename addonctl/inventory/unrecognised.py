"""System workloads that match no add-on in the catalog, and why they look like one. Called by the inventory."""

from collections.abc import Iterable, Iterator

from addonctl import images
from addonctl.model import Unrecognised, Workload

# Control-plane components that other distributions run as pods: not add-ons.
_CONTROL_PLANE = frozenset(
    (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "cloud-controller-manager",
        "kube-apiserver-proxy",
        "kops-controller",
        "etcd-manager-main",
        "etcd-manager-events",
    )
)
_SYSTEM_PRIORITIES = ("system-node-critical", "system-cluster-critical")


def unrecognised(workloads: Iterable[Workload]) -> Iterator[Unrecognised]:
    """Workloads that look like add-ons: in a system namespace, of system priority, or on every node."""
    for workload in sorted(workloads, key=lambda workload: (workload.namespace, workload.name)):
        why = _looks_like_an_addon(workload)
        if why:
            shown = tuple(dict.fromkeys(container.image for container in workload.template.containers))
            yield Unrecognised(ref=workload.ref, images=shown, why=why)


def _looks_like_an_addon(workload: Workload) -> str:
    """Why it looks like an add-on; empty if it does not."""
    if workload.kind == "Job" or _is_control_plane(workload):
        return ""
    if workload.template.priority_class in _SYSTEM_PRIORITIES:
        return f"priority class {workload.template.priority_class}"
    if workload.namespace == "kube-system" or workload.namespace.endswith("-system"):
        return f"namespace {workload.namespace}"
    return "a DaemonSet: runs on every node" if workload.kind == "DaemonSet" else ""


def _is_control_plane(workload: Workload) -> bool:
    both = {**workload.template.labels, **workload.labels}
    return both.get("tier") == "control-plane" or any(
        images.parse(container.image).path.rpartition("/")[2] in _CONTROL_PLANE
        for container in workload.template.containers
    )
