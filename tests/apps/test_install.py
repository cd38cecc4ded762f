"""What a newcomer types first."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.test_cli import ROOT


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_an_old_python_is_refused_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 4); $2"\n')
    old.chmod(0o755)
    venv = tmp_path / "venv"
    make = ["make", f"VENV={venv}", f"PYTHON={old}", "demo"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode
    assert "Python 3.11 or newer is needed; this is 3.10" in done.stderr
    assert not venv.exists()
