"""What EKS's own insights say beyond what is judged here: they are merged, not repeated. Called by __init__.py."""

from collections.abc import Iterable, Iterator

from addonctl.findings import finding, makes
from addonctl.model import ApiVersionRef, EksInsight, Evidence, Finding, InsightRef, Note, Severity, View

_SEVERITY = {"ERROR": Severity.REQUIRED, "WARNING": Severity.RECOMMENDED}
# How EKS names its insights; it gives them no code.
_ON_APIS = "deprecated api"
_ON_PARTS = {"version skew": "nodes", "add-on version compatibility": "eks:addons"}


@makes("EKS007")
def insight_findings(view: View, found: Iterable[Finding], *, checked: bool) -> Iterator[Finding]:
    """Insights that did not pass, but for those that a finding says with more evidence; `checked`: add-ons were."""
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
    """Whether findings with more evidence say the same.

    Calls to an API leave no trace in objects: where none was found, EKS alone has seen them.
    """
    name = insight.name.lower()
    if _ON_APIS in name:
        resources = insight.resources
        return bool(resources) and all(any(f"/{api}/" in uri for api in apis) for uri in resources)
    part = next((part for words, part in _ON_PARTS.items() if words in name), "")
    return bool(part) and view.gap(part) is None
