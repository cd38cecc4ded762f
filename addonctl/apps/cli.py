"""The command line: `addonctl`, and `kubectl addons` when it is named kubectl-addons.

Commands say what to read and how to print it; everything else is behind the Manager. Nothing heavy is imported
before a command runs. Exit codes: 0 clean, 1 error, 2 findings at or above --fail-on.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import addonctl
from addonctl.errors import AddonctlError, BadInput

if TYPE_CHECKING:
    from addonctl.apps.wiring import SourceOptions
    from addonctl.assessment import Assessment
    from addonctl.model import Finding
    from addonctl.versions import Minor

EXIT_ERROR, EXIT_FINDINGS, EXIT_INTERRUPTED = 1, 2, 130
_SEVERITIES = ("info", "recommended", "required")

Command = Callable[..., Any]


def _chain(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_live_options = _chain(
    click.option("--context", default="", help="Context of the kubeconfig."),
    click.option("--kubeconfig", default="", help="Path of the kubeconfig.", type=click.Path()),
    click.option("-n", "--namespace", default="", help="Read namespaced objects of this namespace only."),
    click.option("--eks", default="", metavar="CLUSTER", help="An EKS cluster by name; needs no kubeconfig."),
    click.option("--region", default="", help="AWS region.", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"]),
    click.option("--profile", default="", help="AWS profile.", envvar="AWS_PROFILE"),
)
_source_options = _chain(
    _live_options,
    click.option("--snapshot", default="", metavar="FILE", help="Read a saved snapshot.", type=click.Path()),
    click.option(
        "-f", "--filename", "files", multiple=True, metavar="PATH",
        help="Read manifests, dumps or bundles: files, folders, archives, - for standard input.",
    ),
    click.option("--demo", is_flag=True, help="Read the demo cluster that comes with addonctl."),
    click.option("--kubernetes", default="", metavar="VERSION", help="The running Kubernetes, if the input is silent."),
)  # fmt: skip
_output = click.option(
    "-o", "--output", type=click.Choice(["table", "wide", "json", "yaml"]), default="table", show_default=True
)
_analysis_output = click.option(
    "-o", "--output", default="table", show_default=True,
    type=click.Choice(["table", "wide", "json", "yaml", "markdown", "html", "sarif", "junit"]),
)  # fmt: skip
_target = click.option(
    "--target", default="", metavar="VERSION", help="The Kubernetes to prepare for; the next minor if left out."
)
_config = click.option(
    "--config", default="", metavar="FILE", type=click.Path(),
    help="Settings with waivers; without it $ADDONCTL_CONFIG or ~/.config/addonctl/config.yaml.",
)  # fmt: skip
_finding_options = _chain(
    click.option(
        "--only", multiple=True, metavar="WHAT",
        help="Only findings of a severity, a code (HLT001, HLT*) or an add-on; may be given again.",
    ),
    click.option(
        "--since", default="", metavar="SNAPSHOT", type=click.Path(),
        help="Only findings that this older snapshot did not have.",
    ),
    _config,
)  # fmt: skip
_probe = click.option(
    "--probe", is_flag=True, help="Ask add-ons themselves: a DNS query, admissions and claims as dry runs, metrics."
)
_no_headers = click.option("--no-headers", is_flag=True, help="Leave out the table's header.")
_fail_on = click.option(
    "--fail-on", type=click.Choice([*_SEVERITIES, "never"]), default="never", show_default=True,
    help="Exit with 2 when a finding is at least this severe.",
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(addonctl.__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Finds, judges and manages the add-ons of Amazon EKS clusters.

    Reads a live cluster by default; --snapshot FILE and -f PATH read the same from files.
    """


def _options(given: dict[str, Any]) -> "SourceOptions":
    from addonctl.apps import wiring
    from addonctl.render import terminal

    return wiring.SourceOptions(**given, progress=terminal.progress())


