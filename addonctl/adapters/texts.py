"""The documents in a text: JSON, JSON after JSON with other lines between, or YAML; what they are is decided elsewhere.

A document that cannot be parsed comes with the reason, and costs no other one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise

import msgspec

from addonctl import classification
from addonctl.adapters import redact, shapes, yaml_loader
from addonctl.adapters.decoding import NOT_JSON
from addonctl.adapters.yaml_loader import Parsed
from addonctl.errors import BadInput

# What begins like JSON and is larger is not tried as YAML: that takes a minute for what is only cut off.
_YAML_MAX_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON document, not yet decoded, and the line that it begins on."""

    body: bytes
    line: int = 1
    number: int = 0


@dataclass(frozen=True, slots=True)
class Yaml:
    """A YAML document, whose lines count from `line`; `repairs` scalars in it could not be read, and are null."""

    parsed: Parsed
    line: int = 1
    number: int = 0
    repairs: int = 0


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A document that is neither, and why not."""

    text: str = field(repr=False)
    why: str
    line: int = 1
    number: int = 0


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines between JSON documents that are none themselves, such as logs."""

    count: int


Document = Json | Yaml | Unparsed | Lines


def documents(body: bytes) -> Iterator[Document]:
    """The documents of a text in UTF-8."""
    if _BLANK.fullmatch(body):
        return
    begins_like_json = _JSON_BEGINS.match(body) is not None
    why_no_json = _why_no_json(body) if begins_like_json else ""
    if begins_like_json and not why_no_json:
        yield Json(body, 1 + _blank_lines(body))
        return
    found = list(_stream(body)) if begins_like_json else []
    if not found and begins_like_json and len(body) > _YAML_MAX_BYTES:
        found = [Unparsed(_text(body), f"JSON is malformed: {why_no_json}")]
    yield from found or _yaml(body, why_no_json if _JSON_KEY.match(body) else "")


_BLANK = re.compile(rb"\s*")
_JSON_BEGINS = re.compile(rb"\s*[{\[]")
_JSON_KEY = re.compile(rb"\s*(?:\{\s*\"|\[\s*[{\[])")


def _blank_lines(body: bytes) -> int:
    found = _BLANK.match(body)
    return found[0].count(b"\n") if found else 0


def _why_no_json(body: bytes) -> str:
    try:
        shapes.decode(body, msgspec.Raw)
    except NOT_JSON as error:
        return redact.text(str(error).removeprefix("JSON is malformed: ")) or "it is no JSON"
    return ""


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


# ── JSON after JSON ─────────────────────────────────────────────────────────────────────────────────────────────────

_DECODER = json.JSONDecoder()
_BEGIN = re.compile(r"^[{\[]", re.MULTILINE)
# `kubectl cluster-info dump` prints logs between its lists, which may be JSON themselves.
_LOGS_BEGIN = re.compile(r"^==== START logs for .*$", re.MULTILINE)
_LOGS_END = re.compile(r"^==== END logs for .*$", re.MULTILINE)


def _stream(body: bytes) -> Iterator[Document]:
    """JSON documents one after another, and how many lines are between them; nothing if the first one is none."""
    text = _without_logs(body.decode(errors="surrogateescape"))
    logs = body.count(b"\n==== START logs for ")
    position, line, number = 0, 1, 0
    while begin := _BEGIN.search(text, position):
        line += text.count("\n", position, begin.start())
        try:
            _, end = _DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError) as error:
            if not number:
                return
            end = _next(text, begin.start())
            yield Unparsed(text[begin.start() : end], f"JSON is malformed: {error}", line, number + 1)
        else:
            yield Json(text[begin.start() : end].encode(errors="surrogateescape"), line, number + 1)
        number += 1
        line += text.count("\n", begin.start(), end)
        position = end
    if logs:
        yield Lines(logs)


def _without_logs(text: str) -> str:
    """The text with as many empty lines in the place of logs; logs that do not end are left."""
    kept, at = [], 0
    while begin := _LOGS_BEGIN.search(text, at):
        end = _LOGS_END.search(text, begin.end())
        if end is None:
            break
        kept += [text[at : begin.start()], "\n" * text.count("\n", begin.start(), end.end())]
        at = end.end()
    return "".join((*kept, text[at:]))


def _next(text: str, begin: int) -> int:
    """Where the next document may begin: at the next brace that begins a line."""
    found = _BEGIN.search(text, begin + 1)
    return found.start() if found else len(text)


# ── YAML ────────────────────────────────────────────────────────────────────────────────────────────────────────────

# A line with something else than a remark, a directive or the end of a document.
_WRITTEN = re.compile(rb"^[ \t]*(?![#\s]|%[A-Z]|\.\.\.[ \t\r]*$).", re.MULTILINE)


def _yaml(body: bytes, why_no_json: str = "") -> Iterator[Document]:
    """`why_no_json`: what is wrong with it as JSON, which it looks like."""
    marks = [0, *(mark.end() for mark in yaml_loader.MARKER.finditer(body)), len(body) + 3]
    parts = [(start, body[start : end - 3]) for start, end in pairwise(marks)]
    written = [(start, part) for start, part in parts if _WRITTEN.search(part)]
    line, last = 1, 0
    for number, (start, part) in enumerate(written, start=1):
        line += body.count(b"\n", last, start)
        last = start
        found = _document(part, line, number if len(written) > 1 else 0, why_no_json)
        yield from _between_lines(part, found, line) or (found,)


def _between_lines(part: bytes, found: Document, line: int) -> list[Document]:
    """The JSON documents in a text that is none itself, such as warnings that were printed before a list."""
    is_text = isinstance(found, Unparsed) or (isinstance(found, Yaml) and isinstance(found.parsed.value, str))
    inner = _stream(part) if is_text else ()
    return [each if isinstance(each, Lines) else replace(each, line=line + each.line - 1) for each in inner]


def _document(part: bytes, line: int, number: int, why_no_json: str = "") -> Document:
    import yaml

    try:
        return Yaml(yaml_loader.parse(part), line, number)
    except BadInput as error:
        why = error.what
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        repaired = _repaired(part, error)
        if repaired is not None:
            return Yaml(repaired[0], line, number, repaired[1])
        why = _why(error, line)
    return Unparsed(_text(part), f"JSON is malformed: {why_no_json}" if why_no_json else why, line, number)


def _repaired(part: bytes, error: Exception) -> tuple[Parsed, int] | None:
    """The document without scalars that YAML keeps for itself, and how many those are; None if that is not what ails
    it."""
    import yaml

    for repairs in range(1, yaml_loader.REPAIRS_MAX + 1):
        shorter = yaml_loader.without_reserved(part, error)
        if shorter is None:
            return None
        part = shorter
        try:
            return yaml_loader.parse(part), repairs
        except BadInput:
            return None
        except (yaml.YAMLError, ValueError, RecursionError) as next_error:
            error = next_error
    return None


def _why(error: Exception, line: int) -> str:
    """What is wrong, with the line in the file."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return redact.text(" ".join(str(error).split())[:300]) or type(error).__name__
    return redact.text(f"line {line + mark.line}: {problem}")


# ── Templates ───────────────────────────────────────────────────────────────────────────────────────────────────────


def is_template(text: str) -> bool:
    """Whether a text that cannot be parsed is one only because it is a template: without its expressions, it can be."""
    import yaml

    filled = classification.without_templating(text)
    if filled is None:
        return False
    try:
        yaml_loader.parse(filled.encode(errors="replace"))
    except (BadInput, yaml.YAMLError, ValueError, RecursionError):
        return classification.has_statements(text)
    return True
