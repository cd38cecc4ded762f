"""Which objects an owner has applied for an installation: what a checkpoint holds, and what is new since.

Helm, Argo CD and Flux keep lists of them. EKS does not, nor does who applies manifests: theirs are those that have
their field manager and either the names of the workloads or are used by their pods. Secrets are left out: their owner
keeps them. Called by the hands.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from addonctl import resources
from addonctl.errors import NotServed
from addonctl.hands.base import Ports
from addonctl.instances import exists
from addonctl.model import ObjectRef, live, owners
from addonctl.model.checkpoint import Checkpoint
from addonctl.model.manifests import KEPT
from addonctl.model.plan import Step
from addonctl.ports import ObjectReader

_PARTS = frozenset(
    "workloads services config_maps service_accounts roles role_bindings disruption_budgets autoscalers "
    "network_policies webhook_configurations api_services csi_drivers".split()
)
# Jobs are made anew by each version, and end by themselves.
_READ = tuple(each for each in resources.RESOURCES if each.part in _PARTS and each.group != "batch")
_KINDS = frozenset((each.group, each.kind) for each in _READ)
_NAMING = ("k8s-app", "app.kubernetes.io/name", "app")
KUBECTL = ("kubectl", "kubectl-client-side-apply", "kubectl-last-applied", "before-first-apply")
"""Who applies manifests by hand, under the names that kubectl gives itself; and whoever did before the server kept
whose a field is, which it begins to do with the first server-side apply."""
# What is older than a checkpoint by more than clocks differ is not new, whatever the checkpoint knew of it.
_SKEW = timedelta(minutes=10)
Document = Mapping[str, Any]


EKS = frozenset({"eks"})


def appliers(by: owners.Manifest) -> frozenset[str]:
    """The field managers of who applies manifests, and of us where we did it."""
    return frozenset((*KUBECTL, by.manager, live.FIELD_MANAGER))


def writers(step: Step) -> frozenset[str]:
    """The field managers under which a step's change is written, and is taken back."""
    match step.owner:
        case owners.EksAddon():
            names = EKS
        case owners.HelmRelease():
            names = frozenset({"helm"})
        case owners.ArgoApplication():
            names = frozenset({"argocd-controller", "argocd-application-controller"})
        case owners.FluxHelmRelease():
            names = frozenset({"helm-controller", "helm"})
        case _:
            names = EKS if step.creation else frozenset()
    return names | {live.FIELD_MANAGER}


def listed(reader: ObjectReader, refs: Iterable[ObjectRef]) -> tuple[live.Object, ...]:
    """Those of an owner's list that are there."""
    known = (each for each in refs if (each.group, each.kind) in _KINDS)
    return tuple(filter(None, (exists(reader, each) for each in known)))


def rendered(ports: Ports, namespace: str, name: str, revision: int, into: str = "") -> tuple[live.Object, ...]:
    """Those of a revision of a Helm release that are there. Charts may leave out the namespace that it goes `into`."""

    def placed(ref: ObjectRef) -> ObjectRef:
        left_out = not ref.namespace and resources.namespaced(ref.group, ref.kind)
        return replace(ref, namespace=into or namespace) if left_out else ref

    return listed(ports.reader, (placed(each.ref) for each in ports.helm.objects(namespace, name, revision)))


def managed(reader: ObjectReader, step: Step, managers: frozenset[str]) -> tuple[live.Object, ...]:
    """Those that one of `managers` has written, and that have the names of a step's workloads or are used by them.

    Of an object that has a name and nothing else, such as many a ServiceAccount, nobody has written a field.
    """
    workloads = tuple(filter(None, (exists(reader, target.ref) for target in step.targets)))
    theirs = tuple(each for each in _all(reader, workloads) if managers & _writers(each) or not _writers(each))
    names, used = set(chain.from_iterable(map(_names, workloads))), set(chain.from_iterable(map(_used, workloads)))
    bound = [each for each in theirs if used & set(_subjects(each))]
    used |= {ref for each in bound for ref in (each.ref, _role(each))}
    return tuple(each for each in theirs if each.ref in used or names & set(_names(each)))


