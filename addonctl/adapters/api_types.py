"""The parts of Kubernetes' JSON that addonctl reads, as msgspec structs: every field may be absent or null.

One struct per kind, with fields as in Kubernetes' API reference. msgspec skips fields that are not named here, so
arguments and the data of Secrets never become Python objects unless they are listed.
Used by adapters/decoding.py and adapters/decoders.py only.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

IntOrString = int | str
Strings = dict[str, str]


def _wire_name(field: str) -> str:
    """`cluster_ip` → `clusterIP`, as Kubernetes spells its initialisms."""
    first, *rest = field.rstrip("_").split("_")
    return first + "".join(_INITIALISMS.get(word, word.capitalize()) for word in rest)


_INITIALISMS = {"id": "ID", "ip": "IP", "urls": "URLs", "url": "URL"}


class Shape(Struct, rename=_wire_name, gc=False):
    """The base of all structs: camelCase on the wire."""


class OwnerReference(Shape):
    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool | None = None


class ManagedField(Shape):
    manager: str = ""
    operation: str = ""
    api_version: str = ""


class Meta(Shape):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: list[str] | None = None
    labels: Strings | None = None
    annotations: Strings | None = None
    owner_references: list[OwnerReference] | None = None
    managed_fields: list[ManagedField] | None = None


class LastApplied(Shape):
    api_version: str = ""


class ListMeta(Shape):
    continue_: str | None = None


class Object(Shape):
    api_version: str = ""
    kind: str = ""
    metadata: Meta | None = None


class Condition(Shape):
    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None
    observed_generation: int | None = None
    severity: str | None = None


class LabelSelectorRequirement(Shape):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Shape):
    match_labels: Strings | None = None
    match_expressions: list[LabelSelectorRequirement] | None = None


class Present(Shape):
    """Only whether it is set."""


class LocalRef(Shape):
    name: str | None = None


# ── Nodes and namespaces ────────────────────────────────────────────────────────────────────────────────────────


class Taint(Shape):
    key: str = ""
    value: str | None = None
    effect: str | None = None


class Toleration(Shape):
    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class NodeSpec(Shape):
    provider_id: str | None = None
    unschedulable: bool | None = None
    taints: list[Taint] | None = None


class NodeInfo(Shape):
    kubelet_version: str = ""
    kube_proxy_version: str = ""
    container_runtime_version: str = ""
    os_image: str = ""
    operating_system: str = ""
    architecture: str = ""


class NodeStatus(Shape):
    allocatable: dict[str, IntOrString] | None = None
    conditions: list[Condition] | None = None
    node_info: NodeInfo | None = None


class Node(Object):
    spec: NodeSpec | None = None
    status: NodeStatus | None = None


class PhaseStatus(Shape):
    phase: str | None = None


class NamespaceStatus(Shape):
    phase: str | None = None
    conditions: list[Condition] | None = None


class Namespace(Object):
    status: NamespaceStatus | None = None


# ── Pods and what makes them ────────────────────────────────────────────────────────────────────────────────────


class KeyRef(Shape):
    name: str | None = None
    optional: bool | None = None


class EnvSource(Shape):
    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None


class EnvVar(Shape):
    name: str = ""
    value: str | None = None  # kept only if the catalog names the variable
    value_from: EnvSource | None = None


class EnvFrom(Shape):
    config_map_ref: KeyRef | None = None
    secret_ref: KeyRef | None = None


class Port(Shape):
    name: str | None = None
    container_port: int | None = None
    port: int | None = None
    target_port: IntOrString | None = None
    protocol: str | None = None


class Resources(Shape):
    requests: dict[str, IntOrString | float] | None = None
    limits: dict[str, IntOrString | float] | None = None


class SecurityContext(Shape):
    privileged: bool | None = None


class Container(Shape):
    name: str = ""
    image: str | None = None
    resources: Resources | None = None
    ports: list[Port] | None = None
    env: list[EnvVar] | None = None
    env_from: list[EnvFrom] | None = None
    restart_policy: str | None = None  # Always: an init container that keeps running, a sidecar
    readiness_probe: Present | None = None
    liveness_probe: Present | None = None
    security_context: SecurityContext | None = None


class SecretVolume(Shape):
    secret_name: str | None = None
    optional: bool | None = None


class ClaimVolume(Shape):
    claim_name: str | None = None


class ProjectedSource(Shape):
    config_map: KeyRef | None = None
    secret: KeyRef | None = None


class ProjectedVolume(Shape):
    sources: list[ProjectedSource] | None = None


class PodVolume(Shape):
    config_map: KeyRef | None = None
    secret: SecretVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    projected: ProjectedVolume | None = None


class Affinity(Shape):
    pod_anti_affinity: Present | None = None


class PodSpec(Shape):
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    node_name: str | None = None
    service_account_name: str | None = None
    service_account: str | None = None  # its deprecated name
    host_network: bool | None = None
    priority_class_name: str | None = None
    node_selector: Strings | None = None
    tolerations: list[Toleration] | None = None
    affinity: Affinity | None = None
    topology_spread_constraints: list[Present] | None = None
    volumes: list[PodVolume] | None = None
    image_pull_secrets: list[LocalRef] | None = None
    resources: Resources | None = None  # of the pod as a whole, which override those of its containers
    overhead: "dict[str, IntOrString | float] | None" = None


class PodTemplate(Shape):
    metadata: Meta | None = None
    spec: PodSpec | None = None


class RollingUpdate(Shape):
    partition: int | None = None
    max_unavailable: IntOrString | None = None
    max_surge: IntOrString | None = None


class Strategy(Shape):
    type: str | None = None
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(Shape):
    replicas: int | None = None
    paused: bool | None = None
    selector: LabelSelector | None = None
    template: PodTemplate | None = None
    strategy: Strategy | None = None
    update_strategy: Strategy | None = None
    completions: int | None = None
    parallelism: int | None = None
    volume_claim_templates: "list[VolumeClaim] | None" = None


class WorkloadStatus(Shape):
    observed_generation: int | None = None
    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    updated_replicas: int | None = None
    desired_number_scheduled: int | None = None
    number_ready: int | None = None
    number_available: int | None = None
    updated_number_scheduled: int | None = None
    active: int | None = None
    succeeded: int | None = None
    current_revision: str | None = None
    update_revision: str | None = None
    conditions: list[Condition] | None = None


class Workload(Object):
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


class JobTemplate(Shape):
    spec: WorkloadSpec | None = None


class CronJobSpec(Shape):
    suspend: bool | None = None
    job_template: JobTemplate | None = None


class CronJobStatus(Shape):
    active: list[Present] | None = None
    last_schedule_time: datetime | None = None
    last_successful_time: datetime | None = None


class CronJob(Object):
    spec: CronJobSpec | None = None
    status: CronJobStatus | None = None


class Waiting(Shape):
    reason: str | None = None
    message: str | None = None


class Terminated(Shape):
    reason: str | None = None
    message: str | None = None
    exit_code: int | None = None
    finished_at: datetime | None = None


class ContainerState(Shape):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Shape):
    name: str = ""
    image: str | None = None
    image_id: str | None = None
    ready: bool | None = None
    restart_count: int | None = None
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodStatus(Shape):
    phase: str | None = None
    reason: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class PodContainer(Shape):
    """The fields read of a running pod's container; the template is read from the workload."""

    name: str = ""
    image: str | None = None
    resources: Resources | None = None
    restart_policy: str | None = None  # Always: an init container that keeps running, a sidecar


