"""One cluster for all cluster tests. Without what it needs they skip, saying what lacks; in CI that is a failure."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster import build
from tests.cluster.addons import install
from tests.cluster.cluster import Cluster


@pytest.fixture(scope="session")
def bare_cluster() -> Iterator[Cluster]:
    """Control plane and two real nodes, without any add-on."""
    lacks = build.missing()
    if lacks:
        reason = f"a real cluster needs {', '.join(lacks)}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with Cluster() as started:
        yield started


@pytest.fixture(scope="session")
def cluster(bare_cluster: Cluster) -> Cluster:
    """The cluster with its real add-ons running."""
    install(bare_cluster)
    return bare_cluster
