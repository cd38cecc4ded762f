"""Reports on the clusters of all contexts: one after another, and a line each at the end."""

from collections.abc import Callable, Mapping
from typing import Any

from addonctl.assessment import Assessment
from addonctl.errors import AddonctlError
from addonctl.model import Severity
from addonctl.render.documents import SCHEMA, Document
from addonctl.render.screen import BAD, Style, say, title
from addonctl.render.screen import table as print_table
from addonctl.render.tables import Cell, Column, Fit

Read = Mapping[str, Assessment | AddonctlError]


def document(read: Read, of_one: Callable[[Assessment], Any]) -> Document:
    """`--all-contexts -o json`: for each context its `report`, or null with `error` and `fix`."""
    return {
        "schema": SCHEMA,
        "kind": "Contexts",
        "contexts": [
            {"context": name, "report": None, "error": each.what, "fix": each.fix}
            if isinstance(each, AddonctlError)
            else {"context": name, "report": of_one(each), "error": "", "fix": ""}
            for name, each in read.items()
        ],
    }


def table(read: Read, of_one: Callable[[Assessment], None], style: Style) -> None:
    """Each report under the name of its context, then all of them side by side."""
    for name, each in read.items():
        if style.headers:
            title(f"CONTEXT {name}")
        if isinstance(each, AddonctlError):
            say(f"Error: {each.what}", BAD)
            if each.fix:
                say(f"Fix: {each.fix}")
        else:
            of_one(each)
    if style.headers:
        title("ALL CONTEXTS")
        columns = [Column("CONTEXT", Fit.LAST), Column("KUBERNETES"), Column("ADD-ONS", drop=3), Column("HEALTH")]
        columns.append(Column("COVERAGE", drop=4))
        severities = [Column(each.value.upper(), drop=n) for n, each in enumerate(reversed(Severity))]
        rows = [_row(name, each) for name, each in read.items()]
        print_table([*columns, *severities, Column("NOT READ", Fit.WRAP)], rows)


def _row(name: str, each: Assessment | AddonctlError) -> list[Cell | str]:
    if isinstance(each, AddonctlError):
        return [name, *[""] * (4 + len(Severity)), Cell(each.what, BAD)]
    counts = [sum(found.severity is severity for found in each.findings) for severity in reversed(Severity)]
    health, unread = each.health, sum(not gap.absent for gap in each.gaps)
    return [
        name,
        str(each.kubernetes.running or "?"),
        str(len(each.inventory.installations)),
        "?" if health.score is None else str(health.score),
        f"{health.coverage} %",
        *map(str, counts),
        f"{unread} parts" if unread else "",
    ]
