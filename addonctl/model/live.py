"""Lossless values: objects, EKS add-ons and Helm releases exactly as the server returned them, for changing them.

Used qualified (`live.Object`, `live.Addon`, `live.Release`), since the records of a Snapshot have similar names. Those
omit what could be secret; these omit nothing. Their contents are therefore hidden from repr and str, and they go into
a Checkpoint and nowhere else: no snapshot, report or log.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from addonctl.model.cluster import ObjectRef
from addonctl.model.owners import ArgoApplication, FluxHelmRelease, FluxKustomization
from addonctl.model.records import EksIssue

FIELD_MANAGER = "addonctl"
"""The field manager of our writes."""
RUN_ANNOTATION = "addonctl/run"
"""The annotation with the id of the run that last wrote an object, if the writer was told to set one."""
MANIFESTS_ANNOTATION = "addonctl/manifests"
"""The annotation with the SHA-256 of the manifests that an object was last applied from by us."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps what it applied last."""


# ── Kubernetes objects ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object; an empty `version` means the one that the server prefers."""

    group: str
    kind: str
    version: str = ""

    def __str__(self) -> str:
        return f"{self.kind}.{self.version}.{self.group}".replace("..", ".").rstrip(".")


@dataclass(frozen=True, slots=True)
class Right:
    """To do something with objects of a kind, or with a subresource of theirs; without a name, with any of them."""

    verb: str
    ref: ObjectRef
    subresource: str = ""


REVISION_HASHES = ("pod-template-hash", "controller-revision-hash")
"""The labels by which a pod, and the revision that it is of, tell which pod template that is."""


@dataclass(frozen=True)
class Object:
    """An object with every field, in the version that was requested."""

    document: Mapping[str, Any] = field(repr=False)

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document.get("metadata") or {}
        return found

    @cached_property
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

    @cached_property
    def template(self) -> Mapping[str, Any]:
        """Of a workload, or of one of its revisions: the pod template, without what controllers note in it."""
        held = self.document.get("data") or self.document  # a ControllerRevision's, and that says that it replaces
        template = {name: value for name, value in held["spec"]["template"].items() if name != "$patch"}
        metadata = dict(template.get("metadata") or {})
        metadata.pop("creationTimestamp", None)
        labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name not in REVISION_HASHES}
        return {**template, "metadata": {**metadata, "labels": labels}}

    @property
    def stored_versions(self) -> tuple[str, ...]:
        """Of a CustomResourceDefinition: the versions in which etcd may hold its objects."""
        return tuple((self.document.get("status") or {}).get("storedVersions") or ())

    def __str__(self) -> str:
        return str(self.ref)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.uid, self.resource_version))


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a list at one moment; a watch may continue from it. Those with the same objects are equal."""

    objects: tuple[Object, ...]
    resource_version: str = field(compare=False)

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
    """`object` is its last known state, which may predate its deletion if the watch had to list again."""

    object: Object


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Everything up to `resource_version` has been delivered."""

    resource_version: str


WatchEvent = Added | Modified | Deleted | Bookmark


class PatchForm(StrEnum):
    """The format of a patch: RFC 7396 (an object) or RFC 6902 (a list of operations)."""

    MERGE = "merge"
    JSON = "json"


class Propagation(StrEnum):
    """What happens to the dependents of a deleted object."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


# Set by the server, or by clients about their own writes: objects that differ only in these count as equal.
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
COUNTED = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
"""Annotations in which Kubernetes counts changes of a workload, whatever the object says."""
_NOTES = (RUN_ANNOTATION, MANIFESTS_ANNOTATION, LAST_APPLIED, *COUNTED)


def normalised(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without status and bookkeeping, for comparing a live object with a recorded one."""
    rest = {key: value for key, value in document.items() if key not in ("status", "metadata")}
    metadata = {key: value for key, value in (document.get("metadata") or {}).items() if key not in _BOOKKEEPING}
    notes = {key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key not in _NOTES}
    return {**rest, "metadata": {**metadata, "annotations": notes} if notes else metadata}


# ── EKS add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────


class ResolveConflicts(StrEnum):
    """What EKS does with fields that others changed: fail, reset them to its defaults, or leave them."""

    NONE = "NONE"
    OVERWRITE = "OVERWRITE"
    PRESERVE = "PRESERVE"


@dataclass(frozen=True, slots=True)
class Identity:
    """An EKS Pod Identity of an add-on: the role that one of its ServiceAccounts assumes."""

    service_account: str
    role_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addon:
    """An add-on as EKS describes it, with its exact configuration. DEGRADED is a status, not an error."""

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
    mark: str = ""  # that whoever created it gave it; ours alone are read


# ── Helm releases ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One revision of a Helm release; `values` are those that its user set, nothing of the chart's own.

    `description` is what Helm says of its last operation, without any of the values.
    """

    namespace: str
    name: str
    revision: int
    status: str
    chart: str
    chart_version: str
    app_version: str = ""
    updated: datetime | None = None
    description: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


# ── GitOps ──────────────────────────────────────────────────────────────────────────────────────────────────────


ARGO, FLUX_HELM, FLUX_KUSTOMIZE = "argoproj.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"
"""API groups."""
Reconciled = ArgoApplication | FluxHelmRelease | FluxKustomization
"""Owners that a GitOps controller reconciles from an object in the cluster."""


@dataclass(frozen=True, slots=True)
class Suspension:
    """A controller that was told to leave its hands off, and its object as it was before.

    Resuming restores from there exactly what was set, and nothing of another object of the same name.
    """

    owner: Reconciled
    was: Object


def object_of(owner: Reconciled) -> ObjectRef:
    """The object that the controller works from."""
    match owner:
        case ArgoApplication():
            kind, group = "Application", ARGO
        case FluxHelmRelease():
            kind, group = "HelmRelease", FLUX_HELM
        case FluxKustomization():
            kind, group = "Kustomization", FLUX_KUSTOMIZE
    return ObjectRef(kind=kind, name=owner.name, namespace=owner.namespace, group=group)


def sync_token(operation: Mapping[str, Any] | None) -> str:
    """The token of an operation of Argo CD that we asked for; empty for any other."""
    notes = (operation or {}).get("info") or ()
    return next((str(note.get("value", "")) for note in notes if note.get("name") == FIELD_MANAGER), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A commit, on a branch of its own, that changes a version in one file of a GitOps repository. `was`: before."""

    branch: str
    commit: str
    file: str
    was: str
