"""Idle and common costs shared out: nothing is lost, equals bear alike, more never bears less."""

from collections import Counter
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial

from hypothesis import given
from hypothesis import strategies as st

from addonctl.cost import Sharing, shared_out, standing
from addonctl.cost.allocation import airport, split
from addonctl.model import ObjectRef
from addonctl.model.cost import Amount, Charge, ClusterCost, CostKind, Pool, Share

NAMES = ("coredns", "falco", "keda", "istio")
# On each node: what each add-on costs there (some nothing), and what is idle.
nodes = st.lists(st.tuples(st.lists(st.integers(0, 10**9), min_size=4, max_size=4), st.integers(0, 10**9)), max_size=6)


def cluster(on: list[tuple[list[int], int]], control_plane: int = 73_000_000) -> ClusterCost:
    shares = []
    for number, (parts, idle) in enumerate(on):
        node = Charge(kind=CostKind.NODE, what="m5.large", about=ObjectRef.of("Node", f"n{number}"), usd_micros=1)
        shares += [
            Share(node, part, name, "kube-system", cpu_millicores=part) for part, name in zip(parts, NAMES, strict=True)
        ]
        shares.append(Share(node, idle, pool=Pool.IDLE))
    whole = Charge(kind=CostKind.CONTROL_PLANE, what="control plane", usd_micros=1)
    return ClusterCost(shares=(*shares, Share(whole, control_plane, pool=Pool.CLUSTER)))


def bears(cost: ClusterCost) -> Counter[str]:
    found: Counter[str] = Counter()
    for share in cost.shares:
        found[share.pool.value if share.pool else share.installation] += share.usd_micros
    return found


@given(nodes, st.sampled_from(Sharing))
def test_nothing_is_lost(on: list[tuple[list[int], int]], how: Sharing) -> None:
    before = cluster(on)
    after = shared_out(before, how)
    assert sum(bears(after).values()) == sum(bears(before).values())


@given(
    st.lists(st.integers(0, 10**9), min_size=4, max_size=4),
    st.integers(0, 10**9),
    st.sampled_from([Sharing.PROPORTIONAL, Sharing.AIRPORT]),
)
def test_more_never_bears_less_and_who_takes_nothing_bears_nothing(parts: list[int], idle: int, how: Sharing) -> None:
    after = bears(shared_out(cluster([(parts, idle)]), how))
    by_cost = sorted(zip(parts, (after[name] for name in NAMES), strict=True))
    assert all(one[1] <= other[1] for one, other in pairwise(by_cost) if one[0] < other[0])
    assert all(borne == 0 for cost, borne in by_cost if not cost)


@given(
    st.integers(1, 10**9), st.integers(0, 10**9), st.sampled_from([Sharing.PROPORTIONAL, Sharing.EVEN, Sharing.AIRPORT])
)
def test_equals_bear_alike(part: int, idle: int, how: Sharing) -> None:
    after = bears(shared_out(cluster([([part] * 4, idle)]), how))
    assert max(after[name] for name in NAMES) - min(after[name] for name in NAMES) <= 2  # a micro-dollar a pool


def test_idle_is_borne_on_its_own_node_and_the_control_plane_by_all() -> None:
    on = [([100, 300, 0, 0], 400), ([0, 0, 500, 0], 0)]
    after = bears(shared_out(cluster(on, control_plane=900), Sharing.PROPORTIONAL))
    assert after == {"coredns": 200 + 100, "falco": 600 + 300, "keda": 500 + 500, "istio": 0}
    on[1] = ([0, 0, 500, 0], 700)
    assert bears(shared_out(cluster(on, control_plane=0), Sharing.PROPORTIONAL))["keda"] == 1200


def test_what_nobody_is_there_to_bear_stays_apart() -> None:
    empty = cluster([([0, 0, 0, 0], 400)])
    assert bears(shared_out(empty, Sharing.PROPORTIONAL))["idle"] == 400
    even = bears(shared_out(empty, Sharing.EVEN))
    assert [even[name] for name in NAMES] == [each + 73_000_000 // 4 for each in split(400, (1, 1, 1, 1))]


# ── The airport rule ────────────────────────────────────────────────────────────────────────────────────────────

demands = st.lists(st.integers(0, 10**15), min_size=1, max_size=9)


def shapley(demands: list[int]) -> list[Fraction]:
    """By definition: what each adds to the room that is needed, over all coalitions that it may join."""
    n, values = len(demands), []
    for one, demand in enumerate(demands):
        others = [each for other, each in enumerate(demands) if other != one]
        value = Fraction(0)
        for size in range(n):
            for coalition in combinations(others, size):
                adds = max(demand - max(coalition, default=0), 0)
                value += Fraction(factorial(size) * factorial(n - 1 - size) * adds, factorial(n))
        values.append(value)
    return values


@given(demands)
def test_the_airport_rule_is_the_shapley_value_exactly(demands: list[int]) -> None:
    weights = airport(demands)
    whole = sum(weights)
    values = shapley(demands)
    assert sum(values) == max(demands)
    assert [Fraction(each * max(demands), whole) if whole else 0 for each in weights] == values


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_equal_demands_weigh_alike_greater_ones_more_and_none_nothing(demands: list[int]) -> None:
    by_demand = sorted(zip(demands, airport(demands), strict=True))
    for (less, light), (more, heavy) in pairwise(by_demand):
        assert light == heavy if less == more else light < heavy
    assert all(weight == 0 for demand, weight in by_demand if not demand)


@given(demands, st.integers(0, 8), st.integers(1, 10**9))
def test_who_demands_more_than_before_never_bears_less(demands: list[int], n: int, more: int) -> None:
    """Of the room, and so of its price at so much a unit."""
    one = n % len(demands)
    greater = [demand + more * (other == one) for other, demand in enumerate(demands)]
    assert shapley(greater)[one] >= shapley(demands)[one]


@given(demands.filter(any))
def test_who_demands_nothing_changes_nothing_for_the_others(demands: list[int]) -> None:
    assert split(10**9, airport([*demands, 0])) == (*split(10**9, airport(demands)), 0)


def test_the_top_is_borne_by_who_needs_it_alone() -> None:
    """Of a node of $9: 1 is needed by three, 2 more by two of them, 6 more by one."""
    on = [([1, 3, 9, 0], 9_000_000)]
    after = bears(shared_out(cluster(on, control_plane=0), Sharing.AIRPORT))
    assert [after[name] for name in NAMES] == [333_333 + 1, 1_333_333 + 3, 7_333_334 + 9, 0]


def test_the_cluster_itself_is_borne_by_room_on_all_nodes_which_auto_mode_does_not_double() -> None:
    before = cluster([([1, 0, 2, 0], 0), ([0, 0, 2, 0], 0)], control_plane=400)
    auto = Charge(kind=CostKind.AUTO_MODE, what="Auto Mode", about=ObjectRef.of("Node", "n0"), usd_micros=1)
    shares = (Share(auto, 0, "coredns", cpu_millicores=3), Share(auto, 100, pool=Pool.IDLE), *before.shares)
    after = bears(shared_out(ClusterCost(shares=shares), Sharing.AIRPORT))
    assert after == {"coredns": 1 + 100 + 50, "falco": 0, "keda": 4 + 350, "istio": 0}


def test_where_an_add_on_stands_is_told_by_room() -> None:
    of = cluster([([100, 300, 0, 0], 0), ([0, 0, 500, 0], 0)])
    assert standing(of, {"falco"}) == (Amount(300), Amount(500), 2, 3)
    assert standing(of, {"istio"}) is None
