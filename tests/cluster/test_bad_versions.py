"""Bad versions of real add-ons, updated to as users do, under traffic: each is caught, and put back (bad_trials.py)."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.cluster import argocd
from tests.cluster.addons import install
from tests.cluster.bad_trials import HEAD, Outcome, by_addonctl, tried
from tests.cluster.bad_versions import ARGOCD, BADS, EKS, HELM, MANIFESTS, Bad
from tests.cluster.bad_worlds import ByArgoCd, ByEks, ByHelm, ByManifests, World
from tests.cluster.cluster import Cluster
from tests.cluster.conftest import Kept
from tests.cluster.lab import Lab

_IN_CI = {"eks-coredns-servfail-to-20", "helm-gatekeeper-denies-everything"}
_ROLLED_BACK = 4
_RATE = 100
Opens = Callable[[str], World]


@contextmanager
def _with_argocd() -> Iterator[Cluster]:
    with Cluster() as cluster:
        install(cluster)
        with argocd.ArgoCd(cluster):
            yield cluster


@pytest.fixture(scope="module")
def open_world(kept: Kept) -> Iterator[Opens]:
    """An owner's world, with the images of its bad versions on the nodes."""
    made: dict[str, World] = {}
    with ExitStack() as stack:

        def opened(owner: str) -> World:
            if owner not in made:
                kept.need("nodes", "faulty")
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                made[owner] = _world(kept, owner, folder)
                made[owner].bring([bad for bad in BADS if bad.owner == owner])
            return made[owner]

        yield opened


def _world(kept: Kept, owner: str, folder: Path) -> World:
    if owner in (EKS, HELM):
        lab = kept.get("lab", lambda: Lab(simulated=20), "nodes", "helm", "simulated")
        return (ByEks if owner == EKS else ByHelm)(lab, folder)
    if owner == MANIFESTS:
        return ByManifests(kept.get("with Argo CD", _with_argocd, "nodes", "argocd"), folder)
    assert owner == ARGOCD
    return ByArgoCd(kept.get("with Argo CD", _with_argocd, "nodes", "argocd"), folder)


@pytest.mark.parametrize(
    "bad", [pytest.param(bad, id=bad.name, marks=() if bad.name in _IN_CI else pytest.mark.prove) for bad in BADS]
)
def test_it_is_caught_and_put_back(bad: Bad, open_world: Opens, capsys: pytest.CaptureFixture[str]) -> None:
    found = tried(open_world(bad.owner), bad, by_addonctl)
    with capsys.disabled():
        print(f"\n{'  '.join(HEAD)}\n{'  '.join(found.row())}\n{found.why}")
    assert found.code == _ROLLED_BACK
    assert found.differs == []
    assert found.sent > 0.8 * _RATE * (found.ended_at - found.began_at), "the traffic was there all the time"
    assert found.rolled_back_s is not None
    assert found.rolled_back_s <= 30
    assert found.lost == 0 or may_lose(found)


def may_lose(found: Outcome) -> bool:
    """Only what a bad instance has answered may be lost, and only until it no longer serves."""
    assert found.bad_at is not None
    assert found.lost_last_at is not None
    return found.lost_last_at >= found.bad_at - 1 and found.lost <= found.sent / 2
