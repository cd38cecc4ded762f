"""Turns groups into Installations: owner, version, where the settings are kept, which bundle it is part of.

Called by the inventory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from addonctl.catalog import Catalog
from addonctl.inventory.declared import said
from addonctl.inventory.grouping import Group
from addonctl.inventory.ownership import by_precedence, unclaimed
from addonctl.inventory.version_evidence import read_version
from addonctl.model import Application, CustomResourceDefinition, Evidence, Installation, Method, View, owners
from addonctl.model.owners import Owner

_BY_HAND = (Method.MANIFEST, Method.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Row:
    """An Installation with the group that it was made from."""

    installation: Installation
    group: Group


def make_rows(groups: Iterable[Group], view: View, catalog: Catalog) -> list[Row]:
    """One Installation per group, each with a unique id."""
    applications = {(app.namespace, app.name): app for app in view.snapshot.applications}
    rows = [Row(_installation(group, view, catalog, applications), group) for group in groups]
    rows = list(_with_ids_of_their_own(rows))
    bundles = _Bundles([row.installation for row in rows], catalog)
    return [replace(row, installation=bundles.part(row.installation)) for row in rows]


def _with_ids_of_their_own(rows: Iterable[Row]) -> Iterator[Row]:
    """Numbers the ids of copies with the same name (a workload, and a record of which nothing runs)."""
    taken: dict[str, int] = {}
    for row in rows:
        row_id = row.installation.id
        taken[row_id] = number = taken.get(row_id, 0) + 1
        yield row if number == 1 else replace(row, installation=replace(row.installation, id=f"{row_id}#{number}"))


def _installation(
    group: Group, view: View, catalog: Catalog, applications: Mapping[tuple[str, str], Application]
) -> Installation:
    """The owner is that of the winning claim; the id contains the name of the first workload that proves the add-on."""
    claims = by_precedence(group.claims.values())
    sure = claims[:1] if claims and not claims[0].by_label else ()
    owner = sure[0].owner if sure else unclaimed(view, (*group.workloads, *group.objects), labelled=bool(claims))
    seen = read_version(group, owner, catalog)
    anchor = next(iter(group.workloads), None)
    namespace = next(iter(group.namespaces), "")
    name = anchor.name if anchor is not None else _name_of(owner) or group.addon.id
    evidence = (
        *seen.evidence,
        *(item for match in group.matches for item in match.evidence),
        *(Evidence(kind="owner", subject=str(claim.owner), detail=claim.evidence) for claim in claims),
        *_cluster_wide(group),
        *(Evidence(kind="declared", subject=str(one), detail=said(one), ref=one.ref) for one in group.declarations),
    )
    return Installation(
        id="/".join(filter(None, (group.addon.id, namespace, name))),
        addon=group.addon.id,
        name=group.addon.name,
        version=seen.version,
        version_unknown_reason=seen.unknown_reason,
        chart=seen.chart,
        chart_version=seen.chart_version,
        upstream_version=seen.upstream,
        owner=owner,
        configuration=_configuration(group, owner, applications),
        claims=claims,
        namespaces=group.namespaces,
        workloads=tuple(dict.fromkeys(workload.ref for workload in group.workloads)),
        evidence=tuple(dict.fromkeys(evidence)),
        declarations=tuple(dict.fromkeys(group.declarations)),
    )


def _cluster_wide(group: Group) -> Iterator[Evidence]:
    for thing in group.objects:
        kind = "crd" if isinstance(thing, CustomResourceDefinition) else "webhook"
        yield Evidence(kind=kind, subject=thing.name, detail=thing.ref.kind, ref=thing.ref)


def _name_of(owner: Owner) -> str:
    match owner:
        case owners.Manifest() | owners.AwsManaged() | owners.Undetermined():
            return ""
        case _:
            return owner.name


def _configuration(group: Group, owner: Owner, applications: Mapping[tuple[str, str], Application]) -> str:
    """Where the settings are kept, in the installer's terms. For people only: no code parses it."""
    match owner:
        case owners.EksAddon():
            unset = group.eks is not None and group.eks.is_configured is False
            return f"configurationValues of {owner}" + (" (none set)" if unset else "")
        case owners.ArgoApplication():
            app = applications.get((owner.namespace, owner.name))
            return f"{app.repository} {app.chart or app.path} at {app.target_revision or 'HEAD'}" if app else str(owner)
        case owners.FluxHelmRelease():
            return f"values of {owner}"
        case owners.FluxKustomization():
            return f"source of {owner}"
        case owners.HelmRelease():
            charts = ", ".join(f"{release.chart} {release.chart_version}" for release in group.releases)
            return f"values of {owner}" + (f" ({charts})" if charts else "")
        case owners.Manifest(manager=manager):
            return "the applied manifests" if manager else "the files given"
    return ""


# ── Bundles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Bundles:
    """The installation of a bundle that a part belongs to.

    The first one that has the same owner, was applied by hand like the part, or shares a namespace with it.
    """

    def __init__(self, rows: Sequence[Installation], catalog: Catalog) -> None:
        self._first: dict[tuple[str, object], int] = {}
        self._rows = rows
        for number, row in enumerate(rows):
            for addon in catalog.addons[row.addon].bundles:
                for mark in _marks(row):
                    self._first.setdefault((addon, mark), number)

    def part(self, row: Installation) -> Installation:
        """The row with the id of the bundle that it is part of; unchanged if it is part of none."""
        found = [self._first.get((row.addon, mark)) for mark in _marks(row)]
        number = min((each for each in found if each is not None), default=None)
        return row if number is None else replace(row, part_of=self._rows[number].id)


def _marks(row: Installation) -> Iterator[object]:
    yield row.owner
    yield from row.namespaces
    if row.method in _BY_HAND:
        yield "installed by hand", ""


def in_order(rows: Iterable[Installation]) -> tuple[Installation, ...]:
    """Sorted by add-on; the parts of a bundle follow it."""
    listed = sorted(rows, key=lambda row: (row.addon, row.id))
    parts: dict[str, list[Installation]] = {}
    for row in listed:
        parts.setdefault(row.part_of, []).append(row)

    def with_parts(row: Installation) -> Iterator[Installation]:
        yield row
        for part in parts.get(row.id, ()):
            yield from with_parts(part)

    ordered = tuple(each for row in parts.get("", ()) for each in with_parts(row))
    assert len(ordered) == len(listed), f"{len(listed) - len(ordered)} rows are parts of each other"
    return ordered
