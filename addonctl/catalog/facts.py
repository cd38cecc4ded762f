"""The facts of one add-on, as data/addons/ID.yaml states them, and EKS's own table of versions: values, no questions.

adapters/knowledge.py and adapters/eks_table.py load them; texts that are versions are values from there on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from addonctl.versions import Minor, Version, VersionRange

# ── One add-on (data/addons/ID.yaml) ────────────────────────────────────────────────────────────────────────────


class Role(StrEnum):
    """What an image says of its add-on."""

    CORE = "core"  # where it runs, the add-on is installed
    PART = "part"  # belongs to the add-on, but may also run alone: proves nothing by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFingerprint:
    """Repository path suffix of an image, registry host left out; see images.path_matches."""

    path: str
    role: Role = Role.CORE


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadFingerprint:
    """Kind and usual name of a workload; `namespace` empty where it is installed anywhere."""

    kind: str
    name: str
    namespace: str = ""
    idle: bool = False  # its operator keeps it at no replicas until it is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """How an add-on is recognised. Each member of `labels` is a set of labels that together are telling."""

    images: tuple[ImageFingerprint, ...] = ()
    workloads: tuple[WorkloadFingerprint, ...] = ()
    labels: tuple[Mapping[str, str], ...] = ()
    crd_groups: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()  # names of webhook configurations
    csi_drivers: tuple[str, ...] = ()
    api_services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EksInstall:
    """As an EKS add-on. `variants` are other EKS add-on names that install the same software."""

    name: str
    namespace: str = ""
    variants: tuple[str, ...] = ()
    requires_iam: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartInstall:
    """As a Helm chart. `main` is the chart whose version is the add-on's; others bring CRDs or parts."""

    name: str
    repository: str = ""
    release: str = ""
    namespace: str = ""
    main: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    eks: EksInstall | None = None
    charts: tuple[ChartInstall, ...] = ()
    manifest: str = ""  # where its released manifests are, in words


class VersionFrom(StrEnum):
    """Where a version is read."""

    IMAGE = "image"  # tag of the image whose path matches `key`
    LABEL = "label"  # value of label `key` on a workload
    CHART = "chart"  # version of the chart `key`, from Helm's records or the helm.sh/chart label
    EKS = "eks"  # addonVersion as EKS says
    CUSTOM_RESOURCE = "custom-resource"  # tag of spec.image in custom resources of the CRD `key`


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRule:
    """One place to read the add-on's version; the first rule that yields one wins."""

    source: VersionFrom
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSupport:
    """Which Kubernetes minors upstream says a range of its versions supports; bounds are inclusive.

    A Kubernetes older than `minimum` is not supported; one newer than `maximum` is only not known to be.
    """

    versions: VersionRange
    minimum: Minor | None = None
    maximum: Minor | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Another add-on, or a thing in words, that this one needs. `addon` is a catalogue id or empty."""

    text: str
    addon: str = ""
    alternatives: tuple[str, ...] = ()  # catalogue ids that serve as well
    hard: bool = True
    proven_by_running: bool = False  # where its pods are available, something serves it, known to us or not
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSign:
    """How a conflict is seen in a cluster: all that is given holds. Where nothing is, it is enough that both run.

    `setting` is a key of a ConfigMap, as NAMESPACE/NAME/KEY, whose value is one of `values` or none of `unless`;
    `init_image` the path of an image that an init container of either add-on runs; `workload` a part of the name of a
    workload of either that has replicas; `both_scaled` says that each of them has replicas.
    """

    setting: str = ""
    values: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    init_image: str = ""
    workload: str = ""
    both_scaled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What cannot run beside this add-on. `addon` is a catalogue id, or empty where `with_` is none."""

    with_: str
    when: str
    why: str
    addon: str = ""
    seen: ConflictSign | None = None  # None: it cannot be seen in a cluster
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdFact:
    name: str
    storage: str = ""
    versions: tuple[str, ...] = ()
    counted: bool = False  # there may be one for every pod or run: its objects are counted, not judged


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRule:
    """A rule for changing versions. `one_minor_at_a_time` is the one that a planner reads."""

    text: str
    one_minor_at_a_time: bool = False
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """What stops while the add-on is down or updated; `kind` is a class such as data-path or control-path."""

    kind: str = ""
    text: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sli:
    metric: str
    meaning: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityException:
    """A workload that cannot meet the restricted profile, and why not."""

    workload: str
    namespace: str = ""
    level: str = ""  # lowest Pod Security Standard that it passes
    baseline: tuple[str, ...] = ()  # what violates baseline
    restricted: tuple[str, ...] = ()  # what violates restricted


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A setting worth turning; its path in Helm values and in EKS configurationValues, empty where there is none."""

    effect: str
    helm: str = ""
    eks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCycle:
    cycle: str
    released: str = ""
    end_of_life: str = ""
    latest: Version | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    what: str
    url: str = ""


class ClusterService(StrEnum):
    """What an add-on does for the whole cluster; several may offer the same."""

    POD_NETWORK = "pod-network"
    SERVICE_NETWORK = "service-network"
    CLUSTER_DNS = "cluster-dns"
    NODE_SCALING = "node-scaling"
    RESOURCE_METRICS = "resource-metrics"
    POD_IDENTITY = "pod-identity"


class Form(StrEnum):
    """What a setting may look like and still be kept; a list of words stands for itself."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    COREFILE = "corefile"  # reduced to zones and the names of plugins


