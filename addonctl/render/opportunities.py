"""What could cost less: a table, then how each is taken and undone, and what could not be judged. Also JSON and CSV."""

import csv
import io
from collections.abc import Iterator, Sequence

from addonctl.assessment import Assessment
from addonctl.model.opportunity import Frees, NotJudged, Opportunities, Opportunity
from addonctl.opportunities import KINDS
from addonctl.render.commands import action_lines
from addonctl.render.costs import exact, usd
from addonctl.render.documents import Document, envelope, plain
from addonctl.render.drawing import labels
from addonctl.render.screen import FAIR, GOOD, QUIET, Style, actions, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit

_REASONS = 3
_LINES = 6
"""So many lines of commands are shown of each; -o wide and JSON have all."""


def opportunities(assessment: Assessment, found: Opportunities, style: Style) -> None:
    """The table of `addonctl opportunities`, then each with its guard, its change and the way back."""
    if style.headers:
        demo = "DEMO  " if assessment.cluster.demo else ""
        say(f"{demo}{assessment.cluster.name}  ·  {_sums(found)}", "bold")
        if found.not_judged:
            say(f"not judged: {unjudged(found)}", FAIR)
        print_line()
    if found.found:
        named = labels(filter(None, (each.installation for each in found.found)))
        columns = [
            Column("SAVES $/MONTH"),
            Column("OF"),
            Column("ADD-ON", Fit.LAST, drop=1),
            Column("OPPORTUNITY", Fit.WRAP),
            Column("WHAT", Fit.WRAP, drop=2),
        ]
        rows = (_row(each, str(named.get(each.installation, "-"))) for each in found.found)
        table(columns, rows, headers=style.headers)
    elif style.headers:
        less = "Of what was judged, nothing would cost less." if found.not_judged else "Nothing would cost less."
        say(less, QUIET if found.not_judged else GOOD)
    if style.headers:
        for each in found.found:
            _change(each, style)
        _not_judged(found.not_judged)


def _sums(found: Opportunities) -> str:
    if not found.found:
        return "no opportunities found"
    charges, room = found.usd_micros(Frees.CHARGES), found.usd_micros(Frees.ROOM)
    several = "1 opportunity" if len(found.found) == 1 else f"{len(found.found)} opportunities"
    return f"{several}: ${usd(charges)} of charges a month, and room on nodes worth up to ${usd(room)}"


def unjudged(found: Opportunities) -> str:
    """`3 of 14 kinds (use was not measured; …)`: so many were not judged, of all or of some add-ons, and why."""
    reasons = list(dict.fromkeys(each.reason for each in found.not_judged))
    more = f"; {len(reasons) - _REASONS} more below" if len(reasons) > _REASONS else ""
    kinds = len({each.kind for each in found.not_judged})
    return f"{kinds} of {len(KINDS)} kinds ({'; '.join(reasons[:_REASONS])}{more})"


def _row(each: Opportunity, name: str) -> list[Cell | str]:
    saving = each.saving
    money = "unknown" if saving.usd_micros is None else usd(saving.usd_micros)
    return [Cell(money, GOOD if saving.usd_micros else ""), saving.frees.value, name, KINDS[each.kind].title, each.what]


def _change(each: Opportunity, style: Style) -> None:
    kind = KINDS[each.kind]
    title(f"{kind.title}: {each.what}")
    for seen in each.evidence if style.wide else each.evidence[:1]:
        say(f"{seen.subject}: {seen.detail}", QUIET, "  ")
    for why in filter(None, (each.saving.estimated, each.saving.unknown)):
        say(why, QUIET if each.saving.estimated else FAIR, "  ", first="estimated: " if each.saving.estimated else "")
    say(kind.guard, QUIET, "  ", first="guard: ")
    for mark, taken in (("→ ", each.do), ("undo: ", each.undo)):
        lines = action_lines(taken)
        shown = lines if style.wide else lines[:_LINES]
        actions(shown, mark, "  ")
        if len(lines) > len(shown):
            say(f"and {len(lines) - len(shown)} lines more (-o wide)", QUIET, "  " + " " * len(mark))


def _not_judged(listed: Sequence[NotJudged]) -> None:
    if not listed:
        return
    title("Not judged")
    for each in listed:
        whose = f" of {each.installation}" if each.installation else ""
        say(f"{KINDS[each.kind].title}{whose}: {each.reason}", FAIR, "  ")
        actions(action_lines(each.look), "→ ", "  ")


def opportunities_document(assessment: Assessment, found: Opportunities) -> Document:
    """`addonctl opportunities -o json`: micro-dollars a month."""
    return {**envelope(assessment, "Opportunities"), **opportunities_part(found)}


def opportunities_part(found: Opportunities) -> Document:
    """Opportunities in a document: what they save by what they free, each, and what could not be judged."""
    return {
        "usd_micros": {frees.name.lower(): found.usd_micros(frees) for frees in Frees},
        "opportunities": [_item(each) for each in found.found],
        "not_judged": [
            {
                "kind": each.kind,
                "title": KINDS[each.kind].title,
                "installation": each.installation,
                "reason": each.reason,
                "look": [str(line) for line in action_lines(each.look)],
            }
            for each in found.not_judged
        ],
    }


def _item(each: Opportunity) -> Document:
    kind = KINDS[each.kind]
    return {
        "kind": each.kind,
        "title": kind.title,
        "what": each.what,
        "installation": each.installation,
        "about": [str(ref) for ref in each.about],
        "evidence": plain(each.evidence),
        "saving": plain(each.saving),
        "due": kind.due.value,
        "cost_model": kind.cost_model,
        "guard": kind.guard,
        "fix": [str(line) for line in action_lines(each.do)],
        "actions": plain(each.do),
        "undo": [str(line) for line in action_lines(each.undo)],
        "undo_actions": plain(each.undo),
    }


_FIELDS = ("usd_per_month", "of", "addon", "kind", "what", "due", "estimated", "unknown")


def opportunities_csv(found: Opportunities) -> str:
    """`addonctl opportunities -o csv`: a line each, in dollars to the micro-dollar; an empty figure is not known."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows(_line(each) for each in found.found)
    return out.getvalue()


def _line(each: Opportunity) -> Iterator[str]:
    saving = each.saving
    yield from (exact(saving.usd_micros), saving.frees.value, each.installation, each.kind, each.what)
    yield from (KINDS[each.kind].due.value, saving.estimated, saving.unknown)
