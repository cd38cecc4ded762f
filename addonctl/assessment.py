"""What is to be said of a cluster: its inventory, what goes with which Kubernetes, and findings, the worst first.

Pure: a Snapshot, the Catalog and the day in, an Assessment out. Called by manager.py; report.py puts it into words.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from addonctl import versions
from addonctl.catalog import Answer, Catalog, Check, EksRelease
from addonctl.findings import finding
from addonctl.inventory import take_inventory
from addonctl.model import (
    Cluster,
    EksAddon,
    Evidence,
    Finding,
    Gap,
    Installation,
    Inventory,
    Method,
    Snapshot,
    by_severity,
)

# EKS gives 14 months of standard support; two of them are what a careful upgrade of a fleet takes.
_ENDS_SOON = timedelta(days=60)
_TROUBLED = ("DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED")


class Support(StrEnum):
    """How EKS supports a Kubernetes minor on a given day."""

    STANDARD = "standard"
    EXTENDED = "extended"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesStatus:
    """The running minor, the next one that EKS offers, and the support of the first. Empty where unknown."""

    running: str
    target: str
    support: Support
    ends: date | None = None  # of the support it is in
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One installation with what is said of its version on the running and on the target Kubernetes."""

    installation: Installation
    running: Check
    target: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    cluster: Cluster
    day: date
    kubernetes: KubernetesStatus
    addons: tuple[Assessed, ...]
    inventory: Inventory
    findings: tuple[Finding, ...]
    gaps: tuple[Gap, ...]
    stale: tuple[str, ...] = field(default=())  # knowledge that is old, in words


def assess(snapshot: Snapshot, catalog: Catalog, *, day: date, kubernetes: str = "", target: str = "") -> Assessment:
    """Judges a snapshot as of `day`, for the running Kubernetes (`kubernetes` wins over what was read) and `target`."""
    status = kubernetes_status(snapshot, catalog, day, kubernetes, target)
    inventory = take_inventory(snapshot, catalog)
    addons = tuple(_assessed(row, catalog, status) for row in inventory.installations)
    found = (
        *inventory.findings,
        *_support_findings(status, snapshot, day),
        *(item for addon in addons for item in _eks_findings(addon, catalog, snapshot, status)),
        *_eks_issues(snapshot),
    )
    return Assessment(
        cluster=snapshot.cluster, day=day, kubernetes=status, addons=addons, inventory=inventory,
        findings=by_severity(found), gaps=snapshot.gaps, stale=tuple(_stale(catalog, day)),
    )  # fmt: skip


def kubernetes_status(
    snapshot: Snapshot, catalog: Catalog, day: date, kubernetes: str = "", target: str = ""
) -> KubernetesStatus:
    """Which Kubernetes runs, and how long EKS supports it."""
    said = kubernetes or (snapshot.eks.cluster.version if snapshot.eks else "") or snapshot.cluster.kubernetes
    running = versions.kubernetes_minor(said) or ""
    if not running:
        reason = "the input does not say which Kubernetes runs; give it with --kubernetes"
        return KubernetesStatus(running="", target=target, support=Support.UNKNOWN, reason=reason)
    release = next((known for known in catalog.kubernetes.releases if known.version == running), None)
    support, ends = _support(release, day)
    reason = "" if release else f"the calendar of {catalog.kubernetes.as_of} has no Kubernetes {running} on EKS"
    return KubernetesStatus(
        running=running, target=target or versions.next_minor(running), support=support, ends=ends, reason=reason
    )


def _support(release: EksRelease | None, day: date) -> tuple[Support, date | None]:
    if release is None:
        return Support.UNKNOWN, None
    if day < release.end_standard:
        return Support.STANDARD, release.end_standard
    if day < release.end_extended:
        return Support.EXTENDED, release.end_extended
    return Support.UNSUPPORTED, release.end_extended


def _assessed(row: Installation, catalog: Catalog, status: KubernetesStatus) -> Assessed:
    return Assessed(
        installation=row,
        running=_check(row, catalog, status.running, status.reason),
        target=_check(row, catalog, status.target, status.reason),
    )


def _check(row: Installation, catalog: Catalog, minor: str, why_none: str) -> Check:
    if row.method is Method.BUILT_IN:
        return _say(row, minor, Answer.YES, "AWS runs it and keeps it in step with the cluster.")
    if not minor:
        return _say(row, minor, Answer.UNKNOWN, why_none)
    if row.version is None:
        return _say(row, minor, Answer.UNKNOWN, f"Its version is unknown: {row.version_unknown_reason}.")
    return catalog.check(row.addon, row.version, minor)


def _say(row: Installation, minor: str, answer: Answer, reason: str) -> Check:
    return Check(addon=row.addon, version=row.version or "", kubernetes=minor, answer=answer, reason=reason)


# ── Findings ────────────────────────────────────────────────────────────────────────────────────────────────────


