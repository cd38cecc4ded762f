"""The calendar of Kubernetes and EKS: support windows, API removals, the skew policy (data/kubernetes.yaml)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

from addonctl.versions import Minor, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class EksRelease:
    """One Kubernetes minor on EKS, with the days on which its support ends."""

    version: Minor
    released: date
    end_standard: date
    end_extended: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRemoval:
    """An API version that Kubernetes deprecated or removed; a minor of None: not yet; an empty replacement: none."""

    group: str
    version: str
    kind: str
    deprecated_in: Minor | None = None
    removed_in: Minor | None = None
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
    removed_in: Version | None = None
    last_present_in: Version | None = None


API_SERVER = "kube-apiserver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How many minors a component may be behind and ahead of the API server, or of the component it runs beside."""

    component: str
    minors_behind: int
    minors_ahead: int = 0
    against: str = API_SERVER
    source: str = ""

    def allows(self, component: Minor, other: Minor) -> bool:
        """Whether the policy allows the component at minor `component` with `against` at minor `other`."""
        behind = other.minor - component.minor
        return component.major == other.major and -self.minors_ahead <= behind <= self.minors_behind


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashCause:
    """What ends a container of any add-on, by a pattern of its last words, and what helps."""

    says: str
    what: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Kubernetes:
    """The calendar of Kubernetes and EKS. The newest Kubernetes and the newest on EKS are different facts."""

    as_of: date
    source: str
    newest: Minor
    newest_on_eks: Minor
    releases: tuple[EksRelease, ...]
    removals: tuple[ApiRemoval, ...] = ()
    crd_removals: tuple[CrdRemoval, ...] = ()
    skew: tuple[Skew, ...] = ()
    standard_usd_per_hour: Decimal = Decimal(0)  # of a control plane, like the next; before any discount
    extended_usd_per_hour: Decimal = Decimal(0)
    crash_causes: tuple[CrashCause, ...] = ()
    in_tree_drivers: Mapping[str, str] = field(default_factory=dict)  # provisioners that were part of Kubernetes

    def release(self, minor: Minor) -> EksRelease | None:
        """The calendar of one minor; None if EKS is not known to have offered it."""
        return next((release for release in self.releases if release.version == minor), None)

    def control_plane_usd_per_hour(self, release: EksRelease, day: date) -> Decimal:
        """What the control plane of a minor costs on a day: more once its standard support has ended."""
        return self.extended_usd_per_hour if day >= release.end_standard else self.standard_usd_per_hour

    def offered(self, day: date) -> tuple[Minor, ...]:
        """The minors that EKS supports on a day, in standard or extended support, oldest first.

        If the calendar has none for that day, the newest that it knows.
        """
        there = sorted(each.version for each in self.releases if each.released <= day < each.end_extended)
        return tuple(there) or (self.newest_on_eks,)

    def skew_rule(self, component: str, against: str = API_SERVER) -> Skew | None:
        """The rule of the version skew policy for a component; None if there is none."""
        return next((rule for rule in self.skew if (rule.component, rule.against) == (component, against)), None)

    @cached_property
    def _by_api(self) -> Mapping[tuple[str, str], ApiRemoval]:
        return {(removal.api_version, removal.kind): removal for removal in self.removals}

    def removal(self, api_version: str, kind: str) -> ApiRemoval | None:
        """The deprecation or removal of an API version; None if there is none. `*` in the facts means every kind."""
        return self._by_api.get((api_version, kind)) or self._by_api.get((api_version, "*"))

    def replacement(self, removal: ApiRemoval, minor: Minor | None) -> str:
        """The API version to use instead, not deprecated in `minor` (None: in any); empty if there is none."""
        seen = {removal.api_version}
        while removal.replacement and removal.replacement not in seen:
            seen.add(removal.replacement)
            following = self.removal(removal.replacement, removal.kind)
            if following is None or not self._since(following, minor):
                return removal.replacement
            removal = following
        return removal.replacement

    @staticmethod
    def _since(removal: ApiRemoval, minor: Minor | None) -> bool:
        since = removal.deprecated_in or removal.removed_in
        return since is not None and (minor is None or since <= minor)

    def deprecated(self, group: str, version: str, kind: str, minor: Minor | None) -> bool:
        """Whether an API version is deprecated or removed in Kubernetes `minor` (None: in any)."""
        removal = self.removal(f"{group}/{version}" if group else version, kind)
        return removal is not None and self._since(removal, minor)


def plural(kind: str) -> str:
    """The resource name that Kubernetes' code generators derive from a kind."""
    name = kind.lower()
    if name.endswith("y") and name[-2:-1] not in ("a", "e", "o", "u"):
        return f"{name[:-1]}ies"
    return name + ("es" if name.endswith(("s", "x", "ch", "sh")) else "s")
