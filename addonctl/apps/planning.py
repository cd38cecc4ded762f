"""The command that plans a change, prints it, compares it, or commits it to a checkout."""

import sys
from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import options as opt
from addonctl.apps import rehearsing, run
from addonctl.apps.shared import minor_of, print_document, source_options, values_given
from addonctl.errors import BadInput

if TYPE_CHECKING:
    from addonctl.preflight import Prepared
    from addonctl.values import Values


@click.command()
@opt.addon_or_none
@opt.source_options
@opt.target
@click.option(
    "--to",
    default="",
    metavar="VERSION",
    help="The version to go to, `default` or `latest-compatible`.",
    shell_complete=opt.completes_goals,
)
@opt.values_options
@click.option("--git", "checkout", default="", metavar="DIR", help="Commit it there, for what Argo CD or Flux keep.")
@click.option("--diff", "saved", default="", metavar="FILE", type=opt.PATH, help="Only where a saved plan differs.")
@opt.accept_risk
@rehearsing.rehearsal_options
@opt.output_option("table", "wide", "json", "yaml")
def plan(
    addon: str,
    target: str,
    to: str,
    checkout: str,
    saved: str,
    accept_risk: tuple[str, ...],
    output: str,
    **source: Any,
) -> None:
    """The steps that update ADDON to a version (--to) or configuration (--set, --values), or all add-ons to what a
    Kubernetes needs (--target).

    Changes nothing. Preflight then says what speaks against it. Exits with 3 when the plan is not recommended: a
    required finding of preflight is left whose risk was not accepted, or it fails in a simulated twin of the cluster
    (--rehearse) though nothing is in its way. With --git, a recommended change of an Argo CD Application or a Flux
    HelmRelease is committed to a new branch of that checkout, and nothing is pushed.
    """
    from addonctl.apps import wiring
    from addonctl.preflight import check_accepted

    values, rehearsal = values_given(source), rehearsing.asked(source)
    if bool(addon) == bool(target) or bool(addon) != bool(to or values):
        fix = "Give ADDON with --to VERSION, --set or --values, or --target KUBERNETES."
        raise BadInput("A plan needs one goal", fix)
    manager = wiring.manager(source_options(source))
    wanted = minor_of(target)
    accepted = check_accepted(accept_risk)
    made = manager.prepare_upgrade(wanted) if wanted else manager.prepare_update(addon, to, values=values)
    prepared = (made.to_commit if checkout else made).accepting(accepted)
    if rehearsal:
        rehearsing.tried(manager, prepared, prepared.to_carry_out, None, output, rehearsal)
    if saved:
        _show_differences(saved, prepared, output)
    else:
        _show_plan(prepared, output, checkout, values)


def _show_differences(saved: str, prepared: "Prepared", output: str) -> None:
    from addonctl.adapters import plan_file
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    differ = documents.plan_differences(plan_file.read(saved).plan, prepared.plan)
    print_document(output, lambda: differ, lambda: terminal.plan_differences(differ))
    wiring.forget(prepared.plan)


def _show_plan(prepared: "Prepared", output: str, checkout: str, values: "Values | None") -> None:
    """Prints it, and commits what it changes to a checkout, if one is given and the plan is recommended."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    style = screen.Style(wide=output == "wide")
    print_document(output, lambda: documents.plan_document(prepared), lambda: terminal.plan(prepared, style))
    if output in ("table", "wide"):
        wiring.forget(prepared.plan)  # nobody can carry it out
    if prepared.refusals:
        sys.exit(run.EXIT_NOT_RECOMMENDED)
    for proposal in wiring.proposed(prepared.plan, checkout, values) if checkout else ():
        screen.note(f"{proposal.file}: {proposal.was} is changed on branch {proposal.branch}, which is not pushed.")
