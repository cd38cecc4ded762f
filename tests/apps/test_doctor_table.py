"""What `doctor` shows: the many rights of a group in few rows, at every width, and how it ended."""

import pytest

from addonctl.render import terminal
from addonctl.render.screen import Style
from tests.apps.terminal import in_process as run
from tests.apps.terminal import in_terminal


def row(what: str, answer: str, detail: str = "", fix: str = "", group: str = "") -> dict[str, str]:
    return {"what": what, "answer": answer, "detail": detail, "fix": fix, "group": group}


ROWS = [
    row("kubeconfig", "yes", "~/.kube/config, context prod"),
    *(row(f"list k{n}", "yes", group="RBAC") for n in range(20)),
    row("list secrets", "no", "without it unknown: helm releases", "Grant it.", "RBAC"),
    row("list configmaps", "no", "without it unknown: helm releases", "Grant it.", "RBAC"),
    row("list nodes", "no", "without it unknown: nodes", "Grant it.", "RBAC"),
    row("ce:GetCostAndUsage", "skipped", "only cost takes it", group="IAM"),
]


def test_rights_with_the_same_answer_are_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.doctor(ROWS, Style())
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["WHAT", "OK", "DETAIL"]
    assert [" ".join(line.split()) for line in rows] == [
        "kubeconfig yes ~/.kube/config, context prod",
        "RBAC: list yes 20 of them (-o wide names each)",
        "RBAC: list no secrets, configmaps, nodes. Grant it.",
        "ce:GetCostAndUsage skipped only cost takes it",
        "",
        "3 of 25 steps failed: a report lacks what they would have read.",
    ]


def test_wide_has_each_and_without_headers_there_are_rows_only(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.doctor(ROWS, Style(wide=True, headers=False))
    assert len(capsys.readouterr().out.splitlines()) == len(ROWS)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_it_fits_every_terminal(columns: int) -> None:
    text = in_terminal(columns, "doctor", "--demo")
    assert all(len(line) <= columns for line in text.splitlines())
    assert "No step failed" in " ".join(text.split())


def test_a_saved_cluster_needs_no_kubeconfig() -> None:
    done = run("doctor", "--demo")
    assert done.returncode == 0
    assert "kubeconfig" not in done.stdout
    assert run("doctor", "--snapshot", "/nowhere.snap").returncode == 1
