"""Commands that look things up in the catalog, which read no cluster."""

import sys

import click

from addonctl.apps import options as opt
from addonctl.apps.shared import exit_by_answers, minor_of, print_document, refuse
from addonctl.errors import BadInput


@click.group()
def catalog() -> None:
    """What is known about add-ons, their versions and Kubernetes."""


@catalog.command("list")
@opt.rows_output
@opt.no_headers
def catalog_list(output: str, no_headers: bool) -> None:
    """All add-ons in the catalog."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    known, style = wiring.catalog(), screen.Style(headers=not no_headers)
    print_document(output, lambda: documents.catalog_document(known), lambda: terminal.catalog_list(known, style))


@catalog.command("show", short_help="All that is known of an add-on.")
@opt.addon
@opt.output
def catalog_show(addon: str, output: str) -> None:
    """Everything known about ADDON: a catalog id, an EKS add-on name or a chart."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    document = documents.addon_document(wiring.catalog(), addon)
    print_document(output, lambda: document, lambda: terminal.mapping(document))


@catalog.command("versions")
@opt.addon
@click.option(
    "--kubernetes",
    default="",
    metavar="VERSION",
    help="Only versions for this Kubernetes.",
    shell_complete=opt.completes_minors,
)
@opt.rows_output
@opt.no_headers
def catalog_versions(addon: str, kubernetes: str, output: str, no_headers: bool) -> None:
    """The versions of ADDON that AWS lists."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    document = documents.versions_document(wiring.catalog(), addon, minor_of(kubernetes))
    style = screen.Style(headers=not no_headers)
    print_document(output, lambda: document, lambda: terminal.versions(document, style))


@catalog.command("check", short_help="Whether a version supports a Kubernetes.")
@opt.addon
@click.argument("version", required=False, default="", shell_complete=opt.completes_versions)
@click.option(
    "--kubernetes",
    default="",
    metavar="VERSION",
    help="The Kubernetes to check for, such as 1.35.",
    shell_complete=opt.completes_minors,
)
@opt.output
@opt.fail_on_answers("Exit with 2 when the answer is no, or also when it is unknown.")
def catalog_check(addon: str, version: str, kubernetes: str, output: str, fail_on: str) -> None:
    """Whether VERSION of ADDON supports a Kubernetes.

    With - for ADDON, lines of `ADDON VERSION KUBERNETES` are read from standard input, and one line of JSON is
    printed for each.
    """
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal
    from addonctl.versions import Version

    known = wiring.catalog()
    if addon == "-":
        refuse(["--kubernetes"] if kubernetes else ["VERSION"] if version else [], "-", "Each line says its own.")
        exit_by_answers(documents.check_stream(known, sys.stdin, sys.stdout), fail_on)
        return
    minor = minor_of(kubernetes)
    if not version or minor is None:
        example = "addonctl catalog check coredns v1.12.4-eksbuild.18 --kubernetes 1.34"
        raise BadInput("catalog check needs ADDON, VERSION and --kubernetes", f"Example: {example}")
    answer = known.check(addon, Version.of(version), minor)
    print_document(output, lambda: documents.check_document(answer), lambda: terminal.check(answer))
    exit_by_answers((answer.answer.value,), fail_on)


@catalog.command("refresh", short_help="Renew the tables of versions: EKS's, or those of charts.")
@opt.aws_options
@click.option(
    "--charts",
    multiple=True,
    metavar="INDEX",
    help="The index.yaml of a chart repository, a file or an address of https; AWS is not asked then.",
)
def catalog_refresh(region: str, profile: str, charts: tuple[str, ...]) -> None:
    """Fetch the table of EKS add-on versions from your own AWS account; it overrides the packaged one.

    With --charts: which application each version of a chart has, for the charts that the catalog knows, from indexes of
    chart repositories.
    """
    from addonctl.adapters import eks_table
    from addonctl.adapters.aws import Aws
    from addonctl.apps import wiring
    from addonctl.render import screen

    if charts:
        given = [name for name, value in (("--region", region), ("--profile", profile)) if value]
        refuse(given, "--charts", "Indexes are read as they are given.")
        _refresh_charts(charts)
        return
    table = Aws(region or None, profile or None).addon_versions(as_of=wiring.CLOCK.now().date())
    path = eks_table.save(table, wiring.cache_dir())
    screen.note(f"{len(table.addons)} EKS add-ons of {table.region} as of {table.as_of} saved to {path}")


def _refresh_charts(indexes: tuple[str, ...]) -> None:
    from addonctl.adapters import chart_table
    from addonctl.apps import wiring
    from addonctl.render import screen

    found = chart_table.read(indexes, wiring.catalog().chart_names, wiring.CLOCK.now().date())
    path = chart_table.save(found, wiring.cache_dir())
    named = ", ".join(f"{each.name} ({len(each.versions)})" for each in found)
    screen.note(f"{len(found)} charts of the catalog with their versions saved to {path}: {named or 'none'}")
