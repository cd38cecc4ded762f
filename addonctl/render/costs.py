"""What a cluster costs: by what was asked for, what an add-on's cost is made of, what changed. Also as JSON and CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from addonctl.assessment import Assessment
from addonctl.cost import By, CostRow, Estimate, Part, Sharing, Standing, parts_of
from addonctl.model.cost import HOURS_PER_MONTH, Amount, Charge, ClusterCost, CostKind, Share
from addonctl.render.documents import Document, envelope, plain
from addonctl.render.drawing import labels
from addonctl.render.screen import BAD, FAIR, GOOD, QUIET, Style, counted, print_line, say, table, title
from addonctl.render.tables import Cell, Column, Fit

_HEADERS = {By.ADDON: "ADD-ON", By.CATEGORY: "CATEGORY", By.NAMESPACE: "NAMESPACE", By.NODE: "NODE", By.KIND: "KIND"}
_GIB, _MIB = 2**30, 2**20
_NAMED = 5


def usd(micros: int, *, signed: bool = False) -> str:
    """Micro-dollars in dollars: `1,080.47`, and `<0.01` where cents would say nothing."""
    if 0 < abs(micros) < 5_000:
        return f"{'-' if micros < 0 else '+' if signed else ''}<0.01"
    return f"{micros / 1_000_000:{'+' if signed else ''},.2f}"


def change(micros: int) -> str:
    """Micro-dollars more or less, in dollars: `+$1.79`, `-$0.40`."""
    return f"{'-' if micros < 0 else '+'}${usd(abs(micros))}"


def cpu(millicores: int) -> str:
    """As Kubernetes writes it: 250m, 2.5."""
    return f"{millicores}m" if millicores < 1000 else f"{millicores / 1000:.4g}"


def memory(size: int) -> str:
    """As Kubernetes writes it: 128Mi, 1.5Gi."""
    return f"{size / _MIB:.4g}Mi" if size < _GIB else f"{size / _GIB:.4g}Gi"


# ── addonctl cost ───────────────────────────────────────────────────────────────────────────────────────────────


def cost(assessment: Assessment, rows: Sequence[CostRow], by: By, style: Style) -> None:
    """The table of `addonctl cost`, then what it rests on and what it does not know."""
    whole = _cost_of(assessment)
    if style.headers:
        demo = "DEMO  " if assessment.cluster.demo else ""
        total, add_ons = totals(whole)
        say(f"{demo}{assessment.cluster.name}  ·  {total} a month at list price", "bold")
        say(f"add-ons {add_ons}; a month is {HOURS_PER_MONTH} hours, as it runs now")
        print_line()
    rows_table(rows, by, style)
    if style.headers:
        _notes(whole, style)


def totals(whole: ClusterCost) -> tuple[str, str]:
    """What all costs, and what add-ons cost; what has no figure makes a sum unknown, or the least that it is."""
    mine = [share for share in whole.shares if share.installation and share.is_known]
    nodes = any(charge.kind is CostKind.NODE for charge in whole.unknown)
    open_ = nodes or any(share.unasked for share in mine) or any(charge.installation for charge in whole.unknown)
    known = any(charge.usd_micros is not None for charge in whole.charges)
    return (
        _sum(whole.usd_micros, known=known, whole=not whole.unknown),
        _sum(sum(share.usd_micros for share in mine), known=bool(mine) or not open_, whole=not open_),
    )


def _sum(micros: int, *, known: bool, whole: bool) -> str:
    return f"{'' if whole else 'at least '}${usd(micros)}" if known else "unknown"


def rows_table(rows: Sequence[CostRow], by: By, style: Style, money: str = "$/MONTH") -> None:
    """One line a row, `money` above its figure."""
    named = labels(row.name for row in rows) if by is By.ADDON else {}
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.by_kind)) if style.wide else []
    asks = any(row.cpu_millicores for row in rows)
    columns = [Column(_HEADERS[by], Fit.LAST), Column(money)]
    columns += [Column("CPU", drop=2), Column("MEMORY", drop=1)] if asks else []
    columns += [Column(f"{kind.upper()} $", drop=3 + n) for n, kind in enumerate(kinds)]
    columns += [Column("NOT KNOWN", Fit.WRAP, drop=9)] if any(row.unknown for row in rows) else []
    lines = (
        [
            Cell(str(named.get(row.name, row.name)), QUIET if row.pool else ""),
            Cell(figure(row), QUIET if row.pool else ""),
            *((cpu(row.cpu_millicores) if row.cpu_millicores else "-",) if asks else ()),
            *((memory(row.memory_bytes) if row.memory_bytes else "-",) if asks else ()),
            *(usd(row.by_kind[kind]) if row.by_kind.get(kind) else "-" for kind in kinds),
            *((_what(row.unknown),) if any(each.unknown for each in rows) else ()),
        ]
        for row in rows
        if row.usd_micros or row.unknown or row.unasked or row.unpriced
    )
    table(columns, lines, headers=style.headers)


def figure(row: CostRow) -> str:
    """A dollar figure; `unknown` where nothing of it is known, and `≥` where some of it is not."""
    if not row.is_known:
        return "unknown"
    return f"{'≥' if row.is_partial else ''}{usd(row.usd_micros)}"


def _what(charges: Iterable[Charge]) -> str:
    return ", ".join(dict.fromkeys(charge.what for charge in charges)) or "-"


def _notes(whole: ClusterCost, style: Style) -> None:
    """What the figures rest on: where prices are from, what is estimated, what has no figure, who asks for nothing."""
    print_line()
    estimates = dict.fromkeys(charge.estimated for charge in whole.charges if charge.estimated)
    for why in estimates:
        about = dict.fromkeys(charge.kind.value for charge in whole.charges if charge.estimated == why)
        say(f"{', '.join(about)}: {why}", QUIET, first="estimated: ")
    for kind, why, charges in _unknown(whole):
        many = f" ({len(charges)})" if len(charges) > 1 else ""
        say(f"{kind}, {_what(charges)}{many}: {why}", FAIR, first="not known: ")
    free = [share for share in whole.shares if share.unasked]
    if free:
        few = counted(len(free), "pod")
        say(f"{few} of {_whose(free)} request neither CPU nor memory: not known what they cost.", FAIR)
    sources = dict.fromkeys(charge.source for charge in whole.charges if charge.source)
    for source in sources if style.wide else ():
        say(source, QUIET, first="price: ")


def _whose(shares: Iterable[Share]) -> str:
    """The add-ons of some shares, by name, so many that they fit."""
    ids = dict.fromkeys(share.installation for share in shares)
    named = [str(each) for each in labels(filter(None, ids)).values()] + (["other workloads"] if "" in ids else [])
    more = len(named) - _NAMED
    return ", ".join(named[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _unknown(whole: ClusterCost) -> Iterator[tuple[str, str, list[Charge]]]:
    """Charges without a figure, together where they are of one kind and for one reason."""
    together: dict[tuple[str, str], list[Charge]] = {}
    for charge in whole.unknown:
        together.setdefault((charge.kind.value, charge.unknown), []).append(charge)
    yield from ((kind, why, charges) for (kind, why), charges in together.items())


def cost_document(assessment: Assessment, rows: Sequence[CostRow], by: By) -> Document:
    """`addonctl cost -o json`: `usd_micros` are micro-dollars a month."""
    whole = _cost_of(assessment)
    return {
        **envelope(assessment, "Cost"),
        "hours_per_month": HOURS_PER_MONTH,
        "usd_micros": whole.usd_micros,
        "by": by.value,
        "rows": plain(rows),
        "charges": plain(whole.charges),
    }


def cost_csv(rows: Sequence[CostRow], by: By, money: str = "usd_per_month") -> str:
    """`addonctl cost -o csv`: a line a row, in dollars to the micro-dollar; an empty figure is not known."""
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.by_kind))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            by.value,
            money,
            "cpu_millicores",
            "memory_bytes",
            "pods_without_requests",
            *(f"usd: {kind}" for kind in kinds),
        ]
    )
    for row in rows:
        figures = [exact(row.by_kind.get(kind)) for kind in kinds]
        total = row.usd_micros if row.is_known else None
        writer.writerow([row.name, exact(total), row.cpu_millicores, row.memory_bytes, row.unasked, *figures])
    return out.getvalue()


def exact(micros: int | None) -> str:
    """Dollars to the micro-dollar; empty for what is not known."""
    if micros is None:
        return ""
    return f"{'-' if micros < 0 else ''}{abs(micros) // 1_000_000}.{abs(micros) % 1_000_000:06}"


# ── addonctl cost explain ───────────────────────────────────────────────────────────────────────────────────────


def explained(
    assessment: Assessment,
    name: str,
    parts: Sequence[Part],
    unknown: Sequence[Charge],
    how: Sharing,
    stands: Standing | None,
) -> None:
    """What an add-on's cost is made of, the dearest first, each with its price and what it is split by."""
    say(f"{name} in {assessment.cluster.name}  ·  {_whole(parts, unknown)} a month at list price", "bold")
    borne = sum(part.usd_micros for part in parts if part.borne)
    if how is not Sharing.APART:
        say(f"${usd(borne)} of it is its part of what nobody causes, {_RULES[how]}", QUIET)
    if stands is not None:
        say(
            f"it needs {_amount(stands.room)}; {stands.as_much} of {stands.bearers} need as much or more, "
            f"and the greatest {_amount(stands.most)}",
            QUIET,
        )
    _parts(parts, unknown)


