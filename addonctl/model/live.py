"""What is there, to the letter: objects, EKS add-ons and Helm releases as their server gave them, for changing them.

Used qualified (`live.Object`, `live.Addon`, `live.Release`), since the records of a Snapshot bear similar names. Those
leave out what could be a secret; these leave out nothing. So their contents are hidden from repr and str, and they go
into a Checkpoint and nowhere else: no snapshot, report or log.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from addonctl.model.cluster import ObjectRef
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization
from addonctl.model.records import EksIssue

FIELD_MANAGER = "addonctl"
"""Whose fields are those that we write."""
RUN_ANNOTATION = "addonctl/run"
"""Carries the id of the run that wrote an object last, where the writer was asked to leave one."""


# ── Kubernetes objects ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object; `version` empty: the one that the server prefers."""

    group: str
    kind: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.kind}.{self.version}.{self.group}".replace("..", ".").rstrip(".")


@dataclass(frozen=True, slots=True)
class Object:
    """An object as the server gave it: every field of it, in the version that was asked for."""

    document: Mapping[str, Any] = field(repr=False)

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document.get("metadata") or {}
        return found

    @property
    def ref(self) -> ObjectRef:
        group = str(self.document.get("apiVersion", "")).rpartition("/")[0]
        return ObjectRef(
            kind=str(self.document.get("kind", "")),
            name=str(self.metadata.get("name", "")),
            namespace=str(self.metadata.get("namespace", "")),
            group=group,
        )

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def resource_version(self) -> str:
        return str(self.metadata.get("resourceVersion", ""))

    @property
    def stored_versions(self) -> tuple[str, ...]:
        """Of a CustomResourceDefinition: the versions in which etcd may hold its objects."""
        return tuple((self.document.get("status") or {}).get("storedVersions") or ())

    def __str__(self) -> str:
        return str(self.ref)


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a list at one moment; a watch may go on from it."""

    objects: tuple[Object, ...]
    resource_version: str

    def __iter__(self) -> Iterator[Object]:
        return iter(self.objects)


@dataclass(frozen=True, slots=True)
class Added:
    object: Object


@dataclass(frozen=True, slots=True)
class Modified:
    object: Object


@dataclass(frozen=True, slots=True)
class Deleted:
    """`object` is its last known state, which is older than its end where the watch had to list again."""

    object: Object


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Everything up to `resource_version` has been told."""

    resource_version: str


WatchEvent = Added | Modified | Deleted | Bookmark


class PatchForm(StrEnum):
    """How a patch is written: RFC 7396 (an object) or RFC 6902 (a list of operations)."""

    MERGE = "merge"
    JSON = "json"


class Propagation(StrEnum):
    """What becomes of the objects that a deleted one owns."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


# The server's bookkeeping, and what clients note of their own writes: objects that differ in nothing else are equal.
_BOOKKEEPING = (
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_NOTES = (RUN_ANNOTATION, "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")


def normalised(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without status and bookkeeping, for comparing what is live with what was."""
    rest = {key: value for key, value in document.items() if key not in ("status", "metadata")}
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if key not in _BOOKKEEPING}
    notes = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key not in _NOTES}
    return {**rest, "metadata": {**metadata, "annotations": notes} if notes else metadata}


# ── EKS add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────


class ResolveConflicts(StrEnum):
    """What EKS does with fields that somebody else changed: fail, reset them to its defaults, or leave them."""

    NONE = "NONE"
    OVERWRITE = "OVERWRITE"
    PRESERVE = "PRESERVE"


@dataclass(frozen=True, slots=True)
class Identity:
    """An EKS Pod Identity of an add-on: the role that a ServiceAccount of it gets."""

    service_account: str
    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addon:
    """An add-on as EKS describes it, with its configuration to the letter. DEGRADED is a status, not an error."""

    name: str
    status: str
    version: str
    arn: str = ""
    namespace: str = ""
    role_arn: str = ""
    identities: tuple[Identity, ...] = ()
    configuration: str = field(default="", repr=False)  # JSON or YAML, as its owner sent it
    issues: tuple[EksIssue, ...] = ()
    modified: datetime | None = None


# ── Helm releases ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One revision of a Helm release; `values` are those that its user set, nothing of the chart's own."""

    namespace: str
    name: str
    revision: int
    status: str
    chart: str
    chart_version: str
    app_version: str = ""
    updated: datetime | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


# ── GitOps ──────────────────────────────────────────────────────────────────────────────────────────────────────


Reconciled = ArgoApplication | FluxHelmRelease | FluxKustomization
"""Owners that a GitOps controller reconciles from an object in the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """What stood where a controller was told to leave its hands off, so that resuming restores exactly that.

    `path` names the field, `was` is its value, None where there was no such field. `uid` is that of the object, since
    another one of the same name is not resumed by it.
    """

    owner: Reconciled
    uid: str
    path: tuple[str, ...]
    was: bool | Mapping[str, Any] | None