def _support_findings(status: KubernetesStatus, snapshot: Snapshot, day: date) -> Iterator[Finding]:
    if snapshot.eks is None and "eks" not in snapshot.cluster.kubernetes:
        return  # the calendar is EKS's; elsewhere it says nothing
    code = {Support.EXTENDED: "EKS003", Support.UNSUPPORTED: "EKS004"}.get(status.support)
    if status.support is Support.STANDARD and status.ends and status.ends - day <= _ENDS_SOON:
        code = "EKS006"
    if code is None or status.ends is None:
        return
    verb = "ended" if status.support is Support.UNSUPPORTED else "ends"
    kind = "standard" if status.support is Support.STANDARD else "extended"
    detail = (
        f"{kind} support of Kubernetes {status.running} {verb} on {status.ends}, {abs((status.ends - day).days)} days"
    )
    detail += " ago" if verb == "ended" else " from now"
    yield finding(code, f"cluster {snapshot.cluster.name}", Evidence(kind="eks", subject="calendar", detail=detail))


def _eks_findings(addon: Assessed, catalog: Catalog, snapshot: Snapshot, status: KubernetesStatus) -> Iterator[Finding]:
    row = addon.installation
    for code, check in (("EKS001", addon.running), ("EKS002", addon.target)):
        if check.answer is Answer.NO:
            evidence = Evidence(kind="compatibility", subject=f"as of {check.as_of}", detail=check.reason)
            yield finding(code, row.id, evidence, mend=update_mend(row, catalog, snapshot, check.kubernetes))
            return  # what does not go with the running Kubernetes need not be said of the next


def update_mend(row: Installation, catalog: Catalog, snapshot: Snapshot, minor: str) -> str:
    """How to update an installation to a version for Kubernetes `minor`, in its installer's own language."""
    eks_name = catalog.eks_name(row.addon)
    default, wanted_first = _eks_target(row, catalog, eks_name or "", minor)
    if row.method is Method.EKS and default:
        installed = next((a for a in snapshot.eks.addons if a.name == eks_name), None) if snapshot.eks else None
        command = _update_addon_command(snapshot.cluster.name, eks_name or "", wanted_first, installed)
        return command + ("" if wanted_first == default else f"  # then one minor at a time to {default}")
    wanted = f" (EKS's default for {minor} is {default})" if default else ""
    where = {
        Method.HELM: f"helm upgrade of {row.owner.removeprefix('helm release ')} to a chart",
        Method.ARGOCD: f"set targetRevision of {row.owner} to one",
        Method.FLUX: f"set the version in {row.owner} to one",
    }.get(row.method, "apply the manifests of a version")
    return f"{where[0].upper()}{where[1:]} that supports Kubernetes {minor}{wanted}."


def _eks_target(row: Installation, catalog: Catalog, eks_name: str, minor: str) -> tuple[str, str]:
    """(EKS's default version for `minor`, the version to go to first); empty where EKS has none.

    They differ where the add-on must move one minor at a time.
    """
    listed = catalog.eks.addons.get(eks_name)
    fit = [version.version for version in listed.versions if minor in version.kubernetes] if listed else []
    default = next((v.version for v in listed.versions if minor in v.default_for), "") if listed else ""
    addon, now = catalog.find(row.addon), versions.parse(row.version or "")
    if addon is None or now is None or not any(rule.one_minor_at_a_time for rule in addon.upgrade_rules):
        return default, default
    following = (now.minor[0], now.minor[1] + 1)
    hops = [version for version in map(versions.parse, fit) if version and version.minor == following]
    return default, max(hops).text if hops else default


def _update_addon_command(cluster: str, name: str, version: str, installed: EksAddon | None) -> str:
    """The command with what UpdateAddon would drop or reset if it were left out (the IAM role, the configuration)."""
    command = (
        f"aws eks update-addon --cluster-name {cluster} --addon-name {name} --addon-version {version}"
        " --resolve-conflicts PRESERVE"
    )
    if installed is not None and installed.service_account_role_arn:
        command += f" --service-account-role-arn {installed.service_account_role_arn}"
    if installed is not None and installed.configuration_values not in ("", "{}"):
        command += " --configuration-values file://…  # the current ones: aws eks describe-addon"
    return command


def _eks_issues(snapshot: Snapshot) -> Iterator[Finding]:
    for addon in snapshot.eks.addons if snapshot.eks else ():
        if addon.status not in _TROUBLED and not addon.issues:
            continue
        evidence = [Evidence(kind="eks", subject=f"eks add-on {addon.name}", detail=f"status {addon.status}")]
        evidence += [
            Evidence(kind="eks", subject=issue.code, detail=f"{issue.message} {', '.join(issue.resources)}".strip())
            for issue in addon.issues
        ]
        again = _update_addon_command(snapshot.cluster.name, addon.name, addon.version, addon)
        mend = f"EKS rolls nothing back. Mend what the issue names, then: {again}"
        yield finding("EKS005", f"eks add-on {addon.name}", *evidence, mend=mend)


# ── Age of knowledge ────────────────────────────────────────────────────────────────────────────────────────────

# AWS adds versions every week; after this many days the packaged table misses too many of them to go unsaid.
_TABLE_OLD = timedelta(days=120)


def _stale(catalog: Catalog, day: date) -> Iterator[str]:
    if day - catalog.eks.as_of > _TABLE_OLD:
        age = (day - catalog.eks.as_of).days
        yield f"the table of EKS add-on versions is {age} days old; `addonctl catalog refresh` renews it"
