"""What addonctl knows of add-ons and of Kubernetes: dated facts, each with its source, and questions to them.

The facts are files under data/; adapters/knowledge.py loads them into a `Catalog`. Unknown stays unknown: a version
that AWS does not list is never called incompatible. Called by every capability, and by `addonctl catalog`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from addonctl import versions
from addonctl.errors import BadInput

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
    """Which Kubernetes minors upstream says a range of its versions supports; bounds are inclusive, may be empty.

    `versions` is a minor (`1.21`), a range (`1.16 - 1.18`), open (`1.21+`), or `*` for all.
    """

    versions: str
    minimum: str = ""
    maximum: str = ""
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
class Conflict:
    """What cannot run beside this add-on. `addon` is a catalogue id, or empty where `with_` is none."""

    with_: str
    when: str
    why: str
    addon: str = ""
    test: str = ""  # how it is seen in a cluster: a name in compatibility.CONFLICT_TESTS; empty: it is not
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
    latest: str = ""


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
    kubernetes: tuple[KubernetesSupport, ...] = ()
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

    version: str
    kubernetes: Mapping[str, str]
    default_for: tuple[str, ...] = ()
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
    def minors(self) -> frozenset[str]:
        return frozenset(minor for version in self.versions for minor in version.kubernetes)


@dataclass(frozen=True, slots=True, kw_only=True)
class EksTable:
    """All EKS add-ons of one region at one day."""

    as_of: date
    source: str
    region: str
    addons: Mapping[str, EksAddonVersions]


# ── Kubernetes (data/kubernetes.yaml) ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EksRelease:
    """One Kubernetes minor on EKS, with the days on which its support ends."""

    version: str
    released: date
    end_standard: date
    end_extended: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRemoval:
    """An API version that Kubernetes deprecated or removed. Empty: not (yet) so, or none."""

    group: str
    version: str
    kind: str
    deprecated_in: str = ""
    removed_in: str = ""
    replacement: str = ""
    source: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdRemoval:
    """A CRD version that an add-on's release stopped serving or removed."""

    addon: str
    crd: str
    version: str
    removed_in: str = ""
    last_present_in: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How far behind the API server a component may be, in minors. None may be ahead but kubectl."""

    component: str
    minors_behind: int
    minors_ahead: int = 0
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """The calendar of Kubernetes and EKS. The newest Kubernetes and the newest on EKS are different facts."""

    as_of: date
    source: str
    newest: str
    newest_on_eks: str
    releases: tuple[EksRelease, ...]
    removals: tuple[ApiRemoval, ...] = ()
    crd_removals: tuple[CrdRemoval, ...] = ()
    skew: tuple[Skew, ...] = ()
    standard_usd_per_hour: float = 0.0  # of a control plane, as the next; before any discount
    extended_usd_per_hour: float = 0.0

    @cached_property
    def _by_api(self) -> Mapping[tuple[str, str], ApiRemoval]:
        return {(removal.api_version, removal.kind): removal for removal in self.removals}

    def removal(self, api_version: str, kind: str) -> ApiRemoval | None:
        """What is known of an API version's end; None: nothing. A `*` in the facts stands for every kind."""
        return self._by_api.get((api_version, kind)) or self._by_api.get((api_version, "*"))

    def replacement(self, removal: ApiRemoval, minor: str) -> str:
        """The API version to write instead, one that is not deprecated in `minor` itself; empty where there is none."""
        seen = {removal.api_version}
        while removal.replacement and removal.replacement not in seen:
            seen.add(removal.replacement)
            following = self.removal(removal.replacement, removal.kind)
            if following is None or not self._since(following, minor):
                return removal.replacement
            removal = following
        return removal.replacement

    @staticmethod
    def _since(removal: ApiRemoval, minor: str) -> bool:
        since = removal.deprecated_in or removal.removed_in
        return bool(since) and (not minor or versions.minor_key(since) <= versions.minor_key(minor))

    def deprecated(self, group: str, version: str, kind: str, minor: str) -> bool:
        """Whether an API version is deprecated or removed in Kubernetes `minor`; in any, where `minor` is empty."""
        removal = self.removal(f"{group}/{version}" if group else version, kind)
        return removal is not None and self._since(removal, minor)


