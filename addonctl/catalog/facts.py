"""The schema of data/addons/ID.yaml and of EKS's table of versions: plain values, no queries.

adapters/knowledge.py and adapters/eks_table.py load them and parse versions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property

from addonctl.model import Due
from addonctl.versions import Minor, Version, VersionRange, parse

# ── One add-on (data/addons/ID.yaml) ────────────────────────────────────────────────────────────────────────────


class Role(StrEnum):
    """What an image says about its add-on."""

    CORE = "core"  # if it runs, the add-on is installed
    PART = "part"  # part of the add-on, but may also run alone: no proof by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFingerprint:
    """The suffix of an image's repository path, without registry host; see images.path_matches."""

    path: str
    role: Role = Role.CORE


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadFingerprint:
    """Kind and usual name of a workload; `namespace` is empty if it may be installed anywhere."""

    kind: str
    name: str
    namespace: str = ""
    idle: bool = False  # its operator scales it to zero until it is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """How an add-on is recognised. Each member of `labels` is a set of labels that are conclusive together."""

    images: tuple[ImageFingerprint, ...] = ()
    workloads: tuple[WorkloadFingerprint, ...] = ()
    labels: tuple[Mapping[str, str], ...] = ()
    crd_groups: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()  # names of webhook configurations
    csi_drivers: tuple[str, ...] = ()
    api_services: tuple[str, ...] = ()
    ingress_controllers: tuple[str, ...] = ()  # as IngressClasses name them
    load_balancers: tuple[str, ...] = ()  # classes of Services, or their annotated types, that it makes balancers for
    finalizers: tuple[str, ...] = ()  # domains of its finalizers other than its API groups
    startup_taints: tuple[str, ...] = ()  # keys of taints that nodes begin with, and that its agent takes away


@dataclass(frozen=True, slots=True, kw_only=True)
class EksInstall:
    """The EKS add-on. `variants` are other EKS add-on names that install the same software.

    `policy`: the policy of AWS that its role is to have, or what the policy is to allow where AWS has none.
    """

    name: str
    namespace: str = ""
    variants: tuple[str, ...] = ()
    requires_iam: bool = False
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartInstall:
    """A Helm chart. A `main` one installs the add-on, others its CRDs or parts.

    `numbered_as_application`: its version is that of the application, or the add-on is the chart; of others the table
    of charts says which application a version has. `numbered_apart`: that is a rebuild with numbers of its own.
    """

    name: str
    repository: str = ""
    release: str = ""
    namespace: str = ""
    main: bool = True
    numbered_as_application: bool = False
    numbered_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    eks: EksInstall | None = None
    charts: tuple[ChartInstall, ...] = ()
    manifest: str = ""  # where its released manifests are, in words


class VersionFrom(StrEnum):
    """Where a version is read from."""

    IMAGE = "image"  # tag of the image whose path matches `key`
    LABEL = "label"  # value of label `key` on a workload
    CHART = "chart"  # version of chart `key`, from Helm's records or the helm.sh/chart label
    EKS = "eks"  # addonVersion from EKS
    CUSTOM_RESOURCE = "custom-resource"  # tag of spec.image in custom resources of the CRD `key`


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRule:
    """One place to read the add-on's version from; the first rule that yields one wins.

    `numbered_apart`: a rebuild that counts its releases by itself, so nothing said of upstream's versions holds for it.
    """

    source: VersionFrom
    key: str = ""
    numbered_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesSupport:
    """The Kubernetes minors that a range of versions supports according to upstream; bounds are inclusive.

    A Kubernetes older than `minimum` is not supported; for one newer than `maximum`, support is unknown.
    """

    versions: VersionRange
    minimum: Minor | None = None
    maximum: Minor | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Another add-on, or something described in words, that this one needs. `addon` is a catalog id or empty."""

    text: str
    addon: str = ""
    alternatives: tuple[str, ...] = ()  # catalog ids that satisfy it as well
    hard: bool = True
    proven_by_running: bool = False  # if its pods are available, something satisfies it, known or not
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictSign:
    """How a conflict is detected: all given conditions hold. With none given, it is enough that both run.

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
    """What cannot run alongside this add-on. `addon` is a catalog id, or empty if `with_` is not in the catalog."""

    with_: str
    when: str
    why: str
    addon: str = ""
    seen: ConflictSign | None = None  # None: cannot be detected in a cluster
    paid_twice: str = ""  # what both do, so that one of them is paid for in vain; empty: nothing
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleWithout:
    """Objects without any of which an add-on has nothing to do, whichever are given.

    Custom resources by the names of their `crds`, volumes of the CSI driver `volumes_of`, Ingresses whose class names
    the controller `ingresses_of`, EKS's `pod_identities`. Only those that stay: a run that ends tells nothing.
    """

    crds: tuple[str, ...] = ()
    volumes_of: str = ""
    ingresses_of: str = ""
    pod_identities: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRule:
    """How many replicas the documentation of a workload asks for: one for so many nodes or cores, and `least`.

    `eks` and `helm` are where the number is set in its installer's values.
    """

    workload: str
    nodes: int
    cores: int
    least: int
    eks: str = ""
    helm: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdFact:
    name: str
    storage: str = ""
    versions: tuple[str, ...] = ()
    counted: bool = False  # there may be one per pod or run: its objects are counted, their health is not assessed


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeRule:
    """A rule for changing versions. A planner uses `one_minor_at_a_time`."""

    text: str
    one_minor_at_a_time: bool = False
    source: str = ""


