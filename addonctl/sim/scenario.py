"""Scenarios: all that one simulated update is made of, as a value drawn by seed, so that parts of it can be left out.

A scenario says what the cluster and the add-on are like, what is wrong with the new version (an incident), which faults
of the infrastructure begin when, at which boundaries the worker dies and what people ask meanwhile. Combinations that
no cluster can be in are refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from addonctl.errors import BadInput
from addonctl.sim.controllers import STEADY, Behaviour
from addonctl.sim.faults import FAULTS, Drawn, begins
from addonctl.sim.incidents import DAEMON_SET, INCIDENTS, KINDS, Incident

# A cluster settles before this second, and the update begins; faults and people come within so many seconds after it.
BEGINS_S, _WITHIN_S = 120.0, 400.0
# A container that ends before ever so many seconds is never ready for long.
_EARLY_S = 20.0
# A run passes some hundred boundaries: a move is stored, or something is written.
_BOUNDARIES, _MEANWHILE = 200, 60
VERSION, CONFIGURATION, CREATION, DELETION = "version", "configuration", "creation", "deletion"
# By whom add-ons are kept, and how often one is drawn; of the changes beside new versions, who can be asked for them.
OWNERS: Mapping[str, float] = {"EKS": 0.4, "Helm": 0.2, "Argo CD": 0.15, "Flux": 0.15, "manifests": 0.1}
_CHANGED_BY: Mapping[str, tuple[str, ...]] = {
    VERSION: tuple(OWNERS),
    CONFIGURATION: ("EKS", "Helm", "Argo CD", "Flux"),
    CREATION: ("EKS",),
    DELETION: ("EKS", "Helm"),
}
_MACHINES = frozenset(("nodes", "zones"))
_ASKED = (("cancel",), ("pause", "resume"), ("pause", "cancel"), ("pause", "resume", "cancel"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """How scenarios are drawn. The shares are ours, no statistics: public cases have no denominator.

    `harmful`: of updates, whose new version is one of `incidents` (none named: of all, by their weights). At most
    `faults_most` of `faults` (none named: of all) begin. `crashes`: of runs, in which the worker dies, up to three
    times; `hangs`: in which it seems dead and comes back, `rivals`: in which another run begins on the same add-on;
    `asked`: in which people pause or cancel; `approved`, `irreversible`, `two_steps`: of plans. `owners` keep
    the add-on, by their weights. `configured`, `created`, `deleted`: how often it is no new version that is brought.
    """

    harmful: float = 0.5
    incidents: tuple[str, ...] = ()
    faults_most: int = 6
    faults: tuple[str, ...] = ()
    crashes: float = 0.3
    hangs: float = 0.1
    rivals: float = 0.1
    asked: float = 0.1
    approved: float = 0.1
    irreversible: float = 0.05
    two_steps: float = 0.15
    owners: tuple[str, ...] = tuple(OWNERS)
    configured: float = 0.08
    created: float = 0.03
    deleted: float = 0.03

    def __post_init__(self) -> None:
        named = (
            (self.faults, FAULTS, "fault"),
            (self.incidents, INCIDENTS, "incident"),
            (self.owners, OWNERS, "owner"),
        )
        for given, known, what in named:
            for name in given:
                if name not in known:
                    raise BadInput(f"There is no {what} {name!r}", f"One of: {', '.join(known)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`least`: how many instances the add-on's PodDisruptionBudget wants. `usual`: the share of requests that always
    fail. `does` is what the last state does, by its incident. `crashes` are the numbers of the boundaries at which a
    worker dies, `asked` what people ask, each at its second. `hangs`: at which boundary it seems dead, and for how many
    another one works meanwhile; `rivals`: the seconds at which somebody begins another run on the same add-on.
    """

    seed: int
    kind: str
    instances: int
    nodes: int
    least: int
    surge: str = "25%"
    rps: float = 100.0
    probe_rps: float = 10.0
    usual: float = 0.0
    stop_s: float = 0.5
    drain_s: int = 0
    steps: int = 1
    soak_s: int = 30
    approval: bool = False
    irreversible: bool = False
    incident: str = ""
    does: Behaviour = STEADY
    faults: tuple[Drawn, ...] = ()
    crashes: tuple[int, ...] = ()
    asked: tuple[tuple[float, str], ...] = ()
    owner: str = "EKS"
    change: str = VERSION
    hangs: tuple[tuple[int, int], ...] = ()
    rivals: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        reasons = tuple(impossible(self))
        assert not reasons, f"no cluster is like that: {'; '.join(reasons)}"

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(f"node-{number}" for number in range(self.nodes))

    @property
    def loses_nodes(self) -> bool:
        """Whether machines stop answering: what is on them nobody can end, and budgets hold up the rest."""
        return self.does.loses_node_s > 0 or any(FAULTS[each.fault].needs & _MACHINES for each in self.faults)


