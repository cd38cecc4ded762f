"""What goes with what: each installation with the running Kubernetes and the next ones, and with the other add-ons.

AWS's table answers where AWS lists an add-on, upstream's published ranges elsewhere; answers are yes, no, or unknown
with the reason. Also the skew of nodes and kube-proxy, end of support, API versions that end and what
EKS's own insights say beyond that. Called by assessment.py and by `addonctl compat` and `matrix`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from addonctl import images, versions
from addonctl.catalog import AddOn, Answer, Catalog, Check, Conflict, EksRelease, Requirement
from addonctl.compatibility import api_deprecations
from addonctl.errors import BadInput
from addonctl.findings import finding
from addonctl.model import (
    EksInsight,
    Evidence,
    Finding,
    Installation,
    Inventory,
    Method,
    Severity,
    Snapshot,
    Workload,
)
from addonctl.remediation import command, update_addon_command

# EKS gives 14 months of standard support; two of them are what a careful upgrade of a fleet takes.
_ENDS_SOON = timedelta(days=60)
# What the control plane costs an hour in standard and in extended support, in US dollars, before any discount.
_HOURS_A_MONTH = 730
# At three minors a year, what has more digits is a slip of the finger.
_MINOR_MAX = 99


class Support(StrEnum):
    """How EKS supports a Kubernetes minor on a given day."""

    STANDARD = "standard"
    EXTENDED = "extended"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesStatus:
    """The running minor, the ones to prepare for, and the support of the first. Empty where unknown.

    `target` is the last of `targets`: the one that was asked for, or the next.
    """

    running: str
    target: str
    support: Support
    ends: date | None = None  # of the support it is in
    reason: str = ""
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """`checks`: for every installation (by id) one answer a minor, the running one first."""

    kubernetes: KubernetesStatus
    checks: Mapping[str, tuple[Check, ...]]
    findings: tuple[Finding, ...]


def check_compatibility(
    snapshot: Snapshot, inventory: Inventory, catalog: Catalog, day: date, kubernetes: str = "", target: str = ""
) -> Compatibility:
    """Judges as of `day`; `kubernetes` wins over what was read, `target` is the minor to prepare for."""
    status = kubernetes_status(snapshot, catalog, day, kubernetes, target)
    minors = (status.running, *status.targets)
    checks = {
        row.id: tuple(_check(row, catalog, minor, status.reason) for minor in minors)
        for row in inventory.installations
    }  # fmt: skip
    found = (
        *_support_findings(status, snapshot, catalog, day),
        *(
            item
            for row in inventory.installations
            for item in _version_findings(row, checks[row.id], catalog, snapshot)
        ),
        *api_deprecations.all_findings(snapshot, inventory, catalog, status.running, status.targets),
        *_skew(snapshot, inventory, catalog, status),
        *_requirements(snapshot, inventory, catalog),
        *_conflicts(snapshot, inventory, catalog),
    )
    found += tuple(_insights(snapshot, found, checked=bool(checks)))
    return Compatibility(kubernetes=status, checks=checks, findings=found)


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────────────


def kubernetes_status(
    snapshot: Snapshot, catalog: Catalog, day: date, kubernetes: str = "", target: str = ""
) -> KubernetesStatus:
    """Which Kubernetes runs, how long EKS supports it, and which minors come next."""
    said = kubernetes or (snapshot.eks.cluster.version if snapshot.eks else "") or snapshot.cluster.kubernetes
    running = versions.kubernetes_minor(said) or ""
    if not running:
        reason = f"the input does not say which Kubernetes runs{_kubelets(snapshot)}; give it with --kubernetes"
        asked = (target,) if target else ()
        return KubernetesStatus(
            running="", target=target, support=Support.UNKNOWN, reason=reason, targets=asked
        )  # fmt: skip
    release = next((known for known in catalog.kubernetes.releases if known.version == running), None)
    support, ends = _support(release, day)
    reason = "" if release else f"the calendar of {catalog.kubernetes.as_of} has no Kubernetes {running} on EKS"
    targets = _up_to(running, target) if target else (versions.next_minor(running),)
    return KubernetesStatus(
        running=running, target=targets[-1] if targets else running, support=support, ends=ends, reason=reason,
        targets=targets,
    )  # fmt: skip


def _kubelets(snapshot: Snapshot) -> str:
    """What the nodes hint at; the control plane may be newer."""
    minors = {versions.kubernetes_minor(node.kubelet_version) for node in snapshot.nodes} - {None}
    return f" (its kubelets are of {', '.join(sorted(filter(None, minors)))})" if minors else ""


def require_minor(target: str) -> None:
    """Raises BadInput for a target that no Kubernetes will ever be."""
    if versions.minor_key(target)[1] > _MINOR_MAX:
        raise BadInput(f"There is no Kubernetes {target}", "Give a minor such as 1.36.")


def _up_to(running: str, target: str) -> tuple[str, ...]:
    """The minors above the running one up to `target`: a control plane passes through each."""
    wanted, minors = versions.minor_key(target), []
    if wanted[0] != versions.minor_key(running)[0]:
        raise BadInput(f"There is no way from Kubernetes {running} to {target!r}", "Give a minor such as 1.36.")
    require_minor(target)
    minor = running
    while versions.minor_key(minor) < wanted:
        minor = versions.next_minor(minor)
        minors.append(minor)
    return tuple(minors) or (target,)


def _support(release: EksRelease | None, day: date) -> tuple[Support, date | None]:
    if release is None:
        return Support.UNKNOWN, None
    if day < release.end_standard:
        return Support.STANDARD, release.end_standard
    if day < release.end_extended:
        return Support.EXTENDED, release.end_extended
    return Support.UNSUPPORTED, release.end_extended


def _support_findings(status: KubernetesStatus, snapshot: Snapshot, catalog: Catalog, day: date) -> Iterator[Finding]:
    if snapshot.eks is None and "eks" not in snapshot.cluster.kubernetes:
        return  # the calendar is EKS's; elsewhere it says nothing
    code = {Support.EXTENDED: "EKS003", Support.UNSUPPORTED: "EKS004"}.get(status.support)
    soon = status.ends is not None and status.ends - day <= _ENDS_SOON
    if status.support is Support.STANDARD and soon:
        code = "EKS006"
    # AWS upgrades by force at the end of extended support; with upgrade policy STANDARD, at that of standard support.
    forced = status.support is Support.EXTENDED or (snapshot.eks and snapshot.eks.cluster.support_type == "STANDARD")
    severity = Severity.REQUIRED if soon and forced else None
    if code is None or status.ends is None:
        return
    verb = "ended" if status.support is Support.UNSUPPORTED else "ends"
    kind = "standard" if status.support is Support.STANDARD else "extended"
    when = f"{abs((status.ends - day).days)} days" + (" ago" if verb == "ended" else " from now")
    detail = f"{kind} support of Kubernetes {status.running} {verb} on {status.ends}, {when}"
    shown = [Evidence(kind="eks", subject="calendar", detail=detail)]
    shown += _price(status.support, catalog)
    yield finding(code, f"cluster {snapshot.cluster.name}", *shown, severity=severity)


def _price(support: Support, catalog: Catalog) -> Iterator[Evidence]:
    """What extended support costs the control plane."""
    standard, extended = catalog.kubernetes.standard_usd_per_hour, catalog.kubernetes.extended_usd_per_hour
    if support in (Support.STANDARD, Support.EXTENDED) and extended:
        detail = (
            f"${extended:.2f} an hour in place of ${standard:.2f}: "
            f"${(extended - standard) * _HOURS_A_MONTH:.0f} more a month for this control plane"
        )
        yield Evidence(kind="price", subject="extended support", detail=detail)


# ── Versions ────────────────────────────────────────────────────────────────────────────────────────────────────


def _check(row: Installation, catalog: Catalog, minor: str, why_none: str) -> Check:
    if row.method is Method.BUILT_IN:
        return _say(row, minor, Answer.YES, "AWS runs it and keeps it in step with the cluster.")
    if not minor:
        return _say(row, minor, Answer.UNKNOWN, why_none)
    if row.version is None:
        return _say(row, minor, Answer.UNKNOWN, f"Its version is unknown: {row.version_unknown_reason}.")
    if catalog.find(row.addon) is None and catalog.eks_name(row.addon) is None:
        return _say(row, minor, Answer.UNKNOWN, f"AWS's table of {catalog.eks.as_of} has no add-on {row.addon}.")
    return catalog.check(row.addon, row.version, minor)


def _say(row: Installation, minor: str, answer: Answer, reason: str) -> Check:
    return Check(addon=row.addon, version=row.version or "", kubernetes=minor, answer=answer, reason=reason)


def _version_findings(
    row: Installation, checks: tuple[Check, ...], catalog: Catalog, snapshot: Snapshot
) -> Iterator[Finding]:
    """The first minor that an installation does not go with; what does not go with one need not be said of the next."""
    for number, check in enumerate(checks):
        if check.answer is Answer.NO:
            listed = row.method is Method.EKS
            code = ("EKS001" if listed else "CMP001") if number == 0 else ("EKS002" if listed else "CMP002")
            evidence = Evidence(kind="compatibility", subject=f"as of {check.as_of}", detail=check.reason)
            yield finding(code, row.id, evidence, fix=update_fix(row, catalog, snapshot, check.kubernetes))
            return


def update_fix(row: Installation, catalog: Catalog, snapshot: Snapshot, minor: str) -> str:
    """How to update an installation to a version for Kubernetes `minor`, in its installer's own language."""
    eks_name = catalog.eks_name(row.addon)
    default, wanted_first = _eks_target(row, catalog, eks_name or "", minor)
    if row.method is Method.EKS and default:
        installed = next((a for a in snapshot.eks.addons if a.name == eks_name), None) if snapshot.eks else None
        line = update_addon_command(snapshot.cluster.name, eks_name or "", wanted_first, installed)
        return line + ("" if wanted_first == default else f"\n# then one minor at a time to {default}")
    wanted = f" (EKS's default for {minor} is {default})" if default else _upstream_target(row, catalog, minor)
    where = {
        Method.HELM: f"helm upgrade of {row.owner.removeprefix('helm release ')} to a chart",
        Method.ARGOCD: f"set targetRevision of {row.owner} to one",
        Method.FLUX: f"set the version in {row.owner} to one",
    }.get(row.method, "apply the manifests of a version")
    return f"{where[0].upper()}{where[1:]} that supports Kubernetes {minor}{wanted}."


