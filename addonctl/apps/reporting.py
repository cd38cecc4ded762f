"""Commands that say what a cluster runs, and what is wrong with it."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from addonctl.apps import options as opt
from addonctl.apps import outputs, run, watching
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

    from rich.text import Text

    from addonctl.apps.wiring import SourceOptions
    from addonctl.assessment import Assessment
    from addonctl.findings import Check
    from addonctl.render.screen import Style

# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _reader(asked: Mapping[str, Any], context: str = "") -> "Callable[[], Assessment]":
    """What reads the chosen source and assesses it. Raises BadInput for options that cannot be used.

    `context` is one of all, whatever the options say.
    """
    from pathlib import Path

    from addonctl.adapters import config_file
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.assessment import only_of

    manager = wiring.manager(_options(asked, context), config_file.load(asked.get("config", "")).waivers)
    target, since, only = minor_of(asked.get("target", "")), asked.get("since"), asked.get("only")
    more = {name: asked.get(name, False) for name in ("probe", "logs")}

    def read() -> "Assessment":
        with snapshot_file.without_collector():  # a cluster's objects live as long as this process
            older = snapshot_file.load(Path(since)) if since else None
            assessment = manager.assess(target=target, since=older, **more)
        return only_of(assessment, manager.catalog, only) if only else assessment

    return read


def _options(asked: Mapping[str, Any], context: str = "") -> "SourceOptions":
    """The options that say which cluster it is; the others say what is made of it."""
    options = source_options({name: value for name, value in asked.items() if name not in _JUDGING})
    return replace(options, context=context, eks="") if context else options


_JUDGING = frozenset(
    "target only since config probe logs all_contexts watch output no_headers show_waived fail_on allow_gaps".split()
)


def _exit_by(assessments: "Iterable[Assessment]", fail_on: str, *, allow_gaps: bool) -> None:
    """The gate of --fail-on: findings fail it, and so do parts that could not be read."""
    read = tuple(assessments)
    if fail_on == "never":
        return
    at_least = opt.SEVERITIES.index(fail_on)
    if any(opt.SEVERITIES.index(found.severity.value) >= at_least for each in read for found in each.findings):
        sys.stdout.flush()
        sys.exit(run.EXIT_FINDINGS)
    unread = [gap for each in read for gap in each.gaps if not gap.absent]
    if unread and not allow_gaps:
        sys.stdout.flush()
        named = ", ".join(dict.fromkeys(gap.part for gap in unread))
        many = f"{len(unread)} part{'' if len(unread) == 1 else 's'}"
        needs = any(gap.permission for gap in unread)
        fix = "Grant what is missing (`addonctl rbac` prints the role)." if needs else f"{unread[0].detail}."
        raise AddonctlError(
            f"--fail-on {fail_on}: {many} could not be judged: {named}", f"{fix} --allow-gaps passes anyway."
        )


# ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class _Report:
    """One command: `document` is what scripts read, `table` prints for people, `texts` are forms of other tools.

    `narrow` leaves of an assessment what the command is about, `gated` says which findings --fail-on counts.
    """

    document: "Callable[[Assessment], Any]"
    table: "Callable[[Assessment, Style], None]"
    narrow: "Callable[[Assessment], Assessment]" = lambda assessment: assessment
    gated: "Callable[[Check], bool]" = lambda check: True
    texts: "Mapping[str, Callable[[Assessment], str]]" = field(default_factory=dict)

    def carried_out(self, asked: dict[str, Any]) -> None:
        """Reads, prints, and exits by --fail-on."""
        if asked["all_contexts"]:
            self._of_all_contexts(asked)
        output, style, watch = asked["output"], _style(asked), asked.get("watch", False)
        if watch:
            watching.check(output)
        read = _reader(asked)
        assessment = self.narrow(read())
        if watch:
            assessment = watching.watch(assessment, lambda: self.narrow(read()), self._screenful(style))
        texts = {format: partial(text, assessment) for format, text in self.texts.items()}
        print_document(output, lambda: self.document(assessment), lambda: self.table(assessment, style), texts)
        _exit_by([assessment.about(self.gated)], asked["fail_on"], allow_gaps=asked["allow_gaps"])

    def _screenful(self, style: "Style") -> "Callable[[Assessment, int, int, str], Text]":
        from addonctl.render import screen

        return lambda read, *room: screen.screenful(lambda: self.table(read, style), *room)

    def _of_all_contexts(self, asked: dict[str, Any]) -> NoReturn:
        """The clusters of all contexts, several at once; one that cannot be read stops no other, and ends with 1."""
        from addonctl.apps import contexts
        from addonctl.render import fleet

        others = given_options("context", "eks", "snapshot", "files", "demo", "since", "watch")
        formats = (asked["output"], *(each.format for each in outputs.to_files()))
        others += [f"-o {format}" for format in formats if format in self.texts]
        refuse(others, "--all-contexts", "Leave it out, or read one cluster.")
        names, style = contexts.names(asked["kubeconfig"]), _style(asked)
        read = contexts.read({name: _reader(asked, name) for name in names})
        read = {name: each if isinstance(each, AddonctlError) else self.narrow(each) for name, each in read.items()}
        print_document(
            asked["output"],
            lambda: fleet.document(read, self.document),
            lambda: fleet.table(read, lambda each: self.table(each, style), style),
        )
        judged = [each.about(self.gated) for each in read.values() if not isinstance(each, AddonctlError)]
        _exit_by(judged, asked["fail_on"], allow_gaps=asked["allow_gaps"])
        sys.stdout.flush()
        sys.exit(0 if len(judged) == len(read) else run.EXIT_ERROR)


def _style(asked: Mapping[str, Any]) -> "Style":
    from addonctl.render.screen import Style

    headers = not asked.get("no_headers", False)
    return Style(wide=asked["output"] == "wide", headers=headers, waived=asked.get("show_waived", False))


@click.command()
@opt.source_options
@opt.all_contexts
@opt.target
@opt.finding_options
@opt.probe
@opt.logs
@opt.window("", "With -o json: what add-ons use as well, over so long, such as 7d; live and demo.")
@opt.metrics
@opt.output_option("table", "wide", "json", "yaml", "jsonpath", "markdown", "html", "sarif", "junit")
@opt.no_headers
@watching.option
@opt.fail_options
def analyze(window: "timedelta | None", **asked: Any) -> None:
    """What a cluster runs, what is wrong with it, and what to do first."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    def document(found: "Assessment") -> documents.Document:
        manager = wiring.manager(_options(asked, found.cluster.context if asked["all_contexts"] else ""))
        return documents.analysis_document(found, manager.ecosystem(found, window))

    _Report(
        document=document,
        table=terminal.analysis,
        texts={"markdown": _markdown, "html": _html, "sarif": _sarif, "junit": _junit},
    ).carried_out(asked)


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


