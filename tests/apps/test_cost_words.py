"""What is said of money where not everything was judged, and of extended support where AWS upgrades."""

import json

import pytest
from click.testing import CliRunner

from addonctl.apps.cli import cli
from addonctl.model.opportunity import NotJudged, Opportunities
from addonctl.opportunities import KINDS
from addonctl.render.opportunities import unjudged
from tests.apps.terminal import shown_in_terminal


def said(*line: str) -> str:
    done = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_headline_says_what_was_not_judged_and_why() -> None:
    first, second, *_ = said("opportunities", "--demo").splitlines()
    assert first.startswith("DEMO  prod-eu-1")
    assert second.startswith(f"not judged: 2 of {len(KINDS)} kinds (")
    assert "use was not measured" in second


def test_where_nothing_is_found_no_saving_of_nothing_is_claimed() -> None:
    found = Opportunities(not_judged=(NotJudged(kind="right-size", reason="nobody looked"),) * 2)
    assert unjudged(found) == f"1 of {len(KINDS)} kinds (nobody looked)"


@pytest.mark.parametrize("line", ["usage", "rightsize", "cost forecast", "opportunities --window 14d"])
def test_what_is_made_up_for_the_demo_says_so(line: str) -> None:
    output = said(*line.split(), "--demo")
    assert output.startswith("DEMO  prod-eu-1")
    assert "made up" in output.lower() or "made-up" in output or "opportunities" in line


def test_a_forecast_says_what_it_holds_of_extended_support() -> None:
    document = json.loads(said("cost", "forecast", "--demo", "-o", "json"))
    assert document["made_up"] == ["all days"]
    assert document["extended_support"]["upgraded_by_aws"] is True
    assert "bills nothing more" in said("cost", "forecast", "--demo")


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("line", ["usage --growth", "cost forecast", "cost explain coredns --shared airport"])
def test_tables_keep_to_the_width_of_the_terminal(line: str, columns: int) -> None:
    output, code = shown_in_terminal(columns, *line.split(), "--demo")
    assert code == 0
    assert max(map(len, output.splitlines())) <= columns


def test_the_demo_is_one_cluster() -> None:
    done = CliRunner().invoke(cli, ["cost", "forecast", "prod-b", "--demo"])
    assert done.exit_code == 1
    assert "The demo is one cluster" in str(done.exception or done.output)