def _upstream_target(row: Installation, catalog: Catalog, minor: str) -> str:
    """The newest range of versions that upstream publishes for a minor."""
    addon, key = catalog.find(row.addon), versions.minor_key(minor)
    for support in addon.kubernetes if addon else ():
        above = not support.minimum or versions.minor_key(support.minimum) <= key
        if above and support.maximum and key <= versions.minor_key(support.maximum):
            return f" ({support.versions} does)"
    return ""


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
    following, wanted = (now.minor[0], now.minor[1] + 1), versions.parse(default)
    if wanted is not None and wanted.minor <= following:
        return default, default
    hops = [version for version in map(versions.parse, fit) if version and version.minor == following]
    return default, max(hops).text if hops else default


# ── Skew ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _skew(snapshot: Snapshot, inventory: Inventory, catalog: Catalog, status: KubernetesStatus) -> Iterator[Finding]:
    """Kubelets and kube-proxy against the API server, now and on the next Kubernetes."""
    if not status.running:
        return
    behind = {skew.component: skew.minors_behind for skew in catalog.kubernetes.skew}
    kubelets: dict[str, list[str]] = {}
    for node in snapshot.nodes:
        minor = versions.kubernetes_minor(node.kubelet_version)
        if minor:
            kubelets.setdefault(minor, []).append(node.name)
    for minor, names in sorted(kubelets.items()):
        some = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        said = f"{len(names)} nodes run kubelet {minor}: {some}"
        yield from _skewed("nodes", f"nodes with kubelet {minor}", minor, said, status, behind["kubelet"])
    for row in inventory.installations:
        minor = versions.kubernetes_minor(row.version or "") if row.addon == "kube-proxy" else None
        if minor:
            yield from _skewed("kube-proxy", row.id, minor, f"kube-proxy {row.version}", status, behind["kube-proxy"])


