"""Which Kubernetes runs, how long EKS supports it, which minors come next, and what to do before support ends.

Decided from the options, from what EKS, the API server and the nodes report, and from EKS's calendar. Called by
check_compatibility.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from addonctl.catalog import Catalog, EksRelease
from addonctl.errors import BadInput
from addonctl.findings import finding, makes
from addonctl.model import UPGRADED_BY_AWS, ClusterRef, CommandLine, Evidence, Finding, Node, Severity, View
from addonctl.model.cost import HOURS_PER_MONTH
from addonctl.remediation import upgrade_control_plane
from addonctl.versions import Minor

# EKS gives 14 months of standard support; a careful upgrade of a fleet takes two of them.
_ENDS_SOON = timedelta(days=60)


class Support(StrEnum):
    """How EKS supports a Kubernetes minor on a given day."""

    STANDARD = "standard"
    EXTENDED = "extended"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesStatus:
    """The running minor and its support, and the minors to prepare for.

    If `running` is unknown it is None, with the `reason`; `assumed` then holds the oldest and the newest possible
    minor, which are checked in its place. `target` is the last of `targets`, or the running one if there is none.
    """

    running: Minor | None
    support: Support
    target: Minor | None = None
    ends: date | None = None  # of its current support
    reason: str = ""
    targets: tuple[Minor, ...] = ()
    assumed: tuple[Minor, ...] = ()

    def ends_soon(self, day: date) -> bool:
        """Whether its current support ends within two months of a day."""
        return self.ends is not None and self.ends - day <= _ENDS_SOON

    def __post_init__(self) -> None:
        assert (self.running is None) == bool(self.assumed), (self.running, self.assumed)

    @property
    def minors(self) -> tuple[Minor, ...]:
        """All minors that are checked, oldest first."""
        first = self.assumed if self.running is None else (self.running,)
        return tuple(dict.fromkeys((*first, *self.targets)))

    @property
    def oldest(self) -> Minor:
        """The oldest minor that may be running."""
        return self.minors[0]

    @property
    def newest(self) -> Minor:
        """The newest minor that is checked."""
        return self.minors[-1]

    @property
    def next(self) -> Minor:
        """The minor after the next upgrade; without a target, the running one."""
        return self.targets[0] if self.targets else self.oldest


def kubernetes_status(
    view: View, catalog: Catalog, day: date, kubernetes: Minor | None = None, target: Minor | None = None
) -> KubernetesStatus:
    """Which Kubernetes runs, how long EKS supports it, and which minors come next. Raises BadInput for a downgrade."""
    snapshot = view.snapshot
    by_eks = Minor.read(snapshot.eks.cluster.version) if snapshot.eks else None
    running = kubernetes or by_eks or Minor.read(snapshot.cluster.kubernetes)
    if running is None:
        return _unknown(view, catalog, day, target)
    release = catalog.kubernetes.release(running)
    support, ends = _support(release, day)
    targets = _up_to(running, target) if target else (running.next,)
    return KubernetesStatus(
        running=running,
        target=targets[-1] if targets else running,
        support=support,
        ends=ends,
        reason="" if release else f"the calendar of {catalog.kubernetes.as_of} has no Kubernetes {running} on EKS",
        targets=targets,
    )


def _unknown(view: View, catalog: Catalog, day: date, target: Minor | None) -> KubernetesStatus:
    """If the minor is unknown: the oldest and newest possible ones, by the kubelets and by what EKS offers."""
    kubelets = sorted(filter(None, {Minor.read(node.kubelet_version) for node in view.snapshot.nodes}))
    seen = f" (its kubelets are of {', '.join(map(str, kubelets))})" if kubelets else ""
    offered = catalog.kubernetes.offered(day)
    oldest = kubelets[-1] if kubelets else offered[0]  # no kubelet is newer than its API server
    if on_eks(view):
        oldest = max(oldest, offered[0])
    if target is not None and target.major != oldest.major:
        raise BadInput(f"Cannot upgrade from {oldest} to {target}", "Give a minor such as 1.36.")
    newest = target or max(oldest, offered[-1])
    return KubernetesStatus(
        running=None,
        target=target,
        support=Support.UNKNOWN,
        reason=f"the input does not say which Kubernetes runs{seen}; give it with --kubernetes",
        targets=(target,) if target else (),
        assumed=tuple(dict.fromkeys((min(oldest, newest), newest))),
    )


def _up_to(running: Minor, target: Minor) -> tuple[Minor, ...]:
    """The minors above the running one up to `target`: a control plane is upgraded through each of them."""
    if target.major != running.major:
        raise BadInput(f"Cannot upgrade from {running} to {target}", "Give a minor such as 1.36.")
    if target < running:
        raise BadInput(
            f"The target Kubernetes {target} is older than the running {running}",
            f"Give a later one; `addonctl matrix --kubernetes {target}` shows what an older one supports.",
        )
    return running.up_to(target)


def _support(release: EksRelease | None, day: date) -> tuple[Support, date | None]:
    if release is None:
        return Support.UNKNOWN, None
    if day < release.end_standard:
        return Support.STANDARD, release.end_standard
    if day < release.end_extended:
        return Support.EXTENDED, release.end_extended
    return Support.UNSUPPORTED, release.end_extended


# ── Whether the cluster is on EKS ───────────────────────────────────────────────────────────────────────────────────

_LABELS_OF_EKS = ("eks.amazonaws.com/", "alpha.eksctl.io/")
_CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def on_eks(view: View) -> bool:
    """Whether the cluster is on EKS, according to AWS, the server's version or its nodes."""
    snapshot = view.snapshot
    if snapshot.eks is not None or _built_by_eks(snapshot.cluster.kubernetes):
        return True
    if any(_built_by_eks(node.kubelet_version) or _has_label(node, _LABELS_OF_EKS) for node in snapshot.nodes):
        return True
    # Other distributions on EC2 have control plane nodes; on EKS these are not visible.
    on_ec2 = any(node.provider_id.startswith("aws:///") for node in snapshot.nodes)
    return on_ec2 and not any(_has_label(node, _CONTROL_PLANE_LABELS) for node in snapshot.nodes)


