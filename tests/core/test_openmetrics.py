"""Costs as OpenMetrics: read back, they are the rows."""

import re
from datetime import UTC, datetime

from addonctl.cost import By, CostRow
from addonctl.render import openmetrics

ROWS = (
    CostRow(name='odd "name"\\', usd_micros=1_500_000, by_kind={"nodes": 1_250_000, "volumes": 250_000}),
    CostRow(name="taxes", usd_micros=-1, by_kind={"other charges": -1}, pool=True),
)
_SAMPLE = re.compile(r'(\w+)\{((?:\w+="(?:[^"\\]|\\.)*",?)+)\} (-?[\d.]+)')


def samples(text: str) -> list[tuple[str, str, str]]:
    """Name, labels and value of each; every other line is a comment, and the last one the end."""
    *lines, end = text.splitlines()
    assert end == "# EOF"
    found = [_SAMPLE.fullmatch(line) for line in lines if not line.startswith("# ")]
    assert all(found), text
    return [(each[1], each[2], each[3]) for each in found if each]


def test_each_kind_of_a_row_is_a_sample_to_the_micro_dollar() -> None:
    values = [value for _, _, value in samples(openmetrics.month("prod", ROWS, By.ADDON))]
    assert values == ["1.250000", "0.250000", "-0.000001"]


def test_what_is_not_known_is_left_out() -> None:
    unknown = CostRow(name="argo-cd", usd_micros=0, by_kind={"nodes": 0}, unasked=3)
    assert "argo-cd" not in openmetrics.month("prod", (*ROWS, unknown), By.ADDON)


def test_labels_are_escaped() -> None:
    text = openmetrics.month("prod", ROWS, By.ADDON)
    assert r'{cluster="prod",addon="odd \"name\"\\",kind="nodes"}' in text


def test_what_was_billed_says_of_which_time() -> None:
    begin, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    found = {name: value for name, _, value in samples(openmetrics.billed("prod", ROWS, By.KIND, begin, end))}
    assert found["addonctl_bill_begin_seconds"] == str(int(begin.timestamp()))
    assert found["addonctl_bill_end_seconds"] == str(int(end.timestamp()))


def test_a_family_says_what_it_is_before_its_samples() -> None:
    first, second, third, *_ = openmetrics.month("prod", ROWS, By.NODE).splitlines()
    assert [line.split()[1] for line in (first, second, third)] == ["HELP", "TYPE", "UNIT"]
    assert third.split()[2].endswith("_usd")