_RULES = {
    Sharing.PROPORTIONAL: "by what it costs itself",
    Sharing.EVEN: "as much as every other one",
    Sharing.AIRPORT: "by the airport rule: each step of room is borne in equal parts by those who need as much",
}


def _amount(of: Amount) -> str:
    return f"{cpu(of.cpu_millicores)} CPU and {memory(of.memory_bytes)}"


def _whole(parts: Sequence[Part], unknown: Sequence[Charge]) -> str:
    """The sum of parts: unknown if nothing of it is known, and the least that it is where something is not."""
    known = any(part.is_known for part in parts)
    whole = not unknown and all(part.is_known and not part.unasked for part in parts)
    return _sum(sum(part.usd_micros for part in parts), known=known or whole, whole=whole)


def _parts(parts: Sequence[Part], unknown: Sequence[Charge]) -> None:
    """One line a part, then their prices and what has none."""
    columns = [
        Column("$/MONTH"),
        Column("WHAT", Fit.WRAP),
        Column("FOR", Fit.WRAP, drop=1),
        Column("REQUESTS", drop=2),
        Column("ONE MORE $", drop=3),
    ]
    lines = [
        [
            usd(part.usd_micros) if part.is_known else "unknown",
            f"{_share_of(part)}{part.what}",
            f"its part of {part.borne.value}" if part.borne else part.workload or part.kind,
            _requests(part),
            "-" if part.borne else usd(part.usd_micros_each) if part.is_known else "unknown",
        ]
        for part in parts
    ]
    if lines:
        print_line()
        table(columns, lines)
    priced = {part.charge.what: part.charge for part in parts if part.charge.usd is not None}
    if priced:
        title("Prices")
    for charge in priced.values():
        why = f"; {charge.estimated}" if charge.estimated else ""
        say(f"{charge.what}: ${charge.usd} per {charge.unit} ({charge.source}{why})", QUIET)
    together: dict[str, int] = {}
    for charge in (*unknown, *(part.charge for part in parts if part.charge.unknown)):
        line = f"{charge.what}: {charge.unknown}"
        together[line] = together.get(line, 0) + 1
    for line, many in together.items():
        say(f"{line}{f' ({many} times)' if many > 1 else ''}", FAIR, first="not known: ")


