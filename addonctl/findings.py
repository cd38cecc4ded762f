"""The table of findings: every code once, with its title, its severity and what to do about it.

Capabilities make findings by code; reports, `--fail-on` and the reference page read this table. Codes are never
reused: a retired one stays out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from addonctl.model import Evidence, Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One kind of finding. `why` says why it matters; `mend` is what mends it where the finding says nothing nearer."""

    code: str
    title: str
    severity: Severity
    why: str
    mend: str


CODES: Mapping[str, Code] = MappingProxyType({
    entry.code: entry
    for entry in (
        Code(
            code="INV001", title="Two owners fight over an add-on", severity=Severity.REQUIRED,
            why="Each owner puts back what the other changed; which version runs is chance.",
            mend="Let one of them go: remove the add-on from one owner without deleting its objects.",
        ),
        Code(
            code="INV002", title="An add-on is installed twice", severity=Severity.RECOMMENDED,
            why="Two copies answer the same requests, or claim the same cluster-wide objects.",
            mend="Keep one copy; uninstall the other by the installer that brought it.",
        ),
        Code(
            code="INV003", title="CRDs without their controller", severity=Severity.INFO,
            why="Nothing acts on their custom resources; they are usually left over from an uninstall.",
            mend="Delete the CRDs when their custom resources are no longer wanted; that deletes these as well.",
        ),
        Code(
            code="INV004", title="A webhook whose Service is gone", severity=Severity.REQUIRED,
            why="With failurePolicy Fail, every request that it matches is refused.",
            mend="Reinstall the add-on that served it, or delete the webhook configuration.",
        ),
        Code(
            code="INV005", title="An APIService whose Service is gone", severity=Severity.REQUIRED,
            why="Its API does not answer, and namespaces cannot be deleted while discovery fails.",
            mend="Reinstall the add-on that served it, or delete the APIService.",
        ),
        Code(
            code="EKS001", title="AWS does not offer this add-on version for the running Kubernetes",
            severity=Severity.REQUIRED,
            why="AWS neither tests nor supports the combination, and will refuse to install it again.",
            mend="Update the add-on to a version that AWS lists for this Kubernetes.",
        ),
        Code(
            code="EKS002", title="AWS does not offer this add-on version for the next Kubernetes",
            severity=Severity.RECOMMENDED,
            why="The add-on has to be updated before or right after the cluster's upgrade.",
            mend="Update the add-on first to a version that AWS lists for both.",
        ),
        Code(
            code="EKS003", title="The cluster's Kubernetes is in extended support", severity=Severity.RECOMMENDED,
            why="AWS bills the control plane at the extended rate, and upgrades it by itself at the end.",
            mend="Plan the upgrade to a minor in standard support.",
        ),
        Code(
            code="EKS004", title="The cluster's Kubernetes is no longer supported by EKS", severity=Severity.REQUIRED,
            why="AWS upgrades such control planes without notice; add-ons and nodes are left behind.",
            mend="Upgrade now, one minor at a time, add-ons with it.",
        ),
        Code(
            code="EKS005", title="EKS reports a problem with an add-on", severity=Severity.REQUIRED,
            why="EKS cannot bring the add-on to the state it was asked for; a failed update is not rolled back.",
            mend="Mend what the issue names, then update the add-on again.",
        ),
        Code(
            code="EKS006", title="Standard support of the cluster's Kubernetes ends soon", severity=Severity.INFO,
            why="From that day on AWS bills the extended rate, or upgrades by itself if so configured.",
            mend="Plan the upgrade before that day.",
        ),
        Code(
            code="DEP001", title="A webhook must admit the pods that serve it", severity=Severity.REQUIRED,
            why="Once its last pod is gone, no new one is admitted: the add-on cannot start again by itself.",
            mend="Leave its own namespace out of the webhook's namespaceSelector.",
        ),
        Code(
            code="DEP002", title="Add-ons depend on each other in a circle", severity=Severity.INFO,
            why="None of them can be updated or started before the others; a full restart may hang.",
            mend="Know it before a restart; loosen the weakest of these dependencies.",
        ),
    )
})  # fmt: skip


def finding(code: str, subject: str, *evidence: Evidence, mend: str = "", severity: Severity | None = None) -> Finding:
    """A finding by its code; `mend` and `severity` override the table's where more is known."""
    entry = CODES[code]
    return Finding(
        code=code, severity=severity or entry.severity, subject=subject, evidence=evidence, mend=mend or entry.mend
    )