def impossible(one: Scenario) -> Iterable[str]:
    """Why no cluster can be like a scenario."""
    if one.kind not in KINDS:
        yield f"{one.kind} is not updated in waves"
    if one.instances < 1 or one.nodes < 1:
        yield "an add-on runs somewhere"
    if one.kind == DAEMON_SET and one.instances != one.nodes:
        yield f"a DaemonSet has an instance a node: {one.instances} on {one.nodes}"
    if one.least >= one.instances and one.kind == DAEMON_SET:
        yield f"a DaemonSet that must keep {one.least} of {one.instances} can never be updated"
    if one.least > one.instances:
        yield f"{one.least} of {one.instances} are never there"
    if one.does.nodes - set(one.node_names):
        yield "what shows on some nodes shows on nodes that are there"
    if one.irreversible and one.approval is False:
        yield "what cannot be undone is approved first"
    if one.owner not in _CHANGED_BY[one.change]:
        yield f"{one.owner} is not asked for a {one.change}"
    if one.change != VERSION and one.steps > 1:
        yield f"a {one.change} is one step"
    if one.does.rejects and one.owner not in _CHANGED_BY[CONFIGURATION]:
        yield f"{one.owner} have no configuration that could be refused"
    if one.change == DELETION and not (one.irreversible and one.does == STEADY):
        yield "a deletion brings nothing, and cannot be undone"
    for fault in one.faults:
        if fault.fault not in FAULTS:
            yield f"there is no fault {fault.fault}"
        elif not FAULTS[fault.fault].needs <= _parts(one.owner):
            yield f"{fault.fault} is none of {one.owner}"
        elif FAULTS[fault.fault].needs & _MACHINES and one.nodes < 2:
            yield f"{fault.fault}: with its only node the cluster is gone"
    if one.incident and one.kind not in INCIDENTS[one.incident].kinds:
        yield f"{one.incident} befalls no {one.kind}"
    if one.incident and INCIDENTS[one.incident].replicas not in (0, one.instances):
        yield f"{one.incident} takes {INCIDENTS[one.incident].replicas} instances"


def _parts(owner: str) -> frozenset[str]:
    """What faults may act on in a cluster whose add-on has this owner."""
    mine = {"EKS": ("eks",), "Helm": ("helm",), "Argo CD": ("argo", "gitops"), "Flux": ("flux", "gitops")}
    return frozenset(("nodes", "zones", "controllers", "clock", "traffic", *mine.get(owner, ())))


# ── Drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def drawn(seed: int, mix: Mix) -> Scenario:
    """The scenario of a seed: the same on every machine."""
    random = Random(f"{seed}/scenario")
    change = _change(random, mix)
    incident = _incident(random, mix, change) if change != DELETION else ""
    owner = _owner(random, mix, change, incident)
    kind = random.choice(sorted(INCIDENTS[incident].kinds)) if incident else random.choice(KINDS)
    nodes = random.randint(2, 6)
    instances = nodes if kind == DAEMON_SET else _replicas(random, incident)
    irreversible = random.random() < mix.irreversible or change == DELETION
    names = tuple(f"node-{number}" for number in range(nodes))
    return Scenario(
        seed=seed,
        kind=kind,
        instances=instances,
        nodes=nodes,
        least=random.randint(min(1, instances - 1), instances - 1),
        surge=random.choice(("25%", "100%")),
        rps=random.choice((20.0, 100.0, 500.0)),
        probe_rps=random.choice((5.0, 10.0, 20.0)),
        usual=random.choice((0.0, 0.0, 0.001, 0.002)),
        stop_s=random.choice((0.0, 0.5, 5.0)),
        drain_s=random.choice((0, 0, 15)),
        steps=1 + (random.random() < mix.two_steps and change == VERSION),
        soak_s=random.choice((20, 30, 60)),
        approval=irreversible or random.random() < mix.approved,
        irreversible=irreversible,
        incident=incident,
        does=INCIDENTS[incident].on(names, random) if incident else STEADY,
        faults=_faults(random, mix, incident, owner),
        crashes=_crashes(random, mix),
        asked=_asked(random, mix),
        owner=owner,
        change=change,
        hangs=_hangs(random, mix),
        rivals=_rivals(random, mix),
    )


