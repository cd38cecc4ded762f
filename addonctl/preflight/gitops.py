"""Whether a GitOps controller would keep what a step sets in its object, and whether that says the version at all
(PRE027). Decided from the controllers' objects, their sources, and who keeps these.
"""

from collections.abc import Iterator

from addonctl.findings import finding, makes
from addonctl.inventory.ownership import Ownership
from addonctl.model import (
    Action,
    Application,
    Finding,
    FluxHelmRelease,
    FluxSource,
    GitChange,
    KubernetesObject,
    owners,
)
from addonctl.model.live import Reconciled
from addonctl.preflight.case import Case, seen
from addonctl.versions import pinned

# A chart of these is at the version that its Chart.yaml says: what a HelmRelease says of it counts for nothing.
_OF_FILES = ("GitRepository", "Bucket")


@makes("PRE027")
def elsewhere(case: Case) -> Iterator[Finding]:
    """One finding for what the controller's object takes, or for who keeps that object."""
    kept = case.reconciled
    if kept is None:
        return
    if taken := _takes(case, kept):
        yield finding("PRE027", case.subject, seen(kept, f"it takes {taken}"), fix=_at_its_source(case, kept))
    elif keeper := _keeper(case, kept):
        who, owner = keeper
        detail = f"it is kept by {who}, which puts back what is set in the cluster"
        fix = GitChange(owner=owner, change=f"set the version of {case.step.owner} to {_wanted(case)}")
        yield finding("PRE027", case.subject, seen(kept, detail), fix=(fix,))


def _takes(case: Case, kept: KubernetesObject) -> str:
    """What it takes, where that is not a version of its own."""
    if isinstance(kept, Application):
        if pinned(kept.target_revision):
            return ""
        what = f"chart {kept.chart}" if kept.chart else kept.path or "all"
        return f"{what} of {kept.repository} at {kept.target_revision or 'HEAD'}"
    if isinstance(kept, FluxHelmRelease):
        source = _source(case, kept, kept.source)
        if source and source.kind in _OF_FILES and case.step.to_version != case.step.from_version:
            return f"chart {kept.chart} of {_where(source)}, whatever version it names"
        if pinned(kept.chart_version):
            return ""
        where = _where(source) if source else kept.source
        return f"{kept.chart_version or 'the newest'} of chart {kept.chart} of {where}"
    return f"{_path(kept)} of {_origin(case, kept)}"


def _keeper(case: Case, kept: KubernetesObject) -> tuple[str, owners.Owner] | None:
    """Who makes the controller's object, where that is another controller, and where it is to be changed."""
    for each in kept.owners:
        if each.kind == "ApplicationSet":
            return str(each), case.step.owner
    claims = (each.owner for each in Ownership(case.view).claims(kept))
    found = next((each for each in claims if isinstance(each, Reconciled)), None)
    return (str(found), found) if found else None


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _at_its_source(case: Case, kept: KubernetesObject) -> tuple[Action, ...]:
    """The commit to make."""
    owner, wanted = case.step.owner, _wanted(case)
    if isinstance(kept, Application) and not kept.chart:
        change = f"in {kept.path or 'the root'} of {kept.repository}, {_new_version(case, wanted)}"
    elif isinstance(kept, Application):
        change = f"set its targetRevision to {wanted}"
    elif isinstance(kept, FluxHelmRelease):
        source = _source(case, kept, kept.source)
        by_files = source is not None and source.kind in _OF_FILES
        place = f"in {kept.chart} of {_origin(case, kept)}, bring the chart of {wanted}"
        change = place if by_files else _of_release(kept, wanted)
    else:
        change = f"in {_path(kept)} of {_origin(case, kept)}, {_new_version(case, wanted)}"
    return (GitChange(owner=owner, change=change),)


def _of_release(kept: FluxHelmRelease, wanted: str) -> str:
    if kept.source.startswith("OCIRepository/") or not kept.chart_version:
        return f"name version {wanted} in {kept.source or 'its chart'}"
    return f"set its chart's version to {wanted}"


def _new_version(case: Case, wanted: str) -> str:
    """With the images by which a person finds the old one."""
    row, tag = case.row, str(case.row.version or "").removeprefix("v")
    workloads = (case.view.workloads[ref] for ref in row.workloads if ref in case.view.workloads)
    images = (each.image for workload in workloads for each in workload.template.containers)
    named = ", ".join(dict.fromkeys(each for each in images if tag and tag in each.rpartition(":")[2]))
    now = f" ({named} now)" if named else f" ({row.version} now)" if row.version else ""
    return f"bring the manifests of {row.addon} {wanted}{now}"


def _wanted(case: Case) -> str:
    return str(case.step.to_version) if case.step.to_version else "the version wanted"


def _path(kept: KubernetesObject) -> str:
    return str(getattr(kept, "path", "")) or "the root"


def _origin(case: Case, kept: KubernetesObject) -> str:
    named = str(getattr(kept, "source", ""))
    source = _source(case, kept, named)
    return _where(source) if source else named or "its source"


def _source(case: Case, kept: KubernetesObject, named: str) -> FluxSource | None:
    """The source of that kind and name: of several, that in the namespace of its user."""
    kind, _, name = named.partition("/")
    found = [each for each in case.view.snapshot.flux_sources if (each.kind, each.name) == (kind, name)]
    return next((each for each in found if each.namespace == kept.namespace), found[0] if found else None)


def _where(source: FluxSource) -> str:
    at = f" at {source.reference}" if source.reference else ""
    return f"{source.kind} {source.name} ({source.url}{at})" if source.url else f"{source.kind} {source.name}{at}"
