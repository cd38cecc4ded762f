"""On a terminal of any width every command shows its codes, severities, scores, versions and states whole."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from addonctl.assessment import Assessment
from addonctl.catalog import Catalog
from addonctl.findings import CHECKS
from addonctl.lifecycle import lifecycle as due
from addonctl.render import lifecycle, screen, terminal
from addonctl.render.tables import cell_width
from tests.apps.hostile import poisoned
from tests.apps.terminal import in_process as run
from tests.apps.terminal import in_terminal, shown_in_terminal
from tests.builders import NOW

WIDTHS = (60, 80, 120, 200)


@cache
def document(*arguments: str) -> Any:
    return json.loads(run(*arguments, "-o", "json").stdout)


def words(*arguments: str) -> list[str]:
    """What a command names or judges by: it has to be on the screen, whole."""
    found = document(*arguments)
    listed = [f["code"] for f in found.get("findings", ())] + [f["severity"] for f in found.get("findings", ())]
    listed += [row["version"] for row in found.get("installations", ()) if row["version"]]
    if found["kind"] == "Health":
        listed += [health["health"] for health in found["addons"]]
        listed += [str(health["score"]) for health in found["addons"] if health["score"] is not None]
    if found["kind"] == "Compatibility":
        listed += [cell["version"] for cell in found["cells"] if cell["version"]]
    return list(dict.fromkeys(listed))


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("command", ["analyze", "inventory", "findings", "health", "compat", "deps"])
def test_no_code_severity_score_version_or_state_is_lost_or_cut(command: str, columns: int) -> None:
    shown = in_terminal(columns, command, "--demo").lower()
    missing = [
        word for word in words(command, "--demo") if not re.search(rf"(?<!\S){re.escape(word.lower())}(?!\S)", shown)
    ]
    assert missing == []


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    "arguments",
    [
        ("findings", "explain"),
        ("findings", "explain", "HLT012"),
        ("findings", "--demo", "-o", "wide"),
        ("inventory", "--demo", "-o", "wide"),
        ("health", "--demo", "-o", "wide"),
        ("matrix", "coredns"),
        ("catalog", "list"),
        ("catalog", "versions", "coredns"),
        ("catalog", "check", "coredns", "v1.12.4-eksbuild.18", "--kubernetes", "1.34"),
        ("deps", "coredns", "--demo"),
        ("lifecycle", "--demo"),
        ("lifecycle", "--demo", "-o", "wide"),
    ],
    ids=" ".join,
)
def test_nothing_is_wider_than_the_terminal_but_commands_to_paste(arguments: tuple[str, ...], columns: int) -> None:
    too_wide = [line for line in in_terminal(columns, *arguments).splitlines() if cell_width(line) > columns]
    assert [line for line in too_wide if not re.match(r"\s+(→ |# |kubectl|aws|helm|argocd|flux)", line)] == []


@pytest.mark.parametrize("columns", WIDTHS)
def test_every_code_and_every_version_can_be_read_in_the_lists(columns: int) -> None:
    assert set(CHECKS) <= set(in_terminal(columns, "findings", "explain").split())
    versions = {entry["version"] for entry in document("catalog", "versions", "coredns")["versions"]}
    assert versions <= set(in_terminal(columns, "catalog", "versions", "coredns").split())


def test_a_column_that_is_left_out_is_named() -> None:
    assert "left out: the terminal is too narrow" in " ".join(in_terminal(60, "inventory", "--demo").split())
    assert "left out" not in in_terminal(200, "inventory", "--demo")


def test_long_lines_of_a_finding_go_on_under_its_text() -> None:
    lines = in_terminal(80, "analyze", "--demo").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("REQUIRED"))
    assert lines[start + 1].startswith(" " * 12)


def test_files_that_are_read_are_named_and_counted(tmp_path: Path) -> None:
    deep = tmp_path / ("very-long-name-of-a-folder-" * 3)
    deep.mkdir()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    for path in (tmp_path / "a.json", deep / "b.json"):
        path.write_text(json.dumps(pod))
    shown = in_terminal(80, "inventory", "-f", str(tmp_path))
    told = [part.strip() for part in shown.split("\r") if part.startswith("reading ")]
    assert [line.endswith(end) for line, end in zip(told, ("/a.json (1)", "-/b.json (2)"), strict=True)] == [True, True]
    assert told[1].startswith("reading …")
    assert all(cell_width(line) < 80 for line in told)


def test_every_class_of_disruption_is_said_in_words(catalog: Catalog) -> None:
    classes = {addon.disruption.kind for addon in catalog.addons.values()} - {""}
    assert classes == set(terminal.DISRUPTIONS)
    words = "while it changes, changes of Services take effect late; requests may be lost"
    for addon, said in (("kube-proxy", words), ("coredns", "no request is to be lost")):
        shown, _ = shown_in_terminal(80, "plan", "--demo", addon, "--to", "latest-compatible")
        assert said in " ".join(shown.split())


def test_a_pipe_is_uncut_and_no_line_ends_in_blanks() -> None:
    for command in ("analyze", "inventory", "findings", "health", "compat", "deps", "lifecycle"):
        text = run(command, "--demo").stdout
        assert "…" not in text.replace("… and", "")
        assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_what_a_cluster_calls_its_objects_adds_no_line_and_no_colour(
    everything: Assessment, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line of a report is one that addonctl wrote, however many a name or a message holds."""

    hostile = poisoned(everything, "x\nREQUIRED    HLT001  forged\x1b[31m")
    for report in (terminal.analysis, terminal.inventory, terminal.findings, terminal.health, terminal.compatibility):
        report(hostile, screen.Style(wide=True, waived=True))
    managed = poisoned(due(everything, catalog, NOW), "x\nREQUIRED    HLT001  forged\x1b[31m")
    lifecycle.lifecycle(hostile, managed, screen.Style(wide=True))
    text = capsys.readouterr().out
    assert "forged" in text
    assert not [line for line in text.splitlines() if re.match(r"\W*REQUIRED    HLT001  forged", line)]
    assert "\x1b" not in text


@pytest.mark.parametrize("command", ["analyze", "findings", "health"])
def test_a_long_report_ends_with_its_summary(command: str) -> None:
    said = run(command, "--demo").stdout.partition("\n\nThis is the demo cluster")[0]
    last = said.splitlines()[-1]
    assert re.fullmatch(r"\d+ add-ons; health \d+ of 100 \(\d+ % coverage\); .* (required|recommended|info)", last), (
        last
    )
    assert "; health" not in run(command, "--demo", "--no-headers").stdout


def test_what_all_need_is_said_once_and_what_one_needs_when_it_is_asked_for() -> None:
    text = run("deps", "--demo").stdout
    assert text.count("its pods get their addresses from the pod network") == 1
    order = text.partition("Update in this order:\n")[2].splitlines()
    numbers = [line.split(".")[0].strip() for line in order if line[:4].strip(" .").isdecimal()]
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)] != []
    assert "├─ needs aws-vpc-cni (hard, when it changes): its pods get" in run("deps", "keda", "--demo").stdout
