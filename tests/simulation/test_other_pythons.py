"""A seed is the same run under every Python: what one machine found, another one reproduces by its number."""

import subprocess
import sys
from pathlib import Path

import pytest

from addonctl.sim.simulation import simulate
from tests.pythons import python

ROOT = Path(__file__).parents[2]
SEEDS = range(1, 9)
PROGRAM = "from addonctl.sim.simulation import simulate\nfor seed in range({}, {}): print(simulate(seed).trace)"


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_seed_is_the_same_run_under_another_python(version: str) -> None:
    if version == "{}.{}".format(*sys.version_info):
        pytest.skip("it is this one")
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    program = PROGRAM.format(SEEDS.start, SEEDS.stop)
    told = subprocess.run([python(version), "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert told.stdout.split() == [simulate(seed).trace for seed in SEEDS]
