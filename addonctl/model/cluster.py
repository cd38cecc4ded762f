"""Kubernetes objects as observed, trimmed to the fields in use. Units are in the names; times are aware, in UTC.

These types never hold a value of a Secret, a token, or free text that was not redacted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NamedTuple

from addonctl.model.intake import Place
from addonctl.resources import Resource, group_of, resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """The key of an object in every index; `namespace` is empty if cluster-scoped, `group` for the core API."""

    kind: str
    name: str
    namespace: str = ""
    group: str = ""

    @classmethod
    def of(cls, kind: str, name: str, namespace: str = "") -> "ObjectRef":
        """A reference by a kind in the table of resources.py, which supplies the group."""
        return cls(group=group_of(kind), kind=kind, namespace=namespace, name=name)

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """A writer of an object and the API version it used, from managedFields or last-applied.

    `api_version` is that of the writer's request, not that of the server's response.
    """

    manager: str
    api_version: str
    operation: str = "Update"  # Apply, Update, or LastApplied (the annotation of kubectl apply)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesObject:
    """What every object has. `annotations` holds only those listed in adapters/decoding.py.

    `place` is where it stands, if it was read from a file; equal objects may stand in several places.
    """

    name: str
    namespace: str = ""
    uid: str = ""
    created: datetime | None = None
    deleting: bool = False
    deleted: datetime | None = None  # since when it is being deleted
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[ObjectRef, ...] = ()
    appliers: tuple[Applier, ...] = ()
    place: Place | None = field(default=None, compare=False)

    RESOURCE: ClassVar[Resource | None] = None  # for a class that is one kind

    @property
    def ref(self) -> ObjectRef:
        """Its key. Classes for several kinds have a `kind` field."""
        of = self.RESOURCE
        assert of is not None, type(self)
        return ObjectRef(group=of.group, kind=of.kind, namespace=self.namespace, name=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A status condition; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    changed: datetime | None = None
    observed_generation: int | None = None
    severity: str = ""  # Info, Warning or Error, if the controller sets it


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelExpression:
    """One `matchExpressions` entry: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