class ClaimRef(Shape):
    claim_name: str | None = None


class InlineVolume(Shape):
    driver: str | None = None


class MountedVolume(Shape):
    """A volume that a driver has to provide; of others only the name is read."""

    name: str = ""
    persistent_volume_claim: ClaimRef | None = None
    ephemeral: Present | None = None
    csi: InlineVolume | None = None


class RunningPodSpec(Shape):
    containers: list[PodContainer] | None = None
    init_containers: list[PodContainer] | None = None
    resources: Resources | None = None  # of the pod as a whole, which override those of its containers
    overhead: dict[str, IntOrString | float] | None = None
    volumes: list[MountedVolume] | None = None
    node_name: str | None = None
    restart_policy: str | None = None


class Pod(Object):
    spec: RunningPodSpec | None = None
    status: PodStatus | None = None


class ReplicaSetStatus(Shape):
    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    observed_generation: int | None = None
    conditions: list[Condition] | None = None


class ReplicaSetSpec(Shape):
    replicas: int | None = None
    template: PodTemplate | None = None


class ReplicaSet(Object):
    spec: ReplicaSetSpec | None = None
    status: ReplicaSetStatus | None = None


class RevisionData(Shape):
    spec: ReplicaSetSpec | None = None


class ControllerRevision(Object):
    revision: int | None = None
    data: RevisionData | None = None


