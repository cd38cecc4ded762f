"""What to do about a finding, as Actions in the installer's own terms. Called by the capabilities.

No command lines here: render/commands.py writes each Action, quoted, when a report is rendered. What a GitOps
controller manages is changed in its source; a change made with kubectl would be reverted.
"""

from collections.abc import Iterable
from dataclasses import replace

from addonctl.model import (
    Action,
    Apply,
    CommandLine,
    CreateAddon,
    DeleteAddon,
    EksAddon,
    GitChange,
    HelmRollback,
    HelmUpgrade,
    Installation,
    Note,
    ObjectRef,
    Owner,
    Sync,
    UpdateAddon,
    View,
    owners,
)
from addonctl.versions import Minor

_ROLE_UNKNOWN = "AWS was not read: if the add-on has an IAM role, add --service-account-role-arn, or EKS removes it"
_GITOPS = (owners.ArgoApplication, owners.FluxHelmRelease, owners.FluxKustomization)


def kubectl(verb: str, *what: str | ObjectRef, why: str = "") -> CommandLine:
    """A kubectl command; an ObjectRef becomes `-n NAMESPACE KIND/NAME`, with its group where kinds may share a name."""
    words = ["kubectl", verb]
    for word in what:
        words += [word] if isinstance(word, str) else object_words(word)
    return CommandLine(tuple(words), why=why)


def object_words(ref: ObjectRef) -> list[str]:
    """The object as kubectl names it."""
    kind = ref.kind.lower() + (f".{ref.group}" if ref.group and "." in ref.group else "")
    return [*(("-n", ref.namespace) if ref.namespace else ()), f"{kind}/{ref.name}"]


def eks_addon(row: Installation, listed: Iterable[EksAddon]) -> EksAddon | None:
    """The EKS add-on that manages an installation, as EKS describes it; None if there is none."""
    names = {claim.owner.name for claim in row.claims if isinstance(claim.owner, owners.EksAddon)}
    if isinstance(row.owner, owners.EksAddon):
        names.add(row.owner.name)
    return next((addon for addon in listed if addon.name in names), None)


def install(name: str, eks_name: str, view: View) -> Action:
    """Installs an add-on that is missing, as the EKS add-on `eks_name` where there is one."""
    if view.snapshot.eks is not None and eks_name:
        return CreateAddon(cluster=view.snapshot.cluster.eks_name, addon=eks_name, why=f"install {name}:")
    as_one_of_eks = f" (EKS add-on {eks_name})" if eks_name else ""
    return Note(f"Install {name}{as_one_of_eks}.")


def upgrade_control_plane(cluster: str, minor: Minor, why: str = "") -> CommandLine:
    """The control plane of an EKS cluster to its next minor."""
    words = ("aws", "eks", "update-cluster-version", "--name", cluster, "--kubernetes-version", str(minor))
    return CommandLine(words, why=why)


def update_addon(cluster: str, name: str, version: str, installed: EksAddon | None, why: str = "") -> UpdateAddon:
    """UpdateAddon with everything that EKS would drop or reset if it were omitted: the IAM role, the configuration.

    The configuration is preserved unless it is known to be empty; preserving an empty one is harmless. `installed` is
    None if AWS was not read: the role is then unknown, and the action says so.
    """
    if installed is None:
        why = " ".join(filter(None, (why, _ROLE_UNKNOWN)))
    return UpdateAddon(
        cluster=cluster,
        addon=name,
        version=version,
        role_arn=installed.service_account_role_arn if installed else "",
        keep_configuration=installed is None or installed.is_configured is not False,
        why=why,
    )


def to_a_version(row: Installation, wanted: str) -> tuple[Action, ...]:
    """To a version that a person chooses, in its installer's terms; `wanted` says which: "that …", "of …"."""
    match row.owner:
        case owners.EksAddon(name=name):
            return (Note(f"Update EKS add-on {name} to a version {wanted}."),)
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            return (HelmUpgrade(namespace=namespace, name=name, choose=wanted),)
        case owners.ArgoApplication():
            return (GitChange(owner=row.owner, change=f"set targetRevision to a version {wanted}"),)
        case owners.FluxHelmRelease():
            return (GitChange(owner=row.owner, change=f"set the chart's version to one {wanted}"),)
        case owners.FluxKustomization():
            return (GitChange(owner=row.owner, change=f"put the manifests of a version there {wanted}"),)
        case owners.AwsManaged():
            return ()
    return (Apply(what=f"the manifests of a version {wanted}"),)


def undo(row: Installation, ref: ObjectRef) -> tuple[Action, ...]:
    """How to undo the latest change, if the fault began with it; empty if the owner is unknown."""
    match row.owner:
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            return (HelmRollback(namespace=namespace, name=name, why="if it began with an upgrade:"),)
        case owners.EksAddon():
            return (Note("If it began with an update: update the add-on to the version before."),)
        case owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
            return (GitChange(owner=row.owner, change="if it began with a commit, revert that commit"),)
        case owners.Manifest() if ref.kind in ("Deployment", "DaemonSet", "StatefulSet"):
            return (kubectl("rollout", "undo", ref, why="if it began with a change:"),)
    return ()


def restore(row: Installation, view: View) -> tuple[Action, ...]:
    """Restores an add-on's objects as its installer defines them, at the same version."""
    match row.owner:
        case owners.HelmRelease(namespace=namespace, name=name):
            release = next((r for r in view.helm_releases if (r.namespace, r.name) == (namespace, name)), None)
            revision = release.revision_in_use if release else 0
            if revision:
                why = "to its current revision: Helm recreates what is missing"
                return (HelmRollback(namespace=namespace, name=name, revision=revision, why=why),)
        case owners.ArgoApplication():
            return (Sync(owner=row.owner),)
        case owners.FluxHelmRelease() | owners.FluxKustomization():
            return (Sync(owner=row.owner, force=isinstance(row.owner, owners.FluxHelmRelease)),)
        case owners.EksAddon():
            eks = view.snapshot.eks
            listed = eks_addon(row, eks.addons) if eks else None
            if listed is not None:
                why = "have EKS apply the installed version again:"
                return (update_addon(view.snapshot.cluster.eks_name, listed.name, listed.version, listed, why),)
    version = f" of {row.version}" if row.version else ""
    return (Apply(what=f"its manifests{version}, as they were installed"),)


def let_go(owner: Owner, addon: str, cluster: str) -> tuple[Action, ...]:
    """Takes an add-on from an owner that is not to keep it; its objects stay. `cluster` is EKS's name of it."""
    match owner:
        case owners.EksAddon(name=name):
            return (DeleteAddon(cluster=cluster, addon=name, preserve=True, why=f"takes it from {owner}:"),)
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            forget = kubectl("delete", "secret", "-n", namespace, "-l", f"owner=helm,name={name}")
            return (replace(forget, why=f"makes Helm forget {owner}:"),)
        case owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
            return (GitChange(owner=owner, change=f"take {addon} out without pruning its objects"),)
    return ()


def change(row: Installation | None, by_hand: Action, what: str) -> tuple[Action, ...]:
    """A change of one object: with kubectl, or in the source of the GitOps controller that would revert it.

    `what` describes the state after the change.
    """
    return change_of(row.owner if row is not None else None, by_hand, what)


def change_of(owner: Owner | None, by_hand: Action, what: str) -> tuple[Action, ...]:
    """Like `change`, for an object that belongs to no installation but whose owner is known."""
    if owner is not None and isinstance(owner, _GITOPS):
        return (GitChange(owner=owner, change=what),)
    return (by_hand,)
