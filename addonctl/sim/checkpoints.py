"""ports.Checkpoints in memory; what is held survives the crash of a worker."""

from pathlib import Path

from addonctl.errors import NotFound, NotServed
from addonctl.model.checkpoint import Checkpoint, CheckpointEntry


class SimCheckpoints:
    def __init__(self) -> None:
        self._held: dict[str, tuple[CheckpointEntry, Checkpoint]] = {}

    def save(self, checkpoint: Checkpoint) -> CheckpointEntry:
        entry = CheckpointEntry.of(checkpoint, id=f"checkpoint-{len(self._held)}")
        self._held[entry.id] = entry, checkpoint
        return entry

    def load(self, id: str) -> Checkpoint:
        return self._found(id)[1]

    def entry(self, id: str) -> CheckpointEntry:
        return self._found(id)[0]

    def _found(self, id: str) -> tuple[CheckpointEntry, Checkpoint]:
        found = self._held.get(id)
        if found is None:
            raise NotFound(f"There is no checkpoint {id}")
        return found

    def entries(self) -> tuple[CheckpointEntry, ...]:
        return tuple(entry for entry, _ in reversed(self._held.values()))

    def delete(self, id: str) -> None:
        self._held.pop(id, None)

    def export(self, path: Path, *ids: str) -> None:
        raise NotServed("There are no files in a simulated world")