SettingForm = Form | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """A catalogue entry. Facts without a source of their own have that of the entry."""

    id: str
    name: str
    category: str
    as_of: date
    source: str
    homepage: str = ""
    licence: str = ""
    aliases: tuple[str, ...] = ()  # other names that people call it
    singleton: bool = True  # a second copy in one cluster is a mistake
    system: bool = False  # every EKS cluster has it
    needs_rbac: bool = True  # it asks the API server, and can do nothing without a role
    provides: tuple[ClusterService, ...] = ()
    auto_mode: str = ""  # what of it EKS Auto Mode has built in; empty: nothing
    install: Install = field(default_factory=Install)
    fingerprints: Fingerprints
    comes_with: tuple[str, ...] = ()  # what every installation has: Kind/name, Kind/namespace/name
    bundles: tuple[str, ...] = ()  # ids of add-ons that it brings as parts
    version: tuple[VersionRule, ...] = ()
    component: str = ""  # the name under which Kubernetes' version skew policy knows it; then that policy answers
    kubernetes: tuple[KubernetesSupport, ...] = ()
    # Each row of `kubernetes` begins with the first version for its newest minor: older versions do not support it.
    kubernetes_is_minimum: bool = False
    requires: tuple[Requirement, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    crds: tuple[CrdFact, ...] = ()
    crd_rules: str = ""
    upgrade_rules: tuple[UpgradeRule, ...] = ()
    disruption: Disruption = field(default_factory=Disruption)
    topology: str = ""
    webhook_risk: str = ""
    slis: tuple[Sli, ...] = ()
    probes: tuple[str, ...] = ()
    cost_drivers: tuple[str, ...] = ()
    security: str = ""
    security_exceptions: tuple[SecurityException, ...] = ()
    ports: tuple[str, ...] = ()
    knobs: tuple[Knob, ...] = ()
    env: Mapping[str, SettingForm] = field(default_factory=dict)  # the variables of its containers that are kept
    # ConfigMaps that configure it, by namespace/name, and the keys of each that are kept; none: only that it exists
    config_maps: Mapping[str, Mapping[str, SettingForm]] = field(default_factory=dict)
    lifecycle: tuple[ReleaseCycle, ...] = ()
    known_issues: tuple[KnownIssue, ...] = ()

    def own_objects(self) -> Iterator[tuple[str, str, str]]:
        """(kind, namespace, name) of what every installation has; no namespace where it is its own, or cluster-wide."""
        for words in self.comes_with:
            kind, _, rest = words.partition("/")
            namespace, _, name = rest.rpartition("/")
            yield kind, namespace, name


# ── EKS's own table (data/eks/) ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EksVersion:
    """One version of an EKS add-on. `kubernetes` maps a minor to the platform versions it needs, `*` for any."""

    version: Version
    kubernetes: Mapping[Minor, str]
    default_for: tuple[Minor, ...] = ()
    architectures: tuple[str, ...] = ()
    compute_types: tuple[str, ...] = ()
    requires_configuration: bool = False
    requires_iam: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EksAddonVersions:
    """What DescribeAddonVersions says of one add-on, newest version first."""

    name: str
    type: str = ""
    owner: str = ""
    publisher: str = ""
    namespace: str = ""
    versions: tuple[EksVersion, ...] = ()

    @property
    def minors(self) -> frozenset[Minor]:
        return frozenset(minor for version in self.versions for minor in version.kubernetes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EksTable:
    """All EKS add-ons of one region at one day."""

    as_of: date
    source: str
    region: str
    addons: Mapping[str, EksAddonVersions]
