"""Commands that say what a cluster runs, and what is wrong with it."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import options as opt
from addonctl.apps import run
from addonctl.apps.shared import (
    exit_by_answers,
    given_options,
    minor_of,
    print_document,
    refuse,
    source_options,
)
from addonctl.errors import AddonctlError

if TYPE_CHECKING:
    from datetime import timedelta

    from addonctl.assessment import Assessment


def _assess(
    given: dict[str, Any],
    target: str = "",
    *,
    only: tuple[str, ...] = (),
    since: str = "",
    config: str = "",
    probe: bool = False,
    logs: bool = False,
) -> "Assessment":
    from pathlib import Path

    from addonctl.adapters import config_file
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.assessment import only_of

    manager = wiring.manager(source_options(given), config_file.load(config).waivers)
    with snapshot_file.without_collector():  # a cluster's objects live as long as this process
        older = snapshot_file.load(Path(since)) if since else None
        assessment = manager.assess(target=minor_of(target), probe=probe, logs=logs, since=older)
    return only_of(assessment, manager.catalog, only) if only else assessment


def _exit_by(assessment: "Assessment", fail_on: str, *, allow_gaps: bool) -> None:
    """The gate of --fail-on: findings fail it, and so do parts that could not be read."""
    if fail_on == "never":
        return
    at_least = opt.SEVERITIES.index(fail_on)
    if any(opt.SEVERITIES.index(found.severity.value) >= at_least for found in assessment.findings):
        sys.stdout.flush()
        sys.exit(run.EXIT_FINDINGS)
    unread = [gap for gap in assessment.gaps if not gap.absent]
    if unread and not allow_gaps:
        sys.stdout.flush()
        named = ", ".join(dict.fromkeys(gap.part for gap in unread))
        many = f"{len(unread)} part{'' if len(unread) == 1 else 's'}"
        needs = any(gap.permission for gap in unread)
        fix = "Grant what is missing (`addonctl rbac` prints the role)." if needs else f"{unread[0].detail}."
        raise AddonctlError(
            f"--fail-on {fail_on}: {many} could not be judged: {named}", f"{fix} --allow-gaps passes anyway."
        )


@click.command()
@opt.source_options
@opt.target
@opt.finding_options
@opt.probe
@opt.logs
@opt.window("", "With -o json: what add-ons use as well, over so long, such as 7d; live and demo.")
@opt.metrics
@opt.output_option("table", "wide", "json", "yaml", "jsonpath", "markdown", "html", "sarif", "junit")
@opt.no_headers
@opt.fail_options
def analyze(
    target: str,
    only: tuple[str, ...],
    since: str,
    config: str,
    show_waived: bool,
    probe: bool,
    logs: bool,
    window: "timedelta | None",
    output: str,
    no_headers: bool,
    fail_on: str,
    allow_gaps: bool,
    **source: Any,
) -> None:
    """What a cluster runs, what is wrong with it, and what to do first."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    assessment = _assess(source, target, only=only, since=since, config=config, probe=probe, logs=logs)
    style = screen.Style(wide=output == "wide", headers=not no_headers, waived=show_waived)
    print_document(
        output,
        lambda: documents.analysis_document(
            assessment, wiring.manager(source_options(source)).ecosystem(assessment, window)
        ),
        lambda: terminal.analysis(assessment, style),
        {format: partial(_formatted, assessment, format) for format in ("markdown", "html", "sarif", "junit")},
    )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@click.command("upgrade-report")
@opt.source_options
@opt.target
@opt.config
@opt.output_option("table", "wide", "json", "yaml", "jsonpath", "markdown", "html")
@opt.no_headers
@click.option(
    "--fail-on",
    type=click.Choice(["blocker", "unknown", "never"]),
    default="never",
    show_default=True,
    help="Exit with 2 when something blocks the upgrade, or also when something about it is not known.",
)
def upgrade_report(target: str, config: str, output: str, no_headers: bool, fail_on: str, **source: Any) -> None:
    """What it takes to get to a later Kubernetes: what blocks it, what changes before and after each upgrade of the
    control plane, with commands to paste, and what nobody knows.

    Changes nothing. Goes one minor at a time, as EKS does.
    """
    from addonctl.adapters import config_file
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.render import screen, upgrade_html, upgrades
    from addonctl.upgrading import answer

    manager = wiring.manager(source_options(source), config_file.load(config).waivers)
    with snapshot_file.without_collector():
        assessment, found = manager.upgrade_report(minor_of(target))
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(
        output,
        lambda: upgrades.upgrade_document(assessment, found),
        lambda: upgrades.upgrade_report(assessment, found, style),
        {
            "markdown": lambda: upgrades.markdown(assessment, found),
            "html": lambda: upgrade_html.page(assessment, found),
        },
    )
    exit_by_answers((answer(found, assessment).value,), {"blocker": "no"}.get(fail_on, fail_on))


