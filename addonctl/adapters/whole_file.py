"""Writes a file atomically: under a temporary name, synced to disk, then renamed; reads back a table of the user's own.

Called wherever addonctl stores something: snapshots, the tables of EKS versions and of prices, checkpoints.
"""

import gzip
import os
import tempfile
from pathlib import Path

from addonctl.errors import BadInput, NotReachable


def write_table(path: Path, body: bytes) -> Path:
    """Writes a table of the user's own, in gzip, and returns its path; equal bytes give equal files.

    Raises NotReachable when it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, gzip.compress(body, compresslevel=9, mtime=0), mode=0o644)
    except OSError as error:
        fix = "Check free space and permissions, or set ADDONCTL_CACHE_DIR."
        raise NotReachable(f"{path} cannot be written: {error.strerror}", fix) from error
    return path


def read_table(path: Path, fix: str) -> bytes | None:
    """What `write_table` wrote, packed as it is; None where there is none. Raises BadInput when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", f"Delete it. {fix}") from error


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
