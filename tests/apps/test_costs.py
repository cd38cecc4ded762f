"""What `addonctl cost` says of sums: one that lacks a figure is the least that it is, one without any is unknown."""

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


@pytest.mark.parametrize(("shared", "borne"), [("apart", False), ("even", True)])
def test_what_add_ons_cost_is_the_sum_of_their_rows(shared: str, borne: bool) -> None:
    done = CliRunner().invoke(cli, ["cost", "--demo", "--shared", shared], catch_exceptions=False)
    said = float(done.output.split("add-ons $")[1].split(";")[0].replace(",", ""))
    lines = [line.split("  ") for line in done.output.split("\n\n")[1].splitlines()[1:]]
    rows = {cells[0]: float(next(filter(None, map(str.strip, cells[1:]))).replace(",", "")) for cells in lines}
    apart = ("idle", "the cluster itself", "other workloads")
    assert said == pytest.approx(sum(usd for name, usd in rows.items() if name not in apart), abs=0.2)
    assert ("idle" not in rows) is borne
