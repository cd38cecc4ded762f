"""Bills in files, as one: which form each has is told by its columns; the same file twice is refused."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from addonctl.adapters.bills import cur, focus
from addonctl.adapters.bills.rows import Table
from addonctl.errors import BadInput
from addonctl.model.bill import BillLine

_FORMS = (cur, focus)


class BillFiles:
    """The port Bills, of files."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def lines(self, tags: Collection[str]) -> Iterator[BillLine]:
        seen: dict[bytes, Path] = {}
        for path in self._paths:
            table = Table(path)
            yield from _lines(table, tags)
            earlier = seen.get(table.digest)
            if earlier is not None:
                raise BadInput(f"{path} has the same lines as {earlier}", "Give each file once.")
            seen[table.digest] = path


def _lines(table: Table, tags: Collection[str]) -> Iterator[BillLine]:
    columns = table.columns()
    form = next((form for form in _FORMS if form.is_it(columns)), None)
    if form is None:
        first = ", ".join(columns[:4])
        raise BadInput(
            f"{table.path} is no bill: its columns are {first[:80]!r} …",
            "Give a Cost and Usage Report of AWS, or an export of FOCUS 1.0 or later.",
        )
    try:
        reader = form.Reader(tags)
        yield from reader.lines(table.rows(reader.choose(columns)))
    except BadInput as error:
        raise BadInput(_named(table.path, error.what), error.fix) from error


def _named(path: Path, what: str) -> str:
    return what if str(path) in what else f"{path}: {what}"
