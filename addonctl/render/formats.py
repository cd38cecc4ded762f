"""The assessment as Markdown for tickets, as SARIF for code scanners, as JUnit for build servers.

Pure: an Assessment in, a text or a document out. What comes from a cluster is escaped for each format
(escaping.py). Called by the command line, `-o markdown|sarif|junit`.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from addonctl import __version__
from addonctl.assessment import Assessment
from addonctl.catalog import Answer
from addonctl.findings import CODES, Code, Need
from addonctl.model import Finding, Gap, GapReason, Severity
from addonctl.render import drawing, terminal
from addonctl.render.documents import DUE
from addonctl.render.escaping import markdown_block, markdown_code, plain, plain_document, plain_lines
from addonctl.waivers import Waived

# ── What the formats share ──────────────────────────────────────────────────────────────────────────────────────


def by_severity(findings: Iterable[Finding]) -> list[tuple[Severity, list[Finding]]]:
    """The findings of each severity, the most urgent first; none is left out."""
    listed = list(findings)
    return [(severity, [f for f in listed if f.severity is severity]) for severity in reversed(Severity)]


def minors(assessment: Assessment) -> list[str]:
    """The Kubernetes minors that were checked, the running one first; one that is not known is `running`."""
    checks = next(iter(assessment.compatibility.checks.values()), ())
    return [check.kubernetes or "running" for check in checks]


def unseen(gaps: Iterable[Gap]) -> tuple[list[Gap], list[str]]:
    """(gaps with something to tell, parts that a file simply lacks)."""
    told: list[Gap] = []
    absent: list[str] = []
    for gap in gaps:
        words = gap.part.replace("_", " ")
        if gap.reason is GapReason.NOT_IN_INPUT and words in gap.detail:
            absent.append(words)
        else:
            told.append(gap)
    return told, absent


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────────

# A finding's evidence beyond this is counted; `-o json` has it all.
_EVIDENCE_SHOWN = 10


def markdown(assessment: Assessment) -> str:
    """For tickets and pull requests: the worst first, every text of the cluster as code."""
    parts = (
        _headline, _findings, _compatibility, _health, _dependencies, _inventory, _unseen, _waived, _stale,
    )  # fmt: skip
    return "\n".join(line for part in parts for line in part(assessment)).rstrip() + "\n"


def _headline(assessment: Assessment) -> Iterator[str]:
    cluster, health = assessment.cluster, assessment.health
    demo = " (demo cluster)" if cluster.demo else ""
    yield f"# Add-ons of {markdown_code(cluster.name)}{demo}\n"
    yield f"{_words(terminal.kubernetes_line(assessment.kubernetes))}. As of {assessment.day}.\n"
    counts = ", ".join(f"{len(found)} {severity}" for severity, found in by_severity(assessment.findings))
    score = "unknown" if health.score is None else f"{health.score} of 100"
    yield "| health | of it seen | add-ons | findings | parts not seen |"
    yield "|---|---|---|---|---|"
    yield f"| {score} | {health.coverage} % | {len(assessment.addons)} | {counts} | {len(assessment.gaps)} |\n"


def _findings(assessment: Assessment) -> Iterator[str]:
    yield "## Findings" + (f", new since {_words(assessment.since)}" if assessment.since else "") + "\n"
    if not assessment.findings:
        yield "None.\n"
    for severity, found in by_severity(assessment.findings):
        if found:
            yield f"### {severity.capitalize()}: {DUE[severity]}\n"
        for each in found:
            yield f"**{each.code}** {CODES[each.code].title}: {markdown_code(each.subject)}\n"
            for item in each.evidence[:_EVIDENCE_SHOWN]:
                yield f"- {': '.join(filter(None, (markdown_code(item.subject), markdown_code(item.detail))))}"
            if len(each.evidence) > _EVIDENCE_SHOWN:
                yield f"- … and {len(each.evidence) - _EVIDENCE_SHOWN} more"
            yield f"\n{markdown_block(each.fix)}\n"


def _compatibility(assessment: Assessment) -> Iterator[str]:
    yield "## Compatibility\n"
    rows = [
        (markdown_code(addon.installation.id), *(check.answer.value for check in checks),
         "; ".join(dict.fromkeys(markdown_code(check.reason) for check in checks if check.answer is not Answer.YES)))
        for addon in assessment.addons
        if (checks := assessment.compatibility.checks[addon.installation.id])
    ]  # fmt: skip
    yield from _table(("add-on", *minors(assessment), "why"), rows)


def _health(assessment: Assessment) -> Iterator[str]:
    yield "## Health\n"
    rows = [
        (markdown_code(health.id), health.verdict.value, "unknown" if health.score is None else str(health.score),
         f"{health.coverage} %", markdown_code(health.unknown_reason))
        for health in assessment.health.addons
    ]  # fmt: skip
    yield from _table(("add-on", "verdict", "score", "of it seen", "why unknown"), rows)


def _dependencies(assessment: Assessment) -> Iterator[str]:
    if assessment.dependencies.addons:
        yield "## Dependencies\n"
        yield "An arrow leads to what is needed. Thick: stops with it; thin: cannot change without; dashed: has less.\n"
        yield f"```mermaid\n{drawing.mermaid(assessment.dependencies)}```\n"


def _inventory(assessment: Assessment) -> Iterator[str]:
    yield "## Inventory\n"
    rows = [
        (markdown_code(row.id), markdown_code(row.version or f"unknown: {row.version_unknown_reason}"),
         row.method.value, markdown_code(row.owner), markdown_code(", ".join(row.namespaces)))
        for row in (addon.installation for addon in assessment.addons)
    ]  # fmt: skip
    yield from _table(("add-on", "version", "method", "owner", "namespaces"), rows)
    if assessment.inventory.unrecognised:
        yield "Not recognised:\n"
        for item in assessment.inventory.unrecognised:
            yield f"- {markdown_code(str(item.ref))}: {markdown_code(item.why)}"
        yield ""


def _unseen(assessment: Assessment) -> Iterator[str]:
    told, absent = unseen(assessment.gaps)
    if told or absent:
        yield "## Not seen\n\nWhat depends on it is unknown.\n"
    if told:
        rows = [(markdown_code(g.part), g.reason.value, markdown_code(g.detail), markdown_code(g.permission))
                for g in told]  # fmt: skip
        yield from _table(("part", "reason", "detail", "grant"), rows)
    if absent:
        yield f"Not in the input: {markdown_code(', '.join(absent))}.\n"


def _waived(assessment: Assessment) -> Iterator[str]:
    if assessment.waived:
        yield "## Waived\n"
        rows = [(each.finding.code, markdown_code(each.finding.subject), markdown_code(each.waiver.reason),
                 str(each.waiver.until)) for each in assessment.waived]  # fmt: skip
        yield from _table(("code", "subject", "reason", "until"), rows)


def _stale(assessment: Assessment) -> Iterator[str]:
    if assessment.stale:
        yield "## Old knowledge\n"
        yield from (f"- {_words(note)}" for note in assessment.stale)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(columns)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _words(text: str) -> str:
    """Words of addonctl's own, without what Markdown or HTML would act on."""
    return "".join(f"\\{sign}" if sign in r"\*_{}[]<>#|!&" else sign for sign in plain(text))


