"""The commands that change clusters: update, restore, rollback, runs and what is asked of them, checkpoints.

A change is planned, shown, agreed to, and then driven by a worker in this process, which may be stopped and resumed.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from addonctl.apps import options as opt
from addonctl.apps import rehearsing
from addonctl.apps import run as edge
from addonctl.apps.shared import given_options, print_document, refuse, source_options, values_given
from addonctl.errors import AddonctlError, BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from addonctl.apps.wiring import SourceOptions
    from addonctl.manager import Manager
    from addonctl.model.journal import Asked, RunEntry
    from addonctl.model.plan import Plan
    from addonctl.model.run import Limits, Run
    from addonctl.ports import Journal
    from addonctl.preflight import Prepared
    from addonctl.values import Values
    from addonctl.worker import Worker

EXIT_ROLLED_BACK, EXIT_STUCK = 4, 5
_output = opt.output_option("table", "json", "yaml")
_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask; for pipelines.")
_times = opt.chain(
    click.option("--baseline", default="", metavar="DURATION", help="How long it is watched before; 30s by default."),
    click.option("--soak", default="", metavar="DURATION", help="How long each wave is watched; 1m by default."),
    click.option("--timeout", default="", metavar="DURATION", help="How long a wave may take; 10m by default."),
)
_dry_run = click.option("--dry-run", is_flag=True, help="Print the plan, change nothing.")
_run_id = click.argument("run_id", metavar="RUN", shell_complete=opt.completes_runs)
_live = opt.live_options


# ── Changes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command()
@opt.addon_or_none
@_live
@opt.prometheus
@opt.kubernetes
@click.option(
    "--to",
    default="",
    metavar="VERSION",
    help="The version, `default` or `latest-compatible`.",
    shell_complete=opt.completes_goals,
)
@opt.values_options
@click.option(
    "--manifests", default="", metavar="PATH", type=opt.PATH, help="Its manifests, where it was applied as such."
)
@click.option("--plan", "saved", default="", metavar="FILE", type=opt.PATH, help="Carry out a saved plan.")
@_times
@opt.accept_risk
@rehearsing.rehearsal_options
@_dry_run
@_yes
@_output
def update(
    addon: str,
    to: str,
    manifests: str,
    saved: str,
    output: str,
    **given: Any,
) -> None:
    """Update ADDON, watched wave by wave; what degrades is put back as it was.

    To another version (--to), another configuration (--set, --values), or both. With --plan FILE, a plan that was saved
    with `addonctl plan -o json` is carried out, if the cluster is still as it was planned for.

    Exits with 0 when it is updated, 3 when it is refused or not recommended, 4 when it was rolled back or cancelled,
    5 when it is stuck and a person must look. With --rehearse nothing is changed: the plan is tried in a simulated twin
    of the cluster, and 3 says that it fails there though nothing is in its way.
    """
    from addonctl.adapters.manifest_files import ManifestFiles

    rehearsal = rehearsing.asked(given)
    agreed, values = _Agreed.of(given), values_given(given)
    options = source_options(given)
    _check_alone(saved, addon, to, values)
    files = ManifestFiles().read(manifests) if manifests else None
    manager = _manager(options)
    prepared = _of_file(manager, saved) if saved else manager.prepare_update(addon, to, files, values)
    if rehearsal:
        prepared = prepared.accepting(agreed.accepted)
        rehearsing.tried(manager, prepared, agreed.plan(prepared), agreed.limits, output, rehearsal)
    _carry_out(options, prepared, agreed._replace(is_saved=bool(saved)), output)


def _check_alone(saved: str, addon: str, to: str, values: "Values") -> None:
    """Raises BadInput where an update has no goal, or several."""
    if saved:
        beside = given_options("addon", "to", "manifests", "sets", "strings", "values_files")
        refuse(["ADDON"] if addon else beside, "--plan", "The plan says what is changed.")
    elif not addon or not (to or values):
        raise BadInput("An update needs a goal", "Give ADDON with --to VERSION, --set or --values; or --plan FILE.")


def _of_file(manager: "Manager", saved: str) -> "Prepared":
    """A saved plan; the risks that were accepted when it was made stay so."""
    from addonctl.adapters import plan_file
    from addonctl.preflight import check_accepted

    found = plan_file.read(saved)
    return manager.prepare_saved(found.plan).accepting(check_accepted(found.accepted))


@click.command()
@opt.addon
@_live
@opt.kubernetes
@click.option(
    "--to",
    default="",
    metavar="VERSION",
    help="The version; EKS's default for the cluster by default.",
    shell_complete=opt.completes_goals,
)
@opt.values_options
@click.option("--role", default="", metavar="ARN", help="The IAM role of its ServiceAccount.")
@click.option(
    "--adopt",
    type=click.Choice(["overwrite", "preserve"]),
    help="Over what was applied by hand; what EKS does with fields that are set there.",
)
@_times
@opt.accept_risk
@_dry_run
@_yes
@_output
def create(addon: str, to: str, role: str, adopt: str | None, output: str, **given: Any) -> None:
    """Have EKS install ADDON, watched until it serves; what does not is deleted again.

    With --adopt it is one that was applied by hand: EKS takes it over wave by wave, and back is as it was.
    """
    agreed, values = _Agreed.of(given), values_given(given)
    options = source_options(given)
    prepared = _manager(options).prepare_creation(addon, to, values, (adopt or "").upper(), role)
    _carry_out(options, prepared, agreed, output)


@click.command()
@opt.addon
@_live
@opt.kubernetes
@click.option("--preserve", is_flag=True, help="Leave its objects in the cluster, as they are.")
@_times
@opt.accept_risk
@_dry_run
@_yes
@_output
def delete(addon: str, preserve: bool, output: str, **given: Any) -> None:
    """Delete ADDON with its objects, as EKS or Helm does it, while the rest of the cluster is watched.

    There is no way back, so that risk has to be accepted (PRE010), and that of what cannot run without it (PRE025).
    With --preserve EKS forgets the add-on and its objects stay: they are watched, and given back to EKS where they
    degrade. `addonctl create ADDON --adopt` is the way back later.
    """
    agreed = _Agreed.of(given)
    options = source_options(given)
    manager = _manager(options)
    prepared = manager.prepare_letting_go(addon) if preserve else manager.prepare_removal(addon)
    _carry_out(options, prepared, agreed, output)


@click.command()
@click.argument("checkpoint_id", metavar="CHECKPOINT")
@_live
@opt.prometheus
@opt.kubernetes
@_times
@opt.accept_risk
@_dry_run
@_yes
@_output
def restore(checkpoint_id: str, output: str, **given: Any) -> None:
    """Bring an add-on back to what CHECKPOINT holds of it, watched as an update is."""
    from addonctl.apps import wiring

    agreed, entry = _Agreed.of(given), wiring.checkpoints().entry(checkpoint_id)
    options, goal = source_options(given), f"{entry.installation} to checkpoint {entry.id[:12]}"
    prepared = _manager(options).prepare_restore(goal, (entry,), wiring.executor(options, "").differing)
    _carry_out(options, prepared, agreed, output)


@click.command()
@_run_id
@_live
@opt.prometheus
@opt.kubernetes
@_times
@opt.accept_risk
@_dry_run
@_yes
@_output
def rollback(run_id: str, output: str, **given: Any) -> None:
    """Put back what RUN has updated, last step first, as its checkpoints have it.

    A run that has not ended goes back by itself: `addonctl cancel RUN`.
    """
    from addonctl.apps import wiring

    past = wiring.journal().load(run_id)
    if not past.phase.ended:
        raise BadInput(f"Run {past.id} has not ended", f"`addonctl cancel {past.id}` makes it go back.")
    store, agreed = wiring.checkpoints(), _Agreed.of(given)
    entries = [store.entry(id) for id in reversed(past.checkpoints)]
    if not entries:
        raise BadInput(f"Run {past.id} made no checkpoint: it changed nothing", "There is nothing to roll back.")
    options = source_options(given)
    prepared = _manager(options).prepare_restore(
        f"back from run {past.id}", entries, wiring.executor(options, "").differing
    )
    _carry_out(options, prepared, agreed, output)


def _manager(options: "SourceOptions") -> "Manager":
    """A manager that keeps to the windows and freezes of the settings."""
    from addonctl.adapters import config_file
    from addonctl.apps import wiring

    settings = config_file.load()
    return wiring.manager(options, windows=settings.windows, freezes=settings.freezes)


class _Agreed(NamedTuple):
    """How a change is to be carried out: the risks taken, the time for each part, and whether anybody is asked.

    `is_saved`: the plan is in a file, and stays there.
    """

    accepted: frozenset[str]
    limits: "Limits"
    soak_s: int | None
    dry_run: bool
    yes: bool
    is_saved: bool = False

    @classmethod
    def of(cls, given: dict[str, Any]) -> "_Agreed":
        """Takes the options that are no source's out of `given`."""
        from addonctl.model.run import Limits
        from addonctl.preflight import check_accepted

        accepted = check_accepted(given.pop("accept_risk"))
        times = {name: given.pop(name) for name in ("baseline", "soak", "timeout")}
        seconds = {name: round(opt.duration_s(text)) for name, text in times.items() if text}
        named = {"baseline_s": seconds.get("baseline"), "apply_s": seconds.get("timeout")}
        limits = Limits(**{name: value for name, value in named.items() if value is not None})
        return cls(accepted, limits, seconds.get("soak"), given.pop("dry_run"), given.pop("yes"))

    def plan(self, prepared: "Prepared") -> "Plan":
        from dataclasses import replace

        plan = prepared.to_carry_out
        if self.soak_s is None:
            return plan
        return replace(plan, steps=tuple(replace(step, soak_s=self.soak_s) for step in plan.steps))


