"""Configurations against JSON schemas: what is wrong is named by place and rule, and no value is told."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addonctl.adapters import knowledge
from addonctl.adapters.schemas import JsonSchemas
from addonctl.errors import Broken
from addonctl.model.preflight import Violation
from addonctl.versions import Version

SCHEMAS = JsonSchemas()
OF_EKS = Path(os.environ.get("ADDONCTL_SHARED", "/nowhere")) / "data" / "eks" / "configuration-schemas"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["region"],
    "properties": {
        "region": {"type": "string", "pattern": "^[a-z]+-[a-z]+-[0-9]$"},
        "replicaCount": {"type": "integer", "minimum": 1, "maximum": 9},
        "level": {"enum": ["info", "debug"]},
        "password": {"type": "string", "minLength": 20, "maxLength": 30},
        "tolerations": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "items": {"type": "object", "required": ["key"]},
        },
        "size": {"anyOf": [{"type": "integer"}, {"const": "auto"}]},
        "either": {"type": ["integer", "null"]},
        "mode": {"const": "strict"},
        "odd": {"multipleOf": 2},
    },
}


def against(configuration: Any) -> tuple[Violation, ...]:
    return SCHEMAS.violations(json.dumps(SCHEMA), json.dumps({"region": "eu-central-1"} | configuration))


@pytest.mark.parametrize(
    ("wrong", "path", "message"),
    [
        ({"replicaCount": "hunter2"}, "replicaCount", "must be integer"),
        ({"replicaCount": 0}, "replicaCount", "must be at least 1"),
        ({"replicaCount": 10}, "replicaCount", "must be at most 9"),
        ({"region": "hunter2"}, "region", "must match ^[a-z]+-[a-z]+-[0-9]$"),
        ({"level": "hunter2"}, "level", "must be one of info, debug"),
        ({"password": "hunter2"}, "password", "must have at least 20 characters"),
        ({"password": "hunter2" * 5}, "password", "must have at most 30 characters"),
        ({"tolerations": []}, "tolerations", "must have at least 1 items"),
        ({"tolerations": [{"key": "a"}] * 3}, "tolerations", "must have at most 2 items"),
        ({"tolerations": [{"value": "hunter2"}]}, "tolerations[0]", "lacks key"),
        ({"size": "hunter2"}, "size", "matches none of the forms that it may have"),
        ({"either": "hunter2"}, "either", "must be integer or null"),
        ({"mode": "hunter2"}, "mode", "must be strict"),
        ({"odd": 3}, "odd", "does not match multipleOf"),
        ({"replicas": 2}, "", "does not know replicas"),
    ],
)
def test_place_and_rule_are_named(wrong: Any, path: str, message: str) -> None:
    assert against(wrong) == (Violation(path, message),)


def test_all_that_is_wrong_is_told_in_order() -> None:
    assert [each.path for each in against({"size": [], "level": 1, "mode": 2})] == ["level", "mode", "size"]
    assert SCHEMAS.violations(json.dumps(SCHEMA), "") == (Violation("", "lacks region"),)


@pytest.mark.parametrize("configuration", ["region: eu-central-1\n# by hand\n", '{"region": "eu-central-1"}'])
def test_yaml_and_json_are_the_same(configuration: str) -> None:
    assert SCHEMAS.violations(json.dumps(SCHEMA), configuration) == ()


@pytest.mark.parametrize("empty", ["", "{}", "# nothing set\n"])
def test_no_settings_are_an_empty_object(empty: str) -> None:
    assert SCHEMAS.violations('{"type": "object"}', empty) == ()


def test_what_cannot_be_read_is_a_violation_and_not_quoted() -> None:
    assert SCHEMAS.violations("{}", "password: [hunter2") == (Violation("", "is neither JSON nor YAML"),)
    assert SCHEMAS.violations(json.dumps(SCHEMA), "hunter2") == (Violation("", "must be object"),)


@pytest.mark.parametrize("schema", ["", "no JSON", '{"type": "colour"}'])
def test_what_is_no_schema_says_so(schema: str) -> None:
    with pytest.raises(Broken, match="no JSON schema"):
        SCHEMAS.violations(schema, "{}")


SECRET = "hunter2-hunter2"
VALUES = st.recursive(
    st.just(SECRET) | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])), inner),
    max_leaves=8,
)


@given(VALUES)
def test_no_value_is_ever_told(values: Any) -> None:
    found = SCHEMAS.violations(json.dumps(SCHEMA), json.dumps(values))
    assert SECRET not in repr(found)


def _of_eks(file: Path) -> list[str]:
    """The schemas of one add-on, newest version first, without those that say nothing."""
    found = json.loads(gzip.decompress(file.read_bytes()))["schemas"].values()
    texts = [schema if isinstance(schema, str) else json.dumps(schema) for schema in found]
    return [text for text in texts if text.strip()]


@pytest.mark.skipif(not OF_EKS.is_dir(), reason="needs EKS's own schemas: ADDONCTL_SHARED is not set")
@pytest.mark.parametrize("share", ["newest and oldest", pytest.param("all", marks=pytest.mark.prove)])
def test_the_schemas_of_eks_are_some_and_take_no_settings_as_they_take_none(share: str) -> None:
    seen = 0
    for file in sorted(OF_EKS.glob("*.json.gz")):
        texts = _of_eks(file)
        for text in texts if share == "all" else {texts[0], texts[-1]}:
            SCHEMAS.violations(text, "{}")
            seen += 1
    assert seen > (100 if share == "all" else 40)


def _newest(file: Path) -> str:
    """The schema of the newest version of one add-on."""
    found = json.loads(gzip.decompress(file.read_bytes()))
    schema = found["schemas"][found["versions"][max(found["versions"], key=Version.of)]]
    return schema if isinstance(schema, str) else json.dumps(schema)


def _nested(path: str, value: Any) -> Any:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


@pytest.mark.skipif(not OF_EKS.is_dir(), reason="needs EKS's own schemas: ADDONCTL_SHARED is not set")
def test_where_the_catalogue_says_that_requests_are_set_eks_takes_them() -> None:
    requests = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    checked = 0
    for addon in knowledge.load().addons.values():
        eks = addon.install.eks
        paths = {setting.eks for setting in addon.requests if setting.eks}
        file = OF_EKS / f"{eks.name if eks else ''}.json.gz"
        for path in paths if file.is_file() else ():
            schema = _newest(file)
            assert SCHEMAS.violations(schema, json.dumps(_nested(path, requests))) == (), (addon.id, path)
            assert _knows(json.loads(schema), path), (addon.id, path)
            checked += 1
    assert checked > 30


def _knows(schema: dict[str, Any], path: str) -> bool:
    """Whether a schema has properties along a path; one that allows anything would take any path."""
    here: Any = schema
    for key in path.split("."):
        while "$ref" in here:
            *_, kind, name = here["$ref"].split("/")
            here = schema[kind][name]
        here = here.get("properties", {}).get(key)
        if here is None:
            return False
    return True