def _assess(
    given: dict[str, Any], target: str = "", *, only: tuple[str, ...] = (), since: str = "", config: str = "",
    probe: bool = False,
) -> "Assessment":  # fmt: skip
    from addonctl.adapters import config_file
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.assessment import only_of

    options = _options(given)
    manager = wiring.manager(options, config_file.load(config).waivers)
    with snapshot_file.without_collector():  # a cluster's objects live as long as this process
        older = snapshot_file.load(Path(since)) if since else None
        assessment = manager.assess(target=_minor(target), probe=probe, since=older)
    return only_of(assessment, manager.catalog, only) if only else assessment


def _minor(text: str) -> "Minor | None":
    """The Kubernetes version that an option names. Raises BadInput when it is none."""
    from addonctl.versions import Minor

    return Minor.of(text) if text else None


def _print(output: str, document: Callable[[], Any], table: Callable[[], None]) -> None:
    """A document as JSON or YAML, or the table."""
    if output not in ("json", "yaml"):
        table()
        return
    from addonctl.render import documents

    sys.stdout.write(documents.dump(document(), output))


def _exit_by(findings: "tuple[Finding, ...]", fail_on: str) -> None:
    if fail_on == "never":
        return
    if any(_SEVERITIES.index(finding.severity.value) >= _SEVERITIES.index(fail_on) for finding in findings):
        sys.exit(EXIT_FINDINGS)


# ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────


@cli.command()
@_source_options
@_target
@_finding_options
@_probe
@_analysis_output
@_no_headers
@_fail_on
def analyze(
    target: str, only: tuple[str, ...], since: str, config: str, probe: bool, output: str, no_headers: bool,
    fail_on: str, **source: Any,
) -> None:  # fmt: skip
    """What a cluster runs, what is wrong with it, and what to do first."""
    from addonctl.render import documents, terminal

    assessment = _assess(source, target, only=only, since=since, config=config, probe=probe)
    if output in ("markdown", "html", "sarif", "junit"):
        sys.stdout.write(_formatted(assessment, output))
    else:
        _print(
            output,
            lambda: documents.analysis_document(assessment),
            lambda: terminal.analysis(assessment, wide=output == "wide", headers=not no_headers),
        )
    _exit_by(assessment.findings, fail_on)


def _formatted(assessment: "Assessment", output: str) -> str:
    from addonctl.render import documents, junit, markdown, sarif

    if output == "html":
        from addonctl.render.html import html

        return html(assessment)
    if output == "sarif":
        return documents.dump(sarif.sarif(assessment), "json")
    return junit.junit(assessment) if output == "junit" else markdown.markdown(assessment)


@cli.command()
@_source_options
@_config
@_output
@_no_headers
@_fail_on
def inventory(config: str, output: str, no_headers: bool, fail_on: str, **source: Any) -> None:
    """Every add-on, however it was installed: version, method, owner, evidence."""
    from addonctl.assessment import of
    from addonctl.findings import Capability
    from addonctl.render import documents, terminal

    assessment = _assess(source, config=config).about(of(Capability.INVENTORY))
    _print(
        output,
        lambda: documents.inventory_document(assessment),
        lambda: terminal.inventory(assessment, wide=output == "wide", headers=not no_headers),
    )
    _exit_by(assessment.findings, fail_on)


@cli.group(invoke_without_command=True)
@_source_options
@_target
@_finding_options
@_output
@_no_headers
@_fail_on
@click.pass_context
def findings(
    ctx: click.Context, /, target: str, only: tuple[str, ...], since: str, config: str, output: str, no_headers: bool,
    fail_on: str, **source: Any,
) -> None:  # fmt: skip
    """What is wrong, the worst first; `findings explain CODE` says more of one kind."""
    if ctx.invoked_subcommand is not None:
        return
    from addonctl.render import documents, terminal

    assessment = _assess(source, target, only=only, since=since, config=config)
    _print(
        output,
        lambda: documents.findings_document(assessment),
        lambda: terminal.findings(assessment, wide=output == "wide", headers=not no_headers),
    )
    _exit_by(assessment.findings, fail_on)


