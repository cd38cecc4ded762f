"""The catalog: dated facts about add-ons and Kubernetes, each with its source, and the queries on them.

The facts are files under data/; adapters/knowledge.py loads them into a `Catalog`. Unknown stays unknown: a version
that AWS does not list is never called incompatible. Used by every capability and by `addonctl catalog`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from addonctl.catalog.calendar import (
    API_SERVER,
    ApiRemoval,
    CrashCause,
    CrdRemoval,
    EksRelease,
    Kubernetes,
    Skew,
    plural,
)
from addonctl.catalog.facts import (
    AddOn,
    ChartInstall,
    ChartTable,
    ChartVersions,
    ClusterService,
    Conflict,
    ConflictSign,
    CountedSli,
    CrdFact,
    Disruption,
    EksAddonVersions,
    EksInstall,
    EksTable,
    EksVersion,
    Fingerprints,
    Form,
    IdleWithout,
    ImageFingerprint,
    Install,
    Knob,
    KnownIssue,
    KubernetesSupport,
    Labels,
    Meets,
    Meter,
    MeteredBy,
    MigrationStep,
    NeededRight,
    ReleaseCycle,
    ReplicaRule,
    RequestsSetting,
    Requirement,
    Retirement,
    Role,
    SecurityException,
    SettingForm,
    Sli,
    Successor,
    Symptoms,
    Tier,
    UpgradeNote,
    UpgradeRule,
    VersionFrom,
    VersionRule,
    Weight,
    WorkloadFingerprint,
)
from addonctl.errors import BadInput
from addonctl.versions import Minor, Version, VersionRange

__all__ = [
    "API_SERVER",
    "AddOn",
    "Answer",
    "ApiRemoval",
    "Catalog",
    "Cell",
    "ChartInstall",
    "ChartTable",
    "ChartVersions",
    "ClusterService",
    "Conflict",
    "ConflictSign",
    "CountedSli",
    "CrashCause",
    "CrdFact",
    "CrdRemoval",
    "Disruption",
    "EksAddonVersions",
    "EksInstall",
    "EksRelease",
    "EksTable",
    "EksVersion",
    "Fingerprints",
    "Form",
    "IdleWithout",
    "ImageFingerprint",
    "Install",
    "Knob",
    "KnownIssue",
    "Kubernetes",
    "KubernetesSupport",
    "Labels",
    "Meets",
    "Meter",
    "MeteredBy",
    "MigrationStep",
    "NeededRight",
    "ReleaseCycle",
    "ReplicaRule",
    "RequestsSetting",
    "Requirement",
    "Retirement",
    "Role",
    "SecurityException",
    "SettingForm",
    "Skew",
    "Sli",
    "Successor",
    "Symptoms",
    "Tier",
    "UpgradeNote",
    "UpgradeRule",
    "VersionFrom",
    "VersionRule",
    "Weight",
    "WorkloadFingerprint",
    "plural",
]


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The answer to "does this add-on version support this Kubernetes minor?", with its source and date.

    `version` and `kubernetes` are None if unknown; `as_of` is None if no source has an answer.
    """

    addon: str
    version: Version | None
    kubernetes: Minor | None
    answer: Answer
    reason: str
    source: str = ""
    as_of: date | None = None


