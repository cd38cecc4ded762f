"""Container images without a registry: an OCI layout in a tar with one layer, as `ctr images import` takes."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"
# Directories that programs expect of any image.
_FOLDERS = {"tmp": 0o1777, "run": 0o755, "etc": 0o755, "etc/ssl": 0o755, "etc/ssl/certs": 0o755}


def write_image(target: Path, name: str, files: Mapping[str, Path], entrypoint: tuple[str, ...]) -> None:
    """Writes an image called `name` (with tag) that holds `files` (path in the image → local file)."""
    layer = _layer(files)
    config = _json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "Env": ["PATH=/:/usr/sbin:/sbin"], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(f"{_OCI}.config.v1+json", config),
            "layers": [_descriptor(f"{_OCI}.layer.v1.tar", layer)],
        }
    )
    annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
    described = _descriptor(f"{_OCI}.manifest.v1+json", manifest) | {"annotations": annotations}
    blobs = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (layer, config, manifest)}
    index = _json({"schemaVersion": 2, "manifests": [described]})
    with tarfile.open(target, "w") as tar:
        for path, body in {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs}.items():
            _add(tar, path, body, 0o644)


def _layer(files: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folders = dict(_FOLDERS)
        for path in files:
            folders |= {str(parent): folders.get(str(parent), 0o755) for parent in Path(path).parents if parent.name}
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, folders[folder]
            tar.addfile(entry)
        for path, local in files.items():
            _add(tar, path, local.read_bytes(), 0o755)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, path: str, body: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(body), mode
    tar.addfile(entry, io.BytesIO(body))


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _descriptor(media_type: str, body: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(body), "size": len(body)}
