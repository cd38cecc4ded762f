"""Values set in the text of a YAML document, of which all else stays as it was: comments, order, quotes.

What cannot be set in its place is refused: nobody wants their file written anew. Called by git_checkout.py.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from addonctl.errors import Invalid

if TYPE_CHECKING:
    import yaml

Edit = tuple[int, int, str]
"""Where something begins and ends in a text, and what is to stand there."""
_BY_HAND = "Change it by hand."


def edits(text: str, node: "yaml.Node", values: Mapping[str, Any]) -> Iterator[Edit]:
    """The edits that lay values over a mapping. Raises Invalid, which quotes keys alone."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise Invalid("Values are given for what is no mapping there", _BY_HAND)
    there = {key.value: value for key, value in node.value}
    for name, value in values.items():
        if value is None:
            raise Invalid(f"{name} is to be taken away", _BY_HAND)
        if name in there and isinstance(value, Mapping):
            yield from edits(text, there[name], value)
        elif name in there:
            yield _replaced(name, there[name], value)
    missing = {name: value for name, value in values.items() if name not in there}
    if missing:
        yield _added(text, node, missing)


def applied(text: str, wanted: list[Edit]) -> str:
    """A text with all edits; none of them overlap."""
    for start, end, written in sorted(wanted, reverse=True):
        text = text[:start] + written + text[end:]
    return text


def _replaced(name: str, node: "yaml.Node", value: Any) -> Edit:
    import yaml

    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    is_block |= isinstance(node, yaml.ScalarNode) and node.style in ("|", ">")
    if is_block or node.start_mark.index == node.end_mark.index:
        raise Invalid(f"{name} is written over several lines", _BY_HAND)
    return node.start_mark.index, node.end_mark.index, _inline(value)


def _added(text: str, node: "yaml.MappingNode", values: Mapping[str, Any]) -> Edit:
    import yaml

    if node.flow_style:
        comma = ", " if node.value else ""
        inside = ", ".join(f"{_inline(name)}: {_inline(value)}" for name, value in values.items())
        place = node.end_mark.index - 1
        return place, place, comma + inside
    place = _line_end(text, _end(node))
    indent = " " * node.value[0][0].start_mark.column
    block = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=1_000_000)
    return place, place, "".join(f"\n{indent}{line}" if line else "\n" for line in block.rstrip("\n").split("\n"))


def _end(node: "yaml.Node") -> int:
    """Where a node's own text ends; a block's mark is where the next thing begins."""
    import yaml

    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _line_end(text: str, place: int) -> int:
    if place and text[place - 1] == "\n":  # of a block of text
        return len(text[:place].rstrip("\n"))
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _inline(value: Any) -> str:
    """A plain word as it is; all else as JSON, which is YAML."""
    plain = isinstance(value, str) and value.isidentifier() and value.lower() not in _NOT_TEXT
    return value if plain else json.dumps(value, ensure_ascii=False)


_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
