"""Where checkpoints are kept."""

from pathlib import Path
from typing import Protocol

from addonctl.model.checkpoint import Checkpoint, CheckpointEntry


class Checkpoints(Protocol):
    """Checkpoints of all clusters. What is stored is whole or not there; an entry tells no secret.

    A store without a key keeps Secrets of the add-on as prints only (Checkpoint.without_secrets).
    """

    def save(self, checkpoint: Checkpoint) -> CheckpointEntry:
        """Stores it durably. Raises NotReachable when that cannot be done."""
        ...

    def load(self, id: str) -> Checkpoint:
        """What was stored under an id or an unambiguous beginning of one.

        Raises NotFound, BadInput where the key is missing or another one, Broken where it was changed since.
        """
        ...

    def entries(self) -> tuple[CheckpointEntry, ...]:
        """All of them, newest first; one that cannot be read is left out, and load() says why."""
        ...

    def delete(self, id: str) -> None:
        """Forgets one. No such checkpoint: no error."""
        ...

    def export(self, path: Path, *ids: str) -> None:
        """Writes those (without ids: all) into a new tar file, as they are stored. Raises BadInput where it exists."""
        ...
