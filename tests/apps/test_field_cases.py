"""Cases rebuilt from public reports: the kinds of them that hold in full must go on to do so."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.test_cli import ROOT

KINDS = (
    "no traceback at the borders",
    "tables stay true at any width",
    "a check that could not run is no pass",
    "options are checked, not dropped",
    "revision and status of Helm releases",
    "already right: stays so",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_holds_goes_on_to_hold(kind: str, shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data.parent / "field-cases"
    if not folder.is_dir():
        pytest.skip(f"the field cases are not here ({folder})")
    program = tmp_path / "addonctl"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m addonctl "$@"\n')
    program.chmod(0o755)
    cases = map(json.loads, (folder / "cases.jsonl").read_text().splitlines())
    ids = [case["id"] for case in cases if case["class"] == kind]
    assert ids
    done = subprocess.run(
        [sys.executable, folder / "check.py", program, *ids], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
