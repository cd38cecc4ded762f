"""Writes a file whole or not at all: under another name first, on the disk, then renamed.

Called wherever addonctl keeps something: snapshots, the table of EKS versions, checkpoints.
"""

import os
import tempfile
from pathlib import Path


def write(path: Path, body: bytes, *, mode: int = 0o600) -> None:
    """`body` becomes the file at `path`; what is there stays as it is until then. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as half:
        try:
            half.write(body)
            half.flush()
            os.fchmod(half.fileno(), mode)
            os.fsync(half.fileno())  # a name that points to nothing would be worse than no file
            os.replace(half.name, path)
        except BaseException:
            Path(half.name).unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # else the name may be gone after a power cut
    finally:
        os.close(folder)
