"""JSON Schema by the jsonschema library: ports.Schemas. Its messages quote values; ours are made of the rule alone."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from addonctl.errors import Broken
from addonctl.model.preflight import Violation

if TYPE_CHECKING:
    from jsonschema import ValidationError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHOWN_MAX = 50  # violations of one configuration; more say nothing new


class JsonSchemas:
    def violations(self, schema: str, configuration: str) -> tuple[Violation, ...]:
        from jsonschema import Draft7Validator, SchemaError
        from jsonschema.validators import validator_for

        try:
            rules = json.loads(schema)
            kind = validator_for(rules, default=Draft7Validator)  # EKS's own name their draft
            kind.check_schema(rules)
        except (ValueError, SchemaError) as error:
            raise Broken("The schema of the configuration is no JSON schema") from error
        try:
            values = yaml.load(configuration, Loader=_LOADER)
        except yaml.YAMLError:
            return (Violation("", "is neither JSON nor YAML"),)
        errors = kind(rules).iter_errors({} if values is None else values)
        found = dict.fromkeys(Violation(_path(each.absolute_path), _message(each)) for each in errors)
        return tuple(sorted(found, key=lambda each: (each.path, each.message)))[:_SHOWN_MAX]


def _path(keys: Iterable[str | int]) -> str:
    """`controller.tolerations[0].key`"""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


def _message(error: "ValidationError") -> str:
    """The rule that does not hold, by its keyword, without the value."""
    rule = error.validator_value
    made = _MESSAGES.get(str(error.validator))
    return made(rule, error) if made else f"does not match {error.validator}"


def _types(rule: Any, _: "ValidationError") -> str:
    return f"must be {' or '.join(rule) if isinstance(rule, list) else rule}"


def _missing(rule: Any, error: "ValidationError") -> str:
    return f"lacks {', '.join(name for name in rule if name not in error.instance)}"


def _unknown(_: Any, error: "ValidationError") -> str:
    known = error.schema.get("properties") or {}
    return f"does not know {', '.join(sorted(str(name) for name in error.instance if name not in known))}"


_MESSAGES: Mapping[str, Callable[[Any, "ValidationError"], str]] = {
    "type": _types,
    "required": _missing,
    "additionalProperties": _unknown,
    "enum": lambda rule, _: f"must be one of {', '.join(map(str, rule))}",
    "const": lambda rule, _: f"must be {rule}",
    "pattern": lambda rule, _: f"must match {rule}",
    "minimum": lambda rule, _: f"must be at least {rule}",
    "maximum": lambda rule, _: f"must be at most {rule}",
    "minLength": lambda rule, _: f"must have at least {rule} characters",
    "maxLength": lambda rule, _: f"must have at most {rule} characters",
    "minItems": lambda rule, _: f"must have at least {rule} items",
    "maxItems": lambda rule, _: f"must have at most {rule} items",
    "format": lambda rule, _: f"must be a {rule}",
    "anyOf": lambda *_: "matches none of the forms that it may have",
    "oneOf": lambda *_: "matches none, or several, of the forms that it may have",
}
