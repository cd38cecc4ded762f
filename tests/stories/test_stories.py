"""Whole outputs of the commands that a user runs on five clusters, kept in golden files.

`pytest tests/stories --renew` writes them anew: then read what git shows, line by line, before it is committed. What
a cluster is about is asserted in test_meaning.py, so that no renewed file can lose it.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.apps.terminal import in_process, shown_in_terminal

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """A command line on a cluster, shown in a terminal of so many columns, or written to a pipe if there are none."""

    cluster: str
    line: str
    code: int = 0
    columns: int = 100

    @property
    def file(self) -> Path:
        name = "-".join(word.strip("-") for word in self.line.split())
        return GOLDEN / self.cluster / f"{name}{f'-{self.columns}' if self.columns not in (0, 100) else ''}.txt"


def _cases(cluster: str, target: str, code: str, *more: Case, gate: int) -> tuple[Case, ...]:
    """What is run on every cluster. `gate`: how `--fail-on required` ends; `code`: one of its findings."""
    return (
        Case(cluster, "analyze --fail-on required", gate),
        Case(cluster, "inventory"),
        Case(cluster, "health"),
        Case(cluster, f"compat --target {target}"),
        Case(cluster, "matrix"),
        Case(cluster, "deps"),
        Case(cluster, "lifecycle"),
        Case(cluster, "findings"),
        Case(cluster, f"findings explain {code}"),
        *more,
    )


CASES = (
    *_cases(
        "prod-eu-1",
        "1.36",
        "CMP002",
        Case("prod-eu-1", "inventory -o wide", columns=0),
        Case("prod-eu-1", "analyze -o markdown", columns=0),
        Case("prod-eu-1", "inventory -o json", columns=0),
        Case("prod-eu-1", "deps coredns"),
        Case("prod-eu-1", "cost"),
        Case("prod-eu-1", "cost --by namespace -o csv", columns=0),
        Case("prod-eu-1", "cost explain aws-vpc-cni"),
        Case("prod-eu-1", "cost --bill bill.csv.gz"),
        Case("prod-eu-1", "cost --bill bill.csv.gz --by kind -o csv", columns=0),
        Case("prod-eu-1", "cost -o openmetrics", columns=0),
        Case("prod-eu-1", "plan coredns --to latest-compatible"),
        Case("prod-eu-1", "dashboard", columns=120),
        Case("prod-eu-1", "upgrade-report --target 1.36 -o markdown", columns=0),
        Case("payments", "upgrade-report --target 1.36"),
        Case("payments", "upgrade-report --target 1.35 --fail-on blocker", 2),
        Case("edge-us-2", "upgrade-report --target 1.36"),
        Case("sandbox", "upgrade-report --target 1.36 --fail-on unknown", 2),
        Case("legacy-1", "upgrade-report --target 1.34"),
        Case("legacy-1", "upgrade-report --target 1.34 -o markdown", columns=0),
        Case("payments", "plan --target 1.35", 3),
        Case("payments", "plan --target 1.35 --accept-risk PRE011", 3),
        Case("edge-us-2", "plan kyverno --to 3.8.2", 3),
        Case("edge-us-2", "plan kyverno --to 3.8.2 --accept-risk PRE006"),
        Case("legacy-1", "plan --target 1.33", 3),
        gate=0,
    ),
    *_cases(
        "payments",
        "1.35",
        "HLT005",
        Case("payments", "analyze", columns=60),
        Case("payments", "findings -o json", columns=0),
        Case("payments", "lifecycle -o json", columns=0),
        Case("payments", "lifecycle --fail-on required", 2),
        Case("payments", "compat --target 1.35 --fail-on recommended", 2),
        Case("payments", "health -o wide", columns=0),
        Case("payments", "cost -o wide", columns=0),
        Case("payments", "cost", columns=60),
        Case("payments", "dashboard", columns=80),
        gate=2,
    ),
    *_cases(
        "edge-us-2",
        "1.36",
        "HLT009",
        Case("edge-us-2", "analyze", columns=60),
        Case("edge-us-2", "analyze -o sarif", columns=0),
        Case("edge-us-2", "deps -o mermaid", columns=0),
        Case("edge-us-2", "lifecycle -o wide"),
        Case("edge-us-2", "cost"),
        gate=2,
    ),
    *_cases(
        "sandbox",
        "1.36",
        "INV003",
        Case("sandbox", "analyze -o junit", columns=0),
        Case("sandbox", "analyze -o markdown", columns=0),
        Case("sandbox", "health -o json", columns=0),
        Case("sandbox", "cost -o json", columns=0),
        Case("sandbox", "analyze --fail-on required --allow-gaps"),
        Case("sandbox", "matrix --fail-on unknown", 2),
        gate=1,
    ),
    *_cases(
        "legacy-1",
        "1.33",
        "INV007",
        Case("legacy-1", "findings -o wide", columns=0),
        Case("legacy-1", "findings --only CRD*"),
        gate=2,
    ),
    Case("demo", "dashboard --demo", columns=120),
    Case("demo", "dashboard --demo", columns=60),
    Case("demo", "dashboard --demo", columns=0),
)


def run(case: Case) -> tuple[str, int]:
    """What the command shows, with what it says beside its output."""
    words = shlex.split(case.line)
    itself = words[:2] == ["findings", "explain"] or "--demo" in words
    source = [] if itself else ["--snapshot", f"{case.cluster}.snap"]
    if case.columns:
        return shown_in_terminal(case.columns, *words, *source)
    done = in_process(*words, *source)
    return done.stdout + done.stderr, done.returncode


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.cluster} {case.line} {case.columns}")
def test_the_whole_output_is_as_it_was_read(case: Case, request: pytest.FixtureRequest) -> None:
    text, code = run(case)
    assert code == case.code, text
    if request.config.getoption("--renew"):
        case.file.parent.mkdir(exist_ok=True)
        case.file.write_text(text)
    assert text == case.file.read_text()


def test_the_dashboard_is_one_screen() -> None:
    lines = (GOLDEN / "demo" / "dashboard-demo-120.txt").read_text().splitlines()
    assert len(lines) < 40  # and the prompt
    assert max(map(len, lines)) <= 120


def test_no_golden_file_is_left_over() -> None:
    assert {path for path in GOLDEN.rglob("*") if path.is_file()} == {case.file for case in CASES}
