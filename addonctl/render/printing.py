"""A document of `addonctl/v1` in the format that `-o` names: whole, or what scripts take of it.

`name` and `csv` are of the list that the document is about; `jsonpath` is of any part, by RFC 9535 or as kubectl writes
it, with braces around the path.
"""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple

from addonctl.errors import BadInput
from addonctl.render.documents import Document, dump, plain


class _Rows(NamedTuple):
    """What a document is a list of, what names one of it, and what of it stands in a table of cells."""

    key: str
    name: str
    columns: tuple[str, ...]


_CELLS = ("addon", "version", "kubernetes", "answer", "reason", "source", "as_of")
_ROWS = {
    "Inventory": _Rows(
        "installations",
        "{id}",
        ("id", "addon", "name", "version", "chart", "chart_version", "owner", "method", "namespaces", "state"),
    ),
    "Findings": _Rows(
        "findings", "{id}", ("id", "code", "severity", "title", "capability", "subject", "due", "cause", "fix")
    ),
    "Health": _Rows("addons", "{id}", ("id", "addon", "health", "score", "coverage", "unknown_reason")),
    "Compatibility": _Rows("cells", "{addon}@{version}", _CELLS),
    "Matrix": _Rows("cells", "{addon}@{version}", _CELLS),
    "Dependencies": _Rows("edges", "{from}->{to}", ("from", "to", "type", "strength", "hurts", "evidence")),
    "Catalog": _Rows("addons", "{addon}", ("addon", "name", "category", "eks", "charts", "as_of")),
    "AddOnVersions": _Rows(
        "versions",
        "{version}",
        ("version", "default", "default_for", "kubernetes", "architectures", "compute_types", "requires_iam"),
    ),
    "FindingCodes": _Rows("codes", "{code}", ("code", "title", "severity", "capability", "why", "fix")),
    "Runs": _Rows("runs", "{id}", ("id", "cluster", "goal", "phase", "begun", "by", "worker")),
    "Doctor": _Rows("rows", "{what}", ("what", "answer", "detail", "fix")),
}
_EXAMPLE = "As in -o jsonpath='{.findings[*].code}'"


def printed(document: Any, format: str, expression: str = "") -> str:
    """The document as JSON, YAML, names, CSV, or what an expression finds in it. Raises BadInput for a wrong one."""
    if format == "name":
        return "".join(f"{name}\n" for name in dict.fromkeys(_names(document)))
    if format == "csv":
        return _csv(document)
    if format == "jsonpath":
        return "".join(f"{_text(each)}\n" for each in _found(plain(document), expression))
    return dump(document, format)


def _names(document: Document) -> Iterator[str]:
    for context, of_one in _by_context(document):
        rows = _rows_of(of_one)
        yield from (context + rows.name.format(**row) for row in plain(of_one[rows.key]))


def _by_context(document: Document) -> Iterator[tuple[str, Document]]:
    """The documents of several clusters, each with its context and a blank; or the one that this is, without."""
    if document["kind"] != "Contexts":
        yield "", document
        return
    yield from ((f"{each['context']} ", each["report"]) for each in document["contexts"] if each["report"])


def _rows_of(document: Document) -> _Rows:
    if document["kind"] not in _ROWS:
        raise BadInput(f"A {document['kind']} is no list", "Take its parts with -o jsonpath=, or print -o json.")
    return _ROWS[document["kind"]]


def _csv(document: Document) -> str:
    """A line a row, with the same columns for every cluster. What is not known is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, (context, of_one) in enumerate(_by_context(document)):
        rows, first = _rows_of(of_one), ["context"] if context else []
        if not number:
            writer.writerow([*first, *rows.columns])
        for row in plain(of_one[rows.key]):
            writer.writerow([*(context.split() if context else ()), *(_cell(row[column]) for column in rows.columns)])
    return out.getvalue()


def _cell(value: Any) -> str:
    return "; ".join(map(_text, value)) if isinstance(value, list | tuple) else _text(value)


def _text(value: Any) -> str:
    """A text as it is, anything else as JSON; empty where it is not known."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _found(document: Any, expression: str) -> list[Any]:
    import jsonpath

    path = expression.strip()
    if path.startswith("{") and path.endswith("}"):
        path = path[1:-1].strip()
    if "{" in path or path.startswith("range "):
        raise BadInput(f"{expression!r} is a template of kubectl, of which paths alone are known", _EXAMPLE)
    try:
        return jsonpath.findall(path, document)
    except jsonpath.JSONPathError as error:
        why = str(error).splitlines()[0]
        raise BadInput(f"{expression!r} is not a JSONPath: {why}", _EXAMPLE) from error
