"""An add-on as it was found in a cluster, and who says that it manages it."""

from dataclasses import dataclass, field

from addonctl.model import owners
from addonctl.model.cluster import ObjectRef
from addonctl.model.finding import Evidence, Finding
from addonctl.model.owners import Method, Owner
from addonctl.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Somebody's word that it manages an object."""

    owner: Owner
    evidence: str

    @property
    def method(self) -> Method:
        return self.owner.method


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
    version: Version | None
    version_unknown_reason: str = ""
    owner: Owner = field(default_factory=owners.Undetermined)
    configuration: str = ""
    claims: tuple[Claim, ...] = ()
    namespaces: tuple[str, ...] = ()
    workloads: tuple[ObjectRef, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    part_of: str = ""  # id of the bundle that brought it

    @property
    def method(self) -> Method:
        return self.owner.method

    @property
    def eks_addon(self) -> str:
        """The EKS add-on that keeps it, by the name that EKS lists: the owner, or one of the claims; else empty."""
        claimed = (claim.owner for claim in self.claims)
        return next((one.name for one in (self.owner, *claimed) if isinstance(one, owners.EksAddon)), "")


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
    findings: tuple[Finding, ...] = ()
