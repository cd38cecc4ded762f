"""The JSON interface `addonctl/v1`: documents that are the same from the CLI and the library.

Keys are documented in docs/reference/json.md, which a test compares. An unknown value is null with a reason beside it,
never a made-up number. A typed value with a label (a subject, an owner) is included as both: `subject` is the label,
`subject_ref` the value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import IO, Any

import msgspec

import addonctl
from addonctl.assessment import Assessment, of, of_health
from addonctl.catalog import Catalog, Cell
from addonctl.changes import InventoryChanges
from addonctl.ecosystem import EcosystemAnalysis, dependency_analysis
from addonctl.errors import AddonctlError, BadInput
from addonctl.findings import CHECKS, Capability
from addonctl.lifecycle import LifecycleAction, LifecycleManagement, of_lifecycle
from addonctl.model import (
    Action,
    Claim,
    Declaration,
    Edge,
    Finding,
    Gap,
    Installation,
    ObjectHealth,
    Place,
    Severity,
    Snapshot,
)
from addonctl.model.plan import Plan, Step
from addonctl.preflight import Prepared
from addonctl.render.commands import action_text, fix_text
from addonctl.render.intake import is_lost
from addonctl.versions import Minor, Version

SCHEMA = "addonctl/v1"
DUE = {severity: severity.due.value for severity in Severity}

Document = dict[str, Any]


def plain(value: Any) -> Any:
    """Values of the model as dicts, lists and scalars; versions and the like as strings."""
    return msgspec.to_builtins(value, enc_hook=str, str_keys=True)


def dump(document: Any, output: str) -> str:
    """A document as JSON (indented) or YAML."""
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2).decode() + "\n"
    import yaml

    return yaml.safe_dump(plain(document), sort_keys=False, allow_unicode=True, width=120)


# ── Assessments ─────────────────────────────────────────────────────────────────────────────────────────────────


def analysis_document(assessment: Assessment, analysis: EcosystemAnalysis) -> Document:
    """`addonctl analyze -o json`."""
    front = plain(analysis)
    return {
        **envelope(assessment, "Analysis"),
        **front,
        **_findings(assessment),
        "recommendations": [_placed(assessment, f) for f in assessment.findings if f.severity is not Severity.INFO],
        "checks": [cell(each) for row in assessment.compatibility.cells.values() for each in row],
        "installations": [installation_document(addon.installation) for addon in assessment.addons],
        "unrecognised": plain(assessment.inventory.unrecognised),
        "not_in_catalog": [declaration_document(each) for each in assessment.inventory.not_in_catalog],
        "stale_knowledge": list(assessment.stale),
    }


def inventory_document(assessment: Assessment) -> Document:
    """`addonctl inventory -o json`."""
    return {
        **envelope(assessment, "Inventory"),
        "installations": [installation_document(addon.installation) for addon in assessment.addons],
        "unrecognised": plain(assessment.inventory.unrecognised),
        "not_in_catalog": [declaration_document(each) for each in assessment.inventory.not_in_catalog],
        **_findings(assessment.about(of(Capability.INVENTORY))),
    }


def findings_document(assessment: Assessment) -> Document:
    """`addonctl findings -o json`."""
    return {**envelope(assessment, "Findings"), **_findings(assessment)}


def health_document(assessment: Assessment) -> Document:
    """`addonctl health -o json`."""
    health = assessment.health
    return {
        **envelope(assessment, "Health"),
        "score": health.score,
        "coverage": health.coverage,
        "addons": plain(health.addons),
        "objects": [object_document(each) for each in assessment.objects],
        "probes": plain(assessment.probes),
        **_findings(assessment.about(of_health)),
    }


def compatibility_document(assessment: Assessment) -> Document:
    """`addonctl compat -o json`."""
    return {
        **envelope(assessment, "Compatibility"),
        "cells": [cell(each) for row in assessment.compatibility.cells.values() for each in row],
        **_findings(assessment.about(of(Capability.COMPATIBILITY))),
    }


def dependencies_document(assessment: Assessment) -> Document:
    """`addonctl deps -o json`: `edges` between objects, and the dependencies between add-ons."""
    return {
        **envelope(assessment, "Dependencies"),
        "edges": [edge_document(edge) for edge in assessment.dependencies.edges],
        "addons": dependency_analysis(assessment),
        **_findings(assessment.about(of(Capability.DEPENDENCIES))),
    }


def plan_document(prepared: Prepared) -> Document:
    """A plan; each step with its change and its way back as text and as actions; and what preflight found."""
    plan = prepared.plan
    return {
        "schema": SCHEMA,
        "kind": "Plan",
        "id": plan.id,
        **plain(plan),
        "steps": [step_document(step) for step in plan.steps],
        "findings": [finding_document(found) for found in prepared.findings],
        "accepted": sorted(prepared.accepted),
        "recommended": not prepared.refusals,
    }


def plan_differences(old: Plan, new: Plan) -> Document:
    """`addonctl plan --diff FILE`: what a saved plan has otherwise, key by key; null where one has none."""
    was, now = (dict(_flat(plain(replace(each, made=each.made.min)))) for each in (old, new))
    differ = [key for key in dict.fromkeys((*was, *now)) if was.get(key, ...) != now.get(key, ...)]
    differ = [key for key in differ if not key.endswith(_KEPT)]
    rows = [{"key": key, "was": was.get(key), "now": now.get(key)} for key in differ]
    return {"schema": SCHEMA, "kind": "PlanDiff", "was": old.id, "now": new.id, "changed": rows}


_KEPT = (".configuration.was", ".configuration.goal")  # where a configuration is kept, which each plan does anew


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves with their paths: `steps[0].waves[1].instances`."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{key}[{place}]")
    else:
        yield key, value


def step_document(step: Step) -> Document:
    """A step of a plan, its change and its way back as text and as actions."""
    document: Document = plain(step)
    actions, undo = document.pop("do"), document["undo"]
    owner = {"owner": str(step.owner), "owner_ref": document["owner"]}
    back = {"undo": action_text(step.undo), "undo_actions": undo}
    return {**document, **owner, "fix": action_text(step.do), **back, "actions": actions}


def lifecycle_document(assessment: Assessment, found: LifecycleManagement) -> Document:
    """`addonctl lifecycle -o json`: actions are written as text and as values, as in a plan."""
    return {
        **envelope(assessment, "Lifecycle"),
        **plain(found),
        "lifecycle_actions": [_lifecycle_action(each) for each in found.lifecycle_actions],
        **_findings(assessment.about(of_lifecycle)),
    }


def _lifecycle_action(each: LifecycleAction) -> Document:
    document: Document = plain(each)
    choices = zip(document["alternative_solutions"], each.alternative_solutions, strict=True)
    document["action"] |= _written(document["action"], each.action.do)
    document["alternative_solutions"] = [known | _written(known, choice.do) for known, choice in choices]
    if each.rollback_plan is None:
        steps = zip(document["migration_plan"], each.migration_plan, strict=True)
        document["migration_plan"] = [known | _written(known, (step.do,)) for known, step in steps]
        del document["rollback_plan"]
        return document
    document["rollback_plan"] |= _written(document["rollback_plan"], each.rollback_plan.do)
    del document["migration_plan"]
    return document


def _written(document: Document, do: Sequence[Action]) -> Document:
    """Actions as text and as values; they stand in the place of `do`."""
    del document["do"]
    return {"fix": action_text(do), "actions": plain(do)}


def envelope(assessment: Assessment, kind: str) -> Document:
    return {
        "schema": SCHEMA,
        "kind": kind,
        "cluster": plain(assessment.cluster),
        "as_of": assessment.day.isoformat(),
        "kubernetes": plain(assessment.kubernetes),
        "gaps": plain(assessment.gaps),
        "intake": plain(assessment.snapshot.intake),
    }


def _findings(assessment: Assessment) -> Document:
    return {
        "findings": [_placed(assessment, found) for found in assessment.findings],
        "waived": [
            {**_placed(assessment, waived.finding), "waiver": plain(waived.waiver)} for waived in assessment.waived
        ],
        "since": plain(assessment.since),
    }


def _placed(assessment: Assessment, found: Finding) -> Document:
    return finding_document(found, assessment.places(found))


def finding_document(found: Finding, places: Sequence[Place] = ()) -> Document:
    """One finding, with the title of its code, when to act, its cause, and its fix as text and as actions.

    `places` are where its objects stand in files.
    """
    check = CHECKS[found.code]
    return {
        "id": found.id,
        "code": found.code,
        "severity": found.severity.value,
        "title": check.title,
        "capability": check.capability.value,
        "subject": str(found.subject),
        "subject_ref": plain(found.subject),
        "evidence": plain(found.evidence),
        "where": [str(place) for place in places],
        "places": plain(places),
        "cause": found.cause,
        "due": DUE[found.severity],
        "fix": fix_text(found),
        "actions": plain(found.fix),
    }


def installation_document(row: Installation) -> Document:
    """One installation in the JSON interface."""
    document: Document = plain(row)
    return {
        **document,
        "version": str(row.version) if row.version else None,
        "chart_version": str(row.chart_version) if row.chart_version else None,
        "declarations": [declaration_document(each) for each in row.declarations],
        "method": row.method.value,
        "owner": str(row.owner),
        "owner_ref": document["owner"],
        "claims": [_claim(claim) for claim in row.claims],
    }


def declaration_document(each: Declaration) -> Document:
    """One declaration, with the owner that it makes."""
    return {**plain(each), "owner": str(each.owner)}


def _claim(claim: Claim) -> Document:
    return {
        "method": claim.method.value,
        "owner": str(claim.owner),
        "owner_ref": plain(claim.owner),
        "evidence": claim.evidence,
    }


def edge_document(edge: Edge) -> Document:
    """One edge between objects."""
    return {
        "from": str(edge.source),
        "to": str(edge.target),
        "type": edge.type.value,
        "strength": edge.strength.value,
        "hurts": edge.affects.value,
        "evidence": edge.evidence,
        "from_group": edge.source.group,
        "to_group": edge.target.group,
    }


def object_document(each: ObjectHealth) -> Document:
    """The health of one object."""
    return {
        "api_version": each.api_version,
        "kind": each.ref.kind,
        "namespace": each.ref.namespace,
        "name": each.ref.name,
        "health": each.health.value,
        "reason": each.reason,
        "rule": each.rule,
    }


def cell(each: Cell) -> Document:
    """One answer: an add-on version with a Kubernetes minor."""
    return {
        **plain(each),
        "version": str(each.version) if each.version else None,
        "kubernetes": str(each.kubernetes) if each.kubernetes else None,
    }


# ── Snapshots ───────────────────────────────────────────────────────────────────────────────────────────────────


def snapshot_document(snapshot: Snapshot) -> Document:
    """How many objects of each kind a snapshot holds."""
    parts = {field.name: getattr(snapshot, field.name) for field in fields(snapshot)}
    counts = {name: len(part) for name, part in parts.items() if isinstance(part, tuple)}
    return {
        "schema": SCHEMA,
        "kind": "Snapshot",
        "cluster": plain(snapshot.cluster),
        "taken": plain(snapshot.taken),
        "eks": snapshot.eks is not None,
        "counts": {key: n for key, n in counts.items() if n and key != "gaps"},
        "gaps": plain(snapshot.gaps),
    }


def changes_document(changes: InventoryChanges) -> Document:
    """What changed among the add-ons between two snapshots."""
    return {
        "schema": SCHEMA,
        "kind": "SnapshotDiff",
        "added": [_brief(row) for row in changes.added],
        "removed": [_brief(row) for row in changes.removed],
        "changed": plain(changes.changed),
    }


def _brief(row: Installation) -> Document:
    version = str(row.version) if row.version else None
    return {"id": row.id, "addon": row.addon, "version": version, "owner": str(row.owner)}


# ── The catalog ───────────────────────────────────────────────────────────────────────────────────────────────


def version_document(catalog: Catalog, prices_as_of: date, python: str, libraries: Mapping[str, str]) -> Document:
    """What this is, with what it asks servers, and how old what it knows is."""
    about = {"version": addonctl.__version__, "python": python, "libraries": dict(libraries)}
    knowledge = {"eks_as_of": plain(catalog.eks.as_of), "eks_region": catalog.eks.region}
    knowledge |= {"catalog_as_of": plain(max(addon.as_of for addon in catalog.addons.values()))}
    knowledge |= {"addons": len(catalog.addons), "prices_as_of": plain(prices_as_of)}
    newest = str(max(release.version for release in catalog.kubernetes.releases))
    return {"schema": SCHEMA, "kind": "Version", **about, **knowledge, "newest_kubernetes": newest}


def catalog_document(catalog: Catalog) -> Document:
    """All entries of the catalog, and the EKS add-ons that have none."""
    mine = {addon.install.eks.name for addon in catalog.addons.values() if addon.install.eks}
    return {
        "schema": SCHEMA,
        "kind": "Catalog",
        "as_of": plain(catalog.eks.as_of),
        "addons": [
            {
                "addon": addon.id,
                "name": addon.name,
                "category": addon.category,
                "eks": addon.install.eks.name if addon.install.eks else None,
                "charts": [chart.name for chart in addon.install.charts],
                "as_of": plain(addon.as_of),
            }
            for addon in catalog.addons.values()
        ],
        "eks_only": sorted(catalog.eks.addons.keys() - mine),
    }


def addon_document(catalog: Catalog, name: str) -> Document:
    """Everything known about one add-on, without empty fields."""
    addon, eks = catalog.require(name)
    entry: Document = {"schema": SCHEMA, "kind": "AddOn"}
    if addon is not None:
        entry |= {key: value for key, value in plain(addon).items() if value not in ([], {}, "", None)}
    if eks is not None:
        entry["eks_addon"] = {
            "name": eks.name,
            "type": eks.type,
            "owner": eks.owner,
            "publisher": eks.publisher,
            "namespace": eks.namespace,
            "versions": len(eks.versions),
            "newest": str(eks.versions[0].version) if eks.versions else None,
            "kubernetes": [str(minor) for minor in sorted(eks.minors)],
            "as_of": plain(catalog.eks.as_of),
            "source": catalog.eks.source,
        }
    return entry


def versions_document(catalog: Catalog, name: str, minor: Minor | None) -> Document:
    """AWS's versions of an add-on, newest first; only those for `minor` if given."""
    _, eks = catalog.require(name)
    if eks is None:
        raise BadInput(
            f"{name} is not an EKS add-on: AWS lists no versions of it", f"Upstream: `addonctl catalog show {name}`."
        )
    return {
        "schema": SCHEMA,
        "kind": "AddOnVersions",
        "addon": eks.name,
        "kubernetes": str(minor) if minor else None,
        "as_of": plain(catalog.eks.as_of),
        "source": catalog.eks.source,
        "versions": [
            {
                "version": str(entry.version),
                "default": minor in entry.default_for if minor else bool(entry.default_for),
                "default_for": [str(each) for each in entry.default_for],
                "kubernetes": [str(each) for each in sorted(entry.kubernetes)],
                "platform_versions": {str(k): v for k, v in entry.kubernetes.items() if v != "*"},
                "architectures": entry.architectures,
                "compute_types": entry.compute_types,
                "requires_configuration": entry.requires_configuration,
                "requires_iam": entry.requires_iam,
            }
            for entry in eks.versions
            if minor is None or minor in entry.kubernetes
        ],
    }