class Meets(StrEnum):
    """When a step from one version to another meets an UpgradeNote about a range of versions."""

    REACHES = "reaches"  # it comes from below the range, into it or beyond
    LANDS = "lands"  # it ends in the range: better not
    JUMPS = "jumps"  # it comes from below the range and ends above it: it is to stop within first
    RETURNS = "returns"  # it goes from the range or above to below it; of any version, to any older one


class Weight(StrEnum):
    """How much an UpgradeNote weighs."""

    BLOCKS = "blocks"  # known to fail, or to harm
    RISKS = "risks"  # may fail, where what it names is in use
    CHANGES = "changes"  # what is measured, or how it is set


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeNote:
    """What happened, or is published to happen, to those who changed between versions. `versions` is the range.

    `chart`: its versions are the chart's, not the add-on's own.
    """

    what: str
    versions: VersionRange
    source: str
    meets: Meets = Meets.REACHES
    weight: Weight = Weight.RISKS
    chart: bool = False

    def is_met(self, was: Version, to: Version) -> bool:
        """Whether a step from `was` to `to` meets it."""
        comes, goes = self.versions.is_above(was), self.versions.is_above(to)
        match self.meets:
            case Meets.REACHES:
                return comes and not goes
            case Meets.LANDS:
                return self.versions.covers(to)
            case Meets.JUMPS:
                return comes and self.versions.is_below(to)
            case Meets.RETURNS:
                return to < was if self.versions.lowest is None else goes and not comes


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """What stops while the add-on is down or being updated; `kind` is a class such as data-path or control-path."""

    kind: str = ""
    text: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sli:
    metric: str
    meaning: str = ""
    source: str = ""


Labels = Mapping[str, tuple[str, ...]]
"""The values that labels of a series may have; of one that it does not have, the empty one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSli:
    """An SLI that an update is judged by, as counters in Prometheus count it. `name` is the SLI's in objectives.

    Read are the series of `metrics` whose labels are as in `where`. Requests are those as in `total`, by default all;
    of these failed what is as in `failed`, or what is not as in `good`. `may_fail` and `controlled`: see Objective; of
    what only one instance does at a time, another is no control. `by_pod`: the pods of the add-on count it themselves.
    """

    name: str
    meaning: str
    metrics: tuple[str, ...]
    where: Labels = field(default_factory=dict)
    total: Labels = field(default_factory=dict)
    failed: Labels = field(default_factory=dict)
    good: Labels = field(default_factory=dict)
    may_fail: float = 0.02
    controlled: bool = True
    by_pod: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        assert bool(self.failed) != bool(self.good), f"SLI {self.name}: either failed or good ones are told"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityException:
    """A workload that cannot meet the restricted Pod Security Standard, and why."""

    workload: str
    namespace: str = ""
    level: str = ""  # the strictest Pod Security Standard that it meets
    baseline: tuple[str, ...] = ()  # what violates baseline
    restricted: tuple[str, ...] = ()  # what violates restricted


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A setting worth tuning; its path in Helm values and in EKS configurationValues, empty if there is none."""

    effect: str
    helm: str = ""
    eks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCycle:
    """A minor of upstream's (`1.21`) with its newest patch. From `end_of_life` on there are no fixes; None: unknown."""

    cycle: str
    released: str = ""
    end_of_life: date | None = None
    latest: Version | None = None

    @property
    def minor(self) -> tuple[int, int]:
        """(major, minor)."""
        return Version.of(self.cycle).minor

    def is_maintained(self, day: date) -> bool:
        """Whether it still gets fixes on a day, as far as is known."""
        return self.end_of_life is None or day < self.end_of_life


