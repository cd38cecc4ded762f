"""Findings: the subject, the evidence, the cause, and the Actions that fix it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from addonctl.model.action import Action
from addonctl.model.cluster import ObjectRef
from addonctl.model.owners import EksAddon, Owner


class Due(StrEnum):
    """When to act."""

    TODAY = "today"
    THIS_WEEK = "this week"
    NEXT_MONTH = "next month"


class Severity(StrEnum):
    """How urgent a finding is."""

    INFO = "info"  # worth knowing
    RECOMMENDED = "recommended"  # fix it soon
    REQUIRED = "required"  # broken now, or at the next change

    @property
    def rank(self) -> int:
        return list(Severity).index(self)

    @property
    def due(self) -> Due:
        return {Severity.REQUIRED: Due.TODAY, Severity.RECOMMENDED: Due.THIS_WEEK}.get(self, Due.NEXT_MONTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One observation and its source: `image`, `label`, `chart`, `crd`, `eks` …

    `ref` is the object that `subject` names, if it is one.
    """

    kind: str
    subject: str
    detail: str
    ref: ObjectRef | None = None


# ── Subjects: what a finding is about. `str` is the label that reports print and waivers match. ─────────────────────


@dataclass(frozen=True, slots=True)
class InstallationRef:
    """An installation by its id; `topic` distinguishes findings of one code on it (a reason, a probe)."""

    id: str
    addon: str
    topic: str = ""
    type: str = field(default="installation", init=False)

    def __str__(self) -> str:
        return f"{self.id}: {self.topic}" if self.topic else self.id


@dataclass(frozen=True, slots=True)
class AddOnRef:
    """An add-on of the catalog or of EKS; `part` if it is about its CRDs or its custom resources of one kind."""

    addon: str
    part: str = ""
    type: str = field(default="addon", init=False)

    def __str__(self) -> str:
        return f"{self.part} of {self.addon}" if self.part else self.addon


@dataclass(frozen=True, slots=True)
class Together:
    """Several add-ons or installations at once: a conflict, or (`circle`) a circular dependency."""

    members: tuple[str, ...]
    circle: bool = False
    type: str = field(default="together", init=False)

    def __str__(self) -> str:
        return (" ↔ " if self.circle else " and ").join(self.members)


@dataclass(frozen=True, slots=True)
class MissingRef:
    """`source` (an object, or an installation's id) needs `target` and `more` other objects."""

    source: "ObjectRef | InstallationRef"
    target: ObjectRef
    more: int = 0
    type: str = field(default="missing", init=False)

    def __str__(self) -> str:
        more = f" and {self.more} more of its own" if self.more else ""
        return f"{self.source} needs {self.target}{more}"


@dataclass(frozen=True, slots=True)
class ApiVersionRef:
    """An API version of a kind, as used by one writer: an installer, files, or a field manager of live objects."""

    api_version: str
    kind: str
    writer: Owner | None = None
    in_files: bool = False
    type: str = field(default="api-version", init=False)

    def __str__(self) -> str:
        named = f"{self.api_version} {self.kind}"
        if self.writer is not None:
            return f"{self.writer}: {named}"
        return f"{named} in the files" if self.in_files else named


@dataclass(frozen=True, slots=True)
class NodesRef:
    """Several nodes, by what they have in common; `of` is the total number of nodes."""

    names: tuple[str, ...]
    of: int = 0
    kubelet: str = ""
    type: str = field(default="nodes", init=False)

    def __str__(self) -> str:
        return f"nodes with kubelet {self.kubelet}" if self.kubelet else f"{len(self.names)} of {self.of} nodes"


@dataclass(frozen=True, slots=True)
class ClusterRef:
    """The cluster itself."""

    name: str
    type: str = field(default="cluster", init=False)

    def __str__(self) -> str:
        return f"cluster {self.name}"


@dataclass(frozen=True, slots=True)
class InsightRef:
    """An upgrade insight of EKS."""

    name: str
    type: str = field(default="insight", init=False)

    def __str__(self) -> str:
        return f"insight {self.name}"


@dataclass(frozen=True, slots=True)
class AwsRef:
    """Something in AWS: a node group, a capability, a subnet, an update of the cluster."""

    kind: str
    name: str
    type: str = field(default="aws", init=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class WaiverRef:
    """An entry of the waivers file."""

    code: str
    subject: str
    type: str = field(default="waiver", init=False)

    def __str__(self) -> str:
        return f"waiver {self.code} {self.subject}"


Subject = (
    ObjectRef
    | InstallationRef
    | AddOnRef
    | EksAddon
    | Together
    | MissingRef
    | ApiVersionRef
    | NodesRef
    | ClusterRef
    | InsightRef
    | AwsRef
    | WaiverRef
)


def names_of(subject: Subject) -> Iterator[str]:
    """The names by which a finding can be selected: its objects, add-ons, installations and namespaces."""
    yield str(subject)
    match subject:
        case ObjectRef():
            yield from filter(None, (subject.kind, subject.namespace, subject.name))
        case InstallationRef():
            yield from (subject.id, subject.addon, *subject.id.split("/"))
        case AddOnRef():
            yield subject.addon
        case EksAddon() | InsightRef() | ClusterRef() | AwsRef():
            yield subject.name
        case Together():
            yield from subject.members
        case MissingRef():
            yield from names_of(subject.source)
            yield from names_of(subject.target)
        case ApiVersionRef():
            yield from (subject.api_version, subject.kind)
            if subject.writer is not None:
                yield from filter(None, (getattr(subject.writer, "namespace", ""), getattr(subject.writer, "name", "")))
        case NodesRef():
            yield from subject.names


def nodes_of(subject: Subject) -> tuple[str, ...]:
    """The names of the nodes that a finding is about; none where it is about something else."""
    match subject:
        case NodesRef():
            return subject.names
        case ObjectRef(kind="Node", group=""):
            return (subject.name,)
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding. `code` is an entry in findings.py, which holds its title.

    `fix` is empty if only the registry's general fix is known. `cause` is the `id` of the finding that caused this
    one; reports show it below its cause.
    """

    code: str
    severity: Severity
    subject: Subject
    evidence: tuple[Evidence, ...] = ()
    fix: tuple[Action, ...] = ()
    cause: str | None = None

    @property
    def id(self) -> str:
        """Code and subject; stable across scans."""
        return f"{self.code} {self.subject}"
