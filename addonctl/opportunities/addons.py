"""Add-ons that have nothing to do, have more replicas than they need, run where they are not needed, or run twice."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from math import ceil

from addonctl.catalog import IdleWithout, ReplicaRule
from addonctl.model import Evidence, Gap, Installation, Note, ObjectRef, Workload, owners
from addonctl.model.cost import CostKind, Share
from addonctl.model.opportunity import Frees, NotJudged, Opportunity, Saving
from addonctl.opportunities.case import Case, Found, estimates, total
from addonctl.opportunities.changing import by_hand, path_of, removed, set_values
from addonctl.remediation import kubectl

IDLE, REPLICAS, MISPLACED, OVERLAP, REQUESTS = (
    "idle-add-ons",
    "spare-replicas",
    "daemonsets-not-needed",
    "overlapping-add-ons",
    "right-size",
)
_SETTLED = timedelta(days=14)
"""What was installed lately may get its work yet."""


def _saved(case: Case, shares: Sequence[Share]) -> Saving:
    """What so many shares cost: room on nodes, or unknown with the reason."""
    if shares and not all(share.unasked for share in shares):
        return Saving(
            frees=Frees.ROOM,
            usd_micros=total(shares),
            estimated=estimates(*(share.charge.estimated for share in shares)),
        )
    cost = case.assessment.cost
    nodes = next((charge.unknown for charge in cost.unknown if charge.kind is CostKind.NODE), "") if cost else ""
    asks = "its pods request neither CPU nor memory" if shares else ""
    return Saving(frees=Frees.ROOM, unknown=asks or nodes or "no pod of it is on a node whose price is known")


def _runs(case: Case, row: Installation) -> bool:
    """Whether it has pods to pay for."""
    return any(case.view.pods.get(ref) for ref in row.workloads)


# ── With nothing to do ──────────────────────────────────────────────────────────────────────────────────────────


def idle(case: Case) -> Iterator[Found]:
    """By the catalogue: objects without any of which an add-on does nothing."""
    for row in case.installations:
        entry = case.entry(row)
        if entry is None or entry.idle_without is None or not _runs(case, row) or _is_new(case, row):
            continue
        left = _left_to_do(case, entry.idle_without)
        if isinstance(left, Gap):
            yield NotJudged(kind=IDLE, installation=row.id, reason=f"{left.part} was not read: {left.detail}")
        elif left is not None and not left:
            do, undo = removed(case, row)
            yield Opportunity(
                kind=IDLE,
                what=row.name,
                installation=row.id,
                about=row.workloads,
                evidence=(Evidence(kind="idle", subject=row.id, detail=f"there is no {_named(entry.idle_without)}"),),
                saving=_saved(case, case.shares(row.id)),
                do=do,
                undo=undo,
            )


def _is_new(case: Case, row: Installation) -> bool:
    made = [work.created for ref in row.workloads if (work := case.view.workloads.get(ref)) and work.created]
    return bool(made) and case.view.snapshot.taken - min(made) < _SETTLED


def _left_to_do(case: Case, without: IdleWithout) -> int | Gap | None:
    """How many objects it works for; why that is not known; None: this cannot tell."""
    read = case.view.snapshot
    if without.crds:
        counts = [case.custom_resources(name) for name in without.crds]
        gap = case.view.gap("crds") or next((each for each in counts if isinstance(each, Gap)), None)
        known = [each for each in counts if isinstance(each, int)]
        return sum(known) or gap or (0 if known else None)
    if without.volumes_of:
        return case.view.gap("volumes") or sum(each.driver == without.volumes_of for each in read.volumes)
    if without.ingresses_of:
        theirs = {each.name for each in read.ingress_classes if each.controller == without.ingresses_of}
        named = [
            each.ingress_class or each.annotations.get("kubernetes.io/ingress.class", "") for each in read.ingresses
        ]
        gap = case.view.gap("ingresses", "ingress_classes")
        return gap or (sum(not name or name in theirs for name in named) if theirs else None)
    if without.pod_identities and read.eks is not None:
        return case.view.gap("eks:pod_identities") or len(read.eks.pod_identities)
    return None


def _named(without: IdleWithout) -> str:
    """What is missing, in words."""
    if without.crds:
        return ", ".join(name.partition(".")[0] for name in without.crds)
    if without.volumes_of:
        return f"volume of {without.volumes_of}"
    return f"Ingress for {without.ingresses_of}" if without.ingresses_of else "Pod Identity association"


# ── Replicas beyond what the documentation asks for ─────────────────────────────────────────────────────────────


def replicas(case: Case) -> Iterator[Found]:
    """Where the number is set by hand: an autoscaler knows better."""
    scaled = {each.target for each in case.view.snapshot.autoscalers}
    nodes = [node for node in case.view.snapshot.nodes if node.compute_type != "fargate"]
    for row in case.installations:
        entry = case.entry(row)
        rule = entry.replicas if entry else None
        for ref in row.workloads if rule and nodes else ():
            workload = case.view.workloads.get(ref)
            if rule is None or workload is None or ref.name != rule.workload or ref in scaled:
                continue
            cores = sum(node.cpu_millicores for node in nodes) / 1000
            wanted = max(rule.least, ceil(len(nodes) / rule.nodes), ceil(cores / rule.cores))
            if workload.desired is not None and workload.desired > wanted:
                yield _fewer(case, row, workload, rule, wanted)


def _fewer(case: Case, row: Installation, workload: Workload, rule: ReplicaRule, wanted: int) -> Opportunity:
    now = workload.desired or 0
    mine = sorted(
        (share for share in case.shares(row.id) if share.workload == workload.ref),
        key=lambda share: share.usd_micros,
    )
    path = path_of(row, rule.eks, rule.helm)
    do, undo = (
        set_values(row, {path: str(wanted)}, {path: str(now)})
        if path
        else by_hand(
            row,
            kubectl("scale", workload.ref, f"--replicas={wanted}"),
            kubectl("scale", workload.ref, f"--replicas={now}"),
            f"{wanted} replicas of {workload.ref}",
        )
    )
    asked = f"one for {rule.nodes} nodes or {rule.cores} cores, and {rule.least} at least: {wanted}; it has {now}"
    return Opportunity(
        kind=REPLICAS,
        what=f"{row.name}: {now} replicas, {wanted} would do",
        installation=row.id,
        about=(workload.ref,),
        evidence=(Evidence(kind="documentation", subject=rule.source, detail=asked, ref=workload.ref),),
        saving=_saved(case, mine[: max(len(mine) - wanted, 0)]),
        do=do,
        undo=undo,
    )


# ── On nodes that need none ─────────────────────────────────────────────────────────────────────────────────────

_NOT_AUTO = "nodes with eks.amazonaws.com/compute-type=auto"


def misplaced(case: Case) -> Iterator[Found]:
    """Pods of DaemonSets on nodes of Auto Mode that have the same built in, or without the hardware that it is for."""
    nodes = {node.name: node for node in case.view.snapshot.nodes}
    for row in case.installations:
        entry = case.entry(row)
        if entry is None or isinstance(row.owner, owners.AwsManaged):
            continue
        for ref in (ref for ref in row.workloads if ref.kind == "DaemonSet"):
            on = {pod.node for pod in case.view.pods.get(ref, ())} & set(nodes)
            if entry.auto_mode:
                auto = {name for name in on if nodes[name].compute_type == "auto"}
                yield from _off(case, row, ref, auto, _NOT_AUTO, f"Auto Mode has {entry.auto_mode} built in")
            if entry.instance_families:
                families = {name: _family(nodes[name].instance_type) for name in on}
                others = {name for name, family in families.items() if family and family not in entry.instance_families}
                what = f"nodes that are not of the families {', '.join(entry.instance_families)}"
                yield from _off(case, row, ref, others, what, "their instances do not have what it is for")


def _family(instance_type: str) -> str:
    """The letters of g5.xlarge: g."""
    letters = instance_type.partition(".")[0]
    return letters[: next((n for n, letter in enumerate(letters) if letter.isdigit()), len(letters))]


def _off(case: Case, row: Installation, ref: ObjectRef, nodes: Iterable[str], what: str, why: str) -> Iterator[Found]:
    """A DaemonSet kept off some nodes."""
    left = frozenset(nodes)
    if not left:
        return
    mine = [share for share in case.shares(row.id) if share.workload == ref and share.node in left]
    change = f"keep {ref} off {what} by its node affinity"
    words = Note(f"Where {row.owner or row.id} is kept: {change}.")
    yield Opportunity(
        kind=MISPLACED,
        what=f"{ref.name} on {len(left)} {'node' if len(left) == 1 else 'nodes'}",
        installation=row.id,
        about=(ref,),
        evidence=(Evidence(kind="nodes", subject=f"{len(left)} {what}", detail=why, ref=ref),),
        saving=_saved(case, mine),
        do=(words,),
        undo=(Note("Take that affinity out again."),),
    )


# ── Twice ───────────────────────────────────────────────────────────────────────────────────────────────────────


def overlapping(case: Case) -> Iterator[Found]:
    """Pairs that do the same, by the catalogue, and second copies: the cheaper one is what is saved at least."""
    said: set[frozenset[str]] = set()
    for one, other, both in _pairs(case):
        pair = frozenset((one.id, other.id))
        if pair in said or not (_runs(case, one) and _runs(case, other)):
            continue
        said.add(pair)
        yield _twice(case, one, other, both)


def _pairs(case: Case) -> Iterator[tuple[Installation, Installation, str]]:
    """Two installations, and what both do."""
    rows: dict[str, list[Installation]] = {}
    for row in case.installations:
        rows.setdefault(row.addon, []).append(row)
    for row in case.installations:
        entry = case.entry(row)
        for conflict in entry.conflicts if entry else ():
            for other in rows.get(conflict.addon, ()) if conflict.paid_twice else ():
                part = _same_in(case, row, other, rows)
                if part is not None:
                    yield row, part, conflict.paid_twice
    for copies in rows.values():
        entry = case.entry(copies[0])
        if entry is not None and entry.singleton:
            yield from ((copies[0], copy, f"what {entry.name} does") for copy in copies[1:])


def _same_in(
    case: Case, row: Installation, other: Installation, rows: dict[str, list[Installation]]
) -> Installation | None:
    """What of another add-on does the same as this one: the part of it that is this add-on, if it brings it."""
    entry = case.entry(other)
    if other.id in (row.id, row.part_of):
        return None
    if entry is None or row.addon not in entry.bundles:
        return other
    return next((each for each in rows.get(row.addon, ()) if each.part_of == other.id), None)


def _twice(case: Case, one: Installation, other: Installation, both: str) -> Opportunity:
    savings = {row.id: _saved(case, case.shares(row.id)) for row in (one, other)}
    known = [row for row in (one, other) if savings[row.id].usd_micros is not None]
    less = min(known or (one, other), key=lambda row: savings[row.id].usd_micros or 0)
    kept = other if less is one else one
    do, undo = removed(case, less)
    choice = Note(f"Keep {kept.id} or {less.id}, whichever is set up and relied on; to keep {kept.id}:")
    return Opportunity(
        kind=OVERLAP,
        what=f"{one.addon} and {other.addon}" if one.addon != other.addon else f"two of {one.addon}",
        installation=less.id,
        about=(*one.workloads, *other.workloads),
        evidence=(Evidence(kind="overlap", subject=f"{one.id} and {other.id}", detail=f"both provide {both}"),),
        saving=savings[less.id],
        do=(choice, *do),
        undo=undo,
    )


# ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────


def requests(case: Case) -> Iterator[Found]:
    """What `addonctl rightsize` would change and what that frees, where use was measured."""
    if not case.resizings:
        yield NotJudged(kind=REQUESTS, reason="use was not measured; `addonctl rightsize` does, with a Prometheus")
    for each in case.resizings:
        if each.do and each.usd_micros < 0:
            changing = [container for container in each.containers if container.changes]
            names = ", ".join(dict.fromkeys(container.container for container in changing))
            yield Opportunity(
                kind=REQUESTS,
                what=f"requests of {names}",
                installation=each.installation,
                about=tuple(dict.fromkeys(container.workload for container in changing)),
                saving=Saving(frees=Frees.ROOM, usd_micros=-each.usd_micros),
                do=each.do,
                undo=each.undo,
            )