# ── SARIF ───────────────────────────────────────────────────────────────────────────────────────────────────────

SARIF_LEVELS = {Severity.REQUIRED: "error", Severity.RECOMMENDED: "warning", Severity.INFO: "note"}


def sarif(assessment: Assessment) -> dict[str, Any]:
    """SARIF 2.1.0. Waived findings are there, suppressed; what was not seen is a notification of the run."""
    found: list[tuple[Finding, Waived | None]] = [(each, None) for each in assessment.findings]
    found += [(waived.finding, waived) for waived in assessment.waived]
    used = {each.code for each, _ in found}
    rules = [code for code in CODES if code in used]
    run = {
        "tool": {"driver": {
            "name": "addonctl", "version": __version__, "semanticVersion": __version__,
            "rules": [_rule(CODES[code]) for code in rules],
        }},
        "automationDetails": {"id": f"addonctl/{_path(assessment.cluster.name)}/"},
        "invocations": [{
            "executionSuccessful": True,
            "toolExecutionNotifications": [_notification(gap) for gap in assessment.gaps],
        }],
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, waived, assessment.cluster.name, rules.index(each.code)) for each, waived in found],
    }  # fmt: skip
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    cleaned: dict[str, Any] = plain_document(document)
    return cleaned


_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.code,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {"text": _message(code.fix)},
        "defaultConfiguration": {"level": SARIF_LEVELS[code.severity]},
        "properties": {"tags": [group_of(code.code)]},
    }


def _result(found: Finding, waived: Waived | None, cluster: str, rule: int) -> dict[str, Any]:
    seen = "; ".join(f"{item.subject}: {item.detail}" if item.detail else item.subject for item in found.evidence)
    said = f"{found.subject}: {CODES[found.code].title}. Seen: {seen.rstrip('.')}. Fix: {found.fix}"
    fingerprint = sha256("\0".join((cluster, found.code, found.subject)).encode(errors="replace")).hexdigest()
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": SARIF_LEVELS[found.severity],
        "message": {"text": _message(said)},
        "locations": [{
            # Not a file, but GitHub takes no result without one.
            "physicalLocation": {
                "artifactLocation": {"uri": f"clusters/{_path(cluster)}"}, "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": found.subject, "kind": "resource"}],
        }],
        # The second is the name by which GitHub knows a result again.
        "partialFingerprints": {"addonctl/v1": fingerprint, "primaryLocationLineHash": f"{fingerprint[:16]}:1"},
        "properties": {"due": DUE[found.severity]},
    }  # fmt: skip
    if waived is not None:
        result["suppressions"] = [{
            "kind": "external", "status": "accepted", "justification": waived.waiver.reason,
            "properties": {"until": waived.waiver.until.isoformat()},
        }]  # fmt: skip
    return result


