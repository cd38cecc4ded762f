"""The table of findings: every code once, with its title, its severity and what to do about it.

Capabilities make findings by code; reports, `--fail-on` and the reference page read this table. Its order is that of
urgency: causes before their effects, what is broken before what will be. Codes are never reused: a retired one stays
out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from addonctl.model import Evidence, Finding, Severity


class Need(StrEnum):
    """What must be so for a check to say anything, beside the parts that it looks at."""

    KUBERNETES = "kubernetes"  # the running Kubernetes is known
    WHOLE_CLUSTER = "whole-cluster"  # a file need not hold what its objects refer to
    STATE = "state"  # the state of an add-on was seen
    PROBES = "probes"  # add-ons were asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One kind of finding. `why` says why it matters; `fix` is what fixes it where the finding says nothing nearer.

    Without the `parts` of the snapshot and the `needs`, that nothing was found says nothing.
    """

    code: str
    title: str
    severity: Severity
    why: str
    fix: str
    parts: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()


CODES: Mapping[str, Code] = MappingProxyType({
    entry.code: entry
    for entry in (
        Code(
            code="HLT021", title="A node is not ready", severity=Severity.REQUIRED,
            why="Its pods are lost or stuck, DaemonSets are short of one, and the rest has less room.",
            fix="kubectl describe node; replace it if it does not come back.",
            parts=("nodes",),
        ),
        Code(
            code="HLT024", title="A node runs short of memory, disk, processes or network",
            severity=Severity.RECOMMENDED,
            why="It evicts pods and takes no new ones.",
            fix="kubectl describe node says of what; free it, or replace the node.",
            parts=("nodes",),
        ),
        Code(
            code="DEP003", title="Something that an add-on needs does not exist", severity=Severity.REQUIRED,
            why="Its pods cannot start again, or it may not do its work.",
            fix="Create it, or apply the add-on again as its installer would.",
            parts=("workloads", "services", "service_accounts", "roles", "volume_claims", "storage_classes",
                   "csi_drivers", "crds", "api_services", "webhook_configurations"),
            needs=(Need.WHOLE_CLUSTER,),
        ),
        Code(
            code="DEP004", title="An add-on's ServiceAccount has no permission", severity=Severity.REQUIRED,
            why="Its controller can neither read nor write what it is for; it fails at its next restart at the latest.",
            fix="Apply the add-on's RBAC again, as its installer would.",
            parts=("workloads", "service_accounts", "roles", "role_bindings"), needs=(Need.WHOLE_CLUSTER,),
        ),
        Code(
            code="INV006", title="An add-on that every cluster needs is gone", severity=Severity.REQUIRED,
            why="What runs goes on for a while; new pods, nodes and connections fail.",
            fix="Install it again.",
            parts=("workloads", "service_accounts", "nodes"), needs=(Need.WHOLE_CLUSTER,),
        ),
        Code(
            code="HLT002", title="An add-on's image cannot be pulled", severity=Severity.REQUIRED,
            why="New pods do not start; the old ones go at the next drain.",
            fix="Fix the image's name, its registry's access, or go back to the version before.",
            parts=("workloads", "pods"), needs=(Need.STATE,),
        ),
        Code(
            code="HLT001", title="An add-on's pod is crash-looping", severity=Severity.REQUIRED,
            why="It restarts faster than it serves.",
            fix="Read its last log; go back if it began with a change.",
            parts=("workloads", "pods"), needs=(Need.STATE,),
        ),
        Code(
            code="HLT003", title="An add-on's container cannot be created", severity=Severity.REQUIRED,
            why="Something that its pod refers to is not there, or is wrong.",
            fix="kubectl describe pod names what lacks.",
            parts=("workloads", "pods"), needs=(Need.STATE,),
        ),
        Code(
            code="HLT004", title="An add-on's pod finds no node", severity=Severity.REQUIRED,
            why="The scheduler has no node with room that it may run on.",
            fix="Add nodes, or lower requests and affinity.",
            parts=("workloads", "pods"), needs=(Need.STATE,),
        ),
        Code(
            code="HLT019", title="A quota is used up in an add-on's namespace", severity=Severity.RECOMMENDED,
            why="A pod that goes cannot be replaced.",
            fix="Raise the quota, or use less.",
            parts=("quotas",),
        ),
        Code(
            code="HLT006", title="An add-on is scaled to zero", severity=Severity.RECOMMENDED,
            why="It does nothing; what depends on it fails.",
            fix="Scale it up, or uninstall it.",
            parts=("workloads",),
        ),
        Code(
            code="HLT005", title="An add-on has fewer pods available than wanted", severity=Severity.RECOMMENDED,
            why="It serves with less than it was given, or a change of it is stuck.",
            fix="kubectl rollout status and kubectl get events say what holds it.",
            parts=("workloads",), needs=(Need.STATE,),
        ),
        Code(
            code="HLT023", title="A Job of an add-on failed", severity=Severity.RECOMMENDED,
            why="What it was to set up (CRDs, certificates, a migration) is not done.",
            fix="Read its log, then run it again as its installer would.",
            parts=("workloads",), needs=(Need.STATE,),
        ),
        Code(
            code="HLT012", title="A CA bundle ends soon, or has ended", severity=Severity.RECOMMENDED,
            why="From then on the API server trusts nobody who serves behind it: calls fail.",
            fix="Renew the authority: restart what injects it (cert-manager's cainjector, or the add-on).",
            parts=("webhook_configurations", "api_services", "crds"),
        ),
        Code(
            code="HLT008", title="A Service leads to no ready pod", severity=Severity.RECOMMENDED,
            why="Whoever calls it gets no answer.",
            fix="Fix its selector, or bring its pods back.",
            parts=("services", "endpoint_slices"),
        ),
        Code(
            code="HLT009", title="A webhook has no ready backend", severity=Severity.REQUIRED,
            why="With failurePolicy Fail, every request that it matches is refused; with Ignore, none is checked.",
            fix="Bring its pods back.",
            parts=("webhook_configurations", "services", "endpoint_slices"),
        ),
        Code(
            code="INV004", title="A webhook whose Service is gone", severity=Severity.REQUIRED,
            why="With failurePolicy Fail, every request that it matches is refused.",
            fix="Reinstall the add-on that served it, or delete the webhook configuration.",
            parts=("webhook_configurations", "services"),
        ),
        Code(
            code="HLT010", title="An APIService is not available", severity=Severity.REQUIRED,
            why="Its API does not answer, and namespaces cannot be deleted while discovery fails.",
            fix="Bring the pods behind its Service back.",
            parts=("api_services",),
        ),
        Code(
            code="INV005", title="An APIService whose Service is gone", severity=Severity.REQUIRED,
            why="Its API does not answer, and namespaces cannot be deleted while discovery fails.",
            fix="Reinstall the add-on that served it, or delete the APIService.",
            parts=("api_services", "services"),
        ),
        Code(
            code="HLT011", title="A CRD is not established", severity=Severity.REQUIRED,
            why="Its custom resources can be neither read nor written.",
            fix="kubectl describe crd says which name or schema is refused.",
            parts=("crds",),
        ),
        Code(
            code="EKS005", title="EKS reports a problem with an add-on", severity=Severity.REQUIRED,
            why="EKS cannot bring the add-on to the state it was asked for; a failed update is not rolled back.",
            fix="Fix what the issue names, then update the add-on again.",
            parts=("eks:addons",),
        ),
        Code(
            code="INV002", title="An add-on is installed twice", severity=Severity.RECOMMENDED,
            why="Two copies answer the same requests, or claim the same cluster-wide objects.",
            fix="Keep one copy; uninstall the other by the installer that brought it.",
            parts=("workloads",),
        ),
        Code(
            code="INV001", title="Two owners fight over an add-on", severity=Severity.REQUIRED,
            why="Each owner puts back what the other changed; which version runs is chance.",
            fix="Let one of them go: remove the add-on from one owner without deleting its objects.",
            parts=("workloads", "helm_releases", "eks:addons"),
        ),
        Code(
            code="DEP001", title="A webhook must admit the pods that serve it", severity=Severity.REQUIRED,
            why="Once its last pod is gone, no new one is admitted: the add-on cannot start again by itself.",
            fix="Leave its own namespace out of the webhook's namespaceSelector.",
            parts=("webhook_configurations", "workloads", "services"),
        ),
        Code(
            code="CMP004", title="Two add-ons conflict", severity=Severity.RECOMMENDED,
            why="They do the same work, or claim the same thing.",
            fix="Keep one of them, or configure them apart.",
            parts=("workloads", "config_maps"),
        ),
        Code(
            code="CMP003", title="An add-on lacks another one that it needs", severity=Severity.REQUIRED,
            why="It cannot do its work without.",
            fix="Install what it needs.",
            parts=("workloads",), needs=(Need.WHOLE_CLUSTER,),
        ),
        Code(
            code="API001", title="An API version that Kubernetes has removed is still written",
            severity=Severity.REQUIRED,
            why="The next apply, upgrade or rollback of it fails.",
            fix="Write it in the API version that replaced it.",
            parts=("workloads", "helm_releases"), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="EKS001", title="AWS does not offer this add-on version for the running Kubernetes",
            severity=Severity.REQUIRED,
            why="AWS neither tests nor supports the combination, and will refuse to install it again.",
            fix="Update the add-on to a version that AWS lists for this Kubernetes.",
            parts=("eks:addons",), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="CMP001", title="An add-on's version does not support the running Kubernetes",
            severity=Severity.RECOMMENDED,
            why="Its maintainers do not stand for it; it may fail on APIs that are gone.",
            fix="Update it to a version that supports this Kubernetes.",
            parts=("workloads",), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="SKW001", title="A component is further from the API server than Kubernetes allows",
            severity=Severity.REQUIRED,
            why="Kubernetes supports no such distance; it may fail at any update.",
            fix="Update it to within the policy.",
            parts=("nodes", "workloads"), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="HLT016", title="A leader stopped renewing its lease", severity=Severity.RECOMMENDED,
            why="Nobody leads: the controller does nothing.",
            fix="Restart its pods if its leader hangs.",
            parts=("leases",),
        ),
        Code(
            code="HLT017", title="Warning events name a fault of an add-on", severity=Severity.RECOMMENDED,
            why="Something fails that the objects' status does not show.",
            fix="kubectl describe the object that the event names.",
            parts=("events",),
        ),
        Code(
            code="HLT020", title="An add-on does not answer as it should", severity=Severity.REQUIRED,
            why="It was asked what only it can answer, and failed.",
            fix="See what the probe said; its pods' logs say why.",
            needs=(Need.PROBES,),
        ),
        Code(
            code="CRD001", title="Objects are stored in an old version of a CRD", severity=Severity.RECOMMENDED,
            why="An update that drops this version is refused as long as storedVersions names it.",
            fix="Write every object once, then take the version out of storedVersions.",
            parts=("crds",),
        ),
        Code(
            code="API002", title="An API version goes away with the Kubernetes to come", severity=Severity.REQUIRED,
            why="After the upgrade, apply, helm upgrade and rollback of it fail.",
            fix="Write it in the API version that replaces it, before the upgrade.",
            parts=("workloads", "helm_releases"), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="EKS004", title="The cluster's Kubernetes is no longer supported by EKS", severity=Severity.REQUIRED,
            why="AWS upgrades such control planes without notice; add-ons and nodes are left behind.",
            fix="Upgrade now, one minor at a time, add-ons with it.",
            needs=(Need.KUBERNETES,),
        ),
        Code(
            code="EKS007", title="EKS has an insight", severity=Severity.RECOMMENDED,
            why="EKS checks upgrade readiness and configuration by itself, once a day.",
            fix="See `aws eks describe-insight`.",
            parts=("eks:insights",),
        ),
        Code(
            code="HLT007", title="An add-on's containers restart often, or ran out of memory",
            severity=Severity.RECOMMENDED,
            why="Each restart drops what it was doing.",
            fix="Read the log before the restart; raise the memory limit if it was killed for it.",
            parts=("workloads", "pods"), needs=(Need.STATE,),
        ),
        Code(
            code="HLT018", title="Custom resources of an add-on are not well", severity=Severity.RECOMMENDED,
            why="The add-on cannot do what they ask for.",
            fix="kubectl describe says what its controller reports.",
            parts=("crds",), needs=(Need.STATE,),
        ),
        Code(
            code="HLT013", title="A PodDisruptionBudget allows no eviction", severity=Severity.RECOMMENDED,
            why="Nodes with its pods cannot be drained: node updates hang.",
            fix="Allow one pod to go, or run one more.",
            parts=("disruption_budgets",), needs=(Need.STATE,),
        ),
        Code(
            code="HLT014", title="A single pod answers for the whole cluster", severity=Severity.RECOMMENDED,
            why="While it restarts or moves, nobody answers.",
            fix="Run two replicas or more.",
            parts=("workloads",),
        ),
        Code(
            code="EKS002", title="AWS does not offer this add-on version for the Kubernetes to come",
            severity=Severity.RECOMMENDED,
            why="The add-on has to be updated before or right after the cluster's upgrade.",
            fix="Update the add-on first to a version that AWS lists for both.",
            parts=("eks:addons",), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="CMP002", title="An add-on's version does not support the Kubernetes to come",
            severity=Severity.RECOMMENDED,
            why="It has to be updated before or right after the cluster's upgrade.",
            fix="Update it first to a version that supports both.",
            parts=("workloads",), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="SKW002", title="A component will be too far from the API server after the upgrade",
            severity=Severity.RECOMMENDED,
            why="EKS refuses the upgrade, or the component fails after it.",
            fix="Update it before the control plane.",
            parts=("nodes", "workloads"), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="CRD002", title="Custom resources are written in a version that their add-on drops",
            severity=Severity.RECOMMENDED,
            why="After the add-on's update they cannot be applied any more.",
            fix="Write them in the newer version before the update.",
            parts=("crds",),
        ),
        Code(
            code="EKS003", title="The cluster's Kubernetes is in extended support", severity=Severity.RECOMMENDED,
            why="AWS bills the control plane at the extended rate, and upgrades it by itself at the end.",
            fix="Plan the upgrade to a minor in standard support.",
            needs=(Need.KUBERNETES,),
        ),
        Code(
            code="WVR001", title="A waiver has expired", severity=Severity.RECOMMENDED,
            why="What was accepted for a time counts again.",
            fix="Fix what it waived, or renew it with a reason.",
        ),
        Code(
            code="API003", title="A deprecated API version is still written", severity=Severity.INFO,
            why="It works now; a later Kubernetes removes it.",
            fix="Write it in the API version that replaces it.",
            parts=("workloads", "helm_releases"), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="API004", title="A webhook names only API versions that are gone", severity=Severity.RECOMMENDED,
            why="It is not asked any more for what it was meant to check.",
            fix="Name the newer API versions in its rules.",
            parts=("webhook_configurations",), needs=(Need.KUBERNETES,),
        ),
        Code(
            code="EKS006", title="Standard support of the cluster's Kubernetes ends soon", severity=Severity.INFO,
            why="From that day on AWS bills the extended rate, or upgrades by itself if so configured.",
            fix="Plan the upgrade before that day.",
            needs=(Need.KUBERNETES,),
        ),
        Code(
            code="HLT015", title="Replicas may all run on one node", severity=Severity.INFO,
            why="One node's loss takes all of them.",
            fix="Spread them over nodes and zones.",
            parts=("workloads",),
        ),
        Code(
            code="HLT022", title="A PodDisruptionBudget guards nothing", severity=Severity.INFO,
            why="Its selector matches no pod; what it was meant for can be evicted all at once.",
            fix="Fix its selector, or delete it.",
            parts=("disruption_budgets",),
        ),
        Code(
            code="INV003", title="CRDs without their controller", severity=Severity.INFO,
            why="Nothing acts on their custom resources; they are usually left over from an uninstall.",
            fix="Delete the CRDs when their custom resources are no longer wanted; that deletes these as well.",
            parts=("workloads", "crds"),
        ),
        Code(
            code="DEP002", title="Add-ons depend on each other in a circle", severity=Severity.INFO,
            why="None of them can be updated or started before the others; a full restart may hang.",
            fix="Know it before a restart; loosen the weakest of these dependencies.",
            parts=("workloads",),
        ),
    )
})  # fmt: skip
_ORDER = {code: number for number, code in enumerate(CODES)}


