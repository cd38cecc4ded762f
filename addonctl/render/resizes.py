"""What containers should request: a table with what that rests on, the changes to paste, and a document."""

from collections.abc import Sequence

from addonctl.assessment import Assessment
from addonctl.model.sizing import Kept, Proposal, Resource, Risk, Rule
from addonctl.model.usage import Metrics
from addonctl.render.commands import action_lines
from addonctl.render.costs import change, cpu, memory, usd
from addonctl.render.documents import Document, envelope, plain
from addonctl.render.drawing import labels
from addonctl.render.screen import FAIR, GOOD, QUIET, Style, actions, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit
from addonctl.render.usages import spoken
from addonctl.resizing import Resize, Resizing

_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def resizes(assessment: Assessment, found: Sequence[Resizing], metrics: Metrics, risk: Risk, style: Style) -> None:
    """The table of `addonctl rightsize`, then the changes by installation with their way back."""
    if style.headers:
        whole = sum(each.usd_micros for each in found)
        what = f"frees ${usd(-whole)} a month" if whole < 0 else f"takes ${usd(whole)} a month more"
        demo = "DEMO  " if assessment.cluster.demo else ""
        say(f"{demo}{assessment.cluster.name}  ·  {risk.value} risk, {what} of what nodes cost", "bold")
        say(spoken(metrics), QUIET)
        print_line()
    named = labels(each.installation for each in found)
    shown = [
        (each.installation, container)
        for each in found
        for container in each.containers
        if style.wide or container.changes
    ]
    if shown:
        columns = [
            Column("ADD-ON", Fit.LAST),
            Column("CONTAINER", Fit.LAST),
            Column("CPU"),
            Column("MEMORY"),
            Column("$/MONTH"),
            Column("BECAUSE", Fit.WRAP, drop=1),
        ]
        table(columns, [_row(str(named[id_]), each) for id_, each in shown], headers=style.headers)
    elif style.headers:
        say("Nothing should change.", GOOD)
    if style.headers:
        _changes(found)
        _kept(found, style)


def _row(name: str, each: Resize) -> list[Cell | str]:
    money = "unknown" if each.usd_micros is None else usd(each.usd_micros, signed=True)
    colour = GOOD if (each.usd_micros or 0) < 0 else FAIR if each.usd_micros else ""
    because = "; ".join(dict.fromkeys(_because(proposal) for proposal in (each.sizing.cpu, each.sizing.memory)))
    return [name, each.container, _change(each.sizing.cpu), _change(each.sizing.memory), Cell(money, colour), because]


def _change(proposal: Proposal) -> str:
    """`100m → 25m`; one value where it stays."""
    was, to = _value(proposal, proposal.current), _value(proposal, proposal.request)
    return f"{was} → {to}" if proposal.changes else was


def _value(proposal: Proposal, value: int | None) -> str:
    if value is None:
        return "none"
    return cpu(value) if proposal.resource is Resource.CPU else memory(value)


def _because(proposal: Proposal) -> str:
    """What a figure rests on, or why it stays."""
    name, seen = proposal.resource.value, proposal.evidence
    if proposal.kept is not None:
        return f"{name} stays: {proposal.kept.value}"
    if not proposal.changes:
        return f"{name} is right"
    rule = {
        Rule.WEEKLY_PEAK: f"the peak of {_DAYS[seen.weekday]}" if seen.weekday is not None else "a weekly peak",
        Rule.TREND: "it grows",
        Rule.COLD_START: "widened, with so few days",
        Rule.OOM: "it was killed for memory",
        Rule.FLOOR: "its documentation asks for it",
        Rule.CEILING: "no node has more",
    }.get(proposal.rule, "")
    over = f"over on {seen.days_over} of {seen.days} days"
    bound = f"next day over with a chance of at most {seen.bound:.0%}"
    return ", ".join(filter(None, (f"{name} by {seen.days} days", rule, over, bound)))


def _changes(found: Sequence[Resizing]) -> None:
    changing = [each for each in found if each.do]
    if not changing:
        return
    title("Changes")
    for each in changing:
        print_line()
        say(f"{each.addon}: {change(each.usd_micros)} a month", "bold")
        actions(action_lines(each.do), "→ ", "   ")
        actions(action_lines(each.undo), "undo: ", "   ")


def _kept(found: Sequence[Resizing], style: Style) -> None:
    """What stays as it is, counted by why; the wide table has each."""
    if style.wide:
        return
    why: dict[Kept, int] = {}
    for each in found:
        for container in each.containers:
            for proposal in (container.sizing.cpu, container.sizing.memory):
                if proposal.kept is not None and not container.changes:
                    why[proposal.kept] = why.get(proposal.kept, 0) + 1
    if why:
        print_line()
        counts = ", ".join(f"{many} {kept.value}" for kept, many in why.items())
        say(f"Requests that stay: {counts} (-o wide lists them).", QUIET)


def resizes_document(assessment: Assessment, found: Sequence[Resizing], metrics: Metrics, risk: Risk) -> Document:
    """`addonctl rightsize -o json`: micro-dollars a month, less than none frees; CPU in millicores, memory in bytes."""
    return {
        **envelope(assessment, "RightSizing"),
        "risk": risk.value,
        "source": metrics.source,
        "window_s": metrics.window.total_seconds(),
        "usd_micros": sum(each.usd_micros for each in found),
        "installations": [
            {
                "installation": each.installation,
                "addon": each.addon,
                "owner": str(each.owner),
                "usd_micros": each.usd_micros,
                "containers": plain(each.containers),
                "fix": [str(line) for line in action_lines(each.do)],
                "actions": plain(each.do),
                "undo": [str(line) for line in action_lines(each.undo)],
                "undo_actions": plain(each.undo),
            }
            for each in found
        ],
    }