def plural(kind: str) -> str:
    """The resource by which code generators call a kind."""
    name = kind.lower()
    if name.endswith("y") and name[-2:-1] not in ("a", "e", "o", "u"):
        return f"{name[:-1]}ies"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")


# ── Questions ───────────────────────────────────────────────────────────────────────────────────────────────────


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The answer to "does this version of this add-on go with this Kubernetes?", and who says so, as of when."""

    addon: str
    version: str
    kubernetes: str
    answer: Answer
    reason: str
    source: str = ""
    as_of: str = ""


@dataclass(frozen=True)
class Catalog:
    """All knowledge. Lookups are by catalogue id, by EKS add-on name or by chart name."""

    addons: Mapping[str, AddOn]
    eks: EksTable
    kubernetes: Kubernetes

    @cached_property
    def _names(self) -> Mapping[str, str]:
        names: dict[str, str] = {}
        for addon in self.addons.values():
            eks = (addon.install.eks.name, *addon.install.eks.variants) if addon.install.eks else ()
            for name in (*addon.aliases, *(chart.name for chart in addon.install.charts), *eks):
                names.setdefault(name.lower(), addon.id)
        names |= {addon_id: addon_id for addon_id in self.addons}
        return MappingProxyType(names)

    def providing(self, service: ClusterService) -> tuple[str, ...]:
        """The ids of the add-ons that offer a service, in the catalogue's order.

        Those that every EKS cluster has come first: where they run, another one beside them adds to them.
        """
        offering = (addon for addon in self.addons.values() if service in addon.provides)
        return tuple(addon.id for addon in sorted(offering, key=lambda addon: not addon.system))

    @cached_property
    def config_maps(self) -> frozenset[str]:
        """The ConfigMaps that are read, as NAMESPACE/NAME: those that configure an add-on."""
        return frozenset(name for addon in self.addons.values() for name in addon.config_maps)

    def find(self, name: str) -> AddOn | None:
        """The add-on of that id, EKS name or chart; None when the catalogue has none."""
        return self.addons.get(self._names.get(name.lower(), ""))

    def eks_name(self, name: str) -> str | None:
        """The EKS add-on that `name` means, None when EKS has none of it."""
        if name in self.eks.addons:
            return name
        addon = self.find(name)
        return addon.install.eks.name if addon and addon.install.eks else None

    def require(self, name: str) -> tuple[AddOn | None, EksAddonVersions | None]:
        """The catalogue entry and the EKS entry that `name` means, at least one of them.

        Raises BadInput when it means neither.
        """
        addon, eks = self.find(name), self.eks.addons.get(self.eks_name(name) or "")
        if addon is None and eks is None:
            raise BadInput(f"No add-on is called {name!r}{self._similar(name)}.", "See `addonctl catalog list`.")
        return addon, eks

    def check(self, name: str, version: str, kubernetes: str) -> Check:
        """Whether `version` of the add-on goes with `kubernetes` (a minor such as 1.35).

        EKS's table answers for what EKS lists; upstream's published range for the rest. Raises BadInput for an
        add-on that does not exist or a Kubernetes version that is none.
        """
        minor = ".".join(str(part) for part in versions.minor_key(kubernetes))
        addon, eks = self.require(name)
        addon_id = addon.id if addon else eks.name if eks else name
        if eks is not None:
            verdict = self._check_eks(eks, addon_id, version, minor)
            if verdict.answer is not Answer.UNKNOWN or addon is None or "-eksbuild." in version:
                return verdict
        assert addon is not None
        return self._check_upstream(addon, version, minor)

    def _check_eks(self, eks: EksAddonVersions, addon_id: str, version: str, minor: str) -> Check:
        def answer(result: Answer, reason: str) -> Check:
            return Check(
                addon=addon_id, version=version, kubernetes=minor, answer=result, reason=reason,
                source=self.eks.source, as_of=self.eks.as_of.isoformat(),
            )  # fmt: skip

        wanted = version if version.startswith("v") else f"v{version}"
        listed = next((entry for entry in eks.versions if entry.version in (version, wanted)), None)
        if listed is None:
            return answer(Answer.UNKNOWN, f"AWS lists no {eks.name} {version}.")
        if minor in listed.kubernetes:
            platform = listed.kubernetes[minor]
            condition = "" if platform == "*" else f" from platform version {platform} on"
            default = " It is the default there." if minor in listed.default_for else ""
            return answer(
                Answer.YES, f"AWS lists {eks.name} {listed.version} for Kubernetes {minor}{condition}." + default
            )
        if versions.minor_key(minor) > max(map(versions.minor_key, self._eks_minors), default=(0, 0)):
            return answer(Answer.UNKNOWN, f"AWS's table knows no Kubernetes {minor} yet.")
        span = _span(sorted(listed.kubernetes, key=versions.minor_key))
        return answer(Answer.NO, f"AWS lists {eks.name} {listed.version} for Kubernetes {span}, not {minor}.")

    @cached_property
    def _eks_minors(self) -> frozenset[str]:
        return frozenset().union(*(addon.minors for addon in self.eks.addons.values()))

    def _check_upstream(self, addon: AddOn, version: str, minor: str) -> Check:
        def answer(result: Answer, reason: str, source: str = "") -> Check:
            return Check(
                addon=addon.id, version=version, kubernetes=minor, answer=result, reason=reason,
                source=source or addon.source, as_of=addon.as_of.isoformat(),
            )  # fmt: skip

        parsed = versions.parse(version)
        if parsed is None:
            return answer(Answer.UNKNOWN, f"{version!r} is no version that can be compared.")
        said = next((support for support in addon.kubernetes if covers(support.versions, parsed)), None)
        if said is None:
            return answer(Answer.UNKNOWN, f"No range of Kubernetes is published for {addon.name} {version}.")
        key = versions.minor_key(minor)
        span = f"{said.minimum or 'any'} to {said.maximum or 'newest'}"
        if said.minimum and key < versions.minor_key(said.minimum):
            return answer(Answer.NO, f"{addon.name} {version} supports Kubernetes {span}.", said.source)
        if said.maximum and key > versions.minor_key(said.maximum):
            # Upstream lists what it tested; a newer Kubernetes may well do, nobody has said so.
            return answer(Answer.UNKNOWN, f"{addon.name} {version} was published for Kubernetes {span}.", said.source)
        return answer(Answer.YES, f"{addon.name} {version} supports Kubernetes {span}.", said.source)

    def _similar(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name.lower(), {*self._names, *self.eks.addons}, n=3)
        return f" (did you mean {', '.join(close)}?)" if close else ""


def _span(minors: list[str]) -> str:
    """`1.21 to 1.33` for minors without a gap, else each of them."""
    keys = [versions.minor_key(minor) for minor in minors]
    if len(keys) > 2 and keys[-1][1] - keys[0][1] == len(keys) - 1:
        return f"{minors[0]} to {minors[-1]}"
    return ", ".join(minors) or "no version"


def covers(span: str, version: versions.Version) -> bool:
    """Whether `span` covers `version`: `*`, a minor `1.21`, a range `1.16 - 1.18` of minors, or `1.21+`."""
    if span == "*":
        return True
    if span.endswith("+"):
        lowest = versions.parse(span[:-1])
        return lowest is not None and lowest.numbers <= version.numbers
    low_text, _, high_text = span.partition(" - ")
    low, high = versions.parse(low_text), versions.parse(high_text or low_text)
    if low is None or high is None:
        return False
    return low.numbers <= version.numbers[: len(low.numbers)] and version.numbers[: len(high.numbers)] <= high.numbers
