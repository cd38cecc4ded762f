"""A document of `addonctl/v1` in the format that `-o` names: whole, or what scripts take of it.

`name` and `csv` are of the list that the document is about; `jsonpath` is of any part, by RFC 9535 or as kubectl writes
it, with braces around the path.
"""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

from addonctl.errors import BadInput
from addonctl.render.documents import Document, dump, plain

# What a document is a list of, and what names one of it.
_ROWS = {
    "Inventory": ("installations", "{id}"),
    "Findings": ("findings", "{id}"),
    "Health": ("addons", "{id}"),
    "Compatibility": ("cells", "{addon}@{version}"),
    "Matrix": ("cells", "{addon}@{version}"),
    "Dependencies": ("edges", "{from}->{to}"),
    "Catalog": ("addons", "{addon}"),
    "AddOnVersions": ("versions", "{version}"),
    "FindingCodes": ("codes", "{code}"),
    "Runs": ("runs", "{id}"),
    "Doctor": ("rows", "{what}"),
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
        key, name = _list_of(of_one)
        yield from (context + name.format(**row) for row in plain(of_one[key]))


def _by_context(document: Document) -> Iterator[tuple[str, Document]]:
    """The documents of several clusters, each with its context and a blank; or the one that this is, without."""
    if document["kind"] != "Contexts":
        yield "", document
        return
    yield from ((f"{each['context']} ", each["report"]) for each in document["contexts"] if each["report"])


def _list_of(document: Document) -> tuple[str, str]:
    if document["kind"] not in _ROWS:
        raise BadInput(f"A {document['kind']} is no list", "Take its parts with -o jsonpath=, or print -o json.")
    return _ROWS[document["kind"]]


def _csv(document: Document) -> str:
    """A line a row, of what stands in a cell: texts, numbers and lists of them. What is not known is empty."""
    rows = [
        ({"context": context.rstrip()} if context else {}) | row
        for context, of_one in _by_context(document)
        for row in plain(of_one[_list_of(of_one)[0]])
    ]
    columns = [key for key in dict.fromkeys(key for row in rows for key in row) if all(_fits(row[key]) for row in rows)]
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[key]) for key in columns] for row in rows)
    return out.getvalue()


def _fits(value: Any) -> bool:
    return not any(isinstance(each, dict) for each in (value if isinstance(value, list | tuple) else (value,)))


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
