"""The smaller documents of the command line: snapshots, catalogue answers, what `doctor` found; and their dumping.

Keys are part of the JSON interface `addonctl/v1` (docs/reference/json.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import IO, TYPE_CHECKING, Any

import msgspec

from addonctl import compatibility, versions
from addonctl.assessment import Assessment
from addonctl.catalog import Catalog, Check
from addonctl.errors import AddonctlError, BadInput
from addonctl.findings import CODES
from addonctl.inventory import take_inventory
from addonctl.model import Installation, Snapshot
from addonctl.render.documents import SCHEMA

if TYPE_CHECKING:
    from addonctl.apps.wiring import LiveSource


def dump(document: Any, output: str) -> str:
    """A document as JSON (indented) or YAML."""
    encoded = msgspec.json.encode(document)
    if output == "json":
        return msgspec.json.format(encoded, indent=2).decode() + "\n"
    import yaml

    return yaml.safe_dump(msgspec.json.decode(encoded), sort_keys=False, allow_unicode=True, width=120)


def snapshot_counts(snapshot: Snapshot) -> dict[str, Any]:
    """How many objects of each kind a snapshot holds."""
    parts = {field.name: getattr(snapshot, field.name) for field in fields(snapshot)}
    counts = {name: len(part) for name, part in parts.items() if isinstance(part, tuple)}
    return {
        "schema": SCHEMA, "kind": "Snapshot", "cluster": asdict(snapshot.cluster), "taken": snapshot.taken,
        "eks": snapshot.eks is not None, "counts": {key: n for key, n in counts.items() if n and key != "gaps"},
        "gaps": [asdict(gap) for gap in snapshot.gaps],
    }  # fmt: skip


def snapshot_changes(old: Snapshot, new: Snapshot, catalog: Catalog) -> dict[str, Any]:
    """Add-ons that came, went, or changed version, method or owner between two snapshots."""
    before = {row.id: row for row in take_inventory(old, catalog).installations}
    after = {row.id: row for row in take_inventory(new, catalog).installations}
    changed = [
        {"id": row_id, "addon": row.addon, "what": what, "old": was, "new": now}
        for row_id, row in after.items()
        if row_id in before
        for what, was, now in _differences(before[row_id], row)
    ]
    return {
        "schema": SCHEMA, "kind": "SnapshotDiff",
        "added": [_brief(row) for row_id, row in after.items() if row_id not in before],
        "removed": [_brief(row) for row_id, row in before.items() if row_id not in after],
        "changed": changed,
    }  # fmt: skip


def _differences(was: Installation, now: Installation) -> Iterable[tuple[str, str | None, str | None]]:
    if was.version != now.version:
        yield "version", was.version, now.version
    if was.owner != now.owner:
        yield "owner", was.owner, now.owner
    if was.namespaces != now.namespaces:
        yield "namespaces", ", ".join(was.namespaces), ", ".join(now.namespaces)


def _brief(row: Installation) -> dict[str, Any]:
    return {"id": row.id, "addon": row.addon, "version": row.version, "owner": row.owner}


def catalog_list(catalog: Catalog) -> dict[str, Any]:
    """All entries of the catalogue, and the EKS add-ons that have none."""
    mine = {name for addon in catalog.addons.values() if addon.install.eks for name in (addon.install.eks.name,)}
    return {
        "schema": SCHEMA, "kind": "Catalog", "as_of": catalog.eks.as_of, "addons": [
            {
                "addon": addon.id, "name": addon.name, "category": addon.category,
                "eks": addon.install.eks.name if addon.install.eks else None,
                "charts": [chart.name for chart in addon.install.charts], "as_of": addon.as_of,
            }
            for addon in catalog.addons.values()
        ],
        "eks_only": sorted(catalog.eks.addons.keys() - mine),
    }  # fmt: skip


def catalog_entry(catalog: Catalog, name: str) -> dict[str, Any]:
    """The whole entry, without what it leaves empty."""
    addon, eks = catalog.require(name)
    entry: dict[str, Any] = {"schema": SCHEMA, "kind": "AddOn"}
    if addon is not None:
        entry |= {key: value for key, value in asdict(addon).items() if value not in ((), "", None)}
    if eks is not None:
        newest = [version.version for version in eks.versions[:1]]
        entry["eks_addon"] = {
            "name": eks.name, "type": eks.type, "owner": eks.owner, "publisher": eks.publisher,
            "namespace": eks.namespace, "versions": len(eks.versions), "newest": newest[0] if newest else None,
            "kubernetes": sorted(eks.minors, key=versions.minor_key), "as_of": catalog.eks.as_of,
            "source": catalog.eks.source,
        }  # fmt: skip
    return entry


def catalog_versions(catalog: Catalog, name: str, kubernetes: str) -> dict[str, Any]:
    """AWS's versions of an add-on, newest first; only those for `kubernetes` if given."""
    _, eks = catalog.require(name)
    if eks is None:
        raise BadInput(f"{name} is no EKS add-on: AWS lists no versions of it", "Upstream: `addonctl catalog show`.")
    minor = ".".join(map(str, versions.minor_key(kubernetes))) if kubernetes else ""
    return {
        "schema": SCHEMA, "kind": "AddOnVersions", "addon": eks.name, "kubernetes": minor or None,
        "as_of": catalog.eks.as_of, "source": catalog.eks.source, "versions": [
            {
                "version": entry.version, "default": minor in entry.default_for if minor else bool(entry.default_for),
                "default_for": entry.default_for,
                "kubernetes": sorted(entry.kubernetes, key=versions.minor_key),
                "platform_versions": {k: v for k, v in entry.kubernetes.items() if v != "*"},
                "architectures": entry.architectures, "compute_types": entry.compute_types,
                "requires_configuration": entry.requires_configuration, "requires_iam": entry.requires_iam,
            }
            for entry in eks.versions
            if not minor or minor in entry.kubernetes
        ],
    }  # fmt: skip


