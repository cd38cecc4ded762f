"""What can be done about a finding: one change or one look, as a value. render/commands.py turns it into words.

A finding's fix, a plan's step and its undo are all Actions: the command offered for pasting is what an executor runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from addonctl.model.cluster import ObjectRef
from addonctl.model.owners import Owner


@dataclass(frozen=True, slots=True)
class Note:
    """Something for a person to do or to know; never a command line."""

    text: str
    type: str = field(default="note", init=False)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line: `argv`, optionally piped into others or saved to a file. `why` is printed before it."""

    argv: tuple[str, ...]
    why: str = ""
    pipe: tuple[tuple[str, ...], ...] = ()
    save_to: str = ""
    type: str = field(default="command-line", init=False)

    def __post_init__(self) -> None:
        assert self.argv, "a command line needs a command"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAddon:
    """EKS UpdateAddon. Omitting the role would remove it, omitting the configuration would reset it: both are sent.

    `keep_configuration`: the add-on's current configurationValues are read again and sent, since a Snapshot does not
    hold them; empty ones stay empty. `values` names a file with another configuration. `version` may be the installed
    one, to make EKS apply it again.
    """

    cluster: str
    addon: str
    version: str
    role_arn: str = ""
    keep_configuration: bool = False
    values: str = ""
    resolve_conflicts: str = "PRESERVE"
    why: str = ""
    type: str = field(default="update-addon", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAddon:
    """EKS CreateAddon, at EKS's default version if `version` is empty; `values` names a file with its configuration."""

    cluster: str
    addon: str
    version: str = ""
    role_arn: str = ""
    values: str = ""
    resolve_conflicts: str = "NONE"
    why: str = ""
    type: str = field(default="create-addon", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteAddon:
    """EKS DeleteAddon; `preserve` leaves the add-on's objects in the cluster."""

    cluster: str
    addon: str
    preserve: bool = False
    why: str = ""
    type: str = field(default="delete-addon", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmUpgrade:
    """`helm upgrade` with the release's values; if `version` is empty, `choose` tells a person how to pick one.

    `values` names a file with values over those of the release.
    `chart` is a name in `repository` (an address), or a reference by itself: a path, `oci://…`.
    """

    namespace: str
    name: str
    chart: str = ""
    repository: str = ""
    version: str = ""
    choose: str = ""
    values: str = ""
    type: str = field(default="helm-upgrade", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmRollback:
    """`helm rollback`; revision 0 means the previous one."""

    namespace: str
    name: str
    revision: int = 0
    why: str = ""
    type: str = field(default="helm-rollback", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """Asks a GitOps controller to apply its source again."""

    owner: Owner
    force: bool = False
    why: str = ""
    type: str = field(default="sync", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitChange:
    """A change at the source of truth, in Git or in a GitOps controller's object; `change` is the state to reach."""

    owner: Owner
    change: str
    type: str = field(default="git-change", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A merge patch of one object."""

    target: ObjectRef
    body: Mapping[str, object] = field(hash=False)  # findings are kept in sets
    subresource: str = ""
    why: str = ""
    type: str = field(default="patch", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Server-side apply of manifests; `what` describes them if there is no file yet."""

    what: str
    file: str = ""
    why: str = ""
    type: str = field(default="apply", init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Deletes one object; `save_first` saves its manifest to a file first."""

    target: ObjectRef
    save_first: bool = False
    why: str = ""
    type: str = field(default="delete", init=False)


Action = (
    Note
    | CommandLine
    | UpdateAddon
    | CreateAddon
    | DeleteAddon
    | HelmUpgrade
    | HelmRollback
    | Sync
    | GitChange
    | Patch
    | Apply
    | Delete
)