def selects(wanted: Mapping[str, str], expressions: Iterable[LabelExpression], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) matches `labels`."""
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    for expression in expressions:
        has = labels.get(expression.key)
        if expression.operator == "In" and has not in expression.values:
            return False
        if expression.operator == "NotIn" and has is not None and has in expression.values:
            return False
        if expression.operator == "Exists" and has is None:
            return False
        if expression.operator == "DoesNotExist" and has is not None:
            return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    key: str
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """What a pod tolerates; an empty key with Exists is every taint, an empty effect every effect."""

    key: str = ""
    operator: str = "Equal"  # or Exists
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.operator == "Exists":
            return self.key in ("", taint.key)
        return (self.key, self.value) == (taint.key, taint.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Node")

    kubelet_version: str = ""
    kube_proxy_version: str = ""
    container_runtime: str = ""
    os_image: str = ""
    operating_system: str = ""
    architecture: str = ""
    provider_id: str = ""
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    conditions: tuple[Condition, ...] = ()
    cpu_millicores: int = 0  # allocatable, like the next two
    memory_bytes: int = 0
    max_pods: int = 0

    @property
    def instance_type(self) -> str:
        return self.labels.get("node.kubernetes.io/instance-type", "")

    @property
    def zone(self) -> str:
        return self.labels.get("topology.kubernetes.io/zone", "")

    @property
    def compute_type(self) -> str:
        """ec2, auto, fargate or hybrid."""
        return self.labels.get("eks.amazonaws.com/compute-type", "ec2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Namespace")

    phase: str = ""
    conditions: tuple[Condition, ...] = ()


_PORT = re.compile(r"(.*):(\d+)/([^/>]*)(?:>(.*))?", re.DOTALL)


class Port:
    """A port of a container, of a Service or of the pods behind one.

    `target` is a Service's targetPort, a number or a container port's name; empty if it is the port itself.
    Not a dataclass: in a saved snapshot it is a string.
    """

    __slots__ = ("name", "number", "protocol", "target")

    name: str
    number: int
    protocol: str
    target: str

    def __init__(self, name: str = "", number: int = 0, protocol: str = "TCP", target: str = "") -> None:
        for field_name, value in zip(self.__slots__, (name, number, protocol, target), strict=True):
            object.__setattr__(self, field_name, value)

    @classmethod
    def of(cls, text: str) -> "Port":
        """Out of `text`: "metrics:9153/TCP", "https:443/TCP>8443". Raises ValueError where it is none."""
        found = _PORT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a port such as dns:53/UDP")
        name, number, protocol, target = found.groups(default="")
        return cls(name, int(number), protocol, target)

    @property
    def text(self) -> str:
        """All of it, as `of` reads it."""
        return f"{self}>{self.target}" if self.target else str(self)

    def __str__(self) -> str:
        return f"{self.name}:{self.number}/{self.protocol}"

    def __repr__(self) -> str:
        return f"Port.of({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Port) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Port is a value: {name} cannot be set")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod template. `env` holds only the settings that the catalog lists, never a secret."""

    name: str
    image: str = ""
    init: bool = False
    cpu_request_millicores: int | None = None
    cpu_limit_millicores: int | None = None
    memory_request_bytes: int | None = None
    memory_limit_bytes: int | None = None
    ports: tuple[Port, ...] = ()
    has_readiness_probe: bool = False
    has_liveness_probe: bool = False
    privileged: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """What a workload runs, and where it may run."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    service_account: str = ""
    host_network: bool = False
    priority_class: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] | None = None  # None: not read
    has_affinity: bool = False
    has_pod_anti_affinity: bool = False
    has_topology_spread: bool = False
    cpu_request_millicores: int = 0  # of a pod, as the scheduler counts it, like the next
    memory_request_bytes: int = 0
    config_maps: tuple[str, ...] = ()  # names referenced by volumes and env
    secrets: tuple[str, ...] = ()  # likewise, and imagePullSecrets
    optional: tuple[str, ...] = ()  # those of both that are optional: "ConfigMap/name"
    claims: tuple[str, ...] = ()  # PersistentVolumeClaims


class ClaimTemplate(NamedTuple):
    """What each pod of a StatefulSet claims; no class: the cluster's default."""

    storage_class: str
    requested_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload(KubernetesObject):
    """A Deployment, DaemonSet, StatefulSet, Job or CronJob, or a Pod that none of them owns (static, bare).

    Counts are None if the input has no status (a manifest).
    """

    kind: str
    template: PodTemplate = field(default_factory=PodTemplate)
    selector: Mapping[str, str] = field(default_factory=dict)
    strategy: str = ""  # RollingUpdate, Recreate, OnDelete
    max_unavailable: str = ""
    max_surge: str = ""
    generation: int = 0
    observed_generation: int | None = None
    desired: int | None = None
    ready: int | None = None
    available: int | None = None
    updated: int | None = None
    total: int | None = None  # pods of any revision
    active: int | None = None  # Jobs: running pods; CronJobs: running Jobs
    current_revision: str = ""  # StatefulSets
    update_revision: str = ""
    partition: int = 0
    last_scheduled: datetime | None = None  # CronJobs
    last_succeeded: datetime | None = None
    storage_classes: tuple[str, ...] = ()  # of its volume claim templates
    claim_templates: tuple[ClaimTemplate, ...] = ()
    paused: bool = False
    conditions: tuple[Condition, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.kind, self.name, self.namespace)