def _carry_out(options: "SourceOptions", prepared: "Prepared", agreed: _Agreed, output: str) -> None:
    """Shows a plan, has it agreed to, and drives it; ends the command with the exit code of what came of it."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    prepared = prepared.accepting(agreed.accepted)
    stops = agreed.dry_run or prepared.refusals or not prepared.plan.steps
    if stops or output == "table":
        style = screen.Style()
        print_document(output, lambda: documents.plan_document(prepared), lambda: terminal.plan(prepared, style))
    if stops and output == "table" and not agreed.is_saved:
        wiring.forget(prepared.plan)  # nobody can carry it out
    if prepared.refusals:
        sys.stdout.flush()
        sys.exit(edge.EXIT_NOT_RECOMMENDED)
    if not stops:
        _ask(yes=agreed.yes)
        _told(_driven(options, prepared, agreed), output)


def _ask(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput("This changes the cluster, and nobody can be asked", "Give --yes, or --dry-run to look.")
    sys.stdout.flush()
    click.confirm("\nCarry it out?", abort=True, err=True)


def _driven(options: "SourceOptions", prepared: "Prepared", agreed: _Agreed) -> "Run":
    from addonctl.apps import wiring
    from addonctl.render.live import Follower

    plan = wiring.counting(options, agreed.plan(prepared))
    with Follower() as follower:
        id = wiring.run_id(plan)
        worker = wiring.worker(options, id, follower)
        run = worker.begin(id, plan, wiring.whoami(), limits=agreed.limits)
        return _drive(worker, run, approved=prepared.approved)


def _drive(worker: "Worker", run: "Run", *, approved: bool = False) -> "Run":
    """Drives a run to its end. The first Ctrl-C makes it go back, the second leaves it as it is, to be resumed."""
    import signal

    from addonctl.apps import wiring
    from addonctl.model.run import Approved, Cancelled, Phase

    interrupts: list[int] = []
    notices, me = wiring.notices(), wiring.whoami()

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        interrupts.append(0)
        if len(interrupts) > 1:
            raise KeyboardInterrupt
        print("\nGoing back to how it was. Ctrl-C again leaves it as it is now.", file=sys.stderr)

    def told(moved: "Run") -> None:
        worker.told(moved)
        notices(moved)
        if moved.phase is Phase.APPROVAL and approved:
            worker.journal.ask(moved.id, Approved(me))
        if interrupts and not moved.phase.ended and moved.phase is not Phase.ROLLING_BACK:
            worker.journal.ask(moved.id, Cancelled(me))

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        ended = worker.telling(told).drive(run)
        if ended.phase is Phase.UPDATED:
            wiring.forget(ended.plan)
        return ended
    except (KeyboardInterrupt, AddonctlError) as error:
        _left(run.id, error)
    finally:
        signal.signal(signal.SIGINT, before)
        notices.close()
        worker.journal.close()


def _left(id: str, error: BaseException) -> NoReturn:
    """A run was left in the middle: nothing is lost, whoever resumes it goes on."""
    fix = f"Go on: addonctl resume {id}"
    if isinstance(error, AddonctlError):
        raise AddonctlError(f"Run {id} was left in the middle: {error.what}", f"{error.fix} {fix}".strip()) from error
    print(f"Run {id} was left in the middle.\nFix: {fix}", file=sys.stderr)
    sys.exit(edge.EXIT_INTERRUPTED)


def _told(run: "Run", output: str) -> NoReturn:
    """Prints what came of a run, and exits with its code."""
    from addonctl.apps import wiring
    from addonctl.model.run import Phase
    from addonctl.render import live, runs

    print_document(output, lambda: runs.run_document(run, wiring.journal().lines(run.id)), lambda: live.outcome(run))
    sys.stdout.flush()
    codes = {
        Phase.UPDATED: 0,
        Phase.REFUSED: edge.EXIT_NOT_RECOMMENDED,
        Phase.ROLLED_BACK: EXIT_ROLLED_BACK,
        Phase.CANCELLED: EXIT_ROLLED_BACK,
        Phase.STUCK: EXIT_STUCK,
    }
    sys.exit(codes[run.phase])


# ── Runs ────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command()
@click.argument("run_id", metavar="[RUN]", required=False, default="", shell_complete=opt.completes_runs)
@opt.output_option("table", "json", "yaml", "name", "csv")
@opt.no_headers
def runs(run_id: str, output: str, no_headers: bool) -> None:
    """All runs, newest first; with RUN its timeline and its audit record."""
    from addonctl.apps import wiring
    from addonctl.render import live
    from addonctl.render import runs as words

    journal = wiring.journal()
    if not run_id:
        entries = journal.entries()
        print_document(output, lambda: words.runs_document(entries), lambda: live.runs(entries, headers=not no_headers))
        return
    run = journal.load(run_id)
    lines = journal.lines(run.id)
    print_document(output, lambda: words.run_document(run, lines), lambda: live.run_details(run, lines))


@click.command()
@_run_id
@_output
def watch(run_id: str, output: str) -> None:
    """Follow RUN, whoever drives it, until it ends; exits as `update` does."""
    from addonctl.apps import wiring
    from addonctl.render.live import Follower

    journal = wiring.journal()
    with Follower() as follower:
        run = journal.load(run_id)
        follower(run)
        while not run.phase.ended:
            wiring.CLOCK.sleep(1)
            run = journal.load(run.id)
            follower(run)
    _told(run, output)


def _asks(run_id: str, asked: "Callable[[str], Asked]", then: str) -> None:
    from addonctl.apps import wiring
    from addonctl.render import screen

    entry = wiring.journal().ask(run_id, asked(wiring.whoami()))
    nobody = "" if entry.alive else f" Nobody drives it now: addonctl resume {entry.id}"
    screen.note(f"Run {entry.id} {then}.{nobody}")


@click.command()
@_run_id
def approve(run_id: str) -> None:
    """Agree to the step that RUN waits with, also if it was paused; without it the step is not begun."""
    from addonctl.model.run import Approved

    _asks(run_id, Approved, "goes on with what it waited for")


@click.command()
@_run_id
def pause(run_id: str) -> None:
    """Let RUN begin no other wave or step until it is resumed; going back is not held up."""
    from addonctl.model.run import Paused

    _asks(run_id, Paused, "begins nothing new until it is resumed")


@click.command()
@_run_id
def cancel(run_id: str) -> None:
    """Let RUN go back to its checkpoint."""
    from addonctl.model.run import Cancelled

    _asks(run_id, Cancelled, "goes back to how it was")


@click.command()
@_run_id
@_live
@opt.prometheus
@_output
def resume(run_id: str, output: str, **source: Any) -> None:
    """Go on with RUN: it was paused, or the process that drove it has died."""
    from addonctl.apps import wiring
    from addonctl.model.run import Resumed
    from addonctl.render import screen
    from addonctl.render.live import Follower

    journal = wiring.journal()
    run = journal.load(run_id)
    if run.paused and not run.phase.ended and journal.ask(run.id, Resumed(wiring.whoami())).alive:
        return screen.note(f"Run {run.id} goes on.")
    _await_worker(journal, run.id)
    with Follower() as follower:
        worker = wiring.worker(source_options(source), run.id, follower, cluster=run.plan.cluster)
        taken = worker.journal.take(run.id)
        assert taken is not None, "a run that is named is taken, or an error says why not"
        run = _drive(worker, taken)
    _told(run, output)


def _await_worker(journal: "Journal", id: str) -> None:
    """Waits until a run's worker is known to have died; one that lives renews its hold meanwhile."""
    from addonctl.adapters.journal import HOLD_S
    from addonctl.apps import wiring
    from addonctl.render import screen

    def entry() -> "RunEntry":
        return next(each for each in journal.entries() if each.id == id)

    if entry().alive:
        screen.note(f"Waiting for up to {HOLD_S:.0f} s, to see whether {entry().worker} still drives it.")
    until = wiring.CLOCK.now().timestamp() + HOLD_S + 2
    while (found := entry()).alive:
        if wiring.CLOCK.now().timestamp() > until:
            raise BadInput(f"{found.worker} is at work on run {id}", f"Follow it: addonctl watch {id}")
        wiring.CLOCK.sleep(1)


# ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────────────


@click.group()
def checkpoint() -> None:
    """What is kept of add-ons to go back to: each update makes one. They may hold secrets, and are never printed."""


@checkpoint.command("list", short_help="All checkpoints, newest first.")
@_output
@opt.no_headers
def checkpoint_list(output: str, no_headers: bool) -> None:
    """All checkpoints, newest first."""
    from addonctl.apps import wiring
    from addonctl.render import live, runs

    entries = wiring.checkpoints().entries()
    print_document(
        output,
        lambda: runs.checkpoints_document(entries),
        lambda: live.checkpoints(entries, headers=not no_headers),
    )


@checkpoint.command("create", short_help="Make a checkpoint of an add-on now.")
@opt.addon
@_live
def checkpoint_create(addon: str, **source: Any) -> None:
    """Make a checkpoint of ADDON as it is now."""
    from addonctl.apps import wiring
    from addonctl.render import screen

    options = source_options(source)
    plan = wiring.manager(options).plan_checkpoint(addon)
    (step,) = plan.steps
    screen.note(str(wiring.executor(options, "").checkpoint(plan.cluster, step)))


@checkpoint.command("show", short_help="What a checkpoint holds, without its contents.")
@click.argument("checkpoint_id", metavar="CHECKPOINT")
@_output
def checkpoint_show(checkpoint_id: str, output: str) -> None:
    """What CHECKPOINT holds: which objects, never their contents."""
    from addonctl.apps import wiring
    from addonctl.render import runs, terminal

    store = wiring.checkpoints()
    document = runs.checkpoint_document(store.entry(checkpoint_id), store.load(checkpoint_id))
    print_document(output, lambda: document, lambda: terminal.mapping(document))