def _notification(gap: Gap) -> dict[str, Any]:
    fix = f" Grant: {gap.permission}." if gap.permission else ""
    return {"level": "warning", "message": {"text": _message(f"{gap.part}: {gap.reason.value}: {gap.detail}.{fix}")}}


def _path(cluster: str) -> str:
    """A cluster's name as one segment of a path."""
    return quote(plain(cluster), safe="")


def _message(text: str) -> str:
    """A message as SARIF has it: braces doubled, for one alone marks a place to fill; no `[text](link)`."""
    return plain_lines(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")


# ── JUnit ───────────────────────────────────────────────────────────────────────────────────────────────────────

_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "inventory": ("INV",),
        "compatibility": ("EKS", "CMP", "API", "CRD", "SKW"),
        "health": ("HLT",),
        "dependencies": ("DEP",),
        "waivers": ("WVR",),
    }
)


def group_of(code: str) -> str:
    """The capability that makes findings of a code."""
    return next(group for group, prefixes in _GROUPS.items() if code[:3] in prefixes)


def junit(assessment: Assessment) -> str:
    """One suite a capability, one case a code: failed where something is to be done, skipped where nothing was seen."""
    suites = ET.Element("testsuites", {"name": f"addonctl {plain(assessment.cluster.name)}"})
    for group in _GROUPS:
        suite = ET.SubElement(suites, "testsuite", {"name": group, "timestamp": f"{assessment.day}T00:00:00"})
        for code in CODES.values():
            if group_of(code.code) == group:
                _case(suite, code, assessment)
        _count(suite)
    _count(suites)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _case(suite: ET.Element, code: Code, assessment: Assessment) -> None:
    classname = f"addonctl.{plain(assessment.cluster.name)}.{suite.get('name')}"
    case = ET.SubElement(suite, "testcase", {"classname": classname, "name": f"{code.code} {code.title}", "time": "0"})
    found = [each for each in assessment.findings if each.code == code.code]
    failed = [each for each in found if each.severity is not Severity.INFO]
    why_not = "" if found else _not_checked(code, assessment)
    if failed:
        worst = max((each.severity for each in failed), key=lambda severity: severity.rank)
        message = "; ".join(plain(each.subject) for each in failed)
        failure = ET.SubElement(case, "failure", {"type": worst.value, "message": message})
        failure.text = "\n\n".join(map(_told, failed))
    elif why_not:
        ET.SubElement(case, "skipped", {"message": plain(why_not)})
    notes = [_told(each) for each in found if each.severity is Severity.INFO]
    notes += [
        f"waived until {each.waiver.until}: {plain(each.finding.subject)}: {plain(each.waiver.reason)}"
        for each in assessment.waived
        if each.finding.code == code.code
    ]
    if notes:
        ET.SubElement(case, "system-out").text = "\n\n".join(notes)


def _not_checked(code: Code, assessment: Assessment) -> str:
    """Why nothing can be said by a code; empty where it was checked."""
    gaps = {gap.part: gap for gap in assessment.gaps}
    for part in code.parts:
        gap = gaps.get(part) or (gaps.get("eks") if part.startswith("eks:") else None)
        if gap is not None:
            return f"{gap.part}: {gap.reason.value}: {gap.detail}"
    lacks = {
        Need.KUBERNETES: "" if assessment.kubernetes.running else assessment.kubernetes.reason,
        Need.WHOLE_CLUSTER: "a file need not hold what it refers to" if assessment.cluster.source == "files" else "",
        Need.STATE: "no add-on's state was seen" if assessment.addons and assessment.health.score is None else "",
        Need.PROBES: "" if assessment.probes else "not probed",
    }
    return next((lacks[need] for need in code.needs if lacks[need]), "")


def _told(found: Finding) -> str:
    """A finding as the body of a case."""
    seen = [f"  {plain(item.subject)}: {plain(item.detail)}".rstrip(": ") for item in found.evidence]
    fix = plain_lines(found.fix).replace("\n", "\n    ")
    return "\n".join((f"{found.severity.upper()} {plain(found.subject)}", *seen, f"  → {fix}"))


def _count(element: ET.Element) -> None:
    """Writes how many cases there are, and how many of them failed or were skipped."""
    counts = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
    for name, path in counts.items():
        element.set(name, str(len(element.findall(f".//{path}"))))
    element.set("errors", "0")