def _requests(part: Part) -> str:
    asked = (
        cpu(part.cpu_millicores) if part.cpu_millicores else "",
        memory(part.memory_bytes) if part.memory_bytes else "",
    )
    return ", ".join(filter(None, asked)) or "-"


def _share_of(part: Part) -> str:
    if part.workload:
        return f"{counted(part.count, 'pod')} on "
    return f"{part.count} × " if part.count > 1 else ""


def estimated(assessment: Assessment, paths: Sequence[str], found: Estimate) -> None:
    """`addonctl cost of`: what manifests would cost, what of that is new on the bill, and whether there is room."""
    parts = parts_of(found.shares)
    what = ", ".join(paths)
    say(f"{what} in {assessment.cluster.name}  ·  {_whole(parts, found.unknown)} a month at list price", "bold")
    new = sum(part.usd_micros for part in parts if part.kind not in (CostKind.NODE.value, CostKind.AUTO_MODE.value))
    say(f"of it ${usd(new)} are charges of its own; the rest is its part of nodes", QUIET)
    if any(found.asks):
        say(_room(found), QUIET)
    if found.there:
        say(
            f"{counted(len(found.there), 'workload')} of it run here already: the figure is all that they cost",
            FAIR,
        )
    _parts(parts, found.unknown)


def _room(found: Estimate) -> str:
    """What it asks of nodes, beside what nobody asks for yet."""
    asked = f"it requests {_amount(found.asks)}"
    if found.idle is None:
        return f"{asked} of nodes; what is free there is not known"
    free = f"{cpu(max(found.idle.cpu_millicores, 0))} CPU and {memory(max(found.idle.memory_bytes, 0))}"
    fits = all(asks <= idle for asks, idle in zip(found.asks, found.idle, strict=True))
    return f"{asked}; nodes have {free} free" + ("" if fits else ": more nodes will be needed")