NOT_PULLED = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
"""The reasons for which a container waits whose image cannot be pulled."""
NOT_CREATED = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
"""The reasons for which a container waits that cannot be created."""
CRASHING = "CrashLoopBackOff"
"""The reason for which a container waits that ends again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """The current state of a container."""

    name: str
    image: str = ""
    image_id: str = ""
    ready: bool = False
    restarts: int = 0
    waiting: str = ""  # reason: CrashLoopBackOff, ImagePullBackOff …
    waits_for: str = ""  # the kubelet's message for it
    exit_code: int | None = None  # if it is terminated now
    last_exit: str = ""  # reason of the last termination: OOMKilled, Error …
    last_exit_at: datetime | None = None
    last_words: str = ""  # what it wrote before it ended, by its terminationMessagePath or log


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Pod")

    phase: str = ""
    reason: str = ""
    node: str = ""
    restart_policy: str = ""
    ready: bool = False
    conditions: tuple[Condition, ...] = ()  # only those that are not True
    containers: tuple[ContainerStatus, ...] = ()
    claims: tuple[str, ...] = ()  # names of its PersistentVolumeClaims
    csi_drivers: tuple[str, ...] = ()  # of volumes that need no claim
    cpu_request_millicores: int = 0  # of all containers together, like the next
    memory_request_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(KubernetesObject):
    """A ReplicaSet or ControllerRevision: one generation of a workload's template."""

    kind: str
    number: int = 0
    replicas: int | None = None
    ready: int | None = None
    available: int | None = None  # None if the input has no status
    generation: int = 0
    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.kind, self.name, self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Service")

    type: str = ""
    cluster_ip: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    load_balancer_class: str = ""
    load_balancers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("EndpointSlice")

    service: str = ""
    ready: int = 0
    not_ready: int = 0
    ports: tuple[Port, ...] = ()  # of its pods


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptionBudget(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("PodDisruptionBudget")

    selector: Mapping[str, str] | None = None  # None: no selector, so it selects nothing
    expressions: tuple[LabelExpression, ...] = ()
    min_available: str = ""
    max_unavailable: str = ""
    disruptions_allowed: int | None = None
    healthy: int | None = None
    healthy_wanted: int | None = None
    pods: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler(KubernetesObject):
    """A HorizontalPodAutoscaler."""

    RESOURCE: ClassVar[Resource | None] = resource("HorizontalPodAutoscaler")

    target: ObjectRef | None = None
    min_replicas: int = 1
    max_replicas: int = 0
    current_replicas: int | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTarget:
    """The Service behind a webhook, an APIService or a conversion."""

    namespace: str
    name: str
    port: int = 443

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of("Service", self.name, self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The requests that an admission webhook or policy matches."""

    groups: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    scope: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook of a configuration. `ca_expires`: when the last certificate of its CA bundle expires."""

    name: str
    failure_policy: str = "Fail"
    timeout_s: int = 10
    service: ServiceTarget | None = None
    url_host: str = ""
    rules: tuple[Rule, ...] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)  # of namespaceSelector, like the next
    namespace_expressions: tuple[LabelExpression, ...] = ()
    object_labels: Mapping[str, str] = field(default_factory=dict)  # of objectSelector, like the next
    object_expressions: tuple[LabelExpression, ...] = ()
    has_match_conditions: bool = False
    ca_expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfiguration(KubernetesObject):
    kind: str  # MutatingWebhookConfiguration or ValidatingWebhookConfiguration
    webhooks: tuple[Webhook, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.kind, self.name, self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiService(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("APIService")

    group: str = ""
    version: str = ""
    service: ServiceTarget | None = None  # None: served by the API server itself
    conditions: tuple[Condition, ...] = ()
    ca_expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdVersion:
    name: str
    served: bool = True
    storage: bool = False
    deprecated: bool = False
    has_status: bool = False  # the status subresource


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResourceDefinition(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("CustomResourceDefinition")

    group: str = ""
    kind: str = ""
    plural: str = ""
    namespaced: bool = True
    versions: tuple[CrdVersion, ...] = ()
    stored_versions: tuple[str, ...] = ()
    conversion: ServiceTarget | None = None
    conversion_ca_expires: datetime | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicy(KubernetesObject):
    """A ValidatingAdmissionPolicy; `bindings` are the names of its bindings."""

    RESOURCE: ClassVar[Resource | None] = resource("ValidatingAdmissionPolicy")

    failure_policy: str = "Fail"
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicyBinding(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("ValidatingAdmissionPolicyBinding")

    policy: str = ""
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CsiDriver(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("CSIDriver")

    attach_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageClass(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("StorageClass")

    provisioner: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    is_default: bool = False
    reclaim_policy: str = ""
    binding_mode: str = ""
    expandable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSnapshotClass(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("VolumeSnapshotClass")

    driver: str = ""
    deletion_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(KubernetesObject):
    """A PersistentVolume. `handle` is its driver's name of it: vol-… of EBS, fs-… of EFS."""

    RESOURCE: ClassVar[Resource | None] = resource("PersistentVolume")

    capacity_bytes: int = 0
    storage_class: str = ""
    driver: str = ""
    handle: str = ""
    phase: str = ""
    claim: ObjectRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeAttachment(KubernetesObject):
    """That a driver is to attach a volume to a node. `attached` is None before the driver has said anything."""

    RESOURCE: ClassVar[Resource | None] = resource("VolumeAttachment")

    attacher: str = ""  # the driver
    node: str = ""
    volume: str = ""  # a PersistentVolume
    attached: bool | None = None
    attach_error: str = ""
    detach_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeClaim(KubernetesObject):
    """A PersistentVolumeClaim."""

    RESOURCE: ClassVar[Resource | None] = resource("PersistentVolumeClaim")

    requested_bytes: int = 0
    storage_class: str = ""
    phase: str = ""
    volume: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressClass(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("IngressClass")

    controller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Ingress")

    ingress_class: str = ""
    services: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()  # with its certificates
    load_balancers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("ServiceAccount")

    automount: bool | None = None
    image_pull_secrets: tuple[str, ...] = ()

    @property
    def role_arn(self) -> str:
        """The IAM role for IRSA; empty if there is none."""
        return self.annotations.get("eks.amazonaws.com/role-arn", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One RBAC rule."""

    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role(KubernetesObject):
    """A Role (with namespace) or ClusterRole (without)."""

    rules: tuple[PolicyRule, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of("Role" if self.namespace else "ClusterRole", self.name, self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleBinding(KubernetesObject):
    """A RoleBinding (with namespace) or ClusterRoleBinding (without)."""

    role: ObjectRef
    subjects: tuple[ObjectRef, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of("RoleBinding" if self.namespace else "ClusterRoleBinding", self.name, self.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("NetworkPolicy")

    pod_selector: Mapping[str, str] = field(default_factory=dict)
    policy_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceQuota(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("ResourceQuota")

    hard: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRange(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("LimitRange")

    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Lease")

    holder: str = ""
    renewed: datetime | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(KubernetesObject):
    """A warning event."""

    RESOURCE: ClassVar[Resource | None] = resource("Event")

    subject: ObjectRef
    reason: str = ""
    message: str = ""
    reporter: str = ""  # the component that saw it
    count: int = 1
    first_seen: datetime | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMap(KubernetesObject):
    """A ConfigMap that configures a known add-on (`config_maps` in the catalog)."""

    RESOURCE: ClassVar[Resource | None] = resource("ConfigMap")

    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResources:
    """How many custom resources of one kind there are, and the API versions that they were written with."""

    group: str
    kind: str
    plural: str
    count: int
    written_as: Mapping[str, int] = field(default_factory=dict)  # api version → objects
    images: tuple[str, ...] = ()  # their spec.image, if the catalog reads a version from it


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsOf:
    """The conditions of an object for one of its parents or parts, such as a gateway of a route."""

    parent: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherObject(KubernetesObject):
    """An object of a kind without a type of its own: a custom resource, or a kind of which only the writers matter.

    `fields` are the scalars of spec and status that health rules use, by dotted path (listed in adapters/decoding.py).
    `has_status` is None if only its metadata was read. `words` and `nested` are the words of state and the conditions
    further down in its status.
    """

    api_version: str
    kind: str
    generation: int = 0
    observed_generation: int | None = None
    has_status: bool | None = None
    conditions: tuple[Condition, ...] = ()
    parents: tuple[ConditionsOf, ...] = ()
    words: tuple[str, ...] = ()
    nested: tuple[ConditionsOf, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)

    is_empty: bool = False  # its status has nothing in it

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(kind=self.kind, name=self.name, namespace=self.namespace, group=self.group)
