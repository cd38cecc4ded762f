"""YAML as Kubernetes has it: a loader without dates, `=` and base 60, and one that is twice as fast where nothing is
repeated.

libyaml parses; what it calls in Python for every value is most of the time, and is short here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from addonctl.adapters.decoding import refuse_bombs

_STR, _SEQ, _MAP, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map", "merge"))
# Kubernetes' times are strings, and `=` is an operator in Prometheus CRDs.
_NOT_CORE = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
# 22:22 is a pair of ports, not 1342: Go's YAML has no base 60.
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's value; the lines of its list's items, and the keys that a mapping in it has twice, from 0."""

    value: Any
    line: int = 0
    items: tuple[int, ...] = ()
    twice: tuple[tuple[str, int], ...] = ()


@cache
def usual(pure: bool = False) -> Any:
    """The class of a loader for any document; `pure`: not by libyaml, which refuses an anchor that is set again."""
    import yaml

    base = yaml.SafeLoader if pure else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    implicit = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_CORE]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    of_kind = {yaml.ScalarNode: _STR, yaml.SequenceNode: _SEQ, yaml.MappingNode: _MAP}

    class Loader(base):  # type: ignore[misc, valid-type]
        yaml_implicit_resolvers = implicit

        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            self.twice: list[tuple[str, int]] = []

        def resolve(self, kind: Any, value: str, implicit_: tuple[bool, bool]) -> str:
            """The tag of a node that names none; of no path, for which SafeLoader looks as well."""
            if kind is yaml.ScalarNode and implicit_[0]:
                for tag, pattern in implicit.get(value[:1], ()):
                    if pattern.match(value) and not (":" in value and _BASE_60.fullmatch(value)):
                        return str(tag)
            return of_kind[kind]

        def descend_resolver(self, *_: object) -> None:
            pass

        def ascend_resolver(self) -> None:
            pass

        def flatten_mapping(self, node: Any) -> None:
            """Merges, each key once: to merge one mapping twice and that one twice again must not double it."""
            if any(key.tag == _MERGE for key, _ in node.value):
                super().flatten_mapping(node)
                last = {(key.tag, str(key.value)): pair for pair in node.value for key in pair[:1]}
                node.value = list(last.values())

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """What SafeLoader makes of it, with the keys noted that are there twice."""
            if isinstance(node, yaml.MappingNode):
                self.note_twice([key for key, _ in node.value if key.tag == _STR and isinstance(key.value, str)])
            return super().construct_mapping(node, deep=deep)

        def note_twice(self, keys: list[Any]) -> None:
            if len({key.value for key in keys}) == len(keys):
                return
            seen: set[str] = set()
            for key in keys:
                if key.value in seen:
                    self.twice.append((key.value, key.start_mark.line))
                seen.add(key.value)

        def compose_node(self, parent: Any, index: Any) -> Any:
            """An anchor may be set again (YAML 1.2, 7.1). Only called where libyaml is not at work."""
            event = self.peek_event()
            if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
                self.anchors.pop(event.anchor, None)
            return super().compose_node(parent, index)

    Loader.add_constructor(None, _local)
    return Loader


