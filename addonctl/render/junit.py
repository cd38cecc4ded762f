"""The assessment as JUnit XML, for build servers. Pure: an Assessment in, a text out."""

from xml.etree import ElementTree as ET

from addonctl.assessment import Assessment
from addonctl.findings import CHECKS, Capability, Check, Need
from addonctl.model import Finding, Intake, Severity
from addonctl.render.commands import fix_text
from addonctl.render.escaping import plain, plain_lines
from addonctl.render.intake import gap_detail, is_lost, summary, where


def junit(assessment: Assessment) -> str:
    """One suite per capability, one case per code: failed if it has findings, skipped if it was not checked."""
    suites = ET.Element("testsuites", {"name": f"addonctl {plain(assessment.cluster.name)}"})
    for group in (each for each in Capability if each is not Capability.PREFLIGHT):
        suite = ET.SubElement(suites, "testsuite", {"name": group.value, "timestamp": f"{assessment.day}T00:00:00"})
        for code in CHECKS.values():
            if code.capability is group:
                _case(suite, code, assessment)
        _count(suite)
    if assessment.snapshot.intake is not None:
        _count(_files(suites, assessment, assessment.snapshot.intake))
    _count(suites)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _files(suites: ET.Element, assessment: Assessment, intake: Intake) -> ET.Element:
    """What became of the files: one case, and one with an error for each document that was lost."""
    suite = ET.SubElement(suites, "testsuite", {"name": "files", "timestamp": f"{assessment.day}T00:00:00"})
    classname = f"addonctl.{plain(assessment.cluster.name)}.files"
    lost = [gap for gap in assessment.gaps if is_lost(gap)]
    for gap in lost:
        name = plain(where(gap.place)) if gap.place else gap.part
        case = ET.SubElement(suite, "testcase", {"classname": classname, "name": name, "time": "0"})
        ET.SubElement(case, "error", {"type": "lost", "message": plain(gap.detail)})
    case = ET.SubElement(suite, "testcase", {"classname": classname, "name": "what was read", "time": "0"})
    ET.SubElement(case, "system-out").text = plain(summary(intake, assessment.gaps))
    return suite


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
        failure.text = "\n\n".join(_told(assessment, each) for each in failed)
    elif why_not:
        ET.SubElement(case, "skipped", {"message": plain(why_not)})
    notes = [_told(assessment, each) for each in found if each.severity is Severity.INFO]
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
            return f"{gap.part}: {gap.reason.value}: {gap_detail(gap)}"
    lacks = {
        Need.KUBERNETES: "" if assessment.kubernetes.running else assessment.kubernetes.reason,
        Need.WHOLE_CLUSTER: "a file need not contain what it refers to" if assessment.cluster.source == "files" else "",
        Need.STATE: "no add-on's state was read" if assessment.addons and assessment.health.score is None else "",
        Need.PROBES: "" if assessment.probes else "not probed",
    }
    return next((lacks[need] for need in code.needs if lacks[need]), "")


def _told(assessment: Assessment, found: Finding) -> str:
    """The text of a finding in a case."""
    stands = assessment.places(found)
    seen = [f"  {plain(item.subject)}: {plain(item.detail)}".rstrip(": ") for item in found.evidence]
    seen += [f"  in {plain(str(place))}" for place in stands]
    fix = plain_lines(fix_text(found)).replace("\n", "\n    ")
    return "\n".join((f"{found.severity.upper()} {plain(str(found.subject))}", *seen, f"  → {fix}"))


def _count(element: ET.Element) -> None:
    """Sets the numbers of tests, failures, errors and skipped cases."""
    counts = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
    counts["errors"] = "testcase/error"
    for name, path in counts.items():
        element.set(name, str(len(element.findall(f".//{path}"))))
