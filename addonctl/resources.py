"""The table of Kubernetes kinds that addonctl reads: names, scope, part of a Snapshot, whether it is complete.

The cluster reader, the file reader, `doctor`, `rbac`, health, dependencies and the reports all use it; adapters attach
a decoder to each kind by name. A new kind is one entry here and its decoder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ADMISSION = "admissionregistration.k8s.io"
RBAC = "rbac.authorization.k8s.io"
STORAGE = "storage.k8s.io"
NETWORKING = "networking.k8s.io"
_HELM = "helm.toolkit.fluxcd.io"
_KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
_SOURCE = "source.toolkit.fluxcd.io"

_WARNINGS = (("fieldSelector", "type=Warning"),)
# Helm's release records that no newer one supersedes. Secrets of other types are never requested.
_STANDING = ("labelSelector", "owner=helm,status!=superseded")
_RELEASES = (("fieldSelector", "type=helm.sh/release.v1"), _STANDING)


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind. `versions` are those that can be decoded, the preferred first.

    `complete`: if the part was read, an object that is not in it does not exist. `optional`: a cluster without this
    API is not a gap. `by_name`: read one by one, by the names in the catalog.
    """

    part: str
    group: str
    kind: str
    plural: str
    namespaced: bool = True
    versions: tuple[str, ...] = ("v1",)
    complete: bool = False
    optional: bool = False
    by_name: bool = False
    selector: tuple[tuple[str, str], ...] = ()  # of the list request

    @property
    def name(self) -> str:
        """`deployments.apps`, as kubectl and RBAC write it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _flux_source(kind: str, plural: str) -> Resource:
    versions = ("v1", "v1beta2", "v1beta1")
    return Resource("flux_sources", _SOURCE, kind, plural, versions=versions, optional=True)


RESOURCES: tuple[Resource, ...] = (
    Resource("nodes", "", "Node", "nodes", namespaced=False, complete=True),
    Resource("namespaces", "", "Namespace", "namespaces", namespaced=False, complete=True),
    Resource("workloads", "apps", "Deployment", "deployments", complete=True),
    Resource("workloads", "apps", "DaemonSet", "daemonsets", complete=True),
    Resource("workloads", "apps", "StatefulSet", "statefulsets", complete=True),
    Resource("workloads", "batch", "Job", "jobs"),  # except those of CronJobs
    Resource("workloads", "batch", "CronJob", "cronjobs"),
    Resource("pods", "", "Pod", "pods"),
    Resource("revisions", "apps", "ReplicaSet", "replicasets"),
    Resource("revisions", "apps", "ControllerRevision", "controllerrevisions"),
    Resource("services", "", "Service", "services", complete=True),
    Resource("endpoint_slices", "discovery.k8s.io", "EndpointSlice", "endpointslices"),
    Resource("disruption_budgets", "policy", "PodDisruptionBudget", "poddisruptionbudgets", complete=True),
    Resource(
        "autoscalers",
        "autoscaling",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        versions=("v2",),
        complete=True,
    ),
    Resource(
        "webhook_configurations",
        ADMISSION,
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        namespaced=False,
        complete=True,
    ),
    Resource(
        "webhook_configurations",
        ADMISSION,
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        namespaced=False,
        complete=True,
    ),
    Resource("api_services", "apiregistration.k8s.io", "APIService", "apiservices", namespaced=False, complete=True),
    Resource(
        "crds",
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
        complete=True,
    ),
    Resource(
        "admission_policies",
        ADMISSION,
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        namespaced=False,
        optional=True,
    ),
    Resource(
        "admission_policy_bindings",
        ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        namespaced=False,
        optional=True,
    ),
    Resource("csi_drivers", STORAGE, "CSIDriver", "csidrivers", namespaced=False, complete=True),
    Resource("storage_classes", STORAGE, "StorageClass", "storageclasses", namespaced=False, complete=True),
    Resource(
        "volume_snapshot_classes",
        "snapshot.storage.k8s.io",
        "VolumeSnapshotClass",
        "volumesnapshotclasses",
        namespaced=False,
        optional=True,
    ),
    Resource("volume_attachments", STORAGE, "VolumeAttachment", "volumeattachments", namespaced=False, optional=True),
    Resource("volumes", "", "PersistentVolume", "persistentvolumes", namespaced=False),
    Resource("volume_claims", "", "PersistentVolumeClaim", "persistentvolumeclaims", complete=True),
    Resource("ingress_classes", NETWORKING, "IngressClass", "ingressclasses", namespaced=False, complete=True),
    Resource("ingresses", NETWORKING, "Ingress", "ingresses"),
    Resource("service_accounts", "", "ServiceAccount", "serviceaccounts", complete=True),
    Resource("roles", RBAC, "Role", "roles", complete=True),
    Resource("roles", RBAC, "ClusterRole", "clusterroles", namespaced=False, complete=True),
    Resource("role_bindings", RBAC, "RoleBinding", "rolebindings", complete=True),
    Resource("role_bindings", RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False, complete=True),
    Resource("network_policies", NETWORKING, "NetworkPolicy", "networkpolicies"),
    Resource("quotas", "", "ResourceQuota", "resourcequotas"),
    Resource("limit_ranges", "", "LimitRange", "limitranges"),
    Resource("leases", "coordination.k8s.io", "Lease", "leases"),
    Resource("events", "", "Event", "events", selector=_WARNINGS),
    Resource("config_maps", "", "ConfigMap", "configmaps", by_name=True, complete=True),
    Resource("helm_releases", "", "Secret", "secrets", selector=_RELEASES),
    Resource("applications", "argoproj.io", "Application", "applications", versions=("v1alpha1",), optional=True),
    Resource(
        "flux_helm_releases",
        _HELM,
        "HelmRelease",
        "helmreleases",
        versions=("v2", "v2beta2", "v2beta1"),
        optional=True,
    ),
    Resource(
        "flux_kustomizations", _KUSTOMIZE, "Kustomization", "kustomizations", versions=("v1", "v1beta2"), optional=True
    ),
    _flux_source("GitRepository", "gitrepositories"),
    _flux_source("HelmRepository", "helmrepositories"),
    _flux_source("OCIRepository", "ocirepositories"),
    _flux_source("HelmChart", "helmcharts"),
    _flux_source("Bucket", "buckets"),
)

HELM_CONFIG_MAPS = Resource("helm_releases", "", "ConfigMap", "configmaps", selector=(_STANDING,))
"""Where Helm keeps its records under HELM_DRIVER=configmap: beside the table, where ConfigMap stands for others."""

_BY_KIND: Mapping[str, Resource] = MappingProxyType({resource.kind: resource for resource in RESOURCES})
_BY_KEY: Mapping[tuple[str, str], Resource] = MappingProxyType({(r.group, r.kind): r for r in RESOURCES})
# Kinds that are referred to but never read: only their group is known.
_REFERRED_TO: Mapping[str, str] = MappingProxyType({"PriorityClass": "scheduling.k8s.io"})


def resource(kind: str) -> Resource:
    """The resource of a kind in this table. Raises KeyError for any other kind."""
    return _BY_KIND[kind]


def find(group: str, kind: str) -> Resource | None:
    """The resource of `kind` in `group`; None if it is not in the table (a custom resource, for example)."""
    return _BY_KEY.get((group, kind))


def group_of(kind: str) -> str:
    """The API group of a kind named without one; the core group if the table does not have the kind."""
    known = _BY_KIND.get(kind)
    return known.group if known is not None else _REFERRED_TO.get(kind, "")


def namespaced(group: str, kind: str) -> bool | None:
    """Whether a kind is namespaced; None if the table does not have it."""
    known = find(group, kind)
    return known.namespaced if known is not None else None
