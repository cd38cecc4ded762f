"""The table of use: a line has a cell for each column, whatever was measured of a container."""

from datetime import timedelta

import pytest

from addonctl.adapters import knowledge
from addonctl.model.usage import Measured, Spread
from addonctl.render.screen import Style
from addonctl.render.usages import usage
from tests.builders import snapshot
from tests.core.test_usage import DNS, measured, reported
from tests.judging import assessed


@pytest.mark.parametrize("wide", [False, True])
def test_a_container_without_quantiles_has_its_line_all_the_same(
    capsys: pytest.CaptureFixture[str], *, wide: bool
) -> None:
    bare = Measured(namespace="kube-system", pod="coredns-0", container="coredns", memory=Spread(mean=5e7))
    report = reported((DNS,), (), bare)
    assert report.metrics.window == timedelta(days=7)
    usage(assessed(snapshot(), knowledge.load()), report, Style(wide=wide))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("coredns"))
    assert line.split()[:3] == ["coredns", "coredns", "1"]
    assert "128Mi" in line


def test_what_was_used_is_beside_what_is_requested(capsys: pytest.CaptureFixture[str]) -> None:
    usage(assessed(snapshot(), knowledge.load()), reported((DNS,), (), measured("coredns-0")), Style())
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if line.startswith("ADD-ON"))
    assert header.split("  ")[-1].strip() == "RESTARTS"
    assert any(line.split()[:2] == ["coredns", "coredns"] for line in lines)
