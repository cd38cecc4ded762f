"""The names of the contexts of a kubeconfig, for a shell that completes them; connecting reads the file on its own."""

import os
from collections.abc import Iterator
from pathlib import Path


def contexts(given: str = "") -> Iterator[str]:
    """The contexts of the kubeconfig at `given`, of $KUBECONFIG, or of the default one. Raises OSError."""
    import yaml

    default = str(Path.home() / ".kube" / "config")
    for path in (given or os.environ.get("KUBECONFIG") or default).split(os.pathsep):
        document = yaml.safe_load(Path(path).expanduser().read_text()) if path else None
        listed = document.get("contexts") if isinstance(document, dict) else None
        yield from (str(entry["name"]) for entry in listed or () if isinstance(entry, dict) and entry.get("name"))
