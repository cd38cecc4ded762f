"""The nouns that cross module boundaries: what was read from one cluster, as plain frozen values.

Everything read from a cluster is in `Snapshot`: a value that can be saved, mailed, loaded, compared and simulated.
Kubernetes nouns are trimmed to what is used; sizes carry their unit in the name; times are aware UTC.
No value of a Secret, no token and no free text that could hold one is ever put into these types.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SNAPSHOT_SCHEMA = 1
"""Raised when a reader of the previous schema would misread a new snapshot; older ones stay loadable."""


class Method(StrEnum):
    """How an add-on was installed, named after what holds the truth of it."""

    EKS = "eks"
    HELM = "helm"
    ARGOCD = "argocd"
    FLUX = "flux"
    MANIFEST = "manifest"
    BUILT_IN = "built-in"  # EKS Auto Mode and EKS capabilities: runs outside the cluster, AWS keeps it
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How urgent a finding is."""

    INFO = "info"  # worth knowing
    RECOMMENDED = "recommended"  # do it soon
    REQUIRED = "required"  # broken now, or at the next change

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class GapReason(StrEnum):
    """Why a part could not be read."""

    FORBIDDEN = "forbidden"  # the credentials lack a permission
    NO_CREDENTIALS = "no-credentials"
    TIMEOUT = "timeout"  # the other side is there, and gave no answer in time
    NOT_REACHABLE = "not-reachable"  # there was no connection to it
    NOT_SERVED = "not-served"  # the API is not installed or not enabled
    NOT_IN_INPUT = "not-in-input"  # a file holds no such thing
    BROKEN = "broken"  # it answered, but not with what its API promises


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A part that could not be read. What depends on it is unknown, never healthy.

    `part` names what is missing (`pods`, `eks:addons`); `permission` is what would fix it, if that is the reason.
    """

    part: str
    reason: GapReason
    detail: str
    permission: str = ""


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """Names one object; `namespace` is empty for cluster-scoped ones, `group` for the core group."""

    kind: str
    name: str
    namespace: str = ""
    group: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Who last wrote an object, and through which API version: from managedFields or last-applied.

    `api_version` is that of the writer's request, not the one the server answered with.
    """

    manager: str
    api_version: str
    operation: str = "Update"  # Apply, Update, or LastApplied (the annotation of kubectl apply)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesObject:
    """What every object has. `annotations` holds only those that addonctl reads (adapters/decoding.py lists them)."""

    name: str
    namespace: str = ""
    uid: str = ""
    created: datetime | None = None
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[ObjectRef, ...] = ()
    appliers: tuple[Applier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A status condition; `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    changed: datetime | None = None
    observed_generation: int | None = None
    severity: str = ""  # Info, Warning or Error, where a controller says how bad it is


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelExpression:
    """One `matchExpressions` entry: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


def selects(wanted: Mapping[str, str], expressions: Iterable[LabelExpression], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (`matchLabels`, `matchExpressions`) selects what carries `labels`."""
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
class Node(KubernetesObject):
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
    cpu_millicores: int = 0  # allocatable, as the next two
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
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod template. `env` holds only the settings that the catalogue names, never a secret."""

    name: str
    image: str = ""
    init: bool = False
    cpu_request_millicores: int | None = None
    cpu_limit_millicores: int | None = None
    memory_request_bytes: int | None = None
    memory_limit_bytes: int | None = None
    ports: tuple[str, ...] = ()  # "metrics:9153/TCP"
    has_readiness_probe: bool = False
    has_liveness_probe: bool = False
    privileged: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """What a workload runs, and where it may."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    service_account: str = ""
    host_network: bool = False
    priority_class: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    has_affinity: bool = False
    has_pod_anti_affinity: bool = False
    has_topology_spread: bool = False
    config_maps: tuple[str, ...] = ()  # names referred to by volumes and env
    secrets: tuple[str, ...] = ()  # likewise, and for pulling images
    optional: tuple[str, ...] = ()  # those of both without which it starts all the same: "ConfigMap/name"
    claims: tuple[str, ...] = ()  # PersistentVolumeClaims


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload(KubernetesObject):
    """A Deployment, DaemonSet, StatefulSet, Job, CronJob — or a Pod that none of them owns (static, bare).

    Counts are None where the input does not say them (a manifest has no status).
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
    active: int | None = None  # Jobs: pods that run; CronJobs: Jobs that run
    current_revision: str = ""  # StatefulSets
    update_revision: str = ""
    partition: int = 0
    last_scheduled: datetime | None = None  # CronJobs
    last_succeeded: datetime | None = None
    storage_classes: tuple[str, ...] = ()  # of its volume claim templates
    paused: bool = False
    conditions: tuple[Condition, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(kind=self.kind, name=self.name, namespace=self.namespace, group=_WORKLOAD_GROUP[self.kind])


_WORKLOAD_GROUP = {
    "Deployment": "apps", "DaemonSet": "apps", "StatefulSet": "apps", "Job": "batch", "CronJob": "batch", "Pod": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """What a container of a pod is doing now."""

    name: str
    image: str = ""
    image_id: str = ""
    ready: bool = False
    restarts: int = 0
    waiting: str = ""  # reason: CrashLoopBackOff, ImagePullBackOff …
    waits_for: str = ""  # what the kubelet says of the wait
    exit_code: int | None = None  # of the termination it is in
    last_exit: str = ""  # reason of the last termination: OOMKilled, Error …
    last_exit_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod(KubernetesObject):
    phase: str = ""
    reason: str = ""
    node: str = ""
    restart_policy: str = ""
    ready: bool = False
    conditions: tuple[Condition, ...] = ()  # those that are not True
    containers: tuple[ContainerStatus, ...] = ()
    cpu_request_millicores: int = 0  # of all containers together, as the next
    memory_request_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(KubernetesObject):
    """A ReplicaSet or ControllerRevision: one generation of a workload's template."""

    kind: str
    number: int = 0
    replicas: int | None = None
    ready: int | None = None
    available: int | None = None  # None where the input has no status
    generation: int = 0
    observed_generation: int | None = None
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(KubernetesObject):
    type: str = ""
    cluster_ip: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()  # "dns:53/UDP"
    load_balancers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice(KubernetesObject):
    service: str = ""
    ready: int = 0
    not_ready: int = 0
    ports: tuple[str, ...] = ()  # of its pods: "https:8443/TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisruptionBudget(KubernetesObject):
    selector: Mapping[str, str] | None = None  # None: it has no selector and selects nothing
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an admission webhook or policy matches."""

    groups: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    scope: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook of a configuration. `ca_expires`: when the last certificate of its CA bundle ends."""

    name: str
    failure_policy: str = "Fail"
    timeout_s: int = 10
    service: ServiceTarget | None = None
    url_host: str = ""
    rules: tuple[Rule, ...] = ()
    namespace_labels: Mapping[str, str] = field(default_factory=dict)  # of namespaceSelector, as the next
    namespace_expressions: tuple[LabelExpression, ...] = ()
    object_labels: Mapping[str, str] = field(default_factory=dict)  # of objectSelector, as the next
    object_expressions: tuple[LabelExpression, ...] = ()
    has_match_conditions: bool = False
    ca_expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfiguration(KubernetesObject):
    kind: str  # MutatingWebhookConfiguration or ValidatingWebhookConfiguration
    webhooks: tuple[Webhook, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiService(KubernetesObject):
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
    """A ValidatingAdmissionPolicy; `bindings` are the names of what binds it."""

    failure_policy: str = "Fail"
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicyBinding(KubernetesObject):
    policy: str = ""
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CsiDriver(KubernetesObject):
    attach_required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageClass(KubernetesObject):
    provisioner: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    is_default: bool = False
    reclaim_policy: str = ""
    binding_mode: str = ""
    expandable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSnapshotClass(KubernetesObject):
    driver: str = ""
    deletion_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(KubernetesObject):
    """A PersistentVolume."""

    capacity_bytes: int = 0
    storage_class: str = ""
    driver: str = ""
    phase: str = ""
    claim: ObjectRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeClaim(KubernetesObject):
    """A PersistentVolumeClaim."""

    requested_bytes: int = 0
    storage_class: str = ""
    phase: str = ""
    volume: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressClass(KubernetesObject):
    controller: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress(KubernetesObject):
    ingress_class: str = ""
    services: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()  # with its certificates
    load_balancers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount(KubernetesObject):
    automount: bool | None = None
    image_pull_secrets: tuple[str, ...] = ()

    @property
    def role_arn(self) -> str:
        """The IAM role of IRSA, empty where there is none."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleBinding(KubernetesObject):
    """A RoleBinding (with namespace) or ClusterRoleBinding (without)."""

    role: ObjectRef
    subjects: tuple[ObjectRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy(KubernetesObject):
    pod_selector: Mapping[str, str] = field(default_factory=dict)
    policy_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceQuota(KubernetesObject):
    hard: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRange(KubernetesObject):
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease(KubernetesObject):
    holder: str = ""
    renewed: datetime | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(KubernetesObject):
    """A warning event."""

    subject: ObjectRef
    reason: str = ""
    message: str = ""
    count: int = 1
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMap(KubernetesObject):
    """One of the few that configure a known add-on (catalogue: `config_maps`)."""

    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResources:
    """How many custom resources of one kind there are, and through which API versions they were written."""

    group: str
    kind: str
    plural: str
    count: int
    written_as: Mapping[str, int] = field(default_factory=dict)  # api version → objects
    images: tuple[str, ...] = ()  # their spec.image, where the catalogue reads a version there


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsOf:
    """Conditions that an object keeps for each of its parents or parts, such as the gateways of a route."""

    parent: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherObject(KubernetesObject):
    """An object of a kind that has no type here: a custom resource, or a kind of which only who wrote it matters.

    `fields` are the plain values of spec and status that health rules read, by dotted path (decoding.FIELDS lists
    them). `has_status` is None where only its metadata was read.
    """

    api_version: str
    kind: str
    generation: int = 0
    observed_generation: int | None = None
    has_status: bool | None = None
    conditions: tuple[Condition, ...] = ()
    parents: tuple[ConditionsOf, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(kind=self.kind, name=self.name, namespace=self.namespace, group=self.group)


# ── Installers ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmObject:
    """An object in a release's manifest."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRelease:
    """A Helm release: how its newest revision went, and what its newest deployed revision installed.

    `chart`, `chart_version`, `app_version` and `objects` are those of `deployed_revision`, or of the newest revision
    where none is deployed: the first installation failed or is under way, or (`uninstalled`) only its history is kept.
    """

    name: str
    namespace: str
    chart: str = ""
    chart_version: str = ""
    app_version: str = ""
    revision: int = 0  # the newest, as the next two
    status: str = ""  # in Helm's words: deployed, failed, pending-upgrade, uninstalled …
    updated: datetime | None = None
    deployed_revision: int | None = None
    objects: tuple[HelmObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Application(KubernetesObject):
    """An Argo CD Application."""

    project: str = ""
    repository: str = ""  # without credentials
    path: str = ""
    chart: str = ""
    target_revision: str = ""
    destination_namespace: str = ""
    destination_in_cluster: bool = True
    auto_sync: bool = False
    self_heal: bool = False
    sync: str = ""
    health: str = ""
    resources: tuple[ObjectRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxHelmRelease(KubernetesObject):
    """A HelmRelease of Flux; `release` and `target_namespace` name the Helm release it keeps."""

    chart: str = ""
    chart_version: str = ""
    source: str = ""
    release: str = ""
    target_namespace: str = ""
    suspended: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxKustomization(KubernetesObject):
    path: str = ""
    source: str = ""
    suspended: bool = False
    prune: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxSource(KubernetesObject):
    """A GitRepository, HelmRepository, OCIRepository, Bucket or HelmChart of Flux."""

    kind: str
    url: str = ""  # without credentials
    suspended: bool = False
    static: bool = False  # nothing reconciles it: an OCI HelmRepository, which has no status
    conditions: tuple[Condition, ...] = ()


# ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCluster:
    name: str
    arn: str = ""
    region: str = ""
    status: str = ""
    version: str = ""
    platform_version: str = ""
    support_type: str = ""  # a preference (STANDARD, EXTENDED), not the billing state
    auto_mode: bool = False
    health_issues: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIdentity:
    namespace: str
    service_account: str
    role_arn: str
    owner_arn: str = ""  # the add-on that owns the association


@dataclass(frozen=True, slots=True, kw_only=True)
class EksIssue:
    code: str
    message: str = ""
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EksUpdate:
    id: str
    type: str
    status: str
    addon: str = ""
    created: datetime | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[EksIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EksAddon:
    """An add-on as EKS describes it. Of its configurationValues only whether there are any is read."""

    name: str
    status: str = ""
    version: str = ""
    arn: str = ""
    namespace: str = ""
    owner: str = ""
    publisher: str = ""
    service_account_role_arn: str = ""
    pod_identities: tuple[PodIdentity, ...] = ()
    is_configured: bool = False  # its owner set configurationValues
    issues: tuple[EksIssue, ...] = ()
    updates: tuple[EksUpdate, ...] = ()  # those in flight, and the last one
    created: datetime | None = None
    modified: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksInsight:
    id: str
    name: str
    category: str
    status: str
    kubernetes_version: str = ""
    reason: str = ""
    recommendation: str = ""
    refreshed: datetime | None = None
    resources: tuple[str, ...] = ()
    addons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # add-on → versions that would do


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    name: str
    status: str = ""
    version: str = ""
    release_version: str = ""
    ami_type: str = ""
    capacity_type: str = ""
    instance_types: tuple[str, ...] = ()
    desired: int = 0
    minimum: int = 0
    maximum: int = 0
    issues: tuple[EksIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FargateProfile:
    name: str
    status: str = ""
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCapability:
    """Managed Argo CD, ACK or kro: runs in AWS's accounts; not an add-on."""

    name: str
    type: str
    status: str = ""
    version: str = ""
    issues: tuple[EksIssue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    id: str
    zone: str = ""
    cidr: str = ""
    free_addresses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    name: str
    vcpus: int
    memory_bytes: int
    architecture: str = ""
    network_interfaces: int = 0
    addresses_per_interface: int = 0
    nitro: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Eks:
    """What AWS says of the cluster; None in a snapshot whose cluster is not known to be on EKS."""

    cluster: EksCluster
    addons: tuple[EksAddon, ...] = ()
    updates: tuple[EksUpdate, ...] = ()
    insights: tuple[EksInsight, ...] = ()
    node_groups: tuple[NodeGroup, ...] = ()
    fargate_profiles: tuple[FargateProfile, ...] = ()
    capabilities: tuple[EksCapability, ...] = ()
    pod_identities: tuple[PodIdentity, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    instance_types: tuple[InstanceType, ...] = ()


# ── One cluster at one time ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which cluster. `kubernetes` is its full server version, empty where the input does not say it."""

    name: str
    kubernetes: str = ""
    server: str = ""
    context: str = ""
    source: str = "live"  # live, snapshot or files
    namespace: str = ""  # to which reading was narrowed: of others, namespaced objects were not read
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything read from one cluster at one time, with what could not be read and why."""

    schema: int = SNAPSHOT_SCHEMA
    taken: datetime
    cluster: Cluster
    gaps: tuple[Gap, ...] = ()
    eks: Eks | None = None

    nodes: tuple[Node, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    workloads: tuple[Workload, ...] = ()
    pods: tuple[Pod, ...] = ()
    revisions: tuple[Revision, ...] = ()
    services: tuple[Service, ...] = ()
    endpoint_slices: tuple[EndpointSlice, ...] = ()
    disruption_budgets: tuple[DisruptionBudget, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    webhook_configurations: tuple[WebhookConfiguration, ...] = ()
    api_services: tuple[ApiService, ...] = ()
    crds: tuple[CustomResourceDefinition, ...] = ()
    admission_policies: tuple[AdmissionPolicy, ...] = ()
    admission_policy_bindings: tuple[AdmissionPolicyBinding, ...] = ()
    csi_drivers: tuple[CsiDriver, ...] = ()
    storage_classes: tuple[StorageClass, ...] = ()
    volume_snapshot_classes: tuple[VolumeSnapshotClass, ...] = ()
    volumes: tuple[Volume, ...] = ()
    volume_claims: tuple[VolumeClaim, ...] = ()
    ingress_classes: tuple[IngressClass, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    service_accounts: tuple[ServiceAccount, ...] = ()
    roles: tuple[Role, ...] = ()
    role_bindings: tuple[RoleBinding, ...] = ()
    network_policies: tuple[NetworkPolicy, ...] = ()
    quotas: tuple[ResourceQuota, ...] = ()
    limit_ranges: tuple[LimitRange, ...] = ()
    leases: tuple[Lease, ...] = ()
    events: tuple[Event, ...] = ()
    config_maps: tuple[ConfigMap, ...] = ()
    custom_resources: tuple[CustomResources, ...] = ()
    others: tuple[OtherObject, ...] = ()
    helm_releases: tuple[HelmRelease, ...] = ()
    applications: tuple[Application, ...] = ()
    flux_helm_releases: tuple[FluxHelmRelease, ...] = ()
    flux_kustomizations: tuple[FluxKustomization, ...] = ()
    flux_sources: tuple[FluxSource, ...] = ()

    def gap(self, part: str) -> Gap | None:
        """Why `part` is missing, or None when it was read."""
        return next((gap for gap in self.gaps if gap.part == part), None)

    def objects(self) -> Iterator[tuple[ObjectRef, KubernetesObject]]:
        """Every object that was read one by one, with its name; pods and events, which are many, left out."""
        for part, (group, kind) in _KIND_OF_PART.items():
            for thing in getattr(self, part):
                name = kind or _kind_of(thing)
                yield ObjectRef(kind=name, name=thing.name, namespace=thing.namespace, group=group), thing
        for workload in self.workloads:
            yield workload.ref, workload
        for other in self.others:
            yield other.ref, other


def _kind_of(thing: KubernetesObject) -> str:
    """The kind where a part holds two: it is told in the object, or by its scope."""
    if isinstance(thing, Role):
        return "Role" if thing.namespace else "ClusterRole"
    if isinstance(thing, RoleBinding):
        return "RoleBinding" if thing.namespace else "ClusterRoleBinding"
    assert isinstance(thing, Revision | WebhookConfiguration | FluxSource), type(thing)
    return thing.kind


_ADMISSION = "admissionregistration.k8s.io"
_KIND_OF_PART = {
    "nodes": ("", "Node"), "namespaces": ("", "Namespace"), "revisions": ("apps", ""), "services": ("", "Service"),
    "endpoint_slices": ("discovery.k8s.io", "EndpointSlice"), "disruption_budgets": ("policy", "PodDisruptionBudget"),
    "autoscalers": ("autoscaling", "HorizontalPodAutoscaler"), "webhook_configurations": (_ADMISSION, ""),
    "api_services": ("apiregistration.k8s.io", "APIService"),
    "crds": ("apiextensions.k8s.io", "CustomResourceDefinition"),
    "admission_policies": (_ADMISSION, "ValidatingAdmissionPolicy"),
    "admission_policy_bindings": (_ADMISSION, "ValidatingAdmissionPolicyBinding"),
    "csi_drivers": ("storage.k8s.io", "CSIDriver"), "storage_classes": ("storage.k8s.io", "StorageClass"),
    "volume_snapshot_classes": ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    "volumes": ("", "PersistentVolume"), "volume_claims": ("", "PersistentVolumeClaim"),
    "ingress_classes": ("networking.k8s.io", "IngressClass"), "ingresses": ("networking.k8s.io", "Ingress"),
    "service_accounts": ("", "ServiceAccount"), "roles": ("rbac.authorization.k8s.io", ""),
    "role_bindings": ("rbac.authorization.k8s.io", ""),
    "network_policies": ("networking.k8s.io", "NetworkPolicy"), "quotas": ("", "ResourceQuota"),
    "limit_ranges": ("", "LimitRange"), "leases": ("coordination.k8s.io", "Lease"),
    "applications": ("argoproj.io", "Application"), "flux_helm_releases": ("helm.toolkit.fluxcd.io", "HelmRelease"),
    "flux_kustomizations": ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    "flux_sources": ("source.toolkit.fluxcd.io", ""),
}  # fmt: skip


# ── What was made of it ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One observation and where it was made: `image`, `label`, `chart`, `crd`, `eks` …"""

    kind: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody's word that it manages an object: an EKS add-on, a Helm release, an Application, a Flux object."""

    method: Method
    owner: str  # "eks add-on coredns", "helm release monitoring/kube-prometheus-stack" …
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One add-on as it is installed in a cluster.

    `id` is stable over scans: add-on, namespace and name of what anchors it.
    `version` is None with `version_unknown_reason` where nothing tells it.
    `configuration` says where its settings live, in the installer's words.
    """

    id: str
    addon: str
    name: str
    version: str | None
    version_unknown_reason: str = ""
    method: Method
    owner: str
    configuration: str = ""
    claims: tuple[Claim, ...] = ()
    namespaces: tuple[str, ...] = ()
    workloads: tuple[ObjectRef, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    part_of: str = ""  # id of the bundle that brought it


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """A system workload that is no add-on of the catalogue."""

    ref: ObjectRef
    images: tuple[str, ...]
    why: str  # what makes it look like an add-on


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All installations of a cluster, and what was found and belongs to none."""

    installations: tuple[Installation, ...]
    unrecognised: tuple[Unrecognised, ...] = ()
    findings: "tuple[Finding, ...]" = ()


class Health(StrEnum):
    """The state of an object, in Argo CD's words."""

    HEALTHY = "healthy"
    PROGRESSING = "progressing"  # on its way, or waiting for somebody
    SUSPENDED = "suspended"  # stopped on purpose
    DEGRADED = "degraded"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHealth:
    """The verdict on one object. `rule`: `kind` where a rule for its kind judged, `conditions` for the general one."""

    api_version: str
    kind: str
    namespace: str
    name: str
    verdict: Health
    reason: str = ""
    rule: str = "kind"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """What an add-on answered when it was asked something that only it can answer.

    `verdict`: healthy, degraded, or unknown where it could not be asked.
    """

    addon: str
    name: str
    verdict: Health
    detail: str = ""
    latency_ms: int | None = None


class EdgeType(StrEnum):
    """How one thing depends on another."""

    OWNER = "owner"
    SERVICE_ACCOUNT = "service-account"
    CONFIG_MAP = "config-map"
    SECRET = "secret"
    CLAIM = "claim"
    SELECTOR = "selector"
    SCALE_TARGET = "scale-target"
    METRICS = "metrics"  # a HorizontalPodAutoscaler → the APIService that its metrics come from
    WEBHOOK = "webhook"
    ADMISSION = "admission"  # a workload → the webhook configuration that admits its pods
    API_SERVICE = "api-service"
    DNS = "dns"  # a workload → the Service by which its pods resolve names
    CONVERSION = "conversion"
    CUSTOM_RESOURCE = "custom-resource"
    RBAC = "rbac"
    IRSA = "irsa"
    POD_IDENTITY = "pod-identity"
    STORAGE_CLASS = "storage-class"
    CSI_DRIVER = "csi-driver"
    INGRESS = "ingress"
    INGRESS_CLASS = "ingress-class"
    PRIORITY_CLASS = "priority-class"
    POLICY_BINDING = "policy-binding"
    REQUIREMENT = "requirement"  # the catalogue says so


class Strength(StrEnum):
    """What the loss of the target costs: `hard`, it stops or cannot change; `soft`, it goes on with less."""

    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`source` depends on `target`: when the target fails, the source is hurt.

    `hurts`: `running` where the source itself stops, `change` where only creating or changing it is refused.
    """

    source: ObjectRef
    target: ObjectRef
    type: EdgeType
    strength: Strength = Strength.HARD
    hurts: str = "running"
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know or to fix. `code` is an entry of findings.py, which holds its title."""

    code: str
    severity: Severity
    subject: str
    evidence: tuple[Evidence, ...]
    fix: str
