"""What several suites share: the catalog, and the folder of real inputs, which not every checkout has beside it."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from addonctl.catalog import Catalog

# A machine that builds something else meanwhile is slow, not wrong. Every run draws examples of its own: few in each
# are many in a week, and `make prove` draws twenty times as many at once.
settings.register_profile("quick", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=400)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew", action="store_true", help="tests/stories: write the golden files anew")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look through it again, nor look for more so often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The packaged knowledge."""
    from addonctl.adapters import knowledge

    return knowledge.load()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs: renders of charts, cluster dumps, AWS's own tables. Not part of this repository."""
    folder = Path(os.environ.get("ADDONCTL_SHARED") or Path(__file__).parents[2] / "shared") / "data"
    if not folder.is_dir():
        pytest.skip(f"the folder of real inputs is not here ({folder}); name its parent by ADDONCTL_SHARED")
    return folder