def _formatted(assessment: "Assessment", output: str) -> str:
    from addonctl.render import documents, junit, markdown, sarif

    if output == "html":
        from addonctl.render.html import html

        return html(assessment)
    if output == "sarif":
        return documents.dump(sarif.sarif(assessment), "json")
    return junit.junit(assessment) if output == "junit" else markdown.markdown(assessment)


@click.command()
@opt.source_options
@opt.target
@opt.finding_options
@opt.rows_output
@opt.no_headers
@opt.fail_options
def inventory(
    target: str,
    only: tuple[str, ...],
    since: str,
    config: str,
    show_waived: bool,
    output: str,
    no_headers: bool,
    fail_on: str,
    allow_gaps: bool,
    **source: Any,
) -> None:
    """Every add-on, however it was installed: version, method, owner, evidence."""
    from addonctl.assessment import of
    from addonctl.findings import Capability
    from addonctl.render import documents, screen, terminal

    assessment = _assess(source, target, only=only, since=since, config=config).about(of(Capability.INVENTORY))
    style = screen.Style(wide=output == "wide", headers=not no_headers, waived=show_waived)
    print_document(
        output, lambda: documents.inventory_document(assessment), lambda: terminal.inventory(assessment, style)
    )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@click.group(invoke_without_command=True)
@opt.source_options
@opt.target
@opt.finding_options
@opt.rows_output
@opt.no_headers
@opt.fail_options
@click.pass_context
def findings(
    ctx: click.Context,
    /,
    target: str,
    only: tuple[str, ...],
    since: str,
    config: str,
    show_waived: bool,
    output: str,
    no_headers: bool,
    fail_on: str,
    allow_gaps: bool,
    **source: Any,
) -> None:
    """What is wrong, most severe first; `findings explain CODE` says more about one kind."""
    if ctx.invoked_subcommand is not None:
        refuse(given_options(), ctx.invoked_subcommand, "It reads no cluster: leave the option out.")
        return
    from addonctl.render import documents, screen, terminal

    assessment = _assess(source, target, only=only, since=since, config=config)
    style = screen.Style(wide=output == "wide", headers=not no_headers, waived=show_waived)
    print_document(
        output, lambda: documents.findings_document(assessment), lambda: terminal.findings(assessment, style)
    )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@findings.command("explain", short_help="What a code means, how severe it is, how to fix it.")
@opt.code_or_none
@opt.rows_output
def findings_explain(code: str, output: str) -> None:
    """What CODE means, how severe it is and when, why it matters and how to fix it; all codes if none is given."""
    from addonctl.render import documents, terminal

    document = documents.checks_document(code)
    print_document(output, lambda: document, lambda: terminal.checks(document))


@click.command()
@opt.source_options
@opt.finding_options
@opt.probe
@opt.logs
@opt.rows_output
@opt.no_headers
@opt.fail_options
def health(
    only: tuple[str, ...],
    since: str,
    config: str,
    show_waived: bool,
    probe: bool,
    logs: bool,
    output: str,
    no_headers: bool,
    fail_on: str,
    allow_gaps: bool,
    **source: Any,
) -> None:
    """The health of each add-on, with its coverage: how much of it could be read."""
    from addonctl.assessment import of_health
    from addonctl.render import documents, screen, terminal

    assessment = _assess(source, only=only, since=since, config=config, probe=probe, logs=logs).about(of_health)
    style = screen.Style(wide=output == "wide", headers=not no_headers, waived=show_waived)
    print_document(output, lambda: documents.health_document(assessment), lambda: terminal.health(assessment, style))
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@click.command()
@opt.source_options
@opt.target
@opt.finding_options
@opt.rows_output
@opt.no_headers
@opt.fail_options
def compat(
    target: str,
    only: tuple[str, ...],
    since: str,
    config: str,
    show_waived: bool,
    output: str,
    no_headers: bool,
    fail_on: str,
    allow_gaps: bool,
    **source: Any,
) -> None:
    """Which versions support the running Kubernetes and the next one, and which add-ons conflict."""
    from addonctl.assessment import of
    from addonctl.findings import Capability
    from addonctl.render import documents, screen, terminal

    found = _assess(source, target, only=only, since=since, config=config)
    assessment = found.about(of(Capability.COMPATIBILITY))
    style = screen.Style(wide=output == "wide", headers=not no_headers, waived=show_waived)
    print_document(
        output,
        lambda: documents.compatibility_document(assessment),
        lambda: terminal.compatibility(assessment, style),
    )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@click.command()
