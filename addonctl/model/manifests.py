"""Manifests that somebody gives for an update: what a plan may say of them, and what is in them.

They may hold Secrets, so a plan holds names and a hash alone; whoever carries it out reads them again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from addonctl.model import live
from addonctl.model.cluster import ObjectRef
from addonctl.versions import Version, of_tag, parse

KEPT = frozenset({"CustomResourceDefinition", "Namespace", "PersistentVolume", "PersistentVolumeClaim"})
"""Kinds that hold what cannot be made again: objects of them are never deleted."""
_VERSION_LABELS = ("app.kubernetes.io/version", "helm.sh/chart")
_CHART = re.compile(r"^.*-(?=v?\d+\.)")


@dataclass(frozen=True, slots=True)
class Manifests:
    """The objects of a file or folder, in its order. `sha256` is of all that was read."""

    path: str
    sha256: str
    documents: tuple[live.Object, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSet:
    """What a plan says of manifests: their objects, and those of the installation that go because they are not there.

    A reference without a namespace stands for the object in any.
    """

    path: str
    sha256: str
    objects: tuple[ObjectRef, ...]
    gone: tuple[ObjectRef, ...] = ()


def versions_in(documents: Iterable[Mapping[str, Any]]) -> tuple[Version, ...]:
    """The versions that workloads name, in the tags of their images and in labels; each once."""
    found = (parse(text) for document in documents for text in _named(document))
    return tuple(dict.fromkeys(version for version in found if version is not None))


def _named(document: Mapping[str, Any]) -> Iterator[str]:
    template = (document.get("spec") or {}).get("template")
    if not isinstance(template, Mapping):
        return
    spec = template.get("spec") or {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        yield of_tag(str(container.get("image", "")).partition("@")[0].rpartition(":")[2])
    labels = {
        **((document.get("metadata") or {}).get("labels") or {}),
        **((template.get("metadata") or {}).get("labels") or {}),
    }
    yield from (_CHART.sub("", str(labels[name])) for name in _VERSION_LABELS if name in labels)
