"""Rights that carrying a step out takes, and that whoever plans it does not have (PRE026)."""

from collections.abc import Iterator

from addonctl.catalog.calendar import plural
from addonctl.findings import finding, makes
from addonctl.model import Evidence, Finding, InstallationRef, live
from addonctl.preflight.case import Case


@makes("PRE026")
def lacking(case: Case) -> Iterator[Finding]:
    """Evidence for each kind in a namespace, not for each object."""
    told = dict.fromkeys(_told(right) for right in case.facts.lacking or ())
    shown = [Evidence(kind="right", subject=case.step.installation, detail=each) for each in told]
    if shown:
        yield finding("PRE026", InstallationRef(case.step.installation, case.step.addon), *shown)


def _told(right: live.Right) -> str:
    """As RBAC names it: `patch deployments.apps in namespace kube-system`."""
    of = f".{right.ref.group}" if right.ref.group else ""
    below = f"/{right.subresource}" if right.subresource else ""
    where = f"in namespace {right.ref.namespace}" if right.ref.namespace else "in the whole cluster"
    return f"{right.verb} {plural(right.ref.kind)}{of}{below} {where}"
