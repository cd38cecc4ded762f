"""The version of an installation: from EKS for its own add-ons, otherwise by the catalog's rules in their order.

Decided from images, labels, charts and custom resources of one group. Called by the inventory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from addonctl import images, versions
from addonctl.catalog import VersionFrom, VersionRule
from addonctl.inventory.grouping import Group
from addonctl.inventory.recognition import chart_label, chart_name, chart_version
from addonctl.model import Evidence, ObjectRef, owners
from addonctl.model.owners import Owner
from addonctl.versions import Version

_SHOWN_MAX = 3  # texts that are not versions: showing more of them adds nothing


@dataclass(frozen=True, slots=True)
class VersionSeen:
    """A version with its evidence, or None with the reason; `upstream`: it counts as upstream's releases do."""

    version: Version | None
    unknown_reason: str = ""
    upstream: bool = False
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class _Text:
    """The text at a place that may contain a version."""

    text: str
    subject: str
    ref: ObjectRef | None = None


def read_version(group: Group, owner: Owner) -> VersionSeen:
    """The first version that a rule yields. For an add-on that EKS manages, the version is EKS's."""
    if isinstance(owner, owners.EksAddon) and group.eks is not None:
        version = versions.parse(group.eks.version)
        if version is not None:
            seen = Evidence(kind="version", subject=f"eks add-on {group.eks.name}", detail=group.eks.version)
            return VersionSeen(version, upstream=True, evidence=(seen,))
    tried: list[str] = []
    for rule in group.addon.version:
        for place in _places(rule, group):
            version = versions.parse(place.text)
            if version is not None:
                detail = f"{rule.source}: {place.text}"
                return VersionSeen(
                    version,
                    upstream=rule.source is not VersionFrom.CHART and not rule.numbered_apart,
                    evidence=(Evidence(kind="version", subject=place.subject, detail=detail, ref=place.ref),),
                )
            tried.append(place.text)
    return VersionSeen(None, _why_unknown(group, tried))


def _why_unknown(group: Group, tried: list[str]) -> str:
    if not group.matches:
        return "no workload was found to read a version from, only its records or cluster-wide objects"
    odd = sorted({repr(text) for text in tried if text})[:_SHOWN_MAX]
    if odd:
        return f"{', '.join(odd)} {'is not a version' if len(odd) == 1 else 'are not versions'}"
    return "its images have no tag, and no label or chart names a version"


def _places(rule: VersionRule, group: Group) -> Iterator[_Text]:
    """Every place that a rule names, anchors before parts."""
    match rule.source:
        case VersionFrom.IMAGE:
            yield from _in_images(rule.key, group)
        case VersionFrom.LABEL:
            yield from _in_labels(rule.key, group)
        case VersionFrom.CHART:
            yield from _in_charts(rule.key, group)
        case VersionFrom.CUSTOM_RESOURCE:
            yield from _in_custom_resources(rule.key, group)
        case VersionFrom.EKS if group.eks is not None:
            yield _Text(group.eks.version, f"eks add-on {group.eks.name}")


def _in_images(path: str, group: Group) -> Iterator[_Text]:
    for workload in group.workloads:
        for container in workload.template.containers:
            image = images.parse(container.image)
            if image.tag and images.path_matches(image.path, path):
                yield _Text(versions.of_tag(image.tag), str(workload.ref), workload.ref)


def _in_labels(key: str, group: Group) -> Iterator[_Text]:
    """The label on workloads, or on the cluster-wide objects of an add-on without workloads."""
    for workload in group.workloads:
        for labels in (workload.labels, workload.template.labels):
            if key in labels:
                yield _Text(labels[key], str(workload.ref), workload.ref)
    for thing in group.objects if not group.matches else ():
        if key in thing.labels:
            yield _Text(thing.labels[key], str(thing.ref), thing.ref)


def _in_charts(chart: str, group: Group) -> Iterator[_Text]:
    """Versions of the add-on's chart, from Helm's records, then from labels; an empty `chart` means any of them."""
    wanted = {chart} if chart else {known.name for known in group.addon.install.charts}
    for release in group.releases:
        if release.chart in wanted:
            yield _Text(release.chart_version, str(owners.HelmRelease(release.namespace, release.name)))
    for thing in (*group.workloads, *group.objects):
        label = chart_label(thing.labels)
        if chart_name(label) in wanted and chart_version(label):
            yield _Text(chart_version(label), str(thing.ref), thing.ref)


def _in_custom_resources(crd: str, group: Group) -> Iterator[_Text]:
    for resources in group.custom:
        if f"{resources.plural}.{resources.group}" == crd:
            for reference in resources.images:
                yield _Text(versions.of_tag(images.parse(reference).tag or ""), crd)
