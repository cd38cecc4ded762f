"""What a person sees: the worst first, one line each, then how to know more. Colour and progress only on a terminal."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from addonctl import ports
from addonctl.assessment import Assessed, Assessment, of
from addonctl.catalog import Answer, Catalog, Cell
from addonctl.compatibility import KubernetesStatus, Support
from addonctl.dependencies import Dependencies
from addonctl.findings import CHECKS, Capability
from addonctl.model import Affects, Finding, Gap, Health, Owner, Severity, Snapshot, Strength, owners
from addonctl.render.commands import fix_text
from addonctl.render.documents import dump, gap_lines, snapshot_document

if TYPE_CHECKING:
    from rich.console import Console

_COLOUR = {Severity.REQUIRED: "bold red", Severity.RECOMMENDED: "yellow", Severity.INFO: "cyan"}
_ANSWER_COLOUR = {Answer.YES: "green", Answer.NO: "bold red", Answer.UNKNOWN: "dim"}
# Where no terminal says its width, nothing may be cut: the reader is a file or a pipe.
_UNCUT = 100_000
# A finding's evidence beyond this is counted; `-o json` has it all.
_EVIDENCE_SHOWN = 3


def _console(*, err: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, highlight=False, soft_wrap=True, width=None if stream.isatty() else _UNCUT)


def note(text: str) -> None:
    """A line for the person, not for the pipe."""
    print(text, file=sys.stderr)


def progress() -> ports.Progress:
    """A progress line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return ports.silent

    def show(what: str, done: int, total: int) -> None:
        sys.stderr.write(f"\r\x1b[K{'' if done >= total else f'reading {what} ({done}/{total})'}")
        sys.stderr.flush()

    return show


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, headers: bool = True) -> None:
    """Columns as kubectl prints them. Cells may carry rich's markup through Text."""
    from rich.table import Table

    shown = Table(box=None, show_header=headers, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        shown.add_column(column, no_wrap=True, overflow="ignore")
    for row in rows:
        shown.add_row(*(_text(cell) if isinstance(cell, str) else cell for cell in row))
    _console().print(shown, overflow="ignore", no_wrap=True, crop=False)


def _text(text: str, style: str = "") -> Any:
    """Text in a style. Whoever names an object must not colour or move our terminal: control sequences go."""
    from rich.text import Text

    from addonctl.render.escaping import plain_lines

    return Text(plain_lines(text), style)


# ── analyze and inventory ───────────────────────────────────────────────────────────────────────────────────────


def analysis(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """The report of `addonctl analyze`."""
    console = _console()
    console.print(_text(_headline(assessment), "bold"))
    console.print(_text(_summary(assessment)))
    for stale in assessment.stale:
        console.print(_text(f"Note: {stale}.", "yellow"))
    _findings(console, assessment, wide=wide)
    console.print(_text("\nADD-ONS", "bold"))
    _addons(assessment, wide=wide, headers=headers)
    _unrecognised(assessment)
    gaps(assessment.gaps)
    if assessment.cluster.demo:
        console.print("\nThis is the demo cluster that comes with addonctl. Your own:")
        console.print("addonctl analyze --context YOUR-CONTEXT")


def _headline(assessment: Assessment) -> str:
    status, cluster = assessment.kubernetes, assessment.cluster
    demo = "DEMO  " if cluster.demo else ""
    return f"{demo}{cluster.name}  ·  {kubernetes_line(status)}"


def kubernetes_line(status: KubernetesStatus) -> str:
    """`Kubernetes 1.34, standard support until 2026-12-02`."""
    if not status.running:
        return f"Kubernetes version unknown: {status.reason}"
    if status.support is Support.UNKNOWN or status.ends is None:
        return f"Kubernetes {status.running}, support unknown: {status.reason}"
    if status.support is Support.UNSUPPORTED:
        return f"Kubernetes {status.running}, not supported by EKS since {status.ends}"
    return f"Kubernetes {status.running}, {status.support.value} support on EKS until {status.ends}"


def _summary(assessment: Assessment) -> str:
    health = assessment.health
    how = f"health {health.score} of 100 ({health.coverage} % coverage)" if health.score is not None else (
        "health unknown: no state was read")  # fmt: skip
    counts = dict.fromkeys(reversed(Severity), 0)
    for found in assessment.findings:
        counts[found.severity] += 1
    said = ", ".join(f"{count} {severity.value}" for severity, count in counts.items() if count) or "no findings"
    unseen = f"; {len(assessment.gaps)} parts were not read (below)" if assessment.gaps else ""
    return f"{len(assessment.addons)} add-ons; {how}; {said}{unseen}"


def _findings(console: "Console", assessment: Assessment, *, wide: bool) -> None:
    """What is required with its evidence and fix; the rest a line each, unless `wide`."""
    if not assessment.findings:
        return
    since = f" (new since {assessment.since:%Y-%m-%d %H:%M} UTC)" if assessment.since else ""
    console.print(_text(f"\nFINDINGS{since}", "bold"))
    brief = False
    for found in assessment.findings:
        if wide or found.severity is Severity.REQUIRED:
            _finding(console, found)
        else:
            brief = True
            _brief(console, found)
    if brief:
        console.print(_text("More of one: addonctl findings explain CODE; evidence and fixes of all: -o wide", "dim"))
    if assessment.waived:
        console.print(_text(f"{len(assessment.waived)} findings are waived; -o json names them", "dim"))


def _brief(console: "Console", found: Finding) -> None:
    line = _text(f"{found.severity.value.upper():<12}", _COLOUR[found.severity])
    line.append_text(_text(f"{found.code}  {found.subject}: {CHECKS[found.code].title}", "default"))
    detail = found.evidence[0].detail if found.evidence else ""
    line.append_text(_text(f" ({detail})" if detail else "", "dim"))
    console.print(line)


def _finding(console: "Console", found: Finding) -> None:
    line = _text(f"{found.severity.value.upper():<12}", _COLOUR[found.severity])
    line.append_text(_text(f"{found.code}  {found.subject}: {CHECKS[found.code].title}", "default"))
    console.print(line)
    for item in found.evidence[:_EVIDENCE_SHOWN]:
        console.print(_text(f"            {item.subject}: {item.detail}".rstrip(": "), "dim"))
    if len(found.evidence) > _EVIDENCE_SHOWN:
        console.print(_text(f"            … and {len(found.evidence) - _EVIDENCE_SHOWN} more", "dim"))
    first, *more = fix_text(found).splitlines() or [""]
    console.print(_text("\n".join([f"            → {first}", *(f"              {line}" for line in more)])))


def inventory(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """The table of `addonctl inventory`."""
    _addons(assessment, wide=wide, headers=headers)
    _unrecognised(assessment)
    for found in assessment.about(of(Capability.INVENTORY)).findings:
        _finding(_console(), found)
    gaps(assessment.gaps)


def _addons(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    status = assessment.kubernetes
    columns = [
        "ADD-ON",
        "VERSION",
        str(status.running or "NOW"),
        str(status.target or "NEXT"),
        "HEALTH",
        "METHOD",
        "OWNER",
        "NAMESPACE",
    ]
    columns += ["WORKLOADS", "CONFIGURATION", "PART OF", "VERSION FROM"] if wide else []
    rows = []
    for addon in assessment.addons:
        row = addon.installation
        part = "  └ " if row.part_of else ""
        cells = [
            f"{part}{row.addon}", str(row.version or "unknown"), _answer(addon.running), _answer(addon.target),
            _health(addon), row.method.value, _owner_name(row.owner), ",".join(row.namespaces) or "-",
        ]  # fmt: skip
        if wide:
            why = next((item.detail for item in row.evidence if item.kind == "version"), row.version_unknown_reason)
            workloads = ",".join(f"{ref.kind}/{ref.name}" for ref in row.workloads)
            cells += [workloads or "-", row.configuration or "-", row.part_of or "-", why]
        rows.append(cells)
    table(columns, rows, headers=headers)


def _owner_name(owner: Owner) -> str:
    """The owner without the words that the METHOD column says already."""
    match owner:
        case owners.EksAddon(name=name):
            return name
        case owners.HelmRelease() | owners.ArgoApplication() | owners.FluxHelmRelease() | owners.FluxKustomization():
            return "/".join(filter(None, (owner.namespace, owner.name or "?")))
    return str(owner) or "-"


def _answer(check: Cell) -> Any:
    return _text(check.answer.value if check.answer is not Answer.UNKNOWN else "?", _ANSWER_COLOUR[check.answer])


_HEALTH_COLOUR = {
    Health.HEALTHY: "green", Health.PROGRESSING: "yellow", Health.DEGRADED: "bold red", Health.SUSPENDED: "cyan",
}  # fmt: skip


def _health(addon: Assessed) -> Any:
    """The score, `?` where nothing was seen."""
    health = addon.health
    return _text("?" if health.score is None else str(health.score), _HEALTH_COLOUR.get(health.health, "dim"))


def _unrecognised(assessment: Assessment) -> None:
    found = assessment.inventory.unrecognised
    if not found:
        return
    _console().print(_text("\nNOT RECOGNISED (system workloads that are no add-on of the catalogue)", "bold"))
    table(("WORKLOAD", "WHY LISTED", "IMAGES"), [(str(item.ref), item.why, ", ".join(item.images)) for item in found],
          headers=False)  # fmt: skip


def gaps(found: tuple[Gap, ...]) -> None:
    """What was not seen, with what would fix it; parts that a file simply lacks in one line."""
    if not found:
        return
    console = _console()
    console.print(_text("\nNOT READ (what depends on it is unknown)", "bold"))
    told, absent = gap_lines(found)
    for gap in told:
        fix = f"  → grant: {gap.permission}" if gap.permission else ""
        console.print(_text(f"{gap.part}: {gap.reason.value}: {gap.detail}{fix}"))
    if absent:
        console.print(_text(f"not in the input: {', '.join(absent)}"))


# ── Snapshots, catalogue, doctor ────────────────────────────────────────────────────────────────────────────────


def snapshot(taken: Snapshot) -> None:
    """What a snapshot holds."""
    console = _console()
    kubernetes = taken.cluster.kubernetes or "unknown"
    console.print(_text(f"{taken.cluster.name}, taken {taken.taken:%Y-%m-%d %H:%M} UTC, Kubernetes {kubernetes}"))
    counts = snapshot_document(taken)["counts"]
    table(("KIND", "OBJECTS"), [(key.replace("_", " "), str(count)) for key, count in counts.items()])
    gaps(taken.gaps)


def changes(document: Mapping[str, Any]) -> None:
    """What changed between two snapshots."""
    rows = [("+", row["id"], row["version"] or "unknown", row["owner"]) for row in document["added"]]
    rows += [("-", row["id"], row["version"] or "unknown", row["owner"]) for row in document["removed"]]
    rows += [("~", row["id"], f"{row['what']}: {row['old']} → {row['new']}", "") for row in document["changed"]]
    if rows:
        table(("", "INSTALLATION", "VERSION", "OWNER"), rows)
    else:
        _console().print("No add-on changed.")


def catalog_list(known: Catalog, *, headers: bool) -> None:
    """The catalogue, one line an add-on."""
    rows = [
        (addon.id, addon.category, addon.install.eks.name if addon.install.eks else "-",
         ", ".join(chart.name for chart in addon.install.charts) or "-", addon.name)
        for addon in known.addons.values()
    ]  # fmt: skip
    table(("ADD-ON", "CATEGORY", "EKS ADD-ON", "CHARTS", "NAME"), rows, headers=headers)
    note(f"EKS versions as of {known.eks.as_of} ({known.eks.region}); "
         f"{len(known.eks.addons)} EKS add-ons, {len(known.addons)} catalogue entries.")  # fmt: skip


def mapping(document: Mapping[str, Any]) -> None:
    """A document as YAML: what a person reads best when it is deep."""
    print(dump(document, "yaml"), end="")


def versions(document: Mapping[str, Any], *, headers: bool) -> None:
    """The versions of an add-on that AWS lists."""
    rows = [
        (entry["version"], ",".join(entry["default_for"]) or "-", ",".join(entry["kubernetes"]),
         ",".join(entry["compute_types"]))
        for entry in document["versions"]
    ]  # fmt: skip
    table(("VERSION", "DEFAULT FOR", "KUBERNETES", "COMPUTE"), rows, headers=headers)
    note(f"As of {document['as_of']}: {document['source']}")


def check(found: Cell) -> None:
    """One answer of `catalog check`."""
    line = _text(found.answer.value, _ANSWER_COLOUR[found.answer])
    line.append_text(_text(f"  {found.reason}", "default"))
    _console().print(line)
    if found.source:
        note(f"As of {found.as_of}: {found.source}")


def doctor(checks: Iterable[Mapping[str, str]]) -> None:
    """What can be reached."""
    rows = [
        (check["what"], _text(check["answer"], "green" if check["answer"] == "yes" else "bold red"), check["detail"])
        for check in checks
    ]
    table(("WHAT", "OK", "DETAIL"), rows)


# ── findings, health, compat, matrix, deps ──────────────────────────────────────────────────────────────────────


def findings(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """The table of `addonctl findings`; with `wide` each with its evidence and fix."""
    console = _console()
    if wide:
        for found in assessment.findings:
            _finding(console, found)
    elif assessment.findings:
        rows = [
            (_text(found.severity.value, _COLOUR[found.severity]), found.code, str(found.subject),
             CHECKS[found.code].title,
             found.evidence[0].detail if found.evidence else "")
            for found in assessment.findings
        ]  # fmt: skip
        table(("SEVERITY", "CODE", "SUBJECT", "FINDING", "EVIDENCE"), rows, headers=headers)
    else:
        console.print("No findings.")
    gaps(assessment.gaps)


def codes(document: Mapping[str, Any]) -> None:
    """What a code means; a list of all where there are several."""
    entries = document["codes"]
    if len(entries) > 1:
        table(("CODE", "SEVERITY", "FINDING"), [(e["code"], e["severity"], e["title"]) for e in entries])
        return
    console = _console()
    for entry in entries:
        console.print(_text(f"{entry['code']}  {entry['title']} ({entry['severity']})", "bold"))
        console.print(_text(f"Why: {entry['why']}"))
        console.print(_text(f"Fix: {entry['fix']}"))
        if entry["parts"]:
            seen = ", ".join(part.replace("_", " ") for part in entry["parts"])
            console.print(_text(f"Looks at: {seen}"))


def health(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """Scores with their coverage, then what is not well."""
    console = _console()
    console.print(_text(_headline(assessment), "bold"))
    console.print(_text(_summary(assessment)))
    rows: list[Sequence[Any]] = []
    for each in assessment.health.addons:
        worst = next((a for a in each.aspects if a.health not in (Health.HEALTHY, Health.UNKNOWN)), None)
        unseen = ", ".join(f"{a.name} ({a.reason})" for a in each.aspects if a.health is Health.UNKNOWN)
        cells: list[Any] = [
            each.id, "?" if each.score is None else str(each.score), f"{each.coverage} %",
            _text(each.health.value, _HEALTH_COLOUR.get(each.health, "dim")),
            f"{worst.name}: {worst.reason}" if worst else each.unknown_reason,
        ]  # fmt: skip
        rows.append([*cells, unseen] if wide else cells)
    columns = ["ADD-ON", "SCORE", "COVERAGE", "STATE", "WHAT"]
    console.print()
    table([*columns, "NOT READ"] if wide else columns, rows, headers=headers)
    bad = [each for each in assessment.objects if each.health in (Health.DEGRADED, Health.MISSING)]
    if bad:
        console.print(_text("\nUNHEALTHY OBJECTS", "bold"))
        shown = bad if wide else bad[:_OBJECTS_SHOWN]
        table(
            ("OBJECT", "STATE", "WHY"),
            [(str(o.ref), _text(o.health.value, _HEALTH_COLOUR.get(o.health, "dim")), o.reason) for o in shown],
            headers=False,
        )
        if len(bad) > len(shown):
            console.print(_text(f"… and {len(bad) - len(shown)} more; -o wide lists them", "dim"))
    for probe in assessment.probes:
        latency = f", {probe.latency_ms} ms" if probe.latency_ms is not None else ""
        line = _text(f"{probe.health.value:<12}", _HEALTH_COLOUR.get(probe.health, "dim"))
        line.append_text(_text(f"{probe.addon}: {probe.name}: {probe.detail}{latency}", "default"))
        console.print(line)
    _findings(console, assessment, wide=wide)
    gaps(assessment.gaps)


# Of a cluster in trouble, this many objects fill a screen; the rest is counted.
_OBJECTS_SHOWN = 20


def compatibility(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """The matrix of what is installed, then what stands in the way."""
    console = _console()
    console.print(_text(_headline(assessment), "bold"))
    cells = [cell for row in assessment.compatibility.cells.values() for cell in row]
    matrix(cells, wide=wide, headers=headers)
    _findings(console, assessment, wide=wide)
    gaps(assessment.gaps)


def matrix(checks: Iterable[Cell], *, wide: bool, headers: bool) -> None:
    """A row an add-on and version, a column a Kubernetes; `wide` says why."""
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for check in checks:
        rows.setdefault((check.addon, str(check.version or "")), {})[str(check.kubernetes or "")] = check
    minors = tuple(dict.fromkeys(minor for cells in rows.values() for minor in cells))
    shown = [
        [addon, version or "unknown", *(_answer(cells[minor]) if minor in cells else "" for minor in minors),
         *([next((c.reason for c in reversed(cells.values())), "")] if wide else [])]
        for (addon, version), cells in rows.items()
    ]  # fmt: skip
    table(["ADD-ON", "VERSION", *(minor or "NOW" for minor in minors), *(["WHY"] if wide else [])], shown,
          headers=headers)  # fmt: skip


def dependencies(assessment: Assessment, addon: str) -> None:
    """What each add-on needs, and whom its failure hurts."""
    console, graph = _console(), assessment.dependencies
    for row in assessment.inventory.installations:
        if addon and addon not in (row.addon, row.id):
            continue
        needs = [each for each in graph.addons if each.source == row.id]
        hurts = graph.blast_radius(row.id)
        if not (needs or hurts or addon):
            continue
        console.print(_text(row.id, "bold"))
        lines = [f"needs {each.target} ({_kind(each.strength, each.affects)}): {_why(graph, each.source, each.target)}"
                 for each in needs]  # fmt: skip
        lines += [f"if it fails: {each.id} ({each.weight:.0%} of it)" for each in hurts]
        for number, line in enumerate(lines, start=1):
            console.print(_text(f"{'└' if number == len(lines) else '├'}─ {line}"))
    if not addon and graph.order:
        console.print(_text("\nUpdate in this order:", "bold"))
        console.print(_text(" → ".join(graph.order)))
    for found in assessment.about(of(Capability.DEPENDENCIES)).findings:
        _finding(console, found)
    gaps(assessment.gaps)


def _kind(strength: Strength, affects: Affects) -> str:
    return f"{strength.value}, {'while it runs' if affects is Affects.RUNNING else 'when it changes'}"


def _why(graph: Dependencies, source: str, target: str) -> str:
    edges = [edge for each in graph.addons if (each.source, each.target) == (source, target) for edge in each.via]
    more = f" (and {len(edges) - 1} more)" if len(edges) > 1 else ""
    return f"{edges[0].evidence}{more}" if edges else ""
