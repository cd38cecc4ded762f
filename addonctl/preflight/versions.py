"""The versions of a step: what they support, what they need, what is known of them.

PRE004, PRE005, PRE011, PRE012, PRE013, PRE016.
"""

import re
from collections.abc import Iterator

from addonctl.assessment import Assessment
from addonctl.catalog import Answer, Cell, Meets, UpgradeNote, Weight
from addonctl.errors import BadInput
from addonctl.findings import finding, makes
from addonctl.model import ClusterRef, Evidence, Finding, InstallationRef, Severity
from addonctl.model.plan import Plan
from addonctl.preflight.case import Case
from addonctl.versions import Minor, Version

_KUBELET = "kubelet"
_AT_LEAST = re.compile(r"eks\.(\d+)\+")
_PLATFORM = re.compile(r"eks\.(\d+)")
_WEIGHT = {Weight.BLOCKS: Severity.REQUIRED, Weight.RISKS: Severity.RECOMMENDED, Weight.CHANGES: Severity.INFO}


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@makes("PRE011")
def questions(plan: Plan, assessment: Assessment) -> Iterator[Finding]:
    """What the plan leaves open."""
    shown = [
        Evidence(kind="catalog", subject=each.installation, detail=f"on Kubernetes {each.kubernetes}: {each.reason}")
        for each in plan.questions
    ]
    if shown:
        yield finding("PRE011", ClusterRef(assessment.cluster.name), *shown)


@makes("PRE004")
def kubernetes(case: Case) -> Iterator[Finding]:
    """Each version with the Kubernetes that runs while it is there."""
    step, runs = case.step, case.step.kubernetes
    if runs is None or step.to_version is None:
        return
    to = _cell(case, step.to_version, runs)
    if to.answer is not Answer.YES:
        severity = None if to.answer is Answer.NO else Severity.INFO
        yield finding("PRE004", case.way, _said(to), severity=severity)
        return
    begins = case.plan.kubernetes
    if step.from_version is None or begins is None or runs <= begins or _allowed_by_skew(case, step.from_version, runs):
        return
    was = _cell(case, step.from_version, runs)
    if was.answer is Answer.NO:
        yield finding("PRE004", case.way, _said(was), severity=Severity.RECOMMENDED)


def _cell(case: Case, version: Version, minor: Minor) -> Cell:
    row = case.row
    if case.counts_by_chart:
        reason = f"{version} is the chart's number; which {row.addon} it installs is not known."
        return Cell(addon=row.addon, version=version, kubernetes=minor, answer=Answer.UNKNOWN, reason=reason)
    try:
        return case.catalog.check(row.eks_addon or row.addon, version, minor)
    except BadInput as unknown:
        return Cell(addon=row.addon, version=version, kubernetes=minor, answer=Answer.UNKNOWN, reason=unknown.what)


def _said(cell: Cell) -> Evidence:
    return Evidence(kind="catalog", subject=cell.source or cell.addon, detail=cell.reason)


def _allowed_by_skew(case: Case, version: Version, minor: Minor) -> bool:
    """Whether Kubernetes' own policy lets it lag behind the control plane for a while."""
    rule = case.catalog.kubernetes.skew_rule(case.addon.component) if case.addon and case.addon.component else None
    return rule is not None and rule.allows(Minor(*version.minor), minor)


# ── Nodes and platform ──────────────────────────────────────────────────────────────────────────────────────────────


@makes("PRE005")
def nodes_and_platform(case: Case) -> Iterator[Finding]:
    """While the Kubernetes of today runs; after an upgrade the nodes are of its minor."""
    shown = [*_beside_kubelets(case), *_on_platform(case)] if case.step.kubernetes == case.plan.kubernetes else []
    if shown:
        yield finding("PRE005", case.way, *shown)


def _beside_kubelets(case: Case) -> Iterator[Evidence]:
    component, to = case.addon.component if case.addon else "", case.step.to_version
    rule = case.catalog.kubernetes.skew_rule(component, _KUBELET) if component else None
    if rule is None or to is None:
        return
    minors: dict[Minor, int] = {}
    for node in case.view.snapshot.nodes:
        minor = Minor.read(node.kubelet_version)
        if minor is not None:
            minors[minor] = minors.get(minor, 0) + 1
    for minor, count in sorted(minors.items()):
        if not rule.allows(Minor(*to.minor), minor):
            detail = f"{to} is not to run beside kubelet {minor}, on {count} node{'' if count == 1 else 's'}"
            yield Evidence(kind="skew", subject=rule.source or _KUBELET, detail=detail)


def _on_platform(case: Case) -> Iterator[Evidence]:
    listed, eks = case.listed(case.step.to_version), case.view.snapshot.eks
    if listed is None or eks is None or case.step.kubernetes is None:
        return
    wanted = _AT_LEAST.fullmatch(listed.kubernetes.get(case.step.kubernetes, ""))
    has = _PLATFORM.fullmatch(eks.cluster.platform_version)
    if wanted and has and int(has[1]) < int(wanted[1]):
        detail = f"needs platform version eks.{wanted[1]}; the cluster has {eks.cluster.platform_version}"
        yield Evidence(kind="eks", subject=str(listed.version), detail=detail)


# ── What is known of a pair of versions ─────────────────────────────────────────────────────────────────────────────


@makes("PRE012")
def skipped(case: Case) -> Iterator[Finding]:
    """Minors that are no longer offered, and versions that migrate what later ones need migrated."""
    shown = [Evidence(kind="source", subject=note.source, detail=note.what) for note in case.notes(Meets.JUMPS)]
    if case.step.skips:
        detail = f"skips {', '.join(case.step.skips)}, not offered here; {case.row.addon} moves one minor at a time"
        shown.append(Evidence(kind="eks", subject=case.row.addon, detail=detail))
    if shown:
        yield finding("PRE012", case.way, *shown)


@makes("PRE013")
def known_issues(case: Case) -> Iterator[Finding]:
    """One finding a range of versions that the step meets, as severe as the worst of what is known of it."""
    found: dict[str, list[UpgradeNote]] = {}
    for note in case.notes(Meets.REACHES, Meets.LANDS, Meets.RETURNS):
        found.setdefault(str(note.versions), []).append(note)
    for versions, notes in found.items():
        subject = InstallationRef(case.row.id, case.row.addon, topic=f"{case.way.topic}, {versions}")
        shown = (Evidence(kind="source", subject=note.source, detail=note.what) for note in notes)
        worst = max((_WEIGHT[note.weight] for note in notes), key=lambda severity: severity.rank)
        yield finding("PRE013", subject, *shown, severity=worst)


@makes("PRE016")
def newly_needed(case: Case) -> Iterator[Finding]:
    """IAM and configuration, as AWS's table says of the version to come and did not say of the present one."""
    to, was, eks = case.listed(case.step.to_version), case.listed(case.step.from_version), case.eks
    if to is None or was is None or eks is None:
        return
    if to.requires_configuration and not was.requires_configuration and eks.is_configured is False:
        detail = f"{to.version} requires configurationValues; it has none"
        yield finding("PRE016", case.way, _of_table(eks.name, detail), severity=Severity.REQUIRED)
    elif to.requires_iam and not was.requires_iam and not (eks.service_account_role_arn or eks.pod_identities):
        detail = f"{to.version} requires IAM permissions; it has neither a role nor a Pod Identity"
        yield finding("PRE016", case.way, _of_table(eks.name, detail))


def _of_table(name: str, detail: str) -> Evidence:
    return Evidence(kind="eks", subject=name, detail=detail)
