"""An add-on as found in a cluster, and who claims to manage it."""

from dataclasses import dataclass, field
from enum import StrEnum

from addonctl.model import owners
from addonctl.model.cluster import ObjectRef
from addonctl.model.declaration import Declaration
from addonctl.model.finding import Evidence, Finding
from addonctl.model.owners import Method, Owner
from addonctl.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A manager's claim to an object, with its evidence.

    `by_label`: only a label says so, with no record or annotation behind it; charts write it, whoever applies them. It
    makes no owner.
    """

    owner: Owner
    evidence: str
    by_label: bool = False

    @property
    def method(self) -> Method:
        return self.owner.method


class State(StrEnum):
    """Whether an add-on was found in the cluster."""

    INSTALLED = "installed"
    DECLARED = "declared"  # somebody wants it to be installed; nothing of it was seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One add-on as installed in a cluster, or as declared.

    `id` is stable across scans: add-on, namespace and the name of its main workload.
    `version` is the application's; if it is None, `version_unknown_reason` says why. `chart_version` is that of the
    chart `chart`, a number of another kind, if one is known.
    `upstream_version` says that `version` counts as upstream's releases do: not a rebuild with numbers of its own.
    `configuration` says where its settings are kept, in the installer's terms.
    `declarations` say what it is to be; of what is declared for another cluster, `destination` names that.
    """

    id: str
    addon: str
    name: str
    version: Version | None
    version_unknown_reason: str = ""
    chart: str = ""
    chart_version: Version | None = None
    upstream_version: bool = False
    owner: Owner = field(default_factory=owners.Undetermined)
    configuration: str = ""
    claims: tuple[Claim, ...] = ()
    namespaces: tuple[str, ...] = ()
    workloads: tuple[ObjectRef, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    part_of: str = ""  # id of the installation that includes it
    state: State = State.INSTALLED
    declarations: tuple[Declaration, ...] = ()
    destination: str = ""

    @property
    def method(self) -> Method:
        return self.owner.method

    @property
    def eks_addon(self) -> str:
        """The name of the EKS add-on that manages it, from the owner or a claim; empty if there is none."""
        claimed = (claim.owner for claim in self.claims)
        return next((one.name for one in (self.owner, *claimed) if isinstance(one, owners.EksAddon)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecognised:
    """A system workload that matches no add-on in the catalog."""

    ref: ObjectRef
    images: tuple[str, ...]
    why: str  # why it looks like an add-on


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All installations of a cluster, and the system workloads that belong to none.

    `declared`: what is declared and was not found, for this cluster or another. `not_in_catalog`: declared charts
    and EKS add-ons that the catalog does not have.
    """

    installations: tuple[Installation, ...]
    declared: tuple[Installation, ...] = ()
    not_in_catalog: tuple[Declaration, ...] = ()
    unrecognised: tuple[Unrecognised, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def rows(self) -> tuple[Installation, ...]:
        """What is installed, then what is only declared."""
        return (*self.installations, *self.declared)
