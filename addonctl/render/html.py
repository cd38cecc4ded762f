"""The report as one self-contained HTML file: to send, attach to a ticket or print.

Pure: an Assessment in, text out; templates/report.html is the structure, report.css the style. All text from the
cluster goes through `plain` and Jinja's escaping. Called by `addonctl analyze -o html`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from addonctl import __version__
from addonctl.assessment import Assessment, of, of_health
from addonctl.catalog import Answer, Cell
from addonctl.compatibility import Support
from addonctl.dependencies import Dependencies
from addonctl.findings import CHECKS, Capability, Check
from addonctl.health import AddonHealth, Aspect
from addonctl.model import Evidence, Finding, Health
from addonctl.render import drawing, terminal
from addonctl.render.commands import boxes, fix_lines
from addonctl.render.documents import DUE, gap_lines
from addonctl.render.drawing import Label
from addonctl.render.escaping import plain, plain_lines
from addonctl.render.grades import grade, says_something
from addonctl.render.intake import gap_detail, places, summary
from addonctl.render.markdown import by_severity, minors

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# Evidence of one finding beyond this is folded; a click opens it, and printing shows it.
_EVIDENCE_OPEN = 5
# Of findings of one code in a row so many are open, the rest is folded: the 28th single replica tells nothing new.
_SAME_OPEN = 3
# With more findings than these the page offers to show some of them: by severity, by add-on.
_FILTER_FROM = 5
_NAMES_OPEN = 12  # of add-ons in one cell of the table of blast radii; the rest is folded
_STOPS = 1.0  # the weight of an impact that stops the dependent
_SIGNS: Mapping[str, str] = {
    Answer.YES: "✓",
    Answer.NO: "✕",
    Answer.UNKNOWN: "?",
    Health.HEALTHY: "✓",
    Health.PROGRESSING: "!",
    Health.SUSPENDED: "!",
    Health.DEGRADED: "✕",
    Health.MISSING: "✕",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blast:
    """What the failure of an add-on stops, and what it affects less."""

    label: Label
    stops: tuple[Label, ...]
    hurts: tuple[Label, ...]


def html(assessment: Assessment) -> str:
    """The whole report."""
    from markupsafe import Markup

    graph, status, concerned = assessment.dependencies, assessment.kubernetes, _concerned(assessment)
    findings_of = _by_installation(assessment, concerned)
    health = sorted(assessment.health.addons, key=lambda health: (health.score is None, health.score, health.id))
    told, absent = gap_lines(assessment.gaps)
    intake = assessment.snapshot.intake
    return (
        environment()
        .get_template("report.html")
        .render(
            assessment=assessment,
            version=__version__,
            kubernetes=terminal.kubernetes_line(status),
            ends_soon=status.support is Support.STANDARD and status.ends_soon(assessment.day),
            runs=_runs,
            concerned=concerned,
            findings_of=findings_of,
            anchors={found.id: f"finding-{number}" for number, found in enumerate(assessment.findings, start=1)},
            rows={row.id: f"addon-{number}" for number, row in enumerate(assessment.inventory.rows, start=1)},
            severities=by_severity(assessment.findings),
            minors=minors(assessment),
            checks=assessment.compatibility.cells,
            health=health,
            nowhere=_nowhere(assessment.health.addons),
            quiet=frozenset(each.id for each in health if _is_quiet(each)),
            picture=Markup(drawing.svg(graph)),  # ElementTree has escaped it
            pointed_at=Markup(drawing.alone_when_pointed_at(graph)),  # numbers alone
            alone=_alone(graph),
            blasts=_blasts(graph),
            gaps_told=told,
            gap_detail=gap_detail,
            places=lambda found: places(assessment.places(found)),
            intake=summary(intake, assessment.gaps) if intake else "",
            gaps_absent=absent,
            filtered=[id_ for id_, those in findings_of.items() if those],
            filter_from=_FILTER_FROM,
            names_open=_NAMES_OPEN,
            labels=drawing.labels(addon.installation.id for addon in assessment.addons),
        )
    )


@cache
def environment() -> "Environment":
    """Jinja for pages: all that a template shows is made plain and escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("addonctl.render"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(
        CHECKS=CHECKS,
        fix_boxes=_fix_boxes,
        of_compatibility=_codes(of(Capability.COMPATIBILITY)),
        of_health=_codes(of_health),
        command=_command,
        DUE=DUE,
        MEANINGS=drawing.MEANINGS,
        evidence_open=_EVIDENCE_OPEN,
        grade=grade,
        says_something=says_something,
        sign=_sign,
        whys=_whys,
        seen=_seen,
        block=_block,
    )
    return found


def _shown(value: Any) -> Any:
    """The output of a template expression; our own markup is kept."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _block(text: str) -> str:
    """Text that keeps its line breaks."""
    from markupsafe import escape

    return escape(plain_lines(text))


def _codes(wanted: Callable[[Check], bool]) -> frozenset[str]:
    return frozenset(code for code, check in CHECKS.items() if wanted(check))


def _fix_boxes(found: Finding) -> list[tuple[bool, str]]:
    """How to fix it, in pieces: (whether these lines are to be pasted, the lines)."""
    return boxes(fix_lines(found))


def _command(lines: str) -> "Markup":
    """Lines to paste that break between words only: a browser would break `--namespace` after its hyphens."""
    from markupsafe import Markup

    word, line = Markup('<span class="word">{}</span>'), Markup('<span class="command">{}</span>')
    told = ([word.format(each) if each else "" for each in text.split(" ")] for text in plain_lines(lines).split("\n"))
    return Markup("").join(line.format(Markup(" ").join(words)) for words in told)


def _runs(found: Iterable[Finding]) -> list[tuple[list[Finding], list[Finding]]]:
    """Findings by code, in their order: (those that are open, those that are folded)."""
    runs = [list(same) for _, same in groupby(found, key=lambda each: each.code)]
    return [(same, []) if len(same) <= _SAME_OPEN + 1 else (same[:_SAME_OPEN], same[_SAME_OPEN:]) for same in runs]


def _concerned(assessment: Assessment) -> Mapping[str, list[str]]:
    """Finding → the installations that it is about; both by their id."""
    return {found.id: list(dict.fromkeys(assessment.concerned(found.subject))) for found in assessment.findings}


def _by_installation(assessment: Assessment, concerned: Mapping[str, Sequence[str]]) -> Mapping[str, list[Finding]]:
    found: dict[str, list[Finding]] = {row.id: [] for row in assessment.inventory.rows}
    for each in assessment.findings:
        for installation in concerned[each.id]:
            found[installation].append(each)
    return found


def _is_quiet(each: AddonHealth) -> bool:
    """Whether there is nothing to tell of an add-on but that it is healthy: the report folds those."""
    told = [aspect for aspect in each.aspects if aspect.health not in (Health.HEALTHY, Health.UNKNOWN)]
    return not told and not each.unknown_reason and grade(each.score, each.coverage) == "good"


def _sign(of: Answer | Health) -> str:
    """The sign that distinguishes answers and states without colour."""
    return _SIGNS.get(of, "?")


def _whys(checks: Sequence[Cell]) -> list[str]:
    """Why an installation does not support a minor, or why that is unknown: the reason for the nearest minor only."""
    nearest = {check.answer: check.reason for check in reversed(checks)}
    return [nearest[answer] for answer in (Answer.NO, Answer.UNKNOWN) if nearest.get(answer)]


def _seen(found: Finding, item: Evidence) -> str:
    """Evidence in words, without repeating the finding's subject."""
    if item.subject == str(found.subject) and item.detail:
        return item.detail
    return f"{item.subject}: {item.detail}" if item.detail else item.subject


def _nowhere(addons: Sequence[AddonHealth]) -> list[Aspect]:
    """Aspects that are unknown for every add-on for the same reason, to be listed once."""
    judged = [health.aspects for health in addons if health.aspects]
    unknown = [each for each in judged[0] if each.health is Health.UNKNOWN] if judged else []
    return [each for each in unknown if all(each in aspects for aspects in judged)]


def _alone(graph: Dependencies) -> list[Label]:
    """Installations without dependencies, which the picture omits."""
    touched = {end for dependency in graph.addons for end in (dependency.source, dependency.target)}
    return [label for each, label in drawing.labels(drawing.nodes(graph)).items() if each not in touched]


def _blasts(graph: Dependencies) -> list[_Blast]:
    """One row per add-on whose failure affects others, the worst first."""
    named = drawing.labels(drawing.nodes(graph))
    radii = {each: graph.blast_radius(each) for each in sorted({dependency.target for dependency in graph.addons})}
    ordered = sorted(radii, key=lambda each: (-sum(impact.weight for impact in radii[each]), each))
    return [
        _Blast(
            label=named[each],
            stops=tuple(named[impact.id] for impact in radii[each] if impact.weight >= _STOPS),
            hurts=tuple(named[impact.id] for impact in radii[each] if impact.weight < _STOPS),
        )
        for each in ordered
    ]
