"""Manifests on disk, losslessly: ports.ManifestReader. All or nothing is read, and no field is left out."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from addonctl.adapters import redact
from addonctl.adapters.files import files
from addonctl.adapters.yaml_loader import MARKER, loaded
from addonctl.errors import BadInput
from addonctl.model import live
from addonctl.model.manifests import Manifests


class ManifestFiles:
    """ports.ManifestReader: JSON and YAML, single objects and Lists, files and folders."""

    def read(self, path: str) -> Manifests:
        if path == "-":
            raise BadInput(
                "Manifests for an update are read again while it runs", "Save them to a file, and give that."
            )
        total = hashlib.sha256()
        documents: list[live.Object] = []
        for file in files([path]):
            if file.error:
                raise BadInput(f"{file.place} cannot be read: {file.error}", "Check the path.")
            total.update(len(file.body).to_bytes(8, "big") + file.body)
            documents += objects_in(file.body, str(file.place))
        if not documents:
            raise BadInput(f"{path}: no Kubernetes object in it", "Give JSON or YAML of Kubernetes objects.")
        return Manifests(path, total.hexdigest(), tuple(documents))


def objects_in(body: bytes, source: str) -> Iterator[live.Object]:
    """The objects of a text, YAML or JSON. Raises BadInput, which quotes none of it but what is no YAML."""
    import yaml

    for number, part in enumerate(MARKER.split(body.removeprefix(b"\xef\xbb\xbf")), start=1):
        where = f"{source} document {number}"
        try:
            value = loaded(part)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            why = redact.text(" ".join(str(error).split())[:300])
            raise BadInput(f"{where} is no YAML: {why}", "Correct it.") from None
        yield from _flat(value, where)


def _flat(value: Any, where: str) -> Iterator[live.Object]:
    """The objects in a document; of Lists, their items."""
    if value is None:
        return
    if isinstance(value, list):
        for item in value:
            yield from _flat(item, where)
    elif isinstance(value, Mapping) and str(value.get("kind", "")).endswith("List") and "items" in value:
        yield from _flat(value["items"] or [], where)
    elif isinstance(value, Mapping) and value.get("kind") and value.get("apiVersion"):
        found = live.Object(value)
        if not found.ref.name:
            raise BadInput(f"{where}: a {found.ref.kind} has no name", "Give metadata.name.")
        yield found
    else:
        raise BadInput(f"{where} is no Kubernetes object", "Give manifests alone.")