def _built_by_eks(version: str) -> bool:
    return "-eks-" in version


def _has_label(node: Node, prefixes: tuple[str, ...]) -> bool:
    return any(label.startswith(prefixes) for label in node.labels)


# ── End of support ──────────────────────────────────────────────────────────────────────────────────────────────────


@makes("EKS003", "EKS004", "EKS006")
def support_findings(view: View, catalog: Catalog, status: KubernetesStatus, day: date) -> Iterator[Finding]:
    """Support that ends soon, costs more, or has ended; only for clusters on EKS, whose calendar it is."""
    if status.ends is None or not on_eks(view):
        return
    code = {Support.EXTENDED: "EKS003", Support.UNSUPPORTED: "EKS004"}.get(status.support)
    soon = status.ends_soon(day)
    if status.support is Support.STANDARD and soon:
        code = "EKS006"
    if code is None:
        return
    upgraded = is_upgraded_by_aws(view)
    # AWS forces the upgrade at the end of extended support; under this policy, at the end of standard support.
    forced = status.support is Support.EXTENDED or (status.support is Support.STANDARD and upgraded)
    severity = Severity.REQUIRED if soon and forced else None
    shown = [Evidence(kind="eks", subject="calendar", detail=_when(status, status.ends, day))]
    shown += [_policy(status)] if upgraded and status.support is Support.STANDARD else _price(status.support, catalog)
    yield finding(code, ClusterRef(view.snapshot.cluster.name), *shown, fix=_upgrade(view, status), severity=severity)


def is_upgraded_by_aws(view: View) -> bool:
    """Whether its upgrade policy is that AWS upgrades it, so that extended support is never billed."""
    eks = view.snapshot.eks
    return eks is not None and eks.cluster.is_upgraded_by_aws


def _upgrade(view: View, status: KubernetesStatus) -> Iterator[CommandLine]:
    """The next step of the control plane, by the name that EKS knows the cluster by."""
    eks = view.snapshot.eks
    if eks is None or status.running is None:
        return
    to = status.running.next
    why = f"once nothing stands in its way (addonctl compat --target {to}); EKS takes it back for 7 days, not add-ons:"
    yield upgrade_control_plane(eks.cluster.name, to, why)


def _when(status: KubernetesStatus, ends: date, day: date) -> str:
    days, kind = abs((ends - day).days), "standard" if status.support is Support.STANDARD else "extended"
    counted = f"{days} day{'' if days == 1 else 's'}"
    if status.support is Support.UNSUPPORTED:
        return f"{kind} support of Kubernetes {status.running} ended on {ends}, {f'{counted} ago' if days else 'today'}"
    then = "; then AWS upgrades the control plane" if status.support is Support.EXTENDED else ""
    return f"{kind} support of Kubernetes {status.running} ends on {ends}, {counted} from now{then}"


def _policy(status: KubernetesStatus) -> Evidence:
    detail = f"{UPGRADED_BY_AWS}: AWS upgrades the control plane on {status.ends}; no extended support is billed"
    return Evidence(kind="eks", subject="upgrade policy", detail=detail)


def _price(support: Support, catalog: Catalog) -> Iterator[Evidence]:
    """What extended support costs for the control plane, before any discount."""
    standard, extended = catalog.kubernetes.standard_usd_per_hour, catalog.kubernetes.extended_usd_per_hour
    if support in (Support.STANDARD, Support.EXTENDED) and extended:
        more = (extended - standard) * HOURS_PER_MONTH
        detail = f"${extended:.2f} an hour instead of ${standard:.2f}: ${more:.0f} more a month for this control plane"
        yield Evidence(kind="price", subject="extended support", detail=detail)
