"""The report of an upgrade: for a terminal, as Markdown for a ticket, and as a document. upgrade_html.py has the page.

Pure; called by `addonctl upgrade-report`. All text from the cluster is shown as code in Markdown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from addonctl.assessment import Assessment
from addonctl.catalog import Answer
from addonctl.findings import CHECKS
from addonctl.model.plan import OpenQuestion, Step
from addonctl.render import terminal
from addonctl.render.commands import Line, action_lines, action_text, boxes, fix_lines
from addonctl.render.documents import Document, envelope, finding_document, gap_lines, plain, step_document
from addonctl.render.drawing import Label, labels
from addonctl.render.escaping import markdown_block, markdown_code
from addonctl.render.intake import gap_detail
from addonctl.render.markdown import rows_of, words
from addonctl.render.screen import BAD, FAIR, GOOD, QUIET, Style, actions, counted, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit
from addonctl.upgrading import (
    AddonUpgrade,
    Obstacle,
    Outcome,
    Stage,
    UpgradeReport,
    answer,
    by_addonctl,
    by_owner,
)

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.STAYS: "stays",
    Outcome.CHANGES: "changes",
    Outcome.CHOOSE: "choose a version",
    Outcome.NO_VERSION: "no version known",
    Outcome.UNKNOWN: "unknown",
    Outcome.BY_AWS: "AWS updates it",
}
"""What becomes of an add-on, in words."""
_ANSWERS = {Answer.YES: GOOD, Answer.NO: BAD, Answer.UNKNOWN: FAIR}
_COLOURS = {Outcome.STAYS: GOOD, Outcome.BY_AWS: GOOD, Outcome.NO_VERSION: BAD, Outcome.UNKNOWN: QUIET}
# Evidence of a finding beyond this is counted; `-o json` has all of it.
_EVIDENCE_SHOWN = 50
AGAIN = "Then make this report again: the cluster has changed."
OR_BY_ADDONCTL = "Or, watched wave by wave and put back if it degrades: "


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def counts(found: UpgradeReport) -> str:
    """`2 blockers, 5 to look at, 3 add-ons change, 1 unknown`."""
    changes = len(found.of(Outcome.CHANGES, Outcome.CHOOSE))
    return ", ".join(
        (
            counted(len(found.blockers), "blocker"),
            f"{len(found.to_look_at)} to look at",
            f"{counted(changes, 'add-on')} to change",
            f"{len(found.questions)} unknown",
        )
    )


def verdict(found: UpgradeReport, assessment: Assessment) -> str:
    """Whether it can begin, in one sentence; never yes where something is not known."""
    if found.blockers:
        return f"Not yet: {counted(len(found.blockers), 'blocker')} to resolve first."
    stuck, unread = len(found.of(Outcome.NO_VERSION)), sum(not gap.absent for gap in assessment.gaps)
    if stuck:
        return f"Not yet: {counted(stuck, 'add-on')} without a version that fits."
    asked = f"{counted(len(found.questions), 'add-on')} of which nobody says whether it fits" if found.questions else ""
    parts = f"{counted(unread, 'part')} not read" if unread else ""
    absent = "what of the cluster is not in the input" if any(gap.absent for gap in assessment.gaps) else ""
    unknown = "; ".join(filter(None, (asked, parts, absent, beyond(found))))
    if unknown:
        return f"Nothing known stands in the way, but not everything is known: {unknown}."
    return "Nothing stands in the way: go in the order below."


def beyond(found: UpgradeReport) -> str:
    """Which minors on the way nobody knows; empty if they are all known."""
    minors = ", ".join(map(str, found.beyond))
    return f"Kubernetes {minors}, which EKS is not known to offer, and what it removes" if minors else ""


def to_look_up(stage: Stage, named: Mapping[str, Label]) -> list[str]:
    """What a person has to find out before a stage, in sentences."""

    def listed(asked: Iterable[OpenQuestion]) -> str:
        published = ((each, f" (published for it: {each.published})" if each.published else "") for each in asked)
        return ", ".join(f"{named.get(each.installation, each.installation)}{text}" for each, text in published)

    unsure = listed(each for each in stage.questions if not each.unsupported)
    unfit = listed(each for each in stage.questions if each.unsupported)
    return [
        *([f"Look up first which version supports {stage.to}: {unsure}."] if unsure else []),
        *([f"Find a version first of what does not support {stage.to}: {unfit}."] if unfit else []),
    ]


def where_to_paste(assessment: Assessment) -> str:
    """Which cluster commands must act on: they take context, profile and region from the shell."""
    cluster, region = assessment.cluster, assessment.view.region
    context = f", context {cluster.context}" if cluster.context else ""
    there = f", region {region}" if region else ""
    return f"Commands take kubectl's context and the AWS region of your shell; this is {cluster.name}{context}{there}."


def moves(each: AddonUpgrade) -> str:
    """`v1 → v2`, and where it stays its version alone."""
    was = each.from_version or "unknown"
    return f"{was} → {each.to_version}" if each.to_version else was


def why(each: AddonUpgrade) -> str:
    """For which Kubernetes it changes, or why that is unknown; and what is known of versions for it."""
    asking = f"For {each.kubernetes}." if each.kubernetes and not each.reason else ""
    published = f"Published for {each.kubernetes}: {each.published}." if each.published else ""
    return " ".join(filter(None, (asking, each.reason, published)))


def headings(stage: Stage) -> tuple[str, str, str, str]:
    """Of what comes before the control plane, of the control plane, its nodes, and of what comes after."""
    return (
        f"Before {stage.to}, while {stage.kubernetes} runs",
        f"The control plane to {stage.to}",
        f"Its nodes to {stage.to}",
        f"Right after {stage.to}",
    )


def by_topic(obstacles: Iterable[Obstacle]) -> list[tuple[str, list[Obstacle]]]:
    return [(topic.value, list(same)) for topic, same in groupby(obstacles, key=lambda each: each.topic)]


def named_of(found: UpgradeReport) -> Mapping[str, Label]:
    """The label of each installation."""
    return labels(each.installation for each in found.addons)


# ── On a terminal ───────────────────────────────────────────────────────────────────────────────────────────────────


def upgrade_report(assessment: Assessment, found: UpgradeReport, style: Style) -> None:
    demo = "DEMO  " if assessment.cluster.demo else ""
    supported = terminal.kubernetes_line(assessment.kubernetes)
    say(f"{demo}{found.plan.cluster}  ·  {supported}  ·  target {found.target}", "bold")
    say(counts(found))
    say(verdict(found, assessment), _ANSWERS[answer(found, assessment)])
    for heading, obstacles in (("BLOCKERS", found.blockers), ("TO LOOK AT", found.to_look_at)):
        for topic, same in by_topic(obstacles):
            title(f"{heading}: {topic}")
            for each in same:
                _obstacle(each, found, style)
    print_line()
    say(where_to_paste(assessment), QUIET)
    for stage in found.stages:
        _stage(stage, found, style)
    _addons(found, style)
    if found.waived:
        say(f"{counted(found.waived, 'finding')} waived, and not counted.", QUIET)
    terminal.gaps(assessment.gaps, style, assessment.snapshot.intake)
    if found.beyond:
        say(f"Not known: {beyond(found)}.", FAIR)
    for note in assessment.stale:
        say(note, FAIR)


def _obstacle(each: Obstacle, found: UpgradeReport, style: Style) -> None:
    if each.blocks or style.wide:
        terminal.one_finding(each.finding)
    else:
        terminal.brief(each.finding, effect=False)
    for effect in each.effects:
        text = f"{effect.code}  {effect.subject}: {CHECKS[effect.code].title}"
        say(text, QUIET, " " * 12, first="└ effect: ")
    if each.blocks and len(found.stages) > 1:
        say(f"before {each.before}", QUIET, " " * 12)


def _stage(stage: Stage, found: UpgradeReport, style: Style) -> None:
    before, control_plane, nodes, after = headings(stage)
    asked = to_look_up(stage, named_of(found))
    if asked or stage.before:
        title(before)
    for text in asked:
        say(text, FAIR)
    _steps(stage.before, found, style)
    title(control_plane)
    actions(action_lines(stage.control_plane), "→ ", "   ")
    if stage.nodes:
        title(nodes)
        actions(action_lines(stage.nodes), "→ ", "   ")
    if stage.after:
        title(after)
    _steps(stage.after, found, style)


def _steps(steps: Sequence[Step], found: UpgradeReport, style: Style) -> None:
    named = named_of(found)
    for step in steps:
        was, to = step.from_version or "unknown", step.to_version or "a version that you choose"
        say(f"{named.get(step.installation, step.installation)}: {was} → {to}", "", first=f"{step.id}. ")
        actions(action_lines(by_owner(step)), "→ ", "   ")
        if step.irreversible:
            say(f"cannot be undone: {step.irreversible}", BAD, "   ")
        if style.wide:
            actions(action_lines(step.undo), "undo: ", "   ")
        watched = action_lines(by_addonctl(step))
        if watched:
            print_line(Cell(f"   or: {watched[0]}", QUIET))


def _addons(found: UpgradeReport, style: Style) -> None:
    title("ADD-ONS")
    named = named_of(found)
    columns = [Column("ADD-ON", Fit.CUT), Column("VERSION"), Column(""), Column("WHY", Fit.WRAP)]
    rows = [
        (
            str(named[each.installation]),
            moves(each),
            Cell(OUTCOMES[each.outcome], _COLOURS.get(each.outcome, FAIR)),
            why(each),
        )
        for each in found.addons
    ]
    table(columns, rows, headers=style.headers)


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────────


def markdown(assessment: Assessment, found: UpgradeReport) -> str:
    """For a ticket: blockers first, then the order with what to paste, then every add-on, then what nobody knows."""
    parts = (_head, _obstacles, _order, _addon_table, _not_read)
    return "\n".join(line for part in parts for line in part(assessment, found)).rstrip() + "\n"


def _head(assessment: Assessment, found: UpgradeReport) -> Iterator[str]:
    demo = " (demo cluster)" if assessment.cluster.demo else ""
    plan = found.plan
    yield f"# Upgrade of {markdown_code(plan.cluster)}{demo} from Kubernetes {plan.kubernetes} to {found.target}\n"
    yield f"**{words(verdict(found, assessment))}** {counts(found).capitalize()}.\n"
    yield f"{words(terminal.kubernetes_line(assessment.kubernetes))}. As of {assessment.day}.\n"


def _obstacles(assessment: Assessment, found: UpgradeReport) -> Iterator[str]:
    for heading, obstacles in (("Blockers", found.blockers), ("To look at", found.to_look_at)):
        if obstacles:
            yield f"## {heading}\n"
        for topic, same in by_topic(obstacles):
            yield f"### {heading}: {topic}\n"
            for each in same:
                yield from _told(assessment, each)


def _told(assessment: Assessment, each: Obstacle) -> Iterator[str]:
    found = each.finding
    before = f" (before {each.before})" if each.blocks else ""
    yield f"**{found.code}** {CHECKS[found.code].title}: {markdown_code(str(found.subject))}{before}\n"
    for item in found.evidence[:_EVIDENCE_SHOWN]:
        yield f"- {': '.join(filter(None, (markdown_code(item.subject), markdown_code(item.detail))))}"
    if len(found.evidence) > _EVIDENCE_SHOWN:
        yield f"- … and {len(found.evidence) - _EVIDENCE_SHOWN} more"
    for effect in each.effects:
        yield f"- effect: **{effect.code}** {CHECKS[effect.code].title}: {markdown_code(str(effect.subject))}"
    yield ""
    yield from _pasted(fix_lines(found))


def _pasted(lines: Iterable[Line]) -> Iterator[str]:
    """Commands in blocks, and each thing that a person is to do behind an arrow."""
    for pasted, text in boxes(lines):
        if pasted:
            yield f"{markdown_block(text)}\n"
        else:
            yield from (f"→ {markdown_code(line)}\n" for line in text.split("\n"))


def _order(assessment: Assessment, found: UpgradeReport) -> Iterator[str]:
    yield f"## Order\n\n{words(where_to_paste(assessment))}\n"
    for stage in found.stages:
        before, control_plane, nodes, after = headings(stage)
        asked = to_look_up(stage, named_of(found))
        if asked or stage.before:
            yield f"### {before}\n"
        yield from (f"{words(text)}\n" for text in asked)
        yield from _written_steps(stage.before)
        yield f"### {control_plane}\n\n{markdown_block(action_text(stage.control_plane))}\n"
        if stage.nodes:
            yield f"### {nodes}\n"
            yield from _pasted(action_lines(stage.nodes))
        if stage.after:
            yield f"### {after}\n"
        yield from _written_steps(stage.after)
        yield f"{AGAIN}\n"


def _written_steps(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        to = markdown_code(str(step.to_version)) if step.to_version else "a version that you choose"
        was = markdown_code(str(step.from_version or "unknown"))
        yield f"{step.id}. {markdown_code(step.installation)} {was} → {to}, by {markdown_code(str(step.owner))}\n"
        yield from _pasted(action_lines(by_owner(step)))
        if step.irreversible:
            yield f"Cannot be undone: {markdown_code(step.irreversible)}\n"
        for mark, done in (("Undo: ", step.undo), (OR_BY_ADDONCTL, by_addonctl(step))):
            for line in action_lines(done):
                yield f"{mark}{markdown_code(line.text)}\n"


def _addon_table(assessment: Assessment, found: UpgradeReport) -> Iterator[str]:
    yield "## Add-ons\n"
    rows = [
        (
            markdown_code(each.installation),
            markdown_code(each.from_version or "unknown"),
            OUTCOMES[each.outcome],
            markdown_code(each.to_version),
            markdown_code(each.default),
            markdown_code(why(each)),
        )
        for each in found.addons
    ]
    default = f"AWS's default for {found.target}"
    yield from rows_of(("add-on", "version", "what becomes of it", "to", default, "why"), rows)


def _not_read(assessment: Assessment, found: UpgradeReport) -> Iterator[str]:
    told, absent = gap_lines(assessment.gaps)
    unrecognised = assessment.inventory.unrecognised
    if not (told or absent or unrecognised or found.waived or found.beyond or assessment.stale):
        return
    yield "## Not judged\n"
    yield from (f"- {words(gap.part)}: {gap.reason.value}, {markdown_code(gap_detail(gap))}" for gap in told)
    if absent:
        yield f"- not in the input: {markdown_code(', '.join(absent))}"
    if unrecognised:
        named = ", ".join(str(each.ref) for each in unrecognised)
        yield f"- system workloads that match no add-on of the catalog: {markdown_code(named)}"
    if found.waived:
        yield f"- {counted(found.waived, 'finding')} waived"
    if found.beyond:
        yield f"- {words(beyond(found))}"
    yield from (f"- {words(note)}" for note in assessment.stale)


# ── Document ────────────────────────────────────────────────────────────────────────────────────────────────────────


def upgrade_document(assessment: Assessment, found: UpgradeReport) -> Document:
    """`addonctl upgrade-report -o json`; steps are those of a plan."""
    return {
        **envelope(assessment, "UpgradeReport"),
        "from": str(found.plan.kubernetes),
        "target": str(found.target),
        "plan": found.plan.id,
        "answer": answer(found, assessment).value,
        "verdict": verdict(found, assessment),
        "blockers": [_obstacle_document(assessment, each) for each in found.blockers],
        "to_look_at": [_obstacle_document(assessment, each) for each in found.to_look_at],
        "stages": [_stage_document(stage) for stage in found.stages],
        "addons": [plain(each) | {"why": why(each)} for each in found.addons],
        "questions": plain(found.questions),
        "beyond": plain(found.beyond),
        "waived": found.waived,
        "stale_knowledge": list(assessment.stale),
    }


def _obstacle_document(assessment: Assessment, each: Obstacle) -> Document:
    told = finding_document(each.finding, assessment.places(each.finding))
    return {
        "topic": each.topic.value,
        "before": str(each.before),
        **told,
        "effects": [effect.id for effect in each.effects],
    }


def _stage_document(stage: Stage) -> Document:
    def listed(steps: Iterable[Step]) -> list[Document]:
        return [step_document(step) | {"commands": action_text(by_owner(step))} for step in steps]

    return {
        "from": str(stage.kubernetes),
        "to": str(stage.to),
        "questions": plain(stage.questions),
        "before": listed(stage.before),
        "control_plane": action_text(stage.control_plane),
        "nodes": action_text(stage.nodes),
        "after": listed(stage.after),
    }
