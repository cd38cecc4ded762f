"""What a person sees: the worst first, one line each, then how to know more. Colour and progress only on a terminal."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from addonctl import ports
from addonctl.assessment import Assessment, KubernetesStatus, Support
from addonctl.catalog import Answer, Catalog, Check
from addonctl.findings import CODES
from addonctl.model import Finding, Gap, GapReason, Severity, Snapshot

if TYPE_CHECKING:
    from rich.console import Console

_COLOUR = {Severity.REQUIRED: "bold red", Severity.RECOMMENDED: "yellow", Severity.INFO: "cyan"}
_ANSWER_COLOUR = {Answer.YES: "green", Answer.NO: "bold red", Answer.UNKNOWN: "dim"}
# Where no terminal says its width, nothing may be cut: the reader is a file or a pipe.
_UNCUT = 100_000
# A finding's evidence beyond this is counted; `-o json` has it all.
_EVIDENCE_SHOWN = 3


def _console(*, err: bool = False) -> "Console":
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, highlight=False, soft_wrap=True, width=None if stream.isatty() else _UNCUT)


def note(text: str) -> None:
    """A line for the person, not for the pipe."""
    print(text, file=sys.stderr)


def progress() -> ports.Progress:
    """A progress line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        return ports.silent

    def show(what: str, done: int, total: int) -> None:
        sys.stderr.write(f"\r\x1b[K{'' if done >= total else f'reading {what} ({done}/{total})'}")
        sys.stderr.flush()

    return show


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, headers: bool = True) -> None:
    """Columns as kubectl prints them. Cells may carry rich's markup through Text."""
    from rich.table import Table

    shown = Table(box=None, show_header=headers, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        shown.add_column(column, no_wrap=True, overflow="ignore")
    for row in rows:
        shown.add_row(*row)
    _console().print(shown, overflow="ignore", no_wrap=True, crop=False)


def _text(text: str, style: str = "") -> Any:
    from rich.text import Text

    return Text(text, style)


# ── analyze and inventory ───────────────────────────────────────────────────────────────────────────────────────


def analysis(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """The report of `addonctl analyze`."""
    console = _console()
    console.print(_text(_headline(assessment), "bold"))
    console.print(_summary(assessment))
    for stale in assessment.stale:
        console.print(_text(f"Note: {stale}.", "yellow"))
    if assessment.findings:
        console.print(_text("\nFINDINGS", "bold"))
        for found in assessment.findings:
            _finding(console, found)
    console.print(_text("\nADD-ONS", "bold"))
    _addons(assessment, wide=wide, headers=headers)
    _unrecognised(assessment)
    gaps(assessment.gaps)
    if assessment.cluster.demo:
        console.print("\nThis is the demo cluster that comes with addonctl. Your own:")
        console.print("addonctl analyze --context YOUR-CONTEXT")


def _headline(assessment: Assessment) -> str:
    status, cluster = assessment.kubernetes, assessment.cluster
    demo = "DEMO  " if cluster.demo else ""
    return f"{demo}{cluster.name}  ·  {kubernetes_line(status)}"


def kubernetes_line(status: KubernetesStatus) -> str:
    """`Kubernetes 1.34, standard support until 2026-12-02`."""
    if not status.running:
        return f"Kubernetes version unknown: {status.reason}"
    if status.support is Support.UNKNOWN or status.ends is None:
        return f"Kubernetes {status.running}, support unknown: {status.reason}"
    if status.support is Support.UNSUPPORTED:
        return f"Kubernetes {status.running}, not supported by EKS since {status.ends}"
    return f"Kubernetes {status.running}, {status.support.value} support on EKS until {status.ends}"


def _summary(assessment: Assessment) -> str:
    counts = dict.fromkeys(reversed(Severity), 0)
    for found in assessment.findings:
        counts[found.severity] += 1
    said = ", ".join(f"{count} {severity.value}" for severity, count in counts.items() if count) or "no findings"
    unseen = f"; {len(assessment.gaps)} parts were not seen (below)" if assessment.gaps else ""
    return f"{len(assessment.addons)} add-ons; {said}{unseen}"


def _finding(console: "Console", found: Finding) -> None:
    line = _text(f"{found.severity.value.upper():<12}", _COLOUR[found.severity])
    line.append(f"{found.code}  {found.subject}: {CODES[found.code].title}", "default")
    console.print(line)
    for item in found.evidence[:_EVIDENCE_SHOWN]:
        console.print(_text(f"            {item.subject}: {item.detail}".rstrip(": "), "dim"))
    if len(found.evidence) > _EVIDENCE_SHOWN:
        console.print(_text(f"            … and {len(found.evidence) - _EVIDENCE_SHOWN} more", "dim"))
    console.print(_text(f"            → {found.mend}"))


def inventory(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    """The table of `addonctl inventory`."""
    _addons(assessment, wide=wide, headers=headers)
    _unrecognised(assessment)
    for found in assessment.inventory.findings:
        _finding(_console(), found)
    gaps(assessment.gaps)


def _addons(assessment: Assessment, *, wide: bool, headers: bool) -> None:
    status = assessment.kubernetes
    columns = ["ADD-ON", "VERSION", status.running or "NOW", status.target or "NEXT", "METHOD", "OWNER", "NAMESPACE"]
    columns += ["WORKLOADS", "CONFIGURATION", "PART OF", "VERSION FROM"] if wide else []
    rows = []
    for addon in assessment.addons:
        row = addon.installation
        part = "  └ " if row.part_of else ""
        cells = [
            f"{part}{row.addon}", row.version or "unknown", _answer(addon.running), _answer(addon.target),
            row.method.value, _owner_name(row.owner), ",".join(row.namespaces) or "-",
        ]  # fmt: skip
        if wide:
            why = next((item.detail for item in row.evidence if item.kind == "version"), row.version_unknown_reason)
            workloads = ",".join(f"{ref.kind}/{ref.name}" for ref in row.workloads)
            cells += [workloads or "-", row.configuration or "-", row.part_of or "-", why]
        rows.append(cells)
    table(columns, rows, headers=headers)


_OWNER_WORDS = ("eks add-on ", "helm release ", "argocd application ", "flux ")


def _owner_name(owner: str) -> str:
    """The owner without the words that the METHOD column says already."""
    for words in _OWNER_WORDS:
        owner = owner.removeprefix(words)
    return owner or "-"


def _answer(check: Check) -> Any:
    return _text(check.answer.value if check.answer is not Answer.UNKNOWN else "?", _ANSWER_COLOUR[check.answer])


def _unrecognised(assessment: Assessment) -> None:
    found = assessment.inventory.unrecognised
    if not found:
        return
    _console().print(_text("\nNOT RECOGNISED (system workloads that are no add-on of the catalogue)", "bold"))
    table(("WORKLOAD", "WHY LISTED", "IMAGES"), [(str(item.ref), item.why, ", ".join(item.images)) for item in found],
          headers=False)  # fmt: skip


def gaps(found: tuple[Gap, ...]) -> None:
    """What was not seen, with what would mend it; parts that a file simply lacks in one line."""
    if not found:
        return
    console = _console()
    console.print(_text("\nNOT SEEN (what depends on it is unknown)", "bold"))
    absent = [gap for gap in found if gap.reason is GapReason.NOT_IN_INPUT and gap.part in gap.detail.replace(" ", "_")]
    for gap in found:
        if gap in absent:
            continue
        mend = f"  → grant: {gap.permission}" if gap.permission else ""
        console.print(f"{gap.part}: {gap.reason.value}: {gap.detail}{mend}", markup=False)
    if absent:
        names = ", ".join(gap.part.replace("_", " ") for gap in absent)
        console.print(f"not in the input: {names}", markup=False)


# ── Snapshots, catalogue, doctor ────────────────────────────────────────────────────────────────────────────────


def snapshot(taken: Snapshot) -> None:
    """What a snapshot holds."""
    from addonctl.apps.documents import snapshot_counts

    console = _console()
    console.print(f"{taken.cluster.name}, taken {taken.taken:%Y-%m-%d %H:%M} UTC, "
                  f"Kubernetes {taken.cluster.kubernetes or 'unknown'}", markup=False)  # fmt: skip
    counts = snapshot_counts(taken)["counts"]
    table(("KIND", "OBJECTS"), [(key.replace("_", " "), str(count)) for key, count in counts.items()])
    gaps(taken.gaps)


def changes(document: Mapping[str, Any]) -> None:
    """What changed between two snapshots."""
    rows = [("+", row["id"], row["version"] or "unknown", row["owner"]) for row in document["added"]]
    rows += [("-", row["id"], row["version"] or "unknown", row["owner"]) for row in document["removed"]]
    rows += [("~", row["id"], f"{row['what']}: {row['old']} → {row['new']}", "") for row in document["changed"]]
    if rows:
        table(("", "INSTALLATION", "VERSION", "OWNER"), rows)
    else:
        _console().print("No add-on changed.")


def catalog_list(known: Catalog, *, headers: bool) -> None:
    """The catalogue, one line an add-on."""
    rows = [
        (addon.id, addon.category, addon.install.eks.name if addon.install.eks else "-",
         ", ".join(chart.name for chart in addon.install.charts) or "-", addon.name)
        for addon in known.addons.values()
    ]  # fmt: skip
    table(("ADD-ON", "CATEGORY", "EKS ADD-ON", "CHARTS", "NAME"), rows, headers=headers)
    note(f"EKS versions as of {known.eks.as_of} ({known.eks.region}); "
         f"{len(known.eks.addons)} EKS add-ons, {len(known.addons)} catalogue entries.")  # fmt: skip


def mapping(document: Mapping[str, Any]) -> None:
    """A document as YAML: what a person reads best when it is deep."""
    from addonctl.apps.documents import dump

    print(dump(document, "yaml"), end="")


def versions(document: Mapping[str, Any], *, headers: bool) -> None:
    """The versions of an add-on that AWS lists."""
    rows = [
        (entry["version"], ",".join(entry["default_for"]) or "-", ",".join(entry["kubernetes"]),
         ",".join(entry["compute_types"]))
        for entry in document["versions"]
    ]  # fmt: skip
    table(("VERSION", "DEFAULT FOR", "KUBERNETES", "COMPUTE"), rows, headers=headers)
    note(f"As of {document['as_of']}: {document['source']}")


def check(found: Check) -> None:
    """One answer of `catalog check`."""
    line = _text(found.answer.value, _ANSWER_COLOUR[found.answer])
    line.append(f"  {found.reason}", "default")
    _console().print(line)
    if found.source:
        note(f"As of {found.as_of}: {found.source}")


def doctor(checks: Iterable[Mapping[str, str]]) -> None:
    """What can be reached."""
    rows = [
        (check["what"], _text(check["answer"], "green" if check["answer"] == "yes" else "bold red"), check["detail"])
        for check in checks
    ]
    table(("WHAT", "OK", "DETAIL"), rows)
