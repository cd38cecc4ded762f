"""Markdown, SARIF and JUnit: whole, countable, valid, and harmless whatever a cluster holds."""

import json
import re
from dataclasses import fields, replace
from time import process_time
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from markdown_it import MarkdownIt

from addonctl.apps.wiring import catalog
from addonctl.assessment import Assessment
from addonctl.ecosystem import ecosystem
from addonctl.findings import CHECKS, Capability, finding
from addonctl.model import Gap, GapReason, ObjectRef, Severity, Snapshot, View
from addonctl.model.forecast import Unknown
from addonctl.render import documents
from addonctl.render.commands import fix_text
from addonctl.render.escaping import markdown_block, markdown_code, plain, plain_lines
from addonctl.render.junit import junit
from addonctl.render.markdown import markdown
from addonctl.render.sarif import sarif
from tests import builders
from tests.judging import assessed

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff\ufffe\uffff]")


@pytest.fixture(scope="module")
def small() -> Assessment:
    """Two add-ons of a small cluster; nodes and pods were not read."""
    gaps = (Gap(part="pods", reason=GapReason.FORBIDDEN, detail="403", permission="list pods"),)
    workloads = (
        builders.workload(
            "coredns",
            "registry.example/coredns/coredns:v1.11.4",
            namespace="kube-system",
            desired=2,
            ready=1,
            available=1,
        ),
        builders.workload(
            "cert-manager", "registry.example/jetstack/cert-manager-controller:v1.20.0", desired=1, ready=1, available=1
        ),
    )
    return assessed(builders.snapshot(workloads=workloads, gaps=gaps), builders.small_catalog())


# ── Text ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example\x07link\x1b]8;;\x07", "link"),
        ("a\nb\tc\r\nd", "a b c d"),
        ("a\x00b\x9bc\u202ed\u200be", "a�b�c�d�e"),
        ("lone \ud800", "lone �"),
        ("ünïcödé 名前 🙂", "ünïcödé 名前 🙂"),
    ],
)
def test_plain_text_is_one_line_that_hides_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_the_lines_of_a_fix_stay_lines() -> None:
    assert plain_lines("one  # first\x1b[2J; then\ntwo") == "one  # first; then\ntwo"


@pytest.mark.parametrize(
    "text", ["a", "`", "``", "a`b``c", "`a", "a`", "a|b", "a\\|b", "|`|", "a\\", "*_[x](y)_*", "<b>"]
)
def test_code_spans_show_exactly_their_text_even_in_a_table(text: str) -> None:
    rendered = _renderer().render(f"| x |\n|---|\n| {markdown_code(text)} |\n")
    cell = ET.fromstring(rendered).find("tbody/tr/td")
    assert cell is not None
    assert "".join(cell.itertext()) == text


def test_a_block_cannot_be_closed_from_within() -> None:
    tokens = _renderer().parse(markdown_block("````\n# no heading"))
    assert [token.type for token in tokens] == ["fence"]


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────


def _renderer() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def test_markdown_has_every_finding_with_its_fix(everything: Assessment) -> None:
    text = markdown(everything)
    for found in everything.findings:
        assert f"**{found.code}** {CHECKS[found.code].title}: {markdown_code(str(found.subject))}" in text
        assert fix_text(found) in text
    for waived in everything.waived:
        assert f"| {waived.finding.code} | {markdown_code(str(waived.finding.subject))} | `until the move` |" in text
    assert "| `leases` | forbidden | `403` | `list leases.coordination.k8s.io` |" in text
    assert "Not in the input: `quotas`." in text


def test_markdown_of_a_hostile_cluster_holds_code_and_nothing_else(hostile: Assessment) -> None:
    text = markdown(hostile)
    assert not _CONTROL.search(text)
    tokens = _renderer().parse(text)
    inline = [child for token in tokens for child in token.children or ()]
    assert "html_block" not in {token.type for token in tokens}
    assert {child.content for child in inline if child.type == "html_inline"} <= {"<code>", "</code>"}
    assert not {"link_open", "image"} & {child.type for child in inline}
    in_code = False
    for child in inline:
        in_code = child.content == "<code>" if child.type == "html_inline" else in_code
        assert in_code or child.type == "code_inline" or "@" not in child.content
    assert sum(token.type == "fence" for token in tokens) == len(hostile.findings) + 1