@dataclass(frozen=True)
class Catalog:
    """All facts. Add-ons are looked up by catalog id, EKS add-on name or chart name."""

    addons: Mapping[str, AddOn]
    eks: EksTable
    kubernetes: Kubernetes
    charts: ChartTable = field(default_factory=ChartTable)

    # ── Names ───────────────────────────────────────────────────────────────────────────────────────────────────────

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
        """The ids of the add-ons that provide a service, in the catalog's order.

        Those that every EKS cluster has come first: any other runs alongside them.
        """
        offering = (addon for addon in self.addons.values() if service in addon.provides)
        return tuple(addon.id for addon in sorted(offering, key=lambda addon: not addon.system))

    @cached_property
    def config_maps(self) -> frozenset[str]:
        """The ConfigMaps that configure add-ons and are therefore read, as NAMESPACE/NAME."""
        return frozenset(name for addon in self.addons.values() for name in addon.config_maps)

    @cached_property
    def chart_names(self) -> frozenset[str]:
        """The charts of all add-ons."""
        return frozenset(chart.name for addon in self.addons.values() for chart in addon.install.charts)

    def find(self, name: str) -> AddOn | None:
        """The add-on with that id, EKS name or chart; None if the catalog has none."""
        return self.addons.get(self._names.get(name.lower(), ""))

    def eks_name(self, name: str) -> str | None:
        """The EKS add-on that `name` refers to (the name of a variant, that variant); None if EKS does not offer it."""
        if name in self.eks.addons:
            return name
        addon = self.find(name)
        return addon.install.eks.name if addon and addon.install.eks else None

    def require(self, name: str) -> tuple[AddOn | None, EksAddonVersions | None]:
        """The catalog entry and the EKS entry that `name` refers to, at least one of them not None.

        Raises BadInput when there is neither.
        """
        addon, eks = self.find(name), self.eks.addons.get(self.eks_name(name) or "")
        if addon is None and eks is None:
            raise BadInput(f"No add-on is called {name!r}{self._similar(name)}.", "See `addonctl catalog list`.")
        return addon, eks

    def _similar(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name.lower(), {*self._names, *self.eks.addons}, n=3)
        return f" (did you mean {', '.join(close)}?)" if close else ""

    # ── Which version supports which Kubernetes ─────────────────────────────────────────────────────────────────────

    def check(self, name: str, version: Version, minor: Minor) -> Cell:
        """Whether `version` of the add-on supports a Kubernetes minor.

        EKS's table decides for versions that EKS lists; for others, the range that upstream publishes or, for a
        component of Kubernetes, the version skew policy. Raises BadInput for an unknown add-on.
        """
        addon, eks = self.require(name)
        addon_id = addon.id if addon else eks.name if eks else name
        if eks is not None:
            cell = self._check_eks(eks, _Asked(addon_id, version, minor, self.eks.source, self.eks.as_of))
            if cell.answer is not Answer.UNKNOWN or addon is None or version.is_eks_build:
                return cell
        assert addon is not None, name
        asked = _Asked(addon_id, version, minor, addon.source, addon.as_of)
        return self._check_component(addon, asked) or _check_upstream(addon, asked, self.newest_known(addon.id))

    def newest_known(self, addon_id: str) -> Version | None:
        """The newest release of an add-on that the catalogue, its charts and AWS's table know; None of none."""
        addon = self.addons[addon_id]
        charts = [chart for chart in addon.install.charts if chart.main and not chart.numbered_apart]
        tables = [table for chart in charts if (table := self.charts.of(chart.name)) is not None]
        listed = self.eks.addons.get(addon.install.eks.name) if addon.install.eks else None
        known = [cycle.latest or Version.of(cycle.cycle) for cycle in addon.lifecycle]
        known += [table.newest_application for table in tables if table.newest_application]
        known += [entry.version for entry in listed.versions] if listed else []
        return max(known, default=None)

    def published_for(self, name: str, minor: Minor) -> VersionRange | None:
        """The versions of an add-on that upstream publishes for a minor, where it says so."""
        addon = self.find(name)
        fit = (
            said.versions
            for said in (addon.kubernetes if addon else ())
            if (said.minimum is None or said.minimum <= minor) and said.maximum is not None and minor <= said.maximum
        )
        return next(fit, None)

    def _check_eks(self, eks: EksAddonVersions, asked: "_Asked") -> Cell:
        text, minor = str(asked.version), asked.minor
        listed = self._listed[eks.name].get(text) or self._listed[eks.name].get(f"v{text}")
        if listed is None:
            return asked.unknown(f"AWS lists no {eks.name} {text}.")
        if minor in listed.kubernetes:
            platform = listed.kubernetes[minor]
            condition = "" if platform == "*" else f" from platform version {platform} on"
            default = " It is the default there." if minor in listed.default_for else ""
            return asked.yes(f"AWS lists {eks.name} {listed.version} for Kubernetes {minor}{condition}.{default}")
        if self._newest_listed is None or minor > self._newest_listed:
            return asked.unknown(f"AWS's table has no entry for Kubernetes {minor}.")
        span = _listed(sorted(listed.kubernetes))
        return asked.no(f"AWS lists {eks.name} {listed.version} for Kubernetes {span}, not {minor}.")

    @cached_property
    def _listed(self) -> Mapping[str, Mapping[str, EksVersion]]:
        """What AWS's table lists, by add-on and version."""
        addons = self.eks.addons.values()
        return {addon.name: {str(each.version): each for each in addon.versions} for addon in addons}

    @cached_property
    def _newest_listed(self) -> Minor | None:
        """The newest Kubernetes minor for which AWS's table lists any add-on."""
        return max((minor for addon in self.eks.addons.values() for minor in addon.minors), default=None)

    def _check_component(self, addon: AddOn, asked: "_Asked") -> Cell | None:
        """The answer of the version skew policy, for a component that is versioned with Kubernetes."""
        rule = self.kubernetes.skew_rule(addon.component) if addon.component else None
        if rule is None:
            return None
        own, source = Minor(*asked.version.minor), rule.source or self.kubernetes.source
        subject = f"{addon.name} {asked.version}"
        if own > asked.minor:
            return asked.no(f"{subject} is newer than Kubernetes {asked.minor}, which is not allowed.", source)
        if not rule.allows(own, asked.minor):
            behind = asked.minor.minor - own.minor
            most = f"at most {rule.minors_behind} are allowed"
            return asked.no(f"{subject} is {behind} minors behind Kubernetes {asked.minor}; {most}.", source)
        return asked.yes(f"{subject} supports Kubernetes {asked.minor} by the version skew policy.", source)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question to the catalog, which builds the answers."""

    addon: str
    version: Version
    minor: Minor
    source: str
    as_of: date

    def yes(self, reason: str, source: str = "") -> Cell:
        return self._cell(Answer.YES, reason, source)

    def no(self, reason: str, source: str = "") -> Cell:
        return self._cell(Answer.NO, reason, source)

    def unknown(self, reason: str, source: str = "") -> Cell:
        return self._cell(Answer.UNKNOWN, reason, source)

    def _cell(self, answer: Answer, reason: str, source: str) -> Cell:
        return Cell(
            addon=self.addon,
            version=self.version,
            kubernetes=self.minor,
            answer=answer,
            reason=reason,
            source=source or self.source,
            as_of=self.as_of,
        )


def _check_upstream(addon: AddOn, asked: _Asked, newest: Version | None) -> Cell:
    """The answer from the ranges that upstream publishes. `newest`: the newest version that is known."""
    said = next((support for support in addon.kubernetes if support.versions.covers(asked.version)), None)
    if said is None:
        return _beyond_the_table(addon, asked)
    subject, span = f"{addon.name} {asked.version}", _span(said.minimum, said.maximum)
    if said.minimum is not None and asked.minor < said.minimum:
        return asked.no(f"{subject} supports Kubernetes {span}.", said.source)
    if said.versions.highest is None and (newest is None or asked.version.minor > newest.minor):
        last = f"the newest that is known is {newest}" if newest else "none of its versions is known"
        return asked.unknown(f"{subject} is newer than what is known; {last}.", said.source)
    if said.maximum is not None and asked.minor > said.maximum:
        # Upstream lists what it tested; a newer Kubernetes may work, but no source says so.
        needed = _older_than_needed(addon, asked) if addon.kubernetes_is_minimum else None
        return needed or asked.unknown(f"{subject} was published for Kubernetes {span}.", said.source)
    return asked.yes(f"{subject} supports Kubernetes {span}.", said.source)


def _beyond_the_table(addon: AddOn, asked: _Asked) -> Cell:
    """The answer for a version that no published range covers."""
    subject, rows = f"{addon.name} {asked.version}", addon.kubernetes
    if not rows or not all(row.versions.is_above(asked.version) for row in rows):
        return asked.unknown(f"No range of Kubernetes is published for {subject}.")
    oldest = min(rows, key=lambda row: row.versions.lowest or ())
    if addon.kubernetes_is_minimum and oldest.maximum is not None and asked.minor >= oldest.maximum:
        return _older_than_needed(addon, asked) or asked.no(
            f"{subject} is older than any that supports Kubernetes {asked.minor}.", oldest.source
        )
    return asked.unknown(f"{subject} is older than any whose range is known: our table begins with {oldest.versions}.")


def _older_than_needed(addon: AddOn, asked: _Asked) -> Cell | None:
    """The answer for a version that is older than the first one for a minor; None if none is known for that."""
    fit = [row for row in addon.kubernetes if row.maximum is not None and asked.minor <= row.maximum]
    if not fit:
        return None
    first = min(fit, key=lambda row: row.versions.lowest or ())
    older = f"{addon.name} {asked.version} is older than any that supports Kubernetes {asked.minor}"
    return asked.no(f"{older}; {first.versions} does.", first.source)


def _span(minimum: Minor | None, maximum: Minor | None) -> str:
    """`1.21 to 1.33`, `1.21 and newer`, `up to 1.33`, `1.33` if both are equal, `of any version`."""
    if minimum is None:
        return "of any version" if maximum is None else f"up to {maximum}"
    if maximum is None:
        return f"{minimum} and newer"
    return str(minimum) if minimum == maximum else f"{minimum} to {maximum}"


_FEW = 2


def _listed(minors: list[Minor]) -> str:
    """`1.21 to 1.33` for consecutive minors, otherwise each of them."""
    whole = len(minors) > _FEW and minors[-1].minor - minors[0].minor == len(minors) - 1
    return _span(minors[0], minors[-1]) if whole else ", ".join(map(str, minors)) or "no version"
