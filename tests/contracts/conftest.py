"""What the suites share: a real API server, bare or named by ADDONCTL_CONTRACT_KUBECONFIG, and a real PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from addonctl.adapters.api_connection import connect
from addonctl.adapters.api_objects import ApiObjects
from tests.contracts import bare_api_server
from tests.contracts.bare_api_server import BareApiServer
from tests.contracts.postgres import PostgresServer
from tests.contracts.postgres import missing as missing_postgres

# Tests that share a server go to one worker, where it starts once.
_SERVERS = {
    "API server": ("gitops", "helm", "impersonation", "inspector", "node_probes", "objects", "objects_agree"),
    "PostgreSQL": ("cost_history", "journal", "journal_failures"),
    "AWS": ("eks_addons",),
}
_OF_MODULE = {Path(__file__).with_name(f"test_{each}.py"): name for name, all_ in _SERVERS.items() for each in all_}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if server := _OF_MODULE.get(item.path):
            item.add_marker(pytest.mark.xdist_group(server))


@dataclass(frozen=True)
class Api:
    """An API server for tests: `compact` makes it forget its past, where that can be done."""

    kubeconfig: Path
    compact: Callable[[str], None] | None = None

    def objects(self, run: str = "") -> ApiObjects:
        return ApiObjects(connect(None, str(self.kubeconfig)), run)


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    """A real API server: of a cluster that was named, or a bare one, where it is built."""
    if named := os.environ.get("ADDONCTL_CONTRACT_KUBECONFIG"):
        yield Api(Path(named))
        return
    if absent := bare_api_server.missing():
        pytest.skip(f"a real API server needs {absent}")
    with BareApiServer() as server:
        yield Api(server.kubeconfig, server.compact)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL, where it is installed."""
    if absent := missing_postgres():
        pytest.skip(f"a real PostgreSQL needs {absent}")
    with PostgresServer() as server:
        yield server
