"""A fresh AWS for each test that wants one."""

from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest
from botocore.loaders import create_loader

from tests.eks.server import EksServer, packaged_table


@pytest.fixture(scope="session", autouse=True)
def descriptions() -> Iterator[None]:
    """botocore's descriptions of AWS's APIs are read once, not by each session again, for half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(create_loader))
        yield


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