def check_document(check: Check) -> dict[str, Any]:
    """One answer of `catalog check`."""
    return {"schema": SCHEMA, "kind": "Check", **asdict(check)}


def check_stream(catalog: Catalog, lines: IO[str], out: IO[str]) -> None:
    """One line of JSON for each line `ADDON VERSION KUBERNETES`; a bad line is answered, not fatal."""
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        out.write(msgspec.json.encode(_check_line(catalog, words)).decode() + "\n")


_WORDS = 3


def _check_line(catalog: Catalog, words: list[str]) -> dict[str, Any]:
    if len(words) == _WORDS:
        try:
            return check_document(catalog.check(*words))
        except AddonctlError as error:
            reason = error.what
    else:
        reason = "a line is ADDON VERSION KUBERNETES"
    padded = (*words, "", "", "")[:_WORDS]
    return {
        "schema": SCHEMA, "kind": "Check", "addon": padded[0], "version": padded[1], "kubernetes": padded[2],
        "answer": "unknown", "reason": reason, "source": "", "as_of": "",
    }  # fmt: skip


def doctor(source: "LiveSource") -> list[Mapping[str, str]]:
    """What can be reached and read: rows of `what`, `answer` (yes, no), `detail`."""
    from addonctl.adapters import api_reader, decoders

    try:
        connection = source.connection()
        checks = api_reader.doctor(connection, decoders.KINDS)
    except AddonctlError as error:
        return [{"what": "Kubernetes API", "answer": "no", "detail": str(error)}]
    return [asdict(check) for check in checks]


def codes(code: str = "") -> dict[str, Any]:
    """The table of findings, or one entry of it. Raises BadInput for a code that there is not."""
    wanted = code.upper()
    if wanted and wanted not in CODES:
        raise BadInput(f"No finding has the code {code!r}", "See `addonctl findings explain` for all of them.")
    entries = [asdict(entry) for entry in CODES.values() if wanted in ("", entry.code)]
    return {"schema": SCHEMA, "kind": "FindingCodes", "codes": entries}


# Kubernetes minors of a matrix without a cluster: this many up to the newest on EKS.
_MATRIX_MINORS = 6


def matrix(catalog: Catalog, addons: Iterable[str], kubernetes: str, target: str) -> tuple[Check, ...]:
    """Versions of `addons` against the minors from `kubernetes` to `target`; those that EKS offers if left out."""
    newest = target or catalog.kubernetes.newest_on_eks
    known = sorted((release.version for release in catalog.kubernetes.releases), key=versions.minor_key)
    compatibility.require_minor(newest)
    oldest = kubernetes or known[-_MATRIX_MINORS]
    span = versions.minor_key(oldest), versions.minor_key(newest)
    minors = tuple(minor for minor in (*known, newest) if span[0] <= versions.minor_key(minor) <= span[1])
    return compatibility.matrix(catalog, addons, tuple(dict.fromkeys(minors)) or (newest,))


def narrowed(assessment: Assessment, addon: str) -> Assessment:
    """The assessment with only the dependencies that touch `addon` (its id, or that of an installation of it).

    Raises BadInput where it is not installed.
    """
    if not addon:
        return assessment
    graph = assessment.dependencies
    mine = {row.id for row in assessment.inventory.installations if addon in (row.addon, row.id)}
    if not mine:
        there = ", ".join(sorted({row.addon for row in assessment.inventory.installations}))
        raise BadInput(f"{addon!r} is not installed here", f"There are: {there or 'none'}.")
    kept = replace(
        graph,
        addons=tuple(each for each in graph.addons if {each.source, each.target} & mine),
        edges=tuple(e for e in graph.edges if {graph.owners.get(e.source), graph.owners.get(e.target)} & mine),
    )
    return replace(assessment, dependencies=kept)
