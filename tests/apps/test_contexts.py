"""Reports on the clusters of all contexts of a kubeconfig, and reports that are watched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.terminal import in_process as run
from tests.apps.terminal import in_terminal, interrupted_in_terminal
from tests.apps.test_everywhere import bare, kubeconfig
from tests.contracts.api_server import running


@pytest.fixture
def two_and_none(tmp_path: Path) -> Iterator[str]:
    """A kubeconfig of two clusters and of one that nobody reaches, between them."""
    with running(bare("v1.34.1")) as one, running(bare("v1.33.5")) as two:
        yield kubeconfig(tmp_path, one=one.url, none="http://127.0.0.1:1", two=two.url)


def test_one_cluster_that_cannot_be_read_stops_no_other(two_and_none: str) -> None:
    done = run("inventory", "--kubeconfig", two_and_none, "--all-contexts")
    assert done.returncode == 1
    text = done.stdout
    assert text.index("CONTEXT one") < text.index("CONTEXT none") < text.index("CONTEXT two")
    assert "Error: http://127.0.0.1:1" in text
    assert [line.split()[:2] for line in text.partition("ALL CONTEXTS")[2].splitlines()[2:]] == [
        ["one", "1.34"],
        ["none", "http://127.0.0.1:1"],
        ["two", "1.33"],
    ]


def test_a_default_context_is_none_of_all(two_and_none: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADDONCTL_CONTEXT", "one")
    done = run("analyze", "--kubeconfig", two_and_none, "--all-contexts", "-o", "json")
    read = {each["context"]: each["report"] for each in json.loads(done.stdout)["contexts"]}
    assert [read[name]["kubernetes"]["running"] for name in ("one", "two")] == ["1.34", "1.33"]


def test_documents_of_all_contexts_are_one(two_and_none: str) -> None:
    done = run("findings", "--kubeconfig", two_and_none, "--all-contexts", "-o", "json")
    document = json.loads(done.stdout)
    assert document["kind"] == "Contexts"
    one, none, two = document["contexts"]
    assert (one["context"], one["report"]["kind"], one["error"]) == ("one", "Findings", "")
    assert (none["report"], none["error"].startswith("http://127.0.0.1:1"), bool(none["fix"])) == (None, True, True)
    assert two["report"]["kubernetes"]["running"] == "1.33"
    rows = run("compat", "--kubeconfig", two_and_none, "--all-contexts", "-o", "csv").stdout.splitlines()
    assert {row.partition(",")[0] for row in rows[1:]} <= {"one", "two"}


def test_all_contexts_have_one_gate(two_and_none: str) -> None:
    gated = run("inventory", "--kubeconfig", two_and_none, "--all-contexts", "--fail-on", "required")
    assert gated.returncode == 1
    assert "could not be judged" in gated.stderr


@pytest.mark.parametrize(
    "options",
    [("--context", "one"), ("--demo",), ("--snapshot", "x.snap"), ("-f", "x.yaml"), ("--eks", "x"), ("-o", "html")],
    ids=" ".join,
)
def test_all_contexts_are_of_a_kubeconfig(two_and_none: str, options: tuple[str, ...]) -> None:
    done = run("analyze", "--kubeconfig", two_and_none, "--all-contexts", *options)
    assert done.returncode == 1
    assert "cannot be used together" in done.stderr


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_clusters_stand_side_by_side_at_every_width(two_and_none: str, columns: int) -> None:
    text = in_terminal(columns, "inventory", "--kubeconfig", two_and_none, "--all-contexts", expected=1)
    lines = text.partition("ALL CONTEXTS")[2].splitlines()
    assert all(len(line) <= columns for line in lines)
    assert any(line.split()[:2] == ["two", "1.33"] for line in lines)


# ── Watching ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_analyze_is_watched_on_a_screen_of_its_own_that_is_given_back() -> None:
    written, code = interrupted_in_terminal(100, "Ctrl-C ends", "analyze", "--demo", "--watch")
    assert code == 0
    assert "Traceback" not in written
    watched, left, after = written.partition("\x1b[?1049l")
    assert left
    assert "more lines below" in watched
    assert "REQUIRED" in watched
    assert "ADD-ONS" in after
    assert "Ctrl-C ends" not in after


def test_only_a_table_on_a_terminal_is_watched() -> None:
    assert "--watch needs a terminal" in run("analyze", "--demo", "--watch").stderr
    assert "-o json and --watch cannot be used" in run("analyze", "--demo", "-w", "-o", "json").stderr