def _local(loader: Any, node: Any) -> Any:
    """The value of a node with a tag of somebody's own (`!Ref`, `!vault`), as if it had none."""
    import yaml

    if not node.tag.startswith("!"):
        raise yaml.constructor.ConstructorError(None, None, f"there is no tag {node.tag!r}", node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


@cache
def plain() -> Any:
    """The class of a loader for a document without aliases: its values are built at once, without looking for them."""
    import yaml

    class Loader(usual()):  # type: ignore[misc]
        def construct_document(self, node: Any) -> Any:
            return self._built(node)

        def _built(self, node: Any) -> Any:
            if node.tag == _STR and isinstance(node, yaml.ScalarNode):
                return node.value
            if node.tag == _SEQ and isinstance(node, yaml.SequenceNode):
                return [self._built(each) for each in node.value]
            if node.tag == _MAP and isinstance(node, yaml.MappingNode):
                return self._mapping(node)
            return self.construct_object(node, deep=True)

        def _mapping(self, node: Any) -> Any:
            if any(key.tag != _STR or not isinstance(key.value, str) for key, _ in node.value):
                # numbers, merges, and what is wrong
                return self.construct_object(node, deep=True)
            built = {key.value: self._built(value) for key, value in node.value}
            if len(built) != len(node.value):
                self.note_twice([key for key, _ in node.value])
            return built

    return Loader


# ── Documents ───────────────────────────────────────────────────────────────────────────────────────────────────────

MARKER = re.compile(rb"---(?<=^---)(?=\s|$)", re.MULTILINE)
"""What ends a document, wherever it is (YAML 1.2, 9.1.2). What begins with a dash is found ten times as fast as `^`."""
_MAY_BE_ALIAS = re.compile(rb"\*[\w-]")  # libyaml's names of anchors are of these
_ALIAS = re.compile(rb"(?:^|[\s\[,{:-])\*[^\s*\"']", re.MULTILINE)
_IS_CRD = re.compile(rb"kind:(?<=^kind:)[ \t]*[\"']?CustomResourceDefinition\b", re.MULTILINE)
# The schema of a version: its key, and below it every line that is blank or indented deeper.
_SCHEMA = re.compile(rb"^( *)openAPIV3Schema:[ \t]*\r?\n(?:\1 .*(?:\n|\Z)|[ \t\r]*\n)+", re.MULTILINE)
# A value that begins with what YAML keeps for itself: `***HIDDEN***`, `*/5 * * * *`, `@name`, `%FOO%`.
_RESERVED = re.compile(r"""^(\s*(?:- +)*(?:[\w./"'-]+ *: +|- +))([*&@`%!].*)$""")
REPAIRS_MAX = 50


def loaded(document: bytes) -> Any:
    """The value of one document. Raises YAMLError, ValueError, RecursionError, and BadInput for a bomb."""
    return _parsed(document).value


def parse(document: bytes) -> Parsed:
    """The same with lines, and without the schemas of CRDs: nothing here uses them, and most YAML is schemas."""
    import yaml

    short = _SCHEMA.sub(_shortened, document) if _IS_CRD.search(document) else document
    try:
        return _parsed(short)
    except yaml.YAMLError:  # a schema may be written in ways that only a YAML parser handles
        if short is document:
            raise
        return _parsed(document)


def _shortened(schema: re.Match[bytes]) -> bytes:
    """An empty schema of as many lines."""
    return schema[1] + b"openAPIV3Schema: {}" + b"\n" * max(schema[0].count(b"\n"), 1)


def _parsed(document: bytes) -> Parsed:
    import yaml

    if not _MAY_BE_ALIAS.search(document):
        return _with(plain(), document)
    try:
        parsed = _with(usual(), document)
    except yaml.composer.ComposerError as error:
        if "duplicate anchor" not in str(error):
            raise
        parsed = _with(usual(pure=True), document)
    if _ALIAS.search(document):
        refuse_bombs(parsed.value)
    return parsed


def _with(loader_of: Callable[[bytes], Any], document: bytes) -> Parsed:
    loader = loader_of(document)
    try:
        node = loader.get_single_node()
        if node is None:
            return Parsed(None)
        value = loader.construct_document(node)
        return Parsed(value, node.start_mark.line, tuple(_item_lines(node)), tuple(loader.twice))
    finally:
        loader.dispose()


def _item_lines(node: Any) -> Iterator[int]:
    """The lines of the items of a list, or of a mapping's `items`."""
    if isinstance(node.value, list) and node.id == "mapping":
        node = next((value for key, value in node.value if key.value == "items"), node)
    if node.id == "sequence":
        yield from (item.start_mark.line for item in node.value)


def without_reserved(document: bytes, error: Any) -> bytes | None:
    """The document without the value at which an error was met, if it is one that YAML keeps for itself; else None."""
    mark = getattr(error, "problem_mark", None)
    lines = document.split(b"\n")
    if mark is None or mark.line >= len(lines):
        return None
    line = lines[mark.line].decode(errors="surrogateescape").rstrip("\r")
    found = _RESERVED.match(line)
    if found is None:
        return None
    lines[mark.line] = f"{found[1]}~".encode(errors="surrogateescape")
    return b"\n".join(lines)