@findings.command("explain")
@click.argument("code", required=False, default="")
@_output
def findings_explain(code: str, output: str) -> None:
    """What CODE means, why it matters and what fixes it; all codes if none is given."""
    from addonctl.render import documents, terminal

    document = documents.checks_document(code)
    _print(output, lambda: document, lambda: terminal.codes(document))


@cli.command()
@_source_options
@_probe
@_config
@_output
@_no_headers
@_fail_on
def health(probe: bool, config: str, output: str, no_headers: bool, fail_on: str, **source: Any) -> None:
    """How healthy each add-on is, with how much of that could be read."""
    from addonctl.assessment import of_health
    from addonctl.render import documents, terminal

    assessment = _assess(source, config=config, probe=probe).about(of_health)
    _print(
        output,
        lambda: documents.health_document(assessment),
        lambda: terminal.health(assessment, wide=output == "wide", headers=not no_headers),
    )
    _exit_by(assessment.findings, fail_on)


@cli.command()
@_source_options
@_target
@_config
@_output
@_no_headers
@_fail_on
def compat(target: str, config: str, output: str, no_headers: bool, fail_on: str, **source: Any) -> None:
    """Which versions support the running Kubernetes and the next one, and which add-ons conflict."""
    from addonctl.assessment import of
    from addonctl.findings import Capability
    from addonctl.render import documents, terminal

    assessment = _assess(source, target, config=config).about(of(Capability.COMPATIBILITY))
    _print(
        output,
        lambda: documents.compatibility_document(assessment),
        lambda: terminal.compatibility(assessment, wide=output == "wide", headers=not no_headers),
    )
    _exit_by(assessment.findings, fail_on)


@cli.command()
@click.argument("addons", nargs=-1, metavar="[ADDON]...")
@_source_options
@_target
@_output
@_no_headers
def matrix(addons: tuple[str, ...], target: str, output: str, no_headers: bool, **source: Any) -> None:
    """Versions of ADDON against Kubernetes, from the catalogue alone; without ADDON, what a cluster runs."""
    from addonctl import compatibility
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    if addons:
        known = wiring.catalog()
        minors = compatibility.matrix_minors(known, _minor(source["kubernetes"]), _minor(target))
        cells = compatibility.matrix(known, addons, minors)
    else:
        assessment = _assess(source, target)
        cells = tuple(cell for row in assessment.compatibility.cells.values() for cell in row)
    _print(
        output,
        lambda: documents.matrix_document(cells),
        lambda: terminal.matrix(cells, wide=output == "wide", headers=not no_headers),
    )


@cli.command()
@click.argument("addon", required=False, default="")
@_source_options
@_config
@click.option(
    "-o", "--output", type=click.Choice(["tree", "json", "yaml", "dot", "mermaid"]), default="tree", show_default=True
)
@_fail_on
def deps(addon: str, config: str, output: str, fail_on: str, **source: Any) -> None:
    """What depends on what, whom the failure of an add-on hurts, and the order to update in."""
    from addonctl.assessment import narrowed, of
    from addonctl.findings import Capability
    from addonctl.render import documents, drawing, terminal

    assessment = narrowed(_assess(source, config=config), addon).about(of(Capability.DEPENDENCIES))
    if output in ("dot", "mermaid"):
        sys.stdout.write((drawing.dot if output == "dot" else drawing.mermaid)(assessment.dependencies))
        return
    _print(
        output, lambda: documents.dependencies_document(assessment), lambda: terminal.dependencies(assessment, addon)
    )
    _exit_by(assessment.findings, fail_on)


@cli.group()
def snapshot() -> None:
    """Save a cluster to one file, look into it, compare two."""


