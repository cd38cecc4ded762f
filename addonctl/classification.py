"""What a document is: an object, a list of objects, a template, something else, or what was meant as an object.

Pure: a parsed value, or the text that could not be parsed, in; its bucket out. Called by the reader of files.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from addonctl.resources import RESOURCES

# ── Buckets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of objects, whose items may leave out the kind and version that it gives them."""

    items: Sequence[Any]
    kind: str = ""
    api_version: str = ""
    array: bool = False  # bare, with nothing around it


@dataclass(frozen=True, slots=True)
class Single:
    """One object."""

    kind: str
    api_version: str


@dataclass(frozen=True, slots=True)
class Other:
    """What is no Kubernetes object: `what` it is, in the plural."""

    what: str


@dataclass(frozen=True, slots=True)
class Template:
    """What becomes an object only when it is rendered."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What was meant as an object and is none, and why not."""

    why: str


NO_KIND = Single("", "")
"""What the items of a list inherit that says nothing: they must say their kind."""
ANY_KIND = Single("", "?")
"""What those of an array inherit of which nobody knows what is in it: they may be no objects."""
_OTHERS = "other YAML and JSON documents"

Bucket = Listed | Single | Other | Template | Lost

# ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_KIND = re.compile(r"[A-Z][A-Za-z0-9]*")
_API_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]+")
_KNOWN = {each.kind.lower(): each.kind for each in RESOURCES}
_GROUPS = {each.kind: each.group for each in RESOURCES}
# Groups whose kinds other tools read from files, under names that no API server knows.
_LOCAL_GROUPS = frozenset(
    """
    kustomize.config.k8s.io kind.x-k8s.io k3d.io eksctl.io ctlptl.dev devspace.sh minikube.sigs.k8s.io backstage.io
    helmfile.dev config.kubernetes.io cli-utils.sigs.k8s.io kpt.dev builtin jsonnet.io tanka.dev
    """.split()
)
_LOCAL_ANNOTATION = "config.kubernetes.io/local-config"
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


def classify(value: Any, inherited: Single | None = None) -> Bucket:
    """The bucket of a parsed document; or of an item in a list, which may inherit its kind and version from that."""
    if isinstance(value, Mapping):
        return _of_mapping(value, inherited)
    if isinstance(value, list):
        return Listed(value, array=True) if any(map(_may_be_object, value)) else Other("lists")
    return Other("texts" if value is not None else "empty documents")


def _may_be_object(value: Any) -> bool:
    return isinstance(value, Mapping) and ("metadata" in value or ("kind" in value and "apiVersion" in value))


def _of_mapping(value: Mapping[Any, Any], inherited: Single | None) -> Bucket:
    kind, api_version = value.get("kind"), value.get("apiVersion")
    if _is_list(value):
        of = str(kind or "").removesuffix("List")
        return Listed(value["items"] or (), of, str(api_version or "") if of else "")
    wrong = _misspelt(value)
    if wrong:
        return Lost(wrong)
    if inherited is not None:
        kind, api_version = kind or inherited.kind, api_version or inherited.api_version.strip("?")
    if not isinstance(kind, str) or not kind:
        named = isinstance(value.get("metadata"), Mapping) and (api_version or inherited == NO_KIND)
        return Lost("it has no kind") if named else Other(_OTHERS)
    if isinstance(api_version, str) and api_version:
        return _of_object(value, kind, api_version)
    if inherited is not None:  # Go's clients leave it out
        return Single(kind, "")
    return Lost(f"a {kind[:100]} has no apiVersion") if "metadata" in value else Other(_OTHERS)


def _is_list(value: Mapping[Any, Any]) -> bool:
    """Whether it is a list of objects: `items`, which Go writes as null where there are none."""
    kind = value.get("kind")
    named = isinstance(kind, str) and kind.endswith("List")
    return "items" in value and isinstance(value["items"], list | None) and (named or not kind)


