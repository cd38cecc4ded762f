"""Loads the packaged facts into a Catalog; the user's own table of EKS versions overrides the packaged one."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
import yaml

from addonctl.adapters import chart_table, eks_table, encoding, shapes, yaml_loader
from addonctl.catalog import AddOn, Catalog, Kubernetes
from addonctl.errors import BadInput

_Fact = TypeVar("_Fact", AddOn, Kubernetes)
_DATA = resources.files("addonctl") / "data"


def load(cache_dir: Path | None = None) -> Catalog:
    """The Catalog; `cache_dir` is where `catalog refresh` stores its table. Raises BadInput with file and field."""
    table = (eks_table.cached(cache_dir) if cache_dir else None) or eks_table.packaged()
    return Catalog(_addons(), table, _kubernetes(), chart_table.known(cache_dir))


@cache
def _addons() -> Mapping[str, AddOn]:
    files = sorted((_DATA / "addons").iterdir(), key=lambda file: file.name)
    addons = (_read(file, AddOn) for file in files if file.name.endswith(".yaml"))
    return {addon.id: addon for addon in addons}


@cache
def _kubernetes() -> Kubernetes:
    return _read(_DATA / "kubernetes.yaml", Kubernetes)


def _read(file: Traversable, kind: type[_Fact]) -> _Fact:
    try:
        facts = yaml.load(file.read_bytes(), Loader=yaml_loader.plain())
        return shapes.convert(facts, kind, dec_hook=encoding.decode)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadInput(f"{file.name}: {error}", f"Its fields are those of addonctl.catalog.{kind.__name__}.") from error


def unknown_keys(facts: Any, kind: Any, path: str = "$") -> list[str]:
    """Keys of a file that are not in the schema, by path: msgspec ignores them, but a typo must be reported."""
    if is_dataclass(kind) and isinstance(facts, dict):
        hints = get_type_hints(kind)
        known = {field.name for field in fields(kind)}
        found = [f"{path}.{key}" for key in facts if key not in known]
        for key in (key for key in facts if key in known):
            found += unknown_keys(facts[key], hints[key], f"{path}.{key}")
        return found
    inner = [argument for argument in get_args(kind) if is_dataclass(argument)]
    if isinstance(facts, list) and inner:
        return [key for n, item in enumerate(facts) for key in unknown_keys(item, inner[0], f"{path}[{n}]")]
    return unknown_keys(facts, inner[0], path) if isinstance(facts, dict) and inner else []