def _skewed(
    what: str, subject: str, minor: str, said: str, status: KubernetesStatus, allowed: int
) -> Iterator[Finding]:
    major, has = versions.minor_key(minor)
    for server in (status.running, *status.targets[:1]):
        gap = versions.minor_key(server)[1] - has
        if versions.minor_key(server)[0] != major or 0 <= gap <= allowed:
            continue
        how = f"{gap} minors behind Kubernetes {server} (at most {allowed})" if gap > 0 else (
            f"{-gap} ahead of Kubernetes {server} (none may be)")  # fmt: skip
        evidence = Evidence(kind="skew", subject=what, detail=f"{said}, {how}")
        now = server == status.running
        fix = "Update the node group (or replace the nodes) first." if what == "nodes" and gap > 0 else ""
        yield finding("SKW001" if now else "SKW002", subject, evidence, fix=fix)
        return


# ── Between add-ons ─────────────────────────────────────────────────────────────────────────────────────────────


def _requirements(snapshot: Snapshot, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    """Add-ons without what the catalogue says they cannot do without; needs to have seen all workloads."""
    cluster = snapshot.cluster
    if snapshot.gap("workloads") is not None or cluster.source == "files" or cluster.namespace:
        return  # one file of many does not show what else runs
    present = {row.addon for row in inventory.installations}
    # Scaled to zero, it does not show that something lacks.
    running = {w.ref for w in snapshot.workloads if (w.desired and w.available) or w.desired == 0}
    for row in inventory.installations:
        addon = catalog.addons.get(row.addon)
        for need in addon.requires if addon else ():
            if not (need.hard and need.addon):
                continue
            proven = need.proven_by_running and running & set(row.workloads)
            met = present & {need.addon, *need.alternatives} or _served(need, snapshot, catalog)
            if not proven and not met:
                options = " or ".join((need.addon, *need.alternatives))
                evidence = Evidence(kind="requirement", subject=row.id, detail=f"needs {need.text}; found no {options}")
                yield finding("CMP003", row.id, evidence, fix=f"Install {options}, or what serves as well.")
    yield from _identity_without_agent(snapshot, present)


def _served(need: Requirement, snapshot: Snapshot, catalog: Catalog) -> bool:
    """Whether the API of what is needed is there, whoever serves it."""
    served = {api.name for api in snapshot.api_services}
    return any(name in served for name in catalog.addons[need.addon].fingerprints.api_services)


def _identity_without_agent(snapshot: Snapshot, present: set[str]) -> Iterator[Finding]:
    """Pod Identity associations whose pods get no credentials: the agent that hands them out does not run."""
    if snapshot.eks is None or "eks-pod-identity-agent" in present or not snapshot.eks.pod_identities:
        return
    detail = "; ".join(f"{each.namespace}/{each.service_account}" for each in snapshot.eks.pod_identities[:5])
    evidence = Evidence(kind="eks", subject="pod identity associations", detail=detail)
    cluster = snapshot.cluster.name
    fix = command("aws", "eks", "create-addon", "--cluster-name", cluster, "--addon-name", "eks-pod-identity-agent")
    yield finding("CMP003", "eks-pod-identity-agent", evidence, fix=fix)


def _conflicts(snapshot: Snapshot, inventory: Inventory, catalog: Catalog) -> Iterator[Finding]:
    rows: dict[str, Installation] = {}
    for row in inventory.installations:
        rows.setdefault(row.addon, row)
    said: set[frozenset[str]] = set()
    for row in rows.values():
        addon = catalog.addons.get(row.addon)
        for conflict in addon.conflicts if addon else ():
            other, pair = rows.get(conflict.addon), frozenset((row.addon, conflict.addon))
            if other is None or not conflict.test or pair in said:
                continue
            seen = CONFLICT_TESTS[conflict.test](_Pair(snapshot, row, other))
            if seen:
                said.add(pair)
                yield _conflict_finding(row, other, conflict, seen)


def _conflict_finding(row: Installation, other: Installation, conflict: Conflict, seen: str) -> Finding:
    evidence = (
        Evidence(kind="conflict", subject=f"{row.id} and {other.id}", detail=seen),
        Evidence(kind="source", subject=conflict.source or "catalogue", detail=conflict.why),
    )
    return finding("CMP004", f"{row.addon} and {other.addon}", *evidence)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two installations of which one conflicts with the other, on some condition."""

    snapshot: Snapshot
    row: Installation
    other: Installation

    def workloads(self, addon: str) -> list[Workload]:
        row = self.row if self.row.addon == addon else self.other
        return [workload for workload in self.snapshot.workloads if workload.ref in row.workloads]

    def setting(self, config_map: str, key: str) -> str | None:
        """A value of a ConfigMap that configures an add-on; None where it was not seen."""
        namespace, _, name = config_map.partition("/")
        found = next((c for c in self.snapshot.config_maps if (c.namespace, c.name) == (namespace, name)), None)
        return found.data.get(key, "") if found is not None else None


def _always(pair: _Pair) -> str:
    return f"both run: {pair.row.owner or pair.row.id} and {pair.other.owner or pair.other.id}"


def _cilium_not_chained(pair: _Pair) -> str:
    mode = pair.setting("kube-system/cilium-config", "cni-chaining-mode")
    return "" if mode is None or mode in ("aws-cni", "generic-veth") else "cilium-config sets no cni-chaining-mode"


def _cilium_replaces_kube_proxy(pair: _Pair) -> str:
    replaces = pair.setting("kube-system/cilium-config", "kube-proxy-replacement")
    return f"cilium-config sets kube-proxy-replacement={replaces}" if replaces in ("true", "strict") else ""


def _calico_installs_cni(pair: _Pair) -> str:
    for workload in pair.workloads("calico"):
        for container in workload.template.containers:
            if container.init and images.parse(container.image).path.endswith("calico/cni"):
                return f"{workload.ref} installs Calico's own CNI plugin (container {container.name})"
    return ""


def _both_scale_nodes(pair: _Pair) -> str:
    counts = {
        addon: sum(w.desired or 0 for w in pair.workloads(addon)) for addon in ("karpenter", "cluster-autoscaler")
    }
    both = all(counts.values())
    return "both run and may answer for the same pending pods" if both else ""


def _both_run_dcgm(pair: _Pair) -> str:
    agents = [w for w in pair.workloads("eks-node-monitoring-agent") if "dcgm" in w.name and (w.desired or 0) > 0]
    return f"{agents[0].ref} runs on {agents[0].desired} nodes" if agents else ""


CONFLICT_TESTS: Mapping[str, Callable[[_Pair], str]] = {
    "always": _always,
    "cilium-not-chained": _cilium_not_chained,
    "cilium-replaces-kube-proxy": _cilium_replaces_kube_proxy,
    "calico-installs-cni": _calico_installs_cni,
    "both-scale-nodes": _both_scale_nodes,
    "both-run-dcgm": _both_run_dcgm,
}
"""How a conflict of the catalogue is seen: what was seen, in words, or empty where it does not apply."""


# ── What EKS says ───────────────────────────────────────────────────────────────────────────────────────────────


_INSIGHT_SEVERITY = {"ERROR": Severity.REQUIRED, "WARNING": Severity.RECOMMENDED}


def _insights(snapshot: Snapshot, found: Iterable[Finding], *, checked: bool) -> Iterator[Finding]:
    """What EKS's own insights say beyond what is judged here: they are merged, not repeated."""
    apis_found = {item.subject.rpartition(": ")[2].split()[0] for item in found if item.code.startswith("API")}
    for insight in snapshot.eks.insights if snapshot.eks else ():
        severity = _INSIGHT_SEVERITY.get(insight.status)
        if severity is None or (checked and _judged_here(insight, snapshot, apis_found)):
            continue
        shown = [Evidence(kind="insight", subject=insight.name, detail=insight.reason)]
        shown += [Evidence(kind="insight", subject=resource, detail=insight.status) for resource in insight.resources]
        fix = insight.recommendation or "See `aws eks describe-insight`."
        yield finding("EKS007", f"insight {insight.name}", *shown, fix=fix, severity=severity)


def _judged_here(insight: EksInsight, snapshot: Snapshot, apis_found: set[str]) -> bool:
    """Whether findings with more evidence say the same.

    Calls to an API leave no trace in objects: where none was found, EKS alone has seen them.
    """
    name = insight.name.lower()
    if "deprecated api" in name:
        resources = insight.resources
        return bool(resources) and all(any(f"/{api}/" in uri for api in apis_found) for uri in resources)
    part = "nodes" if "version skew" in name else "eks:addons" if "add-on version compatibility" in name else ""
    return bool(part) and snapshot.gap(part) is None


# ── The matrix ──────────────────────────────────────────────────────────────────────────────────────────────────


def matrix(catalog: Catalog, names: Iterable[str], minors: tuple[str, ...]) -> tuple[Check, ...]:
    """Every known version of the named add-ons with each of `minors`: AWS's versions, else upstream's ranges.

    Raises BadInput for a name that means no add-on.
    """
    return tuple(
        replace(check, version=version)
        for name in names
        for version in _known_versions(catalog, name)
        for check in (catalog.check(name, version, minor) for minor in minors)
    )


def _known_versions(catalog: Catalog, name: str) -> tuple[str, ...]:
    addon, eks = catalog.require(name)
    if eks is not None:
        return tuple(version.version for version in eks.versions)
    return _published(addon) if addon else ()


def _published(addon: AddOn) -> tuple[str, ...]:
    """The newest version of every release cycle, where upstream's are known."""
    return tuple(cycle.latest for cycle in addon.lifecycle if cycle.latest)
