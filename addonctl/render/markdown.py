"""The assessment as Markdown, for tickets and pull requests. Pure; all text from the cluster is shown as code."""

from collections.abc import Iterable, Iterator

from addonctl.assessment import Assessment
from addonctl.catalog import Answer
from addonctl.findings import CHECKS
from addonctl.model import Finding, Severity
from addonctl.render import drawing, terminal
from addonctl.render.commands import fix_text
from addonctl.render.documents import DUE, gap_lines
from addonctl.render.escaping import markdown_block, markdown_code, plain
from addonctl.render.grades import UNKNOWN, says_something
from addonctl.render.intake import gap_detail, places, summary


def by_severity(findings: Iterable[Finding]) -> list[tuple[Severity, list[Finding]]]:
    """The findings of each severity, the most urgent first; empty severities are omitted."""
    listed = list(findings)
    return [(severity, [f for f in listed if f.severity is severity]) for severity in reversed(Severity)]


def minors(assessment: Assessment) -> list[str]:
    """The Kubernetes minors that were checked, the running one first; if unknown, it is called `running`."""
    checks = next(iter(assessment.compatibility.cells.values()), ())
    return [str(check.kubernetes or "running") for check in checks]


# Evidence of a finding beyond this is counted; `-o json` has all of it.
_EVIDENCE_SHOWN = 10


def markdown(assessment: Assessment) -> str:
    """The report, the most severe findings first."""
    parts = (
        _headline,
        _findings,
        _compatibility,
        _health,
        _dependencies,
        _inventory,
        _unseen,
        _waived,
        _stale,
    )
    return "\n".join(line for part in parts for line in part(assessment)).rstrip() + "\n"


def _headline(assessment: Assessment) -> Iterator[str]:
    cluster, health = assessment.cluster, assessment.health
    demo = " (demo cluster)" if cluster.demo else ""
    yield f"# Add-ons of {markdown_code(cluster.name)}{demo}\n"
    yield f"{words(terminal.kubernetes_line(assessment.kubernetes))}. As of {assessment.day}.\n"
    counts = ", ".join(f"{len(found)} {severity}" for severity, found in by_severity(assessment.findings))
    score = f"{health.score} of 100" if says_something(health.score, health.coverage) else UNKNOWN
    yield "| health | coverage | add-ons | findings | parts not read |"
    yield "|---|---|---|---|---|"
    found = len(assessment.inventory.installations)
    yield f"| {score} | {health.coverage} % | {found} | {counts} | {len(assessment.gaps)} |\n"


def _findings(assessment: Assessment) -> Iterator[str]:
    yield "## Findings" + (f", new since {assessment.since:%Y-%m-%d %H:%M} UTC" if assessment.since else "") + "\n"
    if not assessment.findings:
        unread = any(not gap.absent for gap in assessment.gaps)
        yield f"None{' in what could be read' if unread else ''}.\n"
    for severity, found in by_severity(assessment.findings):
        if found:
            yield f"### {severity.capitalize()}: {DUE[severity]}\n"
        for each in found:
            yield f"**{each.code}** {CHECKS[each.code].title}: {markdown_code(str(each.subject))}\n"
            if each.cause in assessment.by_id:
                yield f"Effect of {markdown_code(each.cause or '')}.\n"
            for item in each.evidence[:_EVIDENCE_SHOWN]:
                yield f"- {': '.join(filter(None, (markdown_code(item.subject), markdown_code(item.detail))))}"
            if len(each.evidence) > _EVIDENCE_SHOWN:
                yield f"- … and {len(each.evidence) - _EVIDENCE_SHOWN} more"
            if stands := assessment.places(each):
                yield f"- in {markdown_code(places(stands))}"
            yield f"\n{markdown_block(fix_text(each))}\n"


def _compatibility(assessment: Assessment) -> Iterator[str]:
    yield "## Compatibility\n"
    rows = [
        (
            markdown_code(addon.installation.id),
            *(check.answer.value for check in checks),
            "; ".join(dict.fromkeys(markdown_code(check.reason) for check in checks if check.answer is not Answer.YES)),
        )
        for addon in assessment.addons
        if (checks := assessment.compatibility.cells[addon.installation.id])
    ]
    yield from rows_of(("add-on", *minors(assessment), "why"), rows)


def _health(assessment: Assessment) -> Iterator[str]:
    yield "## Health\n"
    rows = [
        (
            markdown_code(health.id),
            health.health.value,
            str(health.score) if says_something(health.score, health.coverage) else UNKNOWN,
            f"{health.coverage} %",
            markdown_code(health.unknown_reason),
        )
        for health in assessment.health.addons
    ]
    yield from rows_of(("add-on", "health", "score", "coverage", "why unknown"), rows)


def _dependencies(assessment: Assessment) -> Iterator[str]:
    if assessment.dependencies.addons:
        yield "## Dependencies\n"
        yield "An arrow leads to what is needed. Thick: stops with it; thin: cannot change without; dashed: has less.\n"
        yield f"```mermaid\n{drawing.mermaid(assessment.dependencies)}```\n"


def _inventory(assessment: Assessment) -> Iterator[str]:
    yield "## Inventory\n"
    rows = [
        (
            markdown_code(row.id),
            markdown_code(str(row.version or f"unknown: {row.version_unknown_reason}")),
            row.state.value if not row.destination else markdown_code(f"declared for {row.destination}"),
            row.method.value,
            markdown_code(str(row.owner)),
            markdown_code(", ".join(row.namespaces)),
        )
        for row in (addon.installation for addon in assessment.addons)
    ]
    yield from rows_of(("add-on", "version", "state", "method", "owner", "namespaces"), rows)
    if assessment.inventory.unrecognised:
        yield "Not recognised:\n"
        for item in assessment.inventory.unrecognised:
            yield f"- {markdown_code(str(item.ref))}: {markdown_code(item.why)}"
        yield ""


def _unseen(assessment: Assessment) -> Iterator[str]:
    told, absent = gap_lines(assessment.gaps)
    if told or absent:
        yield "## Not read\n\nWhat depends on it is unknown.\n"
    if told:
        rows = [
            (markdown_code(g.part), g.reason.value, markdown_code(gap_detail(g)), markdown_code(g.permission))
            for g in told
        ]
        yield from rows_of(("part", "reason", "detail", "grant"), rows)
    if absent:
        yield f"Not in the input: {markdown_code(', '.join(absent))}.\n"
    if assessment.snapshot.intake is not None:
        yield f"{words(summary(assessment.snapshot.intake, assessment.gaps))}.\n"


def _waived(assessment: Assessment) -> Iterator[str]:
    if assessment.waived:
        yield "## Waived\n"
        rows = [
            (
                each.finding.code,
                markdown_code(str(each.finding.subject)),
                markdown_code(each.waiver.reason),
                str(each.waiver.until),
            )
            for each in assessment.waived
        ]
        yield from rows_of(("code", "subject", "reason", "until"), rows)


def _stale(assessment: Assessment) -> Iterator[str]:
    if assessment.stale:
        yield "## Old knowledge\n"
        yield from (f"- {words(note)}" for note in assessment.stale)


def rows_of(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table."""
    names = list(columns)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def words(text: str) -> str:
    """Text without characters that are markup in Markdown or HTML."""
    return "".join(f"\\{sign}" if sign in r"\*_{}[]<>#|!&" else sign for sign in plain(text))
