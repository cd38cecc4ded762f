"""What is due for add-ons, for people: by when it is due, each action with its reason, its way and its way back."""

from collections.abc import Iterable, Iterator, Mapping

from addonctl.assessment import Assessment
from addonctl.catalog import Answer
from addonctl.findings import CHECKS
from addonctl.lifecycle import (
    Alternative,
    Choice,
    Confidence,
    Downtime,
    LifecycleAction,
    LifecycleManagement,
    Outage,
    Rollback,
    Strategy,
    Timeline,
    of_lifecycle,
)
from addonctl.model import ClusterRef, Due, UpdateAddon
from addonctl.model.plan import Rollout
from addonctl.render.commands import action_lines, command
from addonctl.render.drawing import Label, labels
from addonctl.render.screen import BAD, CALM, FAIR, GOOD, QUIET, Style, actions, counted, print_line, say, waves_of
from addonctl.render.tables import Cell
from addonctl.render.terminal import DISRUPTIONS, kubernetes_line

_ROLLOUTS: Mapping[Rollout, str] = {
    Rollout.SURGE: "rolling with surge",
    Rollout.ONE_BY_ONE: "one by one",
    Rollout.NODE_BY_NODE: "node by node",
    Rollout.AT_ONCE: "all at once, by its owner",
}
_CHOICES: Mapping[Choice, str] = {
    Choice.OTHER_VERSION: "or",
    Choice.OTHER_INSTALLER: "or",
    Choice.SUCCESSOR: "to",
    Choice.WAIT: "if nothing is done",
}
_COLOURS = {Due.TODAY: BAD, Due.THIS_WEEK: FAIR, Due.NEXT_MONTH: CALM}
_INDENT = "   "
_NAMED = 8


def lifecycle(assessment: Assessment, found: LifecycleManagement, style: Style) -> None:
    """The actions by when they are due; `wide`: also what speaks for and against each, and what else could be done."""
    status, made = assessment.kubernetes, found.lifecycle_actions
    target = f"  ·  next {status.target}" if status.target and status.target != status.running else ""
    demo = "DEMO  " if assessment.cluster.demo else ""
    say(f"{demo}{found.cluster_name}  ·  {kubernetes_line(status)}{target}", "bold")
    counts = {due: sum(each.timeline.due is due for each in made) for due in Due}
    said = ", ".join(f"{count} {due.value}" for due, count in counts.items() if count)
    say(f"{counted(len(assessment.addons), 'add-on')}; {counted(len(made), 'action')}{said and f': {said}'}")
    for cluster in (each for each in assessment.about(of_lifecycle).findings if isinstance(each.subject, ClusterRef)):
        say(f"{cluster.code}  {CHECKS[cluster.code].title}", _COLOURS[cluster.severity.due])
    named = labels(each.action.installation for each in made)
    for number, each in enumerate(made, start=1):
        if number == 1 or made[number - 2].timeline.due is not each.timeline.due:
            print_line()
            say(each.timeline.due.value.upper(), _COLOURS[each.timeline.due])
        answered = (assessment.by_id[found].code for found in each.action.findings if found in assessment.by_id)
        codes = ", ".join(dict.fromkeys(answered))
        _action(each, named[each.action.installation], number, codes, style)
    if status.running is None:
        say("Without the running Kubernetes no update can be planned.", FAIR)
    elif not made:
        unread = any(not gap.absent for gap in assessment.gaps)
        say(f"Nothing is due{' in what could be read' if unread else ''}.", "" if unread else GOOD)
    _unknown(assessment, {each.action.installation for each in made if each.migration_plan})


def _action(each: LifecycleAction, label: Label, number: int, codes: str, style: Style) -> None:
    was = each.action.from_version or "version unknown"
    to = each.action.to_version or ("a successor" if each.migration_plan else "a version that you choose")
    say(f"{label}: {was} → {to}{codes and f'  ({codes})'}", "bold", first=f"{number}. ")
    for reason in each.action.why:
        say(reason, "", _INDENT)
    when = _when(each.timeline)
    if when and not each.migration_plan:
        say(when, "", _INDENT)
    if each.migration_plan:
        _migration(each)
    else:
        say(_how(each.strategy, each.expected_downtime), QUIET, _INDENT)
        _to_do(each, label)
        _way_back(each.rollback_plan or Rollback(do=()))
    if style.wide:
        _confidence(each.confidence)
    for choice in each.alternative_solutions:
        if style.wide or choice.type is Choice.SUCCESSOR:
            _choice(choice)


