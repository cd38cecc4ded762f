"""Values as Helm's users give them: `--set` lines, merged over files and over what is there; and what changes by them.

Used for EKS configuration as well, so that both are given alike. Of a change, keys are told and of values only what can
be no secret. Pure; called by hands/configuration.py, configuring.py and adapters/values_files.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from addonctl.errors import BadInput
from addonctl.model.configuration import KeyChange

Values = Mapping[str, Any]
_INDEX_MAX, _DEPTH_MAX = 65_536, 30  # Helm's own
_INTEGER = re.compile(r"[+-]?[1-9]\d{0,18}", re.ASCII)
_LONGEST = 2**63
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_SECRETIVE = re.compile(r"pass|pwd|secret|token|key|cred|auth|cert|pin\b", re.IGNORECASE)
_SPECIAL = re.compile(r"([.=,\[\\])")


# ── Given ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def assigned(line: str, onto: Values, *, as_text: bool = False) -> Values:
    """`onto` with what `--set` (or with `as_text`, `--set-string`) says: `a.b=1,c[0].d=x,e={x,y}`; `\\` escapes.

    A list that is there keeps its other elements. Raises BadInput, which quotes keys alone.
    """
    return _Line(line, as_text).onto(onto)


class _Line:
    """One line, read from left to right."""

    def __init__(self, line: str, as_text: bool) -> None:
        self._rest, self._as_text, self._key = line, as_text, ""

    def onto(self, values: Values) -> Values:
        if not self._rest:
            raise BadInput("An empty --set says nothing", "Write key=value.")
        while self._rest:
            self._key = ""
            values = self._named(values, 0)
        return values

    def _until(self, stops: str) -> tuple[str, str]:
        """What stands before the next of `stops`, unescaped, and which one it is; none at the end."""
        text, characters = "", iter(enumerate(self._rest, start=1))
        for place, character in characters:
            if character in stops:
                self._rest = self._rest[place:]
                return text, character
            text += next(characters, (0, ""))[1] if character == "\\" else character
        self._rest = ""
        return text, ""

    def _named(self, there: Any, depth: int) -> Values:
        """A mapping with what is said of one of its names."""
        name, stop = self._until("=[,.")
        if not name or stop in ("", ","):  # which may be the rest of a value with a comma in it: it is not quoted
            raise self._wrong("has no name" if not name else "has no value", r"A comma in a value is written \,")
        self._key += name
        if there is not None and not isinstance(there, Mapping):
            raise self._wrong("is under something that is no mapping")
        held = there or {}
        return {**held, name: self._below(stop, held.get(name), depth)}

    def _below(self, stop: str, there: Any, depth: int) -> Any:
        self._key += stop if stop != "=" else ""
        if depth > _DEPTH_MAX:
            raise self._wrong("is too deep")
        if stop == "=":
            return self._value()
        return self._named(there, depth + 1) if stop == "." else self._item(there, depth)

    def _item(self, there: Any, depth: int) -> list[Any]:
        """A list with what is said of one of its elements; those before it that are not there are null."""
        number, _ = self._until("]")
        self._key += f"{number}]"
        if not number.isdecimal() or int(number) > _INDEX_MAX:
            raise self._wrong("has no index")
        if there is not None and not isinstance(there, list):
            raise self._wrong("is under something that is no list")
        text, stop = self._until("=[.")
        if text or not stop:
            raise self._wrong("has no value")
        place, items = int(number), list(there or ())
        items += [None] * (place + 1 - len(items))
        items[place] = self._below(stop, items[place], depth + 1)
        return items

    def _value(self) -> Any:
        if not self._rest.startswith("{"):
            return self._typed(self._until(",")[0])
        self._rest, items, stop = self._rest[1:], [], ","
        while stop == ",":
            text, stop = self._until(",}")
            items.append(self._typed(text))
        if not stop:
            raise self._wrong("is a list without an end", "End it with }.")
        if items == [""]:
            raise self._wrong("is an empty list", "Give it in a file: --values FILE.")
        if self._rest and not self._rest.startswith(","):
            raise self._wrong("is a list with something behind it")
        self._rest = self._rest[1:]
        return items

    def _typed(self, text: str) -> Any:
        if self._as_text:
            return text
        if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if text == "0" or (_INTEGER.fullmatch(text) and -_LONGEST <= int(text) < _LONGEST):
            return int(text)
        return text

    def _wrong(self, what: str, fix: str = "See the syntax of helm's --set.") -> BadInput:
        return BadInput(f"--set: {self._key or 'a key'} {what}", fix)


# ── Merged ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def laid_over(below: Values, given: Values) -> Values:
    """What several files say: mappings are merged, all else is replaced, and null stays what it is."""
    merged = dict(below)
    for name, value in given.items():
        there = merged.get(name)
        both = isinstance(there, Mapping) and isinstance(value, Mapping)
        merged[name] = laid_over(there or {}, value) if both else value
    return merged


def merged(present: Values, given: Values) -> Values:
    """What is there with what is given, as Helm's --reset-then-reuse-values does it: null takes away what is there.

    A null over nothing stays: to Helm it takes away what the chart itself says.
    """
    result = dict(present)
    for name, value in given.items():
        there = result.get(name)
        if value is None and there is not None:
            del result[name]
        elif isinstance(there, Mapping) and isinstance(value, Mapping):
            result[name] = merged(there, value)
        else:
            result[name] = value
    return result


# ── Compared ────────────────────────────────────────────────────────────────────────────────────────────────────────


def changes(was: Values, to: Values) -> tuple[KeyChange, ...]:
    """What is otherwise, key by key, in the order of the names."""
    before, after = dict(_leaves(was)), dict(_leaves(to))
    differ = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    shown = ((key, _shown(key, before.get(key)), _shown(key, after.get(key))) for key in differ)
    return tuple(KeyChange(key, old, f"other {new}" if old == new else new) for key, old, new in shown)


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys as `--set` writes them, and their values as JSON, in which 1, 1.0 and true are three."""
    if isinstance(value, Mapping) and (value or not key):
        for name, inner in value.items():
            escaped = _SPECIAL.sub(r"\\\1", str(name))
            yield from _leaves(inner, f"{key}.{escaped}" if key else escaped)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{key}[{place}]")
    else:
        yield key, json.dumps(value)


def _shown(key: str, written: str | None) -> str:
    """Of text only that it is some: who knows what is in it; nor a number whose name says that it is secret."""
    if written is None:
        return "absent"
    if written.startswith('"'):
        return "text"
    if written[-1].isdigit() and _SECRETIVE.search(key):
        return "number"
    return {"[]": "empty list", "{}": "empty"}.get(written, written)