# ── Networking ──────────────────────────────────────────────────────────────────────────────────────────────────


class ServiceSpec(Shape):
    type: str | None = None
    cluster_ip: str | None = None
    selector: Strings | None = None
    ports: list[Port] | None = None
    load_balancer_class: str | None = None


class BalancerIngress(Shape):
    ip: str | None = None
    hostname: str | None = None


class Balancer(Shape):
    ingress: list[BalancerIngress] | None = None


class BalancedStatus(Shape):
    load_balancer: Balancer | None = None


class Service(Object):
    spec: ServiceSpec | None = None
    status: BalancedStatus | None = None


class EndpointConditions(Shape):
    ready: bool | None = None


class Endpoint(Shape):
    conditions: EndpointConditions | None = None


class EndpointSlice(Object):
    endpoints: list[Endpoint] | None = None
    ports: list[Port] | None = None


class IngressClassSpec(Shape):
    controller: str | None = None


class IngressClass(Object):
    spec: IngressClassSpec | None = None


class IngressBackend(Shape):
    service: LocalRef | None = None


class IngressPath(Shape):
    backend: IngressBackend | None = None


class IngressHttp(Shape):
    paths: list[IngressPath] | None = None


class IngressRule(Shape):
    http: IngressHttp | None = None


class IngressTls(Shape):
    secret_name: str | None = None


class IngressSpec(Shape):
    ingress_class_name: str | None = None
    tls: list[IngressTls] | None = None
    default_backend: IngressBackend | None = None
    rules: list[IngressRule] | None = None


class Ingress(Object):
    spec: IngressSpec | None = None
    status: BalancedStatus | None = None


class NetworkPolicySpec(Shape):
    pod_selector: LabelSelector | None = None
    policy_types: list[str] | None = None


class NetworkPolicy(Object):
    spec: NetworkPolicySpec | None = None


# ── Policy, scaling, quotas ─────────────────────────────────────────────────────────────────────────────────────


class BudgetSpec(Shape):
    selector: LabelSelector | None = None
    min_available: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class BudgetStatus(Shape):
    disruptions_allowed: int | None = None
    current_healthy: int | None = None
    desired_healthy: int | None = None
    expected_pods: int | None = None


class DisruptionBudget(Object):
    spec: BudgetSpec | None = None
    status: BudgetStatus | None = None


class CrossRef(Shape):
    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None


class AutoscalerSpec(Shape):
    scale_target_ref: CrossRef | None = None
    min_replicas: int | None = None
    max_replicas: int | None = None


class AutoscalerStatus(Shape):
    current_replicas: int | None = None
    conditions: list[Condition] | None = None


class Autoscaler(Object):
    spec: AutoscalerSpec | None = None
    status: AutoscalerStatus | None = None


class QuotaStatus(Shape):
    hard: dict[str, IntOrString] | None = None
    used: dict[str, IntOrString] | None = None


class QuotaSpec(Shape):
    hard: dict[str, IntOrString] | None = None


class ResourceQuota(Object):
    spec: QuotaSpec | None = None
    status: QuotaStatus | None = None


class LimitItem(Shape):
    type: str | None = None


class LimitRangeSpec(Shape):
    limits: list[LimitItem] | None = None


class LimitRange(Object):
    spec: LimitRangeSpec | None = None


# ── API extensions ──────────────────────────────────────────────────────────────────────────────────────────────


class ServiceReference(Shape):
    namespace: str | None = None
    name: str | None = None
    port: int | None = None