def _to_do(each: LifecycleAction, label: Label) -> None:
    """The command that shows the whole plan; what a person chooses the version of has none."""
    if each.action.to_version is None:
        actions(action_lines(each.action.do), "→ ", _INDENT)
        return
    name = each.action.installation if label.where else each.addon
    print_line(Cell(f"{_INDENT}→ "), Cell(command("addonctl", "plan", name, "--to", each.action.to_version)))


def _when(timeline: Timeline) -> str:
    if timeline.by is None:
        return timeline.because
    return f"by {timeline.by}: {timeline.because}"


def _how(strategy: Strategy, downtime: Downtime) -> str:
    rollouts = dict.fromkeys(_ROLLOUTS[each.rollout] for each in strategy.workloads)
    waves = waves_of(strategy.waves)
    hops = f"{strategy.steps} steps, each " if strategy.steps > 1 else ""
    way = f"{hops}{' and '.join(rollouts)} in {waves}" if rollouts else f"{hops}as its owner does it"
    meanwhile = DISRUPTIONS.get(downtime.disruption, downtime.disruption)
    lost = "requests may be lost" if downtime.expected is Outage.POSSIBLE else ""
    if downtime.expected is Outage.UNKNOWN:
        lost = f"downtime unknown: {downtime.unknown_reason}"
    stops = "; ".join(filter(None, (f"meanwhile {meanwhile}" if meanwhile else "", lost)))
    return f"{way}; {stops or 'no downtime expected'}"


def _way_back(back: Rollback) -> None:
    for reason in back.irreversible:
        say(f"cannot be undone: {reason}", BAD, _INDENT)
    updates = [action for action in back.do if isinstance(action, UpdateAddon)]
    if updates:
        say(f"undo: EKS updates it back to {', then '.join(each.version for each in updates)}", QUIET, _INDENT)
    actions(action_lines(action for action in back.do if action not in updates), "undo: ", _INDENT)


def _migration(each: LifecycleAction) -> None:
    for step in each.migration_plan:
        actions(action_lines((step.do,)), f"{step.due.value}: ", _INDENT)


def _confidence(known: Confidence) -> None:
    unknown = f"unknown: {known.unknown_reason}" if known.value is None else f"{known.value:.0%}"
    say(f"confidence {unknown}", QUIET, _INDENT)
    for sign, colour, reasons in (("+", GOOD, known.speaks_for), ("-", FAIR, known.speaks_against)):
        for reason in reasons:
            say(reason, colour, _INDENT, first=f"{sign} ")


def _choice(choice: Alternative) -> None:
    version = f"{choice.version}, " if choice.version else ""
    say(f"{_CHOICES[choice.type]}: {version}{choice.text}", QUIET, _INDENT)
    actions(action_lines(choice.do), "→ ", _INDENT * 2)


def _unknown(assessment: Assessment, leaving: set[str]) -> None:
    """What cannot be said for the target; of what is to be replaced nobody asks."""
    target = assessment.kubernetes.target
    if target is None:
        return
    asked = [each for each in assessment.addons if each.installation.id not in leaving]
    open_ids = [each.installation.id for each in asked if each.target.answer is Answer.UNKNOWN]
    if open_ids:
        names = list(_listed(labels(open_ids).values()))
        print_line()
        say(f"Nobody says whether these support Kubernetes {target}: {', '.join(names)}. See addonctl compat.", QUIET)


def _listed(names: Iterable[Label]) -> Iterator[str]:
    every = [str(each) for each in names]
    yield from every[:_NAMED]
    if len(every) > _NAMED:
        yield f"and {len(every) - _NAMED} more"