def _markdown(assessment: "Assessment") -> str:
    from addonctl.render import markdown

    return markdown.markdown(assessment)


def _html(assessment: "Assessment") -> str:
    from addonctl.render.html import html

    return html(assessment)


def _sarif(assessment: "Assessment") -> str:
    from addonctl.render import documents, sarif

    return documents.dump(sarif.sarif(assessment), "json")


def _junit(assessment: "Assessment") -> str:
    from addonctl.render import junit

    return junit.junit(assessment)


@click.command()
@opt.source_options
@opt.all_contexts
@opt.target
@opt.finding_options
@opt.rows_output
@opt.no_headers
@opt.fail_options
def inventory(**asked: Any) -> None:
    """Every add-on, however it was installed: version, method, owner, evidence."""
    from addonctl.assessment import of
    from addonctl.findings import Capability
    from addonctl.render import documents, terminal

    _Report(
        document=documents.inventory_document,
        table=terminal.inventory,
        narrow=lambda found: found.about(of(Capability.INVENTORY)),
    ).carried_out(asked)


@click.group(invoke_without_command=True)
@opt.source_options
@opt.all_contexts
@opt.target
@opt.finding_options
@opt.rows_output
@opt.no_headers
@opt.fail_options
@click.pass_context
def findings(ctx: click.Context, /, **asked: Any) -> None:
    """What is wrong, most severe first; `findings explain CODE` says more about one kind."""
    if ctx.invoked_subcommand is not None:
        refuse(given_options(), ctx.invoked_subcommand, "It reads no cluster: leave the option out.")
        return
    from addonctl.render import documents, terminal

    _Report(document=documents.findings_document, table=terminal.findings).carried_out(asked)


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
@opt.all_contexts
@opt.finding_options
@opt.probe
@opt.logs
@opt.rows_output
@opt.no_headers
@opt.fail_options
def health(**asked: Any) -> None:
    """The health of each add-on, with its coverage: how much of it could be read."""
    from addonctl.assessment import of_health
    from addonctl.render import documents, terminal

    _Report(
        document=documents.health_document, table=terminal.health, narrow=lambda found: found.about(of_health)
    ).carried_out(asked)


