"""A fresh AWS for each test that wants one."""

from collections.abc import Iterator

import pytest

from tests.eks.server import EksServer, packaged_table


@pytest.fixture
def eks(monkeypatch: pytest.MonkeyPatch) -> Iterator[EksServer]:
    """EKS with the version table that comes with addonctl; afterwards no answer may have broken botocore's model."""
    with EksServer(packaged_table()) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        assert server.state.violations == []
