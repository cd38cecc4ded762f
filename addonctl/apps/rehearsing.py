"""`addonctl twin`, and `--rehearse` of update and plan: a cluster's twin is built, and a plan tried in it."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from addonctl.apps import options as opt
from addonctl.apps import run as edge
from addonctl.apps.shared import print_document, source_options
from addonctl.errors import BadInput

if TYPE_CHECKING:
    from addonctl.manager import Manager
    from addonctl.model.manifests import Manifests
    from addonctl.model.plan import Plan
    from addonctl.model.rehearsal import Rehearsal, Rehearsed, TwinState
    from addonctl.model.run import Limits
    from addonctl.ports import GitOpsWriter, HelmReleases
    from addonctl.preflight import Prepared
    from addonctl.sim.objects import SimObjects
    from addonctl.sim.rehearsal import Script

RUNS = 20
# So few runs are done before processes for them have begun.
_FEW = 4
rehearsal_options = opt.chain(
    click.option("--rehearse", is_flag=True, help="Try it in a simulated twin of the cluster; change nothing."),
    click.option("--runs", default=RUNS, show_default=True, type=click.IntRange(1), help="How many rehearsals."),
    click.option("--seed", default=1, show_default=True, help="The seed of the first; each is one rehearsal."),
)


@click.command()
@click.argument("snapshot_file", metavar="[SNAPSHOT]", required=False, default="", type=opt.PATH)
@opt.source_options
@click.option("--seed", default=1, show_default=True, help="What decides all chance in it.")
@opt.output
def twin(snapshot_file: str, seed: int, output: str, **source: Any) -> None:
    """Builds a simulated twin of the cluster of SNAPSHOT, or of a live one, and lets it come to rest.

    Says what was carried over and what was not. `addonctl update --rehearse` tries a plan in such a twin.
    """
    from addonctl.apps import wiring
    from addonctl.render import rehearsal as words

    if snapshot_file:
        source["snapshot"] = source["snapshot"] or snapshot_file
    found = twin_of(wiring.manager(source_options(source)), seed)
    print_document(output, lambda: words.twin_document(found), lambda: words.twin(found))


@click.command()
@click.option("--seed", default=1, show_default=True, help="The first seed; each is one run, always the same.")
@click.option("--runs", default=1, show_default=True, type=click.IntRange(1), help="How many seeds.")
@click.option("--faults", default="", metavar="NAMES", help="Faults of the infrastructure, by comma; `none`; all.")
@click.option("--incidents", default="", metavar="IDS", help="What may be wrong with versions, by comma; `none`; all.")
@click.option("--jobs", default=0, type=click.IntRange(0), help="Processes; one a processor by default.")
@opt.output
def simulate(seed: int, runs: int, faults: str, incidents: str, jobs: int, output: str) -> None:
    """Updates add-ons in simulated clusters while nodes are lost, APIs fail and versions are bad.

    What updates real clusters runs unchanged, and an auditor looks for what must never be so. One run is told as a
    story, of many it is counted what became of them.
    """
    from addonctl.apps import simulating

    mix = simulating.mix_of(faults, incidents)
    found = simulating.run(seed, runs, mix, jobs)
    print_document(
        output,
        lambda: simulating.document(seed, mix, found),
        lambda: click.echo("\n".join(simulating.told(seed, mix, found))),
    )
    if found.violations:
        raise SystemExit(edge.EXIT_ERROR)


def twin_of(manager: "Manager", seed: int) -> "TwinState":
    from addonctl.model.rehearsal import TwinState
    from addonctl.sim.blueprint import blueprint
    from addonctl.sim.twin import Twin

    drawn = blueprint(manager.assess())
    made = Twin(drawn, seed)
    pods = made.rows("Pod")
    return TwinState(
        cluster=drawn.cluster,
        seed=seed,
        carried=drawn.carried,
        nodes=len(made.rows("Node")),
        pods=len(pods),
        ready=sum(pod.is_ready for pod in pods),
        unsettled=tuple(str(row.ref) for row in made.unsettled),
        failed=tuple(made.failed),
        broken=tuple(sorted(drawn.broken)),
    )


# ── Rehearsals ──────────────────────────────────────────────────────────────────────────────────────────────────


class Wanted(NamedTuple):
    """How often, and from which seed on, a plan is rehearsed."""

    runs: int
    seed: int


def asked(given: dict[str, Any]) -> Wanted | None:
    """Takes the options of a rehearsal out of `given`; None where none is wanted."""
    wanted = Wanted(given.pop("runs"), given.pop("seed"))
    return wanted if given.pop("rehearse") else None


def tried(
    manager: "Manager", prepared: "Prepared", plan: "Plan", limits: "Limits | None", output: str, wanted: Wanted
) -> NoReturn:
    """Rehearses a plan, prints what became of it, and exits: with 3 where preflight or calm runs speak against it."""
    from addonctl.model.run import Limits
    from addonctl.render import rehearsal as words
    from addonctl.render import screen, terminal

    if any(step.configuration for step in plan.steps):
        raise BadInput("A twin knows no configuration", "Rehearse with --to VERSION alone.")
    if output not in ("json", "yaml"):
        terminal.plan(prepared, screen.Style())
    if not plan.steps:
        sys.exit(0)
    found = rehearsed(manager, plan, limits or Limits(), wanted)
    print_document(output, lambda: words.rehearsal_document(found), lambda: words.rehearsal(found))
    sys.stdout.flush()
    sys.exit(0 if found.recommended and not prepared.refusals else edge.EXIT_NOT_RECOMMENDED)


def rehearsed(manager: "Manager", plan: "Plan", limits: "Limits", wanted: Wanted) -> "Rehearsal":
    """A plan in the twin of the manager's cluster, once for each of so many seeds."""
    from addonctl.model.rehearsal import Rehearsal
    from addonctl.render import screen
    from addonctl.sim.blueprint import blueprint
    from addonctl.sim.rehearsal import Script

    addons = (manager.catalog.find(step.addon) for step in plan.steps)
    known = {addon.id: addon.incidents for addon in addons if addon and addon.incidents}
    given = _manifests(plan)
    drawn = blueprint(manager.assess(), plan, given)
    if not drawn.nodes:
        raise BadInput("No node was read, and a plan is rehearsed on nodes", "Give a snapshot of the whole cluster.")
    script = Script(plan=plan, drawn=drawn, limits=limits, reads=_reads, known=known, given=given)
    progress, done = screen.progress(), []
    for one in _all(script, wanted.runs, wanted.seed):
        done.append(one)
        progress("rehearsals", len(done), wanted.runs)
    return Rehearsal(
        cluster=drawn.cluster,
        goal=plan.goal,
        plan=plan.id,
        runs=tuple(done),
        incidents=tuple(dict.fromkeys(name for _, name in script.pool)),
        known=bool(known),
        carried=drawn.carried,
    )


