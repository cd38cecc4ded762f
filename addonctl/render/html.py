"""The report as one self-contained HTML file: to send, attach to a ticket or print.

Pure: an Assessment in, text out; templates/report.html is the structure, report.css the style. All text from the
cluster goes through `plain` and Jinja's escaping. Called by `addonctl analyze -o html`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from addonctl import __version__
from addonctl.assessment import Assessment
from addonctl.catalog import Answer, Cell
from addonctl.dependencies import Dependencies
from addonctl.findings import CHECKS
from addonctl.health import AddonHealth, Aspect
from addonctl.model import Evidence, Finding, Health
from addonctl.render import drawing, terminal
from addonctl.render.commands import fix_text
from addonctl.render.documents import DUE, gap_lines
from addonctl.render.drawing import Label
from addonctl.render.escaping import plain, plain_lines
from addonctl.render.grades import grade, says_something
from addonctl.render.markdown import by_severity, minors

if TYPE_CHECKING:
    from jinja2 import Environment

# Evidence of one finding beyond this is folded; a click opens it, and printing shows it.
_EVIDENCE_OPEN = 5
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

    graph = assessment.dependencies
    told, absent = gap_lines(assessment.gaps)
    return (
        _environment()
        .get_template("report.html")
        .render(
            assessment=assessment,
            version=__version__,
            kubernetes=terminal.kubernetes_line(assessment.kubernetes),
            ends_soon=any(found.code == "EKS006" for found in assessment.findings),
            severities=by_severity(assessment.findings),
            minors=minors(assessment),
            checks=assessment.compatibility.cells,
            health=sorted(assessment.health.addons, key=lambda health: (health.score is None, health.score, health.id)),
            nowhere=_nowhere(assessment.health.addons),
            picture=Markup(drawing.svg(graph)),  # ElementTree has escaped it
            alone=_alone(graph),
            blasts=_blasts(graph),
            gaps_told=told,
            gaps_absent=absent,
            labels=drawing.labels(addon.installation.id for addon in assessment.addons),
        )
    )


@cache
def _environment() -> "Environment":
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
        fix_text=fix_text,
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
