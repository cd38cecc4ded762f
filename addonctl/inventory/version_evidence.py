"""The version of an installation: from EKS for its own add-ons, otherwise by the catalog's rules in their order.

Decided from images, labels, charts and custom resources of one group. Called by the inventory.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from addonctl import images, versions
from addonctl.catalog import AddOn, Catalog, ChartVersions, VersionFrom, VersionRule
from addonctl.inventory.grouping import Group
from addonctl.inventory.recognition import chart_label, chart_name, chart_version
from addonctl.model import Evidence, ObjectRef, owners
from addonctl.model.owners import Owner
from addonctl.versions import Version

_SHOWN_MAX = 3  # texts that are not versions: showing more of them adds nothing


@dataclass(frozen=True, slots=True)
class VersionSeen:
    """The application's version with its evidence, or None with the reason; and that of its chart, if it is known.

    `upstream`: it counts as upstream's releases do.
    """

    version: Version | None
    unknown_reason: str = ""
    upstream: bool = False
    evidence: tuple[Evidence, ...] = ()
    chart: str = ""
    chart_version: Version | None = None


@dataclass(frozen=True, slots=True)
class _Text:
    """The text at a place that may contain a version."""

    text: str
    subject: str
    ref: ObjectRef | None = None
    app_version: str = ""  # that a release's record gives its chart


def read_version(group: Group, owner: Owner, catalog: Catalog) -> VersionSeen:
    """The first version that a rule yields. For an add-on that EKS manages, the version is EKS's."""
    chart, chart_version, _ = next(_charts(group.addon.charts_of(""), group), ("", None, None))
    seen = _of_eks(group) if isinstance(owner, owners.EksAddon) and group.eks is not None else None
    return replace(seen or _by_rules(group, catalog), chart=chart, chart_version=chart_version)


def _of_eks(group: Group) -> VersionSeen | None:
    assert group.eks is not None
    version = versions.parse(group.eks.version)
    if version is None:
        return None
    seen = Evidence(kind="version", subject=f"eks add-on {group.eks.name}", detail=group.eks.version)
    return VersionSeen(version, upstream=True, evidence=(seen,))


def _by_rules(group: Group, catalog: Catalog) -> VersionSeen:
    tried: list[str] = []
    why = ""
    for rule in group.addon.version:
        if rule.source is VersionFrom.CHART:
            for chart, number, place in _charts(group.addon.charts_of(rule.key), group):
                version, unmapped = of_chart(catalog, group.addon, chart, number, recorded=place.app_version)
                if version is not None:
                    detail = f"chart: {chart} {number}" + (f" is {version}" if str(version) != str(number) else "")
                    shown = Evidence(kind="version", subject=place.subject, detail=detail, ref=place.ref)
                    return VersionSeen(version, upstream=not is_apart(group.addon, chart), evidence=(shown,))
                why = why or unmapped
            continue
        for place in _places(rule, group):
            version = versions.parse(place.text)
            if version is not None:
                detail = f"{rule.source}: {place.text}"
                return VersionSeen(
                    version,
                    upstream=not rule.numbered_apart,
                    evidence=(Evidence(kind="version", subject=place.subject, detail=detail, ref=place.ref),),
                )
            tried.append(place.text)
    return VersionSeen(None, why or _why_unknown(group, tried))


def of_chart(
    catalog: Catalog, addon: AddOn, chart: str, number: Version, *, recorded: str = "", repository: str = ""
) -> tuple[Version | None, str]:
    """The version of the application in a chart, or why it is unknown: the numbers of a chart are of another kind.

    `recorded` is what the chart itself says, in a release's record; `repository` is where it is from, if that is known.
    """
    install = next((each for each in addon.install.charts if each.name == chart), None)
    rebuilt = catalog.charts.is_rebuilt(repository)
    if install is not None and install.numbered_as_application and not rebuilt:
        return number, ""
    table = catalog.charts.of(chart) if not rebuilt else None
    said = versions.parse(recorded or (table.versions.get(str(number).removeprefix("v"), "") if table else ""))
    if said is not None:
        return said, ""
    why = "it is not upstream's chart" if rebuilt else why_not_in(table, number)
    return None, f"only its chart is known, {chart} {number}; {why}"


def is_apart(addon: AddOn, chart: str) -> bool:
    """Whether a chart installs a rebuild with numbers of its own."""
    return any(each.name == chart and each.numbered_apart for each in addon.install.charts)


def why_not_in(table: ChartVersions | None, number: Version) -> str:
    """Why a table of charts does not say which application a version has."""
    if table is None:
        return "no table of its versions is known"
    oldest, newest = table.span
    if number < oldest:
        return f"our table begins later, with {oldest}"
    if number > newest:
        return f"our table of {table.as_of} ends with {newest}; `addonctl catalog refresh --charts` renews it"
    return f"our table of {table.as_of} does not have it"


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


def _charts(wanted: Collection[str], group: Group) -> Iterator[tuple[str, Version, _Text]]:
    """Charts of the add-on with their versions, from Helm's records, then from labels."""
    for release in group.releases:
        number = versions.parse(release.chart_version)
        if release.chart in wanted and number is not None:
            subject = str(owners.HelmRelease(release.namespace, release.name))
            yield release.chart, number, _Text(release.chart_version, subject, app_version=release.app_version)
    for thing in (*group.workloads, *group.objects):
        label = chart_label(thing.labels)
        number = versions.parse(chart_version(label))
        if chart_name(label) in wanted and number is not None:
            yield chart_name(label), number, _Text(chart_version(label), str(thing.ref), thing.ref)


def _in_custom_resources(crd: str, group: Group) -> Iterator[_Text]:
    for resources in group.custom:
        if f"{resources.plural}.{resources.group}" == crd:
            for reference in resources.images:
                yield _Text(versions.of_tag(images.parse(reference).tag or ""), crd)