@dataclass(frozen=True, slots=True, kw_only=True)
class Successor:
    """What takes the place of a retired add-on; `addon` is its catalog id, or empty if it has none."""

    name: str
    text: str
    addon: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStep:
    """One step away from a retired add-on. `argv` is a command for it, `due` when to have it done."""

    text: str
    due: Due
    argv: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """The end of an add-on as a whole: no release follows. `ended`: the last day of its maintenance.

    `keeps` says what running it on means; `steps` lead to one of the `successors`, before it is uninstalled. Ingresses
    whose class names `ingress_controller` use it.
    """

    text: str
    ended: date
    keeps: str
    successors: tuple[Successor, ...]
    steps: tuple[MigrationStep, ...]
    announced: date | None = None
    ingress_controller: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsSetting:
    """Where the requests and limits of a container are set: paths in EKS's configuration and in Helm's values.

    `workload`: of which workload, where containers of one name are set apart; empty: of all.
    """

    container: str
    workload: str = ""
    eks: str = ""
    helm: str = ""


class MeteredBy(StrEnum):
    """What AWS counts."""

    NODE_VCPU = "node-vcpu"  # of the nodes that it runs on
    USE = "use"  # what nobody but a bill tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """The key of a price in data/prices/aws.yaml, and up to how many units it holds; None: all that are left."""

    price: str
    up_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What AWS charges for what an add-on does, beside the nodes that it runs on."""

    what: str
    by: MeteredBy
    tiers: tuple[Tier, ...] = ()
    log_groups: str = ""  # what the names of its CloudWatch log groups begin with, `{cluster}` for the cluster's name
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededRight:
    """A right in the whole cluster that versions of an add-on need, and those before did not.

    It is missing where a role has what the versions before had, the resource `beside` of group `beside_group`: a role
    with neither may be one of several, or made by hand. `soft`: only some settings need it.
    """

    versions: VersionRange
    resource: str
    verbs: tuple[str, ...]
    source: str
    beside: str
    beside_group: str = ""
    group: str = ""
    soft: bool = False

    def in_words(self) -> str:
        """`list, watch endpointslices.discovery.k8s.io`, as kubectl and RBAC write it."""
        return f"{', '.join(self.verbs)} {self.resource}{f'.{self.group}' if self.group else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """A fault that others reported. It is shown where its sign is seen, in `versions` if it is only of some.

    Its sign: `says`, a pattern of what containers, events and conditions say, or `crashes`, a container that ends again
    and again without a word. Without a sign it is for readers of the catalog. `fix` is what helps.
    """

    what: str
    url: str = ""
    says: str = ""
    crashes: str = ""
    versions: VersionRange | None = None
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """How faults of an add-on show on objects of others; its CSI drivers are known without being repeated here.

    `reporters`: the components by which its events are reported. `words`: by what messages of others name it.
    `harmless`: reasons of its own events that tell of what users asked for, not of a fault.
    """

    reporters: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()


class ClusterService(StrEnum):
    """A service for the whole cluster; several add-ons may provide the same one."""

    POD_NETWORK = "pod-network"
    SERVICE_NETWORK = "service-network"
    CLUSTER_DNS = "cluster-dns"
    NODE_SCALING = "node-scaling"
    RESOURCE_METRICS = "resource-metrics"
    POD_IDENTITY = "pod-identity"


class Form(StrEnum):
    """The form that a setting must have to be kept; the alternative is a list of allowed words."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    COREFILE = "corefile"  # reduced to zones and the names of plugins