def _manifests(plan: "Plan") -> "Manifests | None":
    """The manifests that a plan is to apply."""
    from addonctl.adapters.manifest_files import ManifestFiles

    paths = [step.manifests.path for step in plan.steps if step.manifests]
    return ManifestFiles().read(paths[0]) if paths else None


def _all(script: "Script", runs: int, first: int) -> "Iterator[Rehearsed]":
    from concurrent.futures import ProcessPoolExecutor

    from addonctl.apps.simulating import processors
    from addonctl.sim.rehearsal import rehearsed

    if runs <= _FEW or processors() == 1:
        yield from (rehearsed(script, seed) for seed in range(first, first + runs))
        return
    with ProcessPoolExecutor(processors(), initializer=_begin, initargs=(script,)) as pool:
        yield from pool.map(_one, range(first, first + runs))


_scripts: "list[Script]" = []


def _begin(script: "Script") -> None:
    """A process is given the script once."""
    _scripts[:] = [script]


def _one(seed: int) -> "Rehearsed":
    from addonctl.sim.rehearsal import rehearsed

    return rehearsed(_scripts[0], seed)


def _reads(objects: "SimObjects") -> "tuple[GitOpsWriter, HelmReleases]":
    from addonctl.adapters.gitops import GitOpsObjects
    from addonctl.adapters.helm_binary import HelmSecrets

    return GitOpsObjects(objects, objects), HelmSecrets(objects)
