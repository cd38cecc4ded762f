"""Holds the docs to the program: shell blocks run, generated pages are current, promised keys exist.

python scripts/check_docs.py            # check
python scripts/check_docs.py --write    # write the generated pages anew
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from addonctl.apps.cli import cli
from addonctl.findings import CHECKS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# An output that a page shows is one of a story's.
_SHOWN = re.compile(r"(<!-- (tests/stories/\S+) -->\n```text\n)(.*?)```", re.DOTALL)
# CI runs these by themselves; running them here would run the tests inside the check of the docs.
_RUN_BY_CI = ("make demo", "make test", "make contract-test", "make lint", "make docs")


def commands(page: Path) -> Iterator[list[str]]:
    """What the shell and Python blocks of a page run, but for what CI runs anyhow."""
    for language, body in _BLOCK.findall(page.read_text()):
        if language == "python":
            yield [sys.executable, "-c", body]
            continue
        for line in body.splitlines():
            bare = line.partition("  #")[0].strip()
            if bare and not bare.startswith(_RUN_BY_CI):
                yield ["bash", "-euo", "pipefail", "-c", bare]


def run_blocks() -> list[str]:
    problems = []
    for page in PAGES:
        for command in commands(page):
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
            if done.returncode:
                problems.append(f"{page.relative_to(ROOT)}: {command[-1]!r} failed: {done.stderr[-400:]}")
    return problems


def cli_page() -> str:
    """The help of every command."""
    parts = ["# Commands\n\nGenerated from the program by `scripts/check_docs.py --write`.\n"]

    def describe(command: click.Command, path: str) -> None:
        settings = {"terminal_width": 100, "max_content_width": 100, **cli.context_settings}
        context = click.Context(command, info_name=path, **settings)
        parts.append(f"## {path}\n\n```text\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                if found is not None:
                    describe(found, f"{path} {name}")

    describe(cli, "addonctl")
    return "\n".join(parts)


def findings_page() -> str:
    """The registry of checks."""
    lines = ["# Findings\n", "Generated from the program by `scripts/check_docs.py --write`.\n"]
    for check in CHECKS.values():
        rule = "; ".join([check.severity.value, *(f"{severity.value} if {when}" for severity, when in check.otherwise)])
        aspect = f", {check.aspect.value}" if check.aspect else ""
        lines.append(f"## {check.code}: {check.title}\n\n*{check.capability.value}{aspect}; {rule}.* {check.why}\n")
        lines.append(f"Fix: {check.fix}\n")
    return "\n".join(lines)


GENERATED = {
    ROOT / "docs" / "reference" / "cli.md": cli_page,
    ROOT / "docs" / "reference" / "findings.md": findings_page,
}


def stale() -> list[str]:
    return [
        f"{page.relative_to(ROOT)} is stale: run scripts/check_docs.py --write"
        for page, make in GENERATED.items()
        if not page.exists() or page.read_text() != make()
    ] + [
        f"{page.relative_to(ROOT)} shows what is no longer printed: run scripts/check_docs.py --write"
        for page, text in shown_outputs().items()
        if page.read_text() != text
    ]


def shown_outputs() -> dict[Path, str]:
    """Pages that show an output, with what the story of that name says now."""
    found = {}
    for page in PAGES:
        text = page.read_text()
        if _SHOWN.search(text):
            found[page] = _SHOWN.sub(lambda match: f"{match[1]}{(ROOT / match[2]).read_text()}```", text)
    return found


_DOCUMENTS = (
    "analyze",
    "inventory",
    "findings",
    "health",
    "compat",
    "matrix",
    "deps",
    "lifecycle",
    "upgrade-report",
    "dashboard",
)


def undocumented_keys() -> list[str]:
    """Keys of the JSON interface that docs/reference/json.md does not name."""
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    problems = []
    for command in _DOCUMENTS:
        call = [sys.executable, "-m", "addonctl", command, "--demo", "-o", "json"]
        document: dict[str, Any] = json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)
        listed = (value for value in document.values() if isinstance(value, list) and value)
        keys = {*document, *(key for value in listed if isinstance(value[0], dict) for key in value[0])}
        problems += [f"json.md does not name `{key}` of {command}" for key in sorted(keys) if f"`{key}`" not in page]
    return problems


def main() -> None:
    if "--write" in sys.argv[1:]:
        for page, make in GENERATED.items():
            page.write_text(make())
        for page, text in shown_outputs().items():
            page.write_text(text)
        return
    problems = [*stale(), *undocumented_keys(), *run_blocks()]
    print("\n".join(problems) or f"{len(PAGES)} pages hold")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