@snapshot.command("save")
@_source_options
@click.argument("file", type=click.Path(dir_okay=False))
def snapshot_save(file: str, **source: Any) -> None:
    """Read a cluster and save it to FILE. Holds no Secret's value, token or secret setting."""
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.render import terminal

    taken = _options(source).source(wiring.catalog()).snapshot()
    snapshot_file.save(taken, Path(file))
    terminal.note(f"{taken.cluster.name} saved to {file} ({Path(file).stat().st_size // 1024 + 1} KiB)")
    terminal.gaps(taken.gaps)


@snapshot.command("show")
@click.argument("file", type=click.Path(dir_okay=False))
@_output
def snapshot_show(file: str, output: str) -> None:
    """What FILE holds: how many objects of each kind, and what could not be read."""
    from addonctl.adapters.sources import snapshot_file
    from addonctl.render import documents, terminal

    taken = snapshot_file.load(Path(file))
    if output == "json":
        sys.stdout.buffer.write(snapshot_file.encode(taken) + b"\n")
    else:
        _print(output, lambda: documents.snapshot_document(taken), lambda: terminal.snapshot(taken))


@snapshot.command("diff")
@click.argument("old", type=click.Path(dir_okay=False))
@click.argument("new", type=click.Path(dir_okay=False))
@_output
def snapshot_diff(old: str, new: str, output: str) -> None:
    """What changed among the add-ons from OLD to NEW."""
    from addonctl.adapters.sources import snapshot_file
    from addonctl.apps import wiring
    from addonctl.changes import compare
    from addonctl.inventory import take_inventory
    from addonctl.model import View
    from addonctl.render import documents, terminal

    before, after = (take_inventory(View(snapshot_file.load(Path(file))), wiring.catalog()) for file in (old, new))
    changes = documents.changes_document(compare(before, after))
    _print(output, lambda: changes, lambda: terminal.changes(changes))


@cli.group("catalog")
def catalog_group() -> None:
    """What addonctl knows of add-ons, their versions and Kubernetes."""


@catalog_group.command("list")
@_output
@_no_headers
def catalog_list(output: str, no_headers: bool) -> None:
    """All add-ons of the catalogue."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    known = wiring.catalog()
    _print(
        output,
        lambda: documents.catalog_document(known),
        lambda: terminal.catalog_list(known, headers=not no_headers),
    )


@catalog_group.command("show")
@click.argument("addon")
@_output
def catalog_show(addon: str, output: str) -> None:
    """All that is known of ADDON: a catalogue id, an EKS add-on name or a chart."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    document = documents.addon_document(wiring.catalog(), addon)
    _print(output, lambda: document, lambda: terminal.mapping(document))


@catalog_group.command("versions")
@click.argument("addon")
@click.option("--kubernetes", default="", metavar="VERSION", help="Only versions for this Kubernetes.")
@_output
@_no_headers
def catalog_versions(addon: str, kubernetes: str, output: str, no_headers: bool) -> None:
    """The versions of ADDON that AWS lists."""
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal

    document = documents.versions_document(wiring.catalog(), addon, _minor(kubernetes))
    _print(output, lambda: document, lambda: terminal.versions(document, headers=not no_headers))


@catalog_group.command("check")
@click.argument("addon")
@click.argument("version", required=False, default="")
@click.option("--kubernetes", default="", metavar="VERSION", help="The Kubernetes to check for, such as 1.35.")
@_output
def catalog_check(addon: str, version: str, kubernetes: str, output: str) -> None:
    """Whether VERSION of ADDON goes with a Kubernetes.

    With - for ADDON, lines of `ADDON VERSION KUBERNETES` are read from standard input, and one line of JSON is
    printed for each.
    """
    from addonctl.apps import wiring
    from addonctl.render import documents, terminal
    from addonctl.versions import Minor

    known = wiring.catalog()
    if addon == "-":
        documents.check_stream(known, sys.stdin, sys.stdout)
        return
    if not version or not kubernetes:
        raise BadInput("catalog check needs ADDON, VERSION and --kubernetes", "Example: addonctl catalog check "
                       "coredns v1.12.4-eksbuild.18 --kubernetes 1.34")  # fmt: skip
    check = known.check(addon, version, Minor.of(kubernetes))
    _print(output, lambda: documents.check_document(check), lambda: terminal.check(check))


