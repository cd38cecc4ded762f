"""`-o`: several formats at once, files, and what scripts take of a document."""

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.apps.terminal import in_process as run


def test_one_is_printed_and_the_others_go_to_files(tmp_path: Path) -> None:
    sarif, junit = tmp_path / "found.sarif", tmp_path / "found.xml"
    done = run("analyze", "--demo", "-o", "wide", "-o", f"sarif={sarif}", "-o", f"junit={junit}")
    assert done.stdout == run("analyze", "--demo", "-o", "wide").stdout
    assert sarif.read_text() == run("analyze", "--demo", "-o", "sarif").stdout
    assert ElementTree.fromstring(junit.read_text()).tag == "testsuites"


def test_where_all_go_to_files_nothing_is_printed(tmp_path: Path) -> None:
    written = tmp_path / "found.json"
    done = run("findings", "--demo", "-o", f"json={written}")
    assert (done.stdout, done.returncode) == ("", 0)
    assert json.loads(written.read_text())["kind"] == "Findings"


def test_the_gate_fails_and_the_files_are_there_all_the_same(tmp_path: Path) -> None:
    written = tmp_path / "found.sarif"
    assert run("analyze", "--demo", "-o", f"sarif={written}", "--fail-on", "required").returncode == 2
    assert json.loads(written.read_text())["version"] == "2.1.0"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-o", "json", "-o", "yaml"], "json and yaml cannot both be printed"),
        (["-o", "sarif"], "'sarif' is not one of table, wide, json, yaml, name, csv, jsonpath"),
        (["-o", "json="], "'json=' names no file"),
        (["-o", "wide=x.txt"], "-o wide -O x.txt"),
        (["-o", "jsonpath"], "jsonpath needs an expression"),
        (["-o", "jsonpath={.installations[}"], "is not a JSONPath"),
        (["-o", "jsonpath={range .installations[*]}{.id}{end}"], "is a template of kubectl"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: list[str], said: str) -> None:
    done = run("inventory", "--demo", *given)
    assert (done.stdout, done.returncode) == ("", 1)
    assert said in done.stderr


def test_names_are_the_ids_of_the_document() -> None:
    rows = json.loads(run("inventory", "--demo", "-o", "json").stdout)["installations"]
    assert run("inventory", "--demo", "-o", "name").stdout.split() == [row["id"] for row in rows]


def test_a_jsonpath_finds_texts_as_they_are_and_other_values_as_json() -> None:
    document = json.loads(run("findings", "--demo", "-o", "json").stdout)
    codes = run("findings", "--demo", "-o", "jsonpath={.findings[*].code}").stdout
    assert codes.split() == [each["code"] for each in document["findings"]]
    assert run("findings", "--demo", "-o", "jsonpath=$.kubernetes.running").stdout == "1.34\n"
    assert json.loads(run("findings", "--demo", "-o", "jsonpath=cluster").stdout) == document["cluster"]
    assert run("findings", "--demo", "-o", "jsonpath={.nothing}").stdout == ""


@pytest.mark.parametrize(
    ("command", "rows"),
    [
        ("inventory --demo", "installations"),
        ("findings --demo", "findings"),
        ("health --demo", "addons"),
        ("compat --demo", "cells"),
        ("matrix --demo", "cells"),
        ("deps --demo", "edges"),
        ("catalog list", "addons"),
        ("catalog versions coredns", "versions"),
        ("findings explain", "codes"),
    ],
)
def test_csv_has_a_line_a_row_and_the_cells_that_fit_one(command: str, rows: str) -> None:
    document = json.loads(run(*command.split(), "-o", "json").stdout)[rows]
    lines = list(csv.DictReader(io.StringIO(run(*command.split(), "-o", "csv").stdout)))
    assert len(lines) == len(document)
    for line, row in zip(lines, document, strict=True):
        for column, cell in line.items():
            value = row[column]
            assert cell == ("" if value is None else value) or not isinstance(value, str | None)
