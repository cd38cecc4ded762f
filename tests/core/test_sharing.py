"""Idle and common costs shared out: nothing is lost, equals bear alike, more never bears less."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from addonctl.cost import Sharing, shared_out
from addonctl.cost.allocation import split
from addonctl.model import ObjectRef
from addonctl.model.cost import Charge, ClusterCost, CostKind, Pool, Share

NAMES = ("coredns", "falco", "keda", "istio")
# On each node: what each add-on costs there (some nothing), and what is idle.
nodes = st.lists(st.tuples(st.lists(st.integers(0, 10**9), min_size=4, max_size=4), st.integers(0, 10**9)), max_size=6)


def cluster(on: list[tuple[list[int], int]], control_plane: int = 73_000_000) -> ClusterCost:
    shares = []
    for number, (parts, idle) in enumerate(on):
        node = Charge(kind=CostKind.NODE, what="m5.large", about=ObjectRef.of("Node", f"n{number}"), usd_micros=1)
        shares += [Share(node, part, name, "kube-system") for part, name in zip(parts, NAMES, strict=True)]
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


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=4), st.integers(0, 10**9))
def test_more_never_bears_less_and_who_costs_nothing_bears_nothing(parts: list[int], idle: int) -> None:
    after = bears(shared_out(cluster([(parts, idle)]), Sharing.PROPORTIONAL))
    by_cost = sorted(zip(parts, (after[name] for name in NAMES), strict=True))
    assert all(one[1] <= other[1] for one, other in pairwise(by_cost) if one[0] < other[0])
    assert all(borne == 0 for cost, borne in by_cost if not cost)


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.sampled_from([Sharing.PROPORTIONAL, Sharing.EVEN]))
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