@checkpoint.command("delete", short_help="Delete a checkpoint.")
@click.argument("checkpoint_id", metavar="CHECKPOINT")
def checkpoint_delete(checkpoint_id: str) -> None:
    """Delete CHECKPOINT; runs that made it cannot be rolled back any more."""
    from addonctl.apps import wiring
    from addonctl.render import screen

    store = wiring.checkpoints()
    entry = store.entry(checkpoint_id)
    store.delete(entry.id)
    screen.note(f"Checkpoint {entry.id[:12]} of {entry.installation} is deleted")


@checkpoint.command("export", short_help="Write checkpoints to a tar file.")
@click.argument("file", type=opt.FILE)
@click.argument("checkpoint_ids", metavar="[CHECKPOINT]...", nargs=-1)
def checkpoint_export(file: str, checkpoint_ids: tuple[str, ...]) -> None:
    """Write checkpoints to FILE, a new tar that only you can read; all of them if none is named."""
    from addonctl.apps import wiring
    from addonctl.render import screen

    store = wiring.checkpoints()
    entries = [store.entry(id) for id in checkpoint_ids] or store.entries()
    store.export(_path(file), *(entry.id for entry in entries))
    clear = [entry.id[:12] for entry in entries if not entry.key]
    unsafe = f". Not encrypted, with configurations and ConfigMaps in clear: {', '.join(clear)}" if clear else ""
    screen.note(f"Written to {file}{unsafe}")


def _path(name: str) -> "Path":
    from pathlib import Path

    return Path(name)