def matrix_document(cells: Iterable[Cell]) -> Document:
    """`addonctl matrix ADDON… -o json`."""
    return {"schema": SCHEMA, "kind": "Matrix", "cells": [cell(each) for each in cells]}


def check_document(answer: Cell) -> Document:
    """One answer of `catalog check`."""
    return {"schema": SCHEMA, "kind": "Check", **cell(answer)}


def check_stream(catalog: Catalog, lines: IO[str], out: IO[str]) -> set[str]:
    """One line of JSON for each line `ADDON VERSION KUBERNETES`; a bad line gets an error, and the rest goes on.

    Returns the set of answers: yes, no, unknown.
    """
    answers = set()
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        document = _check_line(catalog, words)
        answers.add(str(document["answer"]))
        out.write(msgspec.json.encode(document).decode() + "\n")
    return answers


_WORDS = 3


def _check_line(catalog: Catalog, words: list[str]) -> Document:
    if len(words) == _WORDS:
        try:
            return check_document(catalog.check(words[0], Version.of(words[1]), Minor.of(words[2])))
        except AddonctlError as error:
            reason = error.what
    else:
        reason = "a line is ADDON VERSION KUBERNETES"
    addon, version, kubernetes = (*words, "", "", "")[:_WORDS]
    answer = {"addon": addon, "version": version, "kubernetes": kubernetes, "answer": "unknown", "reason": reason}
    return {"schema": SCHEMA, "kind": "Check", **answer, "source": "", "as_of": ""}


