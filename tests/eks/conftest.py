"""A fresh AWS for each test that wants one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eks.server import EksServer, version_table


@pytest.fixture
def eks(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EksServer]:
    """EKS with AWS's own version table; afterwards no answer may have broken botocore's model."""
    with EksServer(version_table(shared_data / "eks" / "addon-versions")) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        assert server.state.violations == []