def _misspelt(value: Mapping[Any, Any]) -> str:
    """What is wrong with the keys of a near-object; empty if nothing is."""
    if not isinstance(value.get("metadata"), Mapping):
        return ""
    for right in ("kind", "apiVersion"):
        if right not in value:
            written = next((key for key in value if isinstance(key, str) and key.lower() == right.lower()), None)
            if written is not None:
                return f"it has no {right}, but {written!r}"
    return ""


def _of_object(value: Mapping[Any, Any], kind: str, api_version: str) -> Bucket:
    group = api_version.rpartition("/")[0]
    meta = value.get("metadata")
    if group in _LOCAL_GROUPS or (group == "" and kind == "Config") or group.startswith("skaffold"):
        return Other("Kustomizations" if kind in ("Kustomization", "Component") else "settings of other tools")
    if "{{" in kind + api_version or _has_templated_name(meta):
        return Template()
    if _KIND.fullmatch(kind) is None:
        meant = _KNOWN.get(kind.lower()) or _KNOWN.get(kind.lower().removesuffix("s"))
        return Lost(f"kind {kind[:100]!r} is none of Kubernetes" + (f", but {meant} is" if meant else ""))
    if _API_VERSION.fullmatch(api_version) is None:
        return Lost(f"apiVersion {api_version[:100]!r} is none of Kubernetes")
    if not isinstance(meta, Mapping) and kind not in _GROUPS:
        return Other("settings of other tools")
    notes = meta.get("annotations") if isinstance(meta, Mapping) else None
    if isinstance(notes, Mapping) and str(notes.get(_LOCAL_ANNOTATION)).lower() == "true":
        return Other("settings of other tools")
    return Single(kind, api_version)


def _has_templated_name(meta: Any) -> bool:
    return isinstance(meta, Mapping) and any("{{" in str(meta.get(key) or "") for key in ("name", "namespace"))


# ── Texts that could not be parsed ──────────────────────────────────────────────────────────────────────────────────

_MEANT = re.compile(r"^[ \t]*(?:- )?[\"']?(?:kind|apiVersion)[\"']?[ \t]*:", re.MULTILINE | re.IGNORECASE)
_CONFLICT = re.compile(r"^(?:<{7} .*|={7}|>{7} .*)$", re.MULTILINE)
_CONFLICT_MARKS = 2
_LFS = b"version https://git-lfs.github.com/spec/"
# A line that is nothing but a statement, and one that holds an expression: Go and Helm, Jinja, ERB, Terraform.
_STATEMENT = re.compile(r"^[ \t]*(?:\{\{.*\}\}|\{%.*%\}|\{#.*#\}|<%.*%>|%\{.*\})[ \t]*$", re.MULTILINE)
# No expression has the beginning of another one inside it: text with many beginnings and no end takes linear time.
_EXPRESSION = re.compile(r"\{\{(?:(?!\{\{).)*?\}\}|<%=(?:(?!<%=).)*?%>")


def is_pointer(body: bytes) -> bool:
    """Whether a file is what Git LFS leaves in the place of one."""
    return body.startswith(_LFS)


def has_conflict(text: str) -> bool:
    """Whether a text that cannot be parsed has the markers of a merge conflict."""
    return len(_CONFLICT.findall(text)) >= _CONFLICT_MARKS


def is_meant_as_object(text: str) -> bool:
    """Whether a text that cannot be parsed has the keys of an object."""
    return _MEANT.search(text) is not None


def without_templating(text: str) -> str | None:
    """The text of a template, with something in the place of each expression; None if it has no expression."""
    filled = _EXPRESSION.sub("x", _STATEMENT.sub("", text))
    return filled if filled != text else None


_VALUE = re.compile(r"\{\{-?[ \t]{0,9}\.Values\.([\w.]{1,200})((?:[ \t]{0,9}\|[^}{\n]{0,300})?)[ \t]{0,9}-?\}\}")
_DEFAULT = re.compile(r"\|\s*default\s+\"([^\"]*)\"")
_PIPE = re.compile(r"\s*\|\s*(?:quote|squote|toString)\s*")


