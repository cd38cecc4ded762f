"""When a workload of the world counts as rolled out: what `kubectl rollout status`, Helm and EKS wait for."""

from collections.abc import Iterable

from addonctl.sim.kinds import Key
from addonctl.sim.store import Store, Stored

DEPLOYMENT, DAEMON_SET, STATEFUL_SET = ("apps", "Deployment"), ("apps", "DaemonSet"), ("apps", "StatefulSet")
WORKLOADS: frozenset[Key] = frozenset({DEPLOYMENT, DAEMON_SET, STATEFUL_SET})


def is_rolled_out(workload: Stored) -> bool:
    """Whether all that a workload wants runs in its newest form and is available; other kinds always are."""
    if workload.served.key not in WORKLOADS:
        return True
    status = workload.status
    if status.get("observedGeneration", 0) < workload.metadata["generation"]:
        return False
    match workload.served.kind:
        case "Deployment":
            wanted = workload.spec.get("replicas", 1)
            return bool(
                status.get("updatedReplicas", 0) == wanted == status.get("replicas", 0)
                and status.get("availableReplicas", 0) == wanted
            )
        case "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            by_hand = workload.spec.get("updateStrategy", {}).get("type") == "OnDelete"
            updated = by_hand or status.get("updatedNumberScheduled", 0) == wanted
            return bool(updated and status.get("numberAvailable", 0) == wanted)
        case _:
            wanted = workload.spec.get("replicas", 1)
            by_hand = workload.spec.get("updateStrategy", {}).get("type") == "OnDelete"
            updated = by_hand or status.get("currentRevision") == status.get("updateRevision")
            return bool(updated and status.get("readyReplicas", 0) == wanted)


def serves_nothing(workload: Stored) -> bool:
    """Whether a workload wants pods and has none available."""
    status = workload.status
    if workload.served.kind == "DaemonSet":
        return bool(status.get("desiredNumberScheduled", 0) and not status.get("numberAvailable", 0))
    return bool(workload.spec.get("replicas", 1) and not status.get("availableReplicas", 0))


def workloads(store: Store, names: Iterable[tuple[Key, str, str]]) -> list[Stored]:
    """The workloads among objects that were applied, those that are still there."""
    found = (store.get(*name) for name in names if name[0] in WORKLOADS)
    return [one for one in found if one is not None]