def estimate_document(assessment: Assessment, paths: Sequence[str], found: Estimate) -> Document:
    """`addonctl cost of -o json`."""
    parts = parts_of(found.shares)
    return {
        **envelope(assessment, "CostEstimate"),
        "manifests": list(paths),
        "hours_per_month": HOURS_PER_MONTH,
        "usd_micros": sum(part.usd_micros for part in parts),
        "parts": [{**plain(part), "usd_micros_each": part.usd_micros_each} for part in parts],
        "unknown": plain(found.unknown),
        "asks": found.asks._asdict(),
        "idle": found.idle._asdict() if found.idle else None,
        "there": [str(ref) for ref in found.there],
    }


def explained_document(
    assessment: Assessment,
    name: str,
    parts: Sequence[Part],
    unknown: Sequence[Charge],
    how: Sharing,
    stands: Standing | None,
) -> Document:
    """`addonctl cost explain ADDON -o json`."""
    return {
        **envelope(assessment, "CostExplained"),
        "addon": name,
        "hours_per_month": HOURS_PER_MONTH,
        "shared": how.value,
        "standing": plain(stands._asdict()) if stands else None,
        "usd_micros": sum(part.usd_micros for part in parts),
        "parts": [{**plain(part), "usd_micros_each": part.usd_micros_each} for part in parts],
        "unknown": plain(unknown),
    }


# ── addonctl cost diff ──────────────────────────────────────────────────────────────────────────────────────────


def differences(was: Mapping[str, CostRow], now: Mapping[str, CostRow], by: By, style: Style) -> None:
    """What each name cost and costs, the greatest change first."""
    before, after = (sum(row.usd_micros for row in rows.values()) for rows in (was, now))
    if style.headers:
        say(f"${usd(before)} → ${usd(after)} a month at list price ({usd(after - before, signed=True)})", "bold")
    names = {**was, **now}
    named = labels(names) if by is By.ADDON else {}
    changes = sorted(
        ((_micros(now, name) - _micros(was, name), name) for name in names), key=lambda each: (-abs(each[0]), each[1])
    )
    lines: list[list[Cell | str]] = [
        [
            str(named.get(name, name)),
            _was(was, name),
            _was(now, name),
            Cell(usd(more, signed=True), BAD if more > 0 else GOOD),
        ]
        for more, name in changes
        if more or (name in was) is not (name in now)
    ]
    if not lines:
        say("Nothing costs more or less.")
        return
    table(
        [Column(_HEADERS[by], Fit.LAST), Column("WAS $"), Column("IS $"), Column("CHANGE $")],
        lines,
        headers=style.headers,
    )


def _micros(rows: Mapping[str, CostRow], name: str) -> int:
    return rows[name].usd_micros if name in rows else 0


def _was(rows: Mapping[str, CostRow], name: str) -> str:
    return figure(rows[name]) if name in rows else "-"


def differences_document(
    assessment: Assessment, was: Mapping[str, CostRow], now: Mapping[str, CostRow], by: By
) -> Document:
    """`addonctl cost diff -o json`."""
    return {
        **envelope(assessment, "CostDifference"),
        "hours_per_month": HOURS_PER_MONTH,
        "by": by.value,
        "rows": [
            {
                "name": name,
                "was_usd_micros": was[name].usd_micros if name in was else None,
                "usd_micros": now[name].usd_micros if name in now else None,
            }
            for name in {**was, **now}
        ],
    }


def _cost_of(assessment: Assessment) -> ClusterCost:
    assert assessment.cost is not None, "assessed without prices"
    return assessment.cost
