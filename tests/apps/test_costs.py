"""What `addonctl cost` says of sums: one that lacks a figure is the least that it is, one without any is unknown."""

import json

import pytest
from click.testing import CliRunner

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.apps.cli import cli
from addonctl.cost import By
from addonctl.render.costs import cost
from addonctl.render.screen import Style
from tests.builders import snapshot
from tests.core.test_cost import node
from tests.judging import assessed


@pytest.mark.parametrize(
    ("nodes", "eks", "total", "add_ons"),
    [
        ((node(),), True, "$143.08 a month", "add-ons $0.00"),
        ((node(), node("b", "zz9.large")), True, "at least $143.08 a month", "add-ons unknown"),
        ((node(),), False, "at least $70.08 a month", "add-ons $0.00"),
        ((node(instance="zz9.large"),), False, "unknown a month", "add-ons unknown"),
    ],
)
def test_a_sum_says_what_it_lacks(
    nodes: tuple[model.Node, ...], eks: bool, total: str, add_ons: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = model.Eks(cluster=model.EksCluster(name="prod-eu-1", region="us-east-1")) if eks else None
    read = snapshot(nodes=nodes, eks=known)
    assessment = assessed(read, knowledge.load(), prices=lambda _: price_table.load("us-east-1"))
    cost(assessment, (), By.ADDON, Style())
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert total in first
    assert second.startswith(f"{add_ons};")


@pytest.mark.parametrize(("shared", "borne"), [("apart", False), ("even", True), ("airport", True)])
def test_what_add_ons_cost_is_the_sum_of_their_rows(shared: str, borne: bool) -> None:
    done = CliRunner().invoke(cli, ["cost", "--demo", "--shared", shared], catch_exceptions=False)
    said = float(done.output.split("add-ons $")[1].split(";")[0].replace(",", ""))
    lines = [line.split("  ") for line in done.output.split("\n\n")[1].splitlines()[1:]]
    rows = {cells[0]: float(next(filter(None, map(str.strip, cells[1:]))).replace(",", "")) for cells in lines}
    apart = ("idle", "the cluster itself", "other workloads")
    assert said == pytest.approx(sum(usd for name, usd in rows.items() if name not in apart), abs=0.2)
    assert ("idle" not in rows) is borne


@pytest.mark.parametrize("shared", ["proportional", "even", "airport"])
def test_what_an_add_on_bears_is_explained_and_adds_up_to_its_row(shared: str) -> None:
    asked = ["--demo", "--shared", shared, "-o", "json"]
    whole = json.loads(CliRunner().invoke(cli, ["cost", *asked], catch_exceptions=False).output)
    (row,) = (each for each in whole["rows"] if each["name"].startswith("coredns/"))
    found = json.loads(CliRunner().invoke(cli, ["cost", "explain", "coredns", *asked], catch_exceptions=False).output)
    assert found["usd_micros"] == row["usd_micros"]
    assert {part["borne"] for part in found["parts"]} == {None, "idle", "the cluster itself"}
    said = CliRunner().invoke(cli, ["cost", "explain", "coredns", *asked[:3]], catch_exceptions=False).output
    assert "its part of idle" in said
    assert ("need as much or more" in said) is (shared == "airport")
