"""All indexes of one Snapshot, shared by every capability; each is built once, on first use.

Each is linear in the size of the snapshot: selectors are resolved through an index of label pairs, not by comparing
every workload of a namespace with every Service.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from addonctl import resources
from addonctl.model.cluster import (
    Autoscaler,
    Container,
    CustomResourceDefinition,
    DisruptionBudget,
    Event,
    KubernetesObject,
    LabelExpression,
    Lease,
    ObjectRef,
    Pod,
    PodTemplate,
    ResourceQuota,
    Service,
    ServiceTarget,
    Volume,
    Workload,
    selects,
)
from addonctl.model.intake import Place
from addonctl.model.records import Application, FluxHelmRelease, HelmRelease, current_releases
from addonctl.model.snapshot import Gap, Snapshot

_NODE_LEASES = "kube-node-lease"
_REGION_LABEL = "topology.kubernetes.io/region"
_NAME_LABEL = "kubernetes.io/metadata.name"
# Names of the API server that are valid inside every cluster, as _address normalises them.
_IN_CLUSTER = frozenset({"https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"})
_OWNED_BY_KINDS = ("DaemonSet", "StatefulSet", "Job", "Deployment", "CronJob")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The backends of a Service: endpoints that are ready and not, and the port names of the ready ones."""

    ready: int = 0
    not_ready: int = 0
    ready_ports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A Service that the API server calls for an object: a webhook, an aggregated API, a CRD with several versions.

    `name` is that of the webhook, where an object has several. `refuses`: requests fail while it does not answer.
    """

    source: ObjectRef
    target: ServiceTarget
    name: str = ""
    refuses: bool = True


@dataclass(frozen=True)
class View:
    """A snapshot and its indexes. Equal snapshots give equal views; nothing here assesses anything."""

    snapshot: Snapshot

    # ── What was read ───────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _gaps(self) -> Mapping[str, Gap]:
        return {gap.part: gap for gap in reversed(self.snapshot.gaps)}

    def gap(self, *parts: str) -> Gap | None:
        """The first gap among these parts; None when all were read."""
        return next((self._gaps[part] for part in parts if part in self._gaps), None)

    @cached_property
    def _unread_groups(self) -> Mapping[str, Gap]:
        """API group → why its custom resources were not read; the empty group stands for all groups."""
        found = {}
        for gap in reversed(self.snapshot.gaps):
            part, _, resource = gap.part.partition(":")
            if part in ("others", "custom_resources"):
                found[resource.partition(".")[2]] = gap
        return found

    def gap_of_group(self, group: str) -> Gap | None:
        """Why not all custom resources of an API group were read; None when they were."""
        return self._unread_groups.get("") or self._unread_groups.get(group)

    @property
    def from_files(self) -> bool:
        """Whether the input may contain only part of a cluster."""
        return self.snapshot.cluster.source == "files"

    @property
    def is_whole(self) -> bool:
        """Whether all of a cluster was looked for, so that what is nowhere does not exist; gaps say what was not."""
        return not self.from_files and not self.snapshot.cluster.namespace

    @cached_property
    def objects(self) -> Mapping[ObjectRef, KubernetesObject]:
        """Every object that was read individually, by its key, except pods and events."""
        return {thing.ref: thing for thing in self.snapshot.objects()}

    @cached_property
    def places(self) -> Mapping[ObjectRef, tuple[Place, ...]]:
        """Where objects stand in the files that they were read from; one may stand in several places."""
        found: dict[ObjectRef, dict[Place, None]] = {}
        for thing in chain(self.snapshot.objects(), self.snapshot.pods) if self.snapshot.intake else ():
            if thing.place is not None:
                found.setdefault(thing.ref, {})[thing.place] = None
        return {ref: tuple(places) for ref, places in found.items()}

    @property
    def region(self) -> str:
        """The AWS region, as EKS says it, or the labels of the nodes; empty if neither does."""
        eks = self.snapshot.eks
        labelled = (node.labels.get(_REGION_LABEL, "") for node in self.snapshot.nodes)
        return (eks.cluster.region if eks else "") or next(filter(None, labelled), "")

    def absent(self, ref: ObjectRef) -> bool:
        """Whether an object certainly does not exist: its kind was read completely, without it.

        Kinds that are read by name are complete only for the requested names, which callers know.
        """
        known = resources.find(ref.group, ref.kind)
        if known is None or not known.complete or self.from_files or self.gap(known.part) is not None:
            return False
        narrowed = self.snapshot.cluster.namespace
        elsewhere = bool(narrowed) and known.namespaced and ref.namespace != narrowed
        return not elsewhere and ref not in self.objects

    def located(self, ref: ObjectRef, home: str) -> ObjectRef:
        """Completes a reference: a namespaced kind without a namespace is in `home`, others have no namespace.

        A kind in the table of resources.py that is named without its group is taken to be that kind.
        """
        group = ref.group or resources.group_of(ref.kind)
        namespaced = resources.namespaced(group, ref.kind)
        if namespaced is None:
            crd = self.crds.get((group, ref.kind))
            namespaced = crd is None or crd.namespaced
        return replace(ref, group=group, namespace=(ref.namespace or home) if namespaced else "")

    # ── Workloads and pods ──────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def workloads(self) -> Mapping[ObjectRef, Workload]:
        """The workloads read, and those known only from pods: static pods, and owners missing from the input."""
        read = {workload.ref: workload for workload in self.snapshot.workloads}
        return read | {made.ref: made for made in self._told_by_pods(read)}

    @cached_property
    def every_workload(self) -> tuple[Workload, ...]:
        """The same, duplicates included: files may contain one object twice, in another version or as a patch."""
        read = {workload.ref for workload in self.snapshot.workloads}
        told = (workload for ref, workload in self.workloads.items() if ref not in read)
        return (*self.snapshot.workloads, *told)

    def _told_by_pods(self, read: Mapping[ObjectRef, Workload]) -> Iterator[Workload]:
        revisions = {revision.ref for revision in self.snapshot.revisions}
        seen: set[ObjectRef] = set()
        for pod in self.snapshot.pods:
            maker = _maker(pod)
            if maker in read or maker in revisions or maker in seen:
                continue
            seen.add(maker)
            stands_for = _stands_for(maker, pod)
            if stands_for not in read:
                yield _from_pod(stands_for, pod)

    @cached_property
    def controllers(self) -> Mapping[ObjectRef, ObjectRef]:
        """What creates pods → the workload it belongs to: a ReplicaSet → its Deployment, a workload → itself."""
        found = {ref: ref for ref in self.workloads}
        for revision in self.snapshot.revisions:
            owner = _controller(revision)
            if owner is not None and owner in self.workloads:
                found[revision.ref] = owner
        return found

    @cached_property
    def makers(self) -> Mapping[ObjectRef, Sequence[ObjectRef]]:
        """A workload → what creates its pods: itself, and its ReplicaSets or ControllerRevisions."""
        found: dict[ObjectRef, list[ObjectRef]] = {}
        for maker, workload in self.controllers.items():
            found.setdefault(workload, []).append(maker)
        return found

    @cached_property
    def pods(self) -> Mapping[ObjectRef, Sequence[Pod]]:
        """The pods of each workload; those of a ReplicaSet belong to its Deployment."""
        found: dict[ObjectRef, list[Pod]] = {ref: [] for ref in self.workloads}
        for pod in self.snapshot.pods:
            workload = self.workload_of(pod)
            if workload is not None:
                found[workload].append(pod)
        return found

    def workload_of(self, pod: Pod) -> ObjectRef | None:
        """The workload that a pod belongs to; None if the input does not have it."""
        maker = _maker(pod)
        known = self.controllers.get(maker)
        if known is not None:
            return known
        stands_for = _stands_for(maker, pod)  # the input has no ReplicaSets
        return stands_for if stands_for in self.workloads else None

    @cached_property
    def _by_label(self) -> Mapping[tuple[str, str, str], Sequence[Workload]]:
        """(namespace, label, value) → workloads whose pods have it."""
        found: dict[tuple[str, str, str], list[Workload]] = {}
        for workload in self.workloads.values():
            for key, value in workload.template.labels.items():
                found.setdefault((workload.namespace, key, value), []).append(workload)
        return found

    @cached_property
    def _in_namespace(self) -> Mapping[str, Sequence[Workload]]:
        found: dict[str, list[Workload]] = {}
        for workload in self.workloads.values():
            found.setdefault(workload.namespace, []).append(workload)
        return found

    def in_namespace(self, namespace: str) -> Sequence[Workload]:
        """The workloads of a namespace."""
        return self._in_namespace.get(namespace, ())

    def selected(
        self, namespace: str, labels: Mapping[str, str], expressions: Iterable[LabelExpression] = ()
    ) -> list[Workload]:
        """The workloads of a namespace whose pods a selector selects; an empty selector selects all."""
        wanted = tuple(expressions)
        terms: list[tuple[str, tuple[str, ...]]] = [(key, (value,)) for key, value in labels.items()]
        terms += [(each.key, each.values) for each in wanted if each.operator == "In"]
        found = [self._carrying(namespace, key, values) for key, values in terms]
        fewest = min(found, key=len) if found else self.in_namespace(namespace)
        return [workload for workload in fewest if selects(labels, wanted, workload.template.labels)]

    def _carrying(self, namespace: str, key: str, values: Sequence[str]) -> Sequence[Workload]:
        """The workloads of a namespace whose pods have a label with one of these values."""
        found = [self._by_label.get((namespace, key, value), ()) for value in dict.fromkeys(values)]
        return found[0] if len(found) == 1 else [workload for each in found for workload in each]

    # ── Services ────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def services(self) -> Mapping[ObjectRef, Service]:
        return {service.ref: service for service in self.snapshot.services}

    @cached_property
    def behind(self) -> Mapping[ObjectRef, Sequence[Workload]]:
        """A Service that has a selector → the workloads whose pods it selects."""
        with_selector = (service for service in self.services.values() if service.selector)
        return {service.ref: self.selected(service.namespace, service.selector) for service in with_selector}

    @cached_property
    def services_of(self) -> Mapping[ObjectRef, Sequence[Service]]:
        """A workload → the Services whose selector selects its pods."""
        found: dict[ObjectRef, list[Service]] = {}
        for ref, workloads in self.behind.items():
            for workload in workloads:
                found.setdefault(workload.ref, []).append(self.services[ref])
        return found

    @cached_property
    def called_by_server(self) -> Mapping[ObjectRef, bool]:
        """Services that the API server calls → whether requests are rejected while one of them does not answer."""
        found: dict[ObjectRef, bool] = {}
        for call in self.calls:
            found[call.target.ref] = found.get(call.target.ref, False) or call.refuses
        return found

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Everything that the API server calls a Service for. A CRD with one version has nothing to convert."""
        return (
            *(
                Call(
                    source=configuration.ref,
                    target=hook.service,
                    name=hook.name,
                    refuses=hook.failure_policy == "Fail",
                )
                for configuration in self.snapshot.webhook_configurations
                for hook in configuration.webhooks
                if hook.service is not None
            ),
            *(Call(source=api.ref, target=api.service) for api in self.snapshot.api_services if api.service),
            *(
                Call(source=crd.ref, target=crd.conversion)
                for crd in self.snapshot.crds
                if crd.conversion is not None and len({*crd.stored_versions, *(v.name for v in crd.versions)}) > 1
            ),
        )

    @cached_property
    def calls_of(self) -> Mapping[ObjectRef, Sequence[Call]]:
        """The calls for each object."""
        found: dict[ObjectRef, list[Call]] = {}
        for call in self.calls:
            found.setdefault(call.source, []).append(call)
        return found

    @cached_property
    def _services_by_name(self) -> Mapping[str, Sequence[Service]]:
        found: dict[str, list[Service]] = {}
        for service in self.snapshot.services:
            found.setdefault(service.name, []).append(service)
        return found

    def moved(self, target: ServiceTarget) -> Service | None:
        """The Service of that name and port in another namespace, where there is none in its own; None of several."""
        if target.ref in self.services:
            return None
        named = self._services_by_name.get(target.name, ())
        fitting = [service for service in named if any(port.number == target.port for port in service.ports)]
        return fitting[0] if len(fitting) == 1 else None

    @cached_property
    def webhooks_named(self) -> Mapping[str, Sequence[ObjectRef]]:
        """The name of a webhook → the configurations that have one of that name."""
        found: dict[str, list[ObjectRef]] = {}
        for configuration in self.snapshot.webhook_configurations:
            for name in dict.fromkeys(hook.name for hook in configuration.webhooks):
                found.setdefault(name, []).append(configuration.ref)
        return found

    @cached_property
    def _backends(self) -> Mapping[ObjectRef, Backends]:
        found: dict[ObjectRef, Backends] = {}
        for piece in self.snapshot.endpoint_slices:
            ref = ObjectRef.of("Service", piece.service, piece.namespace)
            known = found.get(ref, Backends())
            answered = {port.name for port in piece.ports} if piece.ready else set()
            found[ref] = Backends(
                ready=known.ready + piece.ready,
                not_ready=known.not_ready + piece.not_ready,
                ready_ports=known.ready_ports | answered,
            )
        return found

    def backends(self, service: ObjectRef) -> Backends | None:
        """The backends of a Service; None if endpoints or Services of its namespace were not read."""
        elsewhere = self.snapshot.cluster.namespace not in ("", service.namespace)
        if elsewhere or self.gap("endpoint_slices", "services") is not None:
            return None
        return self._backends.get(service, Backends())

    # ── Helm ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def helm_releases(self) -> tuple[HelmRelease, ...]:
        """The Helm releases that are installed, one of each."""
        return tuple(release for release in current_releases(self.snapshot.helm_releases) if release.is_installed)

    # ── Argo CD and Flux ────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _addresses(self) -> frozenset[str]:
        """How others refer to this cluster: its API server's URLs, and the ARN that EKS capabilities use."""
        eks = self.snapshot.eks
        of_eks = (eks.cluster.endpoint, eks.cluster.arn) if eks is not None else ()
        return frozenset(map(_address, filter(None, (self.snapshot.cluster.server, *of_eks)))) | _IN_CLUSTER

    @cached_property
    def applications(self) -> tuple[Application, ...]:
        """The Applications that deploy to this cluster; on a hub, most deploy elsewhere, often under equal names."""
        return tuple(app for app in self.snapshot.applications if self.deploys_here(app))

    def deploys_here(self, app: Application) -> bool:
        """Whether an Application deploys to the cluster that it was read from."""
        return app.destination_in_cluster or _address(app.destination) in self._addresses

    @cached_property
    def flux_helm_releases(self) -> tuple[FluxHelmRelease, ...]:
        """The Flux HelmReleases whose Helm releases are in this cluster, as far as is known."""
        return tuple(each for each in self.snapshot.flux_helm_releases if not each.elsewhere)

    # ── The rest ────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def crds(self) -> Mapping[tuple[str, str], CustomResourceDefinition]:
        """CRDs by the group and kind that they define."""
        return {(crd.group, crd.kind): crd for crd in self.snapshot.crds}

    @cached_property
    def _namespaces(self) -> Mapping[str, Mapping[str, str]]:
        return {namespace.name: namespace.labels for namespace in self.snapshot.namespaces}

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace, including its name, which Kubernetes adds to every namespace."""
        return {_NAME_LABEL: name, **self._namespaces.get(name, {})}

    def knows_labels(self, namespace: str, keys: Iterable[str]) -> bool:
        """Whether enough of a namespace was read to resolve a selector over these labels."""
        if namespace in self._namespaces:
            return True
        return not (self.from_files or self.gap("namespaces") is not None) or set(keys) <= {_NAME_LABEL}

    @cached_property
    def guarded(self) -> Mapping[ObjectRef, Sequence[Workload]]:
        """A PodDisruptionBudget → the workloads whose pods its selector selects; without a selector it selects none."""
        return {
            budget.ref: self.selected(budget.namespace, budget.selector, budget.expressions)
            for budget in self.snapshot.disruption_budgets
            if budget.selector is not None
        }

    @cached_property
    def budgets_of(self) -> Mapping[ObjectRef, Sequence[DisruptionBudget]]:
        """A workload → the PodDisruptionBudgets whose selector selects its pods."""
        found: dict[ObjectRef, list[DisruptionBudget]] = {}
        for budget in self.snapshot.disruption_budgets:
            for workload in self.guarded.get(budget.ref, ()):
                found.setdefault(workload.ref, []).append(budget)
        return found

    @cached_property
    def autoscalers_of(self) -> Mapping[ObjectRef, Sequence[Autoscaler]]:
        """A workload → the HorizontalPodAutoscalers that scale it."""
        found: dict[ObjectRef, list[Autoscaler]] = {}
        for scaler in self.snapshot.autoscalers:
            if scaler.target is not None:
                found.setdefault(scaler.target, []).append(scaler)
        return found

    @cached_property
    def volumes(self) -> Mapping[str, Volume]:
        """PersistentVolumes by name."""
        return {volume.name: volume for volume in self.snapshot.volumes}

    @cached_property
    def quotas(self) -> Mapping[str, Sequence[ResourceQuota]]:
        """Quotas by namespace."""
        found: dict[str, list[ResourceQuota]] = {}
        for quota in self.snapshot.quotas:
            found.setdefault(quota.namespace, []).append(quota)
        return found

    @cached_property
    def leases_by_holder(self) -> Mapping[str, Sequence[Lease]]:
        """Leases by every hyphen-delimited prefix of the holder's name: a pod's name starts with its workload's.

        Node leases, of which there are many, are left out.
        """
        found: dict[str, list[Lease]] = {}
        for lease in self.snapshot.leases:
            words = lease.holder.split("-") if lease.namespace != _NODE_LEASES else ()
            for count in range(1, len(words)):
                found.setdefault("-".join(words[:count]), []).append(lease)
        return found

    @cached_property
    def warnings(self) -> Mapping[ObjectRef, Sequence[Event]]:
        """Warning events by the object that they are about."""
        found: dict[ObjectRef, list[Event]] = {}
        for event in self.snapshot.events:
            found.setdefault(event.subject, []).append(event)
        return found


def _address(written: str) -> str:
    """A URL or ARN normalised for comparison: case, the default port and a trailing slash do not matter."""
    return written.lower().rstrip("/").removesuffix(":443")


def _controller(thing: KubernetesObject) -> ObjectRef | None:
    """The controller of an object, in its namespace; None for a static pod, whose owner is a node."""
    owner = thing.owners[0] if thing.owners and thing.owners[0].kind != "Node" else None
    if owner is None:
        return None
    group = owner.group or resources.group_of(owner.kind)
    return ObjectRef(group=group, kind=owner.kind, namespace=thing.namespace, name=owner.name)


def _maker(pod: Pod) -> ObjectRef:
    """What created a pod: its controlling owner, or the pod itself."""
    return _controller(pod) or pod.ref


def _stands_for(maker: ObjectRef, pod: Pod) -> ObjectRef:
    """A ReplicaSet stands for its Deployment; an owner of a custom kind is represented by the pods it creates."""
    if maker.kind == "ReplicaSet":
        template_hash = pod.labels.get("pod-template-hash", "")
        name = maker.name.removesuffix(f"-{template_hash}") if template_hash else maker.name.rpartition("-")[0]
        return ObjectRef.of("Deployment", name or maker.name, maker.namespace)
    if maker.kind in _OWNED_BY_KINDS:
        return maker
    return ObjectRef.of("Pod", maker.name, maker.namespace)


def _from_pod(ref: ObjectRef, pod: Pod) -> Workload:
    """The workload derived from a pod."""
    containers = tuple(Container(name=status.name, image=status.image) for status in pod.containers)
    bare = _controller(pod) is None
    return Workload(
        kind=ref.kind,
        name=ref.name,
        namespace=ref.namespace,
        labels=pod.labels,
        annotations=pod.annotations,
        appliers=pod.appliers if bare else (),
        owners=pod.owners if bare else (),
        template=PodTemplate(labels=pod.labels, containers=containers),
    )
