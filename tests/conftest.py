"""What several suites share: the catalogue, and the folder of real inputs, which not every checkout has beside it."""

import os
from pathlib import Path

import pytest

from addonctl.catalog import Catalog


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