def finding(code: str, subject: str, *evidence: Evidence, fix: str = "", severity: Severity | None = None) -> Finding:
    """A finding by its code; `fix` and `severity` override the table's where more is known."""
    entry = CODES[code]
    return Finding(
        code=code, severity=severity or entry.severity, subject=subject, evidence=evidence, fix=fix or entry.fix
    )


def by_urgency(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first; within one severity in the table's order, causes before effects. Equal findings are one."""
    return tuple(sorted(
        dict.fromkeys(found), key=lambda finding: (-finding.severity.rank, _ORDER[finding.code], finding.subject)
    ))  # fmt: skip


def only_these(found: Iterable[Finding], wanted: Iterable[str]) -> tuple[Finding, ...]:
    """Findings that match any of `wanted`: a severity, a code or pattern of codes, or an add-on or object by name."""
    words = tuple(wanted)
    return tuple(item for item in found if any(_wanted(item, word) for word in words))


def _wanted(found: Finding, word: str) -> bool:
    if word.lower() == found.severity.value or fnmatchcase(found.code, word.upper()):
        return True
    return any(fnmatchcase(name, word) for name in names_in(found.subject))


def names_in(subject: str) -> list[str]:
    """A subject, and the names of which it is made."""
    return [subject, *re.split(r"[/\s:,]+", subject)]


def could_match(word: str, names: Iterable[str]) -> bool:
    """Whether any finding could match: the word is a severity, a code, or one of `names`."""
    if word.lower() in tuple(Severity) or any(fnmatchcase(code, word.upper()) for code in CODES):
        return True
    return any(name and fnmatchcase(name, word) for name in names)
