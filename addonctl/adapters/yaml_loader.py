"""YAML as Kubernetes has it: a loader without dates and `=`, and one that is twice as fast where nothing is repeated.

libyaml parses; what it calls in Python for every value is most of the time, and is short here.
"""

from functools import cache
from typing import Any

_STR, _SEQ, _MAP, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map", "merge"))
# Kubernetes' times are strings, and `=` is an operator in Prometheus CRDs.
_NOT_CORE = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


@cache
def usual() -> Any:
    """The class of a loader for any document."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    implicit = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_CORE]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    of_kind = {yaml.ScalarNode: _STR, yaml.SequenceNode: _SEQ, yaml.MappingNode: _MAP}

    class Loader(base):  # type: ignore[misc, valid-type]
        yaml_implicit_resolvers = implicit

        def resolve(self, kind: Any, value: str, implicit_: tuple[bool, bool]) -> str:
            """The tag of a node that names none; of no path, for which SafeLoader looks as well."""
            if kind is yaml.ScalarNode and implicit_[0]:
                for tag, pattern in implicit.get(value[:1], ()):
                    if pattern.match(value):
                        return str(tag)
            return of_kind[kind]

        def descend_resolver(self, *_: object) -> None:
            pass

        def ascend_resolver(self) -> None:
            pass

    return Loader


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
            return {key.value: self._built(value) for key, value in node.value}

    return Loader