def test_the_tables_of_a_hostile_cluster_have_their_columns(hostile: Assessment) -> None:
    rows: list[int] = []
    wanted = 0
    for token in _renderer().parse(markdown(hostile)):
        wanted = 0 if token.type == "thead_open" else wanted + (token.type == "th_open")
        if token.type == "tr_open":
            rows.append(0)
        rows[-1:] = [rows[-1] + (token.type in ("td_open", "th_open"))] if rows else []
        if token.type == "tr_close":
            assert rows[-1] == wanted
    assert len(rows) > 3 * len(hostile.addons)


def test_markdown_of_a_small_cluster_is_this(small: Assessment) -> None:
    text = markdown(replace(small, dependencies=replace(small.dependencies, addons=())))
    assert text.splitlines()[:9] == [
        "# Add-ons of `prod-eu-1`",
        "",
        "Kubernetes 1.34, standard support on EKS until 2026-12-02. As of 2026-11-24.",
        "",
        "| health | coverage | add-ons | findings | parts not read |",
        "|---|---|---|---|---|",
        f"| {small.health.score} of 100 | {small.health.coverage} % | 2 | "
        f"{', '.join(f'{sum(f.severity is s for f in small.findings)} {s}' for s in reversed(Severity))} | 1 |",
        "",
        "## Findings",
    ]
    assert "## Dependencies" not in text
    assert text.endswith("| `pods` | forbidden | `403` | `list pods` |\n")


def test_a_quiet_cluster_says_so() -> None:
    nothing = assessed(builders.snapshot(), builders.small_catalog())
    assert "## Findings\n\nNone.\n" in markdown(replace(nothing, findings=()))


# ── SARIF ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": required | optional,
        "additionalProperties": False,
    }


_TEXT = {"type": "string", "minLength": 1}
_MESSAGE = _object({"text": _TEXT})
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_BAG = {"type": "object"}
# The part of SARIF 2.1.0 that is used here, with the names, types and required keys of its schema.
_SARIF = _object({
    "$schema": {"type": "string", "pattern": r"/sarif-schema-2\.1\.0\.json$"},
    "version": {"const": "2.1.0"},
    "runs": {"type": "array", "minItems": 1, "maxItems": 1, "items": _object({
        "tool": _object({"driver": _object({
            "name": {"const": "addonctl"}, "version": _TEXT,
            "semanticVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
            "rules": {"type": "array", "uniqueItems": True, "items": _object({
                "id": {"type": "string", "pattern": "^[A-Z]{3}[0-9]{3}$"}, "shortDescription": _MESSAGE,
                "fullDescription": _MESSAGE, "help": _MESSAGE, "defaultConfiguration": _object({"level": _LEVEL}),
                "properties": _BAG,
            })},
        })}),
        "results": {"type": "array", "items": _object(
            {
                "ruleId": _TEXT, "ruleIndex": {"type": "integer", "minimum": 0}, "level": _LEVEL, "message": _MESSAGE,
                "locations": {"type": "array", "minItems": 1, "items": _object({
                    "physicalLocation": _object({
                        "artifactLocation": _object({"uri": {"type": "string", "pattern": r"^clusters/[\w%.~-]+$"}}),
                        "region": _object({"startLine": {"const": 1}}),
                    }),
                    "logicalLocations": {"type": "array", "minItems": 1, "items": _object({
                        "fullyQualifiedName": _TEXT, "kind": {"const": "resource"},
                    })},
                })},
                "partialFingerprints": {"type": "object", "additionalProperties": _TEXT},
            },
            properties=_BAG,
            suppressions={"type": "array", "minItems": 1, "items": _object({
                "kind": {"enum": ["inSource", "external"]}, "status": {"const": "accepted"}, "justification": _TEXT,
            }, properties=_BAG)},
        )},
        "automationDetails": _object({"id": {"type": "string", "pattern": "^addonctl/[^/]+/$"}}),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "invocations": {"type": "array", "items": _object({
            "executionSuccessful": {"type": "boolean"},
            "toolExecutionNotifications": {"type": "array", "items": _object({"message": _MESSAGE, "level": _LEVEL})},
        })},
    })},
})  # fmt: skip


