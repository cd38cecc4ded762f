"""Changes of an add-on in the words of its installer, each with its way back."""

from collections.abc import Mapping

from addonctl.model import (
    Action,
    Apply,
    CommandLine,
    CreateAddon,
    GitChange,
    HelmRelease,
    Installation,
    Note,
    owners,
)
from addonctl.opportunities.case import Case

_GITOPS = (owners.ArgoApplication, owners.FluxHelmRelease, owners.FluxKustomization)
Change = tuple[tuple[Action, ...], tuple[Action, ...]]
"""What to do, and how to undo it."""


def path_of(row: Installation, eks: str, helm: str) -> str:
    """Where its installer keeps a value; empty if it keeps none."""
    if isinstance(row.owner, owners.EksAddon):
        return eks
    helms = isinstance(row.owner, (owners.HelmRelease, owners.ArgoApplication, owners.FluxHelmRelease))
    return helm if helms else ""


def set_values(row: Installation, goal: Mapping[str, str], was: Mapping[str, str], *, text: bool = False) -> Change:
    """Values of its installer; `text`: they are strings whatever they look like. One that was not set becomes null."""

    def to(values: Mapping[str, str]) -> CommandLine:
        words = (
            word
            for key, value in values.items()
            for word in ("--set-string" if text and value != "null" else "--set", f"{key}={value}")
        )
        return CommandLine(("addonctl", "update", row.id, *words), why="watched, and put back if it degrades")

    return (to(goal),), (to({key: was.get(key) or "null" for key in goal}),)


def by_hand(row: Installation, goal: CommandLine, was: CommandLine, what: str) -> Change:
    """With kubectl where manifests were applied, in the source of a GitOps controller, else in words."""
    if isinstance(row.owner, _GITOPS):
        return (GitChange(owner=row.owner, change=what),), (_reverted(row),)
    if isinstance(row.owner, owners.Manifest):
        return (goal,), (was,)
    return (Note(f"Where {row.owner or row.id} is kept: {what}."),), (Note("Put back what was set before."),)


def _reverted(row: Installation) -> GitChange:
    return GitChange(owner=row.owner, change="revert that commit")


def removed(case: Case, row: Installation) -> Change:
    """The add-on deleted by who installed it, and installed again."""
    match row.owner:
        case owners.EksAddon(name=name):
            eks = case.view.snapshot.eks
            known = next((each for each in eks.addons if each.name == name), None) if eks else None
            create = CreateAddon(
                cluster=case.assessment.cluster.eks_name,
                addon=name,
                version=str(row.version or ""),
                role_arn=known.service_account_role_arn if known else "",
                why="with the configuration that it had, if it had one:" if known and known.is_configured else "",
            )
            return (_delete(row),), (create,)
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            values = f"{name}-values.yaml"
            keep = CommandLine(("helm", "get", "values", name, "-n", namespace, "-o", "yaml"), save_to=values)
            return (keep, _delete(row)), (_install(case, row, namespace, name, values),)
        case _ if isinstance(row.owner, _GITOPS):
            return (GitChange(owner=row.owner, change=f"take {row.addon} out"),), (_reverted(row),)
    version = f" of {row.version}" if row.version else ""
    return (Note(f"Delete what {row.id} was applied from."),), (Apply(what=f"its manifests{version}, as they were"),)


def _delete(row: Installation) -> CommandLine:
    return CommandLine(("addonctl", "delete", row.id))


def _install(case: Case, row: Installation, namespace: str, name: str, values: str) -> Action:
    release: HelmRelease | None = next(
        (each for each in case.view.helm_releases if (each.namespace, each.name) == (namespace, name)), None
    )
    entry = case.entry(row)
    charts = {chart.name: chart for chart in entry.install.charts} if entry else {}
    chart = charts.get(release.chart) if release else None
    if release is None or chart is None or not chart.repository:
        return Note(f"Install release {name} again in {namespace} from its chart, with --values {values}.")
    oci = chart.repository.startswith("oci://")
    where = (f"{chart.repository}/{chart.name}",) if oci else (chart.name, "--repo", chart.repository)
    words = ("helm", "install", name, *where, "--version", release.chart_version, "-n", namespace)
    return CommandLine((*words, "--values", values))
