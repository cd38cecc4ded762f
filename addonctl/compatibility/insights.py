"""EKS upgrade insights that add to the findings made here. Called by check_compatibility."""

from collections.abc import Iterable, Iterator

from addonctl.findings import finding, makes
from addonctl.model import ApiVersionRef, EksInsight, Evidence, Finding, InsightRef, Note, Severity, View

_SEVERITY = {"ERROR": Severity.REQUIRED, "WARNING": Severity.RECOMMENDED}
# The names that EKS gives its insights, which have no codes.
_ON_APIS = "deprecated api"
_ON_PARTS = {"version skew": "nodes", "add-on version compatibility": "eks:addons"}


@makes("EKS007")
def insight_findings(view: View, found: Iterable[Finding], *, checked: bool) -> Iterator[Finding]:
    """Insights that did not pass and that no finding covers with better evidence; `checked`: add-ons were checked."""
    apis = {item.subject.api_version for item in found if isinstance(item.subject, ApiVersionRef)}
    for insight in view.snapshot.eks.insights if view.snapshot.eks else ():
        severity = _SEVERITY.get(insight.status)
        if severity is None or (checked and _judged_here(insight, view, apis)):
            continue
        shown = [Evidence(kind="insight", subject=insight.name, detail=insight.reason)]
        shown += [Evidence(kind="insight", subject=resource, detail=insight.status) for resource in insight.resources]
        fix = (Note(insight.recommendation),) if insight.recommendation else ()
        yield finding("EKS007", InsightRef(insight.name), *shown, fix=fix, severity=severity)


def _judged_here(insight: EksInsight, view: View, apis: set[str]) -> bool:
    """Whether findings with better evidence say the same.

    API calls leave no trace in objects: if no object was found, only EKS has seen them.
    """
    name = insight.name.lower()
    if _ON_APIS in name:
        resources = insight.resources
        return bool(resources) and all(any(f"/{api}/" in uri for api in apis) for uri in resources)
    part = next((part for words, part in _ON_PARTS.items() if words in name), "")
    return bool(part) and view.gap(part) is None
