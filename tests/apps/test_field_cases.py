"""Cases rebuilt from public reports: the kinds of them that hold in full must go on to do so."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.apps.terminal import in_process
from tests.apps.test_cli import ROOT

KINDS = (
    "no traceback at the borders",
    "tables stay true at any width",
    "a check that could not run is no pass",
    "options are checked, not dropped",
    "a dump is judged by its own time",
    "answers of the AWS and Helm CLIs as input",
    "custom resources in a version that is not served",
    "documents that cannot be read are named",
    "kustomize patches are no objects",
    "one object in several versions",
    "shapes of input that people have",
    "what is no Kubernetes object is no error",
    "which file a finding is about",
    "who owns an add-on",
    "revision and status of Helm releases",
    "already right: stays so",
    "faults that show on other people's objects",
    "why a pod of an add-on is not ready",
    "known causes of a crash loop",
    "CRD conversion webhooks",
    "the fix fits what was seen",
    "the cause comes first",
    "what holds a deletion",
    "what an installer or EKS itself calls failed",
    "things of which there may be one",
    "an object that is not well leads to a finding",
    "what is declared counts as an add-on",
    "a chart's version is not the application's",
    "older than the table",
    "version skew",
)
# A case that says one of these is about the process: it gets one of its own, all others a fork.
_OF_THE_PROCESS = {"columns", "home", "stdout", "memory_mib"}


def judge_in(folder: Path) -> ModuleType:
    """The module that asks the cases and judges the answers."""
    spec = importlib.util.spec_from_file_location("field_cases", folder / "field_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the judge leaves pipes open
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_holds_goes_on_to_hold(
    kind: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared_data.parent / "field-cases"
    if not folder.is_dir():
        pytest.skip(f"the field cases are not here ({folder})")
    program = tmp_path / "addonctl"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m addonctl "$@"\n')
    program.chmod(0o755)
    judge = judge_in(folder)
    ask = judge.ask

    def cheaply(case: dict[str, Any], argv: list[str], where: Path, env: dict[str, str]) -> Any:
        if _OF_THE_PROCESS & case.keys():
            return ask(case, argv, where, env)
        done = in_process(*argv[1:], stdin=case.get("stdin"), env=env, folder=where)
        return done.returncode, done.stdout, done.stderr

    monkeypatch.setattr(judge, "ask", cheaply)
    cases = map(json.loads, (folder / "cases.jsonl").read_text().splitlines())
    ids = [case["id"] for case in cases if case["class"] == kind]
    assert ids
    assert [row for row in judge.run(folder / "cases.jsonl", program, ids) if not row[2]] == []
