"""The contract of ports.Bills: one bill in every form that it may come in, and what is no bill."""

import gzip
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from addonctl import ports
from addonctl.adapters.bills import BillFiles, CostExplorer
from addonctl.adapters.bills import rows as bill_rows
from addonctl.cost.bill import ClusterNames
from addonctl.errors import BadInput, Forbidden
from addonctl.model.bill import LineKind
from tests.bills import CLUSTER, Item, a_day, as_csv, cur2_row, cur_row, focus_items, focus_row, sums, write
from tests.eks.conftest import aws as aws_server
from tests.eks.conftest import eks as eks_server
from tests.eks.server import EksServer

aws, eks = aws_server, eks_server
NAMES = ClusterNames(name=CLUSTER)
TAG = f"kubernetes.io/cluster/{CLUSTER}"
Make = Callable[[tuple[Item, ...]], ports.Bills]


def put(server: EksServer, items: tuple[Item, ...]) -> CostExplorer:
    """The items in Cost Explorer, and what asks it for their days."""
    server.state.costs = [
        {
            "day": item.begin.date(),
            "SERVICE": item.service,
            "USAGE_TYPE": item.meter or "NoUsageType",
            "RECORD_TYPE": item.type,
            "AmortizedCost": item.effective,
            "UnblendedCost": item.usd,
            "UsageQuantity": item.quantity,
            "unit": item.unit,
            "currency": item.currency,
            "tags": dict(item.tags),
        }
        for item in items
    ]
    return CostExplorer(None, NAMES.tags, date(2026, 11, 1), date(2026, 11, 8))


