"""The assessment as SARIF 2.1.0, for code scanners. Pure: an Assessment in, a document out."""

from hashlib import sha256
from typing import Any
from urllib.parse import quote

from addonctl import __version__
from addonctl.assessment import Assessment
from addonctl.findings import CHECKS, Check
from addonctl.model import Finding, Gap, GapReason, Severity
from addonctl.render.commands import fix_text
from addonctl.render.documents import DUE
from addonctl.render.escaping import plain, plain_document, plain_lines
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
                "toolExecutionNotifications": [_notification(gap) for gap in assessment.gaps],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": [_result(each, waived, assessment.cluster.name, rules.index(each.code)) for each, waived in found],
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


def _result(found: Finding, waived: Waived | None, cluster: str, rule: int) -> dict[str, Any]:
    seen = "; ".join(f"{item.subject}: {item.detail}" if item.detail else item.subject for item in found.evidence)
    said = f"{found.subject}: {CHECKS[found.code].title}. Seen: {seen.rstrip('.')}. Fix: {fix_text(found)}"
    fingerprint = sha256("\0".join((cluster, found.code, str(found.subject))).encode(errors="replace")).hexdigest()
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": SARIF_LEVELS[found.severity],
        "message": {"text": _message(said)},
        "locations": [
            {
                # Not a file, but GitHub rejects results without one.
                "physicalLocation": {
                    "artifactLocation": {"uri": f"clusters/{_path(cluster)}"},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": str(found.subject), "kind": "resource"}],
            }
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


def _notification(gap: Gap) -> dict[str, Any]:
    fix = f" Grant: {gap.permission}." if gap.permission else ""
    return {"level": "warning", "message": {"text": _message(f"{gap.part}: {gap.reason.value}: {gap.detail}.{fix}")}}


def _path(cluster: str) -> str:
    """A cluster's name as one path segment."""
    return quote(plain(cluster), safe="")


def _message(text: str) -> str:
    """A SARIF message: braces are doubled, since single ones are placeholders; no `[text](link)`."""
    return plain_lines(text).replace("{", "{{").replace("}", "}}").replace("](", "] (")