@pytest.mark.parametrize("name", ["demo", "everything", "hostile", "small"])
def test_sarif_has_the_structure_of_its_schema(name: str, request: pytest.FixtureRequest) -> None:
    document = sarif(request.getfixturevalue(name))
    jsonschema.validate(document, _SARIF)
    run = document["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert set(rules) == {result["ruleId"] for result in run["results"]}


def test_sarif_has_every_finding_and_suppresses_the_waived(everything: Assessment) -> None:
    results = sarif(everything)["runs"][0]["results"]
    open_results = [result for result in results if "suppressions" not in result]
    assert [result["ruleId"] for result in open_results] == [found.code for found in everything.findings]
    for result, found in zip(open_results, everything.findings, strict=True):
        assert result["level"] == {"required": "error", "recommended": "warning", "info": "note"}[found.severity]
        assert all(item.detail.replace("{", "{{") in result["message"]["text"] for item in found.evidence)
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == str(found.subject)
    assert everything.waived
    assert [result["suppressions"][0]["justification"] for result in results if "suppressions" in result] == [
        "until the move"
    ] * len(everything.waived)


def test_sarif_tells_what_was_not_seen(everything: Assessment) -> None:
    notes = sarif(everything)["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"].partition(":")[0] for note in notes] == ["leases", "eks", "quotas"]
    assert "Grant: list leases.coordination.k8s.io." in notes[0]["message"]["text"]


