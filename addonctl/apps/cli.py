"""The command line: `addonctl`, and `kubectl addons` when it is named kubectl-addons.

Commands choose what to read and how to print it; everything else is behind the Manager. Nothing heavy is imported
before a command runs.
"""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import click

import addonctl
from addonctl.apps import costing, dashboarding, examples, rehearsing, run, updating
from addonctl.apps import options as opt
from addonctl.apps.shared import given_options, minor_of, print_document, refuse, source_options, values_given
from addonctl.errors import AddonctlError, BadInput

if TYPE_CHECKING:
    from addonctl.assessment import Assessment
    from addonctl.model import Snapshot
    from addonctl.preflight import Prepared
    from addonctl.values import Values


@opt.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": run.HELP_COLUMNS})
@click.version_option(addonctl.__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Finds, checks and manages the add-ons of Amazon EKS clusters.

    Reads a live cluster by default; --snapshot FILE and -f PATH read the same from files.
    """


# ── Shared by commands ──────────────────────────────────────────────────────────────────────────────────────────


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


# ── Reports ─────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command(short_help="What runs, what is wrong with it, what to do first.")
@opt.source_options
@opt.target
@opt.finding_options
@opt.probe
@opt.logs
@opt.output_option("table", "wide", "json", "yaml", "markdown", "html", "sarif", "junit")
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
    if output in ("markdown", "html", "sarif", "junit"):
        sys.stdout.write(_formatted(assessment, output))
    else:
        style = screen.Style(wide=output == "wide", headers=not no_headers, waived=show_waived)
        print_document(
            output,
            lambda: documents.analysis_document(assessment, wiring.opportunities(assessment)),
            lambda: terminal.analysis(assessment, style),
        )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


def _formatted(assessment: "Assessment", output: str) -> str:
    from addonctl.render import documents, junit, markdown, sarif

    if output == "html":
        from addonctl.render.html import html

        return html(assessment)
    if output == "sarif":
        return documents.dump(sarif.sarif(assessment), "json")
    return junit.junit(assessment) if output == "junit" else markdown.markdown(assessment)


@cli.command(short_help="Every add-on: version, installer, owner, evidence.")
@opt.source_options
@opt.target
@opt.finding_options
@opt.output
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


@cli.group(invoke_without_command=True, short_help="What is wrong, most severe first; explains codes.")
@opt.source_options
@opt.target
@opt.finding_options
@opt.output
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
@opt.output
def findings_explain(code: str, output: str) -> None:
    """What CODE means, how severe it is and when, why it matters and how to fix it; all codes if none is given."""
    from addonctl.render import documents, terminal

    document = documents.checks_document(code)
    print_document(output, lambda: document, lambda: terminal.checks(document))


@cli.command(short_help="The health of each add-on, and its coverage.")
@opt.source_options
@opt.finding_options
@opt.probe
@opt.logs
@opt.output
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


@cli.command(short_help="Which versions support this and the next Kubernetes.")
@opt.source_options
@opt.target
@opt.finding_options
@opt.output
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


@cli.command(short_help="Versions of add-ons against Kubernetes versions.")
@opt.addons
@opt.source_options
@opt.target
@opt.output
@opt.no_headers
@opt.option(
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
        cells = tuple(cell for row in assessment.compatibility.cells.values() for cell in row)
    style = screen.Style(wide=output == "wide", headers=not no_headers)
    print_document(output, lambda: documents.matrix_document(cells), lambda: terminal.matrix(cells, style))
    _exit_by_answers((cell.answer.value for cell in cells), fail_on)


def _exit_by_answers(answers: Iterable[str], fail_on: str) -> None:
    """Exits with 2 if an answer is as bad as `fail_on`: no, or also unknown."""
    bad = {"no": ("no",), "unknown": ("no", "unknown")}.get(fail_on, ())
    if any(answer in bad for answer in answers):
        sys.exit(run.EXIT_FINDINGS)


@cli.command(short_help="What depends on what, and the order to update in.")
@opt.addon_or_none
@opt.source_options
@opt.finding_options
@opt.output_option("tree", "table", "json", "yaml", "dot", "mermaid", default="tree")
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
    if output in ("dot", "mermaid"):
        sys.stdout.write((drawing.dot if output == "dot" else drawing.mermaid)(assessment.dependencies))
    else:
        print_document(
            output,
            lambda: documents.dependencies_document(assessment),
            lambda: terminal.dependencies(assessment, addon, screen.Style(waived=show_waived)),
        )
    _exit_by(assessment, fail_on, allow_gaps=allow_gaps)


@cli.command(short_help="What to update, in which order, and how to roll back.")
@opt.addon_or_none
@opt.source_options
@opt.target
@opt.option("--to", default="", metavar="VERSION", help="The version to go to, `default` or `latest-compatible`.")
@opt.values_options
@opt.option("--git", "checkout", default="", metavar="DIR", help="Commit it there, for what Argo CD or Flux keep.")
@opt.option("--diff", "saved", default="", metavar="FILE", type=opt.PATH, help="Only what a saved plan has otherwise.")
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


@cli.command(short_help="What is due: updates, and migrations from what is retired.")
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


# ── Snapshots ───────────────────────────────────────────────────────────────────────────────────────────────────


@cli.group(short_help="Save a cluster to a file, show or compare saved ones.")
def snapshot() -> None:
    """Save a cluster to a file, show or compare saved ones."""


@snapshot.command("save", short_help="Read a cluster and save it to a file.")
@opt.source_options
@opt.argument("file", required=False, default="", type=opt.FILE)
@opt.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def snapshot_save(file: str, force: bool, **source: Any) -> None:
    """Read a cluster and save it to FILE, by default CLUSTER-DATE.snap; - is standard output.

    The file contains no values of Secrets, tokens or secret settings.
    """
    from pathlib import Path

    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.render import screen, terminal

    taken = source_options(source).source(wiring.catalog()).snapshot()
    if file == "-":
        sys.stdout.buffer.write(snapshot_file.packed(taken))
        return
    path = Path(file or snapshot_file.default_name(taken))
    if path.exists() and not force:
        raise BadInput(f"{path} exists", "Give another name, or --force to overwrite it.")
    snapshot_file.save(taken, path)
    screen.note(f"{taken.cluster.name} saved to {path} ({path.stat().st_size // 1024 + 1} KiB)")
    terminal.gaps(taken.gaps, screen.Style())


@snapshot.command("show", short_help="What a file holds, and what could not be read.")
@opt.argument("file", type=opt.FILE)
@opt.option("--raw", is_flag=True, help="Print the whole snapshot as JSON.")
@opt.output
def snapshot_show(file: str, raw: bool, output: str) -> None:
    """The contents of FILE: how many objects of each kind, and what could not be read."""
    from pathlib import Path

    from addonctl.adapters.sources import snapshot_file
    from addonctl.render import documents, terminal

    refuse(["-o"] if raw and output != "table" else [], "--raw", "--raw is JSON: leave one out.")
    taken = snapshot_file.load(Path(file))
    if raw:
        sys.stdout.write(snapshot_file.encode(taken).decode() + "\n")
    else:
        print_document(output, lambda: documents.snapshot_document(taken), lambda: terminal.snapshot(taken))


@snapshot.command("diff", short_help="What changed between two files.")
@opt.argument("old", type=opt.FILE)
@opt.argument("new", type=opt.FILE)
@opt.output
def snapshot_diff(old: str, new: str, output: str) -> None:
    """What changed among the add-ons from OLD to NEW."""
    from pathlib import Path

    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.changes import compare
    from addonctl.inventory import take_inventory
    from addonctl.model import View
    from addonctl.render import documents, terminal

    def read(path: str) -> "Snapshot":
        return snapshot_file.load(Path(path))

    before, after = (take_inventory(View(read(path)), wiring.catalog()) for path in (old, new))
    changes = documents.changes_document(compare(before, after))
    print_document(output, lambda: changes, lambda: terminal.changes(changes))


# ── The catalog ───────────────────────────────────────────────────────────────────────────────────────────────


@cli.group("catalog", short_help="What is known about add-ons and their versions.")
def catalog_group() -> None:
    """What is known about add-ons, their versions and Kubernetes."""


@catalog_group.command("list")
@opt.output
@opt.no_headers
def catalog_list(output: str, no_headers: bool) -> None:
    """All add-ons in the catalog."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    known, style = wiring.catalog(), screen.Style(headers=not no_headers)
    print_document(output, lambda: documents.catalog_document(known), lambda: terminal.catalog_list(known, style))


@catalog_group.command("show", short_help="All that is known of an add-on.")
@opt.addon
@opt.output
def catalog_show(addon: str, output: str) -> None:
    """Everything known about ADDON: a catalog id, an EKS add-on name or a chart."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    document = documents.addon_document(wiring.catalog(), addon)
    print_document(output, lambda: document, lambda: terminal.mapping(document))


@catalog_group.command("versions")
@opt.addon
@opt.option("--kubernetes", default="", metavar="VERSION", help="Only versions for this Kubernetes.")
@opt.output
@opt.no_headers
def catalog_versions(addon: str, kubernetes: str, output: str, no_headers: bool) -> None:
    """The versions of ADDON that AWS lists."""
    from addonctl.apps import wiring
    from addonctl.render import documents, screen, terminal

    document = documents.versions_document(wiring.catalog(), addon, minor_of(kubernetes))
    style = screen.Style(headers=not no_headers)
    print_document(output, lambda: document, lambda: terminal.versions(document, style))


@catalog_group.command("check", short_help="Whether a version supports a Kubernetes.")
@opt.addon
@opt.argument("version", required=False, default="")
@opt.option("--kubernetes", default="", metavar="VERSION", help="The Kubernetes to check for, such as 1.35.")
@opt.output
@opt.option(
    "--fail-on",
    type=click.Choice(["no", "unknown", "never"]),
    default="never",
    show_default=True,
    help="Exit with 2 when the answer is no, or also when it is unknown.",
)
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
        _exit_by_answers(documents.check_stream(known, sys.stdin, sys.stdout), fail_on)
        return
    minor = minor_of(kubernetes)
    if not version or minor is None:
        example = "addonctl catalog check coredns v1.12.4-eksbuild.18 --kubernetes 1.34"
        raise BadInput("catalog check needs ADDON, VERSION and --kubernetes", f"Example: {example}")
    answer = known.check(addon, Version.of(version), minor)
    print_document(output, lambda: documents.check_document(answer), lambda: terminal.check(answer))
    _exit_by_answers((answer.answer.value,), fail_on)


@catalog_group.command("refresh", short_help="Ask your AWS account for its table of versions.")
@opt.aws_options
def catalog_refresh(region: str, profile: str) -> None:
    """Fetch the table of EKS add-on versions from your own AWS account; it overrides the packaged one."""
    from addonctl.adapters import eks_table
    from addonctl.adapters.aws import Aws
    from addonctl.apps import wiring
    from addonctl.render import screen

    table = Aws(region or None, profile or None).addon_versions(as_of=wiring.CLOCK.now().date())
    path = eks_table.save(table, wiring.cache_dir())
    screen.note(f"{len(table.addons)} EKS add-ons of {table.region} as of {table.as_of} saved to {path}")


# ── Setup ───────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command(short_help="The least permissions that addonctl needs.")
@opt.option("--for", "purpose", type=click.Choice(["read", "update"]), default="read", show_default=True)
@opt.option("--iam", is_flag=True, help="Only the IAM policy, as JSON.")
@opt.option("--cluster-role", is_flag=True, help="Only the ClusterRole, as YAML.")
@opt.option("--probe", is_flag=True, help="Include what --probe needs beyond reading; updates always probe.")
@opt.option("--logs", is_flag=True, help="Include what --logs needs beyond reading.")
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
    more = (*probes.RULES, *(log_reader.RULES if logs else ()), *rights.UPDATE_RULES)
    return api_reader.cluster_role_yaml(decoders.KINDS, known, more, ("get", "list"), "addonctl-update")


@cli.command(short_help="What can be reached and read, and what cannot.")
@opt.live_options
@opt.output
def doctor(output: str, **source: Any) -> None:
    """What can be reached, with which rights, and what would be missing from a report."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    rows = wiring.doctor(source_options(source))
    print_document(output, lambda: documents.doctor_document(rows), lambda: terminal.doctor(rows))
    if any(row["answer"] == "no" for row in rows):
        sys.exit(run.EXIT_ERROR)


@cli.command(short_help="Print the completion script of a shell.")
@opt.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL: `source <(addonctl completion bash)`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, shell
    name = run.program_name()
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    click.echo(found(cli, {}, name, variable).source())


@cli.command(short_help="Updates in simulated clusters, with faults drawn by seed.")
@opt.option("--seed", default=1, show_default=True, help="The first seed; each is one run, always the same.")
@opt.option("--runs", default=1, show_default=True, type=click.IntRange(1), help="How many seeds.")
@opt.option("--faults", default="", metavar="NAMES", help="Faults of the infrastructure, by comma; `none`; all.")
@opt.option("--incidents", default="", metavar="IDS", help="What may be wrong with versions, by comma; `none`; all.")
@opt.option("--jobs", default=0, type=click.IntRange(0), help="Processes; one a processor by default.")
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
        raise SystemExit(run.EXIT_ERROR)


@cli.command(short_help="The version of addonctl and of what it knows.")
@opt.output
def version(output: str) -> None:
    """The version of addonctl and of Python, and how old its knowledge is."""
    import platform

    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    document = documents.version_document(wiring.catalog(), platform.python_version())
    print_document(output, lambda: document, lambda: terminal.version(document))


@cli.command("help", short_help="The help of a command.")
@opt.argument("command", nargs=-1)
@click.pass_context
def help_(ctx: click.Context, command: tuple[str, ...]) -> None:
    """The help of COMMAND, as `addonctl COMMAND --help` shows it."""
    cli.main([*command, "--help"], prog_name=ctx.find_root().info_name, standalone_mode=False)


updating.attach(cli)
costing.attach(cli)
dashboarding.attach(cli)
examples.attach(cli)


def main() -> NoReturn:
    """The entry point of `addonctl` and of the kubectl plugin."""
    run.main(cli)


if __name__ == "__main__":
    main()