class ClientConfig(Shape):
    service: ServiceReference | None = None
    url: str | None = None
    ca_bundle: str | None = None


class AdmissionRule(Shape):
    api_groups: list[str] | None = None
    api_versions: list[str] | None = None
    resources: list[str] | None = None
    operations: list[str] | None = None
    scope: str | None = None


class Webhook(Shape):
    name: str = ""
    failure_policy: str | None = None
    timeout_seconds: int | None = None
    client_config: ClientConfig | None = None
    rules: list[AdmissionRule] | None = None
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    match_conditions: list[Present] | None = None


class WebhookConfiguration(Object):
    webhooks: list[Webhook] | None = None


class ApiServiceSpec(Shape):
    ca_bundle: str | None = None
    group: str | None = None
    version: str | None = None
    service: ServiceReference | None = None


class ConditionsStatus(Shape):
    conditions: list[Condition] | None = None


class ApiService(Object):
    spec: ApiServiceSpec | None = None
    status: ConditionsStatus | None = None


class CrdNames(Shape):
    kind: str = ""
    plural: str = ""


class Subresources(Shape):
    status: Present | None = None


class CrdVersion(Shape):
    name: str = ""
    subresources: Subresources | None = None
    served: bool | None = None
    storage: bool | None = None
    deprecated: bool | None = None


class ConversionWebhook(Shape):
    client_config: ClientConfig | None = None


class Conversion(Shape):
    strategy: str | None = None
    webhook: ConversionWebhook | None = None


class CrdSpec(Shape):
    group: str = ""
    scope: str | None = None
    names: CrdNames | None = None
    versions: list[CrdVersion] | None = None
    version: str | None = None  # apiextensions.k8s.io/v1beta1 has a single version here
    conversion: Conversion | None = None


class CrdStatus(Shape):
    stored_versions: list[str] | None = None
    conditions: list[Condition] | None = None


class Crd(Object):
    spec: CrdSpec | None = None
    status: CrdStatus | None = None


class MatchConstraints(Shape):
    resource_rules: list[AdmissionRule] | None = None


class AdmissionPolicySpec(Shape):
    failure_policy: str | None = None
    match_constraints: MatchConstraints | None = None


class AdmissionPolicy(Object):
    spec: AdmissionPolicySpec | None = None


class AdmissionPolicyBindingSpec(Shape):
    policy_name: str | None = None
    validation_actions: list[str] | None = None


class AdmissionPolicyBinding(Object):
    spec: AdmissionPolicyBindingSpec | None = None


# ── Storage ─────────────────────────────────────────────────────────────────────────────────────────────────────


class CsiDriverSpec(Shape):
    attach_required: bool | None = None


class CsiDriver(Object):
    spec: CsiDriverSpec | None = None


class StorageClass(Object):
    provisioner: str | None = None
    parameters: Strings | None = None
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None
    allow_volume_expansion: bool | None = None


class VolumeSnapshotClass(Object):
    driver: str | None = None
    deletion_policy: str | None = None


class CsiSource(Shape):
    driver: str | None = None
    volume_handle: str | None = None


class EbsSource(Shape):
    volume_id: str | None = None


class VolumeSpec(Shape):
    capacity: dict[str, IntOrString] | None = None
    storage_class_name: str | None = None
    claim_ref: CrossRef | None = None
    csi: CsiSource | None = None
    aws_elastic_block_store: EbsSource | None = None


class Volume(Object):
    spec: VolumeSpec | None = None
    status: PhaseStatus | None = None


class AttachedSource(Shape):
    persistent_volume_name: str | None = None


class AttachmentSpec(Shape):
    attacher: str | None = None
    node_name: str | None = None
    source: AttachedSource | None = None


class VolumeError(Shape):
    message: str | None = None


class AttachmentStatus(Shape):
    attached: bool | None = None
    attach_error: VolumeError | None = None
    detach_error: VolumeError | None = None


class VolumeAttachment(Object):
    spec: AttachmentSpec | None = None
    status: AttachmentStatus | None = None


class ClaimSpec(Shape):
    resources: Resources | None = None
    storage_class_name: str | None = None
    volume_name: str | None = None