def test_a_document_that_could_not_be_read_leaves_sarif_incomplete(everything: Assessment) -> None:
    assert sarif(everything)["runs"][0]["invocations"][0]["executionSuccessful"] is True
    broken = Gap(part="documents", reason=GapReason.BROKEN, detail="b.yaml: no YAML")
    seen = replace(everything, view=View(replace(everything.snapshot, gaps=(broken,))))
    invocation = sarif(seen)["runs"][0]["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "b.yaml" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_fingerprints_stay_when_only_the_evidence_changes(demo: Assessment) -> None:
    def fingerprints(assessment: Assessment) -> list[str]:
        results = sarif(assessment)["runs"][0]["results"]
        return [result["partialFingerprints"]["addonctl/v1"] for result in results]

    later = replace(demo, findings=tuple(replace(found, evidence=()) for found in demo.findings))
    named = replace(demo.cluster, name="prod-eu-2")
    elsewhere = replace(demo, view=View(replace(demo.snapshot, cluster=named)))
    assert fingerprints(later) == fingerprints(demo)
    assert not set(fingerprints(elsewhere)) & set(fingerprints(demo))
    assert len(set(fingerprints(demo))) == len({(found.code, found.subject) for found in demo.findings})


def test_sarif_messages_hold_no_link_no_placeholder_and_no_control_character(hostile: Assessment) -> None:
    document = sarif(hostile)
    assert not _CONTROL.search(json.dumps(document, ensure_ascii=False))
    run = document["runs"][0]
    messages = [result["message"]["text"] for result in run["results"]]
    messages += [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    for message in messages:
        assert "](" not in message
        assert not re.search(r"(?<!\{)\{(\{\{)*\d", message)
        assert "<script>" in message  # shown, not dropped: JSON needs no more


# ── JUnit ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_code_has_a_group_and_looks_at_parts_that_there_are() -> None:
    assert {check.capability for check in CHECKS.values()} == set(Capability)
    parts = {part for code in CHECKS.values() for part in code.parts if not part.startswith(("eks:", "ec2:"))}
    assert parts <= {field.name for field in fields(Snapshot)}


def test_junit_has_one_case_a_code_and_counts_them(everything: Assessment) -> None:
    root = ET.fromstring(junit(everything))
    cases = root.findall("testsuite/testcase")
    of_a_cluster = (code for code, check in CHECKS.items() if check.capability is not Capability.PREFLIGHT)
    assert sorted(case.get("name", "")[:6] for case in cases) == sorted(of_a_cluster)
    for element in (root, *root.findall("testsuite")):
        for count, path in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            assert int(element.get(count, "")) == len(list(element.iter(path)))
    assert [suite.get("name") for suite in root][:4] == ["inventory", "compatibility", "dependencies", "health"]


def test_junit_fails_what_is_to_be_done_and_only_that(everything: Assessment) -> None:
    root = ET.fromstring(junit(everything))
    failed = {case.get("name", "")[:6] for case in root.iter("testcase") if case.find("failure") is not None}
    assert failed == {found.code for found in everything.findings if found.severity is not Severity.INFO}
    said = "".join(root.itertext())
    for found in everything.findings:
        assert f"{found.severity.upper()} {found.subject}" in said
        assert all(line in said for line in fix_text(found).splitlines())
    for waived in everything.waived:
        assert f"waived until 2027-01-31: {waived.finding.subject}: until the move" in said


def test_junit_skips_what_was_not_seen(everything: Assessment, small: Assessment) -> None:
    def skipped(assessment: Assessment) -> dict[str, str]:
        cases = ET.fromstring(junit(assessment)).iter("testcase")
        marks = ((case.get("name", "")[:6], case.find("skipped")) for case in cases)
        return {code: mark.get("message", "") for code, mark in marks if mark is not None}

    assert skipped(everything)["HLT016"] == "leases: forbidden: 403"
    assert skipped(everything)["EKS007"] == "eks:insights: forbidden: denied"
    assert skipped(everything)["HLT020"] == "not probed"
    assert {"HLT001", "HLT002", "HLT003", "HLT004"} <= skipped(small).keys()
    nameless = assessed(builders.snapshot(cluster=replace(small.cluster, kubernetes="", source="files")), catalog())
    assert {"CMP001", "EKS003", "SKW001", "DEP003", "DEP004"} <= skipped(nameless).keys()


def test_one_resource_that_could_not_be_read_passes_no_case(demo: Assessment) -> None:
    part = "custom_resources:certificates.cert-manager.io"
    gap = Gap(part=part, reason=GapReason.FORBIDDEN, detail="403")
    seen = replace(demo, findings=(), view=View(replace(demo.snapshot, gaps=(gap,))))
    cases = {case.get("name", "")[:6]: case for case in ET.fromstring(junit(seen)).iter("testcase")}
    skipped = cases["HLT018"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == f"{part}: forbidden: 403"


def test_junit_of_a_hostile_cluster_parses_and_shows_the_attack_as_text(hostile: Assessment) -> None:
    text = junit(hostile)
    assert not _CONTROL.search(text)
    root = ET.fromstring(text.encode())
    assert not list(root.iter("script"))
    assert any("]]>" in (failure.text or "") for failure in root.iter("failure"))


# ── Size ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_documents_take_linear_time(everything: Assessment) -> None:
    def seconds(count: int) -> float:
        subjects = (ObjectRef.of("Deployment", f"web-{n}", "shop") for n in range(count))
        many = replace(everything, findings=tuple(finding("HLT005", each) for each in subjects))
        began = process_time()
        document = documents.analysis_document(many, ecosystem(many, Unknown("not asked for")))
        assert len(document["recommendations"]) == count
        markdown(many)
        return process_time() - began

    few, many = (min(seconds(count) for _ in range(3)) for count in (250, 2000))
    assert many < 8 * few * 3, "eight times as many took more than thrice eight times as long"
