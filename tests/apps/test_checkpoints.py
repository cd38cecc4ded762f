"""`addonctl checkpoint` without a cluster."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from addonctl.adapters.checkpoints import CheckpointFolder, new_key
from addonctl.apps.cli import cli
from addonctl.model import live, owners
from addonctl.model.checkpoint import Checkpoint
from tests.builders import NOW

_PASSWORD = "hunter2-hunter2"
_MAP = live.Object(
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"password": _PASSWORD}}
)


@pytest.mark.parametrize("encrypted", [False, True])
def test_an_export_says_what_of_it_is_in_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypted: bool
) -> None:
    monkeypatch.setenv("ADDONCTL_STATE_DIR", str(tmp_path))
    key = tmp_path / "key" if encrypted else None
    if key:
        new_key(key)
        monkeypatch.setenv("ADDONCTL_KEY_FILE", str(key))
    saved = Checkpoint(cluster="c", installation="i", addon="a", taken=NOW, owner=owners.EksAddon("a"), objects=(_MAP,))
    entry = CheckpointFolder(tmp_path / "checkpoints", key).save(saved)
    tar = tmp_path / "all.tar"
    done = CliRunner().invoke(cli, ["checkpoint", "export", str(tar)], catch_exceptions=False)
    shown = CliRunner().invoke(cli, ["checkpoint", "show", entry.id, "-o", "json"], catch_exceptions=False)
    assert (done.exit_code, shown.exit_code) == (0, 0)
    assert ("in clear" in done.output) is not encrypted
    assert (entry.id[:12] in done.output) is not encrypted
    assert _PASSWORD not in done.output + shown.output
    assert "ConfigMap/a" in shown.output
    assert tar.stat().st_mode & 0o077 == 0
