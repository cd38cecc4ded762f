"""Plans that bring an add-on into EKS's keeping, take it out, or delete it."""

from dataclasses import replace
from datetime import datetime

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.errors import BadInput
from addonctl.model import Action, CommandLine, CreateAddon, DeleteAddon, Installation, owners
from addonctl.model.plan import Plan, Wave
from addonctl.plan.case import Case
from addonctl.plan.steps import adopting, creating, step_of
from addonctl.plan.versions import DEFAULT, offered_version
from addonctl.plan.ways import Way, present
from addonctl.remediation import eks_addon

_ALL = "with the identities and the configuration that it had:"


def creation_plan(
    assessment: Assessment, catalog: Catalog, addon: str, to: str, now: datetime, adopt: str = "", role_arn: str = ""
) -> Plan:
    """An EKS add-on that is not there, at a version (empty: EKS's default), or with `adopt` over what somebody applied.

    `adopt` is what EKS does with fields that others set, PRESERVE or OVERWRITE. Raises BadInput where EKS does not
    offer it, where it is there already, or is kept by what would go on with it; where nobody knows its workloads.
    """
    case = Case(assessment, catalog)
    kubernetes = case.kubernetes
    name = catalog.eks_name(addon)
    if name is None or name not in catalog.eks.addons:
        raise BadInput(f"EKS offers no add-on {addon}", "See `addonctl catalog list`.")
    row = _adoptable(case, name, addon, adopt)
    listed = catalog.eks.addons[name]
    goal = offered_version(listed, to or DEFAULT, kubernetes)
    if goal is None:
        raise BadInput(f"AWS offers no {name} for Kubernetes {kubernetes}", "See `addonctl matrix`.")
    action = CreateAddon(
        cluster=assessment.cluster.name,
        addon=name,
        version=str(goal),
        role_arn=role_arn,
        resolve_conflicts=adopt or "NONE",
    )
    step = creating(case, action, listed, goal, kubernetes) if row is None else adopting(case, row, action, goal)
    return case.plan(f"{name} as an EKS add-on", [replace(step, kubernetes=kubernetes)], now)


def letting_go_plan(assessment: Assessment, catalog: Catalog, addon: str, now: datetime) -> Plan:
    """An EKS add-on that EKS is to forget, while its objects stay. Raises BadInput where it is none."""
    case = Case(assessment, catalog)
    kubernetes, row = case.kubernetes, case.one(addon)
    if not isinstance(row.owner, owners.EksAddon):
        raise BadInput(f"{row.id} is kept by {row.owner}, not by EKS", "Take it from there.")
    cluster, name = assessment.cluster.name, row.owner.name
    eks = assessment.snapshot.eks
    installed = eks_addon(row, eks.addons) if eks else None
    back = CreateAddon(
        cluster=cluster,
        addon=name,
        version=str(row.version),
        role_arn=installed.service_account_role_arn if installed else "",
        resolve_conflicts="PRESERVE",
        why=_ALL,
    )
    way = Way((DeleteAddon(cluster=cluster, addon=name, preserve=True),), (back,))
    listed = catalog.eks.addons.get(name)
    if listed is None or row.version not in listed.offered(kubernetes):
        way = Way(way.do, (), f"AWS offers no {name} {row.version} for Kubernetes {kubernetes} any more")
    step = step_of(case, row, row.version, None, kubernetes, way)
    return case.plan(f"{row.id} out of EKS's keeping", [step], now)


def removal_plan(assessment: Assessment, catalog: Catalog, addon: str, now: datetime) -> Plan:
    """An add-on that EKS or Helm keeps, deleted with its objects. Raises BadInput for what others keep."""
    case = Case(assessment, catalog)
    kubernetes, row = case.kubernetes, case.one(addon)
    match row.owner:
        case owners.EksAddon(name=name):
            do: Action = DeleteAddon(cluster=assessment.cluster.name, addon=name)
        case owners.HelmRelease(namespace=namespace, name=name) if name:
            do = CommandLine(("helm", "uninstall", name, "-n", namespace))
        case _:
            raise BadInput(f"{row.id} is kept by {row.owner}", "Delete it there.")
    way = Way((do,), (), "what is deleted is gone: a new one has neither its custom resources nor what others set")
    step = step_of(case, row, present(case, row), None, kubernetes, way)
    alone = replace(step, removes=True, objectives=(), waves=(Wave(instances=1),), loses=True)
    return case.plan(f"{row.id} deleted", [alone], now)


def _adoptable(case: Case, name: str, addon: str, adopt: str) -> Installation | None:
    """The installation to be adopted; None: there is none, and none was asked for."""
    known = case.catalog.find(name)
    ids = {addon, name, known.id if known else name}
    found = [each for each in case.assessment.inventory.installations if ids & {each.addon, each.id, each.eks_addon}]
    kept = next((each for each in found if isinstance(each.owner, owners.EksAddon)), None)
    if kept is not None:
        raise BadInput(f"{kept.id} is an EKS add-on already", f"Update it: addonctl update {addon} --to VERSION")
    if not adopt:
        if found:
            what = f"{found[0].id} is installed, by {found[0].owner}"
            raise BadInput(what, "Have EKS take it over: --adopt overwrite, or --adopt preserve.")
        return None
    row = case.one(addon)
    if not isinstance(row.owner, owners.Manifest):
        raise BadInput(f"{row.id} is kept by {row.owner}, which would go on with it", "Take it from there first.")
    return row