@catalog_group.command("refresh")
@click.option("--region", default="", help="AWS region.", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"])
@click.option("--profile", default="", help="AWS profile.", envvar="AWS_PROFILE")
def catalog_refresh(region: str, profile: str) -> None:
    """Ask your own AWS account for the table of EKS add-on versions; it wins over the packaged one."""
    from addonctl.adapters import eks_table
    from addonctl.adapters.aws import Aws
    from addonctl.apps import wiring
    from addonctl.render import terminal

    table = Aws(region or None, profile or None).addon_versions(as_of=wiring.CLOCK.now().date())
    path = eks_table.save(table, wiring.cache_dir())
    terminal.note(f"{len(table.addons)} EKS add-ons of {table.region} as of {table.as_of} saved to {path}")


@cli.command()
@click.option("--iam", is_flag=True, help="Only the IAM policy, as JSON.")
@click.option("--cluster-role", is_flag=True, help="Only the ClusterRole, as YAML.")
@click.option("--probe", is_flag=True, help="With what --probe needs beyond reading.")
def rbac(iam: bool, cluster_role: bool, probe: bool) -> None:
    """The least ClusterRole and IAM policy that reading needs."""
    from addonctl.adapters import api_reader, aws, decoders, probes
    from addonctl.apps import wiring
    from addonctl.render import documents

    if not iam:
        more = probes.RULES if probe else ()
        sys.stdout.write(api_reader.cluster_role_yaml(decoders.KINDS, wiring.catalog(), more))
    if not cluster_role:
        sys.stdout.write("" if iam else "---\n# IAM policy (JSON):\n")
        text = documents.dump(aws.policy(), "json")
        sys.stdout.write(text if iam else "".join(f"# {line}\n" for line in text.splitlines()))


@cli.command()
@_live_options
@_output
def doctor(output: str, **source: Any) -> None:
    """What can be reached, with which rights, and what would be missing from a report."""
    from addonctl.render import documents, terminal

    rows = _doctor(_options(source))
    _print(output, lambda: documents.doctor_document(rows), lambda: terminal.doctor(rows))
    if any(check["answer"] == "no" for check in rows):
        sys.exit(EXIT_ERROR)


def _doctor(options: "SourceOptions") -> list[dict[str, str]]:
    """Rows of `what`, `answer` (yes, no), `detail`."""
    from addonctl.adapters import api_reader
    from addonctl.apps import wiring

    try:
        checks = api_reader.doctor(options.live(wiring.catalog()).connection)
    except AddonctlError as error:
        return [{"what": "Kubernetes API", "answer": "no", "detail": str(error)}]
    return [{"what": check.what, "answer": check.answer, "detail": check.detail} for check in checks]


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL: `source <(addonctl completion bash)`."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, shell
    name = _program_name()
    variable = f"_{name}_COMPLETE".replace("-", "_").upper()
    click.echo(found(cli, {}, name, variable).source())


# ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _program_name() -> str:
    return Path(sys.argv[0]).name.removesuffix(".py")


def main() -> NoReturn:
    """Runs the command line; errors become two lines and exit code 1, Ctrl-C becomes 130."""
    called = _program_name()
    shown = "kubectl addons" if called == "kubectl-addons" else "addonctl"
    variable = f"_{called}_COMPLETE".replace("-", "_").upper()
    try:
        cli.main(prog_name=shown, standalone_mode=False, complete_var=variable)
    except AddonctlError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_ERROR)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; nothing was changed.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left: nobody to tell
        sys.exit(EXIT_ERROR)
    sys.exit(0)


if __name__ == "__main__":
    main()
