"""What nobody causes by itself (idle and reserved parts of nodes, the control plane), shared out by a chosen policy.

Pure: shares in, shares out, which add up to the same. What of a bill is not the cluster's stays apart. Called by
apps/costing.py.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

from addonctl.cost.allocation import split
from addonctl.model.cost import Charge, ClusterCost, Pool, Share


class Sharing(StrEnum):
    """Who bears it."""

    APART = "apart"  # nobody: it has rows of its own
    PROPORTIONAL = "proportional"  # everybody, by what it costs itself
    EVEN = "even"  # everybody alike


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
    return replace(cost, shares=tuple(_borne(of_nodes, cost.shares, (Pool.CLUSTER,), how)))


def _borne(shares: Iterable[Share], bearers: Iterable[Share], pools: tuple[Pool, ...], how: Sharing) -> Iterator[Share]:
    """These shares, those of some pools handed to the bearers."""
    weights: dict[_Bearer, int] = {}
    for share in bearers:
        if share.pool is None and share.is_known:
            whose = _Bearer(share.installation, "" if share.installation else share.namespace)
            more = share.usd_micros if how is Sharing.PROPORTIONAL else 0
            weights[whose] = weights.get(whose, 0 if how is Sharing.PROPORTIONAL else 1) + more
    borne = sum(weights.values()) > 0
    for share in shares:
        if borne and share.pool in pools:
            yield from _parts(share.charge, share.usd_micros, weights)
        else:
            yield share


def _parts(charge: Charge, usd_micros: int, weights: dict[_Bearer, int]) -> Iterator[Share]:
    parts = split(usd_micros, tuple(weights.values()))
    for (installation, namespace), part in zip(weights, parts, strict=True):
        if part:
            yield Share(charge, part, installation, namespace)
