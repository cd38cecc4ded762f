"""Tables at any width: what names or judges is whole, nothing is wider than the terminal, no line ends in blanks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.render.tables import Cell, Column, Fit, cell_width, cut, lay_out, wrap

COLUMNS = (
    Column("SEVERITY"),
    Column("CODE"),
    Column("SUBJECT", Fit.CUT),
    Column("FINDING", Fit.WRAP),
    Column("EVIDENCE", Fit.WRAP, drop=1),
)
ROW = (
    "recommended",
    "HLT013",
    "PodDisruptionBudget/kube-system/ebs-csi-controller",
    "A PodDisruptionBudget allows no eviction",
    "minAvailable 2 with 2 pods: no pod may be evicted",
)


def lines(width: int | None, *rows: tuple[str, ...]) -> list[str]:
    table = lay_out(COLUMNS, [[Cell(text) for text in row] for row in rows], width)
    return ["".join(cell.text for cell in line) for line in (table.header, *table.lines)]


def test_a_pipe_gets_every_cell_whole_and_no_blanks_at_the_end() -> None:
    header, line = lines(None, ROW)
    assert header.split() == ["SEVERITY", "CODE", "SUBJECT", "FINDING", "EVIDENCE"]
    assert line == "  ".join(ROW)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_what_names_or_judges_is_whole_at_any_width(width: int) -> None:
    shown = lines(width, ROW)
    assert all(cell_width(line) <= width for line in shown)
    assert "recommended  HLT013" in shown[1]
    assert not any(line.endswith(" ") for line in shown)


def test_a_wrapped_cell_goes_on_under_itself() -> None:
    shown = lines(100, ROW)
    column = shown[0].index("FINDING")
    assert shown[1][column:].startswith("A PodDisruptionBudget")
    assert shown[2][:column].strip() == ""
    assert shown[2][column:].strip()


def test_a_column_that_does_not_fit_is_left_out_by_its_number_and_named() -> None:
    table = lay_out(COLUMNS, [[Cell(text) for text in ROW]], 60)
    assert table.dropped == ("EVIDENCE",)
    assert "EVIDENCE" not in "".join(cell.text for cell in table.header)


def test_names_of_rows_are_cut_only_once_nothing_is_left_to_leave_out() -> None:
    columns = (Column("ADD-ON", Fit.LAST), Column("VERSION"), Column("OWNER", Fit.CUT, drop=1))
    row = [Cell("aws-load-balancer-controller"), Cell("v2.17.1"), Cell("helm release kube-system/alb")]

    def shown(width: int) -> tuple[str, tuple[str, ...]]:
        table = lay_out(columns, [row], width)
        return table.lines[0][0].text.rstrip(), table.dropped

    assert shown(60) == ("aws-load-balancer-controller", ()), "the owner is cut"
    assert shown(50) == ("aws-load-balancer-controller", ("OWNER",))
    assert shown(30) == ("aws-load-balancer-co…", ("OWNER",))


def test_columns_that_give_way_share_what_is_short() -> None:
    columns = (Column("SUBJECT", Fit.WRAP), Column("FINDING", Fit.WRAP))
    table = lay_out(columns, [[Cell("x " * 45), Cell("y " * 30)]], 82)
    assert [len(cell.text.strip()) for cell in table.lines[0]] == [39, 39]


def test_a_mark_stays_with_what_it_marks() -> None:
    assert wrap("└ Deployment/external-dns/external-dns", 26) == ["└ Deployment/external-dns/", "external-dns"]


def test_what_is_cut_ends_in_an_ellipsis() -> None:
    assert cut("kube-system/coredns", 12) == "kube-system…"
    assert cut("kube-system", 11) == "kube-system"
    assert cut("日本語の名前", 7) == "日本語…", "signs of two columns count two"


def test_a_long_word_breaks_after_a_sign_that_joins() -> None:
    assert wrap("see Deployment/kube-system/ebs-csi-controller", 20) == [
        "see",
        "Deployment/kube-",
        "system/ebs-csi-",
        "controller",
    ]


TEXT = st.text(st.characters(categories=("L", "N", "P")), max_size=60)
ROWS = st.lists(st.tuples(st.just("required"), st.just("HLT001"), TEXT, TEXT, TEXT), max_size=6)


@given(ROWS, st.integers(60, 200))
def test_nothing_is_wider_than_the_terminal_and_no_row_loses_its_head(rows: list[tuple[str, ...]], width: int) -> None:
    shown = lines(width, *rows)
    assert all(cell_width(line) <= width for line in shown)
    assert sum(line.startswith("required  HLT001") for line in shown) == len(rows)


@given(TEXT.map(lambda text: text + " " + text), st.integers(8, 60))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    wrapped = wrap(text, width)
    assert "".join(wrapped).replace(" ", "") == text.replace(" ", "")
    assert all(cell_width(line) <= width for line in wrapped)
