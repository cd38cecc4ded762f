"""Writes a file atomically: under a temporary name, synced to disk, then renamed.

Called wherever addonctl stores something: snapshots, the table of EKS versions, checkpoints.
"""

import os
import tempfile
from pathlib import Path


def write(path: Path, body: bytes, *, mode: int = 0o600) -> None:
    """Writes `body` to `path`; an existing file is unchanged until then. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as half:
        try:
            half.write(body)
            half.flush()
            os.fchmod(half.fileno(), mode)
            os.fsync(half.fileno())  # an empty file would be worse than none
            os.replace(half.name, path)
        except BaseException:
            Path(half.name).unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # otherwise the rename may be lost in a power failure
    finally:
        os.close(folder)
