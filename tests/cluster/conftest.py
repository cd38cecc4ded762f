"""Clusters for the tests. Without what they need the tests skip, saying what is missing; in CI that is a failure.

One cluster runs at a time: it is kept while tests ask for the same kind, and ended when they ask for another.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.cluster import build, dozen
from tests.cluster.addons import install
from tests.cluster.cluster import Cluster
from tests.cluster.lab import Lab
from tests.eks.server import EksServer, packaged_table

T = TypeVar("T")


_KINDS = ("cluster", "lab", "argocd_lab", "api_server", "every_api", "world")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of one kind stand together, so that each kind is started once; in a kind their order stays."""
    kinds: dict[Path, int] = {}
    for item in items:
        kind = max((n for n, name in enumerate(_KINDS) if name in _fixtures(item)), default=-1)
        kinds[item.path] = max(kind, kinds.get(item.path, -1))
    items.sort(key=lambda item: kinds[item.path])


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


class Kept:
    """The cluster that runs, and its kind."""

    def __init__(self) -> None:
        self._kind, self._running = "", ExitStack()
        self._given: Any = None

    def get(self, kind: str, start: Callable[[], AbstractContextManager[T]], *parts: str) -> T:
        """The cluster of this kind, started where it does not run; `parts` is what has to be built for it."""
        self.need(*parts)
        if kind != self._kind:
            self.end()
            self._given, self._kind = self._running.enter_context(start()), kind
        given: T = self._given
        return given

    def need(self, *parts: str) -> None:
        """Goes on only where these parts are built."""
        if absent := build.missing("control-plane", *parts):
            reason = f"a real cluster needs {', '.join(absent)}"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)

    def end(self) -> None:
        """Ends what runs; the machine is free for a cluster that a test starts by itself."""
        self._kind, self._given = "", None
        self._running.close()


@pytest.fixture(scope="session")
def kept() -> Iterator[Kept]:
    keeper = Kept()
    yield keeper
    keeper.end()


@contextmanager
def _with_addons() -> Iterator[Cluster]:
    with Cluster() as started:
        install(started)
        yield started


@pytest.fixture(scope="module")
def cluster(kept: Kept) -> Cluster:
    """Two real nodes with the real add-ons running. Whoever changes something puts it back."""
    return kept.get("add-ons", _with_addons, "nodes")


@pytest.fixture(scope="module")
def lab(kept: Kept) -> Lab:
    """The same with an EKS API beside it, and simulated nodes: EKS, Helm and Flux hold the add-ons."""
    return kept.get("lab", lambda: Lab(simulated=20), "nodes", "helm", "simulated")


@pytest.fixture(scope="module")
def argocd_lab(kept: Kept) -> Lab:
    """The lab with a real Argo CD that owns one add-on more."""
    return kept.get("lab with Argo CD", lambda: Lab(argocd=True), "nodes", "helm", "argocd")


@pytest.fixture(scope="module")
def api_server(kept: Kept) -> Cluster:
    """An API server alone: objects are stored, nothing follows from them."""
    return kept.get("API server", lambda: Cluster(real_nodes=0, controllers=False))


@pytest.fixture(scope="module")
def every_api(kept: Kept) -> Cluster:
    """An API server alone, with alpha and beta versions, too."""
    return kept.get("every API", lambda: Cluster(real_nodes=0, controllers=False, all_apis=True))


@contextmanager
def _world() -> Iterator[dozen.World]:
    with Cluster(real_nodes=0, simulated_nodes=3) as cluster, EksServer(packaged_table()) as server:
        dozen.install(cluster, server)
        yield cluster, server


@pytest.fixture(scope="module")
def world(kept: Kept) -> dozen.World:
    """More than a dozen add-ons by every means, on simulated nodes (dozen.py)."""
    return kept.get("dozen", _world, "simulated", "helm")