@click.command()
@opt.source_options
@opt.all_contexts
@opt.target
@opt.finding_options
@opt.rows_output
@opt.no_headers
@opt.fail_options
def compat(**asked: Any) -> None:
    """Which versions support the running Kubernetes and the next one, and which add-ons conflict."""
    from addonctl.assessment import of
    from addonctl.findings import Capability
    from addonctl.render import documents, terminal

    _Report(
        document=documents.compatibility_document,
        table=terminal.compatibility,
        narrow=lambda found: found.about(of(Capability.COMPATIBILITY)),
    ).carried_out(asked)


@click.command()
@opt.addons
@opt.source_options
@opt.target
@opt.rows_output
@opt.no_headers
@opt.fail_on_answers("Exit with 2 when an answer is no, or also when one is unknown.")
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
        assessment = _reader(source | {"target": target})()
        here = (row.id for row in assessment.inventory.rows if not row.destination)
        cells = tuple(cell for id in here for cell in assessment.compatibility.cells[id])
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(output, lambda: documents.matrix_document(cells), lambda: terminal.matrix(cells, style))
    exit_by_answers((cell.answer.value for cell in cells), fail_on)


@click.command()
@opt.addon_or_none
@opt.source_options
@opt.all_contexts
@opt.finding_options
@opt.output_option("tree", "table", "json", "yaml", "csv", "jsonpath", "dot", "mermaid", default="tree")
@opt.fail_options
def deps(addon: str, **asked: Any) -> None:
    """What depends on what, what the failure of an add-on affects, and the order to update in."""
    from addonctl.assessment import narrowed, of
    from addonctl.findings import Capability
    from addonctl.render import documents, drawing, terminal

    _Report(
        document=documents.dependencies_document,
        table=lambda found, style: terminal.dependencies(found, addon, style),
        narrow=lambda found: narrowed(found, addon).about(of(Capability.DEPENDENCIES)),
        texts={
            "dot": lambda found: drawing.dot(found.dependencies),
            "mermaid": lambda found: drawing.mermaid(found.dependencies),
        },
    ).carried_out(asked)


@click.command()
@opt.source_options
@opt.all_contexts
@opt.target
@opt.config
@opt.output
@opt.fail_options
def lifecycle(**asked: Any) -> None:
    """What is due for each add-on and when: updates, what the next Kubernetes needs, migrations from what is retired.

    Changes nothing. --fail-on counts the findings that these actions answer, and those of the cluster's own support.
    """
    from addonctl.apps import wiring
    from addonctl.lifecycle import LifecycleManagement, of_lifecycle
    from addonctl.lifecycle import lifecycle as judged
    from addonctl.render import documents
    from addonctl.render.lifecycle import lifecycle as shown

    def managed(found: "Assessment") -> LifecycleManagement:
        return judged(found, wiring.catalog(), wiring.CLOCK.now())

    _Report(
        document=lambda found: documents.lifecycle_document(found, managed(found)),
        table=lambda found, style: shown(found, managed(found), style),
        gated=of_lifecycle,
    ).carried_out(asked)
