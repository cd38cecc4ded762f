"""The assessment as JUnit XML, for build servers. Pure: an Assessment in, a text out."""

from xml.etree import ElementTree as ET

from addonctl.assessment import Assessment
from addonctl.findings import CHECKS, Capability, Check, Need
from addonctl.model import Finding, Severity
from addonctl.render.commands import fix_text
from addonctl.render.escaping import plain, plain_lines


def junit(assessment: Assessment) -> str:
    """One suite per capability, one case per code: failed if it has findings, skipped if it was not checked."""
    suites = ET.Element("testsuites", {"name": f"addonctl {plain(assessment.cluster.name)}"})
    for group in (each for each in Capability if each is not Capability.PREFLIGHT):
        suite = ET.SubElement(suites, "testsuite", {"name": group.value, "timestamp": f"{assessment.day}T00:00:00"})
        for code in CHECKS.values():
            if code.capability is group:
                _case(suite, code, assessment)
        _count(suite)
    _count(suites)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _case(suite: ET.Element, code: Check, assessment: Assessment) -> None:
    classname = f"addonctl.{plain(assessment.cluster.name)}.{suite.get('name')}"
    case = ET.SubElement(suite, "testcase", {"classname": classname, "name": f"{code.code} {code.title}", "time": "0"})
    found = [each for each in assessment.findings if each.code == code.code]
    failed = [each for each in found if each.severity is not Severity.INFO]
    why_not = "" if found else _not_checked(code, assessment)
    if failed:
        worst = max((each.severity for each in failed), key=lambda severity: severity.rank)
        message = "; ".join(plain(str(each.subject)) for each in failed)
        failure = ET.SubElement(case, "failure", {"type": worst.value, "message": message})
        failure.text = "\n\n".join(map(_told, failed))
    elif why_not:
        ET.SubElement(case, "skipped", {"message": plain(why_not)})
    notes = [_told(each) for each in found if each.severity is Severity.INFO]
    notes += [
        f"waived until {each.waiver.until}: {plain(str(each.finding.subject))}: {plain(each.waiver.reason)}"
        for each in assessment.waived
        if each.finding.code == code.code
    ]
    if notes:
        ET.SubElement(case, "system-out").text = "\n\n".join(notes)


def _not_checked(code: Check, assessment: Assessment) -> str:
    """Why a code was not checked; empty if it was."""
    for part in code.parts:
        # A gap `eks` covers all of `eks:…`; a gap `part:resource` is one resource of a part that was otherwise read.
        whole = (part, "eks") if part.startswith("eks:") else (part,)
        gap = next((g for g in assessment.gaps if g.part in whole or g.part.startswith(f"{part}:")), None)
        if gap is not None:
            return f"{gap.part}: {gap.reason.value}: {gap.detail}"
    lacks = {
        Need.KUBERNETES: "" if assessment.kubernetes.running else assessment.kubernetes.reason,
        Need.WHOLE_CLUSTER: "a file need not contain what it refers to" if assessment.cluster.source == "files" else "",
        Need.STATE: "no add-on's state was read" if assessment.addons and assessment.health.score is None else "",
        Need.PROBES: "" if assessment.probes else "not probed",
    }
    return next((lacks[need] for need in code.needs if lacks[need]), "")


def _told(found: Finding) -> str:
    """The text of a finding in a case."""
    seen = [f"  {plain(item.subject)}: {plain(item.detail)}".rstrip(": ") for item in found.evidence]
    fix = plain_lines(fix_text(found)).replace("\n", "\n    ")
    return "\n".join((f"{found.severity.upper()} {plain(str(found.subject))}", *seen, f"  → {fix}"))


def _count(element: ET.Element) -> None:
    """Sets the numbers of tests, failures and skipped cases."""
    counts = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
    for name, path in counts.items():
        element.set(name, str(len(element.findall(f".//{path}"))))
    element.set("errors", "0")
