"""Whether an add-on that needs an IAM role has one, where AWS refuses it something.

By the annotation of its ServiceAccounts, by Pod Identity associations, or by the role that EKS was given; else it has
that of its node, whose permissions are not known here. Called by the checks that show what AWS refuses.
"""

import re
from collections.abc import Iterable, Iterator

from addonctl.health.case import Case
from addonctl.model import Evidence, ObjectRef, ServiceAccount
from addonctl.remediation import eks_addon

_REFUSED = re.compile(
    r"AccessDenied|UnauthorizedOperation|not authorized to perform|AssumeRole|NoCredentialProviders|"
    r"no EC2 IMDS role|failed to (refresh|retrieve) (cached )?credentials"
)


def without_role(case: Case, texts: Iterable[str]) -> Iterator[Evidence]:
    """That its ServiceAccounts have no role, if one of these texts says that AWS refuses it."""
    needs = case.addon is not None and case.addon.install.eks is not None and case.addon.install.eks.requires_iam
    if not needs or not any(_REFUSED.search(text) for text in texts):
        return
    eks = case.view.snapshot.eks
    listed = eks_addon(case.row, eks.addons) if eks else None
    if listed is not None and (listed.service_account_role_arn or listed.pod_identities):
        return
    associated = {(each.namespace, each.service_account) for each in eks.pod_identities} if eks else set()
    for name, namespace in dict.fromkeys((w.template.service_account, w.namespace) for w in case.workloads):
        ref = ObjectRef.of("ServiceAccount", name, namespace)
        account = case.view.objects.get(ref)
        if isinstance(account, ServiceAccount) and not account.role_arn and (namespace, name) not in associated:
            also = " and no Pod Identity association" if eks else ""
            detail = f"no annotation eks.amazonaws.com/role-arn{also}: it has the role of its node, if any"
            yield Evidence(kind="iam", subject=str(ref), detail=detail, ref=ref)
