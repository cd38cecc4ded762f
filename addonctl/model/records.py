"""The records of installers and AWS, as read: Helm releases, Argo CD and Flux objects, what EKS describes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from addonctl.model.cluster import Condition, KubernetesObject, ObjectRef
from addonctl.resources import Resource, resource

_DEPLOYED, _UNINSTALLED = "deployed", "uninstalled"  # in Helm's terms


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmObject:
    """An object in a release's manifest."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRelease:
    """A Helm release: the status of its newest revision, and the contents of its newest deployed revision.

    `chart`, `chart_version`, `app_version` and `objects` are those of `deployed_revision`, or of the newest revision if
    none is deployed: the first installation failed or is under way, or (`uninstalled`) only its history is kept.
    """

    name: str
    namespace: str
    chart: str = ""
    chart_version: str = ""
    app_version: str = ""
    revision: int = 0  # the newest, like the next two
    status: str = ""  # in Helm's terms: deployed, failed, pending-upgrade, uninstalled …
    updated: datetime | None = None
    deployed_revision: int | None = None
    objects: tuple[HelmObject, ...] = ()

    @property
    def is_installed(self) -> bool:
        """False if only its history is kept (`helm uninstall --keep-history`)."""
        return self.status != _UNINSTALLED

    @property
    def revision_in_use(self) -> int:
        """The one that is deployed, the newest where none is."""
        return self.deployed_revision or self.revision


def current_releases(records: Iterable[HelmRelease]) -> tuple[HelmRelease, ...]:
    """Merges the stored revisions of each release into one, in order of first appearance.

    A failed upgrade leaves the previously deployed revision in place: the newest revision gives the status, the
    deployed one the contents. Applying it twice changes nothing.
    """
    by_release: dict[tuple[str, str], list[HelmRelease]] = {}
    for record in records:
        by_release.setdefault((record.namespace, record.name), []).append(record)
    return tuple(map(_current, by_release.values()))


def _current(revisions: Sequence[HelmRelease]) -> HelmRelease:
    newest = max(revisions, key=lambda record: record.revision)
    deployed = [record for record in revisions if record.deployed_revision is not None or record.status == _DEPLOYED]
    if not deployed or not newest.is_installed:
        return newest
    running = max(deployed, key=lambda record: record.revision)
    return replace(running, revision=newest.revision, status=newest.status, updated=newest.updated)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSource:
    """A source of an Argo CD Application: a chart, or a folder of a repository. Without credentials."""

    repository: str = ""
    chart: str = ""
    path: str = ""
    revision: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application(KubernetesObject):
    """An Argo CD Application. The first source with a chart is its main one; `sources` has all."""

    RESOURCE: ClassVar[Resource | None] = resource("Application")

    project: str = ""
    repository: str = ""  # without credentials
    path: str = ""
    chart: str = ""
    target_revision: str = ""
    sources: tuple[AppSource, ...] = ()
    destination_namespace: str = ""
    destination: str = ""  # URL, ARN or Argo CD's name of the destination cluster, without credentials
    destination_in_cluster: bool = True  # none is named, or Argo CD's name for its own cluster
    auto_sync: bool = False
    self_heal: bool = False
    sync: str = ""
    health: str = ""
    operation: str = ""  # phase of the last sync: Succeeded, Failed, Error, Running
    operation_message: str = ""
    conditions: tuple[Condition, ...] = ()  # errors and warnings; Argo CD gives them no status
    resources: tuple[ObjectRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxHelmRelease(KubernetesObject):
    """A Flux HelmRelease; `release` and `target_namespace` name the Helm release that it manages."""

    RESOURCE: ClassVar[Resource | None] = resource("HelmRelease")

    chart: str = ""
    chart_version: str = ""
    source: str = ""
    release: str = ""
    target_namespace: str = ""
    elsewhere: bool = False  # it deploys to the cluster of a kubeconfig, which is not read
    suspended: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxKustomization(KubernetesObject):
    RESOURCE: ClassVar[Resource | None] = resource("Kustomization")

    path: str = ""
    source: str = ""
    suspended: bool = False
    prune: bool = False
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxSource(KubernetesObject):
    """A Flux GitRepository, HelmRepository, OCIRepository, Bucket or HelmChart."""

    kind: str
    url: str = ""  # without credentials
    reference: str = ""  # "branch main", "semver >=1.0"; empty: its controller's default
    suspended: bool = False
    static: bool = False  # not reconciled: an OCI HelmRepository, which has no status
    conditions: tuple[Condition, ...] = ()

    # ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef.of(self.kind, self.name, self.namespace)


UPGRADED_BY_AWS = "STANDARD"
"""The upgrade policy of a cluster that AWS upgrades when its standard support ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCluster:
    name: str
    arn: str = ""
    region: str = ""
    endpoint: str = ""
    status: str = ""
    version: str = ""
    platform_version: str = ""
    support_type: str = ""  # a preference (STANDARD, EXTENDED), not the billing state
    auto_mode: bool = False
    health_issues: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()

    @property
    def is_upgraded_by_aws(self) -> bool:
        """Whether its upgrade policy is that AWS upgrades it, so that extended support is never billed."""
        return self.support_type == UPGRADED_BY_AWS


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


ADDON_IN_FLIGHT = frozenset({"CREATING", "UPDATING", "DELETING"})
"""The states of an EKS add-on in which EKS is at work on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EksAddon:
    """An add-on as EKS describes it. Only whether it has configurationValues is kept, not their contents."""

    name: str
    status: str = ""
    version: str = ""
    arn: str = ""
    namespace: str = ""
    owner: str = ""
    publisher: str = ""
    service_account_role_arn: str = ""
    pod_identities: tuple[PodIdentity, ...] = ()
    is_configured: bool | None = None  # whether configurationValues are set; None: not known
    issues: tuple[EksIssue, ...] = ()
    updates: tuple[EksUpdate, ...] = ()  # those in progress, and the latest one
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
    addons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # add-on → compatible versions


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    name: str
    status: str = ""
    version: str = ""
    release_version: str = ""
    ami_type: str = ""
    capacity_type: str = ""
    node_role: str = ""
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
    """Managed Argo CD, ACK or kro: runs in an AWS account; not an add-on."""

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
    """What AWS says about the cluster. A snapshot has None if its cluster is not known to be on EKS."""

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
