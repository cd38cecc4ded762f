"""What addonctl keeps is written whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from addonctl.adapters import whole_file


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*given: Any) -> None:
            done.append(name)
            act(*given)

        return noting

    monkeypatch.setattr(os, "fsync", noted("fsync", os.fsync))
    monkeypatch.setattr(os, "replace", noted("replace", os.replace))
    whole_file.write(tmp_path / "a", b"x")
    assert done == ["fsync", "replace", "fsync"]
    assert (tmp_path / "a").read_bytes() == b"x"


def test_only_its_owner_may_read_it_unless_said_otherwise(tmp_path: Path) -> None:
    whole_file.write(tmp_path / "mine", b"x")
    whole_file.write(tmp_path / "ours", b"x", mode=0o644)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("mine", "ours")] == [0o600, 0o644]


def test_what_cannot_have_its_name_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        whole_file.write(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