@pytest.fixture(params=["cur.csv", "cur.csv.gz", "cur2.csv", "cur2.parquet", "focus.csv", "focus.csv.gz", "ce"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Each form of bill, of any items."""
    name: str = request.param
    if name == "ce":
        server: EksServer = request.getfixturevalue("eks")
        yield lambda items: put(server, items)
        return
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="Parquet takes pyarrow")
    row = {"cur": cur_row, "cur2": cur2_row, "focus": focus_row}[name.partition(".")[0]]

    def made(items: tuple[Item, ...]) -> ports.Bills:
        kept = focus_items(items) if row is focus_row else items
        return BillFiles([write(tmp_path / name, [row(item) for item in kept])])

    yield made


def test_every_amount_of_a_bill_is_read_to_the_last_digit(make: Make) -> None:
    lines = list(make(a_day()).lines(NAMES.tags))
    amortized, unblended = sums(a_day())
    assert sum(line.amortized_usd for line in lines) == amortized == Decimal("20.0480000048")
    assert sum(line.unblended_usd for line in lines) == unblended


def test_what_kind_each_charge_is(make: Make) -> None:
    found: dict[LineKind, Decimal] = {}
    for line in make(a_day()).lines(NAMES.tags):
        found[line.kind] = found.get(line.kind, Decimal(0)) + line.amortized_usd
    found.pop(LineKind.NEGATION, None)
    assert found == {
        LineKind.COVERED: Decimal("1.92"),
        LineKind.USAGE: Decimal("1.2700000048"),
        LineKind.COMMITMENT: Decimal("0.48"),
        LineKind.TAX: Decimal(19),
        LineKind.CREDIT: Decimal(-2),
        LineKind.REFUND: Decimal("-0.622"),
    }


def test_tags_are_those_that_were_asked_for(make: Make) -> None:
    lines = list(make(a_day()).lines(NAMES.tags))
    assert sum(line.amortized_usd for line in lines if NAMES.owns(line)) == Decimal("3.19")
    assert not any(line.tags for line in make(a_day()).lines(()))


def test_another_currency_is_refused_by_name(make: Make) -> None:
    items = a_day()
    mixed = (*items[:-1], replace(items[-1], currency="EUR"))
    with pytest.raises(BadInput, match="EUR"):
        list(make(mixed).lines(NAMES.tags))


def test_spot_and_hours_are_told(make: Make) -> None:
    lines = list(make(a_day()).lines(NAMES.tags))
    spot = [line for line in lines if line.spot]
    assert sum(line.quantity for line in spot) == 24
    assert {line.unit.lower() for line in spot} <= {"hrs", "hours"}


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────


def read(*paths: Path) -> list[object]:
    return list(BillFiles(paths).lines(NAMES.tags))


def test_the_same_bill_twice_is_refused_however_it_is_packed(tmp_path: Path) -> None:
    rows = [cur_row(item) for item in a_day()]
    once, again = write(tmp_path / "a.csv", rows), write(tmp_path / "b.csv.gz", rows)
    with pytest.raises(BadInput, match=r"b\.csv\.gz has the same lines as .*a\.csv"):
        read(once, again)
    with pytest.raises(BadInput, match="the same lines"):
        read(once, once)


def test_parts_of_a_bill_are_one(tmp_path: Path) -> None:
    items = a_day()
    halves = [write(tmp_path / f"{n}.csv", [cur_row(i) for i in items[n::2]]) for n in (0, 1)]
    assert len(read(*halves)) == len(items)


@pytest.mark.parametrize("row", [cur_row, focus_row])
def test_missing_columns_are_named(tmp_path: Path, row: Callable[[Item], dict[str, str]]) -> None:
    gone = "lineItem/UnblendedCost" if row is cur_row else "EffectiveCost"
    path = write(tmp_path / "a.csv", [{k: v for k, v in row(i).items() if k != gone} for i in focus_items(a_day())])
    with pytest.raises(BadInput, match=gone):
        read(path)


def test_columns_of_savings_plans_are_only_needed_where_there_are_any(tmp_path: Path) -> None:
    def without(item: Item) -> dict[str, str]:
        return {name: value for name, value in cur_row(item).items() if not name.startswith("savingsPlan/")}

    with pytest.raises(BadInput, match="savingsPlan/SavingsPlanEffectiveCost"):
        read(write(tmp_path / "a.csv", [without(item) for item in a_day()]))
    plain = [item for item in a_day() if not item.type.startswith("SavingsPlan")]
    assert len(read(write(tmp_path / "b.csv", [without(item) for item in plain]))) == len(plain)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is no bill"),
        (b"name,price\na,1\n", "name, price"),
        (b"\x1f\x8b\x08\x00garbage", "is no whole bill"),
        (b"\xff\xfe\x00b\x00i", "is no whole bill"),
        (b"PAR1garbagePAR1", "is no whole bill"),
    ],
)
def test_what_is_no_bill_is_refused(tmp_path: Path, body: bytes, why: str) -> None:
    path = tmp_path / "bill"
    path.write_bytes(body)
    with pytest.raises(BadInput, match=why):
        read(path)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    whole = as_csv([cur_row(item) for item in a_day()])
    cut, packed = tmp_path / "cut.csv", tmp_path / "cut.csv.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    packed.write_bytes(gzip.compress(whole)[:-20])
    for path in (cut, packed):
        with pytest.raises(BadInput, match="is no whole bill"):
            read(path)


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("lineItem/UnblendedCost", "ten", "UnblendedCost is no number"),
        ("lineItem/UnblendedCost", "NaN", "no amount"),
        ("lineItem/UnblendedCost", "1e999999", "no amount"),
        ("lineItem/UsageStartDate", "yesterday", "UsageStartDate is no time"),
        ("lineItem/LineItemType", "Surprise", "'Surprise' is not known"),
        ("lineItem/CurrencyCode", "", "no currency"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(tmp_path: Path, column: str, value: str, why: str) -> None:
    rows = [cur_row(item) for item in a_day()]
    rows[0][column] = value
    with pytest.raises(BadInput, match=why):
        read(write(tmp_path / "a.csv", rows))


def test_a_bomb_is_left_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bill_rows, "_BEFORE_RATIO", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    row = as_csv([cur_row(a_day()[0])])
    path.write_bytes(gzip.compress(row + row.splitlines(keepends=True)[1] * 30_000))
    with pytest.raises(BadInput, match="unpacks to more than 200 times"):
        read(path)


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(as_csv([cur_row(a_day()[0])]) + b"x" * 2_000_000)
    with pytest.raises(BadInput, match="longer than"):
        read(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BadInput, match="takes pyarrow") as refused:
        read(path)
    assert "addonctl[parquet]" in refused.value.fix


@pytest.mark.parametrize(
    ("name", "lines", "unblended"),
    [
        ("aws_cur_sample.csv.gz", 1281, "1.68230869740"),
        ("focus_sample.csv.gz", 1000, "20.52022672899"),
    ],
)
def test_samples_of_others_are_read_whole(shared_data: Path, name: str, lines: int, unblended: str) -> None:
    found = list(BillFiles([shared_data / "billing" / name]).lines(("environment",)))
    assert len(found) == lines
    assert sum(line.unblended_usd for line in found) == Decimal(unblended)


# ── Cost Explorer ───────────────────────────────────────────────────────────────────────────────────────────────


def test_without_the_permission_it_is_named(eks: EksServer) -> None:
    explorer = put(eks, a_day())
    eks.state.denied = {"GetCostAndUsage"}
    with pytest.raises(Forbidden, match="ce:GetCostAndUsage"):
        list(explorer.lines(NAMES.tags))


def test_all_days_are_asked_for_page_by_page(eks: EksServer) -> None:
    items = tuple(replace(item, hour=item.hour + 24 * day) for day in range(7) for item in a_day() if item.hours < 700)
    lines = list(put(eks, items).lines(NAMES.tags))
    assert sum(line.amortized_usd for line in lines) == sums(items)[0]
    assert {line.begin.date() for line in lines} == {date(2026, 11, 1) + timedelta(days=n) for n in range(7)}