class VolumeClaim(Object):
    spec: ClaimSpec | None = None
    status: PhaseStatus | None = None


# ── Identity ────────────────────────────────────────────────────────────────────────────────────────────────────


class ServiceAccount(Object):
    image_pull_secrets: list[LocalRef] | None = None
    automount_service_account_token: bool | None = None


class PolicyRule(Shape):
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    verbs: list[str] | None = None
    resource_names: list[str] | None = None
    non_resource_urls: list[str] | None = None


class Role(Object):
    rules: list[PolicyRule] | None = None


class RoleBinding(Object):
    role_ref: CrossRef | None = None
    subjects: list[CrossRef] | None = None


# ── Leases and events ───────────────────────────────────────────────────────────────────────────────────────────


class LeaseSpec(Shape):
    holder_identity: str | None = None
    renew_time: datetime | None = None
    lease_duration_seconds: int | None = None


class Lease(Object):
    spec: LeaseSpec | None = None


class EventSeries(Shape):
    count: int | None = None
    last_observed_time: datetime | None = None


class EventSource(Shape):
    component: str | None = None


class Event(Object):
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    reporting_component: str | None = None
    source: EventSource | None = None
    series: EventSeries | None = None
    involved_object: CrossRef | None = None


class OtherObject(Object):
    """An object of a kind without a struct of its own. Only the scalars in decoding.FIELDS are taken from it."""

    spec: Any = None
    status: Any = None


# ── Configuration and installers ────────────────────────────────────────────────────────────────────────────────


class ConfigMap(Object):
    data: Strings | None = None


class ReleaseData(Shape):
    release: str | None = None


class ReleaseSecret(Object):
    """A Secret (or ConfigMap) of Helm: only the release record, no other key."""

    type: str | None = None
    data: ReleaseData | None = None


class AppHelm(Shape):
    release_name: str | None = None


class AppSource(Shape):
    repo_url: str | None = None
    path: str | None = None
    chart: str | None = None
    target_revision: str | None = None
    helm: AppHelm | None = None


class AppDestination(Shape):
    server: str | None = None
    name: str | None = None
    namespace: str | None = None


class AutoSync(Shape):
    self_heal: bool | None = None
    enabled: bool | None = None


class SyncPolicy(Shape):
    automated: AutoSync | None = None


class AppSpec(Shape):
    project: str | None = None
    source: AppSource | None = None
    sources: list[AppSource] | None = None
    destination: AppDestination | None = None
    sync_policy: SyncPolicy | None = None


class AppResource(Shape):
    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class StatusWord(Shape):
    status: str | None = None


class AppOperation(Shape):
    phase: str | None = None
    message: str | None = None


class AppStatus(Shape):
    sync: StatusWord | None = None
    health: StatusWord | None = None
    operation_state: AppOperation | None = None
    conditions: list[Condition] | None = None
    resources: list[AppResource] | None = None


class Application(Object):
    spec: AppSpec | None = None
    status: AppStatus | None = None


class FluxChartSpec(Shape):
    chart: str | None = None
    version: str | None = None
    source_ref: CrossRef | None = None


class FluxChart(Shape):
    spec: FluxChartSpec | None = None


class FluxRef(Shape):
    branch: str | None = None
    tag: str | None = None
    semver: str | None = None
    name: str | None = None
    commit: str | None = None
    digest: str | None = None


class FluxSpec(Shape):
    chart: FluxChart | str | None = None  # the chart's name in a HelmChart, a HelmChart template in a HelmRelease
    chart_ref: CrossRef | None = None
    source_ref: CrossRef | None = None
    release_name: str | None = None
    target_namespace: str | None = None
    kube_config: Present | None = None  # only whether it is set; what it points to is not read
    suspend: bool | None = None
    prune: bool | None = None
    path: str | None = None
    url: str | None = None
    ref: FluxRef | None = None  # of a GitRepository or OCIRepository
    type: str | None = None  # of a HelmRepository: oci, or default


class FluxObject(Object):
    spec: FluxSpec | None = None
    status: ConditionsStatus | None = None
