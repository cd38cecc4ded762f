"""Clusters for the tests. Without what they need the tests skip, saying what lacks; in CI that is a failure."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster import build
from tests.cluster.addons import install
from tests.cluster.cluster import Cluster


@pytest.fixture(scope="session")
def able() -> None:
    """Whether a cluster can be had here at all."""
    if lacks := build.missing():
        reason = f"a real cluster needs {', '.join(lacks)}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="module")
def cluster(able: None) -> Iterator[Cluster]:
    """Two real nodes with the real add-ons running. One cluster at a time: it ends with the module."""
    with Cluster() as started:
        install(started)
        yield started


@pytest.fixture(scope="module")
def api_server(able: None) -> Iterator[Cluster]:
    """An API server alone: objects are stored, nothing follows from them."""
    with Cluster(real_nodes=0, controllers=False) as started:
        yield started
