"""Other Pythons of this machine."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def python(version: str) -> str:
    """The path of a Python of this version, on the PATH or in pyenv; a shim of pyenv's may lead to none. Else skips."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found in (shutil.which(f"python{version}"), *map(str, pyenv.glob(f"versions/{version}.*/bin/python3"))):
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"there is no Python {version}")
