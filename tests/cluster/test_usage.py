"""What add-ons use, should request and cost, as users ask it of the real cluster; and a change is pasted under traffic.

The metrics are of a real Prometheus, whose history promtool has written for the pods that run: a cluster that is
minutes old has no weeks.
"""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.changes import got
from tests.cluster.conftest import Kept
from tests.cluster.lab import Lab
from tests.cluster.prometheus import serving
from tests.cluster.test_update_commands import User, deployment, traffic

pytestmark = pytest.mark.prove
_DAYS, _STEP = 15, timedelta(minutes=2)
_MIB = 2**20
# Container → cores and MiB that each of its pods uses, the whole time.
_USE = {"coredns": (0.004, 22), "metrics-server": (0.03, 60), "kube-proxy": (0.002, 18)}


@pytest.fixture
def user(lab: Lab, tmp_path: Path) -> Iterator[User]:
    lab.update_s = 600
    yield User(lab, tmp_path)
    lab.update_s = 60


@pytest.fixture
def url(kept: Kept, lab: Lab, tmp_path: Path) -> Iterator[str]:
    kept.need("prometheus")
    with serving(tmp_path / "prometheus", history=_history(lab)) as address:
        yield address


def _history(lab: Lab) -> str:
    """Two weeks of the pods that run now, in OpenMetrics."""
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    times = [int((end - _STEP * n).timestamp()) for n in range(int(timedelta(days=_DAYS) / _STEP), -1, -1)]
    cpu, memory = ["# TYPE container_cpu_usage_seconds counter"], ["# TYPE container_memory_working_set_bytes gauge"]
    for each in got(lab.cluster, "pods", "-n", "kube-system"):
        for container in each["spec"]["containers"]:
            cores, mib = _USE.get(container["name"], (0, 0))
            if cores:
                names = {"pod": each["metadata"]["name"], "container": container["name"], "namespace": "kube-system"}
                labels = ",".join(f'{name}="{value}"' for name, value in names.items())
                for at in times:
                    cpu.append(f"container_cpu_usage_seconds_total{{{labels}}} {cores * (at - times[0]):.3f} {at}")
                    memory.append(f"container_memory_working_set_bytes{{{labels}}} {mib * _MIB} {at}")
    return "\n".join((*cpu, *memory, "# EOF", ""))


def requested(lab: Lab) -> dict[str, Any]:
    (container,) = deployment(lab)["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = container["resources"]["requests"]
    return found


def test_use_is_what_prometheus_says(user: User, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = user.document("usage", "--prometheus", url, *user.place)
    with capsys.disabled():
        print(user.runs("usage", "--prometheus", url, "-o", "wide", *user.place)[1])
        print(user.runs("cost", "--prometheus", url, "--window", "7d", *user.place)[1])
    by_container = {each["container"]: each for each in found["containers"]}
    for name, (cores, mib) in _USE.items():
        assert by_container[name]["cpu"]["p99"] == pytest.approx(cores * 1000, rel=0.05)
        assert by_container[name]["memory"]["max"] == mib * _MIB
    assert found["unread"] == []


def test_without_prometheus_the_metrics_api_says_what_is_used_now(
    user: User, capsys: pytest.CaptureFixture[str]
) -> None:
    found = user.document("usage", "--prometheus", "none", *user.place)
    with capsys.disabled():
        print(user.runs("usage", "--prometheus", "none", *user.place)[1])
    assert found["window_s"] == 0
    assert found["source"] == "metrics.k8s.io"
    (dns,) = (each for each in found["containers"] if each["container"] == "coredns")
    assert 0 < dns["memory"]["mean"] < 500 * _MIB


def test_a_change_is_pasted_and_undone_under_traffic(user: User, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = requested(user.lab)
    found = user.document("rightsize", "coredns", "--prometheus", url, *user.place)
    (dns,) = found["installations"]
    (do,), (undo,) = dns["actions"], dns["undo_actions"]
    with capsys.disabled():
        print(user.runs("rightsize", "--prometheus", url, *user.place)[1])
    with traffic(user.lab) as asked:
        runs = []
        for action in (do, undo):
            program, *words = action["argv"]
            assert program == "addonctl"
            runs.append(user.changes(*words, code=0))
            if action is do:
                changed = requested(user.lab)
    with capsys.disabled():
        print(f"{shlex.join(do['argv'])}\n{before} -> {changed}")
        print(f"traffic: {len(asked.account.lost_at)} of {asked.account.sent} lost, at {asked.account.lost_at}")
    sizes = dns["containers"][0]["sizing"]["proposals"]
    assert changed == {
        "cpu": f"{sizes['cpu']['request']}m",
        "memory": f"{sizes['memory']['request'] // _MIB}Mi",
    }
    assert [run["outcome"] for run in runs] == ["updated", "updated"]
    assert requested(user.lab) == before
    assert not asked.account.lost_at
