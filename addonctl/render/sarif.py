"""The assessment as SARIF 2.1.0, for code scanners. Pure: an Assessment in, a document out."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from addonctl import __version__
from addonctl.assessment import Assessment
from addonctl.findings import CHECKS, Check
from addonctl.model import Finding, GapReason, Place, Severity
from addonctl.render.commands import fix_text
from addonctl.render.documents import DUE
from addonctl.render.escaping import plain, plain_document, plain_lines
from addonctl.render.intake import gap_detail, is_lost, summary
from addonctl.waivers import Waived

SARIF_LEVELS = {Severity.REQUIRED: "error", Severity.RECOMMENDED: "warning", Severity.INFO: "note"}


def sarif(assessment: Assessment) -> dict[str, Any]:
    """SARIF 2.1.0. Waived findings are included as suppressed; gaps are notifications of the run."""
    found: list[tuple[Finding, Waived | None]] = [(each, None) for each in assessment.findings]
    found += [(waived.finding, waived) for waived in assessment.waived]
    used = {each.code for each, _ in found}
    rules = [code for code in CHECKS if code in used]
    run = {
        "tool": {
            "driver": {
                "name": "addonctl",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(CHECKS[code]) for code in rules],
            }
        },
        "automationDetails": {"id": f"addonctl/{_path(assessment.cluster.name)}/"},
        "invocations": [
            {
                "executionSuccessful": all(gap.reason is not GapReason.BROKEN for gap in assessment.gaps),
                "toolExecutionNotifications": list(_notifications(assessment)),
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(assessment, each, waived, rules.index(each.code)) for each, waived in found],
    }
    document = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    cleaned: dict[str, Any] = plain_document(document)
    return cleaned


_SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def _rule(code: Check) -> dict[str, Any]:
    return {
        "id": code.code,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.why},
        "help": {"text": _message(code.fix)},
        "defaultConfiguration": {"level": SARIF_LEVELS[code.severity]},
        "properties": {"tags": [code.capability.value]},
    }


def _result(assessment: Assessment, found: Finding, waived: Waived | None, rule: int) -> dict[str, Any]:
    cluster = assessment.cluster.name
    seen = "; ".join(f"{item.subject}: {item.detail}" if item.detail else item.subject for item in found.evidence)
    said = f"{found.subject}: {CHECKS[found.code].title}. Seen: {seen.rstrip('.')}. Fix: {fix_text(found)}"
    fingerprint = sha256("\0".join((cluster, found.code, str(found.subject))).encode(errors="replace")).hexdigest()
    logical = [{"fullyQualifiedName": str(found.subject), "kind": "resource"}]
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": SARIF_LEVELS[found.severity],
        "message": {"text": _message(said)},
        "locations": [
            # GitHub rejects results without a file, so a cluster is shown as one.
            {"physicalLocation": place, "logicalLocations": logical}
            for place in [_location(each) for each in assessment.places(found)] or [_at(f"clusters/{_path(cluster)}")]
        ],
        # The second is the key by which GitHub matches results across runs.
        "partialFingerprints": {"addonctl/v1": fingerprint, "primaryLocationLineHash": f"{fingerprint[:16]}:1"},
        "properties": {"due": DUE[found.severity], **({"cause": found.cause} if found.cause else {})},
    }
    if waived is not None:
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": waived.waiver.reason,
                "properties": {"until": waived.waiver.until.isoformat()},
            }
        ]
    return result


def _location(place: Place) -> dict[str, Any]:
    """Where something stands, as GitHub shows it in a pull request: the path in the repository, and the line."""
    path = quote(plain(place.file.removeprefix("./")), safe="/")
    return _at(f"file://{path}" if path.startswith("/") else path, place.line)


def _at(uri: str, line: int = 0) -> dict[str, Any]:
    return {"artifactLocation": {"uri": uri}, "region": {"startLine": line or 1}}


def _notifications(assessment: Assessment) -> Iterator[dict[str, Any]]:
    """The gaps, lost documents first, and what became of the files."""
    for gap in sorted(assessment.gaps, key=lambda gap: not is_lost(gap)):
        fix = f" Grant: {gap.permission}." if gap.permission else ""
        said = _message(f"{gap.part}: {gap.reason.value}: {gap_detail(gap)}.{fix}")
        at = {"locations": [{"physicalLocation": _location(gap.place)}]} if gap.place else {}
        yield {"level": "error" if is_lost(gap) else "warning", "message": {"text": said}, **at}
    if assessment.snapshot.intake is not None:
        yield {"level": "note", "message": {"text": _message(summary(assessment.snapshot.intake, assessment.gaps))}}


def _path(cluster: str) -> str:
    """A cluster's name as one path segment."""
    return quote(plain(cluster), safe="")


def _message(text: str) -> str:
    """A SARIF message: braces are doubled, since single ones are placeholders; no `[text](link)`."""
    return plain_lines(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")
