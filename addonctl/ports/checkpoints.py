"""The store of checkpoints."""

from pathlib import Path
from typing import Protocol

from addonctl.model.checkpoint import Checkpoint, CheckpointEntry


class Checkpoints(Protocol):
    """Checkpoints of all clusters. A checkpoint is stored completely or not at all; entries contain no secrets.

    A store without a key keeps only fingerprints of the add-on's Secrets (Checkpoint.without_secrets).
    """

    def save(self, checkpoint: Checkpoint) -> CheckpointEntry:
        """Stores it durably. Raises NotReachable when that cannot be done."""
        ...

    def load(self, id: str) -> Checkpoint:
        """The checkpoint with an id, or with an unambiguous prefix of one.

        Raises NotFound, BadInput when the key is missing or wrong, Broken when the file was changed.
        """
        ...

    def entry(self, id: str) -> CheckpointEntry:
        """The entry of the checkpoint with an id, or with an unambiguous prefix of one. Raises as load() does."""
        ...

    def entries(self) -> tuple[CheckpointEntry, ...]:
        """All entries, newest first; one that cannot be read is omitted, and load() says why."""
        ...

    def delete(self, id: str) -> None:
        """Deletes one. Not an error if it does not exist."""
        ...

    def export(self, path: Path, *ids: str) -> None:
        """Writes these (no ids: all) to a new tar file, as they are stored. Raises BadInput when it exists."""
        ...
