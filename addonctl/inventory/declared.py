"""What is declared, joined to what was found: claims and declarations of installations, and rows of their own.

A declaration is of an add-on by its chart or EKS add-on. For this cluster it joins the group that its owner holds, or
the one in its namespace; for another cluster it never joins. What joins nothing is a row with the state `declared`.
Called by the inventory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from addonctl import declarations
from addonctl.catalog import AddOn, Catalog
from addonctl.inventory.grouping import Group, Groups, eks_names
from addonctl.inventory.recognition import Recogniser
from addonctl.inventory.version_evidence import is_apart, of_chart
from addonctl.model import Claim, Declaration, DeclaredBy, Evidence, Installation, State, View, owners
from addonctl.versions import Version

# Objects of a controller that applies what they declare: they are evidence of who owns what is found.
_CONTROLLED = (DeclaredBy.APPLICATION, DeclaredBy.FLUX)


@dataclass(slots=True)
class Declared:
    """Declarations of one add-on that are one row: of one owner, for one destination. `main`: of its main chart."""

    addon: AddOn
    main: bool
    told: list[Declaration] = field(default_factory=list)


def sort_out(view: View, catalog: Catalog, recogniser: Recogniser) -> tuple[list[Declared], tuple[Declaration, ...]]:
    """The declarations of add-ons, and those of charts that the catalog does not have."""
    every = declarations.declared(view)
    themselves = filter(declarations.is_itself, view.snapshot.declarations)
    copies = {_file(each): own[0] for each in themselves if (own := recogniser.charted(each.chart)) is not None}
    found: dict[tuple[object, ...], Declared] = {}
    unknown = []
    for each in every:
        known = _addon_of(each, catalog, recogniser)
        copied = copies.get(_file(each))
        if copied is not None and (known is None or known[0] is not copied):
            continue  # what a copy of an add-on's own chart depends on: its parts
        if known is None:
            if (each.chart or each.eks_addon) and not declarations.is_itself(each):
                unknown.append(each)
            continue
        addon, main = known
        key = (addon.id, each.destination, each.owner, each.namespace, main, each.chart, each.version)
        found.setdefault(key, Declared(addon, main)).told.append(each)
    return list(found.values()), tuple(unknown)


def _file(each: Declaration) -> object:
    return (each.place.file, each.place.member) if each.place else None


def _addon_of(each: Declaration, catalog: Catalog, recogniser: Recogniser) -> tuple[AddOn, bool] | None:
    """The add-on, and whether this is its main chart or the like."""
    if each.eks_addon:
        addon = catalog.find(each.eks_addon)
        return (addon, True) if addon is not None and each.eks_addon in eks_names(addon) else None
    if each.chart:
        known = recogniser.charted(each.chart) or recogniser.charted_from(each.chart, each.repository)
        if known is not None:
            return known[0], known[1].main
        addon = catalog.find(each.chart) if each.by is DeclaredBy.TERRAFORM else None
        return (addon, True) if addon is not None else None
    # A folder: only if both the object and the folder have the name of one add-on.
    addon = catalog.find(each.name)
    same = addon is not None and catalog.find(each.path.rstrip("/").rpartition("/")[2]) is addon
    return (addon, True) if addon is not None and same else None


# ── Joining ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def attach_declarations(found: Iterable[Declared], view: View, groups: Groups) -> list[Declared]:
    """Gives the groups their declarations; returns what nothing was found of."""
    alone = []
    for each in found:
        group = _group_of(each, groups) if not each.told[0].destination else None
        if group is None:
            alone.append(each)
            continue
        group.declarations += each.told
        first = each.told[0]
        if first.by in _CONTROLLED and not group.is_installed and not isinstance(first.owner, owners.Undetermined):
            groups.claim(group, Claim(owner=first.owner, evidence=f"{first} declares it"))
    return alone


def _group_of(each: Declared, groups: Groups) -> Group | None:
    """By its owner or Helm release, else by its namespace, else the only one where there can be only one."""
    addon, first = each.addon.id, each.told[0]
    helm = owners.HelmRelease(first.namespace, first.release or first.name)
    near = groups.owned(addon, first.owner) or groups.owned(addon, helm)
    if near is None and first.namespace:
        near = groups.within(addon, first.namespace)
    if near is None and (each.addon.singleton or not each.main or not first.namespace):
        near = groups.first(addon)
    return near


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def declared_rows(alone: Sequence[Declared], catalog: Catalog, taken: Iterable[str]) -> Iterator[Installation]:
    """One row for each add-on, owner and destination; charts of CRDs and parts join the row of their add-on."""
    mains = {(each.addon.id, each.told[0].destination) for each in alone if each.main}
    ids = dict.fromkeys(taken, 1)
    for each in alone:
        key = each.addon.id, each.told[0].destination
        if not each.main and key in mains:
            continue
        parts = [part for part in alone if not part.main and (part.addon.id, part.told[0].destination) == key]
        if not each.main:
            mains.add(key)
            parts.remove(each)
        row = _row(each, [told for part in parts for told in part.told], catalog)
        ids[row.id] = number = ids.get(row.id, 0) + 1
        yield row if number == 1 else replace(row, id=f"{row.id}#{number}")


def _row(each: Declared, parts: Sequence[Declaration], catalog: Catalog) -> Installation:
    addon, first = each.addon, each.told[0]
    told = (*each.told, *parts)
    version, why, chart_version = version_of(first, addon, catalog) if each.main else (None, _ONLY_PARTS, None)
    owner = first.owner
    name = first.release or first.name
    return Installation(
        id="/".join(filter(None, (addon.id, first.destination, first.namespace, name))),
        addon=addon.id,
        name=addon.name,
        version=version,
        version_unknown_reason=why,
        chart=first.chart,
        chart_version=chart_version,
        upstream_version=version is not None and not is_apart(addon, first.chart),
        owner=owner,
        configuration=_where(first),
        claims=() if isinstance(owner, owners.Undetermined) else (Claim(owner=owner, evidence=f"{first} declares it"),),
        namespaces=(first.namespace,) if first.namespace else (),
        evidence=tuple(Evidence(kind="declared", subject=str(one), detail=said(one), ref=one.ref) for one in told),
        state=State.DECLARED,
        declarations=told,
        destination=first.destination,
    )


_ONLY_PARTS = "only charts of its CRDs or parts are declared"


def version_of(each: Declaration, addon: AddOn, catalog: Catalog) -> tuple[Version | None, str, Version | None]:
    """(the application's version, why it is unknown, the chart's version) of what is declared."""
    written = declarations.pinned(each.version)
    if written is None:
        return None, declarations.why_not_pinned(each), None
    if each.eks_addon:
        return written, "", None
    if not each.chart:
        return None, declarations.why_not_pinned(replace(each, version="")), None
    version, why = of_chart(catalog, addon, each.chart, written, repository=each.repository)
    return version, why, written


def said(each: Declaration) -> str:
    """What is declared, in words: chart, version as written, other cluster."""
    kind = "EKS add-on" if each.eks_addon else "chart" if each.chart else "folder"
    to = f" for {each.destination}" if each.destination else ""
    return f"{kind} {each.what} {each.version}".rstrip() + to


def _where(each: Declaration) -> str:
    if each.eks_addon:
        return f"addons of {each}"
    return f"{each.repository} {each.what} at {each.version or 'the newest'}".strip()
