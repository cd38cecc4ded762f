"""A fresh AWS for each test that wants one."""

from collections.abc import Iterator

import pytest

from tests.eks.server import EksServer, packaged_table


@pytest.fixture(scope="session")
def aws() -> Iterator[EksServer]:
    """The server that all tests share."""
    with EksServer(packaged_table()) as server:
        yield server


@pytest.fixture
def eks(aws: EksServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[EksServer]:
    """EKS with the version table that comes with addonctl; afterwards no answer may have broken botocore's model."""
    aws.reset()
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    yield aws
    assert aws.state.violations == []
