"""Which requests of add-ons should change by what they use, what that frees or costs, and how to change it.

Each container is sized by rightsizing.py; here it gets its autoscaler, the room of the nodes, the money of the change
and the change itself in the words of its installer. Decided from an Assessment, a UsageReport and the Catalog.
Called by manager.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog, RequestsSetting
from addonctl.model import Action, CommandLine, Installation, Note, ObjectRef, owners
from addonctl.model.cost import Amount
from addonctl.model.sizing import Autoscaler, History, Proposal, Resource, Risk, Setting, Sizing
from addonctl.model.usage import ContainerUsage
from addonctl.rightsizing import rightsized
from addonctl.usage import UsageReport

_MIB = 2**20
_Of = Callable[[Proposal], int | None]  # what is set: the proposal, or what there was


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """One container of a workload: what it should request, and what that changes a month (less than none: it frees).

    `usd_micros` is None where no node that it runs on has a price. `path` is where its installer keeps its requests;
    empty: that is not known.
    """

    workload: ObjectRef
    container: str
    pods: int
    sizing: Sizing
    usd_micros: int | None
    path: str = ""

    @property
    def changes(self) -> tuple[Proposal, ...]:
        return tuple(each for each in (self.sizing.cpu, self.sizing.memory) if each.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resizing:
    """All containers of an installation, and the one change that sets what should change; none: nothing should."""

    installation: str
    addon: str
    owner: owners.Owner
    containers: tuple[Resize, ...]
    do: tuple[Action, ...] = ()
    undo: tuple[Action, ...] = ()

    @property
    def usd_micros(self) -> int:
        return sum(each.usd_micros or 0 for each in self.containers)


def resize(assessment: Assessment, report: UsageReport, catalog: Catalog, risk: Risk) -> tuple[Resizing, ...]:
    """What the containers of a report should request, by installation; those that free most come first."""
    room = _Room(assessment)
    by_installation: dict[str, list[ContainerUsage]] = {}
    for each in report.containers:
        if assessment.row(each.installation) is not None:
            by_installation.setdefault(each.installation, []).append(each)
    found = []
    for id_, used in by_installation.items():
        row = assessment.row(id_)
        assert row is not None, id_
        addon = catalog.addons.get(row.addon)
        settings = addon.requests if addon else ()
        sized = tuple(_resize(each, row, settings, room, report.metrics.end.date(), risk) for each in used)
        do, undo = _actions(row, sized)
        found.append(Resizing(installation=id_, addon=row.addon, owner=row.owner, containers=sized, do=do, undo=undo))
    return tuple(sorted(found, key=lambda each: (each.usd_micros, each.installation)))


class _Room:
    """What the nodes of the cluster have and cost, and who else sets requests."""

    def __init__(self, assessment: Assessment) -> None:
        view = assessment.view
        self._view = view
        nodes = view.snapshot.nodes
        self.cpu = max((node.cpu_millicores for node in nodes), default=0) or None
        self.memory = max((node.memory_bytes for node in nodes), default=0) or None
        self._scaled = {each.target for each in view.snapshot.autoscalers}
        charges = assessment.cost.charges if assessment.cost else ()
        self._rates = {
            charge.about.name: charge.usd_micros / charge.capacity.weight
            for charge in charges
            if charge.about is not None and charge.capacity is not None and charge.usd_micros is not None
        }

    def autoscaler(self, workload: ObjectRef) -> Autoscaler | None:
        return Autoscaler.HPA if workload in self._scaled else None

    def price(self, workload: ObjectRef, more: Amount) -> int | None:
        """What so much more costs a month, in each pod of a workload where it runs; None: no such node has a price."""
        rates = [self._rates[pod.node] for pod in self._view.pods.get(workload, ()) if pod.node in self._rates]
        return round(sum(rates) * more.weight) if rates else None


def _resize(
    used: ContainerUsage, row: Installation, settings: Sequence[RequestsSetting], room: _Room, day: date, risk: Risk
) -> Resize:
    scaled = room.autoscaler(used.workload)
    history = History(
        as_of=day,
        days=used.days,
        week=used.week,
        cpu=Setting(
            request=used.cpu_request_millicores,
            limit=used.cpu_limit_millicores,
            ceiling=room.cpu,
            autoscaler=scaled,
        ),
        memory=Setting(
            request=used.memory_request_bytes,
            limit=used.memory_limit_bytes,
            ceiling=room.memory,
            autoscaler=scaled,
        ),
    )
    sizing = rightsized(history, risk)
    more = Amount(_more(sizing.cpu), _more(sizing.memory))
    return Resize(
        workload=used.workload,
        container=used.container,
        pods=used.pods,
        sizing=sizing,
        usd_micros=room.price(used.workload, more),
        path=_path(row.owner, settings, used),
    )


def _more(proposal: Proposal) -> int:
    return (proposal.request or 0) - (proposal.current or 0) if proposal.changes else 0


def _path(owner: owners.Owner, settings: Sequence[RequestsSetting], used: ContainerUsage) -> str:
    """Where an installer keeps the requests of a container, by the catalogue."""
    mine = (each for each in settings if each.container == used.container and each.workload in ("", used.workload.name))
    found = next(mine, None)
    if found is None:
        return ""
    if isinstance(owner, owners.EksAddon):
        return found.eks
    helm = isinstance(owner, (owners.HelmRelease, owners.ArgoApplication, owners.FluxHelmRelease))
    return found.helm if helm else ""


# ── The change itself ───────────────────────────────────────────────────────────────────────────────────────────


def _actions(row: Installation, sized: Sequence[Resize]) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """The change and the way back: one command of addonctl where the installer has values, else kubectl or a word."""
    changing = [each for each in sized if each.changes]
    placed = [each for each in changing if each.path]
    do: list[Action] = []
    undo: list[Action] = []
    if placed:
        do.append(_update(row, placed, lambda proposal: proposal.request))
        undo.append(_update(row, placed, lambda proposal: proposal.current))
    for each in (each for each in changing if not each.path):
        do.append(_by_hand(row, each, lambda proposal: proposal.request))
        undo.append(_by_hand(row, each, lambda proposal: proposal.current))
    return tuple(do), tuple(undo)


def _update(row: Installation, placed: Sequence[Resize], of: _Of) -> Action:
    words = [word for each in placed for key, value in _settings(each, of) for word in ("--set", f"{key}={value}")]
    return CommandLine(("addonctl", "update", row.id, *words), why="watched, and put back if it degrades")


def _settings(each: Resize, of: _Of) -> Iterator[tuple[str, str]]:
    """Paths and quantities; a limit is set where it must be raised, and one that was absent stays so."""
    for proposal in each.changes:
        resource = proposal.resource
        yield f"{each.path}.requests.{resource.value}", quantity(resource, of(proposal)) or "null"
        if proposal.limit is not None and proposal.request is not None and proposal.limit == proposal.request:
            yield f"{each.path}.limits.{resource.value}", quantity(resource, proposal.limit)


def _by_hand(row: Installation, each: Resize, of: _Of) -> Action:
    """kubectl where nobody keeps values; a word where somebody else would put it back."""
    asked = ",".join(
        f"{proposal.resource.value}={quantity(proposal.resource, of(proposal)) or '0'}" for proposal in each.changes
    )
    name = f"{each.workload.kind.lower()}/{each.workload.name}"
    if isinstance(row.owner, owners.Manifest):
        command = ("kubectl", "-n", each.workload.namespace, "set", "resources", name, "-c", each.container)
        return CommandLine((*command, f"--requests={asked}"), why="and in the manifests that it is applied from")
    return Note(f"Set the requests of container {each.container} of {name} to {asked} where {row.owner} keeps them.")


def quantity(resource: Resource, value: int | None) -> str:
    """As Kubernetes writes it: 50m, 128Mi; empty for none."""
    if value is None:
        return ""
    if resource is Resource.CPU:
        return f"{value}m"
    return f"{value // _MIB}Mi" if value % _MIB == 0 else str(value)
