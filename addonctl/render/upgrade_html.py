"""The report of an upgrade as one self-contained HTML file: to send, to follow, or to print.

Pure: values in, text out; templates/upgrade.html is the structure, report.css the style. All text from the cluster goes
through `plain` and Jinja's escaping. Called by `addonctl upgrade-report -o html`.
"""

from addonctl import __version__
from addonctl.assessment import Assessment
from addonctl.compatibility import Support
from addonctl.render import html, terminal, upgrades
from addonctl.render.commands import action_lines, boxes
from addonctl.render.documents import gap_lines
from addonctl.render.intake import gap_detail
from addonctl.upgrading import Outcome, UpgradeReport, by_addonctl, by_owner

_SAME_OPEN = 6
"""So many obstacles of a topic are open; the rest is folded, and printed in full."""


def page(assessment: Assessment, found: UpgradeReport) -> str:
    """The whole page."""
    told, absent = gap_lines(assessment.gaps)
    status, named = assessment.kubernetes, upgrades.named_of(found)
    return (
        html.environment()
        .get_template("upgrade.html")
        .render(
            assessment=assessment,
            found=found,
            version=__version__,
            kubernetes=terminal.kubernetes_line(status),
            ends_soon=status.support is Support.STANDARD and status.ends_soon(assessment.day),
            verdict=upgrades.verdict(found, assessment),
            blockers=upgrades.by_topic(found.blockers),
            look=upgrades.by_topic(found.to_look_at),
            changing=len(found.of(Outcome.CHANGES, Outcome.CHOOSE)),
            stages=[(stage, upgrades.headings(stage), upgrades.to_look_up(stage, named)) for stage in found.stages],
            named=named,
            beyond=upgrades.beyond(found),
            rows={each.installation: f"addon-{number}" for number, each in enumerate(found.addons, start=1)},
            same_open=_SAME_OPEN,
            boxed=lambda actions: boxes(action_lines(actions)),
            by_owner=by_owner,
            by_addonctl=by_addonctl,
            where=upgrades.where_to_paste(assessment),
            again=upgrades.AGAIN,
            moves=upgrades.moves,
            why=upgrades.why,
            outcomes=upgrades.OUTCOMES,
            told=told,
            absent=absent,
            gap_detail=gap_detail,
            unrecognised=assessment.inventory.unrecognised,
        )
    )
