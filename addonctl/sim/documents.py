"""Documents of the simulated API server: JSON values that are never changed in place, so that states share their parts.

What comes from outside is copied on its way in. What goes out is what the server holds: whoever reads it gets a
Mapping, and a test sees to it that nobody changes one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from addonctl.errors import Invalid

Document = dict[str, Any]
_SCALARS = frozenset({str, int, float, bool, type(None)})


def copied(value: Any) -> Any:
    """A deep copy of a JSON value. Anything else in it is a bug of the caller's."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Mapping):
        return {key: copied(held) for key, held in value.items()}
    if isinstance(value, str | int | float):  # an enumeration's
        return value
    assert isinstance(value, Sequence), f"no JSON value: {type(value).__name__}"
    return [copied(held) for held in value]


def at(value: Any, *path: str) -> Any:
    """What stands under a path of names, None where nothing does."""
    for name in path:
        if type(value) is not dict and not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def merged(value: Any, patch: Any) -> Any:
    """RFC 7396: `patch` laid over `value`, null removing."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for name, wanted in patch.items():
        if wanted is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), wanted)
    return result


# ── JSON Patch ──────────────────────────────────────────────────────────────────────────────────────────────────


def patched(document: Document, operations: Sequence[Mapping[str, Any]]) -> Document:
    """RFC 6902. Raises Invalid where an operation does not apply, a failed `test` included."""
    result: Any = document
    for number, operation in enumerate(operations):
        try:
            result = _operate(result, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            text = f"Operation {number} of the JSON patch ({operation.get('op')} {operation.get('path')})"
            raise Invalid(f"{text} does not apply: {error}", reason="Invalid") from error
    assert isinstance(result, dict), "a patch of an object leaves an object"
    return result


def _operate(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "test":
            if _pointed(document, path) != operation["value"]:
                raise ValueError("the value is another one")
            return document
        case "remove":
            return _changed(document, path, None, "remove")
        case "add" | "replace" as how:
            return _changed(document, path, operation["value"], how)
        case "copy":
            return _changed(document, path, _pointed(document, _pointer(operation["from"])), "add")
        case "move":
            source = _pointer(operation["from"])
            moved = _pointed(document, source)
            return _changed(_changed(document, source, None, "remove"), path, moved, "add")
        case other:
            raise ValueError(f"there is no operation {other!r}")


def _pointer(text: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901)."""
    if not text:
        return []
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is no JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")]


def _pointed(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def _changed(document: Any, path: list[str], value: Any, how: str) -> Any:
    """The document with one place changed; what lies beside the path is shared."""
    if not path:
        return value
    step, *rest = path
    if isinstance(document, list):
        return _list_changed(document, step, rest, value, how)
    if not isinstance(document, dict):
        raise TypeError(f"{step!r} is sought in a {type(document).__name__}")
    result = dict(document)
    if rest:
        result[step] = _changed(document[step], rest, value, how)
    elif how == "remove":
        del result[step]
    elif how == "replace" and step not in result:
        raise KeyError(step)
    else:
        result[step] = value
    return result


def _list_changed(document: list[Any], step: str, rest: list[str], value: Any, how: str) -> list[Any]:
    result = list(document)
    place = len(result) if step == "-" else int(step)
    if rest:
        result[place] = _changed(document[place], rest, value, how)
    elif how == "remove":
        del result[place]
    elif how == "replace":
        result[place] = value
    elif place > len(result):
        raise IndexError(place)
    else:
        result.insert(place, value)
    return result
