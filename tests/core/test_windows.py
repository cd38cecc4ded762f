"""When changes may begin."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.windows import DAYS, Freeze, Window, closed

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = Window(start=time(22), end=time(4), zone=BERLIN, days=("sat",))
SATURDAY = datetime(2026, 11, 28, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("hours", "open_"),
    [(21.9, False), (22, True), (25, True), (27.9, True), (28, False), (3, False), (46, False)],
    ids=str,
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(hours: float, open_: bool) -> None:
    now = (SATURDAY + timedelta(hours=hours)).astimezone(UTC)
    assert (closed([NIGHTS], [], "prod-eu-1", now) == "") is open_


def test_without_windows_for_a_cluster_changes_may_begin_at_any_time() -> None:
    monday = datetime(2026, 11, 30, 12, tzinfo=UTC)
    of_prod = Window(start=time(1), end=time(2), zone=UTC, cluster="prod-*")
    assert closed([of_prod], [], "staging-1", monday) == ""
    assert "01:00-02:00" in closed([of_prod], [], "prod-eu-1", monday)


def test_a_freeze_closes_windows_and_says_why() -> None:
    freeze = Freeze(start=date(2026, 12, 20), end=date(2027, 1, 4), reason="end of year", cluster="prod-*")
    always = Window(start=time(0), end=time(0), zone=UTC)
    last = datetime(2027, 1, 4, 23, 59, tzinfo=UTC)
    assert closed([always], [freeze], "prod-eu-1", last) == "frozen until 2027-01-04: end of year"
    assert closed([always], [freeze], "prod-eu-1", last + timedelta(minutes=1)) == ""
    assert closed([always], [freeze], "staging-1", last) == ""


@given(st.times(), st.times(), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)))
def test_each_moment_is_in_a_window_or_in_the_one_that_begins_where_it_ends(
    start: time, end: time, now: datetime
) -> None:
    one, other = (Window(start=a, end=b, zone=UTC, days=DAYS) for a, b in ((start, end), (end, start)))
    if start != end:
        assert one.covers(now) is not other.covers(now)
