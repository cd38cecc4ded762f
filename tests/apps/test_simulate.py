"""`addonctl simulate`: a seed is a story, many are counts with a bound, and the same on every machine."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from addonctl.apps import simulating
from addonctl.apps.cli import cli
from addonctl.errors import BadInput
from addonctl.sim.many import Summary, chunks, most, quantile
from addonctl.sim.scenario import Mix
from addonctl.sim.simulation import End


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["simulate", *words], catch_exceptions=False)


def test_one_seed_is_told_as_a_story() -> None:
    found = run("--seed", "7")
    assert found.exit_code == 0
    first, *_, last = found.output.splitlines()
    assert first.startswith("seed 7: ")
    assert "wanted change" in found.output
    assert last.split(":")[0] in set(End)


def test_a_story_ends_with_its_reason_in_words() -> None:
    last = run("--seed", "4", "--faults", "none", "--incidents", "COREDNS-04").output.splitlines()[-1]
    said = r"rolled back: rolled-back, answers: \d+ of \d+ failed, 0 of \d+ of the others \(chance \S+ if .*\)"
    assert re.fullmatch(said, last), last


def test_many_are_counted_with_their_mix_and_a_bound() -> None:
    found = run("--runs", "6", "--faults", "none", "--incidents", "none", "--jobs", "1")
    assert "6 updated" in " ".join(found.output.split())
    assert "0 of 6 ended badly: 0.000%, at most 39.304% with 95% confidence" in found.output
    assert "drawn: 0% of the versions harmful" in found.output


def test_as_json_in_as_many_processes_as_one_likes() -> None:
    alone, together = (json.loads(run("--runs", "12", "-o", "json", "--jobs", jobs).output) for jobs in ("1", "2"))
    assert alone["ends"] == together["ends"]
    assert alone["requests"] == together["requests"]
    assert alone["mix"]["incidents"] == list(alone["mix"]["weights"]) == list(alone["mix"]["sources"])
    assert set(alone["mix"]["weights"].values()) == {1.0}
    assert sum(alone["ends"].values()) == alone["seeds"]["runs"] == 12


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match="There is no fault 'rain'"):
        run("--faults", "rain")


def test_a_violation_is_told_with_the_least_that_it_needs() -> None:
    """The summary of a run that went wrong is told with its seed's story."""
    found = Summary(runs=2, violations=[(3, "a mixed state")])
    found.ends[End.WRONG] = 1
    told = simulating.told(3, Mix(faults_most=0, harmful=0), found)
    assert "WRONG in seed 3: a mixed state" in told
    assert any(line.startswith("seed 3: ") for line in told)


@pytest.mark.parametrize(
    ("bad", "of", "at_most"),
    [(0, 59, 0.04951), (0, 2995, 0.0009998), (3, 1000, 0.00774), (29, 5000, 0.0079), (1, 1, 1.0)],
)
def test_the_bound_is_clopper_and_pearson_s(bad: int, of: int, at_most: float) -> None:
    assert most(bad, of) == pytest.approx(at_most, rel=2e-3)


def test_parts_are_all_seeds_once() -> None:
    assert [seed for part in chunks(5, 23, 10) for seed in part] == list(range(5, 28))


def test_a_quantile_of_nothing_is_none() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
