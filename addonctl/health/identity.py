"""Which IAM role an add-on that calls AWS has: its own, two, or that of its node (HLT033).

By the annotation of its ServiceAccounts, by Pod Identity associations, or by the role that EKS was given. What a role
allows is not read: whether it is enough shows by what AWS refuses. Called by check_health, and by the checks that show
what AWS refuses.
"""

import re
from collections.abc import Iterable, Iterator

from addonctl.findings import finding, makes
from addonctl.health.case import Case, Told
from addonctl.health.unready import in_one_line
from addonctl.model import (
    Action,
    Eks,
    Evidence,
    Finding,
    InstallationRef,
    Note,
    ObjectRef,
    ServiceAccount,
    Severity,
)
from addonctl.remediation import eks_addon, kubectl

_REFUSED = re.compile(
    r"AccessDenied|UnauthorizedOperation|not authorized to perform|AssumeRole|NoCredentialProviders|"
    r"no EC2 IMDS role|failed to (refresh|retrieve) (cached )?credentials"
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
_HAVE_NO_ROLE = ("fargate", "hybrid")  # compute types whose pods reach no role of a node


@makes("HLT033")
def roles(case: Case, told: Told) -> Iterator[Finding]:
    """The role that it lacks, or those of which one is too many; none where EKS or ServiceAccounts were not read."""
    eks, unread = case.view.snapshot.eks, case.view.gap("service_accounts", "eks:addons", "eks:pod_identities")
    if eks is None or unread is not None or not _needs_role(case):
        return
    for account in _accounts(case):
        yield from _contradicted(case, eks, account)
    if shown := tuple(_without_role(case)):
        hurts = (*_refusals(case), *_out_of_reach(case))
        severity = Severity.REQUIRED if hurts else None
        yield finding("HLT033", _subject(case), *shown, *hurts, fix=tuple(_give_role(case, eks)), severity=severity)


def without_role(case: Case, texts: Iterable[str]) -> Iterator[Evidence]:
    """That its ServiceAccounts have no role, if one of these texts says that AWS refuses it."""
    if _needs_role(case) and any(_REFUSED.search(text) for text in texts):
        yield from _without_role(case)


def role_missed(case: Case, texts: Iterable[str]) -> str | None:
    """The finding that it has no role, if AWS refuses it something and it was looked for."""
    looked = case.view.snapshot.eks is not None
    unread = case.view.gap("service_accounts", "eks:addons", "eks:pod_identities")
    found = looked and unread is None and next(iter(without_role(case, texts)), None)
    return f"HLT033 {_subject(case)}" if found else None


def _subject(case: Case) -> InstallationRef:
    return InstallationRef(case.row.id, case.row.addon, topic="role")


def _needs_role(case: Case) -> bool:
    return case.addon is not None and case.addon.install.eks is not None and case.addon.install.eks.requires_iam


def _accounts(case: Case) -> Iterator[ServiceAccount]:
    for name, namespace in dict.fromkeys((w.template.service_account, w.namespace) for w in case.workloads):
        account = case.view.objects.get(ObjectRef.of("ServiceAccount", name, namespace))
        if isinstance(account, ServiceAccount):
            yield account


def _associated(case: Case, account: ServiceAccount) -> str:
    """The role that a Pod Identity association gives a ServiceAccount; empty if there is none."""
    eks = case.view.snapshot.eks
    given = eks.pod_identities if eks else ()
    return next(
        (one.role_arn for one in given if (one.namespace, one.service_account) == (account.namespace, account.name)), ""
    )


def _without_role(case: Case) -> Iterator[Evidence]:
    """Its ServiceAccounts, if none of them has a role by any way."""
    eks, accounts = case.view.snapshot.eks, list(_accounts(case))
    listed = eks_addon(case.row, eks.addons) if eks else None
    by_eks = listed is not None and (listed.service_account_role_arn or listed.pod_identities)
    if by_eks or any(account.role_arn or _associated(case, account) for account in accounts):
        return
    for account in accounts:
        also = " and no Pod Identity association" if eks else ""
        detail = f"no annotation eks.amazonaws.com/role-arn{also}: it has the role of its node, if any"
        yield Evidence(kind="iam", subject=str(account.ref), detail=detail, ref=account.ref)


def _said_by_aws(case: Case) -> Iterator[str]:
    """Everything that its containers, the warnings laid to it, and EKS say."""
    for _, pod in case.pods:
        yield from (container.last_words for container in pod.containers if container.last_words)
    for symptom in case.scene.symptoms.of_row.get(case.row.id, ()):
        yield from (event.message for event in symptom.events)
    eks = case.view.snapshot.eks
    listed = eks_addon(case.row, eks.addons) if eks else None
    yield from (issue.message for issue in listed.issues) if listed else ()


def _refusals(case: Case) -> Iterator[Evidence]:
    """The first that AWS refuses it."""
    refused = next((text for text in _said_by_aws(case) if _REFUSED.search(text)), "")
    if refused:
        yield Evidence(kind="iam", subject="AWS", detail=in_one_line(refused))


def _out_of_reach(case: Case) -> Iterator[Evidence]:
    """Pods on nodes that have no role."""
    kinds = {node.name: node.compute_type for node in case.view.snapshot.nodes}
    for _, pod in case.pods:
        if kinds.get(pod.node) in _HAVE_NO_ROLE:
            detail = f"it runs on {pod.node} ({kinds[pod.node]}), where pods have no role of a node"
            yield Evidence(kind="iam", subject=str(pod.ref), detail=detail, ref=pod.ref)
            return


def _give_role(case: Case, eks: Eks) -> Iterator[Action]:
    policy = case.addon.install.eks.policy if case.addon and case.addon.install.eks else ""
    allowed = f" with {policy}" if policy else ""
    nodes = sorted({group.node_role for group in eks.node_groups if group.node_role})
    if nodes:
        yield Note(f"What it may do now is what the role of its node may: {', '.join(nodes)}.")
    yield Note(
        f"Make a role{allowed}, and give it to the ServiceAccount that calls AWS: with the EKS Pod Identity agent by "
        "`aws eks create-pod-identity-association`, else by its annotation eks.amazonaws.com/role-arn. Then restart "
        "its pods."
    )


def _contradicted(case: Case, eks: Eks, account: ServiceAccount) -> Iterator[Finding]:
    """An annotation that names no role, or another than EKS was told."""
    annotated = account.role_arn
    if not annotated:
        return
    told_by = "its annotation eks.amazonaws.com/role-arn"
    look = kubectl("get", account.ref, "-o", "yaml", why=f"{told_by} is what its pods get:")
    if not _ROLE.fullmatch(annotated):
        shown = Evidence(kind="iam", subject=str(account.ref), detail=f"{told_by} is {annotated}", ref=account.ref)
        yield finding("HLT033", account.ref, shown, fix=(look,), severity=Severity.REQUIRED)
        return
    listed = eks_addon(case.row, eks.addons)
    others = {
        "its Pod Identity association": _associated(case, account),
        "the EKS add-on": listed.service_account_role_arn if listed else "",
    }
    for source, role in others.items():
        if role and role != annotated:
            detail = f"{told_by} is {annotated}, {source} has {role}"
            shown = Evidence(kind="iam", subject=str(account.ref), detail=detail, ref=account.ref)
            yield finding("HLT033", account.ref, shown, fix=(look,), severity=Severity.RECOMMENDED)
            return
