"""Everything read from one cluster at one time, with what could not be read and why.

A `Snapshot` is a value that can be saved, sent, loaded and compared; `view.View` indexes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from addonctl.model.cluster import (
    AdmissionPolicy,
    AdmissionPolicyBinding,
    ApiService,
    Autoscaler,
    ConfigMap,
    CsiDriver,
    CustomResourceDefinition,
    CustomResources,
    DisruptionBudget,
    EndpointSlice,
    Event,
    Ingress,
    IngressClass,
    KubernetesObject,
    Lease,
    LimitRange,
    Namespace,
    NetworkPolicy,
    Node,
    OtherObject,
    Pod,
    ResourceQuota,
    Revision,
    Role,
    RoleBinding,
    Service,
    ServiceAccount,
    StorageClass,
    Volume,
    VolumeAttachment,
    VolumeClaim,
    VolumeSnapshotClass,
    WebhookConfiguration,
    Workload,
)
from addonctl.model.declaration import Declaration
from addonctl.model.intake import Intake, Place
from addonctl.model.records import Application, Eks, FluxHelmRelease, FluxKustomization, FluxSource, HelmRelease
from addonctl.resources import RESOURCES

SNAPSHOT_SCHEMA = 1
"""Raised when a reader of the previous schema would misread a new snapshot; older ones stay loadable."""


class GapReason(StrEnum):
    """Why a part could not be read."""

    FORBIDDEN = "forbidden"  # the credentials lack a permission
    NO_CREDENTIALS = "no-credentials"
    TIMEOUT = "timeout"  # the server did not answer in time
    NOT_REACHABLE = "not-reachable"  # no connection to the server
    NOT_SERVED = "not-served"  # the API is not installed or not enabled
    NOT_IN_INPUT = "not-in-input"  # the file contains none
    BROKEN = "broken"  # the response breaks the API's contract, or a document cannot be read
    NOT_RENDERED = "not-rendered"  # the files are templates, patches and the like: objects only when they are built


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A part that could not be read. Whatever depends on it is unknown, never healthy.

    `part` names what is missing (`pods`, `eks:addons`); `permission` is the one that is missing, if that is the reason.
    `absent`: the input is a file that contains none of it. `place`: where the document stands that was lost.
    """

    part: str
    reason: GapReason
    detail: str
    permission: str = ""
    absent: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The identity of a cluster. `kubernetes` is its full server version, empty if the input does not have it.

    `unnamed`: the input does not say what it is called, and `name` is that of the input.
    """

    name: str
    kubernetes: str = ""
    server: str = ""
    context: str = ""
    source: str = "live"  # live, files or demo; a loaded snapshot keeps its original source
    namespace: str = ""  # the only namespace read, if reading was limited to one
    demo: bool = False
    unnamed: bool = False

    @property
    def eks_name(self) -> str:
        """Its name in commands of AWS; `CLUSTER`, to be replaced by who pastes them, where the input says none."""
        return "CLUSTER" if self.unnamed else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything read from one cluster at one time, with what could not be read and why. `taken` is aware, in UTC."""

    schema: int = SNAPSHOT_SCHEMA
    taken: datetime
    cluster: Cluster
    gaps: tuple[Gap, ...] = ()
    intake: Intake | None = None  # what became of the files; None: it was read from none
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
    volume_attachments: tuple[VolumeAttachment, ...] = ()
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
    declarations: tuple[Declaration, ...] = ()  # of files; what those objects declare is not among them

    def gap(self, part: str) -> Gap | None:
        """Why `part` is missing, or None when it was read."""
        return next((gap for gap in self.gaps if gap.part == part), None)

    def objects(self) -> Iterator[KubernetesObject]:
        """Every object that was read individually, except pods and events, of which there are many."""
        for part in dict.fromkeys(each.part for each in RESOURCES):
            if part not in ("pods", "events", "helm_releases"):
                yield from getattr(self, part)
        yield from self.others
