"""Reports for people: the most severe first, then how to see more. screen.py prints."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from addonctl.assessment import Assessed, Assessment, of
from addonctl.catalog import Answer, Catalog
from addonctl.catalog import Cell as CompatibilityCell
from addonctl.compatibility import KubernetesStatus, Support
from addonctl.dependencies import Dependencies, Dependency, Impact
from addonctl.findings import CHECKS, Capability
from addonctl.model import (
    Affects,
    Finding,
    Gap,
    Health,
    Intake,
    MissingRef,
    Owner,
    Place,
    Severity,
    Snapshot,
    State,
    Strength,
    owners,
)
from addonctl.model.plan import OpenQuestion, Step
from addonctl.preflight import Prepared
from addonctl.remediation import upgrade_control_plane
from addonctl.render.commands import action_lines, fix_lines
from addonctl.render.documents import dump, gap_lines, snapshot_document
from addonctl.render.drawing import Label, labels, nodes
from addonctl.render.escaping import plain
from addonctl.render.grades import UNKNOWN, grade, says_something
from addonctl.render.intake import LOST_SHOWN, gap_detail, is_lost, places, summary
from addonctl.render.rows import counted_addons, elsewhere, is_elsewhere, not_in_catalog, version_of
from addonctl.render.screen import (
    BAD,
    CALM,
    FAIR,
    GOOD,
    QUIET,
    Style,
    actions,
    counted,
    note,
    print_line,
    say,
    table,
    title,
    waves_of,
    width,
)
from addonctl.render.tables import MARK, Cell, Column, Fit, wrap
from addonctl.versions import Minor

if TYPE_CHECKING:
    pass

_SEVERITY = {Severity.REQUIRED: BAD, Severity.RECOMMENDED: FAIR, Severity.INFO: CALM}
_ANSWER = {Answer.YES: GOOD, Answer.NO: BAD, Answer.UNKNOWN: QUIET}
_STATE = {
    Health.HEALTHY: GOOD,
    Health.PROGRESSING: FAIR,
    Health.DEGRADED: BAD,
    Health.MISSING: BAD,
    Health.SUSPENDED: CALM,
}
_ROW = {"yes": GOOD, "no": BAD}
_GRADE = {"good": GOOD, "fair": FAIR, "bad": BAD}
# Evidence of a finding beyond this is counted; `-o json` has all of it.
_EVIDENCE_SHOWN = 3
# Parts that a role may not read, each with what it needs; more of them are named in one line.
_FORBIDDEN_SHOWN = 3
# Of a cluster in trouble, this many objects fill a screen; the rest is counted.
_OBJECTS_SHOWN = 20
_INDENT = " " * 12


# ── analyze and inventory ───────────────────────────────────────────────────────────────────────────────────────


def analysis(assessment: Assessment, style: Style) -> None:
    """The report of `addonctl analyze`."""
    if not style.headers:
        _addons(assessment, style)
        return
    _headline(assessment)
    for stale in assessment.stale:
        say(f"Note: {stale}.", FAIR)
    _findings(assessment, style)
    title("ADD-ONS")
    _addons(assessment, style)
    _unrecognised(assessment)
    gaps(assessment.gaps, style, assessment.snapshot.intake)
    _ending(assessment)
    if assessment.cluster.demo:
        print_line()
        say("This is the demo cluster that comes with addonctl. Your own:")
        print_line(Cell("addonctl analyze --context YOUR-CONTEXT"))


_LONG = 20  # findings and add-ons: more have pushed the headline off the screen


def _ending(assessment: Assessment) -> None:
    """The summary again, where it is no longer to be seen."""
    if len(assessment.findings) + len(assessment.addons) > _LONG:
        title(_summary(assessment))


def _headline(assessment: Assessment, about: str = "") -> None:
    """`about`: what alone is judged below, which is not how the add-ons are."""
    status, cluster = assessment.kubernetes, assessment.cluster
    demo = "DEMO  " if cluster.demo else ""
    say(f"{demo}{cluster.name}  ·  {kubernetes_line(status)}", "bold")
    say(_summary(assessment, about))


def kubernetes_line(status: KubernetesStatus) -> str:
    """`Kubernetes 1.34, standard support until 2026-12-02`."""
    if not status.running:
        return f"Kubernetes version unknown: {status.reason}"
    if status.support is Support.UNKNOWN or status.ends is None:
        return f"Kubernetes {status.running}, support unknown: {status.reason}"
    if status.support is Support.UNSUPPORTED:
        return f"Kubernetes {status.running}, not supported by EKS since {status.ends}"
    return f"Kubernetes {status.running}, {status.support.value} support on EKS until {status.ends}"


def _summary(assessment: Assessment, about: str = "") -> str:
    health = assessment.health
    how = "health unknown: no state was read"
    if health.score is not None:
        known = says_something(health.score, health.coverage)
        how = f"health {f'{health.score} of 100' if known else UNKNOWN} ({health.coverage} % coverage)"
    said = f"{about}: {_counts(assessment)}" if about else _counts(assessment)
    unread = sum(not gap.absent for gap in assessment.gaps)
    missing = f"; {counted(unread, 'part')} not read (below)" if unread else ""
    return f"{counted_addons(assessment)}; {how}; {said}{missing}"


def _counts(assessment: Assessment) -> str:
    """`2 required, 1 info`."""
    counts = dict.fromkeys(reversed(Severity), 0)
    for found in assessment.findings:
        counts[found.severity] += 1
    unread = any(not gap.absent for gap in assessment.gaps)
    none = "no findings" + (" in what could be read" if unread else "")
    return ", ".join(f"{count} {severity.value}" for severity, count in counts.items() if count) or none


def _findings(assessment: Assessment, style: Style) -> None:
    """Required findings with evidence and fix; the others on one line each, unless `wide`."""
    if assessment.findings:
        since = f" (new since {assessment.since:%Y-%m-%d %H:%M} UTC)" if assessment.since else ""
        title(f"FINDINGS{since}")
    cut = False
    for found in assessment.findings:
        effect = found.cause in assessment.by_id
        if style.wide or found.severity is Severity.REQUIRED:
            one_finding(found, assessment.places(found), effect=effect)
        else:
            cut = True
            brief(found, assessment.places(found), effect=effect)
    if cut:
        say("More about one: addonctl findings explain CODE; evidence and fixes of all: -o wide", QUIET)
    _waived(assessment, style)


def _head(found: Finding, *, effect: bool, more: str = "") -> None:
    """The line of a finding; an effect is marked, below its cause."""
    severity = f"{found.severity.value.upper():<12}"
    mark = "└ effect: " if effect else ""
    text = f"{mark}{found.code}  {found.subject}: {CHECKS[found.code].title}"
    columns = width()
    first, *rest = wrap(plain(text), columns - len(severity)) if columns else [plain(text)]
    print_line(Cell(severity, _SEVERITY[found.severity]), Cell(first))
    for line in rest:
        print_line(Cell(_INDENT + line))
    if more:
        say(more, QUIET, _INDENT)


def brief(found: Finding, stands: Sequence[Place] = (), *, effect: bool) -> None:
    """On one line, and its first evidence."""
    _head(found, effect=effect, more=_first_evidence(found))
    _where(stands)


def _where(stands: Sequence[Place]) -> None:
    if stands:
        say(f"in {places(stands)}", QUIET, _INDENT)


def _first_evidence(found: Finding) -> str:
    """The first observation, with what it is of where the subject does not say that, and how many more there are."""
    if not found.evidence:
        return ""
    first, others = found.evidence[0], len(found.evidence) - 1
    itself = (found.subject, found.subject.source) if isinstance(found.subject, MissingRef) else (found.subject,)
    if first.kind != "owner" and (first.ref is None or first.ref in itself):
        return first.detail
    return f"{first.subject}: {first.detail}" + (f" (and {others} more)" if others else "")


def one_finding(found: Finding, stands: Sequence[Place] = (), *, effect: bool = False) -> None:
    """With the first of its evidence and its fix."""
    _head(found, effect=effect)
    for item in found.evidence[:_EVIDENCE_SHOWN]:
        say(f"{item.subject}: {item.detail}" if item.detail else item.subject, QUIET, _INDENT)
    if len(found.evidence) > _EVIDENCE_SHOWN:
        say(f"… and {len(found.evidence) - _EVIDENCE_SHOWN} more", QUIET, _INDENT)
    _where(stands)
    actions(fix_lines(found), "→ ", _INDENT)


def _waived(assessment: Assessment, style: Style) -> None:
    if not assessment.waived:
        return
    if not style.waived:
        say(f"{counted(len(assessment.waived), 'finding')} waived; --show-waived lists them", QUIET)
        return
    title("WAIVED")
    columns = (Column("CODE"), Column("UNTIL"), Column("SUBJECT", Fit.CUT), Column("REASON", Fit.WRAP))
    table(
        columns,
        [(w.finding.code, str(w.waiver.until), str(w.finding.subject), w.waiver.reason) for w in assessment.waived],
    )


def inventory(assessment: Assessment, style: Style) -> None:
    """The table of `addonctl inventory`."""
    _addons(assessment, style)
    if not style.headers:
        return
    _unrecognised(assessment)
    if assessment.findings:
        print_line()
    for found in assessment.about(of(Capability.INVENTORY)).findings:
        one_finding(found, assessment.places(found))
    _waived(assessment, style)
    gaps(assessment.gaps, style, assessment.snapshot.intake)


def _addons(assessment: Assessment, style: Style) -> None:
    status = assessment.kubernetes
    columns = [
        Column("ADD-ON", Fit.LAST),
        Column("VERSION"),
        Column(str(status.running or "NOW")),
        Column(str(status.target or "NEXT")),
        Column("HEALTH"),
        Column("METHOD", drop=1),
        Column("OWNER", Fit.CUT, drop=2),
        Column("NAMESPACE", Fit.CUT, drop=3),
    ]
    if style.wide:
        columns += [
            Column("WORKLOADS", Fit.WRAP, drop=7),
            Column("CONFIGURATION", Fit.CUT, drop=6),
            Column("PART OF", Fit.CUT, drop=5),
            Column("VERSION FROM", Fit.CUT, drop=4),
        ]
    here = [addon for addon in assessment.addons if not is_elsewhere(addon.installation)]
    table(columns, [_addon(addon, style) for addon in here], headers=style.headers)
    if style.headers:
        _declared_otherwise(assessment)


def _declared_otherwise(assessment: Assessment) -> None:
    """What is declared for other clusters, and what the catalog does not have."""
    others = list(elsewhere(assessment.inventory.declared))
    if others:
        title("DECLARED FOR OTHER CLUSTERS (not judged here)")
        table((Column("CLUSTER", Fit.WRAP), Column("ADD-ONS", Fit.WRAP)), others, headers=False)
    if assessment.inventory.not_in_catalog:
        say(f"Declared, and not in the catalog: {not_in_catalog(assessment.inventory.not_in_catalog)}", QUIET)


def _addon(addon: Assessed, style: Style) -> list[Cell | str]:
    row = addon.installation
    cells: list[Cell | str] = [
        f"{'  └ ' if row.part_of else ''}{row.addon}",
        version_of(row),
        _answer(addon.running),
        _answer(addon.target),
        _row_health(addon),
        row.method.value,
        _owner_name(row.owner) or (getattr(row.owner, "reason", "") if style.wide else "") or "-",
        ",".join(row.namespaces) or "-",
    ]
    if style.wide:
        why = next((item.detail for item in row.evidence if item.kind == "version"), row.version_unknown_reason)
        workloads = ", ".join(f"{ref.kind}/{ref.name}" for ref in row.workloads)
        cells += [workloads or "-", row.configuration or "-", row.part_of or "-", why]
    return cells


def _owner_name(owner: Owner) -> str:
    """The owner without the words that the METHOD column already has."""
    match owner:
        case owners.EksAddon(name=name):
            return name
        case owners.HelmRelease() | owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
            return "/".join(filter(None, (owner.namespace, owner.name or "?")))
    return str(owner)


def _answer(cell: CompatibilityCell) -> Cell:
    return Cell(cell.answer.value if cell.answer is not Answer.UNKNOWN else "?", _ANSWER[cell.answer])


def _score(score: int | None, coverage: int) -> Cell:
    """The score, `?` where nothing or too little was read."""
    shown = str(score) if says_something(score, coverage) else "?"
    return Cell(shown, _GRADE.get(grade(score, coverage), QUIET))


def _row_health(addon: Assessed) -> Cell:
    if addon.installation.state is State.DECLARED:
        return Cell(State.DECLARED.value, QUIET)
    return _score(addon.health.score, addon.health.coverage)


def _state(health: Health) -> Cell:
    return Cell(health.value, _STATE.get(health, QUIET))


def _unrecognised(assessment: Assessment) -> None:
    found = assessment.inventory.unrecognised
    if not found:
        return
    title("NOT RECOGNISED (system workloads that match no add-on in the catalog)")
    columns = (Column("WORKLOAD", Fit.CUT), Column("WHY LISTED", Fit.CUT), Column("IMAGES", Fit.WRAP, drop=1))
    rows = [(str(item.ref), item.why, ", ".join(item.images)) for item in found]
    table(columns, rows, headers=False)


def gaps(found: tuple[Gap, ...], style: Style, intake: Intake | None = None) -> None:
    """What was not read, with the fix, and what became of files; what the input does not contain is on one line."""
    if not style.headers or (not found and intake is None):
        return
    told, absent = gap_lines(found)
    title("NOT READ (what depends on it is unknown)" if found else "READ")
    forbidden = [gap for gap in told if gap.permission]
    if len(forbidden) > _FORBIDDEN_SHOWN and not style.wide:
        told = [gap for gap in told if not gap.permission]
        say(f"forbidden: {', '.join(gap.part for gap in forbidden)}")
    lost = [gap for gap in told if is_lost(gap)]
    for gap in told if style.wide else (*lost[:LOST_SHOWN], *told[len(lost) :]):
        fix = f"  → grant: {gap.permission}" if gap.permission else ""
        what = "lost" if is_lost(gap) else f"{gap.part}: {gap.reason.value}"
        say(f"{what}: {gap_detail(gap)}{fix}")
    if len(lost) > LOST_SHOWN and not style.wide:
        say(f"… and {counted(len(lost) - LOST_SHOWN, 'lost document')} more; -o wide names all", QUIET)
    if absent:
        say(f"not in the input: {', '.join(absent)}", QUIET)
    if intake is not None:
        say(f"{summary(intake, found)}.")
    if forbidden:
        say("→ `addonctl rbac` prints a role that may read all of it, `addonctl rbac --iam` a policy for AWS")


# ── findings, health, compat, matrix, deps ──────────────────────────────────────────────────────────────────────


def findings(assessment: Assessment, style: Style) -> None:
    """The table of `addonctl findings`; with `wide` each with its evidence and fix."""
    if style.wide:
        for found in assessment.findings:
            one_finding(found, assessment.places(found), effect=found.cause in assessment.by_id)
    elif assessment.findings:
        columns = (
            Column("SEVERITY"),
            Column("CODE"),
            Column("SUBJECT", Fit.WRAP),
            Column("FINDING", Fit.WRAP),
            Column("EVIDENCE", Fit.WRAP, drop=1),
            *((Column("WHERE", Fit.WRAP),) if assessment.view.places else ()),
        )
        table(columns, [_finding_row(assessment, found) for found in assessment.findings], headers=style.headers)
    elif style.headers:
        say(f"{_counts(assessment).capitalize()}.")
    if style.headers:
        _waived(assessment, style)
        gaps(assessment.gaps, style, assessment.snapshot.intake)
        _ending(assessment)


def _finding_row(assessment: Assessment, found: Finding) -> tuple[Cell | str, ...]:
    return (
        Cell(found.severity.value, _SEVERITY[found.severity]),
        found.code,
        f"{MARK} {found.subject}" if found.cause in assessment.by_id else str(found.subject),
        CHECKS[found.code].title,
        _first_evidence(found),
        *((places(assessment.places(found)),) if assessment.view.places else ()),
    )


def checks(document: Mapping[str, Any]) -> None:
    """What a code means; for several, a list of them."""
    entries = document["codes"]
    if len(entries) > 1:
        columns = (Column("CODE"), Column("SEVERITY"), Column("FINDING", Fit.WRAP))
        table(columns, [(e["code"], e["severity"], e["title"]) for e in entries])
        return
    for entry in entries:
        say(f"{entry['code']}  {entry['title']}", "bold")
        rules = "".join(f"; {rule['severity']} if {rule['when']}" for rule in entry["otherwise"])
        say(f"Severity: {entry['severity']}{rules}")
        say(f"Why: {entry['why']}")
        say(f"Fix: {entry['fix']}")
        if entry["parts"]:
            say(f"Reads: {', '.join(part.replace('_', ' ') for part in entry['parts'])}")


def health(assessment: Assessment, style: Style) -> None:
    """Scores with their coverage, then what is unhealthy."""
    if style.headers:
        _headline(assessment)
        print_line()
    columns = [
        Column("ADD-ON", Fit.CUT),
        Column("SCORE"),
        Column("COVERAGE"),
        Column("STATE"),
        Column("WHAT", Fit.WRAP, drop=1),
    ]
    named = labels(each.id for each in assessment.health.addons)
    rows: list[list[Cell | str]] = []
    for each in assessment.health.addons:
        worst = next((a for a in each.aspects if a.health not in (Health.HEALTHY, Health.UNKNOWN)), None)
        unread = ", ".join(f"{a.name} ({a.reason})" for a in each.aspects if a.health is Health.UNKNOWN)
        what = f"{worst.name}: {worst.reason}" if worst else each.unknown_reason
        score = _score(each.score, each.coverage)
        row: list[Cell | str] = [str(named[each.id]), score, f"{each.coverage} %", _state(each.health), what]
        rows.append([*row, unread] if style.wide else row)
    table([*columns, Column("NOT READ", Fit.WRAP, drop=2)] if style.wide else columns, rows, headers=style.headers)
    if style.headers:
        _unhealthy(assessment, style)
        _probes(assessment)
        _findings(assessment, style)
        gaps(assessment.gaps, style, assessment.snapshot.intake)
        _ending(assessment)


def _unhealthy(assessment: Assessment, style: Style) -> None:
    bad = [each for each in assessment.objects if each.health in (Health.DEGRADED, Health.MISSING)]
    if not bad:
        return
    title("UNHEALTHY OBJECTS")
    shown = bad if style.wide else bad[:_OBJECTS_SHOWN]
    columns = (Column("OBJECT", Fit.WRAP), Column("STATE"), Column("WHY", Fit.WRAP))
    table(columns, [(str(each.ref), _state(each.health), each.reason) for each in shown], headers=False)
    if len(bad) > len(shown):
        say(f"… and {len(bad) - len(shown)} more; -o wide lists them", QUIET)


def _probes(assessment: Assessment) -> None:
    if assessment.probes:
        title("PROBES")
    columns = (Column("STATE"), Column("PROBE", Fit.WRAP))
    rows = []
    for probe in assessment.probes:
        latency = f", {probe.latency_ms} ms" if probe.latency_ms is not None else ""
        rows.append((_state(probe.health), f"{probe.addon}: {probe.name}: {probe.detail}{latency}"))
    if rows:
        table(columns, rows, headers=False)


def compatibility(assessment: Assessment, style: Style) -> None:
    """The matrix of installed add-ons, then what blocks the upgrade."""
    if style.headers:
        _headline(assessment, "compatibility")
        print_line()
    here = [each.id for each in assessment.inventory.rows if not is_elsewhere(each)]
    matrix([cell for id in here for cell in assessment.compatibility.cells[id]], style)
    if style.headers:
        _findings(assessment, style)
        gaps(assessment.gaps, style, assessment.snapshot.intake)


def matrix(cells: Iterable[CompatibilityCell], style: Style) -> None:
    """One row per add-on version, one column per minor; `wide` adds the reasons."""
    rows: dict[tuple[str, str], dict[str, CompatibilityCell]] = {}
    for cell in cells:
        rows.setdefault((cell.addon, str(cell.version or "")), {})[str(cell.kubernetes or "")] = cell
    minors = tuple(dict.fromkeys(minor for row in rows.values() for minor in row))
    columns = [Column("ADD-ON", Fit.CUT, drop=2 if len({addon for addon, _ in rows}) == 1 else 0), Column("VERSION")]
    columns += [Column(minor or "NOW") for minor in minors]
    columns += [Column("WHY", Fit.WRAP, drop=1)] if style.wide else []
    shown: list[list[Cell | str]] = []
    for (addon, version), row in rows.items():
        line: list[Cell | str] = [addon, version or "unknown"]
        line += [_answer(row[minor]) if minor in row else "" for minor in minors]
        shown.append([*line, next((c.reason for c in reversed(row.values())), "")] if style.wide else line)
    table(columns, shown, headers=style.headers)
    unknown = any(cell.answer is Answer.UNKNOWN for row in rows.values() for cell in row.values())
    if unknown and style.headers and not style.wide:
        say("?: unknown, which is not a yes; -o wide says why", QUIET)


def dependencies(assessment: Assessment, addon: str, style: Style) -> None:
    """What each add-on needs if one is asked for, else what all need of each; and what its failure affects."""
    graph = assessment.dependencies
    rows = [row.id for row in assessment.inventory.installations if addon in ("", row.addon, row.id)]
    named = labels(dict.fromkeys((*nodes(graph), *(row.id for row in assessment.inventory.installations))))
    places = {each: n for n, each in enumerate(graph.order)}
    for id in rows if addon else sorted(rows, key=lambda each: places.get(each, len(places))):
        lines = list(_needs(graph, id, named) if addon else _needed(graph, id, named))
        lines += _if_it_fails(graph.blast_radius(id), named)
        if lines or addon:
            print_line(Cell(id, "bold"))
        for number, line in enumerate(lines, start=1):
            _branch(line, last=number == len(lines))
    if not addon and graph.order:
        say("What one of them needs itself: addonctl deps ADDON", QUIET)
        title("Update in this order:")
        for number, name in enumerate(graph.order, start=1):
            say(str(named[name]), first=f"{number:>3}. ")
    for found in assessment.findings:
        one_finding(found, assessment.places(found))
    _waived(assessment, style)
    gaps(assessment.gaps, style, assessment.snapshot.intake)


def _needs(graph: Dependencies, id: str, named: Mapping[str, Label]) -> Iterator[str]:
    for each in graph.addons:
        if each.source == id:
            kind, more = _kind(each.strength, each.affects), len(each.via) - 1
            yield f"needs {named[each.target]} ({kind}): {_why(each)}{f' (and {more} more)' if more > 0 else ''}"


def _needed(graph: Dependencies, id: str, named: Mapping[str, Label]) -> Iterator[str]:
    """One line for all that need it in the same way for the same reason."""
    by: dict[tuple[str, str], list[str]] = {}
    for each in graph.addons:
        if each.target == id:
            by.setdefault((_kind(each.strength, each.affects), _why(each)), []).append(str(named[each.source]))
    for (kind, why), sources in by.items():
        yield f"needed by {', '.join(sources)} ({kind}): {why}"


def _if_it_fails(affected: Iterable[Impact], named: Mapping[str, Label]) -> Iterator[str]:
    """One line for all that stop, one for all that lose as much as each other."""
    for lost, same in groupby(affected, key=lambda each: round(100 * each.weight)):
        names = [str(named[each.id]) for each in same]
        stop, lose = ("this stops", "this loses") if len(names) == 1 else ("these stop", "these lose")
        yield f"if it fails, {stop if lost == 100 else f'{lose} {lost} %'}: {', '.join(names)}"


def _branch(text: str, *, last: bool) -> None:
    """One line of a tree, wrapped at words with its own indent."""
    columns = width()
    first, *rest = wrap(plain(text), columns - 3) if columns else [plain(text)]
    print_line(Cell(f"{'└' if last else '├'}─ {first}"))
    for line in rest:
        print_line(Cell(f"{' ' if last else '│'}  {line}"))


def _kind(strength: Strength, affects: Affects) -> str:
    return f"{strength.value}, {'while it runs' if affects is Affects.RUNNING else 'when it changes'}"


def _why(each: Dependency) -> str:
    return each.via[0].evidence if each.via else ""


# ── Plans ───────────────────────────────────────────────────────────────────────────────────────────────────────

# What each class of disruption of the catalog means to those who use the cluster; empty: nothing that they notice.
DISRUPTIONS: Mapping[str, str] = {
    "none": "",
    "none-for-apps": "",
    "control-path": "what it manages stays as it is",
    "control-path-hard": "API requests that it admits may be refused",
    "data-path": "what goes through it may fail",
    "data-path-brief": "connections may break for a moment",
    "data-path-credentials": "pods may wait for credentials",
    "data-path-dns": "DNS lookups may fail",
    "data-path-gpu": "pods with GPUs may not start",
    "data-path-new-pods": "new pods may wait for their volumes",
    "data-path-new-pods-only": "new pods may wait for their addresses",
    "data-path-policy": "new network policies take effect late",
    "data-path-programming": "changes of Services take effect late",
    "data-path-registry": "images may not be pulled",
    "log-gap": "logs may be missing",
    "monitoring-gap": "metrics may be missing",
    "mixed": "each of its components may stop in turn",
}


def plan(prepared: Prepared, style: Style) -> None:
    """The steps in order, with the way back of each; what the plan cannot say; what preflight found."""
    made = prepared.plan
    to = f" → {made.target}" if made.target else ""
    many = f"{counted(len(made.steps), 'step')}, {counted(len(made.questions), 'open question')}"
    say(f"{made.cluster}  ·  Kubernetes {made.kubernetes}{to}  ·  {many}", "bold")
    at = made.kubernetes
    for step in made.steps:
        at = _control_plane(made.cluster, at, step.kubernetes)
        _step(step)
    _control_plane(made.cluster, at, made.target)
    if not made.steps and not made.target:
        say("Nothing to do: it is there already.", GOOD)
    if made.questions:
        title("OPEN QUESTIONS")
        named = labels(dict.fromkeys(each.installation for each in made.questions))
        columns = (Column("KUBERNETES"), Column("ADD-ON", Fit.CUT), Column("WHY", Fit.WRAP))
        rows = [(str(each.kubernetes), str(named[each.installation]), _question(each)) for each in made.questions]
        table(columns, rows)
    _preflight(prepared, style)


def plan_differences(document: Mapping[str, Any]) -> None:
    """What a saved plan has otherwise."""
    if not document["changed"]:
        say(f"The same as plan {document['was']}.", GOOD)
        return
    rows = [(each["key"], *(_leaf(each[when]) for when in ("was", "now"))) for each in document["changed"]]
    table((Column("KEY"), Column(document["was"], Fit.WRAP), Column(document["now"], Fit.WRAP)), rows)


def _leaf(value: Any) -> str:
    return "-" if value is None else str(value)


def _preflight(prepared: Prepared, style: Style) -> None:
    """Each with evidence and fix, but for what is only worth knowing; then what follows from them."""
    if not prepared.plan.steps and not prepared.findings:
        return
    title("PREFLIGHT")
    for found in prepared.findings:
        if style.wide or found.severity is not Severity.INFO:
            one_finding(found)
        else:
            brief(found, effect=False)
    codes = list(dict.fromkeys(each.code for each in prepared.refusals))
    if not codes:
        accepted = f"; accepted: {', '.join(sorted(prepared.accepted))}" if prepared.accepted else ""
        say(f"Nothing required is left to resolve{accepted}.", GOOD)
        return
    say(f"Not recommended: {', '.join(codes)}.", BAD)
    hopeless = [code for code in codes if not CHECKS[code].acceptable]
    if hopeless:
        say(f"Nothing could come of it before {' and '.join(hopeless)} is resolved.", QUIET)
    else:
        print_line(Cell("To go on all the same: " + " ".join(f"--accept-risk {code}" for code in codes), QUIET))


def _question(found: OpenQuestion) -> str:
    return f"{found.reason} Published for {found.kubernetes}: {found.published}." if found.published else found.reason


def _control_plane(cluster: str, at: Minor | None, to: Minor | None) -> Minor | None:
    """The upgrades of the control plane between the steps of one minor and those of another."""
    if at is None or to is None:
        return at
    for minor in at.up_to(to):
        title(f"Upgrade the control plane to {minor}, then its nodes")
        actions(action_lines((upgrade_control_plane(cluster, minor),)), "", "   ")
    return max(at, to)


def _step(step: Step) -> None:
    was, to = step.from_version or "unknown", step.to_version or "a version that you choose"
    moves = f"{was} → {to}" if was != to or step.configuration is None else f"{was}, configured"
    moves = f"{to}, created" if step.creates else f"{was}, let go" if step.lets_go else moves
    moves = f"{was}, deleted" if step.removes else moves
    print_line()
    say(f"{step.installation}: {moves}", "bold", first=f"{step.id}. ")
    waves = waves_of(wave.instances for wave in step.waves)
    meanwhile = DISRUPTIONS.get(step.disruption, step.disruption)
    stops = f"while it changes, {meanwhile}; " if meanwhile else ""
    lost = f"{stops}requests may be lost" if step.loses else "no request is to be lost"
    instances = counted(sum(wave.instances for wave in step.waves), "instance")
    say(f"{step.owner}; {instances} in {waves}; {lost}", QUIET, "   ")
    for change in step.configuration.changes if step.configuration else ():
        say(f"{change.key}: {change.was} → {change.to}", "", "   ")
    actions(action_lines(step.do), "→ ", "   ")
    if step.skips:
        skipped = ", ".join(step.skips)
        say(f"skips {skipped}, not offered here: {step.addon} is to move one minor at a time", FAIR, "   ")
    if step.irreversible:
        say(f"cannot be undone: {step.irreversible}", BAD, "   ")
    actions(action_lines(step.undo), "undo: ", "   ")


# ── Snapshots, catalog, doctor ────────────────────────────────────────────────────────────────────────────────


def snapshot(taken: Snapshot) -> None:
    """What a snapshot holds."""
    kubernetes = taken.cluster.kubernetes or "unknown"
    say(f"{taken.cluster.name}, taken {taken.taken:%Y-%m-%d %H:%M} UTC, Kubernetes {kubernetes}")
    counts = snapshot_document(taken)["counts"]
    table((Column("KIND"), Column("OBJECTS")), [(key.replace("_", " "), str(n)) for key, n in counts.items()])
    gaps(taken.gaps, Style(), taken.intake)


def changes(document: Mapping[str, Any]) -> None:
    """What changed between two snapshots."""
    rows = [("+", row["id"], row["version"] or "unknown", row["owner"]) for row in document["added"]]
    rows += [("-", row["id"], row["version"] or "unknown", row["owner"]) for row in document["removed"]]
    rows += [("~", row["id"], f"{row['what']}: {row['old']} → {row['new']}", "") for row in document["changed"]]
    if rows:
        columns = (
            Column(""),
            Column("INSTALLATION", Fit.CUT),
            Column("VERSION", Fit.WRAP),
            Column("OWNER", Fit.CUT, 1),
        )
        table(columns, rows)
    else:
        say("No add-on changed.")


def catalog_list(known: Catalog, style: Style) -> None:
    """The catalog, one line per add-on."""
    rows = [
        (
            addon.id,
            addon.category,
            addon.install.eks.name if addon.install.eks else "-",
            ", ".join(chart.name for chart in addon.install.charts) or "-",
            addon.name,
        )
        for addon in known.addons.values()
    ]
    columns = (
        Column("ADD-ON"),
        Column("CATEGORY", Fit.CUT, drop=1),
        Column("EKS ADD-ON", Fit.CUT, drop=2),
        Column("CHARTS", Fit.CUT, drop=4),
        Column("NAME", Fit.CUT, drop=3),
    )
    table(columns, rows, headers=style.headers)
    if style.headers:
        known_there = f"{len(known.eks.addons)} EKS add-ons, {len(known.addons)} catalog entries"
        note(f"EKS versions as of {known.eks.as_of} ({known.eks.region}); {known_there}.")


def mapping(document: Mapping[str, Any]) -> None:
    """A document as YAML, which is readable even if it is deeply nested."""
    print(dump(document, "yaml"), end="")


def versions(document: Mapping[str, Any], style: Style) -> None:
    """The versions of an add-on that AWS lists."""
    rows = [
        (
            entry["version"],
            ",".join(entry["default_for"]) or "-",
            ", ".join(entry["kubernetes"]),
            ",".join(entry["compute_types"]),
        )
        for entry in document["versions"]
    ]
    columns = (
        Column("VERSION"),
        Column("DEFAULT FOR", Fit.CUT),
        Column("KUBERNETES", Fit.WRAP),
        Column("COMPUTE", Fit.CUT, drop=1),
    )
    table(columns, rows, headers=style.headers)
    if style.headers:
        note(f"As of {document['as_of']}: {document['source']}")


def version(document: Mapping[str, Any]) -> None:
    """What this is, and how old what it knows is."""
    libraries = ", ".join(f"{name} {version}" for name, version in document["libraries"].items())
    say(f"addonctl {document['version']} (Python {document['python']}, {libraries})")
    say(f"{document['addons']} add-ons as of {document['catalog_as_of']}")
    say(f"EKS add-on versions as of {document['eks_as_of']} ({document['eks_region']})")
    say(f"Prices as of {document['prices_as_of']}")
    say(f"Kubernetes up to {document['newest_kubernetes']}")


def check(found: CompatibilityCell) -> None:
    """One answer of `catalog check`."""
    print_line(Cell(found.answer.value, _ANSWER[found.answer]))
    say(found.reason)
    if found.source:
        note(f"As of {found.as_of}: {found.source}")


def doctor(rows: Sequence[Mapping[str, str]], style: Style) -> None:
    """What can be reached and read; of the many of a group, those with the same answer in one row, unless `wide`."""
    columns = (Column("WHAT", Fit.CUT), Column("OK"), Column("DETAIL", Fit.WRAP))
    shown = rows if style.wide else list(_grouped(rows))
    table(columns, [_doctor_row(row) for row in shown], headers=style.headers)
    if not style.headers:
        return
    failed = sum(row["answer"] == "no" for row in rows)
    print_line()
    if failed:
        say(f"{failed} of {counted(len(rows), 'step')} failed: a report lacks what they would have read.", BAD)
    else:
        say("No step failed: what a report does not have is skipped above, with the reason.", GOOD)


_NAMES_SHOWN = 8


def _grouped(rows: Iterable[Mapping[str, str]]) -> Iterator[Mapping[str, str]]:
    alike: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for row in rows:
        # What one deed helps is one row, though each lacks something else; of what nothing helps, the reason counts.
        key = (row["group"], row["answer"], row["fix"] or row["detail"]) if row["group"] else (row["what"],)
        alike.setdefault(key, []).append(row)
    for same in alike.values():
        row = same[0]
        if len(same) == 1:
            yield row
            continue
        verb, names = row["what"].partition(" ")[0], [each["what"].partition(" ")[2] or each["what"] for each in same]
        few = len(names) <= _NAMES_SHOWN or row["answer"] == "no"
        listed = ", ".join(names) if few else f"{len(names)} of them (-o wide names each)"
        reason = row["detail"] if len({each["detail"] for each in same}) == 1 else ""
        told = f"{listed}: {reason}" if reason else listed
        yield {**row, "what": f"{row['group']}: {verb}" if verb in ("list", "read") else row["group"], "detail": told}


def _doctor_row(row: Mapping[str, str]) -> tuple[Cell | str, ...]:
    told = ". ".join(filter(None, (row["detail"], row["fix"])))
    return row["what"], Cell(row["answer"], _ROW.get(row["answer"], QUIET)), told
