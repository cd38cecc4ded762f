"""The command line: `addonctl`, and `kubectl addons` when it is named kubectl-addons.

Commands choose what to read and how to print it; everything else is behind the Manager. A command's module is imported
when the command is asked for, and nothing heavy before it runs.
"""

from importlib import import_module
from typing import NoReturn

import click

import addonctl
from addonctl.apps import defaults, everywhere, examples, run

# Each command is a function of its name (with _ for -) in a module of this package.
_COMMANDS = {
    "reporting": {
        "analyze": "What runs, what is wrong with it, what to do first.",
        "inventory": "Every add-on: version, installer, owner, evidence.",
        "findings": "What is wrong, most severe first; explains codes.",
        "health": "The health of each add-on, and its coverage.",
        "compat": "Which versions support this and the next Kubernetes.",
        "matrix": "Versions of add-ons against Kubernetes versions.",
        "deps": "What depends on what, and the order to update in.",
        "lifecycle": "What is due: updates, and migrations from what is retired.",
        "upgrade-report": "What a later Kubernetes takes: blockers, order, commands.",
    },
    "planning": {
        "plan": "What to update, in which order, and how to roll back.",
    },
    "snapshots": {
        "snapshot": "Save a cluster to a file, show or compare saved ones.",
    },
    "cataloging": {
        "catalog": "What is known about add-ons and their versions.",
    },
    "setup": {
        "rbac": "The least permissions that addonctl needs.",
        "doctor": "What can be reached and read, and what cannot.",
        "completion": "Print the completion script of a shell.",
        "version": "The version of addonctl and of what it knows.",
        "help": "The help of a command.",
    },
    "rehearsing": {
        "simulate": "Updates in simulated clusters, with faults drawn by seed.",
        "twin": "A simulated twin of a cluster, and what it lacks.",
    },
    "updating": {
        "update": "Update or configure an add-on wave by wave, or put it back.",
        "create": "Create an EKS add-on, or have EKS take one over.",
        "delete": "Delete an add-on, or have EKS forget it.",
        "restore": "Bring an add-on back to a checkpoint.",
        "rollback": "Put back what a run has updated.",
        "runs": "What was changed, by whom, and what came of it.",
        "watch": "Follow a run until it ends.",
        "approve": "Agree to what a run waits for.",
        "pause": "Let a run begin nothing new.",
        "cancel": "Let a run go back to how it was.",
        "resume": "Go on with a run that was paused, or left.",
        "checkpoint": "What is kept to go back to.",
    },
    "costing": {
        "usage": "What each add-on uses, beside what it requests.",
        "rightsize": "What each add-on should request, by what it uses.",
        "opportunities": "Where add-ons could cost less, and how.",
        "cost": "What each add-on costs a month, and why.",
        "prices": "AWS's list prices that costs are reckoned with.",
    },
    "dashboarding": {
        "dashboard": "Cost, use, and what to do about both, on one page.",
    },
}
_MODULES = {name: module for module, commands in _COMMANDS.items() for name in commands}


class _Commands(click.Group):
    """Knows its commands by name and short help, so that the help of all imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        module = _MODULES[cmd_name]
        command: click.Command = getattr(import_module(f"addonctl.apps.{module}"), cmd_name.replace("-", "_"))
        command.short_help = _COMMANDS[module][cmd_name]
        examples.attach(command, cmd_name)
        everywhere.attach(command, changes=module == "updating")
        defaults.attach(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[_MODULES[name]][name]) for name in self.list_commands(ctx)])


@everywhere.options
@click.group(
    cls=_Commands,
    epilog=examples.OF_ALL,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": run.HELP_COLUMNS},
)
@click.version_option(addonctl.__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, /) -> None:
    """Finds, checks and manages the add-ons of Amazon EKS clusters.

    Reads a live cluster by default; --snapshot FILE and -f PATH read the same from files.
    """
    command = ctx.invoked_subcommand or ""
    if _MODULES.get(command) == "updating":
        everywhere.refuse_deadline(ctx, command)


def main() -> NoReturn:
    """The entry point of `addonctl` and of the kubectl plugin."""
    run.main(cli)


if __name__ == "__main__":
    main()
