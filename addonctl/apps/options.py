"""The options that commands share, and how a shell completes them."""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from addonctl.apps import outputs

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from click.shell_completion import CompletionItem

Function = Callable[..., Any]
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_DURATION = r"(?a)(\d{1,6})(ms|s|m|h)"
_LONGEST_S = 3600
SEVERITIES = ("info", "recommended", "required")


def chain(*options: Callable[[Function], Function]) -> Callable[[Function], Function]:
    def decorate(command: Function) -> Function:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


# ── Completion: the catalog and kubeconfigs are only loaded when a shell asks ─────────────────────────────────────


def _completes(values: Callable[[click.Context], Iterable[str]]) -> Callable[..., "list[CompletionItem]"]:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        try:
            return [CompletionItem(value) for value in values(ctx) if value.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - shell completion cannot show errors
            return []

    return complete


def _contexts(ctx: click.Context) -> Iterable[str]:
    from addonctl.adapters.kubeconfig import contexts

    return contexts(str(ctx.params.get("kubeconfig") or ""))


def _addons(ctx: click.Context) -> Iterable[str]:
    from addonctl.apps import wiring

    known = wiring.catalog()
    return sorted({*known.addons, *known.eks.addons})


def _minors(ctx: click.Context) -> Iterable[str]:
    from addonctl.apps import wiring

    return (str(release.version) for release in wiring.catalog().kubernetes.releases)


def _codes(ctx: click.Context) -> Iterable[str]:
    from addonctl.findings import CHECKS

    return sorted(CHECKS)


def _risks(ctx: click.Context) -> Iterable[str]:
    from addonctl.findings import CHECKS, Capability

    return (code for code, each in CHECKS.items() if each.capability is Capability.PREFLIGHT and each.acceptable)


def _findings(ctx: click.Context) -> Iterable[str]:
    return (*SEVERITIES, *_codes(ctx), *_addons(ctx))


def _runs(ctx: click.Context) -> Iterable[str]:
    from addonctl.apps import wiring

    return (entry.id for entry in wiring.journal().entries())


def _versions(ctx: click.Context) -> Iterable[str]:
    """Of the add-on that the line names, as AWS lists them, newest first."""
    from addonctl.apps import wiring

    # Behind an option whose value is to come, click has not made parameters of the arguments yet.
    addon = ctx.params.get("addon") or next(iter(ctx.args), "")
    _, eks = wiring.catalog().require(addon)
    return (str(entry.version) for entry in eks.versions) if eks else ()


def _goals(ctx: click.Context) -> Iterable[str]:
    return ("default", "latest-compatible", *_versions(ctx))


def _commands(ctx: click.Context) -> Iterable[str]:
    """The commands behind the words that `help` has so far."""
    command: click.Command | None = ctx.find_root().command
    for word in ctx.params.get("command") or ():
        command = command.get_command(ctx, word) if isinstance(command, click.Group) else None
    return command.list_commands(ctx) if isinstance(command, click.Group) else ()


completes_runs = _completes(_runs)
completes_versions, completes_goals, completes_commands = (
    _completes(_versions),
    _completes(_goals),
    _completes(_commands),
)
completes_minors = _completes(_minors)


def duration_s(text: str) -> float:
    """Seconds, in kubectl's format: 30s, 2m, 1m30s; a plain number is seconds. Raises click.BadParameter."""
    whole = f"{text}s" if text.isdecimal() else text
    parts = re.findall(_DURATION, whole)
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != whole or not 0 < seconds <= _LONGEST_S:
        raise click.BadParameter(f"{text!r} is not a duration such as 30s or 2m, of at most an hour")
    return seconds


def _duration(ctx: click.Context, param: click.Parameter, text: str) -> float | None:
    return duration_s(text) if text else None


def _time(ctx: click.Context, param: click.Parameter, text: str) -> "datetime | None":
    """A time in RFC 3339, in UTC where it names no zone."""
    from datetime import UTC, datetime

    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time such as 2026-11-26T08:00Z") from None
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _window(ctx: click.Context, param: click.Parameter, text: str) -> "timedelta | None":
    from datetime import timedelta

    number, unit = text[:-1], text[-1:]
    if text and not (number.isdecimal() and unit in ("h", "d") and 1 <= int(number) <= _LONGEST_WINDOW[unit]):
        raise click.BadParameter(f"{text!r} is not a time such as 12h or 14d, of at most 90 days")
    return timedelta(**{"days" if unit == "d" else "hours": int(number)}) if text else None


_LONGEST_WINDOW = {"h": 90 * 24, "d": 90}


def window(default: str, what: str) -> Callable[[Function], Function]:
    """How far back is looked: a timedelta, None where it is empty."""
    shown = bool(default)
    return click.option("--window", default=default, show_default=shown, metavar="TIME", callback=_window, help=what)


def _into_file(ctx: click.Context, param: click.Parameter, path: str) -> None:
    """Writes the output to a file when the command ends; if it printed nothing, the file is unchanged."""
    if path:
        from addonctl.apps import run

        ctx.with_resource(run.output_to(path))


# ── Options ─────────────────────────────────────────────────────────────────────────────────────────────────────

PATH, FILE = click.Path(), click.Path(dir_okay=False)
_region = click.option("--region", default="", help="AWS region; by default the cluster's, or $AWS_REGION.")
_profile = click.option("--profile", default="", help="AWS profile; by default $AWS_PROFILE.")
aws_options = chain(_region, _profile)
live_options = chain(
    click.option("--context", default="", help="Context of the kubeconfig.", shell_complete=_completes(_contexts)),
    click.option("--kubeconfig", default="", help="Path of the kubeconfig.", type=PATH),
    click.option("-n", "--namespace", default="", help="Read namespaced objects of this namespace only."),
    click.option("-A", "--all-namespaces", is_flag=True, help="Read all namespaces, as without --namespace."),
    click.option("--as", "act_as", default="", metavar="USER", help="Act as another user, as kubectl does."),
    click.option("--as-group", "act_as_groups", multiple=True, metavar="GROUP", help="In this group; repeatable."),
    click.option("--eks", default="", metavar="CLUSTER", help="An EKS cluster by name; needs no kubeconfig."),
    aws_options,
    click.option(
        "--request-timeout",
        "timeout_s",
        default="",
        metavar="DURATION",
        callback=_duration,
        help="How long to wait for one response of a server, such as 10s or 2m; 30s by default.",
    ),
)
prometheus = click.option(
    "--prometheus",
    default="",
    metavar="URL",
    help="The Prometheus that knows the cluster; by default that of the settings, or one inside; `none` for none.",
)
metrics = chain(
    prometheus,
    click.option("--cloudwatch", is_flag=True, help="Use by CloudWatch Container Insights, for cents; no Prometheus."),
)
kubernetes = click.option(
    "--kubernetes",
    default="",
    metavar="VERSION",
    help="The running Kubernetes, if the input does not say.",
    shell_complete=_completes(_minors),
)
_snapshot = click.option("--snapshot", default="", metavar="FILE", help="Read a saved snapshot.", type=PATH)
demo = click.option("--demo", is_flag=True, help="Read the demo cluster that comes with addonctl.")
source_options = chain(
    live_options,
    _snapshot,
    click.option(
        "-f",
        "--filename",
        "files",
        multiple=True,
        metavar="PATH",
        help="Read manifests, dumps or bundles: files, folders, archives, https://…, - for standard input.",
    ),
    click.option(
        "--as-of",
        default="",
        metavar="TIME",
        callback=_time,
        help="When the dump of -f was taken, such as 2026-11-26T08:00Z; by default the newest time in it.",
    ),
    demo,
    kubernetes,
)
all_contexts = click.option(
    "--all-contexts", is_flag=True, help="Read the clusters of all contexts of the kubeconfig, each by itself."
)
cluster_options = chain(live_options, _snapshot, demo, kubernetes)
manifests = click.option(
    "-f",
    "--filename",
    "manifests",
    multiple=True,
    required=True,
    metavar="PATH",
    help="What would be applied: files, folders, archives, - for standard input.",
)


def output_option(*formats: str, default: str = "table") -> Callable[[Function], Function]:
    """`-o`, with the formats of a command, and `-O`."""
    return chain(
        outputs.option(formats, default),
        click.option(
            "-O",
            "--output-file",
            metavar="FILE",
            type=FILE,
            callback=_into_file,
            expose_value=False,
            help="Write to FILE what would be printed.",
        ),
    )


output = output_option("table", "wide", "json", "yaml", "jsonpath")
rows_output = output_option("table", "wide", "json", "yaml", "name", "csv", "jsonpath")
target = click.option(
    "--target",
    default="",
    metavar="VERSION",
    help="The Kubernetes to prepare for; the next minor by default.",
    shell_complete=_completes(_minors),
)
accept_risk = click.option(
    "--accept-risk",
    multiple=True,
    metavar="CODE",
    help="Go on in spite of a required finding of preflight; may be repeated.",
    shell_complete=_completes(_risks),
)
values_options = chain(
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change its configuration, written as for helm: a.b=1,c[0]=x; may be repeated.",
    ),
    click.option("--set-string", "strings", multiple=True, metavar="KEY=VALUE", help="The same, all of it text."),
    click.option(
        "--values",
        "values_files",
        multiple=True,
        metavar="FILE",
        type=PATH,
        help="Change its configuration to what a YAML file says, beside the rest; may be repeated.",
    ),
)
config = click.option(
    "--config",
    default="",
    metavar="FILE",
    type=PATH,
    help="Settings with waivers; by default $ADDONCTL_CONFIG or ~/.config/addonctl/config.yaml.",
)
finding_options = chain(
    click.option(
        "--only",
        multiple=True,
        metavar="WHAT",
        help="Only findings of a severity, a code (HLT001, HLT), an add-on or an object; repeatable.",
        shell_complete=_completes(_findings),
    ),
    click.option(
        "--since",
        default="",
        metavar="SNAPSHOT",
        type=PATH,
        help="Only findings that are new or more severe since this older snapshot.",
    ),
    config,
    click.option("--show-waived", is_flag=True, help="List waived findings as well."),
)
probe = click.option(
    "--probe", is_flag=True, help="Probe add-ons: a DNS query, dry runs of admission and volume claims, metrics."
)
logs = click.option(
    "--logs", is_flag=True, help="Read the last lines of add-ons' containers that are not ready; they are not stored."
)
no_headers = click.option("--no-headers", is_flag=True, help="Print rows only: no headers, no notes.")
fail_options = chain(
    click.option(
        "--fail-on",
        type=click.Choice([*SEVERITIES, "never"]),
        default="never",
        help="Exit with 2 when a finding is at least this severe, with 1 when something could not be read; never by "
        "default.",
    ),
    click.option("--allow-gaps", is_flag=True, help="With --fail-on: pass although parts could not be read."),
)


def fail_on_answers(what: str) -> Callable[[Function], Function]:
    """`--fail-on` where answers are yes, no or unknown: see shared.exit_by_answers."""
    choices = click.Choice(["no", "unknown", "never"])
    return click.option("--fail-on", type=choices, default="never", show_default=True, help=what)


addon = click.argument("addon", shell_complete=_completes(_addons))
addon_or_none = click.argument("addon", required=False, default="", shell_complete=_completes(_addons))
addons = click.argument("addons", nargs=-1, metavar="[ADDON]...", shell_complete=_completes(_addons))
code_or_none = click.argument("code", required=False, default="", shell_complete=_completes(_codes))
