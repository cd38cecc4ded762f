"""Commands about addonctl itself: its rights, what it reaches, completion, version and help."""

import sys
from typing import Any

import click

from addonctl.apps import options as opt
from addonctl.apps import run
from addonctl.apps.shared import print_document, refuse, source_options


@click.command()
@click.option("--for", "purpose", type=click.Choice(["read", "update"]), default="read", show_default=True)
@click.option("--iam", is_flag=True, help="Only the IAM policy, as JSON.")
@click.option("--cluster-role", is_flag=True, help="Only the ClusterRole, as YAML.")
@click.option("--probe", is_flag=True, help="Include what --probe needs beyond reading; updates always probe.")
@click.option("--logs", is_flag=True, help="Include what --logs needs beyond reading.")
def rbac(purpose: str, iam: bool, cluster_role: bool, probe: bool, logs: bool) -> None:
    """The least ClusterRole and IAM policy that reading needs, or updating.

    Helm applies whatever a chart holds: for releases of Helm, grant that beside the role for updates. IAM needs
    iam:PassRole as well for the roles that your EKS add-ons have.
    """
    from addonctl.adapters import aws, rights
    from addonctl.render import documents, screen

    refuse(["--iam"] if iam and cluster_role else [], "--cluster-role", "Without either, both are printed.")
    updating = purpose == "update"
    if not iam:
        sys.stdout.write(_cluster_role(updating=updating, probe=probe, logs=logs))
    if not cluster_role:
        sys.stdout.write("" if iam else "---\n# IAM policy (JSON):\n")
        text = documents.dump(aws.policy(rights.UPDATE_ACTIONS if updating else ()), "json")
        sys.stdout.write(text if iam else "".join(f"# {line}\n" for line in text.splitlines()))
        screen.note("Not among them: " + ", ".join(f"{action} (for {what})" for action, what in aws.OPTIONAL))


def _cluster_role(*, updating: bool, probe: bool, logs: bool) -> str:
    from addonctl.adapters import api_reader, decoders, log_reader, probes, rights
    from addonctl.apps import wiring

    known = wiring.catalog()
    if not updating:
        more = (*(probes.RULES if probe else ()), *(log_reader.RULES if logs else ()))
        return api_reader.cluster_role_yaml(decoders.KINDS, known, more)
    more = (*probes.RULES, *log_reader.RULES, *rights.UPDATE_RULES)
    return api_reader.cluster_role_yaml(decoders.KINDS, known, more, ("get", "list"), "addonctl-update")


@click.command()
@opt.source_options
@opt.rows_output
@opt.no_headers
def doctor(output: str, no_headers: bool, **source: Any) -> None:
    """Why a report says less than it could: what can be reached and read, with which rights, and what cannot.

    Each step is answered yes, no, or skipped with the reason; it ends with 1 where one is no.
    """
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    rows, style = wiring.doctor(source_options(source)), screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(output, lambda: documents.doctor_document(rows), lambda: terminal.doctor(rows, style))
    if any(row["answer"] == "no" for row in rows):
        sys.exit(run.EXIT_ERROR)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, /, shell: str) -> None:
    """Print the completion script of SHELL: `source <(addonctl completion bash)`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, shell
    name = run.program_name()
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    click.echo(found(ctx.find_root().command, {}, name, variable).source())


@click.command()
@opt.output
def version(output: str) -> None:
    """The version of addonctl, of Python and of client libraries, and how old its knowledge is."""
    import platform

    from addonctl.adapters import doctor as machine
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    prices = wiring.prices("").ec2.as_of
    libraries = machine.client_libraries()
    document = documents.version_document(wiring.catalog(), prices, platform.python_version(), libraries)
    print_document(output, lambda: document, lambda: terminal.version(document))


@click.command()
@click.argument("command", nargs=-1, shell_complete=opt.completes_commands)
@click.pass_context
def help(ctx: click.Context, command: tuple[str, ...]) -> None:
    """The help of COMMAND, as `addonctl COMMAND --help` shows it."""
    ctx.find_root().command.main([*command, "--help"], prog_name=ctx.find_root().info_name, standalone_mode=False)
