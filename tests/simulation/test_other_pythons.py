"""A seed is the same run under every Python: what one machine found, another one reproduces by its number."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from addonctl.sim.simulation import simulate

ROOT = Path(__file__).parents[2]
SEEDS = range(1, 9)
PROGRAM = "from addonctl.sim.simulation import simulate\nfor seed in range({}, {}): print(simulate(seed).trace)"


def _interpreters(version: str) -> Iterator[str]:
    """Of a version, on the PATH or beside others in pyenv; a shim of pyenv's may lead to none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found in (shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python3"))):
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            yield found


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_seed_is_the_same_run_under_another_python(version: str) -> None:
    if version == "{}.{}".format(*sys.version_info):
        pytest.skip("it is this one")
    interpreter = next(_interpreters(version), None)
    if interpreter is None:
        pytest.skip(f"there is no Python {version}")
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    program = PROGRAM.format(SEEDS.start, SEEDS.stop)
    told = subprocess.run([interpreter, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert told.stdout.split() == [simulate(seed).trace for seed in SEEDS]
