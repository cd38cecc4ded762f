"""`addonctl cost -o focus`: rows of FOCUS that add up, keep its rules, and are read back as a bill."""

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from addonctl import model
from addonctl.adapters import knowledge, price_table
from addonctl.adapters.bills import BillFiles
from addonctl.apps.cli import cli
from addonctl.assessment import Assessment
from addonctl.model.bill import LineKind
from addonctl.model.cost import GIB
from addonctl.render import focus
from tests.builders import snapshot
from tests.core.test_cost import node, pod
from tests.core.test_opportunities import GP2, KEDA, pods_of, volume
from tests.judging import assessed

ARN = "arn:aws:eks:us-east-1:123456789012:cluster/prod-eu-1"


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def cluster() -> Assessment:
    """Two nodes with an add-on of two pods and another workload, a volume, a control plane."""
    described = model.EksCluster(name="prod-eu-1", region="us-east-1", version="1.35", arn=ARN)
    parts: dict[str, Any] = {
        "eks": model.Eks(cluster=described),
        "nodes": (node("a", provider_id="aws:///us-east-1a/i-0a"), node("b", provider_id="aws:///us-east-1b/i-0b")),
        "pods": (*pods_of(KEDA, "a", "a"), pod("api", 500, GIB)),
        "workloads": (KEDA,),
        "storage_classes": (GP2,),
        "volumes": (volume("v", 100),),
    }
    return assessed(snapshot(**parts), knowledge.load(), prices=price_table.load)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    assessment = cluster()
    assert assessment.cost is not None
    return rows_of(focus.of_a_day(assessment, assessment.cost))


def test_the_rows_of_a_charge_add_up_to_a_day_of_it(rows: list[dict[str, str]]) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["ResourceId"]] += Decimal(row["EffectiveCost"])
    assert sums["i-0a"] == sums["i-0b"] == Decimal("2.304")  # 24 hours of an m5.large
    assert sums["vol-v"] == Decimal("0.328767")  # 100 GB at $0.10 a month of 730 hours
    assert sum(sums.values()) == Decimal("2.304") * 2 + Decimal("0.328767") + Decimal("2.4")


def test_what_is_split_says_how_and_what_is_left_is_not_allocated(rows: list[dict[str, str]]) -> None:
    of_a = [row for row in rows if row["ResourceId"] == "i-0a"]
    split = [row for row in of_a if row["AllocatedMethodId"]]
    left = [row for row in of_a if not row["AllocatedMethodId"]]
    assert {row["AllocatedResourceName"] for row in split} == {"Deployment/keda/keda-operator", "Pod/payments/api"}
    assert all(row["AllocatedResourceId"] and row["AllocatedTags"] for row in split)
    assert not any(row["AllocatedResourceId"] or row["AllocatedMethodDetails"] for row in left)
    (keda,) = (row for row in split if "keda" in row["AllocatedResourceId"])
    (element,) = json.loads(keda["AllocatedMethodDetails"])["Elements"]
    assert element["UsageQuantity"] == pytest.approx(2 * (9 * 0.1 + 1))  # of two pods
    assert element["AllocatedRatio"] == pytest.approx(2 * 1.9 / 26)
    assert json.loads(keda["AllocatedTags"])["addon"] == "keda"


_NEVER_NULL = """
    BilledCost BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory ChargeDescription
    ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost ProviderName PublisherName
    ServiceCategory ServiceName ServiceProviderName HostProviderName
""".split()


def test_it_keeps_the_rules_of_focus(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert all(row[name] for name in _NEVER_NULL), row
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert row["BillingAccountId"] == "123456789012"
        assert bool(row["AllocatedMethodId"]) == bool(row["AllocatedResourceId"])
        if row["PricingQuantity"]:
            product = Decimal(row["PricingQuantity"]) * Decimal(row["ListUnitPrice"])
            assert product == pytest.approx(Decimal(row["ListCost"]), abs=Decimal("1e-9"))
        assert "e" not in (row["PricingQuantity"] + row["EffectiveCost"]).lower()


def test_it_is_read_back_as_a_bill(rows: list[dict[str, str]], tmp_path: Path) -> None:
    assessment = cluster()
    assert assessment.cost is not None
    file = tmp_path / "focus.csv"
    file.write_text(focus.of_a_day(assessment, assessment.cost))
    lines = list(BillFiles((file,)).lines(()))
    assert len(lines) == len(rows)
    assert sum(line.amortized_usd for line in lines) == sum(Decimal(row["EffectiveCost"]) for row in rows)
    assert {line.kind for line in lines} == {LineKind.USAGE}


def test_of_the_command_it_is_the_same_every_time() -> None:
    told = run("cost", "--demo", "-o", "focus").stdout
    assert told == run("cost", "--demo", "-o", "focus").stdout
    assert {row["BillingCurrency"] for row in rows_of(told)} == {"USD"}
    refused = run("cost", "--demo", "-o", "focus", "--shared", "even")
    assert refused.exit_code == 1
