"""Manifests that somebody gives: files, or folders of them."""

from typing import Protocol

from addonctl.model.manifests import Manifests


class ManifestReader(Protocol):
    """Reads what is given, losslessly, each time anew."""

    def read(self, path: str) -> Manifests:
        """All objects of a file or folder. Raises BadInput when any part of it cannot be read, or is no object."""
        ...