def _all(reader: ObjectReader, workloads: Iterable[live.Object]) -> Iterator[live.Object]:
    """Every object of the kinds, in the namespaces of the workloads and in none."""
    namespaces = dict.fromkeys(each.ref.namespace for each in workloads)
    for each in _READ if namespaces else ():
        for namespace in namespaces if each.namespaced else ("",):
            try:
                yield from reader.list(live.Kind(each.group, each.kind), namespace)
            except NotServed:
                continue


def _writers(found: live.Object) -> set[str]:
    return {each["manager"] for each in found.metadata.get("managedFields") or () if not each.get("subresource")}


def _names(found: live.Object) -> Iterator[tuple[str, str]]:
    template = (found.document.get("spec") or {}).get("template") or {}
    for metadata in (found.metadata, template.get("metadata") or {}):
        labels = metadata.get("labels") or {}
        yield from ((name, labels[name]) for name in _NAMING if name in labels)


def _used(workload: live.Object) -> Iterator[ObjectRef]:
    """The workload, and what its pods are made with."""
    yield workload.ref
    spec, namespace = workload.document["spec"]["template"]["spec"], workload.ref.namespace
    if account := spec.get("serviceAccountName"):
        yield ObjectRef.of("ServiceAccount", account, namespace)
    for name in chain(_mounted(spec), _read_by_env(spec)):
        yield ObjectRef.of("ConfigMap", name, namespace)


def _mounted(spec: Document) -> Iterator[str]:
    for volume in spec.get("volumes") or ():
        projected = (volume.get("projected") or {}).get("sources") or ()
        yield from (each["configMap"]["name"] for each in (volume, *projected) if each.get("configMap"))


def _read_by_env(spec: Document) -> Iterator[str]:
    for container in chain(spec.get("containers") or (), spec.get("initContainers") or ()):
        of_names = ((each.get("valueFrom") or {}).get("configMapKeyRef") for each in container.get("env") or ())
        whole = (each.get("configMapRef") for each in container.get("envFrom") or ())
        yield from (each["name"] for each in chain(of_names, whole) if each)


def _subjects(binding: live.Object) -> Iterator[ObjectRef]:
    """The accounts to which a binding gives a role."""
    for each in binding.document.get("subjects") or ():
        if each.get("kind") == "ServiceAccount":
            yield ObjectRef.of("ServiceAccount", each["name"], each.get("namespace") or binding.ref.namespace)


def _role(binding: live.Object) -> ObjectRef:
    role = binding.document["roleRef"]
    namespace = binding.ref.namespace if role["kind"] == "Role" else ""
    return ObjectRef(kind=role["kind"], name=role["name"], namespace=namespace, group=binding.ref.group)


# ── Since a checkpoint ──────────────────────────────────────────────────────────────────────────────────────────────


def written_since(old: live.Object, now: live.Object) -> set[str]:
    """The field managers that have written an object since a checkpoint, as far as the server notes it."""
    known = {_entry(each) for each in old.metadata.get("managedFields") or ()}
    later = (each for each in now.metadata.get("managedFields") or () if _entry(each) not in known)
    return {each["manager"] for each in later if not each.get("subresource")}


def _entry(entry: Document) -> tuple[str, str, str]:
    return entry["manager"], entry["operation"], str(entry.get("time", ""))


def added(step: Step, before: Checkpoint, present: Iterable[live.Object]) -> Iterator[live.Object]:
    """What a step's owner has applied since a checkpoint, but for what holds data; nothing where nobody noted it."""
    if before.applied is None:
        return
    held = {*before.applied, *(each.ref for each in before.objects), *(each.ref for each in before.secrets)}
    for each in present:
        is_new = each.ref not in held and _created(each) > before.taken - _SKEW
        if is_new and each.ref.kind not in KEPT and _writers(each) & writers(step):
            yield each


def _created(found: live.Object) -> datetime:
    return datetime.fromisoformat(found.metadata["creationTimestamp"])
