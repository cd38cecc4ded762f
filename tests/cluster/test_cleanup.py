"""A cluster leaves nothing behind, also when it is interrupted."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.cluster import RUN
from tests.cluster.conftest import Kept
from tests.cluster.processes import mounts_below, processes_below, sh


def traces() -> list[str]:
    """What a cluster makes on this machine."""
    found = [f"process {pid}" for pid in processes_below(RUN)] + mounts_below(RUN)
    found += [line for line in sh("ip", "-o", "link").splitlines() if "addonctl" in line]
    found += [line for line in sh("ip", "netns", "list").splitlines() if "addonctl" in line]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob("*/addonctl-node-*")]
    return found + ([str(RUN)] if RUN.exists() else [])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_lab_leaves_nothing(kept: Kept, sent: signal.Signals) -> None:
    kept.need("nodes", "helm")
    kept.end()
    assert traces() == []
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster", "lab"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    try:
        end = time.monotonic() + 90
        while not list(RUN.glob("node-1/c.sock")) and time.monotonic() < end:
            time.sleep(0.1)
        assert traces() != []
        started.send_signal(sent)
        started.wait(60)
    finally:
        started.kill()
        if started.stdout:
            started.stdout.close()
    assert traces() == []