SettingForm = Form | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOn:
    """A catalog entry. Facts without a source of their own have that of the entry."""

    id: str
    name: str
    category: str
    as_of: date
    source: str
    homepage: str = ""
    licence: str = ""
    aliases: tuple[str, ...] = ()  # other names for it
    singleton: bool = True  # a second copy in one cluster is a mistake
    system: bool = False  # every EKS cluster has it
    needs_rbac: bool = True  # it calls the API server, and cannot work without a role
    provides: tuple[ClusterService, ...] = ()
    auto_mode: str = ""  # which part of it is built into EKS Auto Mode; empty: none
    install: Install = field(default_factory=Install)
    fingerprints: Fingerprints
    comes_with: tuple[str, ...] = ()  # what every installation has: Kind/name, Kind/namespace/name
    bundles: tuple[str, ...] = ()  # ids of add-ons that it installs as parts
    includes: tuple[str, ...] = ()  # ids of add-ons that are no rows of their own where it installs them
    version: tuple[VersionRule, ...] = ()
    component: str = ""  # its name in Kubernetes' version skew policy, if that policy decides what it supports
    kubernetes: tuple[KubernetesSupport, ...] = ()
    # Each row of `kubernetes` begins with the first version for its newest minor: older versions do not support it.
    kubernetes_is_minimum: bool = False
    requires: tuple[Requirement, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    crds: tuple[CrdFact, ...] = ()
    crd_rules: str = ""
    upgrade_rules: tuple[UpgradeRule, ...] = ()
    upgrade_notes: tuple[UpgradeNote, ...] = ()
    disruption: Disruption = field(default_factory=Disruption)
    topology: str = ""
    webhook_risk: str = ""
    slis: tuple[Sli, ...] = ()
    counted_slis: tuple[CountedSli, ...] = ()
    probes: tuple[str, ...] = ()
    cost_drivers: tuple[str, ...] = ()
    meters: tuple[Meter, ...] = ()
    idle_without: IdleWithout | None = None
    replicas: ReplicaRule | None = None
    instance_families: tuple[str, ...] = ()  # the letters of EC2's families that it is for, such as g of g5; empty: all
    requests: tuple[RequestsSetting, ...] = ()
    security: str = ""
    security_exceptions: tuple[SecurityException, ...] = ()
    ports: tuple[str, ...] = ()
    knobs: tuple[Knob, ...] = ()
    env: Mapping[str, SettingForm] = field(
        default_factory=dict
    )  # environment variables of its containers that are kept
    # ConfigMaps that configure it, by namespace/name, and the keys that are kept; no keys: only that it exists
    config_maps: Mapping[str, Mapping[str, SettingForm]] = field(default_factory=dict)
    lifecycle: tuple[ReleaseCycle, ...] = ()  # newest first
    retirement: Retirement | None = None
    known_issues: tuple[KnownIssue, ...] = ()
    rights: tuple[NeededRight, ...] = ()
    symptoms: Symptoms = field(default_factory=Symptoms)
    leans_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # kind → kinds whose faults become its own
    incidents: tuple[str, ...] = ()  # updates of it that went wrong in public, by their names in sim/incidents.py

    @property
    def one_minor_at_a_time(self) -> bool:
        """Whether it must not skip a minor when its version changes."""
        return any(rule.one_minor_at_a_time for rule in self.upgrade_rules)

    def charts_of(self, name: str) -> frozenset[str]:
        """The names of its charts; only that one, if a name is given."""
        return frozenset((name,)) if name else frozenset(chart.name for chart in self.install.charts)

    def own_objects(self) -> Iterator[tuple[str, str, str]]:
        """(kind, namespace, name) of what every installation has; an empty namespace is its own, or cluster-wide."""
        for words in self.comes_with:
            kind, _, rest = words.partition("/")
            namespace, _, name = rest.rpartition("/")
            yield kind, namespace, name


# ── EKS's own table (data/eks/) ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EksVersion:
    """One version of an EKS add-on. `kubernetes` maps a minor to the required platform versions, `*` for any."""

    version: Version
    kubernetes: Mapping[Minor, str]
    default_for: tuple[Minor, ...] = ()
    architectures: tuple[str, ...] = ()
    compute_types: tuple[str, ...] = ()
    requires_configuration: bool = False
    requires_iam: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EksAddonVersions:
    """What DescribeAddonVersions returns for one add-on, newest version first."""

    name: str
    type: str = ""
    owner: str = ""
    publisher: str = ""
    namespace: str = ""
    versions: tuple[EksVersion, ...] = ()

    @property
    def minors(self) -> frozenset[Minor]:
        return frozenset(minor for version in self.versions for minor in version.kubernetes)

    def offered(self, *minors: Minor) -> tuple[Version, ...]:
        """The versions that AWS offers for every one of some minors."""
        return tuple(entry.version for entry in self.versions if all(minor in entry.kubernetes for minor in minors))

    def preferred(self, fit: Sequence[Version], minor: Minor) -> Version | None:
        """EKS's default version for a minor if it is among those that fit, else the newest of them; None of none."""
        defaults = {entry.version for entry in self.versions if minor in entry.default_for}
        return max((version for version in fit if version in defaults), default=max(fit, default=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class EksTable:
    """All EKS add-ons of one region on one day."""

    as_of: date
    source: str
    region: str
    addons: Mapping[str, EksAddonVersions]


# ── Charts (data/charts.json) ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class ChartVersions:
    """The versions of one Helm chart, without `v`, with the version of the application that each has."""

    name: str
    as_of: date
    source: str
    versions: Mapping[str, str]

    @cached_property
    def span(self) -> tuple[Version, Version]:
        """The oldest and the newest version."""
        known = [Version.of(each) for each in self.versions]
        return min(known), max(known)

    @cached_property
    def newest_application(self) -> Version | None:
        """The newest released version of the application that any of them has."""
        known = filter(None, map(parse, self.versions.values()))
        return max((each for each in known if each.is_released), default=None)


@dataclass(frozen=True, kw_only=True)
class ChartTable:
    """All charts. `rebuilders`: words in the addresses of those who publish charts of the same names with numbers of
    their own.
    """

    charts: tuple[ChartVersions, ...] = ()
    rebuilders: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> Mapping[str, ChartVersions]:
        return {chart.name: chart for chart in self.charts}

    def of(self, chart: str) -> ChartVersions | None:
        """The versions of a chart; None if the table does not have it."""
        return self._by_name.get(chart)

    def is_rebuilt(self, repository: str) -> bool:
        """Whether a repository is of somebody who numbers charts of the same names otherwise."""
        return any(word in repository for word in self.rebuilders)
