"""The report as one HTML file that needs nothing else: to be mailed, attached to a ticket, printed.

Pure: an Assessment in, text out; templates/report.html says in which order, report.css how it looks. All that is shown
goes through `plain` and Jinja's escaping. Called by `addonctl analyze -o html`.
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

# Evidence of one finding beyond this is folded; a click opens it, and paper shows it.
_EVIDENCE_OPEN = 5
_STOPS = 1.0  # the weight of an impact that arrives in full
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
    """Whom the failure of an add-on stops, and whom it hurts less."""

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
    """What an expression of the template puts out; its own markup stays."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _block(text: str) -> str:
    """A text whose line breaks are kept."""
    from markupsafe import escape

    return escape(plain_lines(text))


def _sign(of: Answer | Health) -> str:
    """What tells answers and states apart without colour."""
    return _SIGNS.get(of, "?")


def _whys(checks: Sequence[Cell]) -> list[str]:
    """Why an installation does not go with a minor, and why that is not known: the nearest minor says it for all."""
    nearest = {check.answer: check.reason for check in reversed(checks)}
    return [nearest[answer] for answer in (Answer.NO, Answer.UNKNOWN) if nearest.get(answer)]


def _seen(found: Finding, item: Evidence) -> str:
    """Evidence in words; the subject is not said twice."""
    if item.subject == str(found.subject) and item.detail:
        return item.detail
    return f"{item.subject}: {item.detail}" if item.detail else item.subject


def _nowhere(addons: Sequence[AddonHealth]) -> list[Aspect]:
    """What was looked at in no add-on, for one reason: said once."""
    judged = [health.aspects for health in addons if health.aspects]
    unknown = [each for each in judged[0] if each.health is Health.UNKNOWN] if judged else []
    return [each for each in unknown if all(each in aspects for aspects in judged)]


def _alone(graph: Dependencies) -> list[Label]:
    """Installations without any dependency: the picture leaves them out."""
    touched = {end for dependency in graph.addons for end in (dependency.source, dependency.target)}
    return [label for each, label in drawing.labels(drawing.nodes(graph)).items() if each not in touched]


def _blasts(graph: Dependencies) -> list[_Blast]:
    """One row an add-on whose failure hurts others, the worst first."""
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
