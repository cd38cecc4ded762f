"""Volumes that would cost less as gp3, and those that nothing claims any more."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from addonctl.catalog.prices import PriceTable
from addonctl.cost import ebs_type, is_ebs
from addonctl.model import Action, CommandLine, Delete, Evidence, Note, ObjectRef, StorageClass, Volume
from addonctl.model.cost import GIB, Charge
from addonctl.model.opportunity import Frees, NotJudged, Opportunity, Saving
from addonctl.opportunities.case import Case, Found, estimates, usd_micros

GP3, UNCLAIMED, UNMOUNTED = "gp3-volumes", "unclaimed-volumes", "unmounted-volumes"

# What AWS says of the types. gp2 has 3 IOPS a GiB, from 100 to 16,000, and up to 128 MiB/s, beyond 170 GiB 250; gp3 has
# 3,000 and 125 whatever its size, and more for money.
_GP2_IOPS_A_GIB, _GP2_MOST_IOPS = 3, 16_000
_GP2_SMALL_GIB, _GP2_MIBS = 170, 250
_GP3_IOPS, _GP3_MIBS = 3000, 125


class _Gp3(NamedTuple):
    """A gp2 volume as gp3: what it would have, and what that saves a month."""

    iops: int
    mibs: int
    usd_micros: int
    slower: bool  # than gp2 can be: to be as fast would cost more than it saves


def as_gp3(gib: Decimal, prices: PriceTable) -> _Gp3:
    """As fast as it is, if that saves; else with what gp3 has by itself."""
    iops = max(_GP3_IOPS, min(int(_GP2_IOPS_A_GIB * gib), _GP2_MOST_IOPS))
    mibs = _GP3_MIBS if gib <= _GP2_SMALL_GIB else _GP2_MIBS
    base = usd_micros(prices.of("ebs.gp2"), gib) - usd_micros(prices.of("ebs.gp3"), gib)
    faster = usd_micros(prices.of("ebs.gp3.iops"), Decimal(iops - _GP3_IOPS))
    faster += usd_micros(prices.of("ebs.gp3.throughput"), Decimal(mibs - _GP3_MIBS))
    if base > faster:
        return _Gp3(iops, mibs, base - faster, slower=False)
    return _Gp3(_GP3_IOPS, _GP3_MIBS, base, slower=True)


def gp3(case: Case) -> Iterator[Found]:
    """One a StorageClass and add-on; the volumes stay, and may be in use meanwhile."""
    classes = {each.name: each for each in case.view.snapshot.storage_classes}
    together: dict[tuple[str, str], list[Volume]] = {}
    untold = 0
    left = {volume.name for volume in _unmounted(case)}
    for volume in case.view.snapshot.volumes:
        made_by = classes.get(volume.storage_class)
        if not is_ebs(volume) or volume.phase not in ("Bound", "") or volume.name in left:
            continue
        untold += made_by is None
        if made_by is not None and ebs_type(volume, made_by) == "gp2":
            owner = case.assessment.dependencies.owners.get(volume.claim, "") if volume.claim else ""
            together.setdefault((made_by.name, owner), []).append(volume)
    for (name, owner), volumes in together.items():
        yield _as_gp3(case, classes[name], owner, volumes)
    if untold:
        yield NotJudged(kind=GP3, reason=f"of {untold} EBS volumes no StorageClass says the type")


def _as_gp3(case: Case, made_by: StorageClass, owner: str, volumes: list[Volume]) -> Opportunity:
    plans = [(volume, as_gp3(Decimal(volume.capacity_bytes) / GIB, case.prices)) for volume in volumes]
    slower = sum(plan.slower for _, plan in plans)
    seen = Evidence(
        kind="volumes",
        subject=f"StorageClass/{made_by.name}",
        detail=f"{len(volumes)} of type gp2, {sum(volume.capacity_bytes for volume in volumes) // GIB} GiB",
        ref=made_by.ref,
    )
    return Opportunity(
        kind=GP3,
        what=f"volumes of StorageClass {made_by.name}",
        installation=owner,
        about=tuple(volume.ref for volume in volumes),
        evidence=(seen,),
        saving=Saving(
            frees=Frees.CHARGES,
            usd_micros=sum(plan.usd_micros for _, plan in plans),
            estimated=estimates(
                case.prices.of("ebs.gp3").estimated,
                "as if none was changed since it was made",
                f"{slower} at 125 MiB/s where gp2 has up to 250" if slower else "",
            ),
        ),
        do=(*(_modify(case, volume, plan) for volume, plan in plans), _class_of(made_by)),
        undo=tuple(_modify(case, volume, None) for volume, _ in plans),
    )


def _modify(case: Case, volume: Volume, plan: _Gp3 | None) -> Action:
    """The volume as gp3, or back as gp2."""
    if not volume.handle:
        return Note(f"{volume.ref} names no EBS volume: change the one that it is to {'gp3' if plan else 'gp2'}.")
    faster = ("--iops", str(plan.iops), "--throughput", str(plan.mibs)) if plan else ()
    kind = "gp3" if plan else "gp2"
    return _ec2(case, "modify-volume", "--volume-id", volume.handle, "--volume-type", kind, *faster)


def _class_of(made_by: StorageClass) -> Note:
    default = ", and make it the default" if made_by.is_default else ""
    return Note(f"For new volumes, create a StorageClass like {made_by.name} with `type: gp3`{default}.")


def _ec2(case: Case, *words: str, why: str = "") -> CommandLine:
    region = ("--region", case.view.region) if case.view.region else ()
    return CommandLine(("aws", "ec2", *words, *region), why=why)


# ── Volumes that nothing claims ─────────────────────────────────────────────────────────────────────────────────

# A volume that was made by hand may wait for its claim so long.
_WAITS = timedelta(days=7)
_LEFT = ("Released", "Failed")


def unclaimed(case: Case) -> Iterator[Found]:
    """EBS volumes whose claim is gone, or never came: one by one, since each holds other data."""
    paid = _paid(case)
    others = 0
    for volume in filter(lambda each: _is_left(case, each), case.view.snapshot.volumes):
        if is_ebs(volume) and volume.handle:
            was = (
                f"its claim {volume.claim.namespace}/{volume.claim.name} is gone"
                if volume.claim
                else "nothing claims it"
            )
            yield _left_over(case, volume, paid.get(volume.ref, ()), UNCLAIMED, f"{volume.phase}: {was}")
        else:
            others += 1
    if others:
        yield NotJudged(
            kind=UNCLAIMED,
            reason=f"of {others} volumes nobody knows what they cost: they are not of EBS, or name no volume of it",
        )


def _is_left(case: Case, volume: Volume) -> bool:
    waited = volume.created is not None and case.view.snapshot.taken - volume.created > _WAITS
    return volume.phase in _LEFT or (volume.phase == "Available" and waited)


def _paid(case: Case) -> dict[ObjectRef, list[Charge]]:
    """The charges of each object."""
    found: dict[ObjectRef, list[Charge]] = {}
    for charge in case.assessment.cost.charges if case.assessment.cost else ():
        if charge.about is not None:
            found.setdefault(charge.about, []).append(charge)
    return found


def _left_over(case: Case, volume: Volume, charges: Sequence[Charge], kind: str, why: str) -> Opportunity:
    """A volume that nobody uses: kept as a snapshot, and deleted by its claim if it has one."""
    target = volume.claim if kind == UNMOUNTED and volume.claim else volume.ref
    unknown = next((each.unknown for each in charges if each.unknown), "" if charges else "what it costs is not known")
    return Opportunity(
        kind=kind,
        what=f"{target.name}, {volume.capacity_bytes // GIB} GiB",
        about=(target,),
        evidence=(Evidence(kind="volumes", subject=str(target), detail=why, ref=target),),
        saving=Saving(
            frees=Frees.CHARGES,
            usd_micros=None if unknown else sum(each.usd_micros or 0 for each in charges),
            estimated="" if unknown else estimates(*(each.estimated for each in charges), "less the snapshot"),
            unknown=unknown,
        ),
        do=(
            _ec2(case, "create-snapshot", "--volume-id", volume.handle, why="keeps what is on it, for less:"),
            Delete(target=target, save_first=True),
            _ec2(
                case,
                "delete-volume",
                "--volume-id",
                volume.handle,
                why="once the snapshot is completed, if it is still there:",
            ),
        ),
        undo=(Note(f"Create a volume from the snapshot, and what {target.name}.yaml says of it."),),
    )


_MOUNTS = ("volumes", "volume_claims", "workloads", "pods")  # what tells which claims are mounted


def unmounted(case: Case) -> Iterator[Found]:
    """EBS volumes whose claim no workload mounts: charts that are uninstalled leave those of their StatefulSets."""
    if not case.view.is_whole:
        yield NotJudged(kind=UNMOUNTED, reason="not the whole cluster was read")
        return
    paid = _paid(case)
    for volume in _unmounted(case):
        yield _left_over(case, volume, paid.get(volume.ref, ()), UNMOUNTED, "no workload mounts it")


def _unmounted(case: Case) -> Iterator[Volume]:
    """None where that cannot be told.

    Where pods come from owners of another kind it is not known what they mount: their namespaces are left out, as are
    claims that belong to an object, and those made lately.
    """
    view = case.view
    if not view.is_whole or view.gap(*_MOUNTS) is not None:
        return
    read = {each.ref for each in view.snapshot.workloads}
    hidden = {ref.namespace for ref in view.workloads if ref not in read}
    mounted = {(each.namespace, claim) for each in view.workloads.values() for claim in each.template.claims}
    sets = [(each.namespace, each.name) for each in view.snapshot.workloads if each.kind == "StatefulSet"]
    volumes = {each.name: each for each in view.snapshot.volumes if is_ebs(each) and each.handle}
    for claim in view.snapshot.volume_claims:
        young = claim.created is not None and view.snapshot.taken - claim.created < _WAITS
        if claim.volume not in volumes or young or claim.owners or claim.namespace in hidden:
            continue
        of_a_set = any(namespace == claim.namespace and _is_of(claim.name, name) for namespace, name in sets)
        if not of_a_set and (claim.namespace, claim.name) not in mounted:
            yield volumes[claim.volume]


def _is_of(claim: str, stateful_set: str) -> bool:
    """TEMPLATE-SET-0: the claims of a StatefulSet, also of replicas that it does not have any more."""
    rest, _, ordinal = claim.rpartition("-")
    return ordinal.isdecimal() and rest.endswith(f"-{stateful_set}")