# ── The registry, and doctor ────────────────────────────────────────────────────────────────────────────────────


def checks_document(code: str = "") -> Document:
    """The registry of checks, or one entry. Raises BadInput for an unknown code."""
    wanted = code.upper()
    if wanted and wanted not in CHECKS:
        raise BadInput(f"No finding has the code {code!r}", "See `addonctl findings explain` for all of them.")
    entries = [plain(check) for check in CHECKS.values() if wanted in ("", check.code)]
    for entry in entries:
        entry["otherwise"] = [{"severity": severity, "when": when} for severity, when in entry["otherwise"]]
    return {"schema": SCHEMA, "kind": "FindingCodes", "codes": entries}


def doctor_document(rows: Iterable[Mapping[str, str]]) -> Document:
    """What can be reached and read: rows of `what`, `answer` (yes, no, skipped), `detail`, `fix`."""
    return {"schema": SCHEMA, "kind": "Doctor", "rows": [dict(row) for row in rows]}


def gap_lines(gaps: Iterable[Gap]) -> tuple[list[Gap], list[str]]:
    """(gaps to explain, lost documents first, and the names of parts that the input file does not contain)."""
    listed = sorted(gaps, key=lambda gap: not is_lost(gap))
    return [gap for gap in listed if not gap.absent], [gap.part.replace("_", " ") for gap in listed if gap.absent]
