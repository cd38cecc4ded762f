"""What is no longer maintained: add-ons that were retired as a whole, and releases of which the end of life is known.

Decided from the catalog as of a day; only for versions that count as upstream's do. A vendor may maintain a rebuild for
longer, so what vendors offer is not judged. Called by check_compatibility.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from addonctl.catalog import AddOn, Answer, Catalog, Cell, MigrationStep, ReleaseCycle, Retirement
from addonctl.compatibility.support import KubernetesStatus
from addonctl.findings import finding, makes
from addonctl.model import (
    Action,
    CommandLine,
    Evidence,
    Finding,
    Installation,
    InstallationRef,
    Note,
    Severity,
    View,
    owners,
)
from addonctl.remediation import eks_addon, to_a_version, update_addon
from addonctl.versions import Minor

# Nobody updates on the day: so long before and after it, the end of a release is worth knowing, not more.
_AROUND = timedelta(days=60)
# Add-ons of these publishers in EKS's table are upstream's releases; a vendor's are its own.
_AWS_BUILDS = ("aws", "community")


@makes("EOL001", "EOL002")
def end_of_life_findings(
    row: Installation, cells: tuple[Cell, ...], view: View, catalog: Catalog, status: KubernetesStatus, day: date
) -> Iterator[Finding]:
    """One finding at most: of what is retired, no release is maintained."""
    addon = _judged(row, catalog)
    if addon is None:
        return
    if addon.retirement is not None:
        yield _retired(row, addon.retirement, day)
        return
    cycle = _cycle(row, addon)
    if cycle is not None and cycle.end_of_life is not None and cycle.end_of_life - day <= _AROUND:
        yield _ended(row, addon, cycle, cells[0], (view, catalog, status, day))


def fixes_until(row: Installation, catalog: Catalog) -> date | None:
    """Until when its release gets fixes; None: nobody has said, or a vendor keeps it."""
    addon = _judged(row, catalog)
    cycle = _cycle(row, addon) if addon is not None and addon.retirement is None else None
    return cycle.end_of_life if cycle is not None else None


def _judged(row: Installation, catalog: Catalog) -> AddOn | None:
    """Its entry; None where AWS or a vendor looks after it, or it has none."""
    kept = isinstance(row.owner, owners.AwsManaged) or _of_a_vendor(row, catalog)
    return None if kept else catalog.addons.get(row.addon)


def _of_a_vendor(row: Installation, catalog: Catalog) -> bool:
    listed = catalog.eks.addons.get(row.eks_addon)
    return listed is not None and listed.owner not in ("", *_AWS_BUILDS)


# ── Retired add-ons ─────────────────────────────────────────────────────────────────────────────────────────────────


def _retired(row: Installation, retirement: Retirement, day: date) -> Finding:
    over = retirement.ended < day
    seen = Evidence(kind="lifecycle", subject=retirement.source, detail=retirement.text)
    return finding(
        "EOL001",
        InstallationRef(row.id, row.addon),
        seen,
        fix=migration_steps(retirement.steps),
        severity=None if over else Severity.INFO,
    )


def migration_steps(steps: Iterable[MigrationStep]) -> tuple[Action, ...]:
    """The way to a successor, as Actions."""
    return tuple(CommandLine(step.argv, why=step.text) if step.argv else Note(step.text) for step in steps)


# ── Releases ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cycle(row: Installation, addon: AddOn) -> ReleaseCycle | None:
    """The release that an installation is of; one older than all that are known counts as the oldest of them."""
    if row.version is None or not row.upstream_version or not addon.lifecycle:
        return None
    oldest = min(addon.lifecycle, key=lambda cycle: cycle.minor)
    mine = max(row.version.minor, oldest.minor)
    return next((cycle for cycle in addon.lifecycle if cycle.minor == mine), None)


def _ended(
    row: Installation,
    addon: AddOn,
    cycle: ReleaseCycle,
    running: Cell,
    known: tuple[View, Catalog, KubernetesStatus, date],
) -> Finding:
    """Less urgent while AWS still offers it for this Kubernetes, and where the catalog knows of nothing newer."""
    view, catalog, status, day = known
    assert cycle.end_of_life is not None, cycle
    offered = isinstance(row.owner, owners.EksAddon) and running.answer is Answer.YES
    newer = [each for each in addon.lifecycle if each.is_maintained(day) and each.latest and each.minor > cycle.minor]
    mild = offered or not newer or day - cycle.end_of_life <= _AROUND
    return finding(
        "EOL002",
        InstallationRef(row.id, row.addon),
        Evidence(kind="lifecycle", subject=f"as of {addon.as_of}", detail=_when(row, addon, cycle, day)),
        *_offers(newer, addon, offered=offered),
        fix=_fix(row, addon, newer, (view, catalog, status)),
        severity=Severity.INFO if mild else None,
    )


def _suitable(
    newer: list[ReleaseCycle], addon: AddOn, catalog: Catalog, status: KubernetesStatus
) -> list[ReleaseCycle]:
    """Those of which nobody says that they do not support the running Kubernetes, and the next, if there are any."""

    def answer(cycle: ReleaseCycle, minor: Minor) -> Answer:
        assert cycle.latest is not None, cycle
        return catalog.check(addon.id, cycle.latest, minor).answer

    fit = [cycle for cycle in newer if answer(cycle, status.oldest) is not Answer.NO]
    return [cycle for cycle in fit if answer(cycle, status.next) is Answer.YES] or fit


def _when(row: Installation, addon: AddOn, cycle: ReleaseCycle, day: date) -> str:
    assert cycle.end_of_life is not None
    assert row.version is not None
    days = (cycle.end_of_life - day).days
    counted = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    older = row.version.minor < cycle.minor
    named = f"{addon.name} {'.'.join(map(str, row.version.minor))}"
    if older:
        return f"{named} is older than {cycle.cycle}, which has had no fixes since {cycle.end_of_life}"
    if days > 0:
        return f"{named} gets fixes until {cycle.end_of_life}, {counted} from now"
    return f"{named} has had no fixes since {cycle.end_of_life}" + (f", {counted} ago" if days else "")


def _offers(newer: list[ReleaseCycle], addon: AddOn, *, offered: bool) -> Iterator[Evidence]:
    if offered:
        yield Evidence(kind="lifecycle", subject="EKS", detail="AWS still offers this version for this Kubernetes")
    if not newer:
        detail = f"no newer release that is maintained was known on {addon.as_of}"
        yield Evidence(kind="lifecycle", subject="catalog", detail=detail)


def _fix(
    row: Installation, addon: AddOn, newer: list[ReleaseCycle], known: tuple[View, Catalog, KubernetesStatus]
) -> tuple[Action, ...]:
    view, catalog, status = known
    fit = _suitable(newer, addon, catalog, status)
    if not fit:
        first = f"No maintained release of {addon.name} supports Kubernetes {status.oldest}: upgrade Kubernetes first."
        return (Note(first),) if newer else ()
    listed = catalog.eks.addons.get(row.owner.name) if isinstance(row.owner, owners.EksAddon) else None
    if listed is None:
        *others, last = (str(each.latest) for each in fit)
        latest = f"{', '.join(others)} or {last}" if others else last
        stepwise = (Note("It moves one minor at a time."),) if addon.one_minor_at_a_time else ()
        return (*to_a_version(row, f"of a maintained release ({addon.name} {latest})"), *stepwise)
    minors = {each.minor for each in fit}
    versions = [version for version in listed.offered(status.oldest) if version.minor in minors]
    goal = listed.preferred(versions, status.oldest)
    if goal is None:
        return (Note(f"EKS offers no maintained release of {addon.name} for Kubernetes {status.oldest} yet."),)
    eks = view.snapshot.eks
    installed = eks_addon(row, eks.addons) if eks else None
    return (update_addon(view.snapshot.cluster.eks_name, listed.name, str(goal), installed),)
