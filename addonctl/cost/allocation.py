"""Splits money by what each asks for or uses, in whole micro-dollars: nothing is lost and nothing is made.

The rules are AWS's for split cost allocation: CPU and memory weigh 9 to 1, a vCPU as much as 9 GiB; each is charged the
greater of what it requested and what it used; what nobody takes is idle.
Source: AWS's guide to Cost and Usage Reports, "Understanding split cost allocation data".
"""

from collections.abc import Sequence
from math import lcm
from typing import NamedTuple

from addonctl.model.cost import Amount

NOTHING = Amount()


class Demand(NamedTuple):
    """What a pod requested, and what it used where that is known."""

    requested: Amount
    used: Amount = NOTHING

    @property
    def charged(self) -> Amount:
        """The greater of both, each resource for itself."""
        if self.used is NOTHING:
            return self.requested
        return Amount(
            max(self.requested.cpu_millicores, self.used.cpu_millicores),
            max(self.requested.memory_bytes, self.used.memory_bytes),
        )


class NodeSplit(NamedTuple):
    """The parts of a node's price: one a demand, in their order, what the node keeps for itself, and what is idle."""

    demands: tuple[int, ...]
    reserved: int
    idle: int


def split(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """`total` in whole parts, in proportion to `weights`; what rounding leaves goes to the largest remainders.

    The parts add up to `total`, a greater weight never gets less, and none gets nothing. `weights` are not negative,
    and one at least is greater than none.
    """
    whole = sum(weights)
    assert whole > 0, weights
    assert min(weights) >= 0, weights
    parts = [total * weight // whole for weight in weights]
    left = total - sum(parts)
    if left:
        by_remainder = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), -weights[n], n))
        for n in by_remainder[:left]:
            parts[n] += 1
    return tuple(parts)


def airport(demands: Sequence[int]) -> tuple[int, ...]:
    """Weights by which demands bear the room that the greatest of them needs: their Shapley values, in whole numbers.

    Each step of room, from one demand to the next greater one, is borne in equal parts by those who need so much: the
    greatest bears its top alone, and who demands nothing bears nothing. As for a runway, which planes of every size use
    and the largest made so long. The weights add up to the greatest demand times what makes them whole.
    Source: Littlechild and Owen, "A simple expression for the Shapley value in a special case", 1973.
    """
    weights, so_far, below = [0] * len(demands), 0, 0
    whole = lcm(*range(1, len(demands) + 1))
    for served, n in enumerate(sorted(range(len(demands)), key=demands.__getitem__)):
        so_far += (demands[n] - below) * (whole // (len(demands) - served))
        weights[n], below = so_far, demands[n]
    return tuple(weights)


def split_node(usd_micros: int, capacity: Amount, allocatable: Amount, demands: Sequence[Demand]) -> NodeSplit:
    """The price of a node among its pods.

    `capacity` is the size that is paid for, `allocatable` what is left of it for pods. Where pods take more than there
    is, what they use beyond their requests is scaled down, and only where even requests do not fit, those.
    """
    whole = capacity.weight
    charged = [demand.charged.weight for demand in demands]
    taken = sum(charged)
    if taken > whole:
        return NodeSplit(split(usd_micros, _fitted(whole, charged, demands)), 0, 0)
    room = max(taken, min(allocatable.weight or whole, whole))
    parts = split(usd_micros, [*charged, whole - room, room - taken])
    return NodeSplit(parts[:-2], parts[-2], parts[-1])


def _fitted(whole: int, charged: Sequence[int], demands: Sequence[Demand]) -> list[int]:
    """Weights of pods that take more than there is: requests in full, and of what goes beyond them what is left."""
    requested = [demand.requested.weight for demand in demands]
    beyond = sum(charged) - sum(requested)
    left = max(0, whole - sum(requested))
    if not beyond:
        return list(charged)
    # Times what goes beyond, so that they stay whole.
    return [r * beyond + (c - r) * left for r, c in zip(requested, charged, strict=True)]
