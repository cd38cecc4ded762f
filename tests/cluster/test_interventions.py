"""Dependencies against reality: what is taken away, what then really stops, and what the edges had foretold.

The graph is read once, of the sound cluster. Foretold is whom its edges say to be hurt, over any number of them, as the
blast radius of an add-on is reckoned.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from addonctl.apps.wiring import open_manager
from addonctl.dependencies import Dependencies, reached, weight
from addonctl.model import Edge, EdgeType, Strength
from tests.cluster.cluster import Cluster
from tests.cluster.interventions import INTERVENTIONS, Intervention, leave, look, settle_in, taken

RECALL_MIN = 0.95
# A state counts when it has lasted: a pod that merely starts anew is not degraded.
_QUIET_S, _PATIENCE_S = 10, 40


@dataclass(frozen=True)
class Measured:
    """Of one intervention: who stopped, who was foretold to, and who over hard edges alone."""

    name: str
    stopped: frozenset[str]
    foretold: frozenset[str]
    surely: frozenset[str]

    def __str__(self) -> str:
        hits = len(self.stopped & self.foretold)
        lines = [
            f"{self.name:<52} stopped {len(self.stopped):>2}, foretold {hits:>2}, beside {len(self.foretold) - hits}"
        ]
        lines += [f"      stopped: {name}" for name in sorted(self.stopped & self.foretold)]
        lines += [f"      not foretold: {name}" for name in sorted(self.stopped - self.foretold)]
        lines += [f"      foretold, went on: {name}" for name in sorted(self.surely - self.stopped)]
        return "\n".join(lines)


def dependents(edges: Iterable[Edge], stopped: str) -> frozenset[str]:
    """Whom it hurts, by the edges between objects, that `stopped` is gone.

    A binding is no object of the graph: it is what says that an edge is there.
    """
    found: dict[str, list[tuple[str, float]]] = {}
    for edge in edges:
        targets = (str(edge.target), edge.evidence) if edge.type is EdgeType.RBAC else (str(edge.target),)
        for target in targets:
            found.setdefault(target, []).append((str(edge.source), weight(edge)))
    return frozenset(reached(stopped, found))


def lasting(cluster: Cluster) -> frozenset[str]:
    """What is degraded, once that has not changed for a while."""
    end, since, last = time.monotonic() + _PATIENCE_S, time.monotonic(), frozenset[str]()
    while time.monotonic() < end and time.monotonic() - since < _QUIET_S:
        now = frozenset(name for name, bad in look(cluster).items() if bad)
        if now != last:
            since, last = time.monotonic(), now
        time.sleep(0.5)  # between two looks, which themselves ask the server a dozen things
    return last


@pytest.fixture(scope="module")
def graph(cluster: Cluster) -> Iterator[Dependencies]:
    settle_in(cluster)
    yield open_manager(kubeconfig=str(cluster.kubeconfig)).assess().dependencies
    leave(cluster)


@pytest.fixture(scope="module")
def universe(cluster: Cluster, graph: Dependencies) -> frozenset[str]:
    """What can be observed at all; of the rest neither is known."""
    return frozenset(look(cluster))


@pytest.fixture(scope="module")
def measured() -> list[Measured]:
    return []


# One in six belongs to every run of CI; all of them take ten minutes.
_SOME = [
    pytest.param(each, marks=() if number % 6 == 0 else pytest.mark.prove, id=each.name)
    for number, each in enumerate(INTERVENTIONS)
]


@pytest.mark.parametrize("intervention", _SOME)
def test_it_is_measured(
    cluster: Cluster,
    graph: Dependencies,
    universe: frozenset[str],
    measured: list[Measured],
    intervention: Intervention,
) -> None:
    """Something really stops, or the intervention says nothing."""
    with taken(cluster, intervention):
        stopped = (lasting(cluster) & universe) - {intervention.stopped}
    hard = [edge for edge in graph.edges if edge.strength is Strength.HARD]
    foretold, surely = (dependents(edges, intervention.stopped) & universe for edges in (graph.edges, hard))
    measured.append(Measured(intervention.name, stopped, foretold, surely))
    assert stopped


def test_nearly_all_that_stopped_was_foretold(measured: list[Measured], capsys: pytest.CaptureFixture[str]) -> None:
    stopped, foretold, surely = (
        sum(len(getattr(one, name)) for one in measured) for name in ("stopped", "foretold", "surely")
    )
    hits = sum(len(one.stopped & one.foretold) for one in measured)
    sure_hits = sum(len(one.stopped & one.surely) for one in measured)
    with capsys.disabled():
        print(
            f"\n{len(measured)} interventions: recall {hits / stopped:.3f} of {stopped}, "
            f"precision {hits / foretold:.3f} of {foretold}; over hard edges alone recall {sure_hits / stopped:.3f}, "
            f"precision {sure_hits / surely:.3f} of {surely}"
        )
        print("\n".join(map(str, measured)))
    assert hits / stopped >= RECALL_MIN
