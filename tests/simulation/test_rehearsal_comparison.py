"""What a cluster did beside what was rehearsed: read from the documents of both, compared phase by phase."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.rehearsals_beside_cluster import compared, main, of_run
from tests.builders import NOW

_PHASES = ("preflight", "baseline", "apply", "soak", "verify", "updated")


def timeline(*seconds: float, phases: tuple[str, ...] = _PHASES) -> list[dict[str, Any]]:
    return [{"phase": phase, "step": 1, "wave": 1, "at_s": at} for phase, at in zip(phases, seconds, strict=True)]


def run(outcome: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    told = [{**each, "at": (NOW + timedelta(seconds=each["at_s"])).isoformat()} for each in entries]
    return {"goal": "dns to v2", "outcome": outcome, "timeline": told}


def rehearsal(*runs: tuple[str, str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"runs": [{"weather": weather, "end": end, "timeline": entries} for weather, end, entries in runs]}


CALM = ("calm", "updated", timeline(0, 0, 30, 50, 110, 115))
BACK = ("preflight", "baseline", "apply", "rolling-back", "rolled-back")
WRONG = ("incident", "rolled back", timeline(0, 0, 30, 45, 60, phases=BACK))


def test_phases_last_until_the_next_begins() -> None:
    real = of_run(run("updated", timeline(0, 1, 31.5, 55, 116, 120)))
    assert real.took_s == 120
    assert [real.in_phase(phase) for phase in ("preflight", "apply", "soak")] == [1, 23.5, 61]


def test_an_update_is_compared_with_the_calm_rehearsals() -> None:
    found = compared(rehearsal(CALM, WRONG), run("updated", timeline(0, 1, 31, 55, 116, 120)))
    assert (found.predicted, found.same_end, found.same_order) == ("updated", True, True)
    assert (found.rehearsed_s(), found.rehearsed_s("apply")) == ([115], [20])


def test_one_that_was_put_back_is_compared_with_those_that_were() -> None:
    found = compared(rehearsal(CALM, WRONG), run("rolled-back", timeline(0, 1, 31, 51, 70, phases=BACK)))
    assert (found.same_end, found.same_order, found.rehearsed_s("rolling-back")) == (False, True, [15])


def test_another_order_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = ("preflight", "baseline", "apply", "verify", "soak", "updated")
    for number, real in enumerate((timeline(0, 1, 31, 55, 116, 120), timeline(0, 1, 31, 55, 116, 120, phases=other))):
        (tmp_path / f"{number}.rehearsal.json").write_text(json.dumps(rehearsal(CALM)))
        (tmp_path / f"{number}.run.json").write_text(json.dumps(run("updated", real)))
    main(["compare", str(tmp_path)])
    told = capsys.readouterr().out
    assert "same outcome: 2 of 2; same order of phases and waves: 1 of 2" in told
    assert "dns to v2  updated  updated    yes         120     115 (115 to 115)" in told
    assert "apply      2        24.0  20.0       +4.0 to +4.0" in told
