"""A cluster's costs as OpenMetrics text, one gauge a row and kind, for whoever scrapes or pushes it.

Source: the OpenMetrics specification: HELP, TYPE and UNIT before a family's samples, and `# EOF` at the end.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from addonctl.cost import By, CostRow


def month(cluster: str, rows: Sequence[CostRow], by: By) -> str:
    """What each row costs a month at list price."""
    name = "addonctl_cost_month_usd"
    return "".join(_family(name, "What it costs a month at list price.", cluster, rows, by)) + "# EOF\n"


def billed(cluster: str, rows: Sequence[CostRow], by: By, begin: datetime, end: datetime) -> str:
    """What a bill has for each row, and of which time it is."""
    name = "addonctl_cost_billed_usd"
    lines = [*_family(name, "What was billed for it, amortised.", cluster, rows, by)]
    for which, when in (("begin", begin), ("end", end)):
        family = f"addonctl_bill_{which}_seconds"
        lines.append(f"# HELP {family} The {which} of the time that was billed.\n# TYPE {family} gauge\n")
        lines.append(f'# UNIT {family} seconds\n{family}{{cluster="{_escaped(cluster)}"}} {int(when.timestamp())}\n')
    return "".join(lines) + "# EOF\n"


def _family(name: str, help: str, cluster: str, rows: Sequence[CostRow], by: By) -> Iterator[str]:
    yield f"# HELP {name} {help}\n# TYPE {name} gauge\n# UNIT {name} usd\n"
    for row in rows:
        if row.unasked and not row.usd_micros:
            continue  # not known, which is not nothing
        for kind, usd_micros in row.by_kind.items():
            said = {"cluster": cluster, by.value: row.name} | ({"kind": kind} if by is not By.KIND else {})
            labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in said.items())
            yield f"{name}{{{labels}}} {_dollars(usd_micros)}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _dollars(micros: int) -> str:
    return f"{'-' if micros < 0 else ''}{abs(micros) // 1_000_000}.{abs(micros) % 1_000_000:06}"
