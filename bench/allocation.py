"""Claims: of a million random bills, no micro-dollar is lost; equals pay alike, more never pays less, nothing none.

python -m bench.allocation [BILLS]

A bill is a node with up to twelve pods: its price, sizes, requests and uses are drawn, every third with more use than
there is. What is left of it is then shared by each policy. The airport rule is held against the Shapley value by its
definition, over all coalitions of up to seven. The peer is what most tools do: the same split in floating point, each
part rounded to cents and to micro-dollars.
"""

import math
import random
import sys
import time
from fractions import Fraction
from itertools import combinations
from math import factorial

from addonctl.cost import Sharing, shared_out
from addonctl.cost.allocation import Demand, airport, split_node
from addonctl.model.cost import GIB, Amount, Charge, ClusterCost, CostKind, Pool, Share
from bench.measure import table

BILLS = 1_000_000
SHARED_EVERY, DEFINED_EVERY = 20, 2_000
SEED = 12


class Tally:
    """What went wrong in how many."""

    def __init__(self) -> None:
        self.bills = self.shared = self.defined = 0
        self.lost = self.unlike = self.turned = self.charged_nothing = self.undefined = 0
        self.cents_lost = self.floats_lost = 0

    def node(self, usd_micros: int, capacity: Amount, allocatable: Amount, demands: list[Demand]) -> tuple[int, ...]:
        parts = split_node(usd_micros, capacity, allocatable, demands)
        self.bills += 1
        self.lost += abs(sum(parts.demands) + parts.reserved + parts.idle - usd_micros)
        for one, other in combinations(range(len(demands)), 2):
            (a, b), (x, y) = (demands[one], demands[other]), (parts.demands[one], parts.demands[other])
            self.unlike += a == b and abs(x - y) > 1
            more = all(p <= q for p, q in zip((*a.requested, *a.used), (*b.requested, *b.used), strict=True))
            self.turned += more and x > y + 1
        nothing = Demand(Amount(), Amount())
        self.charged_nothing += sum(
            part != 0 for each, part in zip(demands, parts.demands, strict=True) if each == nothing
        )
        return (*parts.demands, parts.reserved, parts.idle)

    def floats(self, usd_micros: int, capacity: Amount, demands: list[Demand]) -> None:
        """The same split as people write it, rounded part by part."""
        usd, unit = usd_micros / 1e6, capacity.cpu_millicores * 9 / 1000 + capacity.memory_bytes / GIB
        taken = [each.charged.cpu_millicores * 9 / 1000 + each.charged.memory_bytes / GIB for each in demands]
        scale = max(sum(taken), unit)
        parts = [usd * each / scale for each in (*taken, scale - sum(taken))]
        self.cents_lost += round(sum(round(part, 2) for part in parts), 2) != round(usd, 2)
        self.floats_lost += sum(round(part * 1e6) for part in parts) != usd_micros

    def policy(self, parts: tuple[int, ...], demands: list[Demand], how: Sharing) -> None:
        node = Charge(kind=CostKind.NODE, what="node", usd_micros=sum(parts))
        shares = [
            Share(node, part, f"add-on-{n % 5}", "", None, None, *each.charged)
            for n, (part, each) in enumerate(zip(parts, demands, strict=False))
        ]
        pools = [Share(node, parts[-2], pool=Pool.RESERVED), Share(node, parts[-1], pool=Pool.IDLE)]
        after = shared_out(ClusterCost(shares=(*shares, *pools)), how)
        self.shared += 1
        self.lost += abs(sum(share.usd_micros for share in after.shares) - sum(parts))

    def definition(self, demands: list[int]) -> None:
        weights, values = airport(demands), shapley(demands)
        self.defined += 1
        whole = sum(weights)
        exact = [Fraction(each * max(demands), whole) if whole else Fraction(0) for each in weights]
        self.undefined += exact != values


def shapley(demands: list[int]) -> list[Fraction]:
    """What each adds to the room that is needed, over all coalitions that it may join."""
    n, values = len(demands), []
    for one, demand in enumerate(demands):
        others = [each for other, each in enumerate(demands) if other != one]
        adds = (
            Fraction(factorial(size) * factorial(n - 1 - size) * max(demand - max(each, default=0), 0), factorial(n))
            for size in range(n)
            for each in combinations(others, size)
        )
        values.append(sum(adds, Fraction(0)))
    return values


def drawn(chance: random.Random) -> tuple[int, Amount, Amount, list[Demand]]:
    cores = chance.choice((1, 2, 4, 8, 16, 64, 192))
    capacity = Amount(cores * 1000, cores * chance.choice((2, 4, 8)) * GIB)
    allocatable = Amount(capacity.cpu_millicores - chance.randint(0, 300), capacity.memory_bytes * 9 // 10)
    crowded = chance.choice((0.3, 1.0, 3.0))

    def amount() -> Amount:
        if chance.random() < 0.1:
            return Amount()
        part = crowded * chance.random() / 6
        return Amount(int(capacity.cpu_millicores * part), int(capacity.memory_bytes * part * chance.random()))

    demands = [Demand(amount(), amount()) for _ in range(chance.randint(0, 12))]
    if len(demands) > 1:
        demands[-1] = demands[0]
    return math.floor(10 ** chance.uniform(0, 11)), capacity, allocatable, demands


def main() -> None:
    bills = int(sys.argv[1]) if len(sys.argv) > 1 else BILLS
    chance, tally, began = random.Random(SEED), Tally(), time.process_time()
    policies = [how for how in Sharing if how is not Sharing.APART]
    for n in range(bills):
        usd_micros, capacity, allocatable, demands = drawn(chance)
        parts = tally.node(usd_micros, capacity, allocatable, demands)
        tally.floats(usd_micros, capacity, demands)
        if n % SHARED_EVERY == 0:
            tally.policy(parts, demands, policies[n // SHARED_EVERY % len(policies)])
        if n % DEFINED_EVERY == 0:
            tally.definition([chance.randint(0, 10**9) for _ in range(chance.randint(1, 7))])
    spent = time.process_time() - began
    table(
        f"{tally.bills:,} bills, {tally.shared:,} shared out, seed {SEED}, {spent:.0f} CPU s",
        [
            ("", "addonctl", "in floating point"),
            ("micro-dollars lost", f"{tally.lost:,}", f"in {100 * tally.floats_lost / bills:.1f} % of bills"),
            ("cents lost", "0" if not tally.lost else "some", f"in {100 * tally.cents_lost / bills:.1f} % of bills"),
            ("equal demands, more than a micro-dollar apart", f"{tally.unlike:,}", ""),
            ("greater demands that pay less", f"{tally.turned:,}", ""),
            ("demands of nothing that pay", f"{tally.charged_nothing:,}", ""),
            (
                "airport rule beside the Shapley value by definition, not the same",
                f"{tally.undefined} of {tally.defined}",
                "",
            ),
        ],
    )
    assert not any((tally.lost, tally.unlike, tally.turned, tally.charged_nothing, tally.undefined))


if __name__ == "__main__":
    main()