def filled(text: str, values: Mapping[Any, Any]) -> str:
    """A Helm template with the values that its chart has for its expressions, or the defaults that stand in them.

    What remains of an expression is kept in a form that YAML reads as a part of a text: `${.Values.x}`.
    """
    return _EXPRESSION.sub(_as_text, _STATEMENT.sub("", _VALUE.sub(lambda found: _value(found, values), text)))


def _value(found: re.Match[str], values: Mapping[Any, Any]) -> str:
    value: Any = values
    for key in found[1].split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    default = _DEFAULT.search(found[2])
    plain = not found[2].strip() or default is not None or _PIPE.fullmatch(found[2]) is not None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" and plain:
        return json.dumps(str(value)) if "quote" in found[2] else str(value)
    return default[1] if default else found[0]


_ODD = re.compile(r"[^\w.$ -]+")


def _as_text(found: re.Match[str]) -> str:
    return f"${{{' '.join(_ODD.sub(' ', found[0].strip('{}-')).split())[:80]}}}"


def has_statements(text: str) -> bool:
    """Whether a template decides by itself what is in it, so that both branches together may be no YAML."""
    return _STATEMENT.search(text) is not None


# ── Kustomize ───────────────────────────────────────────────────────────────────────────────────────────────────────

_BUILDS_ON = ("resources", "bases", "components")
_PATCHES = ("patches", "patchesStrategicMerge", "patchesJson6902", "replacements")
_PLUGINS = ("configurations", "transformers", "generators", "validators", "crds")
_CHANGES = frozenset(
    """
    images namePrefix nameSuffix namespace replicas labels commonLabels commonAnnotations configMapGenerator
    secretGenerator helmCharts helmChartInflationGenerator vars
    """.split()
).union(_PATCHES, _PLUGINS)


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A kustomization file in `folder`: the folders that it builds on, files that are no objects, whether it changes
    any."""

    folder: str
    builds_on: tuple[str, ...]
    no_objects: tuple[str, ...]
    changes: bool


def kustomization(value: Any, path: str) -> Kustomization | None:
    """The kustomization that a document is; None if it is none. `path` is that of its file."""
    if not isinstance(value, Mapping):
        return None
    file = PurePosixPath(path)
    if str(value.get("apiVersion") or "").partition("/")[0] != "kustomize.config.k8s.io" and (
        file.name not in KUSTOMIZATIONS or "apiVersion" in value
    ):
        return None
    folder = str(file.parent)
    named = [_path_in(entry) for key in (*_PATCHES, *_PLUGINS) for entry in _entries(value.get(key))]
    on = [_path_in(entry) for key in _BUILDS_ON for entry in _entries(value.get(key))]
    return Kustomization(
        folder,
        tuple(_joined(folder, each) for each in on if each and "://" not in each),
        tuple(_joined(folder, each) for each in named if each),
        changes=any(value.get(key) for key in _CHANGES) or any("://" in each for each in on),
    )


def _entries(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _path_in(entry: Any) -> str:
    """The path that an entry names; empty if it is written out in the place."""
    path = entry.get("path") if isinstance(entry, Mapping) else entry
    return path if isinstance(path, str) and "\n" not in path else ""


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def to_be_built(found: Sequence[Kustomization]) -> Iterator[str]:
    """The folders to build: those that no other one builds on, where anything in them is changed by building."""
    by_folder = {each.folder: each for each in found}
    used = {on for each in found for on in each.builds_on}
    for each in found:
        if each.folder not in used and _changes(each, by_folder, set()):
            yield each.folder


def _changes(one: Kustomization, by_folder: Mapping[str, Kustomization], seen: set[str]) -> bool:
    if one.folder in seen:
        return False
    seen.add(one.folder)
    return one.changes or any(_changes(by_folder[on], by_folder, seen) for on in one.builds_on if on in by_folder)
