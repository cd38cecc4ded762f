"""Builds the kubectl plugin for krew: an archive, and the manifest that names it by its hash.

python -m scripts.build_plugin FOLDER --homepage URL --releases URL

The archive holds the wheel, requirements.lock and packaging/krew/kubectl-addons. `--releases` is where the archive of
version V will be found as V/NAME. The same sources make the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

from addonctl import __version__

ROOT = Path(__file__).parents[1]
KREW = ROOT / "packaging" / "krew"
_MADE_AT = 1577836800  # 2020-01-01, in seconds: a zip keeps no time before 1980, and 0 is refused by some tools
NAME = f"kubectl-addons-v{__version__}.tar.gz"


def wheel(folder: Path) -> Path:
    """The wheel of this clone, by the build backend that is installed."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={"SOURCE_DATE_EPOCH": str(_MADE_AT)})
    return folder / f"addonctl-{__version__}-py3-none-any.whl"


def archive(folder: Path) -> Path:
    """The archive of the plugin, and the wheel beside it."""
    made = folder / NAME
    files = (wheel(folder), ROOT / "requirements.lock", ROOT / "LICENSE", KREW / "kubectl-addons")
    with (
        made.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=_MADE_AT) as packed,
        tarfile.open(fileobj=packed, mode="w") as listed,
    ):
        for file in files:
            body = file.read_bytes()
            entry = tarfile.TarInfo(file.name)
            entry.size, entry.mtime = len(body), _MADE_AT
            entry.mode = 0o755 if file.parent == KREW else 0o644
            listed.addfile(entry, io.BytesIO(body))
    return made


def manifest(made: Path, homepage: str, releases: str) -> str:
    """packaging/krew/addons.yaml of this version."""
    text = (KREW / "addons.yaml").read_text()
    given = {
        "version": __version__,
        "homepage": homepage,
        "uri": f"{releases}/v{__version__}/{made.name}",
        "sha256": hashlib.sha256(made.read_bytes()).hexdigest(),
    }
    for key, value in given.items():
        text = text.replace("{{" + key + "}}", value)
    return text.partition("\n")[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--homepage", required=True)
    parser.add_argument("--releases", required=True)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    made = archive(given.folder)
    (given.folder / "addons.yaml").write_text(manifest(made, given.homepage, given.releases))
    print(made, given.folder / "addons.yaml", sep="\n")


if __name__ == "__main__":
    main()
