"""What nobody causes by itself (idle and reserved parts of nodes, the control plane), shared out by a chosen policy.

Pure: shares in, shares out, which add up to the same. What of a bill is not the cluster's stays apart. Called by
apps/costing.py.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from addonctl.cost.allocation import airport, split
from addonctl.model.cost import Amount, ClusterCost, CostKind, Pool, Share


class Sharing(StrEnum):
    """Who bears it."""

    APART = "apart"  # nobody: it has rows of its own
    PROPORTIONAL = "proportional"  # everybody, by what it costs itself
    EVEN = "even"  # everybody alike
    AIRPORT = "airport"  # everybody by the room that it needs: the top of it who needs the most, alone


_OF_A_NODE = (Pool.RESERVED, Pool.IDLE)


class _Bearer(NamedTuple):
    installation: str
    namespace: str


def shared_out(cost: ClusterCost, how: Sharing) -> ClusterCost:
    """The same cost: that of a node is borne by those on it, that of the cluster by all of them.

    What nobody is there to bear stays apart. A bearer is an add-on, or the other workloads of a namespace.
    """
    if how is Sharing.APART:
        return cost
    by_charge: dict[int, list[Share]] = {}
    for share in cost.shares:
        by_charge.setdefault(id(share.charge), []).append(share)
    of_nodes = [each for together in by_charge.values() for each in _borne(together, together, _OF_A_NODE, how)]
    everybody = _once(cost.shares) if how is Sharing.AIRPORT else cost.shares
    return replace(cost, shares=tuple(_borne(of_nodes, everybody, (Pool.CLUSTER,), how)))


class Standing(NamedTuple):
    """Where some add-ons stand by the room that they take of all nodes, beside who takes the most.

    So many of `bearers` take `as_much` as they or more, themselves among them.
    """

    room: Amount
    most: Amount
    as_much: int
    bearers: int


def standing(cost: ClusterCost, installations: Collection[str]) -> Standing | None:
    """By what the airport rule shares out the cluster itself; None where these add-ons take nothing."""
    rooms: dict[_Bearer, Amount] = {}
    for share in _bearing(_once(cost.shares)):
        cpu, memory = rooms.get(_bearer(share), Amount())
        rooms[_bearer(share)] = Amount(cpu + share.cpu_millicores, memory + share.memory_bytes)
    taking = {whose: room for whose, room in rooms.items() if room.weight}
    mine = [room for whose, room in taking.items() if whose.installation in installations]
    if not mine:
        return None
    most, least = max(taking.values(), key=_weight), min(mine, key=_weight)
    room = Amount(sum(each.cpu_millicores for each in mine), sum(each.memory_bytes for each in mine))
    return Standing(room, most, sum(each.weight >= least.weight for each in taking.values()), len(taking))


def _weight(room: Amount) -> int:
    return room.weight


def _once(shares: Iterable[Share]) -> Iterator[Share]:
    """Without those of Auto Mode's charge, which is for nodes that have one already."""
    return (share for share in shares if share.charge.kind is not CostKind.AUTO_MODE)


def _bearing(shares: Iterable[Share]) -> Iterator[Share]:
    return (share for share in shares if share.pool is None and share.is_known)


def _bearer(share: Share) -> _Bearer:
    return _Bearer(share.installation, "" if share.installation else share.namespace)


def _borne(shares: Iterable[Share], bearers: Iterable[Share], pools: tuple[Pool, ...], how: Sharing) -> Iterator[Share]:
    """These shares, those of some pools handed to the bearers."""
    weights = _weights(_bearing(bearers), how)
    borne = sum(weights.values()) > 0
    for share in shares:
        if borne and share.pool in pools:
            yield from _parts(share, weights)
        else:
            yield share


def _weights(bearers: Iterable[Share], how: Sharing) -> dict[_Bearer, int]:
    """What each bears, in proportion."""
    sums: dict[_Bearer, int] = {}
    for share in bearers:
        room = Amount(share.cpu_millicores, share.memory_bytes).weight
        whose = _bearer(share)
        sums[whose] = sums.get(whose, 0) + (room if how is Sharing.AIRPORT else share.usd_micros)
    if how is Sharing.EVEN:
        return dict.fromkeys(sums, 1)
    return dict(zip(sums, airport(tuple(sums.values())), strict=True)) if how is Sharing.AIRPORT else sums


def _parts(share: Share, weights: dict[_Bearer, int]) -> Iterator[Share]:
    parts = split(share.usd_micros, tuple(weights.values()))
    for (installation, namespace), part in zip(weights, parts, strict=True):
        if part:
            yield Share(share.charge, part, installation, namespace, borne=share.pool)
