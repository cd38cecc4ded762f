"""Which workloads a snapshot holds, and which pods are whose.

Called by inventory.py, health.py and dependencies.py.
"""

from collections.abc import Iterable, Iterator, Mapping

from addonctl.model import Container, ObjectRef, Pod, PodTemplate, Snapshot, Workload


def all_workloads(snapshot: Snapshot) -> Iterator[Workload]:
    """The workloads read, and those that only their pods tell of: static pods, and owners that the input lacks."""
    yield from snapshot.workloads
    known = {(workload.kind, workload.namespace, workload.name) for workload in snapshot.workloads}
    known |= {(revision.kind, revision.namespace, revision.name) for revision in snapshot.revisions}
    seen: set[tuple[str, str, str]] = set()
    for pod in snapshot.pods:
        owner = pod.owners[0] if pod.owners and pod.owners[0].kind != "Node" else None
        key = (owner.kind, pod.namespace, owner.name) if owner else ("Pod", pod.namespace, pod.name)
        if key in known or key in seen:
            continue
        seen.add(key)
        kind, name = _owner_of(*key, pod.labels.get("pod-template-hash", ""))
        if (kind, pod.namespace, name) in known:
            continue
        containers = tuple(Container(name=status.name, image=status.image) for status in pod.containers)
        yield Workload(
            kind=kind, name=name, namespace=pod.namespace, labels=pod.labels, annotations=pod.annotations,
            appliers=pod.appliers if owner is None else (), owners=pod.owners if owner is None else (),
            template=PodTemplate(labels=pod.labels, containers=containers),
        )  # fmt: skip


def _owner_of(kind: str, namespace: str, name: str, template_hash: str) -> tuple[str, str]:
    """A ReplicaSet stands for its Deployment; an owner of another kind (a custom one) is seen as the pods it makes."""
    if kind == "ReplicaSet":
        return "Deployment", name.removesuffix(f"-{template_hash}") if template_hash else name.rpartition("-")[
            0
        ] or name
    return (kind if kind in ("DaemonSet", "StatefulSet", "Job", "Deployment", "CronJob") else "Pod"), name


def pods_by_workload(snapshot: Snapshot, wanted: Iterable[ObjectRef]) -> Mapping[ObjectRef, list[Pod]]:
    """The pods of each of the `wanted` workloads; a pod of a ReplicaSet is its Deployment's."""
    owners = {(ref.kind, ref.namespace, ref.name): ref for ref in wanted}
    for revision in snapshot.revisions:
        if revision.kind == "ReplicaSet" and revision.owners:
            kept = owners.get((revision.owners[0].kind, revision.namespace, revision.owners[0].name))
            if kept is not None:
                owners["ReplicaSet", revision.namespace, revision.name] = kept
    found: dict[ObjectRef, list[Pod]] = {ref: [] for ref in owners.values()}
    for pod in snapshot.pods:
        owner = pod.owners[0] if pod.owners and pod.owners[0].kind != "Node" else None
        key = (owner.kind, pod.namespace, owner.name) if owner else ("Pod", pod.namespace, pod.name)
        kept = owners.get(key)
        if kept is None and owner is not None and owner.kind == "ReplicaSet":  # the input has no ReplicaSets
            kind, name = _owner_of(*key, pod.labels.get("pod-template-hash", ""))
            kept = owners.get((kind, pod.namespace, name))
        if kept is not None:
            found[kept].append(pod)
    return found