@opt.addons
@opt.source_options
@opt.target
@opt.rows_output
@opt.no_headers
@click.option(
    "--fail-on",
    type=click.Choice(["no", "unknown", "never"]),
    default="never",
    show_default=True,
    help="Exit with 2 when an answer is no, or also when one is unknown.",
)
def matrix(addons: tuple[str, ...], target: str, output: str, no_headers: bool, fail_on: str, **source: Any) -> None:
    """Versions of ADDON against Kubernetes, from the catalog alone; without ADDON, what a cluster runs."""
    from addonctl import compatibility
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    if addons:
        refuse(
            given_options(*(source.keys() - {"kubernetes"})),
            "ADDON",
            "Versions of ADDON come from the catalog: leave one out.",
        )
        known = wiring.catalog()
        minors = compatibility.matrix_minors(known, minor_of(source["kubernetes"]), minor_of(target))
        cells = compatibility.matrix(known, addons, minors)
    else:
        assessment = _assess(source, target)
        here = (row.id for row in assessment.inventory.rows if not row.destination)
        cells = tuple(cell for id in here for cell in assessment.compatibility.cells[id])
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(output, lambda: documents.matrix_document(cells), lambda: terminal.matrix(cells, style))
    exit_by_answers((cell.answer.value for cell in cells), fail_on)


@click.command()
@opt.addon_or_none
@opt.source_options
@opt.finding_options
@opt.output_option("tree", "table", "json", "yaml", "csv", "jsonpath", "dot", "mermaid", default="tree")
@opt.fail_options
def deps(
    addon: str,
    only: tuple[str, ...],
    since: str,
    config: str,
    show_waived: bool,
    output: str,
    fail_on: str,
    allow_gaps: bool,
    **source: Any,
) -> None:
    """What depends on what, what the failure of an add-on affects, and the order to update in."""
    from addonctl.assessment import narrowed, of
    from addonctl.findings import Capability
    from addonctl.render import documents, drawing, screen, terminal

    assessed = _assess(source, only=only, since=since, config=config)
    assessment = narrowed(assessed, addon).about(of(Capability.DEPENDENCIES))
    print_document(
        output,
        lambda: documents.dependencies_document(assessment),
        lambda: terminal.dependencies(assessment, addon, screen.Style(waived=show_waived)),
        {
            "dot": lambda: drawing.dot(assessment.dependencies),
            "mermaid": lambda: drawing.mermaid(assessment.dependencies),
        },
    )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@click.command()
@opt.source_options
@opt.target
@opt.config
@opt.output
@opt.fail_options
def lifecycle(target: str, config: str, output: str, fail_on: str, allow_gaps: bool, **source: Any) -> None:
    """What is due for each add-on and when: updates, what the next Kubernetes needs, migrations from what is retired.

    Changes nothing. --fail-on counts the findings that these actions answer, and those of the cluster's own support.
    """
    from addonctl.apps import wiring
    from addonctl.lifecycle import lifecycle as judged
    from addonctl.lifecycle import of_lifecycle
    from addonctl.render import documents, screen
    from addonctl.render.lifecycle import lifecycle as shown

    assessment = _assess(source, target, config=config)
    found = judged(assessment, wiring.catalog(), wiring.CLOCK.now())
    style = screen.Style(wide=output == "wide")
    print_document(
        output, lambda: documents.lifecycle_document(assessment, found), lambda: shown(assessment, found, style)
    )
    _exit_by(assessment.about(of_lifecycle), fail_on, allow_gaps=allow_gaps)