def _change(random: Random, mix: Mix) -> str:
    """What is brought, of that which the owners of the mix can be asked for."""
    chance = random.random()
    for change, share in ((CONFIGURATION, mix.configured), (CREATION, mix.created), (DELETION, mix.deleted)):
        chance -= share
        if chance < 0:
            return change if set(_CHANGED_BY[change]) & set(mix.owners) else VERSION
    return VERSION


def _owner(random: Random, mix: Mix, change: str, incident: str) -> str:
    rejected = bool(incident) and INCIDENTS[incident].does.rejects
    may = set(_CHANGED_BY[change]) & set(_CHANGED_BY[CONFIGURATION] if rejected else OWNERS)
    names = [name for name in mix.owners if name in may] or list(mix.owners)
    return random.choices(names, [OWNERS[name] for name in names])[0]


def _incident(random: Random, mix: Mix, change: str) -> str:
    names = [name for name in mix.incidents or INCIDENTS if _befalls(INCIDENTS[name], mix, change)]
    if random.random() >= mix.harmful or not names:
        return ""
    return random.choices(names, [INCIDENTS[name].weight for name in names])[0]


def _befalls(incident: Incident, mix: Mix, change: str) -> bool:
    """What nobody could count before it is there is not watched for wrong answers, only for being ready."""
    does = incident.does
    if change == CREATION:
        return does.rejects or not (does.is_there and does.gets_ready) or 0 < (does.crashes_after_s or 0) < _EARLY_S
    return not does.rejects or bool(set(mix.owners) & set(_CHANGED_BY[CONFIGURATION]))


def _replicas(random: Random, incident: str) -> int:
    wanted = INCIDENTS[incident].replicas if incident else 0
    return wanted or random.randint(1, 6)


def _faults(random: Random, mix: Mix, incident: str, owner: str) -> tuple[Drawn, ...]:
    """Some kinds of faults, so that runs differ in more than numbers; those that belong to the incident in any case."""
    possible = [name for name in mix.faults or FAULTS if FAULTS[name].needs <= _parts(owner)]
    chosen = [name for name in possible if random.random() < 0.5] or possible
    names = [random.choice(chosen) for _ in range(random.randint(0, mix.faults_most)) if chosen]
    if mix.faults_most:
        names += INCIDENTS[incident].faults if incident else ()
    found = (begins(random, name, BEGINS_S, _WITHIN_S) for name in names)
    return tuple(sorted(found, key=lambda one: (one.at_s, one.seed)))


def _crashes(random: Random, mix: Mix) -> tuple[int, ...]:
    if random.random() >= mix.crashes:
        return ()
    return tuple(sorted(random.randint(1, _BOUNDARIES) for _ in range(random.randint(1, 3))))


def _hangs(random: Random, mix: Mix) -> tuple[tuple[int, int], ...]:
    if random.random() >= mix.hangs:
        return ()
    return ((random.randint(1, _BOUNDARIES), random.randint(1, _MEANWHILE)),)


def _rivals(random: Random, mix: Mix) -> tuple[float, ...]:
    if random.random() >= mix.rivals:
        return ()
    return tuple(sorted(round(BEGINS_S + random.uniform(0, _WITHIN_S), 3) for _ in range(3)))


def _asked(random: Random, mix: Mix) -> tuple[tuple[float, str], ...]:
    if random.random() >= mix.asked:
        return ()
    times = sorted(round(BEGINS_S + random.uniform(0, _WITHIN_S), 3) for _ in range(3))
    return tuple(zip(times, random.choice(_ASKED), strict=False))


def told(one: Scenario) -> str:
    """A scenario in a line."""
    what = f"{one.kind} of {one.instances} on {one.nodes} nodes, kept by {one.owner}, {one.rps:g} requests a second"
    wrong = f"the new version: {INCIDENTS[one.incident].what} ({one.incident})" if one.incident else "a sound version"
    notes = [
        f"a {one.change}" * (one.change != VERSION),
        "in two steps" * (one.steps > 1),
        "irreversible" * one.irreversible,
        "to be approved" * (one.approval and not one.irreversible),
    ]
    return "; ".join(filter(None, (what, wrong, *notes)))
